// Which files does Prometheus need? Recording and alerting rules, a unit test for every alert, and a configuration to start from.
import { stringify } from 'yaml';
import { experimentLabel } from '../../adapters/prometheus-requests.ts';
import type { Experiment } from '../../experiment/index.ts';
import { type AlertRule, promDuration, type RuleTimes } from './alert-rule.ts';
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
  const stepS = windowS / 5;
  return {
    rule_files: [rulesFile],
    evaluation_interval: promDuration(stepS),
    tests: groups.flatMap(({ rules: alerts }) =>
      alerts.flatMap((rule) => {
        // By then the window is full and the condition has held long enough.
        const evalS = Math.ceil((2 * windowS + rule.forS) / stepS) * stepS;
        const test = (name: string, series: AlertRule['test']['fires'], expected: readonly unknown[]) => ({
          name,
          interval: promDuration(stepS),
          input_series: series,
          alert_rule_test: [{ eval_time: promDuration(evalS), alertname: rule.name, exp_alerts: expected }],
        });
        const { labels, summary, description, fires, silent } = rule.test;
        return [
          test(`${rule.name} fires`, fires, [
            {
              exp_labels: { ...labels, severity: rule.severity, assay_action: rule.action },
              exp_annotations: { summary, description },
            },
          ]),
          test(`${rule.name} stays silent`, silent, []),
        ];
      }),
    ),
  };
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
