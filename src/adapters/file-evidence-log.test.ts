import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync } from 'node:fs';
import { open as openFile, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { AssayError } from '../errors.ts';
import { describeEvidenceLog, outcomeRecord } from '../evidence/evidence-log.contract.ts';
import { decodeRecord, type LogRecord } from '../evidence/index.ts';
import { createCountingObserver } from './counting-observer.ts';
import { type FileEvidenceLogOptions, openEvidenceLog } from './file-evidence-log.ts';
import { encodeHeader, headerBytes } from './log-frames.ts';
import { isLogOwned } from './log-owner.ts';
import { readLog } from './read-evidence-log.ts';

const made: string[] = [];
const newDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'assay-log-'));
  made.push(directory);
  return directory;
};
afterAll(async () => {
  for (const directory of made) await rm(directory, { recursive: true, force: true });
});

const open = (directory: string, options: Partial<FileEvidenceLogOptions> = {}) =>
  openEvidenceLog({
    directory,
    now: () => 1_700_000_001_000,
    observer: createCountingObserver({ now: Date.now }),
    ...options,
  });

async function readRecords(directory: string): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const piece of readLog(directory)) {
    if (piece.kind === 'tail') continue;
    for (const line of piece.payload.toString('utf8').trimEnd().split('\n')) {
      const decoded = decodeRecord(JSON.parse(line));
      if (decoded.kind !== 'record') throw new Error(`unexpected ${decoded.kind}`);
      records.push(decoded.record);
    }
  }
  return records;
}

async function readIds(directory: string): Promise<readonly string[]> {
  return (await readRecords(directory)).flatMap((record) => (record.kind === 'outcome' ? [record.id] : []));
}

async function filesOf(directory: string): Promise<readonly string[]> {
  const names = await readdir(join(directory, 'log'), { recursive: true });
  return names
    .filter((name) => name.endsWith('.log'))
    .sort()
    .map((name) => join(directory, 'log', name));
}

describeEvidenceLog('the file log', async () => {
  const directory = newDirectory();
  const log = await open(directory);
  return { log, read: () => readRecords(directory), cleanUp: () => log.close() };
});

describe('the file log', () => {
  it('seals a file at its size limit and goes on in the next, named for its first sequence', async () => {
    const directory = newDirectory();
    const log = await open(directory, { maxSegmentBytes: 1_000 });
    for (let index = 0; index < 20; index += 1) await log.appendDurable([outcomeRecord(String(index))]);
    await log.close();
    const files = await filesOf(directory);
    expect(files.length).toBeGreaterThan(3);
    for (const file of files.slice(1)) {
      const first = JSON.parse((await readFile(file)).toString('utf8', headerBytes + 8).split('\n')[0] as string);
      expect(file.endsWith(`/${String(first.sequence).padStart(16, '0')}.log`)).toBe(true);
    }
    expect(await readIds(directory)).toEqual(Array.from({ length: 20 }, (_, index) => String(index)));
  });

  it('makes an append durable within the group-commit time without anybody waiting for it', async () => {
    const directory = newDirectory();
    const log = await open(directory, { groupCommitMs: 5 });
    log.append([outcomeRecord('a')]);
    await expect.poll(() => log.status().durable, { interval: 5 }).toBe(1);
    expect(await readIds(directory)).toEqual(['a']);
    await log.close();
  });

  it('writes records that wait together as one frame', async () => {
    const directory = newDirectory();
    const log = await open(directory);
    await Promise.all(Array.from({ length: 100 }, (_, index) => log.appendDurable([outcomeRecord(String(index))])));
    const pieces: string[] = [];
    for await (const piece of readLog(directory)) pieces.push(piece.kind);
    expect(pieces).toEqual(['frame']);
    await log.close();
  });

  it('goes on reading from a remembered place', async () => {
    const directory = newDirectory();
    const log = await open(directory);
    await log.appendDurable([outcomeRecord('a')]);
    const after = new Map();
    for await (const piece of readLog(directory)) if (piece.kind === 'frame') after.set(piece.writer, piece.next);
    await log.appendDurable([outcomeRecord('b')]);
    const payloads: string[] = [];
    for await (const piece of readLog(directory, { after })) {
      if (piece.kind === 'frame') payloads.push(JSON.parse(piece.payload.toString('utf8')).id);
    }
    expect(payloads).toEqual(['b']);
    await log.close();
  });

  it('refuses what exceeds the bytes that may wait for the disk', async () => {
    const log = await open(newDirectory(), { maxQueueBytes: 2_000 });
    const answers = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => log.appendDurable([outcomeRecord(String(index))])),
    );
    const refused = answers.filter(({ status }) => status === 'rejected').length;
    expect(refused).toBeGreaterThan(0);
    expect(log.status()).toMatchObject({ appended: 20, durable: 20 - refused, lost: refused, fault: null });
    await log.close();
  });

  it('refuses a group-commit time above 5 ms', async () => {
    await expect(open(newDirectory(), { groupCommitMs: 6 })).rejects.toThrow('groupCommitMs is 6, must be in [0, 5]');
  });

  it('names the directory it cannot write to', async () => {
    const directory = newDirectory();
    await writeFile(join(directory, 'log'), 'a file where a folder should be');
    const error = await open(directory).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(AssayError);
    expect((error as AssayError).code).toBe('data-directory-unusable');
    expect((error as AssayError).message).toContain(join(directory, 'log'));
  });

  it.skipIf(process.getuid?.() === 0)('refuses a read-only directory', async () => {
    const directory = newDirectory();
    chmodSync(directory, 0o500);
    await expect(open(directory)).rejects.toMatchObject({ code: 'data-directory-unusable' });
  });
});

