import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { analyzePublished, differenceText, parsePublished, type Report } from '../../decision/index.ts';
import { renderHtmlReport } from './index.ts';

const examples = fileURLToPath(new URL('../../../examples/', import.meta.url));
const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
if (chromium === undefined) console.warn('skipped: no Chromium is installed, so the file is not opened in one');

async function reportOf(file: string): Promise<Report> {
  return analyzePublished(parsePublished(JSON.parse(await readFile(join(examples, file), 'utf8'))));
}

const about = { asOf: '2026-11-22T09:00:00.000Z', digest: 'f'.repeat(64) };
const plain = (html: string): string =>
  html
    .replace(/<style>.*?<\/style>/gs, '')
    .replace(/<svg.*?<\/svg>/gs, ' ')
    .replace(/<[^>]+>/g, ' ')
    .replaceAll('&gt;', '>')
    .replaceAll('&lt;', '<')
    .replaceAll('&amp;', '&')
    .replace(/\s+/g, ' ');

const kinds = ['ship', 'roll-back', 'keep-testing', 'no-difference', 'invalid'] as const;

describe('a report as one file', () => {
  it.each(kinds)('says of %s what the verdict says, in the order of the page, and needs nothing else', async (kind) => {
    const report = await reportOf(`verdicts/${kind}.json`);
    const file = renderHtmlReport({ report, ...about });
    const text = plain(file);
    expect(report.verdict.kind).toBe(kind);
    for (const sentence of [report.verdict.headline, ...report.verdict.because, report.verdict.next])
      expect(text).toContain(sentence.replace(/\s+/g, ' '));
    expect(file).not.toMatch(/<script|<link|<img|<iframe|\son\w+=|@import|url\(|src=|href=/i);
    expect(file.replaceAll('http://www.w3.org/', '')).not.toMatch(/https?:\/\//);
    const sections = [...file.matchAll(/<section id="([\w-]+)"/g)].map(([, id]) => id);
    const order = [
      'variants',
      'health',
      'metrics',
      'criteria',
      'value',
      'segments',
      'published',
      'findings',
      'methods',
    ];
    expect(sections).toEqual(order.filter((id) => sections.includes(id)));
  });

  it('withholds the effects of a broken experiment and keeps its counts; shown all the same they are marked', async () => {
    const report = await reportOf('financial-forecast/published.json');
    const accuracy = report.metrics.find(({ name }) => name === 'accuracy')!.variants[1]!.difference!;
    if (!('absolute' in accuracy) || accuracy.interval.kind !== 'bounded') throw new Error('accuracy has no interval');
    const shown = differenceText(accuracy.absolute, { unit: 'share', interval: accuracy.interval });
    const effects = (text: string): string => /Metrics against baseline(.*)Published figures/.exec(text)![1]!;
    const withheld = plain(renderHtmlReport({ report, ...about }));
    expect(withheld).toContain('INVALID');
    expect(withheld).toContain('1,851');
    expect(effects(withheld)).toContain('withheld: the split is broken');
    expect(effects(withheld)).not.toContain(shown.replace(/\s/g, ' '));
    expect(effects(withheld)).not.toMatch(/p =|0\.67/);
    const forced = plain(renderHtmlReport({ report, ...about, showInvalid: true }));
    expect(effects(forced)).toContain(shown.replace(/\s/g, ' '));
    expect(effects(forced)).toContain('INVALID: the split is broken');
  });

  it('never turns a name into markup', async () => {
    const report = await reportOf('verdicts/ship.json');
    const evil = '<img src=x onerror=alert(1)>"&\'';
    const file = renderHtmlReport({ report: { ...report, experiment: evil }, hypothesis: evil, ...about });
    expect(file).not.toContain('<img');
    expect(plain(file)).toContain('onerror=alert(1)');
  });

  it('draws what changed over time, with the last numbers in words', async () => {
    const report = await reportOf('verdicts/ship.json');
    const points = [100, 200, 300].map((units) => ({
      at: about.asOf,
      units,
      estimate: 0.04,
      lower: 0.04 - 1 / units,
      upper: 0.04 + 1 / units,
    }));
    const file = renderHtmlReport({
      report,
      ...about,
      series: {
        asOf: about.asOf,
        split: { kind: 'insufficient', reason: 'none' },
        looks: [{ metric: 'accuracy > control.accuracy', variant: 'new', limit: 0, points }],
        maturity: [],
        levels: [],
        flags: [],
      },
    });
    expect(plain(file)).toContain('at 3 looks: now +0.0400 (+0.0367 … +0.0433)');
    expect(file.match(/<svg[^>]*role="img"[^>]*aria-label="[^"]+"/g)?.length).toBe(file.match(/<svg/g)?.length);
  });
});

describe.skipIf(chromium === undefined)('in a browser', { timeout: 60_000 }, () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'assay-html-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('opens from the disk without a request or a complaint, and prints without cutting a chart', async () => {
    const file = join(directory, 'report.html');
    const report = await reportOf('financial-forecast/published.json');
    await writeFile(file, renderHtmlReport({ report, ...about, showInvalid: true }));
    const { chromium: browsers } = await import('playwright-core');
    const browser = await browsers.launch({ executablePath: chromium!, args: ['--no-sandbox'] });
    try {
      const page = await browser.newPage({ viewport: { width: 1000, height: 800 } });
      const requests: string[] = [];
      const complaints: string[] = [];
      page.on('request', (request) => requests.push(request.url()));
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (fault) => complaints.push(String(fault)));
      await page.goto(pathToFileURL(file).href);
      expect(requests).toEqual([pathToFileURL(file).href]);
      expect(complaints).toEqual([]);
      await page.emulateMedia({ media: 'print' });
      const cut = await page.evaluate(
        "[...document.querySelectorAll('figure')].filter((each) => getComputedStyle(each).breakInside !== 'avoid').length",
      );
      expect(cut).toBe(0);
      expect((await page.pdf({ format: 'A4' })).length).toBeGreaterThan(10_000);
      await page.setViewportSize({ width: 390, height: 800 });
      await page.emulateMedia({ media: 'screen' });
      const overflow = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      expect(overflow).toBe(0);
    } finally {
      await browser.close();
    }
  });
});
