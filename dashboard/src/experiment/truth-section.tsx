// Has the truth come in? Quality by the time of exposure, and what of it has arrived, waits, or will never come.
import { type JSX, useMemo } from 'react';
import type { SeriesAnswer } from '../../../src/api/index.ts';
import { countText, durationText, levelText } from '../../../src/decision/index.ts';
import { ChartFigure } from '../charts/chart-figure.tsx';
import type { ChartInput } from '../charts/chart-input.ts';
import { clockText, dayText, Time } from '../parts/time.tsx';
import { VariantName } from '../parts/variant-mark.tsx';
import { chartNotes } from './chart-notes.ts';
import { unitOf, useExperiment, useVariantPlace } from './experiment-context.tsx';
import { Section } from './section.tsx';
import { flagsOf, WithSeries } from './series-part.tsx';

type MaturitySeries = SeriesAnswer['maturity'][number];

/** Truth by exposure. */
export function TruthSection(): JSX.Element {
  return (
    <Section id="truth" title="Truth as it arrives">
      <WithSeries>{(answer) => <Truth answer={answer} />}</WithSeries>
    </Section>
  );
}

function Truth({ answer }: { readonly answer: SeriesAnswer }): JSX.Element {
  const metrics = [...new Set(answer.maturity.map(({ metric }) => metric))];
  if (metrics.length === 0) return <p className="quiet">No metric of this experiment waits for outcomes.</p>;
  return (
    <>
      {metrics.map((metric) => (
        <div key={metric} className="truth">
          <Levels metric={metric} answer={answer} />
          <Maturity series={answer.maturity.filter((each) => each.metric === metric)} />
        </div>
      ))}
    </>
  );
}

function Levels({ metric, answer }: { readonly metric: string; readonly answer: SeriesAnswer }): JSX.Element | null {
  const experiment = useExperiment();
  const placeOf = useVariantPlace();
  const levels = useMemo(() => answer.levels.filter((each) => each.metric === metric), [answer.levels, metric]);
  const unit = unitOf(experiment.answer.formats[metric]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: places follow from the answer.
  const input = useMemo(
    (): ChartInput => ({
      kind: 'levels',
      unit,
      lines: levels.map(({ variant, points }) => ({
        variant,
        place: placeOf(variant),
        points: points.map(({ at, estimate }) => ({ at: Date.parse(at), estimate })),
      })),
      flags: flagsOf(answer),
    }),
    [levels, unit, answer],
  );
  if (levels.every(({ points }) => points.length < 2)) return null;
  const rows = levels.flatMap(({ variant, points }) => points.map((point) => ({ ...point, variant })));
  return (
    <ChartFigure
      name={`${experiment.answer.report.experiment}-${metric}-by-exposure`}
      caption={
        <span className="legend">
          {metric} by the time units first took part:
          {levels.map(({ variant }) => (
            <VariantName key={variant} name={variant} place={placeOf(variant)} />
          ))}
        </span>
      }
      label={`${metric} by time of first exposure`}
      input={input}
      table={{
        head: ['from', 'variant', 'units', 'estimate'],
        rows: rows.map(({ at, variant, n, estimate }) => [at, variant, n, estimate]),
      }}
      readOut={[...rows]
        .sort((a, b) => Date.parse(a.at) - Date.parse(b.at))
        .map(({ at, variant, n, estimate }) => ({
          x: Date.parse(at),
          text: `${dayText(at)} ${clockText(at)}: ${variant} ${levelText(estimate, { unit })} on ${countText(n)} units`,
        }))}
      notes={chartNotes(experiment)}
    />
  );
}

const states = [
  { key: 'arrived', token: 'better' },
  { key: 'waiting', token: 'undecided', isHatched: true },
  { key: 'never', token: 'worse' },
] as const;

function Maturity({ series }: { readonly series: readonly MaturitySeries[] }): JSX.Element {
  return (
    <div className="maturity">
      {series.map((each) => (
        <MaturityChart key={each.variant} series={each} />
      ))}
    </div>
  );
}

function MaturityChart({ series }: { readonly series: MaturitySeries }): JSX.Element {
  const experiment = useExperiment();
  const placeOf = useVariantPlace();
  const { metric, variant, windowMs, allMatureAt, points } = series;
  const input = useMemo(
    (): ChartInput => ({
      kind: 'counts',
      label: 'predictions',
      everyMs: series.everyMs,
      stacks: states.map(({ key, token, ...rest }) => ({
        name: key,
        token,
        ...rest,
        points: series.points.map((point) => ({ at: Date.parse(point.at), count: point[key] })),
      })),
    }),
    [series],
  );
  return (
    <ChartFigure
      name={`${experiment.answer.report.experiment}-${metric}-${variant}-truth`}
      caption={
        <span>
          <VariantName name={variant} place={placeOf(variant)} />: truth arrived (blue), waiting (outlined, window{' '}
          {durationText(windowMs)}), never came (brown)
          {allMatureAt !== undefined && (
            <>
              ; all mature on <Time at={allMatureAt} />
            </>
          )}
        </span>
      }
      label={`Truth of ${metric} of ${variant}`}
      input={input}
      height={150}
      table={{
        head: ['from', 'arrived', 'waiting', 'never'],
        rows: points.map(({ at, arrived, waiting, never }) => [at, arrived, waiting, never]),
      }}
      readOut={points.map(({ at, arrived, waiting, never }) => ({
        x: Date.parse(at),
        text: `${dayText(at)} ${clockText(at)}: ${countText(arrived)} arrived, ${countText(waiting)} waiting, ${countText(never)} never came`,
      }))}
      notes={chartNotes(experiment)}
    />
  );
}
