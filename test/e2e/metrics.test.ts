import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { assay, experimentText, type Serving, serve, startModel } from './assay-process.ts';

let folder: string;
let models: Awaited<ReturnType<typeof startModel>>[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assay-metrics-e2e-'));
  models = [await startModel('a'), await startModel('b')];
  await writeFile(join(folder, 'scores.yaml'), experimentText([models[0]!.url, models[1]!.url]));
});
afterAll(async () => {
  for (const model of models) await model.close();
  await rm(folder, { recursive: true, force: true });
});

async function assignmentsOf({ apiUrl }: Serving): Promise<number> {
  const lines = (await (await fetch(`${apiUrl}/metrics`)).text()).split('\n');
  return lines
    .filter((line) => line.startsWith('assay_assignments_total{'))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

async function ask(serving: Serving, requests: number): Promise<void> {
  for (let each = 0; each < requests; each += 1) {
    // A connection of its own for each, so that the kernel spreads them over the workers.
    const headers = { 'x-user-id': `user-${each}`, connection: 'close' };
    const reply = await fetch(`${serving.gatewayUrl}/score`, { headers });
    expect(reply.status).toBe(200);
    await reply.arrayBuffer();
  }
}

describe('metrics of several gateway processes', () => {
  it('add up, and a worker that is killed takes nothing away', async () => {
    const serving = await serve([
      '-f',
      join(folder, 'scores.yaml'),
      '--start',
      '--workers',
      '2',
      '--data',
      join(folder, 'workers'),
    ]);
    try {
      await ask(serving, 60);
      await vi.waitFor(async () => expect(await assignmentsOf(serving)).toBe(60), 20_000);
      const status = (await (await fetch(`${serving.apiUrl}/api/v1/status`)).json()) as {
        workers: readonly { pid: number; requests?: unknown }[];
      };
      expect(status.workers).toHaveLength(2);
      expect(status.workers.every(({ requests }) => requests === undefined)).toBe(true);
      // The worker's last report of its own accord is at most 250 ms old; what was asked above is newer still.
      process.kill(status.workers[0]!.pid, 'SIGKILL');
      await vi.waitFor(() => expect(serving.stderr()).toContain('serves again'), 20_000);
      expect(await assignmentsOf(serving)).toBe(60);
      await ask(serving, 40);
      await vi.waitFor(async () => expect(await assignmentsOf(serving)).toBe(100), 20_000);
    } finally {
      await serving.end('SIGTERM');
    }
  }, 120_000);
});

/** Trace ids of the exemplars of all buckets, newest first. */
async function exemplarsOf({ apiUrl }: Serving): Promise<readonly string[]> {
  const headers = { accept: 'application/openmetrics-text; version=1.0.0' };
  const text = await (await fetch(`${apiUrl}/metrics`, { headers })).text();
  const pattern = /^assay_caller_duration_seconds_bucket\{.* # \{trace_id="([0-9a-f]{32})"\} \S+ (\S+)$/gm;
  return [...text.matchAll(pattern)]
    .map(([, traceId = '', timeS]) => ({ traceId, timeS: Number(timeS) }))
    .sort((one, other) => other.timeS - one.timeS)
    .map(({ traceId }) => traceId);
}

describe('exemplars of several gateway processes', () => {
  it('are kept whichever process served the request, and the newest of a bucket wins', async () => {
    const more = ['--start', '--workers', '2', '--data', join(folder, 'exemplars')];
    const serving = await serve(['-f', join(folder, 'scores.yaml'), ...more]);
    try {
      const seen = new Set<number>();
      for (let each = 1; each <= 40 && seen.size < 2; each += 1) {
        const traceId = each.toString(16).padStart(32, '0');
        const headers = {
          'x-user-id': `user-${each}`,
          connection: 'close',
          traceparent: `00-${traceId}-b7ad6b7169203331-01`,
        };
        const reply = await fetch(`${serving.gatewayUrl}/score`, { headers });
        // The id of a prediction begins with the number of the worker that made it.
        seen.add(Number(/^w(\d)-/.exec(reply.headers.get('x-assay-prediction-id') ?? '')?.[1]));
        await reply.arrayBuffer();
        await vi.waitFor(async () => expect((await exemplarsOf(serving))[0]).toBe(traceId), {
          timeout: 60_000,
          interval: 20,
        });
      }
      expect(seen).toEqual(new Set([1, 2]));
    } finally {
      await serving.end('SIGTERM');
    }
  }, 120_000);
});

describe('assay export', () => {
  it('writes files for Prometheus, Alertmanager and Grafana, and refuses what makes no sense', async () => {
    const output = join(folder, 'exported');
    const file = join(folder, 'scores.yaml');
    const rules = await assay(['export', 'prometheus', '-f', file, '-o', output, '--json']);
    expect(JSON.parse(rules.stdout).files).toEqual(
      ['assay.rules.yml', 'assay.rules.test.yml', 'prometheus.yml'].map((name) => join(output, name)),
    );
    expect((await assay(['export', 'alertmanager', '-o', output])).stdout.trim()).toBe(
      join(output, 'alertmanager.yml'),
    );
    expect((await assay(['export', 'grafana', '-o', output])).stdout).toContain('dashboards/assay.json');
    for (const [args, message] of [
      [['--window', '7s'], '--window is 7s, must be a multiple of 5 s'],
      [['--for', '1500ms'], '--for is 1500ms, must be whole seconds'],
    ] as const) {
      const refused = await assay(['export', 'prometheus', '-f', file, '-o', output, ...args]);
      expect(refused.code).toBe(2);
      expect(refused.stderr).toContain(message);
    }
    const refused = await assay(['export', 'grafana', '-o', output, '--prometheus-url', 'prometheus:9090']);
    expect(refused.stderr).toContain('--prometheus-url is "prometheus:9090", must be an http or https address');
  }, 120_000);
});
