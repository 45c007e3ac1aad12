// How large are effects really, when the ones looked at were picked for being large?
import { chiSquared } from './gamma.ts';
import {
  bounded,
  type Estimate,
  type Insufficient,
  type Interval,
  insufficient,
  type TestOptions,
} from './interval.ts';
import { normal } from './normal.ts';
import { refuse, requireAlpha, requireFinite, requirePositive } from './precondition.ts';
import { findRoot } from './root.ts';

/** An effect as measured. */
export interface MeasuredEffect {
  readonly estimate: number;
  /** > 0 */
  readonly standardError: number;
}

/** Several effects drawn towards their common mean. */
export interface ShrunkEffects {
  readonly kind: 'shrunk';
  readonly method: string;
  /** Cochran's Q, chi-squared with one degree of freedom less than effects when all are equal. */
  readonly heterogeneity: number;
  /** P-value of `heterogeneity`. */
  readonly pValue: number;
  /** Variance of the true effects; 0 when the spread is no more than noise. */
  readonly variance: number;
  /** Mean of the true effects. */
  readonly mean: Estimate;
  /** One per effect, in order; the errors hold the uncertainty of the mean and of the variance. */
  readonly effects: readonly Estimate[];
}

/**
 * Best guesses of several true effects (experiments of one team, variants of one model), each drawn to the common mean by
 * as much as it is noise: the largest is no longer too large on average. Assumes independent, near-normal estimates of
 * effects that come from one population. Insufficient with fewer than 4 effects; below some 10 the variance is rough.
 * @throws RangeError unless estimates are finite, errors finite and > 0, alpha in (0, 1).
 * @see DerSimonian & Laird 1986; Efron & Morris 1975 (shrinkage); Morris 1983, JASA 78 (errors)
 */
export function shrinkEffects(effects: readonly MeasuredEffect[], options: TestOptions): ShrunkEffects | Insufficient {
  const z = normal.isf(requireAlpha(options.alpha) / 2);
  requireEffects(effects);
  if (effects.length < 4) return insufficient('a spread of true effects needs at least 4 of them');
  const fixed = effects.map(({ standardError }) => standardError ** -2);
  const total = sumOf(fixed);
  const centre = sumOf(effects.map(({ estimate }, i) => fixed[i]! * estimate)) / total;
  const heterogeneity = sumOf(effects.map(({ estimate }, i) => fixed[i]! * (estimate - centre) ** 2));
  const df = effects.length - 1;
  const squares = sumOf(fixed.map((weight) => weight ** 2));
  const variance = Math.max(0, (heterogeneity - df) / (total - squares / total));

  const weights = effects.map(({ standardError }) => 1 / (standardError ** 2 + variance));
  const weight = sumOf(weights);
  const mean = sumOf(effects.map(({ estimate }, i) => weights[i]! * estimate)) / weight;
  // The noise of a typical effect, weighted as the effects are.
  const meanNoise = sumOf(effects.map(({ standardError }, i) => weights[i]! * standardError ** 2)) / weight;
  const estimated = (method: string, estimate: number, error: number): Estimate => {
    const interval = bounded(estimate - z * error, estimate + z * error);
    return { kind: 'estimated', method, estimate, standardError: error, interval };
  };
  return {
    kind: 'shrunk',
    method: 'normal empirical Bayes, DerSimonian-Laird variance',
    heterogeneity,
    pValue: chiSquared(df).sf(heterogeneity),
    variance,
    mean: estimated('random-effects mean', mean, Math.sqrt(1 / weight)),
    effects: effects.map(({ estimate, standardError }, i) => {
      const noise = standardError ** 2 * weights[i]!;
      // Morris's third part: how much the shrinkage itself would move with another estimate of the variance.
      const unsure = (2 / (df - 2)) * noise ** 2 * (meanNoise + variance) * weights[i]!;
      const error = Math.sqrt(noise * variance + noise ** 2 / weight + unsure * (estimate - mean) ** 2);
      return estimated('normal empirical Bayes', estimate + noise * (mean - estimate), error);
    }),
  };
}

/** The true effect of the one that came out largest. */
export interface WinnerEffect {
  readonly kind: 'estimated';
  readonly method: string;
  /** Place of the winner among the effects, from 0. */
  readonly index: number;
  /** Too small as often as too large, given that this one won; absent a clear win it lies far below what was measured. */
  readonly estimate: number;
  readonly interval: Interval;
}

/**
 * Effect of the variant with the largest estimate, allowing for its having been picked for that. Assumes independent,
 * normal estimates (variants compared with one control are not: give their means instead). Insufficient with fewer than 2
 * effects or when two share the first place. The interval is long when the win is narrow.
 * @throws RangeError as `shrinkEffects`.
 * @see Andrews, Kitagawa & McCloskey 2024, QJE 139(1) (conditional on the winner; independent estimates)
 */
export function winnerEffect(effects: readonly MeasuredEffect[], options: TestOptions): WinnerEffect | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requireEffects(effects);
  if (effects.length < 2) return insufficient('a winner needs at least one other');
  const order = effects.map((_, i) => i).sort((i, j) => effects[j]!.estimate - effects[i]!.estimate);
  const index = order[0]!;
  const { estimate, standardError } = effects[index]!;
  const runnerUp = effects[order[1]!]!.estimate;
  const lead = (estimate - runnerUp) / standardError;
  if (!(lead > 1e-6)) return insufficient('two effects share the first place, so there is no winner');
  // Above the runner-up the winner's estimate is a normal cut off below; its tail share rises with the true effect.
  const logTail = (shift: number): number => normal.logSf(lead - shift) - normal.logSf(-shift);
  const trueEffect = (share: number): number => {
    const target = Math.log(share);
    let low = -1;
    while (logTail(low) > target) low *= 2;
    const shift = findRoot((x) => logTail(x) - target, [low, lead + 40]);
    return runnerUp + shift * standardError;
  };
  return {
    kind: 'estimated',
    method: 'median-unbiased given the win',
    index,
    estimate: trueEffect(0.5),
    interval: bounded(trueEffect(alpha / 2), trueEffect(1 - alpha / 2)),
  };
}

function requireEffects(effects: readonly MeasuredEffect[]): void {
  for (const [i, { estimate, standardError }] of effects.entries()) {
    requireFinite(`effects[${i}].estimate`, estimate);
    requirePositive(`effects[${i}].standardError`, standardError);
    if (!Number.isFinite(standardError ** -4)) refuse(`effects[${i}].standardError`, standardError, '> 1e-77');
  }
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
