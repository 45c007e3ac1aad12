// The verdict in the words of the API, with its reasons, what would change it, and from when it is.
import { type JSX, useState } from 'react';
import { useHeldHeight } from '../parts/held-height.ts';
import { Icon } from '../parts/icon.tsx';
import { Time } from '../parts/time.tsx';
import { verdictWord } from '../parts/verdict-chip.tsx';
import { ProposedStep } from './actions.tsx';
import { levelOf, useExperiment } from './experiment-context.tsx';

/** A caveat and a line more: evidence grows and shrinks by that much every now and then. */
const sparePx = 50;

/** The banner. It does not become lower by itself, and has room for what may come. */
export function VerdictBanner(): JSX.Element {
  const { answer, isWithheld, showAnyway } = useExperiment();
  const { report, display, headline } = answer;
  const { verdict } = report;
  const { because, but, next, reasons, outlook } = verdict;
  const method = answer.experiment.specification.decision.method ?? 'sequential';
  const box = useHeldHeight<HTMLElement>({ sparePx, of: `${answer.at} ${isWithheld}` });
  const foot = `as of ${answer.asOf}, ${method}, ${levelOf(answer)}, revision ${answer.experiment.revision}, digest ${answer.digest}`;
  return (
    <section
      ref={box}
      className={`verdict ${display}`}
      id="verdict"
      aria-label="Verdict"
      tabIndex={-1}
      data-verdict={verdict.kind}
    >
      <p className="headline">
        <Icon name={display} /> {verdictWord(display)}. <span data-headline>{headline}</span>
      </p>
      {because.length > 0 && (
        <ul data-reasons>
          {because.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      )}
      {but !== undefined && <p>But: {but}</p>}
      <p data-next>Next: {next}</p>
      {!report.checks.sampleRatio.ok && (
        <p>
          <a href="#split-cells">See where the split breaks</a>, by time, segment and revision.
        </p>
      )}
      {isWithheld && (
        <p>
          Effects, value and p-values are withheld; counts and checks stay below.{' '}
          <button type="button" className="small" onClick={showAnyway}>
            Show anyway, marked invalid
          </button>
        </p>
      )}
      <div className="more">
        {reasons.length > 0 && (
          <details>
            <summary>All reasons ({reasons.length})</summary>
            <ul>
              {reasons.map(({ code, text }) => (
                <li key={code + text} data-code={code}>
                  {text}
                </li>
              ))}
            </ul>
          </details>
        )}
        {outlook !== undefined && outlook.wouldChange.length > 0 && (
          <details open={display === 'keep-testing' || display === 'not-enough-data'}>
            <summary>What would change this</summary>
            <ul>
              {outlook.wouldChange.map((text) => (
                <li key={text}>{text}</li>
              ))}
            </ul>
          </details>
        )}
      </div>
      <ProposedStep />
      <p className="foot">
        <span>
          As of <Time at={answer.asOf} /> · {method}, {levelOf(answer)} · digest <code>{answer.digest}</code>
        </span>
        <CopyButton text={[`${verdictWord(display)}. ${headline}`, ...because, `Next: ${next}`, foot].join('\n')} />
      </p>
    </section>
  );
}

function CopyButton({ text }: { readonly text: string }): JSX.Element {
  const [isDone, setDone] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    setDone(true);
  };
  return (
    <button type="button" className="small no-print" onClick={() => void copy().catch(() => setDone(false))}>
      {isDone ? 'Copied' : 'Copy'}
    </button>
  );
}
