// Evidence from files: labels, orders and a warehouse's history, taken in by the built command, into a server and without one.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Report } from '../../src/decision/index.ts';
import { assay, experimentText, type Finished, type Serving, serve } from './assay-process.ts';

const run = promisify(execFile);
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-import-'));
  await writeFile(join(directory, 'experiment.yaml'), experimentText(['http://127.0.0.1:9', 'http://127.0.0.1:9']));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const here = (...args: string[]): Promise<Finished> => assay(args, { cwd: directory });
const write = (name: string, text: string | Uint8Array): Promise<void> => writeFile(join(directory, name), text);

/** Whatever DuckDB selects, as Parquet. */
async function writeParquet(name: string, select: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(`COPY (${select}) TO '${join(directory, name)}' (FORMAT parquet)`);
  connection.closeSync();
  instance.closeSync();
}

async function reportOf(server: Serving): Promise<Report> {
  const { stdout, stderr } = await assay(['report', 'scores', '--server', server.apiUrl, '--json']);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Report;
}
describe('a history with its outcomes', () => {
  const users = 40;
  const isB = (user: number): boolean => user % 2 === 1;
  const liked = (user: number): boolean => user % (isB(user) ? 3 : 5) === 0;
  const predict = [
    'import',
    'predictions',
    'history.csv',
    '-f',
    'experiment.yaml',
    '--data',
    'data',
    '--map',
    'variant=model,time=served_at,unit=user_id,latencyMs=ms,prediction=score',
  ];
  const label = [
    'import',
    'outcomes',
    'likes.parquet',
    '--map',
    'predictionId=prediction,value=liked,time=at',
    '--set',
    'type=like',
  ];

  beforeAll(async () => {
    const rows = Array.from(
      { length: users },
      (_, user) =>
        `p-${user},2026-11-20 10:00:${String(user).padStart(2, '0')},${user},${isB(user) ? 'b' : 'a'},${20 + user},0.5,${user === 7 ? 500 : 200}`,
    );
    await write('history.csv', `prediction_id,served_at,user_id,model,ms,score,status\n${rows.join('\n')}\n`);
    await writeParquet(
      'likes.parquet',
      `SELECT 'p-' || range AS prediction, CASE WHEN range % (CASE WHEN range % 2 = 1 THEN 3 ELSE 5 END) = 0 THEN 1 ELSE 0 END AS liked,
       TIMESTAMP '2026-11-20 10:00:00' + INTERVAL (range) SECOND + INTERVAL 500 MILLISECOND AS at FROM range(${users})`,
    );
  });

  it('reports as if the gateway had been there, offline or through the API, once or twice', async () => {
    const dry = await here(...predict, '--dry-run');
    expect(dry).toMatchObject({ code: 0, stdout: '40 predictions are right; nothing was written\n' });
    expect(await readdir(directory)).not.toContain('data');
    const first = await here(...predict);
    expect(first, first.stderr).toMatchObject({ code: 0, stdout: '40 predictions of scores are durable in data\n' });
    const repeated = await here(...predict, '--json');
    expect(JSON.parse(repeated.stdout)).toMatchObject({ rows: 40, isRepeat: true });
    const offline = await here(...label, '--data', 'data');
    expect(offline, offline.stderr).toMatchObject({ code: 0, stdout: '40 outcomes are durable\n' });
    // A sealed import is remembered too.
    expect((await here('log', 'compact', '--data', 'data')).code).toBe(0);
    expect((await here(...predict)).stdout).toContain('were imported before');

    const server = await serve(['-f', 'experiment.yaml', '--start', '--data', 'data'], { cwd: directory });
    try {
      const report = await reportOf(server);
      const likes = (variant: boolean): number =>
        Array.from({ length: users }, (_, user) => user).filter((user) => isB(user) === variant && liked(user)).length;
      expect(
        report.variants.map(({ name, units, requests, failureRate }) => ({ name, units, requests, failureRate })),
      ).toEqual([
        { name: 'a', units: 20, requests: 20, failureRate: 0 },
        { name: 'b', units: 20, requests: 20, failureRate: 0.05 },
      ]);
      const metric = report.metrics.find(({ name }) => name === 'liked');
      expect(metric?.variants.map(({ estimate }) => estimate)).toEqual([likes(false) / 20, likes(true) / 20]);
      expect(report.checks.outcomeJoin?.numbers).toMatchObject({ received: 40, joined: 40 });
      expect(report.checks.uncleanShutdown?.ok).toBe(true);
      // The same outcomes again, this time through the API: nothing changes but how often they were received.
      const online = await here(...label, '--server', server.apiUrl, '--json');
      expect(JSON.parse(online.stdout)).toEqual({ rows: 40, skipped: 0, sent: 40 });
      // A busy machine answers from the summary before for a moment.
      await expect
        .poll(async () => (await reportOf(server)).checks.outcomeJoin?.numbers, { timeout: 60_000 })
        .toMatchObject({ received: 80, duplicates: 40, joined: 40 });
      const again = await reportOf(server);
      expect(again.metrics.find(({ name }) => name === 'liked')?.variants).toEqual(metric?.variants);
      expect((await here(...predict)).stderr).toContain('data-directory-locked');
    } finally {
      await server.end('SIGTERM');
    }
    expect((await here('log', 'verify', '--data', 'data')).code).toBe(0);
  });

  it('is refused as a whole, each fault with file, row, column, value and rule', async () => {
    await write('bad.csv', 'time,variant,unit,latency_ms\n2026-11-20,a,u,1\nsoon,c,u,1\n2026-11-20,b,,-3\n');
    const refused = await here('import', 'predictions', 'bad.csv', '-f', 'experiment.yaml', '--data', 'fresh');
    expect(refused.code).toBe(2);
    for (const text of [
      'bad.csv row 3, column time: time is "soon", must be ISO 8601',
      'bad.csv row 3, column variant: variant is "c", must be one of: a, b',
      'bad.csv row 4, column unit: unit is missing, must be the unit id as callers send it',
      'bad.csv row 4, column latency_ms: latencyMs is "-3", must be a number of milliseconds >= 0',
      'Nothing was imported.',
    ])
      expect(refused.stderr).toContain(text);
    expect(await readdir(join(directory, 'fresh'))).not.toContain('log');
  });
});

