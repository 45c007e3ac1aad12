// How do the rows a database answered become the numbers of one variant? Kind by kind, with a reason where there are none.
import type { CalibrationSummary, JointMoments } from '../stats/index.ts';
import type { Insufficient, LatencySummary, MetricSummary, VariantSummary } from './summary.ts';
import type { SqlRow, SummaryQuery } from './summary-sql.ts';

/** The answers to the queries of a `SummarySql`, by query. */
export type SummaryAnswers = { readonly [query in SummaryQuery]?: readonly SqlRow[] };

/** A metric as the assembly needs it. */
export type SummarisedMetric =
  /** `values`: proportion, mean or ratio by what the values are; `mean`: never a proportion; `ratio`: always one. */
  | {
      readonly name: string;
      readonly kind: 'values' | 'mean' | 'ratio' | 'root';
      /** One value per unit, so units wait, not predictions. */
      readonly perUnit?: boolean;
    }
  | { readonly name: string; readonly kind: 'quantile'; readonly q: number }
  | { readonly name: string; readonly kind: 'calibration'; readonly bins: number };

/** What the values of a metric turned out to be. */
export type ValueKind = 'proportion' | 'mean' | 'ratio' | 'root';

/** Decided over all variants together, so that they can be compared, and for the whole, so that segments can. */
export function kindOf(metric: SummarisedMetric, rows: readonly SqlRow[]): ValueKind {
  if (metric.kind === 'root' || metric.kind === 'ratio') return metric.kind;
  if (rows.some((row) => number(row.most) > 1)) return 'ratio';
  return metric.kind === 'mean' || rows.some((row) => number(row.others) > 0) ? 'mean' : 'proportion';
}

interface VariantPlace {
  readonly answers: SummaryAnswers;
  readonly metrics: readonly SummarisedMetric[];
  readonly kinds: readonly ValueKind[];
  readonly scope: number;
  readonly variant: string;
}

/** The numbers of one variant in one scope. */
export function summariseVariant({ answers, metrics, kinds, scope, variant }: VariantPlace): VariantSummary {
  const place = { scope, variant };
  const requests = rowsOf(answers.requests, place)[0];
  const summaries: Record<string, MetricSummary> = {};
  const waiting: Record<string, number> = {};
  for (const [index, metric] of metrics.entries()) {
    const rows =
      metric.kind === 'quantile'
        ? rowsOf(answers[`quantile${index}`], place)
        : metric.kind === 'calibration'
          ? rowsOf(answers[`calibration${index}`], place)
          : rowsOf(answers.metrics, { ...place, metric: index });
    const waits = rows.reduce((sum, row) => sum + number(row.waiting), 0);
    if (waits > 0) waiting[metric.name] = waits;
    const [row] = rows;
    const hasValues = rows.some((each) => number(each.n) > 0);
    if (row === undefined || !hasValues) summaries[metric.name] = nothing(metric, variant, waits);
    else if (metric.kind === 'quantile') summaries[metric.name] = quantileOf(row, metric.q);
    else if (metric.kind === 'calibration') {
      const n = number(rowsOf(answers[`calibrated${index}`], place)[0]?.n);
      summaries[metric.name] = calibrationOfRows(rows, { n, bins: metric.bins });
    } else summaries[metric.name] = metricOf(row, kinds[index] ?? 'mean');
  }
  return {
    variant,
    units: number(rowsOf(answers.units, place)[0]?.units),
    requests: number(requests?.requests),
    failed: number(requests?.failed),
    callerFailed: number(requests?.caller_failed),
    fallback: number(requests?.fallback),
    attemptMs: latencyOf(requests, 'attempt'),
    callerMs: latencyOf(requests, 'caller'),
    metrics: summaries,
    waiting,
    joint: jointOf(rowsOf(answers.joint, place)[0], metrics),
  };
}

function metricOf(row: SqlRow, kind: ValueKind): MetricSummary {
  const n = number(row.n);
  const adjusted = typeof row.mean2 === 'number' ? { adjusted: adjustedOf(row, kind) } : {};
  switch (kind) {
    case 'proportion':
      // With a covariate the values are no longer counted but averaged.
      return typeof row.mean2 === 'number'
        ? { kind: 'mean', n, mean: number(row.mean0), m2: number(row.m00), ...adjusted }
        : { kind, n, successes: number(row.successes) };
    case 'mean':
      return { kind, n, mean: number(row.mean0), m2: number(row.m00), ...adjusted };
    case 'ratio':
      return { kind, n, rows: number(row.n_rows), moments: pairOf(row), ...adjusted };
    case 'root':
      return { kind, n, rows: number(row.n_rows), moments: pairOf(row) };
  }
}

