// A real ClickHouse for tests: chDB in a process of its own, where its package is installed.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EngineServer } from './delivery.contract.ts';

const program = fileURLToPath(new URL('../../test/systems/clickhouse-server.ts', import.meta.url));

/** A fresh server on loopback, started. @param folder holds `node_modules` with chdb. */
export async function startClickhouse(folder: string): Promise<EngineServer> {
  const data = mkdtempSync(join(tmpdir(), 'assay-clickhouse-'));
  let server: ChildProcess | undefined;
  let port = '0';
  const start = async (): Promise<void> => {
    const started = spawn(process.execPath, ['--import', 'tsx', program, folder, data, port], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    server = started;
    port = await new Promise<string>((resolve, reject) => {
      let output = '';
      started.stdout?.on('data', (text: Buffer) => {
        output += text.toString();
        const found = /listening on (\d+)/.exec(output)?.[1];
        if (found !== undefined) resolve(found);
      });
      started.once('exit', (code) => reject(new Error(`chDB ended with code ${code}: ${output}`)));
    });
  };
  const kill = async (): Promise<void> => {
    const ending = server;
    if (ending === undefined) return;
    server = undefined;
    const ended = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill('SIGKILL');
    await ended;
  };
  await start();
  return {
    url: `http://127.0.0.1:${port}`,
    start,
    kill,
    async remove() {
      await kill();
      await rm(data, { recursive: true, force: true });
    },
  };
}
