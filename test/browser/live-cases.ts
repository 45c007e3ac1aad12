// Live: new evidence shows without a reload, nothing jumps, a pause holds, and a server that goes away and comes back is told.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { experimentText } from '../e2e/assay-process.ts';
import type { BrowserCase } from './browser-case.ts';

/** `--long`: ten minutes of updates. */
const isLong = process.argv.includes('--long');

const requestsOf = async (page: Page): Promise<number> => {
  const texts = await page.locator('#now [data-value-path$="/requests"]').allTextContents();
  return texts.reduce((sum, text) => sum + Number(text.replaceAll(',', '')), 0);
};

const unitsOf = async (page: Page): Promise<number> => {
  const texts = await page.locator('#split [data-value-path$="/units"]').allTextContents();
  return texts.reduce((sum, text) => sum + (Number(text.replaceAll(',', '')) || 0), 0);
};

/** Waits, at most a minute, until a reading of the page holds. */
async function until(read: () => Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await read())) {
    if (Date.now() > end) throw new Error(`${what} did not come about within a minute`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Counts, from now on, what moves on a page without its reader's doing. */
async function watchShifts(page: Page): Promise<void> {
  await page.evaluate(`(() => {
    window.shifts = 0;
    window.shifted = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        if (entry.hadRecentInput) continue;
        window.shifts += entry.value;
        for (const { node, previousRect, currentRect } of entry.sources)
          window.shifted.push((node?.id || node?.className || node?.nodeName) + ' ' + [previousRect.x, previousRect.y] + ' to ' + [currentRect.x, currentRect.y]);
      }
    })
      .observe({ type: 'layout-shift', buffered: false });
  })()`);
}

/** The sum of the shifts that were counted, and what shifted from where to where. */
async function shiftsOf(page: Page): Promise<{ readonly sum: number; readonly shifted: readonly string[] }> {
  return page.evaluate('({ sum: window.shifts, shifted: window.shifted })');
}

/** The cases. */
export const liveCases: readonly BrowserCase[] = [
  {
    name: 'live: outcomes show without a reload and nothing moves; a pause holds',
    isAlone: true,
    run: async (stage) => {
      await stage.drive({ from: 0, count: 360 });
      const url = `${stage.server.apiUrl}/experiments/scores`;
      const [page, narrow] = await Promise.all([stage.open(url), stage.open(url, { width: 390, height: 844 })]);
      const pages = [page, narrow];
      for (const each of pages) {
        await each.waitForSelector('[data-live="live"]');
        await each.waitForSelector('table.metrics tr[data-metric]');
        await until(async () => (await unitsOf(each)) >= 360, 'the first 360 units');
        // A part that is still asked for would make room for itself.
        await each.waitForSelector('#now .now');
        await watchShifts(each);
      }
      const reasonsOf = () => page.locator('#verdict [data-reasons]').textContent();
      const before = await reasonsOf();
      // Enough for counts of a digit more, other reasons and another verdict with its buttons.
      const from = 960;
      await stage.drive({ from: 360, count: from - 360 });
      for (const each of pages)
        await until(
          async () => (await unitsOf(each)) >= from && (await requestsOf(each)) >= from,
          `${from} units and requests`,
        );
      assert.notEqual(await reasonsOf(), before);
      // Charts follow their numbers; the last frame is counted too.
      await page.waitForTimeout(500);
      for (const [each, width, most] of [
        [page, 1440, 0.02],
        [narrow, 390, 0.05],
      ] as const) {
        const { sum, shifted } = await shiftsOf(each);
        stage.note(`cumulative layout shift at ${width} px ${sum.toFixed(4)}`);
        assert.ok(sum < most, `cumulative layout shift at ${width} px ${sum}: ${shifted.join(', ')}`);
      }
      await narrow.close();
      await page.keyboard.press('.');
      await page.waitForSelector('[data-live="paused"]');
      const held = await unitsOf(page);
      await stage.drive({ from, count: 40 });
      await until(async () => /waiting/.test((await page.locator('[data-live]').textContent()) ?? ''), 'a held update');
      assert.equal(await unitsOf(page), held);
      await page.keyboard.press('.');
      await until(async () => (await unitsOf(page)) > held, 'the held update');
      await stage.keep(page, 'experiment-live');
    },
  },
  {
    name: 'live: the heap does not grow with updates',
    isAlone: true,
    run: async (stage) => {
      const folder = await stage.makeFolder();
      const file = join(folder, 'scores.yaml');
      await writeFile(file, experimentText(stage.models));
      const server = await stage.startServer(['--data', join(folder, 'data'), '-f', file, '--start']);
      const page = await stage.open(`${server.apiUrl}/experiments/scores`);
      await page.waitForSelector('[data-live="live"]');
      const session = await page.context().newCDPSession(page);
      const heapMb = async (): Promise<number> => {
        await session.send('HeapProfiler.collectGarbage');
        const { usedSize } = await session.send('Runtime.getHeapUsage');
        return usedSize / 1_048_576;
      };
      let from = 0;
      const update = async (): Promise<void> => {
        await stage.drive({ from, count: 10, server });
        from += 10;
        await until(async () => (await unitsOf(page)) >= from, `${from} units`);
      };
      // Every section is drawn and follows, also those far below.
      await page.evaluate(`void dispatchEvent(new Event('beforeprint'))`);
      const rounds = isLong ? Number.POSITIVE_INFINITY : 12;
      const end = Date.now() + 600_000;
      // The first rounds fill what is kept: answers, compiled code.
      for (let round = 0; round < 4; round += 1) await update();
      const before = await heapMb();
      let updates = 0;
      for (; updates < rounds && Date.now() < end; updates += 1) await update();
      const after = await heapMb();
      stage.note(`${before.toFixed(1)} MB, after ${updates} updates ${after.toFixed(1)} MB`);
      assert.ok(after < before * 1.25 + 2, `from ${before} to ${after} MB`);
      await page.close();
      await server.end();
    },
  },
  {
    name: 'live: a server that ends is told, old numbers stay, and the page goes on when it is back',
    run: async (stage) => {
      const port = await freePort();
      const folder = await stage.makeFolder();
      const file = join(folder, 'scores.yaml');
      await writeFile(file, experimentText(['http://127.0.0.1:9', 'http://127.0.0.1:9']));
      const args = ['--data', join(folder, 'data'), '-f', file, '--start', '--api-port', String(port)];
      const first = await stage.startServer(args);
      const page = await stage.open(`${first.apiUrl}/`, { tolerates: /Failed to load resource|ERR_CONNECTION|net::/ });
      await page.waitForSelector('tr[data-experiment="scores"]');
      await page.waitForSelector('[data-live="live"]');
      await first.end();
      await page.getByText('The server does not answer.').waitFor({ timeout: 60_000 });
      assert.equal(await page.locator('tr[data-experiment="scores"]').count(), 1);
      await stage.keep(page, 'list-stale');
      const second = await stage.startServer(args);
      await page.waitForSelector('[data-live="live"]', { timeout: 60_000 });
      assert.equal(await page.getByText('The server does not answer.').count(), 0);
      await second.end();
    },
  },
  {
    name: 'live: eight tabs of one browser are live over one stream',
    run: async (stage) => {
      const context = await stage.newContext();
      const tabs = await Promise.all(Array.from({ length: 8 }, () => context.newPage()));
      for (const tab of tabs) await tab.goto(`${stage.server.apiUrl}/`);
      for (const tab of tabs) await tab.waitForSelector('[data-live="live"]', { timeout: 30_000 });
      assert.ok((await requestsOf(tabs[0]!)) === 0);
    },
  },
];

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
