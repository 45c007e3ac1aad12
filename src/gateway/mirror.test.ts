// Copies for a shadow: it gets what the variant got, its answers stand beside the prediction, and callers never notice it.
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { createCountingObserver } from '../adapters/counting-observer.ts';
import type { MirrorRecord } from '../evidence/index.ts';
import type { RoutedExperiment } from '../experiment/index.ts';
import {
  type Answer,
  call,
  closeAll,
  deadUrl,
  experiment,
  json,
  openRig,
  type Rig,
  startModel,
  startRawModel,
  variant,
} from './gateway-rig.fixture.ts';

afterAll(closeAll);

const user = { 'x-user-id': 'u' };
const score = { name: 'prediction', from: 'reply', source: { kind: 'json', path: '$.score' } } as const;

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(2);
}

/** An experiment whose every prediction is copied to a shadow at `url`; the counter sums by name and reason. */
async function shadowed(
  url: string,
  { shadowMs = 10_000, ...more }: Partial<RoutedExperiment> & { readonly shadowMs?: number } = {},
  options: Parameters<typeof openRig>[1] = {},
) {
  const model = await startModel((_asked, res) => json(res, { score: 0.5 }));
  const observer = createCountingObserver({ now: Date.now });
  const rig = await openRig(
    [
      experiment(
        [
          variant('control', model.url),
          variant('shadow', url, { weight: 0, timeoutMs: shadowMs }),
          variant('candidate', model.url),
        ],
        { mirror: { variant: 'shadow', share: 1 }, capture: [score], ...more },
      ),
    ],
    { observer, ...options },
  );
  const counts = (name: string): number =>
    observer.counts().reduce((sum, count) => sum + (count.name === name ? count.value : 0), 0);
  const dropped = (): Record<string, number> =>
    Object.fromEntries(
      observer
        .counts()
        .flatMap(({ name, labels, value }) => (name === 'mirror_dropped' ? [[labels.reason, value]] : [])),
    );
  return { model, rig, counts, dropped };
}

/** Waits for the last copy, then everything that was written down about copies. */
async function mirrors(rig: Rig): Promise<readonly MirrorRecord[]> {
  await until(() => rig.gateway.status().inFlight === 0);
  await until(() => rig.gateway.status().mirrors.queued + rig.gateway.status().mirrors.inFlight === 0);
  return (await rig.records()).filter((record) => record.kind === 'mirror');
}

const ask = (rig: Rig, body: unknown = { x: 1 }, headers: Record<string, string> = {}) =>
  call(`${rig.url}/predict`, { body, headers: { ...user, ...headers } });

/** What each of 25 calls in turn by so many callers was answered with. */
async function statusesOf(rig: Rig, callers: number): Promise<readonly number[]> {
  const caller = async (): Promise<readonly number[]> => {
    const seen: number[] = [];
    for (let count = 0; count < 25; count += 1) seen.push((await ask(rig)).status);
    return seen;
  };
  return (await Promise.all(Array.from({ length: callers }, caller))).flat();
}

