// Which number does a metric make of each unit (or of each list of recommended items), and since when may it count?
import { compileToSql, type Expression, type SqlName } from '../expression/index.ts';
import { unitNoOf } from './exposure-sql.ts';
import {
  covariateOf,
  isOfRequest,
  type MetricForm,
  type PreparedMetric,
  type RowOptions,
  resolver,
  type UnitPart,
} from './metric-sql.ts';
import { ageBand } from './segment.ts';
import { double, jsonMember, jsonNumber, jsonText, largestValue, quoted } from './sql-text.ts';

type UnitMetric = PreparedMetric & { readonly form: MetricForm & { readonly kind: 'unit' } };

/**
 * Rows of a metric per unit, one per unit: (unit_no, age, value, waiting), or with a denominator (unit_no, age, value, weight,
 * waiting). A unit waits until its window has ended; without a row it counts as 0.
 */
export function unitRowsSql({ metric, form }: UnitMetric, { captured, nowMs }: RowOptions): string {
  const ended = `f.first_ms + ${double(metric.windowMs)} < ${double(nowMs)}`;
  const total = (part: UnitPart, alias: string): string =>
    `LEFT JOIN (${totalsSql(part, captured)}) ${alias} ON ${alias}.unit_no = f.unit_no`;
  const { numerator, denominator } = form;
  return (
    `SELECT f.unit_no, -1 AS age, CASE WHEN ${ended} THEN coalesce(s.total, 0) END AS value, ` +
    (denominator === undefined ? '' : `CASE WHEN ${ended} THEN coalesce(t.total, 0) END AS weight, `) +
    `CASE WHEN ${ended} THEN 0 ELSE 1 END AS waiting FROM first_exposure f ${total(numerator, 's')}` +
    (denominator === undefined ? '' : ` ${total(denominator, 't')}`)
  );
}

/** Rows (unit_no, total) of units that have any row of the part. */
function totalsSql({ source, reduce, expression, filter, span }: UnitPart, captured: readonly string[]): string {
  const within = (delay: string): string =>
    [
      ...(Number.isFinite(span.fromMs) ? [`${delay} >= ${double(span.fromMs)}`] : []),
      `${delay} ${span.isOpen ? '<' : '<='} ${double(span.toMs)}`,
    ].join(' AND ');
  switch (source.kind) {
    case 'prediction': {
      const resolve = resolver(captured);
      return reducedSql({
        reduce,
        expression,
        filter,
        resolve,
        unit: 'e.unit_no',
        from: 'exposure e',
        where:
          within('(e.time_ms - e.first_ms)') +
          (isOfRequest([expression, filter].filter((each) => each !== undefined)) ? ' AND e.row_index = 0' : ''),
      });
    }
    case 'item': {
      const resolve = itemResolver();
      return reducedSql({
        reduce,
        expression,
        filter,
        resolve,
        unit: 'i.unit_no',
        from: 'item i',
        where: within('(i.time_ms - i.first_ms)'),
      });
    }
    case 'outcome': {
      const readsItem = [expression, filter].some((each) => each !== undefined && mentionsItem(each));
      const from =
        'unit_outcome k' +
        (readsItem
          ? ' LEFT JOIN item_outcome y ON y.okey = k.okey LEFT JOIN item i ON i.rid = y.rid AND i.place = y.place'
          : '');
      const where = `k.type = ${quoted(source.type)} AND ${within('k.delay_ms')}`;
      return reducedSql({ reduce, expression, filter, resolve: outcomeResolver(), unit: 'k.unit_no', from, where });
    }
  }
}

interface Reduction {
  readonly reduce: UnitPart['reduce'];
  readonly expression: Expression | undefined;
  readonly filter: Expression | undefined;
  readonly resolve: (name: string) => SqlName;
  readonly unit: string;
  readonly from: string;
  readonly where: string;
}

function reducedSql({ reduce, expression, filter, resolve, unit, from, where }: Reduction): string {
  const passes = filter === undefined ? '' : ` AND ${compileToSql(filter, { resolve })} <> 0`;
  const value = expression === undefined ? 'CAST(1 AS DOUBLE)' : compileToSql(expression, { resolve });
  const total = {
    count: 'CAST(count(*) AS DOUBLE)',
    sum: 'sum(r.value)',
    any: 'max(CASE WHEN r.value <> 0 THEN 1.0 ELSE 0.0 END)',
  }[reduce];
  return (
    `SELECT r.unit_no, CAST(${total} AS DOUBLE) AS total FROM (SELECT ${unit} AS unit_no, ${value} AS value FROM ${from} WHERE ${where}${passes}) r ` +
    `WHERE abs(r.value) <= ${double(largestValue)} GROUP BY r.unit_no`
  );
}

function mentionsItem(expression: Expression): boolean {
  return JSON.stringify(expression).includes('"name":"item.');
}

const absent: SqlName = { number: 'CAST(NULL AS DOUBLE)', text: 'CAST(NULL AS VARCHAR)' };

