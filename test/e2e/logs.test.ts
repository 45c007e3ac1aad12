// What does an operator read of `assay serve`? One JSON object a line, also for what happens to its processes, each event under its name.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { assay, experimentText, type Serving, serve, startModel } from './assay-process.ts';

let folder: string;
let models: Awaited<ReturnType<typeof startModel>>[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assay-logs-'));
  models = [await startModel('a'), await startModel('b')];
  await writeFile(join(folder, 'scores.yaml'), experimentText([models[0]!.url, models[1]!.url]));
});
afterAll(async () => {
  for (const model of models) await model.close();
  await rm(folder, { recursive: true, force: true });
});

const soon = { timeout: 60_000, interval: 50 };

type Line = Readonly<Record<string, unknown>>;

const linesOf = (serving: Serving): readonly Line[] =>
  serving
    .stderr()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);

const heard = (serving: Serving, event: string): Promise<Line> =>
  vi.waitFor(() => {
    const line = linesOf(serving).find((each) => each.event === event);
    if (line === undefined) throw new Error(`${event} was not told in ${serving.stderr()}`);
    return line;
  }, soon);

const start = (data: string, more: readonly string[]): Promise<Serving> =>
  serve(['-f', join(folder, 'scores.yaml'), '--log-format', 'json', '--data', join(folder, data), ...more]);

describe('the log of a server', () => {
  it('is one JSON object a line where that is asked for, and names who changed what', async () => {
    const running = await start('changes', []);
    const env = { ASSAY_SERVER: running.apiUrl };
    const started = await assay(['start', 'scores', '--reason', 'weekly review', '--author', 'ann'], { env });
    expect(started.code).toBe(0);
    expect(await running.end('SIGTERM')).toBe(0);
    const lines = linesOf(running);
    expect(lines.every(({ time, level, msg }) => !Number.isNaN(Date.parse(String(time))) && level && msg)).toBe(true);
    expect(lines.find(({ event }) => event === 'experiment-changed')).toMatchObject({
      level: 'info',
      service: 'assay',
      experiment: 'scores',
      namespace: 'default',
      change: 'start',
      state: 'running',
      author: 'ann',
      reason: 'weekly review',
    });
    expect(lines.at(-1)).toMatchObject({ event: 'serving', msg: 'stopped; everything acknowledged is on disk' });
  }, 120_000);

  it('tells that the analysis process and a gateway worker ended, and that a worker had to be killed', async () => {
    const running = await start('processes', ['--start', '--workers', '2', '--drain-ms', '1000']);
    try {
      const { workers, analysis } = (await (await fetch(`${running.apiUrl}/api/v1/status`)).json()) as {
        workers: readonly { pid: number; worker: number }[];
        analysis: { pid: number };
      };
      process.kill(analysis.pid, 'SIGKILL');
      expect(await heard(running, 'analysis-ended')).toMatchObject({ level: 'error', pauseMs: expect.any(Number) });
      process.kill(workers[0]!.pid, 'SIGKILL');
      const { worker } = workers[0]!;
      expect(await heard(running, 'worker-ended')).toMatchObject({ level: 'error', worker });
      expect(await heard(running, 'worker-serving')).toMatchObject({ level: 'info', worker });
      // It hears no order any more.
      process.kill(workers[1]!.pid, 'SIGSTOP');
    } finally {
      await running.end('SIGTERM');
    }
    expect(await heard(running, 'worker-killed')).toMatchObject({ level: 'warn', worker: 2 });
  }, 120_000);

  it('says when no traffic should come, and when it may again', async () => {
    const running = await start('readiness', ['--start', '--workers', '2']);
    try {
      const pids = async (): Promise<readonly number[]> => {
        const reply = await fetch(`${running.apiUrl}/api/v1/status`);
        return ((await reply.json()) as { workers: readonly { pid: number }[] }).workers.map(({ pid }) => pid);
      };
      // Ends in a row make the pauses before a restart longer, until somebody looks while nobody serves.
      const isTold = (): boolean => linesOf(running).some(({ event }) => event === 'not-ready');
      await vi.waitFor(async () => {
        if (!isTold()) for (const pid of await pids()) process.kill(pid, 'SIGKILL');
        expect(isTold()).toBe(true);
      }, soon);
      expect(await heard(running, 'not-ready')).toMatchObject({
        level: 'warn',
        reasons: expect.stringContaining('worker'),
      });
      expect(await heard(running, 'ready')).toMatchObject({ level: 'info' });
      expect((await fetch(`${running.apiUrl}/readyz`)).status).toBe(200);
    } finally {
      await running.end('SIGTERM');
    }
  }, 120_000);
});
