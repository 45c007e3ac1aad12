// A candidate that fails too often is taken out and let in again: what callers get and what stands in the record.
import type { ServerResponse } from 'node:http';
import { afterAll, describe, expect, it } from 'vitest';
import { closeAll, experiment, json, openRig, type Rig, startModel, variant } from './gateway-rig.fixture.ts';
import { ask, beside, controlOnly, resilient, until, user } from './gateway-trouble.fixture.ts';

afterAll(closeAll);

const ejection = { failureRate: 0.5, minRequests: 5, windowMs: 10_000, coolDownMs: 250 };

const standing = (rig: Rig, name = 'candidate') =>
  rig.gateway.status().variants.find((each) => each.variant === name)?.state;

describe('ejection:', () => {
  it('a failing candidate is taken out, its units get the control on record as ejected, and it comes back when well', async () => {
    let isWell = false;
    const { model, rig } = await beside(
      (_asked, res) => json(res, isWell ? { from: 'candidate' } : { error: 'x' }, isWell ? 200 : 500),
      { ejection },
    );
    for (let count = 0; count < 5; count += 1) await ask(rig);
    expect([model.asked.length, standing(rig), standing(rig, 'control')]).toEqual([5, 'ejected', 'in']);
    const spared = await ask(rig);
    expect([spared.status, model.asked.length]).toEqual([200, 5]);
    expect(spared.headers).toMatchObject({ 'x-assay-variant': 'control', 'x-assay-fallback-from': 'candidate' });
    isWell = true;
    await until(() => standing(rig) === 'probing');
    expect((await ask(rig)).headers['x-assay-variant']).toBe('candidate');
    expect(standing(rig)).toBe('in');
    expect((await ask(rig)).headers['x-assay-variant']).toBe('candidate');

    const records = await rig.predictions();
    expect(records.map(({ assigned }) => assigned)).toEqual(Array(8).fill('candidate'));
    expect(records.map(({ served }) => served)).toEqual([...Array(6).fill('control'), 'candidate', 'candidate']);
    expect(records.map(({ attempts }) => attempts[0]!.error)).toEqual([
      ...Array(5).fill('status'),
      'ejected',
      null,
      null,
    ]);
    expect(records[5]!.attempts).toMatchObject([
      { variant: 'candidate', status: null, latencyMs: 0, error: 'ejected' },
      { variant: 'control', status: 200, error: null },
    ]);
    expect(rig.faults.map((fault) => fault.split(':')[0])).toEqual(['variant-ejected']);
    expect([rig.counts.get('variant_ejected'), rig.counts.get('variant_readmitted')]).toEqual([1, 1]);
    expect([rig.counts.get('ejection_probe'), rig.counts.get('fallback')]).toEqual([1, 6]);
  });

  it('one request at a time probes, the others get the control meanwhile', async () => {
    let isWell = false;
    const waiting: ServerResponse[] = [];
    const { model, rig } = await beside(
      (_asked, res) => (isWell ? void waiting.push(res) : json(res, { error: 'x' }, 500)),
      { ejection },
    );
    for (let count = 0; count < 5; count += 1) await ask(rig);
    isWell = true;
    await until(() => standing(rig) === 'probing');
    const probe = ask(rig);
    await until(() => waiting.length === 1);
    const others = await Promise.all(Array.from({ length: 10 }, () => ask(rig)));
    expect(others.map((reply) => reply.headers['x-assay-variant'])).toEqual(Array(10).fill('control'));
    expect(model.asked).toHaveLength(6);
    json(waiting[0]!, { from: 'candidate' });
    expect((await probe).headers['x-assay-variant']).toBe('candidate');
  });

  it('a stream readmits with its first byte, not with its last', async () => {
    let isWell = false;
    const open: ServerResponse[] = [];
    const { rig } = await beside(
      (_asked, res) => {
        if (!isWell) return json(res, { error: 'x' }, 500);
        res.writeHead(200, { 'content-type': 'text/event-stream' });
        res.write('data: 1\n\n');
        open.push(res);
      },
      { ejection },
    );
    for (let count = 0; count < 5; count += 1) await ask(rig);
    isWell = true;
    await until(() => standing(rig) === 'probing');
    const stream = ask(rig);
    await until(() => standing(rig) === 'in');
    open[0]!.end();
    expect((await stream).body.toString()).toBe('data: 1\n\n');
  });

  it('the control is never taken out: there is nobody to take its place', async () => {
    const broken = await startModel((_asked, res) => json(res, { error: 'x' }, 500));
    const rig = await openRig([
      experiment([variant('control', broken.url), variant('candidate', broken.url)], {
        ...resilient({ ejection }),
        ...controlOnly,
      }),
    ]);
    for (let count = 0; count < 12; count += 1) expect((await ask(rig)).status).toBe(500);
    expect(broken.asked).toHaveLength(12);
  });

  it('callers in a hurry and callers who leave take nobody out', async () => {
    const { rig } = await beside(() => {}, { ejection });
    for (let count = 0; count < 6; count += 1) {
      const reply = await ask(rig, { 'x-envoy-expected-rq-timeout-ms': '30' });
      expect(reply.status).toBe(504);
    }
    expect((await rig.predictions()).map(({ attempts }) => attempts)).toMatchObject(
      Array(6).fill([{ variant: 'candidate', error: 'timeout' }]),
    );
    const controller = new AbortController();
    const leaving = Array.from({ length: 6 }, () =>
      fetch(`${rig.url}/predict`, { method: 'POST', headers: user, body: '{}', signal: controller.signal }),
    );
    await until(() => rig.gateway.status().variants.some(({ inFlight }) => inFlight === 6));
    controller.abort();
    await Promise.allSettled(leaving);
    await rig.records();
    expect(standing(rig)).toBe('in');
  });

  it('a new weight does not bring it back, a new address does', async () => {
    const broken = (_asked: unknown, res: ServerResponse) => json(res, { error: 'x' }, 500);
    const { rig, sound, model } = await beside(broken, { ejection: { ...ejection, coolDownMs: 60_000 } });
    const routed = (url: string, weight: number) =>
      experiment(
        [variant('control', sound.url), variant('candidate', url, { weight })],
        resilient({ ejection: { ...ejection, coolDownMs: 60_000 } }),
      );
    for (let count = 0; count < 5; count += 1) await ask(rig);
    rig.route([routed(model.url, 7)]);
    expect((await ask(rig)).headers['x-assay-variant']).toBe('control');
    expect(model.asked).toHaveLength(5);
    const moved = await startModel((_asked, res) => json(res, { from: 'candidate' }));
    rig.route([routed(moved.url, 7)]);
    expect((await ask(rig)).headers['x-assay-variant']).toBe('candidate');
    expect(rig.gateway.status().variants).toHaveLength(2);
  });

  it('can be switched off', async () => {
    const { rig, model } = await beside((_asked, res) => json(res, {}, 500), { ejection: null });
    for (let count = 0; count < 30; count += 1) await ask(rig);
    expect(model.asked).toHaveLength(30);
  });
});
