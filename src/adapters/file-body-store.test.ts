import { appendFile, chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KeptExchange } from '../gateway/index.ts';
import { createFileBodyStore, type FileBodyStoreOptions } from './file-body-store.ts';
import { type KeptLine, readKeptExchanges } from './read-kept-bodies.ts';

const hour = 3_600_000;
const start = Date.UTC(2026, 10, 20, 13, 20);
let directory: string;
let nowMs: number;
let counts: Map<string, number>;
let faults: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-bodies-'));
  nowMs = start;
  counts = new Map();
  faults = [];
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const open = (more: Partial<FileBodyStoreOptions> = {}) =>
  createFileBodyStore({
    directory,
    now: () => nowMs,
    observer: {
      count: (name, labels = {}, by = 1) => {
        const key = [name, ...Object.values(labels)].join(' ');
        counts.set(key, (counts.get(key) ?? 0) + by);
      },
      fault: (code, message) => void faults.push(`${code}: ${message}`),
    },
    ...more,
  });

const part = (text: string): KeptExchange['request'] => ({
  headers: { 'content-type': 'application/json' },
  text,
  encoding: 'utf8',
  bytes: text.length,
  isCut: false,
  redacted: 0,
  omitted: null,
});

const exchange = (n: number, more: Partial<KeptExchange> = {}): KeptExchange => ({
  v: 1,
  timeMs: start + n,
  namespace: 'default',
  experiment: 'test',
  predictionId: `p-${n}`,
  variant: 'a',
  method: 'POST',
  path: '/predict',
  request: part(`{"n":${n}}`),
  status: 200,
  reply: part('{"score":1}'),
  latencyMs: 3,
  ...more,
});

async function readAll(experiment = 'test'): Promise<readonly KeptLine[]> {
  const lines: KeptLine[] = [];
  for await (const line of readKeptExchanges({ directory, namespace: 'default', experiment })) lines.push(line);
  return lines;
}
const idsOf = (lines: readonly KeptLine[]): readonly string[] =>
  lines.flatMap((line) => (line.kind === 'exchange' ? [line.exchange.predictionId] : []));
const files = async (): Promise<readonly string[]> =>
  (await readdir(join(directory, 'bodies'), { recursive: true })).filter((name) => name.endsWith('.gz'));

