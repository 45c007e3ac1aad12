// Experiment resources into the experiment service, and what is told back, over real HTTP.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createExperimentService } from '../control/index.ts';
import { startKubernetesApi } from './kubernetes-api.fixture.ts';
import { openKubernetesClient } from './kubernetes-client.ts';
import { watchKubernetesExperiments } from './kubernetes-experiments.ts';
import { createMemoryControlLog } from './memory-control-log.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const spec = (weight = 50) => ({
  route: { path: '/score' },
  unit: { header: 'x-user-id' },
  control: 'a',
  variants: [
    { name: 'a', weight: 50, upstream: { url: 'http://127.0.0.1:9' } },
    { name: 'b', weight, upstream: { url: 'http://127.0.0.1:9' } },
  ],
});
const open = async (startDrafts = true) => {
  const api = await startKubernetesApi({ group: 'assay.dev' });
  closers.push(() => api.close());
  const client = await openKubernetesClient({ config: api.config, fieldManager: 'assay', timeoutMs: 5000 });
  const service = await createExperimentService({ log: createMemoryControlLog({ now: () => 0 }) });
  const told: string[] = [];
  const watch = (): ReturnType<typeof watchKubernetesExperiments> => {
    const tell = (sentence: string): void => void told.push(sentence);
    const opened = watchKubernetesExperiments({
      client,
      service,
      namespace: 'default',
      startDrafts,
      tell,
      now: () => 0,
    });
    closers.push(() => opened.close());
    return opened;
  };
  const statusOf = (name: string) =>
    (api.read(name)?.status ?? {}) as {
      state?: string;
      conditions?: { type: string; status: string; message: string }[];
    };
  return { api, service, told, watch, statusOf };
};
const soon = { timeout: 60_000, interval: 20 };
const about = { name: 'scores', author: 'test', reason: 'test' };

describe('Experiment resources', { timeout: 60_000 }, () => {
  it('become experiments, and their status says so', async () => {
    const { api, service, watch, statusOf } = await open();
    api.put('scores', spec());
    await watch().tried;
    await vi.waitFor(() => expect(statusOf('scores').state).toBe('running'), soon);
    expect(service.history('scores').map(({ event }) => event.author)).toEqual(
      expect.arrayContaining(['kubernetes:default/scores']),
    );
    expect(statusOf('scores').conditions?.map(({ type, status }) => `${type}=${status}`)).toEqual([
      'Accepted=True',
      'Ready=True',
      'Decided=Unknown',
    ]);
  });

  it('that are refused keep what they said last, and their status says why', async () => {
    const { api, service, watch, statusOf } = await open(false);
    api.put('scores', spec());
    await watch().tried;
    api.put('scores', { ...spec(10), metriks: {} });
    await vi.waitFor(
      () => expect(statusOf('scores').conditions?.[0]?.message).toContain('did you mean "metrics"?'),
      soon,
    );
    expect(statusOf('scores').state).toBe('draft');
    expect(service.get('scores').experiment.variants[1]!.weight).toBe(50);
    api.put('scores', spec(10));
    await vi.waitFor(() => expect(service.get('scores').experiment.variants[1]!.weight).toBe(10), soon);
  });

  it('are listed again when the server has forgotten the version, and changes in the gap count', async () => {
    const { api, service, watch } = await open();
    api.put('scores', spec());
    api.put('gone', { ...spec(), route: { path: '/gone' } });
    await watch().tried;
    await vi.waitFor(() => expect(service.get('gone').state).toBe('running'), soon);
    api.forget();
    api.remove('gone');
    api.put('scores', spec(25));
    await vi.waitFor(() => expect(service.get('scores').experiment.variants[1]!.weight).toBe(25), soon);
    await vi.waitFor(() => expect(service.get('gone').state).toBe('completed'), soon);
  });

  it('that somebody else changes get the status of what was taken over last', async () => {
    const { api, service, told, watch, statusOf } = await open();
    api.put('scores', spec());
    await watch().tried;
    await vi.waitFor(() => expect(statusOf('scores').state).toBe('running'), soon);
    let conflicts = 2;
    api.beforeWrite((name) => {
      if (conflicts > 0) {
        conflicts -= 1;
        api.put(name, api.read(name)!.spec);
      }
    });
    await service.act('pause', about);
    await vi.waitFor(() => expect(statusOf('scores').state).toBe('paused'), soon);
    expect(conflicts).toBe(0);
    expect(told.filter((each) => each.startsWith('Kubernetes:'))).toEqual([]);
  });

  it('that are deleted end their experiment; those this process never saw do not', async () => {
    const { api, service, watch } = await open();
    api.put('scores', spec());
    const first = watch();
    await first.tried;
    await vi.waitFor(() => expect(service.get('scores').state).toBe('running'), soon);
    await first.close();
    api.remove('scores');
    const second = watch();
    await second.tried;
    expect(service.get('scores').state).toBe('running');
    api.put('scores', spec(60));
    await vi.waitFor(() => expect(service.get('scores').experiment.variants[1]!.weight).toBe(60), soon);
    api.remove('scores');
    await vi.waitFor(() => expect(service.get('scores').state).toBe('completed'), soon);
  });

  it('are asked for again after failures and lost connections', async () => {
    const { api, service, watch } = await open();
    api.put('scores', spec());
    api.failNext([503, null, 429]);
    await watch().tried;
    await vi.waitFor(() => expect(service.get('scores').state).toBe('running'), soon);
  });

  it('that may not be read are told once, and nothing is thrown', async () => {
    const { api, told, watch } = await open();
    api.failNext([403]);
    await watch().tried;
    expect(told[0]).toMatch(/experiments of assay.dev cannot be watched: .*403/);
  });
});

describe('the connection', () => {
  it.each([
    ['no cluster', '{"apiVersion":"v1","kind":"Config"}', /no cluster is configured/],
    ['a text that is no kubeconfig', ': [', /cannot be read/],
  ])('is refused for %s', async (_, config, rule) => {
    await expect(openKubernetesClient({ config, fieldManager: 'assay' })).rejects.toThrow(rule);
  });
});
