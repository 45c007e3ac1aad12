// Do programs that wait for a decision get one, in the form they read? The gate, `assay verdict --wait`, approvals, webhooks.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseExperimentFile } from '../../src/experiment/index.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../src/server/index.ts';
import { assay } from './assay-process.ts';

/** A model whose scores lie around a centre. */
async function startModel(centre: number): Promise<{ readonly url: string; close(): Promise<void> }> {
  let requests = 0;
  const server: Server = createServer((request, reply) => {
    request.resume().on('end', () => {
      requests += 1;
      reply.setHeader('content-type', 'application/json');
      reply.end(JSON.stringify({ score: centre + ((requests % 5) - 2) / 50 }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

let directory: string;
let models: readonly Awaited<ReturnType<typeof startModel>>[];
let closers: (() => Promise<unknown>)[];

beforeAll(async () => {
  models = [await startModel(0.4), await startModel(0.6)];
});
afterAll(async () => {
  for (const model of models) await model.close();
});
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-gate-'));
  closers = [];
});
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  await rm(directory, { recursive: true, force: true });
});

const experimentText = (decision: string, more = ''): string => `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: scores}
spec:
  route: {path: /score}
  unit: {header: x-user-id, orElse: control}
  control: a
  variants:
    - {name: a, weight: 50, upstream: {url: "${models[0]!.url}", protocol: json}}
    - {name: b, weight: 50, upstream: {url: "${models[1]!.url}", protocol: json}}
  capture: {prediction: {json: $.score}}
  metrics:
    score: {mean: prediction}
    error_rate: {mean: failed}
  decision: ${decision}
${more}`;

/** The candidate scores about 0.6, the control about 0.4: some 60 users a side settle it. */
const ships =
  '{primary: [score > control.score + 0.05], guardrails: [error_rate < 0.5], minDuration: 0s, onShip: hold}';

async function start(text: string, more: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const server = await startServer({
    experiments: [parseExperimentFile(text)],
    dataDirectory: join(directory, 'data'),
    port: 0,
    apiPort: 0,
    startDrafts: true,
    verdictEveryMs: 200,
    ...more,
  });
  closers.push(() => server.close());
  return server;
}

async function ask(server: RunningServer, users: number): Promise<void> {
  await Promise.all(
    Array.from({ length: users }, async (_, user) => {
      const reply = await fetch(`${server.gatewayUrl}/score`, {
        method: 'POST',
        headers: { 'x-user-id': `user-${user}` },
        body: JSON.stringify({}),
      });
      await reply.text();
    }),
  );
}

const get = async (server: RunningServer, path: string): Promise<{ status: number; body: Record<string, unknown> }> => {
  const reply = await fetch(`${server.apiUrl}/api/v1/experiments/${path}`);
  return { status: reply.status, body: (await reply.json()) as Record<string, unknown> };
};
const post = (server: RunningServer, path: string, body: object): Promise<Response> =>
  fetch(`${server.apiUrl}/api/v1/experiments/${path}`, { method: 'POST', body: JSON.stringify(body) });

describe('the gate of a rollout', () => {
  it('answers 200 with wait for an experiment nobody knows, and while nothing is known', async () => {
    const server = await start(experimentText('{}'), { startDrafts: false });
    const unknown = await get(server, 'nothing/verdict?for=rollout');
    expect(unknown).toMatchObject({ status: 200, body: { gate: 'wait', verdict: 'none', state: 'unknown' } });
    expect(unknown.body.reason).toContain('is unknown');
    expect(unknown.body.data).toMatchObject({ gate: 'wait' });
    expect(await get(server, 'scores/verdict?for=rollout')).toMatchObject({
      status: 200,
      body: { gate: 'wait', state: 'draft' },
    });
    expect((await get(server, 'scores/verdict?for=lunch')).status).toBe(400);
  });

  it('waits while it is open, fails once it was rolled back', async () => {
    const server = await start(experimentText('{primary: [score > control.score]}'));
    await ask(server, 20);
    expect((await get(server, 'scores/verdict?for=rollout')).body).toMatchObject({
      gate: 'wait',
      verdict: 'keep-testing',
      state: 'running',
      data: { gate: 'wait' },
    });
    await post(server, 'scores/roll-back', { reason: 'a look' });
    expect((await get(server, 'scores/verdict?for=rollout')).body).toMatchObject({
      gate: 'fail',
      state: 'rolled-back',
    });
  });
});

describe('a candidate that is better', () => {
  it('passes the gate, ends --wait with 0, and is promoted when somebody approves', async () => {
    const server = await start(experimentText(ships));
    const output = join(directory, 'output');
    const summary = join(directory, 'summary.md');
    const waiting = assay(
      ['verdict', 'scores', '--server', server.apiUrl, '--wait', '--timeout', '60s', '--output', 'github'],
      { env: { GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: summary } },
    );
    await ask(server, 400);
    const { code, stdout, stderr } = await waiting;
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^::notice title=scores%3A ship::/);
    expect(await readFile(output, 'utf8')).toBe('verdict=ship\ngate=pass\nrecommendation=recommend\nvariant=b\n');
    expect(await readFile(summary, 'utf8')).toContain('| primary | `score > control.score + 0.05` | b | met |');
    expect((await get(server, 'scores/verdict?for=rollout')).body).toMatchObject({ gate: 'pass', verdict: 'ship' });

    await expect
      .poll(() => server.service.get('scores').proposal, { timeout: 60_000 })
      .toEqual({
        step: 'promote',
        variant: 'b',
      });
    const approved = await assay([
      'approve',
      'scores',
      '--server',
      server.apiUrl,
      '--reason',
      'reviewed',
      '--author',
      'ann',
    ]);
    expect(approved.code, approved.stderr).toBe(0);
    expect(server.service.get('scores')).toMatchObject({ state: 'promoted', promoted: 'b', proposal: null });
    const again = await assay(['approve', 'scores', '--server', server.apiUrl, '--reason', 'twice']);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('proposes no step');
    const last = server.service.history('scores').at(-1)?.event;
    expect(last).toMatchObject({ kind: 'promote', author: 'ann', evidence: { approved: { step: 'promote' } } });

    const junit = await assay(['verdict', 'scores', '--server', server.apiUrl, '--output', 'junit']);
    expect(junit.stdout).toContain('<testsuites tests="3" failures="0" skipped="0">');
    expect(junit.code).toBe(0);
  }, 120_000);

  it('is promoted at once where the file says so, and the audit names policy and numbers', async () => {
    const server = await start(experimentText(ships.replace('onShip: hold', 'onShip: promote')));
    await ask(server, 400);
    await expect.poll(() => server.service.get('scores').state, { timeout: 60_000 }).toBe('promoted');
    const [verdict, promotion] = server.service.history('scores').slice(-2);
    expect(verdict?.event).toMatchObject({ kind: 'verdict', author: 'decision-loop', verdict: { kind: 'ship' } });
    expect(promotion?.event).toMatchObject({ kind: 'promote', author: 'policy:onShip', variant: 'b' });
    expect(promotion?.event.evidenceDigest).toMatch(/^[0-9a-f]{64}$/);
  }, 120_000);
});

describe('assay verdict', () => {
  it('says 3 when the time is over and nothing is decided, and 1 after a roll-back', async () => {
    const server = await start(experimentText('{primary: [score > control.score]}'));
    await ask(server, 20);
    const at = ['--server', server.apiUrl];
    const open = await assay(['verdict', 'scores', ...at, '--wait', '--timeout', '1s', '--output', 'junit']);
    expect(open.code).toBe(3);
    expect(open.stdout).toContain('<skipped message="keep-testing (continue-testing)"/>');
    await post(server, 'scores/roll-back', { reason: 'a look' });
    expect((await assay(['verdict', 'scores', ...at, '--wait', '--timeout', '30s', '--json'])).code).toBe(1);
    expect((await assay(['verdict', 'nothing', ...at, '--wait'])).code).toBe(2);
  }, 120_000);
});

describe('a webhook', () => {
  it('hears of every change in order, signed, and again when it did not answer well', async () => {
    const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const heard: { readonly body: string; readonly headers: IncomingHttpHeaders }[] = [];
    let refused = 0;
    const receiver: Server = createServer((request, reply) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        if (refused === 0) {
          refused += 1;
          reply.writeHead(503).end();
          return;
        }
        heard.push({ body, headers: request.headers });
        reply.end();
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    closers.push(async () => receiver.close());
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
    const server = await start(experimentText('{}'), { webhooks: [{ url, secret }], verdictEveryMs: 60_000 });
    await post(server, 'scores/annotations', {
      text: 'new items went live',
      author: 'ann',
      at: '2026-11-22T08:00:00Z',
    });
    await post(server, 'scores/pause', { reason: 'a look', author: 'ann' });
    await expect.poll(() => heard.length, { timeout: 60_000 }).toBe(4);
    const verifier = new Webhook(secret);
    const events = heard.map(({ body, headers }) => verifier.verify(body, headers as Record<string, string>)) as {
      readonly type: string;
      readonly data: Record<string, unknown>;
    }[];
    expect(events.map(({ type }) => type)).toEqual([
      'experiment.create',
      'experiment.start',
      'experiment.annotate',
      'experiment.pause',
    ]);
    expect(events[2]?.data).toMatchObject({ experiment: 'scores', text: 'new items went live', author: 'ann' });
    expect(events[3]?.data).toMatchObject({ state: 'paused', reason: 'a look' });
    expect(new Set(heard.map(({ headers }) => headers['webhook-id'])).size).toBe(4);
    expect(() =>
      new Webhook(`whsec_${Buffer.alloc(32, 8).toString('base64')}`).verify(
        heard[0]!.body,
        heard[0]!.headers as Record<string, string>,
      ),
    ).toThrow();
  }, 120_000);
});

describe('the files of a first experiment', () => {
  it('take --webhook only with a secret, which no command line shows', async () => {
    const file = join(directory, 'experiment.yaml');
    await writeFile(file, experimentText('{}'));
    const refused = await assay([
      'serve',
      '-f',
      file,
      '--data',
      join(directory, 'data'),
      '--port',
      '0',
      '--api-port',
      '0',
      '--webhook',
      'http://127.0.0.1:1/',
    ]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('the webhook secret is missing');
  });
});
