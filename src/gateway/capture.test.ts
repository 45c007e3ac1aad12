import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Capture } from '../experiment/index.ts';
import { type CapturedReply, createCaptureReader } from './capture.ts';
import { createJsonBody } from './json-body.ts';
import { parseJsonPath, readJsonPath } from './json-path.ts';
import { isMalformedReply } from './reply-check.ts';

const reply = (
  source: Capture['source'],
  body: Buffer | string,
  more: { threshold?: number; headers?: string[]; name?: string } = {},
) => {
  const { headers = [], name = 'prediction', threshold } = more;
  const capture: Capture = { name, from: 'reply', source, ...(threshold === undefined ? {} : { threshold }) };
  const missing: string[] = [];
  const read: CapturedReply = createCaptureReader([capture]).reply(
    { headers, body: createJsonBody(headers, Buffer.from(body)) },
    (each) => missing.push(each),
  );
  return { ...read, missing };
};

const tensor = (data: unknown, datatype = 'FP64', more: object = {}): string =>
  JSON.stringify({
    outputs: [
      { name: 'first', data: [9] },
      { name: 'up', datatype, shape: [1], data, ...more },
    ],
  });

const up = { kind: 'tensor', name: 'up' } as const;

describe('a tensor capture', () => {
  it.each<[string, unknown, unknown]>([
    ['nested', [[[0.7, 0.3]]], 0.7],
    ['flat', [0.7, 0.3], 0.7],
    ['of text', ['up', 'down'], 'up'],
    ['of truth values', [true], true],
  ])('reads the first element of data that is %s', (_name, data, expected) => {
    expect(reply(up, tensor(data)).prediction).toBe(expected);
  });

  it('becomes 1 at its threshold and 0 below', () => {
    expect([0.5, 0.49999, true].map((value) => reply(up, tensor([value]), { threshold: 0.5 }).prediction)).toEqual([
      1, 0, 1,
    ]);
  });

  it.each([
    ['an empty tensor', tensor([])],
    ['another name', tensor([1]).replace('"up"', '"down"')],
    ['no outputs', '{"outputs": null}'],
    ['no JSON', 'nonsense'],
    ['an object as element', tensor([{ a: 1 }])],
  ])('is missing in %s', (_name, body) => {
    expect(reply(up, body)).toEqual({ prediction: null, captured: {}, missing: ['prediction'] });
  });

  it('reads the binary extension: element types, offsets and the length header', () => {
    const bytes = (write: (buffer: Buffer) => void, size: number): Buffer => {
      const buffer = Buffer.alloc(size);
      write(buffer);
      return buffer;
    };
    const text = Buffer.from([3, 0, 0, 0, ...Buffer.from('yes')]);
    const elements: [string, Buffer, unknown][] = [
      ['FP64', bytes((b) => b.writeDoubleLE(0.25), 8), 0.25],
      ['FP32', bytes((b) => b.writeFloatLE(-0.5), 4), -0.5],
      ['INT64', bytes((b) => b.writeBigInt64LE(-7n), 8), -7],
      ['UINT8', Buffer.from([200]), 200],
      ['BOOL', Buffer.from([1]), true],
      ['BYTES', text, 'yes'],
      ['FP64', bytes((b) => b.writeDoubleLE(Number.NaN), 8), null],
      ['FP32', Buffer.from([1]), null],
      ['INT64', bytes((b) => b.writeBigInt64LE(2n ** 53n + 1n), 8), '9007199254740993'],
      ['UINT64', bytes((b) => b.writeBigUInt64LE(2n ** 64n - 1n), 8), '18446744073709551615'],
      // Bit patterns as numpy 1.26 writes them: float16(1/3), the smallest subnormal, -2, infinity; bfloat16 of pi.
      ['FP16', Buffer.from([0x55, 0x35]), 0.333251953125],
      ['FP16', Buffer.from([0x01, 0x00]), 2 ** -24],
      ['FP16', Buffer.from([0x00, 0xc0]), -2],
      ['FP16', Buffer.from([0x00, 0x7c]), null],
      ['BF16', Buffer.from([0x49, 0x40]), 3.140625],
      ['toString', Buffer.from([1, 2]), null],
    ];
    for (const [datatype, element, expected] of elements) {
      const head = Buffer.from(
        JSON.stringify({
          outputs: [
            { name: 'first', parameters: { binary_data_size: 3 } },
            { name: 'up', datatype, parameters: { binary_data_size: element.length } },
          ],
        }),
      );
      const headers = ['Inference-Header-Content-Length', String(head.length)];
      const body = Buffer.concat([head, Buffer.from('abc'), element]);
      expect([datatype, reply(up, body, { headers }).prediction]).toEqual([datatype, expected]);
    }
  });
});

