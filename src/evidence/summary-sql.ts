// Everything a database must compute for one plan: derived tables in order, then a few small queries.
import {
  jointSql,
  metricsSql,
  quantileSql,
  requestsSql,
  scopesSql,
  unitMetricStep,
  unitsSql,
} from './aggregate-sql.ts';
import { arrivalsStep, exposureStep, namesToCapture, outcomeSteps, scopeSteps } from './exposure-sql.ts';
import { metricRowsSql, type PreparedMetric, prepareMetrics } from './metric-sql.ts';
import type { AnalysisPlan } from './plan.ts';
import { double, quoted, type SqlStep } from './sql-text.ts';

/** One row of an answer: texts, and numbers as doubles. */
export type SqlRow = Readonly<Record<string, string | number | null>>;

/** The questions of a summary; `quantileN` is the N-th metric's. */
export type SummaryQuery = 'units' | 'metrics' | 'scopes' | 'joint' | `quantile${number}` | LogQuery;
type LogQuery = 'requests' | 'span' | 'epochs' | 'reasons' | 'several' | 'outcomes';

/** Steps make temporary tables; queries read them. */
export interface SummarySql {
  readonly steps: readonly SqlStep[];
  readonly queries: Readonly<Partial<Record<SummaryQuery, string>>>;
}

/**
 * The SQL of a plan over the raw tables `prediction`, `prediction_end` and `outcome`.
 * @throws AssayError `experiment-invalid` when an expression of the plan cannot be read.
 */
export function summarySql(plan: AnalysisPlan): SummarySql {
  const { experiment, nowMs } = plan;
  const metrics = prepareMetrics(experiment);
  const captured = namesToCapture(plan, metrics);
  const steps: SqlStep[] = [exposureStep(plan, captured), ...scopeSteps(experiment.segments), ...outcomeSteps(plan)];
  const arrivals = arrivalTables(metrics);
  for (const [windowMs, { table, types }] of arrivals) steps.push(arrivalsStep(table, { windowMs, types }));
  const rowsOf = (prepared: PreparedMetric): string =>
    metricRowsSql(prepared, {
      captured,
      nowMs,
      arrivals: prepared.types.length === 0 ? undefined : arrivals.get(prepared.metric.windowMs),
    });
  const means = metrics.filter(({ metric }) => metric.definition.kind === 'mean');
  steps.push(unitMetricStep(means.map((prepared) => ({ index: prepared.index, rows: rowsOf(prepared) }))));
  const queries: Partial<Record<SummaryQuery, string>> = {
    units: unitsSql(),
    metrics: metricsSql(),
    scopes: scopesSql(experiment.segments),
    requests: requestsSql(),
    ...healthQueries(plan, metrics),
  };
  if (means.length > 0) queries.joint = jointSql(means.map(({ index }) => index));
  for (const prepared of metrics) {
    const { definition } = prepared.metric;
    if (definition.kind !== 'quantile') continue;
    steps.push({ table: `quantile_row${prepared.index}`, select: rowsOf(prepared) });
    queries[`quantile${prepared.index}`] = quantileSql(`quantile_row${prepared.index}`, definition.q);
  }
  return { steps, queries };
}

/** By window: the outcome types that metrics of this window read. */
function arrivalTables(
  metrics: readonly PreparedMetric[],
): ReadonlyMap<number, { readonly table: string; readonly types: readonly string[] }> {
  const types = new Map<number, Set<string>>();
  for (const prepared of metrics) {
    if (prepared.types.length === 0) continue;
    const { windowMs } = prepared.metric;
    types.set(windowMs, new Set([...(types.get(windowMs) ?? []), ...prepared.types]));
  }
  return new Map([...types].map(([windowMs, set], place) => [windowMs, { table: `arrival${place}`, types: [...set] }]));
}

