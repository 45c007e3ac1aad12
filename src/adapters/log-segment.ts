// How does a file of the evidence log begin, and how is one left behind? With nothing that a crash could leave half made.
import { type FileHandle, mkdir, open, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory, writeAll } from './durable-files.ts';
import { encodeHeader, headerBytes } from './log-frames.ts';
import { claimLog, releaseLog } from './log-owner.ts';

/** A file that is being written. */
export interface Segment {
  readonly path: string;
  readonly handle: FileHandle;
  /** How long it is; the writer counts. */
  bytes: number;
}

/** A new file with its header, durable with the names that lead to it. @throws Error of the file system. */
export async function createSegment(place: {
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

/** Closes a file after a fault and never touches its content. A file in which no write ever ended goes: while a disk stays full, each attempt would leave one. */
export async function abandon(segment: Segment): Promise<void> {
  await segment.handle.close().catch(() => undefined);
  if (segment.bytes <= headerBytes) await rm(segment.path, { force: true }).catch(() => undefined);
  await giveUp(dirname(segment.path));
}

/** Nobody writes there any more. A folder with nothing else in it goes. */
async function giveUp(folder: string): Promise<void> {
  await releaseLog(folder).catch(() => undefined);
  await rmdir(folder).catch(() => undefined);
}
