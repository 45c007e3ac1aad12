// Does the live page hold in a real browser? `npm run test:browser` after `npm run build`; `--only WORD` runs some of the cases.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { accessCases } from './access-cases.ts';
import { actionCases } from './action-cases.ts';
import { experimentCases } from './experiment-cases.ts';
import { listCases } from './list-cases.ts';
import { liveCases } from './live-cases.ts';
import { newCases } from './new-cases.ts';
import { buildStage, findChromium } from './stage.ts';

const { values } = parseArgs({ options: { only: { type: 'string' } } });
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
  const all = [...listCases, ...experimentCases, ...newCases, ...liveCases, ...actionCases, ...accessCases];
  const cases = all.filter(({ name }) => only === undefined || name.includes(only));
  const { stage, endCase, close } = await buildStage(executablePath, (text) => console.log(`     ${text}`));
  let failed = 0;
  try {
    for (const { name, run } of cases) {
      let fault: unknown;
      try {
        await run(stage);
      } catch (caught) {
        fault = caught;
      }
      const others = await endCase();
      if (fault === undefined && others.length > 0) fault = new Error(others.join('\n'));
      console.log(`${fault === undefined ? 'PASS' : 'FAIL'} ${name}`);
      if (fault !== undefined) {
        failed += 1;
        console.log(String((fault as Error).stack ?? fault).slice(0, 3000));
        for (const other of others) console.log(`     ${other}`);
      }
    }
  } finally {
    await close();
  }
  console.log(`${cases.length - failed} passed, ${failed} failed`);
  if (failed > 0 || cases.length === 0) process.exitCode = 1;
}
