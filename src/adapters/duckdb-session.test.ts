import { mkdtempSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { openDuckdbSession } from './duckdb-session.ts';

const directory = mkdtempSync(join(tmpdir(), 'assay-session-'));
afterEach(() => {
  vi.unstubAllEnvs();
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('a DuckDB session', () => {
  it('answers every integer as a number', async () => {
    const session = await openDuckdbSession();
    expect(await session.read('SELECT 1::BIGINT AS a, 2::HUGEINT AS b, NULL AS c, $text AS d', { text: 'x' })).toEqual([
      { a: 1, b: 2, c: null, d: 'x' },
    ]);
    await session.close();
  });

  it('reads the files it was given and no others, writes none and unlocks nothing', async () => {
    const mine = join(directory, 'mine.csv');
    const other = join(directory, 'other.csv');
    await writeFile(mine, 'a\n1\n');
    await writeFile(other, 'a\n1\n');
    const session = await openDuckdbSession({ readable: [mine] });
    expect(await session.read(`SELECT count(*) AS n FROM read_csv('${mine}')`)).toEqual([{ n: 1 }]);
    await expect(session.read(`SELECT * FROM read_csv('${other}')`)).rejects.toThrow('Permission Error');
    await expect(session.run(`COPY (SELECT 1) TO '${join(directory, 'new.csv')}'`)).rejects.toThrow('Permission Error');
    await expect(session.run('SET enable_external_access = true')).rejects.toThrow();
    await session.close();
  });

  it('spills what does not fit into memory, and leaves nothing behind', async () => {
    const spill = mkdtempSync(join(directory, 'spill-'));
    vi.stubEnv('TMPDIR', spill);
    const session = await openDuckdbSession({ memoryLimit: '30MB' });
    const [row] = await session.read(
      'SELECT count(*) AS n FROM (SELECT row_number() OVER (ORDER BY hash(range)) AS place FROM range(3000000)) t WHERE t.place > 0',
    );
    expect(row).toEqual({ n: 3_000_000 });
    await session.close();
    expect(await readdir(spill)).toEqual([]);
  });
});
