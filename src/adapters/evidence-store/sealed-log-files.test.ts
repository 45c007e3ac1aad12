import { afterAll, describe, expect, it } from 'vitest';
import { outcome, prediction, t0 } from '../analytics-records.fixture.ts';
import { compactSegments } from './compact-segments.ts';
import { eraseUnit } from './erase-unit.ts';
import { readManifest } from './manifest.ts';
import { createSegmentReceiver } from './receive-segment.ts';
import { retainEvidence } from './retain-evidence.ts';
import { sealLogs } from './seal-logs.ts';
import { dropSegments, sealedLogFiles } from './sealed-log-files.ts';
import { filesIn, newDirectory, readAll, removeDirectories, writeLog } from './store-directory.fixture.ts';
import { verifyEvidence } from './verify-evidence.ts';

afterAll(removeDirectories);

const erased = 'feedfacecafebeef';

/** Hands everything sealed from one directory to another. */
async function handOver(from: string, to: string): Promise<readonly boolean[]> {
  const receiver = createSegmentReceiver({ directory: to, isOwn: () => false });
  const repeats: boolean[] = [];
  for await (const { bytes, ...place } of sealedLogFiles(from, await readManifest(from))) {
    const received = await receiver.receive({
      ...place,
      bytes: (async function* () {
        yield bytes;
      })(),
    });
    repeats.push(received.isRepeat);
  }
  return repeats;
}

describe('sealed evidence on its way to another server', () => {
  it('arrives as it was written, also twice, also when segments were merged, and is whole there', async () => {
    const from = newDirectory();
    const to = newDirectory();
    for (const name of ['1', '2', '3']) {
      await writeLog(from, [prediction(name), outcome(name), prediction(`${name}x`, { at: 50, prediction: 0.25 })]);
      await sealLogs({ directory: from, nowMs: t0 });
    }
    await compactSegments({ directory: from, atLeast: 2 });
    const written = await readAll(from);
    expect(written.length).toBeGreaterThanOrEqual(9);
    expect(await handOver(from, to)).toEqual([false, false, false]);
    expect(await handOver(from, to)).toEqual([true, true, true]);
    expect(await readAll(to)).toEqual(written);
    expect(await verifyEvidence({ directory: to })).toMatchObject({ isWhole: true, faults: [] });
    await sealLogs({ directory: to, nowMs: t0 });
    expect(await handOver(from, to)).toEqual([true, true, true]);
    expect(await readAll(to)).toEqual(written);
  });

  it('has no gaps where records were erased or have expired', async () => {
    const from = newDirectory();
    const to = newDirectory();
    await writeLog(from, [outcome('old'), prediction('1', { unit: erased }), prediction('2', { at: 864e5 * 40 })]);
    await sealLogs({ directory: from, nowMs: t0 });
    await eraseUnit({ directory: from, unit: erased, nowMs: t0 });
    await retainEvidence({ directory: from, nowMs: t0 + 864e5 * 41, keepMs: 864e5 * 30 });
    const left = await readAll(from);
    expect(left.flatMap((record) => (record.kind === 'prediction' ? [record.predictionId] : []))).toHaveLength(1);
    expect(await handOver(from, to)).toEqual([false]);
    expect(await readAll(to)).toEqual(left);
    expect(await verifyEvidence({ directory: to })).toMatchObject({ isWhole: true, faults: [] });
  });

  it('goes once it has arrived, unless something has changed meanwhile', async () => {
    const directory = newDirectory();
    await writeLog(directory, [outcome('1')]);
    await sealLogs({ directory, nowMs: t0 });
    const before = await readManifest(directory);
    await writeLog(directory, [outcome('2')]);
    await sealLogs({ directory, nowMs: t0 });
    expect(await dropSegments(directory, before)).toBe(false);
    expect(await readAll(directory)).toHaveLength(4);
    expect(await dropSegments(directory, await readManifest(directory))).toBe(true);
    expect(await readAll(directory)).toEqual([]);
    expect(await filesIn(directory, 'seg')).toEqual([]);
    expect(await verifyEvidence({ directory })).toMatchObject({ isWhole: true, faults: [] });
  });
});
