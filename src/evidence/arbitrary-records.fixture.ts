// Records of any content, for properties that must hold whatever stands in them.
import fc from 'fast-check';
import type { Attempt, MirrorRecord, PredictionRecord } from './record.ts';

/** What the records are made of; types narrower than these are not kept to. */
export interface RecordParts {
  readonly text: fc.Arbitrary<string>;
  readonly number: fc.Arbitrary<number>;
  readonly scalar: fc.Arbitrary<string | number | boolean>;
  /** Prediction and request ids of predictions. */
  readonly id: fc.Arbitrary<string>;
  readonly context: fc.Arbitrary<object>;
  readonly captured: fc.Arbitrary<object>;
}

/** Records, and the pieces of them that other kinds have too. */
export interface ArbitraryRecords {
  readonly attempt: fc.Arbitrary<Attempt>;
  readonly reply: {
    readonly prediction: fc.Arbitrary<string | number | boolean | null>;
    readonly captured: fc.Arbitrary<object>;
  };
  readonly prediction: fc.Arbitrary<PredictionRecord>;
  readonly mirror: fc.Arbitrary<MirrorRecord>;
}

/** Predictions and copies of these parts. */
export function arbitraryRecords(parts: RecordParts): ArbitraryRecords {
  const { text, number, scalar, id, context, captured } = parts;
  const attempt = fc.record({
    variant: text,
    status: fc.option(number),
    latencyMs: number,
    error: fc.option(text),
  });
  const reply = { prediction: fc.option(scalar), captured };
  const prediction = fc.record({
    kind: fc.constant('prediction'),
    timeMs: number,
    namespace: text,
    experiment: text,
    revision: number,
    epoch: number,
    predictionId: id,
    requestId: id,
    row: number,
    unit: fc.option(text),
    assigned: text,
    served: fc.option(text),
    reason: text,
    propensity: number,
    attempts: fc.array(attempt, { maxLength: 3 }),
    context,
    ...reply,
    status: fc.option(number),
    callerMs: fc.option(number),
    streaming: fc.boolean(),
  }) as fc.Arbitrary<unknown> as fc.Arbitrary<PredictionRecord>;
  const mirror = fc.record({
    kind: fc.constant('mirror'),
    timeMs: number,
    namespace: text,
    experiment: text,
    predictionId: text,
    row: number,
    attempt,
    ...reply,
  }) as fc.Arbitrary<unknown> as fc.Arbitrary<MirrorRecord>;
  return { attempt, reply, prediction, mirror };
}
