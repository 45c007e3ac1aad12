// Everything a database must compute for one plan: derived tables in order, then a few small queries.

import { namesIn } from '../expression/index.ts';
import {
  boundStep,
  calibrationSql,
  cappedRowsSql,
  capsSql,
  countedRequestsSql,
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
import {
  type ExposureReads,
  exposureStep,
  firstExposureStep,
  namesToCapture,
  sinceStep,
  unitNoSql,
} from './exposure-sql.ts';
import { type HealthQuery, healthQueries, judgedByUnit } from './health-sql.ts';
import { covariateOf, type PreparedMetric, predictionRowsSql, prepareMetrics, type RowOptions } from './metric-sql.ts';
import {
  arrivalsStep,
  itemSteps,
  keptOutcomeSql,
  type OutcomeReads,
  outcomeSteps,
  unitOutcomeStep,
} from './outcome-sql.ts';
import { type AnalysisPlan, isRequestUnit, type KnownEvidence } from './plan.ts';
import { isByAge, scopeSteps, scopesSql, seriesWidthStep } from './scope-sql.ts';
import { ageBand } from './segment.ts';
import { quoted, type SqlStep } from './sql-text.ts';
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

/** A derived table, and what changes it. */
export interface SummaryStep extends SqlStep {
  /**
   * `units`: a unit's rows are made from the records of this unit alone, so they can be made again for some units.
   * `outcomes`: likewise by outcome id. `whole`: from all units together.
   */
  readonly over: 'units' | 'outcomes' | 'whole';
  /** The columns (`*`: all) that queries and steps over the whole read. Absent where none do. */
  readonly kept?: string;
  /**
   * What later predictions of a known unit do to its rows where `addsLater`: `add` others to them, `sum` up into them where the
   * metric is made of predictions, `none`: nothing.
   */
  readonly later?: 'add' | 'sum' | 'none';
}

/** Steps make tables; queries read them. */
export interface SummarySql {
  readonly steps: readonly SummaryStep[];
  readonly queries: Readonly<Partial<Record<SummaryQuery, string>>>;
  /** What tells which units must be made again after new records came or time went by. */
  readonly renewal: {
    /** unit_no of a row `p` of `prediction`. */
    readonly unitNo: string;
    /** Select of table `kept_outcome` from the raw outcomes given, as `o`. */
    readonly keptOutcome: (from: string) => string;
    /** Values count once this time has passed since their prediction, or since their unit's first. */
    readonly windows: readonly { readonly since: 'time_ms' | 'first_ms'; readonly windowMs: number }[];
    /** Units with a prediction, request or user in common share outcomes, so they are made again together. */
    readonly isShared: boolean;
    /** Outcomes of a user belong to the unit of that number, whichever request it was. */
    readonly isByUser: boolean;
    /** Predictions of other experiments count too: they say since when a unit is known. */
    readonly readsOthers: boolean;
    /** Predictions after the first of their unit change no row that is there but by `SummaryStep.later`. */
    readonly addsLater: boolean;
    /** Moreover values per unit are made from first exposures and outcomes of users alone. */
    readonly valuesApart: boolean;
    /** Moreover an earlier prediction alone decides the first exposure of its unit anew. */
    readonly beginsApart: boolean;
    /** Metrics of `unit_metric` or `unit_value` that are made of such values. */
    readonly unitMetrics: readonly number[];
  };
}

/**
 * The SQL of a plan over the raw tables `prediction`, `prediction_end` and `outcome`: (a) first exposures, (b) values per
 * prediction or unit, (c) moments.
 * @param options.known leaves out what there is nothing of. @param options.keeps tables are to be renewed later, row by row.
 * @throws AssayError `experiment-invalid` when an expression of the plan cannot be read.
 */
export function summarySql(
  plan: AnalysisPlan,
  { known = {}, keeps = false }: { readonly known?: KnownEvidence; readonly keeps?: boolean } = {},
): SummarySql {
  const { experiment, nowMs } = plan;
  const metrics = prepareMetrics(experiment);
  const captured = namesToCapture(plan, metrics);
  const byAge = isByAge(plan);
  const hasItems = metrics.some(({ readsItems }) => readsItems);
  const arrivals = arrivalTables(metrics);
  const outcomes = outcomeReads({ plan, metrics, known, hasItems, keeps });
  const hasMatched = outcomes.named || outcomes.lastBefore !== undefined;
  const ofPredictions = metrics.some(readsPredictionsOfUnit);
  const reads: ExposureReads = {
    captured,
    fields: metrics.flatMap(({ predictionExpressions }) => predictionExpressions.flatMap(namesIn)),
    items: hasItems,
    rid: hasMatched || hasItems || arrivals.size > 0,
    names: hasMatched || hasItems || metrics.some(readsFirstPrediction),
    since: byAge || hasItems || ofPredictions,
  };
  const { columns, ...exposure } = exposureStep(plan, { known, reads });
  const shown = columns.join(', ');
  const [keptOutcome, matched] = outcomeSteps(plan, outcomes);
  const [item, itemOutcome] = itemSteps();
  const steps: SummaryStep[] = [
    { ...exposure, over: 'units', later: 'add', ...(reads.since ? {} : { kept: shown }) },
    { ...firstExposureStep(plan, { reads, known }), over: 'units', kept: '*' },
    ...(reads.since ? [{ ...sinceStep(), over: 'units', kept: shown, later: 'add' } as const] : []),
    { ...keptOutcome, over: 'outcomes', kept: '*' },
    { ...matched, over: 'units', kept: '*', later: 'add' },
    ...(hasItems
      ? ([
          { ...item, over: 'units' },
          { ...itemOutcome, over: 'units', kept: '*' },
        ] as const)
      : []),
  ];
  const everyType = [...new Set(metrics.flatMap((each) => (each.form.kind === 'unit' ? each.everyType : [])))];
  if (everyType.length > 0)
    steps.push({
      ...unitOutcomeStep(plan, { types: everyType, reads: outcomes, items: hasItems }),
      over: 'units',
    });
  for (const [windowMs, { table, types }] of arrivals)
    steps.push({ ...arrivalsStep(table, { windowMs, types }), over: 'units' });
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
    requests:
      known.isLarge === true
        ? countedRequestsSql({
            segments: experiment.segments.flatMap((name, place) => (name === 'days_since_exposure' ? [] : [place])),
            age: byAge ? ageBand('e') : undefined,
          })
        : requestsSql(byAge ? ageBand('e') : undefined),
    series: seriesSql(),
    ...healthQueries(plan, { metrics, hasMatched, known }),
  };
  const plain: MetricRows[] = [];
  const capped: (MetricRows & { readonly table: string; readonly bound: string })[] = [];
  const bounds: SummaryStep[] = [];
  for (const prepared of metrics) {
    const { index, metric, form } = prepared;
    const { definition, cap } = metric;
    if (definition.kind === 'quantile') {
      steps.push({ table: `row${index}`, select: rowsOf(prepared), over: 'units', kept: '*', later: 'add' });
      queries[`quantile${index}`] = quantileSql(`row${index}`, definition.q);
      continue;
    }
    if (definition.kind === 'calibration') {
      steps.push({ table: `row${index}`, select: rowsOf(prepared), over: 'units', kept: '*', later: 'add' });
      queries[`calibration${index}`] = calibrationSql(`row${index}`, definition.bins);
      queries[`calibrated${index}`] = rowUnitsSql(`row${index}`);
      continue;
    }
    const isTotal = form.kind === 'unit' && form.denominator !== undefined;
    const shape = { index, isTotal, isPerUnit: form.kind === 'unit', byAge: byAge && form.kind !== 'unit' };
    if (cap === undefined) {
      plain.push({ ...shape, rows: rowsOf(prepared) });
      continue;
    }
    const place = { index, table: `row${index}`, bound: `bound${index}` };
    const later = form.kind === 'unit' ? 'none' : 'add';
    steps.push({ table: place.table, select: rowsOf(prepared), over: 'units', kept: '*', later });
    bounds.push({ ...boundStep(place.bound, place.table, cap), over: 'whole' });
    capped.push({ ...place, ...shape, rows: cappedRowsSql(place.table, place.bound) });
  }
  const values = unitMetricStep(plain);
  // Where values end depends on all of them.
  const table = capped.length === 0 ? 'unit_metric' : 'unit_value';
  steps.push({ table, select: values.select, over: 'units', kept: '*', later: 'sum' });
  if (withCovariates) {
    const select = covariates.join(' UNION ALL ');
    steps.push({ table: 'unit_covariate', select, over: 'units', kept: '*', later: 'none' });
  }
  for (const step of [...scopeSteps(plan), seriesWidthStep()]) steps.push({ ...step, over: 'whole' });
  steps.push(...bounds);
  if (capped.length > 0) {
    const { table, select } = unitMetricStep(capped);
    steps.push({ table, select: `SELECT v.* FROM unit_value v UNION ALL ${select}`, over: 'whole' });
  }
  if (capped.length > 0) queries.caps = capsSql(capped);
  const moments = [...plain, ...capped].sort((a, b) => a.index - b.index);
  const linear = moments.filter(({ index }) => metrics[index]?.metric.definition.kind !== 'rmse');
  if (linear.length > 0) queries.joint = jointSql(linear.map(({ index }) => index));
  const addsLater = !isRequestUnit(plan) && !hasItems && !ofPredictions && outcomes.lastBefore === undefined;
  const valuesApart = addsLater && !outcomes.named && !metrics.some(readsFirstPrediction);
  const readsOthers = experiment.segments.some((name) => name === 'new_unit' || name === 'first_seen');
  return {
    steps,
    queries,
    renewal: {
      addsLater,
      valuesApart,
      beginsApart: valuesApart && !reads.since && !readsOthers,
      unitMetrics: plain.flatMap(({ index, isPerUnit }) => (isPerUnit ? [index] : [])),
      unitNo: unitNoSql(plan),
      keptOutcome: (from) => keptOutcomeSql(plan, outcomes, from),
      windows: windowsOf(metrics),
      isShared: isRequestUnit(plan) || hasItems,
      isByUser: !isRequestUnit(plan),
      readsOthers,
    },
  };
}

