import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLiveTally, latencyBoundsMs, mergeTallies } from './live-tally.ts';
import type { Attempt, PredictionRecord } from './record.ts';

const attempt = (more: Partial<Attempt> = {}): Attempt => ({
  variant: 'new',
  status: 200,
  latencyMs: 20,
  error: null,
  ...more,
});

const prediction = (more: Partial<PredictionRecord> = {}): PredictionRecord => ({
  kind: 'prediction',
  timeMs: 1e12,
  namespace: 'default',
  experiment: 'e',
  revision: 1,
  epoch: 1,
  predictionId: 'p',
  requestId: 'r',
  row: 0,
  unit: null,
  assigned: 'new',
  served: 'new',
  reason: 'split',
  propensity: 0.5,
  attempts: [attempt()],
  context: {},
  prediction: null,
  captured: {},
  status: 200,
  callerMs: 21,
  streaming: false,
  ...more,
});

describe('a live tally', () => {
  it('counts requests, failures that fallback hid, and what callers saw, apart', () => {
    const tally = createLiveTally();
    tally.add(prediction());
    tally.add(
      prediction({
        served: 'old',
        attempts: [attempt({ error: 'timeout', status: null, latencyMs: 500 }), attempt({ variant: 'old' })],
      }),
    );
    tally.add(prediction({ served: null, status: 502, attempts: [attempt({ error: 'connect', status: null })] }));
    tally.add(prediction({ status: null, attempts: [attempt({ error: 'aborted' })] }));
    const [cell, ...others] = tally.take();
    expect(others).toEqual([]);
    expect(cell).toMatchObject({ variant: 'new', requests: 4, failed: 2, callerFailed: 1, fallback: 1, aborted: 1 });
    expect(cell?.attemptMs.n).toBe(3);
    expect(cell?.attemptMs.sumMs).toBe(540);
    expect(cell?.callerMs.n).toBe(4);
    expect(tally.take()).toEqual([]);
  });

  it('keeps what the split did not decide apart, and epochs apart', () => {
    const tally = createLiveTally();
    tally.add(prediction());
    tally.add(prediction({ reason: 'forced' }));
    tally.add(prediction({ epoch: 2 }));
    expect(tally.take().map(({ epoch, analysed, requests }) => [epoch, analysed, requests])).toEqual([
      [1, true, 1],
      [1, false, 1],
      [2, true, 1],
    ]);
  });

  it('counts a batched request once', () => {
    const tally = createLiveTally();
    for (const row of [0, 1, 2]) tally.add(prediction({ row }));
    expect(tally.take()[0]?.requests).toBe(1);
  });

  it('counts a streamed reply when it begins and its latency and failure when it ends, in whichever span that is', () => {
    const tally = createLiveTally();
    tally.add(prediction({ streaming: true, callerMs: null }));
    expect(tally.take()[0]).toMatchObject({ requests: 1, failed: 0, attemptMs: { n: 0 } });
    tally.add({
      kind: 'prediction-end',
      timeMs: 1e12,
      namespace: 'default',
      predictionId: 'p',
      row: 0,
      callerMs: 900,
      attempt: attempt({ error: 'reset', latencyMs: 890 }),
      prediction: null,
      captured: {},
    });
    expect(tally.take()[0]).toMatchObject({ requests: 0, failed: 1, callerFailed: 1, callerMs: { n: 1, sumMs: 900 } });
  });

  it('puts a latency into the bucket whose bound it does not exceed', () => {
    const tally = createLiveTally();
    for (const callerMs of [50, 50.1, 200, 1e9]) tally.add(prediction({ callerMs }));
    const within = tally.take()[0]!.callerMs.within;
    const at = (bound: number): number => within[latencyBoundsMs.indexOf(bound)]!;
    expect([at(50), at(75), at(200), within.at(-1)]).toEqual([1, 1, 1, 1]);
  });

  it('gives the same numbers from one span as from any cut into spans merged in any order', () => {
    const records = fc.array(
      fc.record({
        epoch: fc.integer({ min: 1, max: 2 }),
        assigned: fc.constantFrom('old', 'new'),
        callerMs: fc.integer({ min: 0, max: 100_000 }),
        cut: fc.boolean(),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(records, (list) => {
        const whole = createLiveTally();
        const pieces = createLiveTally();
        const taken = [];
        for (const { cut, ...more } of list) {
          whole.add(prediction(more));
          pieces.add(prediction(more));
          if (cut) taken.unshift(...pieces.take());
        }
        taken.unshift(...pieces.take());
        const sorted = (tallies: Iterable<{ epoch: number; variant: string }>) =>
          [...tallies].sort((a, b) => a.epoch - b.epoch || (a.variant < b.variant ? -1 : 1));
        expect(sorted(mergeTallies(taken))).toEqual(sorted(whole.take()));
      }),
    );
  });
});
