// What it is worth, and where the split breaks: experiments driven here with real models, one of which fails now and then.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { BrowserCase, PageServer } from './browser-case.ts';
import {
  drawEverything,
  expectAccessible,
  expectNoSidewaysScroll,
  expectNumbersOfApi,
  waitUntil,
} from './expect-page.ts';

const units = 240;
const names = ['worth-1', 'worth-2', 'worth-3', 'worth-4'] as const;

/** An experiment that counts likes as points, points as euros, and knows how often the control answered in its place. */
function worthText(name: string, urls: readonly [string, string]): string {
  return `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: ${name}}
spec:
  hypothesis: ${name} is liked more
  route: {path: /${name}}
  unit: {header: x-user-id, orElse: control}
  control: a
  variants:
    - {name: a, weight: 50, upstream: {url: "${urls[0]}", protocol: json}}
    - {name: b, weight: 50, upstream: {url: "${urls[1]}", protocol: json}}
  capture: {prediction: {json: $.score}, page: {header: x-page}}
  metrics:
    liked: {mean: "default(outcome.like, 0)", window: 1s}
    replaced: {mean: fallback}
  value:
    unit: points
    terms: {gain: {liked: 1, per: 0.01}}
    money: {currency: EUR, worth: [900, 1000, 1200], infrastructure: 5000, risks: {outage: {probability: 0.1, loss: 20000}}}
  decision: {primary: [net_value > 2], minDuration: 0s, onBreach: notify}
  segments: [page]
`;
}

