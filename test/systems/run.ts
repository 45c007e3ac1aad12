// Do the systems around a model work with Assay? One row per real system: `npm run test:systems`.
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { openSystemsCache } from './cache.ts';
import type { System } from './system.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const help = `Usage: npm run test:systems -- [options]

Runs Assay against real outside systems, one after another. What they need is put into
~/.cache/assay-systems (or ASSAY_SYSTEMS_CACHE); nothing is installed into the machine.

  --only NAME   only this row; may stand several times
  --list        name the rows and what they install
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    list: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
    row: { type: 'string' },
  },
});
if (values.help) console.log(help);
else if (values.row !== undefined) await runRow(await readSystem(values.row));
else await runAll(values);

async function readSystem(file: string): Promise<System> {
  const { system } = (await import(pathToFileURL(join(folder, file)).href)) as { system: System };
  return system;
}

async function runAll(options: { only?: string[] | undefined; list?: boolean | undefined }): Promise<void> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.system.ts')).sort();
  const rows = await Promise.all(files.map(async (file) => ({ file, system: await readSystem(file) })));
  const unknown = (options.only ?? []).filter((name) => !rows.some(({ system }) => system.name === name));
  if (unknown.length > 0) {
    console.error(
      `--only is ${unknown.join(', ')}, must be one of: ${rows.map(({ system }) => system.name).join(', ')}`,
    );
    process.exitCode = 2;
    return;
  }
  const chosen = rows.filter(({ system }) => options.only === undefined || options.only.includes(system.name));
  if (options.list) {
    for (const { system } of chosen) console.log(`${system.name.padEnd(20)} ${system.installs}`);
    return;
  }
  let failed = 0;
  for (const { file, system } of chosen) {
    const startedMs = performance.now();
    console.log(`---- ${system.name}: ${system.installs}`);
    const isSound = await runApart(file, system.timeoutMs ?? 600_000);
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    console.log(`${isSound ? 'PASS' : 'FAIL'} ${system.name} (${seconds} s)`);
    if (!isSound) failed += 1;
  }
  console.log(`systems: ${chosen.length - failed} passed, ${failed} failed`);
  if (failed > 0 || chosen.length === 0) process.exitCode = 1;
}

/** A process group of its own, so that whatever a row leaves running can be ended with it. */
function runApart(file: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--import', 'tsx', join(folder, 'run.ts'), '--row', file], {
      stdio: 'inherit',
      detached: true,
    });
    const endGroup = (): void => {
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // The group is gone already, as it should be.
      }
    };
    process.once('exit', endGroup);
    const timer = setTimeout(() => {
      console.log(`  stopped: it took longer than ${timeoutMs / 1000} s`);
      endGroup();
    }, timeoutMs);
    child.once('exit', (code) => {
      clearTimeout(timer);
      process.off('exit', endGroup);
      endGroup();
      resolve(code === 0);
    });
  });
}

async function runRow(system: System): Promise<void> {
  const note = (text: string): void => console.log(`  ${text}`);
  const work = await mkdtemp(join(tmpdir(), `assay-${system.name}-`));
  const closers: (() => Promise<void> | void)[] = [];
  let exitCode = 0;
  try {
    await system.run({
      cache: openSystemsCache(note),
      folder: work,
      note,
      afterwards: (close) => void closers.push(close),
    });
  } catch (fault) {
    exitCode = 1;
    console.log(`  ${String((fault as Error)?.stack ?? fault).replaceAll('\n', '\n  ')}`);
  }
  for (const close of closers.reverse()) {
    try {
      await close();
    } catch (fault) {
      exitCode = 1;
      note(`could not be closed: ${String(fault)}`);
    }
  }
  await rm(work, { recursive: true, force: true });
  process.exit(exitCode);
}
