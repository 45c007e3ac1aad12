// Which outcomes belong to which prediction, to which unit and to which recommended item? In SQL, each id once.
import { unitNoOf } from './exposure-sql.ts';
import type { AnalysisPlan } from './plan.ts';
import { isRequestUnit } from './plan.ts';
import { double, jsonElements, jsonLabel, jsonMember, quoted, type SqlStep } from './sql-text.ts';

/** A reporter's clock may run behind ours by this much. */
const clockSkewMs = 5 * 60_000;

/** Which outcomes need more than a look at their unit's first exposure, and how wide their rows must be. */
export interface OutcomeReads {
  /** Outcomes that name a prediction or request are there and must find it. */
  readonly named: boolean;
  /** Outcomes of a unit that belong to one of its predictions; SQL about `k`. Undefined: none do. */
  readonly lastBefore: string | undefined;
  readonly attributes: boolean;
  /** Columns id, received_ms, writer, sequence, subject_id, subject_row and okey: what keeps outcomes apart and finds their prediction. */
  readonly identity: boolean;
}

/**
 * Tables `kept_outcome` (each id once, the first received; copies: how often it came) and `matched` (okey, rid, delay_ms: which prediction an outcome belongs to).
 *
 * An outcome of a unit belongs to the unit's last prediction at or before it. One that names its prediction or request may
 * even come before it, by a clock that runs behind.
 */
export function outcomeSteps(
  plan: AnalysisPlan,
  reads: OutcomeReads,
): readonly [keptOutcome: SqlStep, matched: SqlStep] {
  const named = (subject: 'prediction' | 'request'): string =>
    'SELECT k.okey, e.rid, k.time_ms - e.time_ms AS delay_ms FROM kept_outcome k ' +
    `JOIN exposure e ON e.${subject}_id = k.subject_id WHERE k.subject_kind = '${subject}' AND k.time_ms >= e.time_ms - ${clockSkewMs} ` +
    // Of a batch, all rows or the one that was named.
    'AND (k.subject_row IS NULL OR k.subject_row = e.row_index)';
  const line =
    'SELECT k.subject_id AS unit, k.time_ms, 1 AS is_outcome, k.writer, k.sequence, k.okey, NULL AS rid FROM kept_outcome k ' +
    `WHERE k.subject_kind = 'unit' AND ${reads.lastBefore} ` +
    'UNION ALL SELECT e.unit, e.time_ms, 0, e.writer, e.sequence, NULL, e.rid FROM exposure e WHERE e.unit IS NOT NULL';
  const lastBefore =
    'SELECT w.okey, last_value(w.rid IGNORE NULLS) OVER (PARTITION BY w.unit ORDER BY w.time_ms, w.is_outcome, w.writer, w.sequence ' +
    `ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS rid FROM (${line}) w`;
  const ways = [
    ...(reads.named ? [named('prediction'), named('request')] : []),
    ...(reads.lastBefore === undefined
      ? []
      : [
          'SELECT l.okey, l.rid, k.time_ms - e.time_ms AS delay_ms FROM ' +
            `(${lastBefore}) l JOIN kept_outcome k ON k.okey = l.okey JOIN exposure e ON e.rid = l.rid`,
        ]),
  ];
  const none = 'SELECT CAST(0 AS BIGINT) AS okey, CAST(0 AS BIGINT) AS rid, CAST(0 AS DOUBLE) AS delay_ms WHERE FALSE';
  return [
    { table: 'kept_outcome', select: keptOutcomeSql(plan, reads) },
    { table: 'matched', select: ways.length === 0 ? none : ways.join(' UNION ALL ') },
  ];
}

/** Each outcome id once, the first received. @param from the raw outcomes, as `o`. */
export function keptOutcomeSql(
  { experiment, nowMs }: AnalysisPlan,
  { attributes, identity }: OutcomeReads,
  from = 'outcome o',
): string {
  const ours = `FROM ${from} WHERE o.namespace = ${quoted(experiment.namespace)} AND o.received_ms <= ${double(nowMs)}`;
  const names = ['time_ms', 'type', 'value_number', 'value_text', 'subject_kind'];
  if (attributes) names.push('attributes');
  if (identity) names.push('id', 'received_ms', 'writer', 'sequence', 'subject_id', 'subject_row');
  const columns = [
    ...names.map((name) => `o.${name}`),
    `${unitNoOf('o.subject_id')} AS subject_no`,
    `CASE WHEN o.subject_kind = 'unit' THEN ${unitNoOf('o.subject_id')} END AS unit_no`,
  ].join(', ');
  // Nearly all ids came once: only the others are put in order.
  return (
    `WITH again AS (SELECT o.id, CAST(count(*) AS DOUBLE) AS copies ${ours} GROUP BY o.id HAVING count(*) > 1) ` +
    `SELECT c.*${identity ? ', row_number() OVER () AS okey' : ''} FROM (` +
    `SELECT ${columns}, CAST(1 AS DOUBLE) AS copies, 1 AS nth ${ours} AND o.id NOT IN (SELECT a.id FROM again a) ` +
    `UNION ALL SELECT n.* FROM (SELECT ${columns}, a.copies, row_number() OVER (PARTITION BY o.id ORDER BY o.received_ms, o.writer, o.sequence) AS nth ` +
    `${ours.replace(' WHERE ', ' JOIN again a ON a.id = o.id WHERE ')}) n WHERE n.nth = 1) c`
  );
}

/** Of several outcomes `k` of one type the last counts. */
export const lastFirst = 'k.time_ms DESC, k.received_ms DESC, k.writer DESC, k.sequence DESC';