/** A model of which every fourth answer is an error. */
async function startFlakyModel(): Promise<{ readonly url: string; close(): Promise<void> }> {
  let asked = 0;
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      asked += 1;
      response.statusCode = asked % 4 === 0 ? 500 : 200;
      response.setHeader('content-type', 'application/json');
      response.end('{"model": "b", "score": 0.6}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** One request of a user to an experiment, liked as `likes` says of the variant that was assigned. */
async function visit(
  { gatewayUrl, apiUrl }: PageServer,
  options: {
    readonly name: string;
    readonly user: string;
    readonly page: string;
    readonly likes: (variant: string) => boolean;
  },
): Promise<void> {
  const { name, user, page, likes } = options;
  const headers = { 'x-user-id': user, 'x-page': page, 'content-type': 'application/json' };
  const reply = await fetch(`${gatewayUrl}/${name}`, { method: 'POST', headers, body: '{}' });
  await reply.arrayBuffer();
  const predictionId = reply.headers.get('x-assay-prediction-id');
  const variant = reply.headers.get('x-assay-variant');
  if (predictionId === null || variant === null) throw new Error(`${user} got no prediction of ${name}`);
  const like = { id: `like-${name}-${user}`, type: 'like', value: likes(variant) ? 1 : 0, predictionId };
  await fetch(`${apiUrl}/api/v1/outcomes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(like),
  });
}

/** Runs through a list, eight at a time. */
async function each<T>(all: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...all];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await run(next);
  };
  await Promise.all(Array.from({ length: 8 }, work));
}

/** The report of an experiment, once the windows of all its units are closed: from then on its numbers stay. */
async function wholeReport(
  { apiUrl }: PageServer,
  options: { readonly name: string; readonly units: number },
  // biome-ignore lint/suspicious/noExplicitAny: an answer of the API, read as it comes.
): Promise<any> {
  const end = Date.now() + 60_000;
  for (;;) {
    const report = await readJson(`${apiUrl}/api/v1/experiments/${options.name}/report`);
    const liked = report.metrics.find(({ name }: { name: string }) => name === 'liked');
    const measured = liked.variants.reduce((sum: number, { n }: { n: number }) => sum + n, 0);
    if (measured === options.units) return report;
    assert.ok(Date.now() < end, `liked of ${options.name} is measured for ${measured} of ${options.units}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

// biome-ignore lint/suspicious/noExplicitAny: an answer of the API, read as it comes.
async function readJson(url: string, init?: RequestInit): Promise<any> {
  const response = await fetch(url, init);
  assert.equal(response.status, 200, `${url}: ${response.status}`);
  return response.json();
}

/** The cases. */
export const worthCases: readonly BrowserCase[] = [
  {
    name: 'worth: value in money, compliers, and a portfolio of four with luck taken off are those of the API',
    run: async (stage) => {
      const model = await startFlakyModel();
      const folder = await stage.makeFolder();
      const files = await Promise.all(
        names.map(async (name) => {
          const file = join(folder, `${name}.yaml`);
          await writeFile(file, worthText(name, [stage.models[0], model.url]));
          return file;
        }),
      );
      const server = await stage.startServer([
        '--data',
        join(folder, 'data'),
        ...files.flatMap((file) => ['-f', file]),
        '--start',
      ]);
      // The candidate is the better the higher its number: 1 of 2 and more like it, 1 of 4 like the control.
      const visits = names.flatMap((name, place) =>
        Array.from({ length: units }, (_, at) => ({
          name,
          user: `user-${at}`,
          page: at % 3 === 0 ? 'cart' : 'home',
          likes: (variant: string) => (variant === 'b' ? at % 8 < 3 + place : at % 4 === 0),
        })),
      );
      await each(visits, (one) => visit(server, one));
      const promoted = await fetch(`${server.apiUrl}/api/v1/experiments/worth-4/promote`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ reason: 'the browser suite ships the best one', variant: 'b' }),
      });
      assert.equal(promoted.status, 200, await promoted.text());

      const [, , third] = await Promise.all(names.map((name) => wholeReport(server, { name, units })));
      const liked = third.metrics.find(({ name }: { name: string }) => name === 'liked');
      const { difference } = liked.variants.find(({ variant }: { variant: string }) => variant === 'b');
      assert.ok(difference.compliers.compliance < 0.9, `no effect on compliers: ${JSON.stringify(difference)}`);
      const page = await stage.open(`${server.apiUrl}/experiments/worth-3?metric=liked`);
      await page.locator('[data-value-path$="/compliers/compliance"]').first().waitFor();
      await page.locator('.money[data-currency="EUR"]').waitFor();
      await page.getByRole('button', { name: 'Pause live updates' }).click();
      await drawEverything(page);
      const compared = await expectNumbersOfApi(page, server.apiUrl);
      const shown = await page.locator('.money [data-value-path]').count();
      assert.ok(shown >= 9, `${shown} amounts`);
      stage.note(`${compared} numbers compared with the API, ${shown} of them money`);
      await expectAccessible(page, 'a value in money');
      await stage.keep(page, 'experiment-money');

      for (const [scheme, width] of [
        ['light', 1440],
        ['dark', 390],
      ] as const) {
        const portfolio = await stage.open(`${server.apiUrl}/portfolio`, { scheme, width });
        await portfolio.locator('section[data-unit="points"]').waitFor({ timeout: 60_000 });
        await portfolio.getByLabel('Cost of one test').fill('2500');
        await portfolio.waitForURL(/cost=2500/);
        // The old answer stays until the new one is there.
        await waitUntil(
          portfolio,
          `document.querySelector('[data-value-path="/money/0/costOfTesting"]')?.textContent === '10,000\u202fEUR'`,
        );
        assert.ok((await expectNumbersOfApi(portfolio, server.apiUrl)) >= 20);
        await expectAccessible(portfolio, `the portfolio in money, ${scheme}, ${width}`);
        await expectNoSidewaysScroll(portfolio, `the portfolio in money at ${width}`);
        await stage.keep(portfolio, `portfolio-money-${scheme}-${width}`);
        await portfolio.close();
      }
      const { values, money } = await readJson(`${server.apiUrl}/api/v1/portfolio?costPerTest=2500`);
      assert.equal(values[0].experiments, 4);
      assert.ok(Math.abs(values[0].shipped.estimate) < Math.abs(values[0].shippedMeasured));
      assert.equal(typeof money[0].returnOnTesting, 'number');
      await page.close();
      await server.end();
      await model.close();
    },
  },
  {
    name: 'worth: a split that breaks on one page only is found there, and its cells are those of the API',
    run: async (stage) => {
      const folder = await stage.makeFolder();
      const file = join(folder, 'worth-1.yaml');
      await writeFile(file, worthText('worth-1', stage.models));
      const server = await stage.startServer(['--data', join(folder, 'data'), '-f', file, '--start']);
      const users = Array.from({ length: 480 }, (_, at) => `user-${at}`);
      const { units: explained } = await readJson(`${server.apiUrl}/api/v1/playground`, {
        method: 'POST',
        body: JSON.stringify({ experiment: 'worth-1', units: users }),
      });
      const visits = users.map((user, at) => ({
        name: 'worth-1',
        user,
        page: at % 2 === 0 ? 'cart' : 'home',
        likes: () => at % 3 === 0,
      }));
      // The fault: on the cart page, requests of the candidate's users never leave the client.
      const sent = visits.filter(({ page }, at) => page === 'home' || explained[at].variant === 'a');
      await each(sent, (one) => visit(server, one));
      await wholeReport(server, { name: 'worth-1', units: sent.length });

      const page = await stage.open(`${server.apiUrl}/experiments/worth-1`);
      await page.getByRole('link', { name: 'See where the split breaks' }).click({ timeout: 60_000 });
      const table = page.locator('#split-cells table');
      await table.waitFor();
      await page.getByText(/Off where page is cart; as declared where page is home\./).waitFor();
      const worst = table.locator('tbody tr').first();
      assert.equal(await worst.getAttribute('data-off'), 'true');
      assert.match((await worst.textContent()) ?? '', /page = cart/);
      await page.getByRole('button', { name: /^By segment/ }).click();
      await page.waitForURL(/cut=segment/);
      await page.locator('table[data-cells="segment"]').waitFor();
      assert.deepEqual(
        await page
          .locator('table[data-cells="segment"] tbody tr')
          .evaluateAll((rows) => rows.map((row) => row.getAttribute('data-off'))),
        ['true', 'false'],
      );
      await page.getByRole('button', { name: 'Pause live updates' }).click();
      assert.ok((await expectNumbersOfApi(page, server.apiUrl)) > 20);
      await expectAccessible(page, 'where the split breaks');
      await stage.keep(page, 'experiment-split-cells');
      const narrow = await stage.open(`${server.apiUrl}/experiments/worth-1#split-cells`, {
        width: 390,
        scheme: 'dark',
      });
      await narrow.locator('#split-cells table').waitFor();
      await expectAccessible(narrow, 'where the split breaks, narrow and dark');
      await expectNoSidewaysScroll(narrow, 'where the split breaks at 390');
      await Promise.all([page.close(), narrow.close()]);
      await server.end();
    },
  },
];
