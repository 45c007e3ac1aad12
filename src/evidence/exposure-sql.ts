// Which predictions count, for which unit and variant, and which outcomes belong to them? In SQL, from the raw tables.
import type { Expression } from '../expression/index.ts';
import { compileToSql } from '../expression/index.ts';
import { capturedNames, type PreparedMetric, readExpression, resolver } from './metric-sql.ts';
import type { AnalysisPlan } from './plan.ts';
import { double, jsonLabel, jsonMember, jsonNumber, jsonText, quoted, type SqlStep } from './sql-text.ts';

/** A reporter's clock may run behind ours by this much. */
const clockSkewMs = 5 * 60_000;
/** Values of a segment that are told apart; rarer ones are left to the whole. */
const segmentValues = 20;

/** True when every request is its own unit. */
export function isRequestUnit({ experiment }: AnalysisPlan): boolean {
  return experiment.unit.sources.some((source) => source.kind === 'request');
}

/**
 * Table `exposure`: one row per analysed prediction, in the order of time.
 *
 * Columns: rid (1, 2, ... by time), unit_no (rid of the unit's first exposure), time_ms, epoch, prediction_id, request_id,
 * unit, variant (assigned), the built-in fields, prediction_number, prediction_text, cN_number, cN_text of captured names,
 * sN of segments.
 */
export function exposureStep(plan: AnalysisPlan, captured: readonly string[]): SqlStep {
  const { experiment } = plan;
  const inside = `p.namespace = ${quoted(experiment.namespace)} AND p.experiment = ${quoted(experiment.name)}`;
  const member = (name: string): string =>
    `coalesce(${['d.captured', 'p.captured', 'p.context'].map((column) => jsonMember(column, name)).join(', ')})`;
  const columns = [
    'p.writer',
    'p.sequence',
    'p.time_ms',
    'p.epoch',
    'p.prediction_id',
    'p.request_id',
    'p.unit',
    'p.assigned AS variant',
    isRequestUnit(plan)
      ? 'p.prediction_id AS unit_key'
      : "CASE WHEN p.unit IS NULL THEN concat('p', p.prediction_id) ELSE concat('u', p.unit) END AS unit_key",
    // A stream's own attempt ends after its record; another variant's end says nothing about it.
    'CAST(CASE WHEN d.attempt_variant = p.assigned THEN d.failed ELSE p.failed END AS DOUBLE) AS failed',
    'CASE WHEN d.attempt_variant = p.assigned THEN d.attempt_ms ELSE p.attempt_ms END AS attempt_ms',
    // A caller who went away first (status NULL) got no failure from us.
    'CAST(CASE WHEN d.failed = 1 THEN 1 WHEN p.status IS NULL THEN 0 ' +
      'WHEN p.served IS NULL OR p.status >= 500 THEN 1 ELSE 0 END AS DOUBLE) AS caller_failed',
    'coalesce(d.caller_ms, p.caller_ms) AS caller_ms',
    'CAST(CASE WHEN p.served <> p.assigned THEN 1 ELSE 0 END AS DOUBLE) AS fallback',
    'CAST(p.status AS DOUBLE) AS status',
    'CASE WHEN d.prediction_number IS NULL AND d.prediction_text IS NULL THEN p.prediction_number ELSE d.prediction_number END AS prediction_number',
    'CASE WHEN d.prediction_number IS NULL AND d.prediction_text IS NULL THEN p.prediction_text ELSE d.prediction_text END AS prediction_text',
    ...captured.flatMap((name, place) => [
      `${jsonNumber(member(name))} AS c${place}_number`,
      `${jsonText(member(name))} AS c${place}_text`,
    ]),
    ...experiment.segments.map((name, place) => `coalesce(${jsonLabel(member(name))}, '(missing)') AS s${place}`),
  ];
  const resolve = resolver(captured);
  const kept = excluded(plan).map((expression) => `NOT coalesce(${compileToSql(expression, { resolve })} <> 0, FALSE)`);
  const rows =
    `SELECT ${columns.join(', ')} FROM prediction p LEFT JOIN (` +
    'SELECT z.*, row_number() OVER (PARTITION BY z.prediction_id, z.row_index ORDER BY z.time_ms, z.writer, z.sequence) AS nth ' +
    `FROM prediction_end z WHERE z.namespace = ${quoted(experiment.namespace)} AND z.time_ms <= ${double(plan.nowMs)}` +
    ') d ON d.prediction_id = p.prediction_id AND d.row_index = p.row_index AND d.nth = 1 ' +
    `WHERE ${inside} AND p.reason = 'split' AND p.time_ms <= ${double(plan.nowMs)}`;
  const ordered =
    `SELECT e.*, row_number() OVER (ORDER BY e.time_ms, e.writer, e.sequence) AS rid FROM (${rows}) e` +
    (kept.length === 0 ? '' : ` WHERE ${kept.join(' AND ')}`);
  return {
    table: 'exposure',
    select: `SELECT o.*, min(o.rid) OVER (PARTITION BY o.unit_key) AS unit_no FROM (${ordered}) o`,
  };
}

