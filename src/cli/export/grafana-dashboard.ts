// What does one look at an experiment in Grafana show? Every panel with its queries, from top to bottom in the order of questions.
import {
  type Dashboard,
  DashboardBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** One query of a panel. */
interface PanelQuery {
  readonly expr: string;
  /** Name of the series, with `{{label}}`. */
  readonly legend: string;
  /** Shows requests that can be looked up by their trace. */
  readonly exemplar?: boolean;
}

/** One panel. */
interface PanelPlan {
  readonly title: string;
  readonly description: string;
  readonly kind: 'stat' | 'series';
  /** Grafana's word for the unit. */
  readonly unit: string;
  /** Of 24 columns. */
  readonly width: number;
  readonly queries: readonly PanelQuery[];
}

const at = 'experiment="$experiment"';
const latency = (q: number): PanelQuery => ({
  expr: `histogram_quantile(${q}, sum by (le, variant) (rate(assay_attempt_duration_seconds_bucket{${at}}[$__rate_interval])))`,
  legend: `{{variant}} p${q * 100}`,
  ...(q === 0.95 ? { exemplar: true } : {}),
});
const perVariant = (metric: string): string => `sum by (variant) (rate(${metric}[$__rate_interval]))`;

const plans: readonly PanelPlan[] = [
  {
    title: 'Verdict',
    description: 'Of the latest report. Read its reasons with `assay report` before you act.',
    kind: 'stat',
    unit: 'none',
    width: 6,
    queries: [{ expr: `assay_verdict{${at}} == 1`, legend: '{{kind}}' }],
  },
  {
    title: 'Split check (p-value)',
    description: 'Below 0.001 the units did not arrive in the shares that were asked for, and no conclusion is valid.',
    kind: 'stat',
    unit: 'sci',
    width: 6,
    queries: [{ expr: `assay_sample_ratio_p_value{${at}}`, legend: 'p' }],
  },
  {
    title: 'Units',
    description: 'Units that were assigned to each variant.',
    kind: 'stat',
    unit: 'short',
    width: 6,
    queries: [{ expr: `assay_variant_units{${at}}`, legend: '{{variant}}' }],
  },
  {
    title: 'Age of the report',
    description: 'How long ago the latest report was made.',
    kind: 'stat',
    unit: 's',
    width: 6,
    queries: [{ expr: `time() - assay_report_timestamp_seconds{${at}}`, legend: 'age' }],
  },
  {
    title: 'Traffic distribution',
    description: 'Requests per second that the split assigned to each variant.',
    kind: 'series',
    unit: 'reqps',
    width: 12,
    queries: [{ expr: perVariant(`assay_assignments_total{${at},reason="split"}`), legend: '{{variant}}' }],
  },
  {
    title: 'Share of units',
    description: 'Shares that were seen beside those that were asked for.',
    kind: 'series',
    unit: 'percentunit',
    width: 12,
    queries: [
      { expr: `assay_variant_observed_share_ratio{${at}}`, legend: '{{variant}} seen' },
      { expr: `assay_variant_share_ratio{${at}}`, legend: '{{variant}} asked for' },
    ],
  },
  {
    title: 'Model accuracy',
    description: 'The metric named accuracy, in percent, as truth arrives.',
    kind: 'series',
    unit: 'percent',
    width: 12,
    queries: [{ expr: `ab_test_model_accuracy{${at}}`, legend: '{{model_name}}' }],
  },
  {
    title: 'Response times',
    description: "Of each variant's own attempts, whatever callers saw.",
    kind: 'series',
    unit: 's',
    width: 12,
    queries: [latency(0.5), latency(0.95), latency(0.99)],
  },
  {
    title: 'Error rates',
    description: "Share of each variant's own attempts that failed, and of callers who got a failure.",
    kind: 'series',
    unit: 'percentunit',
    width: 12,
    queries: [
      {
        expr:
          `${perVariant(`assay_requests_total{${at},status="error"}`)} ` +
          `/ ${perVariant(`assay_requests_total{${at},status=~"success|error"}`)}`,
        legend: '{{variant}}',
      },
      {
        expr:
          `(sum(rate(assay_caller_replies_total{${at},code="5xx"}[$__rate_interval])) or vector(0)) ` +
          `/ sum(rate(assay_caller_replies_total{${at}}[$__rate_interval]))`,
        legend: 'callers',
      },
    ],
  },
  {
    title: 'Fallbacks',
    description: 'Requests per second that another variant answered.',
    kind: 'series',
    unit: 'reqps',
    width: 12,
    queries: [{ expr: perVariant(`assay_served_by_other_total{${at}}`), legend: '{{variant}}' }],
  },
  {
    title: 'Shadow',
    description: 'Copies per second for the shadow: sent, dropped by why, and failed. Empty without a mirror.',
    kind: 'series',
    unit: 'reqps',
    width: 12,
    queries: [
      { expr: `sum(rate(assay_mirror_sent_total{${at}}[$__rate_interval]))`, legend: 'sent' },
      {
        expr: `sum by (reason) (rate(assay_mirror_dropped_total{${at}}[$__rate_interval]))`,
        legend: 'dropped: {{reason}}',
      },
      { expr: `sum(rate(assay_mirror_failed_total{${at}}[$__rate_interval]))`, legend: 'failed' },
    ],
  },
  {
    title: 'State',
    description: 'State of the experiment, its coverage, and what an operator should know of its checks.',
    kind: 'stat',
    unit: 'none',
    width: 12,
    queries: [
      { expr: `assay_experiment_state{${at}} == 1`, legend: '{{state}}' },
      { expr: `assay_experiment_coverage_ratio{${at}}`, legend: 'coverage (share)' },
      { expr: `sum(assay_check_ok{${at}} == bool 0)`, legend: 'checks that do not hold' },
    ],
  },
  {
    title: 'Business impact',
    description: 'Terms of the value model and their sum, in its unit.',
    kind: 'series',
    unit: 'short',
    width: 12,
    queries: [{ expr: `ab_test_business_impact{${at}}`, legend: '{{model_name}} {{metric_type}}' }],
  },
  {
    title: 'Net value with its interval',
    description: 'The sum with the interval of one look at the end; a missing line means that end is open.',
    kind: 'series',
    unit: 'short',
    width: 12,
    queries: [
      { expr: `assay_net_value{${at}}`, legend: '{{variant}}' },
      { expr: `assay_net_value_lower{${at}}`, legend: '{{variant}} lower' },
      { expr: `assay_net_value_upper{${at}}`, legend: '{{variant}} upper' },
    ],
  },
  {
    title: 'Criteria',
    description: '1 met, -1 not met, 0 undecided.',
    kind: 'series',
    unit: 'none',
    width: 12,
    queries: [{ expr: `assay_criterion_outcome{${at}}`, legend: '{{role}}: {{criterion}}' }],
  },
  {
    title: 'Outcomes and log',
    description: 'Share of outcomes that found their prediction, records not yet on disk, and records lost.',
    kind: 'series',
    unit: 'short',
    width: 12,
    queries: [
      { expr: `assay_outcomes_joined_ratio{${at}}`, legend: 'joined (share)' },
      { expr: 'assay_evidence_pending_records', legend: 'pending records' },
      { expr: 'assay_evidence_lost_records_total', legend: 'lost records' },
    ],
  },
];

/** Every query of the dashboard with the panel it stands in. */
export function dashboardQueries(): readonly { readonly panel: string; readonly expr: string }[] {
  return plans.flatMap(({ title, queries }) => queries.map(({ expr }) => ({ panel: title, expr })));
}

/** The dashboard as Grafana imports it; its uid stays the same for ever. */
export function makeDashboard(): Dashboard {
  const builder = new DashboardBuilder('Assay: A/B test of models')
    .uid('assay-experiment')
    .description('One experiment: is it valid, which model is better, what is it worth, and does anything burn?')
    .tags(['assay', 'ab-test', 'machine-learning'])
    .timezone('browser')
    .time({ from: 'now-6h', to: 'now' })
    .refresh('30s')
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'))
    .withVariable(
      new QueryVariableBuilder('experiment')
        .label('Experiment')
        .datasource(source)
        .query('label_values(assay_experiment_state, experiment)')
        .refresh(VariableRefresh.OnTimeRangeChanged),
    );
  for (const plan of plans) builder.withPanel(panelOf(plan));
  return builder.build();
}

const source = { type: 'prometheus', uid: '$datasource' };

function panelOf(plan: PanelPlan): StatBuilder | TimeseriesBuilder {
  const panel = plan.kind === 'stat' ? new StatBuilder() : new TimeseriesBuilder();
  panel
    .title(plan.title)
    .description(plan.description)
    .unit(plan.unit)
    .datasource(source)
    .span(plan.width)
    .height(plan.kind === 'stat' ? 5 : 8);
  for (const [place, { expr, legend, exemplar }] of plan.queries.entries()) {
    const query = new DataqueryBuilder()
      .refId(String.fromCharCode(65 + place))
      .datasource(source)
      .expr(expr)
      .legendFormat(legend);
    if (plan.kind === 'stat') query.instant();
    else query.range();
    panel.withTarget(exemplar === true ? query.exemplar(true) : query);
  }
  return panel;
}