describe('a damaged log', () => {
  async function fill(): Promise<{
    readonly directory: string;
    readonly file: string;
    readonly ends: readonly number[];
  }> {
    const directory = newDirectory();
    const log = await open(directory);
    for (let index = 0; index < 5; index += 1) await log.appendDurable([outcomeRecord(String(index))]);
    await log.close();
    const ends: number[] = [headerBytes];
    for await (const piece of readLog(directory)) if (piece.kind === 'frame') ends.push(piece.next.offset);
    const [file = ''] = await filesOf(directory);
    return { directory, file, ends };
  }

  it('gives the records before a torn tail, wherever it was torn', async () => {
    const { directory, file, ends } = await fill();
    const whole = await readFile(file);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.length }), async (length) => {
        await writeFile(file, whole.subarray(0, length));
        const expected = Math.max(0, ends.filter((end) => end <= length).length - 1);
        expect(await readRecords(directory)).toHaveLength(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('never gives a changed record: a flipped bit is a dropped tail in the last frame and corruption before it', async () => {
    const { directory, file, ends } = await fill();
    const whole = await readFile(file);
    const lastFrame = ends.at(-2) as number;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: whole.length - 1 }),
        fc.integer({ min: 0, max: 7 }),
        async (at, bit) => {
          const damaged = Buffer.from(whole);
          damaged.writeUInt8(damaged.readUInt8(at) ^ (1 << bit), at);
          await writeFile(file, damaged);
          if (at >= lastFrame) expect(await readRecords(directory)).toHaveLength(5);
          else await expect(readIds(directory)).rejects.toMatchObject({ code: 'evidence-corrupt' });
        },
      ),
      { numRuns: 80 },
    );
  });

  it('drops a tail that the file system filled with zeros', async () => {
    const { directory, file } = await fill();
    await writeFile(file, Buffer.concat([await readFile(file), Buffer.alloc(5_000)]));
    expect(await readIds(directory)).toHaveLength(5);
  });

  it('names file and byte of a wrong frame in a sealed file', async () => {
    const directory = newDirectory();
    const log = await open(directory, { maxSegmentBytes: 1 });
    for (let index = 0; index < 3; index += 1) await log.appendDurable([outcomeRecord(String(index))]);
    await log.close();
    const [, file = ''] = await filesOf(directory);
    await writeFile(file, (await readFile(file)).subarray(0, -1));
    await expect(readIds(directory)).rejects.toThrow(`${file} is wrong at byte ${headerBytes}: `);
  });

  it('refuses a format of the future instead of guessing', async () => {
    const { directory, file } = await fill();
    const header = encodeHeader();
    header.writeUInt32LE(2, 8);
    const { crc32 } = await import('node:zlib');
    header.writeUInt32LE(crc32(header.subarray(0, 12)), 12);
    const whole = await readFile(file);
    await writeFile(file, Buffer.concat([header, whole.subarray(headerBytes)]));
    await expect(readIds(directory)).rejects.toThrow('its format version is 2, must be 1');
  });
});

