// Is every line that docs/logs.md promises an operator really written, under its name and with its fields? A running server and real trouble.
import { once } from 'node:events';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { startKubernetesApi } from '../adapters/kubernetes-api.fixture.ts';
import { startMlflowDouble } from '../adapters/mlflow-server.fixture.ts';
import { eventLevels, type OperatorEventName } from '../adapters/pino-log.ts';
import { parseExperimentFiles } from '../experiment/index.ts';
import { type RunningServer, type ServerOptions, startServer } from './index.ts';
import { tellReadiness } from './tell-readiness.ts';

interface Told {
  readonly name: OperatorEventName;
  readonly sentence: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const soon = { timeout: 60_000, interval: 20 };
const closers: (() => Promise<unknown>)[] = [];
const folders: string[] = [];
const shown = new Set<string>();

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  vi.unstubAllEnvs();
});
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'assay-events-'));
  folders.push(folder);
  return folder;
}

/** A model server whose status can be changed. */
async function startModel(): Promise<{ readonly url: string; answer(status: number): void }> {
  let status = 200;
  const server: Server = createServer((request, response) => {
    request.resume();
    response.statusCode = status;
    response.end('{"score": 1}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answer: (wanted) => {
      status = wanted;
    },
  };
}

async function start(options: Partial<ServerOptions>): Promise<{ server: RunningServer; told: Told[] }> {
  const told: Told[] = [];
  const server = await startServer({
    dataDirectory: options.dataDirectory ?? (await newFolder()),
    port: 0,
    apiPort: 0,
    startDrafts: true,
    onEvent: (sentence, { name, fields = {} }) => {
      shown.add(name);
      told.push({ name, sentence, fields });
    },
    ...options,
  });
  closers.push(() => server.close());
  return { server, told };
}

const heard = (told: readonly Told[], name: OperatorEventName): Promise<Told> =>
  vi.waitFor(() => {
    const event = told.find((each) => each.name === name);
    if (event === undefined)
      throw new Error(`${name} was not told, but ${told.map((each) => each.sentence).join(' | ')}`);
    return event;
  }, soon);

const text = (urls: readonly [string, string], more = ''): string => `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: scores, namespace: team}
spec:
  hypothesis: b is better
  route: {path: /score}
  unit: {header: x-user-id, orElse: control}
  control: a
  variants:
    - {name: a, weight: 1, upstream: {url: "${urls[0]}"}}
    - {name: b, weight: 1, upstream: {url: "${urls[1]}"}}
  metrics: {failures: {mean: failed}}
  decision: {guardrails: [failures < 0.9], minDuration: 0s}
  ${more}
`;
const nobody = ['http://127.0.0.1:9', 'http://127.0.0.1:9'] as const;

describe('an operator is told', () => {
  it('when a file was read again, is refused, or is gone', async () => {
    const folder = await newFolder();
    const file = join(folder, 'scores.yaml');
    await writeFile(file, text(nobody));
    const { told } = await start({ files: [folder] });
    await writeFile(file, text(nobody).replace('b is better', 'b is cheaper'));
    expect((await heard(told, 'file-read')).fields).toEqual({ file });
    await writeFile(file, 'kind: [');
    expect(await heard(told, 'file-refused')).toMatchObject({
      fields: { file },
      sentence: expect.stringContaining('is refused, the last good one stays'),
    });
    await rm(file);
    expect((await heard(told, 'file-removed')).fields).toEqual({ file });
  });

  it('when a variant is taken out, and when it is let in again', async () => {
    const [a, b] = [await startModel(), await startModel()];
    const resilience = 'resilience: {ejection: {failureRate: 0.5, minRequests: 5, windowMs: 60000, coolDownMs: 100}}';
    const { server, told } = await start({ experiments: parseExperimentFiles(text([a.url, b.url], resilience)) });
    let user = 0;
    const ask = async (): Promise<void> => {
      user += 1;
      await fetch(`${server.gatewayUrl}/score`, { headers: { 'x-user-id': `user-${user % 40}` } });
    };
    b.answer(500);
    for (let each = 0; each < 60; each += 1) await ask();
    const place = { experiment: 'team/scores', variant: 'b' };
    expect((await heard(told, 'variant-ejected')).fields).toEqual(place);
    b.answer(200);
    await vi.waitFor(async () => {
      await ask();
      expect(told.map(({ name }) => name)).toContain('variant-readmitted');
    }, soon);
    expect((await heard(told, 'variant-readmitted')).fields).toEqual(place);
    // Each change is one line, and not a fault besides.
    expect(told.filter(({ name }) => name === 'fault')).toEqual([]);
  });

  it('of every step of an experiment, and of a fault with its code', async () => {
    const { server, told } = await start({
      experiments: parseExperimentFiles(text(nobody)),
      webhooks: [{ url: 'http://127.0.0.1:9', secret: `whsec_${'A'.repeat(32)}` }],
    });
    await server.service.act('pause', { name: 'scores', namespace: 'team', author: 'ann', reason: 'looks odd' });
    expect((await heard(told, 'experiment-changed')).fields).toMatchObject({
      namespace: 'team',
      experiment: 'scores',
      change: 'pause',
      state: 'paused',
      author: 'ann',
      reason: 'looks odd',
    });
    expect((await heard(told, 'fault')).fields).toEqual({ code: 'webhook-failed' });
  });

  it('when reports and verdicts cannot be made', async () => {
    const dataDirectory = await newFolder();
    const { server, told } = await start({
      dataDirectory,
      experiments: parseExperimentFiles(text(nobody)),
      verdictEveryMs: 50,
    });
    await writeFile(join(dataDirectory, 'manifest.json'), '{');
    const { fields, sentence } = await heard(told, 'decision-failed');
    expect(fields).toEqual({ experiment: 'team/scores' });
    expect(sentence).toContain('manifest.json');
    // A scrape wants the report.
    await fetch(`${server.apiUrl}/metrics`);
    expect((await heard(told, 'report-failed')).sentence).toContain('manifest.json');
  });

  it('that the end of the control log was torn and is mended', async () => {
    const dataDirectory = await newFolder();
    const { server } = await start({ dataDirectory, experiments: parseExperimentFiles(text(nobody)) });
    await server.close();
    await appendFile(join(dataDirectory, 'control.log'), '{"revision": 9, "ev');
    const { told } = await start({ dataDirectory });
    expect((await heard(told, 'control-log-mended')).sentence).toContain('dropped 19 bytes');
  });

  it('when evidence does not reach its other server, and when it does again', async () => {
    const central = await start({ token: 'the token of the other server' });
    const { port } = new URL(central.server.apiUrl);
    await central.server.close();
    const [a, b] = [await startModel(), await startModel()];
    const url = `http://127.0.0.1:${port}`;
    const { server, told } = await start({
      experiments: parseExperimentFiles(text([a.url, b.url])),
      shipTo: { url, token: 'the token of the other server' },
    });
    await fetch(`${server.gatewayUrl}/score`, { headers: { 'x-user-id': 'u' } });
    expect((await heard(told, 'shipping-failed')).fields).toEqual({ url });
    await start({ token: 'the token of the other server', apiPort: Number(port) });
    expect((await heard(told, 'shipping-works')).fields).toEqual({ url });
  }, 120_000);

  it('when the server is not ready, and when it is again, once each', () => {
    vi.useFakeTimers();
    const told: [string, unknown][] = [];
    let reasons: readonly string[] = [];
    const stop = tellReadiness({
      unready: () => reasons,
      tell: (_sentence, { name, fields }) => {
        shown.add(name);
        told.push([name, fields]);
      },
    });
    vi.advanceTimersByTime(3_000);
    reasons = ['no gateway worker serves'];
    vi.advanceTimersByTime(3_000);
    reasons = ['no gateway worker serves', 'the disk is full'];
    vi.advanceTimersByTime(3_000);
    reasons = [];
    vi.advanceTimersByTime(3_000);
    stop();
    vi.useRealTimers();
    expect(told).toEqual([
      ['not-ready', { reasons: 'no gateway worker serves' }],
      ['ready', undefined],
    ]);
  });

  it('what Kubernetes says against an experiment', async () => {
    const api = await startKubernetesApi({ group: 'assay.dev' });
    closers.push(() => api.close());
    api.put('scores', { metriks: {} });
    const { told } = await start({ kubernetes: { experiments: 'own', config: api.config } });
    expect((await heard(told, 'kubernetes')).sentence).toContain('is refused');
  });

  it('whether Seldon follows the split', async () => {
    const api = await startKubernetesApi({ group: 'mlops.seldon.io' });
    closers.push(() => api.close());
    const experiments = parseExperimentFiles(text(nobody).replace('namespace: team', 'namespace: default'));
    const kubernetes = { seldonNamespace: 'own', config: api.config };
    const { told, server } = await start({ experiments, kubernetes });
    expect((await heard(told, 'seldon-behind')).fields).toEqual({ experiment: 'default/scores' });
    api.put('scores', { candidates: ['a', 'b'].map((name) => ({ name, weight: 1 })) });
    await server.service.act('pause', { name: 'scores', author: 'ann', reason: 'push the split again' });
    expect(await heard(told, 'seldon-follows')).toMatchObject({ fields: { experiment: 'default/scores' } });
  });

  it('what the model registry was told, and that it is away', async () => {
    const mlflow = await startMlflowDouble();
    closers.push(() => mlflow.close());
    vi.stubEnv('MLFLOW_TRACKING_URI', mlflow.url);
    for (const alias of ['champion', 'challenger']) {
      const { version } = mlflow.registry.register('wine', { 'assay.url': 'http://127.0.0.1:9' });
      mlflow.registry.setAlias('wine', { alias, version });
    }
    const { server, told } = await start({
      experiments: parseExperimentFiles(text(['models:/wine@champion', 'models:/wine@challenger'])),
    });
    mlflow.fail(20);
    await server.service.act('roll-back', { name: 'scores', namespace: 'team', author: 'ann', reason: 'worse' });
    expect((await heard(told, 'registry-behind')).sentence).toContain('the registry will be told of the roll-back');
    mlflow.fail(0);
    expect((await heard(told, 'registry')).sentence).toContain('wine');
  });
});

describe('the list in docs/logs.md', () => {
  it('has every event with its level, and every event is shown somewhere', async () => {
    const read = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
    const rows = [...(await read('docs/logs.md')).matchAll(/^\| `([a-z-]+)` +\| (\w+) +\|/gm)];
    expect(Object.fromEntries(rows.map(([, name, level]) => [name, level]))).toEqual(eventLevels);
    // Processes that end, and what is only told by the command, are seen from outside.
    const elsewhere = `${await read('test/e2e/logs.test.ts')}${await read('src/server/evidence-upkeep.test.ts')}`;
    const missing = Object.keys(eventLevels).filter((name) => !shown.has(name) && !elsewhere.includes(`'${name}'`));
    expect(missing).toEqual([]);
  });
});
