import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluateExpression } from './evaluate.ts';
import type { Expression } from './expression.ts';
import { parseExpression } from './parse.ts';
import { expressionText, type Row, row, rowNames } from './random-expressions.fixture.ts';
import { compileToSql } from './sql.ts';

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const resolve = (name: string) => ({ number: `"${name}_number"`, text: `"${name}_text"` });

function parsed(text: string): Expression {
  const result = parseExpression(text);
  if (result.kind === 'error') throw new Error(`${text}: ${result.message}`);
  return result.expression;
}

describe('compileToSql', () => {
  let instance: DuckDBInstance;
  let connection: DuckDBConnection;

  beforeAll(async () => {
    instance = await DuckDBInstance.create(':memory:');
    connection = await instance.connect();
  });

  afterAll(() => {
    connection.closeSync();
    instance.closeSync();
  });

  /** What DuckDB says for every row, as number or undefined. */
  async function inSql(expression: Expression, rows: readonly Row[]): Promise<readonly (number | undefined)[]> {
    const tuples = rows.map((cells, index) => {
      const forms = rowNames.flatMap((name) => {
        const value = Object.hasOwn(cells, name) ? cells[name] : undefined;
        if (value === undefined) return ['NULL', 'NULL'];
        return typeof value === 'string' ? ['NULL', quoted(value)] : [quoted(`${Number(value)}`), 'NULL'];
      });
      return `(${[index, ...forms].join(', ')})`;
    });
    const columns = rowNames.flatMap((name) => [
      `CAST("${name}_n" AS DOUBLE) AS "${name}_number"`,
      `CAST("${name}_t" AS VARCHAR) AS "${name}_text"`,
    ]);
    const names = ['row', ...rowNames.flatMap((name) => [`"${name}_n"`, `"${name}_t"`])];
    const reader = await connection.runAndReadAll(
      `WITH cells AS (SELECT row, ${columns.join(', ')} FROM (VALUES ${tuples.join(', ')}) AS t(${names.join(', ')}))
       SELECT ${compileToSql(expression, { resolve })} AS answer FROM cells ORDER BY row`,
    );
    expect(reader.columnType(0).toString()).toBe('DOUBLE');
    return reader.getRows().map(([answer]) => (answer === null ? undefined : (answer as number)));
  }

  /** The same in JS: booleans as 1 and 0, text as missing. */
  function inJs(expression: Expression, cells: Row): number | undefined {
    const value = evaluateExpression(expression, (name) => (Object.hasOwn(cells, name) ? cells[name] : undefined));
    return value === undefined || typeof value === 'string' ? undefined : Number(value);
  }

  it('gives in DuckDB what evaluateExpression gives, for random expressions over random rows', async () => {
    let present = 0;
    let missing = 0;
    await fc.assert(
      fc.asyncProperty(expressionText, fc.array(row, { minLength: 20, maxLength: 20 }), async (text, rows) => {
        const parseResult = parseExpression(text);
        fc.pre(parseResult.kind === 'parsed' || text.length > 1000);
        if (parseResult.kind === 'error') return;
        const wanted = rows.map((cells) => inJs(parseResult.expression, cells));
        const values = wanted.filter((value) => value !== undefined).length;
        present += values;
        missing += wanted.length - values;
        const answers = await inSql(parseResult.expression, rows);
        // + 0 because -0 and 0 are one value in this language.
        expect(answers.map((x) => (x === undefined ? x : x + 0))).toEqual(
          wanted.map((x) => (x === undefined ? x : x + 0)),
        );
      }),
      { numRuns: 400 },
    );
    // Otherwise the property would hold of nothing.
    expect(Math.min(present, missing)).toBeGreaterThan(1000);
  });

  it('gives the natural logarithm to within 2 units in the last place, and no value at or below 0', async () => {
    const rows: readonly Row[] = [0.1, 1, 2, 1e-300, 1e308, 0, -1, Number.EPSILON, 'a', true].map((x) => ({ x }));
    const answers = await inSql(parsed('log(x)'), [...rows, {}]);
    for (const [index, cells] of [...rows, {}].entries()) {
      const wanted = inJs(parsed('log(x)'), cells);
      if (wanted === undefined) expect(answers[index]).toBeUndefined();
      else expect(Math.abs(answers[index]! - wanted)).toBeLessThanOrEqual(2 * Number.EPSILON * Math.abs(wanted));
    }
    expect(answers.filter((answer) => answer !== undefined)).toHaveLength(7);
  });

  it('keeps text text, whatever stands in it', async () => {
    const hostile = ["'; DROP TABLE cells; --", "''", "\\'", '"', '-- x', '/*', 'a\nb', '🦊', '%', "E'\\n'"];
    for (const value of hostile) {
      const literal = `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
      expect(await inSql(parsed(`x == ${literal}`), [{ x: value }, { x: `${value}!` }])).toEqual([1, 0]);
    }
  });

  it('reads a decimal literal as the double JavaScript reads', async () => {
    // Among two thousand such numbers some thirty are a bit off when written bare, as DECIMAL.
    const golden = Array.from({ length: 2000 }, (_, index) => ((index * 0.6180339887498949) % 1) * 10 ** (index % 7));
    const numbers = [...golden, 5e-324, Number.MAX_VALUE, 2 ** 53, 0.1 + 0.2];
    const columns = numbers.map((number) => compileToSql(parsed(`${number}`), { resolve }));
    const reader = await connection.runAndReadAll(`SELECT ${columns.join(', ')}`);
    expect(reader.getRows()[0]).toEqual(numbers);
  });

  it('costs no more than the length of the expression, however it is nested', async () => {
    const nests = [
      ['(x == ', ')', 1],
      ['(', ' == 1)', 1],
      ['(y != ', ')', undefined],
      ['default(', ', y)', 1],
      ['default(', ', 0)', 1],
      ['min(1, ', ')', 1],
      ['max(', ', x, 1)', 1],
      ['exists(', ')', 1],
      ['(1 / ', ')', 1],
      ['not not (', ' and x)', 1],
      ['log(1 / ', ')', undefined],
      ['-', '', 1],
    ] as const;
    const levels = { '(x == ': 48, 'not not (': 16, 'log(1 / ': 24 };
    for (const [open, close, answer] of nests) {
      const depth = (levels as Readonly<Record<string, number>>)[open] ?? 48;
      const expression = parsed(`${open.repeat(depth)}x${close.repeat(depth)}`);
      const half = parsed(`${open.repeat(depth / 2)}x${close.repeat(depth / 2)}`);
      const lengths = [expression, half].map((nested) => compileToSql(nested, { resolve }).length);
      expect(lengths[0]).toBeLessThan(3 * lengths[1]!);
      // Twice the work per level would take DuckDB days here.
      expect([open, await inSql(expression, [{ x: 1 }])]).toEqual([open, [answer]]);
    }
  });

  it('runs the longest sum', async () => {
    const sum = Array.from({ length: 50 }, () => 'x').join(' + ');
    expect(await inSql(parsed(sum), [{ x: 2 }, {}])).toEqual([100, undefined]);
  });
});
