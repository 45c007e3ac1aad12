// How names, numbers and stable sums are spelt in SQL: the few places another engine would spell differently.

/** One derived table; steps run in order, each may read those before it. */
export interface SqlStep {
  readonly table: string;
  readonly select: string;
}

/** Numbers beyond this are no measurements: their squares leave the range of doubles. They count as missing. */
export const largestValue: number = 1e100;

/** A text literal. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A literal of type DOUBLE. @throws RangeError for a number that is not finite. */
export function double(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`value is ${value}, must be finite`);
  return `CAST(${value} AS DOUBLE)`;
}

/** The member `name` of the JSON object `column`, as JSON; NULL when absent. */
export function jsonMember(column: string, name: string): string {
  // A JSON pointer, because it has the smallest escaping rules (RFC 6901).
  return `json_extract(${column}, ${quoted(`/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`)})`;
}

/** A JSON number or boolean as DOUBLE; NULL for anything else. */
export function jsonNumber(json: string): string {
  return (
    `(CASE json_type(${json}) WHEN 'BOOLEAN' THEN CAST(CAST(${json} = CAST('true' AS JSON) AS INTEGER) AS DOUBLE) ` +
    `WHEN 'VARCHAR' THEN NULL WHEN 'OBJECT' THEN NULL WHEN 'ARRAY' THEN NULL WHEN 'NULL' THEN NULL ` +
    `ELSE try_cast(${json} AS DOUBLE) END)`
  );
}

/** A JSON text as VARCHAR; NULL for anything else. */
export function jsonText(json: string): string {
  return `(CASE json_type(${json}) WHEN 'VARCHAR' THEN json_extract_string(${json}, '$') END)`;
}

/** Any JSON scalar as people would write it; NULL when absent. */
export function jsonLabel(json: string): string {
  return `json_extract_string(${json}, '$')`;
}

/** Mean with a compensated sum: a mean of 1e9 with a spread of 1 keeps its digits. */
export function mean(sql: string): string {
  return `favg(${sql})`;
}

/** Sum of squared deviations from the mean, one pass after Welford; NULL for no rows. */
export function squaredDeviations(sql: string): string {
  return `var_pop(${sql}) * count(${sql})`;
}

/** Sum of products of deviations over rows where both are there. */
export function codeviations(a: string, b: string): string {
  return `covar_pop(${a}, ${b}) * regr_count(${a}, ${b})`;
}

/** Rows of a JSON list with their place from 1: the columns given, `place` and `fields` (the element as JSON). */
export function jsonElements(
  list: string,
  from: { readonly table: string; readonly columns: readonly string[] },
): string {
  const elements = `json_extract(${list}, '$[*]')`;
  return `SELECT ${from.columns.join(', ')}, generate_subscripts(${elements}, 1) AS place, unnest(${elements}) AS fields FROM ${from.table}`;
}

/** Ranks are rounded up, but not for the noise of a product such as 0.07 * 100. */
const rankNoise = 1e-9;

/** Rank, from 1, of the quantile at `share` (SQL) among `count` (SQL) rows: the inverse of the empirical distribution. */
export function rankOf(share: string, count: string): string {
  return `CAST(greatest(1, least(${count}, ceil((${share}) * ${count} - ${double(rankNoise)}))) AS BIGINT)`;
}

/** A list of `name: SQL` as columns of type DOUBLE. */
export function numbers(columns: Readonly<Record<string, string>>): string {
  return Object.entries(columns)
    .map(([name, sql]) => `CAST(${sql} AS DOUBLE) AS ${name}`)
    .join(', ');
}
