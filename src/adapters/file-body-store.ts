// Where do sampled bodies lie until they are too old? Compressed files by experiment and hour, deleted by age and by the room they take.
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Observer } from '../evidence/index.ts';
import type { BodyStore } from '../gateway/index.ts';

/** Options of `createFileBodyStore`. */
export interface FileBodyStoreOptions {
  /** The data directory; bodies stand in `bodies/NAMESPACE/EXPERIMENT/` beneath it. */
  readonly directory: string;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly observer: Observer;
  /** Room for all bodies, bytes on disk; the oldest files go first. Default 1 GB. */
  readonly maxTotalBytes?: number;
  /** Bodies that wait for the disk, characters; more are dropped. Default 16 million. */
  readonly maxQueue?: number;
  /** How long bodies wait for company, milliseconds; default 500. */
  readonly flushMs?: number;
  /** Pause between two searches for files that are too old, milliseconds; default 60,000. */
  readonly sweepMs?: number;
}

const compress = promisify(gzip);
const hourMs = 3_600_000;

/** Name of a file: when it was begun, when it must be gone (both epoch milliseconds), who writes it. */
const namePattern = /^(\d+)-until-(\d+)-[0-9a-f]+\.ndjson\.gz$/;

interface Batch {
  readonly folder: string;
  lines: string[];
}

/**
 * A store that deletes what is too old, at once and then from time to time. Files take bodies for at most an hour and are
 * deleted whole, counted from their first moment: no body is kept longer than its experiment says, some up to an hour less.
 */
export function createFileBodyStore(options: FileBodyStoreOptions): BodyStore {
  const { directory, now, observer } = options;
  const { maxTotalBytes = 1024 ** 3, maxQueue = 16_000_000, flushMs = 500, sweepMs = 60_000 } = options;
  const root = join(directory, 'bodies');
  const writer = randomBytes(6).toString('hex');
  let batches = new Map<string, Batch>();
  let queued = 0;
  let timer: NodeJS.Timeout | null = null;
  let work: Promise<void> = Promise.resolve();

  const drop = (count: number, reason: string, cause?: unknown): void => {
    observer.count('bodies_dropped', { reason }, count);
    if (cause !== undefined) observer.fault('bodies-not-kept', `${count} sampled bodies could not be written`, cause);
  };

  const write = async (file: string, { folder, lines }: Batch): Promise<void> => {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      // Each batch is a gzip member of its own: what a crash leaves behind can be read up to the last whole one.
      const bytes = await compress(lines.join(''));
      const handle = await open(file, 'a', 0o600);
      try {
        await handle.writeFile(bytes);
      } finally {
        await handle.close();
      }
      observer.count('bodies_kept', {}, lines.length);
    } catch (cause) {
      drop(lines.length, 'disk', cause);
    }
  };

  const flush = (): void => {
    timer = null;
    const taken = batches;
    const size = queued;
    batches = new Map();
    work = work.then(async () => {
      for (const [file, batch] of taken) await write(file, batch);
      queued -= size;
    });
  };

  const sweep = (): void => {
    work = work.then(async () => {
      try {
        await deleteOld({ root, nowMs: now(), maxTotalBytes });
      } catch (cause) {
        observer.fault('bodies-not-kept', 'old bodies could not be deleted', cause);
      }
    });
  };

  sweep();
  const sweeper = setInterval(sweep, sweepMs);
  sweeper.unref();

  return {
    add(exchange, retentionMs) {
      const line = `${JSON.stringify(exchange)}\n`;
      if (queued + line.length > maxQueue) {
        drop(1, 'queue');
        return;
      }
      queued += line.length;
      const folder = folderOf(directory, exchange);
      const spanMs = Math.max(1, Math.min(hourMs, retentionMs / 2));
      const beganMs = Math.floor(now() / spanMs) * spanMs;
      const file = join(
        folder,
        `${Math.floor(beganMs)}-until-${Math.floor(beganMs + retentionMs)}-${writer}.ndjson.gz`,
      );
      const batch = batches.get(file);
      if (batch === undefined) batches.set(file, { folder, lines: [line] });
      else batch.lines.push(line);
      timer ??= setTimeout(flush, flushMs);
    },
    async close() {
      clearInterval(sweeper);
      if (timer !== null) clearTimeout(timer);
      flush();
      await work;
    },
  };
}

/** Names are percent-encoded as in URLs, so that none can leave the folder. */
export function folderOf(
  directory: string,
  { namespace, experiment }: { readonly namespace: string; readonly experiment: string },
): string {
  const safe = (name: string): string => encodeURIComponent(name).replace(/^\.+$/, (dots) => '%2E'.repeat(dots.length));
  return join(directory, 'bodies', safe(namespace), safe(experiment));
}

async function deleteOld(rule: {
  readonly root: string;
  readonly nowMs: number;
  readonly maxTotalBytes: number;
}): Promise<void> {
  const files: { path: string; beganMs: number; bytes: number }[] = [];
  let names: string[];
  try {
    names = await readdir(rule.root, { recursive: true });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw cause;
  }
  for (const name of names) {
    const found = namePattern.exec(name.slice(name.lastIndexOf('/') + 1));
    if (found === null) continue;
    const path = join(rule.root, name);
    if (Number(found[2]) <= rule.nowMs) await rm(path, { force: true });
    else files.push({ path, beganMs: Number(found[1]), bytes: await sizeOf(path) });
  }
  let total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  files.sort((a, b) => a.beganMs - b.beganMs);
  for (const { path, bytes } of files) {
    if (total <= rule.maxTotalBytes) return;
    await rm(path, { force: true });
    total -= bytes;
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0; // another process deleted it first
  }
}

/** True for names of files this store writes. */
export function isBodyFile(name: string): boolean {
  return namePattern.test(name);
}
