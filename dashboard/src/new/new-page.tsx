// A first experiment without a manual: a form and the file it writes, the same faults as the command line's, and how long it takes.
import { useQuery } from '@tanstack/react-query';
import { type JSX, useDeferredValue, useEffect, useMemo, useState } from 'react';
import { useSearch } from 'wouter';
import type { RevisionsAnswer, ValidateAnswer } from '../../../src/api/index.ts';
import { Answered, FaultBox } from '../parts/fault-box.tsx';
import { saveFile } from '../save-file.ts';
import { otherPaths, partPath } from '../server/page-paths.ts';
import { readApi, sendApi } from '../server/request.ts';
import { useSettled } from '../settled.ts';
import { CreateButtons } from './create-buttons.tsx';
import { firstFile, readDocument, textAt } from './experiment-document.ts';
import { ExperimentForm } from './experiment-form.tsx';
import { FileEditor } from './file-editor.tsx';
import { PowerPanel } from './power-panel.tsx';

const draftKey = 'assay-draft';

/** The page of a new experiment, or of a new revision (`?from=NAME`). */
export default function NewPage(): JSX.Element {
  const params = new URLSearchParams(useSearch());
  const from = params.get('from');
  const namespace = params.get('namespace') ?? 'default';
  useEffect(() => {
    document.title = from === null ? 'New experiment - Assay' : `Revise ${from} - Assay`;
  }, [from]);
  const revisions = useQuery({
    queryKey: ['experiment', namespace, from, 'revisions'],
    queryFn: ({ signal }) =>
      readApi<RevisionsAnswer>(partPath({ namespace, name: from ?? '' }, 'revisions'), { signal }),
    enabled: from !== null,
  });
  if (from === null) return <Editor key="new" begin={readDraft() ?? firstFile} revises={undefined} seen={0} />;
  return (
    <Answered question={revisions}>
      {({ revisions: [last] }) => (
        <Editor key={from} begin={last?.yaml ?? firstFile} revises={from} seen={last?.revision ?? 0} />
      )}
    </Answered>
  );
}

function Editor(props: {
  readonly begin: string;
  readonly revises: string | undefined;
  /** Revision of the file the text began as; 0 for a new one. */
  readonly seen: number;
}): JSX.Element {
  const { begin, revises, seen } = props;
  const [text, setText] = useState(begin);
  // Later revisions come in while the reader writes; theirs began here.
  const [began] = useState(seen);
  const settled = useSettled(text, 250);
  const validation = useQuery({
    queryKey: ['validate', settled],
    queryFn: ({ signal }) => sendApi<ValidateAnswer>(otherPaths.validate, { yaml: settled, signal }),
    placeholderData: (before) => before,
  });
  useEffect(() => {
    if (revises === undefined) keepDraft(settled);
  }, [settled, revises]);
  const deferred = useDeferredValue(text);
  const document = useMemo(() => readDocument(deferred), [deferred]);
  const name = document === undefined ? 'experiment' : textAt(document, ['metadata', 'name']) || 'experiment';
  const faults = validation.data?.faults ?? [];
  const isChecked = validation.data !== undefined && settled === text && !validation.isPlaceholderData;
  return (
    <>
      <div className="row">
        <h1>{revises === undefined ? 'New experiment' : `New revision of ${revises}`}</h1>
        {revises === undefined && text !== firstFile && (
          <button type="button" className="push" onClick={() => setText(firstFile)}>
            Begin anew
          </button>
        )}
      </div>
      <div className="new-page">
        <div>
          {document === undefined ? (
            <p className="card">The text beside is no YAML just now; the form waits until it is.</p>
          ) : (
            <ExperimentForm document={document} text={text} onChange={setText} faults={faults} />
          )}
        </div>
        <div className="beside">
          <div className="section-head">
            <h2 className="mono">{name}.yaml</h2>
            <button
              type="button"
              className="small"
              onClick={() => void navigator.clipboard.writeText(text).catch(() => {})}
            >
              Copy
            </button>
            <button
              type="button"
              className="small"
              onClick={() => saveFile(`${name}.yaml`, new Blob([text], { type: 'application/yaml' }))}
            >
              Download
            </button>
          </div>
          <FileEditor text={text} onChange={setText} faults={faults} />
          {validation.error !== null && <FaultBox fault={validation.error} onRetry={() => void validation.refetch()} />}
          <div
            role="status"
            aria-live="polite"
            data-validation={isChecked ? (faults.length === 0 ? 'ok' : 'faults') : 'asked'}
          >
            {validation.data !== undefined && faults.length === 0 && <p className="better">The file is sound.</p>}
            {faults.length > 0 && (
              <ul className="plain">
                {faults.map(({ code, text: fault, fix, line, place }) => (
                  <li key={`${place}/${fault}`} className="field-fault">
                    {line !== undefined && `line ${line}: `}
                    {fault} <code>{code}</code> <span className="quiet">{fix}</span>
                  </li>
                ))}
              </ul>
            )}
            {validation.data?.warnings.map(({ code, text: warning }) => (
              <p key={code + warning} className="small">
                {warning}
              </p>
            ))}
          </div>
          <p className="small quiet">
            On the command line: <code>assay apply -f {name}.yaml</code>
          </p>
          <CreateButtons
            text={text}
            name={name}
            isSound={isChecked && faults.length === 0}
            isRevision={revises !== undefined && revises === name}
            began={began}
            present={seen}
            onDone={() => keepDraft(undefined)}
          />
          <PowerPanel text={settled} isSound={isChecked && faults.length === 0} />
        </div>
      </div>
    </>
  );
}

function readDraft(): string | null {
  try {
    return sessionStorage.getItem(draftKey);
  } catch {
    return null;
  }
}

function keepDraft(text: string | undefined): void {
  try {
    if (text === undefined) sessionStorage.removeItem(draftKey);
    else sessionStorage.setItem(draftKey, text);
  } catch {
    // Gone with the tab, then.
  }
}
