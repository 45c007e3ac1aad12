// From which of an experiment's criteria follow the thresholds of its alerts?
import type { Experiment, Metric } from '../../experiment/index.ts';
import { linearForm, parseExpression, splitCriterion } from '../../expression/index.ts';

/** One bound on a candidate's own number. */
export interface MetricLimit {
  readonly metric: Metric;
  /** True when the number must stay below. */
  readonly isUpper: boolean;
  /** In the metric's own unit. */
  readonly limit: number;
  readonly role: 'guardrail' | 'secondary' | 'primary';
  /** The criterion as written. */
  readonly text: string;
}

/** Criteria of the form `METRIC < number`; those against the control or on the value model follow from the report alone. */
export function metricLimits(experiment: Experiment): readonly MetricLimit[] {
  const { guardrails, secondary, primary } = experiment.decision;
  return [
    ...guardrails.flatMap((text) => limitOf(experiment, { text, role: 'guardrail' })),
    ...secondary.flatMap((text) => limitOf(experiment, { text, role: 'secondary' })),
    ...primary.flatMap((text) => limitOf(experiment, { text, role: 'primary' })),
  ];
}

/** True for the latency of the variant's own attempt. */
export function isLatencyQuantile({ definition }: Metric): boolean {
  return definition.kind === 'quantile' && isTime(definition.expression);
}

/** True for the share of requests that the variant failed. */
export function isFailureRate({ definition }: Metric): boolean {
  return definition.kind === 'mean' && definition.expression.trim() === 'failed';
}

function isTime(expression: string): boolean {
  return ['attempt_ms', 'caller_ms'].includes(expression.trim());
}

function limitOf({ metrics }: Experiment, criterion: Pick<MetricLimit, 'text' | 'role'>): readonly MetricLimit[] {
  const parsed = parseExpression(criterion.text);
  if (parsed.kind === 'error') return [];
  const split = splitCriterion(parsed.expression);
  if (split.kind === 'error') return [];
  const left = linearForm(split.left, () => true);
  const right = linearForm(split.right, () => true);
  if (left.kind === 'not-linear' || right.kind === 'not-linear') return [];
  // Names to the left, numbers to the right.
  const weights = new Map(Object.entries(left.coefficients));
  for (const [name, weight] of Object.entries(right.coefficients)) weights.set(name, (weights.get(name) ?? 0) - weight);
  const named = [...weights].filter(([, weight]) => weight !== 0);
  const [name, weight] = named[0] ?? [];
  const metric = metrics.find((each) => each.name === name);
  if (named.length !== 1 || metric === undefined || weight === undefined) return [];
  const isLess = split.comparison === '<' || split.comparison === '<=';
  return [{ ...criterion, metric, isUpper: isLess === weight > 0, limit: (right.constant - left.constant) / weight }];
}
