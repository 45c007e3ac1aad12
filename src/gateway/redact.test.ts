import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../evidence/index.ts';
import { type JsonPath, parseJsonPath } from './json-path.ts';
import { redactEvents, redactJson } from './redact.ts';

const paths = (...written: readonly string[]): readonly JsonPath[] => written.map(parseJsonPath);

describe('redaction of JSON', () => {
  it('replaces the values at the places and leaves every other character', () => {
    const text = '{ "user" : {"id": 9007199254740993, "name":"A\\"n"} , "list":[1, {"x":2.50}], "user2":1 }';
    expect(redactJson(text, paths('$.user.name', '$.list[1].x', '$.nowhere'))).toEqual({
      text: '{ "user" : {"id": 9007199254740993, "name":"[redacted]"} , "list":[1, {"x":"[redacted]"}], "user2":1 }',
      count: 2,
    });
    expect(redactJson('[1,2]', paths('$'))).toEqual({ text: '"[redacted]"', count: 1 });
  });

  it('finds a name that is written with escapes or stands twice', () => {
    expect(redactJson('{"\\u0075ser":"a","user":"b"}', paths('$.user'))!.text).toBe(
      '{"\\u0075ser":"[redacted]","user":"[redacted]"}',
    );
  });

  it('gives nothing for what is no JSON', () => {
    for (const text of ['', '{', '{"a":1', 'a']) expect(redactJson(text, paths('$.a'))).toBeNull();
  });

  it('leaves no value at the places of any document, and the rest as JSON.parse has it', () => {
    const key = fc.constantFrom('a', 'b', '__proto__', '"', 'ü');
    const document = fc.letrec<{ node: Json }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)),
        fc.dictionary(key, tie('node')),
        fc.array(tie('node'), { maxLength: 3 }),
      ) as fc.Arbitrary<Json>,
    })).node;
    fc.assert(
      fc.property(document, fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        const text = JSON.stringify(value, undefined, space);
        const redacted = redactJson(text, paths('$.a.b', '$.b', '$.a[1]', '$[0].a'))!;
        const expected = JSON.parse(text) as Json;
        let count = 0;
        const set = (holder: Json | undefined, at: string | number): void => {
          if (typeof holder !== 'object' || holder === null || Array.isArray(holder) !== (typeof at === 'number'))
            return;
          if (!Object.hasOwn(holder, at)) return;
          count += 1;
          (holder as { [at: string | number]: Json })[at] = '[redacted]';
        };
        const at = (holder: Json | undefined, key: string | number): Json | undefined =>
          typeof holder === 'object' && holder !== null && Object.hasOwn(holder, key)
            ? (holder as { [key: string | number]: Json })[key]
            : undefined;
        if (!Array.isArray(expected)) {
          set(at(expected, 'a'), 'b');
          set(at(expected, 'a'), 1);
          set(expected, 'b');
        } else set(at(expected, 0), 'a');
        expect(JSON.parse(redacted.text)).toEqual(expected);
        expect(redacted.count).toBe(count);
      }),
      { numRuns: 500 },
    );
  });
});

describe('redaction of an event stream', () => {
  it('replaces in every event, and whole events that cannot be read', () => {
    const stream =
      ': hello\n\nevent: x\ndata: {"user":"u","n":1}\n\ndata: secret\n\ndata: {"user":\ndata: "u"}\n\nid: 7\n\ndata: [DONE]\n\ndata: {"user":"cu';
    expect(redactEvents(Buffer.from(stream), paths('$.user'))).toEqual({
      text: ': hello\n\nevent: x\ndata: {"user":"[redacted]","n":1}\n\ndata: "[redacted]"\n\ndata: "[redacted]"\n\ndata: [DONE]\n\ndata: "[redacted]"\n\n',
      count: 5,
    });
  });
});