/** Columns [value, covariate], or for ratios [numerator, denominator, covariate, 1]. */
function adjustedOf(row: SqlRow, kind: ValueKind): JointMoments {
  const n = number(row.n);
  const at = (name: string): number => number(row[name]);
  if (kind !== 'ratio') {
    return {
      n,
      mean: [at('mean0'), at('mean2')],
      m2: [
        [at('m00'), at('m02')],
        [at('m02'), at('m22')],
      ],
    };
  }
  return {
    n,
    mean: [at('mean0'), at('mean1'), at('mean2'), 1],
    m2: [
      [at('m00'), at('m01'), at('m02'), 0],
      [at('m01'), at('m11'), at('m12'), 0],
      [at('m02'), at('m12'), at('m22'), 0],
      [0, 0, 0, 0],
    ],
  };
}

function quantileOf(row: SqlRow, q: number): MetricSummary {
  return {
    kind: 'quantile',
    n: number(row.n),
    rows: number(row.n_rows),
    q,
    estimate: number(row.estimate),
    lower: number(row.lower),
    upper: number(row.upper),
    indicator: pairOf(row),
  };
}

function calibrationOfRows(
  rows: readonly SqlRow[],
  size: { readonly n: number; readonly bins: number },
): MetricSummary {
  const sum = (name: string): number => rows.reduce((total, row) => total + number(row[name]), 0);
  const summary: CalibrationSummary = {
    bins: Array.from({ length: size.bins }, (_, bin) => {
      const row = rows.find((each) => each.bin === bin);
      return { n: number(row?.n), predicted: number(row?.predicted), observed: number(row?.observed) };
    }),
    score: sum('score'),
    scoreVariance: sum('score_variance'),
  };
  return { kind: 'calibration', n: size.n, rows: sum('n'), summary };
}

/** Moments of numerator and denominator per unit. */
export function pairOf(row: SqlRow): JointMoments {
  const cross = number(row.m01);
  return {
    n: number(row.n),
    mean: [number(row.mean0), number(row.mean1)],
    m2: [
      [number(row.m00), cross],
      [cross, number(row.m11)],
    ],
  };
}

/** Kinds whose estimates are ratios of means, so that they have columns among the joint moments. */
function isLinear({ kind }: SummarisedMetric): boolean {
  return kind === 'values' || kind === 'mean' || kind === 'ratio';
}

function jointOf(row: SqlRow | undefined, metrics: readonly SummarisedMetric[]): VariantSummary['joint'] {
  const columns = metrics.filter(isLinear).flatMap(({ name }) => [`${name}:numerator`, `${name}:denominator`]);
  if (row === undefined || columns.length === 0) return null;
  const moments: JointMoments = {
    n: number(row.n),
    mean: columns.map((_, i) => number(row[`mean${i}`])),
    m2: columns.map((_, i) => columns.map((__, j) => number(row[`m${Math.min(i, j)}_${Math.max(i, j)}`]))),
  };
  return { columns, moments };
}

function latencyOf(row: SqlRow | undefined, name: 'attempt' | 'caller'): LatencySummary | Insufficient {
  const n = number(row?.[`${name}_n`]);
  if (row === undefined || n === 0) return { kind: 'insufficient', reason: 'no request with a measured time yet' };
  return {
    n,
    mean: number(row[`${name}_mean`]),
    p50: number(row[`${name}_p50`]),
    p95: number(row[`${name}_p95`]),
    p99: number(row[`${name}_p99`]),
  };
}

/** The rows of one scope, of one variant and metric where they are named. */
export function rowsOf(
  rows: readonly SqlRow[] | undefined,
  place: { readonly scope: number; readonly variant?: string; readonly metric?: number },
): readonly SqlRow[] {
  return (rows ?? []).filter(
    (row) =>
      row.scope === place.scope &&
      (place.variant === undefined || row.variant === place.variant) &&
      (place.metric === undefined || row.metric === place.metric),
  );
}

function nothing(metric: SummarisedMetric, variant: string, waiting: number): Insufficient {
  const perUnit = 'perUnit' in metric && metric.perUnit === true;
  const open = perUnit
    ? `; ${waiting} units still wait for the end of its window`
    : `; ${waiting} predictions still wait for their outcomes`;
  const what = perUnit ? 'unit' : 'prediction';
  return {
    kind: 'insufficient',
    reason: `no ${what} of ${variant} has a value of ${metric.name} yet${waiting > 0 ? open : ''}`,
  };
}

/** A number of an answer; 0 where there is none. */
export function number(value: string | number | null | undefined): number {
  return typeof value === 'number' ? value : 0;
}
