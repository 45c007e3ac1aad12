// Which rows has the metric table, and what does each show under the chosen method? Places in the answer, no sums.
import type { MetricFormat, OverviewAnswer } from '../../../src/api/index.ts';
import type { CriterionEntry, Difference, FigureUnit, MetricEntry } from '../../../src/decision/index.ts';
import type { Insufficient, Interval } from '../../../src/stats/index.ts';
import { type EffectState, effectState } from '../effect-state.ts';
import { axisOf, type IntervalAxis } from '../interval-axis.ts';
import { atPointer } from '../value-text.ts';
import { type ExperimentView, unitOf } from './experiment-context.tsx';

/** One metric of one candidate. */
export interface MetricRow {
  readonly metric: MetricEntry;
  readonly format: MetricFormat | undefined;
  readonly unit: FigureUnit;
  readonly variant: string;
  /** JSON pointers. */
  readonly controlPath: string;
  readonly candidatePath: string;
  readonly differencePath: string;
  /** Of the interval of the chosen method. */
  readonly intervalPath: string;
  /** Of the interval as a share of the control. */
  readonly relativePath: string;
  readonly difference: Difference | undefined;
  readonly interval: Interval | Insufficient | undefined;
  /** What is drawn: the difference, or its share of the control. */
  readonly drawn: { readonly estimate: number; readonly interval: Interval | Insufficient | undefined } | undefined;
  readonly state: EffectState;
  readonly criteria: readonly CriterionEntry[];
  readonly limits: readonly number[];
}

/** Rows that share one axis. */
export interface MetricGroup {
  readonly axisName: string;
  readonly axis: IntervalAxis;
  readonly rows: readonly MetricRow[];
}

/** Where the interval of each method stands below a difference. */
const intervalPlaces = { sequential: '/sequential/interval', fixed: '/interval', bayes: '/bayes/interval' } as const;

/** True where one look at the end is what was planned and its time has come. */
export function isFixedHorizonReached({ report, experiment }: OverviewAnswer): boolean {
  const isPlanned = experiment.specification.decision.method === 'fixed';
  return isPlanned && report.checks.peeking?.ok !== false;
}

/**
 * The rows of the table.
 *
 * @param options.base JSON pointer of the list of metrics, for example `/report/metrics`.
 */
export function metricRows(
  answer: OverviewAnswer,
  options: { readonly view: ExperimentView; readonly base?: string },
): readonly MetricRow[] {
  const { view, base = '/report/metrics' } = options;
  const { report, formats } = answer;
  const metrics = (atPointer(answer, base) ?? []) as readonly MetricEntry[];
  const isWhole = base === '/report/metrics';
  return metrics.flatMap((metric, at) => {
    if (view.rows !== 'all' && metric.role !== view.rows) return [];
    const format = formats[metric.name];
    const controlAt = metric.variants.findIndex(({ variant }) => variant === report.control);
    return metric.variants.flatMap((entry, place): readonly MetricRow[] => {
      if (entry.variant === report.control) return [];
      const candidatePath = `${base}/${at}/variants/${place}`;
      const differencePath = `${candidatePath}/difference`;
      const intervalPath = `${differencePath}${intervalPlaces[view.method]}`;
      const difference = atPointer(answer, differencePath) as Difference | Insufficient | undefined;
      const interval = atPointer(answer, intervalPath) as Interval | Insufficient | undefined;
      const relativePath = `/relative${candidatePath.slice('/report'.length)}/${view.method}`;
      const texts = new Set(format?.limits.map(({ text }) => text));
      const criteria = isWhole
        ? report.criteria.filter(({ text, variant }) => variant === entry.variant && texts.has(text))
        : [];
      // What is said of the candidate's level alone says nothing of its difference to the control.
      const onDifference = new Set(format?.limits.flatMap(({ on, text }) => (on === 'difference' ? [text] : [])));
      const ownCriteria = criteria.filter(({ text }) => onDifference.has(text));
      const isEarly = view.method === 'fixed' && !isFixedHorizonReached(answer);
      const isMissing = difference === undefined || ('kind' in difference && difference.kind === 'insufficient');
      return [
        {
          metric,
          format,
          unit: unitOf(format),
          variant: entry.variant,
          controlPath: `${base}/${at}/variants/${controlAt}`,
          candidatePath,
          differencePath,
          intervalPath,
          relativePath,
          difference: isMissing ? undefined : (difference as Difference),
          drawn: isMissing
            ? undefined
            : drawnOf(answer, { difference: difference as Difference, interval, relativePath, view }),
          interval,
          state: isEarly
            ? 'undecided'
            : effectState({ interval, criteria: ownCriteria, better: format?.better ?? 'unknown' }),
          criteria,
          // Limits are written in the metric's own unit.
          limits:
            view.view === 'relative'
              ? []
              : (format?.limits.flatMap(({ on, value }) => (on === 'difference' ? [value] : [])) ?? []),
        },
      ];
    });
  });
}

function drawnOf(
  answer: OverviewAnswer,
  options: {
    readonly difference: Difference;
    readonly interval: Interval | Insufficient | undefined;
    readonly relativePath: string;
    readonly view: ExperimentView;
  },
): MetricRow['drawn'] {
  const { difference, interval, relativePath, view } = options;
  if (view.view === 'absolute') return { estimate: difference.absolute, interval };
  if (typeof difference.relative !== 'number') return undefined;
  return {
    estimate: difference.relative,
    interval: atPointer(answer, relativePath) as Interval | Insufficient | undefined,
  };
}

/** The rows by axis, in the order in which axes first appear; shares of the control have one axis for all. */
export function groupRows(rows: readonly MetricRow[], view: ExperimentView['view']): readonly MetricGroup[] {
  const groups = new Map<string, MetricRow[]>();
  for (const row of rows) {
    const name = view === 'relative' ? '% of the control' : (row.format?.axis ?? row.metric.name);
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  return [...groups].map(([axisName, members]) => ({
    axisName,
    rows: members,
    axis: axisOf(
      members.flatMap(({ drawn }) => (drawn === undefined ? [] : [drawn])),
      members.flatMap(({ limits }) => limits),
    ),
  }));
}
