// What is said of experiments to Prometheus: state and split, and what the latest report found.
import type { Report } from '../decision/index.ts';
import { type ExperimentStateName, experimentLabel } from '../experiment/index.ts';
import type { MetricFamily, MetricSample } from './prometheus-exposition.ts';
import { gauge } from './prometheus-requests.ts';

/** One experiment as it is. */
export interface ExperimentFigures {
  readonly namespace: string;
  readonly name: string;
  readonly state: ExperimentStateName;
  readonly control: string;
  /** Share of units that take part, 0..1. */
  readonly coverage: number;
  /** Share of covered units by variant, 0..1; empty where one variant answers everybody. */
  readonly shares: { readonly [variant: string]: number };
  readonly startedAtMs: number | null;
  /** Start + `maxDuration`. */
  readonly plannedEndMs: number | null;
  readonly latest: LatestReport | null;
}

/** The newest report of an experiment. */
interface LatestReport {
  readonly report: Report;
  /** Epoch milliseconds. */
  readonly madeMs: number;
}

const states: readonly ExperimentStateName[] = ['draft', 'running', 'paused', 'promoted', 'rolled-back', 'completed'];
const verdicts = ['ship', 'roll-back', 'keep-testing', 'no-difference', 'invalid'] as const;

/** The families of experiments and of their latest reports. */
export function experimentFamilies(experiments: readonly ExperimentFigures[]): readonly MetricFamily[] {
  const each = (read: (figures: ExperimentFigures, labels: { experiment: string }) => readonly MetricSample[]) =>
    experiments.flatMap((figures) => [
      ...read(figures, { experiment: experimentLabel(figures.namespace, figures.name) }),
    ]);
  const reported = (
    read: (report: Report, labels: { experiment: string }, latest: LatestReport) => readonly MetricSample[],
  ) => each(({ latest }, labels) => (latest === null ? [] : read(latest.report, labels, latest)));
  const when = (value: number | null, labels: MetricSample['labels']): readonly MetricSample[] =>
    value === null ? [] : [{ labels, value: value / 1000 }];
  return [
    gauge(
      'assay_experiment_state',
      '1 for the state an experiment is in, 0 for the others.',
      each(({ state }, labels) =>
        states.map((name) => ({ labels: { ...labels, state: name }, value: name === state ? 1 : 0 })),
      ),
    ),
    gauge(
      'assay_experiment_coverage_ratio',
      'Share of units that take part.',
      each(({ coverage }, labels) => [{ labels, value: coverage }]),
    ),
    gauge(
      'assay_variant_share_ratio',
      'Share of the covered units that a variant shall get.',
      each(({ shares }, labels) =>
        Object.entries(shares).map(([variant, value]) => ({ labels: { ...labels, variant }, value })),
      ),
    ),
    gauge(
      'assay_experiment_started_timestamp_seconds',
      'When the experiment was started.',
      each(({ startedAtMs }, labels) => when(startedAtMs, labels)),
    ),
    gauge(
      'assay_experiment_planned_end_timestamp_seconds',
      'When the experiment shall have ended by its own plan.',
      each(({ plannedEndMs }, labels) => when(plannedEndMs, labels)),
    ),
    gauge(
      'assay_report_timestamp_seconds',
      'When the latest report was made.',
      reported((_report, labels, { madeMs }) => when(madeMs, labels)),
    ),
    ...reportFamilies(reported),
  ];
}

type Reported = (
  read: (report: Report, labels: { experiment: string }, latest: LatestReport) => readonly MetricSample[],
) => readonly MetricSample[];

