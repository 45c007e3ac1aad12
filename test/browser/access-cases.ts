// Who may look: a server with a token asks for it once; the headers of the page let nothing foreign in. And without colours or motion.
import assert from 'node:assert/strict';
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
      await page.emulateMedia({ forcedColors: 'active' });
      await stage.keep(page, 'list-forced-colours');
      await page.getByRole('button', { name: /^Theme/ }).click();
      await waitUntil(page, `document.documentElement.dataset.theme === 'light'`);
    },
  },
];
