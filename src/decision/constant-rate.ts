// Which rates never moved? Metrics whose rows can only be 0 or 1, and all were the same: their noise is bounded, not measured.
import type { MetricSummary } from '../evidence/index.ts';
import type { Metric } from '../experiment/index.ts';
import { type Expression, parseExpression } from '../expression/index.ts';
import { beta, type Interval, scoreInterval, unitsForConstantRate } from '../stats/index.ts';

/** A rate that was the same in every row of every unit. */
export interface ConstantRate {
  readonly rate: 0 | 1;
  readonly units: number;
}

/** The method behind the interval of a constant rate, as the report names it. */
export const constantRateMethod = 'exact binomial bound by unit';

/** Built-in fields that are 0 or 1 by definition. */
const zeroOneFields: readonly string[] = ['failed', 'caller_failed', 'fallback'];

/**
 * Names of the metrics whose rows are 0 or 1 whatever the evidence holds, by their expressions alone.
 * That no row differed from 0 so far proves nothing: revenue does that too before the first sale.
 */
export function zeroOneMetrics(metrics: readonly Metric[]): ReadonlySet<string> {
  const isZeroOneMetric = ({ definition }: Metric): boolean => {
    if (definition.kind !== 'mean') return false;
    const parsed = parseExpression(definition.expression);
    return parsed.kind === 'parsed' && isZeroOne(parsed.expression);
  };
  return new Set(metrics.filter(isZeroOneMetric).map(({ name }) => name));
}

// Not by the checked type: that of default(outcome.amount, false) is boolean, because an outcome may be anything.
function isZeroOne(node: Expression): boolean {
  switch (node.kind) {
    case 'boolean':
    case 'not':
    case 'logic':
    case 'comparison':
      return true;
    case 'number':
      return node.value === 0 || node.value === 1;
    case 'name':
      return zeroOneFields.includes(node.name);
    case 'call':
      if (node.function === 'exists') return true;
      return (
        (node.function === 'default' || node.function === 'min' || node.function === 'max') &&
        node.arguments.every(isZeroOne)
      );
    case 'text':
    case 'negate':
    case 'arithmetic':
      return false;
  }
}

/** The constant rate a summary stands for; undefined when rows differ, or are not known to be 0 or 1. */
export function constantRate(summary: MetricSummary, isKnownZeroOne: boolean): ConstantRate | undefined {
  if (summary.kind === 'proportion') return asConstant(summary.successes, summary.n - summary.successes, summary.n);
  if (summary.kind !== 'ratio' || !isKnownZeroOne) return undefined;
  const { n, mean } = summary.moments;
  const [events = 0, rows = 0] = mean.map((each) => Math.round(each * n));
  return asConstant(events, rows - events, n);
}

function asConstant(ones: number, zeros: number, units: number): ConstantRate | undefined {
  if (!(units > 0) || ones > 0 === zeros > 0) return undefined;
  return { rate: ones > 0 ? 1 : 0, units };
}

/**
 * Score interval of candidate - control where every unit of both sides gave the same 0 or 1; undefined elsewhere.
 * It has no p-value: the pooled z-test has no noise to divide by. Only one row per unit: of ratios nothing is known
 * about how rows of a unit hang together.
 */
export function constantDifferenceInterval(
  control: MetricSummary,
  candidate: MetricSummary,
  options: { readonly alpha: number },
): Interval | undefined {
  if (control.kind !== 'proportion' || candidate.kind !== 'proportion') return undefined;
  const left = constantRate(control, true);
  const right = constantRate(candidate, true);
  if (left === undefined || right === undefined || left.rate !== right.rate) return undefined;
  return scoreInterval(control, candidate, options);
}

/**
 * Probability, 0..1, that the true rate lies above `limit`: flat prior, units as trials, so the posterior is
 * beta(1, units + 1), or its mirror image.
 */
export function chanceRateAbove(limit: number, { rate, units }: ConstantRate): number {
  return (rate === 0 ? beta(1, units + 1) : beta(units + 1, 1)).sf(limit);
}

/** How many times the units so far would decide a limit if no row ever differs; undefined where none would. */
export function growthOfConstantRate(
  limit: number,
  { rate, units }: ConstantRate,
  options: { readonly alpha: number },
): number | undefined {
  const margin = Math.abs(limit - rate);
  return margin > 0 && margin < 1 ? unitsForConstantRate(margin, options) / units : undefined;
}
