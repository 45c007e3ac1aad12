import { mkdtempSync } from 'node:fs';
import { copyFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { AnalysisPlan, ExperimentSummary, NewRecord, VariantSummary } from '../evidence/index.ts';
import { metric, outcome, plan, prediction, t0, write } from './analytics-records.fixture.ts';
import { createCountingObserver } from './counting-observer.ts';
import { openDuckdbAnalytics } from './duckdb-analytics.ts';
import { openEvidenceLog } from './file-evidence-log.ts';

const made: string[] = [];
const newDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'assay-analytics-'));
  made.push(directory);
  return directory;
};
afterAll(async () => {
  for (const directory of made) await rm(directory, { recursive: true, force: true });
});

async function summarise(plan: AnalysisPlan, lists: readonly (readonly NewRecord[])[]): Promise<ExperimentSummary> {
  const directory = newDirectory();
  await write(directory, lists);
  const analytics = await openDuckdbAnalytics({ directory });
  try {
    return await analytics.summarise(plan);
  } finally {
    await analytics.close();
  }
}

const only = (summary: ExperimentSummary, variant = 'a'): VariantSummary =>
  summary.variants.find((entry) => entry.variant === variant) as VariantSummary;

describe('a summary of the log', () => {
  it('counts one 0/1 value per unit as a proportion', async () => {
    const found = await summarise(plan([metric('accuracy', 'prediction == outcome.label')]), [
      [prediction('1'), prediction('2'), outcome('1'), outcome('2', { value: 0 })],
    ]);
    expect(only(found).metrics.accuracy).toEqual({ kind: 'proportion', n: 2, successes: 1 });
  });

  it('counts one number per unit as a mean, and several values per unit as a ratio', async () => {
    const metrics = [metric('latency', 'attempt_ms')];
    const one = await summarise(plan(metrics), [[prediction('1'), prediction('2')]]);
    expect(only(one).metrics.latency).toEqual({ kind: 'mean', n: 2, mean: 10, m2: 0 });
    const several = await summarise(plan(metrics), [[prediction('1'), prediction('2', { unit: 'u-1' })]]);
    expect(only(several).metrics.latency).toEqual({
      kind: 'ratio',
      n: 1,
      rows: 2,
      moments: {
        n: 1,
        mean: [20, 2],
        m2: [
          [0, 0],
          [0, 0],
        ],
      },
    });
  });

  it('keeps a unit under the variant of its first exposure, whatever it met later', async () => {
    const found = await summarise(plan([metric('latency', 'attempt_ms')]), [
      [
        prediction('late', { unit: 'u', assigned: 'b', at: 50 }),
        prediction('first', { unit: 'u', assigned: 'a', at: 1 }),
      ],
    ]);
    expect(only(found, 'a')).toMatchObject({ units: 1, requests: 2 });
    expect(only(found, 'b')).toMatchObject({ units: 0, requests: 0 });
    expect(found.health?.unitsInSeveralVariants).toBe(1);
    expect(found.epochs).toEqual([{ epoch: 1, shares: { a: 0.5, b: 0.5 }, units: { a: 1, b: 0 } }]);
  });

  it('calls the assigned variant failed though the control answered the caller well', async () => {
    const attempts = [
      { variant: 'b', status: 500, latencyMs: 3, error: 'status' },
      { variant: 'a', status: 200, latencyMs: 10, error: null },
    ];
    const found = await summarise(plan([metric('error_rate', 'failed')]), [
      [prediction('1', { assigned: 'b', served: 'a', attempts }), prediction('2', { assigned: 'b' })],
    ]);
    expect(only(found, 'b')).toMatchObject({ requests: 2, failed: 1, callerFailed: 0, fallback: 1 });
    expect(only(found, 'b').metrics.error_rate).toEqual({ kind: 'proportion', n: 2, successes: 1 });
    expect(only(found, 'b').attemptMs).toMatchObject({ n: 2, mean: 6.5, p50: 3, p99: 10 });
  });

  it('blames nobody for a caller who hung up, and us for a caller who got nothing', async () => {
    const aborted = [{ variant: 'a', status: null, latencyMs: 3, error: 'aborted' }];
    const dead = [{ variant: 'a', status: null, latencyMs: 3, error: 'connect' }];
    const found = await summarise(plan([]), [
      [
        prediction('1', { attempts: aborted, served: null, status: null }),
        prediction('2', { attempts: dead, served: null, status: 502 }),
      ],
    ]);
    expect(only(found)).toMatchObject({ requests: 2, failed: 1, callerFailed: 1, fallback: 0 });
  });

  it('calls a variant that was taken out failed, without a latency it never had', async () => {
    const spared = (error: string) => [
      { variant: 'b', status: null, latencyMs: 0, error },
      { variant: 'a', status: 200, latencyMs: 10, error: null },
    ];
    const found = await summarise(plan([]), [
      [
        prediction('1', { assigned: 'b', served: 'a', attempts: spared('ejected') }),
        prediction('2', { assigned: 'b', served: 'a', attempts: spared('overloaded') }),
        prediction('3', { assigned: 'b' }),
      ],
    ]);
    expect(only(found, 'b')).toMatchObject({ requests: 3, failed: 2, fallback: 2 });
    expect(only(found, 'b').attemptMs).toMatchObject({ n: 1, mean: 10 });
  });

  it('takes the first try of a variant for its own: a retry heals no failure, a hedge is none', async () => {
    const tries = (error: string) => [
      { variant: 'b', status: null, latencyMs: 40, error },
      { variant: 'b', status: 200, latencyMs: 15, error: null },
    ];
    const found = await summarise(plan([]), [
      [
        prediction('1', { assigned: 'b', served: 'b', attempts: tries('reset') }),
        prediction('2', { assigned: 'b', served: 'b', attempts: tries('hedged') }),
      ],
    ]);
    expect(only(found, 'b')).toMatchObject({ requests: 2, failed: 1, callerFailed: 0, fallback: 0 });
    expect(only(found, 'b').attemptMs).toMatchObject({ n: 2, mean: 40 });
  });

  it('counts truth when it arrives, and absence only when the window has ended', async () => {
    const metrics = [metric('accuracy', 'prediction == outcome.label'), metric('clicked', 'exists(outcome.label)')];
    const records = [[prediction('1'), prediction('2'), outcome('1')]];
    const open = await summarise(plan(metrics, { nowMs: t0 + 500 }), records);
    expect(only(open).metrics.accuracy).toEqual({ kind: 'proportion', n: 1, successes: 1 });
    expect(only(open).metrics.clicked).toMatchObject({ kind: 'insufficient' });
    expect(only(open).waiting).toEqual({ accuracy: 1, clicked: 2 });
    const ended = await summarise(plan(metrics, { nowMs: t0 + 1_001 }), records);
    expect(only(ended).metrics.accuracy).toEqual({ kind: 'proportion', n: 1, successes: 1 });
    expect(only(ended).metrics.clicked).toEqual({ kind: 'proportion', n: 2, successes: 1 });
    expect(only(ended).waiting).toEqual({});
  });

  it('waits for every outcome of an expression, so that no answer is counted before another could be', async () => {
    const metrics = [metric('either', 'outcome.click == 1 or outcome.buy == 1')];
    const found = await summarise(plan(metrics, { nowMs: t0 + 500 }), [
      [prediction('1'), outcome('1', { type: 'click' })],
    ]);
    expect(only(found).waiting).toEqual({ either: 1 });
  });

  it('takes an outcome id once, the first received, and of several the last by time', async () => {
    const metrics = [metric('value', 'outcome.label')];
    const found = await summarise(plan(metrics), [
      [
        prediction('1'),
        outcome('x', { value: 5, at: 20, subject: { kind: 'prediction', predictionId: '1' } }),
        outcome('x', { value: 6, at: 30, subject: { kind: 'prediction', predictionId: '1' } }),
        outcome('y', { value: 7, at: 10, subject: { kind: 'prediction', predictionId: '1' } }),
      ],
    ]);
    expect(only(found).metrics.value).toMatchObject({ n: 1, mean: 5 });
    expect(found.health?.outcomes).toEqual({ received: 3, duplicates: 1, joined: 2, orphans: 0, late: 0 });
  });

  it('joins an outcome that came before its prediction did, and drops what is late or nobody’s', async () => {
    const metrics = [metric('value', 'outcome.label')];
    const found = await summarise(plan(metrics), [
      [outcome('1', { value: 3 }), outcome('2', { at: 1_001 }), outcome('nobody')],
      [prediction('1'), prediction('2')],
    ]);
    expect(only(found).metrics.value).toMatchObject({ n: 1, mean: 3 });
    expect(found.health?.outcomes).toEqual({ received: 3, duplicates: 0, joined: 1, orphans: 1, late: 1 });
  });

  it('gives an outcome of a unit to the unit’s last prediction before it', async () => {
    const found = await summarise(plan([metric('value', 'outcome.label', 100)]), [
      [
        prediction('1', { unit: 'u', at: 0 }),
        prediction('2', { unit: 'u', at: 50, assigned: 'a' }),
        prediction('3', { unit: 'v', at: 55, assigned: 'b' }),
        outcome('x', { at: 60, value: 9, subject: { kind: 'unit', unit: 'u' } }),
        outcome('y', { at: 200, value: 1, subject: { kind: 'unit', unit: 'v' } }),
      ],
    ]);
    expect(only(found).metrics.value).toMatchObject({ n: 1, mean: 9 });
    expect(only(found, 'b').metrics.value).toMatchObject({ kind: 'insufficient' });
    expect(found.health?.outcomes).toMatchObject({ joined: 1, late: 1 });
  });

  it('analyses nothing that was forced, uncovered, without a unit or of another experiment', async () => {
    const found = await summarise(plan([]), [
      [
        prediction('1'),
        prediction('2', { reason: 'forced' }),
        prediction('3', { reason: 'no-unit', unit: null }),
        prediction('4', { experiment: 'other' }),
        prediction('5', { reason: 'a reason of the future' as 'split' }),
        outcome('2'),
        outcome('4'),
      ],
    ]);
    expect(only(found)).toMatchObject({ units: 1, requests: 1 });
    expect(found.health).toMatchObject({
      predictions: 4,
      byReason: { split: 1, forced: 1, 'no-unit': 1, 'a reason of the future': 1 },
      // The outcome of the forced prediction is ours and no orphan; the other experiment's is not ours.
      outcomes: { received: 1, joined: 0, orphans: 0, late: 0 },
    });
  });

  it('completes a stream with its end', async () => {
    const found = await summarise(plan([metric('tokens', 'tokens'), metric('caller', 'caller_ms')]), [
      [
        prediction('1', { streaming: true, callerMs: null, prediction: null, captured: { tokens: 1 } }),
        {
          kind: 'prediction-end',
          timeMs: t0 + 400,
          namespace: 'default',
          predictionId: '1',
          row: 0,
          callerMs: 400,
          attempt: { variant: 'a', status: 200, latencyMs: 390, error: 'reset' },
          prediction: null,
          captured: { tokens: 42 },
        },
      ],
    ]);
    expect(only(found)).toMatchObject({
      failed: 1,
      callerFailed: 1,
      attemptMs: { mean: 390 },
      callerMs: { mean: 400 },
    });
    expect(only(found).metrics.tokens).toMatchObject({ n: 1, mean: 42 });
  });

  it('gives an outcome to the row of a batch it names, or else to all of them', async () => {
    const batch = [0, 1, 2].map((row) => prediction('b', { row, unit: 'u', prediction: 1 }));
    const named = (id: string, predictionId: string, value: number) =>
      outcome(id, { value, subject: { kind: 'prediction', predictionId } });
    const ask = plan([metric('accuracy', 'prediction == outcome.label')]);
    const one = await summarise(ask, [[...batch, named('x', 'b#1', 1), named('y', 'b#2', 0), named('z', 'b#7', 0)]]);
    expect(only(one).metrics.accuracy).toMatchObject({ kind: 'ratio', rows: 2, moments: { mean: [1, 2] } });
    expect(one.health?.outcomes).toMatchObject({ received: 3, joined: 2, orphans: 0 });
    const all = await summarise(ask, [[...batch, named('x', 'b', 1)]]);
    expect(only(all).metrics.accuracy).toMatchObject({ rows: 3, moments: { mean: [3, 3] } });
  });

  it('makes every request its own unit when requests are randomised', async () => {
    const found = await summarise(
      plan([metric('latency', 'attempt_ms')], { unit: { sources: [{ kind: 'request' }], orElse: 'control' } }),
      [[prediction('1', { unit: 'u' }), prediction('2', { unit: 'u' }), prediction('2', { unit: null, row: 1 })]],
    );
    expect(found.unit).toBe('request');
    // A batch is one request.
    expect(only(found)).toMatchObject({ units: 2, requests: 2, attemptMs: { n: 2 } });
    expect(only(found).metrics.latency).toMatchObject({ kind: 'mean', n: 2 });
  });

  it('splits by the context of the first exposure, the 20 most frequent values', async () => {
    const many = Array.from({ length: 25 }, (_, page) =>
      Array.from({ length: page < 3 ? 1 : 2 }, (__, copy) =>
        prediction(`${page}-${copy}`, { context: { page: `page ${page}`, isNew: 'true' } }),
      ),
    ).flat();
    const found = await summarise(plan([metric('latency', 'attempt_ms')], { segments: ['page', 'isNew'] }), [
      [
        ...many,
        prediction('first', { unit: 'u', context: { isNew: true }, at: 1 }),
        prediction('second', { unit: 'u', context: { isNew: false, page: 'page 3' }, at: 2 }),
      ],
    ]);
    const pages = found.segments.filter(({ segment }) => segment === 'page').map(({ value }) => value);
    expect(pages).toHaveLength(20);
    expect(pages).not.toContain('page 0');
    const isNew = found.segments.filter(({ segment }) => segment === 'isNew');
    expect(isNew.map(({ value, variants }) => [value, variants[0]?.units])).toEqual([['true', 48]]);
  });

  it('leaves out what an exclusion names, and only that', async () => {
    const found = await summarise(plan([], { exclude: ["agent == 'bot'", 'attempt_ms > 10'] }), [
      [
        prediction('1', { context: { agent: 'bot' } }),
        prediction('2', { context: { agent: 'human' } }),
        prediction('3', { context: {} }),
        prediction('4', { attempts: [{ variant: 'a', status: 200, latencyMs: 11, error: null }] }),
      ],
    ]);
    expect(only(found).units).toBe(2);
  });

  it('keeps the digits of numbers far from zero', async () => {
    const values = [1e9 + 1, 1e9 + 2, 1e9 + 3];
    const found = await summarise(plan([metric('value', 'size')]), [
      values.map((size, index) => prediction(String(index), { captured: { size } })),
    ]);
    expect(only(found).metrics.value).toEqual({ kind: 'mean', n: 3, mean: 1e9 + 2, m2: 2 });
  });

  it('takes a number beyond 1e100 for a missing value instead of failing as a whole', async () => {
    const found = await summarise(plan([metric('value', 'size * size')]), [
      [prediction('1', { captured: { size: 1e90 } }), prediction('2', { captured: { size: 3 } })],
    ]);
    expect(only(found).metrics.value).toMatchObject({ n: 1, mean: 9 });
  });

  it('counts a log without an end as an unclean shutdown, but not that of a writer alive', async () => {
    const directory = newDirectory();
    await write(directory, [[prediction('1')]]);
    const observer = createCountingObserver({ now: Date.now });
    const log = await openEvidenceLog({ directory, now: () => 0, observer });
    await log.appendDurable([prediction('2')]);
    for (const [isLive, expected] of [
      [() => false, 1],
      [(writer: string) => writer === log.status().writer, 0],
    ] as const) {
      const analytics = await openDuckdbAnalytics({ directory, isLive });
      expect((await analytics.summarise(plan([]))).health?.uncleanShutdowns).toBe(expected);
      await analytics.close();
    }
    await log.close();
  });

  it('says of an empty log that there is nothing yet, in every place', async () => {
    const found = await summarise(plan([metric('latency', 'attempt_ms')], { segments: ['page'] }), [[]]);
    expect(found).toMatchObject({ fromMs: null, toMs: null, segments: [] });
    expect(only(found)).toMatchObject({
      units: 0,
      attemptMs: { kind: 'insufficient' },
      metrics: { latency: { kind: 'insufficient', reason: 'no prediction of a has a value of latency yet' } },
      joint: null,
    });
    expect(JSON.stringify(found)).not.toContain('NaN');
  });

  it('treats names and values as data, never as SQL', async () => {
    const evil = "x'; DROP TABLE prediction; --";
    const path = `a"b'/~c`;
    const found = await summarise(
      plan([metric(evil, `exists(outcome.label) and page == "${evil.replaceAll('"', '')}"`)], {
        name: evil,
        segments: ['page', path],
      }),
      [[prediction('1', { experiment: evil, context: { page: evil, [path]: evil } }), outcome('1')]],
    );
    expect(only(found).metrics[evil]).toEqual({ kind: 'proportion', n: 1, successes: 1 });
    expect(found.segments.map(({ segment, value }) => [segment, value])).toEqual([
      ['page', evil],
      [path, evil],
    ]);
  });

  it('names the metric whose expression cannot be read', async () => {
    await expect(summarise(plan([metric('broken', '1 +')]), [[]])).rejects.toMatchObject({
      code: 'experiment-invalid',
      message: expect.stringContaining('metrics.broken is "1 +"'),
    });
  });
});

