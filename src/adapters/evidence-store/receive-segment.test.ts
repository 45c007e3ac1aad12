import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { outcome, t0 } from '../analytics-records.fixture.ts';
import { createSegmentReceiver } from './receive-segment.ts';
import { retainEvidence } from './retain-evidence.ts';
import { sealLogs } from './seal-logs.ts';
import { filesIn, newDirectory, readAll, removeDirectories, writeLog } from './store-directory.fixture.ts';
import { verifyEvidence } from './verify-evidence.ts';

afterAll(removeDirectories);

const own = '0'.repeat(16);
const receiverOf = (directory: string, maxBytes?: number) =>
  createSegmentReceiver({
    directory,
    isOwn: (writer) => writer === own,
    ...(maxBytes === undefined ? {} : { maxBytes }),
  });

async function* inPieces(bytes: Buffer, size = 100): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

/** A writer's log in files of one record each: outcomes 1, 2, 3, then its end. */
async function handedOver(): Promise<{ readonly writer: string; readonly files: readonly Buffer[] }> {
  const directory = newDirectory();
  const writer = await writeLog(directory, [outcome('1'), outcome('2'), outcome('3')], { maxSegmentBytes: 1 });
  const names = await filesIn(directory, 'log');
  return { writer, files: await Promise.all(names.map((name) => readFile(join(directory, name)))) };
}

describe('a server that takes evidence in', () => {
  it('keeps a file once, however often it comes, before and after it was sealed and has expired', async () => {
    const directory = newDirectory();
    const { receive, isActive } = receiverOf(directory);
    const { writer, files } = await handedOver();
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = files;
    const hand = (at: number, file: Buffer) => receive({ writer, first: at, bytes: inPieces(file) });
    const range = { writer, first: 1, last: 1 };
    expect(isActive(writer)).toBe(false);
    expect(await hand(1, first)).toEqual({ ...range, isRepeat: false });
    expect(isActive(writer)).toBe(true);
    expect(await hand(1, first)).toEqual({ ...range, isRepeat: true });
    const both = await Promise.all([hand(2, second), hand(2, second)]);
    expect(both.map(({ last }) => last)).toEqual([2, 2]);
    expect(both.filter(({ isRepeat }) => isRepeat)).toHaveLength(1);
    await sealLogs({ directory, nowMs: t0 });
    expect(await filesIn(directory, 'log')).toEqual([]);
    expect(await hand(1, first)).toEqual({ ...range, isRepeat: true });
    expect((await readAll(directory)).map(({ sequence }) => sequence)).toEqual([1, 2]);
    await retainEvidence({ directory, nowMs: t0 * 2, keepMs: 1 });
    expect(await hand(1, first)).toEqual({ ...range, isRepeat: true });
    expect(await readAll(directory)).toEqual([]);
    expect(await verifyEvidence({ directory })).toMatchObject({ isWhole: true });
    expect(await filesIn(directory, 'incoming')).toEqual([]);
  });

  it('refuses what is not whole, not in order or not that writer’s, and keeps nothing of it', async () => {
    const directory = newDirectory();
    const { receive } = receiverOf(directory, 10_000);
    const { writer, files } = await handedOver();
    const [file = Buffer.alloc(0), second = Buffer.alloc(0)] = files;
    const flipped = Buffer.from(file);
    flipped[40] = (flipped[40] ?? 0) ^ 1;
    const newer = Buffer.from(file);
    const cases: readonly (readonly [Parameters<typeof receive>[0], string, string])[] = [
      [{ writer: '../../etc', first: 1, bytes: inPieces(file) }, 'segment-invalid', 'must be 16 hex digits'],
      [{ writer: own, first: 1, bytes: inPieces(file) }, 'segment-invalid', 'of another server'],
      [{ writer: 'a'.repeat(16), first: 1, bytes: inPieces(file) }, 'segment-invalid', `must hold ${'a'.repeat(16)}/1`],
      [{ writer, first: 0, bytes: inPieces(file) }, 'segment-invalid', 'first is 0'],
      [{ writer, first: Number.NaN, bytes: inPieces(file) }, 'segment-invalid', 'first is NaN'],
      [{ writer, first: 2, bytes: inPieces(file) }, 'segment-invalid', `must hold ${writer}/2 there`],
      [{ writer, first: 1, bytes: inPieces(Buffer.alloc(0)) }, 'segment-invalid', 'is empty'],
      [{ writer, first: 1, bytes: inPieces(file.subarray(0, 16)) }, 'segment-invalid', 'is empty'],
      [{ writer, first: 1, bytes: inPieces(file.subarray(0, -1)) }, 'segment-invalid', 'ends within a frame'],
      [{ writer, first: 1, bytes: inPieces(flipped) }, 'segment-invalid', 'ends within a frame at byte 16'],
      [{ writer, first: 1, bytes: inPieces(newer.fill(0, 0, 8)) }, 'segment-invalid', 'wrong at byte 0'],
      [{ writer, first: 1, bytes: inPieces(Buffer.alloc(10_001)) }, 'body-too-large', 'larger than 10000 bytes'],
    ];
    for (const [segment, code, message] of cases)
      await expect(receive(segment), message).rejects.toMatchObject({
        code,
        message: expect.stringContaining(message),
      });
    expect(await filesIn(directory, '')).toEqual([]);
    // What lies before the newest would never be read: the sender must keep it.
    await receive({ writer, first: 2, bytes: inPieces(second) });
    await expect(receive({ writer, first: 1, bytes: inPieces(file) })).rejects.toMatchObject({
      code: 'segment-conflict',
      message: `the segment begins with ${writer}/1, must begin after ${writer}/2, the last one here`,
    });
  });

  it('acknowledges nothing when the connection breaks, and clears what a killed one left', async () => {
    const directory = newDirectory();
    await mkdir(join(directory, 'incoming', 'left', 'log'), { recursive: true });
    const { receive } = receiverOf(directory);
    const { writer, files } = await handedOver();
    async function* broken(): AsyncGenerator<Buffer> {
      yield (files[0] ?? Buffer.alloc(0)).subarray(0, 20);
      throw new Error('ECONNRESET');
    }
    await expect(receive({ writer, first: 1, bytes: broken() })).rejects.toThrow('ECONNRESET');
    expect(await filesIn(directory, '')).toEqual([]);
  });
});
