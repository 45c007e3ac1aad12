import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLog } from '../../src/adapters/read-evidence-log.ts';
import { decodeRecord, type LogRecord } from '../../src/evidence/index.ts';
import { experimentText, serve, startModel } from './assay-process.ts';

describe('a server killed with SIGKILL under load', () => {
  let directory: string;
  let models: Awaited<ReturnType<typeof startModel>>[];
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'assay-kill-'));
    models = [await startModel('a'), await startModel('b')];
    await writeFile(join(directory, 'experiment.yaml'), experimentText([models[0]!.url, models[1]!.url]));
  });
  afterAll(async () => {
    for (const model of models) await model.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('loses and doubles no acknowledged outcome, and goes on where it was', async () => {
    const acknowledged = new Set<string>();
    const answered: string[] = [];
    let round = 0;
    for (; round < 4; round += 1) {
      const server = await serve([
        '-f',
        join(directory, 'experiment.yaml'),
        '--data',
        join(directory, 'data'),
        '--start',
      ]);
      let isRunning = true;
      const sender = async (worker: number): Promise<void> => {
        for (let count = 0; isRunning; count += 1) {
          const id = `${round}-${worker}-${count}`;
          try {
            const reply = await fetch(`${server.gatewayUrl}/score`, {
              method: 'POST',
              headers: { 'x-user-id': `user-${count % 97}` },
              body: '{}',
            });
            await reply.arrayBuffer();
            const predictionId = reply.headers.get('x-assay-prediction-id') ?? '';
            const ack = await fetch(`${server.apiUrl}/api/v1/outcomes`, {
              method: 'POST',
              body: JSON.stringify({ id, type: 'like', value: count % 3 === 0, predictionId }),
            });
            if (ack.status === 200) acknowledged.add(id);
            // An acknowledged outcome was made durable after its prediction's record was queued.
            if (ack.status === 200) answered.push(predictionId);
          } catch {
            return;
          }
        }
      };
      const senders = [1, 2, 3, 4].map(sender);
      // At a different moment of every round, whatever the speed of the machine.
      const before = acknowledged.size;
      await expect
        .poll(() => acknowledged.size - before, { timeout: 60_000, interval: 5 })
        .toBeGreaterThan(30 + round * 17);
      await server.end('SIGKILL');
      isRunning = false;
      await Promise.all(senders);
    }

    const outcomes = new Map<string, number>();
    const predictions = new Set<string>();
    const sequences = new Set<string>();
    for await (const record of recordsOf(join(directory, 'data'))) {
      const key = `${record.writer}/${record.sequence}`;
      expect(sequences.has(key), `record ${key} stands twice`).toBe(false);
      sequences.add(key);
      if (record.kind === 'outcome') outcomes.set(record.id, (outcomes.get(record.id) ?? 0) + 1);
      if (record.kind === 'prediction') predictions.add(record.predictionId);
    }
    expect([...acknowledged].filter((id) => outcomes.get(id) !== 1)).toEqual([]);
    expect(answered.filter((id) => !predictions.has(id))).toEqual([]);

    // The report of a server started afterwards rests on all of it, and counts the crashes.
    const server = await serve([
      '-f',
      join(directory, 'experiment.yaml'),
      '--data',
      join(directory, 'data'),
      '--start',
    ]);
    const report = (await (await fetch(`${server.apiUrl}/api/v1/experiments/scores/report`)).json()) as {
      variants: { requests: number }[];
      checks: Record<string, { text: string }>;
    };
    expect(report.variants.reduce((sum, variant) => sum + variant.requests, 0)).toBe(predictions.size);
    expect(JSON.stringify(report.checks)).toContain(`${round} writer`);
    expect(await server.end('SIGTERM')).toBe(0);
  }, 120_000);
});

describe('a server whose disk is full', () => {
  it('acknowledges nothing it cannot keep, says so, and goes on answering callers', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'assay-full-'));
    const models = [await startModel('a'), await startModel('b')];
    const file = join(directory, 'experiment.yaml');
    const data = join(directory, 'data');
    await writeFile(file, experimentText([models[0]!.url, models[1]!.url]));
    const server = await serve(['-f', file, '--data', data, '--start'], { fileLimit: 64 });
    const acknowledged: string[] = [];
    let refused: Response | undefined;
    for (let batch = 0; batch < 200 && refused === undefined; batch += 1) {
      const outcomes = Array.from({ length: 10 }, (_, index) => ({
        id: `${batch}-${index}`,
        type: 'like',
        value: 1,
        unit: 'u',
      }));
      const reply = await fetch(`${server.apiUrl}/api/v1/outcomes`, { method: 'POST', body: JSON.stringify(outcomes) });
      if (reply.status === 200) acknowledged.push(...outcomes.map(({ id }) => id));
      else refused = reply;
    }
    expect(refused?.status).toBe(503);
    expect(await refused?.json()).toMatchObject({ code: 'evidence-not-durable', retryable: true });
    expect(acknowledged.length).toBeGreaterThan(50);
    const reply = await fetch(`${server.gatewayUrl}/score`, {
      method: 'POST',
      headers: { 'x-user-id': 'u' },
      body: '{}',
    });
    expect(reply.status).toBe(200);
    expect((await fetch(`${server.apiUrl}/readyz`)).status).toBe(503);
    expect(server.stderr()).toContain('evidence');
    await server.end('SIGKILL');
    const kept = new Map<string, number>();
    for await (const record of recordsOf(data))
      if (record.kind === 'outcome') kept.set(record.id, (kept.get(record.id) ?? 0) + 1);
    expect(acknowledged.filter((id) => kept.get(id) !== 1)).toEqual([]);
    for (const model of models) await model.close();
    await rm(directory, { recursive: true, force: true });
  });
});

async function* recordsOf(directory: string): AsyncGenerator<LogRecord> {
  for await (const piece of readLog(directory)) {
    if (piece.kind !== 'frame') continue;
    for (const line of piece.payload.toString('utf8').trimEnd().split('\n')) {
      const decoded = decodeRecord(JSON.parse(line));
      if (decoded.kind === 'record') yield decoded.record;
    }
  }
}
