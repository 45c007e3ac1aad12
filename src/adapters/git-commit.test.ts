// Commits to real git repositories on disk.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { AssayError } from '../errors.ts';
import { commitToGit, type GitChange } from './git-commit.ts';

const folders: string[] = [];
const closers: (() => void)[] = [];
const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'assay-git-test-'));
  folders.push(folder);
  return folder;
};
afterAll(() => {
  for (const close of closers) close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
const git = (cwd: string, ...args: readonly string[]): string =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { cwd, encoding: 'utf8' });

/** A bare repository with one file on the branch `main`. */
const newRemote = (): string => {
  const remote = newFolder();
  git(remote, 'init', '--quiet', '--bare', '--initial-branch=main');
  const work = newFolder();
  git(work, 'init', '--quiet', '--initial-branch=main');
  writeFileSync(join(work, 'file.txt'), 'count 0\n');
  symlinkSync('/etc/hostname', join(work, 'link.txt'));
  git(work, 'add', '.');
  git(work, 'commit', '--quiet', '-m', 'first');
  git(work, 'push', '--quiet', remote, 'main');
  return remote;
};
const change = (repository: string, more: Partial<GitChange> = {}): GitChange => ({
  repository,
  branch: undefined,
  path: 'file.txt',
  edit: (text) => text.replace(/\d+/, (count) => String(Number(count) + 1)),
  message: 'Count\n\none more\n',
  author: { name: 'Ada', email: 'ada@example.invalid' },
  ...more,
});
const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no fault',
    (fault: unknown) => (fault instanceof AssayError ? `${fault.code}: ${fault.message}` : fault),
  );

/** The real git daemon behind a wire that cuts these connections, counted from 1. */
const startDaemon = async (
  repository: string,
  cut: readonly number[],
): Promise<{ readonly url: string; readonly connections: () => number }> => {
  const sockets = new Set<Socket>();
  let connections = 0;
  const wire = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    if (cut.includes(connections)) {
      socket.resetAndDestroy();
      return;
    }
    // As inetd would start it: one process for one connection.
    const args = [
      'daemon',
      '--inetd',
      '--export-all',
      '--enable=receive-pack',
      `--base-path=${repository}`,
      repository,
    ];
    const daemon = spawn('git', args, { stdio: ['pipe', 'pipe', 'ignore'] });
    daemon.stdin.on('error', () => undefined);
    socket.pipe(daemon.stdin);
    daemon.stdout.pipe(socket);
  });
  await new Promise<void>((resolve) => wire.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    wire.close();
  });
  return { url: `git://127.0.0.1:${(wire.address() as AddressInfo).port}/`, connections: () => connections };
};

describe('a commit to a git repository', { timeout: 60_000 }, () => {
  it('is pushed to its own branch, with author and message', async () => {
    const remote = newRemote();
    const done = await commitToGit(change(remote));
    expect(done).toMatchObject({ kind: 'pushed', branch: 'main' });
    expect(git(remote, 'show', 'main:file.txt')).toBe('count 1\n');
    expect(git(remote, 'log', '-1', '--format=%H %an %ae %s|%b', 'main').trim()).toBe(
      `${done.commit} Ada ada@example.invalid Count|one more`,
    );
  });

  it('is not made when the file says so already', async () => {
    const remote = newRemote();
    const before = git(remote, 'rev-parse', 'main').trim();
    expect(await commitToGit(change(remote, { edit: (text) => text }))).toEqual({
      kind: 'unchanged',
      commit: before,
      branch: 'main',
    });
    expect(git(remote, 'rev-list', '--count', 'main').trim()).toBe('1');
  });

  it('loses nothing when several push at once: each edit is made on what the others pushed', async () => {
    const remote = newRemote();
    // Each says something of its own: the same change by the same author in the same second is one commit.
    await Promise.all([1, 2, 3, 4].map((each) => commitToGit(change(remote, { message: `Count ${each}\n` }))));
    expect(git(remote, 'show', 'main:file.txt')).toBe('count 4\n');
    expect(git(remote, 'rev-list', '--count', 'main').trim()).toBe('5');
  });

  it('is refused with what git says, and without a password in the message', async () => {
    const remote = newRemote();
    expect(await codeOf(commitToGit(change(remote, { branch: 'other' })))).toMatch(/git-refused: git fetch: .*other/);
    expect(await codeOf(commitToGit(change(remote, { path: 'none.txt' })))).toMatch(
      /none.txt is not in the repository/,
    );
  });

  it('asks a remote that does not answer several times, then says so without the password', async () => {
    const away = await codeOf(commitToGit(change('https://user:secret@127.0.0.1:9/x.git')));
    expect(away).toMatch(/git-unreachable: git ls-remote: .*127.0.0.1/);
    expect(away).not.toContain('secret');
  });

  it('is pushed once by a remote that loses three connections', async () => {
    const remote = newRemote();
    const daemon = await startDaemon(remote, [1, 2, 5]);
    expect(await commitToGit(change(daemon.url))).toMatchObject({ kind: 'pushed', branch: 'main' });
    expect(daemon.connections()).toBeGreaterThan(5);
    expect(git(remote, 'rev-list', '--count', 'main').trim()).toBe('2');
    expect(git(remote, 'show', 'main:file.txt')).toBe('count 1\n');
  });

  it.each([
    ['an option for a repository', { repository: '--upload-pack=touch /tmp/x' }],
    ['an option for a branch', { branch: '--force' }],
    ['a path that leads out', { path: '../x' }],
    ['an absolute path', { path: '/etc/passwd' }],
  ])('is refused for %s', async (_, more) => {
    expect(await codeOf(commitToGit(change('.', more)))).toMatch(/^git-refused: the /);
  });

  it('does not follow a link out of the repository', async () => {
    const before = readFileSync('/etc/hostname', 'utf8');
    expect(await codeOf(commitToGit(change(newRemote(), { path: 'link.txt' })))).toMatch(/leads out of the repository/);
    expect(readFileSync('/etc/hostname', 'utf8')).toBe(before);
  });

  it('ends with what the edit throws', async () => {
    const refusal = new AssayError('git-refused', 'not here');
    const edit = (): string => {
      throw refusal;
    };
    await expect(commitToGit(change(newRemote(), { edit }))).rejects.toBe(refusal);
  });
});
