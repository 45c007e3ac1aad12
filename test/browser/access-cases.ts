// Who may look: a server with a token asks for it once; the headers of the page let nothing foreign in. And without colours or motion.
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import type { BrowserCase } from './browser-case.ts';
import { expectAccessible, waitUntil } from './expect-page.ts';

/** The cases. */
export const accessCases: readonly BrowserCase[] = [
  {
    name: 'access: a token is asked for, a wrong one refused, the right one opens the page until signing out',
    run: async (stage) => {
      const token = 'a-token-of-the-browser-suite';
      const server = await stage.startServer(['--data', await stage.makeFolder()], { ASSAY_TOKEN: token });
      const page = await stage.open(server.apiUrl, { tolerates: /401|Failed to load resource/ });
      await page.getByRole('heading', { name: 'Sign in' }).waitFor();
      await expectAccessible(page, 'the sign-in');
      await page.getByLabel('Token').fill('wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText('unauthorized').waitFor();
      await page.getByLabel('Token').fill(token);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('heading', { name: 'No experiment yet' }).waitFor();
      assert.equal(await page.evaluate('document.cookie'), '');
      await page.reload();
      await page.getByRole('heading', { name: 'No experiment yet' }).waitFor();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByRole('heading', { name: 'Sign in' }).waitFor();
      await page.close();
      await server.end();
    },
  },
  {
    name: 'access: the page carries its policy, and nothing in it is inline or from elsewhere',
    run: async (stage) => {
      const reply = await fetch(stage.server.apiUrl);
      const policy = reply.headers.get('content-security-policy') ?? '';
      assert.match(policy, /default-src 'none'/);
      assert.match(policy, /script-src 'self'(;|$)/);
      assert.equal(reply.headers.get('x-content-type-options'), 'nosniff');
      const html = await reply.text();
      assert.doesNotMatch(html, /<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|https?:\/\//);
    },
  },
  {
    name: 'access: help lists the keys and switches them off; forced colours keep words and shapes',
    run: async (stage) => {
      const page = await stage.open(stage.server.apiUrl);
      await page.waitForSelector('tr[data-experiment]');
      await page.keyboard.press('?');
      await page.getByRole('heading', { name: 'Keys' }).waitFor();
      await expectAccessible(page, 'the help');
      await page.getByLabel('Single keys do something').uncheck();
      await page.keyboard.press('Escape');
      await page.keyboard.press('/');
      assert.notEqual(await page.evaluate('document.activeElement.tagName'), 'INPUT');
      await page.getByRole('button', { name: /^Theme/ }).click();
      await waitUntil(page, `document.documentElement.dataset.theme === 'light'`);
      await page.emulateMedia({ forcedColors: 'active' });
      await stage.keep(page, 'list-forced-colours');
      await page.goto(`${stage.server.apiUrl}/experiments/financial-forecast`);
      await page.waitForSelector('tr[data-metric="accuracy"] .interval-cell');
      // Every line and mark of a picture still differs from what is behind it; the word stands beside.
      const hidden = await page.evaluate<readonly string[]>(
        `[...document.querySelectorAll('.interval-cell line, .interval-cell path')]
          .filter((node) => getComputedStyle(node).stroke === getComputedStyle(node.closest('.card')).backgroundColor)
          .map((node) => node.outerHTML.slice(0, 120))`,
      );
      assert.deepEqual(hidden, []);
      await page.locator('.verdict .headline').waitFor();
      await expectAccessible(page, 'the experiment in forced colours');
      await stage.keep(page, 'experiment-forced-colours');
    },
  },
  {
    name: 'access: times are those of the reader’s zone, with UTC behind each',
    run: async (stage) => {
      const url = `${stage.server.apiUrl}/experiments/financial-forecast`;
      const shown = await Promise.all(
        ['Asia/Tokyo', 'America/New_York'].map(async (timeZone) => {
          const page = await stage.open(url, { timeZone });
          await page.waitForSelector('[data-headline]');
          const time = page.locator('#audit time').last();
          await time.scrollIntoViewIfNeeded();
          await page.keyboard.press('?');
          await page.getByText(`Times are those of ${timeZone}`).waitFor();
          return {
            timeZone,
            text: (await time.textContent()) ?? '',
            at: (await time.getAttribute('datetime')) ?? '',
            title: (await time.getAttribute('title')) ?? '',
          };
        }),
      );
      for (const { timeZone, text, at, title } of shown) {
        const clock = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' });
        assert.ok(text.includes(clock.format(new Date(at))), `${text} in ${timeZone} for ${at}`);
        assert.equal(title, `${at.replace('T', ' ').slice(0, 19)} UTC`);
      }
      assert.equal(shown[0]?.at, shown[1]?.at);
      assert.notEqual(shown[0]?.text, shown[1]?.text);
    },
  },
  {
    name: 'access: variants and states stay apart for readers who see fewer colours',
    run: async (stage) => {
      for (const scheme of ['light', 'dark'] as const) {
        const page = await stage.open(`${stage.server.apiUrl}/experiments/financial-forecast`, { scheme });
        await page.waitForSelector('tr[data-metric="accuracy"] .interval-cell');
        const colours = await coloursOf(page, ['control', 'variant-1', 'variant-2', 'variant-3', 'variant-4']);
        const states = await coloursOf(page, ['better', 'worse', 'undecided']);
        for (const vision of Object.keys(visions) as Vision[]) {
          const apart = Math.min(smallestDistance(colours, vision), smallestDistance(states, vision));
          stage.note(`${scheme}, ${vision}: at least ${apart.toFixed(1)} apart`);
          assert.ok(apart >= 12, `two colours are ${apart} apart in ${scheme} with ${vision}`);
        }
        const session = await page.context().newCDPSession(page);
        for (const type of ['deuteranopia', 'protanopia', 'tritanopia'] as const) {
          await session.send('Emulation.setEmulatedVisionDeficiency', { type });
          await stage.keep(page, `experiment-${scheme}-${type}`);
        }
      }
    },
  },
];

type Colour = readonly [number, number, number];

/** What becomes of linear red, green and blue: Machado, Oliveira & Fernandes 2009, table 1, severity 1. */
const visions = {
  normal: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
} as const;
type Vision = keyof typeof visions;

/** Colours of tokens as they come out, 0..255. */
async function coloursOf(page: Page, tokens: readonly string[]): Promise<readonly Colour[]> {
  const texts = await page.evaluate<readonly string[]>(
    `${JSON.stringify(tokens)}.map((token) => {
      const probe = document.body.appendChild(document.createElement('i'));
      probe.style.color = 'var(--' + token + ')';
      const { color } = getComputedStyle(probe);
      probe.remove();
      return color;
    })`,
  );
  return texts.map((text) => (text.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number) as unknown as Colour);
}

/** Smallest distance of any two in CIELAB (Delta E of 1976), as somebody sees them. */
function smallestDistance(colours: readonly Colour[], vision: Vision): number {
  const seen = colours.map((colour) => labOf(colour, visions[vision]));
  const distances = seen.flatMap((a, at) =>
    seen.slice(at + 1).map((b) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])),
  );
  return Math.min(...distances);
}

function labOf(colour: Colour, matrix: readonly number[]): Colour {
  const linear = colour.map((value) =>
    value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
  );
  const times = (rows: readonly number[], values: readonly number[]): number[] =>
    [0, 3, 6].map((from) => values.reduce((sum, value, at) => sum + value * (rows[from + at] ?? 0), 0));
  const shown = times(matrix, linear).map((value) => Math.min(1, Math.max(0, value)));
  const [x = 0, y = 0, z = 0] = times(
    [0.4124564, 0.3575761, 0.1804375, 0.2126729, 0.7151522, 0.072175, 0.0193339, 0.119192, 0.9503041],
    shown,
  );
  const [fx, fy, fz] = [x / 0.95047, y, z / 1.08883].map((value) =>
    value > 216 / 24389 ? Math.cbrt(value) : (value * 24389) / 27 / 116 + 16 / 116,
  ) as [number, number, number];
  return [116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)];
}
