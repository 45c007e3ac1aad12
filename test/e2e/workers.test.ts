import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, createServer, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readLog } from '../../src/adapters/read-evidence-log.ts';
import { decodeRecord, type LogRecord } from '../../src/evidence/index.ts';
import { assay, experimentText, type Serving, serve, startModel } from './assay-process.ts';

let directory: string;
let file: string;
let data: string;
let models: Awaited<ReturnType<typeof startModel>>[];

beforeAll(async () => {
  models = [await startModel('a'), await startModel('b')];
});
afterAll(async () => {
  for (const model of models) await model.close();
});
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-workers-'));
  data = join(directory, 'data');
  file = join(directory, 'experiment.yaml');
  await writeFile(file, experimentText([models[0]!.url, models[1]!.url]));
  return () => rm(directory, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly model: string;
  readonly predictionId: string;
}

/** One request, over a connection of its own unless an agent keeps one: the next may meet another worker. */
function ask(server: Serving, user: string, agent: Agent | false = false): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      `${server.gatewayUrl}/score`,
      { method: 'POST', agent, headers: { 'x-user-id': user, 'content-length': '2' } },
      (reply) => {
        let text = '';
        reply.setEncoding('utf8').on('data', (part: string) => (text += part));
        reply.on('error', reject);
        reply.on('end', () => {
          const predictionId = String(reply.headers['x-assay-prediction-id'] ?? '');
          const { model = '' } = reply.statusCode === 200 ? (JSON.parse(text) as { model: string }) : {};
          resolve({ status: reply.statusCode ?? 0, model, predictionId });
        });
      },
    );
    sent.on('error', reject);
    sent.end('{}');
  });
}

interface Status {
  readonly gateway: { readonly requests: number; readonly routingRevision: number };
  readonly evidence: { readonly durable: number; readonly writer: string };
  readonly workers: readonly {
    readonly worker: number;
    readonly pid: number;
    readonly gateway: { readonly requests: number };
  }[];
}

const statusOf = async (server: Serving): Promise<Status> =>
  (await (await fetch(`${server.apiUrl}/api/v1/status`)).json()) as Status;

const start = (...args: string[]): Promise<Serving> =>
  serve(['-f', file, '--data', data, '--start', '--workers', '2', ...args]);

async function recordsOf(): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const piece of readLog(data)) {
    if (piece.kind !== 'frame') continue;
    for (const line of piece.payload.toString('utf8').trimEnd().split('\n')) {
      const decoded = decodeRecord(JSON.parse(line));
      if (decoded.kind === 'record') records.push(decoded.record);
    }
  }
  return records;
}

