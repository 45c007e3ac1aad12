import { copyFile, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { AnalysisPlan, LogRecord, NewRecord } from '../../evidence/index.ts';
import { metric, outcome, plan, prediction, t0 } from '../analytics-records.fixture.ts';
import { openDuckdbAnalytics } from '../duckdb-analytics.ts';
import { backUpEvidence, restoreEvidence } from './backup-evidence.ts';
import { compactSegments } from './compact-segments.ts';
import { eraseUnit } from './erase-unit.ts';
import { readManifest, type Segment } from './manifest.ts';
import { retainEvidence } from './retain-evidence.ts';
import { sealLogs } from './seal-logs.ts';
import { filesIn, newDirectory, openLog, readAll, removeDirectories, writeLog } from './store-directory.fixture.ts';
import { verifyEvidence } from './verify-evidence.ts';

afterAll(removeDirectories);

const dayMs = 86_400_000;
const seal = (directory: string, nowMs = t0) => sealLogs({ directory, nowMs });
const idsOf = (records: readonly LogRecord[]): readonly string[] =>
  records.flatMap((record) => ('predictionId' in record ? [`${record.kind} ${record.predictionId}`] : [])).sort();
const outcomesOf = (records: readonly LogRecord[]): readonly string[] =>
  records.flatMap((record) => (record.kind === 'outcome' ? [record.id] : [])).sort();
const attempt = { variant: 'a', status: 200, latencyMs: 10, error: null };
const common = { namespace: 'default', row: 0, attempt, prediction: null, captured: {} };
const end = (predictionId: string): NewRecord => ({
  kind: 'prediction-end',
  timeMs: t0,
  predictionId,
  callerMs: 5,
  ...common,
});
const mirror = (predictionId: string): NewRecord => ({
  kind: 'mirror',
  timeMs: t0,
  experiment: 'test',
  predictionId,
  ...common,
});

describe('merging segments', () => {
  it('makes one of many of the same experiment and day, and changes no record', async () => {
    const directory = newDirectory();
    for (const [index, experiment] of ['test', 'test', 'other'].entries()) {
      await writeLog(directory, [prediction(`${index}`, { experiment }), outcome(`${index}`)]);
      await seal(directory);
    }
    await writeLog(directory, [prediction('late', { at: dayMs })]);
    await seal(directory);
    const before = await readAll(directory);
    const done = await compactSegments({ directory });
    expect(done).toMatchObject({ before: 11, after: 5 });
    expect(await readAll(directory)).toEqual(before);
    expect(await filesIn(directory, 'seg')).toHaveLength(5);
    expect(await verifyEvidence({ directory })).toMatchObject({
      isWhole: true,
      segments: 5,
      sealedRows: before.length,
    });
    expect(await compactSegments({ directory })).toMatchObject({ before: 5, after: 5 });
  });

  it('leaves segments alone that are large enough, and days with too few', async () => {
    const directory = newDirectory();
    for (const id of ['1', '2']) {
      await writeLog(directory, [outcome(id)]);
      await seal(directory);
    }
    expect(await compactSegments({ directory, atLeast: 3 })).toMatchObject({ before: 4, after: 4 });
    expect(await compactSegments({ directory, largeBytes: 1 })).toMatchObject({ before: 4, after: 4 });
  });

  it('stops at a segment that is damaged, with every file still there', async () => {
    const directory = newDirectory();
    for (const id of ['1', '2']) {
      await writeLog(directory, [outcome(id)]);
      await seal(directory);
    }
    const { segments } = await readManifest(directory);
    await writeFile(join(directory, (segments[0] as Segment).path), 'no parquet');
    await expect(compactSegments({ directory })).rejects.toThrow(/No magic bytes|too small|not a Parquet/i);
    expect((await readManifest(directory)).segments).toEqual(segments);
  });
});

describe('retention', () => {
  async function threeDays(): Promise<string> {
    const directory = newDirectory();
    for (const day of [0, 1, 2]) {
      const at = day * dayMs;
      await writeLog(directory, [prediction(`p${day}`, { at }), outcome(`o${day}`, { at })]);
      await seal(directory, t0 + at);
    }
    return directory;
  }

  it('by age removes whole segments, the oldest, and writes down what went', async () => {
    const directory = await threeDays();
    const before = await readManifest(directory);
    const options = { directory, nowMs: t0 + 3 * dayMs, keepMs: 1.5 * dayMs };
    const planned = await retainEvidence({ ...options, isRehearsal: true });
    expect(await readManifest(directory)).toEqual(before);
    const done = await retainEvidence(options);
    expect(done).toEqual(planned);
    // Writer ends carry the test log's own clock, which stands at t0.
    expect(done).toMatchObject({ rows: 7, bytesTooMany: 0 });
    expect(outcomesOf(await readAll(directory))).toEqual(['o2']);
    const { expired, removals } = await readManifest(directory);
    expect(removals).toBe(1);
    expect(expired).toContainEqual({
      kind: 'predictions',
      namespace: 'default',
      experiment: 'test',
      rows: 2,
      fromMs: t0,
      toMs: t0 + dayMs,
    });
    expect(await verifyEvidence({ directory })).toMatchObject({ isWhole: true });
    await retainEvidence({ ...options, nowMs: t0 + 9 * dayMs });
    expect((await readManifest(directory)).expired.find(({ kind }) => kind === 'predictions')?.rows).toBe(3);
    expect(await filesIn(directory, 'seg')).toEqual([]);
  });

  it('never touches what a running experiment still joins, whatever the limits say', async () => {
    const directory = await threeDays();
    const done = await retainEvidence({
      directory,
      nowMs: t0 + 2 * dayMs + 1,
      keepMs: 1,
      maxBytes: 1,
      longestWindowMs: 1.5 * dayMs,
    });
    expect(outcomesOf(await readAll(directory))).toEqual(['o1', 'o2']);
    expect(done.bytesTooMany).toBe(done.bytesLeft - 1);
  });

  it('by size removes the oldest until the rest fits, and leaves logs alone', async () => {
    const directory = await threeDays();
    await writeLog(directory, [outcome('unsealed')]);
    const { bytesLeft } = await retainEvidence({ directory, nowMs: t0 + 3 * dayMs });
    const done = await retainEvidence({ directory, nowMs: t0 + 3 * dayMs, maxBytes: bytesLeft - 1 });
    expect(done.segments).toBe(1);
    expect(done.bytesLeft).toBeLessThan(bytesLeft);
    await retainEvidence({ directory, nowMs: t0 + 3 * dayMs, maxBytes: 1 });
    expect(outcomesOf(await readAll(directory))).toEqual(['unsealed']);
  });

  it('counts records of a clock that was never set from the moment they were sealed', async () => {
    const directory = newDirectory();
    await writeLog(directory, [outcome('1', { timeMs: 5, receivedMs: 5 })]);
    await seal(directory, t0);
    expect(await retainEvidence({ directory, nowMs: t0 + 1, keepMs: dayMs })).toMatchObject({ rows: 0 });
    expect(await retainEvidence({ directory, nowMs: t0 + 2 * dayMs, keepMs: dayMs })).toMatchObject({ rows: 2 });
  });
});

describe('erasing a unit', () => {
  const unit = '0123456789abcdef';
  const byUnit = { kind: 'unit', unit } as const;
  const other = { kind: 'unit', unit: 'fedcba9876543210' } as const;

  async function directoryWithUnit(): Promise<string> {
    const directory = newDirectory();
    const about = (subject: { kind: 'request'; requestId: string }) => ({ subject });
    await writeLog(directory, [
      prediction('mine', { unit, requestId: 'mine-too' }),
      prediction('other', { unit: other.unit }),
      end('mine'),
      end('other'),
    ]);
    await seal(directory);
    await writeLog(directory, [
      mirror('mine'),
      mirror('other'),
      outcome('by-prediction', { subject: { kind: 'prediction', predictionId: 'mine' } }),
      outcome('by-request', about({ kind: 'request', requestId: 'mine-too' })),
      outcome('by-unit', { subject: byUnit }),
      outcome('elsewhere', { namespace: 'b', subject: { kind: 'prediction', predictionId: 'mine' } }),
      outcome('of-other', { subject: other }),
      outcome('of-nobody', { subject: { kind: 'prediction', predictionId: 'unknown' } }),
    ]);
    await seal(directory);
    return directory;
  }

  it('removes its predictions, their ends and mirrors, and every outcome that names it, and nothing else', async () => {
    const directory = await directoryWithUnit();
    const before = await readAll(directory);
    const done = await eraseUnit({ directory, unit, nowMs: t0 });
    expect(done).toMatchObject({
      rows: { predictions: 1, 'prediction-ends': 1, mirrors: 1, outcomes: 3, others: 0 },
      erasedBeforeMs: null,
    });
    const after = await readAll(directory);
    expect(idsOf(after)).toEqual(['mirror other', 'prediction other', 'prediction-end other']);
    expect(outcomesOf(after)).toEqual(['elsewhere', 'of-nobody', 'of-other']);
    // What is left is as it was, sequences too.
    const kept = new Set(after.map((record) => JSON.stringify(record)));
    expect(before.map((record) => JSON.stringify(record)).filter((text) => kept.has(text))).toHaveLength(after.length);
    expect(await verifyEvidence({ directory })).toMatchObject({ isWhole: true });
    for (const path of await filesIn(directory, ''))
      expect((await readFile(join(directory, path))).includes(unit), path).toBe(false);
  });

  it('takes outcomes of single rows along', async () => {
    const directory = newDirectory();
    const named = (predictionId: string) => outcome(predictionId, { subject: { kind: 'prediction', predictionId } });
    await writeLog(directory, [
      ...[0, 1].map((row) => prediction('b', { unit, row })),
      prediction('other'),
      ...['b#1', 'b#9', 'b', 'other#0'].map(named),
    ]);
    await seal(directory);
    expect((await eraseUnit({ directory, unit, nowMs: t0 })).rows).toMatchObject({ predictions: 2, outcomes: 3 });
    expect(outcomesOf(await readAll(directory))).toEqual(['other#0']);
  });

  it('is remembered by a digest, and changes nothing the second time', async () => {
    const directory = await directoryWithUnit();
    const { digest } = await eraseUnit({ directory, unit, nowMs: t0 });
    const manifest = await readManifest(directory);
    expect(manifest.erasures).toEqual([{ digest, erasedMs: t0, rows: expect.objectContaining({ outcomes: 3 }) }]);
    expect(manifest.removals).toBe(1);
    expect(await eraseUnit({ directory, unit, nowMs: t0 + 1 })).toMatchObject({ segments: 0, erasedBeforeMs: t0 });
    expect(await readManifest(directory)).toEqual(manifest);
  });

  it('finds the unit in lines of a newer version too', async () => {
    const directory = newDirectory();
    await writeLog(directory, [
      { ...prediction('new', { unit }), kind: 'replay' } as unknown as NewRecord,
      { ...prediction('old'), kind: 'replay' } as unknown as NewRecord,
    ]);
    await seal(directory);
    expect((await eraseUnit({ directory, unit, nowMs: t0 })).rows.others).toBe(1);
  });

  it('refuses what is no unit key', async () => {
    await expect(eraseUnit({ directory: newDirectory(), unit: 'user-17', nowMs: t0 })).rejects.toMatchObject({
      code: 'usage-invalid',
      message: 'the unit key is "user-17", must be 16 hex digits',
    });
  });
});

describe('a report', () => {
  const asked: AnalysisPlan = plan([
    metric('accuracy', 'prediction == outcome.label'),
    metric('latency', 'attempt_ms'),
  ]);
  const records = (from: number): readonly NewRecord[] =>
    [0, 1, 2].flatMap((index) => {
      const id = String(from + index);
      return [
        prediction(id, { assigned: index % 2 === 0 ? 'a' : 'b', unit: `${id}`.padStart(16, '0'), streaming: true }),
        end(id),
        outcome(id, { value: index % 2 }),
      ];
    });

  it('is the same from logs, from segments and from both, and follows while they move', async () => {
    const directory = newDirectory();
    await writeLog(directory, records(0));
    await writeLog(directory, records(3));
    const log = await openLog(directory);
    await log.appendDurable(records(6));
    const following = await openDuckdbAnalytics({ directory });
    const ask = async (): Promise<unknown> => {
      const fresh = await openDuckdbAnalytics({ directory });
      const [old, young] = [await following.summarise(asked), await fresh.summarise(asked)];
      await fresh.close();
      expect(young).toEqual(old);
      return young;
    };
    const before = await ask();
    await log.roll();
    await seal(directory);
    expect(await ask()).toEqual(before);
    await compactSegments({ directory });
    expect(await ask()).toEqual(before);
    await log.appendDurable(records(9));
    const more = await ask();
    expect(more).not.toEqual(before);
    await log.roll();
    await seal(directory);
    expect(await ask()).toEqual(more);
    await log.close();
    await following.close();
  });

  it('forgets a unit that was erased and evidence that expired, also in a kept state', async () => {
    const directory = newDirectory();
    const stateFile = join(newDirectory(), 'state.duckdb');
    await writeLog(directory, records(0));
    await seal(directory);
    let expired: number | undefined;
    const unitsOf = async (): Promise<number> => {
      const analytics = await openDuckdbAnalytics({ directory, stateFile });
      const { variants, health } = await analytics.summarise(asked);
      await analytics.close();
      expired = health?.expired;
      return variants.reduce((sum, { units }) => sum + units, 0);
    };
    expect(await unitsOf()).toBe(3);
    await eraseUnit({ directory, unit: '2'.padStart(16, '0'), nowMs: t0 });
    expect(await unitsOf()).toBe(2);
    expect(expired).toBeUndefined();
    await retainEvidence({ directory, nowMs: t0 + 2 * dayMs, keepMs: dayMs });
    expect(await unitsOf()).toBe(0);
    expect(expired).toBe(2);
  });
});

describe('looking through the evidence', () => {
  it('says of each writer what is there', async () => {
    const directory = newDirectory();
    const sealed = await writeLog(directory, [outcome('1'), prediction('1')]);
    await seal(directory);
    const log = await openLog(directory);
    await log.appendDurable([outcome('2')]);
    const found = await verifyEvidence({ directory });
    const nothing = { erased: 0, expired: 0, missing: 0, tailBytes: 0 };
    expect(found.writers).toEqual(
      [
        { writer: sealed, sealed: 3, logged: 0, last: 3, ended: true, ...nothing },
        { writer: log.status().writer, sealed: 0, logged: 1, last: 1, ended: false, ...nothing },
      ].sort((a, b) => (a.writer < b.writer ? -1 : 1)),
    );
    expect(found).toMatchObject({ isWhole: true, segments: 3, logFiles: 1, faults: [] });
    await log.close();
  });

  it('finds each kind of damage, and names the file', async () => {
    const directory = newDirectory();
    await writeLog(directory, [outcome('1'), prediction('1')]);
    const writer = await writeLog(directory, [outcome('2'), outcome('3'), outcome('4')], { maxSegmentBytes: 1 });
    const log = (sequence: number): string =>
      join(directory, 'log', writer, `${sequence}`.padStart(16, '0').concat('.log'));
    const kept = newDirectory();
    const faultsAfter = async (damage: () => Promise<void>, file: string): Promise<readonly string[]> => {
      await copyFile(file, join(kept, 'file'));
      await damage();
      const { faults } = await verifyEvidence({ directory });
      await copyFile(join(kept, 'file'), file);
      expect((await verifyEvidence({ directory })).faults).toEqual([]);
      return faults;
    };
    const flip = async (file: string): Promise<void> => {
      const bytes = await readFile(file);
      bytes[30] = (bytes[30] ?? 0) ^ 1;
      await writeFile(file, bytes);
    };
    expect(await faultsAfter(() => flip(log(2)), log(2))).toEqual([
      expect.stringContaining(`${log(2)} is wrong at byte 16`),
      expect.stringContaining('lacks 1 of its 4 sequences'),
    ]);
    expect(await faultsAfter(() => rm(log(1)), log(1))).toEqual([
      `writer ${writer} lacks 1 of its 4 sequences, must have every one`,
    ]);
    await seal(directory);
    const [segment] = (await readManifest(directory)).segments;
    const file = join(directory, (segment as Segment).path);
    expect(await faultsAfter(() => flip(file), file)).toEqual([`${file} does not match its checksum in the manifest`]);
    expect(await faultsAfter(() => rm(file), file)).toEqual([
      expect.stringContaining(`${file} cannot be read: ENOENT`),
    ]);
  });
});

describe('a backup', () => {
  it('is one moment of a directory that is being written, and comes back as it was', async () => {
    const directory = newDirectory();
    await writeLog(directory, [prediction('1'), outcome('1')]);
    await seal(directory);
    const log = await openLog(directory);
    await log.appendDurable([outcome('2')]);
    await writeFile(join(directory, 'control.log'), 'one line\n', { mode: 0o600 });
    await writeFile(join(directory, 'unit.key'), 'a key\n', { mode: 0o600 });
    const before = await readAll(directory);
    const to = join(newDirectory(), 'backup');
    const done = await backUpEvidence({ directory, to, nowMs: t0 });
    expect(done.verification).toMatchObject({ isWhole: true, sealedRows: 3 });
    await log.appendDurable([outcome('3')]);
    await log.close();

    const restored = join(newDirectory(), 'data');
    expect(await restoreEvidence({ from: to, directory: restored })).toMatchObject({ files: done.files });
    expect(await readAll(restored)).toEqual(before);
    expect(await readFile(join(restored, 'control.log'), 'utf8')).toBe('one line\n');
    expect((await stat(join(restored, 'unit.key'))).mode & 0o777).toBe(0o600);
    // The copy is a directory of its own: it goes on under new writers, and the backup stays.
    await writeLog(restored, [outcome('4')]);
    await seal(restored);
    expect(outcomesOf(await readAll(restored))).toEqual(['1', '2', '4']);
    expect(outcomesOf(await readAll(to))).toEqual(['1', '2']);
  });

  it('leaves the unit key out on request', async () => {
    const directory = newDirectory();
    await writeLog(directory, [outcome('1')]);
    await writeFile(join(directory, 'unit.key'), 'a key\n');
    const to = join(newDirectory(), 'backup');
    await backUpEvidence({ directory, to, nowMs: t0, withUnitKey: false });
    expect(await filesIn(to, '')).not.toContain('unit.key');
  });

  it('goes nowhere where something is, and comes from nothing that has changed', async () => {
    const directory = newDirectory();
    await writeLog(directory, [outcome('1')]);
    await expect(backUpEvidence({ directory, to: directory, nowMs: t0 })).rejects.toMatchObject({
      code: 'data-directory-unusable',
      message: `${directory} holds log, must be empty or missing`,
    });
    const to = join(newDirectory(), 'backup');
    await backUpEvidence({ directory, to, nowMs: t0 });
    await expect(restoreEvidence({ from: to, directory })).rejects.toMatchObject({ code: 'data-directory-unusable' });
    const [file = ''] = await filesIn(to, 'log');
    await writeFile(join(to, file), 'changed');
    const target = join(newDirectory(), 'data');
    await expect(restoreEvidence({ from: to, directory: target })).rejects.toMatchObject({
      code: 'evidence-corrupt',
      message: `${join(to, file)} is not as it was backed up`,
    });
    expect(await filesIn(target, '')).toEqual([]);
    await expect(restoreEvidence({ from: newDirectory(), directory: target })).rejects.toMatchObject({
      code: 'input-invalid',
    });
    const list = join(to, 'backup.json');
    await writeFile(list, (await readFile(list, 'utf8')).replace('"log/', '"../log/'));
    await expect(restoreEvidence({ from: to, directory: target })).rejects.toThrow('must name files below it');
  });
});
