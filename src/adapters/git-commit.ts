// How does a change become a commit in somebody's git repository? Fetch, edit, commit, push; when somebody else pushed first,
// the edit is made anew on what they pushed. Uses the git program, with its own credentials and never a prompt; a remote that does
// not answer is asked again a few times.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, join, sep } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { AssayError } from '../errors.ts';

/** A change of one file. */
export interface GitChange {
  /** What `git clone` takes: an https or ssh address, or a path. */
  readonly repository: string;
  /** Undefined: the branch the repository's HEAD names. */
  readonly branch: string | undefined;
  /** From the root of the repository. */
  readonly path: string;
  /** Gives the new text; called again when somebody pushed in between. What it throws ends the change. */
  readonly edit: (text: string) => string;
  /** Subject, empty line, body. */
  readonly message: string;
  readonly author: { readonly name: string; readonly email: string };
}

/** What became of it. */
export interface GitCommitted {
  /** `unchanged`: the file says so already, nothing was pushed. */
  readonly kind: 'pushed' | 'unchanged';
  /** Hash of the commit that holds it. */
  readonly commit: string;
  readonly branch: string;
}

/** How often it is tried when others push at the same time. */
const mostTries = 8;
const firstPauseMs = 100;
/** How often a remote is asked that does not answer. */
const mostAsked = 4;
/** For one call of git. */
const timeoutMs = 120_000;

/**
 * Commits and pushes.
 *
 * @throws AssayError `git-refused` and `git-unreachable` with git's own words; `dependency-missing` without git; what `edit` throws.
 */
export async function commitToGit(change: GitChange): Promise<GitCommitted> {
  requirePlain(change);
  const folder = await mkdtemp(join(tmpdir(), 'assay-git-'));
  try {
    const git = (...args: readonly string[]): Promise<string> => askPatiently(() => runGit(args, folder));
    await git('init', '--quiet');
    await git('remote', 'add', '--', 'origin', change.repository);
    const branch = change.branch ?? (await headOf(git, change.repository));
    let pushed: string | undefined;
    for (let tries = 1; ; tries += 1) {
      await git('fetch', '--quiet', '--depth=1', 'origin', `refs/heads/${branch}`);
      await git('checkout', '--quiet', '--force', '--detach', 'FETCH_HEAD');
      const file = await fileWithin(folder, change.path);
      const text = await readFile(file, 'utf8');
      const next = change.edit(text);
      const base = (await git('rev-parse', 'HEAD')).trim();
      // A push may have arrived though its answer was lost.
      if (next === text) return { kind: base === pushed ? 'pushed' : 'unchanged', commit: base, branch };
      await writeFile(file, next);
      await git('add', '--', change.path);
      const { name, email } = change.author;
      await git(
        ...['-c', `user.name=${name}`, '-c', `user.email=${email}`, '-c', 'commit.gpgSign=false'],
        ...['commit', '--quiet', '--no-verify', '--message', change.message],
      );
      const commit = (await git('rev-parse', 'HEAD')).trim();
      pushed = commit;
      try {
        await runGit(['push', '--quiet', 'origin', `HEAD:refs/heads/${branch}`], folder);
        return { kind: 'pushed', commit, branch };
      } catch (fault) {
        const isLate =
          fault instanceof AssayError &&
          (fault.retryable || /fetch first|non-fast-forward|cannot lock ref|failed to update ref/.test(fault.message));
        if (!isLate || tries === mostTries) throw fault;
        await pauseAfter(tries);
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function askPatiently(ask: () => Promise<string>): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask();
    } catch (fault) {
      if (!(fault instanceof AssayError && fault.retryable) || tries === mostAsked) throw fault;
      await pauseAfter(tries);
    }
  }
}

/** Half of it is chance, so that two of us do not meet again and again. */
function pauseAfter(tries: number): Promise<void> {
  return pause(firstPauseMs * 2 ** Math.min(tries, 5) * (0.5 + Math.random() / 2));
}

/** Nothing given may be taken by git for an option, or lead out of the repository. */
function requirePlain({ repository, branch, path }: GitChange): void {
  const refuse = (what: string, rule: string): never => {
    throw new AssayError('git-refused', `${what}, must ${rule}`, { fix: 'Check --git, --branch and --path.' });
  };
  if (repository === '' || repository.startsWith('-'))
    refuse(`the repository is ${JSON.stringify(repository)}`, 'be an address or a path');
  if (branch !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._/-]*$/.test(branch))
    refuse(`the branch is ${JSON.stringify(branch)}`, 'be a branch name');
  if (path === '' || path.startsWith('-') || isAbsolute(path) || path.split(/[\\/]/).includes('..'))
    refuse(`the path is ${JSON.stringify(path)}`, 'lead from the root of the repository to a file within it');
}

