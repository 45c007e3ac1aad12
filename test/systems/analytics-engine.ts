// Does a database work as the engine of reports? The contract with many random logs, then a server that loses it and finds it again.
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { EngineServer } from '../../src/adapters/delivery.contract.ts';
import { startServer } from '../../src/server/index.ts';
import { experimentText, startModel } from '../e2e/assay-process.ts';
import type { SystemContext } from './system.ts';

/** Runs a test file of the repository; rejects when a test fails or none runs. */
export async function runTests(file: string, environment: Readonly<Record<string, string>>): Promise<void> {
  const tests = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--reporter=verbose', file], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  tests.stdout.on('data', (text: Buffer) => {
    output += text.toString();
    process.stdout.write(text);
  });
  const code = await new Promise<number | null>((resolve) => tests.once('close', resolve));
  if (code !== 0 || / skipped/.test(output.split('\n').find((line) => line.includes('Tests ')) ?? ' skipped'))
    throw new Error(`${file} ended with code ${code}, must pass with no test skipped`);
}

/** A server with `--analytics`: what it records while the database is gone is in the report when it is back. */
export async function serveOverEngine(
  { folder, note, afterwards }: SystemContext,
  { server: database, url }: { readonly server: EngineServer; readonly url: string },
): Promise<void> {
  const models = [await startModel('a'), await startModel('b')] as const;
  for (const model of models) afterwards(() => model.close());
  const file = join(folder, 'experiment.yaml');
  await writeFile(file, experimentText([models[0].url, models[1].url]));
  const told: string[] = [];
  const server = await startServer({
    files: [file],
    dataDirectory: join(folder, 'data'),
    port: 0,
    apiPort: 0,
    startDrafts: true,
    analysis: 'process',
    engine: { url },
    onEvent: (sentence) => told.push(sentence),
  });
  afterwards(() => server.close());
  let asked = 0;
  const ask = async (count: number): Promise<void> => {
    for (let each = 0; each < count; each += 1) {
      asked += 1;
      const reply = await fetch(`${server.gatewayUrl}/score`, {
        method: 'POST',
        headers: { 'x-user-id': `user-${asked}`, 'content-type': 'application/json' },
        body: '{}',
      });
      await reply.arrayBuffer();
      if (reply.status !== 200) throw new Error(`request ${asked} was answered ${reply.status}, must be 200`);
    }
  };
  /** Requests in the report, or the code it is refused with. */
  const reported = (): Promise<number | string | undefined> =>
    server.report('scores').then(
      ({ variants }) => variants.reduce((sum, { requests }) => sum + requests, 0),
      (fault: { readonly code?: string }) => fault.code,
    );
  /** A report that takes long may be the last one for a while. */
  const expectReport = async (expected: number | string): Promise<void> => {
    const deadline = performance.now() + 90_000;
    for (;;) {
      const found = await reported();
      if (found === expected) return;
      if (performance.now() > deadline) throw new Error(`the report gives ${found}, must give ${expected}`);
      await pause(200);
    }
  };
  await ask(200);
  await expectReport(asked);
  note(`report over ${asked} requests`);
  await database.kill();
  await ask(100);
  await expectReport('analysis-failed');
  note('database killed: requests go on, the report says so');
  await database.start();
  await ask(100);
  await expectReport(asked);
  note(`database back: report over ${asked} requests`);
}
