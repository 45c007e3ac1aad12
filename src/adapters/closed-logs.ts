// Which log files does nobody write to any more? They may be sealed, or handed to another server, and then go.
import { rm, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isLogOwned, releaseLog } from './log-owner.ts';
import { type LogFile, listLogFiles } from './read-evidence-log.ts';

/** All files but the newest of each writer that lives; by writer, and in order. */
export async function closedLogFiles(directory: string): Promise<readonly LogFile[]> {
  const closed: LogFile[] = [];
  for (const file of await listLogFiles(directory))
    if (!(file.isNewest && (await isLogOwned(dirname(file.path))))) closed.push(file);
  return closed;
}

/** Removes a closed file, and its folder with the last one. */
export async function removeLogFile(path: string): Promise<void> {
  await rm(path, { force: true });
  const folder = dirname(path);
  // The note of a process that was killed; a living one's folder holds its newest file and stays.
  if (!(await isLogOwned(folder))) await releaseLog(folder);
  await rmdir(folder).catch(() => undefined);
}
