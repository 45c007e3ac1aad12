import { existsSync, mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, describe, expect, it } from 'vitest';
import type { MetricSummary } from '../evidence/index.ts';
import { compareMeans, compareProportions, sampleRatio } from '../stats/index.ts';
import { summariseTable, type TableAnalysis } from './csv-analysis.ts';

const directory = mkdtempSync(join(tmpdir(), 'assay-csv-'));
afterAll(() => rm(directory, { recursive: true, force: true }));

let files = 0;
async function table(text: string, changes: Partial<TableAnalysis> = {}) {
  files += 1;
  const file = join(directory, `${files}.csv`);
  await writeFile(file, text);
  return summariseTable({
    file,
    unit: 'user',
    variant: 'version',
    control: 'a',
    metrics: [{ name: 'value', kind: 'mean' }],
    ...changes,
  });
}

type Of<K extends MetricSummary['kind']> = Extract<MetricSummary, { kind: K }>;

describe('a table in a file', () => {
  it('ends the values of a metric at quantiles of all variants together, and says how many moved', async () => {
    const rows = [1, 2, 3, 4, 5, 6, 7, 8, 9, 1_000].map((value, place) => `${place},${place % 2 ? 'b' : 'a'},${value}`);
    const found = await table(`user,version,value\n${rows.join('\n')}\n`, {
      metrics: [{ name: 'value', kind: 'mean', cap: { kind: 'quantile', lower: 0.2, upper: 0.9 } }],
    });
    expect(found.caps).toEqual({ value: { lower: 2, upper: 9, raised: 1, lowered: 1, n: 10 } });
    expect(found.variants.map(({ metrics }) => metrics.value)).toMatchObject([
      { kind: 'mean', n: 5, mean: (2 + 3 + 5 + 7 + 9) / 5 },
      { kind: 'mean', n: 5, mean: (2 + 4 + 6 + 8 + 9) / 5 },
    ]);
  });

  it('takes along what was known of a unit before, as the mean of its rows, or of all where it has none', async () => {
    const text = 'user,version,value,bought,before\n1,a,1,1,4\n2,a,3,0,\n3,b,5,1,8\n4,b,2,0,3\n';
    const found = await table(text, {
      metrics: [
        { name: 'value', kind: 'mean', covariate: 'before' },
        { name: 'bought', kind: 'proportion' },
      ],
    });
    // Units 1 and 2 of a have 4 and, with none of its own, (4 + 8 + 3) / 3 = 5.
    expect(found.variants[0]?.metrics.value).toEqual({
      kind: 'mean',
      n: 2,
      mean: 2,
      m2: 2,
      adjusted: {
        n: 2,
        mean: [2, 4.5],
        m2: [
          [2, 1],
          [1, 0.5],
        ],
      },
    });
    expect(found.variants[0]?.metrics.bought).toEqual({ kind: 'proportion', n: 2, successes: 1 });
    const several = await table('user,version,value,before\n1,a,1,4\n1,a,3,6\n2,a,2,1\n3,b,5,8\n', {
      metrics: [{ name: 'value', kind: 'mean', covariate: 'before' }],
    });
    expect(several.variants[0]?.metrics.value).toMatchObject({
      kind: 'ratio',
      n: 2,
      adjusted: { mean: [3, 1.5, 3, 1] },
    });
    await expect(
      table('user,version,value,before\n1,a,1,x\n2,b,1,2\n', {
        metrics: [{ name: 'value', kind: 'mean', covariate: 'before' }],
      }),
    ).rejects.toThrow("row 2: before is 'x', must be a number");
  });

  it('is summed up per unit and variant', async () => {
    const found = await table('user,version,value,bought\n1,a,1,TRUE\n2,a,3,false\n3,b,5,1\n4,b,,0\n', {
      metrics: [
        { name: 'value', kind: 'mean' },
        { name: 'bought', kind: 'proportion' },
      ],
    });
    expect(found).toMatchObject({ control: 'a', unit: 'unit', health: null, fromMs: null, segments: [] });
    expect(found.epochs).toEqual([{ epoch: 1, shares: { a: 0.5, b: 0.5 }, units: { a: 2, b: 2 } }]);
    expect(found.variants.map(({ variant, units, metrics }) => ({ variant, units, metrics }))).toEqual([
      {
        variant: 'a',
        units: 2,
        metrics: {
          value: { kind: 'mean', n: 2, mean: 2, m2: 2 },
          bought: { kind: 'proportion', n: 2, successes: 1 },
        },
      },
      {
        variant: 'b',
        units: 2,
        metrics: {
          value: { kind: 'mean', n: 1, mean: 5, m2: 0 },
          bought: { kind: 'proportion', n: 2, successes: 1 },
        },
      },
    ]);
  });

  it('makes a ratio of several rows per unit', async () => {
    const found = await table('user,version,value\n1,a,1\n1,a,3\n2,a,5\n3,b,5\n');
    expect(found.variants[0]).toMatchObject({ units: 2, requests: 3 });
    expect(found.variants[0]?.metrics.value).toEqual({
      kind: 'ratio',
      n: 2,
      rows: 3,
      moments: {
        n: 2,
        mean: [4.5, 1.5],
        m2: [
          [0.5, -0.5],
          [-0.5, 0.5],
        ],
      },
    });
  });

  it('counts a unit in two variants under its first row, and says so', async () => {
    const found = await table('user,version,value\n1,b,1\n2,a,3\n1,a,5\n');
    expect(found.variants.map(({ variant, units }) => [variant, units])).toEqual([
      ['a', 1],
      ['b', 1],
    ]);
    expect(found.health).toMatchObject({ unitsInSeveralVariants: 1, predictions: 3 });
  });

  it('takes expected shares as weights and expects variants that are not in the table', async () => {
    const found = await table('user,version,value\n1,a,1\n2,b,3\n', { shares: { a: 70, b: 20, c: 10 } });
    expect(found.epochs[0]).toEqual({ epoch: 1, shares: { a: 0.7, b: 0.2, c: 0.1 }, units: { a: 1, b: 1, c: 0 } });
    expect(found.variants[2]?.metrics.value?.kind).toBe('insufficient');
  });

  it('may use semicolons, quotes, a byte-order mark and Windows line ends', async () => {
    const found = await table('\uFEFFuser;version;"value"\r\n"1; one";a;1\r\n2;a;2\r\n3;b;3\r\n');
    expect(found.variants[0]?.metrics.value).toMatchObject({ n: 2, mean: 1.5 });
  });

  it('may be Parquet', async () => {
    const file = join(directory, 'table.parquet');
    const instance = await DuckDBInstance.create();
    const connection = await instance.connect();
    await connection.run(
      `COPY (SELECT range AS "user", CASE WHEN range % 2 = 0 THEN 'a' ELSE 'b' END AS version, range / 4 AS value, range < 3 AS bought FROM range(6)) TO '${file}' (FORMAT parquet)`,
    );
    connection.closeSync();
    instance.closeSync();
    const metrics = [
      { name: 'value', kind: 'mean' },
      { name: 'bought', kind: 'proportion' },
    ] as const;
    const found = await summariseTable({ file, unit: 'user', variant: 'version', control: 'a', metrics });
    expect(found.variants[0]?.metrics).toEqual({
      value: { kind: 'mean', n: 3, mean: 0.5, m2: 0.5 },
      bought: { kind: 'proportion', n: 3, successes: 2 },
    });
  });

  it.each<[string, string, Partial<TableAnalysis>, string]>([
    ['an unknown column', 'user,version,valeu\n1,a,1\n2,b,2\n', {}, "column 'value' is not in"],
    [
      'an unknown column',
      'user,version,valeu\n1,a,1\n2,b,2\n',
      {},
      "must be one of: user, version, valeu. Did you mean 'valeu'?",
    ],
    ['text for a number', 'user,version,value\n1,a,1\n2,b,abc\n', {}, "row 3: value is 'abc', must be a number"],
    ['a decimal comma', 'user;version;value\n1;a;1\n2;b;1,5\n', {}, "row 3: value is '1,5', must be a number"],
    ['an infinity', 'user,version,value\n1,a,inf\n2,b,1\n', {}, "row 2: value is 'inf', must be a number"],
    [
      'a number out of range',
      'user,version,value\n1,a,1e200\n2,b,1\n',
      {},
      'row 2: value is 1e200, must be at most 1e+100 in size',
    ],
    [
      'an unknown control',
      'user,version,value\n1,a,1\n2,b,1\n',
      { control: 'c' },
      "control is 'c', must be one of: a, b",
    ],
    [
      'one variant',
      'user,version,value\n1,a,1\n2,a,1\n',
      {},
      "column 'version' has only 'a', must name at least two variants",
    ],
    ['no rows', 'user,version,value\n', {}, 'the table has no rows'],
    ['nothing', '', {}, 'is empty, must hold a header and rows'],
    ['no unit', 'user,version,value\n1,a,1\n,b,1\n', {}, 'row 3: user is empty, must be the name of a unit'],
    ['no variant', 'user,version,value\n1,,1\n2,b,1\n', {}, 'row 2: version is empty, must be the name of a variant'],
    ['a share too few', 'user,version,value\n1,a,1\n2,b,1\n', { shares: { a: 1 } }, "shares has no 'b'"],
    ['a negative share', 'user,version,value\n1,a,1\n2,b,1\n', { shares: { a: 1, b: -1 } }, "share of 'b' is -1"],
    [
      'a metric twice',
      'user,version,value\n1,a,1\n2,b,1\n',
      {
        metrics: [
          { name: 'value', kind: 'mean' },
          { name: 'value', kind: 'mean' },
        ],
      },
      "metric 'value' is named twice",
    ],
    ['no metric', 'user,version,value\n1,a,1\n2,b,1\n', { metrics: [] }, 'metrics is empty'],
    [
      'a proportion of 2',
      'user,version,value\n1,a,1\n2,b,2\n',
      { metrics: [{ name: 'value', kind: 'proportion' }] },
      'row 3: value is 2, must be 0 or 1',
    ],
    [
      'too many cells',
      'user,version,value\n1,a,1\n2,b,1\n3,a,1,9,9\n',
      {},
      'row 4: it has not 3 cells as the header has',
    ],
    ['too few cells', 'user,version,value\n1,a,1\n2,b\n', {}, 'row 3: it has not 3 cells as the header has'],
    ['an open quote', 'user,version,value\n1,a,1\n2,"b,1\n', {}, 'row 3: a quote is not closed'],
    ['a column twice', 'user,version,value,value\n1,a,1,1\n', {}, "column 'value' stands twice"],
    ['a column without a name', 'user,version,value,\n1,a,1,1\n', {}, 'column 4 of '],
  ])('with %s is refused with place and rule', async (_, text, changes, message) => {
    const refused = await table(text, changes).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'input-invalid', message: expect.stringContaining(message) });
  });

  it('that is not UTF-8 is refused with its row', async () => {
    files += 1;
    const file = join(directory, `${files}.csv`);
    await writeFile(file, Buffer.from('user,version,value\n1,a,1\n2,b\xff,1\n', 'latin1'));
    const metrics = [{ name: 'value', kind: 'mean' }] as const;
    const refused = summariseTable({ file, unit: 'user', variant: 'version', control: 'a', metrics });
    await expect(refused).rejects.toThrow('row 3: the text is not UTF-8');
  });

  it('with more variants than a test can have is refused', async () => {
    const rows = Array.from({ length: 60 }, (_, index) => `${index},v${index},1`).join('\n');
    await expect(table(`user,version,value\n${rows}\n`)).rejects.toThrow('more than 50 different values');
  });

  it('that cannot be read is named', async () => {
    const metrics = [{ name: 'value', kind: 'mean' }] as const;
    const asked = { unit: 'user', variant: 'version', control: 'a', metrics };
    const none = summariseTable({ ...asked, file: join(directory, 'none.csv') });
    await expect(none).rejects.toMatchObject({ code: 'file-unreadable', message: expect.stringContaining('none.csv') });
    await expect(summariseTable({ ...asked, file: directory })).rejects.toMatchObject({ code: 'file-unreadable' });
  });
});

