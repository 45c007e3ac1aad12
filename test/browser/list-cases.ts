// The list of experiments: loads clean and small, filters by the address, keeps its order, and says how to begin.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type { BrowserCase, Stage } from './browser-case.ts';
import { expectAccessible, expectNoSidewaysScroll, expectNumbersOfApi, waitUntil } from './expect-page.ts';

/** First view on the wire, bytes. */
const budget = 250 * 1024;

/** From the begin of the navigation to the first row, milliseconds by the page's own clock, in a profile without a cache. */
async function firstRowMs(stage: Stage): Promise<number> {
  const context = await stage.newContext();
  const page = await context.newPage();
  await page.addInitScript(
    `new MutationObserver(() => { window.rowMs ??= document.querySelector('tr[data-experiment] .chip') === null ? undefined : performance.now(); })
      .observe(document, { childList: true, subtree: true });`,
  );
  await page.goto(stage.server.apiUrl);
  await waitUntil(page, 'window.rowMs > 0');
  const took = await page.evaluate<number>('Math.round(window.rowMs)');
  await context.close();
  return took;
}

/** The cases. */
export const listCases: readonly BrowserCase[] = [
  {
    name: 'list: the first view is small, without the chart library, and shows every experiment',
    isAlone: true,
    run: async (stage) => {
      const page = await stage.open('about:blank');
      let bytes = 0;
      const urls: string[] = [];
      page.on('requestfinished', async (request) => {
        urls.push(request.url());
        const sizes = await request.sizes();
        bytes += sizes.responseBodySize + sizes.responseHeadersSize;
      });
      await page.goto(stage.server.apiUrl);
      await page.waitForSelector('tr[data-experiment="financial-forecast"] .chip');
      const size = Math.round(bytes / 1024);
      const times: number[] = [];
      for (let visit = 0; visit < 5; visit += 1) times.push(await firstRowMs(stage));
      times.sort((a, b) => a - b);
      stage.note(
        `${size} KB on the wire; from navigation to the first row ${times[2]} ms (${times[0]} to ${times[4]} in 5 new profiles)`,
      );
      assert.ok(bytes < budget, `${bytes} bytes`);
      assert.ok(!urls.some((url) => url.includes('draw-chart')), 'the chart library was loaded');
      assert.equal(await page.locator('tbody tr').count(), 2);
      await stage.keep(page, 'list-light');
    },
  },
  {
    name: 'list: numbers are those of the API, in light and dark, wide and narrow, without a fault of axe',
    run: async (stage) => {
      for (const [scheme, width] of [
        ['light', 1440],
        ['dark', 1024],
        ['light', 390],
        ['dark', 320],
      ] as const) {
        const page = await stage.open(stage.server.apiUrl, { scheme, width });
        await page.waitForSelector('tr[data-experiment="financial-forecast"] .chip');
        assert.ok((await expectNumbersOfApi(page, stage.server.apiUrl)) >= 4);
        await expectAccessible(page, `the list, ${scheme}, ${width}`);
        await expectNoSidewaysScroll(page, `the list at ${width}`);
        await stage.keep(page, `list-${scheme}-${width}`);
      }
    },
  },
  {
    name: 'list: search, filter and sort live in the address; what fits nothing can be cleared',
    run: async (stage) => {
      const page = await stage.open(`${stage.server.apiUrl}/?q=scores&sort=name&state=sideways`);
      await page.waitForSelector('tr[data-experiment="scores"]');
      assert.equal(await page.locator('tbody tr:not([hidden])').count(), 1);
      await page.getByText('Not understood and left out: state=sideways').waitFor();
      await page.keyboard.press('/');
      await page.getByLabel('Search').fill('nothing like it');
      await page.getByText('No experiment fits "nothing like it"').waitFor();
      await page.getByRole('button', { name: 'Clear' }).click();
      await waitUntil(page, `document.querySelectorAll('tbody tr:not([hidden])').length === 2`);
      await page.getByRole('combobox', { name: 'State' }).selectOption('running');
      await page.waitForURL(/state=running/);
      await page.reload();
      assert.equal(await page.getByRole('combobox', { name: 'State' }).inputValue(), 'running');
    },
  },
  {
    name: 'list: keys move through the rows and open one; CSV holds every row',
    run: async (stage) => {
      const page = await stage.open(`${stage.server.apiUrl}/?sort=name`);
      await page.waitForSelector('tr[data-experiment="scores"]');
      await page.keyboard.press('j');
      await page.keyboard.press('j');
      await page.keyboard.press('k');
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'CSV' }).click(),
      ]);
      const csv = await readFile(await download.path(), 'utf8');
      assert.equal(csv.trim().split('\r\n').length, 3);
      await page.locator('tr[data-experiment="scores"] a').focus();
      await page.keyboard.press('Enter');
      await page.waitForURL(/\/experiments\/scores$/);
      await page.keyboard.press('g');
      await page.keyboard.press('p');
      await page.waitForURL(/\/playground$/);
    },
  },
  {
    name: 'list: an empty server says how to begin',
    run: async (stage) => {
      const page = await stage.open(stage.empty.apiUrl);
      await page.getByRole('heading', { name: 'No experiment yet' }).waitFor();
      await expectAccessible(page, 'the empty list');
      await stage.keep(page, 'list-empty');
    },
  },
  {
    name: 'list: 200 experiments with names of every kind stay smooth',
    isAlone: true,
    run: async (stage) => {
      const folder = await stage.makeFolder();
      const server = await stage.startServer(['--data', folder]);
      const metrics = Array.from({ length: 20 }, (_, at) => `    m${at}: {mean: attempt_ms}`).join('\n');
      for (let at = 0; at < 200; at += 1) {
        const name = at === 7 ? `long-${'x'.repeat(50)}` : `experiment-${String(at).padStart(3, '0')}`;
        const file = `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: ${name}}
spec:
  hypothesis: ${JSON.stringify(at === 3 ? '<img src=x onerror=alert(1)> Größe 模型' : `number ${at}`)}
  route: {path: /score/${at}}
  unit: {header: x-user-id}
  control: a
  variants:
    - {name: a, weight: 50, upstream: {url: "http://127.0.0.1:9", protocol: json}}
    - {name: b, weight: 50, upstream: {url: "http://127.0.0.1:9", protocol: json}}
  metrics:
${metrics}
  decision: {minDuration: 0s}
`;
        const reply = await fetch(`${server.apiUrl}/api/v1/experiments/${name}`, { method: 'PUT', body: file });
        assert.equal(reply.status, 200, await reply.text());
      }
      const page = await stage.open('about:blank');
      const began = performance.now();
      await page.goto(server.apiUrl);
      await waitUntil(page, `document.querySelectorAll('tbody tr:not([hidden])').length === 200`);
      const loaded = Math.round(performance.now() - began);
      const typing = await page.evaluate<number>(`(async () => {
        const field = document.querySelector('input[type=search]');
        const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
        const times = [];
        for (const text of ['e', 'ex', 'exp', 'experiment-1', 'experiment-11']) {
          const from = performance.now();
          set.call(field, text);
          field.dispatchEvent(new Event('input', { bubbles: true }));
          await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
          times.push(performance.now() - from);
        }
        return Math.max(...times);
      })()`);
      await waitUntil(page, `document.querySelectorAll('tbody tr:not([hidden])').length === 10`);
      stage.note(`200 rows after ${loaded} ms, slowest key ${Math.round(typing)} ms`);
      await stage.keep(page, 'list-200');
      await page.goto(`${server.apiUrl}/experiments/experiment-003`);
      await page.getByText('<img src=x onerror=alert(1)> Größe 模型').waitFor();
      await page.close();
      await server.end();
    },
  },
];
