// How do other engines spell the SQL of a summary? It is written once, as DuckDB reads it; here is a table of what differs.
import type { SqlStep } from './sql-text.ts';
import type { SummarySql } from './summary-sql.ts';

/** What one engine spells differently. */
export interface Dialect {
  readonly name: 'clickhouse' | 'postgres';
  /** Words outside of literals: names of types. */
  readonly words: Readonly<Record<string, string>>;
  /** Calls by DuckDB's name, from their arguments, which are spelt already; an index behind a call (`f(x)[1]`) goes with it. */
  readonly calls: Readonly<Record<string, (args: readonly string[]) => string>>;
  /** A text literal in quotes, from DuckDB's. */
  readonly literal: (quoted: string) => string;
  /** Statements that make what the calls need, in the current schema; making it again is harmless. */
  readonly functions: readonly string[];
  /** Settings of every query. */
  readonly settings: Readonly<Record<string, string | number>>;
  /** True where `a.b` of a join may come out under the name `a.b`, so that each column is named. */
  readonly namesColumns: boolean;
  /** True where a common table expression may be computed each time it is named, so that one which must not is a table first. */
  readonly repeatsExpressions: boolean;
}

const token = /'(?:[^']|'')*'|"(?:[^"]|"")*"|[A-Za-z_][A-Za-z0-9_]*|[\s\S]/g;

/** The steps and queries of a summary in the words of another engine. */
export function spellSummary(
  { steps, queries }: Pick<SummarySql, 'steps' | 'queries'>,
  dialect: Dialect,
): { readonly steps: readonly SqlStep[]; readonly queries: SummarySql['queries'] } {
  const spelt = (Object.entries(queries) as [string, string][]).map(([name, sql]) => [name, spell(sql, dialect)]);
  return { steps: steps.flatMap((step) => spellStep(step, dialect)), queries: Object.fromEntries(spelt) };
}

function spell(sql: string, dialect: Dialect): string {
  let spelt = '';
  const scan = new RegExp(token);
  for (let found = scan.exec(sql); found !== null; found = scan.exec(sql)) {
    const [text] = found;
    const call = Object.hasOwn(dialect.calls, text) ? dialect.calls[text] : undefined;
    if (text.startsWith("'")) spelt += dialect.literal(text);
    else if (text === 'SELECT' && dialect.namesColumns) {
      const end = endOfColumns(sql, scan.lastIndex);
      const columns = split(sql.slice(scan.lastIndex, end), ',').map((each) => spell(each, dialect));
      spelt += text + columns.map((each) => each.replace(/^( DISTINCT)?( \w+\.(\w+))( ?)$/, '$1$2 AS $3$4')).join(',');
      scan.lastIndex = end;
    } else if (call !== undefined && sql[scan.lastIndex] === '(') {
      const end = closingOf(sql, scan.lastIndex);
      const args = split(sql.slice(scan.lastIndex + 1, end), ',');
      spelt += call(args.map((each) => spell(each.trim(), dialect)));
      scan.lastIndex = end + 1;
      if (sql.startsWith('[1]', scan.lastIndex)) scan.lastIndex += '[1]'.length;
    } else spelt += Object.hasOwn(dialect.words, text) ? dialect.words[text] : text;
  }
  return spelt;
}

