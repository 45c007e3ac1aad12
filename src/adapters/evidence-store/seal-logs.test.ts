import { appendFile, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { arbitraryRecords } from '../../evidence/arbitrary-records.fixture.ts';
import type { Json, NewRecord } from '../../evidence/index.ts';
import { outcome, prediction, t0 } from '../analytics-records.fixture.ts';
import { encodeFrame, encodeHeader, headerBytes } from '../log-frames.ts';
import { readManifest, type Segment, writeManifest } from './manifest.ts';
import { sealLogs } from './seal-logs.ts';
import { filesIn, newDirectory, openLog, readAll, removeDirectories, writeLog } from './store-directory.fixture.ts';

afterAll(removeDirectories);

const seal = (directory: string, options: Partial<Parameters<typeof sealLogs>[0]> = {}) =>
  sealLogs({ directory, nowMs: t0, ...options });

/** A log file as a newer Assay, or a stranger, might have written it. */
async function writeLines(directory: string, lines: readonly string[], writer = 'f'.repeat(16)): Promise<void> {
  const folder = join(directory, 'log', writer);
  await mkdir(folder, { recursive: true });
  const frame = encodeFrame(lines.map((line) => `${line}\n`).join(''));
  await writeFile(join(folder, '0000000000000001.log'), Buffer.concat([encodeHeader(), frame]));
}

describe('sealing', () => {
  it('gives back every record of every kind as it was, whatever stands in it', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 8 });
    const json = fc.jsonValue({ maxDepth: 2, stringUnit: 'binary' }) as fc.Arbitrary<Json>;
    const scalar = fc.oneof(text, fc.boolean(), fc.double({ noNaN: true, noDefaultInfinity: true }));
    const object = fc.dictionary(text, json, { maxKeys: 3, noNullPrototype: true });
    const number = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }));
    const id = fc.constantFrom('p', 'q', '');
    const parts = { text, number, scalar, id, context: object, captured: object };
    const { attempt, reply, prediction: anyPrediction, mirror } = arbitraryRecords(parts);
    const record = fc.oneof(
      anyPrediction,
      fc.record({
        kind: fc.constant('prediction-end'),
        timeMs: number,
        namespace: text,
        predictionId: text,
        row: number,
        callerMs: number,
        attempt,
        ...reply,
      }),
      mirror,
      fc.record({
        kind: fc.constant('outcome'),
        id: text,
        timeMs: number,
        receivedMs: number,
        namespace: text,
        type: text,
        value: scalar,
        subject: fc.oneof(
          fc.record({ kind: fc.constant('prediction'), predictionId: text }),
          fc.record({ kind: fc.constant('request'), requestId: text }),
          fc.record({ kind: fc.constant('unit'), unit: text }),
        ),
        attributes: object,
      }),
    ) as fc.Arbitrary<NewRecord>;
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 30 }), async (records) => {
        const directory = newDirectory();
        const log = await openLog(directory);
        await log.appendDurable(records);
        await log.close();
        const before = await readAll(directory);
        const done = await seal(directory);
        expect(done.records).toBe(records.length + 1);
        expect(await filesIn(directory, 'log')).toEqual([]);
        expect(await readAll(directory)).toEqual(before);
      }),
      { numRuns: 12 },
    );
  });

  it('keeps fields and kinds of a newer version, half surrogates and numbers beyond doubles', async () => {
    const directory = newDirectory();
    const record = { v: 1, writer: 'f'.repeat(16), sequence: 1, ...prediction('1') };
    const first = record.attempts[0];
    const lines = [
      JSON.stringify({ ...record, tokens: 17, attempts: [{ ...first, retries: 2 }] }),
      JSON.stringify({ ...record, sequence: 2, attempts: [{ ...first, cold: true }] }),
      JSON.stringify({ ...record, sequence: 3, kind: 'replay', of: [1, 2] }),
      JSON.stringify({ ...record, sequence: 4, v: 2 }),
      JSON.stringify({ ...record, sequence: 5, context: { half: '\ud83d' } }),
      JSON.stringify({ ...record, sequence: 6, captured: { much: 0 } }).replace('"much":0', '"much":1e999'),
      JSON.stringify({ ...record, sequence: 7, whole: 'a field of that name' }),
      JSON.stringify({ ...record, sequence: 8, timeMs: 'yesterday' }),
    ];
    await writeLines(directory, lines);
    const before = await readAll(directory);
    expect(before).toHaveLength(5);
    await seal(directory);
    expect(await readAll(directory)).toEqual(before);
    const { segments, writers } = await readManifest(directory);
    expect(segments.map(({ kind, rows }) => [kind, rows])).toEqual([
      ['predictions', 5],
      // Without a time it has no day either.
      ['others', 1],
      ['others', 2],
    ]);
    expect(writers['f'.repeat(16)]).toEqual({ ranges: [[1, 8]], ended: false, erased: 0, expired: 0 });
  });

  it('parts predictions by experiment and day, outcomes by the day of their arrival', async () => {
    const directory = newDirectory();
    const day = 86_400_000;
    const writer = await writeLog(directory, [
      prediction('1', { namespace: 'a.b', experiment: 'Größe/../x' }),
      prediction('2', { namespace: 'a', experiment: 'b.x', timeMs: day }),
      prediction('3', { namespace: 'a', experiment: 'b.x', timeMs: 1e300 }),
      prediction('4', { namespace: 'a', experiment: 'y'.repeat(300) }),
      outcome('1', { timeMs: 5, receivedMs: 3 * day }),
    ]);
    await seal(directory);
    const paths = (await readManifest(directory)).segments.map(({ path }) => path).sort();
    expect(paths).toEqual(await filesIn(directory, 'seg'));
    expect(paths).toEqual([
      `seg/others/dt=2023-11-14/${writer}-6-6-r2.parquet`,
      `seg/outcomes/dt=1970-01-04/${writer}-5-5-r2.parquet`,
      `seg/predictions/experiment=a%2Eb.%47r%C3%B6%C3%9Fe%2F..%2Fx/dt=2023-11-14/${writer}-1-1-r2.parquet`,
      `seg/predictions/experiment=a.b.x/dt=1970-01-02/${writer}-2-2-r2.parquet`,
      `seg/predictions/experiment=a.b.x/dt=undated/${writer}-3-3-r2.parquet`,
      expect.stringMatching(/^seg\/predictions\/experiment=a\.y{80}~[0-9a-f]{16}\/dt=/),
    ]);
  });

  it('leaves the newest file of a live writer alone, and seals the ones before it', async () => {
    const directory = newDirectory();
    const log = await openLog(directory);
    await log.appendDurable([outcome('1'), outcome('2')]);
    expect(await seal(directory)).toMatchObject({ files: 0, segments: [] });
    await log.roll();
    await log.appendDurable([outcome('3')]);
    expect(await seal(directory)).toMatchObject({ files: 1, records: 2 });
    expect((await readAll(directory)).map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    await log.close();
    expect(await seal(directory)).toMatchObject({ files: 1, records: 2 });
    expect(await filesIn(directory, 'log')).toEqual([]);
    expect((await readAll(directory)).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
    expect((await readManifest(directory)).writers[log.status().writer]).toMatchObject({
      ranges: [[1, 4]],
      ended: true,
    });
  });

  it('drops a torn tail, and files in which nothing whole stands', async () => {
    const directory = newDirectory();
    const writer = await writeLog(directory, [outcome('1')]);
    const file = join(directory, 'log', writer, '0000000000000001.log');
    const whole = await readFile(file);
    await writeFile(file, whole.subarray(0, -3));
    await mkdir(join(directory, 'log', 'b'.repeat(16)));
    await writeFile(join(directory, 'log', 'b'.repeat(16), '0000000000000001.log'), whole.subarray(0, 7));
    await mkdir(join(directory, 'log', 'c'.repeat(16)));
    await writeFile(join(directory, 'log', 'c'.repeat(16), '0000000000000001.log'), whole.subarray(0, headerBytes));
    expect(await seal(directory)).toMatchObject({ files: 3, records: 1, damaged: [] });
    expect(await filesIn(directory, 'log')).toEqual([]);
  });

  it('leaves a damaged log where it is, says so, and seals the others', async () => {
    const directory = newDirectory();
    const broken = await writeLog(directory, [outcome('1'), outcome('2')], { maxSegmentBytes: 1 });
    const good = await writeLog(directory, [outcome('3')]);
    const file = join(directory, 'log', broken, '0000000000000002.log');
    const bytes = await readFile(file);
    bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40);
    await writeFile(file, bytes);
    const done = await seal(directory);
    expect(done.damaged).toEqual([expect.stringContaining(`${file} is wrong at byte ${headerBytes}`)]);
    const { writers } = await readManifest(directory);
    expect(writers[good]?.ranges).toEqual([[1, 2]]);
    // What came before the damage is safe; what comes after it stays with it.
    expect(writers[broken]?.ranges).toEqual([[1, 1]]);
    expect(await filesIn(directory, 'log')).toHaveLength(2);
  });

  it('goes on after a crash before or after the manifest, with nothing lost and nothing twice', async () => {
    const directory = newDirectory();
    const writer = await writeLog(directory, [prediction('1'), outcome('1')]);
    const log = `log/${writer}/0000000000000001.log`;
    const kept = join(newDirectory(), 'log');
    await copyFile(join(directory, log), kept);
    const before = await readAll(directory);
    await seal(directory);
    // Crash after the manifest: the log is still there.
    await mkdir(join(directory, 'log', writer), { recursive: true });
    await copyFile(kept, join(directory, log));
    expect(await readAll(directory)).toEqual(before);
    // Crash before the manifest: the segments are there and nobody knows them; drafts too.
    const manifest = await readManifest(directory);
    await writeManifest(directory, { ...manifest, segments: [], writers: {} });
    await appendFile(join(directory, `${(manifest.segments[0] as Segment).path}.tmp`), 'half a draft');
    expect(await readAll(directory)).toEqual(before);
    expect(await seal(directory)).toMatchObject({ files: 1, records: 3 });
    expect(await readAll(directory)).toEqual(before);
    expect(await filesIn(directory, 'seg')).toHaveLength(3);
    expect(await filesIn(directory, 'log')).toEqual([]);
  });

  it('seals many small logs together, and a long one in several sets', async () => {
    const directory = newDirectory();
    for (let writer = 0; writer < 3; writer += 1) await writeLog(directory, [outcome(`w${writer}`)]);
    expect((await seal(directory)).segments.map(({ kind, sources }) => [kind, sources.length])).toEqual([
      ['outcomes', 3],
      ['others', 3],
    ]);
    await writeLog(directory, [outcome('1'), outcome('2'), outcome('3')], { maxSegmentBytes: 1 });
    const progress: unknown[] = [];
    const done = await seal(directory, { batchBytes: 1, onProgress: (step) => progress.push(step) });
    expect(done).toMatchObject({ files: 4, records: 4 });
    expect(progress).toEqual([1, 2, 3, 4].map((files) => ({ files, of: 4 })));
    expect((await readManifest(directory)).segments).toHaveLength(6);
  });
});

