// The weights of a Seldon Experiment, by the contract of a traffic router; where a real API server is named, on that one too.
import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type FilledRouter, routerClauses } from '../control/traffic-router.contract.ts';
import { startKubernetesApi } from './kubernetes-api.fixture.ts';
import { type KubernetesClient, openKubernetesClient } from './kubernetes-client.ts';
import { createSeldonRouter } from './seldon-router.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const experiments = { group: 'mlops.seldon.io', version: 'v1alpha1', plural: 'experiments', namespace: 'default' };
const candidates = (...weights: readonly number[]) =>
  weights.map((weight, index) => ({ name: ['iris', 'iris2', 'iris3'][index], weight }));
/** A kubeconfig with another address. */
const elsewhere = (config: string): string => config.replace(/https?:\/\/127\.0\.0\.1:\d+/, 'http://127.0.0.1:9');
const openDouble = async () => {
  const api = await startKubernetesApi({ group: experiments.group });
  closers.push(() => api.close());
  const client = await openKubernetesClient({ config: api.config, fieldManager: 'assay', timeoutMs: 5000 });
  return { api, client, router: createSeldonRouter({ client, namespace: 'default' }) };
};
const fill = async (options: {
  readonly client: KubernetesClient;
  readonly config: string;
  readonly experiment: string;
  /** Somebody else's write. */
  readonly touch: () => Promise<void>;
}): Promise<FilledRouter> => {
  const { client, config, experiment, touch } = options;
  let interruptions = 0;
  const interrupted: Pick<KubernetesClient, 'get' | 'apply'> = {
    get: client.get,
    async apply(resource, object) {
      if (interruptions > 0) {
        interruptions -= 1;
        await touch();
      }
      return client.apply(resource, object);
    },
  };
  const away = await openKubernetesClient({ config: elsewhere(config), fieldManager: 'assay', timeoutMs: 2000 });
  const read = async () => (await client.get(experiments, experiment))!;
  return {
    router: createSeldonRouter({ client: interrupted, namespace: 'default' }),
    away: createSeldonRouter({ client: away, namespace: 'default' }),
    namespace: 'default',
    experiment,
    models: ['iris', 'iris2'],
    async split() {
      const { spec } = (await read()) as { spec: { candidates: readonly { name: string; weight: number }[] } };
      return Object.fromEntries(spec.candidates.map(({ name, weight }) => [name, weight]));
    },
    version: async () => (await read()).metadata.resourceVersion!,
    async report(isReady) {
      const status = isReady ? 'True' : 'False';
      const conditions = [{ type: 'Ready', status, lastTransitionTime: '2026-01-01T00:00:00Z' }];
      await client.mergeStatus(experiments, await read(), { conditions });
    },
    interrupt: (writes) => {
      interruptions = writes;
    },
  };
};
const start = { default: 'iris', candidates: candidates(1, 1) };

/** The router over a double of the API server whose experiment somebody else can change. */
const fillDouble = async (): Promise<Awaited<ReturnType<typeof fill>>> => {
  const { api, client } = await openDouble();
  api.put('iris', start);
  let count = 1;
  const touch = async (): Promise<void> => {
    count += 1;
    api.put('iris', { ...start, candidates: candidates(1, count) });
  };
  return fill({ client, config: api.config, experiment: 'iris', touch });
};

describe('weights of a Seldon Experiment', { timeout: 60_000 }, () => {
  it.each(Object.entries(routerClauses))('%s', async (_, holds) => {
    await holds(await fillDouble());
  });

  it('are percents where that is exact, and every other member stays', async () => {
    const { api, router } = await openDouble();
    api.put('iris', { default: 'iris', candidates: candidates(1, 1), mirror: { name: 'iris3', percent: 5 } });
    const shares = [
      { variant: 'one', model: 'iris', share: 0.9 },
      { variant: 'two', model: 'iris2', share: 0.1 },
    ];
    expect(await router.route({ namespace: 'default', experiment: 'iris', shares })).toMatchObject({ kind: 'set' });
    expect(api.read('iris')?.spec).toEqual({
      default: 'iris',
      candidates: candidates(90, 10),
      mirror: { name: 'iris3', percent: 5 },
    });
  });

  it('are given up, and nothing is written, when others keep changing the resource', async () => {
    const filled = await fillDouble();
    filled.interrupt(5);
    const shares = [
      { variant: 'one', model: 'iris', share: 0.9 },
      { variant: 'two', model: 'iris2', share: 0.1 },
    ];
    await expect(filled.router.route({ namespace: 'default', experiment: 'iris', shares })).rejects.toMatchObject({
      code: 'revision-conflict',
    });
    expect(await filled.split()).toEqual({ iris: 1, iris2: 6 });
  });
});

// Where the kubeconfig of a real API server stands at ASSAY_SELDON_KUBECONFIG, as in the systems suite, it is held to the same clauses.
const real = process.env.ASSAY_SELDON_KUBECONFIG;
if (real !== undefined) {
  describe('weights of a Seldon Experiment in a real API server', () => {
    let count = 0;
    it.each(Object.entries(routerClauses))(
      '%s',
      async (_, holds) => {
        count += 1;
        const experiment = `contract-${process.pid}-${count}`;
        const config = await readFile(real, 'utf8');
        const client = await openKubernetesClient({ config, fieldManager: 'assay' });
        const owner = await openKubernetesClient({ config, fieldManager: 'owner' });
        const head = { apiVersion: 'mlops.seldon.io/v1alpha1', kind: 'Experiment' };
        await owner.apply(experiments, { ...head, metadata: { name: experiment }, spec: start });
        let percent = 0;
        const touch = async (): Promise<void> => {
          percent += 1;
          const spec = { ...start, mirror: { name: 'iris3', percent } };
          await owner.apply(experiments, { ...head, metadata: { name: experiment }, spec });
        };
        await holds(await fill({ client, config, experiment, touch }));
      },
      60_000,
    );
  });
}
