import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTable, type TableRow } from './table-rows.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-table-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function rowsOf(name: string, names: readonly string[]): Promise<readonly TableRow[]> {
  const table = await openTable(join(directory, name));
  const rows: TableRow[] = [];
  try {
    for await (const row of table.rows(names)) rows.push(row);
  } finally {
    await table.close();
  }
  return rows;
}
const write = (name: string, text: string | Uint8Array): Promise<void> => writeFile(join(directory, name), text);

describe('the rows of a table', () => {
  it('are numbered as people count, and empty cells are missing', async () => {
    await write('a.csv', '\uFEFFid;"a ""b""";c\n1;x; \n"2\n3";;y\n');
    expect(await rowsOf('a.csv', ['id', 'a "b"', 'c'])).toEqual([
      { row: 2, cells: { id: '1', 'a "b"': 'x' } },
      { row: 3, cells: { id: '2\n3', c: 'y' } },
    ]);
    await write('a.csv.gz', gzipSync('id;c\n1;x\n'));
    expect(await rowsOf('a.csv.gz', ['id', 'c'])).toEqual([{ row: 2, cells: { id: '1', c: 'x' } }]);
    await write('a.jsonl.gz', gzipSync('{"id": 1, "u": {"id": "x"}, "u.v": 2}\n\n{"id": null, "u": 5}\n'));
    expect(await rowsOf('a.jsonl.gz', ['id', 'u.id', 'u.v'])).toEqual([
      { row: 1, cells: { id: 1, 'u.id': 'x', 'u.v': 2 } },
      { row: 3, cells: {} },
    ]);
  });

  it('keep every digit of large ids and the moment of times, from Parquet', async () => {
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    await connection.run("SET TimeZone = 'Asia/Tokyo'");
    await connection.run(`COPY (SELECT 1234567890123456789 AS id, TIMESTAMP '2026-11-22 10:15:00.5' AS plain,
      TIMESTAMPTZ '2026-11-22 10:15:00+00' AS zoned, DATE '2026-11-22' AS day, 19.90::DECIMAL(9, 2) AS amount, true AS yes,
      NULL::VARCHAR AS nothing, {'a': [1, 2]} AS nested, 7::INTEGER AS small) TO '${join(directory, 'a.parquet')}' (FORMAT parquet)`);
    connection.closeSync();
    instance.closeSync();
    const names = ['id', 'plain', 'zoned', 'day', 'amount', 'yes', 'nothing', 'nested', 'small'];
    const cells = {
      id: '1234567890123456789',
      plain: Date.parse('2026-11-22T10:15:00.5Z'),
      zoned: Date.parse('2026-11-22T10:15:00Z'),
      day: Date.parse('2026-11-22T00:00:00Z'),
      amount: 19.9,
      yes: true,
      nested: { a: [1, 2] },
      small: 7,
    };
    expect(await rowsOf('a.parquet', names)).toEqual([{ row: 1, cells }]);
  });

  it('come in the order of a large file, and can be left in the middle and read again', async () => {
    const count = 30_000;
    await write('large.csv', `id\n${Array.from({ length: count }, (_, at) => at).join('\n')}\n`);
    const table = await openTable(join(directory, 'large.csv'));
    for await (const { row } of table.rows(['id'])) if (row > 5_000) break;
    let next = 0;
    for await (const { row, cells } of table.rows(['id'])) {
      if (cells.id !== String(next) || row !== next + 2) throw new Error(`row ${row} holds ${cells.id}`);
      next += 1;
    }
    expect(next).toBe(count);
    await table.close();
  });

  it('are refused by file and row where they are no rows', async () => {
    await write('short.csv', 'a,b\n1,2\n3\n');
    await expect(rowsOf('short.csv', ['a'])).rejects.toMatchObject({
      code: 'input-invalid',
      message: expect.stringMatching(/short\.csv: row 3: it has not 2 cells/),
    });
    await write('list.ndjson', '[1]\n');
    await expect(rowsOf('list.ndjson', ['a'])).rejects.toThrow('row 1 is [1], must be a JSON object');
    await write('cut.ndjson.gz', gzipSync('{"a": 1}\n'.repeat(9_999)).subarray(0, -30));
    await expect(rowsOf('cut.ndjson.gz', ['a'])).rejects.toMatchObject({ code: 'input-invalid' });
    await write('empty.csv', '');
    await expect(rowsOf('empty.csv', ['a'])).rejects.toThrow('is empty, must hold rows');
    await expect(rowsOf('.', ['a'])).rejects.toMatchObject({ code: 'file-unreadable' });
  });
});
