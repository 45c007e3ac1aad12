// How does evidence get from a gateway to the server that analyses it? Closed log files are posted in order and go after the ack.
import { open, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { fromProblem, paths } from '../api/index.ts';
import { AssayError } from '../errors.ts';
import { closedLogFiles, removeLogFile } from './closed-logs.ts';
import { headerBytes } from './log-frames.ts';
import { type LogFile, readLog } from './read-evidence-log.ts';

/** Options of `startSegmentShipper`. */
export interface SegmentShipperOptions {
  readonly directory: string;
  /** API of the server that takes the evidence. */
  readonly url: string;
  readonly token?: string;
  /** Chance in 0..1, for the jitter of pauses. */
  readonly random: () => number;
  /** Pause between looks for closed files; default 1,000. */
  readonly everyMs?: number;
  /** Longest pause after failures in a row; default 30,000. */
  readonly longestPauseMs?: number;
  /** Told when shipping begins to fail, and when it works again. */
  readonly tell: (sentence: string) => void;
}

/** How far shipping is. */
export interface ShipmentStatus {
  /** Files and bytes acknowledged since the start. */
  readonly files: number;
  readonly bytes: number;
  /** Closed files that wait here. */
  readonly waiting: number;
  /** Null while all is well, else why the last attempt failed. */
  readonly fault: string | null;
}

/** A shipper at work. */
export interface SegmentShipper {
  status(): ShipmentStatus;
  /** Ships what is closed now; resolves when nothing is left or an attempt failed. */
  flush(): Promise<void>;
  /** Tries once more and stops. What is left is shipped after the next start. */
  close(): Promise<void>;
}

const firstPauseMs = 500;
/** How long an answer may take; at the end nobody waits that long. */
const answerMs = 60_000;
const lastAnswerMs = 5_000;

/** Starts shipping. A file is deleted only after the other server has said that it is durable there. */
export function startSegmentShipper(options: SegmentShipperOptions): SegmentShipper {
  const { directory, random, tell, everyMs = 1_000, longestPauseMs = 30_000 } = options;
  const stop = new AbortController();
  let files = 0;
  let bytes = 0;
  let waiting = 0;
  let failures = 0;
  let fault: string | null = null;
  let last: Promise<void> = Promise.resolve();

  const shipAll = async (): Promise<void> => {
    try {
      const closed = await closedLogFiles(directory);
      waiting = closed.length;
      const held = new Set<string>();
      let refusal: unknown;
      for (const file of closed) {
        // One writer's files go in their order; what is wrong with one writer is no reason to keep the others back.
        if (held.has(file.writer)) continue;
        try {
          bytes += await ship(file, { ...options, answerMs: stop.signal.aborted ? lastAnswerMs : answerMs });
        } catch (cause) {
          if ((cause as AssayError).retryable !== false) throw cause;
          held.add(file.writer);
          refusal = cause;
          continue;
        }
        files += 1;
        waiting -= 1;
      }
      if (refusal !== undefined) throw refusal;
      if (fault !== null) tell(`evidence reaches ${options.url} again`);
      failures = 0;
      fault = null;
    } catch (cause) {
      failures += 1;
      const text = cause instanceof Error ? cause.message : String(cause);
      if (fault === null) tell(`evidence does not reach ${options.url} and is kept here: ${text}`);
      fault = text;
    }
  };
  const flush = (): Promise<void> => {
    last = last.then(shipAll);
    return last;
  };
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await flush();
      const backOff = failures === 0 ? everyMs : Math.min(longestPauseMs, firstPauseMs * 2 ** (failures - 1));
      // Half of it is chance, so that many gateways do not come back at the same moment.
      await pause(backOff * (0.5 + 0.5 * random()), undefined, { signal: stop.signal, ref: false }).catch(
        () => undefined,
      );
    }
  };
  const running = run();
  return {
    status: () => ({ files, bytes, waiting, fault }),
    flush,
    async close() {
      stop.abort();
      await running;
      await flush();
      if (waiting > 0) tell(`${waiting} files of evidence wait in ${directory} for the next start`);
    },
  };
}

/** Bytes shipped. @throws AssayError with the other server's code, or `server-unreachable`. */
async function ship(
  file: LogFile,
  { url, token, answerMs }: Pick<SegmentShipperOptions, 'url' | 'token'> & { readonly answerMs: number },
): Promise<number> {
  const length = await wholeLength(file);
  if (length <= headerBytes) {
    // Nothing in it was ever acknowledged.
    await removeLogFile(file.path);
    return 0;
  }
  const handle = await open(file.path, 'r');
  try {
    const target = new URL(paths.segments, url);
    target.searchParams.set('writer', file.writer);
    target.searchParams.set('first', String(file.first));
    const body = Buffer.alloc(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await handle.read(body, filled, length - filled, filled);
      if (bytesRead === 0) throw new AssayError('file-unreadable', `${file.path} became shorter while it was read`);
      filled += bytesRead;
    }
    const reply = await fetch(target, {
      method: 'POST',
      headers: {
        'content-type': 'application/octet-stream',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body,
      signal: AbortSignal.timeout(answerMs),
    }).catch((cause: Error) => {
      throw new AssayError('server-unreachable', `${target.origin} cannot be reached: ${reasonOf(cause)}`, { cause });
    });
    const text = await reply.text();
    if (!reply.ok) throw refusalOf(target.origin, { status: reply.status, text });
  } finally {
    await handle.close();
  }
  await removeLogFile(file.path);
  return length;
}

/** Without the torn frame of a writer that was killed: the receiver takes whole frames only. */
async function wholeLength(file: LogFile): Promise<number> {
  let length = 0;
  for await (const piece of readLog('', { files: [file] })) {
    if (piece.kind === 'tail') return piece.offset;
    length = piece.next.offset;
  }
  return Math.max(length, Math.min(headerBytes, (await stat(file.path)).size));
}

function refusalOf(origin: string, { status, text }: { readonly status: number; readonly text: string }): AssayError {
  try {
    const problem = fromProblem(JSON.parse(text));
    if (problem !== null) return problem;
  } catch {
    // Not from Assay: a proxy in between, perhaps.
  }
  return new AssayError('server-unreachable', `${origin} answers ${status}: ${text.slice(0, 200)}`);
}

function reasonOf(cause: Error): string {
  const inner = cause.cause as NodeJS.ErrnoException | undefined;
  return inner?.code ?? inner?.message ?? cause.message;
}
