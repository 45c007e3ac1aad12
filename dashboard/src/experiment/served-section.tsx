// Who really answered? Assigned against served, why they differ, what that does to the effect, and the mirror.
import type { JSX } from 'react';
import type { ServedAnswer } from '../../../src/api/index.ts';
import { Answered } from '../parts/fault-box.tsx';
import { ScrollBox } from '../parts/scroll-box.tsx';
import { Value, ValueSource } from '../parts/value.tsx';
import { VariantName } from '../parts/variant-mark.tsx';
import { overviewPath, partPath } from '../server/page-paths.ts';
import { usePart } from '../server/questions.ts';
import { Compliers } from './compliers.tsx';
import { unitOf, useExperiment, useVariantPlace } from './experiment-context.tsx';
import { Section, WhenNear } from './section.tsx';

/** Assigned against served. */
export function ServedSection(): JSX.Element {
  return (
    <Section id="served" title="Served">
      <WhenNear>{() => <Served />}</WhenNear>
    </Section>
  );
}

function Served(): JSX.Element {
  const { key } = useExperiment();
  const served = usePart(key, 'served');
  return (
    <Answered question={served}>
      {(answer) => (
        <ValueSource answer={answer} from={partPath(key, 'served')}>
          <Matrix answer={answer} />
          <Reasons answer={answer} />
          <Mirror answer={answer} />
        </ValueSource>
      )}
    </Answered>
  );
}

function Matrix({ answer }: { readonly answer: ServedAnswer }): JSX.Element {
  const placeOf = useVariantPlace();
  const { cells, variants } = answer;
  const servedBy = [...new Set([...variants, ...cells.map(({ served }) => served)])];
  if (cells.length === 0) return <p className="quiet">No prediction yet.</p>;
  return (
    <ScrollBox className="scroll" label="Assigned against served">
      <table>
        <caption className="spoken">Predictions by assigned and served variant</caption>
        <thead>
          <tr>
            <th scope="col">Assigned</th>
            {servedBy.map((name) => (
              <th key={name} scope="col" className="number">
                {name === 'none' ? 'nobody answered' : `${name} answered`}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {variants.map((assigned) => (
            <tr key={assigned}>
              <th scope="row">
                <VariantName name={assigned} place={placeOf(assigned)} />
              </th>
              {servedBy.map((served) => {
                const at = cells.findIndex((cell) => cell.assigned === assigned && cell.served === served);
                return (
                  <td key={served} className="number">
                    {at < 0 ? (
                      <span className="quiet">none</span>
                    ) : (
                      <>
                        <Value path={`/cells/${at}/predictions`} as="count" />{' '}
                        <span className="quiet">
                          <Value path={`/cells/${at}/share`} as="share" />
                        </span>
                      </>
                    )}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}

function Reasons({ answer }: { readonly answer: ServedAnswer }): JSX.Element {
  const { key, answer: overview, view, isWithheld } = useExperiment();
  const { report, formats } = overview;
  const compliers = report.metrics.flatMap(({ variants, name }, metricAt) =>
    variants.flatMap(({ difference, variant }, at) =>
      difference !== undefined &&
      !('kind' in difference) &&
      difference.compliers !== undefined &&
      !('kind' in difference.compliers)
        ? [{ name, variant, path: `/report/metrics/${metricAt}/variants/${at}/difference/compliers` }]
        : [],
    ),
  );
  return (
    <>
      {'kind' in answer.reasons ? (
        <p className="quiet">{answer.reasons.reason}</p>
      ) : answer.reasons.length === 0 ? (
        <p className="quiet">No fallback: every answer came from the assigned variant.</p>
      ) : (
        <ul>
          {answer.reasons.map(({ assigned, reason }, at) => (
            <li key={`${assigned}/${reason}`}>
              {assigned}: {reason} <Value path={`/reasons/${at}/predictions`} as="count" />
            </li>
          ))}
        </ul>
      )}
      <p className="small quiet">
        {answer.assignments.map(({ reason }, at) => (
          <span key={reason}>
            {at > 0 && ' · '}
            {reason} <Value path={`/assignments/${at}/predictions`} as="count" />
          </span>
        ))}
        . The verdict compares by assignment.
      </p>
      {!isWithheld && compliers.length > 0 && (
        <ValueSource answer={overview} from={overviewPath(key, view.at)}>
          <dl className="pair narrow-pair" data-compliers>
            {compliers.map(({ name, variant, path }) => (
              <div key={path} className="contents">
                <dt>
                  {name} of {variant}, on those who got it
                </dt>
                <dd>
                  <Compliers path={path} unit={unitOf(formats[name])} />
                </dd>
              </div>
            ))}
          </dl>
        </ValueSource>
      )}
    </>
  );
}

function Mirror({ answer }: { readonly answer: ServedAnswer }): JSX.Element {
  if ('kind' in answer.mirror) return <p className="small quiet">Mirror: {answer.mirror.reason}</p>;
  return (
    <ul className="plain">
      {answer.mirror.map(({ variant }, at) => (
        <li key={variant}>
          Mirror to {variant}: <Value path={`/mirror/${at}/sent`} as="count" /> sent,{' '}
          <Value path={`/mirror/${at}/failed`} as="count" /> failed; of{' '}
          <Value path={`/mirror/${at}/compared`} as="count" /> pairs <Value path={`/mirror/${at}/agreed`} as="count" />{' '}
          agree
        </li>
      ))}
    </ul>
  );
}
