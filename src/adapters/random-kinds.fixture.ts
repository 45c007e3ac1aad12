// Random small logs for the metric kinds, whose windows are days, and what is asked of them.
import fc from 'fast-check';
import type { AnalysisPlan, NewRecord } from '../evidence/index.ts';
import { outcome, type Prediction, plan, prediction, t0 } from './analytics-records.fixture.ts';
import { kinds, stepMs } from './naive-kinds.fixture.ts';

/** A log by writer, and when it is asked. */
export interface RandomKinds {
  readonly lists: readonly (readonly NewRecord[])[];
  readonly nowMs: number;
}

/** The question: every metric kind, over three allocations and the built-in segments. */
export function randomKindsPlan(namespace: string, { nowMs }: RandomKinds): AnalysisPlan {
  return {
    ...plan(kinds, {
      namespace,
      nowMs,
      segments: ['new_unit', 'first_seen', 'days_since_exposure'],
      sensitivity: ['exclude-mixed'],
    }),
    epochs: [
      { epoch: 1, shares: { a: 0.5, b: 0.5 } },
      { epoch: 2, shares: { a: 0.2, b: 0.8 } },
      { epoch: 3, shares: { a: 0.5, b: 0.5 } },
    ],
  };
}

/** Small logs with items, corrections, early history and three allocations. */
export function randomKinds(): fc.Arbitrary<RandomKinds> {
  const id = fc.integer({ min: 0, max: 7 }).map(String);
  const variant = fc.constantFrom('a', 'b');
  const value = fc.constantFrom<number | string | boolean>(0, 1, 2.5, 4, 'x', true, false);
  const item = fc.record({ item_id: fc.constantFrom('i1', 'i2', 'i3'), hot: fc.boolean() });
  const anyPrediction = fc
    .record({
      id,
      step: fc.oneof(
        { weight: 4, arbitrary: fc.integer({ min: 0, max: 6 }) },
        { weight: 1, arbitrary: fc.integer({ min: 7, max: 20 }) },
      ),
      unit: fc.constantFrom('u1', 'u2', 'u3', 'u4', 'u5', null),
      assigned: variant,
      latencyMs: fc.integer({ min: 1, max: 80 }),
      prediction: value,
      past: fc.constantFrom(0, 1, 2, 3, undefined),
      epoch: fc.constantFrom(1, 2, 3),
      confidence: fc.constantFrom(0, 0.2, 0.25, 0.6, 1, undefined),
      items: fc.option(fc.uniqueArray(item, { selector: (each) => each.item_id, maxLength: 3 }), { nil: undefined }),
    })
    .map(
      (it): Prediction =>
        prediction(it.id, {
          at: it.step * stepMs,
          unit: it.unit,
          assigned: it.assigned,
          epoch: it.epoch,
          attempts: [{ variant: it.assigned, status: 200, latencyMs: it.latencyMs, error: null }],
          prediction: it.prediction,
          context: it.past === undefined ? {} : { past: it.past },
          captured: {
            ...(it.confidence === undefined ? {} : { confidence: it.confidence }),
            ...(it.items === undefined ? {} : { items: it.items }),
          },
          requestId: `r-${Number(it.id) % 5}`,
        }),
    );
  const earlier = fc
    .record({ id, step: fc.integer({ min: -40, max: -1 }), unit: fc.constantFrom('u1', 'u2', 'u3') })
    .map((it): NewRecord => prediction(it.id, { at: it.step * stepMs, unit: it.unit, experiment: 'other' }));
  const subject = fc.oneof(
    id.map((predictionId) => ({ kind: 'prediction', predictionId }) as const),
    id.map((name) => ({ kind: 'request', requestId: `r-${name}` }) as const),
    fc.constantFrom('u1', 'u2', 'u3', 'u9').map((unit) => ({ kind: 'unit', unit }) as const),
    fc.constantFrom('u1', 'u2', 'u3', 'u4').map((unit) => ({ kind: 'unit', unit }) as const),
  );
  const anyOutcome = fc
    .record({
      id: fc.integer({ min: 0, max: 20 }).map((number) => `o${number}`),
      step: fc.integer({ min: -5, max: 16 }),
      type: fc.constantFrom('label', 'revenue', 'revenue', 'click', 'click', 'click'),
      value,
      subject,
      itemId: fc.constantFrom('i1', 'i2', 'i3', undefined),
      good: fc.constantFrom(0, 1, 'yes', undefined),
    })
    .map((it) =>
      outcome(it.id, {
        at: it.step * stepMs,
        type: it.type,
        value: it.value,
        subject: it.subject,
        attributes: {
          ...(it.itemId === undefined ? {} : { item_id: it.itemId }),
          ...(it.good === undefined ? {} : { good: it.good }),
        },
      }),
    );
  return fc
    .record({
      predictions: fc.array(anyPrediction, { minLength: 6, maxLength: 20 }),
      earlier: fc.array(earlier, { maxLength: 3 }),
      outcomes: fc.array(anyOutcome, { minLength: 6, maxLength: 24 }),
      order: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 47, maxLength: 47 }),
      cut: fc.integer({ min: 0, max: 47 }),
      nowMs: fc.integer({ min: 5, max: 30 }).map((step) => t0 + step * stepMs),
    })
    .map(({ predictions, earlier: others, outcomes, order, cut, nowMs }) => {
      const shuffled = [...predictions, ...others, ...outcomes]
        .map((record, index) => ({ record, key: order[index] ?? 0 }))
        .sort((x, y) => x.key - y.key)
        .map(({ record }) => record);
      return { nowMs, lists: [shuffled.slice(0, cut), shuffled.slice(cut)] };
    });
}
