// Which predictions count, for which unit and variant, since when and under which allocation? In SQL, from the raw tables.
import type { Expression } from '../expression/index.ts';
import { compileToSql } from '../expression/index.ts';
import { capturedNames, type PreparedMetric, readExpression, resolver } from './metric-sql.ts';
import { type AnalysisPlan, isRequestUnit, type KnownEvidence, strataOf } from './plan.ts';
import { isBuiltInSegment } from './segment.ts';
import { double, jsonLabel, jsonMember, jsonNumber, jsonText, quoted, type SqlStep } from './sql-text.ts';

const dayMs = 86_400_000;
/** A unit is new for this long after the namespace saw it first. */
const newUnitMs = 7 * dayMs;
/** Weeks are counted from Monday 1969-12-29. */
const weekShiftMs = 3 * dayMs;

/** Columns of table `exposure` that only some plans read. */
export interface ExposureReads {
  readonly captured: readonly string[];
  /** `prediction`, `status`: those that metrics read. */
  readonly fields: readonly string[];
  readonly items: boolean;
  /** rid: a number of its own, which outcomes are matched with. */
  readonly rid: boolean;
  /** writer, sequence, unit, prediction_id, request_id. */
  readonly names: boolean;
  /** first_ms, of the unit. */
  readonly since: boolean;
}

/** Columns of `exposure` that are always there. */
const exposureColumns = [
  'unit_no',
  'time_ms',
  'row_index',
  'variant',
  'served',
  'failed',
  'caller_failed',
  'fallback',
  'attempt_ms',
  'caller_ms',
];

/**
 * Table `exposure`: one row per analysed prediction.
 *
 * Columns: unit_no, time_ms, row_index (in a batch), variant (assigned), served, the built-in fields and those of `reads`: status, prediction_number,
 * prediction_text, cN_number, cN_text of captured names, items.
 */
export function exposureStep(
  plan: AnalysisPlan,
  { reads, known }: { readonly reads: ExposureReads; readonly known: KnownEvidence },
): SqlStep & { readonly columns: readonly string[] } {
  const columns = [
    ...exposureColumns,
    ...(reads.fields.includes('status') ? ['status'] : []),
    ...(reads.fields.includes('prediction') ? ['prediction_number', 'prediction_text'] : []),
    ...reads.captured.flatMap((_, place) => [`c${place}_number`, `c${place}_text`]),
    ...(reads.names ? ['writer', 'sequence', 'unit', 'prediction_id', 'request_id'] : []),
    ...(reads.items ? ['items'] : []),
  ].map((name) => `e.${name}`);
  const rid = reads.rid ? ['row_number() OVER () AS rid'] : [];
  const own = `SELECT ${[...columns, ...rid].join(', ')} FROM (${rowsSql(plan, { ...reads, known })}) e`;
  return {
    table: baseTable(reads),
    columns: [...(reads.rid ? ['rid'] : []), ...exposureColumns, ...(reads.since ? ['first_ms'] : [])],
    select: own,
  };
}

/** Exposures with first_ms, once that is known. */
export function sinceStep(): SqlStep {
  return {
    table: 'exposure',
    select: 'SELECT e.*, f.first_ms FROM shown e JOIN first_exposure f ON f.unit_no = e.unit_no',
  };
}

/** Where exposures stand before it is known when their unit began. */
function baseTable({ since }: Pick<ExposureReads, 'since'>): string {
  return since ? 'shown' : 'exposure';
}