function healthQueries(
  { experiment, nowMs }: AnalysisPlan,
  metrics: readonly PreparedMetric[],
): Readonly<Record<Exclude<LogQuery, 'requests'>, string>> {
  const namespace = quoted(experiment.namespace);
  const name = quoted(experiment.name);
  const windows = new Map<string, number>();
  for (const { types, metric } of metrics) {
    for (const type of types) windows.set(type, Math.max(windows.get(type) ?? 0, metric.windowMs));
  }
  // An outcome no metric reads is judged by the longest window there is.
  const longest = Math.max(0, ...metrics.map(({ metric }) => metric.windowMs));
  const cases = [...windows].map(([type, windowMs]) => `WHEN ${quoted(type)} THEN ${double(windowMs)}`).join(' ');
  const windowOf = cases === '' ? double(longest) : `CASE k.type ${cases} ELSE ${double(longest)} END`;
  const named = (scope: string): string =>
    ['prediction', 'request']
      .map(
        (subject) =>
          `SELECT '${subject}' AS subject_kind, p.${subject}_id AS subject_id FROM prediction p WHERE p.namespace = ${namespace} AND ${scope}`,
      )
      .concat(
        `SELECT 'unit', p.unit FROM prediction p WHERE p.namespace = ${namespace} AND p.unit IS NOT NULL AND ${scope}`,
      )
      .join(' UNION ');
  // Joined, late, known to this experiment but not analysed, another experiment's, or nobody's.
  const fates =
    "SELECT k.okey, CASE WHEN f.on_time = 1 THEN 'joined' WHEN f.on_time = 0 THEN 'late' WHEN h.subject_id IS NOT NULL THEN 'unanalysed' " +
    "WHEN t.subject_id IS NOT NULL THEN 'elsewhere' ELSE 'orphan' END AS fate FROM kept_outcome k " +
    `LEFT JOIN (SELECT m.okey, max(CASE WHEN m.delay_ms <= ${windowOf} THEN 1 ELSE 0 END) AS on_time ` +
    'FROM matched m JOIN kept_outcome k ON k.okey = m.okey GROUP BY m.okey) f ON f.okey = k.okey ' +
    `LEFT JOIN (${named(`p.experiment = ${name}`)}) h ON h.subject_kind = k.subject_kind AND h.subject_id = k.subject_id ` +
    `LEFT JOIN (${named(`p.experiment <> ${name}`)}) t ON t.subject_kind = k.subject_kind AND t.subject_id = k.subject_id`;
  return {
    span: 'SELECT min(e.time_ms) AS from_ms, max(e.time_ms) AS to_ms FROM exposure e',
    epochs:
      'SELECT CAST(e.epoch AS DOUBLE) AS epoch, e.variant, CAST(count(*) AS DOUBLE) AS units FROM exposure e ' +
      'WHERE e.rid = e.unit_no GROUP BY e.epoch, e.variant ORDER BY e.epoch, e.variant',
    reasons:
      'SELECT p.reason, CAST(count(*) AS DOUBLE) AS predictions FROM prediction p ' +
      `WHERE p.namespace = ${namespace} AND p.experiment = ${name} AND p.time_ms <= ${double(nowMs)} GROUP BY p.reason ORDER BY p.reason`,
    several:
      'SELECT CAST(count(*) AS DOUBLE) AS units FROM (SELECT e.unit_no FROM exposure e GROUP BY e.unit_no HAVING min(e.variant) <> max(e.variant)) u',
    outcomes:
      `SELECT x.fate, CAST(count(*) AS DOUBLE) AS outcomes, CAST(sum(x.copies) AS DOUBLE) AS copies FROM (` +
      `SELECT y.fate, c.copies FROM (${fates}) y JOIN kept_outcome k ON k.okey = y.okey ` +
      'JOIN (SELECT o.id, count(*) AS copies FROM outcome o ' +
      `WHERE o.namespace = ${namespace} AND o.received_ms <= ${double(nowMs)} GROUP BY o.id) c ON c.id = k.id) x ` +
      'GROUP BY x.fate ORDER BY x.fate',
  };
}
