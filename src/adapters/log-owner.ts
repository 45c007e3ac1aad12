// Does somebody still write to a log? A note in the writer's folder says which process does, and the system whether it lives.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, parseOwner, thisProcess } from './data-directory-lock.ts';

const noteName = 'owner';

/** Notes that this process writes the log of the folder; before its first file, so that no log stands there without it. */
export async function claimLog(folder: string): Promise<void> {
  await writeFile(join(folder, noteName), `${JSON.stringify(thisProcess())}\n`);
}

/** Gives the log up: its newest file is never written to again. */
export async function releaseLog(folder: string): Promise<void> {
  await rm(join(folder, noteName), { force: true });
}

/** True while the process that writes the log of this folder lives and has not given it up. */
export async function isLogOwned(folder: string): Promise<boolean> {
  try {
    const owner = parseOwner(await readFile(join(folder, noteName), 'utf8'));
    return owner !== undefined && isAlive(owner);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw cause;
  }
}
