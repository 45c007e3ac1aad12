import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { lockDataDirectory } from './data-directory-lock.ts';

const moduleUrl = new URL('./data-directory-lock.ts', import.meta.url).href;
const holdScript = `
  import { lockDataDirectory } from ${JSON.stringify(moduleUrl)};
  try { await lockDataDirectory(process.argv[1]); console.log('locked'); setInterval(() => {}, 1000); }
  catch (error) { console.log(error.code); }
`;

const roots: string[] = [];
const children: ChildProcess[] = [];
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(roots.map((root) => rm(root, { recursive: true, force: true })));
});

async function hold(directory: string): Promise<{ child: ChildProcess; answer: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', holdScript, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [chunk] = (await once(child.stdout!, 'data')) as [Buffer];
  return { child, answer: chunk.toString().trim() };
}

describe('lockDataDirectory', () => {
  let directory: string;
  beforeEach(async () => {
    const root = await mkdtemp(join(tmpdir(), 'assay-lock-'));
    roots.push(root);
    directory = join(root, 'data');
  });

  test('a directory is made, taken, and free again after release', async () => {
    const lock = await lockDataDirectory(directory);
    expect(await readdir(directory)).toEqual(['lock']);
    expect(JSON.parse(await readFile(join(directory, 'lock'), 'utf8'))).toMatchObject({ pid: process.pid });
    await lock.release();
    await lock.release();
    expect(await readdir(directory)).toEqual([]);
    await (await lockDataDirectory(directory)).release();
  });

  test('a second taker in the same process is refused and told the pid', async () => {
    const lock = await lockDataDirectory(directory);
    await expect(lockDataDirectory(directory)).rejects.toMatchObject({
      code: 'data-directory-locked',
      message: `data directory ${directory} is in use by process ${process.pid}`,
    });
    await lock.release();
  });

  test('another process keeps the lock while it lives and loses it when it is killed', async () => {
    const { child, answer } = await hold(directory);
    expect(answer).toBe('locked');
    await expect(lockDataDirectory(directory)).rejects.toThrow(`is in use by process ${child.pid}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const lock = await lockDataDirectory(directory);
    expect((await hold(directory)).answer).toBe('data-directory-locked');
    await lock.release();
  });

  test('a lock of a process that later got the same pid is taken over', async () => {
    await mkdir(directory);
    await writeFile(join(directory, 'lock'), JSON.stringify({ pid: process.pid, started: 'another boot:1' }));
    const lock = await lockDataDirectory(directory);
    expect(await readdir(directory)).toEqual(['lock']);
    await lock.release();
  });

  test.each([[''], ['rubbish'], ['{"pid":-1}'], ['null']])('a lock file that says %j is taken over', async (text) => {
    await mkdir(directory);
    await writeFile(join(directory, 'lock'), text);
    await (await lockDataDirectory(directory)).release();
  });

  test('of many takers at once exactly one wins, over a free directory and over a stale lock', async () => {
    for (const stale of [false, true, true, true, true, true]) {
      await mkdir(directory, { recursive: true });
      if (stale) await writeFile(join(directory, 'lock'), JSON.stringify({ pid: 2 ** 22 + 1, started: 'x' }));
      const results = await Promise.allSettled(Array.from({ length: 20 }, () => lockDataDirectory(directory)));
      const won = results.filter((result) => result.status === 'fulfilled');
      expect(won.length).toBe(1);
      expect(await readdir(directory)).toEqual(['lock']);
      await won[0]!.value.release();
    }
  });

  test('a takeover that died half-way does not keep the directory closed for ever', async () => {
    await mkdir(directory);
    const stale = JSON.stringify({ pid: 2 ** 22 + 1, started: 'x' });
    await writeFile(join(directory, 'lock'), stale);
    const guard = join(directory, `lock.takeover-${createHash('sha256').update(stale).digest('hex').slice(0, 16)}`);
    await writeFile(guard, '');
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(guard, longAgo, longAgo);
    await (await lockDataDirectory(directory)).release();
    expect(await readdir(directory)).toEqual([]);
  });

  test('a release does not remove a lock that is no longer ours', async () => {
    const lock = await lockDataDirectory(directory);
    await writeFile(join(directory, 'lock'), 'somebody else');
    await lock.release();
    expect(await readFile(join(directory, 'lock'), 'utf8')).toBe('somebody else');
  });

  test('a directory that cannot be made is refused', async () => {
    await writeFile(directory, 'a file');
    await expect(lockDataDirectory(directory)).rejects.toMatchObject({ code: 'data-directory-unusable' });
    await expect(lockDataDirectory(join(directory, 'below'))).rejects.toMatchObject({
      code: 'data-directory-unusable',
    });
  });
});
