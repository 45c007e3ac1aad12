// Which predictions count, for which unit and variant, since when and under which allocation? In SQL, from the raw tables.
import type { Expression } from '../expression/index.ts';
import { compileToSql } from '../expression/index.ts';
import { capturedNames, type PreparedMetric, readExpression, resolver } from './metric-sql.ts';
import { type AnalysisPlan, isRequestUnit, strataOf } from './plan.ts';
import { isBuiltInSegment } from './segment.ts';
import { double, jsonLabel, jsonMember, jsonNumber, jsonText, quoted, type SqlStep } from './sql-text.ts';

const dayMs = 86_400_000;
/** A unit is new for this long after the namespace saw it first. */
const newUnitMs = 7 * dayMs;
/** Weeks are counted from Monday 1969-12-29. */
const weekShiftMs = 3 * dayMs;

/**
 * Table `exposure`: one row per analysed prediction.
 *
 * Columns: rid (a number of its own), writer, sequence, unit_no (rid of the unit's first exposure), unit_key, first_ms (its time), time_ms, epoch,
 * row_index (in a batch), prediction_id, request_id, unit, variant (assigned), served, the built-in fields, prediction_number, prediction_text,
 * cN_number, cN_text of captured names, sN of captured segments, items where they are read.
 */
export function exposureStep(
  plan: AnalysisPlan,
  reads: { readonly captured: readonly string[]; readonly items: boolean },
): SqlStep {
  const { experiment } = plan;
  const { captured } = reads;
  const inside = `p.namespace = ${quoted(experiment.namespace)} AND p.experiment = ${quoted(experiment.name)}`;
  const member = (name: string): string =>
    `coalesce(${['d.captured', 'p.captured', 'p.context'].map((column) => jsonMember(column, name)).join(', ')})`;
  const columns = [
    'p.writer',
    'p.sequence',
    'p.row_index',
    'p.time_ms',
    'p.epoch',
    'p.prediction_id',
    'p.request_id',
    'p.unit',
    'p.served',
    'p.assigned AS variant',
    `${unitKeySql(plan)} AS unit_key`,
    // A stream's own attempt ends after its record; another variant's end says nothing about it, nor does that of a retry.
    'CAST(CASE WHEN d.attempt_variant = p.assigned AND p.failed = 0 THEN d.failed ELSE p.failed END AS DOUBLE) AS failed',
    'CASE WHEN d.attempt_variant = p.assigned AND p.failed = 0 THEN d.attempt_ms ELSE p.attempt_ms END AS attempt_ms',
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
    ...experiment.segments.flatMap((name, place) =>
      isBuiltInSegment(name) ? [] : [`coalesce(${jsonLabel(member(name))}, '(missing)') AS s${place}`],
    ),
    ...(reads.items ? [`${member('items')} AS items`] : []),
  ];
  const resolve = resolver(captured);
  const kept = excluded(plan).map((expression) => `NOT coalesce(${compileToSql(expression, { resolve })} <> 0, FALSE)`);
  const rows =
    `SELECT ${columns.join(', ')} FROM prediction p LEFT JOIN (` +
    'SELECT z.*, row_number() OVER (PARTITION BY z.prediction_id, z.row_index ORDER BY z.time_ms, z.writer, z.sequence) AS nth ' +
    `FROM prediction_end z WHERE z.namespace = ${quoted(experiment.namespace)} AND z.time_ms <= ${double(plan.nowMs)}` +
    ') d ON d.prediction_id = p.prediction_id AND d.row_index = p.row_index AND d.nth = 1 ' +
    `WHERE ${inside} AND p.reason = 'split' AND p.time_ms <= ${double(plan.nowMs)}`;
  const numbered =
    `SELECT e.*, row_number() OVER () AS rid FROM (${rows}) e` +
    (kept.length === 0 ? '' : ` WHERE ${kept.join(' AND ')}`);
  return {
    table: 'exposure',
    // Grouped and joined again: windows over the wide rows would sort all of them.
    select:
      `WITH numbered AS MATERIALIZED (${numbered}) SELECT o.*, u.unit_no, u.first_ms FROM numbered o JOIN (` +
      'SELECT n.unit_key, arg_min(n.rid, row(n.time_ms, n.writer, n.sequence)) AS unit_no, min(n.time_ms) AS first_ms ' +
      'FROM numbered n GROUP BY n.unit_key) u ON u.unit_key = o.unit_key',
  };
}

