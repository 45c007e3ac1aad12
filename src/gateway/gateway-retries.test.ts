// Retries, hedging and the caller's deadline: what callers get and what stands in the record.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type Answer,
  closeAll,
  deadUrl,
  experiment,
  json,
  openRig,
  startModel,
  variant,
} from './gateway-rig.fixture.ts';
import { ask, beside, control, controlOnly, resilient, until, user } from './gateway-trouble.fixture.ts';

afterAll(closeAll);

describe('retries:', () => {
  it('a reset before the head is tried again at the same variant, and both tries are on record', async () => {
    let count = 0;
    const { rig } = await beside(
      (_asked, res, req) => {
        count += 1;
        if (count === 1) req.socket.resetAndDestroy();
        else json(res, { from: 'candidate' });
      },
      { retries: 1 },
    );
    const reply = await ask(rig);
    expect(JSON.parse(reply.body.toString())).toEqual({ from: 'candidate' });
    expect(reply.headers).not.toHaveProperty('x-assay-fallback-from');
    expect((await rig.predictions())[0]).toMatchObject({
      served: 'candidate',
      attempts: [
        { variant: 'candidate', status: null, error: 'reset' },
        { variant: 'candidate', status: 200, error: null },
      ],
    });
    expect(rig.counts.get('fallback')).toBeUndefined();
  });

  it('a variant that stays down is tried as often as the file says, then the control answers', async () => {
    const sound = await control();
    const rig = await openRig([
      experiment([variant('control', sound.url), variant('candidate', await deadUrl())], resilient({ retries: 2 })),
    ]);
    expect((await ask(rig)).status).toBe(200);
    const { attempts } = (await rig.predictions())[0]!;
    expect(attempts.map(({ variant: name, error }) => `${name} ${error}`)).toEqual([
      'candidate connect',
      'candidate connect',
      'candidate connect',
      'control null',
    ]);
    expect(rig.counts.get('fallback')).toBe(1);
  });

  it('the control is tried again too, and 502 comes when all tries have failed', async () => {
    const url = await deadUrl();
    const rig = await openRig([
      experiment([variant('control', url), variant('candidate', url)], {
        ...resilient({ retries: 1 }),
        ...controlOnly,
      }),
    ]);
    expect((await ask(rig)).status).toBe(502);
    expect((await rig.predictions())[0]!.attempts).toHaveLength(2);
  });

  it.each([
    ['a 5xx', (_asked, res) => json(res, {}, 500), 'status'],
    [
      'a reset after the head',
      (_asked, res, req) => {
        res.writeHead(200, { 'content-type': 'application/json', 'content-length': 10 }).write('{"a"');
        setImmediate(() => req.socket.resetAndDestroy());
      },
      'reset',
    ],
    ['a timeout', () => {}, 'timeout'],
  ] as readonly [string, Answer, string][])('%s is not tried again', async (_name, answer, error) => {
    const { rig, model } = await beside(answer, { retries: 3 }, 150);
    expect((await ask(rig)).headers['x-assay-variant']).toBe('control');
    expect(model.asked).toHaveLength(1);
    expect((await rig.predictions())[0]!.attempts.map((attempt) => attempt.error)).toEqual([error, null]);
  });

  it('a caller who leaves during the pause ends the trying', async () => {
    const sound = await control();
    const rig = await openRig([
      experiment([variant('control', sound.url), variant('candidate', await deadUrl())], resilient({ retries: 3 })),
    ]);
    const controller = new AbortController();
    const leaving = fetch(`${rig.url}/predict`, { headers: user, signal: controller.signal });
    await until(() => rig.gateway.status().inFlight === 1);
    await sleep(10);
    controller.abort();
    await expect(leaving).rejects.toThrow();
    const record = (await rig.predictions())[0]!;
    expect(record).toMatchObject({ status: null, served: null });
    expect(record.attempts.length).toBeLessThan(4);
    await sleep(60);
    expect(sound.asked).toEqual([]);
  });
});

