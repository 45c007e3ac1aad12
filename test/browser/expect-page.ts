// What must hold on every page? No fault that axe knows, every number as the API has it, nothing wider than the window.
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { valueText } from '../../dashboard/src/value-text.ts';
import { axeSource } from './stage.ts';

interface AxeResult {
  readonly id: string;
  readonly impact: string;
  readonly help: string;
  readonly targets: readonly string[];
}

/** Fails with the list of what axe finds under WCAG 2.2 A and AA. */
export async function expectAccessible(page: Page, where: string): Promise<void> {
  await page.evaluate(await axeSource());
  const found = await page.evaluate<readonly AxeResult[]>(
    `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then(({ violations }) =>
      violations.map(({ id, impact, help, nodes }) => ({ id, impact, help, targets: nodes.slice(0, 4).map((node) => node.target.join(' ') + ': ' + (node.any[0]?.message ?? '')) })))`,
  );
  assert.deepEqual(
    found.map(({ id, help, targets }) => `${id}: ${help} (${targets.join('; ')})`),
    [],
    `axe finds faults on ${where}`,
  );
}

interface ShownNumber {
  readonly text: string;
  readonly from: string;
  readonly path: string;
  readonly as: string;
  readonly unit: string | null;
  readonly interval: string | null;
}

/** Compares every number that carries its place with the same place of the API's answer. @returns how many there were. */
export async function expectNumbersOfApi(page: Page, apiUrl: string): Promise<number> {
  const shown = await page.evaluate<readonly ShownNumber[]>(
    `[...document.querySelectorAll('[data-value-path]')].map((node) => ({
      text: node.textContent, from: node.dataset.valueFrom, path: node.dataset.valuePath, as: node.dataset.valueAs,
      unit: node.dataset.valueUnit ?? null, interval: node.dataset.valueInterval ?? null }))`,
  );
  const answers = new Map<string, unknown>();
  let compared = 0;
  for (const { text, from, path, as, unit, interval } of shown) {
    if (!from.startsWith('/')) continue;
    if (!answers.has(from)) answers.set(from, await (await fetch(apiUrl + from)).json());
    const wanted = valueText(answers.get(from), {
      path,
      as: as as never,
      ...(unit === null ? {} : { unit }),
      ...(interval === null ? {} : { interval }),
    });
    assert.equal(text, wanted.text, `${from} ${path} as ${as}`);
    compared += 1;
  }
  return compared;
}

/** Fails when something makes the page scroll sideways. */
export async function expectNoSidewaysScroll(page: Page, where: string): Promise<void> {
  const wider = await page.evaluate<readonly string[]>(
    `document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll('body *')]
      .filter((node) => node.getBoundingClientRect().right > innerWidth + 1 && node.closest('.scroll, .sections, .editor, .file, .spoken') === null)
      .slice(0, 5).map((node) => node.tagName + '.' + node.className + ' ' + Math.round(node.getBoundingClientRect().right))`,
  );
  assert.deepEqual(wider, [], `${where} is wider than the window`);
}

/** Waits until an expression is true in the page; asks from outside, because the page's policy forbids to evaluate within. */
export async function waitUntil(page: Page, expression: string): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await page.evaluate<boolean>(expression))) {
    if (Date.now() > end) throw new Error(`${expression} did not become true within a minute`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Scrolls through the page, so that every section is drawn, and back to the top. */
export async function drawEverything(page: Page): Promise<void> {
  await page.evaluate(`(async () => {
    for (let y = 0; y < document.documentElement.scrollHeight; y += 500) {
      scrollTo(0, y);
      await new Promise((done) => setTimeout(done, 60));
    }
    scrollTo(0, 0);
  })()`);
  // A check of the health row may wait for as long as it likes.
  await waitUntil(page, `document.querySelectorAll('p.waiting').length === 0`);
  await waitUntil(
    page,
    `[...document.querySelectorAll('.plot-box')].every((box) => box.querySelector('svg') !== null)`,
  );
}