/** The tables of a step in the words of an engine: usually one. */
function spellStep({ table, select }: SqlStep, dialect: Dialect): readonly SqlStep[] {
  const head = /^WITH (\w+) AS MATERIALIZED (?=\()/.exec(select);
  if (head === null || !dialect.repeatsExpressions) return [{ table, select: spell(select, dialect) }];
  const end = closingOf(select, head[0].length);
  const first = { table: head[1]!, select: spell(select.slice(head[0].length + 1, end), dialect) };
  return [first, { table, select: spell(select.slice(end + 1).trim(), dialect) }];
}

/** Place of the bracket that closes the one at `start`. */
function closingOf(sql: string, start: number): number {
  const scan = new RegExp(token);
  scan.lastIndex = start;
  let depth = 0;
  for (let found = scan.exec(sql); found !== null; found = scan.exec(sql)) {
    if ('([{'.includes(found[0])) depth += 1;
    if (')]}'.includes(found[0])) depth -= 1;
    if (depth === 0) return found.index;
  }
  throw new RangeError(`bracket at ${start} is open, must be closed: ${sql.slice(start, start + 80)}`);
}

/** Where the columns that begin at `start` end: at their FROM, or with the query. */
function endOfColumns(sql: string, start: number): number {
  const scan = new RegExp(token);
  scan.lastIndex = start;
  let depth = 0;
  for (let found = scan.exec(sql); found !== null; found = scan.exec(sql)) {
    if ('([{'.includes(found[0])) depth += 1;
    if (')]}'.includes(found[0])) depth -= 1;
    if (depth < 0 || (depth === 0 && ['FROM', 'WHERE', 'UNION'].includes(found[0]))) return found.index;
  }
  return sql.length;
}

/** Parts between separators that stand in no brackets and no literal. */
function split(sql: string, separator: string): readonly string[] {
  const scan = new RegExp(token);
  const parts = [''];
  let depth = 0;
  for (let found = scan.exec(sql); found !== null; found = scan.exec(sql)) {
    if ('([{'.includes(found[0])) depth += 1;
    if (')]}'.includes(found[0])) depth -= 1;
    if (depth === 0 && found[0] === separator) parts.push('');
    else parts[parts.length - 1] += found[0];
  }
  return parts;
}

/** The member that a JSON pointer names, as a text literal; null for the elements of a list (`$[*]`). */
function memberOf(path: string): string | null {
  if (path === "'$[*]'") return null;
  return `'${path.slice("'/".length, -1).replaceAll('~1', '/').replaceAll('~0', '~')}'`;
}

/** The type a value is cast to stands behind it. */
function uncast(argument: string): string {
  return argument.slice(0, argument.lastIndexOf(' AS '));
}

/** The one element of a list in brackets. */
function only(list: string): string {
  return list.slice(1, -1);
}

/** `a + b` and its like with both sides; undefined for anything else. */
function arithmeticOf(
  sql: string,
): { readonly left: string; readonly right: string; readonly name: string } | undefined {
  const names = { '+': 'plus', '-': 'minus', '*': 'times', '/': 'over' } as const;
  for (const [operator, name] of Object.entries(names)) {
    const [left, right, ...others] = split(sql, operator);
    if (left?.endsWith(' ') && right?.startsWith(' ') && others.length === 0)
      return { left: left.trim(), right: right.trim(), name };
  }
  return undefined;
}

const postgresFunctions: readonly string[] = [
  // Guards in place of an exception handler, which would cost every row a transaction of its own.
  arithmetic('plus', 'CASE WHEN sign(a) <> sign(b) OR abs(a) <= HUGE - abs(b) THEN a + b END'),
  arithmetic('minus', 'CASE WHEN sign(a) = sign(b) OR abs(a) <= HUGE - abs(b) THEN a - b END'),
  arithmetic(
    'times',
    'CASE WHEN a = 0 OR b = 0 THEN 0 WHEN abs(b) < 1 AND abs(a) < TINY / abs(b) THEN 0 ' +
      'WHEN abs(b) > 1 AND abs(a) > HUGE / abs(b) THEN NULL ELSE a * b END',
  ),
  arithmetic(
    'over',
    'CASE WHEN b = 0 THEN NULL WHEN a = 0 THEN 0 WHEN abs(b) > 1 AND abs(a) < TINY * abs(b) THEN 0 ' +
      'WHEN abs(b) < 1 AND abs(a) > HUGE * abs(b) THEN NULL ELSE a / b END',
  ),
  strict('finite(a DOUBLE PRECISION)', 'DOUBLE PRECISION', "CASE WHEN a < 'Infinity' AND a > '-Infinity' THEN a END"),
  strict('positive(a DOUBLE PRECISION)', 'DOUBLE PRECISION', 'CASE WHEN a > 0 THEN a END'),
  // Halves go away from zero, as in DuckDB.
  strict(
    'round(a DOUBLE PRECISION)',
    'DOUBLE PRECISION',
    'CASE WHEN abs(a - trunc(a)) = 0.5 THEN trunc(a) + sign(a) ELSE round(a) END',
  ),
  strict(
    'json_type(a TEXT)',
    'TEXT',
    "CASE json_typeof(CAST(a AS JSON)) WHEN 'boolean' THEN 'BOOLEAN' WHEN 'string' THEN 'VARCHAR' WHEN 'object' THEN 'OBJECT' " +
      "WHEN 'array' THEN 'ARRAY' WHEN 'null' THEN 'NULL' ELSE 'DOUBLE' END",
  ),
  strict('list(a TEXT)', 'JSON', "CASE json_typeof(CAST(a AS JSON)) WHEN 'array' THEN CAST(a AS JSON) END"),
  strict('later(a BIGINT, b BIGINT)', 'BIGINT', 'b'),
  // A strict step passes over NULL.
  'CREATE OR REPLACE AGGREGATE assay_last(BIGINT) (SFUNC = assay_later, STYPE = BIGINT)',
];

function arithmetic(name: string, value: string): string {
  const limits = value.replaceAll('HUGE', "CAST('1.7976931348623157e308' AS DOUBLE PRECISION)");
  const bounded = limits.replaceAll('TINY', "CAST('5e-324' AS DOUBLE PRECISION)");
  return strict(`${name}(a DOUBLE PRECISION, b DOUBLE PRECISION)`, 'DOUBLE PRECISION', bounded);
}

function strict(head: string, type: string, value: string): string {
  return `CREATE OR REPLACE FUNCTION assay_${head} RETURNS ${type} LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT ${value} $$`;
}

/** PostgreSQL >= 13. */
export const postgresDialect: Dialect = {
  name: 'postgres',
  words: { DOUBLE: 'DOUBLE PRECISION', JSON: 'TEXT' },
  literal: (quoted) => quoted,
  namesColumns: false,
  repeatsExpressions: false,
  functions: postgresFunctions,
  // The planner knows little of a table made a moment ago, and takes loops over millions of rows for cheap.
  settings: { enable_nestloop: 'off', jit: 'off' },
  calls: {
    hash: ([x]) => `hashtextextended(${x}, 0)`,
    favg: ([x]) => `avg(${x})`,
    arg_min: ([value, by]) => `(array_agg(${value} ORDER BY ${/^row\((.*)\)$/s.exec(by ?? '')?.[1] ?? by}))[1]`,
    last_value: ([value]) => `assay_last(${value?.replace(/ IGNORE NULLS$/, '')})`,
    quantile_disc: ([x, shares]) => `percentile_disc(ARRAY${shares}) WITHIN GROUP (ORDER BY ${x})`,
    round: ([x]) => `assay_round(${x})`,
    // The tests are `isfinite(v)` and `v > 0`; overflow and division by zero are errors here, not infinities.
    list_filter: ([list, test]) => {
      const value = only(list!);
      if (test?.endsWith('v > 0')) return `assay_positive(${value})`;
      const pair = arithmeticOf(value);
      return pair === undefined ? `assay_finite(${value})` : `assay_${pair.name}(${pair.left}, ${pair.right})`;
    },
    json_extract: ([json, path]) => {
      const member = memberOf(path!);
      return member === null ? `assay_list(${json})` : `CAST(CAST(${json} AS JSON) -> ${member} AS TEXT)`;
    },
    json_extract_string: ([json]) => `((CAST(${json} AS JSON) #>> '{}') COLLATE "C")`,
    json_type: ([json]) => `assay_json_type(${json})`,
    try_cast: ([cast]) => `CAST(${uncast(cast!)} AS DOUBLE PRECISION)`,
    generate_subscripts: ([list]) => `generate_series(1, json_array_length(${list}))`,
    unnest: ([list]) => `CAST(json_array_elements(${list}) AS TEXT)`,
  },
};

/** ClickHouse >= 24.8. */
export const clickhouseDialect: Dialect = {
  name: 'clickhouse',
  words: {
    DOUBLE: 'Nullable(Float64)',
    // What row_number() and count() give: it has no type in common with a signed one.
    BIGINT: 'Nullable(UInt64)',
    INTEGER: 'Nullable(Int32)',
    VARCHAR: 'Nullable(String)',
    JSON: 'Nullable(String)',
  },
  literal: (quoted) => quoted.replaceAll('\\', '\\\\'),
  namesColumns: true,
  repeatsExpressions: true,
  functions: [],
  settings: {
    // Without these three, absent values are '' and 0 in place of NULL.
    join_use_nulls: 1,
    group_by_use_nulls: 1,
    aggregate_functions_null_for_empty: 1,
    prefer_column_name_to_alias: 1,
    // A row that was delivered twice counts once, also before it is merged away.
    final: 1,
    max_query_size: 16_777_216,
    max_ast_elements: 1_000_000,
    max_expanded_ast_elements: 10_000_000,
  },
  calls: {
    hash: ([x]) => `cityHash64(${x})`,
    favg: ([x]) => `(sumKahan(${x}) / nullIf(count(${x}), 0))`,
    var_pop: ([x]) => `varPopStable(${x})`,
    covar_pop: ([a, b]) => `covarPopStable(${a}, ${b})`,
    regr_count: ([a, b]) => `countIf((${a}) IS NOT NULL AND (${b}) IS NOT NULL)`,
    arg_min: ([value, by]) => `argMin(${value}, ${by?.replace(/^row\(/, 'tuple(')})`,
    last_value: ([value]) => `anyLast(${value?.replace(/ IGNORE NULLS$/, '')})`,
    quantile_disc: ([x, shares]) =>
      `arrayMap(p -> if(count(${x}) = 0, NULL, arraySort(groupArray(${x}))[toUInt64(greatest(1, ceil(p * count(${x}) - 1e-9)))]), ${shares})`,
    round: ([x]) => `arrayMap(v -> if(abs(v - trunc(v)) = 0.5, trunc(v) + sign(v), round(v)), [${x}])[1]`,
    // Of doubles, because signed and unsigned integers have no type in common; NaN is the greatest.
    greatest: (args) => `arraySort([${args.map((each) => `toFloat64(${each})`).join(', ')}])[-1]`,
    least: (args) => `arraySort([${args.map((each) => `toFloat64(${each})`).join(', ')}])[1]`,
    list_filter: ([list, test]) =>
      `arrayFilter(v -> ifNull(${test?.endsWith('v > 0') ? 'v > 0' : 'isFinite(v)'}, 0), ${list})[1]`,
    json_extract: ([json, path]) => {
      const member = memberOf(path!);
      return member === null
        ? `JSONExtractArrayRaw(ifNull(${json}, ''))`
        : `nullIf(JSONExtractRaw(ifNull(${json}, ''), ${member}), '')`;
    },
    json_extract_string: ([json]) => `${labelOf(json!)}`,
    json_type: ([json]) =>
      `transform(toString(JSONType(ifNull(${json}, 'null'))), ['Bool', 'String', 'Null', 'Object', 'Array'], ['BOOLEAN', 'VARCHAR', 'NULL', 'OBJECT', 'ARRAY'], 'DOUBLE')`,
    try_cast: ([cast]) => `toFloat64OrNull(${uncast(cast!)})`,
    generate_subscripts: ([list]) => `tupleElement(${eachOf(list!)}, 1)`,
    unnest: ([list]) => `tupleElement(${eachOf(list!)}, 2)`,
  },
};

/** The same call twice goes through one list in step. */
function eachOf(list: string): string {
  return `arrayJoin(arrayZip(arrayEnumerate(${list}), ${list}))`;
}

function labelOf(json: string): string {
  return `(CASE WHEN JSONType(ifNull(${json}, 'null')) = 'String' THEN JSONExtractString(ifNull(${json}, 'null')) WHEN ${json} <> 'null' THEN ${json} END)`;
}
