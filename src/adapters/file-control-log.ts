// Where do the changes of experiments live on one machine? In one file of JSON lines, hash-chained and synced before an append resolves.
import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type ControlLog,
  type ControlLogEntry,
  canonicalJson,
  linkEntry,
  requireRevision,
  verifyEntry,
} from '../control/index.ts';
import { AssayError } from '../errors.ts';

/** Options of `openFileControlLog`. */
export interface FileControlLogOptions {
  /** Made when it is missing; the log is `control.log` in it. One process at a time: see `lockDataDirectory`. */
  readonly directory: string;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Told when an unfinished last line, left by a crash before its append resolved, was dropped. */
  readonly onNotice?: (message: string) => void;
}

/**
 * The control log of a data directory.
 *
 * @throws AssayError `control-log-corrupt` naming the first wrong entry; `data-directory-unusable` when the file cannot be
 *   made, read or written.
 */
export async function openFileControlLog({ directory, now, onNotice }: FileControlLogOptions): Promise<ControlLog> {
  const path = join(directory, 'control.log');
  const file = await openDurably(directory, path);
  let entries: ControlLogEntry[];
  let length: number;
  try {
    const bytes = await file.readFile();
    const loaded = loadEntries(bytes, path);
    entries = loaded.entries;
    length = loaded.length;
    if (length < bytes.length) {
      await file.truncate(length);
      await file.datasync();
      onNotice?.(
        `${path}: dropped ${bytes.length - length} bytes of an unfinished last entry, which nobody was told of`,
      );
    }
    if (loaded.isUnterminated) length += await writeAll(file, { bytes: Buffer.from('\n'), position: length });
  } catch (cause) {
    await file.close();
    throw cause instanceof AssayError ? cause : unusable(path, cause);
  }

  let fault: AssayError | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const appendNow = async (
    ...[event, expectedRevision]: Parameters<ControlLog['append']>
  ): Promise<ControlLogEntry> => {
    if (fault !== undefined) throw fault;
    requireRevision(expectedRevision, entries.at(-1));
    const entry = linkEntry(structuredClone(event), { last: entries.at(-1), timeMs: now() });
    const bytes = Buffer.from(`${canonicalJson(entry)}\n`);
    try {
      await writeAll(file, { bytes, position: length });
    } catch (cause) {
      // The half-written line must go before anything else is written; if even that fails, only a restart helps.
      await file.truncate(length).catch((worse: unknown) => {
        fault = unusable(path, worse);
      });
      throw unusable(path, cause);
    }
    try {
      await file.datasync();
    } catch (cause) {
      // After a failed sync nobody knows what the disk holds, and a second sync may claim success for lost bytes.
      fault = unusable(path, cause);
      throw fault;
    }
    length += bytes.length;
    entries.push(entry);
    return entry;
  };
  return {
    read: async () => [...entries],
    append: (event, expectedRevision) => {
      const turn = last.then(() => appendNow(event, expectedRevision));
      last = turn.catch(() => undefined);
      return turn;
    },
    close: async () => {
      await last;
      fault ??= new AssayError('data-directory-unusable', `${path} is closed`);
      await file.close();
    },
  };
}

/** What a control log file holds. */
export interface ControlLogReading {
  /** Up to the first fault. */
  readonly entries: readonly ControlLogEntry[];
  /** The first line that does not hang together with those before it; null when all do. */
  readonly fault: { readonly line: number; readonly text: string } | null;
}

/**
 * Reads the control log of a data directory as it stands on the disk, also beside the process that writes it.
 * @throws AssayError `file-unreadable`.
 */
export async function readControlLog(directory: string): Promise<ControlLogReading> {
  const path = join(directory, 'control.log');
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new AssayError('file-unreadable', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  // A last line without its end is one that is being written, or that nobody was told of.
  const lines = bytes.toString('utf8').split('\n').slice(0, -1);
  const entries: ControlLogEntry[] = [];
  for (const [index, line] of lines.entries()) {
    try {
      entries.push(verifyEntry(parseJson(line), entries.at(-1)));
    } catch (fault) {
      return { entries, fault: { line: index + 1, text: (fault as Error).message } };
    }
  }
  return { entries, fault: null };
}

async function openDurably(directory: string, path: string): Promise<FileHandle> {
  try {
    await mkdir(directory, { recursive: true });
    try {
      return await open(path, 'r+');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    }
    const file = await open(path, 'wx+', 0o600);
    // The file itself is only durable once its name in the directory is.
    const folder = await open(directory, 'r');
    await folder.sync().finally(() => folder.close());
    return file;
  } catch (cause) {
    throw unusable(path, cause);
  }
}

function loadEntries(
  bytes: Buffer,
  path: string,
): { readonly entries: ControlLogEntry[]; readonly length: number; readonly isUnterminated: boolean } {
  const entries: ControlLogEntry[] = [];
  let start = 0;
  while (start < bytes.length) {
    const newline = bytes.indexOf(10, start);
    const line = bytes.toString('utf8', start, newline === -1 ? bytes.length : newline);
    try {
      entries.push(verifyEntry(parseJson(line), entries.at(-1)));
    } catch (fault) {
      if (newline === -1) return { entries, length: start, isUnterminated: false };
      const { message } = fault as AssayError;
      throw new AssayError('control-log-corrupt', `${path}:${entries.length + 1}: ${message}`, { cause: fault });
    }
    if (newline === -1) return { entries, length: bytes.length, isUnterminated: true };
    start = newline + 1;
  }
  return { entries, length: bytes.length, isUnterminated: false };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

async function writeAll(
  file: FileHandle,
  { bytes, position }: { readonly bytes: Buffer; readonly position: number },
): Promise<number> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
  return bytes.length;
}

function unusable(path: string, cause: unknown): AssayError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new AssayError('data-directory-unusable', `${path} cannot be used: ${reason}`, { cause });
}