describe('a JSON capture', () => {
  it('keeps whole lists and objects beside the prediction, up to 16 KB', () => {
    const items = { kind: 'json', path: '$.items' } as const;
    expect(reply(items, '{"items":[{"id":1}]}', { name: 'items' }).captured).toEqual({ items: [{ id: 1 }] });
    const long = JSON.stringify({ items: Array(3000).fill('abcdef') });
    expect(reply(items, long, { name: 'items' })).toEqual({ prediction: null, captured: {}, missing: ['items'] });
    expect(reply(items, '{"items":[1]}').prediction).toBe(null);
  });

  it('looks into gzip and brotli, and gives up on a body that unpacks beyond measure', () => {
    const score = { kind: 'json', path: '$.score' } as const;
    const encoded = (encoding: string, body: Buffer) =>
      reply(score, body, { headers: ['content-encoding', encoding] }).prediction;
    expect(encoded('gzip', gzipSync('{"score":1}'))).toBe(1);
    expect(encoded('br', brotliCompressSync('{"score":2}'))).toBe(2);
    expect(encoded('zstd', Buffer.from('{"score":3}'))).toBe(null);
    expect(encoded('gzip', gzipSync(`{"score":4,"pad":"${' '.repeat(8e6)}"}`))).toBe(null);
  });
});

describe('a JSON path', () => {
  it('finds keys and list positions, and nothing that is inherited', () => {
    const read = (path: string, document: never) => readJsonPath(document, parseJsonPath(path));
    expect(read('$.a[1].b-c', { a: [0, { 'b-c': 'x' }] } as never)).toBe('x');
    expect(read('$[0]', [7] as never)).toBe(7);
    expect(read('$', 5 as never)).toBe(5);
    for (const path of ['$.constructor', '$.a.length', '$.a.b', '$[0]', '$.a[9]'])
      expect(read(path, { a: [1] } as never)).toBe(undefined);
    expect(readJsonPath(JSON.parse('{"a":1,"a":2}'), parseJsonPath('$.a'))).toBe(2);
  });

  it.each(['', 'a', '$.', '$a', '$.a[', '$.a[x]', '$..a', '$.a b'])('refuses "%s"', (path) => {
    expect(() => parseJsonPath(path)).toThrow(RangeError);
  });
});

describe('a malformed reply', () => {
  const check = (
    protocol: 'oip' | 'json',
    body: string,
    headers: string[] = ['content-type', 'application/json'],
    status = 200,
  ) => isMalformedReply(protocol, { method: 'POST', status, headers, body: Buffer.from(body) });

  it.each(['{}', ' [1]\n', '\t{"a":[1]}', '3.5', '"text"', 'null', 'true'])(
    'is not the JSON %s of a plain service',
    (body) => {
      expect(check('json', body)).toBe(false);
    },
  );

  it.each(['', '  ', '{', '{"a":[1]', '[1}', 'oops', '<html></html>', 'NaN'])('is "%s"', (body) => {
    expect(check('json', body)).toBe(true);
    expect(check('oip', body)).toBe(true);
  });

  it('is anything but an object for the Open Inference Protocol, whatever its type says', () => {
    for (const headers of [[], ['content-type', 'text/html'], ['content-type', 'text/plain; charset=utf-8']]) {
      expect(check('oip', 'oops', headers)).toBe(true);
      expect(check('oip', '{}', headers)).toBe(false);
      expect(check('json', 'oops', headers)).toBe(false);
    }
    expect(check('oip', '3.5')).toBe(true);
  });

  it('is not looked for where no plain JSON is due', () => {
    expect(check('json', 'oops', ['content-type', 'application/json', 'content-encoding', 'gzip'])).toBe(false);
    expect(check('oip', 'oops', ['content-type', 'application/octet-stream'])).toBe(false);
    expect(check('json', '', undefined, 204)).toBe(false);
    expect(check('json', 'oops', undefined, 404)).toBe(false);
    expect(check('json', '{}\n{}', ['content-type', 'application/x-ndjson'])).toBe(false);
  });
});
