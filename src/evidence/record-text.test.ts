import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryRecords } from './arbitrary-records.fixture.ts';
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
const { prediction, mirror } = arbitraryRecords({
  text,
  number,
  scalar,
  id: text,
  context: fc.dictionary(text, scalar),
  captured: fc.dictionary(text, fc.jsonValue()),
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
