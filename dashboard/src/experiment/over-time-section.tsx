// Is the effect stable? The estimate at every look with the band that holds at all of them.
import { type JSX, useMemo, useState } from 'react';
import type { SeriesAnswer } from '../../../src/api/index.ts';
import { boundsText, countText, differenceText } from '../../../src/decision/index.ts';
import { ChartFigure } from '../charts/chart-figure.tsx';
import type { ChartInput } from '../charts/chart-input.ts';
import { clockText, dayText } from '../parts/time.tsx';
import { chartNotes } from './chart-notes.ts';
import { unitOf, useExperiment, useVariantPlace } from './experiment-context.tsx';
import { Section } from './section.tsx';
import { flagsOf, WithSeries } from './series-part.tsx';

type LookSeries = SeriesAnswer['looks'][number];

/** The looks so far. */
export function OverTimeSection(): JSX.Element {
  const { isWithheld, answer } = useExperiment();
  const { experiment } = answer;
  return (
    <Section id="over-time" title="Over time">
      {isWithheld ? (
        <span className="withheld">withheld: the split is broken</span>
      ) : (
        <div className={experiment.state === 'running' ? 'looks room' : 'looks'}>
          <WithSeries>{(answer) => <Looks answer={answer} />}</WithSeries>
        </div>
      )}
    </Section>
  );
}

function Looks({ answer }: { readonly answer: SeriesAnswer }): JSX.Element {
  const [chosen, setChosen] = useState(0);
  const [xIs, setXIs] = useState<'units' | 'time'>('units');
  const series = answer.looks[chosen];
  if (series === undefined)
    return (
      <p className="quiet">
        No look has been kept yet: the first comes with the first report of the running experiment.
      </p>
    );
  return (
    <>
      <div className="row">
        <label className="field">
          <span className="small quiet">Along</span>
          <select value={xIs} onChange={(event) => setXIs(event.target.value as 'units' | 'time')}>
            <option value="units">units</option>
            <option value="time">time</option>
          </select>
        </label>
        <label className="field">
          <span className="small quiet">Of</span>
          <select value={chosen} onChange={(event) => setChosen(Number(event.target.value))}>
            {answer.looks.map(({ metric, variant }, at) => (
              <option key={`${metric}/${variant}`} value={at}>
                {metric.replaceAll('_', ' ')} of {variant}
              </option>
            ))}
          </select>
        </label>
      </div>
      <LookChart series={series} answer={answer} xIs={xIs} />
    </>
  );
}

function LookChart(props: {
  readonly series: LookSeries;
  readonly answer: SeriesAnswer;
  readonly xIs: 'units' | 'time';
}): JSX.Element {
  const { series, answer, xIs } = props;
  const experiment = useExperiment();
  const placeOf = useVariantPlace();
  const { formats, values } = experiment.answer;
  const isValue = series.metric === 'net_value';
  const unit = isValue
    ? (values.find(({ variant }) => variant === series.variant)?.unit ?? '')
    : unitOf(formats[series.metric]);
  const place = placeOf(series.variant);
  const input = useMemo(
    (): ChartInput => ({
      kind: 'looks',
      unit: isValue ? 'number' : unit,
      xIs,
      place,
      ...(series.limit === undefined ? {} : { limit: series.limit }),
      points: series.points.map(({ at, units, ...numbers }) => ({
        ...numbers,
        x: xIs === 'units' ? units : Date.parse(at),
      })),
      flags: flagsOf(answer),
    }),
    [series, answer, xIs, unit, isValue, place],
  );
  const last = series.points.at(-1);
  const textOf = (point: LookSeries['points'][number]): string => {
    const interval =
      point.lower === undefined || point.upper === undefined
        ? undefined
        : ({ kind: 'bounded', lower: point.lower, upper: point.upper } as const);
    const bounds = interval === undefined ? 'no interval yet' : boundsText(interval, { unit });
    return `${differenceText(point.estimate, { unit, interval })} (${bounds})`;
  };
  const title = `${series.metric.replaceAll('_', ' ')} of ${series.variant} at ${series.points.length} ${series.points.length === 1 ? 'look' : 'looks'}`;
  if (last === undefined) return <p className="quiet">No look yet.</p>;
  if (series.points.length < 2)
    return (
      <p>
        {title}: {textOf(last)} at {countText(last.units)} units. A line needs a second look.
      </p>
    );
  return (
    <ChartFigure
      name={`${experiment.answer.report.experiment}-${series.metric}-over-time`}
      caption={`${title}; at the last one ${textOf(last)} on ${countText(last.units)} units. Dashed grey: one look at the end.`}
      label={title}
      input={input}
      table={{
        head: ['at', 'units', 'estimate', 'lower', 'upper', 'one_look_lower', 'one_look_upper'],
        rows: series.points.map((point) => [
          point.at,
          point.units,
          point.estimate,
          point.lower,
          point.upper,
          point.fixedLower,
          point.fixedUpper,
        ]),
      }}
      readOut={series.points.map((point) => ({
        x: xIs === 'units' ? point.units : Date.parse(point.at),
        text: `${dayText(point.at)} ${clockText(point.at)}, ${countText(point.units)} units: ${textOf(point)}`,
      }))}
      notes={chartNotes(experiment)}
    />
  );
}