describe('outcomes from a file', () => {
  it('are told by row and column when they are wrong, before anything is sent', async () => {
    await write(
      'orders.csv',
      'who;amount;paid_at\nann;19.90;2026-11-22 10:00\nben;;2026-11-22 10:01\ncem;lots;10 o’clock\n',
    );
    const args = [
      'import',
      'outcomes',
      'orders.csv',
      '--map',
      'unit=who,value=amount,time=paid_at',
      '--set',
      'type=revenue',
    ];
    const refused = await here(...args, '--server', 'http://127.0.0.1:9');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(
      'orders.csv row 3, column amount: value is missing, must be a number, text or boolean',
    );
    expect(refused.stderr).toContain('orders.csv row 4, column paid_at: time is "10 o’clock", must be ISO 8601');
    expect(refused.stderr).not.toContain('server-unreachable');
    const nothing = await here('import', 'outcomes', 'orders.csv', '--map', 'unit=who', '--dry-run');
    expect(nothing.stderr).toContain('orders.csv has no column for type and value');
    await write('untimed.csv', 'unit,type,value\nann,click,1\n');
    const untimed = await here('import', 'outcomes', 'untimed.csv', '--dry-run');
    expect(untimed.stderr).toContain('untimed.csv row 2 has neither id nor time');
    await write('torn.ndjson', '{"id": "1", "type": "click", "value": 1, "unit": "u"}\n{"id": \n');
    expect((await here('import', 'outcomes', 'torn.ndjson', '--dry-run')).stderr).toContain(
      'torn.ndjson row 2 is not JSON',
    );
    expect((await here('import', 'outcomes', 'nowhere.csv')).stderr).toContain('nowhere.csv cannot be read');
    await write('false.parquet', 'PAR1 but not really');
    expect((await here('import', 'outcomes', 'false.parquet', '--dry-run')).stderr).toContain(
      'false.parquet cannot be understood',
    );
  });

  it('come from lines of JSON too, nested and compressed, without rows that have no value', async () => {
    const lines = Array.from({ length: 5_000 }, (_, at) =>
      JSON.stringify({ at: 1_795_342_500 + at, user: { id: at }, paid: at % 2 ? null : at / 100 }),
    );
    await write('paid.ndjson.gz', gzipSync(lines.join('\n')));
    const args = [
      'import',
      'outcomes',
      'paid.ndjson.gz',
      '--map',
      'unit=user.id,value=paid,time=at',
      '--set',
      'type=revenue',
      '--json',
    ];
    const strict = await here(...args, '--dry-run');
    expect(strict.stderr).toContain('paid.ndjson.gz row 2, column paid: value is missing');
    const done = await here(...args, '--skip-empty', '--data', 'paid');
    expect(JSON.parse(done.stdout)).toEqual({ rows: 2_500, skipped: 2_500, sent: 2_500 });
  });

  it('go on after a server that was away, by the row that is told', async () => {
    const lines = Array.from({ length: 4_500 }, (_, at) => `c-${at},click,1,user-${at}`);
    await write('clicks.csv', `id,type,value,unit\n${lines.join('\n')}\n`);
    const { createServer } = await import('node:http');
    let requests = 0;
    const flaky = createServer((request, response) => {
      request.resume().on('end', () => {
        requests += 1;
        response.statusCode = requests > 1 ? 401 : 200;
        response.end(requests > 1 ? '{"code": "unauthorized", "detail": "the token went away"}' : '{"accepted": 2000}');
      });
    });
    await new Promise<void>((resolve) => flaky.listen(0, '127.0.0.1', resolve));
    const { port } = flaky.address() as { port: number };
    const broken = await here('import', 'outcomes', 'clicks.csv', '--server', `http://127.0.0.1:${port}`);
    flaky.close();
    expect(broken.code).toBe(2);
    expect(broken.stderr).toContain('the token went away');
    expect(broken.stderr).toContain('Rows up to 2001 are durable. Run it again, with --from-row 2002');
    const rest = await here('import', 'outcomes', 'clicks.csv', '--from-row', '2002', '--data', 'rest', '--json');
    expect(JSON.parse(rest.stdout)).toEqual({ rows: 4_500, skipped: 0, sent: 2_500 });
  });
});