describe('the manifest', () => {
  it('of a newer version is refused, and nothing is changed', async () => {
    const directory = newDirectory();
    await writeLog(directory, [outcome('1')]);
    await seal(directory);
    const path = join(directory, 'manifest.json');
    const newer = (await readFile(path, 'utf8')).replace('"version": 1', '"version": 2');
    await writeFile(path, newer);
    await writeLog(directory, [outcome('2')]);
    for (const attempt of [readAll, seal])
      await expect(attempt(directory)).rejects.toMatchObject({
        code: 'evidence-too-new',
        message: `${path} has version 2, must be 1`,
      });
    expect(await readFile(path, 'utf8')).toBe(newer);
    expect(await filesIn(directory, 'log')).toHaveLength(1);
  });

  it('that was changed, cut or removed is damage, never an empty directory', async () => {
    const directory = newDirectory();
    await writeLog(directory, [outcome('1')]);
    await seal(directory);
    const path = join(directory, 'manifest.json');
    const text = await readFile(path, 'utf8');
    for (const [damaged, message] of [
      [text.replace('"rows": 1', '"rows": 2'), 'does not match its own checksum'],
      [text.slice(0, -20), 'is not JSON'],
      ['{}', 'has format undefined'],
    ] as const) {
      await writeFile(path, damaged);
      await expect(readAll(directory)).rejects.toMatchObject({
        code: 'evidence-corrupt',
        message: expect.stringContaining(message),
      });
    }
  });
});