/** What must be known of outcomes: nothing is matched that a look at the unit's first exposure settles. */
function outcomeReads(of: {
  readonly plan: AnalysisPlan;
  readonly metrics: readonly PreparedMetric[];
  readonly known: KnownEvidence;
  readonly hasItems: boolean;
  readonly keeps: boolean;
}): OutcomeReads {
  const { plan, metrics, known, hasItems, keeps } = of;
  const { experiment } = plan;
  const checksServed = (experiment.outcomes ?? []).some(({ served }) => served !== undefined);
  const settled = isRequestUnit(plan) || hasItems || checksServed ? [] : judgedByUnit(metrics);
  const { outcomes } = known;
  const isThere = (test: (each: { readonly subject: string; readonly type: string }) => boolean): boolean =>
    outcomes === undefined || outcomes.some(test);
  const named = isThere(({ subject }) => subject !== 'unit');
  const needsLast = isThere(({ subject, type }) => subject === 'unit' && !settled.includes(type));
  return {
    named,
    lastBefore: !needsLast
      ? undefined
      : settled.length === 0
        ? 'TRUE'
        : `k.type NOT IN (${settled.map(quoted).join(', ')})`,
    attributes: hasItems || checksServed || metrics.some(({ readsAttributes }) => readsAttributes),
    identity:
      keeps || named || needsLast || hasItems || checksServed || metrics.some(({ lastTypes }) => lastTypes.length > 0),
  };
}

/** True for metrics over all predictions of a unit since its first. */
function readsPredictionsOfUnit({ form }: PreparedMetric): boolean {
  return form.kind === 'unit' && [form.numerator, form.denominator].some((part) => part?.source.kind === 'prediction');
}

/** True where what is known of a unit before its first exposure stands in that exposure. */
function readsFirstPrediction({ metric }: PreparedMetric): boolean {
  const covariate = covariateOf(metric);
  return covariate !== undefined && covariate.source.kind !== 'outcome';
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

/** The windows that values wait for. */
function windowsOf(metrics: readonly PreparedMetric[]): SummarySql['renewal']['windows'] {
  const waiting = metrics.filter(({ form, lastTypes }) => form.kind !== 'prediction' || lastTypes.length > 0);
  const windows = waiting.map(
    ({ form, metric }) =>
      ({ since: form.kind === 'unit' ? 'first_ms' : 'time_ms', windowMs: metric.windowMs }) as const,
  );
  return windows.filter(
    (each, place) =>
      windows.findIndex(({ since, windowMs }) => since === each.since && windowMs === each.windowMs) === place,
  );
}