/** One table (rid, oN_number, oN_text) of the outcomes that came within a window: per prediction and type the last by time. */
export function arrivalsStep(
  table: string,
  window: { readonly windowMs: number; readonly types: readonly string[] },
): SqlStep {
  const picked = window.types.map(
    (type, place) =>
      `max(CASE WHEN l.type = ${quoted(type)} THEN l.value_number END) AS o${place}_number, ` +
      `max(CASE WHEN l.type = ${quoted(type)} THEN l.value_text END) AS o${place}_text`,
  );
  return {
    table,
    select:
      `SELECT l.rid, ${picked.join(', ')} FROM (` +
      'SELECT m.rid, k.type, k.value_number, k.value_text, ' +
      `row_number() OVER (PARTITION BY m.rid, k.type ORDER BY ${lastFirst}) AS nth ` +
      'FROM matched m JOIN kept_outcome k ON k.okey = m.okey ' +
      `WHERE m.delay_ms <= ${double(window.windowMs)} AND k.type IN (${window.types.map(quoted).join(', ')})` +
      ') l WHERE l.nth = 1 GROUP BY l.rid',
  };
}

/**
 * Table `unit_outcome` (unit_no, type, value_number, value_text, delay_ms; attributes and okey where they are read): every outcome of the
 * types that came after a unit's first exposure, by its unit or by one of its predictions; delay_ms since the first exposure.
 */
export function unitOutcomeStep(
  plan: AnalysisPlan,
  { types, reads, items }: { readonly types: readonly string[]; readonly reads: OutcomeReads; readonly items: boolean },
): SqlStep {
  const wanted = `k.type IN (${types.map(quoted).join(', ')})`;
  const names = ['type', 'value_number', 'value_text'];
  if (reads.attributes) names.push('attributes');
  if (items) names.push('okey');
  const columns = names.map((name) => `k.${name}`).join(', ');
  // When each request is its own unit, an outcome of a user belongs to the request before it.
  const byPrediction = isRequestUnit(plan) ? wanted : `${wanted} AND k.subject_kind <> 'unit'`;
  const ways = [
    ...(reads.named || (isRequestUnit(plan) && reads.lastBefore !== undefined)
      ? [
          `SELECT f.unit_no, k.time_ms - f.first_ms AS delay_ms, ${columns} FROM (SELECT DISTINCT m.okey, e.unit_no ` +
            `FROM matched m JOIN exposure e ON e.rid = m.rid) t JOIN kept_outcome k ON k.okey = t.okey ` +
            `JOIN first_exposure f ON f.unit_no = t.unit_no WHERE ${byPrediction}`,
        ]
      : []),
    ...(isRequestUnit(plan)
      ? []
      : [
          `SELECT f.unit_no, k.time_ms - f.first_ms AS delay_ms, ${columns} FROM kept_outcome k ` +
            `JOIN first_exposure f ON f.unit_no = k.unit_no WHERE ${wanted} AND k.time_ms >= f.first_ms`,
        ]),
  ];
  const none =
    'SELECT CAST(0 AS BIGINT) AS unit_no, CAST(0 AS DOUBLE) AS delay_ms, CAST(NULL AS VARCHAR) AS type, CAST(NULL AS DOUBLE) AS value_number, ' +
    `CAST(NULL AS VARCHAR) AS value_text${reads.attributes ? ', CAST(NULL AS JSON) AS attributes' : ''}${items ? ', CAST(0 AS BIGINT) AS okey' : ''} WHERE FALSE`;
  return { table: 'unit_outcome', select: ways.length === 0 ? none : ways.join(' UNION ALL ') };
}

/**
 * Tables `item` (rid, unit_no, unit, time_ms, first_ms, place, fields, item_id: what was recommended, in order) and
 * `item_outcome` (okey, rid, place, delay_ms: which shown item an outcome with the attribute item_id is about).
 *
 * An outcome of a unit is about the last reply at or before it that showed the item to this unit.
 */
export function itemSteps(): readonly [item: SqlStep, itemOutcome: SqlStep] {
  const id = ['item_id', 'id'].map((name) => jsonLabel(jsonMember('x.fields', name)));
  const wanted = jsonLabel(jsonMember('k.attributes', 'item_id'));
  const candidates =
    'SELECT k.okey, i.rid, i.place, i.time_ms, i.writer, i.sequence, k.time_ms - i.time_ms AS delay_ms FROM kept_outcome k JOIN matched m ON m.okey = k.okey ' +
    `JOIN item i ON i.rid = m.rid AND i.item_id = ${wanted} WHERE k.subject_kind <> 'unit' ` +
    'UNION ALL SELECT k.okey, i.rid, i.place, i.time_ms, i.writer, i.sequence, k.time_ms - i.time_ms FROM kept_outcome k ' +
    `JOIN item i ON i.unit = k.subject_id AND i.item_id = ${wanted} WHERE k.subject_kind = 'unit' AND i.time_ms <= k.time_ms`;
  return [
    {
      table: 'item',
      // An element that is no object is its own id.
      select:
        `SELECT x.*, coalesce(${id.join(', ')}, ${jsonLabel('x.fields')}) AS item_id FROM (` +
        jsonElements('e.items', {
          table: 'exposure e',
          columns: ['e.rid', 'e.unit_no', 'e.unit', 'e.time_ms', 'e.first_ms', 'e.writer', 'e.sequence'],
        }) +
        ') x',
    },
    {
      table: 'item_outcome',
      select:
        'SELECT y.okey, y.rid, y.place, y.delay_ms FROM (' +
        `SELECT c.*, row_number() OVER (PARTITION BY c.okey ORDER BY c.time_ms DESC, c.writer DESC, c.sequence DESC, c.place) AS nth FROM (${candidates}) c` +
        ') y WHERE y.nth = 1',
    },
  ];
}
