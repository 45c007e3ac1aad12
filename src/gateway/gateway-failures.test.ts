// Whatever a variant does wrong, the caller gets the control's answer and the record tells the whole story.
import type { Socket } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { defaultResilience, type RoutedExperiment } from '../experiment/index.ts';
import {
  call,
  callRaw,
  closeAll,
  deadUrl,
  experiment,
  json,
  oipReply,
  openRig,
  startModel,
  startRawModel,
  variant,
} from './gateway-rig.fixture.ts';

afterAll(closeAll);

const user = { 'x-user-id': 'u' };
const control = () => startModel((asked, res) => json(res, { from: 'control', echo: asked.body.toString() }));

/** A candidate at `url` beside a sound control, every unit assigned to the candidate. */
async function beside(url: string, more: Partial<Parameters<typeof variant>[2] & object> = {}) {
  const sound = await control();
  const rig = await openRig([experiment([variant('control', sound.url), variant('candidate', url, more)])]);
  return { sound, rig };
}

const headOf = (length: number, type = 'application/json'): string =>
  `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n\r\n`;

/** Writes, and resets the connection once the bytes are on their way. */
const breakAfter = (socket: Socket, text: string): void => {
  socket.write(text, () => setTimeout(() => socket.resetAndDestroy(), 20));
};

/** Never silent for long, and never done: only a deadline for the whole attempt ends it. */
const drip = (socket: Socket): void => {
  socket.write(headOf(1000));
  const timer = setInterval(() => socket.write('x'), 10);
  socket.on('close', () => clearInterval(timer));
};