describe('a disk whose flush fails', () => {
  /** Makes the next fdatasync of any file fail as a dying disk does; the kernel gives no other way to see it. */
  async function failNextFlush(directory: string): Promise<void> {
    const handle = await openFile(join(directory, 'probe'), 'w');
    const prototype = Object.getPrototypeOf(handle) as { datasync: () => Promise<void> };
    await handle.close();
    const { datasync } = prototype;
    prototype.datasync = () => {
      prototype.datasync = datasync;
      return Promise.reject(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }));
    };
  }

  it('stops the acknowledgements, is told, and the file is never touched again', async () => {
    const directory = newDirectory();
    const faults: string[] = [];
    const observer = createCountingObserver({ now: Date.now, onFault: ({ message }) => faults.push(message) });
    const log = await open(directory, { observer, recoverMs: 20 });
    await log.appendDurable([outcomeRecord('a')]);
    const [file = ''] = await filesOf(directory);
    await failNextFlush(directory);
    const refused = [log.appendDurable([outcomeRecord('b')]), log.appendDurable([outcomeRecord('c')])];
    for (const each of refused) await expect(each).rejects.toMatchObject({ code: 'evidence-not-durable' });
    expect(log.status()).toMatchObject({ durable: 1, lost: 2, fault: expect.stringContaining('EIO') });
    expect(faults).toEqual([expect.stringContaining('cannot be made durable: EIO')]);
    await expect(log.appendDurable([outcomeRecord('d')])).rejects.toMatchObject({ code: 'evidence-not-durable' });
    const { size } = await stat(file);
    // The same file is not tried again: the kernel may have dropped the bytes and call the next flush a success.
    await expect.poll(() => log.status().fault, { interval: 5 }).toBeNull();
    await log.appendDurable([outcomeRecord('e')]);
    await log.close();
    expect((await stat(file)).size).toBe(size);
    const files = await filesOf(directory);
    expect(new Set(files.map((name) => name.split('/').at(-2))).size).toBe(2);
    expect(await readIds(directory)).toEqual(expect.arrayContaining(['a', 'e']));
  });

  it('refuses while the next file cannot be begun, also when it was only due by age', async () => {
    const directory = newDirectory();
    const log = await open(directory, { recoverMs: 20 });
    await log.appendDurable([outcomeRecord('a')]);
    await failNextFlush(directory);
    await log.roll();
    expect(log.status().fault).toContain('EIO');
    await expect.poll(() => log.status().fault, { interval: 5 }).toBeNull();
    await log.appendDurable([outcomeRecord('b')]);
    await log.close();
    expect(await readIds(directory)).toHaveLength(2);
  });
});

