import { createGzip, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { BodyCapture, RoutedExperiment } from '../experiment/index.ts';
import {
  type Answer,
  call,
  closeAll,
  experiment,
  json,
  openRig,
  type Rig,
  startModel,
  variant,
} from './gateway-rig.fixture.ts';
import type { BodyStore, KeptExchange } from './index.ts';

afterEach(closeAll);

/** A store in memory. */
function createMemoryStore(): BodyStore & { readonly kept: { exchange: KeptExchange; retentionMs: number }[] } {
  const kept: { exchange: KeptExchange; retentionMs: number }[] = [];
  return { kept, add: (exchange, retentionMs) => void kept.push({ exchange, retentionMs }), close: async () => {} };
}

const all: BodyCapture = { share: 1, maxBytes: 1000, redact: [], retentionMs: 7 * 86_400_000 };

async function open(
  answer: Answer,
  rule: Partial<BodyCapture> = {},
  more: Partial<RoutedExperiment> = {},
): Promise<{ rig: Rig; kept: () => Promise<readonly KeptExchange[]> }> {
  const model = await startModel(answer);
  const store = createMemoryStore();
  const rig = await openRig(
    [experiment([variant('a', model.url), variant('b', model.url)], { bodyCapture: { ...all, ...rule }, ...more })],
    { bodies: store },
  );
  return {
    rig,
    kept: async () => {
      await rig.records();
      await rig.gateway.drain();
      return store.kept.map(({ exchange }) => exchange);
    },
  };
}

const headers = { 'x-user-id': 'u1' };

describe('body capture', () => {
  it('keeps request and reply of a prediction as they were, under its prediction id', async () => {
    const { rig, kept } = await open((_asked, res) => json(res, { score: 0.5 }));
    const body = '{"id": 9007199254740993,  "x":1.50}';
    const reply = await call(`${rig.url}/predict?top=3`, { headers, body });
    const [exchange] = await kept();
    expect(exchange).toMatchObject({
      v: 1,
      namespace: 'default',
      experiment: 'test',
      predictionId: reply.headers['x-assay-prediction-id'],
      variant: 'b',
      method: 'POST',
      path: '/predict?top=3',
      status: 200,
      request: {
        headers: { 'content-type': 'application/json' },
        text: body,
        encoding: 'utf8',
        bytes: body.length,
        isCut: false,
        redacted: 0,
        omitted: null,
      },
      reply: { text: '{"score":0.5}', isCut: false },
    });
    expect(exchange!.latencyMs).toBeGreaterThan(0);
    expect(exchange!.timeMs).toBe((await rig.predictions())[0]!.timeMs);
  });

  it('keeps a share, drawn per request', async () => {
    let draw = 0;
    const model = await startModel((_asked, res) => json(res, {}));
    const store = createMemoryStore();
    const routed = experiment([variant('a', model.url)], { bodyCapture: { ...all, share: 0.25 } });
    const rig = await openRig([routed], { bodies: store, random: () => (draw++ % 4) / 4 });
    for (let n = 0; n < 8; n += 1) await call(`${rig.url}/predict`, { headers, body: { n } });
    await rig.records();
    await rig.gateway.drain();
    expect(store.kept.map(({ exchange }) => JSON.parse(exchange.request.text!).n)).toEqual([0, 4]);
    expect(store.kept[0]!.retentionMs).toBe(all.retentionMs);
    expect(rig.counts.get('bodies_sampled')).toBe(2);
  });

  it('cuts long bodies at a whole character and says so', async () => {
    const { rig, kept } = await open((_asked, res) => json(res, { text: 'ü'.repeat(600) }), { maxBytes: 12 });
    await call(`${rig.url}/predict`, { headers, body: { a: 1 } });
    const [exchange] = await kept();
    expect(exchange!.request).toMatchObject({ text: '{"a":1}', isCut: false });
    expect(exchange!.reply).toMatchObject({ text: '{"text":"ü', isCut: true, bytes: 1211 });
  });

  it('keeps bytes that are no text as base64, with the length of their JSON part', async () => {
    const bytes = Buffer.concat([Buffer.from('{"inputs":[]}'), Buffer.from([0, 255, 254])]);
    const { rig, kept } = await open((_asked, res) => {
      res.writeHead(200, { 'content-type': 'application/octet-stream', 'inference-header-content-length': '13' });
      res.end(bytes);
    });
    await call(`${rig.url}/predict`, { headers: { ...headers, 'inference-header-content-length': '13' }, body: bytes });
    const [exchange] = await kept();
    for (const part of [exchange!.request, exchange!.reply]) {
      expect(part.encoding).toBe('base64');
      expect(Buffer.from(part.text!, 'base64')).toEqual(bytes);
      expect(part.headers['inference-header-content-length']).toBe('13');
    }
  });

  it('unpacks what is compressed', async () => {
    const { rig, kept } = await open((_asked, res) => {
      res.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
      const pack = createGzip();
      pack.pipe(res);
      pack.end('{"score":1}');
    });
    const body = gzipSync('{"a":1}');
    await call(`${rig.url}/predict`, { headers: { ...headers, 'content-encoding': 'gzip' }, body });
    const [exchange] = await kept();
    expect(exchange!.request.text).toBe('{"a":1}');
    expect(exchange!.reply.text).toBe('{"score":1}');
  });

  it('keeps a stream as the caller got it', async () => {
    const { rig, kept } = await open((_asked, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const text of ['one', 'two']) res.write(`data: ${text}\n\n`);
      res.end();
    });
    await call(`${rig.url}/predict`, { headers, body: {} });
    expect((await kept())[0]!.reply).toMatchObject({ text: 'data: one\n\ndata: two\n\n', isCut: false, bytes: 22 });
  });

  it('keeps the reply of the control where it answered, and nothing of a caller that went away', async () => {
    const control = await startModel((_asked, res) => json(res, { from: 'control' }));
    const broken = await startModel((_asked, res) => json(res, {}, 500));
    const store = createMemoryStore();
    const routed = experiment([variant('a', control.url), variant('b', broken.url)], { bodyCapture: all });
    const rig = await openRig([routed], { bodies: store });
    await call(`${rig.url}/predict`, { headers, body: {} });
    await rig.records();
    await rig.gateway.drain();
    expect(store.kept.map(({ exchange }) => [exchange.variant, exchange.reply.text])).toEqual([
      ['a', '{"from":"control"}'],
    ]);
  });
});

