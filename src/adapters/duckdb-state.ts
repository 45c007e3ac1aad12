// Is what an earlier process left in its state file of any use? If it is not, it goes: the file is a cache of the evidence.
import { createHash } from 'node:crypto';
import { version } from '@duckdb/node-api';
import { AssayError } from '../errors.ts';
import { type DuckdbSession, type DuckdbSessionOptions, openDuckdbSession } from './duckdb-session.ts';
import { removeStateFile } from './state-file.ts';

/** Rises when the same tables would hold something else. */
const stateVersion = 1;

/**
 * A session on the state file with these tables; without a file, in memory. A file that is damaged, of another version or of
 * other tables is deleted and made anew.
 *
 * @param tables statements that make tables where there are none.
 * @throws AssayError `data-directory-locked` while another process has the file open.
 */
export async function openState(options: DuckdbSessionOptions, tables: readonly string[]): Promise<DuckdbSession> {
  // Units are numbered by the engine's own hash, which another version may compute otherwise.
  const format = createHash('sha256')
    .update(JSON.stringify([stateVersion, version(), tables]))
    .digest('hex');
  const { stateFile } = options;
  try {
    return await openWith(options, { tables, format });
  } catch (fault) {
    const message = fault instanceof Error ? fault.message : String(fault);
    if (message.includes('Conflicting lock'))
      throw new AssayError('data-directory-locked', `${stateFile} is open in another process`, { cause: fault });
    if (stateFile === undefined) throw fault;
    await removeStateFile(stateFile);
    return openWith(options, { tables, format });
  }
}

async function openWith(
  options: DuckdbSessionOptions,
  { tables, format }: { readonly tables: readonly string[]; readonly format: string },
): Promise<DuckdbSession> {
  const session = await openDuckdbSession(options);
  try {
    await session.run('CREATE TABLE IF NOT EXISTS format (digest VARCHAR)');
    const [found] = await session.read('SELECT f.digest FROM format f');
    if (found !== undefined && found.digest !== format) throw new Error('the state file is of another version');
    for (const sql of tables) await session.run(sql);
    if (found === undefined) await session.run('INSERT INTO format VALUES ($format)', { format });
    return session;
  } catch (fault) {
    await session.close();
    throw fault;
  }
}