describe('hedging:', () => {
  /** The first request gets `first`, later ones an answer. */
  const firstOf = (first: Answer, closed: string[] = []): Answer => {
    let count = 0;
    return (asked, res, req) => {
      const number = ++count;
      res.on('close', () => void (res.writableFinished || closed.push(`try ${number}`)));
      if (number === 1) first(asked, res, req);
      else json(res, { from: 'candidate', number });
    };
  };

  it('a second try starts when the first is slow, the first good answer wins, the other is given up and on record', async () => {
    const closed: string[] = [];
    const { rig, model } = await beside(
      firstOf(() => {}, closed),
      { hedgeAfterMs: 40 },
    );
    const reply = await ask(rig);
    expect(JSON.parse(reply.body.toString())).toEqual({ from: 'candidate', number: 2 });
    await until(() => closed.length === 1);
    expect(closed).toEqual(['try 1']);
    expect(model.asked).toHaveLength(2);
    const { attempts, served } = (await rig.predictions())[0]!;
    expect([served, ...attempts.map((attempt) => attempt.error)]).toEqual(['candidate', 'hedged', null]);
    // The first try's time is the variant's time to its answer, hedge included.
    expect(attempts[0]!.latencyMs).toBeGreaterThanOrEqual(38);
    expect(attempts[0]!.latencyMs).toBeGreaterThan(attempts[1]!.latencyMs);
    expect(rig.faults).toEqual([]);
  });

  it('a variant that answers in time is asked once', async () => {
    const { rig, model } = await beside((_asked, res) => json(res, {}), { hedgeAfterMs: 2000 });
    for (let count = 0; count < 5; count += 1) await ask(rig);
    expect(model.asked).toHaveLength(5);
  });

  it('a failure of the first leaves the answer to the second', async () => {
    let count = 0;
    const { rig } = await beside(
      (_asked, res) => {
        const number = ++count;
        setTimeout(() => json(res, { number }, number === 1 ? 500 : 200), 100);
      },
      { hedgeAfterMs: 30 },
    );
    const reply = await ask(rig);
    expect([reply.body.toString(), reply.headers['x-assay-variant']]).toEqual(['{"number":2}', 'candidate']);
    expect((await rig.predictions())[0]!.attempts.map((attempt) => attempt.error)).toEqual(['status', null]);
  });

  it("the control's 5xx waits for its other try, and passes when that fails as well", async () => {
    let count = 0;
    const broken = await startModel((_asked, res) => {
      const number = ++count;
      setTimeout(() => json(res, { number }, 503), number === 1 ? 90 : 120);
    });
    const rig = await openRig([
      experiment([variant('control', broken.url), variant('candidate', broken.url)], {
        ...resilient({ hedgeAfterMs: 20 }),
        ...controlOnly,
      }),
    ]);
    const reply = await ask(rig);
    expect([reply.status, reply.body.toString()]).toEqual([503, '{"number":2}']);
    expect((await rig.predictions())[0]!.attempts.map((attempt) => attempt.error)).toEqual(['status', 'status']);
  });

  it('two tries that fail leave the caller to the control', async () => {
    const { rig } = await beside(() => {}, { hedgeAfterMs: 150 }, 300);
    expect((await ask(rig)).headers['x-assay-variant']).toBe('control');
    expect((await rig.predictions())[0]!.attempts.map(({ variant: name, error }) => `${name} ${error}`)).toEqual([
      'candidate timeout',
      'candidate timeout',
      'control null',
    ]);
  });

  it('a stream wins with its head', async () => {
    let count = 0;
    const { rig } = await beside(
      (_asked, res) => {
        count += 1;
        if (count === 1) return;
        res.writeHead(200, { 'content-type': 'text/event-stream' });
        res.write('data: 1\n\n');
        setTimeout(() => res.end('data: 2\n\n'), 30);
      },
      { hedgeAfterMs: 30 },
    );
    expect((await ask(rig)).body.toString()).toBe('data: 1\n\ndata: 2\n\n');
    expect((await rig.predictions())[0]!.attempts.map((attempt) => attempt.error)).toEqual(['hedged', null]);
    expect((await rig.ends())[0]!.attempt.error).toBeNull();
  });
});

describe("the caller's deadline:", () => {
  const header = 'x-envoy-expected-rq-timeout-ms';
  const told = (asked: { headers: Record<string, unknown> } | undefined): number => Number(asked!.headers[header]);

  it('shortens the attempt, reaches the model server, and leaves the control the rest', async () => {
    const { rig, model, sound } = await beside(() => {}, {}, 80);
    const reply = await ask(rig, { [header]: '2000' });
    expect([reply.status, reply.headers['x-assay-variant']]).toEqual([200, 'control']);
    expect(told(model.asked[0])).toBeLessThanOrEqual(80);
    expect(told(sound.asked[0])).toBeGreaterThan(0);
    expect(told(sound.asked[0])).toBeLessThanOrEqual(2000 - 75);
  });

  it('ends in 504 when it is over, and nobody else is asked', async () => {
    const { rig, model, sound } = await beside(() => {}, {});
    const reply = await ask(rig, { [header]: '60' });
    expect(reply.status).toBe(504);
    expect(JSON.parse(reply.body.toString())).toMatchObject({ code: 'upstream-timeout' });
    expect([model.asked.length, sound.asked.length]).toEqual([1, 0]);
    expect((await rig.predictions())[0]).toMatchObject({
      status: 504,
      served: null,
      attempts: [{ variant: 'candidate', error: 'timeout' }],
    });
  });

  it('never lengthens an attempt; a value that is none passes as it came; without one the model server gets none', async () => {
    const { rig, model } = await beside((_asked, res) => json(res, {}), {});
    await ask(rig, { [header]: '600000' });
    await ask(rig, { [header]: 'soon' });
    await ask(rig, { [header]: '0' });
    await ask(rig);
    expect(model.asked.map((asked) => asked.headers[header])).toEqual(['5000', 'soon', '0', undefined]);
  });
});
