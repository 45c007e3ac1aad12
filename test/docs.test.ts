// Do the pages tell the truth? Links, tables, examples and commands are held to the code; what can be run is run.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorDocs } from '../scripts/error-docs.ts';
import { openApi } from '../src/api/index.ts';
import { AssayError } from '../src/errors.ts';
import { parseExperimentFiles, transitions, transitionsFrom } from '../src/experiment/index.ts';
import { createAssigner, createClient, createOutcomeReporter } from '../src/sdk/index.ts';
import {
  anchorsOf,
  blocksOf,
  inlineCodeOf,
  linksOf,
  type Page,
  readPage,
  readPages,
  root,
  tableUnder,
} from './docs/pages.ts';
import { commandsIn, readCurl } from './docs/shell-lines.ts';
import { assay, type Finished, type Serving, serve, startModel } from './e2e/assay-process.ts';

const run = promisify(execFile);
const pages = readPages();
const readme = readPage('README.md');
const { scripts } = JSON.parse(await readFile(`${root}package.json`, 'utf8')) as { scripts: Record<string, string> };

/** The source files below a folder, tests and fixtures left out. */
async function sourcesIn(folder: string): Promise<readonly Page[]> {
  const names = await readdir(`${root}${folder}`, { recursive: true });
  return names.filter((name) => /(?<!\.test|\.fixture)\.ts$/.test(name)).map((name) => readPage(`${folder}/${name}`));
}

const helps = new Map<string, Promise<string>>();
/** What `assay COMMAND --help` prints; without a command, what `assay --help` does. */
function helpOf(command = ''): Promise<string> {
  const known =
    helps.get(command) ?? assay([...command.split(' ').filter(Boolean), '--help']).then(({ stdout }) => stdout);
  helps.set(command, known);
  return known;
}

async function commandNames(command = ''): Promise<readonly string[]> {
  const [, list = ''] = (await helpOf(command)).split('\nCommands:\n');
  return [...list.matchAll(/^ {2}([a-z][a-z-]*) /gm)].map((match) => match[1] ?? '');
}

async function optionsOf(command: string): Promise<readonly string[]> {
  const [, list = ''] = (await helpOf(command)).split('\nOptions:\n');
  return [...list.matchAll(/^ {2}(?:(-\w), )?(--[a-z-]+)?/gm)]
    .flatMap((match) => [match[1], match[2]])
    .filter((name) => !!name) as string[];
}

/** What is wrong with `assay WORDS`: a command or an option that is not there. */
async function faultsOfAssay(words: readonly string[]): Promise<readonly string[]> {
  const [command = '', ...rest] = words;
  if (!(await commandNames()).includes(command)) return [`assay has no command "${command}"`];
  const [part, ...further] = rest;
  const parts = await commandNames(command);
  if (parts.length === 0 || part === undefined || part.startsWith('-')) return faultsOfOptions(command, rest);
  if (!parts.includes(part)) return [`assay ${command} has no command "${part}"`];
  return faultsOfOptions(`${command} ${part}`, further);
}

async function faultsOfOptions(command: string, words: readonly string[]): Promise<readonly string[]> {
  const known = await optionsOf(command);
  return words
    .filter((word) => /^--?[a-z]/.test(word) && !known.includes(word))
    .map((word) => `assay ${command} has no option ${word}`);
}

/** What is wrong with one documented command; the words of a shell line. */
async function faultsOfCommand([program = '', ...words]: readonly string[]): Promise<readonly string[]> {
  const [first = '', ...rest] = words;
  if (program === 'assay') return faultsOfAssay(words);
  if (program === 'npx' && first === 'assay') return faultsOfAssay(rest);
  if (program === 'npx' && (first === 'tsx' || first === 'vitest')) {
    const paths = rest.filter((word) => word.includes('/'));
    return paths.filter((path) => !existsSync(`${root}${path}`)).map((path) => `${path} does not exist`);
  }
  if (program === 'npm' && (first === 'ci' || first === 'pack' || first === 'install')) return [];
  if (program === 'npm') {
    const script = first === 'run' ? (rest[0] ?? '') : first;
    if (scripts[script] === undefined) return [`package.json has no script "${script}"`];
    return script === 'demo' ? faultsOfAssay(['demo', ...rest.slice(1).filter((word) => word !== '--')]) : [];
  }
  if (program === 'node' && first === 'dist/cli/main.js') return faultsOfAssay(rest);
  if (program === 'curl') {
    readCurl(words);
    return [];
  }
  // Other people's programs; the systems suite runs them for real.
  if (['kubectl', 'helm', 'docker', 'export', 'openssl'].includes(program)) return [];
  return [`"${program} ${first}" is no command this test knows how to check`];
}

