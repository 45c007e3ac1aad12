// Long replies, callers that leave, records before replies, and changes of the route under load.
import { request, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { createMemoryEvidenceLog } from '../adapters/memory-evidence-log.ts';
import {
  call,
  closeAll,
  experiment,
  halves,
  json,
  openRig,
  startModel,
  startRawModel,
  variant,
} from './gateway-rig.fixture.ts';

afterAll(closeAll);

const user = { 'x-user-id': 'u' };

/** A caller who goes away. */
function leaveAfter(url: string, gone: (req: ReturnType<typeof request>) => void, body = '{}'): Promise<void> {
  return new Promise((resolve) => {
    const req = request(url, { method: 'POST', headers: user, agent: false });
    req.on('error', () => {});
    req.on('close', resolve);
    req.end(body);
    gone(req);
  });
}

describe('long bodies', () => {
  it('pass whole in both directions, and the record is completed at the end', async () => {
    const big = Buffer.alloc(5_000_000, 'abcdefghij');
    const model = await startModel((asked, res) => {
      res.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': asked.body.length });
      res.end(asked.body);
    });
    const rig = await openRig([experiment([variant('a', model.url), variant('b', model.url)])]);
    const reply = await call(`${rig.url}/predict`, { body: big, headers: user });
    expect(reply.body.equals(big)).toBe(true);
    expect(reply.headers['content-length']).toBe('5000000');
    const [record] = await rig.predictions();
    expect(record).toMatchObject({
      streaming: true,
      callerMs: null,
      served: 'b',
      status: 200,
      attempts: [{ variant: 'b', status: 200, error: null }],
    });
    const [end, ...others] = await rig.ends();
    expect(others).toEqual([]);
    expect(end).toMatchObject({
      predictionId: record!.predictionId,
      row: 0,
      attempt: { variant: 'b', status: 200, error: null },
    });
    expect(end!.callerMs).toBeGreaterThanOrEqual(end!.attempt.latencyMs);
  });

  it('an event stream passes piece by piece', async () => {
    let finish = (): void => {};
    const model = await startModel((_asked, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write('data: 1\n\n');
      finish = () => res.end('data: [DONE]\n\n');
    });
    const rig = await openRig([experiment([variant('a', model.url), variant('b', model.url)])]);
    const pieces: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const req = request(`${rig.url}/predict`, { method: 'POST', headers: user, agent: false }, (res) => {
        res.on('data', (chunk: Buffer) => {
          pieces.push(chunk.toString());
          finish();
        });
        res.on('end', resolve);
      });
      req.on('error', reject);
      req.end('{}');
    });
    expect(pieces).toEqual(['data: 1\n\n', 'data: [DONE]\n\n']);
    expect(await rig.ends()).toHaveLength(1);
  });

  it('a JSON reply without an announced length is held back, captured, and sent with its length', async () => {
    const model = await startModel((_asked, res) => {
      res.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
      res.write('{"score":');
      setTimeout(() => res.end('0.75}'), 20);
    });
    const rig = await openRig([
      experiment([variant('a', model.url), variant('b', model.url)], {
        capture: [{ name: 'prediction', from: 'reply', source: { kind: 'json', path: '$.score' } }],
      }),
    ]);
    const reply = await call(`${rig.url}/predict`, { body: {}, headers: user });
    expect([reply.headers['content-length'], reply.headers['transfer-encoding']]).toEqual(['14', undefined]);
    expect((await rig.predictions())[0]).toMatchObject({ prediction: 0.75, streaming: false });
  });

  it('a JSON reply of 100 KB streams and is still captured; one of 300 KB is not', async () => {
    const model = await startModel((asked, res) =>
      json(res, { score: 0.25, pad: 'x'.repeat(Number(asked.body.toString())) }),
    );
    const rig = await openRig([
      experiment([variant('a', model.url), variant('b', model.url)], {
        capture: [{ name: 'prediction', from: 'reply', source: { kind: 'json', path: '$.score' } }],
      }),
    ]);
    await call(`${rig.url}/predict`, { body: '100000', headers: user });
    await call(`${rig.url}/predict`, { body: '300000', headers: user });
    expect((await rig.ends()).map((end) => end.prediction)).toEqual([0.25, null]);
    expect((await rig.predictions()).map((record) => [record.streaming, record.prediction])).toEqual([
      [true, null],
      [true, null],
    ]);
  });

  it('a JSON reply without an announced length turns into a stream beyond 64 KB, and nothing of it is lost', async () => {
    const text = JSON.stringify({ score: 0.5, pad: 'x'.repeat(200_000) });
    const model = await startModel((_asked, res) => {
      res.writeHead(200, { 'content-type': 'application/json' });
      for (let at = 0; at < text.length; at += 30_000) res.write(text.slice(at, at + 30_000));
      res.end();
    });
    for (const durability of ['after-reply', 'before-reply'] as const) {
      const rig = await openRig(
        [
          experiment([variant('a', model.url), variant('b', model.url)], {
            capture: [{ name: 'prediction', from: 'reply', source: { kind: 'json', path: '$.score' } }],
          }),
        ],
        { durability },
      );
      const reply = await call(`${rig.url}/predict`, { body: {}, headers: user });
      expect(reply.body.toString()).toBe(text);
      expect(reply.headers['transfer-encoding']).toBe('chunked');
      expect((await rig.ends()).map((end) => end.prediction)).toEqual([0.5]);
    }
  });

  it('a compressed reply passes as it is and is captured', async () => {
    const body = gzipSync('{"score":0.5}');
    const model = await startModel((_asked, res) => {
      res.writeHead(200, {
        'content-type': 'application/json',
        'content-encoding': 'gzip',
        'content-length': body.length,
      });
      res.end(body);
    });
    const rig = await openRig([
      experiment([variant('a', model.url), variant('b', model.url)], {
        capture: [{ name: 'prediction', from: 'reply', source: { kind: 'json', path: '$.score' } }],
      }),
    ]);
    const reply = await call(`${rig.url}/predict`, { body: {}, headers: user });
    expect([reply.body.equals(body), reply.headers['content-encoding']]).toEqual([true, 'gzip']);
    expect((await rig.predictions())[0]!.prediction).toBe(0.5);
  });

  it('a slow reader slows the model down instead of filling the memory, and its slowness is no timeout', async () => {
    let written = 0;
    const chunk = Buffer.alloc(256 * 1024);
    const model = await startModel((_asked, res) => {
      res.writeHead(200, { 'content-type': 'application/octet-stream' });
      const pump = (): void => {
        while (written < 24e6) {
          written += chunk.length;
          if (!res.write(chunk)) {
            res.once('drain', pump);
            return;
          }
        }
        res.end();
      };
      pump();
    });
    const rig = await openRig([experiment([variant('a', model.url), variant('b', model.url, { timeoutMs: 1500 })])]);
    let received = 0;
    const stalled = await new Promise<number>((resolve, reject) => {
      const req = request(`${rig.url}/predict`, { method: 'POST', headers: user, agent: false }, (res) => {
        res.pause();
        // Longer than the variant's deadline: while the caller does not read, the clock of the attempt stands still.
        setTimeout(() => {
          const before = written;
          res.on('data', (part: Buffer) => (received += part.length));
          res.on('end', () => resolve(before));
          res.on('error', reject);
          res.resume();
        }, 2200);
      });
      req.on('error', reject);
      req.end('{}');
    });
    expect(stalled).toBeLessThan(20e6);
    expect(received).toBe(written);
    expect((await rig.ends())[0]!.attempt.error).toBe(null);
  });

  it('a reply without end is cut when its time is over, on record as timed out, and nothing of it is held', async () => {
    let isClosed = false;
    const chunk = Buffer.alloc(64 * 1024, '[1,');
    const model = await startModel((_asked, res) => {
      res.writeHead(200, { 'content-type': 'application/json' });
      const pump = (): void => {
        while (!isClosed && res.write(chunk));
      };
      res.on('drain', pump).on('close', () => (isClosed = true));
      pump();
    });
    const rig = await openRig([experiment([variant('a', model.url), variant('b', model.url, { timeoutMs: 1200 })])]);
    let received = 0;
    await new Promise<void>((resolve, reject) => {
      const req = request(`${rig.url}/predict`, { method: 'POST', headers: user, agent: false }, (res) => {
        res.on('data', (part: Buffer) => (received += part.length));
        res.on('end', () => reject(new Error('the reply came to an end')));
        res.on('error', () => resolve());
      });
      req.on('error', reject);
      req.end('{}');
    });
    while (!isClosed) await sleep(5);
    expect(received).toBeGreaterThan(1_000_000);
    expect(await rig.predictions()).toMatchObject([{ streaming: true, served: 'b', status: 200 }]);
    expect(await rig.ends()).toMatchObject([{ prediction: null, attempt: { variant: 'b', error: 'timeout' } }]);
    expect(rig.gateway.status()).toMatchObject({ inFlight: 0, heldBytes: 0 });
  });

  it('a stream that breaks midway breaks for the caller too, and the end record says why', async () => {
    const model = await startRawModel((socket) => {
      socket.write(
        'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n',
      );
      setTimeout(() => socket.destroy(), 30);
    });
    const rig = await openRig([experiment([variant('a', model.url), variant('b', model.url)])]);
    await expect(call(`${rig.url}/predict`, { body: {}, headers: user })).rejects.toThrow();
    expect(await rig.predictions()).toMatchObject([
      { streaming: true, status: 200, served: 'b', attempts: [{ error: null }] },
    ]);
    expect(await rig.ends()).toMatchObject([{ attempt: { variant: 'b', status: 200, error: 'reset' } }]);
  });
});