describe('a table to analyze', () => {
  it('says the same as Parquet and as CSV', async () => {
    const select = `SELECT range AS "user", CASE WHEN range % 2 = 0 THEN 'a' ELSE 'b' END AS model, range % 3 = 0 AS bought,
      CAST(range % 7 AS DECIMAL(9, 2)) AS spent FROM range(300)`;
    await writeParquet('results.parquet', select);
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    await connection.run(`COPY (${select}) TO '${join(directory, 'results.csv')}' (HEADER)`);
    connection.closeSync();
    instance.closeSync();
    const options = [
      '--unit',
      'user',
      '--variant',
      'model',
      '--control',
      'a',
      '--metric',
      'bought:proportion',
      '--metric',
      'spent:mean',
      '--json',
    ];
    const [csv, parquet] = await Promise.all(
      ['csv', 'parquet'].map((ending) => here('analyze', `results.${ending}`, ...options)),
    );
    expect(csv?.code, csv?.stderr).toBe(0);
    expect(JSON.parse(parquet?.stdout ?? '')).toEqual(JSON.parse(csv?.stdout ?? ''));
    const wrong = await here('analyze', 'results.parquet', ...options.map((word) => word.replace('spent:', 'model:')));
    expect(wrong.stderr).toContain("row 1: model is 'a', must be a number");
    await run('truncate', ['-s', '200', join(directory, 'results.parquet')]);
    const torn = await here('analyze', 'results.parquet', ...options);
    expect(torn).toMatchObject({ code: 2, stdout: '' });
    expect(torn.stderr).toContain('results.parquet cannot be understood');
  });
});
