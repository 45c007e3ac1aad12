// What reached the log, and did it find its place? Counts by reason and fate, and the reporters' claims held against our record.
import type { Variant } from '../experiment/index.ts';
import { unitNoOf } from './exposure-sql.ts';
import type { PreparedMetric } from './metric-sql.ts';
import { lastFirst } from './outcome-sql.ts';
import { type AnalysisPlan, isRequestUnit, type KnownEvidence } from './plan.ts';
import { double, jsonLabel, jsonMember, quoted } from './sql-text.ts';

/** The questions about the evidence itself. */
export type HealthQuery =
  | 'span'
  | 'epochs'
  | 'reasons'
  | 'several'
  | 'outcomes'
  | 'corrections'
  | 'modelUsed'
  | 'variantServed';

/** Types whose outcomes of a unit are judged by the unit's first exposure alone: no metric reads them for single predictions. */
export function judgedByUnit(metrics: readonly PreparedMetric[]): readonly string[] {
  const perPrediction = predictionWindow(metrics).types;
  return unitWindow(metrics).types.filter((type) => !perPrediction.includes(type));
}

function predictionWindow(metrics: readonly PreparedMetric[]): ReturnType<typeof windowOf> {
  return windowOf(metrics, ({ lastTypes, everyType, form }) => (form.kind === 'list' ? everyType : lastTypes));
}

function unitWindow(metrics: readonly PreparedMetric[]): ReturnType<typeof windowOf> {
  return windowOf(metrics, ({ everyType, form }) => (form.kind === 'unit' ? everyType : []));
}

