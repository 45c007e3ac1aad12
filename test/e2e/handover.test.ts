import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readEvidence } from '../../src/adapters/evidence-store/read-evidence.ts';
import { assay, experimentText, type Serving, serve, startModel } from './assay-process.ts';

let directory: string;
let models: Awaited<ReturnType<typeof startModel>>[];
let file: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-handover-'));
  models = [await startModel('a'), await startModel('b')];
  file = join(directory, 'experiment.yaml');
  await writeFile(file, experimentText([models[0]!.url, models[1]!.url]));
});
afterAll(async () => {
  for (const model of models) await model.close();
  await rm(directory, { recursive: true, force: true });
});

const env = { ASSAY_UNIT_KEY: 'ab'.repeat(32) };
const dataOf = (name: string): string => join(directory, name);
const start = (name: string, args: readonly string[] = []): Promise<Serving> =>
  serve(['-f', file, '--data', dataOf(name), '--start', ...args], { env });

async function use(server: Serving, user: string): Promise<string> {
  const reply = await fetch(`${server.gatewayUrl}/score`, {
    method: 'POST',
    headers: { 'x-user-id': user },
    body: '{}',
  });
  await reply.arrayBuffer();
  return reply.headers.get('x-assay-prediction-id') ?? '';
}

async function like(server: Serving, id: string): Promise<void> {
  const reply = await fetch(`${server.apiUrl}/api/v1/outcomes`, {
    method: 'POST',
    body: JSON.stringify({ id, type: 'like', value: true, unit: id }),
  });
  expect(reply.status).toBe(200);
}

async function logFiles(name: string): Promise<readonly string[]> {
  const names = await readdir(join(dataOf(name), 'log'), { recursive: true }).catch(() => []);
  return names.filter((each) => each.endsWith('.log'));
}

describe('gateways that hand their evidence to one server', () => {
  it('lose and double nothing when that server is killed midway, and keep nothing once it has said so', async () => {
    const central = await start('central');
    const port = new URL(central.apiUrl).port;
    const gateways = await Promise.all(['g1', 'g2'].map((name) => start(name, ['--ship-to', central.apiUrl])));
    for (let user = 0; user < 20; user += 1) {
      const gateway = gateways[user % 2] as Serving;
      await use(gateway, `user-${user}`);
      await like(gateway, `user-${user}`);
    }
    await central.end('SIGKILL');
    // Meanwhile the gateways keep what they have, one of them over a crash of its own.
    for (let user = 20; user < 30; user += 1) {
      await use(gateways[user % 2] as Serving, `user-${user}`);
      await like(gateways[user % 2] as Serving, `user-${user}`);
    }
    await gateways[0]!.end('SIGKILL');
    const again = await serve(['-f', file, '--data', dataOf('central'), '--api-port', port], { env });
    const restarted = await start('g1', ['--ship-to', again.apiUrl]);
    // A server that stops hands over what it still has.
    expect(await restarted.end('SIGTERM')).toBe(0);
    expect(await gateways[1]!.end('SIGTERM')).toBe(0);
    expect(await logFiles('g1')).toEqual([]);
    expect(await logFiles('g2')).toEqual([]);

    const liked: string[] = [];
    for await (const record of readEvidence(dataOf('central'))) if (record.kind === 'outcome') liked.push(record.id);
    expect(liked.sort()).toEqual(Array.from({ length: 30 }, (_, user) => `user-${user}`).sort());
    const report = (await (await fetch(`${again.apiUrl}/api/v1/experiments/scores/report`)).json()) as {
      variants: { units: number }[];
    };
    expect(report.variants.reduce((sum, { units }) => sum + units, 0)).toBe(30);
    await again.end('SIGTERM');
    const verified = await assay(['log', 'verify', '--data', dataOf('central'), '--json']);
    expect(JSON.parse(verified.stdout)).toMatchObject({ isWhole: true, faults: [] });
  }, 240_000);

  it('hand over what was sealed before they were told to', async () => {
    const alone = await start('late');
    await like(alone, 'early-1');
    await like(alone, 'early-2');
    await alone.end('SIGTERM');
    expect((await assay(['log', 'compact', '--data', dataOf('late')])).code).toBe(0);
    const central = await start('taking');
    const gateway = await start('late', ['--ship-to', central.apiUrl]);
    await like(gateway, 'later');
    await vi.waitFor(() => expect(gateway.stderr()).toContain('what was sealed here is at'), {
      timeout: 60_000,
      interval: 100,
    });
    await gateway.end('SIGTERM');
    await central.end('SIGTERM');
    const liked: string[] = [];
    for await (const record of readEvidence(dataOf('taking'))) if (record.kind === 'outcome') liked.push(record.id);
    expect(liked.sort()).toEqual(['early-1', 'early-2', 'later']);
    const verified = await assay(['log', 'verify', '--data', dataOf('late'), '--json']);
    expect(JSON.parse(verified.stdout)).toMatchObject({ isWhole: true, faults: [] });
  }, 240_000);

  it('say why evidence does not arrive, and serve on', async () => {
    const central = await serve(['-f', file, '--data', dataOf('guarded')], {
      env: { ...env, ASSAY_TOKEN: 'a token of sixteen letters' },
    });
    const gateway = await start('stranger', ['--ship-to', central.apiUrl]);
    await like(gateway, 'user-1');
    expect(await gateway.end('SIGTERM')).toBe(0);
    expect(gateway.stderr()).toContain('evidence does not reach');
    expect(gateway.stderr()).toContain('does not carry the token');
    expect(gateway.stderr()).toContain('1 files of evidence wait');
    expect(await logFiles('stranger')).toHaveLength(1);
    await central.end('SIGTERM');
    const wrong = await assay(['serve', '-f', file, '--ship-to', 'central:8081']);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('--ship-to is "central:8081"') });
  }, 240_000);
});
