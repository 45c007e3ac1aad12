import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssayError } from '../errors.ts';
import { parseOutcomes } from './outcome.ts';

const nowMs = 1_700_000_000_000;
const parse = (body: unknown, maxItems?: number) =>
  parseOutcomes(body, {
    nowMs,
    namespace: 'default',
    hashUnit: (id) => `hash of ${id}`,
    ...(maxItems === undefined ? {} : { maxItems }),
  });
const good = { id: 'o1', type: 'label', value: 1, predictionId: 'p1' };

function faultsOf(body: unknown): readonly string[] {
  try {
    parse(body);
  } catch (error) {
    expect(error).toBeInstanceOf(AssayError);
    expect((error as AssayError).code).toBe('outcome-invalid');
    return (error as AssayError).issues.map(({ text }) => text);
  }
  return [];
}

describe('parseOutcomes', () => {
  it('reads one outcome, a list and a wrapped list alike', () => {
    const expected = {
      kind: 'outcome',
      id: 'o1',
      timeMs: nowMs,
      receivedMs: nowMs,
      namespace: 'default',
      type: 'label',
      value: 1,
      subject: { kind: 'prediction', predictionId: 'p1' },
      attributes: {},
    };
    expect(parse(good)).toEqual([expected]);
    expect(parse([good])).toEqual([expected]);
    expect(parse({ outcomes: [good, good] })).toEqual([expected, expected]);
  });

  it('hashes a unit id and never keeps it', () => {
    const { predictionId: _, ...rest } = good;
    const [record] = parse({ ...rest, unit: 'alice' });
    expect(record?.subject).toEqual({ kind: 'unit', unit: 'hash of alice' });
  });

  it('reads which row of a batch is meant, beside the id or behind it', () => {
    const named = (changes: object) => parse({ ...good, ...changes })[0]?.subject;
    const third = { kind: 'prediction', predictionId: 'p1#3' };
    for (const changes of [
      { row: 3 },
      { predictionId: 'p1#3' },
      { predictionId: 'p1#03' },
      { predictionId: 'p1#3', row: 3 },
    ])
      expect(named(changes)).toEqual(third);
    expect(named({ predictionId: 'p#x' })).toEqual({ kind: 'prediction', predictionId: 'p#x' });
    const { predictionId: _, ...rest } = good;
    expect([
      ...faultsOf({ ...good, row: -1 }),
      ...faultsOf({ ...good, predictionId: 'p1#1000000000' }),
      ...faultsOf({ ...good, predictionId: 'p1#2', row: 3 }),
      ...faultsOf({ ...rest, unit: 'u', row: 0 }),
    ]).toEqual([
      'outcome.row is -1, must be an integer in [0, 999999999]',
      'outcome.predictionId is "p1#1000000000", must end in a row of at most 999999999 after its #',
      'outcome.row is 3, must be 2 as the predictionId says, or missing',
      'outcome.row is 0, must stand beside a predictionId',
    ]);
  });

  it('names the line of a fault where items are lines', () => {
    const lines = { nowMs, namespace: 'default', hashUnit: (id: string) => id, lines: [4, 9] };
    expect(() => parseOutcomes([good, { ...good, value: null }], lines)).toThrow(
      'line 9: value is null, must be a number, text or boolean',
    );
  });

  it('reads times as ISO 8601 with a zone or as epoch milliseconds', () => {
    const at = (time: unknown) => parse({ ...good, time })[0]?.timeMs;
    expect(at('2023-11-14T22:13:20Z')).toBe(nowMs);
    expect(at('2023-11-14T23:13:20.000+01:00')).toBe(nowMs);
    expect(at(nowMs)).toBe(nowMs);
  });

  it.each([
    [{ ...good, value: null }, 'outcome.value is null, must be a number, text or boolean'],
    [{ ...good, value: Number.NaN }, 'outcome.value is NaN, must be a number, text or boolean'],
    [{ ...good, value: 'x'.repeat(1_001) }, 'must have at most 1000 characters'],
    [{ ...good, value: 1e101 }, 'outcome.value is 1e+101, must be at most 1e+100 in size'],
    [{ ...good, id: '' }, 'outcome.id is "", must be a text of 1 to 200 characters'],
    [{ ...good, id: undefined }, 'outcome.id is missing, must be a text of 1 to 200 characters'],
    [{ ...good, type: '1st label' }, 'outcome.type is "1st label", must be a name of at most 100 letters'],
    [{ ...good, time: '2023-11-14T22:13:20' }, 'must be ISO 8601 with a time zone'],
    [{ ...good, time: '2023-13-14T22:13:20Z' }, 'must be ISO 8601 with a time zone'],
    [
      { ...good, time: 1_700_000_000 },
      'outcome.time is 1700000000, must be ISO 8601 with a time zone, or epoch milliseconds; this looks like seconds',
    ],
    [
      { ...good, unit: 'u' },
      'outcome has predictionId and unit, must have exactly one of: predictionId, requestId, unit',
    ],
    [{ id: 'o', type: 't', value: 1 }, 'outcome has none of them, must have exactly one of'],
    [{ ...good, predictionId: 7 }, 'outcome.predictionId is 7, must be a text of 1 to 512 characters'],
    [{ ...good, predictionID: 'p' }, 'outcome.predictionID is unknown, must be one of: id, type, value'],
    [{ ...good, attributes: [1] }, 'outcome.attributes is [1], must be an object'],
    [{ ...good, attributes: { a: 'x'.repeat(5_000) } }, 'must have at most 4096 characters as JSON'],
    [
      { ...good, attributes: { a: { b: { c: { d: { e: { f: { g: { h: { i: 1 } } } } } } } } } },
      'at most 8 levels deep',
    ],
    [{ ...good, attributes: { a: Number.POSITIVE_INFINITY } }, 'with finite numbers'],
    ['text', 'outcome is "text", must be an object'],
    [[], 'outcomes is empty, must hold at least one outcome'],
  ])('refuses %j', (body, text) => {
    expect(faultsOf(body).join('\n')).toContain(text);
  });

  it('names every fault with its place and accepts nothing of the body', () => {
    const faults = faultsOf([good, { ...good, value: null }, 3, { ...good, type: 5, time: 'soon' }]);
    expect(faults).toEqual([
      'outcomes[1].value is null, must be a number, text or boolean',
      'outcomes[2] is 3, must be an object',
      expect.stringContaining('outcomes[3].type is 5'),
      expect.stringContaining('outcomes[3].time is "soon"'),
    ]);
  });

  it('refuses more outcomes than allowed as too large', () => {
    expect(() => parse([good, good, good], 2)).toThrow('outcomes has 3 items, must have at most 2');
  });

  it('never throws anything but an AssayError, whatever it is given', () => {
    fc.assert(
      fc.property(fc.anything(), (body) => {
        try {
          parse(body);
        } catch (error) {
          expect(error).toBeInstanceOf(AssayError);
        }
      }),
    );
  });
});
