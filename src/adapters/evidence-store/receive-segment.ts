// May a log file of another server stay here? Only whole, only in order, and acknowledged only when it is on the disk.
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AssayError } from '../../errors.ts';
import { syncDirectory, writeAll } from '../durable-files.ts';
import { headerBytes } from '../log-frames.ts';
import { listLogFiles, readLog } from '../read-evidence-log.ts';
import { readManifest, sealedThrough, writerOf } from './manifest.ts';

/** One log file on its way in. */
export interface HandedSegment {
  /** 16 hex digits. */
  readonly writer: string;
  /** Sequence of its first record. */
  readonly first: number;
  /** The file's bytes: header and whole frames. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** What became of it. */
export interface ReceivedSegment {
  readonly writer: string;
  readonly first: number;
  readonly last: number;
  /** It was here already; nothing changed. */
  readonly isRepeat: boolean;
}

/** Takes log files of other servers in. */
export interface SegmentReceiver {
  /**
   * Resolves once the file is durable here; until then the sender must keep it. The same file again is acknowledged again.
   *
   * @throws AssayError `segment-invalid`, `body-too-large`, `segment-conflict`, `evidence-not-durable`, `evidence-too-new`.
   */
  receive(segment: HandedSegment): Promise<ReceivedSegment>;
  /** True for a writer that handed something over within the last 15 minutes: elsewhere it lives. */
  isActive(writer: string): boolean;
}

/** Options of `createSegmentReceiver`. */
export interface SegmentReceiverOptions {
  readonly directory: string;
  /** The writers of this very server, which nobody else may speak for. */
  readonly isOwn: (writer: string) => boolean;
  /** Default 256 MB. */
  readonly maxBytes?: number;
}

/** Folder in which files are put together; not a writer's, so that no reader looks into it. */
const incoming = 'incoming';
const activeMs = 15 * 60_000;

/** A receiver for one data directory. */
export function createSegmentReceiver(options: SegmentReceiverOptions): SegmentReceiver {
  const { directory, isOwn, maxBytes = 256 * 1024 * 1024 } = options;
  // What a killed predecessor was putting together was never acknowledged.
  let last: Promise<unknown> = rm(join(directory, incoming), { recursive: true, force: true }).catch(() => undefined);
  const cleared = last;
  const heardMs = new Map<string, number>();
  return {
    async receive({ writer, first, bytes }) {
      if (!/^[0-9a-f]{16}$/.test(writer) || isOwn(writer))
        throw new AssayError(
          'segment-invalid',
          `writer is ${JSON.stringify(writer)}, must be 16 hex digits of another server's log`,
        );
      if (!Number.isSafeInteger(first) || first < 1)
        throw new AssayError('segment-invalid', `first is ${first}, must be an integer >= 1`);
      await cleared;
      const draft = join(directory, incoming, randomBytes(8).toString('hex'), 'log', writer, nameOf(first));
      const root = dirname(dirname(dirname(draft)));
      try {
        await mkdir(dirname(draft), { recursive: true });
        await save(draft, { bytes, maxBytes });
        const range = await inspect(root, { writer, first });
        // One after another: what is in order is decided by what came before.
        const turn = last.then(() => admit({ directory, draft, writer, first, last: range }));
        last = turn.catch(() => undefined);
        const received = await turn;
        heardMs.set(writer, performance.now());
        return received;
      } finally {
        await rm(root, { recursive: true, force: true });
      }
    },
    isActive: (writer) => performance.now() - (heardMs.get(writer) ?? Number.NEGATIVE_INFINITY) < activeMs,
  };
}

const nameOf = (first: number): string => `${String(first).padStart(16, '0')}.log`;

async function save(
  path: string,
  { bytes, maxBytes }: { readonly bytes: AsyncIterable<Uint8Array>; readonly maxBytes: number },
): Promise<void> {
  const handle = await open(path, 'wx').catch((cause: Error) => {
    throw notDurable(path, cause);
  });
  try {
    let length = 0;
    for await (const chunk of bytes) {
      length += chunk.length;
      if (length > maxBytes) throw new AssayError('body-too-large', `the segment is larger than ${maxBytes} bytes`);
      await writeAll(handle, chunk).catch((cause: Error) => {
        throw notDurable(path, cause);
      });
    }
    await handle.sync().catch((cause: Error) => {
      throw notDurable(path, cause);
    });
  } finally {
    await handle.close();
  }
}

/** The last sequence of a file that is whole and in order. */
async function inspect(
  root: string,
  { writer, first }: { readonly writer: string; readonly first: number },
): Promise<number> {
  let next = first;
  const invalid = (text: string): AssayError => new AssayError('segment-invalid', `the segment ${text}`);
  const files = await listLogFiles(root);
  const [file] = files;
  if (file === undefined || (await stat(file.path)).size <= headerBytes) throw invalid('is empty, must hold records');
  try {
    for await (const piece of readLog(root, { files })) {
      if (piece.kind === 'tail') throw invalid(`ends within a frame at byte ${piece.offset}, must hold whole frames`);
      for (const line of piece.payload.toString('utf8').split('\n')) {
        if (line === '') continue;
        const record = JSON.parse(line) as { readonly writer?: unknown; readonly sequence?: unknown };
        if (record.writer !== writer || record.sequence !== next)
          throw invalid(`holds record ${record.writer}/${record.sequence}, must hold ${writer}/${next} there`);
        next += 1;
      }
    }
  } catch (fault) {
    if (fault instanceof SyntaxError) throw invalid('holds a line that is not JSON');
    if (fault instanceof AssayError && fault.code === 'evidence-corrupt')
      throw invalid(fault.message.replace(file.path, '').trim());
    throw fault;
  }
  return next - 1;
}

interface Admission {
  readonly directory: string;
  readonly draft: string;
  readonly writer: string;
  readonly first: number;
  readonly last: number;
}

async function admit({ directory, draft, writer, first, last }: Admission): Promise<ReceivedSegment> {
  const repeat: ReceivedSegment = { writer, first, last, isRepeat: true };
  // The files first: one that is sealed in between is then known to the manifest.
  const here = (await listLogFiles(directory)).filter((file) => file.writer === writer);
  const manifest = await readManifest(directory);
  if (writerOf(manifest, writer).ranges.some(([from, to]) => from <= first && last <= to)) return repeat;
  const path = join(directory, 'log', writer, nameOf(first));
  const same = here.find((file) => file.first === first);
  if (same !== undefined) {
    const [mine, theirs] = await Promise.all([readFile(same.path), readFile(draft)]);
    if (!mine.equals(theirs))
      throw new AssayError('segment-conflict', `another file of writer ${writer} from ${first} on is here already`);
    // Its name may have been given without having been made durable.
    await syncNames(directory, path);
    return repeat;
  }
  // A writer's records are taken in their order; what lies before those we have would never be read.
  const newest = here.at(-1);
  const known = Math.max(sealedThrough(manifest, writer), newest === undefined ? 0 : await lastOf(directory, newest));
  if (first <= known)
    throw new AssayError(
      'segment-conflict',
      `the segment begins with ${writer}/${first}, must begin after ${writer}/${known}, the last one here`,
    );
  try {
    await mkdir(dirname(path), { recursive: true });
    await rename(draft, path);
  } catch (cause) {
    throw notDurable(path, cause);
  }
  await syncNames(directory, path);
  return { writer, first, last, isRepeat: false };
}

async function syncNames(directory: string, path: string): Promise<void> {
  try {
    for (const folder of [dirname(path), dirname(dirname(path)), directory]) await syncDirectory(folder);
  } catch (cause) {
    throw notDurable(path, cause);
  }
}

async function lastOf(directory: string, file: Awaited<ReturnType<typeof listLogFiles>>[number]): Promise<number> {
  let last = 0;
  for await (const piece of readLog(directory, { files: [file] })) {
    if (piece.kind === 'tail') continue;
    const lines = piece.payload.toString('utf8').trimEnd().split('\n');
    last = (JSON.parse(lines.at(-1) ?? '{}') as { readonly sequence: number }).sequence;
  }
  return last;
}

function notDurable(path: string, cause: unknown): AssayError {
  return new AssayError('evidence-not-durable', `${path} cannot be made durable: ${(cause as Error).message}`, {
    cause,
  });
}
