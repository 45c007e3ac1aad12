// A real PostgreSQL for tests, from the machine's own packages; none where there are none.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { EngineServer } from './delivery.contract.ts';

const root = '/usr/lib/postgresql';
const nobody = 65_534;

/** Folder of the programs: `ASSAY_POSTGRES`, or of the newest installed version; undefined without one. */
export function postgresPrograms(): string | undefined {
  if (process.env.ASSAY_POSTGRES !== undefined) return process.env.ASSAY_POSTGRES;
  if (!existsSync(root)) return undefined;
  const versions = readdirSync(root).filter((name) => existsSync(join(root, name, 'bin', 'initdb')));
  const newest = versions.sort((a, b) => Number(a) - Number(b)).at(-1);
  return newest === undefined ? undefined : join(root, newest, 'bin');
}

/** A fresh server on loopback, started. @param programs see `postgresPrograms`. */
export async function startPostgres(programs: string): Promise<EngineServer> {
  const folder = mkdtempSync(join(tmpdir(), 'assay-postgres-'));
  // It refuses to run as root.
  const isRoot = process.getuid?.() === 0;
  const user = isRoot ? { uid: nobody, gid: nobody } : {};
  if (isRoot) chownSync(folder, nobody, nobody);
  const data = join(folder, 'data');
  const port = await freePort();
  execFileSync(
    join(programs, 'initdb'),
    ['--pgdata', data, '--username=assay', '--auth=trust', '--no-sync', '--encoding=UTF8', '--locale=C.UTF-8'],
    { ...user, stdio: 'ignore', env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' } },
  );
  let server: ChildProcess | undefined;

  const startOnce = async (): Promise<boolean> => {
    const started = spawn(
      join(programs, 'postgres'),
      ['-D', data, '-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off'],
      { ...user, stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' } },
    );
    const isReady = await new Promise<boolean>((resolve) => {
      started.stderr?.on('data', (text: Buffer) => {
        if (text.includes('ready to accept connections')) resolve(true);
      });
      started.once('exit', () => resolve(false));
    });
    if (isReady) server = started;
    return isReady;
  };
  const kill = async (): Promise<void> => {
    const ending = server;
    if (ending === undefined) return;
    server = undefined;
    const ended = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill('SIGKILL');
    await ended;
  };
  const start = async (): Promise<void> => {
    // Children of a killed server hold its memory for a moment.
    for (let tries = 0; tries < 50; tries += 1) {
      if (await startOnce()) return;
      await pause(100);
    }
    throw new Error(`PostgreSQL in ${programs} does not start`);
  };
  await start();
  return {
    url: `postgres://assay@127.0.0.1:${port}/postgres`,
    start,
    kill,
    async remove() {
      await kill();
      await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
