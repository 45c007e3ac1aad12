import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ForecastCase, type ForecastModel, fitForecastModel, forecast, splitInTime } from './forecast-models.ts';
import { loadMarketDays } from './market-data.ts';
import { startModelProcess } from './model-process.ts';
import { createModelServer, type ModelServerOptions } from './model-server.ts';

let ask: readonly ForecastCase[] = [];
let model: ForecastModel;

const closers: (() => void)[] = [];
afterAll(() => {
  for (const close of closers) close();
});

beforeAll(async () => {
  const split = splitInTime(await loadMarketDays());
  ask = split.ask;
  model = fitForecastModel('enhanced', split.fit);
});

async function listen(options: Partial<ModelServerOptions> = {}): Promise<string> {
  const server = createModelServer({ name: 'forecast-enhanced', model, ...options });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function body(question: ForecastCase, change: object = {}): object {
  return {
    id: 'q-1',
    inputs: [{ name: 'ohlc', datatype: 'FP64', shape: [1, 63, 4], data: question.history.flat(), ...change }],
  };
}

async function infer(url: string, request: unknown, path = '/v2/models/forecast-enhanced/infer') {
  const reply = await fetch(`${url}${path}`, {
    method: 'POST',
    body: typeof request === 'string' ? request : JSON.stringify(request),
  });
  // biome-ignore lint/suspicious/noExplicitAny: replies of any shape are looked at
  return { status: reply.status, body: (await reply.json()) as any };
}

describe('the model server', () => {
  it('answers the metadata and health paths of the Open Inference Protocol', async () => {
    const url = await listen();
    const get = async (path: string) => {
      const reply = await fetch(`${url}${path}`);
      return [reply.status, await reply.json()];
    };
    expect(await get('/v2')).toEqual([200, expect.objectContaining({ name: expect.any(String), extensions: [] })]);
    expect(await get('/v2/health/live')).toEqual([200, { live: true }]);
    expect(await get('/v2/health/ready')).toEqual([200, { ready: true }]);
    expect(await get('/v2/models/forecast-enhanced/ready')).toEqual([200, { name: 'forecast-enhanced', ready: true }]);
    const metadata = await get('/v2/models/forecast-enhanced');
    expect(metadata).toEqual([200, expect.objectContaining({ name: 'forecast-enhanced', versions: ['1'] })]);
    expect(await get('/v2/models/forecast-enhanced/versions/1')).toEqual(metadata);
    expect((await get('/v2/models/other'))[0]).toBe(404);
    expect((await get('/v2/models/forecast-enhanced/versions/2/ready'))[0]).toBe(404);
    expect((await get('/v2/models/forecast-enhanced/infer'))[0]).toBe(405);
    expect((await get('/'))[0]).toBe(404);
  });

  it("answers infer with the model's own forecast, keeps the id, and takes flat and nested data alike", async () => {
    const url = await listen();
    const question = ask[17]!;
    const expected = {
      model_name: 'forecast-enhanced',
      model_version: '1',
      id: 'q-1',
      outputs: [{ name: 'up', datatype: 'FP64', shape: [1, 1], data: [forecast(model, question.history)] }],
    };
    expect(await infer(url, body(question))).toEqual({ status: 200, body: expected });
    const nested = body(question, { data: [question.history] });
    expect(await infer(url, nested, '/v2/models/forecast-enhanced/versions/1/infer')).toEqual({
      status: 200,
      body: expected,
    });
  });

  it('refuses bad tensors with 400 and a sentence that names value and rule', async () => {
    const url = await listen();
    const question = ask[0]!;
    const cases: readonly (readonly [unknown, string])[] = [
      ['{', 'the body is not JSON'],
      [{}, 'inputs is missing, must be a list of tensors'],
      [{ inputs: [] }, 'inputs holds no tensor "ohlc"'],
      [{ ...body(question), id: 7 }, 'id is 7, must be a text'],
      [body(question, { datatype: 'FP32' }), 'inputs.ohlc.datatype is "FP32", must be "FP64"'],
      [body(question, { shape: [1, 62, 4] }), 'inputs.ohlc.shape is [1,62,4], must be [1,63,4]'],
      [body(question, { data: [1, 2, 3] }), 'inputs.ohlc.data has 3 numbers, must have 252'],
      [
        body(question, { data: [[1, 2, 2, 1], ...question.history.slice(1)].flat() }),
        'inputs.ohlc.data row 0 is [1,2,2,1], must be prices > 0 with high above low',
      ],
      [body(question, { data: [...question.history.flat().slice(1), 'x'] }), 'must be prices > 0 with high above low'],
    ];
    for (const [request, message] of cases) {
      const reply = await infer(url, request);
      expect(reply.status).toBe(400);
      expect(reply.body.error).toContain(message);
    }
  });

  it('fails the declared share of requests, the same ones each time, when a server error is injected', async () => {
    const url = await listen({ fault: { kind: 'server-error', share: 0.1 }, seed: 3 });
    const statuses = async (count: number) =>
      Promise.all(ask.slice(0, count).map(async (question) => (await infer(url, body(question))).status));
    const first = await statuses(250);
    expect(await statuses(50)).toEqual(first.slice(0, 50));
    const failed = first.filter((status) => status === 500).length;
    // 250 draws at 0.1 have standard deviation 4.7.
    expect(failed).toBeGreaterThan(8);
    expect(failed).toBeLessThan(45);
  });

  it('gives the truth for the declared share of requests when an oracle leak is injected', async () => {
    const url = await listen({ fault: { kind: 'oracle-leak', share: 0.6 }, known: ask });
    const replies = await Promise.all(
      ask.slice(0, 250).map(async (question) => {
        const [answer] = (await infer(url, body(question))).body.outputs[0].data;
        return { answer, question };
      }),
    );
    const leaked = replies.filter(({ answer }) => answer === 0 || answer === 1);
    expect(leaked.length / 250).toBeGreaterThan(0.5);
    expect(leaked.length / 250).toBeLessThan(0.7);
    for (const { answer, question } of leaked) expect(answer).toBe(question.label);
  });

  it('takes about the simulated service time, with jitter', async () => {
    const url = await listen({ serviceMs: 40 });
    const times: number[] = [];
    for (const question of ask.slice(0, 12)) {
      const start = performance.now();
      await infer(url, body(question));
      times.push(performance.now() - start);
    }
    const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
    expect(mean).toBeGreaterThan(30);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(5);
  });
});

describe('startModelProcess', () => {
  it('starts a process that fits its own model, answers, and is gone after close', async () => {
    const server = await startModelProcess({ model: 'enhanced', seed: 1, serviceMs: 0, fault: null });
    const question = ask[5]!;
    const reply = await infer(server.url, body(question), `/v2/models/${server.modelName}/infer`);
    expect(reply.body.outputs[0].data).toEqual([forecast(model, question.history)]);
    const closing = performance.now();
    await server.close();
    // It goes by itself when its standard input ends (as when the parent dies), not by the SIGKILL after two seconds.
    expect(performance.now() - closing).toBeLessThan(1900);
    expect(() => process.kill(server.pid, 0)).toThrow('ESRCH');
  });

  it('tells what the process said when it does not start', async () => {
    const start = startModelProcess({ model: 'best' as 'enhanced', seed: 1, serviceMs: 0, fault: null });
    await expect(start).rejects.toMatchObject({
      code: 'upstream-unreachable',
      message: expect.stringContaining('--model is best, must be baseline or enhanced'),
    });
  });
});