describe('a caller who goes away', () => {
  it('before the reply aborts the attempt at the model, and is no failure of the variant', async () => {
    let closed = 0;
    const model = await startModel((_asked, res, req) => {
      req.socket.on('close', () => (closed += 1));
      setTimeout(() => json(res, {}), 2000).unref();
    });
    const rig = await openRig([experiment([variant('a', model.url), variant('b', model.url)])]);
    await leaveAfter(`${rig.url}/predict`, (req) => setTimeout(() => req.destroy(), 60));
    const [record] = await rig.predictions();
    expect(record).toMatchObject({
      assigned: 'b',
      served: null,
      status: null,
      attempts: [{ variant: 'b', status: null, error: 'aborted' }],
    });
    while (closed === 0) await sleep(5);
    expect(rig.counts.get('caller_aborted')).toBe(1);
    expect(rig.counts.has('fallback')).toBe(false);
  });

  it('while the body is still coming leaves no record', async () => {
    const model = await startModel((_asked, res) => json(res, {}));
    const rig = await openRig([experiment([variant('a', model.url), variant('b', model.url)])]);
    const req = request(`${rig.url}/predict`, {
      method: 'POST',
      headers: { ...user, 'content-length': '1000' },
      agent: false,
    });
    req.on('error', () => {});
    req.write('half');
    await sleep(40);
    req.destroy();
    await sleep(40);
    expect(await rig.records()).toEqual([]);
    expect(rig.gateway.status().inFlight).toBe(0);
    expect(model.asked).toEqual([]);
  });

  it('in the middle of a stream ends the stream at the model', async () => {
    let closed = 0;
    const model = await startModel((_asked, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      const timer = setInterval(() => res.write('data: x\n\n'), 5);
      res.on('close', () => {
        clearInterval(timer);
        closed += 1;
      });
    });
    const rig = await openRig([experiment([variant('a', model.url), variant('b', model.url)])]);
    await leaveAfter(`${rig.url}/predict`, (req) => req.on('response', (res) => res.once('data', () => req.destroy())));
    expect(await rig.ends()).toMatchObject([{ attempt: { variant: 'b', status: 200, error: 'aborted' } }]);
    while (closed === 0) await sleep(5);
  });
});

