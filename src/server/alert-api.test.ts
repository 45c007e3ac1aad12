import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseExperimentFiles } from '../experiment/index.ts';
import { type RunningServer, startServer } from './index.ts';

const experiment = (name: string, onBreach: string): string => `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: ${name}}
spec:
  hypothesis: b is better
  route: {path: /${name}}
  unit: {header: x-user-id, orElse: control}
  control: a
  variants:
    - {name: a, weight: 50, upstream: {url: "http://127.0.0.1:9", protocol: json}}
    - {name: b, weight: 50, upstream: {url: "http://127.0.0.1:9", protocol: json}}
  metrics: {failures: {mean: failed}}
  decision: {guardrails: [failures < 0.02], onBreach: ${onBreach}, minDuration: 0s}
`;

const names = ['breaks', 'pauses', 'notifies', 'control-only', 'resolves', 'again', 'restarts', 'words'];
let server: RunningServer;
let folder: string;

const start = (): Promise<RunningServer> =>
  startServer({
    experiments: names.flatMap((name) => [
      ...parseExperimentFiles(
        experiment(name, name === 'pauses' ? 'pause' : name === 'notifies' ? 'notify' : 'roll-back'),
      ),
    ]),
    dataDirectory: folder,
    port: 0,
    apiPort: 0,
    startDrafts: true,
    token: 'the token of the whole API',
    tokensFor: { '/api/v1/alerts': 'the token of Alertmanager' },
  });
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assay-alerts-'));
  server = await start();
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

interface GivenAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly status?: string;
  readonly startsAt?: string;
}

async function post(
  alerts: readonly GivenAlert[],
  token = 'the token of Alertmanager',
): Promise<{ status: number; results: readonly { done: string; why: string }[] }> {
  const reply = await fetch(`${server.apiUrl}/api/v1/alerts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({
      version: '4',
      status: 'firing',
      alerts: alerts.map((alert) => ({
        status: 'firing',
        annotations: {},
        startsAt: '2026-11-22T08:00:00Z',
        endsAt: '0001-01-01T00:00:00Z',
        fingerprint: 'f1',
        ...alert,
        labels: { alertname: 'Hot', ...alert.labels },
      })),
    }),
  });
  const { results = [] } = (await reply.json()) as { results?: readonly { done: string; why: string }[] };
  return { status: reply.status, results };
}

const stateOf = (name: string): string => server.service.get(name).state;

describe('the webhook of Alertmanager', () => {
  it('rolls an experiment back, names the alert in the audit trail, and acts once', async () => {
    const alert = { labels: { experiment: 'breaks', variant: 'b' }, annotations: { summary: 'b is slow' } };
    const first = await post([alert]);
    expect(first).toMatchObject({ status: 200, results: [{ done: 'rolled-back' }] });
    expect(stateOf('breaks')).toBe('rolled-back');
    expect(server.service.history('breaks').at(-1)?.event).toMatchObject({
      kind: 'roll-back',
      author: 'alertmanager',
      reason: 'Hot: b: b is slow [f1 2026-11-22T08:00:00Z]',
    });
    const entries = server.service.history('breaks').length;
    expect((await post([alert, alert])).results.map(({ done }) => done)).toEqual(['nothing', 'nothing']);
    expect(server.service.history('breaks')).toHaveLength(entries);
  });

  it('does what the experiment says for a breach, unless the alert says otherwise', async () => {
    expect((await post([{ labels: { experiment: 'pauses' } }])).results[0]?.done).toBe('paused');
    expect(stateOf('pauses')).toBe('paused');
    expect((await post([{ labels: { experiment: 'notifies' } }])).results[0]?.done).toBe('nothing');
    const other = { labels: { experiment: 'notifies' }, startsAt: '2026-11-22T09:00:00Z' };
    expect((await post([{ ...other, annotations: { assay_action: 'pause' } }])).results[0]?.done).toBe('paused');
    expect(stateOf('notifies')).toBe('paused');
  });

  it('does not pause a second time for the same firing after somebody has resumed', async () => {
    const alert = { labels: { experiment: 'again', assay_action: 'pause' } };
    await post([alert]);
    await server.service.act('resume', { name: 'again', author: 'ann', reason: 'looked into it' });
    expect((await post([alert])).results[0]).toMatchObject({
      done: 'nothing',
      why: 'this firing of the alert was acted upon before',
    });
    expect(stateOf('again')).toBe('running');
    await post([{ ...alert, startsAt: '2026-11-22T10:00:00Z' }]);
    expect(stateOf('again')).toBe('paused');
  });

  it('remembers over a restart which firing it acted upon', async () => {
    const alert = { labels: { experiment: 'restarts', assay_action: 'pause' } };
    expect((await post([alert])).results[0]?.done).toBe('paused');
    await server.close();
    server = await start();
    await server.service.act('resume', { name: 'restarts', author: 'ann', reason: 'looked into it' });
    expect((await post([alert])).results[0]?.why).toBe('this firing of the alert was acted upon before');
    expect(stateOf('restarts')).toBe('running');
  });

  it('leaves an experiment alone where nothing would be gained or nothing is asked for', async () => {
    for (const [alert, why] of [
      [{ labels: { experiment: 'control-only', model_name: 'a' } }, 'it is about the control a'],
      [{ labels: { experiment: 'resolves' }, status: 'resolved' }, 'it is resolved; only firing alerts act'],
      [{ labels: { experiment: 'words', assay_action: 'none' } }, 'neither the alert nor the experiment wants'],
      [{ labels: { experiment: 'words', assay_action: 'delete' } }, 'neither the alert nor the experiment wants'],
      [{ labels: { experiment: 'missing' } }, 'experiment "missing" is unknown'],
      [{ labels: {} }, 'it has no label experiment'],
    ] as const) {
      const { status, results } = await post([alert]);
      expect(status).toBe(200);
      expect(results[0]?.done).toBe('nothing');
      expect(results[0]?.why).toContain(why);
    }
    expect(['control-only', 'resolves', 'words'].map(stateOf)).toEqual(['running', 'running', 'running']);
  });

  it('refuses strangers, and bodies that Alertmanager does not send', async () => {
    expect((await post([], 'a token that is not ours')).status).toBe(401);
    for (const [body, message] of [
      ['{', 'the body is not JSON'],
      ['{}', 'alerts is missing, must be a list as Alertmanager sends it'],
      ['{"alerts": [{"status": "firing"}]}', 'alerts[0].startsAt is missing, must be a text'],
      ['{"alerts": [3]}', 'alerts[0] is no object, must be an alert'],
    ] as const) {
      const headers = { authorization: 'Bearer the token of Alertmanager' };
      const reply = await fetch(`${server.apiUrl}/api/v1/alerts`, { method: 'POST', headers, body });
      expect(reply.status).toBe(400);
      expect(((await reply.json()) as { detail: string }).detail).toContain(message);
    }
  });

  it('opens nothing else with its token', async () => {
    const headers = { authorization: 'Bearer the token of Alertmanager' };
    for (const path of ['/api/v1/status', '/metrics', '/api/v1/experiments'])
      expect((await fetch(`${server.apiUrl}${path}`, { headers })).status).toBe(401);
  });
});
