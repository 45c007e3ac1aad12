// All experiments together: numbers as the API has them, in every width and scheme, reached by key, taken away as CSV.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import type { BrowserCase } from './browser-case.ts';
import { expectAccessible, expectNoSidewaysScroll, expectNumbersOfApi } from './expect-page.ts';

/** The cases. */
export const portfolioCases: readonly BrowserCase[] = [
  {
    name: 'portfolio: numbers are those of the API, in light and dark, wide and narrow, without a fault of axe',
    run: async (stage) => {
      for (const [scheme, width] of [
        ['light', 1440],
        ['dark', 390],
      ] as const) {
        const page = await stage.open(`${stage.server.apiUrl}/portfolio`, { scheme, width });
        await page.waitForSelector('tr[data-experiment="financial-forecast"] .chip', { timeout: 60_000 });
        assert.ok((await expectNumbersOfApi(page, stage.server.apiUrl)) >= 8);
        await expectAccessible(page, `the portfolio, ${scheme}, ${width}`);
        await expectNoSidewaysScroll(page, `the portfolio at ${width}`);
        await stage.keep(page, `portfolio-${scheme}-${width}`);
      }
    },
  },
  {
    name: 'portfolio: keys lead to it and rows to their experiment; CSV holds every row',
    run: async (stage) => {
      const page = await stage.open(`${stage.server.apiUrl}/`);
      // Long enough for anything that waits on the portfolio to lead the reader back.
      await page.route(/experiment-page/, async (route) => {
        await setTimeout(1500);
        await route.continue();
      });
      await page.getByRole('heading', { level: 1, name: 'Experiments' }).waitFor();
      await page.keyboard.press('g');
      await page.keyboard.press('o');
      await page.waitForURL(/\/portfolio$/, { waitUntil: 'commit' });
      await page.waitForSelector('tr[data-experiment="financial-forecast"]', { timeout: 60_000 });
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'CSV' }).click(),
      ]);
      const csv = await readFile(await download.path(), 'utf8');
      assert.match(csv, /^experiment,state,verdict,unit,measured,/);
      assert.equal(csv.trim().split('\r\n').length, 3);
      await page.getByRole('link', { name: 'financial-forecast' }).click();
      await page.getByRole('heading', { level: 1, name: 'financial-forecast' }).waitFor();
      assert.match(page.url(), /\/experiments\/financial-forecast$/);
    },
  },
  {
    name: 'portfolio: a broken split counts nowhere, and nothing started is told',
    run: async (stage) => {
      const page = await stage.open(`${stage.invalid.apiUrl}/portfolio`);
      const row = page.locator('tr[data-experiment="financial-forecast"]');
      await row.waitFor({ timeout: 60_000 });
      assert.match((await row.textContent()) ?? '', /withheld: the split is broken/);
      assert.equal(await page.locator('[data-unit]').count(), 0);
      const empty = await stage.open(`${stage.empty.apiUrl}/portfolio`);
      await empty.getByText('No experiment has started yet.').waitFor();
      await expectAccessible(empty, 'the empty portfolio');
    },
  },
];
