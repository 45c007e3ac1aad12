import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFileBodyStore } from '../../adapters/file-body-store.ts';
import type { KeptExchange } from '../../gateway/index.ts';
import { type ReplayCommandOptions, type ReplayDocument, runReplay } from '../replay-command.ts';

let directory: string;
let servers: Server[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-replay-'));
  servers = [];
});
afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await rm(directory, { recursive: true, force: true });
});

interface Asked {
  readonly url: string;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

/** A model server; `answer` gives status and document, or takes the response into its own hands. */
async function startModel(
  answer: (asked: Asked, res: Parameters<RequestListener>[1]) => readonly [number, unknown] | null,
): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((req, res) => {
    let body = '';
    req.setEncoding('utf8').on('data', (text: string) => (body += text));
    req.on('end', () => {
      const one = { url: req.url ?? '', headers: req.headers, body };
      asked.push(one);
      const said = answer(one, res);
      if (said === null) return;
      res.writeHead(said[0], { 'content-type': 'application/json' });
      res.end(JSON.stringify(said[1]));
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const part = (value: unknown, more: Partial<KeptExchange['request']> = {}): KeptExchange['request'] => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return {
    headers: { 'content-type': 'application/json' },
    text,
    encoding: 'utf8',
    bytes: text.length,
    isCut: false,
    redacted: 0,
    omitted: null,
    ...more,
  };
};

/** Keeps exchanges as a server would. Request n asks for `{n}` and was answered with `{id, score: n / 10}`. */
async function keep(count: number, more: (n: number) => Partial<KeptExchange> = () => ({})): Promise<void> {
  const count_ = new Map<string, number>();
  const store = createFileBodyStore({
    directory,
    now: Date.now,
    observer: { count: (name, _labels, by = 1) => void count_.set(name, by), fault: () => {} },
  });
  for (let n = 0; n < count; n += 1) {
    const exchange: KeptExchange = {
      v: 1,
      timeMs: 1_000 + n,
      namespace: 'default',
      experiment: 'ranking',
      predictionId: `p-${n}`,
      variant: n % 2 === 0 ? 'a' : 'b',
      method: 'POST',
      path: '/score?top=3',
      request: part({ n }),
      status: 200,
      reply: part({ id: `old-${n}`, score: n / 10 }),
      latencyMs: 5,
      ...more(n),
    };
    store.add(exchange, 24 * 3_600_000);
  }
  await store.close();
  expect(count_.get('bodies_kept')).toBe(count);
}

const main = fileURLToPath(new URL('../main.ts', import.meta.url));

/** Runs `assay replay ranking ARGS` as a process of its own. */
function assayReplay(args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const all = ['--import', 'tsx', main, 'replay', 'ranking', '--data', directory, ...args];
  const child = spawn(process.execPath, all, { env: { ...process.env, NO_COLOR: '1' } });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
}

/** The same in this process. */
function replayed(to: string, more: Partial<ReplayCommandOptions> = {}): Promise<ReplayDocument> {
  const options: ReplayCommandOptions = {
    data: directory,
    namespace: 'default',
    to,
    headerEnv: [],
    ignore: [],
    limit: 10_000,
    concurrency: 4,
    timeoutMs: 30_000,
    deadline: 60,
    ...more,
  };
  return runReplay('ranking', options, new AbortController().signal);
}

const scoreOf = ({ body }: Asked): number => JSON.parse(body).n / 10;

describe('assay replay', () => {
  it('sends what was captured and tells same from different, numbers, decisions and latency', async () => {
    await keep(20);
    const model = await startModel((asked) => {
      const score = scoreOf(asked);
      return [200, { score: score > 1.45 ? score - 1.25 : score, id: `new-${Math.random()}` }];
    });
    const out = join(directory, 'pairs.ndjson');
    const args = ['--to', model.url, '--ignore', '$.id', '--value', '$.score', '--threshold', '0.5', '--out', out];
    const { code, stdout, stderr } = await assayReplay([...args, '--json']);
    expect(code, stderr).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({
      experiment: 'ranking',
      sent: 20,
      answered: 20,
      notSent: 0,
      broken: 0,
      sameStatus: 20,
    });
    expect(result.replies).toMatchObject({ compared: 20, same: 15, notComparable: 0 });
    expect(result.replies.share.estimate).toBe(0.75);
    expect(result.value).toMatchObject({ pairs: 20, equal: 15 });
    expect(result.value.largestDifference).toBeCloseTo(1.25, 10);
    expect(result.value.difference.estimate).toBeCloseTo((-1.25 * 5) / 20, 10);
    expect(result.decisions).toMatchObject({ both: 12, onlyBefore: 3, onlyAfter: 0, neither: 5 });
    expect(result.decisions.test.exactPValue).toBeCloseTo(0.25, 10);
    expect(result.latency.before).toEqual({ mean: 5, p50: 5, p95: 5 });
    expect(result.latency.after.mean).toBeGreaterThan(0);
    expect(model.asked.map(({ url }) => url)).toEqual(Array(20).fill('/score?top=3'));
    expect(new Set(model.asked.map(({ body }) => JSON.parse(body).n)).size).toBe(20);
    const pairs = (await readFile(out, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(pairs.find(({ predictionId }) => predictionId === 'p-3')).toMatchObject({
      variant: 'b',
      before: { status: 200 },
      after: { status: 200, error: null },
      comparison: { same: true, before: 0.3, after: 0.3 },
    });
  });

  it('prints a table that fits the terminal and says what to doubt', async () => {
    await keep(6);
    const model = await startModel((asked) => [200, { score: scoreOf(asked) + 0.01 }]);
    const { code, stdout, stderr } = await assayReplay(['--to', model.url, '--value', '$.score', '--threshold', '0.2']);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('same reply     0 of 6 (0 %, 95 % interval 0 % to');
    expect(stdout).toContain('production load');
    expect(stdout).toMatch(/mean difference \+0\.010 \[/);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(stderr).toContain('requests 6/6');
  });

  it('skips and counts what cannot be sent as it was', async () => {
    await keep(6, (n) => {
      if (n === 1) return { request: part({ n }, { isCut: true }) };
      if (n === 2) return { request: part({ n }, { redacted: 1 }) };
      if (n === 3) return { request: part('', { text: null, omitted: 'too long to be redacted' }) };
      if (n === 4) return { reply: part({ score: 0.4, user: '[redacted]' }, { redacted: 1 }) };
      if (n === 5) return { reply: part('{"sco', { isCut: true }) };
      return {};
    });
    const model = await startModel((asked) => [200, { score: scoreOf(asked), user: 'ann' }]);
    const result = await replayed(model.url, { ignore: ['$.id'] });
    expect(result.skipped).toEqual({
      'request body was cut': 1,
      'request body was redacted': 1,
      'request body was left out': 1,
    });
    expect(result).toMatchObject({ sent: 3, answered: 3, replies: { compared: 2, same: 1, notComparable: 1 } });
    const more = await replayed(model.url, { includeRedacted: true, variant: 'a', limit: 2 });
    expect(more).toMatchObject({ variant: 'a', sent: 2, skipped: { 'other variant': 3, 'beyond the limit': 1 } });
  });

  it('counts failures by kind and takes no failed reply for an answer', async () => {
    await keep(4);
    const model = await startModel((asked, res) => {
      const { n } = JSON.parse(asked.body);
      if (n === 0) return [500, {}];
      if (n === 1) {
        res.destroy();
        return null;
      }
      return n === 2 ? null : [404, { error: 'no such model' }];
    });
    const result = await replayed(model.url, { timeoutMs: 300 });
    expect(result.failed).toEqual({ status: 1, reset: 1, timeout: 1 });
    expect(result).toMatchObject({ sent: 4, answered: 1, sameStatus: 0, replies: { compared: 1, same: 0 } });
  });

  it('keeps its rate and its deadline', async () => {
    await keep(40);
    const model = await startModel((asked) => [200, { score: scoreOf(asked) }]);
    const result = await replayed(model.url, { rate: 10, deadline: 1 });
    expect(result.sent + result.notSent).toBe(40);
    expect(result.sent).toBeGreaterThan(0);
    expect(result.sent).toBeLessThanOrEqual(11);
  });

  it('rewrites path and model for the protocol of the other server, and sends secrets from the environment', async () => {
    await keep(2, (n) =>
      n === 0
        ? { path: '/v2/models/forecast/infer', reply: part({ model_name: 'old', outputs: [] }) }
        : { path: '/v1/chat/completions', request: part('{"model":"gpt","seed":9007199254740993}') },
    );
    const model = await startModel(() => [200, { model_name: 'new', outputs: [] }]);
    process.env.ASSAY_TEST_AUTH = 'Bearer secret';
    const secret = { headerEnv: ['authorization=ASSAY_TEST_AUTH'], variant: 'a' };
    const oip = await replayed(`${model.url}/base`, { protocol: 'oip', model: 'forecast-v3', ...secret });
    delete process.env.ASSAY_TEST_AUTH;
    expect(model.asked[0]).toMatchObject({
      url: '/base/v2/models/forecast-v3/infer',
      headers: { authorization: 'Bearer secret' },
    });
    expect(oip.replies.same).toBe(1);
    await replayed(model.url, { protocol: 'openai', model: 'small', variant: 'b' });
    expect(model.asked.at(-1)).toMatchObject({
      url: '/v1/chat/completions',
      body: '{"model":"small","seed":9007199254740993}',
    });
  });

  it('says what is missing when there is nothing to replay', async () => {
    const { code, stdout } = await assayReplay(['--to', 'http://127.0.0.1:9']);
    expect(code).toBe(0);
    expect(stdout).toContain('holds no bodies of experiment default/ranking');
    expect(stdout).toContain('bodyCapture');
  });

  it.each<[string, Partial<ReplayCommandOptions>, string]>([
    ['ftp://x', {}, '--to is "ftp://x", must be an http or https URL'],
    ['http://x', { value: 'score' }, 'JSON path is "score", must look like'],
    ['http://x', { threshold: 1 }, '--threshold is given without --value'],
    ['http://x', { headerEnv: ['authorization=NOT_SET_AT_ALL'] }, 'NOT_SET_AT_ALL, which is not set'],
    ['http://x', { model: 'm' }, '--model is given, must be absent'],
    ['http://x', { data: '/nowhere/at/all' }, '--data /nowhere/at/all cannot be read'],
    ['http://x', { out: '/nowhere/at/all' }, '--out /nowhere/at/all cannot be written'],
  ])('refuses %s with %j', async (to, options, message) => {
    await expect(replayed(to, options)).rejects.toThrow(message);
  });
});
