import { describe, expect, it } from 'vitest';
import { clickhouseDialect, postgresDialect, spellSummary } from './dialect.ts';

const spelt = (sql: string, dialect: typeof postgresDialect): string =>
  spellSummary({ steps: [], queries: { units: sql } }, dialect).queries.units ?? '';

// That the forms compute the same is the contract of analytics; here is what the scanner makes of text.
describe('spellSummary', () => {
  it('puts in the forms of an engine, also one within another', () => {
    expect(spelt('SELECT favg(CAST(t.a AS DOUBLE)) FROM t', postgresDialect)).toBe(
      'SELECT avg(CAST(t.a AS DOUBLE PRECISION)) FROM t',
    );
    expect(spelt('SELECT quantile_disc(round(t.a), [0.5, 0.9]) FROM t', postgresDialect)).toBe(
      'SELECT percentile_disc(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY assay_round(t.a)) FROM t',
    );
  });

  it('leaves literals alone, whatever they look like', () => {
    const sql = "SELECT 'favg(x) AS DOUBLE, (', \"favg\" FROM t WHERE t.a = 'it''s, SELECT k.okey FROM'";
    expect(spelt(sql, postgresDialect)).toBe(sql);
    expect(spelt("SELECT 'back\\slash' FROM t", clickhouseDialect)).toBe("SELECT 'back\\\\slash' FROM t");
  });

  it('takes members of JSON by their names, with slash, tilde and quote', () => {
    expect(spelt("SELECT json_extract(t.a, '/x~1y~0z''s') FROM t", postgresDialect)).toBe(
      "SELECT CAST(CAST(t.a AS JSON) -> 'x/y~z''s' AS TEXT) FROM t",
    );
  });

  it('gives arithmetic to functions that have no value where PostgreSQL has an error', () => {
    expect(
      spelt("SELECT list_filter([t.a / CAST('1e-9' AS DOUBLE)], lambda v: isfinite(v))[1] FROM t", postgresDialect),
    ).toBe("SELECT assay_over(t.a, CAST('1e-9' AS DOUBLE PRECISION)) FROM t");
    expect(spelt('SELECT ln(list_filter([(- t.a)], lambda v: v > 0)[1]) FROM t', postgresDialect)).toBe(
      'SELECT ln(assay_positive((- t.a))) FROM t',
    );
  });

  it('names the columns of every list for ClickHouse', () => {
    expect(
      spelt(
        'SELECT DISTINCT k.okey, max(k.a) AS a FROM (SELECT b.okey, 1 FROM b UNION ALL SELECT c.okey, c.x FROM c) k',
        clickhouseDialect,
      ),
    ).toBe(
      'SELECT DISTINCT k.okey AS okey, max(k.a) AS a FROM (SELECT b.okey AS okey, 1 FROM b UNION ALL SELECT c.okey AS okey, c.x AS x FROM c) k',
    );
  });

  it('makes a table of what must be computed once, where an engine would compute it each time', () => {
    const step = {
      table: 'exposure',
      select: "WITH numbered AS MATERIALIZED (SELECT ')' AS a FROM p) SELECT o.* FROM numbered o",
      over: 'units',
    } as const;
    const tables = (dialect: typeof postgresDialect): readonly string[] =>
      spellSummary({ steps: [step], queries: {} }, dialect).steps.map(({ table, select }) => `${table}: ${select}`);
    expect(tables(clickhouseDialect)).toEqual([
      "numbered: SELECT ')' AS a FROM p",
      'exposure: SELECT o.* FROM numbered o',
    ]);
    expect(tables(postgresDialect)).toEqual([`exposure: ${step.select}`]);
  });
});