describe('a copy', () => {
  it('is the request as the variant got it, marked, and its answer is recorded under the same prediction id', async () => {
    const shadow = await startModel((_asked, res) => json(res, { score: 0.75 }));
    const { rig, model, counts } = await shadowed(shadow.url);
    const reply = await ask(rig, '{"id": 12345678901234567890}', { 'x-request-id': 'mine', traceparent: 'abc' });
    expect([reply.status, reply.body.toString()]).toEqual([200, '{"score":0.5}']);
    const [record, ...others] = await mirrors(rig);
    expect(others).toEqual([]);
    expect(record).toMatchObject({
      namespace: 'default',
      experiment: 'test',
      predictionId: reply.headers['x-assay-prediction-id'],
      row: 0,
      attempt: { variant: 'shadow', status: 200, error: null },
      prediction: 0.75,
      captured: {},
    });
    const [asked] = shadow.asked;
    expect([asked!.method, asked!.url, asked!.body.toString()]).toEqual([
      'POST',
      '/predict',
      '{"id": 12345678901234567890}',
    ]);
    expect(asked!.headers).toMatchObject({
      'x-assay-mirror': '1',
      'x-assay-variant': 'shadow',
      'x-assay-prediction-id': reply.headers['x-assay-prediction-id'],
      'x-request-id': 'mine',
      traceparent: 'abc',
    });
    expect(model.asked[0]!.headers).not.toHaveProperty('x-assay-mirror');
    expect((await rig.predictions())[0]).toMatchObject({ assigned: 'candidate', prediction: 0.5 });
    expect([counts('mirror_sampled'), counts('mirror_sent'), counts('mirror_ok')]).toEqual([1, 1, 1]);
  });

  it('is drawn per request: none at share 0, all at share 1, the drawn ones between', async () => {
    const shadow = await startModel((_asked, res) => json(res, {}));
    let draws = 0;
    const random = (): number => [0.1, 0.49, 0.5, 0.9][draws++ % 4]!;
    const { rig } = await shadowed(shadow.url, { mirror: { variant: 'shadow', share: 0.5 } }, { random });
    for (let count = 0; count < 8; count += 1) await ask(rig);
    await mirrors(rig);
    expect([shadow.asked.length, draws]).toEqual([4, 8]);
    const none = await shadowed(shadow.url, { mirror: { variant: 'shadow', share: 0 } });
    for (let count = 0; count < 5; count += 1) await ask(none.rig);
    expect(await mirrors(none.rig)).toEqual([]);
  });

  it('is not made while the experiment does not run, nor of a request the shadow itself answers', async () => {
    const shadow = await startModel((_asked, res) => json(res, {}));
    const paused = await shadowed(shadow.url, { allocation: { kind: 'single', variant: 'control', reason: 'paused' } });
    await ask(paused.rig);
    expect(await mirrors(paused.rig)).toEqual([]);
    const running = await shadowed(shadow.url);
    await ask(running.rig, {}, { 'x-assay-force': 'shadow' });
    expect(await mirrors(running.rig)).toEqual([]);
    expect([shadow.asked.length, running.counts('mirror_sampled')]).toEqual([1, 0]);
  });

  it('of a stream is read to its end; one without end is given up after 16 MB', async () => {
    const answers: Answer[] = [
      (_asked, res) => {
        res.writeHead(200, { 'content-type': 'text/event-stream' });
        res.write('data: 1\n\n');
        setTimeout(() => res.end('data: 2\n\n'), 20);
      },
      (_asked, res) => {
        res.writeHead(200, { 'content-type': 'application/octet-stream' });
        const chunk = Buffer.alloc(256 * 1024);
        const pour = (): void => {
          while (!res.destroyed && res.write(chunk));
        };
        res.on('drain', pour);
        pour();
      },
    ];
    const shadow = await startModel((asked, res, req) => answers[shadow.asked.length - 1]!(asked, res, req));
    const { rig } = await shadowed(shadow.url, {
      capture: [],
      variants: [
        variant('control', shadow.url),
        variant('shadow', shadow.url, { weight: 0, timeoutMs: 20_000 }),
        variant('candidate', (await startModel((_asked, res) => json(res, {}))).url),
      ],
    });
    await ask(rig);
    expect(await mirrors(rig)).toMatchObject([{ attempt: { status: 200, error: null } }]);
    await ask(rig);
    expect((await mirrors(rig))[1]).toMatchObject({ attempt: { status: 200, error: 'oversize' }, captured: {} });
  });
});

