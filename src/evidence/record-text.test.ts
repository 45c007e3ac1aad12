import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MirrorRecord, PredictionRecord } from './record.ts';
import { mirrorText, predictionText } from './record-text.ts';

const text = fc.string({
  unit: fc.oneof(fc.constantFrom('"', '\\', '\n', '\u2028', '\ud800', '\u007f', 'é'), fc.string()),
});
const number = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(-0, 1e21, 1e-7, Number.NaN, Number.POSITIVE_INFINITY),
);
const scalar = fc.oneof(text, number, fc.boolean());
const orNull = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { nil: null });
const attempt = fc.record({ variant: text, status: orNull(number), latencyMs: number, error: orNull(text) });
const captured = fc.dictionary(text, fc.jsonValue());
const prediction: fc.Arbitrary<PredictionRecord> = fc.record({
  kind: fc.constant('prediction'),
  timeMs: number,
  namespace: text,
  experiment: text,
  revision: number,
  epoch: number,
  predictionId: text,
  requestId: text,
  row: number,
  unit: orNull(text),
  assigned: text,
  served: orNull(text),
  reason: text as fc.Arbitrary<PredictionRecord['reason']>,
  propensity: number,
  attempts: fc.array(attempt, { maxLength: 3 }),
  context: fc.dictionary(text, scalar),
  prediction: orNull(scalar),
  captured: captured as fc.Arbitrary<PredictionRecord['captured']>,
  status: orNull(number),
  callerMs: orNull(number),
  streaming: fc.boolean(),
});
const mirror: fc.Arbitrary<MirrorRecord> = fc.record({
  kind: fc.constant('mirror'),
  timeMs: number,
  namespace: text,
  experiment: text,
  predictionId: text,
  row: number,
  attempt,
  prediction: orNull(scalar),
  captured: captured as fc.Arbitrary<MirrorRecord['captured']>,
});

// JSON.stringify is the reference: whatever stands in a record, the line is the one it would write.
describe('records written by hand', () => {
  it('are predictions as JSON.stringify writes them, byte for byte', () => {
    fc.assert(
      fc.property(prediction, (record) => {
        expect(`{${predictionText(record)}`).toBe(JSON.stringify(record));
      }),
      { numRuns: 2000, seed: 20261122 },
    );
  });

  it('are copies as JSON.stringify writes them, byte for byte', () => {
    fc.assert(
      fc.property(mirror, (record) => {
        expect(`{${mirrorText(record)}`).toBe(JSON.stringify(record));
      }),
      { numRuns: 1000, seed: 20261122 },
    );
  });
});
