// How the answers of a database become a summary: plain rows in, the document that statistics and verdicts rest on out.
import type { JointMoments } from '../stats/index.ts';
import { isRequestUnit } from './exposure-sql.ts';
import type { AnalysisPlan } from './plan.ts';
import type {
  EpochUnits,
  EvidenceHealth,
  ExperimentSummary,
  Insufficient,
  LatencySummary,
  MetricSummary,
  VariantSummary,
} from './summary.ts';
import type { SqlRow, SummaryQuery } from './summary-sql.ts';

/** The answers to the queries of a `SummarySql`, by query. */
export type SummaryAnswers = { readonly [query in SummaryQuery]?: readonly SqlRow[] };

/** A metric as the assembly needs it. */
export type SummarisedMetric =
  /** `values`: proportion, mean or ratio by what the values are; `mean`: never a proportion. */
  | { readonly name: string; readonly kind: 'values' | 'mean' }
  | { readonly name: string; readonly kind: 'quantile'; readonly q: number };

/** The summary of a plan. @param options.uncleanShutdowns writers that ended without closing. */
export function makeSummary(
  plan: AnalysisPlan,
  answers: SummaryAnswers,
  options: { readonly uncleanShutdowns: number },
): ExperimentSummary {
  const { experiment } = plan;
  const metrics = experiment.metrics.map(
    ({ name, definition }): SummarisedMetric =>
      definition.kind === 'quantile' ? { name, kind: 'quantile', q: definition.q } : { name, kind: 'values' },
  );
  const epochs = epochsOf(plan, answers.epochs ?? []);
  const declared = experiment.variants.map((variant) => variant.name);
  const span = answers.span?.[0];
  return {
    format: 'assay-summary',
    version: 1,
    namespace: experiment.namespace,
    experiment: experiment.name,
    control: experiment.control,
    unit: isRequestUnit(plan) ? 'request' : 'unit',
    fromMs: (span?.from_ms as number | undefined) ?? null,
    toMs: (span?.to_ms as number | undefined) ?? null,
    ...assembleVariants({ answers, metrics, declared }),
    epochs,
    health: healthOf(answers, options.uncleanShutdowns),
  };
}

/** The variants of the whole and of each segment, declared ones first and always there. */
export function assembleVariants(input: {
  readonly answers: SummaryAnswers;
  readonly metrics: readonly SummarisedMetric[];
  readonly declared: readonly string[];
}): Pick<ExperimentSummary, 'variants' | 'segments'> {
  const { answers, metrics, declared } = input;
  const seen = (answers.units ?? []).filter((row) => row.scope === 0).map((row) => row.variant as string);
  const names = [...new Set([...declared, ...seen.sort()])];
  const kinds = metrics.map((metric, index) => kindOf(metric, rowsOf(answers.metrics, { scope: 0, metric: index })));
  const inScope = (scope: number): readonly VariantSummary[] =>
    names.map((variant) => variantOf({ answers, metrics, kinds, scope, variant }));
  return {
    variants: inScope(0),
    segments: (answers.scopes ?? []).map((row) => ({
      segment: row.segment as string,
      value: row.value as string,
      variants: inScope(row.scope as number),
    })),
  };
}

type ValueKind = 'proportion' | 'mean' | 'ratio';

/** Decided over all variants together, so that they can be compared, and for the whole, so that segments can. */
function kindOf(metric: SummarisedMetric, rows: readonly SqlRow[]): ValueKind {
  if (rows.some((row) => number(row.most) > 1)) return 'ratio';
  return metric.kind === 'mean' || rows.some((row) => number(row.others) > 0) ? 'mean' : 'proportion';
}

function variantOf(input: {
  readonly answers: SummaryAnswers;
  readonly metrics: readonly SummarisedMetric[];
  readonly kinds: readonly ValueKind[];
  readonly scope: number;
  readonly variant: string;
}): VariantSummary {
  const { answers, metrics, kinds, scope, variant } = input;
  const place = { scope, variant };
  const requests = rowsOf(answers.requests, place)[0];
  const summaries: Record<string, MetricSummary> = {};
  const waiting: Record<string, number> = {};
  for (const [index, metric] of metrics.entries()) {
    const row =
      metric.kind === 'quantile'
        ? rowsOf(answers[`quantile${index}`], place)[0]
        : rowsOf(answers.metrics, { ...place, metric: index })[0];
    const waits = number(row?.waiting);
    if (waits > 0) waiting[metric.name] = waits;
    summaries[metric.name] =
      row === undefined || number(row.n) === 0
        ? nothing(metric.name, variant, waits)
        : metric.kind === 'quantile'
          ? quantileOf(row, metric.q)
          : metricOf(row, kinds[index] ?? 'mean');
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
  switch (kind) {
    case 'proportion':
      return { kind, n, successes: number(row.successes) };
    case 'mean':
      return { kind, n, mean: number(row.mean0), m2: number(row.m00) };
    case 'ratio':
      return { kind, n, rows: number(row.n_rows), moments: pairOf(row) };
  }
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

function pairOf(row: SqlRow): JointMoments {
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

function jointOf(row: SqlRow | undefined, metrics: readonly SummarisedMetric[]): VariantSummary['joint'] {
  const columns = metrics
    .filter(({ kind }) => kind !== 'quantile')
    .flatMap(({ name }) => [`${name}:numerator`, `${name}:denominator`]);
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

function epochsOf(plan: AnalysisPlan, rows: readonly SqlRow[]): readonly EpochUnits[] {
  const unplanned = [...new Set(rows.map((row) => row.epoch as number))]
    .filter((epoch) => !plan.epochs.some((planned) => planned.epoch === epoch))
    .map((epoch) => ({ epoch, shares: {} }));
  return [...plan.epochs, ...unplanned]
    .sort((a, b) => a.epoch - b.epoch)
    .map(({ epoch, shares }) => {
      const units: Record<string, number> = {};
      for (const variant of Object.keys(shares)) units[variant] = 0;
      for (const row of rows) if (row.epoch === epoch) units[row.variant as string] = number(row.units);
      return { epoch, shares, units };
    });
}

function healthOf(answers: SummaryAnswers, uncleanShutdowns: number): EvidenceHealth {
  const byReason: Record<string, number> = {};
  for (const row of answers.reasons ?? []) byReason[row.reason as string] = number(row.predictions);
  const ours = (answers.outcomes ?? []).filter((row) => row.fate !== 'elsewhere');
  const withFate = (fate: string): number => number(ours.find((row) => row.fate === fate)?.outcomes);
  const received = ours.reduce((sum, row) => sum + number(row.copies), 0);
  const distinct = ours.reduce((sum, row) => sum + number(row.outcomes), 0);
  return {
    predictions: Object.values(byReason).reduce((sum, count) => sum + count, 0),
    byReason,
    unitsInSeveralVariants: number(answers.several?.[0]?.units),
    outcomes: {
      received,
      duplicates: received - distinct,
      joined: withFate('joined'),
      orphans: withFate('orphan'),
      late: withFate('late'),
    },
    uncleanShutdowns,
  };
}

function rowsOf(
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

function nothing(name: string, variant: string, waiting: number): Insufficient {
  const open = waiting > 0 ? `; ${waiting} predictions still wait for their outcomes` : '';
  return { kind: 'insufficient', reason: `no prediction of ${variant} has a value of ${name} yet${open}` };
}

function number(value: string | number | null | undefined): number {
  return typeof value === 'number' ? value : 0;
}
