import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assay, experimentText, serve } from './assay-process.ts';

let directory: string;
const path = (name: string): string => join(directory, name);
const good = experimentText(['http://127.0.0.1:1', 'http://127.0.0.1:2']);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-bad-'));
  await writeFile(path('good.yaml'), good);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Runs a command that must fail with exit code 2, one message and a fix, and no stack trace. */
async function refusal(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await assay(args, { cwd: directory });
  expect(code, `${stdout}${stderr}`).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(stderr).toContain('fix');
  return stderr;
}

describe('a malformed experiment file', () => {
  it.each([
    [
      'a negative weight',
      good.replace('weight: 50', 'weight: -3'),
      'spec.variants[0].weight is -3, must be an integer >= 0',
      10,
    ],
    [
      'an unknown key',
      good.replace('hypothesis:', 'hypotesis:'),
      'spec.hypotesis is an unknown key, did you mean "hypothesis"?',
      5,
    ],
    [
      'a control that is no variant',
      good.replace('control: a', 'control: c'),
      'spec.control is "c", which is no variant, must be one of: a, b',
      8,
    ],
    ['broken YAML', good.replace('route: {path: /score}', 'route: {path: /score'), 'the file is not YAML', 7],
    [
      'a bad expression',
      good.replace('default(outcome.like, 0)', 'default(outcome.like,'),
      'spec.metrics.liked.mean',
      14,
    ],
  ])('is refused for %s, with line, rule and fix', async (_name, text, message, line) => {
    await writeFile(path('bad.yaml'), text);
    const stderr = await refusal('validate', '-f', 'bad.yaml');
    expect(stderr).toContain(message);
    expect(stderr).toMatch(new RegExp(`bad\\.yaml:${line}`));
    expect(await refusal('serve', '-f', 'bad.yaml', '--data', 'unused', '--port', '0', '--api-port', '0')).toContain(
      message,
    );
  });
});

describe('a value model whose terms are counted in different things', () => {
  it('loads with a warning, on the command line and in a server', async () => {
    const terms =
      'a: {liked: 1, per: 0.01, base: percent of revenue}, b: {liked: -1, per: 0.01, base: percent of operating cost}';
    await writeFile(path('mixed.yaml'), `${good.trimEnd()}\n  value: {unit: points, terms: {${terms}}}\n`);
    const { code, stdout, stderr } = await assay(['validate', '-f', 'mixed.yaml'], { cwd: directory });
    expect(code, stderr).toBe(0);
    const warning = 'warning mixed-bases: The net value adds a in percent of revenue, b in percent of operating cost';
    expect(stdout).toContain(warning);
    const json = await assay(['validate', '-f', 'mixed.yaml', '--json'], { cwd: directory });
    expect(JSON.parse(json.stdout).files[0]).toMatchObject({ ok: true, warnings: [{ code: 'mixed-bases' }] });
    const server = await serve(['-f', 'mixed.yaml', '--data', 'data-mixed'], { cwd: directory });
    expect(server.stderr()).toContain(warning);
    await server.end('SIGTERM');
  }, 120_000);
});

describe('a server that cannot start', () => {
  it('names a port in use', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const port = String((holder.address() as AddressInfo).port);
    expect(await refusal('serve', '-f', 'good.yaml', '--data', 'data-1', '--port', port, '--api-port', '0')).toContain(
      `port ${port} for the data plane is in use`,
    );
    expect(await refusal('serve', '-f', 'good.yaml', '--data', 'data-1', '--port', '0', '--api-port', port)).toContain(
      `port ${port} for the API is in use`,
    );
    holder.close();
  });

  it('names the process that owns the data directory', async () => {
    const first = await serve(['-f', 'good.yaml', '--data', 'data-2'], { cwd: directory });
    const stderr = await refusal('serve', '-f', 'good.yaml', '--data', 'data-2', '--port', '0', '--api-port', '0');
    expect(stderr).toContain(String(first.pid));
    expect(stderr).toContain('data-directory-locked');
    await first.end('SIGTERM');
  });

  it('refuses to listen beyond loopback without a token', async () => {
    expect(
      await refusal(
        'serve',
        '-f',
        'good.yaml',
        '--data',
        'data-3',
        '--port',
        '0',
        '--api-port',
        '0',
        '--api-host',
        '0.0.0.0',
      ),
    ).toContain('without a token');
  });

  it('refuses a data directory that cannot be written', async () => {
    await writeFile(path('a-file'), '');
    expect(
      await refusal('serve', '-f', 'good.yaml', '--data', 'a-file/data', '--port', '0', '--api-port', '0'),
    ).toContain('data-directory-unusable');
    await mkdir(path('read-only'));
    await chmod(path('read-only'), 0o500);
    // Root may write anywhere, so the permission itself can only be tried by somebody else.
    if (process.getuid?.() !== 0)
      expect(
        await refusal('serve', '-f', 'good.yaml', '--data', 'read-only/data', '--port', '0', '--api-port', '0'),
      ).toContain('data-directory-unusable');
  });

  it('names a missing file', async () => {
    expect(await refusal('serve', '-f', 'missing.yaml', '--port', '0', '--api-port', '0')).toContain('missing.yaml');
  });
});

describe('a table that cannot be analysed', () => {
  const table = 'user,group,clicked,rounds\nu1,A,1,3\nu2,B,0,4\nu3,A,TRUE,5\nu4,B,false,6\n';
  const analyze = (...args: string[]) =>
    refusal('analyze', 'table.csv', '--unit', 'user', '--variant', 'group', '--control', 'A', ...args);

  it.each([
    ['a column that is not there', table, ['--metric', 'click:proportion'], 'click'],
    ['a value that is no number', table.replace('u4,B,false,6', 'u4,B,false,abc'), ['--metric', 'rounds:mean'], 'abc'],
    ['a share that is no share', table, ['--metric', 'rounds:mean', '--share', 'A=1.5'], '--share is "A=1.5"'],
    ['a proportion with a 3', table, ['--metric', 'rounds:proportion'], 'rounds'],
    ['one variant only', 'user,group,clicked,rounds\nu1,A,1,3\n', ['--metric', 'rounds:mean'], 'variant'],
    ['no row', 'user,group,clicked,rounds\n', ['--metric', 'rounds:mean'], 'row'],
    ['a kind we do not know', table, ['--metric', 'rounds:median'], 'must be COLUMN:proportion or COLUMN:mean'],
  ])('is refused for %s', async (_name, text, args, message) => {
    await writeFile(path('table.csv'), text);
    expect(await analyze(...args)).toContain(message);
  });

  it('is refused when it is missing, or when options are', async () => {
    expect(
      await refusal('analyze', 'nowhere.csv', '--unit', 'u', '--variant', 'v', '--control', 'A', '--metric', 'm:mean'),
    ).toContain('nowhere.csv');
    expect(await refusal('analyze', 'table.csv')).toContain('--unit, --variant, --control, --metric is missing');
    await writeFile(path('broken.json'), '{"kind": ');
    expect(await refusal('analyze', 'broken.json')).toContain('is not JSON');
    await writeFile(path('odd.json'), '{"kind": 3}');
    expect(await refusal('analyze', 'odd.json')).toContain('kind');
  });
});

describe('a command without its server', () => {
  it('says that no server answers', async () => {
    expect(await refusal('report', 'scores', '--server', 'http://127.0.0.1:9')).toContain(
      'no Assay server answers at http://127.0.0.1:9',
    );
  });
});