/** Their SQL; those about claims only where something is declared that claims. @param options.hasMatched outcomes are matched with predictions. */
export function healthQueries(
  plan: AnalysisPlan,
  {
    metrics,
    hasMatched,
    known,
  }: { readonly metrics: readonly PreparedMetric[]; readonly hasMatched: boolean; readonly known: KnownEvidence },
): Readonly<Partial<Record<HealthQuery, string>>> {
  const { experiment, nowMs } = plan;
  const namespace = quoted(experiment.namespace);
  const name = quoted(experiment.name);
  const claims = claimQueries(
    plan,
    metrics.some(({ readsItems }) => readsItems),
  );
  const perPrediction = predictionWindow(metrics);
  const perUnit = unitWindow(metrics);
  const settled = isRequestUnit(plan) ? [] : judgedByUnit(metrics);
  // Outcomes of a type that only metrics per unit read are timed from the unit's first exposure.
  const isOnTime =
    perUnit.types.length === 0
      ? `m.delay_ms <= ${perPrediction.sql}`
      : `(k.type IN (${perUnit.types.map(quoted).join(', ')}) AND k.time_ms - f.first_ms <= ${perUnit.sql}) OR ` +
        `(${onlyPerUnit(perUnit.types, perPrediction.types)} AND m.delay_ms <= ${perPrediction.sql})`;
  const bySubject = 'k.subject_kind, k.subject_no, k.copies';
  // Null: of no prediction that counts; then `is_known` says whether one of ours is.
  const direct =
    `SELECT ${bySubject}, CASE WHEN k.time_ms < f.first_ms THEN NULL WHEN k.time_ms - f.first_ms <= ${perUnit.sql} THEN 1 ` +
    `WHEN f.first_ms IS NOT NULL THEN 0 END AS on_time, CASE WHEN f.first_ms IS NOT NULL THEN 1 ELSE 0 END AS is_known ` +
    'FROM kept_outcome k LEFT JOIN first_exposure f ON f.unit_no = k.subject_no ' +
    `WHERE k.subject_kind = 'unit' AND k.type IN (${settled.map(quoted).join(', ')})`;
  const others =
    settled.length === 0 ? '' : ` WHERE k.subject_kind <> 'unit' OR k.type NOT IN (${settled.map(quoted).join(', ')})`;
  const matched =
    `SELECT ${bySubject}, t.on_time, 0 AS is_known FROM kept_outcome k LEFT JOIN (` +
    `SELECT m.okey, max(CASE WHEN ${isOnTime} THEN 1 ELSE 0 END) AS on_time ` +
    'FROM matched m JOIN kept_outcome k ON k.okey = m.okey JOIN exposure e ON e.rid = m.rid ' +
    `JOIN first_exposure f ON f.unit_no = e.unit_no GROUP BY m.okey) t ON t.okey = k.okey${others}`;
  const unmatched = `SELECT ${bySubject}, CAST(NULL AS INTEGER) AS on_time, 0 AS is_known FROM kept_outcome k${others}`;
  const ways = [...(settled.length === 0 ? [] : [direct]), hasMatched ? matched : unmatched];
  // Only outcomes that were not joined are looked for among all predictions.
  const subjects = ['prediction_id', 'request_id', 'unit'].filter(
    (column) => known.outcomes?.some(({ subject }) => subject === column.replace('_id', '')) ?? true,
  );
  const none = `SELECT '' AS subject_kind, ${unitNoOf("''")} AS subject_no, 0 AS is_ours WHERE FALSE`;
  const named = (subjects.length === 0 ? [undefined] : subjects)
    .map((column) => {
      if (column === undefined) return none;
      const kind = quoted(column.replace('_id', ''));
      return (
        `SELECT ${kind} AS subject_kind, ${unitNoOf(`p.${column}`)} AS subject_no, max(CASE WHEN p.experiment = ${name} THEN 1 ELSE 0 END) AS is_ours ` +
        `FROM prediction p WHERE p.namespace = ${namespace} AND ${unitNoOf(`p.${column}`)} IN (SELECT w.subject_no FROM tallied w WHERE w.kind = ${kind}) ` +
        `GROUP BY ${unitNoOf(`p.${column}`)}`
      );
    })
    .join(' UNION ALL ');
  // Joined, late, known to this experiment but not analysed, another experiment's, or nobody's.
  const fates =
    `WITH fated AS (${ways.join(' UNION ALL ')}), ` +
    "judged AS (SELECT CASE WHEN t.on_time = 1 THEN 'joined' WHEN t.on_time = 0 THEN 'late' WHEN t.is_known = 1 THEN 'unanalysed' END AS fate, " +
    't.subject_kind, t.subject_no, t.copies FROM fated t), ' +
    // Subjects are told apart only where nothing is known of them.
    'tallied AS (SELECT j.fate, CASE WHEN j.fate IS NULL THEN j.subject_kind END AS kind, CASE WHEN j.fate IS NULL THEN j.subject_no END AS subject_no, ' +
    'CAST(count(*) AS DOUBLE) AS outcomes, sum(j.copies) AS copies FROM judged j ' +
    'GROUP BY j.fate, CASE WHEN j.fate IS NULL THEN j.subject_kind END, CASE WHEN j.fate IS NULL THEN j.subject_no END), ' +
    `named AS (${named}), ` +
    "found AS (SELECT CASE WHEN w.fate IS NOT NULL THEN w.fate WHEN h.is_ours = 1 THEN 'unanalysed' WHEN h.is_ours = 0 THEN 'elsewhere' ELSE 'orphan' END AS fate, " +
    'w.outcomes, w.copies FROM tallied w LEFT JOIN named h ON h.subject_kind = w.kind AND h.subject_no = w.subject_no) ' +
    'SELECT r.fate, CAST(sum(r.outcomes) AS DOUBLE) AS outcomes, CAST(sum(r.copies) AS DOUBLE) AS copies FROM found r GROUP BY r.fate ORDER BY r.fate';
  return {
    span: 'SELECT min(e.time_ms) AS from_ms, max(e.time_ms) AS to_ms FROM exposure e',
    epochs:
      'SELECT CAST(f.epoch AS DOUBLE) AS epoch, f.variant, CAST(count(*) AS DOUBLE) AS units FROM first_exposure f ' +
      'GROUP BY f.epoch, f.variant ORDER BY f.epoch, f.variant',
    reasons:
      'SELECT p.reason, CAST(count(*) AS DOUBLE) AS predictions FROM prediction p ' +
      `WHERE p.namespace = ${namespace} AND p.experiment = ${name} AND p.time_ms <= ${double(nowMs)} GROUP BY p.reason ORDER BY p.reason`,
    several: 'SELECT CAST(count(*) AS DOUBLE) AS units FROM first_exposure f WHERE f.is_mixed',
    outcomes: fates,
    corrections: correctionsSql(metrics),
    ...claims,
  };
}