describe('a candidate that fails is replaced by the control:', () => {
  const raw = (speak: Parameters<typeof startRawModel>[0]) => async () => (await startRawModel(speak)).url;
  const http = (answer: Parameters<typeof startModel>[0]) => async () => (await startModel(answer)).url;
  const cases: readonly [string, () => Promise<string>, string, number | null][] = [
    ['it is down', deadUrl, 'connect', null],
    ['it hangs', raw(() => {}), 'timeout', null],
    ['it hangs after its head', raw((socket) => socket.write(headOf(10))), 'timeout', 200],
    ['it hangs in the middle of its body', raw((socket) => socket.write(`${headOf(10)}{"a"`)), 'timeout', 200],
    ['it closes without a word', raw((socket) => socket.end()), 'reset', null],
    ['it resets the connection', raw((socket) => socket.resetAndDestroy()), 'reset', null],
    ['it answers 500', http((_asked, res) => json(res, { error: 'x' }, 500)), 'status', 500],
    ['it answers 503 without end', http((_asked, res) => void res.writeHead(503).write('x')), 'status', 503],
    ['it does not speak HTTP', raw((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')), 'malformed-reply', null],
    [
      'it resets in the middle of its head',
      raw((socket) => breakAfter(socket, 'HTTP/1.1 200 OK\r\ncont')),
      'reset',
      null,
    ],
    ['it resets after its head', raw((socket) => breakAfter(socket, headOf(10))), 'reset', 200],
    ['it drips a byte at a time', raw(drip), 'timeout', 200],
    [
      'it sends a head beyond all measure',
      raw((socket) => socket.end(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`)),
      'malformed-reply',
      null,
    ],
    [
      'it says JSON and sends something else',
      http((_asked, res) => void res.writeHead(200, { 'content-type': 'application/json' }).end('<html>')),
      'malformed-reply',
      200,
    ],
    [
      'it says JSON and sends nothing',
      http((_asked, res) => void res.writeHead(200, { 'content-type': 'application/json' }).end()),
      'malformed-reply',
      200,
    ],
    [
      'it sends half a document and calls it whole',
      http((_asked, res) => void res.writeHead(200, { 'content-type': 'application/json' }).end('{"a": [1, 2')),
      'malformed-reply',
      200,
    ],
    ['it sends less than it announced', raw((socket) => socket.end(`${headOf(100)}{"a":1}`)), 'reset', 200],
    [
      'it breaks off within a chunk',
      raw((socket) =>
        socket.end(
          'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"a":\r\n',
        ),
      ),
      'reset',
      200,
    ],
  ];
  it.each(cases)('%s', async (_name, start, error, status) => {
    const { rig, sound } = await beside(await start(), { timeoutMs: error === 'timeout' ? 400 : 15_000 });
    const reply = await call(`${rig.url}/predict`, { body: { x: 1 }, headers: user });
    expect(reply.status).toBe(200);
    expect(JSON.parse(reply.body.toString())).toEqual({ from: 'control', echo: '{"x":1}' });
    expect(reply.headers).toMatchObject({ 'x-assay-variant': 'control', 'x-assay-fallback-from': 'candidate' });
    const [record, ...others] = await rig.predictions();
    expect(others).toEqual([]);
    expect(record).toMatchObject({
      assigned: 'candidate',
      served: 'control',
      reason: 'split',
      status: 200,
      attempts: [
        { variant: 'candidate', status, error },
        { variant: 'control', status: 200, error: null },
      ],
    });
    expect(record!.callerMs! + 0.001).toBeGreaterThanOrEqual(
      record!.attempts[0]!.latencyMs + record!.attempts[1]!.latencyMs,
    );
    if (error === 'timeout') expect(record!.attempts[0]!.latencyMs).toBeGreaterThanOrEqual(115);
    expect(sound.asked[0]!.headers['x-assay-variant']).toBe('control');
    expect(rig.counts.get('fallback')).toBe(1);
    expect(rig.faults).toEqual([]);
  });

  it('it answers an Open Inference Protocol request with plain words', async () => {
    const oip = { upstream: { protocol: 'oip', model: 'm' } } as const;
    const sound = await startModel((_asked, res) => json(res, oipReply(0.2)));
    const wordy = await startModel((_asked, res) => res.end('oops'));
    const rig = await openRig([
      experiment([variant('control', sound.url, oip), variant('candidate', wordy.url, oip)], {
        route: { kind: 'model', model: 'f' },
      }),
    ]);
    const reply = await call(`${rig.url}/v2/models/f/infer`, { body: { inputs: [] }, headers: user });
    expect(reply.headers['x-assay-variant']).toBe('control');
    expect((await rig.predictions())[0]!.attempts.map((attempt) => attempt.error)).toEqual(['malformed-reply', null]);
  });

  it('it dies under load and comes back', async () => {
    const sound = await control();
    let candidate = await startModel((_asked, res) => json(res, { from: 'candidate' }));
    const rig = await openRig([
      experiment([variant('control', sound.url), variant('candidate', candidate.url)], {
        resilience: { ...defaultResilience, ejection: null },
      }),
    ]);
    const burst = (count: number) =>
      Promise.all(Array.from({ length: count }, () => call(`${rig.url}/predict`, { body: { x: 1 }, headers: user })));
    const before = await burst(20);
    const during = burst(60);
    await candidate.close();
    const after = [...(await during), ...(await burst(20))];
    expect([...before, ...after].map((reply) => reply.status)).toEqual(Array(100).fill(200));
    expect(before.every((reply) => reply.headers['x-assay-variant'] === 'candidate')).toBe(true);
    expect(after.slice(-20).every((reply) => reply.headers['x-assay-variant'] === 'control')).toBe(true);
    candidate = await startModel((_asked, res) => json(res, { from: 'candidate' }), candidate.port);
    expect((await burst(5)).every((reply) => reply.headers['x-assay-variant'] === 'candidate')).toBe(true);
    const records = await rig.predictions();
    expect(records).toHaveLength(105);
    for (const { assigned, served, attempts } of records) {
      expect(assigned).toBe('candidate');
      expect(attempts.map((attempt) => attempt.variant)).toEqual(
        served === 'candidate' ? ['candidate'] : ['candidate', 'control'],
      );
      if (served === 'control') expect(['connect', 'reset']).toContain(attempts[0]!.error);
    }
  });
});

describe('a 4xx is an answer', () => {
  it('and passes without a fallback', async () => {
    const picky = await startModel((_asked, res) => json(res, { error: 'no such tensor' }, 422));
    const { rig } = await beside(picky.url);
    const reply = await call(`${rig.url}/predict`, { headers: user });
    expect([reply.status, reply.headers['x-assay-variant']]).toEqual([422, 'candidate']);
    expect((await rig.predictions())[0]).toMatchObject({
      status: 422,
      attempts: [{ status: 422, error: null }],
      prediction: null,
    });
  });
});

describe('the control itself', () => {
  const only = (url: string, timeoutMs = 5000) =>
    openRig([
      experiment([variant('control', url, { timeoutMs }), variant('candidate', url)], {
        allocation: { kind: 'single', variant: 'control', reason: 'ended' },
      }),
    ]);

  it('passes its own 5xx on as it is', async () => {
    const broken = await startModel((_asked, res) => json(res, { error: 'mine' }, 503));
    const rig = await only(broken.url);
    const reply = await call(`${rig.url}/predict`, { headers: user });
    expect([reply.status, reply.body.toString()]).toEqual([503, '{"error":"mine"}']);
    expect((await rig.predictions())[0]).toMatchObject({
      served: 'control',
      status: 503,
      attempts: [{ status: 503, error: 'status' }],
    });
  });

  it('passes its own rubbish on, and the record says so', async () => {
    const broken = await startModel(
      (_asked, res) => void res.writeHead(200, { 'content-type': 'application/json' }).end('oops'),
    );
    const rig = await only(broken.url);
    expect((await call(`${rig.url}/predict`, { headers: user })).body.toString()).toBe('oops');
    expect((await rig.predictions())[0]).toMatchObject({
      served: 'control',
      status: 200,
      attempts: [{ error: 'malformed-reply' }],
    });
  });

  it.each([
    ['502 when it is down', deadUrl, 502, 'upstream-unreachable', 'connect'],
    ['504 when it hangs', async () => (await startRawModel(() => {})).url, 504, 'upstream-timeout', 'timeout'],
  ] as const)('answers %s', async (_name, start, status, code, error) => {
    const rig = await only(await start(), 100);
    const reply = await call(`${rig.url}/predict`, { headers: user });
    expect([reply.status, reply.headers['content-type']]).toEqual([status, 'application/problem+json']);
    expect(JSON.parse(reply.body.toString())).toMatchObject({ status, code });
    expect(reply.headers).not.toHaveProperty('x-assay-variant');
    expect(reply.headers['x-assay-prediction-id']).toBeDefined();
    expect((await rig.predictions())[0]).toMatchObject({
      served: null,
      status,
      attempts: [{ variant: 'control', status: null, error }],
    });
  });

  it('answers 502 with both attempts on record when candidate and control are down', async () => {
    const rig = await openRig([
      experiment([variant('control', await deadUrl()), variant('candidate', await deadUrl())]),
    ]);
    const reply = await call(`${rig.url}/predict`, { headers: user });
    expect([reply.status, reply.headers['x-assay-fallback-from']]).toEqual([502, 'candidate']);
    expect((await rig.predictions())[0]).toMatchObject({
      assigned: 'candidate',
      served: null,
      status: 502,
      attempts: [{ error: 'connect' }, { error: 'connect' }],
    });
  });

  it('gets its full time after a candidate has used up its own', async () => {
    const slow = await startModel((_asked, res) => void setTimeout(() => json(res, { from: 'slow' }), 150));
    const hanging = await startRawModel(() => {});
    const rig = await openRig([
      experiment([
        variant('control', slow.url, { timeoutMs: 400 }),
        variant('candidate', hanging.url, { timeoutMs: 300 }),
      ]),
    ]);
    const reply = await call(`${rig.url}/predict`, { headers: user });
    expect([reply.status, reply.body.toString()]).toEqual([200, '{"from":"slow"}']);
  });
});

describe('the experiment side cannot hurt the control path:', () => {
  const served = async (more: Partial<RoutedExperiment>, options: Parameters<typeof openRig>[1] = {}) => {
    const model = await control();
    const rig = await openRig(
      [experiment([variant('control', model.url), variant('candidate', model.url)], more)],
      options,
    );
    const replies = [];
    for (let count = 0; count < 3; count += 1)
      replies.push(await call(`${rig.url}/predict`, { body: { x: 1 }, headers: user }));
    expect(replies.map((reply) => reply.status)).toEqual([200, 200, 200]);
    return { rig, variants: replies.map((reply) => reply.headers['x-assay-variant']) };
  };
  const broken = (): never => {
    throw new Error('planted');
  };

  it('a hash that throws gives the control, on record as no-unit', async () => {
    const { rig, variants } = await served({}, { hashUnit: broken });
    expect(variants).toEqual(['control', 'control', 'control']);
    expect((await rig.predictions()).map(({ assigned, reason, unit }) => [assigned, reason, unit])).toEqual(
      Array(3).fill(['control', 'no-unit', null]),
    );
    expect(rig.faults[0]).toContain('planted');
  });

  it('an allocation that does not cover the buckets gives the control', async () => {
    const { rig, variants } = await served({
      allocation: { kind: 'fixed', ranges: [{ variant: 'candidate', from: 5, to: 9 }] },
    });
    expect(variants).toEqual(['control', 'control', 'control']);
    expect(rig.faults).toHaveLength(1);
    expect(await rig.predictions()).toHaveLength(3);
  });

  it('an allocation to a variant that does not exist gives the control', async () => {
    const { rig, variants } = await served({ allocation: { kind: 'single', variant: 'ghost', reason: 'promoted' } });
    expect(variants).toEqual(['control', 'control', 'control']);
    expect(rig.faults[0]).toContain('ghost');
  });

  it('a malformed capture path gives the control', async () => {
    const { variants } = await served({
      capture: [{ name: 'x', from: 'reply', source: { kind: 'json', path: 'not a path' } }],
    });
    expect(variants).toEqual(['control', 'control', 'control']);
  });

  it('an evidence log that throws costs records, never replies', async () => {
    for (const durability of ['after-reply', 'before-reply'] as const) {
      const evidence = { append: broken, appendDurable: () => Promise.reject(new Error('planted')), status: broken };
      const { rig, variants } = await served({}, { evidence, durability });
      expect(variants).toEqual(['candidate', 'candidate', 'candidate']);
      await rig.records();
      expect(rig.counts.get('evidence_lost')).toBe(3);
      expect(rig.faults[0]).toContain('planted');
    }
  });

  it('a routing source that throws leaves the last good snapshot in force', async () => {
    const model = await control();
    const good = {
      format: 'assay-routing',
      version: 1,
      revision: 5,
      experiments: [experiment([variant('control', model.url), variant('candidate', model.url)])],
    } as const;
    let calls = 0;
    const routing = { current: () => (++calls === 2 ? broken() : good), subscribe: () => () => {} };
    const rig = await openRig([], { routing });
    for (let count = 0; count < 3; count += 1)
      expect((await call(`${rig.url}/predict`, { headers: user })).status).toBe(200);
    expect(rig.faults).toHaveLength(1);
    expect(rig.gateway.status().routingRevision).toBe(5);
  });

  it('a capture that finds nothing is counted, and the record says null', async () => {
    const { rig } = await served({
      capture: [
        { name: 'prediction', from: 'reply', source: { kind: 'json', path: '$.score' } },
        { name: 'page', from: 'request', source: { kind: 'json', path: '$.page' } },
        { name: 'echo', from: 'reply', source: { kind: 'json', path: '$.echo' } },
      ],
    });
    expect((await rig.predictions())[0]).toMatchObject({
      prediction: null,
      context: {},
      captured: { echo: '{"x":1}' },
    });
    expect(rig.counts.get('capture_missing')).toBe(6);
  });
});

describe('bad callers', () => {
  it('a body over the limit gets 413 whether its length is announced or not, and leaves no record', async () => {
    const model = await control();
    const rig = await openRig([experiment([variant('control', model.url), variant('candidate', model.url)])], {
      maxRequestBytes: 1000,
    });
    const announced = await call(`${rig.url}/predict`, { body: 'x'.repeat(300_000), headers: user });
    expect([announced.status, announced.headers.connection]).toEqual([413, 'close']);
    expect(JSON.parse(announced.body.toString())).toMatchObject({ code: 'body-too-large' });
    const chunk = `400\r\n${'x'.repeat(1024)}\r\n`;
    const chunked = await callRaw(
      rig.port,
      `POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(20)}0\r\n\r\n`,
    );
    expect(chunked).toMatch(/^HTTP\/1\.1 413 /);
    const exact = await call(`${rig.url}/predict`, { body: 'x'.repeat(1000), headers: user });
    expect(exact.status).toBe(200);
    expect(model.asked).toHaveLength(1);
    expect(await rig.predictions()).toHaveLength(1);
  });

  it('framing tricks are refused before anything is forwarded', async () => {
    const model = await control();
    const rig = await openRig([experiment([variant('control', model.url), variant('candidate', model.url)])]);
    const head = 'POST /predict HTTP/1.1\r\nHost: x\r\n';
    for (const trick of [
      `${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `${head}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd`,
      `${head}Transfer-Encoding: xchunked\r\n\r\nabcd`,
      'POST /predict HTTP/1.1\r\n\r\n',
    ]) {
      expect(await callRaw(rig.port, trick)).toMatch(/^HTTP\/1\.1 400 /);
    }
    expect(model.asked).toEqual([]);
    expect(await rig.records()).toEqual([]);
  });
});
