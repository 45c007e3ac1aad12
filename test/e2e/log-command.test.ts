import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assay, experimentText, serve, startModel } from './assay-process.ts';

describe('assay log', () => {
  let directory: string;
  let data: string;
  let models: Awaited<ReturnType<typeof startModel>>[];
  const json = async (...args: readonly string[]): Promise<Record<string, never>> => {
    const done = await assay(['log', ...args, '--data', data, '--json']);
    expect(done.stderr).toBe('');
    expect(done.code).toBe(0);
    return JSON.parse(done.stdout) as Record<string, never>;
  };
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'assay-log-'));
    data = join(directory, 'data');
    models = [await startModel('a'), await startModel('b')];
    const file = join(directory, 'experiment.yaml');
    await writeFile(file, experimentText([models[0]!.url, models[1]!.url]));
    const server = await serve(['-f', file, '--data', data, '--start']);
    for (let user = 0; user < 12; user += 1) {
      const unit = `user-${user % 6}`;
      await fetch(`${server.gatewayUrl}/score`, { method: 'POST', headers: { 'x-user-id': unit }, body: '{}' });
      await fetch(`${server.apiUrl}/api/v1/outcomes`, {
        method: 'POST',
        body: JSON.stringify({ id: `like-${user}`, type: 'like', value: true, unit }),
      });
    }
    // Over the API a unit goes while the server runs.
    const erased = await fetch(`${server.apiUrl}/api/v1/erasure`, {
      method: 'POST',
      body: JSON.stringify({ unit: 'user-5' }),
    });
    expect(await erased.json()).toMatchObject({ erased: { predictions: 2, outcomes: 2 }, erasedBeforeMs: null });
    const report = (await (await fetch(`${server.apiUrl}/api/v1/experiments/scores/report`)).json()) as {
      variants: { units: number }[];
    };
    expect(report.variants.reduce((sum, { units }) => sum + units, 0)).toBe(5);
    const busy = await assay(['log', 'compact', '--data', data]);
    expect(busy).toMatchObject({ code: 2, stderr: expect.stringContaining('data-directory-locked') });
    await server.end('SIGTERM');
  }, 240_000);
  afterAll(async () => {
    for (const model of models) await model.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('verifies, compacts, erases, retains, backs up and restores', async () => {
    expect(await json('verify')).toMatchObject({ isWhole: true, faults: [] });
    expect(await json('compact')).toMatchObject({ sealed: { files: 1 }, damaged: [] });
    expect(await readdir(join(data, 'log'))).toEqual([]);
    const saved = join(directory, 'backup');
    expect(await json('backup', '--to', saved)).toMatchObject({ verification: { isWhole: true } });

    expect(await json('erase', '--unit', 'user-1')).toMatchObject({ rows: { predictions: 2, outcomes: 2 } });
    const again = await assay(['log', 'erase', '--unit', 'user-1', '--data', data]);
    expect(again.stdout).toContain('nothing of this unit is left; it was erased at 20');

    expect(await json('retain', '--keep', '1ms', '--dry-run')).toMatchObject({ isRehearsal: true });
    expect(await json('retain', '--keep', '1ms', '--longest-window', '7d')).toMatchObject({ rows: 0 });
    const left = await assay(['log', 'retain', '--max-bytes', '1B', '--data', data]);
    expect(left.stdout).toMatch(/went +\d+ records in \d+ segments/);
    expect(left.stdout).toContain('8 predictions of scores');

    const restored = join(directory, 'restored');
    const back = await assay(['log', 'restore', '--from', saved, '--data', restored]);
    expect(back).toMatchObject({ code: 0, stdout: expect.stringContaining('is whole') });
    expect(await readFile(join(restored, 'unit.key'))).toEqual(await readFile(join(data, 'unit.key')));
    const [segment = ''] = (await readdir(join(restored, 'seg'), { recursive: true })).filter((name) =>
      name.endsWith('.parquet'),
    );
    await writeFile(join(restored, 'seg', segment), 'damage');
    const damaged = await assay(['log', 'verify', '--data', restored]);
    expect(damaged.code).toBe(2);
    expect(damaged.stderr).toContain(`wrong    ${join(restored, 'seg', segment)} has 6 bytes`);
  }, 240_000);

  it('says what is missing or wrong on the command line', async () => {
    for (const [args, text] of [
      [['retain'], 'neither --keep nor --max-bytes is given'],
      [['retain', '--max-bytes', '5 apples'], '--max-bytes is "5 apples", must be a size such as 500MB or 50GB'],
      [['erase'], 'one of --unit and --unit-key must be given, and only one'],
    ] as const) {
      const done = await assay(['log', ...args, '--data', data]);
      expect(done).toMatchObject({ code: 2, stdout: '' });
      expect(done.stderr).toContain(text);
    }
    const nowhere = await assay(['log', 'verify', '--data', join(directory, 'nowhere')]);
    expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining('nowhere cannot be read') });
  }, 240_000);
});

it('is completed by bash, with the commands below it and their options', async () => {
  const { stdout } = await assay(['completion', 'bash']);
  const completed = (...words: readonly string[]): readonly string[] => {
    const script =
      `${stdout}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; ` +
      `_assay; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split('\n');
  };
  expect(completed('assay', 'log', '')).toEqual(
    expect.arrayContaining(['verify', 'compact', 'retain', 'erase', 'backup', 'restore']),
  );
  expect(completed('assay', 'log', 'ba')).toEqual(['backup']);
  expect(completed('assay', 'log', 'erase', '--json', '--unit')).toEqual(['--unit', '--unit-key']);
  expect(completed('assay', 'val')).toEqual(['validate']);
  expect(completed('assay', 'validate', '--js')).toEqual(['--json']);
});
