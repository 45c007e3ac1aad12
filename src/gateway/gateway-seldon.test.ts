// Callers that speak Seldon's headers, through a real gateway.
import { afterAll, describe, expect, it } from 'vitest';
import type { RoutedExperiment } from '../experiment/index.ts';
import { call, closeAll, experiment, json, openRig, startModel, twoOn, variant } from './gateway-rig.fixture.ts';

afterAll(closeAll);

const asUser = { 'x-user-id': 'u1' };

describe('Seldon callers', () => {
  const upstream = { protocol: 'oip', model: 'm' } as const;
  const seldonRig = async (more: Partial<RoutedExperiment> = {}) => {
    const model = await startModel((_asked, res) => json(res, { outputs: [] }));
    const variants = ['a', 'b', 'c'].map((name) => variant(name, model.url, { upstream }));
    const ranges = [
      { variant: 'a', from: 0, to: 2 ** 31 },
      { variant: 'b', from: 2 ** 31, to: 2 ** 32 },
    ];
    const routed = experiment(variants, {
      name: 'iris-test',
      route: { kind: 'model', model: 'iris' },
      allocation: { kind: 'fixed', ranges },
      ...more,
    });
    const rig = await openRig([routed]);
    const infer = (headers: Record<string, string> = {}, place = 'anything') =>
      call(`${rig.url}/v2/models/${place}/infer`, { body: { inputs: [] }, headers });
    return { model, rig, routed, infer };
  };

  it('name the experiment by header whatever the path, and the header ends here', async () => {
    const { model, rig, infer } = await seldonRig();
    for (const name of ['iris-test.experiment', 'iris.experiment', 'iris']) {
      expect((await infer({ 'seldon-model': name })).headers['x-assay-experiment']).toBe('iris-test');
    }
    expect((await infer({ 'seldon-model': 'other.experiment' }, 'iris')).headers['x-assay-experiment']).toBe(
      'iris-test',
    );
    expect((await infer({ 'seldon-model': 'other.experiment' })).status).toBe(404);
    for (const asked of model.asked) {
      expect(asked.url).toBe('/v2/models/m/infer');
      expect(asked.headers).not.toHaveProperty('seldon-model');
      expect(asked.headers).not.toHaveProperty('x-seldon-route');
    }
    expect(await rig.predictions()).toHaveLength(4);
  });

  it('keep their variant by the token of the reply, without an id', async () => {
    const { rig, infer } = await seldonRig({ unit: { sources: [{ kind: 'request' }], orElse: 'request' } });
    const first = await infer({}, 'iris');
    const token = first.headers['x-seldon-route'] as string;
    const name = first.headers['x-assay-variant'];
    expect(token).toBe(`:${name}_1:`);
    for (let count = 0; count < 20; count += 1) {
      const reply = await infer({ 'x-seldon-route': token }, 'iris');
      expect(reply.headers['x-assay-variant']).toBe(name);
      expect(reply.headers['x-seldon-route']).toBe(token);
    }
    const [drawn, ...sticky] = await rig.predictions();
    expect(drawn).toMatchObject({ reason: 'split', propensity: 0.5 });
    for (const record of sticky) expect(record).toMatchObject({ reason: 'sticky', propensity: 1, assigned: name });
  });

  it('whose token says what the hash says are split as before; another token is honoured and not analysed', async () => {
    const { rig, infer } = await seldonRig();
    const own = (await infer(asUser, 'iris')).headers['x-assay-variant'] as string;
    const other = own === 'a' ? 'b' : 'a';
    expect((await infer({ ...asUser, 'x-seldon-route': `:${own}_1:` }, 'iris')).headers['x-assay-variant']).toBe(own);
    expect((await infer({ ...asUser, 'x-seldon-route': `:${other}_1:` }, 'iris')).headers['x-assay-variant']).toBe(
      other,
    );
    expect((await rig.predictions()).map(({ reason, assigned }) => [reason, assigned])).toEqual([
      ['split', own],
      ['split', own],
      ['sticky', other],
    ]);
  });

  it.each([
    ['a variant that is gone', ':gone_1:'],
    ['a variant without a share', ':c_1:'],
    ['an earlier version', ':a_0:'],
    ['nothing that could be a token', 'x'],
  ])('with a stale token, for %s, get what their hash says, never 404', async (_, token) => {
    const { rig, infer } = await seldonRig();
    const own = (await infer(asUser, 'iris')).headers['x-assay-variant'];
    const reply = await infer({ ...asUser, 'x-seldon-route': token }, 'iris');
    expect(reply.status).toBe(200);
    expect(reply.headers['x-assay-variant']).toBe(own);
    expect(reply.headers['x-seldon-route']).toBe(`:${own}_1:`);
    expect(reply.headers['x-assay-warning']).toMatch(/chosen anew/);
    expect((await rig.predictions())[1]).toMatchObject({ reason: 'split', assigned: own });
    expect(rig.counts.get('route_token_stale')).toBe(1);
  });

  it('get nothing by a token once the experiment is paused or the weight is 0', async () => {
    const { rig, routed, infer } = await seldonRig();
    rig.route([{ ...routed, epoch: 8, allocation: { kind: 'single', variant: 'a', reason: 'paused' } }]);
    expect((await infer({ ...asUser, 'x-seldon-route': ':b_1:' }, 'iris')).headers['x-assay-variant']).toBe('a');
    const ranges = [{ variant: 'a', from: 0, to: 2 ** 32 }];
    rig.route([{ ...routed, epoch: 9, allocation: { kind: 'fixed', ranges } }]);
    expect((await infer({ ...asUser, 'x-seldon-route': ':b_1:' }, 'iris')).headers['x-assay-variant']).toBe('a');
    expect((await rig.predictions()).map(({ reason }) => reason)).toEqual(['paused', 'split']);
  });

  it('of another protocol see no token unless they speak of it', async () => {
    const { rig } = await twoOn({});
    const plain = await call(`${rig.url}/predict`, { body: {}, headers: asUser });
    expect(plain.headers['x-seldon-route']).toBeUndefined();
    const asked = await call(`${rig.url}/predict`, {
      body: {},
      headers: { ...asUser, 'seldon-model': 'test.experiment' },
    });
    expect(asked.headers['x-seldon-route']).toBe(':b_1:');
  });
});
