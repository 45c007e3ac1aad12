// Which sufficient statistics do values per unit add up to? One SQL for the server's log and for a table in a file.
import type { CapRule } from '../experiment/index.ts';
import { codeviations, double, mean, numbers, rankOf, type SqlStep, squaredDeviations } from './sql-text.ts';

/** 97.5 % point of the normal distribution: the order statistics about a quantile stand at this distance. */
const z = 1.959963984540054;
/** The newest points of a series that are kept. */
const seriesPoints = 366;

/** A metric and the SELECT that gives its rows: unit_no, value, waiting; age where `byAge`; weight where `isTotal`. */
export interface MetricRows {
  readonly index: number;
  readonly rows: string;
  /** Rows carry the band of days they lie in, beside -1. */
  readonly byAge?: boolean;
  /** One row per unit: `value` over `weight`. Otherwise each row with a value weighs 1. */
  readonly isTotal?: boolean;
  /** One row per unit, which weighs 1 where it has a value. */
  readonly isPerUnit?: boolean;
}

/**
 * Table `unit_metric`: per metric, unit and age (-1: all rows) numerator and denominator (NULL where the unit does not count),
 * how many values are neither 0 nor 1, and how many rows wait.
 */
export function unitMetricStep(metrics: readonly MetricRows[]): SqlStep {
  const selects = metrics.flatMap(({ index, rows, byAge = false, isTotal = false, isPerUnit = false }) => {
    if (isTotal) {
      return [
        `SELECT ${index} AS metric, r.unit_no, -1 AS age, r.value AS numerator, r.weight AS denominator, 0 AS others, r.waiting FROM (${rows}) r`,
      ];
    }
    if (isPerUnit) {
      return [
        `SELECT ${index} AS metric, r.unit_no, -1 AS age, r.value AS numerator, CASE WHEN r.value IS NOT NULL THEN CAST(1 AS DOUBLE) END AS denominator, ` +
          `CASE WHEN r.value IN (0, 1) OR r.value IS NULL THEN 0 ELSE 1 END AS others, r.waiting FROM (${rows}) r`,
      ];
    }
    const sums = (age: string, group: string): string =>
      `SELECT ${index} AS metric, r.unit_no, ${age} AS age, sum(r.value) AS numerator, ` +
      'CAST(nullif(count(r.value), 0) AS DOUBLE) AS denominator, ' +
      'sum(CASE WHEN r.value IN (0, 1) OR r.value IS NULL THEN 0 ELSE 1 END) AS others, sum(r.waiting) AS waiting ' +
      `FROM (${rows}) r GROUP BY r.unit_no${group}`;
    return byAge ? [sums('-1', ''), sums('r.age', ', r.age')] : [sums('-1', '')];
  });
  const none =
    'SELECT 0 AS metric, CAST(0 AS BIGINT) AS unit_no, -1 AS age, CAST(0 AS DOUBLE) AS numerator, CAST(0 AS DOUBLE) AS denominator, 0 AS others, 0 AS waiting WHERE FALSE';
  return { table: 'unit_metric', select: selects.length === 0 ? none : selects.join(' UNION ALL ') };
}

const momentColumns: Readonly<Record<string, string>> = {
  n: 'count(m.numerator)',
  n_rows: 'sum(m.denominator)',
  mean0: mean('m.numerator'),
  mean1: mean('m.denominator'),
  m00: squaredDeviations('m.numerator'),
  m01: codeviations('m.numerator', 'm.denominator'),
  m11: squaredDeviations('m.denominator'),
  successes: 'sum(m.numerator)',
};

/**
 * Per scope, variant and metric: scope, variant, metric, n, n_rows, most (rows of one unit), others, waiting, moments; with
 * covariates also mean2, m02, m12, m22 over the same units.
 */
