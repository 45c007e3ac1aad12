// Random small logs for the contract of analytics, and what is asked of them.
import fc from 'fast-check';
import type { AnalysisPlan, NewRecord } from '../evidence/index.ts';
import { metric, outcome, type Prediction, plan, prediction, t0 } from './analytics-records.fixture.ts';

/** A log by writer, and how it is asked. */
export interface RandomLog {
  readonly lists: readonly (readonly NewRecord[])[];
  readonly nowMs: number;
  readonly isRequest: boolean;
  readonly exclude: boolean;
}

/** The question: every form of mean and quantile that `summariseNaively` knows. */
export function randomLogPlan(namespace: string, { nowMs, isRequest, exclude }: RandomLog): AnalysisPlan {
  return plan(
    [
      metric('latency', 'attempt_ms'),
      metric('accuracy', 'prediction == outcome.label', 300),
      metric('clicked', 'exists(outcome.click)', 150),
      metric('revenue', 'default(outcome.revenue, 0) + failed', 300),
      { name: 'slow', definition: { kind: 'quantile', expression: 'attempt_ms', q: 0.8 }, windowMs: 0 },
      { name: 'paid', definition: { kind: 'quantile', expression: 'outcome.revenue', q: 0.5 }, windowMs: 300 },
    ],
    {
      namespace,
      nowMs,
      segments: ['isNew'],
      exclude: exclude ? ['attempt_ms > 60'] : [],
      ...(isRequest ? { unit: { sources: [{ kind: 'request' }], orElse: 'control' } } : {}),
    },
  );
}

/** Small logs with everything that goes wrong: any order, ties, duplicates, orphans, late and early outcomes, streams. */
export function randomLog(): fc.Arbitrary<RandomLog> {
  const id = fc.integer({ min: 0, max: 5 }).map(String);
  // A coarse clock, so that ties and the very ends of windows happen.
  const at = fc.integer({ min: 0, max: 8 }).map((step) => step * 50);
  const variant = fc.constantFrom('a', 'b');
  const value = fc.constantFrom<number | string | boolean>(0, 1, 2.5, 'x', true, false);
  const anyPrediction = fc
    .record({
      id,
      at,
      row: fc.constantFrom(0, 0, 0, 1),
      unit: fc.constantFrom('u1', 'u2', 'u3', 'u4', null),
      assigned: variant,
      fallback: fc.boolean(),
      error: fc.constantFrom(null, null, null, 'status', 'aborted'),
      latencyMs: fc.integer({ min: 1, max: 80 }),
      reason: fc.constantFrom('split', 'split', 'split', 'split', 'forced'),
      prediction: fc.oneof(value, fc.constant(null)),
      isNew: fc.constantFrom('true', 'false', true, undefined),
      experiment: fc.constantFrom('test', 'test', 'test', 'test', 'other'),
      status: fc.constantFrom(200, 500, null),
    })
    .map(
      (it): Prediction =>
        prediction(it.id, {
          at: it.at,
          row: it.row,
          unit: it.unit,
          assigned: it.assigned,
          served: it.fallback ? 'a' : it.assigned,
          attempts: [{ variant: it.assigned, status: 200, latencyMs: it.latencyMs, error: it.error }],
          reason: it.reason as 'split',
          prediction: it.prediction,
          context: it.isNew === undefined ? {} : { isNew: it.isNew },
          experiment: it.experiment,
          status: it.status,
          requestId: `r-${Number(it.id) % 5}`,
        }),
    );
  const anyEnd = fc
    .record({ id, at, variant, error: fc.constantFrom(null, 'reset'), prediction: fc.constantFrom(null, 1) })
    .map(
      (it): NewRecord => ({
        kind: 'prediction-end',
        timeMs: t0 + it.at,
        namespace: 'default',
        predictionId: it.id,
        row: 0,
        callerMs: it.at,
        attempt: { variant: it.variant, status: 200, latencyMs: it.at, error: it.error },
        prediction: it.prediction,
        captured: {},
      }),
    );
  const subject = fc.oneof(
    id.map((predictionId) => ({ kind: 'prediction', predictionId }) as const),
    fc.tuple(id, fc.nat(1)).map(([named, row]) => ({ kind: 'prediction', predictionId: `${named}#${row}` }) as const),
    id.map((name) => ({ kind: 'request', requestId: `r-${name}` }) as const),
    fc.constantFrom('u1', 'u2', 'u9').map((unit) => ({ kind: 'unit', unit }) as const),
  );
  const anyOutcome = fc
    .record({
      id: fc.integer({ min: 0, max: 11 }).map((number) => `o${number}`),
      at: fc.oneof(
        { weight: 9, arbitrary: fc.integer({ min: -1, max: 14 }).map((step) => step * 50) },
        { weight: 1, arbitrary: fc.constantFrom(-300_000, -299_800, -400_000) },
      ),
      receivedAfter: fc.integer({ min: 0, max: 12 }).map((step) => step * 50),
      type: fc.constantFrom('label', 'label', 'revenue', 'revenue', 'click', 'other'),
      value,
      subject,
    })
    .map((it) =>
      outcome(it.id, {
        at: it.at,
        receivedMs: t0 + it.receivedAfter,
        type: it.type,
        value: it.value,
        subject: it.subject,
      }),
    );
  return fc
    .record({
      predictions: fc.array(anyPrediction, { minLength: 3, maxLength: 14 }),
      ends: fc.array(anyEnd, { maxLength: 3 }),
      outcomes: fc.array(anyOutcome, { minLength: 4, maxLength: 16 }),
      order: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 33, maxLength: 33 }),
      cut: fc.integer({ min: 0, max: 33 }),
      nowMs: fc.integer({ min: 4, max: 20 }).map((step) => t0 + step * 50),
      isRequest: fc.boolean(),
      exclude: fc.boolean(),
    })
    .map(({ predictions, ends, outcomes, order, cut, ...rest }) => {
      const shuffled = [...predictions, ...ends, ...outcomes]
        .map((record, index) => ({ record, key: order[index] ?? 0 }))
        .sort((x, y) => x.key - y.key)
        .map(({ record }) => record);
      return { ...rest, lists: [shuffled.slice(0, cut), shuffled.slice(cut)] };
    });
}
