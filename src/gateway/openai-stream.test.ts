import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEventSplitter } from './event-stream.ts';
import { cutMember, memberValue, setMembers } from './json-members.ts';
import { createOpenAiStream } from './openai-stream.ts';

const price = { input: 2, output: 8, per: 1_000_000, currency: 'USD' };

/** Cuts bytes at the given places. */
function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const edges = [0, ...[...places].sort((a, b) => a - b), bytes.length];
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
}

/** What comes out of a tap that is fed these pieces; the clock stands, so that figures do not depend on the pieces. */
function run(
  pieces: readonly Buffer[],
  hidesUsage: boolean,
): { out: Buffer; figures: unknown; failure: string | null } {
  const tap = createOpenAiStream({ now: () => 1040, arrivedMs: 1000, hidesUsage, price });
  const parts = [...pieces.map((piece) => tap.push(piece)), tap.end()].filter((part) => part !== null);
  return { out: Buffer.concat(parts), figures: tap.figures(), failure: tap.failure() };
}

const chunk = (delta: unknown, more: object = {}): unknown => ({
  id: 'c1',
  object: 'chat.completion.chunk',
  model: 'gpt-x-2026',
  choices: [{ index: 0, delta, finish_reason: null }],
  ...more,
});

const asked = [
  chunk({ role: 'assistant', content: '' }, { usage: null }),
  chunk({ content: 'Grüße, "usage":null 😀' }, { usage: null }),
  { usage: null, ...(chunk({ content: '!' }) as object) },
  { id: 'c1', model: 'gpt-x-2026', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], usage: null },
  {
    id: 'c1',
    model: 'gpt-x-2026',
    choices: [],
    usage: { prompt_tokens: 12, completion_tokens: 30, total_tokens: 42 },
  },
];
const unasked = asked.slice(0, -1).map((each) => {
  const { usage: _usage, ...rest } = each as { usage: null };
  return rest;
});
const stream = (events: readonly unknown[], newline = '\n'): Buffer =>
  Buffer.from(
    `: keep-alive${newline}${newline}${events.map((event) => `data: ${JSON.stringify(event)}${newline}${newline}`).join('')}data: [DONE]${newline}${newline}`,
  );