/** The branch that a clone would begin with. */
async function headOf(git: (...args: readonly string[]) => Promise<string>, repository: string): Promise<string> {
  const listed = await git('ls-remote', '--symref', 'origin', 'HEAD');
  const branch = /^ref: refs\/heads\/(\S+)\tHEAD$/m.exec(listed)?.[1];
  if (branch !== undefined) return branch;
  throw new AssayError('git-refused', `${withoutSecret(repository)} does not say which branch is its own`, {
    fix: 'Name it with --branch.',
  });
}

/** The file's place on disk; a link in the repository must not make us write elsewhere. */
async function fileWithin(folder: string, path: string): Promise<string> {
  const root = await realpath(folder);
  const file = await realpath(join(root, path)).catch((cause: Error) => {
    throw new AssayError('git-refused', `${path} is not in the repository`, { cause });
  });
  if (file.startsWith(root + sep) && !file.startsWith(join(root, '.git') + sep)) return file;
  throw new AssayError('git-refused', `${path} leads out of the repository, must stay in it`);
}

/** What git and ssh say when nobody answers, or answers that it is busy. */
const away =
  /could not resolve host|(couldn't|failed to|unable to) connect|connection (refused|reset|closed|timed out)|operation timed out|hung up unexpectedly|early EOF|unexpected disconnect|returned error: (408|429|5\d\d)/i;

function runGit(args: readonly string[], cwd: string): Promise<string> {
  const env = { ...process.env, GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' };
  // Called from a git hook, these would point at somebody else's repository.
  for (const name of ['GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE'] as const) delete (env as NodeJS.ProcessEnv)[name];
  const fixed = ['-c', 'core.hooksPath=/dev/null', '-c', 'core.autocrlf=false', '-c', 'advice.detachedHead=false'];
  return new Promise((resolve, reject) => {
    execFile(
      'git',
      [...fixed, ...args],
      { cwd, env, timeout: timeoutMs, maxBuffer: 16 * 1024 * 1024 },
      (fault, stdout, stderr) => {
        if (fault === null) resolve(stdout);
        else if ((fault as NodeJS.ErrnoException).code === 'ENOENT')
          reject(
            new AssayError('dependency-missing', 'the program git is not installed', {
              cause: fault,
              fix: 'Install git.',
            }),
          );
        else {
          const step = args.find((each) =>
            /^(init|remote|ls-remote|fetch|checkout|rev-parse|add|commit|push)$/.test(each),
          );
          // The fault itself is no cause to keep: it quotes the command, and an address may carry a password.
          const said = fault.killed ? `no end within ${timeoutMs / 1000} s` : stderr.trim() || fault.message;
          const code = fault.killed || away.test(said) ? 'git-unreachable' : 'git-refused';
          reject(new AssayError(code, `git ${step}: ${withoutSecret(said)}`));
        }
      },
    );
  });
}

/** Addresses may carry a password; messages must not. */
function withoutSecret(text: string): string {
  return text.replace(/(\w+:\/\/)[^/@\s]+@/g, '$1');
}
