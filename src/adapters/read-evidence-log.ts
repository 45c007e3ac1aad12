// What stands in the evidence logs of a data directory: every whole frame, in order, from a remembered place on.
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AssayError } from '../errors.ts';
import { findFrame, frameAt, headerBytes, headerFault } from './log-frames.ts';

/** A place in one writer's log: a file and the offset of its next unread byte. */
export interface LogPosition {
  /** File name within the writer's folder. */
  readonly file: string;
  readonly offset: number;
}

/** One thing found in a log. */
export type LogPiece =
  | {
      readonly kind: 'frame';
      readonly writer: string;
      /** Where reading goes on after this frame. */
      readonly next: LogPosition;
      /** NDJSON, one record a line. Valid until the next piece is asked for. */
      readonly payload: Buffer;
    }
  /** The newest file of a writer ends within a frame: a crash tore it, or the writer is writing it now. Never acknowledged. */
  | {
      readonly kind: 'tail';
      readonly writer: string;
      readonly file: string;
      readonly offset: number;
      readonly bytes: number;
    };

/** Options of `readLog`. */
export interface ReadLogOptions {
  /** By writer: where to go on; writers not named are read from their start. */
  readonly after?: ReadonlyMap<string, LogPosition>;
  /** Which files to read, in this order; default all. */
  readonly files?: readonly LogFile[];
}

/** One file of one writer. */
export interface LogFile {
  readonly writer: string;
  readonly file: string;
  readonly path: string;
  /** Sequence of its first record, from its name. */
  readonly first: number;
  /** No other file of this writer comes after it. */
  readonly isNewest: boolean;
}

/** The files of all logs of a data directory, by writer and then in order. */
export async function listLogFiles(directory: string): Promise<readonly LogFile[]> {
  const root = join(directory, 'log');
  const found: LogFile[] = [];
  for (const writer of await namesIn(root, 'directory')) {
    const files = (await namesIn(join(root, writer), 'file')).filter((name) => name.endsWith('.log'));
    for (const [index, file] of files.entries()) {
      const path = join(root, writer, file);
      found.push({ writer, file, path, first: Number.parseInt(file, 10), isNewest: index === files.length - 1 });
    }
  }
  return found;
}

const chunkBytes = 4 * 1024 * 1024;

/**
 * Every whole frame of every writer, each writer's in order. Safe beside a live writer; a directory that is not there is empty.
 *
 * @param directory the data directory; logs stand in `log/WRITER/FIRST-SEQUENCE.log` beneath it.
 * @throws AssayError `evidence-corrupt` with file and offset when a frame with frames or files after it is wrong.
 */
export async function* readLog(directory: string, options: ReadLogOptions = {}): AsyncGenerator<LogPiece> {
  for (const { writer, file, path, isNewest } of options.files ?? (await listLogFiles(directory))) {
    const after = options.after?.get(writer);
    if (after !== undefined && file < after.file) continue;
    yield* readFile(path, { writer, file, offset: after?.file === file ? after.offset : 0, isNewest });
  }
}

interface FileTask {
  readonly writer: string;
  readonly file: string;
  readonly offset: number;
  readonly isNewest: boolean;
}

async function* readFile(path: string, task: FileTask): AsyncGenerator<LogPiece> {
  const { writer, file, isNewest } = task;
  const handle = await openForReading(path);
  try {
    // Read no further than the size now: a live writer's later bytes would make a half-seen frame look like one in the middle.
    const { size } = await handle.stat();
    let offset = task.offset;
    if (size <= offset) return;
    if (offset < headerBytes) {
      const header = await readBytes(handle, { offset: 0, length: Math.min(headerBytes, size) });
      if (header.length < headerBytes) {
        if (!isNewest) throw corrupt(path, 0, 'the file ends within its header');
        yield { kind: 'tail', writer, file, offset: 0, bytes: size };
        return;
      }
      const fault = headerFault(header);
      if (fault !== undefined) throw new AssayError(fault.code, `${path} is wrong at byte 0: ${fault.text}`);
      offset = headerBytes;
    }
    let chunk: Buffer = Buffer.alloc(0);
    while (offset < size) {
      const found = frameAt(chunk);
      if (found.kind === 'frame') {
        offset += found.bytes;
        yield { kind: 'frame', writer, next: { file, offset }, payload: found.payload };
        chunk = chunk.subarray(found.bytes);
        continue;
      }
      const isWhole = chunk.length === size - offset;
      if (found.kind === 'short' && !isWhole) {
        const length = Math.min(Math.max(chunkBytes, found.bytes), size - offset);
        chunk = await readBytes(handle, { offset, length });
        if (chunk.length < length)
          throw corrupt(path, offset + chunk.length, 'the file became shorter while it was read');
        continue;
      }
      if (!isNewest) throw corrupt(path, offset, 'a frame does not match its checksum');
      const rest = isWhole ? chunk : await readBytes(handle, { offset, length: size - offset });
      if (findFrame(rest) !== undefined) throw corrupt(path, offset, 'a frame does not match its checksum');
      yield { kind: 'tail', writer, file, offset, bytes: size - offset };
      return;
    }
  } finally {
    await handle.close();
  }
}

async function readBytes(
  handle: FileHandle,
  range: { readonly offset: number; readonly length: number },
): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(range.length);
  let filled = 0;
  while (filled < range.length) {
    const { bytesRead } = await handle.read(buffer, filled, range.length - filled, range.offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

async function namesIn(path: string, kind: 'directory' | 'file'): Promise<readonly string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries
      .filter((entry) => (kind === 'file' ? entry.isFile() : entry.isDirectory()))
      .map((entry) => entry.name)
      .sort();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new AssayError('file-unreadable', `${path} cannot be listed: ${(cause as Error).message}`, { cause });
  }
}

async function openForReading(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (cause) {
    throw new AssayError('file-unreadable', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function corrupt(path: string, offset: number, what: string): AssayError {
  return new AssayError('evidence-corrupt', `${path} is wrong at byte ${offset}: ${what}`);
}
