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
const onItems: readonly Metric[] = [
  metric('latency', 'attempt_ms'),
  { name: 'found', definition: { kind: 'ndcg', outcome: 'click', k: 3 }, windowMs: 200 },
];

describe('kept tables', () => {
  it('give what a full recomputation gives, whatever comes in whatever order and whenever it is asked', async () => {
    const kept = await openDuckdbAnalytics({ directory, keep: true });
    const anew = await openDuckdbAnalytics({ directory, keep: false });
    let round = 0;
    await fc.assert(
      fc.asyncProperty(randomHistory(), async ({ visits, isRequest, hasItems, exclude }) => {
        round += 1;
        const namespace = `run-${round}`;
        let nowMs = t0;
        for (const [visit, { records, passMs }] of visits.entries()) {
          nowMs += passMs;
          await write(directory, [records.map((record) => ({ ...record, namespace }) as NewRecord)]);
          const asked = plan(hasItems ? onItems : metrics, {
            namespace,
            nowMs,
            segments: ['isNew', 'new_unit', ...(hasItems ? [] : ['days_since_exposure'])],
            sensitivity: ['exclude-mixed'],
            exclude: exclude ? ['attempt_ms > 60'] : [],
            ...(isRequest ? { unit: { sources: [{ kind: 'request' }], orElse: 'control' } } : {}),
          });
          const found = await kept.summarise(asked);
          expectClose(found, await anew.summarise(asked), `visit ${visit}`, 1e-12);
          expect(await kept.summarise(asked)).toEqual(found);
        }
      }),
      { numRuns: 6, interruptAfterTimeLimit: 100_000 },
    );
    await kept.close();
    await anew.close();
  }, 120_000);
});

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
      { maxLength: 7 },
    ),
    passMs: fc.integer({ min: 0, max: 8 }).map((step) => step * 25),
  });
  return fc.record({
    visits: fc.array(visit, { minLength: 2, maxLength: 5 }),
    isRequest: fc.boolean(),
    hasItems: fc.boolean(),
    exclude: fc.boolean(),
  });
}