describe('durability before-reply', () => {
  it('has the record before the caller has the reply, for whole replies and for streams', async () => {
    const model = await startModel((asked, res) => {
      if (asked.body.toString() === 'stream') {
        res.writeHead(200, { 'content-type': 'text/event-stream' });
        res.write('one,');
        setTimeout(() => res.end('two'), 10);
      } else json(res, { score: 0.5 });
    });
    const log = createMemoryEvidenceLog({ now: Date.now });
    const evidence = {
      append: log.append,
      status: log.status,
      appendDurable: async (records: Parameters<typeof log.appendDurable>[0]) => {
        await sleep(40);
        await log.appendDurable(records);
      },
    };
    const rig = await openRig(
      [
        experiment([variant('a', model.url), variant('b', model.url)], {
          capture: [{ name: 'prediction', from: 'reply', source: { kind: 'json', path: '$.score' } }],
        }),
      ],
      { evidence, durability: 'before-reply' },
    );
    const whole = await call(`${rig.url}/predict`, { body: 'whole', headers: user });
    expect(log.records()).toMatchObject([
      {
        kind: 'prediction',
        predictionId: whole.headers['x-assay-prediction-id'],
        status: 200,
        prediction: 0.5,
        streaming: false,
      },
    ]);
    const stream = await call(`${rig.url}/predict`, { body: 'stream', headers: user });
    expect(stream.body.toString()).toBe('one,two');
    await rig.records();
    expect(log.records().slice(1)).toMatchObject([{ kind: 'prediction', streaming: true }, { kind: 'prediction-end' }]);
  });
});

