// Where does the analysis process keep what it made of the evidence? A cache: whoever removes it loses time, nothing else.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

/** The state file of a data directory. */
export function stateFileOf(directory: string): string {
  return join(directory, 'state.duckdb');
}

/** Removes a state file with what belongs to it; one that is not there is no fault. */
export async function removeStateFile(path: string): Promise<void> {
  for (const file of [path, `${path}.wal`]) await rm(file, { force: true });
}