describe('a file that is due', () => {
  it('is closed by its age though nobody fills it, whatever the wall clock does', async () => {
    const directory = newDirectory();
    const times = [5e12, -3, 8e15, 1];
    const log = await open(directory, { maxSegmentAgeMs: 30, now: () => times.shift() ?? 0 });
    await log.appendDurable([outcomeRecord('a')]);
    await expect.poll(() => filesOf(directory), { interval: 5 }).toHaveLength(2);
    await log.appendDurable([outcomeRecord('b')]);
    await expect.poll(() => filesOf(directory), { interval: 5 }).toHaveLength(3);
    await log.close();
    expect(await readIds(directory)).toEqual(['a', 'b']);
  });

  it('is closed on request with everything that was appended before, and only when there is something in it', async () => {
    const directory = newDirectory();
    const log = await open(directory);
    await log.roll();
    expect(await filesOf(directory)).toHaveLength(1);
    log.append([outcomeRecord('a'), outcomeRecord('b')]);
    const rolled = log.roll();
    const later = log.appendDurable([outcomeRecord('c')]);
    await Promise.all([rolled, later, log.roll()]);
    await log.close();
    await log.roll();
    const sequences = (await readRecords(directory)).map(({ sequence }) => sequence);
    expect(sequences).toEqual([1, 2, 3, 4]);
    expect((await filesOf(directory)).length).toBeGreaterThan(1);
  });

  it('is closed on request while senders that wait for each record leave no gap', async () => {
    const directory = newDirectory();
    const log = await open(directory);
    let acknowledged = 0;
    let isOver = false;
    const senders = Array.from({ length: 8 }, async (_, sender) => {
      for (let i = 0; !isOver; i++) {
        await log.appendDurable([outcomeRecord(`${sender}-${i}`)]);
        acknowledged++;
      }
    });
    await expect.poll(() => acknowledged).toBeGreaterThan(40);
    await Promise.all([log.roll(), log.roll()]);
    isOver = true;
    await Promise.all(senders);
    await log.close();
    expect((await filesOf(directory)).length).toBeGreaterThan(1);
    expect(await readIds(directory)).toHaveLength(acknowledged);
  });

  it('tells other processes whether somebody writes to it', async () => {
    const directory = newDirectory();
    const log = await open(directory);
    const folder = join(directory, 'log', log.status().writer);
    expect(await isLogOwned(folder)).toBe(true);
    await log.close();
    expect(await isLogOwned(folder)).toBe(false);
    await writeFile(join(folder, 'owner'), JSON.stringify({ pid: 2 ** 30, started: null }));
    expect(await isLogOwned(folder)).toBe(false);
  });
});

describe('a writer whose disk is full', () => {
  const fixture = fileURLToPath(new URL('./evidence-log-writer.fixture.ts', import.meta.url));

  /** Lines the writer printed until it was killed. */
  async function run(
    directory: string,
    options: { readonly forMs: number; readonly maxSegmentBytes: number; readonly blocks?: number },
  ): Promise<readonly string[]> {
    const command = `exec "${process.execPath}" --import tsx "${fixture}" "${directory}" ${options.maxSegmentBytes}`;
    const limit = options.blocks === undefined ? '' : `ulimit -f ${options.blocks}; trap '' XFSZ; `;
    const child: ChildProcess = spawn('bash', ['-c', limit + command], { stdio: ['ignore', 'pipe', 'inherit'] });
    let printed = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    child.stdout?.once('data', () => setTimeout(() => child.kill('SIGKILL'), options.forMs));
    await new Promise((resolve) => child.on('close', resolve));
    // The last line may be cut off by the kill.
    return printed.split('\n').slice(0, -1);
  }

  it('refuses, keeps what it acknowledged and goes on in a new file when the disk takes no more', async () => {
    const directory = newDirectory();
    // Files beyond 64 KB fail with EFBIG, as a full disk fails with ENOSPC.
    const lines = await run(directory, { forMs: 700, maxSegmentBytes: 67_108_864, blocks: 64 });
    const refused = lines.filter((line) => line.startsWith('refused '));
    const acknowledged = lines.filter((line) => !line.startsWith('refused '));
    expect(refused.length).toBeGreaterThan(0);
    const writers = await readdir(join(directory, 'log'));
    expect(writers.length).toBeGreaterThan(1);
    for (const file of await filesOf(directory)) expect((await stat(file)).size).toBeLessThanOrEqual(65_536);
    const kept = new Set(await readIds(directory));
    expect(acknowledged.length).toBeGreaterThan(100);
    expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
  });
});
