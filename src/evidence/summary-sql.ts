// Everything a database must compute for one plan: derived tables in order, then a few small queries.
import {
  boundStep,
  calibrationSql,
  cappedRowsSql,
  capsSql,
  jointSql,
  type MetricRows,
  metricsSql,
  quantileSql,
  requestsSql,
  rowUnitsSql,
  seriesSql,
  unitMetricStep,
  unitsSql,
} from './aggregate-sql.ts';
import { exposureStep, firstExposureStep, namesToCapture } from './exposure-sql.ts';
import { type HealthQuery, healthQueries } from './health-sql.ts';
import { type PreparedMetric, predictionRowsSql, prepareMetrics, type RowOptions } from './metric-sql.ts';
import { arrivalsStep, itemSteps, outcomeSteps, unitOutcomeStep } from './outcome-sql.ts';
import type { AnalysisPlan } from './plan.ts';
import { isByAge, scopeSteps, scopesSql, seriesWidthStep } from './scope-sql.ts';
import { ageBand } from './segment.ts';
import type { SqlStep } from './sql-text.ts';
import { covariateRowsSql, listRowsSql, unitRowsSql } from './unit-sql.ts';

/** One row of an answer: texts, and numbers as doubles. */
export type SqlRow = Readonly<Record<string, string | number | null>>;

/** The questions of a summary; those with a number are the N-th metric's. */
export type SummaryQuery =
  | 'units'
  | 'metrics'
  | 'scopes'
  | 'joint'
  | 'series'
  | 'caps'
  | 'requests'
  | `quantile${number}`
  | `calibration${number}`
  | `calibrated${number}`
  | HealthQuery;

/** Steps make temporary tables; queries read them. */
export interface SummarySql {
  readonly steps: readonly SqlStep[];
  readonly queries: Readonly<Partial<Record<SummaryQuery, string>>>;
}

/**
 * The SQL of a plan over the raw tables `prediction`, `prediction_end` and `outcome`: (a) first exposures, (b) values per
 * prediction or unit, (c) moments.
 * @throws AssayError `experiment-invalid` when an expression of the plan cannot be read.
 */
export function summarySql(plan: AnalysisPlan): SummarySql {
  const { experiment, nowMs } = plan;
  const metrics = prepareMetrics(experiment);
  const captured = namesToCapture(plan, metrics);
  const byAge = isByAge(plan);
  const hasItems = metrics.some(({ readsItems }) => readsItems);
  const steps: SqlStep[] = [
    exposureStep(plan, { captured, items: hasItems }),
    firstExposureStep(plan),
    ...scopeSteps(plan),
    ...outcomeSteps(plan),
    ...(hasItems ? itemSteps() : []),
    seriesWidthStep(),
  ];
  const everyType = [...new Set(metrics.flatMap((each) => (each.form.kind === 'unit' ? each.everyType : [])))];
  if (everyType.length > 0) steps.push(unitOutcomeStep(plan, everyType));
  const arrivals = arrivalTables(metrics);
  for (const [windowMs, { table, types }] of arrivals) steps.push(arrivalsStep(table, { windowMs, types }));
  const rowsOf = (prepared: PreparedMetric): string => {
    const { form, lastTypes, metric } = prepared;
    const options: RowOptions = {
      captured,
      nowMs,
      byAge,
      arrivals: lastTypes.length === 0 ? undefined : arrivals.get(metric.windowMs),
    };
    if (form.kind === 'prediction') return predictionRowsSql({ ...prepared, form }, options);
    return form.kind === 'list'
      ? listRowsSql({ ...prepared, form }, options)
      : unitRowsSql({ ...prepared, form }, options);
  };

  const covariates = metrics.flatMap((prepared) => covariateRowsSql(prepared, captured) ?? []);
  const withCovariates = covariates.length > 0;
  const queries: Partial<Record<SummaryQuery, string>> = {
    units: unitsSql(),
    metrics: metricsSql({ withCovariates }),
    scopes: scopesSql(plan),
    requests: requestsSql(byAge ? ageBand('e') : undefined),
    series: seriesSql(),
    ...healthQueries(plan, metrics),
  };
  const moments: MetricRows[] = [];
  const capped: { index: number; table: string; bound: string }[] = [];
  for (const prepared of metrics) {
    const { index, metric, form } = prepared;
    const { definition, cap } = metric;
    if (definition.kind === 'quantile') {
      steps.push({ table: `row${index}`, select: rowsOf(prepared) });
      queries[`quantile${index}`] = quantileSql(`row${index}`, definition.q);
      continue;
    }
    if (definition.kind === 'calibration') {
      steps.push({ table: `row${index}`, select: rowsOf(prepared) });
      queries[`calibration${index}`] = calibrationSql(`row${index}`, definition.bins);
      queries[`calibrated${index}`] = rowUnitsSql(`row${index}`);
      continue;
    }
    let rows = rowsOf(prepared);
    if (cap !== undefined) {
      const place = { index, table: `row${index}`, bound: `bound${index}` };
      steps.push({ table: place.table, select: rows }, boundStep(place.bound, place.table, cap));
      capped.push(place);
      rows = cappedRowsSql(place.table, place.bound);
    }
    const isTotal = form.kind === 'unit' && form.denominator !== undefined;
    moments.push({ index, rows, isTotal, byAge: byAge && form.kind !== 'unit' });
  }
  steps.push(unitMetricStep(moments));
  if (withCovariates) steps.push({ table: 'unit_covariate', select: covariates.join(' UNION ALL ') });
  if (capped.length > 0) queries.caps = capsSql(capped);
  const linear = moments.filter(({ index }) => metrics[index]?.metric.definition.kind !== 'rmse');
  if (linear.length > 0) queries.joint = jointSql(linear.map(({ index }) => index));
  return { steps, queries };
}

/** By window: the outcome types that metrics of this window read. */
function arrivalTables(
  metrics: readonly PreparedMetric[],
): ReadonlyMap<number, { readonly table: string; readonly types: readonly string[] }> {
  const types = new Map<number, Set<string>>();
  for (const { lastTypes, metric } of metrics) {
    if (lastTypes.length === 0) continue;
    types.set(metric.windowMs, new Set([...(types.get(metric.windowMs) ?? []), ...lastTypes]));
  }
  return new Map([...types].map(([windowMs, set], place) => [windowMs, { table: `arrival${place}`, types: [...set] }]));
}
