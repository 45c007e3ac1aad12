// Which experiments do the files on disk want right now? Watches a file or a folder; a broken edit keeps the last good reading.
import { type FSWatcher, watch } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AssayError } from '../errors.ts';
import { type Experiment, parseExperimentFiles } from '../experiment/index.ts';

/** What became of one file. */
export type ExperimentFileEvent =
  /** New, or changed in what it says. */
  | { readonly kind: 'parsed'; readonly file: string; readonly experiments: readonly Experiment[] }
  /** Cannot be read or breaks a rule; what it last said well still holds. */
  | { readonly kind: 'refused'; readonly file: string; readonly error: AssayError }
  /** Gone; its experiments live on in the control log. */
  | { readonly kind: 'removed'; readonly file: string };

/** Options of `watchExperiments`. */
export interface WatchExperimentsOptions {
  /** A file, or a folder whose *.yaml, *.yml and *.json are read. */
  readonly path: string;
  /**
   * Called once per file and change, one after another; a promise is waited for. What it throws for a `parsed` file comes
   * back as `refused`, so that applying an experiment can fail like reading one; for the other kinds it must not throw.
   */
  readonly onEvent: (event: ExperimentFileEvent) => void | Promise<void>;
  /** Default 1000: some file systems (network, container mounts) give no notice, so changes are also looked for. */
  readonly pollMs?: number;
  /** Default 50: editors write in several steps. */
  readonly settleMs?: number;
}

/** A running watch. */
export interface ExperimentWatch {
  /** Looks now; resolves when every change found was reported. */
  refresh(): Promise<void>;
  /** No call of `onEvent` begins afterwards. */
  close(): Promise<void>;
}

/** Largest file that is read, bytes; the parser's own limit is lower. */
const largestBytes = 1024 * 1024;

interface Known {
  /** Changes whenever the file may have changed. */
  readonly stamp: string;
  readonly text: string | undefined;
  /** `namespace/name` of what it last said well. */
  readonly names: readonly string[];
  readonly isRefused: boolean;
}

/**
 * Starts to watch, after the first reading has been reported in full.
 *
 * @throws AssayError `file-unreadable` when the path cannot be read at the start.
 */
export async function watchExperiments(options: WatchExperimentsOptions): Promise<ExperimentWatch> {
  const { path, onEvent, pollMs = 1000, settleMs = 50 } = options;
  const known = new Map<string, Known>();
  let isClosed = false;
  let last: Promise<void> = Promise.resolve();

  const report = async (event: ExperimentFileEvent): Promise<void> => {
    if (!isClosed) await onEvent(event);
  };
  const readOne = async (file: string, stamp: string): Promise<void> => {
    const before = known.get(file);
    if (before?.stamp === stamp) return;
    const names = before?.names ?? [];
    let text: string | undefined;
    try {
      text = await readText(file);
      known.set(file, { stamp, text, names, isRefused: before?.isRefused ?? false });
      if (text === before?.text) return;
      const experiments = parseExperimentFiles(text, { file });
      const own = experiments.map((each) => `${each.namespace}/${each.name}`);
      requireOwnNames({ file, own, known });
      known.set(file, { stamp, text, names: own, isRefused: false });
      if (names.some((name) => !own.includes(name))) forgetRefusals(known);
      await report({ kind: 'parsed', file, experiments });
    } catch (error) {
      known.set(file, { stamp, text, names, isRefused: true });
      await report({ kind: 'refused', file, error: error instanceof AssayError ? error : unreadable(file, error) });
    }
  };
  const scan = async (): Promise<void> => {
    if (isClosed) return;
    const found = await listFiles(path).catch((fault: AssayError) => {
      if (known.size > 0 && (fault.cause as NodeJS.ErrnoException)?.code === 'ENOENT') return new Map<string, string>();
      throw fault;
    });
    for (const file of [...known.keys()])
      if (!found.has(file)) {
        known.delete(file);
        forgetRefusals(known);
        await report({ kind: 'removed', file });
      }
    for (const [file, stamp] of found) await readOne(file, stamp);
  };
  const refresh = (): Promise<void> => {
    const turn = last.then(scan);
    last = turn.catch(() => undefined);
    return turn;
  };

  await refresh();
  // A scan that fails is tried again by the poll.
  const later = (): void => void refresh().catch(() => undefined);
  let settling: NodeJS.Timeout | undefined;
  const notice = startNotice(path, () => {
    clearTimeout(settling);
    settling = setTimeout(later, settleMs);
    settling.unref();
  });
  const poll = setInterval(later, pollMs);
  poll.unref();
  return {
    refresh,
    close: async () => {
      isClosed = true;
      clearTimeout(settling);
      clearInterval(poll);
      notice?.close();
      await last;
    },
  };
}

/** A name has come free: files that were refused may be right now, so the next look reads them again. */
function forgetRefusals(known: Map<string, Known>): void {
  for (const [file, entry] of known) if (entry.isRefused) known.set(file, { ...entry, stamp: '', text: undefined });
}

/** Files and their stamps, by name. */
async function listFiles(path: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  try {
    if (!(await stat(path)).isDirectory()) return found.set(path, await stampOf(path));
    const names = (await readdir(path)).filter((name) => /^[^.].*\.(ya?ml|json)$/i.test(name)).sort();
    for (const file of names.map((name) => join(path, name))) {
      const stamp = await stampOf(file).catch((cause: unknown) => `unreadable ${String(cause)}`);
      if (stamp !== '') found.set(file, stamp);
    }
    return found;
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

async function stampOf(file: string): Promise<string> {
  const { isFile, mtimeNs, ctimeNs, size, ino } = await stat(file, { bigint: true }).then((found) => ({
    isFile: found.isFile(),
    mtimeNs: found.mtimeNs,
    ctimeNs: found.ctimeNs,
    size: found.size,
    ino: found.ino,
  }));
  return isFile ? `${mtimeNs} ${ctimeNs} ${size} ${ino}` : '';
}

async function readText(file: string): Promise<string> {
  const { size } = await stat(file);
  if (size > largestBytes)
    throw new AssayError(
      'experiment-invalid',
      `${file}:1: the file is ${size} bytes long, must be at most ${largestBytes}`,
    );
  return readFile(file, 'utf8');
}

function requireOwnNames({
  file,
  own,
  known,
}: {
  readonly file: string;
  readonly own: readonly string[];
  readonly known: ReadonlyMap<string, Known>;
}): void {
  for (const [other, { names }] of known) {
    const taken = other === file ? undefined : own.find((name) => names.includes(name));
    if (taken !== undefined)
      throw new AssayError(
        'experiment-exists',
        `${file}: experiment "${taken}" already stands in ${other}, must stand in one file`,
      );
  }
}

function startNotice(path: string, onChange: () => void): FSWatcher | undefined {
  try {
    // A file is watched through its folder: editors replace the file, and a watch on the old one would go deaf.
    const isFolder = !/\.(ya?ml|json)$/i.test(basename(path));
    const watcher = watch(isFolder ? path : dirname(path), { persistent: false }, onChange);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}

function unreadable(file: string, cause: unknown): AssayError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new AssayError('file-unreadable', `${file} cannot be read: ${reason}`, { cause });
}
