import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Report } from '../../src/decision/index.ts';
import { assay, experimentText, type Serving, serve, startModel } from './assay-process.ts';

describe('a report written as a file', { timeout: 120_000 }, () => {
  let directory: string;
  let serving: Serving;
  let models: Awaited<ReturnType<typeof startModel>>[];
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'assay-html-e2e-'));
    models = [await startModel('a'), await startModel('b')];
    const file = join(directory, 'experiment.yaml');
    await writeFile(file, experimentText([models[0]!.url, models[1]!.url]));
    serving = await serve(['-f', file, '--data', join(directory, 'data'), '--start']);
    for (let unit = 0; unit < 60; unit += 1) {
      const reply = await fetch(`${serving.gatewayUrl}/score`, {
        method: 'POST',
        headers: { 'x-user-id': `u${unit}`, 'content-type': 'application/json' },
        body: '{}',
      });
      await reply.text();
    }
  }, 120_000);
  afterAll(async () => {
    await serving?.end('SIGTERM');
    for (const model of models ?? []) await model.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('holds the sentence of the verdict, the split and the latency of a running experiment', async () => {
    const server = ['--server', serving.apiUrl];
    const file = join(directory, 'report.html');
    let html = '';
    // The last requests may reach the report between the two questions.
    await expect
      .poll(
        async () => {
          const written = await assay(['report', 'scores', ...server, '--html', '-o', file]);
          expect(written).toMatchObject({ code: 0, stdout: '' });
          html = await readFile(file, 'utf8');
          const { verdict } = JSON.parse((await assay(['report', 'scores', ...server, '--json'])).stdout) as Report;
          return html.includes(verdict.headline.replaceAll('>', '&gt;'));
        },
        { timeout: 60_000 },
      )
      .toBe(true);
    for (const id of ['variants', 'health', 'metrics', 'latency', 'methods'])
      expect(html).toContain(`<section id="${id}"`);
    expect(html).not.toContain('<script');
  });

  it('goes to standard output without -o, and refuses options that contradict each other', async () => {
    const published = 'examples/financial-forecast/published.json';
    const { code, stdout } = await assay(['analyze', published, '--html']);
    expect([code, stdout.startsWith('<!doctype html>')]).toEqual([0, true]);
    const refused = await Promise.all([
      assay(['analyze', published, '--html', '--json']),
      assay(['analyze', published, '-o', 'x.html']),
    ]);
    for (const { code: exit, stderr } of refused) {
      expect(exit).toBe(2);
      expect(stderr).toContain('usage-invalid');
    }
  });
});
