import { gunzipSync, gzipSync } from 'node:zlib';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import type { RoutedExperiment } from '../experiment/index.ts';
import {
  type Answer,
  call,
  closeAll,
  experiment,
  halves,
  json,
  type ModelServer,
  openRig,
  type Rig,
  startModel,
  startRawModel,
  variant,
} from './gateway-rig.fixture.ts';

afterEach(closeAll);

const price = { input: 2, output: 8, per: 1_000_000, currency: 'USD' };
const usage = { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 };

/** A server that speaks the OpenAI protocol: usage in a stream only for those who ask, as OpenAI documents it. */
const speaksOpenAi: Answer = (asked, res) => {
  const body = asked.method === 'GET' ? {} : JSON.parse(asked.body.toString());
  if (asked.url.endsWith('/models')) return json(res, { object: 'list', data: [{ id: 'm', object: 'model' }] });
  if (asked.url.endsWith('/embeddings'))
    return json(res, {
      object: 'list',
      model: body.model,
      data: [{ object: 'embedding', index: 0, embedding: [0.5, 1] }],
      usage: { prompt_tokens: 7, total_tokens: 7 },
    });
  const isChat = asked.url.endsWith('/chat/completions');
  const said = ['Hel', 'lo', '!'];
  const whole = {
    id: 'c1',
    object: isChat ? 'chat.completion' : 'text_completion',
    created: 1,
    model: `${body.model}-0713`,
  };
  if (body.stream !== true) {
    const choice = isChat ? { message: { role: 'assistant', content: said.join('') } } : { text: said.join('') };
    return json(res, { ...whole, choices: [{ index: 0, ...choice, finish_reason: 'stop' }], usage });
  }
  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  const asksUsage = body.stream_options?.include_usage === true;
  const send = (choices: unknown[], more: object = asksUsage ? { usage: null } : {}): void =>
    void res.write(
      `data: ${JSON.stringify({ ...whole, object: isChat ? 'chat.completion.chunk' : whole.object, choices, ...more })}\n\n`,
    );
  if (isChat) send([{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }]);
  for (const content of said)
    send([{ index: 0, ...(isChat ? { delta: { content } } : { text: content }), finish_reason: null }]);
  send([{ index: 0, ...(isChat ? { delta: {} } : { text: '' }), finish_reason: 'stop' }]);
  if (asksUsage) send([], { usage });
  res.end('data: [DONE]\n\n');
};

const llm = (name: string, server: { readonly url: string }, model = name): ReturnType<typeof variant> =>
  variant(name, server.url, { upstream: { protocol: 'openai', model, price } });

const chat = (servers: readonly { readonly url: string }[], more: Partial<RoutedExperiment> = {}): RoutedExperiment =>
  experiment(
    servers.map((server, index) => llm(['small', 'large'][index]!, server)),
    { route: { kind: 'path', path: '/v1' }, ...more },
  );

async function open(
  answer: Answer = speaksOpenAi,
  more: Partial<RoutedExperiment> = {},
): Promise<{ rig: Rig; server: ModelServer; client: OpenAI }> {
  const server = await startModel(answer);
  const rig = await openRig([chat([server], { unit: { sources: [{ kind: 'request' }], orElse: 'request' }, ...more })]);
  return { rig, server, client: new OpenAI({ baseURL: `${rig.url}/v1`, apiKey: 'test', maxRetries: 0 }) };
}

const messages = [{ role: 'user' as const, content: 'hi' }];

