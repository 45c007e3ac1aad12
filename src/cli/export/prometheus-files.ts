// Which files does Prometheus need? Recording and alerting rules, a unit test for every alert, and a configuration to start from.
import { stringify } from 'yaml';
import { type Experiment, experimentLabel } from '../../experiment/index.ts';
import { type AlertRule, promDuration, type RuleTimes, type TestSeries, testStepS } from './alert-rule.ts';
import { experimentAlerts } from './experiment-alerts.ts';
import { serverAlerts } from './server-alerts.ts';

/** One file to be written. */
export interface ExportedFile {
  /** Below the folder that was asked for. */
  readonly path: string;
  readonly text: string;
}

/** What the files are made for. */
export interface PrometheusExportOptions extends RuleTimes {
  /** Host and port of Assay's API as Prometheus reaches it. */
  readonly target: string;
}

const rulesFile = 'assay.rules.yml';

/** Rules, their tests and an example configuration. */
export function prometheusFiles(
  experiments: readonly Experiment[],
  options: PrometheusExportOptions,
): readonly ExportedFile[] {
  const groups = alertGroups(experiments, options);
  return [
    {
      path: rulesFile,
      text: yaml('Made by `assay export prometheus`; make it again when guardrails change.', rules(groups, options)),
    },
    {
      path: 'assay.rules.test.yml',
      text: yaml(`Run with: promtool test rules assay.rules.test.yml`, tests(groups, options)),
    },
    { path: 'prometheus.yml', text: yaml('An example to start from.', configuration(options)) },
  ];
}

interface AlertGroup {
  readonly name: string;
  /** Stands on every alert of the group, so that Alertmanager, Assay and promtool tell them apart. */
  readonly experiment?: string;
  readonly rules: readonly AlertRule[];
}

function alertGroups(experiments: readonly Experiment[], times: RuleTimes): readonly AlertGroup[] {
  return [
    ...experiments.map((experiment) => ({
      name: `assay-${experiment.namespace === 'default' ? '' : `${experiment.namespace}-`}${experiment.name}`,
      experiment: experimentLabel(experiment.namespace, experiment.name),
      rules: experimentAlerts(experiment, times),
    })),
    { name: 'assay-server', rules: serverAlerts(times) },
  ];
}

function rules(groups: readonly AlertGroup[], { windowS }: RuleTimes): unknown {
  const window = promDuration(windowS);
  const by = 'sum by (experiment, variant)';
  const quantile = (q: number): string =>
    `histogram_quantile(${q}, sum by (le, experiment, variant) (rate(assay_attempt_duration_seconds_bucket[${window}])))`;
  const recorded = [
    { record: 'assay:requests:rate', expr: `${by} (rate(assay_requests_total[${window}]))` },
    {
      record: 'assay:failures:ratio',
      expr:
        `${by} (rate(assay_requests_total{status="error"}[${window}])) ` +
        `/ ${by} (rate(assay_requests_total{status=~"success|error"}[${window}]))`,
    },
    {
      record: 'assay:split:ratio',
      expr:
        `${by} (rate(assay_assignments_total{reason="split"}[${window}])) ` +
        `/ on (experiment) group_left sum by (experiment) (rate(assay_assignments_total{reason="split"}[${window}]))`,
    },
    { record: 'assay:attempt_duration_seconds:p50', expr: quantile(0.5) },
    { record: 'assay:attempt_duration_seconds:p95', expr: quantile(0.95) },
    { record: 'assay:attempt_duration_seconds:p99', expr: quantile(0.99) },
  ];
  return {
    groups: [
      { name: 'assay-recording', rules: recorded },
      ...groups.map(({ name, experiment, rules: alerts }) => ({
        name,
        rules: alerts.map((rule) => ({
          alert: rule.name,
          expr: rule.expr,
          ...(rule.forS === 0 ? {} : { for: promDuration(rule.forS) }),
          labels: {
            ...(experiment === undefined ? {} : { experiment }),
            severity: rule.severity,
            assay_action: rule.action,
          },
          annotations: { summary: rule.summary, description: rule.description },
        })),
      })),
    ],
  };
}

function tests(groups: readonly AlertGroup[], { windowS }: RuleTimes): unknown {
  const stepS = testStepS(windowS);
  return {
    rule_files: [rulesFile],
    evaluation_interval: promDuration(stepS),
    tests: [
      recordingTest(stepS),
      ...groups.flatMap(({ rules: alerts }) => alerts.flatMap((rule) => testsOf(rule, windowS))),
    ],
  };
}

