// One experiment: the verdict in the words of the API, numbers as it has them, what is withheld, and every view in the address.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { differenceText } from '../../src/decision/index.ts';
import type { BrowserCase } from './browser-case.ts';
import { drawEverything, expectAccessible, expectNoSidewaysScroll, expectNumbersOfApi } from './expect-page.ts';

const forecast = '/experiments/financial-forecast';

async function openSettled(page: Page): Promise<Page> {
  await page.waitForSelector('.verdict [data-headline]');
  return page;
}

/** The cases. */
export const experimentCases: readonly BrowserCase[] = [
  {
    name: 'experiment: the verdict is that of the API, and the first view asks for no chart library',
    run: async (stage) => {
      const urls: string[] = [];
      const page = await stage.open('about:blank');
      page.on('request', (request) => urls.push(request.url()));
      await page.goto(stage.server.apiUrl + forecast);
      await page.waitForSelector('table.metrics tbody tr[data-metric]');
      assert.ok(!urls.some((url) => url.includes('draw-chart')), 'the chart library came before the metric table');
      const overview = await readJson(`${stage.server.apiUrl}/api/v1${forecast}/overview`);
      assert.equal(await page.locator('[data-headline]').textContent(), overview.headline);
      assert.equal(await page.locator('.verdict').getAttribute('data-verdict'), overview.report.verdict.kind);
      assert.equal(await page.locator('[data-check]').count(), overview.health.length);
    },
  },
  {
    name: 'experiment: every number is that of the API, in light and dark, wide and narrow, without a fault of axe',
    run: async (stage) => {
      for (const [scheme, width] of [
        ['light', 1440],
        ['dark', 1440],
        ['light', 390],
        ['dark', 320],
      ] as const) {
        const page = await openSettled(await stage.open(stage.server.apiUrl + forecast, { scheme, width }));
        await page.getByRole('button', { name: 'Pause live updates' }).click();
        await drawEverything(page);
        const compared = await expectNumbersOfApi(page, stage.server.apiUrl);
        assert.ok(compared > 60, `${compared} numbers`);
        if (width === 1440 && scheme === 'light') stage.note(`${compared} numbers compared with the API`);
        await expectAccessible(page, `the experiment, ${scheme}, ${width}`);
        await expectNoSidewaysScroll(page, `the experiment at ${width}`);
        await stage.keep(page, `experiment-${scheme}-${width}`);
      }
    },
  },
  {
    name: 'experiment: views live in the address and survive a reload; keys change them',
    run: async (stage) => {
      const page = await openSettled(await stage.open(`${stage.server.apiUrl}${forecast}?method=bayes&rows=guardrail`));
      await page.waitForSelector('table.metrics tbody tr[data-metric]');
      assert.equal(await page.locator('table.metrics tr[data-metric]').count(), 1);
      assert.equal(await page.getByRole('button', { name: 'Bayesian' }).getAttribute('aria-pressed'), 'true');
      await page.keyboard.press('a');
      await page.waitForURL(/view=relative/);
      await page.keyboard.press('m');
      await page.waitForURL((url) => !url.search.includes('method'));
      await page.getByRole('button', { name: 'All', exact: true }).click();
      await page.locator('tr[data-metric="accuracy"] button').click();
      await page.waitForURL(/metric=accuracy/);
      await page.getByRole('heading', { name: /accuracy: enhanced/ }).waitFor();
      await expectAccessible(page, 'the drawer');
      await page.reload();
      await page.getByRole('heading', { name: /accuracy: enhanced/ }).waitFor();
      await page.keyboard.press('Escape');
      await page.waitForURL((url) => !url.search.includes('metric='));
    },
  },
  {
    name: 'experiment: shares of the control have intervals of their own, which leave 0 out where the differences do',
    run: async (stage) => {
      const { relative, report } = await readJson(`${stage.server.apiUrl}/api/v1${forecast}/overview`);
      const page = await openSettled(await stage.open(`${stage.server.apiUrl}${forecast}?view=relative`));
      await page.getByRole('button', { name: 'Pause live updates' }).click();
      await page.waitForSelector('table.metrics tr[data-metric="accuracy"]');
      assert.ok((await expectNumbersOfApi(page, stage.server.apiUrl)) > 60);
      const at = report.metrics.findIndex(({ name }: { readonly name: string }) => name === 'accuracy');
      const candidate = report.metrics[at].variants.findIndex(
        ({ difference }: { readonly difference?: unknown }) => difference !== undefined,
      );
      const share = relative.metrics[at].variants[candidate].sequential;
      const { interval } = report.metrics[at].variants[candidate].difference.sequential;
      assert.equal(share.lower > 0, interval.lower > 0);
      assert.equal(share.upper < 0, interval.upper < 0);
      const row = page.locator('tr[data-metric="accuracy"]');
      assert.match((await row.textContent()) ?? '', /% rel\./);
      assert.equal(
        await row.locator(`[data-value-path="/relative/metrics/${at}/variants/${candidate}/sequential"]`).count(),
        1,
      );
      await expectAccessible(page, 'shares of the control');
      await stage.keep(page, 'experiment-relative');
    },
  },
  {
    name: 'experiment: one look at the end is grey, without a p-value, and the banner stays the same',
    run: async (stage) => {
      const page = await openSettled(await stage.open(stage.server.apiUrl + forecast));
      const before = await page.locator('[data-headline]').textContent();
      await page.getByRole('button', { name: 'One look' }).click();
      await page.waitForURL(/method=fixed/);
      const rows = page.locator('table.metrics tr[data-metric]');
      assert.deepEqual(
        new Set(await rows.evaluateAll((nodes) => nodes.map((node) => node.getAttribute('data-state')))),
        new Set(['undecided']),
      );
      assert.ok(!/p [=<]/.test((await page.locator('table.metrics').textContent()) ?? ''));
      assert.equal(await page.locator('[data-headline]').textContent(), before);
    },
  },
  {
    name: 'experiment: a broken split withholds every conclusion until asked, and marks it then',
    run: async (stage) => {
      const overview = await readJson(`${stage.invalid.apiUrl}/api/v1${forecast}/overview`);
      assert.equal(overview.report.verdict.kind, 'invalid');
      const page = await openSettled(await stage.open(stage.invalid.apiUrl + forecast));
      await drawEverything(page);
      const html = await page.content();
      for (const metric of overview.report.metrics) {
        const candidate = metric.variants.find(
          (entry: { readonly difference?: unknown }) => entry.difference !== undefined,
        );
        const { absolute, sequential, interval } = candidate.difference;
        if (typeof absolute !== 'number' || absolute === 0) continue;
        assert.ok(!html.includes(String(absolute)), `${metric.name}: the raw difference stands in the page`);
        for (const unit of ['share', 'ms', 'number'])
          for (const from of [sequential?.interval, interval]) {
            const text = differenceText(absolute, { unit, interval: from });
            if (text.length > 6) assert.ok(!html.includes(text), `${metric.name}: ${text} stands in the page`);
          }
      }
      assert.equal(await page.locator('.metrics .better, .metrics .worse').count(), 0);
      assert.equal(await page.getByRole('button', { name: /^Promote/ }).count(), 0);
      assert.ok((await page.getByText('withheld: the split is broken').count()) >= 3);
      await expectAccessible(page, 'the invalid experiment');
      await stage.keep(page, 'experiment-invalid');
      await page.getByRole('button', { name: 'Show anyway' }).click();
      await page.getByText('none of these differences is a conclusion').waitFor();
      await page.locator('table.metrics .effect-text').first().waitFor();
      const dark = await openSettled(await stage.open(stage.invalid.apiUrl + forecast, { scheme: 'dark' }));
      await expectAccessible(dark, 'the invalid experiment in the dark');
    },
  },
  {
    name: 'experiment: charts are read by keys, shown as tables, and taken away as SVG, PNG and CSV',
    run: async (stage) => {
      const page = await openSettled(await stage.open(stage.server.apiUrl + forecast));
      await page.getByRole('button', { name: 'Pause live updates' }).click();
      await drawEverything(page);
      const figure = page.locator('#latency figure');
      await figure.scrollIntoViewIfNeeded();
      await figure.locator('svg[role="img"]').waitFor();
      await figure.getByRole('slider').focus();
      await page.keyboard.press('End');
      assert.match((await figure.getByRole('slider').getAttribute('aria-valuetext')) ?? '', /of the attempts of/);
      for (const [name, begin] of [
        ['SVG', '<svg'],
        ['PNG', '\u0089PNG'],
        ['CSV', 'variant,ms,share'],
      ] as const) {
        const [download] = await Promise.all([
          page.waitForEvent('download'),
          figure.getByRole('button', { name }).click(),
        ]);
        const bytes = await readFile(await download.path());
        assert.ok(bytes.toString('latin1').startsWith(begin), `${name} begins with ${bytes.subarray(0, 20)}`);
        if (name === 'SVG') assert.match(bytes.toString(), /digest [0-9a-f]{12}/);
      }
      await figure.getByRole('button', { name: 'Table' }).click();
      await figure.locator('table tbody tr').first().waitFor();
      await expectAccessible(page, 'a chart as a table');
      // A link shows what its sender saw.
      await page.reload();
      await drawEverything(await openSettled(page));
      await figure.locator('table tbody tr').first().waitFor();
    },
  },
  {
    name: 'experiment: one broken part blanks no other, an unknown name says so',
    run: async (stage) => {
      const page = await stage.open('about:blank', { tolerates: /Failed to load resource/ });
      await page.route('**/distributions', (route) => route.fulfill({ status: 500, body: '<html>broken</html>' }));
      await page.goto(stage.server.apiUrl + forecast);
      await openSettled(page);
      // Or it tries again by itself.
      await page.getByRole('button', { name: 'Pause live updates' }).click();
      await drawEverything(page);
      await page.locator('#latency [role="alert"]').waitFor();
      await page.locator('#split figure svg').first().waitFor();
      await page.unroute('**/distributions');
      await page.locator('#latency').getByRole('button', { name: 'Try again' }).click();
      await page.locator('#latency figure').waitFor();
      await page.goto(`${stage.server.apiUrl}/experiments/nothing`);
      await page.getByText('experiment-unknown').waitFor();
      await page.goto(`${stage.server.apiUrl}/experiments/financial-forecast?view=upside`);
      await page.getByText('Not understood and left out: view=upside').waitFor();
    },
  },
  {
    name: 'playground: one unit with its place on the bar, many as a table; the link holds the inputs',
    run: async (stage) => {
      const page = await stage.open(`${stage.server.apiUrl}/playground?experiment=financial-forecast&unit=user-42`);
      const answer = await readJson(`${stage.server.apiUrl}/api/v1${forecast}/explain?unit=user-42`);
      const shown = page.locator('[data-playground]');
      await shown.waitFor();
      assert.equal(await shown.getAttribute('data-playground'), answer.variant);
      await expectAccessible(page, 'the playground');
      await expectNoSidewaysScroll(page, 'the playground');
      await stage.keep(page, 'playground');
      await page.getByRole('textbox').fill(Array.from({ length: 100 }, (_, at) => `user-${at}`).join('\n'));
      await page.getByRole('button', { name: 'Explain' }).click();
      await page.getByRole('heading', { name: '100 units' }).waitFor();
      await page.waitForURL(/user-99/);
    },
  },
];

// biome-ignore lint/suspicious/noExplicitAny: an answer of the API, read as it comes.
async function readJson(url: string): Promise<any> {
  const response = await fetch(url);
  assert.equal(response.status, 200, url);
  return response.json();
}