describe('a shadow in trouble', () => {
  it.each([
    ['that is down', deadUrl, 'connect', null],
    ['that hangs', async () => (await startRawModel(() => {})).url, 'timeout', null],
    ['that resets', async () => (await startRawModel((socket) => socket.resetAndDestroy())).url, 'reset', null],
    ['that answers 500', async () => (await startModel((_asked, res) => json(res, {}, 500))).url, 'status', 500],
    [
      'that answers rubbish',
      async () =>
        (await startModel((_a, res) => void res.writeHead(200, { 'content-type': 'application/json' }).end('<'))).url,
      'malformed-reply',
      200,
    ],
  ] as const)('%s changes nothing for callers and is on record', async (_name, start, error, status) => {
    const { rig, counts } = await shadowed(await start(), error === 'timeout' ? { shadowMs: 300 } : {});
    const replies = await Promise.all(Array.from({ length: 5 }, () => ask(rig)));
    expect(replies.map((reply) => [reply.status, reply.headers['x-assay-variant']])).toEqual(
      Array(5).fill([200, 'candidate']),
    );
    const records = await mirrors(rig);
    expect(records).toMatchObject(
      Array(5).fill({ attempt: { variant: 'shadow', status, error }, prediction: null, captured: {} }),
    );
    expect([counts('mirror_sent'), counts('mirror_failed'), counts('fallback')]).toEqual([5, 5, 0]);
    expect((await rig.predictions()).map(({ attempts }) => attempts.length)).toEqual(Array(5).fill(1));
    expect(rig.gateway.status().variants.find((each) => each.variant === 'shadow')?.state).toBe('in');
  });

  it('that hangs holds up nobody: every caller is answered while no copy is, the queue is bounded, and the sums agree', async () => {
    const hanging: ServerResponse[] = [];
    const shadow = await startModel((_asked, res) => void hanging.push(res));
    const { rig, counts, dropped } = await shadowed(shadow.url, { shadowMs: 30_000 });
    expect(await statusesOf(rig, 16)).toEqual(Array(400).fill(200));
    await until(() => hanging.length === 32);
    expect(rig.gateway.status().mirrors).toEqual({ queued: 256, inFlight: 32 });
    expect([counts('mirror_sampled'), counts('mirror_sent'), dropped()]).toEqual([400, 32, { 'queue-full': 112 }]);
    const answerAll = setInterval(() => {
      for (const res of hanging.splice(0)) json(res, { score: 1 }, Math.random() < 0.3 ? 500 : 200);
    }, 2);
    const records = await mirrors(rig);
    clearInterval(answerAll);
    expect(counts('mirror_sampled')).toBe(counts('mirror_sent') + counts('mirror_dropped'));
    expect(counts('mirror_sent')).toBe(counts('mirror_ok') + counts('mirror_failed'));
    expect(records).toHaveLength(counts('mirror_sent'));
    expect(records.filter(({ attempt }) => attempt.error !== null)).toHaveLength(counts('mirror_failed'));
    expect(new Set(records.map(({ predictionId }) => predictionId)).size).toBe(288);
  });

  it('that breaks most of its connections, at any point, fails no caller, and the sums agree', async () => {
    let turn = 0;
    const shadow = await startModel((_asked, res) => {
      turn += 1;
      if (turn % 4 === 0) json(res, { score: 1 });
      else if (turn % 4 === 1) res.socket?.resetAndDestroy();
      else if (turn % 4 === 2) res.socket?.write('HTTP/1.1 200 OK\r\ncont', () => res.socket?.resetAndDestroy());
      else {
        res.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 });
        res.write('{"score":1', () => res.socket?.resetAndDestroy());
      }
    });
    const { rig, counts } = await shadowed(shadow.url, { shadowMs: 30_000 });
    expect(await statusesOf(rig, 8)).toEqual(Array(200).fill(200));
    const records = await mirrors(rig);
    expect(counts('mirror_sampled')).toBe(200);
    expect(counts('mirror_sampled')).toBe(counts('mirror_sent') + counts('mirror_dropped'));
    expect(counts('mirror_sent')).toBe(counts('mirror_ok') + counts('mirror_failed'));
    expect(records).toHaveLength(counts('mirror_sent'));
    const failed = records.filter(({ attempt }) => attempt.error !== null);
    expect(failed).toHaveLength(counts('mirror_failed'));
    expect(failed.length).toBeGreaterThan(counts('mirror_ok'));
    expect(new Set(failed.map(({ attempt }) => attempt.error))).toEqual(new Set(['reset']));
    expect((await rig.predictions()).every(({ attempts }) => attempts.length === 1)).toBe(true);
  });
});

