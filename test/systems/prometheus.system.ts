// Prometheus: what Assay exports for it is held by promtool, and so is what it scrapes.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
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
    const { tests } = parse(await readFile(join(folder, 'assay.rules.test.yml'), 'utf8')) as {
      readonly tests: readonly { readonly name: string }[];
    };
    context.note(`promtool test rules: ${tests.length} unit tests pass`);

    // Tests that cannot fail would prove nothing: every alert is made wrong in each way there is, and its tests must notice.
    const { groups } = parse(await readFile(join(folder, 'assay.rules.yml'), 'utf8')) as { groups: readonly Group[] };
    let mutants = 0;
    const unnoticed: string[] = [];
    for (const group of groups) {
      for (const rule of group.rules.filter(({ alert }) => alert !== undefined)) {
        for (const [what, mutant] of mutantsOf(rule)) {
          const rules = stringify({ groups: [{ ...group, rules: [mutant] }] }, { lineWidth: 0 });
          await writeFile(join(folder, 'assay.rules.yml'), rules);
          const own = tests.filter(({ name }) => name.startsWith(`${rule.alert} `));
          // Alerts of other experiments have the same names, and only their own labels.
          const mine = own.filter(
            (test) => group.name === 'assay-server' || JSON.stringify(test).includes(rule.labels.experiment ?? ''),
          );
          await writeFile(join(folder, 'mutant.test.yml'), stringify({ ...header, tests: mine }, { lineWidth: 0 }));
          mutants += 1;
          const said = await promtool(bin, ['test', 'rules', 'mutant.test.yml'], folder).catch(
            (fault: Error) => fault.message,
          );
          if (!said.includes('FAILED')) unnoticed.push(`${group.name}: ${rule.alert}: ${what}: ${said}`);
        }
      }
    }
    assert.deepEqual(unnoticed, []);
    context.note(`promtool test rules: notices each of ${mutants} alerts that were made wrong on purpose`);

    await scrape(context, bin);
  },
};

const header = { rule_files: ['assay.rules.yml'], evaluation_interval: '1m' };

interface Rule {
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
}
interface Group {
  readonly name: string;
  readonly rules: readonly Rule[];
}

/** The rule, wrong in one way each. */
function mutantsOf(rule: Rule): readonly (readonly [what: string, mutant: Rule])[] {
  const running = / and on \(experiment\) assay_experiment_state\{[^}]*\} == 1$/;
  const threshold = / (<|>|==|>=) (-?[\d.]+)(?= and|$)/;
  const bare = rule.expr.replace(running, '');
  const [, comparison = ''] = threshold.exec(bare) ?? [];
  const opposite = { '<': '>=', '>': '<=', '==': '!=', '>=': '<' }[comparison] ?? '';
  const state = running.exec(rule.expr)?.[0] ?? '';
  return [
    ['it never fires', { ...rule, expr: `(${rule.expr}) and on () vector(1) == 0` }],
    ...(opposite === ''
      ? []
      : [['the other way round', { ...rule, expr: bare.replace(threshold, ` ${opposite} $2`) + state }] as const]),
    ...(comparison === ''
      ? []
      : [['whatever the threshold', { ...rule, expr: bare.replace(threshold, '') + state }] as const]),
    ...(state === '' ? [] : [['also while nothing runs', { ...rule, expr: bare }] as const]),
    ...(rule.for === undefined ? [] : [['at once', { ...rule, for: '0s' }] as const]),
    ['another severity', { ...rule, labels: { ...rule.labels, severity: 'page' } }],
  ];
}

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
