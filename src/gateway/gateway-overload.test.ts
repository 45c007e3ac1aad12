// Too much at once, a log that cannot be written, changes under load, draining: what callers get and what stands in the record.
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { openEvidenceLog } from '../adapters/file-evidence-log.ts';
import {
  type Answer,
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
import { ask, control, controlOnly, held, resilient, until, user } from './gateway-trouble.fixture.ts';

afterAll(closeAll);

describe('overload:', () => {
  it('a candidate with as many attempts as it may have is spared, its callers get the control', async () => {
    const sound = await control();
    const { model, waiting, release } = await held();
    const rig = await openRig([
      experiment([variant('control', sound.url), variant('candidate', model.url)], resilient({ maxInFlight: 2 })),
    ]);
    const first = [ask(rig), ask(rig)];
    await until(() => waiting.length === 2);
    const third = await ask(rig);
    expect([third.status, third.headers['x-assay-variant']]).toEqual([200, 'control']);
    release();
    expect((await Promise.all(first)).map((reply) => reply.headers['x-assay-variant'])).toEqual([
      'candidate',
      'candidate',
    ]);
    const fourth = ask(rig);
    await until(() => waiting.length === 1);
    release();
    expect((await fourth).headers['x-assay-variant']).toBe('candidate');
    expect((await rig.predictions())[0]).toMatchObject({
      assigned: 'candidate',
      served: 'control',
      attempts: [
        { variant: 'candidate', status: null, latencyMs: 0, error: 'overloaded' },
        { variant: 'control', error: null },
      ],
    });
  });

  it('callers of an overloaded control get 503 with Retry-After, on record', async () => {
    const { model, waiting, release } = await held();
    const rig = await openRig([
      experiment([variant('control', model.url), variant('candidate', model.url)], {
        ...resilient({ maxInFlight: 1 }),
        ...controlOnly,
      }),
    ]);
    const first = ask(rig);
    await until(() => waiting.length === 1);
    const second = await ask(rig);
    expect([second.status, second.headers['retry-after']]).toEqual([503, '1']);
    expect(JSON.parse(second.body.toString())).toMatchObject({ code: 'overloaded', status: 503 });
    release();
    expect((await first).status).toBe(200);
    expect((await rig.predictions())[0]).toMatchObject({
      status: 503,
      served: null,
      attempts: [{ variant: 'control', status: null, error: 'overloaded' }],
    });
  });

  it('beyond maxInFlight of the whole gateway a request gets 503 before anything is done for it', async () => {
    const { model, waiting, release } = await held();
    const rig = await openRig([experiment([variant('control', model.url), variant('candidate', model.url)])], {
      maxInFlight: 3,
    });
    const first = [ask(rig), ask(rig), ask(rig)];
    await until(() => waiting.length === 3);
    const turnedAway = await Promise.all([ask(rig), ask(rig)]);
    expect(turnedAway.map((reply) => [reply.status, reply.headers['retry-after']])).toEqual(Array(2).fill([503, '2']));
    release();
    expect((await Promise.all(first)).map((reply) => reply.status)).toEqual([200, 200, 200]);
    const last = ask(rig);
    await until(() => waiting.length === 1);
    release();
    expect((await last).status).toBe(200);
    expect(await rig.predictions()).toHaveLength(4);
    expect(rig.counts.get('overloaded')).toBe(2);
  });

  it('bodies are held up to a sum; what is beyond gets 503, and the room comes back', async () => {
    const { model, waiting, release } = await held();
    const rig = await openRig([experiment([variant('control', model.url), variant('candidate', model.url)])], {
      maxHeldBytes: 250_000,
    });
    const send = () => call(`${rig.url}/predict`, { body: 'x'.repeat(100_000), headers: user });
    const first = [send(), send()];
    await until(() => waiting.length === 2);
    expect(rig.gateway.status().heldBytes).toBe(200_000);
    expect((await send()).status).toBe(503);
    release();
    expect((await Promise.all(first)).map((reply) => reply.status)).toEqual([200, 200]);
    await rig.records();
    expect(rig.gateway.status().heldBytes).toBe(0);
    const again = send();
    await until(() => waiting.length === 1);
    release();
    expect((await again).status).toBe(200);
  });
});

describe('a body on its way', () => {
  it('counts with what has come, not with what was announced, until its caller is gone', async () => {
    const model = await control();
    const rig = await openRig([experiment([variant('control', model.url), variant('candidate', model.url)])], {
      maxHeldBytes: 250_000,
    });
    const upload = (bytes: number): Socket => {
      const socket = connect(rig.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write('POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n');
      socket.write('x'.repeat(bytes));
      return socket;
    };
    const slow = [upload(100_000), upload(100_000)];
    await until(() => rig.gateway.status().heldBytes === 200_000);
    const third = upload(100_000);
    let answer = '';
    third.on('data', (chunk) => (answer += chunk.toString()));
    await until(() => answer.includes('\r\n\r\n'));
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(answer.toLowerCase()).toContain('retry-after: 2');
    expect((await ask(rig)).status).toBe(200);
    for (const socket of [...slow, third]) socket.destroy();
    await until(() => rig.gateway.status().heldBytes === 0);
    expect(rig.counts.get('overloaded')).toBe(1);
  });
});

describe('a log that cannot be written:', () => {
  /** A real log on disk whose folder can be taken away and given back. */
  async function fragileLog() {
    const directory = await mkdtemp(join(tmpdir(), 'assay-trouble-'));
    const observed: string[] = [];
    const log = await openEvidenceLog({
      directory,
      now: Date.now,
      maxSegmentBytes: 1,
      recoverMs: 20,
      observer: { count: () => {}, fault: (code) => void observed.push(code) },
    });
    return {
      log,
      observed,
      async breakIt() {
        await rename(join(directory, 'log'), join(directory, 'away'));
        await writeFile(join(directory, 'log'), 'not a folder');
      },
      async mendIt() {
        await rm(join(directory, 'log'));
        await mkdir(join(directory, 'log'));
      },
      async close() {
        await log.close();
        await rm(directory, { recursive: true, force: true });
      },
    };
  }

  it.each([
    ['serve-unrecorded', 200, 'unrecorded'],
    ['refuse', 503, 'refused_unrecorded'],
  ] as const)(
    '%s answers %i, counted as %s, and all is well when the log is',
    async (onLogFailure, status, counter) => {
      const fragile = await fragileLog();
      const sound = await control();
      const rig = await openRig([experiment([variant('control', sound.url), variant('candidate', sound.url)])], {
        evidence: fragile.log,
        onLogFailure,
      });
      expect((await ask(rig)).status).toBe(200);
      await until(() => fragile.log.status().durable === 1);
      await fragile.breakIt();
      // Nobody can know before the first write fails.
      expect((await ask(rig)).status).toBe(200);
      await until(() => fragile.log.status().fault !== null);
      const asked = sound.asked.length;
      const reply = await ask(rig);
      expect(reply.status).toBe(status);
      expect(rig.counts.get(counter)).toBe(1);
      expect(fragile.observed).toContain('evidence-not-durable');
      if (onLogFailure === 'refuse') {
        expect(reply.headers['retry-after']).toBe('2');
        expect(JSON.parse(reply.body.toString())).toMatchObject({ code: 'evidence-not-durable', retryable: true });
        expect(sound.asked).toHaveLength(asked);
      }
      await fragile.mendIt();
      await until(() => fragile.log.status().fault === null);
      expect((await ask(rig)).status).toBe(200);
      expect(rig.counts.get(counter)).toBe(1);
      await rig.gateway.drain();
      await fragile.close();
    },
  );
});

describe('a change under load', () => {
  it('of weights, addresses, variants and mirrors fails no request, and an address that is gone is not asked again', async () => {
    const answer: Answer = (_asked, res) => void setTimeout(() => json(res, {}), Math.random() * 6);
    const [a, b, moved, c] = await Promise.all([1, 2, 3, 4].map(() => startModel(answer)));
    const at = (url: string, weight = 1) => variant('candidate', url, { weight });
    const base = variant('control', a!.url);
    const stages = [
      experiment([base, at(b!.url)]),
      experiment([base, at(b!.url, 9)], { allocation: halves('control', 'candidate') }),
      experiment([base, at(moved!.url)]),
      experiment([base, variant('third', c!.url), at(moved!.url)], { allocation: halves('third', 'candidate') }),
      experiment([base, variant('shadow', c!.url, { weight: 0 }), at(b!.url)], {
        mirror: { variant: 'shadow', share: 1 },
      }),
      experiment([base, variant('third', c!.url)], { allocation: halves('control', 'third') }),
    ].map((stage, epoch) => ({ ...stage, epoch }));
    const rig = await openRig([stages[0]!]);
    let isRunning = true;
    const changing = (async () => {
      for (let turn = 1; isRunning; turn += 1) {
        rig.route([stages[turn % stages.length]!]);
        await sleep(4);
      }
    })();
    const worker = async (number: number): Promise<number[]> => {
      const seen: number[] = [];
      for (let count = 0; count < 40; count += 1)
        seen.push((await ask(rig, { 'x-user-id': `u${number}-${count}` })).status);
      return seen;
    };
    const statuses = (await Promise.all(Array.from({ length: 12 }, (_none, number) => worker(number)))).flat();
    isRunning = false;
    await changing;
    expect(statuses).toEqual(Array(480).fill(200));
    const records = await rig.predictions();
    expect(records).toHaveLength(480);
    expect(records.filter(({ served, assigned, attempts }) => served !== assigned || attempts.length !== 1)).toEqual(
      [],
    );
    expect(new Set(records.map(({ epoch }) => epoch))).toEqual(new Set(stages.keys()));
    rig.route([stages[2]!]);
    await until(() => rig.gateway.status().mirrors.inFlight === 0);
    const before = b!.asked.length;
    for (let count = 0; count < 10; count += 1) await ask(rig);
    expect([b!.asked.length - before, rig.faults]).toEqual([0, []]);
    // The pool of an address that is gone lets its connections go.
    await b!.close();
    expect((await ask(rig)).status).toBe(200);
  });
});

describe('draining:', () => {
  it('waits no longer than drainMs, then cuts what is left and records it', async () => {
    const hanging = await startRawModel(() => {});
    const rig = await openRig([experiment([variant('control', hanging.url), variant('candidate', hanging.url)])], {
      drainMs: 80,
    });
    const cut = [ask(rig), ask(rig)].map((reply) => reply.catch((error: Error) => error.message));
    await until(() => rig.gateway.status().variants[1]?.inFlight === 2);
    await rig.gateway.drain();
    expect(await Promise.all(cut)).toEqual(Array(2).fill('socket hang up'));
    const records = await rig.predictions();
    expect(records).toMatchObject(
      Array(2).fill({ status: null, served: null, attempts: [{ variant: 'candidate', error: 'aborted' }] }),
    );
    expect([rig.counts.get('drain_cut'), rig.counts.get('caller_aborted')]).toEqual([2, undefined]);
    expect(rig.gateway.status()).toMatchObject({ inFlight: 0, draining: true });
  });
});