describe('a change of the route', () => {
  it('under load fails no request, and requests in flight keep what they began with', async () => {
    const models = await Promise.all(
      ['a', 'b', 'c'].map((name) =>
        startModel((_asked, res) => void setTimeout(() => json(res, { name }), Math.random() * 8)),
      ),
    );
    const [a, b, c] = models.map((model) => model.url);
    const first = experiment([variant('a', a!), variant('b', b!)], { allocation: halves('a', 'b'), epoch: 1 });
    const second = experiment([variant('a', a!), variant('c', c!)], { allocation: halves('c', 'a'), epoch: 2 });
    const rig = await openRig([first]);
    let isRunning = true;
    const swapping = (async () => {
      for (let turn = 0; isRunning; turn += 1) {
        rig.route([turn % 2 === 0 ? second : first]);
        await sleep(3);
      }
    })();
    const replies = await Promise.all(
      Array.from({ length: 16 }, async (_none, worker) => {
        const seen = [];
        for (let count = 0; count < 25; count += 1) {
          seen.push(
            await call(`${rig.url}/predict`, { body: { count }, headers: { 'x-user-id': `u${worker}-${count}` } }),
          );
        }
        return seen;
      }),
    );
    isRunning = false;
    await swapping;
    for (const reply of replies.flat()) {
      expect(reply.status).toBe(200);
      expect(JSON.parse(reply.body.toString()).name).toBe(reply.headers['x-assay-variant']);
    }
    const records = await rig.predictions();
    expect(records).toHaveLength(400);
    for (const record of records) {
      expect(record.served).toBe(record.assigned);
      expect(record.epoch === 1 ? ['a', 'b'] : ['a', 'c']).toContain(record.assigned);
    }
    expect(new Set(records.map((record) => record.epoch))).toEqual(new Set([1, 2]));
    expect(rig.faults).toEqual([]);
  });

  it('to no experiment at all takes effect at once', async () => {
    const model = await startModel((_asked, res) => json(res, {}));
    const rig = await openRig([experiment([variant('a', model.url), variant('b', model.url)])]);
    expect((await call(`${rig.url}/predict`, { headers: user })).status).toBe(200);
    rig.route([]);
    expect((await call(`${rig.url}/predict`, { headers: user })).status).toBe(404);
  });
});

describe('draining', () => {
  it('lets a stream come to its end, and its record with it', async () => {
    let res: ServerResponse | undefined;
    const model = await startModel((_asked, answer) => {
      answer.writeHead(200, { 'content-type': 'text/event-stream' });
      answer.write('data: 1\n\n');
      res = answer;
    });
    const rig = await openRig([experiment([variant('a', model.url), variant('b', model.url)])]);
    const reply = call(`${rig.url}/predict`, { headers: user });
    while (res === undefined || rig.gateway.status().inFlight === 0) await sleep(2);
    const drained = rig.gateway.drain();
    res.write('data: 2\n\n');
    await sleep(20);
    expect(rig.gateway.status()).toMatchObject({ inFlight: 1, draining: true });
    res.end('data: [DONE]\n\n');
    expect((await reply).body.toString()).toBe('data: 1\n\ndata: 2\n\ndata: [DONE]\n\n');
    await drained;
    expect(await rig.ends()).toMatchObject([{ attempt: { variant: 'b', status: 200, error: null } }]);
  });

  it('waits for requests in flight, asks callers to close, and hands over every record', async () => {
    const model = await startModel((_asked, res) => void setTimeout(() => json(res, {}), 80));
    const log = createMemoryEvidenceLog({ now: Date.now });
    const rig = await openRig([experiment([variant('a', model.url), variant('b', model.url)])], { evidence: log });
    const calls = Array.from({ length: 5 }, () => call(`${rig.url}/predict`, { headers: user }));
    while (rig.gateway.status().inFlight < 5) await sleep(1);
    await rig.gateway.drain();
    expect(log.records()).toHaveLength(5);
    expect(rig.gateway.status()).toMatchObject({ inFlight: 0, draining: true, requests: 5 });
    expect((await Promise.all(calls)).map((reply) => reply.headers.connection)).toEqual(Array(5).fill('close'));
  });
});
