import { afterAll, describe, expect, it } from 'vitest';
import type { NewRecord } from '../evidence/index.ts';
import { prediction, t0 } from './analytics-records.fixture.ts';
import { type DetailAnswer, type DetailQuestion, forgetDetail, readDetail } from './evidence-detail.ts';
import { eraseUnit } from './evidence-store/erase-unit.ts';
import { sealLogs } from './evidence-store/seal-logs.ts';
import { newDirectory, openLog, removeDirectories, writeLog } from './evidence-store/store-directory.fixture.ts';

const asked: string[] = [];
afterAll(async () => {
  for (const directory of asked) await forgetDetail(directory);
  await removeDirectories();
});

const hourMs = 3_600_000;

/** Two hours of two variants: one unit comes back, one attempt fails, one candidate is answered by the control, one is forced. */
const records: readonly NewRecord[] = [
  prediction('1', { assigned: 'a', unit: 'u1', attempts: [{ variant: 'a', status: 200, latencyMs: 10, error: null }] }),
  prediction('2', {
    assigned: 'b',
    unit: 'u2',
    at: 1_000,
    attempts: [{ variant: 'b', status: 200, latencyMs: 20, error: null }],
  }),
  prediction('3', {
    assigned: 'b',
    unit: 'u2',
    at: hourMs + 1_000,
    attempts: [{ variant: 'b', status: 200, latencyMs: 40, error: null }],
  }),
  prediction('4', {
    assigned: 'b',
    served: 'a',
    unit: 'u3',
    at: hourMs + 2_000,
    attempts: [
      { variant: 'b', status: null, latencyMs: 500, error: 'timeout' },
      { variant: 'a', status: 200, latencyMs: 9, error: null },
    ],
  }),
  prediction('5', {
    assigned: 'a',
    unit: 'u4',
    at: hourMs + 3_000,
    status: null,
    attempts: [{ variant: 'a', status: null, latencyMs: 7, error: 'aborted' }],
  }),
  prediction('6', { assigned: 'b', unit: 'u5', reason: 'forced', at: hourMs + 4_000 }),
  prediction('7', { experiment: 'other', unit: 'u6' }),
  mirror('1', 1),
  mirror('2', 0),
  {
    ...mirror('4', 1),
    prediction: null,
    attempt: { variant: 'm', status: null, latencyMs: 5, error: 'connect' },
  } as NewRecord,
];

function mirror(id: string, value: number): Extract<NewRecord, { kind: 'mirror' }> {
  return {
    kind: 'mirror',
    timeMs: t0,
    namespace: 'default',
    experiment: 'test',
    predictionId: id,
    row: 0,
    attempt: { variant: 'm', status: 200, latencyMs: 3, error: null },
    prediction: value,
    captured: {},
  };
}

function ask(directory: string, part: DetailQuestion['part'], byRequest = false): Promise<DetailAnswer> {
  asked.push(directory);
  return readDetail({ directory, namespace: 'default', experiment: 'test', byRequest, part });
}

const parts: readonly DetailQuestion['part'][] = [
  { kind: 'now', sinceMs: t0 + hourMs },
  { kind: 'arrivals', everyMs: hourMs },
  { kind: 'cells', everyMs: hourMs, segments: ['page', 'isNew'] },
  { kind: 'latency', quantiles: [0, 0.5, 1] },
  { kind: 'served' },
];

/** All answers. */
async function all(directory: string): Promise<readonly DetailAnswer[]> {
  const answers: DetailAnswer[] = [];
  for (const part of parts) answers.push(await ask(directory, part));
  return answers;
}

