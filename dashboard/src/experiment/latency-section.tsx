// How long do answers take? Every share of the attempts, not only their mean.
import { type JSX, useMemo } from 'react';
import type { DistributionsAnswer } from '../../../src/api/index.ts';
import { levelText } from '../../../src/decision/index.ts';
import { ChartFigure } from '../charts/chart-figure.tsx';
import type { ChartInput } from '../charts/chart-input.ts';
import { Answered } from '../parts/fault-box.tsx';
import { ScrollBox } from '../parts/scroll-box.tsx';
import { Value, ValueSource } from '../parts/value.tsx';
import { VariantName } from '../parts/variant-mark.tsx';
import { partPath } from '../server/page-paths.ts';
import { usePart } from '../server/questions.ts';
import { chartNotes } from './chart-notes.ts';
import { useExperiment, useVariantPlace } from './experiment-context.tsx';
import { Section, WhenNear } from './section.tsx';

/** Latency of the assigned variant's own attempts. */
export function LatencySection(): JSX.Element {
  return (
    <Section id="latency" title="Latency of the variant's own attempts">
      <WhenNear>{() => <Latency />}</WhenNear>
    </Section>
  );
}

function Latency(): JSX.Element {
  const { key } = useExperiment();
  const distributions = usePart(key, 'distributions');
  return (
    <Answered question={distributions}>
      {(answer) => (
        <ValueSource answer={answer} from={partPath(key, 'distributions')}>
          <Quantiles answer={answer} />
          <Curves answer={answer} />
        </ValueSource>
      )}
    </Answered>
  );
}

function Quantiles({ answer }: { readonly answer: DistributionsAnswer }): JSX.Element {
  const placeOf = useVariantPlace();
  const shares = answer.variants[0]?.quantiles.map(({ q }) => q) ?? [];
  return (
    <ScrollBox className="scroll" label="Latency quantiles">
      <table>
        <thead>
          <tr>
            <th scope="col">Variant</th>
            <th scope="col" className="number">
              Attempts
            </th>
            {shares.map((q) => (
              <th key={q} scope="col" className="number">
                p{Number((q * 100).toFixed(1))}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {answer.variants.map(({ variant, quantiles }, at) => (
            <tr key={variant}>
              <th scope="row">
                <VariantName name={variant} place={placeOf(variant)} />
              </th>
              <td className="number">
                <Value path={`/variants/${at}/n`} as="count" />
              </td>
              {quantiles.map(({ q, interval }, place) => {
                const path = `/variants/${at}/quantiles/${place}`;
                return (
                  <td key={q} className="number">
                    <Value
                      path={`${path}/ms`}
                      as="level"
                      unit="ms"
                      {...(interval === undefined ? {} : { interval: `${path}/interval` })}
                    />
                    {interval !== undefined && (
                      <span className="small quiet">
                        {' '}
                        (<Value path={`${path}/interval`} as="level-bounds" unit="ms" />)
                      </span>
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

function Curves({ answer }: { readonly answer: DistributionsAnswer }): JSX.Element {
  const experiment = useExperiment();
  const placeOf = useVariantPlace();
  // biome-ignore lint/correctness/useExhaustiveDependencies: places follow from the answer.
  const input = useMemo(
    (): ChartInput => ({
      kind: 'latency',
      limits: answer.limits.map(({ value }) => value),
      variants: answer.variants.map(({ variant, n, points, quantiles }) => ({
        variant,
        place: placeOf(variant),
        n,
        points: 'kind' in points ? [] : points,
        quantiles: quantiles.flatMap(({ q, ms, interval }) =>
          typeof ms !== 'number'
            ? []
            : [{ q, ms, ...(interval?.kind === 'bounded' ? { lower: interval.lower, upper: interval.upper } : {}) }],
        ),
      })),
    }),
    [answer],
  );
  const drawn = answer.variants.filter(({ points }) => !('kind' in points));
  if (drawn.length === 0) {
    const [first] = answer.variants;
    return (
      <p className="quiet">{first !== undefined && 'kind' in first.points ? first.points.reason : 'No attempt yet.'}</p>
    );
  }
  const rows = drawn.flatMap(({ variant, points }) =>
    ('kind' in points ? [] : points).map(({ ms, share }) => ({ variant, ms, share })),
  );
  return (
    <ChartFigure
      name={`${experiment.answer.report.experiment}-latency`}
      caption={
        <span className="legend">
          Share of attempts (upwards) that took at most so long:
          {drawn.map(({ variant }) => (
            <VariantName key={variant} name={variant} place={placeOf(variant)} />
          ))}
          {answer.limits.map(({ text }) => (
            <span key={text} className="quiet">
              dashed: <code>{text}</code>
            </span>
          ))}
        </span>
      }
      label="Latency by variant"
      input={input}
      height={280}
      table={{ head: ['variant', 'ms', 'share'], rows: rows.map(({ variant, ms, share }) => [variant, ms, share]) }}
      readOut={[...rows]
        .sort((a, b) => a.ms - b.ms)
        .filter(({ ms }) => ms > 0)
        .map(({ variant, ms, share }) => ({
          x: ms,
          text: `${levelText(ms, { unit: 'ms' })}: ${levelText(share, { unit: 'share' })} of the attempts of ${variant} took at most so long`,
        }))}
      notes={chartNotes(experiment)}
    />
  );
}
