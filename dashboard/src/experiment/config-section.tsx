// What exactly runs? The file of each revision and what changed from the one before.
import { type JSX, useState } from 'react';
import { Link } from 'wouter';
import type { RevisionsAnswer } from '../../../src/api/index.ts';
import { Answered } from '../parts/fault-box.tsx';
import { ScrollBox } from '../parts/scroll-box.tsx';
import { Time } from '../parts/time.tsx';
import { saveFile } from '../save-file.ts';
import { usePart } from '../server/questions.ts';
import { useExperiment } from './experiment-context.tsx';
import { Section, WhenNear } from './section.tsx';

/** The configuration. */
export function ConfigSection(): JSX.Element {
  const { key } = useExperiment();
  const query = new URLSearchParams({
    from: key.name,
    ...(key.namespace === 'default' ? {} : { namespace: key.namespace }),
  });
  return (
    <Section
      id="config"
      title="Configuration"
      beside={
        <Link href={`/new?${query}`} className="button">
          Edit as a new revision
        </Link>
      }
    >
      <WhenNear>{() => <Config />}</WhenNear>
    </Section>
  );
}

function Config(): JSX.Element {
  const { key } = useExperiment();
  const revisions = usePart(key, 'revisions');
  return <Answered question={revisions}>{(answer) => <Revisions answer={answer} name={key.name} />}</Answered>;
}

function Revisions({ answer, name }: { readonly answer: RevisionsAnswer; readonly name: string }): JSX.Element {
  const [chosen, setChosen] = useState(0);
  const [isDiff, setDiff] = useState(false);
  const entry = answer.revisions[chosen];
  if (entry === undefined) return <p className="quiet">No revision is known.</p>;
  return (
    <>
      <div className="row">
        <label className="field">
          <span className="small quiet">Revision</span>
          <select value={chosen} onChange={(event) => setChosen(Number(event.target.value))}>
            {answer.revisions.map(({ revision, author }, at) => (
              <option key={revision} value={at}>
                {revision}, {author}
              </option>
            ))}
          </select>
        </label>
        <span>
          <Time at={entry.at} /> by {entry.author}: {entry.reason}
        </span>
        <span className="push row">
          <button
            type="button"
            className="small"
            aria-pressed={isDiff}
            disabled={entry.diff.length === 0}
            onClick={() => setDiff(!isDiff)}
          >
            Difference to the one before
          </button>
          <button
            type="button"
            className="small"
            onClick={() => saveFile(`${name}.yaml`, new Blob([entry.yaml], { type: 'application/yaml' }))}
          >
            Download
          </button>
        </span>
      </div>
      <ScrollBox className="file" label={`File of revision ${entry.revision}`}>
        <pre>
          {isDiff && entry.diff.length > 0
            ? entry.diff.map(({ kind, text, before, after }) => (
                <span key={`${kind}/${before}/${after}`} className={`diff-line ${kind}`}>
                  {kind === 'added' ? '+ ' : kind === 'removed' ? '- ' : '  '}
                  {text}
                </span>
              ))
            : entry.yaml}
        </pre>
      </ScrollBox>
    </>
  );
}
