// Is the effect the same for everybody? One row per value of a segment on the axis of the whole, in declared order.
import { Fragment, type JSX, useMemo } from 'react';
import type { SegmentEffects } from '../../../src/decision/index.ts';
import { boundsText, differenceText, relativeText } from '../../../src/decision/index.ts';
import { axisOf } from '../interval-axis.ts';
import { AxisCell, IntervalCell } from '../parts/interval-cell.tsx';
import { ScrollBox } from '../parts/scroll-box.tsx';
import { Value } from '../parts/value.tsx';
import { VariantName } from '../parts/variant-mark.tsx';
import { useExperiment, useVariantPlace } from './experiment-context.tsx';
import { FindingList } from './finding-list.tsx';
import { type MetricRow, metricRows } from './metric-rows.ts';
import { Section } from './section.tsx';

/** Values with fewer units get their digits, no picture: it would only show noise. */
const fewestUnits = 30;

/** The segments. */
export function SegmentsSection(): JSX.Element {
  const { answer, view, isWithheld } = useExperiment();
  const { report, experiment } = answer;
  const parts = useMemo(() => {
    const all = { ...view, rows: 'all' as const };
    const whole = metricRows(answer, { view: all });
    const metrics = report.metrics.map(({ name }) => name);
    const bySegment = report.segments.map(({ segment, value }, at) => ({
      segment,
      value,
      rows: metricRows(answer, { view: all, base: `/report/segments/${at}/metrics` }),
    }));
    return metrics.map((metric) => ({
      metric,
      rows: [
        ...rowsOf(whole, { metric, label: 'all' }),
        ...bySegment.flatMap(({ segment, value, rows }) => rowsOf(rows, { metric, label: `${segment} = ${value}` })),
      ],
    }));
  }, [answer, report, view]);
  const correction = experiment.specification.decision.correction ?? 'holm';
  return (
    <Section id="segments" title="Segments">
      {report.segments.length === 0 ? (
        <p className="quiet">
          The file names no segments. <code>segments: [new_unit]</code> tells new units from established ones.
        </p>
      ) : isWithheld ? (
        <span className="withheld">withheld: the split is broken</span>
      ) : (
        <>
          <p className="small quiet">
            In declared order, never by effect. Nothing is shrunk; the verdict's correction over comparisons is{' '}
            {correction}.
          </p>
          <FindingList of="segments" />
          {parts.map(({ metric, rows }) => (
            <Facet key={metric} metric={metric} rows={rows} />
          ))}
        </>
      )}
    </Section>
  );
}

interface LabelledRow {
  readonly label: string;
  readonly row: MetricRow;
}

function rowsOf(
  rows: readonly MetricRow[],
  options: { readonly metric: string; readonly label: string },
): readonly LabelledRow[] {
  return rows.filter(({ metric }) => metric.name === options.metric).map((row) => ({ label: options.label, row }));
}

function Facet({ metric, rows }: { readonly metric: string; readonly rows: readonly LabelledRow[] }): JSX.Element {
  const { answer } = useExperiment();
  const placeOf = useVariantPlace();
  const axis = axisOf(rows.flatMap(({ row: { drawn } }) => (drawn === undefined ? [] : [drawn])));
  const isRelative = useExperiment().view.view === 'relative';
  const { unit } = rows[0]?.row ?? { unit: 'number' };
  const tests = (answer.report.segmentEffects ?? []).flatMap((effects, at) =>
    effects.metric === metric ? [{ effects, at }] : [],
  );
  return (
    <details open={rows[0]?.row.metric.role === 'primary' || rows.length <= 8}>
      <summary>{metric}</summary>
      <ScrollBox className="scroll" label={`Segments of ${metric}`}>
        <table className="cards">
          <thead>
            <tr>
              <th scope="col">Segment</th>
              <th scope="col" className="number">
                Units
              </th>
              <th scope="col">Difference</th>
              <th scope="col" className="picture">
                <AxisCell
                  axis={axis}
                  text={(tick) =>
                    isRelative
                      ? relativeText(tick).replace(/\srel\.$/, '')
                      : differenceText(tick, { unit }).replace(/\.0+(?=\D|$)/, '')
                  }
                />
                <span className="spoken">Picture</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ label, row }) => (
              <tr key={`${label}/${row.variant}`}>
                <th scope="row">
                  {label} <VariantName name={row.variant} place={placeOf(row.variant)} />
                </th>
                <td className="number" data-label="Units">
                  <Value path={`${row.candidatePath}/n`} as="count" />
                </td>
                <td className="effect-text" data-label="Difference">
                  <SegmentEffect row={row} />
                </td>
                <td className="picture wide">
                  <Picture row={row} axis={axis} label={label} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollBox>
      {tests.map(({ effects, at }) => (
        <SameEffect key={`${effects.segment}/${effects.variant}`} effects={effects} at={at} />
      ))}
    </details>
  );
}

function SegmentEffect({ row }: { readonly row: MetricRow }): JSX.Element {
  const isRelative = useExperiment().view.view === 'relative';
  if (row.difference === undefined) return <Value path={row.differencePath} as="difference" />;
  if (isRelative)
    return (
      <Fragment>
        <Value path={`${row.differencePath}/relative`} as="relative" interval={row.relativePath} />{' '}
        {typeof row.difference.relative === 'number' && (
          <span className="nowrap">
            (<Value path={row.relativePath} as="bounds" unit="share" />)
          </span>
        )}
      </Fragment>
    );
  return (
    <Fragment>
      <Value path={`${row.differencePath}/absolute`} as="difference" unit={row.unit} interval={row.intervalPath} />{' '}
      <span className="nowrap">
        (<Value path={row.intervalPath} as="bounds" unit={row.unit} />)
      </span>
    </Fragment>
  );
}

function Picture(props: {
  readonly row: MetricRow;
  readonly axis: ReturnType<typeof axisOf>;
  readonly label: string;
}): JSX.Element | null {
  const { row, axis, label } = props;
  const placeOf = useVariantPlace();
  const isRelative = useExperiment().view.view === 'relative';
  const { drawn, unit, metric, variant, state } = row;
  const units = metric.variants.find((each) => each.variant === variant)?.n ?? 0;
  if (drawn?.interval === undefined || drawn.interval.kind === 'insufficient' || units < fewestUnits) return null;
  const { estimate, interval } = drawn;
  const text = isRelative
    ? `${relativeText(estimate, interval)} (${boundsText(interval, { unit: 'share' })})`
    : `${differenceText(estimate, { unit, interval })} (${boundsText(interval, { unit })})`;
  return (
    <IntervalCell
      axis={axis}
      estimate={estimate}
      interval={interval}
      state={state}
      place={placeOf(variant)}
      label={`${label}: ${text}`}
    />
  );
}

function SameEffect({ effects, at }: { readonly effects: SegmentEffects; readonly at: number }): JSX.Element {
  return (
    <p className="small">
      Same effect for all values of {effects.segment}:{' '}
      <Value path={`/report/segmentEffects/${at}/sameEffectPValue`} as="p" />
      {effects.restsOn !== undefined && effects.restsOn !== 'none' && <>; rests on {effects.restsOn} alone</>}
      {effects.withinSegments === 'reversed' && <>; all together point one way, the values the other (Simpson)</>}
    </p>
  );
}
