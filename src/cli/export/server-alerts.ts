// When is the server, or the honesty of a test, in trouble? Alerts that hold for every experiment.
import { type AlertRule, promDuration, type RuleTimes, type TestSeries, testStepS } from './alert-rule.ts';

const example = 'checkout';
const running: TestSeries = {
  series: `assay_experiment_state{experiment="${example}",state="running"}`,
  values: '1x2000',
};
const whileRunning = 'and on (experiment) assay_experiment_state{state="running"} == 1';

/** The alerts of a server. */
export function serverAlerts({ windowS, forS }: RuleTimes): readonly AlertRule[] {
  const window = promDuration(windowS);
  const stepS = testStepS(windowS);
  const rule = (
    parts: Omit<AlertRule, 'action' | 'test'> & {
      readonly fires: readonly TestSeries[];
      readonly silent: Readonly<Record<string, readonly TestSeries[]>>;
      readonly labels?: Readonly<Record<string, string>>;
      readonly value?: string;
    },
  ): AlertRule => {
    const { fires, silent, labels = {}, value = '', ...said } = parts;
    const filled = (text: string): string =>
      text
        .replace(/\{\{ \$labels\.(\w+) \}\}/g, (_all, name: string) => labels[name] ?? '')
        .replace(/\{\{[^}]*\$value[^}]*\}\}/g, value);
    return {
      ...said,
      forS: forS ?? said.forS,
      // None of these is mended by giving everybody the control.
      action: 'none',
      test: { fires, silent, labels, summary: filled(said.summary), description: filled(said.description) },
    };
  };
  const one = { experiment: example };
  return [
    rule({
      name: 'AssayDown',
      expr: 'up{job="assay"} == 0',
      forS: 60,
      severity: 'critical',
      summary: 'Assay at {{ $labels.instance }} does not answer',
      description: 'Prometheus cannot scrape it. Callers may still be served: see the data plane.',
      labels: { job: 'assay', instance: 'a:8081' },
      fires: [{ series: 'up{job="assay",instance="a:8081"}', values: '0x2000' }],
      silent: { 'while it answers': [{ series: 'up{job="assay",instance="a:8081"}', values: '1x2000' }] },
    }),
    rule({
      name: 'SplitMismatch',
      expr: `assay_sample_ratio_p_value < 0.001 ${whileRunning}`,
      forS: 60,
      severity: 'critical',
      summary: 'The traffic split of {{ $labels.experiment }} is broken',
      description:
        'Units do not arrive in the shares that were asked for (p = {{ printf "%.2g" $value }}); no conclusion is valid.',
      labels: one,
      value: '1e-05',
      fires: [{ series: `assay_sample_ratio_p_value{experiment="${example}"}`, values: '0.00001x2000' }, running],
      silent: {
        'just above the limit': [
          { series: `assay_sample_ratio_p_value{experiment="${example}"}`, values: '0.0011x2000' },
          running,
        ],
      },
    }),
    rule({
      name: 'GuardrailNotMet',
      expr: `assay_criterion_outcome{role="guardrail"} == -1 ${whileRunning}`,
      forS: 0,
      severity: 'critical',
      summary: 'Guardrail {{ $labels.criterion }} of {{ $labels.experiment }} is not met by {{ $labels.variant }}',
      description: 'The whole interval of the latest report lies on the wrong side of the limit.',
      labels: { ...one, variant: 'b', role: 'guardrail', criterion: 'error_rate < 0.02' },
      fires: [
        {
          series: `assay_criterion_outcome{experiment="${example}",variant="b",role="guardrail",criterion="error_rate < 0.02"}`,
          values: '-1x2000',
        },
        running,
      ],
      silent: {
        'while it is undecided': [
          {
            series: `assay_criterion_outcome{experiment="${example}",variant="b",role="guardrail",criterion="error_rate < 0.02"}`,
            values: '0x2000',
          },
          running,
        ],
        'for a criterion that is no guardrail': [
          {
            series: `assay_criterion_outcome{experiment="${example}",variant="b",role="secondary",criterion="error_rate < 0.02"}`,
            values: '-1x2000',
          },
          running,
        ],
      },
    }),
    rule({
      name: 'EvidenceLogNotWritable',
      expr: 'assay_evidence_writable == 0',
      forS: 30,
      severity: 'critical',
      summary: 'Assay cannot write its evidence log',
      description: 'Callers are served, outcomes get 503 and predictions go unrecorded. Look at the disk.',
      fires: [{ series: 'assay_evidence_writable', values: '0x2000' }],
      silent: { 'while it can': [{ series: 'assay_evidence_writable', values: '1x2000' }] },
    }),
    rule({
      name: 'EvidenceLost',
      expr: `increase(assay_evidence_lost_records_total[${window}]) > 0`,
      forS: 0,
      severity: 'critical',
      summary: 'Assay lost records of predictions',
      description:
        '{{ printf "%.0f" $value }} records could not be written in the last minutes; none was acknowledged.',
      value: '500',
      fires: [{ series: 'assay_evidence_lost_records_total', values: '0+100x2000' }],
      silent: { 'when that was long ago': [{ series: 'assay_evidence_lost_records_total', values: '7x2000' }] },
    }),
    rule({
      name: 'AnalysisBehind',
      // Until there is a first report, the start stands for it.
      expr: `time() - (assay_report_timestamp_seconds or assay_experiment_started_timestamp_seconds) > 900 ${whileRunning}`,
      forS: 300,
      severity: 'warning',
      summary: 'The latest report of {{ $labels.experiment }} is old',
      description: 'No report could be made for 15 minutes; see the server log and the analysis process.',
      labels: one,
      // Time begins at 0 in promtool.
      fires: [
        { series: `assay_experiment_started_timestamp_seconds{experiment="${example}"}`, values: '-9000x2000' },
        running,
      ],
      silent: {
        'while reports are made': [
          { series: `assay_experiment_started_timestamp_seconds{experiment="${example}"}`, values: '-9000x2000' },
          { series: `assay_report_timestamp_seconds{experiment="${example}"}`, values: `0+${stepS}x2000` },
          running,
        ],
      },
    }),
    rule({
      name: 'DecisionLoopStalled',
      expr: 'time() - assay_decision_loop_tick_timestamp_seconds > 60',
      forS: 30,
      severity: 'critical',
      summary: 'The decision loop of Assay stands still',
      description: 'Guardrails are not watched and ramps do not move.',
      fires: [{ series: 'assay_decision_loop_tick_timestamp_seconds', values: '-9000x2000' }],
      silent: {
        'while it ticks': [{ series: 'assay_decision_loop_tick_timestamp_seconds', values: `0+${stepS}x2000` }],
      },
    }),
    rule({
      name: 'MirrorDropping',
      expr:
        `sum by (experiment) (rate(assay_mirror_dropped_total[${window}])) ` +
        `/ sum by (experiment) (rate(assay_mirror_sampled_total[${window}])) > 0.01 ${whileRunning}`,
      forS: 300,
      severity: 'warning',
      summary: 'The shadow of {{ $labels.experiment }} misses copies',
      description:
        '{{ $value | humanizePercentage }} of the copies were dropped: the shadow is too slow or the gateway too busy.',
      labels: one,
      value: '50%',
      fires: [
        { series: `assay_mirror_dropped_total{experiment="${example}",reason="queue-full"}`, values: '0+10x2000' },
        { series: `assay_mirror_sampled_total{experiment="${example}"}`, values: '0+20x2000' },
        running,
      ],
      silent: {
        'just below the limit': [
          { series: `assay_mirror_dropped_total{experiment="${example}",reason="queue-full"}`, values: '0+9x2000' },
          { series: `assay_mirror_sampled_total{experiment="${example}"}`, values: '0+1000x2000' },
          running,
        ],
      },
    }),
    rule({
      name: 'FallbacksHigh',
      expr:
        `sum by (experiment, variant) (rate(assay_served_by_other_total[${window}])) ` +
        `/ sum by (experiment, variant) (rate(assay_requests_total[${window}])) > 0.05 ${whileRunning}`,
      forS: 120,
      severity: 'warning',
      summary: 'Many requests of {{ $labels.variant }} in {{ $labels.experiment }} are answered by another variant',
      description:
        '{{ $value | humanizePercentage }} of its requests fell back; callers see nothing of it, the comparison does.',
      labels: { ...one, variant: 'b' },
      value: '50%',
      fires: [
        { series: `assay_served_by_other_total{experiment="${example}",variant="b"}`, values: '0+10x2000' },
        { series: `assay_requests_total{experiment="${example}",variant="b",status="error"}`, values: '0+20x2000' },
        running,
      ],
      silent: {
        'just below the limit': [
          { series: `assay_served_by_other_total{experiment="${example}",variant="b"}`, values: '0+49x2000' },
          {
            series: `assay_requests_total{experiment="${example}",variant="b",status="success"}`,
            values: '0+1000x2000',
          },
          running,
        ],
      },
    }),
    rule({
      name: 'ExperimentPastPlannedEnd',
      expr: `time() > assay_experiment_planned_end_timestamp_seconds ${whileRunning}`,
      forS: 0,
      severity: 'warning',
      summary: '{{ $labels.experiment }} runs beyond its planned end',
      description: 'maxDuration is over. Read the report, then promote, roll back or stop.',
      labels: one,
      fires: [
        { series: `assay_experiment_planned_end_timestamp_seconds{experiment="${example}"}`, values: '-1x2000' },
        running,
      ],
      silent: {
        'until then': [
          {
            series: `assay_experiment_planned_end_timestamp_seconds{experiment="${example}"}`,
            values: '1000000000x2000',
          },
          running,
        ],
      },
    }),
  ];
}
