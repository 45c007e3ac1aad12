// Can everything that was done be shown, checked and made once more? The real log on a real disk.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseExperimentFile } from '../../src/experiment/index.ts';
import { type RunningServer, startServer } from '../../src/server/index.ts';
import { assay, experimentText, startModel } from './assay-process.ts';

let directory: string;
let data: string;
let server: RunningServer;
let models: readonly Awaited<ReturnType<typeof startModel>>[];

const start = (): Promise<RunningServer> =>
  startServer({
    experiments: [parseExperimentFile(experimentText([models[0]!.url, models[1]!.url]))],
    dataDirectory: data,
    port: 0,
    apiPort: 0,
    startDrafts: true,
    // The first verdict is kept: by then the traffic below has long been recorded.
    verdictEveryMs: 5_000,
  });

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-audit-'));
  data = join(directory, 'data');
  models = [await startModel('a'), await startModel('b')];
  server = await start();
}, 120_000);
afterAll(async () => {
  await server?.close();
  for (const model of models) await model.close();
  await rm(directory, { recursive: true, force: true });
});

const audit = async (...args: string[]) => {
  const { code, stdout, stderr } = await assay(['audit', 'scores', '--server', server.apiUrl, ...args]);
  return { code, stdout, stderr };
};

describe('assay audit', () => {
  it('shows who did what and why, with what was before and after, and makes kept verdicts once more', async () => {
    for (let user = 0; user < 40; user += 1) {
      const reply = await fetch(`${server.gatewayUrl}/score`, {
        method: 'POST',
        headers: { 'x-user-id': `user-${user}` },
        body: '{}',
      });
      await reply.text();
    }
    await expect.poll(() => server.service.get('scores').lastVerdict?.kind, { timeout: 60_000 }).toBe('keep-testing');
    const told = await assay(['pause', 'scores', '--server', server.apiUrl, '--author', 'ann', '--reason', 'a look']);
    expect(told.code, told.stderr).toBe(0);

    const { code, stdout } = await audit('--recompute', '--json');
    expect(code).toBe(0);
    const answer = JSON.parse(stdout);
    expect(answer).toMatchObject({ sound: true, chain: { fault: null } });
    const pause = answer.changes.find((change: { kind: string }) => change.kind === 'pause');
    expect(pause).toMatchObject({
      author: 'ann',
      reason: 'a look',
      before: { state: 'running', split: { a: 0.5, b: 0.5 } },
      after: { state: 'paused', split: { a: 1 } },
    });
    expect(answer.verdicts.length).toBeGreaterThan(0);
    for (const verdict of answer.verdicts) expect(verdict).toMatchObject({ agrees: 'exactly', text: '' });
    const text = await audit();
    expect(text.stdout).toContain(
      'running, revision 1, a 50 %, b 50 % of 100 % -> paused, revision 1, a 100 % of 100 %',
    );
    expect(text.stdout).toContain('the chain holds');
  }, 120_000);

  it('says how many records behind a verdict were erased since', async () => {
    await assay(['resume', 'scores', '--server', server.apiUrl, '--reason', 'go on']);
    const before = JSON.parse((await audit('--recompute', '--json')).stdout).verdicts.at(-1);
    const erased = await fetch(`${server.apiUrl}/api/v1/erasure`, { method: 'POST', body: '{"unit":"user-0"}' });
    expect(erased.status, await erased.text()).toBe(200);
    const { verdicts } = JSON.parse((await audit('--recompute', '--json')).stdout);
    const again = verdicts.find((each: { revision: number }) => each.revision === before.revision);
    expect(again).toMatchObject({
      agrees: 'exactly',
      evidence: { predictions: before.evidence.predictions, left: before.evidence.left - 1, erased: 1, expired: 0 },
    });
  }, 120_000);

  it('names the line that was changed, without a server too, and the hash that is gone', async () => {
    const path = join(data, 'control.log');
    const whole = await readFile(path, 'utf8');
    const copy = join(directory, 'copy');
    const at = async (text: string): Promise<Awaited<ReturnType<typeof assay>>> => {
      await rm(copy, { recursive: true, force: true });
      await (await import('node:fs/promises')).mkdir(copy);
      await writeFile(join(copy, 'control.log'), text);
      return assay(['audit', 'scores', '--data', copy]);
    };
    expect((await at(whole)).code).toBe(0);
    const changed = await at(whole.replace('"a look"', '"a lie"'));
    expect(changed.code).toBe(1);
    const line = whole.split('\n').findIndex((each) => each.includes('"a look"')) + 1;
    expect(changed.stdout).toContain(
      `BROKEN: control.log:${line}: entry ${line} of the control log does not match its hash`,
    );

    const lines = whole.trimEnd().split('\n');
    const { hash } = JSON.parse(lines.at(-1) ?? '');
    const shortened = `${lines.slice(0, -1).join('\n')}\n`;
    // A log whose end is gone hangs together; the hash somebody noted shows it.
    expect((await at(shortened)).code).toBe(0);
    const anchored = await assay(['audit', 'scores', '--data', copy, '--anchor', hash]);
    expect(anchored.code).toBe(1);
    expect(anchored.stdout).toContain('the end of the log was cut off or rewritten');
  }, 120_000);

  it('says how many have expired since, and makes the verdict once more exactly though no record is left', async () => {
    const before = JSON.parse((await audit('--recompute', '--json')).stdout).verdicts[0];
    await server.close();
    for (const args of [['compact'], ['retain', '--max-bytes', '1B']]) {
      const { code, stderr } = await assay(['log', ...args, '--data', data]);
      expect(code, stderr).toBe(0);
    }
    server = await start();
    const { sound, verdicts } = JSON.parse((await audit('--recompute', '--json')).stdout);
    expect(sound).toBe(true);
    expect(before.evidence).toMatchObject({ left: before.evidence.predictions - 1, erased: 1, expired: 0 });
    expect(verdicts[0]).toMatchObject({
      agrees: 'exactly',
      evidence: { predictions: before.evidence.predictions, left: 0, erased: 1, expired: before.evidence.left },
    });
    expect((await audit('--recompute')).stdout).toContain(
      `0 of its ${before.evidence.predictions} predictions are still there; 1 were erased and ${before.evidence.left} expired since`,
    );
  }, 120_000);
});