describe('copies stand back', () => {
  it('under overload: none is made while half of what may be under way is, waiting ones are dropped', async () => {
    const waiting: ServerResponse[] = [];
    const slow = await startModel((_asked, res) => void waiting.push(res));
    const shadow = await startModel((_asked, res) => json(res, {}));
    const { rig, counts, dropped } = await shadowed(
      shadow.url,
      { variants: [variant('control', slow.url), variant('shadow', shadow.url), variant('candidate', slow.url)] },
      { maxInFlight: 8 },
    );
    const replies = Array.from({ length: 8 }, () => ask(rig));
    await until(() => waiting.length === 8);
    for (const res of waiting.splice(0)) json(res, {});
    expect((await Promise.all(replies)).map((reply) => reply.status)).toEqual(Array(8).fill(200));
    await mirrors(rig);
    expect(counts('mirror_sampled')).toBe(8);
    expect(dropped().overload).toBeGreaterThanOrEqual(4);
    expect(shadow.asked).toHaveLength(counts('mirror_sent'));
    expect(counts('mirror_sent') + counts('mirror_dropped')).toBe(8);
  });

  it('for bytes: bodies of more than 32 MB in sum are not held for them', async () => {
    const shadow = await startModel(() => {});
    const model = await startModel((_asked, res) => json(res, {}));
    const { rig, dropped } = await shadowed(shadow.url, {
      variants: [
        variant('control', model.url),
        variant('shadow', shadow.url, { weight: 0, timeoutMs: 60_000 }),
        variant('candidate', model.url),
      ],
    });
    const body = Buffer.alloc(9_000_000, 0x20);
    for (let count = 0; count < 4; count += 1) expect((await ask(rig, body)).status).toBe(200);
    expect(dropped()).toEqual({ bytes: 1 });
  });

  it('when draining: what is under way may finish for a while, then it is given up, what waits is dropped', async () => {
    const shadow = await startModel((_asked, res) => void setTimeout(() => json(res, { score: 1 }), 60));
    const patient = await shadowed(shadow.url);
    for (let count = 0; count < 3; count += 1) await ask(patient.rig);
    await patient.rig.gateway.drain();
    expect([patient.counts('mirror_ok'), (await mirrors(patient.rig)).length]).toEqual([3, 3]);

    const hanging = await startModel(() => {});
    const hasty = await shadowed(
      hanging.url,
      {
        variants: [
          variant('control', hanging.url),
          variant('shadow', hanging.url, { timeoutMs: 60_000 }),
          variant('candidate', shadow.url),
        ],
      },
      { drainMs: 50 },
    );
    await Promise.all(Array.from({ length: 40 }, () => ask(hasty.rig)));
    await until(() => hanging.asked.length === 32);
    await hasty.rig.gateway.drain();
    expect(hasty.dropped()).toEqual({ draining: 8 });
    expect([hasty.counts('mirror_sampled'), hasty.counts('mirror_sent'), hasty.counts('mirror_failed')]).toEqual([
      40, 32, 32,
    ]);
    expect((await mirrors(hasty.rig)).map(({ attempt }) => attempt.error)).toEqual(Array(32).fill('aborted'));
  });
});

describe('a copy to an LLM', () => {
  it('streams at the shadow as at the variant, and its tokens are recorded', async () => {
    const chunk = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
    const stream: Answer = (asked, res) => {
      const { stream_options } = JSON.parse(asked.body.toString());
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(chunk({ model: 'm', choices: [{ index: 0, delta: { content: 'Hi' } }], usage: null }));
      if (stream_options?.include_usage === true)
        res.write(
          chunk({ model: 'm', choices: [], usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } }),
        );
      res.end('data: [DONE]\n\n');
    };
    const [model, shadow] = [await startModel(stream), await startModel(stream)];
    const openai = { upstream: { protocol: 'openai' } } as const;
    const { rig } = await shadowed(shadow.url, {
      route: { kind: 'path', path: '/v1' },
      capture: [],
      variants: [
        variant('control', model.url, openai),
        variant('shadow', shadow.url, openai),
        variant('candidate', model.url, openai),
      ],
    });
    const reply = await call(`${rig.url}/v1/chat/completions`, { body: { model: 'm', stream: true }, headers: user });
    expect(reply.body.toString()).not.toContain('total_tokens');
    expect((await mirrors(rig))[0]).toMatchObject({
      attempt: { variant: 'shadow', error: null },
      captured: { prompt_tokens: 3, completion_tokens: 2 },
    });
  });
});