function memberOf(column: string, name: string): SqlName {
  const json = jsonMember(column, name);
  return { number: jsonNumber(json), text: jsonText(json) };
}

function itemResolver(): (name: string) => SqlName {
  return (name) => (name.startsWith('item.') ? memberOf('i.fields', name.slice('item.'.length)) : absent);
}

/** `outcome.TYPE` is the row's own value, `attribute.NAME` its attribute, `item.NAME` a member of the item it is about. */
function outcomeResolver(): (name: string) => SqlName {
  const ofItem = itemResolver();
  return (name) => {
    if (name.startsWith('outcome.')) return { number: 'k.value_number', text: 'k.value_text' };
    return name.startsWith('attribute.') ? memberOf('k.attributes', name.slice('attribute.'.length)) : ofItem(name);
  };
}

/** Rows (metric, unit_no, x) of one metric's covariate, one per unit: what was known before the first exposure, 0 where nothing was. */
export function covariateRowsSql({ metric, index }: PreparedMetric, captured: readonly string[]): string | undefined {
  const part = covariateOf(metric);
  if (part === undefined || metric.covariate === undefined) return undefined;
  const { source, reduce, expression, filter } = part;
  if (source.kind !== 'outcome') {
    const value = expression === undefined ? absent.number : compileToSql(expression, { resolve: resolver(captured) });
    return (
      `SELECT ${index} AS metric, v.unit_no, CASE WHEN abs(v.x) <= ${double(largestValue)} THEN v.x ELSE 0.0 END AS x FROM ` +
      `(SELECT f.unit_no, ${value} AS x FROM first_exposure f JOIN exposure e ON e.unit_no = f.unit_no ` +
      'AND e.time_ms = f.first_ms AND e.writer = f.writer AND e.sequence = f.sequence) v'
    );
  }
  const before = reducedSql({
    reduce,
    expression,
    filter,
    resolve: outcomeResolver(),
    unit: 'f.unit_no',
    // Where requests are units, an outcome of a user still tells of that user.
    from: `first_exposure f JOIN kept_outcome k ON k.unit_no = ${unitNoOf('f.unit')}`,
    where:
      `k.type = ${quoted(source.type)} AND k.time_ms < f.first_ms ` +
      `AND k.time_ms >= f.first_ms - ${double(metric.covariate.beforeMs)}`,
  });
  return (
    `SELECT ${index} AS metric, f.unit_no, coalesce(b.total, 0) AS x FROM first_exposure f ` +
    `LEFT JOIN (${before}) b ON b.unit_no = f.unit_no`
  );
}

/**
 * Rows (unit_no, age, value, waiting) of `ndcg` and `hit_rate`, one per reply with recommended items, once its window has
 * ended. An item is relevant when an outcome of the type names it, its value not 0.
 * @see Jarvelin & Kekalainen 2002, section 2: gain 1 over log2(place + 1); a reply without a relevant item has no order to judge.
 */
export function listRowsSql(
  { metric, form }: PreparedMetric & { readonly form: MetricForm & { readonly kind: 'list' } },
  { captured, nowMs, byAge }: RowOptions,
): string {
  const { k, outcome, filter, score } = form;
  const ended = `e.time_ms + ${double(metric.windowMs)} < ${double(nowMs)}`;
  const relevant =
    'SELECT DISTINCT y.rid, y.place FROM item_outcome y JOIN kept_outcome k ON k.okey = y.okey ' +
    `WHERE k.type = ${quoted(outcome)} AND coalesce(k.value_number, 1) <> 0 AND y.delay_ms <= ${double(metric.windowMs)}`;
  const gain = `sum(CASE WHEN v.place <= ${k} THEN ln(2.0) / ln(v.place + 1.0) ELSE 0.0 END)`;
  const hits = `SELECT v.rid, count(*) AS relevant, min(v.place) AS first_place, ${gain} AS gain FROM (${relevant}) v GROUP BY v.rid`;
  let best = 0;
  const ideal = Array.from({ length: k }, (_, place) => {
    best += 1 / Math.log2(place + 2);
    return `WHEN ${place + 1} THEN ${double(best)}`;
  });
  const value =
    score === 'hit_rate'
      ? `CASE WHEN h.first_place <= ${k} THEN 1.0 ELSE 0.0 END`
      : `h.gain / CASE least(h.relevant, ${k}) ${ideal.join(' ')} END`;
  const passes = filter === undefined ? '' : ` WHERE ${compileToSql(filter, { resolve: resolver(captured) })} <> 0`;
  return (
    `SELECT e.unit_no, ${byAge ? ageBand('e') : '-1'} AS age, CASE WHEN ${ended} THEN CAST(${value} AS DOUBLE) END AS value, ` +
    `CASE WHEN ${ended} THEN 0 ELSE 1 END AS waiting FROM exposure e ` +
    'JOIN (SELECT DISTINCT i.rid FROM item i) l ON l.rid = e.rid ' +
    `LEFT JOIN (${hits}) h ON h.rid = e.rid${passes}`
  );
}
