import { spawn } from 'node:child_process';
import { appendFile, chmod, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sampleEvent, testControlLog } from '../control/control-log.contract.ts';
import type { ControlLog } from '../control/index.ts';
import { openFileControlLog } from './file-control-log.ts';

const roots: string[] = [];
const makeDirectory = async (): Promise<string> => {
  const root = await mkdtemp(join(tmpdir(), 'assay-control-log-'));
  roots.push(root);
  return join(root, 'data');
};
afterAll(() => Promise.all(roots.map((root) => rm(root, { recursive: true, force: true }))));

testControlLog('openFileControlLog', async () => {
  const directory = await makeDirectory();
  return { open: (now) => openFileControlLog({ directory, now }) };
});

describe('openFileControlLog', () => {
  let directory: string;
  let path: string;
  const notices: string[] = [];
  const opened: ControlLog[] = [];
  const open = async (): Promise<ControlLog> => {
    const log = await openFileControlLog({ directory, now: () => 5, onNotice: (message) => notices.push(message) });
    opened.push(log);
    return log;
  };
  afterEach(() => Promise.all(opened.splice(0).map((log) => log.close())));
  const write = async (count: number): Promise<void> => {
    const log = await open();
    const before = (await log.read()).length;
    for (let i = 0; i < count; i++) await log.append(sampleEvent(`event ${before + i}`), before + i);
    await log.close();
  };
  beforeEach(async () => {
    directory = await makeDirectory();
    path = join(directory, 'control.log');
    notices.length = 0;
  });

  test('a log is read back after a restart and goes on with the same chain', async () => {
    await write(3);
    await write(2);
    const entries = await (await open()).read();
    expect(entries.map(({ event }) => event.reason)).toEqual(['event 0', 'event 1', 'event 2', 'event 3', 'event 4']);
    expect(notices).toEqual([]);
  });

  test('the file is private to its owner and one JSON document a line', async () => {
    await write(2);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const lines = (await readFile(path, 'utf8')).split('\n');
    expect(lines.length).toBe(3);
    expect(JSON.parse(lines[1]!)).toMatchObject({ v: 1, revision: 2, event: { author: 'ann' } });
  });

  test('an unfinished last line is dropped with a notice, wherever it was torn', async () => {
    await write(2);
    const whole = await readFile(path);
    const second = whole.indexOf(10) + 1;
    for (const length of [second + 1, second + 40, whole.length - 10, whole.length - 2]) {
      await writeFile(path, whole.subarray(0, length));
      const log = await open();
      expect((await log.read()).length).toBe(1);
      expect(notices.splice(0)).toEqual([
        `${path}: dropped ${length - second} bytes of an unfinished last entry, which nobody was told of`,
      ]);
      await log.append(sampleEvent('again'), 1);
      await log.close();
      expect((await (await open()).read()).map(({ event }) => event.reason)).toEqual(['event 0', 'again']);
    }
  });

  test('a block of zeros, as a lost write leaves it, is dropped', async () => {
    await write(1);
    await appendFile(path, Buffer.alloc(4096));
    const log = await open();
    expect((await log.read()).length).toBe(1);
    expect(notices.length).toBe(1);
  });

  test('a last line that only misses its line end is kept', async () => {
    await write(2);
    await truncate(path, (await stat(path)).size - 1);
    await write(1);
    expect((await (await open()).read()).length).toBe(3);
    expect(notices).toEqual([]);
  });

  test.each<[string, (lines: string[]) => string[], string]>([
    [
      'a changed reason',
      (lines) => lines.map((line) => line.replace('event 1', 'event x')),
      'entry 2 of the control log does not match its hash',
    ],
    ['a removed entry', (lines) => lines.toSpliced(1, 1), 'entry 2 of the control log has revision 3, must be 2'],
    [
      'swapped entries',
      ([a, b, c, ...rest]) => [a!, c!, b!, ...rest],
      'entry 2 of the control log has revision 3, must be 2',
    ],
    [
      'a line of rubbish',
      (lines) => lines.toSpliced(1, 1, '{"v":1,'),
      'entry 2 of the control log is not a JSON object',
    ],
    [
      'a format of the future',
      (lines) => lines.with(1, lines[1]!.replace('"v":1', '"v":2')),
      'entry 2 of the control log has format version 2, must be 1',
    ],
  ])('%s is found and named', async (_, damage, sentence) => {
    await write(4);
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    await writeFile(path, `${damage(lines).join('\n')}\n`);
    await expect(open()).rejects.toMatchObject({ code: 'control-log-corrupt', message: `${path}:2: ${sentence}` });
  });

  test('any changed byte of a whole log is found', async () => {
    await write(2);
    const whole = await readFile(path);
    for (let at = 0; at < whole.length - 1; at += 37) {
      const broken = Buffer.from(whole);
      broken[at] = broken[at]! ^ 1;
      await writeFile(path, broken);
      await expect(open(), `byte ${at}`).rejects.toMatchObject({ code: 'control-log-corrupt' });
    }
  });

  test('a place where nothing can be written is refused', async () => {
    await mkdir(directory);
    await mkdir(path);
    await expect(open()).rejects.toMatchObject({ code: 'data-directory-unusable' });
    const file = join(await makeDirectory(), '..', 'file');
    await writeFile(file, '');
    await expect(openFileControlLog({ directory: file, now: () => 1 })).rejects.toMatchObject({
      code: 'data-directory-unusable',
    });
  });

  test.skipIf(process.getuid?.() === 0)('a read-only directory is refused', async () => {
    await mkdir(directory);
    await chmod(directory, 0o500);
    await expect(open()).rejects.toMatchObject({ code: 'data-directory-unusable' });
    await chmod(directory, 0o700);
  });

  test('a full disk refuses the append, keeps what was there and leaves no half entry', async () => {
    // `ulimit -f` counts blocks of 1 KiB (bash): the fourth entry or so no longer fits. SIGXFSZ ignored, write gives EFBIG.
    const script = `
      import { openFileControlLog } from ${JSON.stringify(new URL('./file-control-log.ts', import.meta.url).href)};
      import { sampleEvent } from ${JSON.stringify(new URL('../control/control-log.contract.ts', import.meta.url).href)};
      const log = await openFileControlLog({ directory: process.argv[1], now: () => 5 });
      let written = 0;
      try { for (;; written++) await log.append(sampleEvent('event ' + written), written); }
      catch (error) { console.log(JSON.stringify({ written, code: error.code, message: error.message })); }
    `.replace(/import \{ sampleEvent.*\n/, `const sampleEvent = (reason) => (${JSON.stringify(sampleEvent('x'))});\n`);
    const child = spawn(
      'bash',
      [
        '-c',
        `trap '' XFSZ; ulimit -f 4; exec "$0" --import tsx --input-type=module -e "$1" "$2"`,
        process.execPath,
        script,
        directory,
      ],
      { cwd: process.cwd() },
    );
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk));
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk));
    await new Promise((resolve) => child.on('close', resolve));
    const { written, code, message } = JSON.parse(output || JSON.stringify({ message: errors })) as {
      written: number;
      code: string;
      message: string;
    };
    expect(message).toContain('EFBIG');
    expect(code).toBe('data-directory-unusable');
    expect(written).toBeGreaterThan(1);
    const log = await open();
    expect((await log.read()).length).toBe(written);
    expect(notices).toEqual([]);
    expect((await log.append(sampleEvent('there is room again'), written)).revision).toBe(written + 1);
  });

  test('a closed log refuses to append', async () => {
    const log = await open();
    await log.close();
    await expect(log.append(sampleEvent('late'), 0)).rejects.toMatchObject({ code: 'data-directory-unusable' });
  });
});
