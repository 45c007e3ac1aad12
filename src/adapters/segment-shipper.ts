// How does evidence get from a gateway to the server that analyses it? Closed log files, and what was sealed before, are posted in
// order and go after the ack.
import { open, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { fromProblem, paths } from '../api/index.ts';
import { AssayError } from '../errors.ts';
import { closedLogFiles, removeLogFile } from './closed-logs.ts';
import { readManifest } from './evidence-store/manifest.ts';
import { dropSegments, sealedLogFiles, writersIn } from './evidence-store/sealed-log-files.ts';
import { headerBytes } from './log-frames.ts';
import type { Tell } from './pino-log.ts';
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
  readonly tell: Tell;
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
  /**
   * Ships what was sealed before it was to be shipped, and lets the segments go; nothing else may change the manifest meanwhile.
   * Never rejects; what failed is tried again by the next call.
   */
  flushSealed(): Promise<void>;
  /** Tries once more and stops. What is left is shipped after the next start. */
  close(): Promise<void>;
}

const firstPauseMs = 500;
/** How long an answer may take; at the end nobody waits that long. */
const answerMs = 60_000;
const lastAnswerMs = 5_000;

/** Starts shipping. A file is deleted only after the other server has said that it is durable there. */
export function startSegmentShipper(options: SegmentShipperOptions): SegmentShipper {
  const { directory, random, tell, url, everyMs = 1_000, longestPauseMs = 30_000 } = options;
  const stop = new AbortController();
  let files = 0;
  let bytes = 0;
  let waiting = 0;
  let failures = 0;
  let fault: string | null = null;
  let last: Promise<void> = Promise.resolve();

  /** Work whose failure is told once, and its end too. */
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
      if (fault !== null) tell(`evidence reaches ${options.url} again`, { name: 'shipping-works', fields: { url } });
      failures = 0;
      fault = null;
    } catch (cause) {
      failures += 1;
      const text = cause instanceof Error ? cause.message : String(cause);
      if (fault === null)
        tell(`evidence does not reach ${options.url} and is kept here: ${text}`, {
          name: 'shipping-failed',
          fields: { url },
        });
      fault = text;
    }
  };
  const limits = (): PostOptions => ({ ...options, answerMs: stop.signal.aborted ? lastAnswerMs : answerMs });

  const shipAll = async (): Promise<void> => {
    const closed = await closedLogFiles(directory);
    waiting = closed.length;
    // What a writer has sealed comes before its log.
    const held = new Set(writersIn(await readManifest(directory)));
    let refusal: unknown;
    for (const file of closed) {
      // One writer's files go in their order; what is wrong with one writer is no reason to keep the others back.
      if (held.has(file.writer)) continue;
      try {
        bytes += await ship(file, limits());
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
  };
  const shipSealed = async (): Promise<void> => {
    const manifest = await readManifest(directory);
    if (manifest.segments.length === 0) return;
    for await (const { bytes: body, ...place } of sealedLogFiles(directory, manifest)) {
      await post(body, place, limits());
      files += 1;
      bytes += body.length;
    }
    if (await dropSegments(directory, manifest))
      tell(`what was sealed here is at ${options.url}`, { name: 'shipping-works', fields: { url } });
  };
  const flush = (): Promise<void> => {
    last = last.then(() => attempt(shipAll));
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
    flushSealed() {
      last = last.then(() => attempt(shipSealed));
      return last;
    },
    async close() {
      stop.abort();
      await running;
      await flush();
      if (waiting > 0)
        tell(`${waiting} files of evidence wait in ${directory} for the next start`, {
          name: 'shipping-failed',
          fields: { url, waiting },
        });
    },
  };
}

type PostOptions = Pick<SegmentShipperOptions, 'url' | 'token'> & { readonly answerMs: number };

/** Bytes shipped. @throws AssayError with the other server's code, or `server-unreachable`. */
async function ship(file: LogFile, options: PostOptions): Promise<number> {
  const length = await wholeLength(file);
  if (length <= headerBytes) {
    // Nothing in it was ever acknowledged.
    await removeLogFile(file.path);
    return 0;
  }
  const handle = await open(file.path, 'r');
  try {
    const body = Buffer.alloc(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await handle.read(body, filled, length - filled, filled);
      if (bytesRead === 0) throw new AssayError('file-unreadable', `${file.path} became shorter while it was read`);
      filled += bytesRead;
    }
    await post(body, file, options);
  } finally {
    await handle.close();
  }
  await removeLogFile(file.path);
  return length;
}

async function post(
  body: Buffer,
  { writer, first }: Pick<LogFile, 'writer' | 'first'>,
  { url, token, answerMs }: PostOptions,
): Promise<void> {
  const target = new URL(paths.segments, url);
  target.searchParams.set('writer', writer);
  target.searchParams.set('first', String(first));
  const reply = await fetch(target, {
    method: 'POST',
    headers: {
      'content-type': 'application/octet-stream',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: body as Buffer<ArrayBuffer>,
    signal: AbortSignal.timeout(answerMs),
  }).catch((cause: Error) => {
    throw new AssayError('server-unreachable', `${target.origin} cannot be reached: ${reasonOf(cause)}`, { cause });
  });
  const text = await reply.text();
  if (!reply.ok) throw refusalOf(target.origin, { status: reply.status, text });
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