export function metricsSql(options: { readonly withCovariates?: boolean } = {}): string {
  const x = 'CASE WHEN m.numerator IS NOT NULL THEN c.x END';
  const adjusted = {
    mean2: mean(x),
    m02: codeviations('m.numerator', x),
    m12: codeviations('m.denominator', x),
    m22: squaredDeviations(x),
  };
  return (
    'SELECT s.scope, s.variant, CAST(m.metric AS DOUBLE) AS metric, ' +
    numbers({
      ...momentColumns,
      most: 'max(m.denominator)',
      others: 'sum(m.others)',
      waiting: 'sum(m.waiting)',
      ...(options.withCovariates ? adjusted : {}),
    }) +
    ' FROM unit_scope s JOIN unit_metric m ON m.unit_no = s.unit_no AND m.age = s.age' +
    (options.withCovariates ? ' LEFT JOIN unit_covariate c ON c.metric = m.metric AND c.unit_no = m.unit_no' : '') +
    ' GROUP BY s.scope, s.variant, m.metric'
  );
}

/** Per variant, metric and stretch of time in which units had their first exposure: variant, metric, at_ms, width_ms, n, moments. */
export function seriesSql(): string {
  return (
    'SELECT b.variant, b.metric, b.at_ms, min(b.width_ms) AS width_ms, ' +
    numbers(
      Object.fromEntries(Object.entries(momentColumns).map(([name, sql]) => [name, sql.replaceAll('m.', 'b.')])),
    ) +
    ' FROM (SELECT f.variant, CAST(m.metric AS DOUBLE) AS metric, m.numerator, m.denominator, w.width_ms, w.last_ms, ' +
    'floor(f.first_ms / w.width_ms) * w.width_ms AS at_ms FROM first_exposure f JOIN unit_metric m ON m.unit_no = f.unit_no AND m.age = -1 ' +
    'CROSS JOIN series_width w) b ' +
    `WHERE b.at_ms > b.last_ms - ${seriesPoints} * b.width_ms GROUP BY b.variant, b.metric, b.at_ms ORDER BY b.metric, b.variant, b.at_ms`
  );
}

/** Per scope of whole units and variant over all its units: n, mean0.., mI_J for I <= J; columns 2k and 2k+1 are numerator and denominator of the k-th metric named. */
export function jointSql(metrics: readonly number[]): string {
  const columns = metrics.flatMap((_, place) => [`x${2 * place}`, `x${2 * place + 1}`]);
  const wide = metrics.flatMap((metric, place) => [
    `sum(CASE WHEN m.metric = ${metric} THEN m.numerator END) AS x${2 * place}`,
    `sum(CASE WHEN m.metric = ${metric} THEN m.denominator END) AS x${2 * place + 1}`,
  ]);
  const aggregates: Record<string, string> = { n: 'count(*)' };
  const filled = columns.map((column) => `coalesce(w.${column}, 0)`);
  for (const [i, a] of filled.entries()) {
    aggregates[`mean${i}`] = mean(a);
    for (const [j, b] of filled.entries()) {
      if (j === i) aggregates[`m${i}_${j}`] = squaredDeviations(a);
      else if (j > i) aggregates[`m${i}_${j}`] = codeviations(a, b);
    }
  }
  return (
    `SELECT s.scope, s.variant, ${numbers(aggregates)} FROM unit_scope s LEFT JOIN (` +
    `SELECT m.unit_no, ${wide.join(', ')} FROM unit_metric m WHERE m.age = -1 GROUP BY m.unit_no` +
    ') w ON w.unit_no = s.unit_no WHERE s.age = -1 GROUP BY s.scope, s.variant'
  );
}

/** Per scope and variant: units. */
export function unitsSql(): string {
  return `SELECT s.scope, s.variant, ${numbers({ units: 'count(*)' })} FROM unit_scope s GROUP BY s.scope, s.variant`;
}

const inScope = 's.unit_no = r.unit_no AND (s.age = -1 OR s.age = r.age)';

/**
 * Per scope and variant one quantile of the values in `table` (unit_no, age, value, waiting) with its cluster-robust ingredients:
 * n, n_rows, waiting, estimate, lower, upper, and the joint moments of (rows <= estimate, rows) per unit.
 */
