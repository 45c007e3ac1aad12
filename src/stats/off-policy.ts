// What would another policy have earned on the logged decisions?
import { bounded, type Estimate, type Insufficient, insufficient, type TestOptions } from './interval.ts';
import { estimateMean } from './means.ts';
import { jointMomentsOf, momentsOf } from './moments.ts';
import { normal } from './normal.ts';
import { refuse, requireAlpha, requireFinite, requirePositive, requireProbability } from './precondition.ts';
import { estimateRatio } from './ratios.ts';
import { studentT } from './student-t.ts';
import { type TemperedEstimate, type Tempering, temperedMean } from './tempered-weights.ts';

/** One logged decision; rows are independent (one per user, or so far apart that they do not touch). */
export interface LoggedDecision {
  /** Chance with which the logging policy took the logged action, in (0, 1]; the chance really used, not an intended one. */
  readonly loggedChance: number;
  /** Chance with which the judged policy takes the same action, in [0, 1]. */
  readonly targetChance: number;
  readonly reward: number;
  /** Rewards that a model, fitted on other rows, expects: of the logged action, and of the judged policy's choice. */
  readonly expected?: { readonly logged: number; readonly target: number };
}

/** Whether the log can speak for the other policy at all. */
export interface OverlapDiagnostics {
  readonly rows: number;
  /** Rows of plain data that would say as much: (sum of weights)^2 / sum of squared weights. */
  readonly effectiveRows: number;
  /** Largest targetChance / loggedChance. */
  readonly greatestWeight: number;
  /** Mean of the weights, 1 up to chance when the logged chances are true and cover the judged policy. */
  readonly meanWeight: number;
  /** Two-sided t-test that the mean weight is 1; a small p-value says not to trust the log. */
  readonly meanWeightTest: { readonly statistic: number; readonly pValue: number } | Insufficient;
}

/** Estimates of the judged policy's mean reward. */
export interface OffPolicyEstimates {
  /** Inverse propensity score: unbiased, wild where weights are large. */
  readonly inversePropensity: Estimate | Insufficient;
  /** The same over the sum of weights: slightly biased, much steadier. */
  readonly selfNormalised: Estimate | Insufficient;
  /** Mean of what the model expects; its error is that of the model, so it has none here. Absent without a model. */
  readonly direct?: number;
  /** The model corrected by weighted residuals: right when either the chances or the model is. Absent without a model. */
  readonly doublyRobust?: Estimate | Insufficient;
  /** The same with the residuals over the sum of weights. Absent without a model. */
  readonly selfNormalisedDoublyRobust?: Estimate | Insufficient;
  /** Doubly robust, but the model alone where the weight is large: some bias for less noise, no interval. Absent without a model. */
  readonly switched?: TemperedEstimate | Insufficient;
  /** The same, large weights shrunk smoothly. Absent without a model. */
  readonly shrunk?: TemperedEstimate | Insufficient;
}

/** An off-policy evaluation: diagnostics always, estimates only where the log says enough. */
export interface OffPolicyResult {
  readonly diagnostics: OverlapDiagnostics;
  readonly estimates: OffPolicyEstimates | Insufficient;
}

/** Options of an off-policy evaluation. */
export interface OffPolicyOptions extends TestOptions {
  /** Effective rows below which there is no estimate, > 0; default 30. */
  readonly leastEffectiveRows?: number;
  /** Weight above which `switched` goes by the model alone, > 0; default chosen by estimated variance and bias. */
  readonly switchAbove?: number;
  /** Lambda of `shrunk`, > 0, the larger the less is shrunk; default likewise. */
  readonly shrinkage?: number;
}

/**
 * Mean reward that another policy would have earned on logged decisions, by every usual estimator, with the diagnostics
 * that say whether to believe them. Valid when every action the judged policy takes could have been logged, the logged
 * chances are those used, and no few weights carry the sum.
 * Estimates are insufficient when the effective rows are fewer than `leastEffectiveRows`, single ones when nothing varies.
 * @throws RangeError when alpha is outside (0, 1), a chance is out of range, a number is not finite, only some of the rows
 * have a model's expectation, or a limit is not > 0.
 * @see Horvitz & Thompson 1952 (IPS); Swaminathan & Joachims 2015, NeurIPS (self-normalised); Dudik, Langford & Li
 * 2011, ICML (direct, doubly robust); Wang et al. 2017 (switch); Su et al. 2020 (shrinkage); Kong 1992 (effective rows)
 */
