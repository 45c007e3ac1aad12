import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { NewRecord } from '../evidence/index.ts';
import type { Metric } from '../experiment/index.ts';
import { metric, outcome, plan, prediction, t0, write } from './analytics-records.fixture.ts';
import { openDuckdbAnalytics } from './duckdb-analytics.ts';
import { expectClose } from './expect-close.fixture.ts';

const directory = mkdtempSync(join(tmpdir(), 'assay-kept-'));
afterAll(() => rm(directory, { recursive: true, force: true }));

const metrics: readonly Metric[] = [
  metric('latency', 'attempt_ms'),
  metric('accuracy', 'prediction == outcome.label', 300),
  metric('clicked', 'exists(outcome.click)', 150),
  { name: 'slow', definition: { kind: 'quantile', expression: 'attempt_ms', q: 0.8 }, windowMs: 0 },
  {
    name: 'spent',
    definition: { kind: 'sum', expression: 'outcome.revenue' },
    windowMs: 250,
    covariate: { expression: null, beforeMs: 200 },
  },
  {
    name: 'capped',
    definition: { kind: 'mean', expression: 'default(outcome.revenue, 0)' },
    windowMs: 100,
    cap: { kind: 'quantile', upper: 0.7 },
  },
];
/** Where outcomes are of users alone, or name predictions only for `accuracy`, later predictions are added without their unit. */
const apart: readonly Metric[] = [
  metric('latency', 'attempt_ms'),
  metric('failures', 'failed'),
  metric('slow_caller', 'caller_ms > 12'),
  { name: 'slow', definition: { kind: 'quantile', expression: 'attempt_ms', q: 0.8 }, windowMs: 0 },
  {
    name: 'spent',
    definition: { kind: 'sum', expression: 'outcome.revenue' },
    windowMs: 250,
    covariate: { expression: null, beforeMs: 200 },
  },
  { name: 'bought', definition: { kind: 'proportion', expression: 'outcome.click' }, windowMs: 150 },
  {
    name: 'capped',
    definition: { kind: 'sum', expression: 'outcome.revenue' },
    windowMs: 100,
    cap: { kind: 'quantile', upper: 0.7 },
  },
  {
    name: 'capped_latency',
    definition: { kind: 'mean', expression: 'attempt_ms' },
    windowMs: 0,
    cap: { kind: 'quantile', upper: 0.9 },
  },
];
const named: readonly Metric[] = [...apart, metric('accuracy', 'prediction == outcome.label', 300)];
const onItems: readonly Metric[] = [
  metric('latency', 'attempt_ms'),
  { name: 'found', definition: { kind: 'ndcg', outcome: 'click', k: 3 }, windowMs: 200 },
];

describe('kept tables', () => {
  it('give what a full recomputation gives, whatever comes in whatever order and whenever it is asked', async () => {
    await followsHistories({ numRuns: 4 }, ({ isRequest, hasItems }) => ({
      metrics: hasItems ? onItems : metrics,
      segments: ['isNew', 'new_unit', ...(hasItems ? [] : ['days_since_exposure'])],
      ...(isRequest ? { unit: { sources: [{ kind: 'request' }], orElse: 'control' } } : {}),
    }));
  }, 120_000);

  it('give the same where later predictions are added to their units, and values per unit made again alone', async () => {
    await followsHistories({ numRuns: 6, first: everyKind.slice(0, 3), only: ofUsers }, ({ isRequest, hasItems }) => ({
      metrics: apart,
      segments: hasItems ? ['isNew', isRequest ? 'new_unit' : 'days_since_exposure'] : ['isNew'],
    }));
  }, 120_000);

  it('give the same where some outcomes name their prediction, which may come after them', async () => {
    await followsHistories({ numRuns: 6, first: everyKind, only: namedOrOfUsers }, ({ hasItems }) => ({
      metrics: named,
      segments: ['isNew', ...(hasItems ? ['days_since_exposure'] : [])],
    }));
  }, 120_000);
});

type History = ReturnType<typeof randomHistory> extends fc.Arbitrary<infer T> ? T : never;

/** What there is of the evidence decides about the tables, so a history that must not begin them anew has it all from the start. */
const everyKind: readonly NewRecord[] = [
  {
    ...{ kind: 'prediction-end', timeMs: t0, namespace: 'default', predictionId: 'elsewhere', row: 0, callerMs: 1 },
    ...{ attempt: { variant: 'a', status: 200, latencyMs: 1, error: null }, prediction: 1, captured: {} },
  },
  outcome('o90', { type: 'click', subject: { kind: 'unit', unit: 'u90' } }),
  outcome('o91', { type: 'revenue', subject: { kind: 'unit', unit: 'u90' } }),
  ...['label', 'revenue', 'click'].flatMap((type, place) => [
    outcome(`o9${2 + 2 * place}`, { type, subject: { kind: 'prediction', predictionId: 'elsewhere' } }),
    outcome(`o9${3 + 2 * place}`, { type, subject: { kind: 'request', requestId: 'elsewhere' } }),
  ]),
];

