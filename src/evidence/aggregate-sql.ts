// Which sufficient statistics do values per unit add up to? One SQL for the server's log and for a table in a file.
import { codeviations, double, mean, quoted, type SqlStep, squaredDeviations } from './sql-text.ts';

/** 97.5 % point of the normal distribution: the order statistics about a quantile stand at this distance. */
const z = 1.959963984540054;
/** Ranks are rounded up, but not for the noise of a product such as 0.07 * 100. */
const rankNoise = 1e-9;

/** A metric and the SELECT that gives its rows (unit_no, value, waiting). */
export interface MetricRows {
  readonly index: number;
  readonly rows: string;
}

/** Table `unit_metric`: per metric and unit the sum and number of its values, how many are neither 0 nor 1, and how many wait. */
export function unitMetricStep(metrics: readonly MetricRows[]): SqlStep {
  const selects = metrics.map(
    ({ index, rows }) =>
      `SELECT ${index} AS metric, r.unit_no, sum(r.value) AS total, count(r.value) AS n_rows, ` +
      'sum(CASE WHEN r.value IN (0, 1) OR r.value IS NULL THEN 0 ELSE 1 END) AS others, sum(r.waiting) AS waiting ' +
      `FROM (${rows}) r GROUP BY r.unit_no`,
  );
  const none =
    'SELECT 0 AS metric, CAST(0 AS BIGINT) AS unit_no, CAST(0 AS DOUBLE) AS total, 0 AS n_rows, 0 AS others, 0 AS waiting WHERE FALSE';
  return { table: 'unit_metric', select: selects.length === 0 ? none : selects.join(' UNION ALL ') };
}

/** Per scope, variant and metric: scope, variant, metric, n, n_rows, most (rows of one unit), others, waiting, moments. */
export function metricsSql(): string {
  const total = 'CASE WHEN m.n_rows > 0 THEN m.total END';
  const rows = 'CASE WHEN m.n_rows > 0 THEN CAST(m.n_rows AS DOUBLE) END';
  return (
    'SELECT s.scope, s.variant, CAST(m.metric AS DOUBLE) AS metric, ' +
    numbers({
      n: `count(${total})`,
      n_rows: 'sum(m.n_rows)',
      most: 'max(m.n_rows)',
      others: 'sum(m.others)',
      waiting: 'sum(m.waiting)',
      mean0: mean(total),
      mean1: mean(rows),
      m00: squaredDeviations(total),
      m01: codeviations(total, rows),
      m11: squaredDeviations(rows),
      successes: `sum(${total})`,
    }) +
    ' FROM unit_scope s JOIN unit_metric m ON m.unit_no = s.unit_no GROUP BY s.scope, s.variant, m.metric'
  );
}

/** Per scope and variant over all its units: n, mean0.., mI_J for I <= J; columns 2k and 2k+1 are sum and count of the k-th metric named. */
export function jointSql(metrics: readonly number[]): string {
  const columns = metrics.flatMap((_, place) => [`x${2 * place}`, `x${2 * place + 1}`]);
  const wide = metrics.flatMap((metric, place) => [
    `sum(CASE WHEN m.metric = ${metric} THEN m.total END) AS x${2 * place}`,
    `CAST(sum(CASE WHEN m.metric = ${metric} THEN m.n_rows END) AS DOUBLE) AS x${2 * place + 1}`,
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
    `SELECT m.unit_no, ${wide.join(', ')} FROM unit_metric m GROUP BY m.unit_no` +
    ') w ON w.unit_no = s.unit_no GROUP BY s.scope, s.variant'
  );
}

/** Per scope and variant: units. */
export function unitsSql(): string {
  return `SELECT s.scope, s.variant, ${numbers({ units: 'count(*)' })} FROM unit_scope s GROUP BY s.scope, s.variant`;
}

/**
 * Per scope and variant one quantile of the values in `table` (unit_no, value, waiting) with its cluster-robust ingredients:
 * n, n_rows, waiting, estimate, lower, upper, and the joint moments of (rows <= estimate, rows) per unit.
 */
export function quantileSql(table: string, q: number): string {
  const rank = (share: string): string =>
    `greatest(1, least(t.n_rows, CAST(ceil((${share}) * t.n_rows - ${double(rankNoise)}) AS BIGINT)))`;
  const spread = `${double(z)} * sqrt(${double(q * (1 - q))} / t.n_rows)`;
  const atRank = (share: string): string => `max(CASE WHEN t.nth = ${rank(share)} THEN t.value END)`;
  const ranked =
    'SELECT s.scope, s.variant, r.value, row_number() OVER (PARTITION BY s.scope, s.variant ORDER BY r.value) AS nth, ' +
    'count(*) OVER (PARTITION BY s.scope, s.variant) AS n_rows ' +
    `FROM ${table} r JOIN unit_scope s ON s.unit_no = r.unit_no WHERE r.value IS NOT NULL`;
  const points =
    `SELECT t.scope, t.variant, ${atRank(double(q))} AS estimate, ` +
    `${atRank(`${double(q)} - ${spread}`)} AS lower, ${atRank(`${double(q)} + ${spread}`)} AS upper ` +
    `FROM (${ranked}) t GROUP BY t.scope, t.variant`;
  const units =
    'SELECT s.scope, s.variant, r.unit_no, CAST(count(CASE WHEN r.value <= p.estimate THEN 1 END) AS DOUBLE) AS below, ' +
    'CAST(count(r.value) AS DOUBLE) AS n_rows, sum(r.waiting) AS waiting, ' +
    'min(p.estimate) AS estimate, min(p.lower) AS lower, min(p.upper) AS upper ' +
    `FROM ${table} r JOIN unit_scope s ON s.unit_no = r.unit_no ` +
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

/** Per scope and variant: requests, failures, fallbacks, and latency of rows; reads `exposure`. */
export function requestsSql(): string {
  const latency = (column: string, name: string): Record<string, string> => ({
    [`${name}_n`]: `count(${column})`,
    [`${name}_mean`]: mean(column),
    [`${name}_p50`]: `quantile_disc(${column}, 0.5)`,
    [`${name}_p95`]: `quantile_disc(${column}, 0.95)`,
    [`${name}_p99`]: `quantile_disc(${column}, 0.99)`,
  });
  return (
    'SELECT s.scope, s.variant, ' +
    numbers({
      requests: 'count(*)',
      failed: 'sum(e.failed)',
      caller_failed: 'sum(e.caller_failed)',
      fallback: 'sum(e.fallback)',
      ...latency('e.attempt_ms', 'attempt'),
      ...latency('e.caller_ms', 'caller'),
    }) +
    ' FROM unit_scope s JOIN exposure e ON e.unit_no = s.unit_no GROUP BY s.scope, s.variant'
  );
}

/** Names and values of the scopes but the whole. */
export function scopesSql(segments: readonly string[]): string {
  const names = segments.map((name, place) => `WHEN ${place} THEN ${quoted(name)}`).join(' ');
  const segment = segments.length === 0 ? "''" : `CASE c.place ${names} END`;
  return `SELECT CAST(c.scope AS DOUBLE) AS scope, ${segment} AS segment, c.value FROM scope c WHERE c.scope > 0 ORDER BY c.scope`;
}

function numbers(columns: Readonly<Record<string, string>>): string {
  return Object.entries(columns)
    .map(([name, sql]) => `CAST(${sql} AS DOUBLE) AS ${name}`)
    .join(', ');
}