/** Analysed predictions with everything that can be asked of one; an engine computes only what is. */
function rowsSql(
  plan: AnalysisPlan,
  reads: { readonly captured: readonly string[]; readonly items?: boolean; readonly known: KnownEvidence },
): string {
  const { experiment } = plan;
  const { captured, known } = reads;
  const hasEnds = known.hasEnds ?? true;
  const inside = `p.namespace = ${quoted(experiment.namespace)} AND p.experiment = ${quoted(experiment.name)}`;
  const member = (name: string): string =>
    `coalesce(${[...(hasEnds ? ['d.captured'] : []), 'p.captured', 'p.context'].map((column) => jsonMember(column, name)).join(', ')})`;
  const ended = (condition: string, atEnd: string, otherwise: string): string =>
    hasEnds ? `CASE WHEN ${condition} THEN ${atEnd} ELSE ${otherwise} END` : otherwise;
  // A stream's own attempt ends after its record; another variant's end says nothing about it, nor does that of a retry.
  const isOwnEnd = 'd.attempt_variant = p.assigned AND p.failed = 0';
  const saysMore = 'd.prediction_number IS NOT NULL OR d.prediction_text IS NOT NULL';
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
    `${unitNoSql(plan)} AS unit_no`,
    `CAST(${ended(isOwnEnd, 'd.failed', 'p.failed')} AS DOUBLE) AS failed`,
    `${ended(isOwnEnd, 'd.attempt_ms', 'p.attempt_ms')} AS attempt_ms`,
    // A caller who went away first (status NULL) got no failure from us.
    `CAST(CASE ${hasEnds ? 'WHEN d.failed = 1 THEN 1 ' : ''}WHEN p.status IS NULL THEN 0 ` +
      'WHEN p.served IS NULL OR p.status >= 500 THEN 1 ELSE 0 END AS DOUBLE) AS caller_failed',
    `${hasEnds ? 'coalesce(d.caller_ms, p.caller_ms)' : 'p.caller_ms'} AS caller_ms`,
    'CAST(CASE WHEN p.served <> p.assigned THEN 1 ELSE 0 END AS DOUBLE) AS fallback',
    'CAST(p.status AS DOUBLE) AS status',
    `${ended(saysMore, 'd.prediction_number', 'p.prediction_number')} AS prediction_number`,
    `${ended(saysMore, 'd.prediction_text', 'p.prediction_text')} AS prediction_text`,
    ...captured.flatMap((name, place) => [
      `${jsonNumber(member(name))} AS c${place}_number`,
      `${jsonText(member(name))} AS c${place}_text`,
    ]),
    // Labels are made of the rows that are left.
    ...(hasEnds ? ['d.captured AS end_captured'] : []),
    'p.captured',
    'p.context',
    ...(reads.items ? [`${member('items')} AS items`] : []),
  ];
  const resolve = resolver(captured);
  const kept = excluded(plan).map((expression) => `NOT coalesce(${compileToSql(expression, { resolve })} <> 0, FALSE)`);
  const ends =
    ' LEFT JOIN (' +
    'SELECT z.*, row_number() OVER (PARTITION BY z.prediction_id, z.row_index ORDER BY z.time_ms, z.writer, z.sequence) AS nth ' +
    `FROM prediction_end z WHERE z.namespace = ${quoted(experiment.namespace)} AND z.time_ms <= ${double(plan.nowMs)}` +
    ') d ON d.prediction_id = p.prediction_id AND d.row_index = p.row_index AND d.nth = 1';
  const rows =
    `SELECT ${columns.join(', ')} FROM prediction p${hasEnds ? ends : ''} ` +
    `WHERE ${inside} AND p.reason = 'split' AND p.time_ms <= ${double(plan.nowMs)}`;
  return kept.length === 0 ? rows : `SELECT e.* FROM (${rows}) e WHERE ${kept.join(' AND ')}`;
}

/**
 * Number of the unit of a row `p` of table `prediction`: 64 bits of a hash. That two units share one is as unlikely as that
 * their keys, which are 64 bits of a hash themselves, are the same.
 */
export function unitNoSql(plan: AnalysisPlan): string {
  return isRequestUnit(plan)
    ? 'hash(p.prediction_id)'
    : `CASE WHEN p.unit IS NULL THEN hash(concat('p', p.prediction_id)) ELSE ${unitNoOf('p.unit')} END`;
}

/** Number of a unit by its key, where units are not requests. */
export function unitNoOf(unit: string): string {
  return `hash(${unit})`;
}

/** Names that need a column of their own. */
export function namesToCapture(plan: AnalysisPlan, metrics: readonly PreparedMetric[]): readonly string[] {
  return capturedNames([...metrics.flatMap(({ predictionExpressions }) => predictionExpressions), ...excluded(plan)]);
}