/** Two variants at 70 to 30, one of which fails a tenth and answers half within 0.1 s, the rest within 0.2 s. */
function recordingTest(stepS: number): unknown {
  const of = (variant: string): string => `experiment="checkout",variant="${variant}"`;
  const series = (name: string, values: string): TestSeries => ({ series: name, values });
  const bucket = (le: string, values: string): TestSeries =>
    series(`assay_attempt_duration_seconds_bucket{${of('b')},le="${le}"}`, values);
  // Rounded, so that binary fractions do not matter.
  const expected = (record: string, value: number): unknown => ({
    expr: `round(${record}{variant="b"}, 0.001)`,
    eval_time: promDuration(stepS * 10),
    exp_samples: [{ labels: `{${of('b')}}`, value }],
  });
  return {
    name: 'recording rules',
    interval: promDuration(stepS),
    input_series: [
      series(`assay_requests_total{${of('b')},status="success"}`, '0+27x2000'),
      series(`assay_requests_total{${of('b')},status="error"}`, '0+3x2000'),
      series(`assay_assignments_total{${of('a')},reason="split"}`, '0+70x2000'),
      series(`assay_assignments_total{${of('b')},reason="split"}`, '0+30x2000'),
      series(`assay_assignments_total{${of('b')},reason="forced"}`, '0+500x2000'),
      bucket('0.1', '0+15x2000'),
      bucket('0.2', '0+30x2000'),
      bucket('+Inf', '0+30x2000'),
    ],
    promql_expr_test: [
      expected('assay:requests:rate', Number((30 / stepS).toFixed(3))),
      expected('assay:failures:ratio', 0.1),
      expected('assay:split:ratio', 0.3),
      expected('assay:attempt_duration_seconds:p50', 0.1),
      expected('assay:attempt_duration_seconds:p95', 0.19),
      expected('assay:attempt_duration_seconds:p99', 0.198),
    ],
  };
}

/** It fires; it does not before its time; not for each reason of its own to be silent; and not while its experiment stands still. */
function testsOf(rule: AlertRule, windowS: number): readonly unknown[] {
  const stepS = testStepS(windowS);
  // By then the window is full and the condition has held long enough.
  const lateS = Math.ceil((2 * windowS + rule.forS) / stepS) * stepS;
  const { labels, summary, description, fires, silent } = rule.test;
  const test = (
    name: string,
    series: readonly TestSeries[],
    { atS = lateS, expected = [] }: { readonly atS?: number; readonly expected?: readonly unknown[] } = {},
  ): unknown => ({
    name: `${rule.name} ${name}`,
    interval: promDuration(stepS),
    input_series: series,
    alert_rule_test: [{ eval_time: promDuration(atS), alertname: rule.name, exp_alerts: expected }],
  });
  const fired = {
    exp_labels: { ...labels, severity: rule.severity, assay_action: rule.action },
    exp_annotations: { summary, description },
  };
  const stopped = fires.map(({ series, values }) => ({
    series,
    values: series.startsWith('assay_experiment_state{') ? '0x2000' : values,
  }));
  const isOfExperiment = stopped.some(({ values }, place) => values !== fires[place]?.values);
  // The last look before the condition can have held for long enough.
  const earlyS = Math.ceil(rule.forS / stepS) * stepS - stepS;
  return [
    test('fires', fires, { expected: [fired] }),
    ...(rule.forS === 0 ? [] : [test('waits', fires, { atS: earlyS })]),
    ...Object.entries(silent).map(([why, series]) => test(`stays silent ${why}`, series)),
    ...(isOfExperiment ? [test('stays silent when the experiment does not run', stopped)] : []),
  ];
}

function configuration({ target }: PrometheusExportOptions): unknown {
  return {
    global: { scrape_interval: '15s', evaluation_interval: '15s' },
    rule_files: [rulesFile],
    alerting: { alertmanagers: [{ static_configs: [{ targets: ['127.0.0.1:9093'] }] }] },
    scrape_configs: [
      {
        job_name: 'assay',
        // Needed once the server has a token: the file holds ASSAY_METRICS_TOKEN.
        authorization: { credentials_file: 'assay-metrics-token' },
        static_configs: [{ targets: [target] }],
      },
    ],
  };
}

function yaml(comment: string, document: unknown): string {
  return `# ${comment}\n${stringify(document, { lineWidth: 0 })}`;
}