/** Names that need a column of their own. */
export function namesToCapture(plan: AnalysisPlan, metrics: readonly PreparedMetric[]): readonly string[] {
  return capturedNames([...metrics.map(({ expression }) => expression), ...excluded(plan)]);
}

function excluded({ experiment }: AnalysisPlan): readonly Expression[] {
  return experiment.exclude.map((text, place) => readExpression(text, `exclude[${place}]`));
}

/**
 * Tables `scope` (scope, segment, value; scope 0 is the whole) and `unit_scope` (scope, unit_no, variant).
 *
 * A unit's first exposure decides its variant and its segments, so that no later row, which the variant may have caused, moves it.
 */
export function scopeSteps(segments: readonly string[]): readonly SqlStep[] {
  const counted = segments.map(
    (_, place) =>
      `SELECT ${place} AS place, e.s${place} AS value, count(*) AS units FROM exposure e WHERE e.rid = e.unit_no GROUP BY e.s${place}`,
  );
  const ranked =
    segments.length === 0
      ? ''
      : ' UNION ALL SELECT row_number() OVER (ORDER BY t.place, t.nth), t.place, t.value FROM (' +
        'SELECT c.place, c.value, row_number() OVER (PARTITION BY c.place ORDER BY c.units DESC, c.value) AS nth ' +
        `FROM (${counted.join(' UNION ALL ')}) c) t WHERE t.nth <= ${segmentValues}`;
  const units = segments.map(
    (_, place) =>
      'SELECT s.scope, e.unit_no, e.variant FROM exposure e ' +
      `JOIN scope s ON s.place = ${place} AND s.value = e.s${place} WHERE e.rid = e.unit_no`,
  );
  return [
    { table: 'scope', select: `SELECT 0 AS scope, -1 AS place, '' AS value${ranked}` },
    {
      table: 'unit_scope',
      select: ['SELECT 0 AS scope, e.unit_no, e.variant FROM exposure e WHERE e.rid = e.unit_no', ...units].join(
        ' UNION ALL ',
      ),
    },
  ];
}

/**
 * Tables `kept_outcome` (each id once, the first received) and `matched` (okey, rid, delay_ms: which prediction an outcome belongs to).
 *
 * An outcome of a unit belongs to the unit's last prediction at or before it. One that names its prediction or request may
 * even come before it, by a clock that runs behind.
 */
export function outcomeSteps(plan: AnalysisPlan): readonly SqlStep[] {
  const { experiment, nowMs } = plan;
  const named = (subject: 'prediction' | 'request'): string =>
    'SELECT k.okey, e.rid, k.time_ms - e.time_ms AS delay_ms FROM kept_outcome k ' +
    `JOIN exposure e ON e.${subject}_id = k.subject_id WHERE k.subject_kind = '${subject}' AND k.time_ms >= e.time_ms - ${clockSkewMs}`;
  const line =
    "SELECT k.subject_id AS unit, k.time_ms, 1 AS is_outcome, k.okey, CAST(NULL AS BIGINT) AS rid FROM kept_outcome k WHERE k.subject_kind = 'unit' " +
    'UNION ALL SELECT e.unit, e.time_ms, 0, NULL, e.rid FROM exposure e WHERE e.unit IS NOT NULL';
  const lastBefore =
    'SELECT w.okey, max(w.rid) OVER (PARTITION BY w.unit ORDER BY w.time_ms, w.is_outcome ' +
    `ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS rid FROM (${line}) w`;
  return [
    {
      table: 'kept_outcome',
      select:
        'SELECT n.*, row_number() OVER (ORDER BY n.time_ms, n.received_ms, n.writer, n.sequence) AS okey FROM (' +
        'SELECT o.*, row_number() OVER (PARTITION BY o.id ORDER BY o.received_ms, o.writer, o.sequence) AS nth ' +
        `FROM outcome o WHERE o.namespace = ${quoted(experiment.namespace)} AND o.received_ms <= ${double(nowMs)}` +
        ') n WHERE n.nth = 1',
    },
    {
      table: 'matched',
      select:
        `${named('prediction')} UNION ALL ${named('request')} UNION ALL ` +
        'SELECT l.okey, l.rid, k.time_ms - e.time_ms FROM ' +
        `(${lastBefore}) l JOIN kept_outcome k ON k.okey = l.okey JOIN exposure e ON e.rid = l.rid`,
    },
  ];
}

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
      'row_number() OVER (PARTITION BY m.rid, k.type ORDER BY k.okey DESC) AS nth ' +
      'FROM matched m JOIN kept_outcome k ON k.okey = m.okey ' +
      `WHERE m.delay_ms <= ${double(window.windowMs)} AND k.type IN (${window.types.map(quoted).join(', ')})` +
      ') l WHERE l.nth = 1 GROUP BY l.rid',
  };
}