describe('a streamed reply', () => {
  it.each(['\n', '\r\n', '\r'])(
    'shows no trace of a usage that only the gateway asked for (line end %j)',
    (newline) => {
      const { out, figures, failure } = run([stream(asked, newline)], true);
      expect(out.toString()).toBe(stream(unasked, newline).toString());
      expect(figures).toEqual({
        model: 'gpt-x-2026',
        finish_reason: 'stop',
        prompt_tokens: 12,
        completion_tokens: 30,
        total_tokens: 42,
        cost: (12 * 2 + 30 * 8) / 1_000_000,
        ttft_ms: 40,
      });
      expect(failure).toBeNull();
    },
  );

  it('passes as it is when the caller asked for the usage', () => {
    const bytes = stream(asked);
    const { out, figures } = run([bytes], false);
    expect(out).toEqual(bytes);
    expect(figures).toMatchObject({ total_tokens: 42 });
  });

  it('gives the same bytes and figures however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.boolean(),
        fc.array(fc.nat(2000), { maxLength: 40 }),
        fc.string({ unit: 'binary', maxLength: 40 }),
        (newline, hidesUsage, places, noise) => {
          const bytes = Buffer.concat([stream(asked, newline), Buffer.from(noise)]);
          const whole = run([bytes], hidesUsage);
          const cut = run(
            cutAt(
              bytes,
              places.filter((place) => place <= bytes.length),
            ),
            hidesUsage,
          );
          expect(cut).toEqual(whole);
        },
      ),
      { numRuns: 300 },
    );
    const bytes = stream(asked, '\r\n');
    const everyByte = cutAt(bytes, bytes.map((_, index) => index) as unknown as readonly number[]);
    expect(run(everyByte, true)).toEqual(run([bytes], true));
  });

  it('changes nothing in bytes that are no such stream', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 10 }), (pieces) => {
        const buffers = pieces.map((piece) => Buffer.from(piece));
        expect(run(buffers, true).out).toEqual(Buffer.concat(buffers));
      }),
    );
  });

  it('keeps a usage that stands beside a choice, which servers send unasked', () => {
    const last = {
      choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    };
    const { out, figures } = run([stream([last])], true);
    expect(out).toEqual(stream([last]));
    expect(figures).toMatchObject({ total_tokens: 3 });
  });

  it('keeps a chunk with empty choices that carries no usage, such as a content filter result', () => {
    const first = { choices: [], prompt_filter_results: [{ prompt_index: 0 }] };
    expect(run([stream([first])], true).out).toEqual(stream([first]));
  });

  it('times the first token of text, tool calls and reasoning, not the role', () => {
    let now = 1000;
    const timed = (deltas: readonly unknown[]): unknown => {
      now = 1000;
      const tap = createOpenAiStream({ now: () => now, arrivedMs: 1000, hidesUsage: false, price: undefined });
      for (const delta of deltas) {
        now += 10;
        tap.push(Buffer.from(`data: ${JSON.stringify(chunk(delta))}\n\n`));
      }
      return tap.figures().ttft_ms;
    };
    expect(timed([{ role: 'assistant', content: '' }, { content: 'a' }, { content: 'b' }])).toBe(20);
    expect(timed([{ role: 'assistant', content: null }, { tool_calls: [{ index: 0 }] }])).toBe(20);
    expect(timed([{ role: 'assistant' }, {}, { reasoning_content: 'hm' }])).toBe(30);
    expect(timed([{ role: 'assistant', content: '' }])).toBeUndefined();
  });

  it('gives the rate of tokens after the first', () => {
    let now = 0;
    const tap = createOpenAiStream({ now: () => now, arrivedMs: 0, hidesUsage: false, price: undefined });
    for (const text of ['a', 'b', 'c']) {
      now += 100;
      tap.push(Buffer.from(`data: ${JSON.stringify({ choices: [{ text }] })}\n\n`));
    }
    tap.push(Buffer.from('data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":5}}\n\n'));
    expect(tap.figures()).toMatchObject({ ttft_ms: 100, tokens_per_second: 20, total_tokens: 6 });
  });

  it('is a failure when it says so or ends before it has finished', () => {
    expect(run([Buffer.from(`data: ${JSON.stringify(chunk({ content: 'a' }))}\n\n`)], true).failure).toBe('cut-off');
    expect(run([stream([{ error: { message: 'out of memory' } }])], true).failure).toBe('error-event');
    expect(run([Buffer.from(`data: ${JSON.stringify(asked[3])}\n\n`)], true).failure).toBeNull();
  });

  it('reads a last event that nothing ends', () => {
    const bytes = Buffer.from(`data: ${JSON.stringify(asked[1])}\n\ndata: ${JSON.stringify(asked[4])}`);
    const { out, figures } = run([bytes], true);
    expect(out.toString()).toBe(`data: ${JSON.stringify(unasked[1])}\n\n`);
    expect(figures).toMatchObject({ total_tokens: 42 });
  });
});

