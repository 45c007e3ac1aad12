// How do one person's kept bodies go? Every file that holds one of their predictions is written anew without it.
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import { syncDirectory } from './durable-files.ts';
import { isBodyFile } from './file-body-store.ts';

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/**
 * Removes the kept bodies of these predictions; gives how many went. What a crash had cut off at the end of a file goes with
 * them. A server that adds to the same file at the very same moment may lose what it adds: bodies are a sample.
 */
export async function eraseBodies(directory: string, predictionIds: ReadonlySet<string>): Promise<number> {
  if (predictionIds.size === 0) return 0;
  const root = join(directory, 'bodies');
  const names = await readdir(root, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [];
    throw cause;
  });
  let erased = 0;
  for (const name of names) {
    if (!isBodyFile(name.slice(name.lastIndexOf('/') + 1))) continue;
    const file = join(root, name);
    const kept: string[] = [];
    let found = 0;
    for (const line of await linesOf(file)) {
      if (predictionIds.has(predictionIdOf(line))) found += 1;
      else kept.push(`${line}\n`);
    }
    if (found === 0) continue;
    if (kept.length === 0) await rm(file, { force: true });
    else {
      const draft = `${file}.tmp`;
      await writeFile(draft, await compress(kept.join('')), { mode: 0o600, flush: true });
      await rename(draft, file);
    }
    await syncDirectory(dirname(file));
    erased += found;
  }
  return erased;
}

/** Lines as far as a crash left them whole. */
async function linesOf(file: string): Promise<readonly string[]> {
  const text = await decompress(await readFile(file), { finishFlush: constants.Z_SYNC_FLUSH });
  return text
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
}

function predictionIdOf(line: string): string {
  try {
    return String((JSON.parse(line) as { readonly predictionId?: unknown }).predictionId);
  } catch {
    return '';
  }
}
