// Is every acknowledged record there after a process was killed in the middle of its work? Counts them, round by round.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readEvidence } from '../../src/adapters/evidence-store/read-evidence.ts';

/** What became of the acknowledged records. */
export interface Killed {
  readonly acknowledged: number;
  readonly lost: number;
  readonly doubled: number;
}

const program = fileURLToPath(new URL('../../src/adapters/evidence-log-writer.fixture.ts', import.meta.url));

/** Lets a writer run for a moment after its first acknowledgement and kills it with SIGKILL. */
export async function killWriter(below: string, runMs: number): Promise<Killed> {
  const directory = mkdtempSync(join(below, 'killed-'));
  const child = spawn(process.execPath, ['--import', 'tsx', program, directory, '300000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), runMs));
  await once(child, 'close');
  const found = new Map<string, number>();
  for await (const record of readEvidence(directory))
    if (record.kind === 'outcome') found.set(record.id, (found.get(record.id) ?? 0) + 1);
  rmSync(directory, { recursive: true });
  // A last line without its end was not said.
  const ids = printed
    .slice(0, printed.lastIndexOf('\n'))
    .split('\n')
    .filter((id) => !id.startsWith('refused'));
  return {
    acknowledged: ids.length,
    lost: ids.filter((id) => !found.has(id)).length,
    doubled: [...found.values()].filter((times) => times > 1).length,
  };
}