describe('the pictures of an experiment', { timeout: 60_000 }, () => {
  it('are drawn from every record once: before it is sealed, after it, and half of each', async () => {
    const directory = newDirectory();
    await writeLog(directory, records.slice(0, 5));
    await writeLog(directory, records.slice(5));
    const fresh = await all(directory);
    await sealLogs({ directory, nowMs: t0 });
    expect(await all(directory)).toEqual(fresh);
    await forgetDetail(directory);
    expect(await all(directory)).toEqual(fresh);
    await writeLog(directory, [prediction('8', { assigned: 'a', unit: 'u8', at: hourMs + 5_000 })]);
    const { variants } = await ask(directory, { kind: 'now', sinceMs: t0 + hourMs });
    expect(variants?.find(({ variant }) => variant === 'a')?.requests).toBe(2);
  });

  it('say what happened since a moment, forced ones apart', async () => {
    const directory = newDirectory();
    await writeLog(directory, records);
    const { variants } = await ask(directory, { kind: 'now', sinceMs: t0 + hourMs });
    expect(variants).toEqual([
      {
        variant: 'a',
        requests: 1,
        failed: 0,
        attempts: 1,
        caller_failed: 0,
        fallback: 0,
        last_ms: t0 + hourMs + 3_000,
        p50: 7,
        p95: 7,
      },
      {
        variant: 'b',
        requests: 2,
        failed: 1,
        attempts: 2,
        caller_failed: 0,
        fallback: 1,
        last_ms: t0 + hourMs + 2_000,
        p50: 270,
        p95: 477,
      },
    ]);
  });

  it('count a unit in the hour and the variant of its first exposure', async () => {
    const directory = newDirectory();
    await writeLog(directory, records);
    const begin = Math.floor(t0 / hourMs) * hourMs;
    const { units } = await ask(directory, { kind: 'arrivals', everyMs: hourMs });
    expect(units).toEqual([
      { at_ms: begin, epoch: 1, variant: 'a', units: 1 },
      { at_ms: begin, epoch: 1, variant: 'b', units: 1 },
      { at_ms: begin + hourMs, epoch: 1, variant: 'a', units: 1 },
      { at_ms: begin + hourMs, epoch: 1, variant: 'b', units: 1 },
    ]);
    const byRequest = await ask(directory, { kind: 'arrivals', everyMs: hourMs }, true);
    expect(byRequest.units?.reduce((sum, row) => sum + Number(row.units), 0)).toBe(5);
  });

  it('count units by hour, revision and the declared context of their first exposure', async () => {
    const directory = newDirectory();
    await writeLog(directory, [
      prediction('1', { assigned: 'a', unit: 'u1', context: { page: 'home', isNew: true } }),
      prediction('2', { assigned: 'b', unit: 'u2', at: 1_000, context: { page: 'home' } }),
      // Comes back elsewhere, under a later revision: its first exposure counts.
      prediction('3', { assigned: 'b', unit: 'u2', at: 2_000, revision: 2, context: { page: 'cart' } }),
      prediction('4', { assigned: 'b', unit: 'u3', at: hourMs + 2_000, revision: 2, context: { page: "it's" } }),
    ]);
    const { units } = await ask(directory, { kind: 'cells', everyMs: hourMs, segments: ['page', 'isNew'] });
    const begin = Math.floor(t0 / hourMs) * hourMs;
    const first = { at_ms: begin, epoch: 1, revision: 1, units: 1 };
    const later = { at_ms: begin + hourMs, epoch: 1, revision: 2, variant: 'b', units: 1 };
    expect(units).toHaveLength(9);
    expect(units).toEqual(
      expect.arrayContaining([
        { ...first, variant: 'a', segment: '', value: '' },
        { ...first, variant: 'b', segment: '', value: '' },
        { ...later, segment: '', value: '' },
        { ...first, variant: 'a', segment: 'page', value: 'home' },
        { ...first, variant: 'b', segment: 'page', value: 'home' },
        { ...later, segment: 'page', value: "it's" },
        { ...first, variant: 'a', segment: 'isNew', value: 'true' },
        { ...first, variant: 'b', segment: 'isNew', value: '(missing)' },
        { ...later, segment: 'isNew', value: '(missing)' },
      ]),
    );
  });

  it('tell who answered whom and why, and how often the mirror agreed', async () => {
    const directory = newDirectory();
    await writeLog(directory, records);
    const { cells, reasons, assignments, mirror: mirrored } = await ask(directory, { kind: 'served' });
    expect(cells).toContainEqual({ assigned: 'b', served: 'a', predictions: 1 });
    expect(reasons).toEqual([{ assigned: 'b', reason: 'timeout', predictions: 1 }]);
    expect(assignments).toEqual([
      { reason: 'split', predictions: 5 },
      { reason: 'forced', predictions: 1 },
    ]);
    expect(mirrored).toEqual([{ variant: 'm', sent: 3, failed: 1, compared: 2, agreed: 1 }]);
  });

  it('follow a log that is being written', async () => {
    const directory = newDirectory();
    const log = await openLog(directory);
    const requests = async (): Promise<number> => {
      const { assignments } = await ask(directory, { kind: 'served' });
      return (assignments ?? []).reduce((sum, row) => sum + Number(row.predictions), 0);
    };
    expect(await requests()).toBe(0);
    await log.appendDurable(records.slice(0, 2));
    expect(await requests()).toBe(2);
    await log.appendDurable(records.slice(2, 4));
    expect(await requests()).toBe(4);
    await log.close();
  });

  it('forget who was erased', async () => {
    const directory = newDirectory();
    await writeLog(directory, [
      prediction('1', { unit: '00000000000000aa' }),
      prediction('2', { unit: '00000000000000bb' }),
    ]);
    expect((await ask(directory, { kind: 'arrivals', everyMs: hourMs })).units?.[0]?.units).toBe(2);
    await sealLogs({ directory, nowMs: t0 });
    await eraseUnit({ directory, unit: '00000000000000aa', nowMs: t0 });
    expect((await ask(directory, { kind: 'arrivals', everyMs: hourMs })).units?.[0]?.units).toBe(1);
  });

  it('are empty where nothing happened', async () => {
    expect(await ask(newDirectory(), { kind: 'served' })).toEqual({
      cells: [],
      reasons: [],
      assignments: [],
      mirror: [],
    });
  });
});
