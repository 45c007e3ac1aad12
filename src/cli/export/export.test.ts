import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Experiment, parseExperimentFile } from '../../experiment/index.ts';
import { alertmanagerFiles, dashboardQueries, grafanaFiles, makeDashboard, prometheusFiles } from './index.ts';

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

const experiment = (decision: string, { namespace = 'default', metrics = '' } = {}): Experiment =>
  parseExperimentFile(`apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: scores, namespace: ${namespace}}
spec:
  hypothesis: b is better
  route: {path: /score}
  unit: {header: x-user-id, orElse: control}
  control: a
  variants:
    - {name: a, weight: 50, upstream: {url: "http://127.0.0.1:9001", protocol: json}}
    - {name: b, weight: 50, upstream: {url: "http://127.0.0.1:9002", protocol: json}}
  capture: {prediction: {json: $.score}}
  metrics:
    error_rate: {mean: failed}
    latency_p99: {quantile: attempt_ms, q: 0.99}
    ${metrics}
  decision: {${decision}}
`);

const times = { target: '127.0.0.1:8081', windowS: 300 };

function rulesOf(
  experiments: readonly Experiment[],
  options: { windowS: number; forS?: number } = times,
): readonly Rule[] {
  const [file] = prometheusFiles(experiments, { ...times, ...options });
  const { groups } = parse(file!.text) as { groups: readonly { rules: readonly Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

const alertOf = (rules: readonly Rule[], name: string): Rule | undefined => rules.find(({ alert }) => alert === name);

describe('the alerts of an experiment', () => {
  it('take their thresholds from its guardrails, and what shall be done from its policy', () => {
    const rules = rulesOf([experiment('guardrails: [error_rate < 0.01, latency_p99 <= 350], onBreach: pause')]);
    const errors = alertOf(rules, 'HighErrorRate');
    expect(errors?.expr).toContain('> 0.01 and');
    expect(errors?.labels).toEqual({ experiment: 'scores', severity: 'critical', assay_action: 'pause' });
    expect(errors?.annotations?.description).toContain('guardrail "error_rate < 0.01"');
    const slow = alertOf(rules, 'HighResponseTime');
    expect(slow?.expr).toMatch(/^histogram_quantile\(0\.99, .*\) > 0\.35 and on \(experiment\)/);
    expect(slow).toMatchObject({ for: '3m', labels: { severity: 'warning', assay_action: 'pause' } });
  });

  it('act on guardrails only: a secondary criterion, a default or a wish to be notified asks for nothing', () => {
    const secondary = rulesOf([experiment('secondary: [350 > latency_p99]')]);
    expect(alertOf(secondary, 'HighResponseTime')).toMatchObject({ labels: { assay_action: 'none' } });
    expect(alertOf(secondary, 'HighResponseTime')?.expr).toContain('> 0.35 and');
    const notify = rulesOf([experiment('guardrails: [error_rate < 0.02], onBreach: notify')]);
    expect(alertOf(notify, 'HighErrorRate')?.labels?.assay_action).toBe('none');
    const nothing = rulesOf([experiment('')]);
    expect(alertOf(nothing, 'HighErrorRate')?.expr).toContain('> 0.05 and');
    expect(alertOf(nothing, 'HighResponseTime')?.expr).toMatch(/^histogram_quantile\(0\.95, .*\) > 0\.2 and/);
    expect(alertOf(nothing, 'HighErrorRate')?.annotations?.description).toContain('a default');
  });

  it('leave criteria against the control to the report', () => {
    const rules = rulesOf([experiment('guardrails: [latency_p99 - control.latency_p99 < 20, error_rate > 0.5]')]);
    expect(alertOf(rules, 'HighResponseTime')?.expr).toContain('> 0.2 and');
    expect(alertOf(rules, 'HighErrorRate')?.expr).toContain('> 0.05 and');
  });

  it('watch accuracy in percent where the experiment has it, below 75 unless it says otherwise', () => {
    const metrics = 'accuracy: {mean: prediction}';
    expect(alertOf(rulesOf([experiment('')]), 'ModelAccuracyDegraded')).toBeUndefined();
    expect(alertOf(rulesOf([experiment('', { metrics })]), 'ModelAccuracyDegraded')).toMatchObject({
      expr: 'ab_test_model_accuracy{experiment="scores"} < 75 and on (experiment) assay_experiment_state{experiment="scores",state="running"} == 1',
      for: '5m',
      labels: { severity: 'critical' },
    });
    const guarded = rulesOf([experiment('guardrails: [accuracy >= 0.9]', { metrics })]);
    expect(alertOf(guarded, 'ModelAccuracyDegraded')?.expr).toContain('< 90 and');
  });

  it('name experiments of other namespaces as the metrics do', () => {
    const rules = rulesOf([experiment('', { namespace: 'team' })]);
    expect(alertOf(rules, 'HighErrorRate')?.labels?.experiment).toBe('team/scores');
    expect(alertOf(rules, 'HighErrorRate')?.expr).toContain('experiment="team/scores"');
  });
});

describe('the exported files', () => {
  it('hold for every alert a unit test that fires, one that waits, and one that stays silent', () => {
    const [rules, tests] = prometheusFiles([experiment('')], times);
    const { groups } = parse(rules!.text) as { groups: readonly { rules: readonly Rule[] }[] };
    const alerts = groups.flatMap((group) => group.rules.filter(({ alert }) => alert !== undefined));
    const tested = (parse(tests!.text) as { tests: readonly { name: string }[] }).tests.map(({ name }) => name);
    expect(alerts.length).toBeGreaterThan(10);
    for (const { alert, expr, for: held } of alerts) {
      expect(tested.filter((name) => name === `${alert} fires`)).toHaveLength(1);
      expect(tested.filter((name) => name === `${alert} waits`)).toHaveLength(held === undefined ? 0 : 1);
      const silent = tested.filter((name) => name.startsWith(`${alert} stays silent `));
      expect(silent.length).toBeGreaterThanOrEqual(expr.includes('state="running"') ? 2 : 1);
    }
  });

  it('use other times where they are asked for', () => {
    const rules = rulesOf([experiment('')], { windowS: 60, forS: 0 });
    expect(rules.every((rule) => rule.for === undefined)).toBe(true);
    expect(alertOf(rules, 'HighErrorRate')?.expr).toContain('[1m]');
  });

  it('send to Assay what wants something done, with its token, and tell people as well', () => {
    const [file] = alertmanagerFiles({ url: 'http://assay:8081/' });
    const { route, receivers } = parse(file!.text);
    expect(route.routes[0]).toMatchObject({ receiver: 'assay', continue: true });
    expect(receivers[1].webhook_configs[0].url).toBe('http://assay:8081/api/v1/alerts');
    expect(receivers[1].webhook_configs[0].http_config.authorization.credentials_file).toBeDefined();
  });

  it('are what lies in deploy/, so that nobody reads an old one', async () => {
    const example = new URL('../../../examples/financial-forecast/experiment.yaml', import.meta.url);
    const financial = parseExperimentFile(await readFile(example, 'utf8'));
    for (const [folder, files] of [
      ['prometheus', [...prometheusFiles([financial], times), ...alertmanagerFiles({ url: 'http://127.0.0.1:8081' })]],
      ['grafana', grafanaFiles({ prometheusUrl: 'http://127.0.0.1:9090' })],
    ] as const) {
      for (const { path, text } of files) {
        const place = fileURLToPath(new URL(`../../../deploy/${folder}/${path}`, import.meta.url));
        const there = await readFile(place, 'utf8');
        const why = `${place} is old: make it again with assay export`;
        // The formatter of the repository has its own way with JSON.
        if (path.endsWith('.json')) expect(JSON.parse(there), why).toEqual(JSON.parse(text));
        else expect(there, why).toBe(text);
      }
    }
  });
});

describe('the dashboard', () => {
  it('shows what people look for, under two variables', () => {
    const { panels = [], templating, uid } = makeDashboard();
    expect(uid).toBe('assay-experiment');
    expect(templating?.list?.map(({ name, type }) => [name, type])).toEqual([
      ['datasource', 'datasource'],
      ['experiment', 'query'],
    ]);
    const titles = panels.map(({ title }) => title);
    for (const title of [
      'Traffic distribution',
      'Model accuracy',
      'Response times',
      'Business impact',
      'Error rates',
      'Split check (p-value)',
      'Verdict',
      'Fallbacks',
      'Shadow',
    ])
      expect(titles).toContain(title);
    expect(new Set(dashboardQueries().map(({ panel }) => panel))).toEqual(new Set(titles));
  });
});
