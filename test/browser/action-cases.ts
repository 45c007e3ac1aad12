// Steps through the page: each with its effect named and a reason; cancelled, refused, against the verdict, and seen in the audit.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { experimentText } from '../e2e/assay-process.ts';
import type { BrowserCase, RestartableServer, Stage } from './browser-case.ts';
import { expectAccessible } from './expect-page.ts';

async function serverWithScores(
  stage: Stage,
  args: readonly string[],
  options: { readonly urls?: readonly [string, string]; readonly more?: string } = {},
): Promise<RestartableServer> {
  const { urls = ['http://127.0.0.1:9', 'http://127.0.0.1:9'], more = '' } = options;
  const folder = await stage.makeFolder();
  const file = join(folder, 'scores.yaml');
  await writeFile(file, `${experimentText(urls)}${more}`);
  return stage.startServer(['--data', join(folder, 'data'), '-f', file, ...args]);
}

async function take(
  page: Page,
  step: string,
  fill: (dialog: ReturnType<Page['getByRole']>) => Promise<void> = async () => {},
): Promise<void> {
  await page.getByRole('button', { name: `${step}…` }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Reason').fill(`tried in the browser suite: ${step}`);
  await dialog.getByLabel('Your name').fill('ana');
  await fill(dialog);
  await dialog.getByRole('button', { name: step, exact: true }).click();
  await dialog.locator('[data-done]').waitFor();
  await dialog.getByRole('button', { name: 'Close' }).click();
  await dialog.waitFor({ state: 'detached' });
}

/** The cases. */
export const actionCases: readonly BrowserCase[] = [
  {
    name: 'steps: start, ramp, pause, resume and roll back, each with a reason that stands in the audit',
    run: async (stage) => {
      const server = await serverWithScores(stage, []);
      const page = await stage.open(`${server.apiUrl}/experiments/scores`);
      await page.waitForSelector('[data-headline]');
      await page.getByRole('button', { name: 'Start…' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.waitFor();
      assert.ok(await dialog.getByRole('button', { name: 'Start', exact: true }).isDisabled());
      assert.equal(await page.evaluate('document.activeElement.textContent'), 'Cancel');
      await expectAccessible(page, 'the dialog of a step');
      await stage.keep(page, 'step-dialog');
      await dialog.getByRole('button', { name: 'Cancel' }).click();
      await dialog.waitFor({ state: 'detached' });
      assert.equal((await stateOf(server)).state, 'draft');
      await take(page, 'Start', async (each) => each.getByLabel(/Share of units/).fill('20'));
      assert.deepEqual(pick(await stateOf(server)), { state: 'running', coverage: 0.2 });
      await take(page, 'Ramp', async (each) => each.getByLabel(/Share of units/).fill('50'));
      assert.deepEqual(pick(await stateOf(server)), { state: 'running', coverage: 0.5 });
      await take(page, 'Pause');
      await take(page, 'Resume');
      const began = Date.now();
      await take(page, 'Roll back');
      stage.note(`roll back through the page in ${Date.now() - began} ms`);
      assert.equal((await stateOf(server)).state, 'rolled-back');
      for (const kind of ['start', 'ramp', 'pause', 'resume', 'roll-back']) {
        const entry = page.locator(`#audit li[data-kind="${kind}"]`).first();
        await entry.waitFor();
        assert.match((await entry.textContent()) ?? '', /by ana[\s\S]*tried in the browser suite/);
      }
      await page.close();
      await server.end();
    },
  },
  {
    name: 'steps: promoting against the verdict asks for the variant and the name; the menu is reached by keys',
    run: async (stage) => {
      const server = await serverWithScores(stage, ['--start']);
      const page = await stage.open(`${server.apiUrl}/experiments/scores`);
      await page.waitForSelector('[data-headline]');
      const menu = page.getByRole('button', { name: 'More steps' });
      await menu.focus();
      await page.keyboard.press('Enter');
      await page.getByRole('menuitem', { name: /^Promote/ }).waitFor();
      await expectAccessible(page, 'the menu of steps');
      await page.getByRole('menuitem', { name: /^Promote/ }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel('Reason').fill('the owner wants it now');
      const promote = dialog.getByRole('button', { name: 'Promote', exact: true });
      assert.ok(await promote.isDisabled());
      assert.equal(await dialog.locator('input[type="radio"]:checked').count(), 0);
      await dialog.getByLabel('b', { exact: true }).check();
      assert.ok(await promote.isDisabled());
      await dialog.getByLabel(/to confirm/).fill('scores');
      await promote.click();
      await dialog.locator('[data-done]').waitFor();
      assert.equal((await stateOf(server)).state, 'promoted');
      await page.close();
      await server.end();
    },
  },
  {
    name: 'steps: stop is in the menu, ends the test without a winner, and is seen in the audit',
    run: async (stage) => {
      const server = await serverWithScores(stage, ['--start']);
      const page = await stage.open(`${server.apiUrl}/experiments/scores`);
      await page.waitForSelector('[data-headline]');
      await page.getByRole('button', { name: 'More steps' }).click();
      await page.getByRole('menuitem', { name: 'Stop…' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByText(/without a winner/).waitFor();
      await dialog.getByLabel('Reason').fill('the season is over');
      await dialog.getByRole('button', { name: 'Stop', exact: true }).click();
      await dialog.locator('[data-done]').waitFor();
      assert.equal((await stateOf(server)).state, 'completed');
      await dialog.getByRole('button', { name: 'Close' }).click();
      await page.locator('#audit li[data-kind="stop"]').getByText('the season is over').waitFor();
      await page.getByText('completed', { exact: true }).first().waitFor();
      assert.equal(await page.getByRole('button', { name: 'Pause…' }).count(), 0);
      await page.close();
      await server.end();
    },
  },
  {
    name: 'steps: a proposed step is told in list and page, and happens when somebody approves it with a reason',
    run: async (stage) => {
      const more = '  ramp: {coverage: [0.5, 1], hold: 1s, approval: required}\n';
      const server = await serverWithScores(stage, ['--start'], { urls: stage.models, more });
      await stage.drive({ from: 0, count: 60, server });
      const page = await stage.open(`${server.apiUrl}/experiments/scores`);
      const proposed = page.locator('[data-proposal="ramp"]');
      await proposed.waitFor({ timeout: 60_000 });
      assert.match((await proposed.textContent()) ?? '', /Waits for approval: ramp to 100\.0\s% of units/);
      await expectAccessible(page, 'the proposed step');
      await stage.keep(page, 'proposal-light');
      const list = await stage.open(server.apiUrl, { width: 390, scheme: 'dark' });
      await list.getByText('waits for approval: ramp to').waitFor({ timeout: 60_000 });
      await stage.keep(list, 'proposal-list-dark-390');
      await proposed.getByRole('button', { name: 'Approve…' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByText(/nobody who is in changes/).waitFor();
      await expectAccessible(page, 'the dialog of an approval');
      const approve = dialog.getByRole('button', { name: 'Approve', exact: true });
      assert.ok(await approve.isDisabled());
      await dialog.getByLabel('Reason').fill('reviewed with the search team');
      await dialog.getByLabel('Your name').fill('ana');
      await approve.click();
      await dialog.locator('[data-done]').waitFor();
      assert.deepEqual(pick(await stateOf(server)), { state: 'running', coverage: 1 });
      await dialog.getByRole('button', { name: 'Close' }).click();
      await proposed.waitFor({ state: 'detached' });
      const entry = page.locator('#audit li[data-kind="ramp"]').first();
      await entry.waitFor();
      assert.match((await entry.textContent()) ?? '', /by ana[\s\S]*reviewed with the search team/);
      await Promise.all([page.close(), list.close()]);
      await server.end();
    },
  },
  {
    name: 'steps: what somebody else has done meanwhile is told, and nothing is done',
    run: async (stage) => {
      const server = await serverWithScores(stage, ['--start']);
      const page = await stage.open(`${server.apiUrl}/experiments/scores`, { tolerates: /409/ });
      await page.getByRole('button', { name: 'Pause…' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel('Reason').fill('weekly maintenance');
      const stop = await fetch(`${server.apiUrl}/api/v1/experiments/scores/stop`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ reason: 'somebody else was quicker' }),
      });
      assert.equal(stop.status, 200);
      await dialog.getByRole('button', { name: 'Pause', exact: true }).click();
      await dialog.getByText('transition-refused').waitFor();
      assert.equal((await stateOf(server)).state, 'completed');
      await page.close();
      await server.end();
    },
  },
];

async function stateOf(server: RestartableServer): Promise<{ readonly state: string; readonly coverage: number }> {
  return (await (await fetch(`${server.apiUrl}/api/v1/experiments/scores`)).json()) as never;
}

const pick = ({ state, coverage }: { readonly state: string; readonly coverage: number }): object => ({
  state,
  coverage,
});