describe('redaction', () => {
  it('takes the values out of request and reply before anything is handed over', async () => {
    const { rig, kept } = await open((_asked, res) => json(res, { user: 'secret', score: 1 }), { redact: ['$.user'] });
    await call(`${rig.url}/predict`, { headers, body: { user: 'secret', x: [1] } });
    const [exchange] = await kept();
    expect(exchange!.request).toMatchObject({ text: '{"user":"[redacted]","x":[1]}', redacted: 1 });
    expect(exchange!.reply).toMatchObject({ text: '{"user":"[redacted]","score":1}', redacted: 1 });
    expect(JSON.stringify(exchange)).not.toContain('secret');
  });

  it('leaves a body out whole where the values cannot be found', async () => {
    const { rig, kept } = await open(
      (_asked, res) => {
        res.writeHead(200, { 'content-type': 'text/plain' });
        res.end('the secret is 7');
      },
      { redact: ['$.user'] },
    );
    await call(`${rig.url}/predict`, { headers, body: '{"user": "secret"' });
    const long = { user: 'secret', x: 'y'.repeat(1_100_000) };
    await call(`${rig.url}/predict`, { headers, body: long });
    const [broken, tooLong] = await kept();
    expect(broken!.request).toMatchObject({ text: null, omitted: 'no JSON, cannot be redacted' });
    expect(broken!.reply).toMatchObject({ text: null, omitted: 'no JSON, cannot be redacted' });
    expect(tooLong!.request).toMatchObject({ text: null, omitted: 'too long to be redacted' });
  });

  it('redacts before it cuts, so that a cut cannot hide a value from it', async () => {
    const { rig, kept } = await open((_asked, res) => json(res, {}), { redact: ['$.user'], maxBytes: 20 });
    await call(`${rig.url}/predict`, { headers, body: { user: 'secret-secret-secret', x: 1 } });
    expect((await kept())[0]!.request).toMatchObject({ text: '{"user":"[redacted]"', isCut: true });
  });

  it('reaches into every event of a stream', async () => {
    const { rig, kept } = await open(
      (_asked, res) => {
        res.writeHead(200, { 'content-type': 'text/event-stream' });
        res.end('data: {"user":"secret","n":1}\n\ndata: [DONE]\n\n');
      },
      { redact: ['$.user'] },
    );
    await call(`${rig.url}/predict`, { headers, body: {} });
    expect((await kept())[0]!.reply.text).toBe('data: {"user":"[redacted]","n":1}\n\ndata: [DONE]\n\n');
  });
});