export function quantileSql(table: string, q: number): string {
  const spread = `${double(z)} * sqrt(${double(q * (1 - q))} / t.n_rows)`;
  const atRank = (share: string): string => `max(CASE WHEN t.nth = ${rankOf(share, 't.n_rows')} THEN t.value END)`;
  const ranked =
    'SELECT s.scope, s.variant, r.value, row_number() OVER (PARTITION BY s.scope, s.variant ORDER BY r.value) AS nth, ' +
    'count(*) OVER (PARTITION BY s.scope, s.variant) AS n_rows ' +
    `FROM ${table} r JOIN unit_scope s ON ${inScope} WHERE r.value IS NOT NULL`;
  const points =
    `SELECT t.scope, t.variant, ${atRank(double(q))} AS estimate, ` +
    `${atRank(`${double(q)} - ${spread}`)} AS lower, ${atRank(`${double(q)} + ${spread}`)} AS upper ` +
    `FROM (${ranked}) t GROUP BY t.scope, t.variant`;
  const units =
    'SELECT s.scope, s.variant, r.unit_no, CAST(count(CASE WHEN r.value <= p.estimate THEN 1 END) AS DOUBLE) AS below, ' +
    'CAST(count(r.value) AS DOUBLE) AS n_rows, sum(r.waiting) AS waiting, ' +
    'min(p.estimate) AS estimate, min(p.lower) AS lower, min(p.upper) AS upper ' +
    `FROM ${table} r JOIN unit_scope s ON ${inScope} ` +
    'LEFT JOIN points p ON p.scope = s.scope AND p.variant = s.variant GROUP BY s.scope, s.variant, r.unit_no';
  const below = 'CASE WHEN u.n_rows > 0 THEN u.below END';
  const rows = 'CASE WHEN u.n_rows > 0 THEN u.n_rows END';
  return (
    `WITH points AS (${points}) SELECT u.scope, u.variant, ` +
    numbers({
      n: `count(${below})`,
      n_rows: 'sum(u.n_rows)',
      waiting: 'sum(u.waiting)',
      estimate: 'min(u.estimate)',
      lower: 'min(u.lower)',
      upper: 'min(u.upper)',
      mean0: mean(below),
      mean1: mean(rows),
      m00: squaredDeviations(below),
      m01: codeviations(below, rows),
      m11: squaredDeviations(rows),
    }) +
    ` FROM (${units}) u GROUP BY u.scope, u.variant`
  );
}

/**
 * Per scope, variant and bin of equal width (NULL: rows that wait) of the probabilities in `table` (unit_no, age, value, label,
 * waiting): n, predicted, observed, score, score_variance, waiting. Rows outside of [0, 1] or without a label of 0 or 1 are left out.
 */
export function calibrationSql(table: string, bins: number): string {
  const p = 'v.value';
  return (
    `SELECT v.scope, v.variant, CAST(v.bin AS DOUBLE) AS bin, ` +
    numbers({
      n: `count(${p})`,
      predicted: `sum(${p})`,
      observed: 'sum(v.label)',
      score: `sum((v.label - ${p}) * (1 - 2 * ${p}))`,
      score_variance: `sum((1 - 2 * ${p}) * (1 - 2 * ${p}) * ${p} * (1 - ${p}))`,
      waiting: 'sum(v.waiting)',
    }) +
    ` FROM (SELECT s.scope, s.variant, r.value, r.label, r.waiting, least(${bins - 1}, floor(r.value * ${bins})) AS bin ` +
    `FROM ${table} r JOIN unit_scope s ON ${inScope} ` +
    'WHERE r.waiting = 1 OR (r.value >= 0 AND r.value <= 1 AND r.label IN (0, 1))) v GROUP BY v.scope, v.variant, v.bin'
  );
}

/** Per scope and variant units behind the rows of a table that count. */
export function rowUnitsSql(table: string): string {
  return (
    `SELECT s.scope, s.variant, ${numbers({ n: 'count(DISTINCT r.unit_no)' })} FROM ${table} r JOIN unit_scope s ON ${inScope} ` +
    'WHERE r.value >= 0 AND r.value <= 1 AND r.label IN (0, 1) GROUP BY s.scope, s.variant'
  );
}

