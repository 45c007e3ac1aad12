import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

describe('the package', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'assay-pack-'));
    // The build is the one under test; packing must not replace it while other tests run from it.
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', directory], { cwd: root });
    const tarball = (await readdir(directory)).find((name) => name.endsWith('.tgz')) ?? '';
    await writeFile(join(directory, 'package.json'), '{"name": "empty", "private": true, "type": "module"}');
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', `./${tarball}`], { cwd: directory });
  }, 120_000);
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('gives a working `npx assay demo` in an empty folder', async () => {
    const { stdout } = await run('npx', ['assay', 'demo', '--requests', '300'], { cwd: directory, maxBuffer: 1e8 });
    expect(stdout).toContain('Verdict');
    expect(stdout).toContain('The customary rule');
  }, 120_000);

  it('gives a command that is Node with room for young objects, in the process that was started', async () => {
    const says = 'data:text/javascript,console.error(process.pid,process.execArgv.join())';
    const command = run(join(directory, 'node_modules/.bin/assay'), ['--version'], {
      cwd: tmpdir(),
      env: { ...process.env, NODE_OPTIONS: `--import=${says}` },
    });
    const { stderr } = await command;
    expect(stderr.trim()).toBe(`${command.child.pid} --max-semi-space-size=32`);
  });

  it('has doors that other programs can import', async () => {
    const program = `
      import { compareMeans, momentsOf } from 'assay/stats';
      import { allocate } from 'assay/assignment';
      import { parseExperimentFile } from 'assay/experiment';
      import { createClient } from 'assay/sdk';
      console.log([compareMeans, momentsOf, allocate, parseExperimentFile, createClient].map((each) => typeof each).join());
    `;
    await writeFile(join(directory, 'doors.mjs'), program);
    const { stdout } = await run(process.execPath, ['doors.mjs'], { cwd: directory });
    expect(stdout.trim()).toBe('function,function,function,function,function');
  });

  it('holds no test, and nothing that publint would refuse', async () => {
    const packed = join(directory, 'node_modules/assay');
    const files = await readdir(packed, { recursive: true });
    expect(files.filter((name) => /\.(test|contract|fixture)\.(?!yml)/.test(name))).toEqual([]);
    const { messages, pkg } = await publint({ pkgDir: packed, level: 'warning' });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });
});
