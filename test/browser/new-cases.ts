// A new experiment from the form: the same faults as the command line's, one document, a file that passes, and how long it takes.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assay, experimentText } from '../e2e/assay-process.ts';
import type { BrowserCase } from './browser-case.ts';
import { expectAccessible, expectNoSidewaysScroll } from './expect-page.ts';

/** The cases. */
export const newCases: readonly BrowserCase[] = [
  {
    name: 'new: a fault is said by the field, at its line and as the command line says it; the mended file is created',
    run: async (stage) => {
      const server = await stage.startServer(['--data', await stage.makeFolder()]);
      const page = await stage.open(`${server.apiUrl}/new`);
      const status = page.locator('[data-validation]');
      await page.waitForSelector('[data-validation="ok"]');
      await page.getByText('Power by day').or(page.locator('figure')).first().waitFor();
      await expectAccessible(page, 'the form');
      await stage.keep(page, 'new-light');
      await page.locator('input[name="spec.variants[1].weight"]').fill('-3');
      await page.waitForSelector('[data-validation="faults"]');
      const text = await page.locator('textarea[name="file"]').inputValue();
      const file = join(await stage.makeFolder(), 'draft.yaml');
      await writeFile(file, text);
      const { code, stderr, stdout } = await assay(['validate', '-f', file]);
      assert.notEqual(code, 0);
      const [own] = await page.locator('[data-place="spec.variants[1].weight"]').allTextContents();
      assert.ok(own !== undefined && own.length > 10);
      const said = `${stderr}${stdout}`.replaceAll(/\s+/g, ' ');
      assert.ok(said.includes(own.replaceAll(/\s+/g, ' ')), `the command line says: ${said}; the page says: ${own}`);
      assert.equal(await page.locator('.gutter .has-fault').count(), 1);
      assert.ok(await page.getByRole('button', { name: 'Create as a draft' }).isDisabled());
      await expectAccessible(page, 'the form with a fault');
      await page.locator('input[name="spec.variants[1].weight"]').fill('30');
      await page.locator('input[name="metadata.name"]').fill('from-the-page');
      await page.waitForSelector('[data-validation="ok"]');
      assert.match(await page.locator('textarea[name="file"]').inputValue(), /# Who must always see/);
      await writeFile(file, await page.locator('textarea[name="file"]').inputValue());
      assert.equal((await assay(['validate', '-f', file])).code, 0);
      await page.getByRole('button', { name: 'Create as a draft' }).click();
      await page.waitForURL(/\/experiments\/from-the-page$/);
      await page.getByRole('button', { name: 'Start…' }).waitFor();
      assert.equal(await status.count(), 0);
      await page.getByRole('link', { name: 'Edit as a new revision' }).click();
      await page.getByRole('heading', { name: 'New revision of from-the-page' }).waitFor();
      await page.close();
      await server.end();
    },
  },
  {
    name: 'new: a revision that somebody else has overtaken is refused, loses no text, and can be applied all the same',
    run: async (stage) => {
      const folder = await stage.makeFolder();
      const file = join(folder, 'scores.yaml');
      await writeFile(file, experimentText(stage.models));
      const server = await stage.startServer(['--data', join(folder, 'data'), '-f', file]);
      const page = await stage.open(`${server.apiUrl}/new?from=scores`, { tolerates: /409/ });
      await page.waitForSelector('[data-validation="ok"]');
      await page.locator('input[name="spec.hypothesis"]').fill('mine');
      await page.waitForSelector('[data-validation="ok"]');
      const theirs = experimentText(stage.models).replace('b scores better', 'theirs');
      const reply = await fetch(`${server.apiUrl}/api/v1/experiments/scores`, { method: 'PUT', body: theirs });
      assert.equal(reply.status, 200);
      await page.getByRole('button', { name: 'Apply the revision' }).click();
      await page.getByText('revision-conflict').waitFor();
      assert.equal(await hypothesisOf(server.apiUrl), 'theirs');
      await page.locator('[data-conflict]').waitFor();
      await expectAccessible(page, 'a revision that was overtaken');
      await stage.keep(page, 'new-conflict');
      assert.equal(await page.locator('input[name="spec.hypothesis"]').inputValue(), 'mine');
      await page.getByRole('button', { name: 'Apply this over revision 2' }).click();
      await page.waitForURL(/\/experiments\/scores$/);
      assert.equal(await hypothesisOf(server.apiUrl), 'mine');
      await page.close();
      await server.end();
    },
  },
  {
    name: 'new: a probe says whether the model answers; narrow windows do',
    run: async (stage) => {
      const page = await stage.open(`${stage.server.apiUrl}/new`, { width: 390, scheme: 'dark' });
      await page.locator('input[name="spec.variants[0].upstream.url"]').fill('http://127.0.0.1:9');
      await page.getByRole('button', { name: 'Probe http://127.0.0.1:9', exact: true }).click();
      await page.locator('[data-probe="false"]').waitFor();
      await expectAccessible(page, 'the form in the dark');
      await expectNoSidewaysScroll(page, 'the form at 390');
      await stage.keep(page, 'new-dark-390');
    },
  },
];

async function hypothesisOf(apiUrl: string): Promise<string> {
  const reply = await fetch(`${apiUrl}/api/v1/experiments/scores`);
  const { specification } = (await reply.json()) as { readonly specification: { readonly hypothesis: string } };
  return specification.hypothesis;
}