/** What is wrong with documented commands, each with its place. */
async function faultsOfCommands(
  texts: readonly { readonly text: string; readonly place: string }[],
): Promise<string[]> {
  const faults: string[] = [];
  for (const { text, place } of texts) {
    try {
      for (const command of commandsIn(text))
        faults.push(...(await faultsOfCommand(command)).map((fault) => `${place}: ${fault}`));
    } catch (fault) {
      faults.push(`${place}: ${(fault as Error).message}`);
    }
  }
  return faults;
}

describe('every page', () => {
  it('links only to files and headings that are there', () => {
    const dead = pages.flatMap((page) =>
      linksOf(page).flatMap(({ text, place }) => {
        const [path = '', anchor] = text.split('#');
        const target = path === '' ? page.path : normalize(join(dirname(page.path), decodeURIComponent(path)));
        if (!existsSync(`${root}${target}`)) return [`${place}: ${target} does not exist`];
        if (anchor === undefined || anchorsOf(readPage(target)).has(anchor)) return [];
        return [`${place}: ${target} has no heading #${anchor}`];
      }),
    );
    expect(dead).toEqual([]);
    expect(pages.flatMap(linksOf).length).toBeGreaterThan(30);
  });

  it('names only files of the repository that are there', () => {
    const named = pages
      .flatMap(inlineCodeOf)
      .filter(({ text }) => /^(src|test|docs|bench|scripts|examples|schema)\/[\w./-]+$/.test(text));
    expect(named.filter(({ text }) => !existsSync(`${root}${text}`))).toEqual([]);
    expect(named.length).toBeGreaterThan(10);
  });

  it('holds only experiment files that are sound', () => {
    const files = pages
      .flatMap((page) => blocksOf(page, 'yaml'))
      .filter(({ text }) => text.includes('kind: Experiment'));
    for (const { text, place } of files) expect(parseExperimentFiles(text, { file: place })).not.toEqual([]);
    expect(files.length).toBeGreaterThan(0);
  });

  it('shows only shell commands whose command, options and scripts exist', async () => {
    expect(await faultsOfCommands(pages.flatMap((page) => blocksOf(page, 'sh')))).toEqual([]);
  });

  it('mentions only commands, options and scripts that exist', async () => {
    const mentioned = pages.flatMap(inlineCodeOf).filter(({ text }) => /^(assay|npx|npm|node) [a-z]/.test(text));
    expect(await faultsOfCommands(mentioned)).toEqual([]);
    expect(mentioned.length).toBeGreaterThan(30);
  });
});

