// What does a collector hear of a language model behind a running server, and what does nobody hear while tracing is off?
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parseExperimentFiles } from '../experiment/index.ts';
import { type RunningServer, startServer } from './index.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  vi.unstubAllEnvs();
});

async function listen(handle: RequestListener): Promise<string> {
  const server = createServer(handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function bodyOf(request: Parameters<RequestListener>[0]): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}
type Attributes = Readonly<Record<string, unknown>>;
const attributesOf = (attributes: readonly Attribute[]): Attributes =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

/** An OpenAI-compatible server that answers whole or in two chunks, and keeps the traceparent it was sent. */
async function startModel(heard: unknown[]): Promise<string> {
  const usage = { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 };
  return listen(async (request, response) => {
    heard.push(request.headers.traceparent);
    const { stream, model } = JSON.parse(await bodyOf(request)) as { stream?: boolean; model: string };
    const said = { id: 'c1', model: `${model}-0601` };
    if (stream !== true) {
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({ ...said, choices: [{ message: { content: 'hi' }, finish_reason: 'stop' }], usage }),
      );
      return;
    }
    response.setHeader('content-type', 'text/event-stream');
    for (const chunk of [
      { ...said, choices: [{ delta: { content: 'hi' }, finish_reason: null }] },
      { ...said, choices: [{ delta: {}, finish_reason: 'length' }] },
      { ...said, choices: [], usage },
    ])
      response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    response.end('data: [DONE]\n\n');
  });
}

async function start(model: string): Promise<RunningServer> {
  const folder = await mkdtemp(join(tmpdir(), 'assay-traces-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const upstream = `{url: "${model}", protocol: openai, model: small-2}`;
  const server = await startServer({
    experiments: parseExperimentFiles(`apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: chat}
spec:
  route: {model: assistant}
  unit: {header: x-user-id, orElse: control}
  control: a
  variants:
    - {name: a, weight: 1, upstream: ${upstream}}
    - {name: b, weight: 1, upstream: ${upstream}}
`),
    dataDirectory: folder,
    port: 0,
    apiPort: 0,
    startDrafts: true,
  });
  closers.push(() => server.close());
  return server;
}

async function chat(server: RunningServer, more: object): Promise<string> {
  const reply = await fetch(`${server.gatewayUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-user-id': 'u', traceparent: caller },
    body: JSON.stringify({ model: 'assistant', messages: [{ role: 'user', content: 'the secret prompt' }], ...more }),
  });
  expect(reply.status).toBe(200);
  return reply.text();
}

const caller = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('the trace of a language model', () => {
  it('says what was asked for and used, whole or streamed, and nothing that was said', async () => {
    const sent: string[] = [];
    const collector = await listen(async (request, response) => {
      sent.push(await bodyOf(request));
      response.end('{}');
    });
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', collector);
    vi.stubEnv('OTEL_BSP_SCHEDULE_DELAY', '50');
    const server = await start(await startModel([]));
    await chat(server, {});
    await chat(server, { stream: true });
    const spans = await vi.waitFor(() => {
      const all = sent.flatMap((text) => {
        const { resourceSpans = [] } = JSON.parse(text) as {
          resourceSpans?: { scopeSpans: { spans: { attributes: Attribute[] }[] }[] }[];
        };
        return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
      });
      expect(all).toHaveLength(2);
      return all.map(({ attributes }) => attributesOf(attributes));
    }, 120_000);
    const same = {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'small-2',
      'gen_ai.response.model': 'small-2-0601',
      'gen_ai.usage.input_tokens': 7,
      'gen_ai.usage.output_tokens': 2,
    };
    const finish = (reason: string) => ({ 'gen_ai.response.finish_reasons': { values: [{ stringValue: reason }] } });
    const [whole, streamed] = spans.sort((one) => ('gen_ai.request.stream' in one ? 1 : -1));
    expect(whole).toMatchObject({ ...same, ...finish('stop') });
    expect(streamed).toMatchObject({
      ...same,
      ...finish('length'),
      'gen_ai.request.stream': true,
      'gen_ai.response.time_to_first_chunk': expect.any(Number),
    });
    expect(sent.join('')).not.toContain('secret prompt');
  });
});

describe('without the one variable', () => {
  it("the caller's trace context reaches the model server as it came", async () => {
    const heard: unknown[] = [];
    const server = await start(await startModel(heard));
    await chat(server, {});
    expect(heard).toEqual([caller]);
  });
});
