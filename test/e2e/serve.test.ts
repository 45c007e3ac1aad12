import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAssigner, createClient } from '../../src/sdk/index.ts';
import { assay, experimentText, type Serving, serve, startModel } from './assay-process.ts';

let directory: string;
let file: string;
let a: Awaited<ReturnType<typeof startModel>>;
let b: Awaited<ReturnType<typeof startModel>>;

beforeAll(async () => {
  a = await startModel('a');
  b = await startModel('b');
});
afterAll(async () => {
  await a.close();
  await b.close();
});
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-serve-'));
  file = join(directory, 'experiment.yaml');
  await writeFile(file, experimentText([a.url, b.url]));
  return () => rm(directory, { recursive: true, force: true });
});

const start = (...args: string[]): Promise<Serving> => serve(['-f', file, '--data', join(directory, 'data'), ...args]);

async function ask(server: Serving, user: string): Promise<{ status: number; model: string; predictionId: string }> {
  const reply = await fetch(`${server.gatewayUrl}/score`, {
    method: 'POST',
    headers: { 'x-user-id': user },
    body: '{}',
  });
  const { model } = (await reply.json()) as { model: string };
  return { status: reply.status, model, predictionId: reply.headers.get('x-assay-prediction-id') ?? '' };
}

const users = Array.from({ length: 60 }, (_, index) => `user-${index}`);
const modelsOf = async (server: Serving): Promise<string[]> =>
  Promise.all(users.map(async (user) => (await ask(server, user)).model));

