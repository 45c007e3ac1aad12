// Is the split as declared? The share so far with the band it may move in, and who came when.
import { type JSX, useMemo } from 'react';
import type { SeriesAnswer } from '../../../src/api/index.ts';
import { countText, shareText } from '../../../src/decision/index.ts';
import { ChartFigure } from '../charts/chart-figure.tsx';
import type { ChartInput } from '../charts/chart-input.ts';
import { ScrollBox } from '../parts/scroll-box.tsx';
import { clockText, dayText } from '../parts/time.tsx';
import { Value } from '../parts/value.tsx';
import { markColours, VariantName } from '../parts/variant-mark.tsx';
import { chartNotes } from './chart-notes.ts';
import { useExperiment, useVariantPlace } from './experiment-context.tsx';
import { Section } from './section.tsx';
import { flagsOf, WithSeries } from './series-part.tsx';
import { SplitCells } from './split-cells.tsx';

type SplitSeries = Extract<SeriesAnswer['split'], { readonly everyMs: number }>;

/** The split. */
export function SplitSection(): JSX.Element {
  const { report, experiment } = useExperiment().answer;
  const placeOf = useVariantPlace();
  return (
    <Section id="split" title="Split">
      <p>{report.checks.sampleRatio.text}</p>
      <ScrollBox className="scroll" label="Units by variant">
        <table className="narrow units">
          <thead>
            <tr>
              <th scope="col">Variant</th>
              <th scope="col" className="number">
                Units
              </th>
              <th scope="col" className="number">
                Share
              </th>
              <th scope="col" className="number">
                Declared
              </th>
              <th scope="col" className="number">
                Requests
              </th>
            </tr>
          </thead>
          <tbody>
            {report.variants.map(({ name }, at) => (
              <tr key={name}>
                <th scope="row">
                  <VariantName name={name} place={placeOf(name)} />
                </th>
                <td className="number">
                  <Value path={`/report/variants/${at}/units`} as="count" />
                </td>
                <td className="number">
                  <Value path={`/report/variants/${at}/share`} as="share" />
                </td>
                <td className="number">
                  <Value path={`/report/variants/${at}/expectedShare`} as="share" />
                </td>
                <td className="number">
                  <Value path={`/report/variants/${at}/requests`} as="count" />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollBox>
      <SplitCells />
      <div className={experiment.state === 'running' ? 'split-charts room' : 'split-charts'}>
        <WithSeries>
          {(answer) =>
            'kind' in answer.split ? (
              <p className="quiet">{answer.split.reason}</p>
            ) : (
              <SplitCharts split={answer.split} answer={answer} />
            )
          }
        </WithSeries>
      </div>
    </Section>
  );
}

function SplitCharts({ split, answer }: { readonly split: SplitSeries; readonly answer: SeriesAnswer }): JSX.Element {
  const experiment = useExperiment();
  const { report } = experiment.answer;
  const placeOf = useVariantPlace();
  const isBroken = !report.checks.sampleRatio.ok;
  const names = useMemo(() => report.variants.map(({ name }) => name), [report.variants]);
  // Two shares mirror each other: the candidate's alone is drawn then.
  const drawn = useMemo(
    () => (names.length === 2 ? names.filter((name) => name !== report.control) : names),
    [names, report.control],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: places follow from the names.
  const shares = useMemo(
    (): ChartInput => ({
      kind: 'shares',
      lines: drawn.map((variant) => ({
        variant,
        place: placeOf(variant),
        isOutside: isBroken,
        points: split.points.flatMap(({ at, epoch, share, band, expected }) => {
          const [own, edges, wanted] = [share[variant], band[variant], expected[variant]];
          return own === undefined || edges === undefined || wanted === undefined
            ? []
            : [{ at: Date.parse(at) + split.everyMs, epoch, share: own, expected: wanted, ...edges }];
        }),
      })),
      flags: flagsOf(answer),
    }),
    [split, answer, drawn, isBroken],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: places follow from the names.
  const counts = useMemo(
    (): ChartInput => ({
      kind: 'counts',
      label: 'units',
      everyMs: split.everyMs,
      stacks: names.map((variant) => ({
        name: variant,
        token: markColours[placeOf(variant)] ?? 'variant-1',
        points: split.points.map(({ at, units }) => ({ at: Date.parse(at), count: units[variant] ?? 0 })),
      })),
    }),
    [split, names],
  );
  if (split.points.length === 0) return <p className="quiet">No unit yet.</p>;
  const word = split.everyMs >= 3_600_000 ? 'hour' : split.everyMs >= 60_000 ? 'minute' : 'stretch';
  const table = {
    head: ['from', 'epoch', ...names.map((name) => `${name}_units`), ...drawn.map((name) => `${name}_share`)],
    rows: split.points.map(({ at, epoch, units, share }) => [
      at,
      epoch,
      ...names.map((name) => units[name]),
      ...drawn.map((name) => share[name]),
    ]),
  };
  const timeOf = (at: string): string => `${dayText(at)} ${clockText(at)}`;
  return (
    <>
      <ChartFigure
        name={`${report.experiment}-split`}
        caption={`Share of ${drawn.join(', ')} of all units so far; grey: where it lies at every look, 95 times of 100, if the split is as declared (dashed).`}
        label="Share of units over time"
        input={shares}
        table={table}
        readOut={split.points.map(({ at, share, units }) => ({
          x: Date.parse(at) + split.everyMs,
          text: `${timeOf(at)}: ${drawn.map((name) => `${name} ${shareText(share[name] ?? 0)} of all so far, ${countText(units[name] ?? 0)} came in`).join('; ')}`,
        }))}
        notes={chartNotes(experiment)}
      />
      <ChartFigure
        name={`${report.experiment}-units`}
        caption={
          <span className="legend">
            New units by {word}:
            {names.map((name) => (
              <VariantName key={name} name={name} place={placeOf(name)} />
            ))}
          </span>
        }
        label={`New units by ${word}`}
        input={counts}
        height={180}
        table={table}
        readOut={split.points.map(({ at, units }) => ({
          x: Date.parse(at),
          text: `${timeOf(at)}: ${names.map((name) => `${name} ${countText(units[name] ?? 0)}`).join(', ')}`,
        }))}
        notes={chartNotes(experiment)}
      />
    </>
  );
}