describe('a page that lists what the code has', () => {
  it('docs/errors.md is what the catalogue says', () => {
    expect(readPage('docs/errors.md').text).toBe(errorDocs());
  });

  it('docs/glossary.md has one row per word', () => {
    const rows = tableUnder(readPage('docs/glossary.md'), 'Glossary: one word per idea');
    expect(rows.length).toBeGreaterThan(25);
    for (const cells of rows) expect(cells.map((cell) => cell !== '')).toEqual([true, true]);
    const words = rows.map(([word = '']) => word.toLowerCase());
    expect(words.filter((word, index) => words.indexOf(word) !== index)).toEqual([]);
  });

  it('docs/evidence.md has every field of record v1 and no other', () => {
    const source = readPage('src/evidence/record.ts').text;
    const fieldsOf = (name: string): readonly string[] => {
      const body = new RegExp(`interface ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(source)?.[1] ?? '';
      return [...body.matchAll(/^ {2}readonly (\w+):/gm)]
        .map((match) => match[1] ?? '')
        .filter((field) => field !== 'kind');
    };
    const page = readPage('docs/evidence.md');
    const documented = (heading: string): readonly string[] => tableUnder(page, heading).map(([field = '']) => field);
    expect(documented('Every record')).toEqual([...fieldsOf('Envelope'), 'kind']);
    expect(documented('One attempt')).toEqual(fieldsOf('Attempt'));
    const kinds = [...source.matchAll(/interface (\w+) \{\n {2}readonly kind: '([a-z-]+)';/g)];
    expect(kinds.map(([, , kind]) => kind)).toEqual([
      'prediction',
      'prediction-end',
      'mirror',
      'outcome',
      'writer-end',
    ]);
    for (const [, name = '', kind = ''] of kinds) expect([kind, documented(kind)]).toEqual([kind, fieldsOf(name)]);
  });

  it('docs/api.md has every route and every state of the lifecycle', () => {
    const page = readPage('docs/api.md');
    const described = Object.entries(openApi.paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const routes = tableUnder(page, 'Routes').map(([route = '']) => route);
    expect(routes.toSorted()).toEqual([...described, 'GET /openapi.json'].toSorted());
    const states = [...new Set(transitions.flatMap(({ from, to }) => [...from, to]))];
    const rows = page.text.split('\n').map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')));
    for (const state of states) {
      const row = rows.find((cells) => cells[1] === state);
      expect([state, row?.[2]]).toEqual([state, transitionsFrom(state).join(', ') || 'none']);
    }
  });

  it('docs/operations.md has every environment variable of ours', async () => {
    const read = (await sourcesIn('src')).flatMap(({ text }) => [
      ...text.matchAll(/(?:env|environment)(?:\.|\(')(ASSAY_\w+)/g),
    ]);
    const names = [...new Set(read.map((match) => match[1] ?? ''))].sort();
    expect(names.length).toBeGreaterThan(3);
    const documented = tableUnder(readPage('docs/operations.md'), 'Environment variables').map(([name = '']) => name);
    expect(documented.filter((name) => name.startsWith('ASSAY_')).toSorted()).toEqual(names);
  });

  it('docs/demo.md has every option of the demo', async () => {
    const documented = tableUnder(readPage('docs/demo.md'), 'Options').map(([option = '']) => option.split(' ')[0]);
    expect(documented).toEqual((await optionsOf('demo')).filter((option) => !['-h', '--help'].includes(option)));
  });
});

describe('the README', () => {
  const lines = blocksOf(readme, 'sh').flatMap(({ text }) => text.split('\n'));

  it('runs the demo and the tests with commands that npm and the continuous integration know', async () => {
    expect(lines).toContain('npm ci && npm run demo');
    expect(scripts.demo).toBe('node dist/cli/main.js demo');
    const tests = lines.find((line) => line.includes('npm test'));
    expect((await readFile(`${root}.ci/run`, 'utf8')).split('\n')).toContain(tests);
  });
});

describe('what the pages show, run for real', () => {
  let directory: string;
  let models: Awaited<ReturnType<typeof startModel>>[];
  let server: Serving | undefined;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'assay-docs-'));
    await symlink(`${root}examples`, join(directory, 'examples'));
    const rows = Array.from(
      { length: 400 },
      (_, at) => `${at},gate_${at % 2 ? 30 : 40},${at % 3 ? 0 : 1},${(at * 37) % 50}`,
    );
    await writeFile(join(directory, 'results.csv'), `userid,version,retention_7,sum_gamerounds\n${rows.join('\n')}\n`);
    models = [await startModel('a'), await startModel('b')];
  });
  afterAll(async () => {
    await server?.end('SIGTERM');
    for (const model of models) await model.close();
    await rm(directory, { recursive: true, force: true });
  });

  /** The documented addresses are those of this run. */
  const here = (text: string, predictionId = ''): string =>
    text
      .replaceAll('http://127.0.0.1:9001', models[0]?.url ?? '')
      .replaceAll('http://127.0.0.1:9002', models[1]?.url ?? '')
      .replaceAll('http://127.0.0.1:8080', server?.gatewayUrl ?? '')
      .replaceAll('http://127.0.0.1:8081', server?.apiUrl ?? '')
      .replaceAll('PREDICTION_ID', predictionId);

  const runAssay = (words: readonly string[]): Promise<Finished> =>
    assay(words, { cwd: directory, env: { ASSAY_SERVER: server?.apiUrl ?? '' } });

  async function runCurl(words: readonly string[]): Promise<{ status: number; answer: unknown }> {
    const { url, method, headers, body } = readCurl(words);
    const sent = body?.startsWith('@') ? await readFile(join(directory, body.slice(1))) : body;
    const reply = await fetch(url, { method, headers, ...(sent === undefined ? {} : { body: sent }) });
    return { status: reply.status, answer: await reply.json() };
  }

  async function predict(user: string): Promise<Response> {
    const reply = await fetch(here('http://127.0.0.1:8080/score'), {
      method: 'POST',
      headers: { 'x-user-id': user, 'x-request-id': 'req-1' },
      body: '{}',
    });
    expect(reply.status).toBe(200);
    return reply;
  }

  it("the README's way from two models to a verdict works line by line", async () => {
    const told: string[] = [];
    let predictionId = '';
    for (const words of blocksOf(readme, 'sh').flatMap(({ text }) => commandsIn(text))) {
      const line = words.join(' ');
      const own = words.slice(2).map((word) => here(word, predictionId));
      if (line.startsWith('npm ')) continue;
      told.push(words[0] === 'curl' ? 'curl' : `${own[0]}`);
      if (words[0] === 'curl') {
        const { status, answer } = await runCurl(words.slice(1).map((word) => here(word, predictionId)));
        expect({ status, answer }, line).toEqual({ status: 200, answer: { accepted: 1 } });
      } else if (own[0] === 'serve') {
        server = await serve(own.slice(1), { cwd: directory });
        const replies = await Promise.all(['ann', 'ben', 'cem', 'dana', 'eve'].map(predict));
        predictionId = replies[0]?.headers.get('x-assay-prediction-id') ?? '';
        expect(replies[0]?.headers.get('x-assay-experiment')).toBe('my-experiment');
        expect(['control', 'candidate']).toContain(replies[0]?.headers.get('x-assay-variant'));
      } else if (own[0] === 'verdict') {
        const { kind } = JSON.parse((await runAssay([...own, '--json'])).stdout) as { kind: string };
        const meant = { ship: 0, 'roll-back': 1, invalid: 1 }[kind] ?? 3;
        expect((await runAssay(own)).code, line).toBe(meant);
      } else {
        const done = await runAssay(own);
        expect(done.code, `${line}\n${done.stderr}`).toBe(0);
        if (own[0] === 'init') expect((await runAssay(['validate', '-f', 'experiment.yaml'])).code).toBe(0);
      }
      if (own[0] === 'report') {
        const report = JSON.parse((await runAssay([...own, '--json'])).stdout);
        const requests = report.variants.map((variant: { requests: number }) => variant.requests);
        expect(requests.reduce((sum: number, count: number) => sum + count, 0)).toBe(5);
        expect(report.checks.outcomeJoin.numbers).toMatchObject({ received: 1, joined: 1 });
      }
    }
    expect(told).toEqual(['init', 'serve', 'curl', 'report', 'verdict', 'ramp', 'roll-back', 'analyze', 'analyze']);
    await server?.end('SIGTERM');
  });

  it('every example of docs/api.md is answered as shown', async () => {
    server = await serve(['-f', 'experiment.yaml', '--start', '--data', 'api-data'], { cwd: directory });
    const predictionId = (await predict('user-17')).headers.get('x-assay-prediction-id') ?? '';
    const blocks = blocksOf(readPage('docs/api.md'));
    const answers: unknown[] = [];
    for (const block of blocks) {
      if (block.language === 'sh')
        for (const [program, ...words] of commandsIn(block.text)) {
          expect(program).toBe('curl');
          const { status, answer } = await runCurl(words.map((word) => here(word, predictionId)));
          expect(status, `${block.place}: ${JSON.stringify(answer)}`).toBe(200);
          answers.push(answer);
        }
      if (block.language !== 'json') continue;
      const shown = JSON.parse(block.text);
      if (shown.code === undefined) {
        if (shown.specification !== undefined)
          Object.assign(shown, { specification: expect.any(Object), startedAt: expect.any(String) });
        expect(answers.at(-1), block.place).toEqual(shown);
      } else {
        const reply = await fetch(here('http://127.0.0.1:8081/api/v1/outcomes'), {
          method: 'POST',
          body: '[{"id": "1", "type": "click", "value": true, "unit": "u"}, {"id": "2", "type": "click", "value": null, "unit": "u"}]',
        });
        expect(await reply.json(), block.place).toEqual(shown);
      }
    }
    expect(answers.length).toBeGreaterThan(8);
    const stranger = await fetch(here('http://127.0.0.1:8081/healthz'));
    expect(stranger.status).toBe(200);
  });

  it('every way of docs/outcomes.md to report one works', async () => {
    const reply = await predict('user-17');
    const predictionId = reply.headers.get('x-assay-prediction-id') ?? '';
    const blocks = blocksOf(readPage('docs/outcomes.md'));
    const textOf = (language: string): string => blocks.find((block) => block.language === language)?.text ?? '';
    await writeFile(join(directory, 'outcomes.ndjson'), textOf('ndjson'));
    await writeFile(join(directory, 'outcomes.ndjson.gz'), gzipSync(textOf('ndjson')));
    await writeFile(join(directory, 'orders.csv'), textOf('csv'));
    const history = 'served_at,user_id,model\n2026-11-20 10:00,user-1,control\n2026-11-20 10:01,user-2,candidate\n';
    await writeFile(join(directory, 'history.csv'), history);
    const mapped = `${await readFile(join(directory, 'experiment.yaml'), 'utf8')}\n${textOf('yaml').replace(/^/gm, '  ')}\n`;
    const experiment = here('http://127.0.0.1:8081/api/v1/experiments/my-experiment');
    expect((await fetch(experiment, { method: 'PUT', body: mapped })).status).toBe(200);
    const answers: unknown[] = [];
    let imported = 0;
    for (const { language, text, place } of blocks) {
      if (language === 'json') expect(answers.at(-1), place).toEqual(JSON.parse(text));
      if (language !== 'sh') continue;
      for (const words of commandsIn(text)) {
        if (words[0] === 'curl') {
          const { status, answer } = await runCurl(words.slice(1).map((word) => here(word, predictionId)));
          expect(status, `${place}: ${JSON.stringify(answer)}`).toBe(200);
          answers.push(answer);
        } else {
          const done = await runAssay(words.slice(1));
          expect(done.code, `${place}: ${done.stderr}`).toBe(0);
          imported += 1;
        }
      }
    }
    expect([answers.length, imported]).toEqual([8, 4]);
    const { stdout } = await runAssay(['report', 'my-experiment', '--json']);
    expect(JSON.parse(stdout).checks.outcomeJoin.numbers.received).toBeGreaterThan(10);
  });

  it('every program in a page runs', async () => {
    const programs = pages.flatMap((page) => blocksOf(page, 'ts'));
    expect(programs.length).toBeGreaterThan(1);
    for (const { text, place } of programs) {
      const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', here(text)], { cwd: root });
      expect(stdout, place).toMatch(/\w/);
      expect(stdout, place).not.toMatch(/undefined|NaN/);
    }
  });

  it('every example in a doc comment runs', async () => {
    const given = {
      AssayError,
      createAssigner,
      createClient,
      createOutcomeReporter,
      client: createClient({ server: here('http://127.0.0.1:8081') }),
    };
    const examples = (await sourcesIn('src')).flatMap(({ path, text }) =>
      [...text.matchAll(/@example\n([\s\S]*?)\n\s*(?:\* @|\*\/)/g)].map((match) => ({
        path,
        code: (match[1] ?? '').replace(/^\s*\* ?/gm, ''),
      })),
    );
    expect(examples.map(({ path }) => path).toSorted()).toEqual([
      'src/errors.ts',
      'src/sdk/assigner.ts',
      'src/sdk/client.ts',
      'src/sdk/outcome-reporter.ts',
    ]);
    const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
    for (const { path, code } of examples) {
      const ran = AsyncFunction(...Object.keys(given), here(code))(...Object.values(given));
      if (path === 'src/errors.ts') await expect(ran).rejects.toBeInstanceOf(AssayError);
      else await ran;
    }
  });
});
