import { describe, expect, it } from 'vitest';
import type { LogRecord, NewRecord } from './record.ts';
import { decodeRecord, encodeRecord } from './record-codec.ts';

const attempt = { variant: 'a', status: 200, latencyMs: 1.5, error: null };
const envelope = { v: 1, writer: 'w', sequence: 1 } as const;
const reply = { prediction: 'up', captured: { items: [1, { id: 'x' }] } };
const records: readonly LogRecord[] = [
  {
    ...envelope,
    kind: 'prediction',
    timeMs: 1,
    namespace: 'n',
    experiment: 'e',
    revision: 1,
    epoch: 1,
    predictionId: 'p',
    requestId: 'r',
    row: 0,
    unit: null,
    assigned: 'a',
    served: null,
    reason: 'split',
    propensity: 0.5,
    attempts: [attempt, { ...attempt, status: null, error: 'timeout' }],
    context: { isNew: true },
    ...reply,
    status: null,
    callerMs: null,
    streaming: false,
  },
  {
    ...envelope,
    kind: 'prediction-end',
    timeMs: 1,
    namespace: 'n',
    predictionId: 'p',
    row: 0,
    callerMs: 2,
    attempt,
    ...reply,
  },
  {
    ...envelope,
    kind: 'mirror',
    timeMs: 1,
    namespace: 'n',
    experiment: 'e',
    predictionId: 'p',
    row: 0,
    attempt,
    ...reply,
  },
  {
    ...envelope,
    kind: 'outcome',
    id: 'o',
    timeMs: 1,
    receivedMs: 2,
    namespace: 'n',
    type: 't',
    value: false,
    subject: { kind: 'unit', unit: '00ff' },
    attributes: {},
  },
  { ...envelope, kind: 'writer-end', timeMs: 1 },
];

describe('the record codec', () => {
  it.each(records.map((record) => [record.kind, record] as const))('gives a %s back as it was', (_, record) => {
    const { v, writer, sequence, ...fields } = record;
    const line = encodeRecord(fields as NewRecord, { v, writer, sequence });
    expect(line).not.toContain('\n');
    expect(decodeRecord(JSON.parse(line))).toEqual({ kind: 'record', record });
  });

  it.each(records.map((record) => [record.kind, record] as const))('refuses a %s that lacks any field', (_, record) => {
    for (const name of Object.keys(record)) {
      const { [name]: __, ...rest } = record as unknown as Record<string, unknown>;
      const decoded = decodeRecord(rest);
      expect(decoded.kind, name).toBe(name === 'v' ? 'unknown' : 'invalid');
    }
  });

  it('lets fields of a later version pass untouched', () => {
    const later = { ...records[4], addedIn: { version: '0.9' } };
    expect(decodeRecord(later)).toEqual({ kind: 'record', record: later });
  });

  it('knows the place of a record whose kind or version it does not know', () => {
    const unknown = { kind: 'unknown', writer: 'w', sequence: 1 };
    expect(decodeRecord({ ...envelope, kind: 'dream' })).toEqual({ ...unknown, recordKind: 'dream' });
    expect(decodeRecord({ ...records[4], v: 2 })).toEqual({ ...unknown, recordKind: 'writer-end' });
    expect(decodeRecord({ ...envelope, kind: 'toString' })).toEqual({ ...unknown, recordKind: 'toString' });
  });

  it.each([
    [null, 'record is null, must be an object'],
    [{ ...envelope, kind: 'writer-end', sequence: 0 }, 'sequence is 0, must be an integer >= 1'],
    [{ ...records[0], attempts: [{}] }, 'prediction.attempts is [{}], breaks record v1'],
    [{ ...records[3], subject: { kind: 'unit' } }, 'outcome.subject is {"kind":"unit"}, breaks record v1'],
  ])('says what is wrong with %j', (value, reason) => {
    expect(decodeRecord(value)).toEqual({ kind: 'invalid', reason });
  });
});