describe('assay serve --workers 2', () => {
  it('gives a unit the same variant in both processes, records in both, and reports over both', async () => {
    const server = await start();
    const users = Array.from({ length: 40 }, (_, index) => `user-${index}`);
    const answers: Answer[] = [];
    // In step, so that both workers are asked.
    for (const round of [users, users, users])
      answers.push(...(await Promise.all(round.map((user) => ask(server, user)))));
    for (const [index, user] of users.entries()) {
      const seen = [0, 40, 80].map((offset) => answers[index + offset]!.model);
      expect(new Set(seen).size, `${user} saw ${seen}`).toBe(1);
    }
    expect(new Set(answers.map(({ model }) => model))).toEqual(new Set(['a', 'b']));
    expect(new Set(answers.map(({ predictionId }) => predictionId.slice(0, 3)))).toEqual(new Set(['w1-', 'w2-']));
    expect(new Set(answers.map(({ predictionId }) => predictionId)).size).toBe(120);

    const status = await statusOf(server);
    expect(status.gateway.requests).toBe(120);
    expect(status.workers.map(({ worker }) => worker)).toEqual([1, 2]);
    for (const { gateway } of status.workers) expect(gateway.requests).toBeGreaterThan(0);

    const outcome = { id: 'o-1', type: 'like', value: true, predictionId: answers[0]!.predictionId };
    const taken = await fetch(`${server.apiUrl}/api/v1/outcomes`, { method: 'POST', body: JSON.stringify(outcome) });
    expect(taken.status).toBe(200);
    await expect.poll(async () => (await statusOf(server)).evidence.durable).toBe(121);
    const report = await assay(['report', 'scores', '--server', server.apiUrl, '--json']);
    const { variants, checks } = JSON.parse(report.stdout);
    expect(variants.reduce((sum: number, each: { requests: number }) => sum + each.requests, 0)).toBe(120);
    // Logs of running workers have no end yet, and that is no crash.
    expect(checks.uncleanShutdown.numbers).toMatchObject({ uncleanShutdowns: 0 });
    expect(await server.end('SIGTERM')).toBe(0);

    const records = await recordsOf();
    expect(new Set(records.map(({ writer }) => writer)).size).toBe(3);
    expect(records.filter(({ kind }) => kind === 'prediction')).toHaveLength(120);
    expect(records.filter(({ kind }) => kind === 'writer-end')).toHaveLength(3);
  });

  it('reaches every process with a change within a second', async () => {
    const server = await start();
    const agents = Array.from({ length: 8 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    // Connections that stay with the worker that took them.
    const modelsSeen = async (): Promise<Set<string>> =>
      new Set((await Promise.all(agents.map((agent) => ask(server, 'user-1', agent)))).map(({ model }) => model));
    await modelsSeen();
    for (const [weights, model] of [
      [[0, 100], 'b'],
      [[100, 0], 'a'],
    ] as const) {
      await writeFile(file, experimentText([models[0]!.url, models[1]!.url], { weights }));
      await expect.poll(modelsSeen, { timeout: 60_000, interval: 20 }).toEqual(new Set([model]));
    }
    for (const step of ['pause', 'resume']) {
      const told = await assay([step, 'scores', '--server', server.apiUrl, '--author', 'ann', '--reason', 'a look']);
      expect(told.code, told.stderr).toBe(0);
    }
    const { revision } = (await (await fetch(`${server.apiUrl}/api/v1/routing`)).json()) as { revision: number };
    await expect.poll(async () => (await statusOf(server)).gateway.routingRevision).toBe(revision);
    for (const agent of agents) agent.destroy();
    expect(await server.end('SIGTERM')).toBe(0);
  });

  it('loses nothing it has answered durably when a worker is killed, goes on, and replaces the worker', async () => {
    const server = await start('--durability', 'before-reply');
    const answered: string[] = [];
    const outcomes: string[] = [];
    let refused = 0;
    let isRunning = true;
    const sender = async (number: number): Promise<void> => {
      for (let count = 0; isRunning; count += 1) {
        const answer = await ask(server, `user-${number}-${count}`).catch(() => null);
        if (answer === null) {
          refused += 1;
          continue;
        }
        expect(answer.status).toBe(200);
        answered.push(answer.predictionId);
        const id = `${number}-${count}`;
        const body = JSON.stringify({ id, type: 'like', value: true, predictionId: answer.predictionId });
        const taken = await fetch(`${server.apiUrl}/api/v1/outcomes`, { method: 'POST', body });
        if (taken.status === 200) outcomes.push(id);
      }
    };
    const senders = [1, 2, 3, 4].map(sender);
    const killed: number[] = [];
    for (const _round of [1, 2]) {
      const before = answered.length;
      await expect.poll(() => answered.length - before, { timeout: 60_000, interval: 5 }).toBeGreaterThan(40);
      const { workers } = await statusOf(server);
      const victim = workers.find(({ pid }) => !killed.includes(pid))!;
      killed.push(victim.pid);
      process.kill(victim.pid, 'SIGKILL');
      const replaced = (): Promise<boolean> =>
        statusOf(server).then(
          (status) => status.workers.length === 2 && status.workers.every(({ pid }) => !killed.includes(pid)),
        );
      await expect.poll(replaced, { timeout: 60_000, interval: 20 }).toBe(true);
    }
    const after = answered.length;
    await expect.poll(() => answered.length - after, { timeout: 60_000, interval: 5 }).toBeGreaterThan(40);
    isRunning = false;
    await Promise.all(senders);
    expect(server.stderr()).toContain('ended with signal SIGKILL; another one starts in');
    // Only what the killed process held at that moment: at most one request of each sender, twice.
    expect(refused).toBeLessThanOrEqual(8);
    expect(await server.end('SIGTERM')).toBe(0);

    const records = await recordsOf();
    const predictions = new Set(records.flatMap((each) => (each.kind === 'prediction' ? [each.predictionId] : [])));
    const kept = records.flatMap((each) => (each.kind === 'outcome' ? [each.id] : []));
    expect(answered.filter((id) => !predictions.has(id))).toEqual([]);
    expect(kept.sort()).toEqual(outcomes.sort());
    const sequences = records.map(({ writer, sequence }) => `${writer}/${sequence}`);
    expect(new Set(sequences).size).toBe(sequences.length);
  });

  it('starts one server on a port or says why not', async () => {
    const server = await start();
    const port = new URL(server.gatewayUrl).port;
    const second = await assay([
      'serve',
      '-f',
      file,
      '--data',
      join(directory, 'other'),
      '--port',
      port,
      '--api-port',
      '0',
      '--workers',
      '2',
    ]);
    expect(second.code).toBe(2);
    expect(second.stderr).toContain(`port ${port} for the data plane is in use`);
    expect(await server.end('SIGTERM')).toBe(0);
  });
});

describe('a worker', () => {
  let slow: Server;
  let waiting: ServerResponse[];
  let slowUrl: string;
  beforeEach(async () => {
    waiting = [];
    slow = createServer((_request, response) => void waiting.push(response));
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    slowUrl = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`;
    await writeFile(file, experimentText([slowUrl, slowUrl]));
    return () => {
      slow.closeAllConnections();
      slow.close();
    };
  });
  const answerAll = (): void => {
    for (const response of waiting.splice(0)) {
      response.setHeader('content-type', 'application/json');
      response.end('{"model":"slow","score":1}');
    }
  };

  it('finishes what it has, writes its log to the end and goes when its primary was killed', async () => {
    const server = await start();
    const { workers } = await statusOf(server);
    const asked = [1, 2, 3, 4].map((index) => ask(server, `user-${index}`));
    await expect.poll(() => waiting.length, { timeout: 60_000 }).toBe(4);
    // Its stderr stays open in the workers, so the end of the process is not waited for here.
    process.kill(server.pid, 'SIGKILL');
    await expect.poll(() => isRunning(server.pid), { timeout: 60_000 }).toBe(false);
    answerAll();
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    await expect.poll(() => workers.filter(({ pid }) => isRunning(pid)), { timeout: 60_000 }).toEqual([]);
    const records = await recordsOf();
    expect(records.filter(({ kind }) => kind === 'prediction')).toHaveLength(4);
    // Both workers ended their logs; the killed primary could not.
    expect(records.filter(({ kind }) => kind === 'writer-end')).toHaveLength(2);
  });

  it('finishes what it has on SIGTERM, also when the signal reaches the whole group', async () => {
    const server = await start();
    const { workers } = await statusOf(server);
    const asked = [1, 2, 3, 4].map((index) => ask(server, `user-${index}`));
    await expect.poll(() => waiting.length, { timeout: 60_000 }).toBe(4);
    for (const { pid } of workers) process.kill(pid, 'SIGTERM');
    const ended = server.end('SIGTERM');
    await expect.poll(() => server.stderr(), { timeout: 60_000 }).toContain('finishing requests in flight');
    answerAll();
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(await ended).toBe(0);
    expect((await recordsOf()).filter(({ kind }) => kind === 'writer-end')).toHaveLength(3);
  });

  it('cuts what does not end within --drain-ms', async () => {
    const server = await start('--drain-ms', '200');
    const asked = ask(server, 'user-1').catch((fault: Error) => fault.message);
    await expect.poll(() => waiting.length, { timeout: 60_000 }).toBe(1);
    expect(await server.end('SIGTERM')).toBe(0);
    expect(await asked).toBe('socket hang up');
    expect((await recordsOf()).filter(({ kind }) => kind === 'prediction')).toMatchObject([{ status: null }]);
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