/** Table with the one row (lower, upper) where values of `table` end; quantiles over the rows of all variants. */
export function boundStep(name: string, table: string, rule: CapRule): SqlStep {
  if (rule.kind === 'value') {
    return { table: name, select: `SELECT CAST(NULL AS DOUBLE) AS lower, ${double(rule.upper)} AS upper` };
  }
  const at = (share: number | undefined): string =>
    share === undefined
      ? 'CAST(NULL AS DOUBLE)'
      : `max(CASE WHEN t.nth = ${rankOf(double(share), 't.n_rows')} THEN t.value END)`;
  return {
    table: name,
    select:
      `SELECT ${at(rule.lower)} AS lower, ${at(rule.upper)} AS upper FROM (SELECT r.value, row_number() OVER (ORDER BY r.value) AS nth, ` +
      `count(*) OVER () AS n_rows FROM ${table} r WHERE r.value IS NOT NULL) t`,
  };
}

/** The rows of `table` with their values ended at the bounds. */
export function cappedRowsSql(table: string, bound: string): string {
  return (
    'SELECT r.unit_no, r.age, CASE WHEN r.value > b.upper THEN b.upper WHEN r.value < b.lower THEN b.lower ELSE r.value END AS value, ' +
    `r.waiting FROM ${table} r CROSS JOIN ${bound} b`
  );
}

/** What ends the values of one metric: a table of its rows (unit_no, age, value, waiting), one of the bounds, and the rows within them. */
export function cappedSteps({
  index,
  rows,
  rule,
}: {
  readonly index: number;
  readonly rows: string;
  readonly rule: CapRule;
}): { readonly steps: readonly SqlStep[]; readonly rows: string; readonly caps: string } {
  const place = { index, table: `row${index}`, bound: `bound${index}` };
  return {
    steps: [{ table: place.table, select: rows }, boundStep(place.bound, place.table, rule)],
    rows: cappedRowsSql(place.table, place.bound),
    caps: capsSql([place]),
  };
}

/** Per capped metric: metric, lower, upper, raised, lowered (values moved), n. */
export function capsSql(
  capped: readonly { readonly index: number; readonly table: string; readonly bound: string }[],
): string {
  return capped
    .map(
      ({ index, table, bound }) =>
        `SELECT CAST(${index} AS DOUBLE) AS metric, ` +
        numbers({
          lower: 'min(b.lower)',
          upper: 'min(b.upper)',
          raised: 'count(CASE WHEN r.value < b.lower THEN 1 END)',
          lowered: 'count(CASE WHEN r.value > b.upper THEN 1 END)',
          n: 'count(r.value)',
        }) +
        ` FROM ${table} r CROSS JOIN ${bound} b`,
    )
    .join(' UNION ALL ');
}

/** Per scope and variant: requests, failures, fallbacks, and their latency; reads `exposure`. The rows of a batch are one request. */
export function requestsSql(age: string | undefined): string {
  const latency = (name: string): Record<string, string> => ({
    [`${name}_n`]: `count(e.${name}_ms)`,
    [`${name}_mean`]: mean(`e.${name}_ms`),
  });
  const shares = [50, 95, 99];
  const quantiles = (name: string): string =>
    `quantile_disc(e.${name}_ms, [${shares.map((share) => share / 100).join(', ')}]) AS ${name}_q`;
  const picked = ['attempt', 'caller'].flatMap((name) =>
    shares.map((share, place) => `CAST(q.${name}_q[${place + 1}] AS DOUBLE) AS ${name}_p${share}`),
  );
  const counts = {
    requests: 'count(*)',
    failed: 'sum(e.failed)',
    caller_failed: 'sum(e.caller_failed)',
    fallback: 'sum(e.fallback)',
    ...latency('attempt'),
    ...latency('caller'),
  };
  const taken = ['scope', 'variant', ...Object.keys(counts)].map((name) => `q.${name}`);
  return (
    `SELECT ${[...taken, ...picked].join(', ')} FROM (SELECT s.scope, s.variant, ` +
    numbers(counts) +
    `, ${quantiles('attempt')}, ${quantiles('caller')}` +
    ' FROM unit_scope s JOIN exposure e ON e.unit_no = s.unit_no AND e.row_index = 0' +
    (age === undefined ? '' : ` AND (s.age = -1 OR s.age = ${age})`) +
    ' GROUP BY s.scope, s.variant) q'
  );
}

/**
 * The same as `requestsSql` for very many requests; reads `first_exposure` too.
 *
 * Quantiles come from counts of each time, rounded to a microsecond, so that memory grows with the different times, not with
 * the requests; and from counts by kind of unit first, because units of one variant, allocation and segment are in the same scopes.
 * @param of.segments places of the segments that `first_exposure` has a column of. @param of.age the band of days of a row.
 */
