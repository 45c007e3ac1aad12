// When is one experiment in trouble? Alerts whose thresholds are the experiment's own criteria, or stated defaults where it names none.
import { type Experiment, experimentLabel } from '../../experiment/index.ts';
import { type AlertRule, promDuration, promText, type RuleTimes, type TestSeries } from './alert-rule.ts';
import { isFailureRate, isLatencyQuantile, type MetricLimit, metricLimits } from './guardrail-limits.ts';

/** Thresholds where the experiment names none. */
const defaults = { accuracyPercent: 75, latencyMs: 200, latencyQuantile: 0.95, errorRate: 0.05 } as const;

/** Fewer attempts than this in the window say nothing about a share of failures. */
const fewestAttempts = 20;

/** The alerts of one experiment. */
export function experimentAlerts(experiment: Experiment, times: RuleTimes): readonly AlertRule[] {
  const limits = metricLimits(experiment);
  const label = experimentLabel(experiment.namespace, experiment.name);
  const candidate = experiment.variants.find(({ name }) => name !== experiment.control)?.name ?? experiment.control;
  const scope: Scope = {
    experiment,
    label,
    matcher: `experiment=${promText(label)}`,
    running: `and on (experiment) assay_experiment_state{experiment=${promText(label)},state="running"} == 1`,
    runningSeries: {
      series: `assay_experiment_state{experiment=${promText(label)},state="running"}`,
      values: '1x2000',
    },
    candidate,
    times,
  };
  const hasAccuracy = experiment.metrics.some(({ name }) => name === 'accuracy');
  const accuracy = limits.find(({ metric, isUpper }) => metric.name === 'accuracy' && !isUpper);
  const latency = limits.find(({ metric, isUpper }) => isLatencyQuantile(metric) && isUpper);
  const failures = limits.find(({ metric, isUpper }) => isFailureRate(metric) && isUpper);
  return [
    ...(hasAccuracy ? [modelAccuracyDegraded(scope, accuracy)] : []),
    highResponseTime(scope, latency),
    highErrorRate(scope, failures),
  ];
}

interface Scope {
  readonly experiment: Experiment;
  readonly label: string;
  readonly matcher: string;
  readonly running: string;
  readonly runningSeries: TestSeries;
  readonly candidate: string;
  readonly times: RuleTimes;
}

/** Only a breached guardrail is a reason to act; `onBreach` of the experiment says how. */
function actionOf({ experiment }: Scope, limit: MetricLimit | undefined): AlertRule['action'] {
  const { onBreach } = experiment.decision;
  return limit?.role !== 'guardrail' || onBreach === 'notify' ? 'none' : onBreach;
}

/** Where the threshold comes from, for the reader of the alert. */
function sourceOf(limit: MetricLimit | undefined): string {
  return limit === undefined ? 'a default, the experiment names no limit' : `${limit.role} "${limit.text}"`;
}

function modelAccuracyDegraded(scope: Scope, limit: MetricLimit | undefined): AlertRule {
  const { label, matcher, running, runningSeries, candidate } = scope;
  const percent = limit === undefined ? defaults.accuracyPercent : clean(limit.limit * 100);
  const low = clean(percent - 1);
  const series = `ab_test_model_accuracy{model_name=${promText(candidate)},${matcher}}`;
  const text = (model: string, value: string) => ({
    summary: `Accuracy of ${model} in ${label} is below ${percent} %`,
    description: `It is ${value} %. Threshold: ${sourceOf(limit)}.`,
  });
  return {
    name: 'ModelAccuracyDegraded',
    expr: `ab_test_model_accuracy{${matcher}} < ${percent} ${running}`,
    forS: scope.times.forS ?? 300,
    severity: 'critical',
    action: actionOf(scope, limit),
    ...text('{{ $labels.model_name }}', '{{ printf "%.4g" $value }}'),
    test: {
      fires: [{ series, values: `${low}x2000` }, runningSeries],
      labels: { experiment: label, model_name: candidate },
      ...text(candidate, String(low)),
      silent: { 'just above the limit': [{ series, values: `${clean(percent * 1.001)}x2000` }, runningSeries] },
    },
  };
}

