// Does the live page hold in a real browser? `npm run test:browser` after `npm run build`; `--only WORD` runs some of
// the cases, `--long` watches the heap for ten minutes.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { accessCases } from './access-cases.ts';
import { actionCases } from './action-cases.ts';
import type { BrowserCase } from './browser-case.ts';
import { experimentCases } from './experiment-cases.ts';
import { listCases } from './list-cases.ts';
import { liveCases } from './live-cases.ts';
import { newCases } from './new-cases.ts';
import { portfolioCases } from './portfolio-cases.ts';
import { buildStage, findChromium } from './stage.ts';
import { worthCases } from './worth-cases.ts';

const { values } = parseArgs({ options: { only: { type: 'string' }, long: { type: 'boolean' } } });
/** Cases at a time: they mostly wait. */
const atOnce = 3;
/** What a case may take; watching the heap takes ten minutes when asked for. */
const mostMs = values.long === true ? 900_000 : 180_000;

const chromium = findChromium();
const built = fileURLToPath(new URL('../../dist/dashboard/index.html', import.meta.url));
if (chromium === undefined) {
  console.error('no Chromium: install one (Debian: apt-get install chromium) or name it in CHROMIUM');
  process.exitCode = 2;
} else if (!existsSync(built)) {
  console.error('dist/dashboard is not there: npm run build');
  process.exitCode = 2;
} else await runAll(chromium);

async function runAll(executablePath: string): Promise<void> {
  const { only } = values;
  const all = [
    ...listCases,
    ...portfolioCases,
    ...worthCases,
    ...experimentCases,
    ...newCases,
    ...liveCases,
    ...actionCases,
    ...accessCases,
  ];
  const cases = all.filter(({ name }) => only === undefined || name.includes(only));
  const began = performance.now();
  const { beginCase, close } = await buildStage(executablePath);
  let failed = 0;
  const runCase = async ({ name, run }: BrowserCase): Promise<void> => {
    const { stage, notes, end } = beginCase();
    const from = performance.now();
    let fault: unknown;
    try {
      await within(mostMs, run(stage));
    } catch (caught) {
      fault = caught;
    }
    const others = await end();
    if (fault === undefined && others.length > 0) fault = new Error(others.join('\n'));
    const tookS = ((performance.now() - from) / 1000).toFixed(1);
    console.log(`${fault === undefined ? 'PASS' : 'FAIL'} ${name} (${tookS} s)`);
    for (const note of notes) console.log(`     ${note}`);
    if (fault === undefined) return;
    failed += 1;
    console.log(String((fault as Error).stack ?? fault).slice(0, 3000));
    for (const other of others) console.log(`     ${other}`);
  };
  try {
    const waiting = cases.filter(({ isAlone }) => isAlone !== true);
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await runCase(next);
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    for (const each of cases) if (each.isAlone === true) await runCase(each);
  } finally {
    await within(60_000, close());
  }
  const tookS = Math.round((performance.now() - began) / 1000);
  console.log(`${cases.length - failed} passed, ${failed} failed in ${tookS} s`);
  // A case that failed may have left something running.
  process.exit(failed > 0 || cases.length === 0 ? 1 : 0);
}

async function within(limitMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const isLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not over after ${limitMs / 1000} s`)), limitMs);
  });
  try {
    await Promise.race([work, isLate]);
  } finally {
    clearTimeout(timer);
  }
}
