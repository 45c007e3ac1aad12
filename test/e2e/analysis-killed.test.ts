import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningServer, startServer } from '../../src/server/index.ts';
import { experimentText, startModel } from './assay-process.ts';

let directory: string;
let models: Awaited<ReturnType<typeof startModel>>[];
let server: RunningServer;
const told: string[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-analysis-killed-'));
  models = [await startModel('a'), await startModel('b')];
  const file = join(directory, 'experiment.yaml');
  await writeFile(file, experimentText([models[0]!.url, models[1]!.url]));
  server = await startServer({
    files: [file],
    dataDirectory: join(directory, 'data'),
    port: 0,
    apiPort: 0,
    startDrafts: true,
    analysis: 'process',
    onEvent: (sentence) => told.push(sentence),
  });
}, 120_000);
afterAll(async () => {
  await server?.close();
  for (const model of models) await model.close();
  await rm(directory, { recursive: true, force: true });
});

const ask = async (user: string): Promise<number> => {
  const reply = await fetch(`${server.gatewayUrl}/score`, {
    method: 'POST',
    headers: { 'x-user-id': user, 'content-type': 'application/json' },
    body: '{}',
  });
  await reply.arrayBuffer();
  return reply.status;
};
const analysisPid = async (): Promise<number | null> =>
  ((await (await fetch(`${server.apiUrl}/api/v1/status`)).json()) as { analysis: { pid: number | null } }).analysis.pid;

/** Requests in the report. */
const requests = async (): Promise<number> =>
  (await server.report('scores')).variants.reduce((sum, variant) => sum + variant.requests, 0);

describe('a server whose analysis process is killed', () => {
  it('serves and records on, and its next report has everything in it', async () => {
    for (let user = 0; user < 20; user += 1) expect(await ask(`user-${user}`)).toBe(200);
    await expect.poll(requests, { timeout: 60_000 }).toBe(20);
    const pid = await analysisPid();
    process.kill(pid as number, 'SIGKILL');
    for (let user = 20; user < 40; user += 1) expect(await ask(`user-${user}`)).toBe(200);
    // A record follows its reply by some milliseconds.
    await expect.poll(requests, { timeout: 60_000 }).toBe(40);
    expect(await analysisPid()).not.toBe(pid);
    expect(told.some((sentence) => sentence.includes('signal SIGKILL'))).toBe(true);
  }, 120_000);
});