describe('the store of bodies', () => {
  it('gives back what it was given, over several batches, hours and processes', async () => {
    const store = open({ flushMs: 1 });
    store.add(exchange(1), 7 * 24 * hour);
    store.add(exchange(2), 7 * 24 * hour);
    await expect.poll(() => counts.get('bodies_kept')).toBe(2);
    store.add(exchange(3), 7 * 24 * hour);
    nowMs += hour;
    store.add(exchange(4), 7 * 24 * hour);
    await store.close();
    const second = open();
    nowMs += hour;
    second.add(exchange(5), 7 * 24 * hour);
    second.add(exchange(6, { experiment: '../other' }), 7 * 24 * hour);
    await second.close();
    const lines = await readAll();
    expect(lines[0]).toEqual({ kind: 'exchange', exchange: exchange(1) });
    expect(idsOf(lines)).toEqual(['p-1', 'p-2', 'p-3', 'p-4', 'p-5']);
    expect(idsOf(await readAll('../other'))).toEqual(['p-6']);
    expect(await readAll('nobody')).toEqual([]);
    expect(await files()).toHaveLength(4);
  });

  it('lets nobody else read them', async () => {
    const store = open();
    store.add(exchange(1), hour);
    await store.close();
    const [file] = await files();
    expect((await stat(join(directory, 'bodies', file!))).mode & 0o777).toBe(0o600);
    expect((await stat(join(directory, 'bodies', 'default', 'test'))).mode & 0o777).toBe(0o700);
  });

  it('keeps no body longer than its experiment says, also after a restart', async () => {
    const store = open();
    store.add(exchange(1), 2 * hour);
    store.add(exchange(2, { experiment: 'long' }), 24 * hour);
    await store.close();
    nowMs = start + hour;
    await open().close();
    expect(idsOf(await readAll())).toEqual(['p-1']);
    nowMs = start + 2 * hour;
    await open().close();
    expect(await readAll()).toEqual([]);
    expect(idsOf(await readAll('long'))).toEqual(['p-2']);
  });

  it('looks for old files while it runs', async () => {
    const store = open({ flushMs: 1, sweepMs: 5 });
    store.add(exchange(1), 2 * hour);
    await expect.poll(async () => (await files()).length).toBe(1);
    nowMs += 2 * hour;
    await expect.poll(async () => (await files()).length).toBe(0);
    await store.close();
  });

  it('deletes the oldest files beyond the room it has, and no file of others', async () => {
    const stranger = join(directory, 'bodies', 'default', 'test', 'notes.txt');
    await mkdir(join(directory, 'bodies', 'default', 'test'), { recursive: true });
    await writeFile(stranger, 'x'.repeat(5000));
    const store = open();
    for (let n = 0; n < 5; n += 1) {
      store.add(
        exchange(n, { request: part(Array.from({ length: 400 }, (_, at) => ((at * 7919 + n) % 1e6) / 3).join()) }),
        24 * hour,
      );
      nowMs += hour;
    }
    await store.close();
    const sizes = await Promise.all(
      (await files()).map(async (name) => (await stat(join(directory, 'bodies', name))).size),
    );
    const room = Math.max(...sizes) * 2.5;
    await open({ maxTotalBytes: room }).close();
    expect(idsOf(await readAll())).toEqual(['p-3', 'p-4']);
    expect((await stat(stranger)).size).toBe(5000);
  });

  it('drops and counts what the queue cannot take', async () => {
    const size = JSON.stringify(exchange(1)).length + 1;
    const store = open({ maxQueue: 2 * size });
    for (let n = 1; n <= 5; n += 1) store.add(exchange(n), hour);
    await store.close();
    expect(idsOf(await readAll())).toEqual(['p-1', 'p-2']);
    expect(counts.get('bodies_dropped queue')).toBe(3);
    expect(counts.get('bodies_kept')).toBe(2);
  });

  it('counts what the disk does not take, tells an operator and goes on', async () => {
    await writeFile(join(directory, 'bodies'), 'a file in the way');
    const store = open({ flushMs: 1 });
    store.add(exchange(1), hour);
    await expect.poll(() => counts.get('bodies_dropped disk')).toBe(1);
    expect(faults.some((fault) => fault.startsWith('bodies-not-kept: 1 sampled bodies'))).toBe(true);
    await rm(join(directory, 'bodies'));
    store.add(exchange(2), hour);
    await store.close();
    expect(idsOf(await readAll())).toEqual(['p-2']);
  });

  it('reads past what a crash broke off', async () => {
    const store = open();
    store.add(exchange(1), 24 * hour);
    await store.close();
    const [file] = await files();
    const half = gzipSync(`${JSON.stringify(exchange(2))}\n`).subarray(0, 40);
    await appendFile(join(directory, 'bodies', file!), half);
    const second = open();
    second.add(exchange(3), 24 * hour);
    await second.close();
    const lines = await readAll();
    expect(new Set(idsOf(lines))).toEqual(new Set(['p-1', 'p-3']));
    expect(lines.filter((line) => line.kind === 'broken')).toHaveLength(1);
  });

  it('reports lines that are no kept exchange', async () => {
    const folder = join(directory, 'bodies', 'default', 'test');
    await mkdir(folder, { recursive: true });
    const name = `${start}-until-${start + hour}-abc.ndjson.gz`;
    await writeFile(join(folder, name), gzipSync(`no json\n{"v":2}\n${JSON.stringify(exchange(1))}\n`));
    await chmod(join(folder, name), 0o600);
    expect((await readAll()).map(({ kind }) => kind)).toEqual(['broken', 'broken', 'exchange']);
  });
});
