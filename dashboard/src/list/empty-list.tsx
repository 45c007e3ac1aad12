// Nothing yet: three ways to the first experiment.
import type { JSX } from 'react';
import { Link } from 'wouter';

/** What stands in place of an empty list. */
export function EmptyList(): JSX.Element {
  return (
    <div className="card">
      <h1>No experiment yet</h1>
      <p>Three ways to the first one:</p>
      <ol>
        <li>
          <code>assay demo</code> shows one from the first request to the verdict, in less than a minute.
        </li>
        <li>
          <Link href="/new">A guided form</Link> asks for two model addresses and writes the file.
        </li>
        <li>
          <code>assay apply -f experiment.yaml</code> takes a file you have; <code>assay init --url A --url B</code>{' '}
          writes one.
        </li>
      </ol>
    </div>
  );
}