export function countedRequestsSql(of: {
  readonly segments: readonly number[];
  readonly age: string | undefined;
}): string {
  const { age, segments } = of;
  const clocks = ['attempt', 'caller'];
  const shares = [50, 95, 99];
  const alike = ['variant', 'stratum', 'is_mixed', ...segments.map((place) => `s${place}`)].map((name) => `f.${name}`);
  // With days, a unit is only like itself.
  const profile = age === undefined ? `min(f.unit_no) OVER (PARTITION BY ${alike.join(', ')})` : 'f.unit_no';
  const band = age ?? '-1';
  const rows = 'FROM exposure e JOIN unit_profile u ON u.unit_no = e.unit_no WHERE e.row_index = 0';
  const microseconds = (name: string): string => `round(e.${name}_ms * ${double(1_000)})`;
  const counted = clocks.map(
    (name, clock) =>
      `SELECT u.profile, ${band} AS age, ${clock} AS clock, ${microseconds(name)} AS us, count(*) AS times, sum(e.${name}_ms) AS total ` +
      `${rows} AND e.${name}_ms IS NOT NULL GROUP BY u.profile, ${age === undefined ? '' : `${age}, `}${microseconds(name)}`,
  );
  const counts = ['failed', 'caller_failed', 'fallback'];
  const scoped = (columns: string, from: string, group: string): string =>
    `SELECT s.scope, s.variant, ${columns} FROM ${from} c JOIN unit_scope s ON s.unit_no = c.profile ` +
    `${age === undefined ? '' : 'AND (s.age = -1 OR s.age = c.age) '}GROUP BY s.scope, s.variant${group}`;
  const among = 'PARTITION BY t.scope, t.variant, t.clock';
  const picked = clocks.flatMap((name, clock) => {
    const of = (sql: string): string => `CASE WHEN r.clock = ${clock} THEN ${sql} END`;
    return [
      `max(${of('r.n')}) AS ${name}_n`,
      `sum(${of('r.total')}) / max(${of('r.n')}) AS ${name}_mean`,
      ...shares.map(
        (share) =>
          `min(CASE WHEN r.clock = ${clock} AND r.upto >= ${rankOf(double(share / 100), 'r.n')} THEN r.us END) / ${double(1_000)} AS ${name}_p${share}`,
      ),
    ];
  });
  const latencies = clocks.flatMap((name) =>
    ['n', 'mean', ...shares.map((share) => `p${share}`)].map((part) => `${name}_${part}`),
  );
  return (
    `WITH unit_profile AS (SELECT f.unit_no, ${profile} AS profile FROM first_exposure f), ` +
    `counted AS (${counted.join(' UNION ALL ')}), ` +
    `timed AS (${scoped('c.clock, c.us, sum(c.times) AS times, sum(c.total) AS total', 'counted', ', c.clock, c.us')}), ` +
    `ranked AS (SELECT t.scope, t.variant, t.clock, t.us, t.total, sum(t.times) OVER (${among} ORDER BY t.us) AS upto, ` +
    `sum(t.times) OVER (${among}) AS n FROM timed t), ` +
    `picked AS (SELECT r.scope, r.variant, ${picked.join(', ')} FROM ranked r GROUP BY r.scope, r.variant), ` +
    `plain AS (SELECT u.profile, ${band} AS age, count(*) AS requests, ${counts.map((name) => `sum(e.${name}) AS ${name}`).join(', ')} ` +
    `${rows} GROUP BY u.profile${age === undefined ? '' : `, ${age}`}), ` +
    `served AS (${scoped(['requests', ...counts].map((name) => `sum(c.${name}) AS ${name}`).join(', '), 'plain', '')}) ` +
    `SELECT v.scope, v.variant, ${numbers(Object.fromEntries(['requests', ...counts].map((name) => [name, `v.${name}`])))}, ` +
    `${numbers(Object.fromEntries(latencies.map((name) => [name, `q.${name}`])))} FROM served v ` +
    'LEFT JOIN picked q ON q.scope = v.scope AND q.variant = v.variant'
  );
}