export function evaluatePolicy(rows: readonly LoggedDecision[], options: OffPolicyOptions): OffPolicyResult {
  const alpha = requireAlpha(options.alpha);
  const least = requirePositive('leastEffectiveRows', options.leastEffectiveRows ?? 30);
  if (options.switchAbove !== undefined) requirePositive('switchAbove', options.switchAbove);
  if (options.shrinkage !== undefined) requirePositive('shrinkage', options.shrinkage);
  const weights = rows.map((row, i) => weightOf(row, `rows[${i}]`));
  const modelled = rows.filter((row) => row.expected !== undefined).length;
  if (modelled !== 0 && modelled !== rows.length) refuse('rows with an expectation', modelled, `0 or ${rows.length}`);
  const diagnostics = overlapOf(weights);
  const { effectiveRows } = diagnostics;
  if (rows.length < 2) return { diagnostics, estimates: insufficient('there are fewer than two decisions') };
  if (effectiveRows < least) {
    const reason = `the ${rows.length} decisions say as much as ${effectiveRows.toFixed(1)} of the judged policy's own, ${least} are needed`;
    return { diagnostics, estimates: insufficient(reason) };
  }
  const plain: OffPolicyEstimates = {
    inversePropensity: named(
      'inverse propensity score',
      estimateMean(momentsOf(rows.map((row, i) => weights[i]! * row.reward)), { alpha }),
    ),
    selfNormalised: named(
      'self-normalised inverse propensity score',
      estimateRatio(jointMomentsOf(rows.map((row, i) => [weights[i]! * row.reward, weights[i]!])), { alpha }),
    ),
  };
  return {
    diagnostics,
    estimates: modelled === 0 ? plain : { ...plain, ...withModel(rows, { ...options, weights, alpha }) },
  };
}

function weightOf(row: LoggedDecision, name: string): number {
  const { loggedChance, targetChance, expected } = row;
  if (!(loggedChance > 0 && loggedChance <= 1)) refuse(`${name}.loggedChance`, loggedChance, 'in (0, 1]');
  requireProbability(`${name}.targetChance`, targetChance);
  requireFinite(`${name}.reward`, row.reward);
  if (expected) {
    requireFinite(`${name}.expected.logged`, expected.logged);
    requireFinite(`${name}.expected.target`, expected.target);
  }
  return requireFinite(`${name} targetChance / loggedChance`, targetChance / loggedChance);
}

function overlapOf(weights: readonly number[]): OverlapDiagnostics {
  const moments = momentsOf(weights);
  let greatestWeight = 0;
  for (const weight of weights) greatestWeight = Math.max(greatestWeight, weight);
  // Relative to the largest weight, so that no square leaves the range of numbers.
  let sum = 0;
  let squares = 0;
  for (const weight of weights) {
    const share = greatestWeight === 0 ? 0 : weight / greatestWeight;
    sum += share;
    squares += share * share;
  }
  return {
    rows: weights.length,
    effectiveRows: squares === 0 ? 0 : (sum * sum) / squares,
    greatestWeight,
    meanWeight: moments.mean,
    meanWeightTest: testMeanWeight(weights),
  };
}

function testMeanWeight(weights: readonly number[]): OverlapDiagnostics['meanWeightTest'] {
  const moments = momentsOf(weights);
  const mean = estimateMean(moments, { alpha: 0.05 });
  if (mean.kind === 'insufficient') return mean;
  const statistic = (mean.estimate - 1) / mean.standardError;
  return { statistic, pValue: Math.min(1, 2 * studentT(moments.n - 1).sf(Math.abs(statistic))) };
}

function withModel(
  rows: readonly LoggedDecision[],
  options: OffPolicyOptions & { readonly weights: readonly number[] },
): Omit<OffPolicyEstimates, 'inversePropensity' | 'selfNormalised'> {
  const { weights, alpha } = options;
  const weighed = rows.map(({ reward, expected }, i) => ({
    weight: weights[i]!,
    miss: reward - expected!.logged,
    target: expected!.target,
  }));
  const temper = (tempering: Tempering, limit: number | undefined): TemperedEstimate | Insufficient =>
    temperedMean(weighed, { tempering, ...(limit === undefined ? {} : { limit }) });
  const misses = rows.map((row, i) => weights[i]! * (row.reward - row.expected!.logged));
  const direct = momentsOf(rows.map((row) => row.expected!.target)).mean;
  const weight = momentsOf(weights).mean;
  const miss = momentsOf(misses).mean / weight;
  // What each row adds to the estimate to first order: its variance is that of the sum of a mean and a ratio.
  const influence = momentsOf(
    rows.map((row, i) => row.expected!.target - direct + (misses[i]! - weights[i]! * miss) / weight),
  );
  const spread = estimateMean(influence, { alpha });
  return {
    direct,
    doublyRobust: named(
      'doubly robust',
      estimateMean(momentsOf(rows.map((row, i) => row.expected!.target + misses[i]!)), { alpha }),
    ),
    selfNormalisedDoublyRobust:
      spread.kind === 'insufficient' ? spread : around(direct + miss, { standardError: spread.standardError, alpha }),
    switched: temper('switch', options.switchAbove),
    shrunk: temper('shrink', options.shrinkage),
  };
}

function around(estimate: number, options: { readonly standardError: number; readonly alpha: number }): Estimate {
  const { standardError, alpha } = options;
  const margin = normal.isf(alpha / 2) * standardError;
  const interval = bounded(estimate - margin, estimate + margin);
  return { kind: 'estimated', method: 'self-normalised doubly robust', estimate, standardError, interval };
}

function named(method: string, estimate: Estimate | Insufficient): Estimate | Insufficient {
  return estimate.kind === 'insufficient' ? estimate : { ...estimate, method };
}