const cats = fileURLToPath(new URL('../../../shared/data/cookie_cats.csv', import.meta.url));
if (!existsSync(cats)) console.log('skipped: ../shared/data/cookie_cats.csv is not there');

describe.skipIf(!existsSync(cats))('90,189 players of a mobile game', () => {
  it('agree with R 4.2 (t.test, prop.test and chisq.test) to 1e-9', { timeout: 60_000 }, async () => {
    const { variants, epochs } = await summariseTable({
      file: cats,
      unit: 'userid',
      variant: 'version',
      control: 'gate_30',
      metrics: [
        { name: 'retention_1', kind: 'proportion' },
        { name: 'retention_7', kind: 'proportion' },
        { name: 'sum_gamerounds', kind: 'mean' },
      ],
    });
    const [control, candidate] = variants;
    const near = (found: unknown, expected: number): void => {
      expect(found).toBeTypeOf('number');
      expect(Math.abs((found as number) / expected - 1)).toBeLessThan(1e-9);
    };
    const pair = <K extends MetricSummary['kind']>(name: string, _kind: K): readonly [Of<K>, Of<K>] => [
      control?.metrics[name] as Of<K>,
      candidate?.metrics[name] as Of<K>,
    ];
    const [first = { units: {} }] = epochs;
    expect(first.units).toEqual({ gate_30: 44_700, gate_40: 45_489 });
    const ratio = sampleRatio([44_700, 45_489], [0.5, 0.5]);
    near('pValue' in ratio && ratio.pValue, 0.00860798781083626);

    const rounds = pair('sum_gamerounds', 'mean');
    near(rounds[0].mean, 52.4562639821029);
    near(rounds[1].mean, 51.2987755281497);
    near(rounds[0].m2 / (rounds[0].n - 1), 65903.321897494);
    near(rounds[1].m2 / (rounds[1].n - 1), 10669.7364215133);
    const welch = compareMeans(rounds[0], rounds[1], { alpha: 0.05 });
    // R subtracts the other way round.
    near('statistic' in welch && welch.statistic, -0.885437433127067);
    near('df' in welch && welch.df, 58595.481422574);
    near('pValue' in welch && welch.pValue, 0.375924384093262);

    const week = pair('retention_7', 'proportion');
    expect(week).toEqual([
      { kind: 'proportion', n: 44_700, successes: 8_502 },
      { kind: 'proportion', n: 45_489, successes: 8_279 },
    ]);
    const day = pair('retention_1', 'proportion');
    expect(day.map(({ successes }) => successes)).toEqual([20_034, 20_119]);
    const weekTest = compareProportions(week[0], week[1], { alpha: 0.05 });
    near('pValue' in weekTest && weekTest.pValue, 0.00155424997561428);
    const dayTest = compareProportions(day[0], day[1], { alpha: 0.05 });
    near('pValue' in dayTest && dayTest.pValue, 0.0744096552969201);
  });
});
