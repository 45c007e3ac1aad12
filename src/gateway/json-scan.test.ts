import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json } from '../evidence/index.ts';
import { parseJsonPath, readJsonPath } from './json-path.ts';
import { preparePath, scanJson } from './json-scan.ts';

const scan = (text: string | Buffer, path: string): { readonly kind: string; readonly text?: string } => {
  const bytes = Buffer.isBuffer(text) ? text : Buffer.from(text);
  const place = scanJson(bytes, preparePath(parseJsonPath(path)));
  if (place.kind !== 'value') return place;
  return { kind: 'value', text: bytes.toString('utf8', place.from, place.to) };
};
const parsedAt = (text: string, path: string): Json | undefined => {
  const found = scan(text, path);
  return found.text === undefined ? undefined : (JSON.parse(found.text) as Json);
};

describe('scanJson', () => {
  test.each([
    ['{"user_id":"u1"}', '$.user_id', '"u1"'],
    ['\n{ "a" : [1, {"user_id": "no"}] , "user_id" :\t"u1" }\n', '$.user_id', '"u1"'],
    ['{"s":"\\"user_id\\":\\"no\\"","user_id":17}', '$.user_id', '17'],
    ['{"s":"{[","user_id":-1.5e3,"t":"]}"}', '$.user_id', '-1.5e3'],
    ['{"u\\u0073er_id":"u1"}', '$.user_id', '"u1"'],
    ['{"user_id":"a\\"b\\\\"}', '$.user_id', '"a\\"b\\\\"'],
    ['{"a":{"b":{"user_id":"deep"}},"b":1}', '$.a.b.user_id', '"deep"'],
    ['{"items":[{"id":1},{"id":2}]}', '$.items[1].id', '2'],
    ['[["x",["y"]],3]', '$[0][1][0]', '"y"'],
    ['{"user_id":{"a":[1]},"x":[]}', '$.user_id', '{"a":[1]}'],
    ['{"":1,"user_id":null}', '$.user_id', 'null'],
    [`{"long":"${'é "quoted'.replaceAll('"', '\\"').repeat(500)}","user_id":"u1"}`, '$.user_id', '"u1"'],
    [`{"numbers":[${'0.25, -17,'.repeat(3000)}1],"user_id":"u1"}`, '$.user_id', '"u1"'],
  ])('%.40s has at %s %s', (text, path, found) => {
    expect(scan(text, path)).toEqual({ kind: 'value', text: found });
  });

  test.each([
    ['{}', '$.user_id'],
    ['{"user":1,"user_id2":2,"USER_ID":3}', '$.user_id'],
    ['{"a":{"user_id":1}}', '$.user_id'],
    ['{"a":{"user_id":1}}', '$.a.b'],
    ['{"a":"user_id"}', '$.a.user_id'],
    ['{"a":[1,2]}', '$.a[2]'],
    ['{"a":[]}', '$.a[0]'],
    ['{"a":{"0":1}}', '$.a[0]'],
    ['[1]', '$.user_id'],
  ])('%s has nothing at %s', (text, path) => {
    expect(scan(text, path)).toEqual({ kind: 'missing' });
  });

  test.each([
    ['{"user_id":"a","user_id":"a"}', '$.user_id'],
    ['{"user_id":"a","x":{"y":[1]},"u\\u0073er_id":"b"}', '$.user_id'],
    ['{"a":{"b":1},"c":2,"a":{"b":2}}', '$.a.b'],
    ['{"a":{"b":1,"b":2}}', '$.a.b'],
    ['{"a":[{"b":1},{"b":2}],"a":0}', '$.a[0].b'],
  ])('%s has a key of %s twice', (text, path) => {
    expect(scan(text, path).kind).toBe('duplicate');
  });

  test.each([
    ['{"user_id":"a","x":{"user_id":"b"}}', '$.user_id'],
    ['{"user_id":"a","x":"\\n","y":["user_id"]}', '$.user_id'],
    ['{"a":{"b":1},"b":2,"c":{"a":3}}', '$.a.b'],
    ['{"a":[{"b":1},{"b":2}],"b":0}', '$.a[0].b'],
  ])('the same key elsewhere in %s does not disturb %s', (text, path) => {
    expect(scan(text, path).kind).toBe('value');
  });

  test.each([
    '',
    ' ',
    'null',
    '"user_id"',
    '{',
    '{"user_id"',
    '{"user_id":',
    '{"user_id":"a',
    '{"user_id":}',
    '{"a":[1,"user_id":2}',
    '{"user_id":1]',
    '{"a":1}}',
    '\ufeff{"user_id":1}',
    '{"user_id":"a"} {',
  ])('%j is no document', (text) => {
    expect(scan(text, '$.user_id')).toEqual({ kind: 'invalid' });
  });

  const key = fc.constantFrom('a', 'b', 'user_id', 'é', '', 'a"b', '\\', '__proto__');
  const { document } = fc.letrec<{ document: Json; object: Json }>((tie) => ({
    object: fc.dictionary(key, tie('document'), { maxKeys: 5, noNullPrototype: true }) as fc.Arbitrary<Json>,
    document: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.oneof(
        fc.string({ unit: 'grapheme' }),
        fc.string({ unit: fc.constantFrom('"', '\\', '{', '}', '[', ',', ':', 'a') }),
      ) as fc.Arbitrary<Json>,
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
      fc.constantFrom<Json>(true, false, null, 12_345_678),
      fc.array(tie('document'), { maxLength: 4 }) as fc.Arbitrary<Json>,
      tie('object'),
      tie('object'),
    ),
  }));
  const step = fc.oneof(
    key.filter((name) => /^[A-Za-z_][A-Za-z0-9_-]*$/.test(name)),
    fc.nat(3),
  );
  const path = fc
    .array(step, { minLength: 1, maxLength: 4 })
    .map((steps) => `$${steps.map((each) => (typeof each === 'number' ? `[${each}]` : `.${each}`)).join('')}`);
  /** With white space, and with letters of strings and keys written as escapes. */
  const written = fc
    .tuple(document, fc.constantFrom(undefined, 1, '\t'), fc.boolean())
    .map(([value, space, escapes]) => {
      const text = JSON.stringify(value, null, space);
      if (!escapes) return text;
      return text.replace(/"(?:[^"\\]|\\.)*"/g, (word) =>
        word.replace(/\\.|[abu]/g, (part) => (part.length > 1 ? part : `\\u00${part.charCodeAt(0).toString(16)}`)),
      );
    });

  test('agrees with JSON.parse on every document', () => {
    fc.assert(
      fc.property(written, path, (text, place) => {
        const expected = readJsonPath(JSON.parse(text) as Json, parseJsonPath(place));
        // A path leads into objects and lists only.
        if (/^\s*[{[]/.test(text)) expect(parsedAt(text, place)).toEqual(expected);
        else expect(expected).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });

  test('finds the same in a pooled buffer at any offset', () => {
    fc.assert(
      fc.property(written, path, fc.nat(7), (text, place, offset) => {
        const bytes = Buffer.from(text);
        const shifted = Buffer.alloc(bytes.length + offset + 5, '"').fill(bytes, offset, offset + bytes.length);
        expect(scan(shifted.subarray(offset, offset + bytes.length), place)).toEqual(scan(bytes, place));
      }),
      { numRuns: 500 },
    );
  });

  test('a document cut short never gives another value than the whole one', () => {
    fc.assert(
      fc.property(written, path, fc.double({ min: 0, max: 1, noNaN: true }), (text, place, share) => {
        const whole = Buffer.from(text);
        const found = scan(whole.subarray(0, Math.floor(whole.length * share)), place);
        if (found.kind === 'value') expect(found).toEqual(scan(whole, place));
      }),
      { numRuns: 1000 },
    );
  });

  test('any bytes at all come to an answer', () => {
    const noise = fc.array(fc.constantFrom(...[...'{}[]":,\\ a1'].map((each) => each.charCodeAt(0)), 0xc3, 0), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(noise, path, (bytes, place) => {
        const answer = scan(Buffer.from(bytes), place);
        const parsed = readAll(Buffer.from(bytes).toString('utf8'));
        // What JSON.parse takes without keys that stand twice, the scan takes alike.
        if (parsed.isValid && answer.kind !== 'duplicate' && typeof parsed.value === 'object' && parsed.value !== null)
          expect(answer.kind === 'value').toBe(readJsonPath(parsed.value, parseJsonPath(place)) !== undefined);
      }),
      { numRuns: 3000 },
    );
  });

  function readAll(text: string): { readonly isValid: boolean; readonly value?: Json } {
    try {
      return { isValid: true, value: JSON.parse(text) as Json };
    } catch {
      return { isValid: false };
    }
  }
});