describe('taking in the log', () => {
  it('takes in each record once, also in small steps and again from a kept state', async () => {
    const directory = newDirectory();
    const stateFile = join(directory, 'state.duckdb');
    await write(directory, [[prediction('1'), prediction('2')]], 1);
    const first = await openDuckdbAnalytics({ directory, stateFile });
    expect(await first.catchUp()).toEqual({ records: 3 });
    expect(await first.catchUp()).toEqual({ records: 0 });
    await write(directory, [[prediction('3')]]);
    expect(await first.catchUp()).toEqual({ records: 2 });
    await first.close();
    const second = await openDuckdbAnalytics({ directory, stateFile });
    expect(await second.catchUp()).toEqual({ records: 0 });
    expect(only(await second.summarise(plan([]))).units).toBe(3);
    await second.close();
  });

  it('takes in a record once though its file stands there twice', async () => {
    const directory = newDirectory();
    await write(directory, [[prediction('1'), prediction('2')]], 1);
    const [writer = ''] = await readdir(join(directory, 'log'));
    const [file = ''] = await readdir(join(directory, 'log', writer));
    const copy = file.replace('.log', '-copy.log');
    await copyFile(join(directory, 'log', writer, file), join(directory, 'log', writer, copy));
    const analytics = await openDuckdbAnalytics({ directory });
    expect(await analytics.catchUp()).toEqual({ records: 3 });
    expect(only(await analytics.summarise(plan([])))).toMatchObject({ units: 2, requests: 2 });
    await analytics.close();
  });

  it('sees what a live writer has acknowledged', async () => {
    const directory = newDirectory();
    const log = await openEvidenceLog({ directory, now: () => 0, observer: createCountingObserver({ now: Date.now }) });
    const analytics = await openDuckdbAnalytics({ directory });
    for (let count = 1; count <= 5; count += 1) {
      await log.appendDurable([prediction(String(count))]);
      expect(only(await analytics.summarise(plan([]))).units).toBe(count);
    }
    await log.close();
    await analytics.close();
  });

  it('passes over kinds and fields of a later version', async () => {
    const found = await summarise(plan([]), [
      [
        { ...prediction('1'), futureField: { deep: true } } as NewRecord,
        { kind: 'from-the-future', timeMs: 0 } as unknown as NewRecord,
      ],
    ]);
    expect(only(found).units).toBe(1);
  });

  it('answers several questions asked at once', async () => {
    const directory = newDirectory();
    await write(directory, [[prediction('1')]]);
    const analytics = await openDuckdbAnalytics({ directory });
    const found = await Promise.all([
      analytics.summarise(plan([])),
      analytics.catchUp(),
      analytics.summarise(plan([])),
    ]);
    expect(found[0]).toEqual(found[2]);
    await analytics.close();
  });
});