describe('the splitter of events', () => {
  const line = fc.oneof(
    fc.constantFrom(
      'data: a',
      'data:b',
      'data',
      'data:  c',
      'dataset: no',
      ': comment',
      'event: x',
      'id: 7',
      '',
      'data: ',
    ),
    fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => `data: ${text.replace(/[\r\n\ufeff]/g, '')}`),
  );
  const text = fc
    .array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r')), { maxLength: 20 })
    .map((lines) => `${lines.map(([words, end]) => words + end).join('')}x\n\n`);

  it('reads the data that the parser eventsource-parser reads, and loses no byte', () => {
    fc.assert(
      fc.property(text, fc.array(fc.nat(300), { maxLength: 10 }), (written, places) => {
        const bytes = Buffer.from(written);
        const expected: string[] = [];
        const parser = createParser({ onEvent: (event) => expected.push(event.data) });
        parser.feed(written);
        const splitter = createEventSplitter();
        const pieces = cutAt(
          bytes,
          places.filter((place) => place <= bytes.length),
        );
        const events = pieces.flatMap((piece) => splitter.push(piece));
        const last = splitter.end();
        expect(events.map(({ data }) => data).filter((data) => data !== null)).toEqual(expected);
        expect(Buffer.concat([...events.map(({ raw }) => raw), last?.raw ?? Buffer.alloc(0)])).toEqual(bytes);
      }),
      { numRuns: 500 },
    );
  });

  it('passes an event of more than a megabyte in pieces and goes on with the next', () => {
    const bytes = Buffer.from(`data: ${'x'.repeat(1_200_000)}\n\ndata: after\n\n`);
    for (const places of [[], [600_000], [600_000, 1_100_000, 1_150_000]]) {
      const splitter = createEventSplitter();
      const events = cutAt(bytes, places).flatMap((piece) => splitter.push(piece));
      expect(events.map(({ data }) => data).filter((data) => data !== null)).toEqual(['after']);
      expect(Buffer.concat(events.map(({ raw }) => raw)).equals(bytes)).toBe(true);
    }
  });
});

describe('a member in bytes', () => {
  it('is taken out with its comma, and the document is the one without it', () => {
    const key = fc.constantFrom('usage', 'model', 'a', 'b"', 'ü');
    const document = fc.dictionary(key, fc.jsonValue({ maxDepth: 2 }));
    fc.assert(
      fc.property(document, fc.constantFrom(undefined, 1, '\t'), (object, space) => {
        const { usage: _usage, ...rest } = JSON.parse(JSON.stringify(object));
        const left = cutMember(Buffer.from(JSON.stringify(object, undefined, space)), 'usage');
        expect(JSON.parse(left.toString())).toEqual(rest);
      }),
    );
    expect(cutMember(Buffer.from('{ "usage" : null , "a":1 }'), 'usage').toString()).toBe('{  "a":1 }');
    expect(cutMember(Buffer.from('{"a":1,"usage":null}\n'), 'usage').toString()).toBe('{"a":1}\n');
  });

  it('is set where it stands, or added, and every other byte stays', () => {
    const long = '{"id": 9007199254740993, "model" : "a" , "x":{"model":"inner"}}';
    expect(setMembers(Buffer.from(long), { model: 'b' })!.toString()).toBe(long.replace('"a"', '"b"'));
    expect(setMembers(Buffer.from('{ }'), { model: 'b' })!.toString()).toBe('{ "model":"b"}');
    expect(setMembers(Buffer.from('{"a":1}\n'), { model: 'b' })!.toString()).toBe('{"a":1,"model":"b"}\n');
    expect(setMembers(Buffer.from('{"model":"x","model":"y"}'), { model: 'b' })!.toString()).toBe(
      '{"model":"b","model":"y","model":"b"}',
    );
    for (const text of ['[1]', '"a"', '{"a":1', '', '7', '{"a":"}'])
      expect(setMembers(Buffer.from(text), { model: 'b' })).toBeNull();
  });

  it('has the value that JSON.parse gives it', () => {
    const document = fc.dictionary(fc.constantFrom('model', 'a', 'b'), fc.jsonValue({ maxDepth: 3 }));
    fc.assert(
      fc.property(document, fc.constantFrom(undefined, 2), (object, space) => {
        const text = JSON.stringify(object, undefined, space);
        expect(memberValue(Buffer.from(text), 'model')).toEqual(JSON.parse(text).model);
        const set = setMembers(Buffer.from(text), { model: 'new', c: { d: [1] } })!;
        expect(JSON.parse(set.toString())).toEqual({ ...JSON.parse(text), model: 'new', c: { d: [1] } });
      }),
    );
  });
});