describe('the OpenAI client through the gateway', () => {
  it("gets a chat completion from the variant's model, and tokens and cost are on record", async () => {
    const { rig, server, client } = await open();
    const reply = await client.chat.completions.create({ model: 'gpt', messages, seed: 1 });
    expect(reply.choices[0]!.message.content).toBe('Hello!');
    expect(server.asked[0]!.url).toBe('/v1/chat/completions');
    expect(JSON.parse(server.asked[0]!.body.toString())).toEqual({ model: 'small', messages, seed: 1 });
    const [record] = await rig.predictions();
    expect(record).toMatchObject({
      streaming: false,
      captured: { ...usage, cost: (12 * 2 + 3 * 8) / 1e6, model: 'small-0713', finish_reason: 'stop' },
    });
  });

  it('gets a stream without the usage chunk it did not ask for, and tokens, cost and first token are on record', async () => {
    const { rig, server, client } = await open();
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of await client.chat.completions.create({ model: 'gpt', messages, stream: true }))
      chunks.push(chunk);
    expect(chunks.map((chunk) => chunk.choices[0]!.delta.content ?? '').join('')).toBe('Hello!');
    expect(chunks.every((chunk) => !Object.hasOwn(chunk, 'usage'))).toBe(true);
    expect(JSON.parse(server.asked[0]!.body.toString()).stream_options).toEqual({ include_usage: true });
    const [end] = await rig.ends();
    expect(end!.attempt).toMatchObject({ variant: 'small', status: 200, error: null });
    const { ttft_ms, tokens_per_second, ...rest } = end!.captured;
    expect(rest).toEqual({ ...usage, cost: (12 * 2 + 3 * 8) / 1e6, model: 'small-0713', finish_reason: 'stop' });
    expect(ttft_ms).toBeGreaterThan(0);
    expect(ttft_ms).toBeLessThanOrEqual(end!.callerMs);
    expect((await rig.predictions())[0]).toMatchObject({ streaming: true, captured: {} });
  });

  it('gets the usage chunk when it asked for it', async () => {
    const { rig, server, client } = await open();
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    const request = { model: 'gpt', messages, stream: true as const, stream_options: { include_usage: true } };
    for await (const chunk of await client.chat.completions.create(request)) chunks.push(chunk);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage });
    expect(chunks[0]!.usage).toBeNull();
    expect(server.asked[0]!.headers['accept-encoding']).toBeDefined();
    expect((await rig.ends())[0]!.captured).toMatchObject(usage);
  });

  it('streams legacy completions and gets embeddings', async () => {
    const { rig, client } = await open();
    let text = '';
    for await (const chunk of await client.completions.create({ model: 'gpt', prompt: 'hi', stream: true }))
      text += chunk.choices[0]!.text;
    expect(text).toBe('Hello!');
    const embedded = await client.embeddings.create({ model: 'gpt', input: 'hi', encoding_format: 'float' });
    expect(embedded.data[0]!.embedding).toEqual([0.5, 1]);
    const [end] = await rig.ends();
    expect(end!.captured).toMatchObject(usage);
    const record = (await rig.predictions()).find((each) => !each.streaming);
    expect(record!.captured).toEqual({ prompt_tokens: 7, total_tokens: 7, cost: 14 / 1e6, model: 'small' });
  });

  it("lists models from the control, and that is nobody's exposure", async () => {
    const { rig, client } = await open();
    expect((await client.models.list()).data[0]!.id).toBe('m');
    expect(await rig.predictions()).toEqual([]);
  });
});

describe('a conversation', () => {
  it('keeps its variant over all its turns, by header, user or conversation id', async () => {
    const servers = [await startModel(speaksOpenAi), await startModel(speaksOpenAi)];
    const rig = await openRig([
      chat(servers, {
        allocation: halves('small', 'large'),
        unit: {
          sources: [
            { kind: 'header', name: 'x-conversation' },
            { kind: 'json', path: '$.metadata.conversation_id' },
            { kind: 'json', path: '$.user' },
          ],
          orElse: 'control',
        },
      }),
    ]);
    const client = new OpenAI({ baseURL: `${rig.url}/v1`, apiKey: 'test' });
    const places: readonly ((id: string) => [object, Record<string, string>])[] = [
      (id) => [{}, { 'x-conversation': id }],
      (id) => [{ metadata: { conversation_id: id } }, {}],
      (id) => [{ user: id }, {}],
    ];
    const seen = new Set<string>();
    for (let person = 0; person < 8; person += 1) {
      const variants = new Set<string>();
      for (let turn = 0; turn < 3; turn += 1) {
        const [more, headers] = places[turn]!(`conversation-${person}`);
        const history = Array.from({ length: 2 * turn + 1 }, (_, at) => ({
          role: at % 2 === 0 ? ('user' as const) : ('assistant' as const),
          content: `turn ${at}`,
        }));
        const request = { model: 'gpt', messages: history, ...more };
        const { response } = await client.chat.completions.create(request, { headers }).withResponse();
        variants.add(response.headers.get('x-assay-variant')!);
      }
      expect(variants.size).toBe(1);
      seen.add([...variants][0]!);
    }
    expect(seen).toEqual(new Set(['small', 'large']));
  });
});