/** Types that some metric reads, and in SQL the longest window of an outcome `k`; one no metric reads is judged by the longest there is. */
function windowOf(
  metrics: readonly PreparedMetric[],
  typesOf: (metric: PreparedMetric) => readonly string[],
): { readonly sql: string; readonly types: readonly string[] } {
  const windows = new Map<string, number>();
  for (const prepared of metrics) {
    for (const type of typesOf(prepared)) {
      windows.set(type, Math.max(windows.get(type) ?? 0, prepared.metric.windowMs));
    }
  }
  const longest = Math.max(0, ...metrics.map(({ metric }) => metric.windowMs));
  // Most often they are all the same.
  const cases = [...windows]
    .filter(([, windowMs]) => windowMs !== longest)
    .map(([type, windowMs]) => `WHEN ${quoted(type)} THEN ${double(windowMs)}`)
    .join(' ');
  const sql = cases === '' ? double(longest) : `CASE k.type ${cases} ELSE ${double(longest)} END`;
  return { sql, types: [...windows.keys()] };
}

function onlyPerUnit(perUnit: readonly string[], perPrediction: readonly string[]): string {
  const only = perUnit.filter((type) => !perPrediction.includes(type));
  return only.length === 0 ? 'TRUE' : `k.type NOT IN (${only.map(quoted).join(', ')})`;
}

/** Outcomes in time whose place a later one of the same prediction and type took; of types where the last value counts. */
function correctionsSql(metrics: readonly PreparedMetric[]): string {
  const { types, sql } = windowOf(metrics, ({ lastTypes }) => lastTypes);
  if (types.length === 0) return 'SELECT CAST(0 AS DOUBLE) AS outcomes';
  return (
    'SELECT CAST(count(DISTINCT l.okey) AS DOUBLE) AS outcomes FROM (' +
    `SELECT m.okey, row_number() OVER (PARTITION BY m.rid, k.type ORDER BY ${lastFirst}) AS nth ` +
    'FROM matched m JOIN kept_outcome k ON k.okey = m.okey ' +
    `WHERE k.type IN (${types.map(quoted).join(', ')}) AND m.delay_ms <= ${sql}) l WHERE l.nth > 1`
  );
}

/** Every name a variant may go by: its own, its model's, and what the gateway writes into its requests. */
function namesOf({ name, upstream, set }: Variant): readonly string[] {
  const written = Object.values(set?.json ?? {}).map(String);
  return [...new Set([name, ...(upstream.model === undefined ? [] : [upstream.model]), ...written])];
}

function claimQueries(
  { experiment, nowMs }: AnalysisPlan,
  hasItems: boolean,
): Readonly<Partial<Record<HealthQuery, string>>> {
  const cases = experiment.variants.map(
    (variant) => `WHEN ${quoted(variant.name)} THEN c.claim IN (${namesOf(variant).map(quoted).join(', ')})`,
  );
  const counted = (rows: string): string =>
    'SELECT CAST(count(*) AS DOUBLE) AS compared, ' +
    `CAST(count(CASE WHEN NOT CASE c.served ${cases.join(' ')} ELSE FALSE END THEN 1 END) AS DOUBLE) AS mismatched FROM (${rows}) c WHERE c.claim IS NOT NULL AND c.served IS NOT NULL`;
  const declaresModel = experiment.capture.some(({ name, from }) => name === 'model_used' && from === 'reply');
  const declaresServed = (experiment.outcomes ?? []).some(({ served }) => served !== undefined);
  const modelUsed =
    `SELECT p.served, ${jsonLabel(jsonMember('p.captured', 'model_used'))} AS claim FROM prediction p ` +
    `WHERE p.namespace = ${quoted(experiment.namespace)} AND p.experiment = ${quoted(experiment.name)} AND p.time_ms <= ${double(nowMs)}`;
  const claim = jsonLabel(jsonMember('k.attributes', 'variant_served'));
  const variantServed =
    `SELECT e.served, ${claim} AS claim FROM kept_outcome k JOIN matched m ON m.okey = k.okey ` +
    // The reply that showed the item, where items are known: the unit may have had another reply since.
    (hasItems
      ? 'LEFT JOIN item_outcome y ON y.okey = m.okey JOIN exposure e ON e.rid = coalesce(y.rid, m.rid)'
      : 'JOIN exposure e ON e.rid = m.rid');
  return {
    ...(declaresModel ? { modelUsed: counted(modelUsed) } : {}),
    ...(declaresServed ? { variantServed: counted(variantServed) } : {}),
  };
}
