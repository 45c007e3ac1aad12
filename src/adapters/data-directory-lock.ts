// Who owns a data directory? One process of one machine at a time, known by its pid and the moment it started.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, mkdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { AssayError } from '../errors.ts';

/** A directory that is ours until released, or until this process ends in whatever way. */
export interface DataDirectoryLock {
  /** Gives the directory free. Safe to call twice. */
  release(): Promise<void>;
}

const guardLifeMs = 10_000;

/** A process, so that another can tell whether it still lives. */
export interface Owner {
  readonly pid: number;
  /** Tells this process from another that got the same pid later; null where the system does not say. */
  readonly started: string | null;
}

/**
 * Takes the directory, making it when it is missing. A lock whose process is gone is taken over. Holds on one machine: on a
 * network file system processes of other machines are not seen.
 *
 * @throws AssayError `data-directory-locked` naming the pid; `data-directory-unusable` when nothing can be written there.
 */
export async function lockDataDirectory(directory: string): Promise<DataDirectoryLock> {
  const path = join(directory, 'lock');
  const text = `${JSON.stringify({ ...thisProcess(), token: randomBytes(8).toString('hex') })}\n`;
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    await mkdir(directory, { recursive: true });
    // Written whole under another name and then linked: nobody ever reads half a lock.
    await writeFile(draft, text, { flag: 'wx', mode: 0o600, flush: true });
    try {
      await take({ path, draft, directory });
    } finally {
      await unlink(draft);
    }
  } catch (cause) {
    if (cause instanceof AssayError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AssayError('data-directory-unusable', `data directory ${directory} cannot be written: ${reason}`, {
      cause,
    });
  }
  return {
    release: async () => {
      if ((await readText(path)) === text) await unlink(path).catch(() => undefined);
    },
  };
}

async function take({
  path,
  draft,
  directory,
}: {
  readonly path: string;
  readonly draft: string;
  readonly directory: string;
}): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      return await link(draft, path);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    }
    const found = await readText(path);
    if (found === undefined) continue;
    const owner = parseOwner(found);
    if (owner !== undefined && isAlive(owner))
      throw new AssayError('data-directory-locked', `data directory ${directory} is in use by process ${owner.pid}`, {
        fix: `Stop process ${owner.pid}, or choose another directory with --data.`,
      });
    await discard(path, found);
  }
  throw new AssayError(
    'data-directory-locked',
    `data directory ${directory} is being taken by several processes at once`,
  );
}

/**
 * Removes a stale lock. Two processes may see the same one; a guard named after its content decides who removes it, and since
 * a lock of other content is never touched under that guard, nobody removes the live lock that has taken its place.
 */
async function discard(path: string, stale: string): Promise<void> {
  const guard = `${path}.takeover-${createHash('sha256').update(stale).digest('hex').slice(0, 16)}`;
  try {
    await writeFile(guard, '', { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    // Somebody else is at it; a guard this old was left by a process that died within those few instructions.
    const age = await stat(guard).then(
      (found) => Date.now() - found.mtimeMs,
      () => 0,
    );
    if (age > guardLifeMs) await rm(guard, { force: true });
    await setTimeout(5);
    return;
  }
  try {
    if ((await readText(path)) === stale) await unlink(path);
  } finally {
    await rm(guard, { force: true });
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw cause;
  }
}

/** The running process. */
export function thisProcess(): Owner {
  return { pid: process.pid, started: startOf(process.pid) };
}

/** The owner in a text; undefined when there is none. */
export function parseOwner(text: string): Owner | undefined {
  try {
    const { pid, started } = JSON.parse(text) as Partial<Owner>;
    if (!Number.isSafeInteger(pid) || pid! <= 0) return undefined;
    return { pid: pid!, started: typeof started === 'string' ? started : null };
  } catch {
    return undefined;
  }
}

/** True while the process lives; also when its system cannot say whether a later one took its number. */
export function isAlive({ pid, started }: Owner): boolean {
  try {
    process.kill(pid, 0);
  } catch (cause) {
    // EPERM: it lives, but belongs to another user.
    if ((cause as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const current = startOf(pid);
  return started === null || current === null || started === current;
}

/** When a process started, in the system's own words; null where they cannot be had. */
function startOf(pid: number): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything, so fields are counted after the last ")"; starttime is field 22 of proc(5).
    return `${boot}:${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    try {
      return (
        execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' }).trim() || null
      );
    } catch {
      return null;
    }
  }
}
