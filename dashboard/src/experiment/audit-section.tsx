// Who changed what, when and why? The experiment's entries of the control log, newest first.
import { type JSX, useState } from 'react';
import type { TimelineAnswer } from '../../../src/api/index.ts';
import { Answered } from '../parts/fault-box.tsx';
import { Time } from '../parts/time.tsx';
import { saveCsv } from '../save-file.ts';
import { usePart } from '../server/questions.ts';
import { useExperiment } from './experiment-context.tsx';
import { Section } from './section.tsx';

/** Entries that are shown without asking for more. */
const shownEntries = 12;

/** The audit trail. */
export function AuditSection(): JSX.Element {
  const { key } = useExperiment();
  const timeline = usePart(key, 'timeline');
  return (
    <Section
      id="audit"
      title="Audit"
      beside={
        timeline.data !== undefined && (
          <button type="button" onClick={() => exportAudit(key.name, timeline.data)}>
            CSV
          </button>
        )
      }
    >
      <Answered question={timeline}>{(answer) => <Timeline answer={answer} />}</Answered>
    </Section>
  );
}

function Timeline({ answer }: { readonly answer: TimelineAnswer }): JSX.Element {
  const { setView } = useExperiment();
  const [isAll, setAll] = useState(false);
  const shown = isAll ? answer.entries : answer.entries.slice(0, shownEntries);
  return (
    <>
      <ol className="plain audit">
        {shown.map(({ logRevision, at, kind, author, isAutomatic, reason, text, hash }) => (
          <li key={logRevision} data-kind={kind}>
            <Time at={at} /> <strong>{kind}</strong> by {author}
            {isAutomatic && <span className="quiet"> (automatic)</span>}: {text}
            <div className="quiet">"{reason}"</div>
            <div className="small quiet">
              entry {logRevision}, <code>{hash.slice(0, 12)}</code>
              {kind === 'verdict' && (
                <>
                  {' '}
                  <button type="button" className="small" onClick={() => setView({ at })}>
                    Page as it was then
                  </button>
                </>
              )}
            </div>
          </li>
        ))}
      </ol>
      {answer.entries.length > shownEntries && (
        <button type="button" className="small" onClick={() => setAll(!isAll)}>
          {isAll ? 'Fewer' : `All ${answer.entries.length} entries`}
        </button>
      )}
    </>
  );
}

function exportAudit(name: string, { entries }: TimelineAnswer): void {
  saveCsv(`${name}-audit`, [
    ['entry', 'at', 'kind', 'author', 'automatic', 'reason', 'change', 'hash'],
    ...entries.map((entry) => [
      entry.logRevision,
      entry.at,
      entry.kind,
      entry.author,
      entry.isAutomatic,
      entry.reason,
      entry.text,
      entry.hash,
    ]),
  ]);
}
