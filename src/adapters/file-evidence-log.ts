// The durable evidence log: records are collected for a moment, written as one frame, and acknowledged after an fdatasync.
import { randomBytes } from 'node:crypto';
import { access, constants, type FileHandle, mkdir, open, rm, rmdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { AssayError } from '../errors.ts';
import {
  type EvidenceLog,
  type EvidenceLogStatus,
  encodeRecord,
  type NewRecord,
  type Observer,
} from '../evidence/index.ts';
import { syncDirectory, writeAll } from './durable-files.ts';
import { encodeFrame, encodeHeader, headerBytes, maxPayloadBytes } from './log-frames.ts';
import { claimLog, releaseLog } from './log-owner.ts';

/** Options of `openEvidenceLog`. */
export interface FileEvidenceLogOptions {
  /** The data directory; the log stands in `log/WRITER/` beneath it. */
  readonly directory: string;
  /** Epoch milliseconds; dates the `writer-end` record. */
  readonly now: () => number;
  readonly observer: Observer;
  /** How long undemanding records wait for company, 0..5; default 2. */
  readonly groupCommitMs?: number;
  /** A file is closed once it is at least this long; default 64 MB. */
  readonly maxSegmentBytes?: number;
  /** And once its first record is at least this old, by a clock that never jumps; default 300,000. */
  readonly maxSegmentAgeMs?: number;
  /** Records waiting for the disk beyond this are refused or lost; default 64 MB. */
  readonly maxQueueBytes?: number;
  /** Pause between attempts to go on after a fault; default 2,000. */
  readonly recoverMs?: number;
}

/** One frame holds about this much. */
const frameBytes = 1024 * 1024;

interface Waiter {
  readonly accept: () => void;
  readonly reject: (error: AssayError) => void;
}

/** Records that will share a write and an fdatasync. */
interface Batch {
  lines: string[];
  bytes: number;
  waiters: Waiter[];
}

interface Segment {
  readonly path: string;
  readonly handle: FileHandle;
  bytes: number;
}

/** An evidence log whose newest file can be closed on request. */
export interface FileEvidenceLog extends EvidenceLog {
  /** Resolves once everything appended so far stands in files that are never written to again, or cannot be written at all. */
  roll(): Promise<void>;
}

/**
 * Opens a log under a new random writer id.
 *
 * After a fault of the disk nothing is acknowledged; the log goes on under another writer id as soon as a new file can be made durable.
 *
 * @throws AssayError `data-directory-unusable` when the first file cannot be made.
 */
export async function openEvidenceLog(options: FileEvidenceLogOptions): Promise<FileEvidenceLog> {
  const { now, observer } = options;
  const directory = resolve(options.directory);
  const groupCommitMs = options.groupCommitMs ?? 2;
  if (!(groupCommitMs >= 0 && groupCommitMs <= 5)) {
    throw new RangeError(`groupCommitMs is ${groupCommitMs}, must be in [0, 5]`);
  }
  const maxSegmentBytes = options.maxSegmentBytes ?? 64 * 1024 * 1024;
  const maxSegmentAgeMs = options.maxSegmentAgeMs ?? 300_000;
  const maxQueueBytes = options.maxQueueBytes ?? 64 * 1024 * 1024;
  const recoverMs = options.recoverMs ?? 2_000;

  let writer = newWriter();
  let sequence = 0;
  let segment: Segment;
  try {
    segment = await createSegment({ directory, writer, firstSequence: 1 });
  } catch (cause) {
    throw new AssayError(
      'data-directory-unusable',
      `${join(directory, 'log')} cannot be written: ${await refusalOf(directory, cause)}, must be a writable directory`,
      { cause },
    );
  }

  let appended = 0;
  let durable = 0;
  let lost = 0;
  let fault: string | null = null;
  let queue = emptyBatch();
  let inFlightBytes = 0;
  let running: Promise<void> | undefined;
  let wakeUp: NodeJS.Timeout | undefined;
  let recovery: NodeJS.Timeout | undefined;
  let closing: Promise<void> | undefined;
  /** Closes a file that nobody fills up. */
  let aging: NodeJS.Timeout | undefined;

  const lose = (count: number): void => {
    if (count === 0) return;
    lost += count;
    observer.count('evidence_lost', {}, count);
  };

  /** The records' lines, or the reason why they cannot be taken. All or nothing. */
  const encode = (records: readonly NewRecord[]): { readonly lines: string[]; readonly bytes: number } | string => {
    if (closing !== undefined) return 'the evidence log is closed';
    if (fault !== null) return fault;
    const lines: string[] = [];
    let bytes = 0;
    try {
      for (const record of records) {
        const line = `${encodeRecord(record, { v: 1, writer, sequence: sequence + lines.length + 1 })}\n`;
        const length = Buffer.byteLength(line);
        if (length > maxPayloadBytes) return `a record has ${length} bytes, must have at most ${maxPayloadBytes}`;
        bytes += length;
        lines.push(line);
      }
    } catch (cause) {
      return `a record is not JSON: ${messageOf(cause)}`;
    }
    if (queue.bytes + inFlightBytes + bytes > maxQueueBytes) {
      return `${queue.bytes + inFlightBytes} bytes wait for the disk, must be at most ${maxQueueBytes}`;
    }
    return { lines, bytes };
  };

  const enqueue = (encoded: { readonly lines: string[]; readonly bytes: number }): void => {
    sequence += encoded.lines.length;
    appended += encoded.lines.length;
    for (const line of encoded.lines) queue.lines.push(line);
    queue.bytes += encoded.bytes;
  };

  const refuse = (count: number, reason: string): AssayError => {
    appended += count;
    lose(count);
    const error = new AssayError('evidence-not-durable', `the evidence could not be recorded: ${reason}`);
    observer.fault(error.code, error.message);
    return error;
  };

  /** Starts a commit: now when somebody waits or there is much, else when the collecting time is over. */
  const schedule = (): void => {
    if (running !== undefined || queue.lines.length === 0) return;
    if (queue.waiters.length > 0 || queue.bytes >= frameBytes) {
      if (wakeUp !== undefined) clearTimeout(wakeUp);
      wakeUp = undefined;
      run(new Promise<void>((done) => setImmediate(done)).then(commit));
    } else {
      wakeUp ??= setTimeout(() => {
        wakeUp = undefined;
        if (running === undefined && queue.lines.length > 0) run(commit());
      }, groupCommitMs);
    }
  };

  /** One thing at a time touches the file. @param work never rejects. */
  const run = (work: Promise<void>): void => {
    running = work.finally(() => {
      running = undefined;
      schedule();
    });
  };

  /** One write, then one fdatasync, then the acknowledgements. Never rejects. */
  const commit = async (): Promise<void> => {
    const batch = queue;
    queue = emptyBatch();
    inFlightBytes = batch.bytes;
    try {
      if (segment.bytes >= maxSegmentBytes && segment.bytes > headerBytes)
        await startNext(sequence - batch.lines.length + 1);
      for (const frames of framesOf(batch.lines)) {
        await writeAll(segment.handle, frames);
        segment.bytes += frames.length;
      }
      await segment.handle.datasync();
      aging ??= setTimeout(() => void roll(), maxSegmentAgeMs).unref();
      durable += batch.lines.length;
      for (const waiter of batch.waiters) waiter.accept();
    } catch (cause) {
      fail(batch, cause);
    } finally {
      inFlightBytes = 0;
    }
  };

  const startNext = async (firstSequence: number): Promise<void> => {
    clearTimeout(aging);
    aging = undefined;
    const next = await createSegment({ directory, writer, firstSequence });
    await segment.handle.close();
    segment = next;
  };

  const roll = async (): Promise<void> => {
    while (running !== undefined) await running;
    if (fault !== null || closing !== undefined) return;
    const rolling = async (): Promise<void> => {
      if (queue.lines.length > 0) await commit();
      if (fault !== null || segment.bytes <= headerBytes) return;
      try {
        await startNext(sequence - queue.lines.length + 1);
      } catch (cause) {
        fail(emptyBatch(), cause);
      }
    };
    run(rolling());
    await running;
  };

  /** After a failed write or fdatasync the state of the file is unknown: it is never touched again. */
  const fail = (batch: Batch, cause: unknown): void => {
    fault = `${join(directory, 'log', writer)} cannot be made durable: ${messageOf(cause)}`;
    const error = new AssayError('evidence-not-durable', fault, { cause });
    const broken = [batch, queue];
    queue = emptyBatch();
    for (const { lines, waiters } of broken) {
      lose(lines.length);
      for (const waiter of waiters) waiter.reject(error);
    }
    observer.fault(error.code, error.message, cause);
    abandon(segment);
    if (closing === undefined) recovery = setTimeout(recover, recoverMs).unref();
  };

  const recover = async (): Promise<void> => {
    const next = newWriter();
    try {
      const fresh = await createSegment({ directory, writer: next, firstSequence: 1 });
      if (closing !== undefined) {
        await fresh.handle.close();
        return;
      }
      segment = fresh;
      writer = next;
      sequence = 0;
      fault = null;
    } catch {
      if (closing === undefined) recovery = setTimeout(recover, recoverMs).unref();
    }
  };

  const shutDown = async (): Promise<void> => {
    clearTimeout(aging);
    if (recovery !== undefined) clearTimeout(recovery);
    while (running !== undefined) await running;
    if (wakeUp !== undefined) clearTimeout(wakeUp);
    if (queue.lines.length > 0) await commit();
    if (fault !== null) return;
    await segment.handle.close();
    await releaseLog(dirname(segment.path));
  };

  return {
    append(records) {
      if (records.length === 0) return;
      const encoded = encode(records);
      if (typeof encoded === 'string') {
        refuse(records.length, encoded);
        return;
      }
      enqueue(encoded);
      schedule();
    },
    appendDurable(records) {
      if (records.length === 0) return Promise.resolve();
      const encoded = encode(records);
      if (typeof encoded === 'string') return Promise.reject(refuse(records.length, encoded));
      enqueue(encoded);
      return new Promise<void>((accept, reject) => {
        queue.waiters.push({ accept, reject });
        schedule();
      });
    },
    roll,
    status(): EvidenceLogStatus {
      return { writer, appended, durable, lost, fault };
    },
    close() {
      if (closing === undefined) {
        const last = encode([{ kind: 'writer-end', timeMs: now() }]);
        if (typeof last !== 'string') enqueue(last);
        closing = shutDown();
      }
      return closing;
    },
  };
}

function newWriter(): string {
  return randomBytes(8).toString('hex');
}

function emptyBatch(): Batch {
  return { lines: [], bytes: 0, waiters: [] };
}

/** Few frames of about `frameBytes`; a longer line gets its own. */
function* framesOf(lines: readonly string[]): Generator<Buffer> {
  let payload = '';
  for (const line of lines) {
    if (payload !== '' && payload.length + line.length > frameBytes) {
      yield encodeFrame(payload);
      payload = '';
    }
    payload += line;
  }
  if (payload !== '') yield encodeFrame(payload);
}

/** A new file with its header, durable with the names that lead to it. */
async function createSegment(place: {
  readonly directory: string;
  readonly writer: string;
  readonly firstSequence: number;
}): Promise<Segment> {
  const folder = join(place.directory, 'log', place.writer);
  const path = join(folder, `${String(place.firstSequence).padStart(16, '0')}.log`);
  const topmost = await mkdir(folder, { recursive: true });
  let handle: FileHandle | undefined;
  try {
    if (place.firstSequence === 1) await claimLog(folder);
    handle = await open(path, 'ax');
    await writeAll(handle, encodeHeader());
    await handle.datasync();
    await syncDirectory(folder);
    if (topmost !== undefined) {
      for (let made = folder; made.length >= topmost.length; made = dirname(made)) await syncDirectory(dirname(made));
    }
    return { path, handle, bytes: headerBytes };
  } catch (cause) {
    // Nothing was acknowledged from here; a full disk must not fill with empty folders.
    await handle?.close().catch(() => undefined);
    if (handle !== undefined) await rm(path, { force: true }).catch(() => undefined);
    if (topmost !== undefined) await giveUp(folder);
    throw cause;
  }
}

/** Never touches the content. A file in which no write ever ended goes: while a disk stays full, each attempt would leave one. */
async function abandon(segment: Segment): Promise<void> {
  await segment.handle.close().catch(() => undefined);
  if (segment.bytes <= headerBytes) await rm(segment.path, { force: true }).catch(() => undefined);
  await giveUp(dirname(segment.path));
}

/** Nobody writes there any more. A folder with nothing else in it goes. */
async function giveUp(folder: string): Promise<void> {
  await releaseLog(folder).catch(() => undefined);
  await rmdir(folder).catch(() => undefined);
}

/** Why a directory takes no file. On a read-only file system `mkdir` says ENOENT; asking for access says the truth. */
async function refusalOf(directory: string, cause: unknown): Promise<string> {
  try {
    await access(directory, constants.W_OK);
    return messageOf(cause);
  } catch (refusal) {
    return messageOf((refusal as NodeJS.ErrnoException).code === 'ENOENT' ? cause : refusal);
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