describe('an experiment routed by the model a request names', () => {
  it('takes requests with that model, at any base path, and leaves the others to path, host and default upstream', async () => {
    const [other, named] = [await startModel(speaksOpenAi), await startModel(speaksOpenAi)];
    const routed = chat([named], { name: 'named', route: { kind: 'model', model: 'assistant' } });
    const rig = await openRig([routed], { defaultUpstream: other.url });
    const ask = (model: string, path = '/v1/chat/completions') =>
      call(`${rig.url}${path}`, { body: { model, messages } });
    expect((await ask('assistant')).headers['x-assay-experiment']).toBe('named');
    expect((await ask('assistant', '/openai/v1/chat/completions')).headers['x-assay-experiment']).toBe('named');
    expect((await ask('another')).headers['x-assay-experiment']).toBeUndefined();
    expect(other.asked.map(({ body }) => JSON.parse(body.toString()).model)).toEqual(['another']);
    expect(rig.gateway.status().unmatched).toBe(1);
  });

  it('goes before an experiment at the path', async () => {
    const server = await startModel(speaksOpenAi);
    const named = chat([server], { name: 'named', route: { kind: 'model', model: 'assistant' } });
    const rig = await openRig([chat([server]), named]);
    const nameOf = async (model: string) =>
      (await call(`${rig.url}/v1/completions`, { body: { model, prompt: 'x' } })).headers['x-assay-experiment'];
    expect(await nameOf('assistant')).toBe('named');
    expect(await nameOf('another')).toBe('test');
  });

  it('is told apart in a 404 that comes after the body was read', async () => {
    const server = await startModel(speaksOpenAi);
    const rig = await openRig([chat([server], { route: { kind: 'model', model: 'assistant' } })]);
    const reply = await call(`${rig.url}/v1/completions`, { body: { model: 'nobody', prompt: 'x' } });
    expect(reply.status).toBe(404);
    expect(JSON.parse(reply.body.toString()).code).toBe('route-unknown');
  });
});

