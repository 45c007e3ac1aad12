// Does the model server answer? One request from Assay, not from the browser.
import { type JSX, useState } from 'react';
import type { ProbeAnswer } from '../../../src/api/index.ts';
import { AssayError } from '../../../src/errors.ts';
import { Icon } from '../parts/icon.tsx';
import { otherPaths } from '../server/page-paths.ts';
import { sendApi } from '../server/request.ts';

/** The button and what came of it. */
export function ProbeButton({ url }: { readonly url: string }): JSX.Element {
  const [result, setResult] = useState<{ readonly url: string; readonly ok: boolean; readonly text: string }>();
  const [isAsking, setAsking] = useState(false);
  const probe = async (): Promise<void> => {
    setAsking(true);
    try {
      const { ok, text } = await sendApi<ProbeAnswer>(otherPaths.probe, { json: { url } });
      setResult({ url, ok, text });
    } catch (fault) {
      setResult({ url, ok: false, text: fault instanceof AssayError ? fault.message : String(fault) });
    } finally {
      setAsking(false);
    }
  };
  return (
    <>
      <button type="button" className="small" disabled={isAsking || url === ''} onClick={() => void probe()}>
        {isAsking ? 'Asking…' : 'Probe'}
        <span className="spoken"> {url}</span>
      </button>
      <span className="small" role="status">
        {result !== undefined && result.url === url && (
          <span className={result.ok ? 'better' : 'worse'} data-probe={result.ok}>
            <Icon name={result.ok ? 'ok' : 'veto'} /> {result.text}
          </span>
        )}
      </span>
    </>
  );
}