function reportFamilies(reported: Reported): readonly MetricFamily[] {
  return [
    gauge(
      'assay_verdict',
      '1 for the verdict of the latest report, 0 for the others.',
      reported(({ verdict }, labels) =>
        verdicts.map((kind) => ({ labels: { ...labels, kind }, value: kind === verdict.kind ? 1 : 0 })),
      ),
    ),
    gauge(
      'assay_variant_units',
      'Units that were assigned to a variant.',
      reported(({ variants }, labels) =>
        variants.map(({ name, units }) => ({ labels: { ...labels, variant: name }, value: units })),
      ),
    ),
    gauge(
      'assay_variant_observed_share_ratio',
      'Share of the units that were assigned to a variant.',
      reported(({ variants }, labels) =>
        variants.map(({ name, share }) => ({ labels: { ...labels, variant: name }, value: share })),
      ),
    ),
    gauge(
      'assay_sample_ratio_p_value',
      'P-value of the split that was seen against the one that was asked for.',
      reported(({ checks }, labels) => sample(labels, checks.sampleRatio.pValue)),
    ),
    gauge(
      'assay_check_ok',
      '1 where a check of the experiment itself holds, else 0.',
      reported(({ checks }, labels) =>
        Object.entries(checks).map(([check, { ok }]) => ({ labels: { ...labels, check }, value: ok ? 1 : 0 })),
      ),
    ),
    gauge(
      'assay_outcomes_joined_ratio',
      'Share of the outcomes that found their prediction.',
      reported(({ checks }, labels) => {
        const numbers = checks.outcomeJoin?.numbers;
        const distinct = Number(numbers?.received ?? 0) - Number(numbers?.duplicates ?? 0);
        return distinct > 0 ? [{ labels, value: Number(numbers?.joined ?? 0) / distinct }] : [];
      }),
    ),
    gauge(
      'assay_metric_estimate',
      "A variant's estimate of a metric, in the metric's own unit.",
      reported(({ metrics }, labels) =>
        metrics.flatMap(({ name, role, variants }) =>
          variants.flatMap(({ variant, estimate }) => sample({ ...labels, variant, metric: name, role }, estimate)),
        ),
      ),
    ),
    gauge(
      'assay_criterion_outcome',
      '1 where a criterion is met, -1 where it is not, 0 while that is undecided.',
      reported(({ criteria }, labels) =>
        criteria.map(({ text, role, variant, outcome }) => ({
          labels: { ...labels, variant, role, criterion: text },
          value: outcome === 'met' ? 1 : outcome === 'not-met' ? -1 : 0,
        })),
      ),
    ),
    ...valueFamilies(reported),
    gauge(
      'ab_test_model_accuracy',
      'Accuracy of a model in percent: its metric named accuracy.',
      reported(({ metrics, namespace, experiment }) =>
        metrics
          .filter(({ name }) => name === 'accuracy')
          .flatMap(({ variants }) =>
            variants.flatMap(({ variant, estimate }) =>
              typeof estimate === 'number'
                ? [{ labels: modelOf(variant, namespace, experiment), value: estimate * 100 }]
                : [],
            ),
          ),
      ),
    ),
  ];
}

function valueFamilies(reported: Reported): readonly MetricFamily[] {
  const net = (read: (net: Extract<Report['value']['net'], { estimate: number }>) => number | undefined) =>
    reported(({ values }, labels) =>
      values.flatMap(({ variant, unit, net }) =>
        'kind' in net ? [] : sample({ ...labels, variant, unit }, read(net) ?? { kind: 'insufficient' }),
      ),
    );
  return [
    gauge('assay_net_value', 'Net value of a candidate over the control, in the unit of the value model.', [
      ...net(({ estimate }) => estimate),
    ]),
    gauge('assay_net_value_lower', 'Lower end of the interval of the net value; absent where it is open.', [
      ...net(({ interval }) => ('lower' in interval ? interval.lower : undefined)),
    ]),
    gauge('assay_net_value_upper', 'Upper end of the interval of the net value; absent where it is open.', [
      ...net(({ interval }) => ('upper' in interval ? interval.upper : undefined)),
    ]),
    gauge(
      'assay_value_term',
      'What one term adds to the net value, in the unit of the value model.',
      reported(({ values }, labels) =>
        values.flatMap(({ variant, terms }) =>
          terms.flatMap(({ name, estimate }) => sample({ ...labels, variant, term: name }, estimate)),
        ),
      ),
    ),
    gauge(
      'ab_test_business_impact',
      'What a model is worth against the control: net value and terms in the unit of the value model, the rest in its currency.',
      reported(({ values, namespace, experiment }) =>
        values.flatMap(({ variant, net, terms, money }) => {
          const labels = modelOf(variant, namespace, experiment);
          return [
            ...('kind' in net
              ? []
              : [{ labels: { ...labels, metric_type: 'net_business_value' }, value: net.estimate }]),
            ...terms.flatMap(({ name, estimate }) => sample({ ...labels, metric_type: name }, estimate)),
            ...moneyTypes(money).map(([type, value]) => ({ labels: { ...labels, metric_type: type }, value })),
          ];
        }),
      ),
    ),
  ];
}

/** The amounts under the names of the published example; none without a money model, or without an answer. */
function moneyTypes(money: Report['value']['money']): readonly (readonly [type: string, value: number])[] {
  if (money === undefined || 'kind' in money) return [];
  return [
    ['daily_revenue_impact', money.gain / 365],
    ['annual_revenue_impact', money.gain],
    ['infrastructure_cost', money.infrastructure],
    ['net_annual_value', money.net],
  ];
}

const modelOf = (variant: string, namespace: string, experiment: string): Record<string, string> => ({
  model_name: variant,
  experiment: experimentLabel(namespace, experiment),
});

/** One sample, or none where there is no answer. */
function sample(labels: MetricSample['labels'], value: number | { readonly kind: string }): readonly MetricSample[] {
  return typeof value === 'number' ? [{ labels, value }] : [];
}