describe('assay serve', () => {
  it('lets the control answer everybody until the experiment is started, then splits', async () => {
    const server = await start();
    expect(new Set(await modelsOf(server))).toEqual(new Set(['a']));
    const refused = await assay(['start', 'scores', '--server', server.apiUrl]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('--reason');
    const started = await assay(['start', 'scores', '--server', server.apiUrl, '--reason', 'go', '--author', 'ann']);
    expect(started.code, started.stderr).toBe(0);
    expect(new Set(await modelsOf(server))).toEqual(new Set(['a', 'b']));
    expect(await server.end('SIGTERM')).toBe(0);
  });

  it('gives every unit the same model after a restart, in another process', async () => {
    const first = await start('--start');
    const before = await modelsOf(first);
    await first.end('SIGTERM');
    const second = await start();
    expect(await modelsOf(second)).toEqual(before);
    // The SDK assigns without asking, from the snapshot alone, and agrees.
    const assigner = createAssigner({ snapshot: await createClient({ server: second.apiUrl }).routing() });
    expect(users.map((user) => assigner.assign('scores', user, 'none').variant)).toEqual(before);
    const split = new Set(before);
    expect(split).toEqual(new Set(['a', 'b']));
    for (const [index, user] of users.slice(0, 5).entries()) {
      const explained = await assay(['explain', 'scores', '--unit', user, '--server', second.apiUrl, '--json']);
      expect(JSON.parse(explained.stdout)).toMatchObject({ variant: before[index], reason: 'split' });
    }
    await second.end('SIGTERM');
  });

  it('walks the lifecycle, keeps author and reason, and refuses a step that is not allowed', async () => {
    const server = await start('--start');
    const step = (...args: string[]) => assay([...args, '--server', server.apiUrl, '--author', 'ann']);
    const running = await modelsOf(server);
    expect((await step('pause', 'scores', '--reason', 'a look')).code).toBe(0);
    expect(new Set(await modelsOf(server))).toEqual(new Set(['a']));
    const refused = await step('start', 'scores', '--reason', 'again');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('"start" is not allowed from paused, must be one of:');
    expect((await step('resume', 'scores', '--reason', 'go on')).code).toBe(0);
    expect(await modelsOf(server)).toEqual(running);
    expect((await step('ramp', 'scores', '--coverage', '50%', '--reason', 'less')).code).toBe(0);
    const covered = await modelsOf(server);
    // Narrower coverage sends units to the control and moves nobody else.
    for (const [index, model] of covered.entries()) expect([running[index], 'a']).toContain(model);
    expect((await step('promote', 'scores', '--variant', 'b', '--reason', 'better')).code).toBe(0);
    expect(new Set(await modelsOf(server))).toEqual(new Set(['b']));
    expect((await step('roll-back', 'scores', '--reason', 'pager')).code).toBe(0);
    expect(new Set(await modelsOf(server))).toEqual(new Set(['a']));
    const history = await assay(['history', 'scores', '--server', server.apiUrl]);
    for (const line of ['ann: a look', 'ann: go on', 'ann: less', 'ann: better', 'ann: pager'])
      expect(history.stdout).toContain(line);
    await server.end('SIGTERM');
  });

  it('takes a changed file at once, refuses a broken one and keeps the last good one', async () => {
    const server = await start('--start');
    const running = await modelsOf(server);
    await writeFile(file, experimentText([a.url, b.url], { weights: [0, 100] }));
    await expect.poll(async () => new Set(await modelsOf(server)), { timeout: 60_000 }).toEqual(new Set(['b']));
    await writeFile(file, experimentText([a.url, b.url], { weights: [-3, 100] }));
    await expect
      .poll(() => server.stderr(), { timeout: 60_000 })
      .toContain('spec.variants[0].weight is -3, must be an integer >= 0');
    expect(new Set(await modelsOf(server))).toEqual(new Set(['b']));
    await writeFile(file, experimentText([a.url, b.url]));
    // Back to the old weights: whoever had b keeps it or goes back to a, nobody new is drawn.
    await expect.poll(async () => new Set(await modelsOf(server)), { timeout: 60_000 }).toEqual(new Set(['a', 'b']));
    expect((await modelsOf(server)).filter((model) => model === 'a').length).toBeGreaterThan(10);
    expect(running).toHaveLength(users.length);
    await server.end('SIGTERM');
  });

  it('accepts an outcome before its prediction is known, and joins late, early, doubled and unit outcomes', async () => {
    const server = await start('--start');
    const seen = await Promise.all(users.map((user) => ask(server, user)));
    const post = (body: unknown) =>
      fetch(`${server.apiUrl}/api/v1/outcomes`, { method: 'POST', body: JSON.stringify(body) });
    const outcomes = seen
      .slice(0, 30)
      .map(({ predictionId }, index) => ({ id: `o-${index}`, type: 'like', value: true, predictionId }));
    expect((await post(outcomes)).status).toBe(200);
    expect((await post(outcomes[0])).status).toBe(200);
    expect((await post({ id: 'unit-1', type: 'like', value: true, unit: users[40] })).status).toBe(200);
    expect((await post({ id: 'nobody', type: 'like', value: true, predictionId: 'not-yet' })).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 1200));
    const result = await assay(['report', 'scores', '--server', server.apiUrl, '--json']);
    expect(result.code, result.stderr).toBe(0);
    const report = JSON.parse(result.stdout);
    const liked = report.metrics.find((metric: { name: string }) => metric.name === 'liked');
    const likes = liked.variants.reduce(
      (sum: number, each: { estimate: number; n: number }) => sum + each.estimate * each.n,
      0,
    );
    expect(likes).toBeCloseTo(31, 6);
    expect(report.checks.outcomeJoin.numbers).toMatchObject({ orphans: 1, duplicates: 1, joined: 31 });
    const text = await assay(['report', 'scores', '--server', server.apiUrl]);
    for (const line of text.stdout.split('\n')) expect([...line].length).toBeLessThanOrEqual(80);
    await server.end('SIGTERM');
  });

  it('refuses a bad outcome whole, with place, value and rule', async () => {
    const server = await start('--start');
    const reply = await fetch(`${server.apiUrl}/api/v1/outcomes`, {
      method: 'POST',
      body: JSON.stringify([
        { id: 'good', type: 'like', value: true, unit: 'u' },
        { id: 'bad', type: 'like', value: null, unit: 'u' },
      ]),
    });
    expect(reply.status).toBe(400);
    expect(reply.headers.get('content-type')).toBe('application/problem+json');
    expect(await reply.json()).toMatchObject({
      code: 'outcome-invalid',
      detail: expect.stringContaining('outcomes[1].value is null, must be'),
    });
    const garbage = await fetch(`${server.apiUrl}/api/v1/outcomes`, { method: 'POST', body: '{"id": ' });
    expect(await garbage.json()).toMatchObject({ status: 400, code: 'request-invalid' });
    const status = (await (await fetch(`${server.apiUrl}/api/v1/status`)).json()) as { evidence: { durable: number } };
    expect(status.evidence.durable).toBe(0);
    await server.end('SIGTERM');
  });

  it('answers with the control when a variant is down at the start, and says so in the report', async () => {
    const gone = await startModel('gone');
    await gone.close();
    await writeFile(file, experimentText([a.url, gone.url]));
    const server = await start('--start');
    const replies = await Promise.all(users.map((user) => ask(server, user)));
    expect(replies.map(({ status, model }) => `${status} ${model}`)).toEqual(users.map(() => '200 a'));
    const { stdout } = await assay(['report', 'scores', '--server', server.apiUrl, '--json']);
    const candidate = JSON.parse(stdout).variants.find((each: { name: string }) => each.name === 'b');
    expect(candidate).toMatchObject({ failureRate: 1, callerFailureRate: 0, fallbackRate: 1 });
    await server.end('SIGTERM');
  });

  it('serves the routing snapshot with an ETag and the OpenAPI document, and guards the API', async () => {
    const server = await start('--start');
    const routing = await fetch(`${server.apiUrl}/api/v1/routing`);
    const etag = routing.headers.get('etag') ?? '';
    expect(await routing.json()).toMatchObject({
      format: 'assay-routing',
      version: 1,
      experiments: [{ name: 'scores' }],
    });
    expect((await fetch(`${server.apiUrl}/api/v1/routing`, { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect(await (await fetch(`${server.apiUrl}/openapi.json`)).json()).toMatchObject({ openapi: '3.1.0' });
    expect((await fetch(`${server.apiUrl}/readyz`)).status).toBe(200);
    expect(await (await fetch(`${server.apiUrl}/api/v1/experiments/none`)).json()).toMatchObject({
      code: 'experiment-unknown',
    });
    expect((await fetch(`${server.gatewayUrl}/elsewhere`)).status).toBe(404);
    // Another site's page in the reader's browser must not take a step here.
    const foreign = await fetch(`${server.apiUrl}/api/v1/experiments/scores/pause`, {
      method: 'POST',
      headers: { origin: 'https://evil.example', 'content-type': 'text/plain' },
      body: '{"reason": "mischief"}',
    });
    expect(foreign.status).toBe(401);
    const own = await fetch(`${server.apiUrl}/api/v1/experiments`, { headers: { origin: server.apiUrl } });
    expect(own.status).toBe(200);
    await server.end('SIGTERM');

    const token = 'a-long-enough-token';
    const guarded = await serve(['-f', file, '--data', join(directory, 'guarded')], { env: { ASSAY_TOKEN: token } });
    expect((await fetch(`${guarded.apiUrl}/api/v1/experiments`)).status).toBe(401);
    const allowed = await fetch(`${guarded.apiUrl}/api/v1/experiments`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(allowed.status).toBe(200);
    expect((await assay(['get', '--server', guarded.apiUrl], { env: { ASSAY_TOKEN: token } })).stdout).toContain(
      'scores',
    );
    await guarded.end('SIGTERM');
  });
});