describe('an OpenAI server that does not do as documented', () => {
  it('refuses stream_options: the caller gets the stream all the same, and the server is not asked that way again', async () => {
    const { rig, server, client } = await open((asked, res, req) => {
      if (JSON.parse(asked.body.toString()).stream_options !== undefined)
        return json(res, { error: { message: 'Unrecognized request argument supplied: stream_options' } }, 400);
      speaksOpenAi(asked, res, req);
    });
    for (let turn = 0; turn < 2; turn += 1) {
      let text = '';
      for await (const chunk of await client.chat.completions.create({ model: 'gpt', messages, stream: true }))
        text += chunk.choices[0]!.delta.content ?? '';
      expect(text).toBe('Hello!');
    }
    expect(server.asked.map(({ body }) => body.includes('stream_options'))).toEqual([true, false, false]);
    const [first, second] = await rig.predictions();
    expect(first!.attempts.map(({ status }) => status)).toEqual([400, 200]);
    expect(second!.attempts).toHaveLength(1);
    expect((await rig.ends())[0]!.captured).toMatchObject({ finish_reason: 'stop' });
    expect((await rig.ends())[0]!.captured.total_tokens).toBeUndefined();
  });

  it('refuses the request itself: the caller gets that answer, and usage is asked for again next time', async () => {
    const { server, client } = await open((asked, res, req) => {
      const body = JSON.parse(asked.body.toString());
      if (body.messages.length === 0) return json(res, { error: { message: 'messages is empty' } }, 400);
      speaksOpenAi(asked, res, req);
    });
    const request = { model: 'gpt', messages: [], stream: true as const };
    await expect(client.chat.completions.create(request)).rejects.toThrow('messages is empty');
    for await (const _chunk of await client.chat.completions.create({ ...request, messages })) void _chunk;
    expect(server.asked.map(({ body }) => body.includes('stream_options'))).toEqual([true, false, true]);
  });

  it('says an error within the stream: the caller sees it, and the attempt has failed', async () => {
    const { rig } = await open((_asked, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.end(
        'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\ndata: {"error":{"message":"oom"}}\n\ndata: [DONE]\n\n',
      );
    });
    const reply = await call(`${rig.url}/v1/chat/completions`, { body: { model: 'gpt', messages, stream: true } });
    expect(reply.body.toString()).toContain('"oom"');
    expect((await rig.ends())[0]!.attempt).toMatchObject({ status: 200, error: 'error-event' });
  });

  it('ends the stream early without a word: the attempt has failed', async () => {
    const { rig } = await open((_asked, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.end('data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n');
    });
    await call(`${rig.url}/v1/chat/completions`, { body: { model: 'gpt', messages, stream: true } });
    expect((await rig.ends())[0]).toMatchObject({ attempt: { error: 'cut-off' } });
    expect((await rig.ends())[0]!.captured.ttft_ms).toBeGreaterThan(0);
  });

  it("breaks the connection within the stream: so does the caller's, and what was read is on record", async () => {
    const server = await startRawModel((socket) => {
      const event = 'data: {"model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n';
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n${event.length.toString(16)}\r\n${event}\r\n`,
        () => setImmediate(() => socket.resetAndDestroy()),
      );
    });
    const rig = await openRig([chat([server])]);
    const asked = call(`${rig.url}/v1/chat/completions`, { body: { model: 'gpt', messages, stream: true } });
    await expect(asked).rejects.toThrow();
    expect((await rig.ends())[0]).toMatchObject({ attempt: { error: 'reset' }, captured: { model: 'm' } });
  });

  it('announces the length of its stream: the shortened one goes out without it', async () => {
    const { rig } = await open((_asked, res) => {
      const body =
        'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}],"usage":null}\n\ndata: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\ndata: [DONE]\n\n';
      res.writeHead(200, { 'content-type': 'text/event-stream', 'content-length': body.length });
      res.end(body);
    });
    const reply = await call(`${rig.url}/v1/chat/completions`, { body: { model: 'gpt', messages, stream: true } });
    expect(reply.headers['content-length']).toBeUndefined();
    expect(reply.body.toString()).toBe(
      'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
    );
    expect((await rig.ends())[0]!.captured).toMatchObject({ total_tokens: 2 });
  });

  it('answers compressed: the bytes pass and the usage is read', async () => {
    const { rig } = await open((_asked, res) => {
      const body = gzipSync(JSON.stringify({ model: 'm', choices: [], usage }));
      res.writeHead(200, {
        'content-type': 'application/json',
        'content-encoding': 'gzip',
        'content-length': body.length,
      });
      res.end(body);
    });
    const reply = await call(`${rig.url}/v1/chat/completions`, { body: { model: 'gpt', messages } });
    expect(JSON.parse(gunzipSync(reply.body).toString()).usage).toEqual(usage);
    expect((await rig.predictions())[0]!.captured).toMatchObject(usage);
  });
});

describe('a caller who leaves in the middle of a stream', () => {
  it('ends the stream of the model server too, and what was read is on record', async () => {
    let ended = (): void => {};
    const isEnded = new Promise<void>((resolve) => (ended = resolve));
    const { rig, client } = await open((_asked, res) => {
      res.on('close', ended);
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write('data: {"model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n');
    });
    const stream = await client.chat.completions.create({ model: 'gpt', messages, stream: true });
    for await (const chunk of stream) {
      expect(chunk.choices[0]!.delta.content).toBe('a');
      break;
    }
    await isEnded;
    const [end] = await rig.ends();
    expect(end).toMatchObject({ attempt: { error: 'aborted' }, captured: { model: 'm' } });
    expect(end!.captured.ttft_ms).toBeGreaterThan(0);
  });
});

describe('a streamed reply under before-reply durability', () => {
  it('waits for its record and is then complete', async () => {
    const server = await startModel(speaksOpenAi);
    const rig = await openRig([chat([server])], { durability: 'before-reply' });
    const reply = await call(`${rig.url}/v1/chat/completions`, { body: { model: 'gpt', messages, stream: true } });
    expect(reply.body.toString()).toMatch(/Hel.*lo.*\[DONE\]\n\n$/s);
    expect(reply.body.toString()).not.toContain('usage');
    expect((await rig.ends())[0]!.captured).toMatchObject(usage);
  });
});

describe('a fallback', () => {
  it('sends the control the model of the control', async () => {
    const control = await startModel(speaksOpenAi);
    const broken = await startModel((_asked, res) => json(res, { error: { message: 'overloaded' } }, 503));
    const rig = await openRig([chat([control, broken])]);
    const headers = { 'x-user-id': 'u' };
    const reply = await call(`${rig.url}/v1/chat/completions`, { headers, body: { model: 'gpt', messages } });
    expect(reply.headers['x-assay-fallback-from']).toBe('large');
    expect(JSON.parse(broken.asked[0]!.body.toString()).model).toBe('large');
    expect(JSON.parse(control.asked[0]!.body.toString()).model).toBe('small');
    expect((await rig.predictions())[0]!.captured).toMatchObject({ model: 'small-0713' });
  });
});
