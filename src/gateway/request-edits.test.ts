import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RequestEdits, Variant } from '../experiment/index.ts';
import { editRequest } from './request-edits.ts';

const variantThatSets = (set: RequestEdits): Variant => ({
  name: 'v',
  weight: 1,
  timeoutMs: 1,
  upstream: { url: 'http://h', protocol: 'json' },
  set,
});
const sent = (body: string | Buffer | null, set: RequestEdits, headers: readonly string[] = []) => {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return editRequest({ headers, body: bytes }, variantThatSets(set));
};
const bodyOf = (body: string, json: RequestEdits['json'] & {}): string => sent(body, { json }).body!.toString();

describe('members of the body', () => {
  test.each<[string, RequestEdits['json'] & {}, string]>([
    ['{"a": 12345678901234567890 , "b":[1.0]}', { m: 'v2' }, '{"a": 12345678901234567890 , "b":[1.0],"m":"v2"}'],
    ['{}', { m: 'v2' }, '{"m":"v2"}'],
    [' { } ', { m: 1 }, ' { "m":1} '],
    ['{"m":{"x":[1,2]},"z":1}', { m: true }, '{"m":true,"z":1}'],
    ['{"z":{"m":1},"m" : null}', { m: 'q"\\' }, '{"z":{"m":1},"m" : "q\\"\\\\"}'],
    ['{"m":1,"id":12345678901234567890,"m":2}', { m: 3 }, '{"m":3,"id":12345678901234567890,"m":2,"m":3}'],
    ['{"a":1}', { b: 2, c: 'é' }, '{"a":1,"b":2,"c":"é"}'],
  ])('%s with %o is %s', (body, json, expected) => {
    expect(bodyOf(body, json)).toBe(expected);
  });

  test.each(['[1]', '"text"', 'plain', '', '{"a":1', '{"a":1}}'])('%j is no object and stays as it is', (body) => {
    expect(bodyOf(body, { m: 1 })).toBe(body);
  });

  test('a request without a body stays without one', () => {
    expect(sent(null, { json: { m: 1 } }).body).toBeNull();
  });

  test('whatever the document, the edited one says the same but for what was set', () => {
    const key = fc.constantFrom('m', 'n', 'a"b', 'é', '');
    fc.assert(
      fc.property(fc.dictionary(key, fc.jsonValue(), { noNullPrototype: true }), fc.boolean(), (document, isWide) => {
        const text = JSON.stringify(document, null, isWide ? 2 : undefined);
        const plain = JSON.parse(text) as object;
        expect(JSON.parse(bodyOf(text, { m: 'v2', extra: 7 }))).toEqual({ ...plain, m: 'v2', extra: 7 });
      }),
    );
  });

  test('binary tensors behind the JSON part stay, and its length follows', () => {
    const json = '{"inputs":[]}';
    const binary = Buffer.from([1, 0, 255, 125]);
    const headers = ['Inference-Header-Content-Length', String(json.length), 'x-a', 'b'];
    const edited = sent(Buffer.concat([Buffer.from(json), binary]), { json: { m: 1 } }, headers);
    const expected = '{"inputs":[],"m":1}';
    expect(edited.body).toEqual(Buffer.concat([Buffer.from(expected), binary]));
    expect(edited.headers).toEqual(['x-a', 'b', 'inference-header-content-length', String(expected.length)]);
  });

  test('an encoded body goes out plain', () => {
    const edited = sent(gzipSync('{"a":1}'), { json: { m: 1 } }, ['Content-Encoding', 'gzip']);
    expect(edited.body?.toString()).toBe('{"a":1,"m":1}');
    expect(edited.headers).toEqual([]);
  });
});

describe('headers', () => {
  test('are set, and replace whatever the caller wrote', () => {
    const { headers } = sent('x', { headers: { 'x-model': 'v2' } }, ['X-Model', 'mine', 'a', 'b', 'x-model', 'other']);
    expect(headers).toEqual(['a', 'b', 'x-model', 'v2']);
  });

  test('a variant that sets nothing sends the very same request', () => {
    const request = { headers: ['a', 'b'], body: Buffer.from('{}') };
    const { set: _, ...plain } = variantThatSets({});
    expect(editRequest(request, plain)).toBe(request);
  });
});