function excluded({ experiment }: AnalysisPlan): readonly Expression[] {
  return experiment.exclude.map((text, place) => readExpression(text, `exclude[${place}]`));
}

/**
 * Table `first_exposure`: one row per unit, as its first exposure left it: unit_no, unit, variant, epoch, first_ms, writer and sequence,
 * stratum (epochs of one allocation), is_mixed (seen in several variants), sN of all segments but days_since_exposure.
 *
 * The first exposure decides variant, epoch and segments, so that no later row, which the variant may have caused, moves a unit.
 */
export function firstExposureStep(
  plan: AnalysisPlan,
  { reads, known }: { readonly reads: ExposureReads; readonly known: KnownEvidence },
): SqlStep {
  const { captured } = reads;
  const { namespace, segments } = plan.experiment;
  const strata = strataOf(plan);
  const cases = strata.flatMap(({ epochs }, stratum) => epochs.map((epoch) => `WHEN ${epoch} THEN ${stratum}`));
  const places = [...((known.hasEnds ?? true) ? ['e.end_captured'] : []), 'e.captured', 'e.context'];
  const labels = segments.flatMap((name, place) => {
    if (name === 'days_since_exposure') return [];
    if (!isBuiltInSegment(name)) {
      const member = `coalesce(${places.map((column) => jsonMember(column, name)).join(', ')})`;
      return [`coalesce(${jsonLabel(member)}, '(missing)') AS s${place}`];
    }
    const label =
      name === 'new_unit'
        ? `CASE WHEN e.time_ms - n.seen_ms < ${double(newUnitMs)} THEN 'new' ELSE 'established' END`
        : `CAST(CAST(floor((n.seen_ms + ${double(weekShiftMs)}) / ${double(7 * dayMs)}) AS BIGINT) AS VARCHAR)`;
    return [`CASE WHEN n.seen_ms IS NULL THEN '(missing)' ELSE ${label} END AS s${place}`];
  });
  const readsSeen = segments.includes('new_unit') || segments.includes('first_seen');
  const columns = [
    'e.unit_no',
    'e.unit',
    'e.variant',
    'e.epoch',
    'e.time_ms AS first_ms',
    'e.writer',
    'e.sequence',
    `${cases.length === 0 ? '0' : `CASE e.epoch ${cases.join(' ')} ELSE ${strata.length} END`} AS stratum`,
    'e.is_mixed',
    ...labels,
  ];
  const rows = rowsSql(plan, { captured, known });
  const carried = ['unit_no', 'unit', 'variant', 'epoch', 'time_ms', 'writer', 'sequence'].map((name) => `o.${name}`);
  const judged = segments.some((name) => !isBuiltInSegment(name))
    ? places.map((column) => column.replace('e.', 'o.'))
    : [];
  return {
    table: 'first_exposure',
    // Where units begin, then the rows that stand there: most often one a unit, so only few are put in order.
    select:
      'WITH unit_span AS MATERIALIZED (SELECT o.unit_no, min(o.time_ms) AS begin_ms, ' +
      `min(hash(o.variant)) <> max(hash(o.variant)) AS is_mixed FROM ${baseTable(reads)} o GROUP BY o.unit_no) ` +
      `SELECT ${columns.join(', ')} FROM (` +
      `SELECT ${[...carried, ...judged].join(', ')}, u.is_mixed, ` +
      'row_number() OVER (PARTITION BY o.unit_no ORDER BY o.writer, o.sequence) AS nth ' +
      `FROM (${rows}) o JOIN unit_span u ON u.unit_no = o.unit_no AND u.begin_ms = o.time_ms) e` +
      (readsSeen
        ? ` LEFT JOIN (SELECT p.unit, min(p.time_ms) AS seen_ms FROM prediction p WHERE p.namespace = ${quoted(namespace)} ` +
          'AND p.unit IS NOT NULL GROUP BY p.unit) n ON n.unit = e.unit'
        : '') +
      ' WHERE e.nth = 1',
  };
}
