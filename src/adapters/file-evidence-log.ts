// The durable evidence log: records are collected for a moment, written as one frame, and acknowledged after an fdatasync.
import { randomBytes } from 'node:crypto';
import { access, constants } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { AssayError } from '../errors.ts';
import {
  type EvidenceLog,
  type EvidenceLogStatus,
  encodeRecord,
  type NewRecord,
  type Observer,
} from '../evidence/index.ts';
import { writeAll } from './durable-files.ts';
import { encodeFrame, headerBytes, maxPayloadBytes } from './log-frames.ts';
import { releaseLog } from './log-owner.ts';
import { abandon, createSegment, type Segment } from './log-segment.ts';

/** Options of `openEvidenceLog`. */
export interface FileEvidenceLogOptions {
  /** The data directory; the log stands in `log/WRITER/` beneath it. */
  readonly directory: string;
  /** Epoch milliseconds; dates the `writer-end` record. */
  readonly now: () => number;
  readonly observer: Observer;
  /** How long undemanding records wait for company, 0..5; default 4. */
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
  readonly lines: string[];
  /** About as many; characters are counted, because to count bytes costs as much as to write them. */
  bytes: number;
  readonly waiters: Waiter[];
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
  const groupCommitMs = options.groupCommitMs ?? 4;
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
  /** These go before the next commit: senders that wait for each record never leave a gap. */
  const rolls: (() => void)[] = [];
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

  /** Queues the records' lines, all or none; or tells the reason why they cannot be taken. */
  const enqueue = (records: readonly NewRecord[]): string | null => {
    if (closing !== undefined) return 'the evidence log is closed';
    if (fault !== null) return fault;
    const { lines } = queue;
    const from = lines.length;
    let bytes = 0;
    let reason: string | null = null;
    try {
      for (const record of records) {
        const line = `${encodeRecord(record, { v: 1, writer, sequence: sequence + 1 + lines.length - from })}\n`;
        // A character has at most three bytes.
        if (line.length * 3 > maxPayloadBytes && Buffer.byteLength(line) > maxPayloadBytes) {
          reason = `a record has ${Buffer.byteLength(line)} bytes, must have at most ${maxPayloadBytes}`;
          break;
        }
        bytes += line.length;
        lines.push(line);
      }
    } catch (cause) {
      reason = `a record is not JSON: ${messageOf(cause)}`;
    }
    const waiting = queue.bytes + inFlightBytes;
    if (waiting + bytes > maxQueueBytes)
      reason ??= `${waiting} bytes wait for the disk, must be at most ${maxQueueBytes}`;
    if (reason !== null) {
      lines.length = from;
      return reason;
    }
    queue.bytes += bytes;
    sequence += records.length;
    appended += records.length;
    return null;
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
      run(new Promise<void>((done) => setImmediate(done)).then(() => commit(takeAll())));
    } else {
      wakeUp ??= setTimeout(() => {
        wakeUp = undefined;
        if (running === undefined && queue.lines.length > 0) run(commit(takeAll()));
      }, groupCommitMs);
    }
  };

  /** One thing at a time touches the file. @param work never rejects; gives what is durable now and may be acknowledged. */
  const run = (work: Promise<Batch>): void => {
    running = work.then((batch) => {
      running = undefined;
      const roll = rolls.shift();
      if (roll !== undefined) roll();
      // The disk has the next commit before these senders are answered and send again.
      else if (queue.waiters.length > 0) run(commit(takeAll()));
      acknowledge(batch);
      schedule();
    });
  };

  const acknowledge = ({ waiters }: Batch): void => {
    for (const waiter of waiters) waiter.accept();
  };

  const takeAll = (): Batch => {
    const batch = queue;
    queue = emptyBatch();
    return batch;
  };

  /** One write, then one fdatasync. Gives the batch, or an empty one after a fault. Never rejects. */
  const commit = async (batch: Batch): Promise<Batch> => {
    const firstSequence = sequence - queue.lines.length - batch.lines.length + 1;
    inFlightBytes = batch.bytes;
    try {
      if (segment.bytes >= maxSegmentBytes && segment.bytes > headerBytes) await startNext(firstSequence);
      for (const frames of framesOf(batch.lines)) {
        await writeAll(segment.handle, frames);
        segment.bytes += frames.length;
      }
      await segment.handle.datasync();
      aging ??= setTimeout(() => void roll(), maxSegmentAgeMs).unref();
      durable += batch.lines.length;
      return batch;
    } catch (cause) {
      fail(batch, cause);
      return emptyBatch();
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

  const roll = (): Promise<void> =>
    new Promise((done) => {
      const begin = (): void => run(closeFile().finally(done));
      if (running === undefined) begin();
      else rolls.push(begin);
    });

  const closeFile = async (): Promise<Batch> => {
    if (fault !== null || closing !== undefined) return emptyBatch();
    const batch = queue.lines.length > 0 ? await commit(takeAll()) : emptyBatch();
    if (fault !== null || segment.bytes <= headerBytes) return batch;
    try {
      await startNext(sequence - queue.lines.length + 1);
    } catch (cause) {
      fail(emptyBatch(), cause);
    }
    return batch;
  };

  /** After a failed write or fdatasync the state of the file is unknown: it is never touched again. */
  const fail = (batch: Batch, cause: unknown): void => {
    fault = `${join(directory, 'log', writer)} cannot be made durable: ${messageOf(cause)}`;
    const error = new AssayError('evidence-not-durable', fault, { cause });
    for (const { lines, waiters } of [batch, takeAll()]) {
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
    if (queue.lines.length > 0) acknowledge(await commit(takeAll()));
    if (fault !== null) return;
    await segment.handle.close();
    await releaseLog(dirname(segment.path));
  };

  return {
    append(records) {
      if (records.length === 0) return;
      const reason = enqueue(records);
      if (reason === null) schedule();
      else refuse(records.length, reason);
    },
    appendDurable(records) {
      if (records.length === 0) return Promise.resolve();
      const reason = enqueue(records);
      if (reason !== null) return Promise.reject(refuse(records.length, reason));
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
        enqueue([{ kind: 'writer-end', timeMs: now() }]);
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