/** What names the unit of a row `p` of table `prediction`. */
export function unitKeySql(plan: AnalysisPlan): string {
  return isRequestUnit(plan)
    ? 'p.prediction_id'
    : "CASE WHEN p.unit IS NULL THEN concat('p', p.prediction_id) ELSE concat('u', p.unit) END";
}

/** Names that need a column of their own. */
export function namesToCapture(plan: AnalysisPlan, metrics: readonly PreparedMetric[]): readonly string[] {
  return capturedNames([...metrics.flatMap(({ predictionExpressions }) => predictionExpressions), ...excluded(plan)]);
}

function excluded({ experiment }: AnalysisPlan): readonly Expression[] {
  return experiment.exclude.map((text, place) => readExpression(text, `exclude[${place}]`));
}

/**
 * Table `first_exposure`: one row per unit, as its first exposure left it: unit_no, unit_key, unit, variant, epoch, first_ms, stratum
 * (epochs of one allocation), is_mixed (seen in several variants), sN of all segments but days_since_exposure.
 *
 * The first exposure decides variant, epoch and segments, so that no later row, which the variant may have caused, moves a unit.
 */
export function firstExposureStep(plan: AnalysisPlan): SqlStep {
  const { namespace, segments, sensitivity = [] } = plan.experiment;
  const strata = strataOf(plan);
  const cases = strata.flatMap(({ epochs }, stratum) => epochs.map((epoch) => `WHEN ${epoch} THEN ${stratum}`));
  const labels = segments.flatMap((name, place) => {
    if (!isBuiltInSegment(name)) return [`e.s${place}`];
    if (name === 'days_since_exposure') return [];
    const label =
      name === 'new_unit'
        ? `CASE WHEN e.first_ms - n.seen_ms < ${double(newUnitMs)} THEN 'new' ELSE 'established' END`
        : `CAST(CAST(floor((n.seen_ms + ${double(weekShiftMs)}) / ${double(7 * dayMs)}) AS BIGINT) AS VARCHAR)`;
    return [`CASE WHEN n.seen_ms IS NULL THEN '(missing)' ELSE ${label} END AS s${place}`];
  });
  const readsSeen = segments.includes('new_unit') || segments.includes('first_seen');
  const isMixed = sensitivity.includes('exclude-mixed');
  const columns = [
    'e.unit_no',
    'e.unit_key',
    'e.unit',
    'e.variant',
    'e.epoch',
    'e.first_ms',
    `${cases.length === 0 ? '0' : `CASE e.epoch ${cases.join(' ')} ELSE ${strata.length} END`} AS stratum`,
    `${isMixed ? 'x.is_mixed' : 'FALSE'} AS is_mixed`,
    ...labels,
  ];
  return {
    table: 'first_exposure',
    select:
      `SELECT ${columns.join(', ')} FROM exposure e` +
      (readsSeen
        ? ` LEFT JOIN (SELECT p.unit, min(p.time_ms) AS seen_ms FROM prediction p WHERE p.namespace = ${quoted(namespace)} ` +
          'AND p.unit IS NOT NULL GROUP BY p.unit) n ON n.unit = e.unit'
        : '') +
      (isMixed
        ? ' LEFT JOIN (SELECT a.unit_no, min(a.variant) <> max(a.variant) AS is_mixed FROM exposure a GROUP BY a.unit_no) x ON x.unit_no = e.unit_no'
        : '') +
      ' WHERE e.rid = e.unit_no',
  };
}
