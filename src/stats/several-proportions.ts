// Do several variants share one rate?
import { chiSquared } from './gamma.ts';
import type { Insufficient } from './interval.ts';
import { refuse } from './precondition.ts';
import { type Proportion, requireProportion } from './proportions.ts';

/** Pearson's test that all rates are equal. */
export interface SeveralProportionsResult {
  readonly kind: 'tested';
  readonly method: string;
  readonly statistic: number;
  /** Number of variants - 1. */
  readonly df: number;
  readonly pValue: number;
}

/**
 * Pearson's chi-squared test of equal rates in two or more variants, without continuity correction.
 *
 * With two variants it is the square of `compareProportions`' statistic. Below some 5 expected events in a variant the
 * chi-squared distribution is only a rough guide.
 * @returns Insufficient when a variant is empty, or nothing or everything happened
 * @throws RangeError for fewer than two variants, or unless 0 <= successes <= n
 * @see Pearson 1900; R's `prop.test(correct = FALSE)`
 */
export function compareSeveralProportions(samples: readonly Proportion[]): SeveralProportionsResult | Insufficient {
  if (samples.length < 2) refuse('samples.length', samples.length, '>= 2');
  for (const [index, sample] of samples.entries()) requireProportion(`samples[${index}]`, sample);
  const empty = samples.findIndex(({ n }) => n === 0);
  if (empty >= 0) return { kind: 'insufficient', reason: `variant ${empty + 1} has no units` };
  const total = samples.reduce((sum, { n }) => sum + n, 0);
  const rate = samples.reduce((sum, { successes }) => sum + successes, 0) / total;
  if (rate === 0) return { kind: 'insufficient', reason: 'nothing happened in any variant' };
  if (rate === 1) return { kind: 'insufficient', reason: 'everything happened in every variant' };
  const statistic = samples.reduce(
    (sum, { successes, n }) => sum + (successes - n * rate) ** 2 / (n * rate * (1 - rate)),
    0,
  );
  const df = samples.length - 1;
  return {
    kind: 'tested',
    method: "Pearson's chi-squared test of equal rates",
    statistic,
    df,
    pValue: chiSquared(df).sf(statistic),
  };
}
