import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { startAnalysisProcess } from './analysis-process.ts';
import { metric, outcome, plan, prediction, t0, write } from './analytics-records.fixture.ts';
import { openDuckdbAnalytics } from './duckdb-analytics.ts';
import { listLogFiles } from './read-evidence-log.ts';

const root = mkdtempSync(join(tmpdir(), 'assay-analysis-'));
afterAll(() => rm(root, { recursive: true, force: true }));

let count = 0;
async function withProcess(
  use: (it: {
    readonly analysis: ReturnType<typeof startAnalysisProcess>;
    readonly directory: string;
    readonly told: string[];
  }) => Promise<void>,
): Promise<void> {
  count += 1;
  const directory = join(root, String(count));
  await write(directory, [
    [prediction('1'), prediction('2', { assigned: 'b', prediction: 0 })],
    [outcome('1'), outcome('2')],
  ]);
  const told: string[] = [];
  const analysis = startAnalysisProcess({ directory, isLive: () => false, tell: (sentence) => told.push(sentence) });
  try {
    await use({ analysis, directory, told });
  } finally {
    await analysis.close();
  }
}
const asked = plan([metric('accuracy', 'prediction == outcome.label')]);

describe('the analysis process', () => {
  it('answers what this process would answer, with the lowest priority there is', async () => {
    await withProcess(async ({ analysis, directory }) => {
      const found = await analysis.summarise(asked);
      const pid = analysis.pid() as number;
      const threads = process.platform === 'linux' ? readdirSync(`/proc/${pid}/task`).map(Number) : [pid];
      expect(new Set(threads.map((thread) => getPriority(thread)))).toEqual(new Set([19]));
      const here = await openDuckdbAnalytics({ directory });
      expect(found).toEqual(await here.summarise(asked));
      await here.close();
    });
  }, 120_000);

  it('is started again when it is killed, and answers what it was asked', async () => {
    await withProcess(async ({ analysis, directory, told }) => {
      const before = await analysis.summarise(asked);
      const pid = analysis.pid() as number;
      await write(directory, [[outcome('3', { subject: { kind: 'prediction', predictionId: '9' } })]]);
      // Nobody has noticed its end when the question comes; the other way round a quick one would answer before it dies.
      process.kill(pid, 'SIGKILL');
      const after = await analysis.summarise(asked);
      expect(analysis.pid()).not.toBe(pid);
      expect(told[0]).toContain('signal SIGKILL');
      expect(after.variants).toEqual(before.variants);
      expect(after.health?.outcomes.orphans).toBe(1);
    });
  }, 120_000);

  it('counts a writer without an end as a crash unless the server says that it lives', async () => {
    await withProcess(async ({ analysis, directory }) => {
      await write(join(directory, 'other'), [[outcome('9')]]);
      const [file] = await listLogFiles(join(directory, 'other'));
      const { writer = '', file: name = '', path = '' } = file ?? {};
      const bytes = readFileSync(path);
      mkdirSync(join(directory, 'log', writer));
      // Its last frame, which says that it ended, never reached the disk.
      await writeFile(join(directory, 'log', writer, name), bytes.subarray(0, bytes.length - 4));
      expect((await analysis.summarise(asked)).health?.uncleanShutdowns).toBe(1);
    });
  }, 120_000);

  it('starts anew with a state file that is none', async () => {
    count += 1;
    const directory = join(root, String(count));
    await write(directory, [[prediction('1'), outcome('1')]]);
    appendFileSync(join(directory, 'state.duckdb'), 'not a database, and longer than the header of one '.repeat(500));
    const analysis = startAnalysisProcess({ directory, isLive: () => false, tell: () => undefined });
    expect((await analysis.summarise(asked)).health?.predictions).toBe(1);
    await analysis.close();
  }, 120_000);

  it('keeps nothing of a person who was erased', async () => {
    count += 1;
    const directory = join(root, String(count));
    const unit = 'feedfacecafebeef';
    await write(directory, [[prediction('1', { unit }), prediction('2', { unit: '0123456789abcdef' })]]);
    const analysis = startAnalysisProcess({ directory, isLive: () => false, tell: () => undefined });
    await analysis.jobs.seal({ directory, nowMs: t0 });
    expect((await analysis.summarise(asked)).health?.predictions).toBe(2);
    await analysis.jobs.erase({ directory, unit, nowMs: t0 });
    expect((await analysis.summarise(asked)).health?.predictions).toBe(1);
    await analysis.close();
    const state = readFileSync(join(directory, 'state.duckdb'));
    expect(state.includes('0123456789abcdef')).toBe(true);
    expect(state.includes(unit)).toBe(false);
  }, 120_000);

  it('gives a question back that it cannot answer', async () => {
    await withProcess(async ({ analysis }) => {
      await expect(analysis.summarise(plan([metric('broken', 'prediction ==')]))).rejects.toMatchObject({
        code: 'experiment-invalid',
      });
    });
  }, 120_000);
});