let round = 0;
/** Writes each history visit by visit, asks after each, and compares with an engine that knows nothing. */
async function followsHistories(
  {
    numRuns,
    first = [],
    only = (record) => record,
  }: {
    readonly numRuns: number;
    readonly first?: readonly NewRecord[];
    readonly only?: (record: NewRecord) => NewRecord;
  },
  planOf: (history: History) => Parameters<typeof plan>[1] & { readonly metrics: readonly Metric[] },
): Promise<void> {
  const kept = await openDuckdbAnalytics({ directory, keep: true });
  const anew = await openDuckdbAnalytics({ directory, keep: false });
  await fc.assert(
    fc.asyncProperty(randomHistory(), async (history) => {
      round += 1;
      const namespace = `run-${round}`;
      let nowMs = t0;
      for (const [visit, { records, passMs }] of history.visits.entries()) {
        nowMs += passMs;
        await write(directory, [
          [...(visit === 0 ? first : []), ...records].map(
            (record) => ({ ...(first.includes(record) ? record : only(record)), namespace }) as NewRecord,
          ),
        ]);
        const { metrics: asked, ...changes } = planOf(history);
        const question = plan(asked, {
          namespace,
          nowMs,
          sensitivity: ['exclude-mixed'],
          exclude: history.exclude ? ['attempt_ms > 60'] : [],
          ...changes,
        });
        const found = await kept.summarise(question);
        expectClose(found, await anew.summarise(question), `visit ${visit}`, 1e-12);
        expect(await kept.summarise(question)).toEqual(found);
      }
    }),
    { numRuns, interruptAfterTimeLimit: 100_000 },
  );
  await kept.close();
  await anew.close();
}

/** Every outcome is a user's, of a type that metrics per unit read. */
function ofUsers(record: NewRecord): NewRecord {
  if (record.kind !== 'outcome') return record;
  const place = Number(record.id.slice(1));
  return {
    ...record,
    type: place % 3 === 0 ? 'click' : 'revenue',
    subject: record.subject.kind === 'unit' ? record.subject : { kind: 'unit', unit: `u${(place % 7) + 1}` },
  };
}

/** What names a prediction or a request stays as it is; all else is as above. */
function namedOrOfUsers(record: NewRecord): NewRecord {
  return record.kind === 'outcome' && record.subject.kind !== 'unit' ? record : ofUsers(record);
}

/** Visits with records of any time, so that much of what comes is late, early, doubled or of the future. */
function randomHistory() {
  const id = fc.integer({ min: 0, max: 7 }).map(String);
  const at = fc.integer({ min: 0, max: 12 }).map((step) => step * 50);
  const variant = fc.constantFrom('a', 'b');
  const unit = fc.constantFrom('u1', 'u2', 'u3', 'u4', 'u5', 'u6', 'u7', null);
  const aPrediction = fc
    .record({
      id,
      at,
      unit,
      variant,
      row: fc.constantFrom(0, 0, 1),
      latencyMs: fc.integer({ min: 1, max: 80 }),
      isNew: fc.boolean(),
      reason: fc.constantFrom('split', 'split', 'split', 'forced'),
      experiment: fc.constantFrom('test', 'test', 'test', 'other'),
      value: fc.constantFrom(0, 1, null),
      items: fc.subarray(['x', 'y', 'z']),
    })
    .map((it) =>
      prediction(it.id, {
        at: it.at,
        row: it.row,
        unit: it.unit,
        assigned: it.variant,
        attempts: [{ variant: it.variant, status: 200, latencyMs: it.latencyMs, error: null }],
        context: { isNew: it.isNew },
        reason: it.reason as 'split',
        experiment: it.experiment,
        prediction: it.value,
        captured: { items: it.items.map((item) => ({ item_id: item })) },
        requestId: `r-${Number(it.id) % 5}`,
      }),
    );
  const anEnd = fc.record({ id, at, variant, error: fc.constantFrom(null, 'reset') }).map(
    (it): NewRecord => ({
      kind: 'prediction-end',
      timeMs: t0 + it.at,
      namespace: 'default',
      predictionId: it.id,
      row: 0,
      callerMs: it.at,
      attempt: { variant: it.variant, status: 200, latencyMs: it.at, error: it.error },
      prediction: 1,
      captured: {},
    }),
  );
  const subject = fc.oneof(
    id.map((predictionId) => ({ kind: 'prediction', predictionId }) as const),
    fc.tuple(id, fc.nat(1)).map(([named, row]) => ({ kind: 'prediction', predictionId: `${named}#${row}` }) as const),
    id.map((name) => ({ kind: 'request', requestId: `r-${name}` }) as const),
    fc.constantFrom('u1', 'u2', 'u3', 'u4', 'u9').map((name) => ({ kind: 'unit', unit: name }) as const),
  );
  const anOutcome = fc
    .record({
      id: fc.integer({ min: 0, max: 14 }).map((number) => `o${number}`),
      at,
      receivedAfter: at,
      type: fc.constantFrom('label', 'revenue', 'revenue', 'click'),
      value: fc.constantFrom<number | boolean>(0, 1, 2.5, true, 7),
      item: fc.constantFrom('x', 'y', undefined),
      subject,
    })
    .map((it) =>
      outcome(it.id, {
        at: it.at,
        receivedMs: t0 + it.receivedAfter,
        type: it.type,
        value: it.value,
        subject: it.subject,
        attributes: it.item === undefined ? {} : { item_id: it.item },
      }),
    );
  const visit = fc.record({
    records: fc.array(
      fc.oneof(
        { weight: 4, arbitrary: aPrediction },
        { weight: 1, arbitrary: anEnd },
        { weight: 4, arbitrary: anOutcome },
      ),
      { maxLength: 9 },
    ),
    passMs: fc.integer({ min: 0, max: 8 }).map((step) => step * 25),
  });
  return fc.record({
    visits: fc.array(visit, { minLength: 3, maxLength: 5 }),
    isRequest: fc.boolean(),
    hasItems: fc.boolean(),
    exclude: fc.boolean(),
  });
}
