// Sets the stage of the browser suite: demo runs, servers, models and Chromium, all real, all on loopback.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, chromium } from 'playwright-core';
import { assay, experimentText, serve, startModel } from '../e2e/assay-process.ts';
import type { RestartableServer, Stage } from './browser-case.ts';

const artifacts = fileURLToPath(new URL('./artifacts/', import.meta.url));
const places = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** A stage for several cases at once, all in one browser. */
export interface BuiltStage {
  beginCase(): StagedCase;
  close(): Promise<void>;
}

/** The stage of one case, and what happened on it that nobody wanted. */
interface StagedCase {
  readonly stage: Stage;
  /** What it has measured. */
  readonly notes: readonly string[];
  /** Closes its pages and gives what went wrong on them. */
  end(): Promise<readonly string[]>;
}

/** Where Chromium is; undefined where there is none. */
export function findChromium(): string | undefined {
  return places.find((place) => place !== undefined && existsSync(place));
}

/** Builds the stage; takes some twenty seconds, most of them the demo runs. */
export async function buildStage(executablePath: string): Promise<BuiltStage> {
  const closers: (() => Promise<unknown>)[] = [];
  const makeFolder = async (): Promise<string> => {
    const folder = await mkdtemp(join(tmpdir(), 'assay-browser-'));
    closers.push(() => rm(folder, { recursive: true, force: true }));
    return folder;
  };
  const startServer: Stage['startServer'] = async (args, env = {}): Promise<RestartableServer> => {
    const server = await serve([...args], { env });
    let isOver = false;
    const end = async (): Promise<void> => {
      if (!isOver) await server.end('SIGTERM');
      isOver = true;
    };
    closers.push(end);
    return { apiUrl: server.apiUrl, gatewayUrl: server.gatewayUrl, end };
  };
  const demo = async (scenario: string): Promise<string> => {
    const folder = await makeFolder();
    const run = await assay(['demo', '--keep', folder, '--requests', '1200', '--scenario', scenario, '--json']);
    if (run.code !== 0) throw new Error(`assay demo --scenario ${scenario} ended with ${run.code}: ${run.stderr}`);
    return folder;
  };

  await rm(artifacts, { recursive: true, force: true });
  await mkdir(artifacts, { recursive: true });
  const [sound, broken] = await Promise.all([demo('real'), demo('broken-split')]);
  const models = await Promise.all([startModel('a'), startModel('b')]);
  const urls = [models[0].url, models[1].url] as const;
  closers.push(...models.map((model) => () => model.close()));
  const scores = join(await makeFolder(), 'scores.yaml');
  await writeFile(scores, experimentText(urls));
  const [server, invalid, empty] = await Promise.all([
    startServer(['--data', sound, '-f', join(sound, 'experiment.yaml'), '-f', scores, '--start']),
    startServer(['--data', broken, '-f', join(broken, 'experiment.yaml')]),
    startServer(['--data', await makeFolder()]),
  ]);
  const browser: Browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  });
  closers.push(() => browser.close());

  const shared = { server, invalid, empty, models: urls, makeFolder, startServer };
  return {
    beginCase: () => stageCase(browser, shared),
    close: async () => {
      for (const close of closers.reverse()) await close();
    },
  };
}

function stageCase(
  browser: Browser,
  shared: Pick<Stage, 'server' | 'invalid' | 'empty' | 'models' | 'makeFolder' | 'startServer'>,
): StagedCase {
  const contexts: BrowserContext[] = [];
  const faults: string[] = [];
  const notes: string[] = [];
  const newContext: Stage['newContext'] = async (options = {}) => {
    const context = await browser.newContext({ acceptDownloads: true, ...options });
    contexts.push(context);
    return context;
  };
  const open: Stage['open'] = async (url, options = {}) => {
    const { width = 1440, height = 900, scheme = 'light', tolerates, timeZone } = options;
    const context = await newContext({
      viewport: { width, height },
      colorScheme: scheme,
      ...(timeZone === undefined ? {} : { timezoneId: timeZone }),
    });
    const page = await context.newPage();
    const blame = (text: string): void => {
      if (tolerates?.test(text) !== true) faults.push(text);
    };
    page.on('pageerror', (fault) => blame(`page error: ${fault.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error') blame(`console: ${message.text()}`);
    });
    await page.addInitScript(
      `addEventListener('securitypolicyviolation', (event) => console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sample))`,
    );
    await page.goto(url);
    return page;
  };
  return {
    notes,
    stage: {
      ...shared,
      open,
      newContext,
      note: (text) => notes.push(text),
      keep: async (page, name) => {
        await page.screenshot({ path: join(artifacts, `${name}.png`), fullPage: true });
      },
      drive: ({ from, count, server = shared.server }) => drive(server, { from, count }),
    },
    end: async () => {
      // What closing a page breaks off is no fault of it.
      const found = [...faults];
      await Promise.all(contexts.map((context) => context.close()));
      return found;
    },
  };
}

async function drive(
  { gatewayUrl, apiUrl }: { readonly gatewayUrl: string; readonly apiUrl: string },
  { from, count }: { readonly from: number; readonly count: number },
): Promise<void> {
  for (let at = from; at < from + count; at += 1) {
    const headers = { 'x-user-id': `user-${at}`, 'content-type': 'application/json' };
    const reply = await fetch(`${gatewayUrl}/score`, { method: 'POST', headers, body: '{}' });
    await reply.arrayBuffer();
    const predictionId = reply.headers.get('x-assay-prediction-id');
    const variant = reply.headers.get('x-assay-variant');
    if (predictionId === null) throw new Error(`the gateway's reply to user-${at} carries no prediction id`);
    const value = at % (variant === 'b' ? 2 : 3) === 0 ? 1 : 0;
    await fetch(`${apiUrl}/api/v1/outcomes`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id: `like-${at}`, type: 'like', value, predictionId }),
    });
  }
}

/** The text of axe-core, to be run within a page. */
export function axeSource(): Promise<string> {
  return readFile(fileURLToPath(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url)), 'utf8');
}