function highResponseTime(scope: Scope, limit: MetricLimit | undefined): AlertRule {
  const { label, matcher, running, runningSeries, candidate, times } = scope;
  const q = limit?.metric.definition.kind === 'quantile' ? limit.metric.definition.q : defaults.latencyQuantile;
  const seconds = clean((limit?.limit ?? defaults.latencyMs) / 1000);
  const name = `p${clean(q * 100)}`;
  const bucket = (le: string, values: string): TestSeries => ({
    series: `ab_test_response_time_seconds_bucket{model_name=${promText(candidate)},${matcher},le="${le}"}`,
    values,
  });
  // Twenty requests per step, all between the threshold and twice the threshold, or all below it.
  const above = clean(seconds * 2);
  const text = (model: string, value: string) => ({
    summary: `${name} response time of ${model} in ${label} is above ${seconds} s`,
    description: `It is ${value} s. Threshold: ${sourceOf(limit)}.`,
  });
  return {
    name: 'HighResponseTime',
    expr:
      `histogram_quantile(${q}, sum by (le, model_name, experiment) ` +
      `(rate(ab_test_response_time_seconds_bucket{${matcher}}[${promDuration(times.windowS)}]))) > ${seconds} ${running}`,
    forS: times.forS ?? 180,
    severity: 'warning',
    action: actionOf(scope, limit),
    ...text('{{ $labels.model_name }}', '{{ printf "%.4g" $value }}'),
    test: {
      fires: [
        bucket(String(seconds), '0x2000'),
        bucket(String(above), '0+20x2000'),
        bucket('+Inf', '0+20x2000'),
        runningSeries,
      ],
      labels: { experiment: label, model_name: candidate },
      ...text(candidate, String(Number((seconds + (above - seconds) * q).toPrecision(4)))),
      silent: {
        'when all are within the limit': [
          bucket(String(seconds), '0+20x2000'),
          bucket('+Inf', '0+20x2000'),
          runningSeries,
        ],
        'when nobody asks': [bucket(String(seconds), '5x2000'), bucket('+Inf', '25x2000'), runningSeries],
      },
    },
  };
}

function highErrorRate(scope: Scope, limit: MetricLimit | undefined): AlertRule {
  const { label, matcher, running, runningSeries, candidate, times } = scope;
  const rate = clean(limit?.limit ?? defaults.errorRate);
  const window = promDuration(times.windowS);
  const sum = (status: string, what: 'rate' | 'increase'): string =>
    `sum by (experiment, variant) (${what}(assay_requests_total{${matcher},status${status}}[${window}]))`;
  const series = (status: string, values: string): TestSeries => ({
    series: `assay_requests_total{${matcher},variant=${promText(candidate)},status="${status}"}`,
    values,
  });
  const text = (variant: string, value: string) => ({
    summary: `${variant} in ${label} fails more than ${clean(rate * 100)} % of its requests`,
    description: `It fails ${value} of them, whatever callers see. Threshold: ${sourceOf(limit)}.`,
  });
  // Failures per hundred requests: half of the way to all of them; and of a thousand, a little less than the limit.
  const failing = Math.round(((rate + 1) / 2) * 100);
  const below = Math.floor(rate * 950);
  return {
    name: 'HighErrorRate',
    expr:
      `${sum('="error"', 'rate')} / ${sum('=~"success|error"', 'rate')} > ${rate} ` +
      `and ${sum('=~"success|error"', 'increase')} >= ${fewestAttempts} ${running}`,
    forS: times.forS ?? 120,
    severity: 'critical',
    action: actionOf(scope, limit),
    ...text('{{ $labels.variant }}', '{{ $value | humanizePercentage }}'),
    test: {
      fires: [series('error', `0+${failing}x2000`), series('success', `0+${100 - failing}x2000`), runningSeries],
      labels: { experiment: label, variant: candidate },
      ...text(candidate, `${failing}%`),
      silent: {
        'just below the limit': [
          series('error', `0+${below}x2000`),
          series('success', `0+${1000 - below}x2000`),
          runningSeries,
        ],
        'when there are too few to say': [series('error', '0+1x2000'), series('success', '0x2000'), runningSeries],
      },
    },
  };
}

/** Without the digits that binary fractions leave behind. */
function clean(value: number): number {
  return Number(value.toPrecision(10));
}
