// Prometheus: what Assay exports for it is held by promtool, and so is what it scrapes.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { prometheusFiles } from '../../src/cli/export/index.ts';
import { parseExperimentFiles } from '../../src/experiment/index.ts';
import { startServer } from '../../src/server/index.ts';
import { experimentText, startModel } from '../e2e/assay-process.ts';
import { eventually, prometheusPrograms, promtool, startPrometheus, writeFiles } from './prometheus-server.ts';
import type { System } from './system.ts';

const examples = ['financial-forecast', 'recommender'];

export const system: System = {
  name: 'prometheus',
  installs: 'Prometheus 2.42 from Debian (prometheus, prometheus-alertmanager; 100 MB unpacked)',
  async run(context) {
    const { bin } = await prometheusPrograms(context);
    const experiments = [];
    for (const name of examples) {
      const file = new URL(`../../examples/${name}/experiment.yaml`, import.meta.url);
      experiments.push(...parseExperimentFiles(await readFile(file, 'utf8'), { file: name }));
    }
    const folder = join(context.folder, 'export');
    await writeFiles(folder, [
      ...prometheusFiles(experiments, { target: '127.0.0.1:8081', windowS: 300 }),
      { path: 'assay-metrics-token', text: 'secret' },
    ]);

    const checked = await promtool(bin, ['check', 'rules', '--lint=all', '--lint-fatal', 'assay.rules.yml'], folder);
    context.note(`promtool check rules: ${/\d+ rules found/.exec(checked)?.[0]}`);
    await promtool(bin, ['check', 'config', 'prometheus.yml'], folder);
    await promtool(bin, ['test', 'rules', 'assay.rules.test.yml'], folder);
    const tests = (await readFile(join(folder, 'assay.rules.test.yml'), 'utf8')).match(/alertname:/g)?.length ?? 0;
    context.note(`promtool test rules: ${tests} unit tests of alerts pass`);

    // Tests that cannot fail would prove nothing: a rule with another threshold must be caught.
    const rules = await readFile(join(folder, 'assay.rules.yml'), 'utf8');
    for (const [from, to] of [
      ['assay_evidence_writable == 0', 'assay_evidence_writable == 1'],
      [
        'ab_test_model_accuracy{experiment="financial-forecast"} < 75',
        'ab_test_model_accuracy{experiment="financial-forecast"} < 7',
      ],
    ] as const) {
      assert.ok(rules.includes(from), `no rule says ${from}`);
      await writeFile(join(folder, 'assay.rules.yml'), rules.replace(from, to));
      await assert.rejects(promtool(bin, ['test', 'rules', 'assay.rules.test.yml'], folder), /FAILED/);
    }
    context.note('promtool test rules: fails for rules that were made wrong on purpose');

    await scrape(context, bin);
  },
};

/** What a live server exposes is sound, and its exemplars lead to traces. */
async function scrape(context: Parameters<System['run']>[0], bin: string): Promise<void> {
  const [a, b] = [await startModel('a'), await startModel('b')];
  context.afterwards(() => a.close());
  context.afterwards(() => b.close());
  const server = await startServer({
    experiments: parseExperimentFiles(experimentText([a.url, b.url]), { file: 'scores' }),
    dataDirectory: join(context.folder, 'data'),
    port: 0,
    apiPort: 0,
    startDrafts: true,
    token: 'the token of the whole API',
    tokensFor: { '/metrics': 'the token of Prometheus' },
  });
  context.afterwards(() => server.close());
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  for (let each = 0; each < 40; each += 1) {
    const headers = { 'x-user-id': `user-${each}`, traceparent: `00-${traceId}-b7ad6b7169203331-01` };
    assert.equal((await fetch(`${server.gatewayUrl}/score`, { headers })).status, 200);
  }
  const refused = await fetch(`${server.apiUrl}/metrics`, { headers: { authorization: 'Bearer wrong' } });
  assert.equal(refused.status, 401);
  const headers = { authorization: 'Bearer the token of Prometheus' };
  assert.equal((await fetch(`${server.apiUrl}/api/v1/status`, { headers })).status, 401);

  const folder = join(context.folder, 'scrape');
  await writeFiles(folder, [
    { path: 'token', text: 'the token of Prometheus' },
    {
      path: 'prometheus.yml',
      text: JSON.stringify({
        global: { scrape_interval: '1s' },
        scrape_configs: [
          {
            job_name: 'assay',
            authorization: { credentials_file: 'token' },
            static_configs: [{ targets: [new URL(server.apiUrl).host] }],
          },
        ],
      }),
    },
  ]);
  const text = await (await fetch(`${server.apiUrl}/metrics`, { headers })).text();
  // Names of the published example and of Node are not ours to change; all of Assay's must be sound.
  const linted = await promtool(bin, ['check', 'metrics'], folder, ownMetrics(text)).catch(
    (fault: Error) => fault.message,
  );
  assert.ok(!/assay_\w+ /.test(linted), linted);
  context.note(`promtool check metrics: ${new Set(ownMetrics(text).match(/^# TYPE \w+/gm)).size} families are sound`);

  const prometheus = await startPrometheus(context, { folder, bin });
  const counted = await eventually(
    'a scrape',
    async () => {
      const [total] = await prometheus.query('sum(assay_assignments_total{experiment="scores",reason="split"})');
      return total?.value[1] === '40' ? total.value[1] : undefined;
    },
    30_000,
  );
  context.note(`scraped: ${counted} requests`);
  const times = `start=${Date.now() / 1000 - 600}&end=${Date.now() / 1000 + 60}`;
  const query = encodeURIComponent('assay_caller_duration_seconds_bucket');
  const found = await eventually(
    'an exemplar',
    async () => {
      const text = await (await fetch(`${prometheus.url}/api/v1/query_exemplars?query=${query}&${times}`)).text();
      return text.includes(traceId) || undefined;
    },
    30_000,
  );
  assert.ok(found);
  context.note('an exemplar of a latency bucket carries the trace id of its request');
}

function ownMetrics(text: string): string {
  return `${text
    .split('\n')
    .filter((line) => /^(# (HELP|TYPE) )?assay_/.test(line))
    .join('\n')}\n`;
}
