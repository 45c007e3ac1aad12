// What are several estimates worth together, with which uncertainty, and how likely is that above a limit?
import { bounded, type Interval, type TestOptions } from './interval.ts';
import { normal } from './normal.ts';
import { refuse, requireAlpha, requireFinite } from './precondition.ts';
import type { Measured } from './relative-difference.ts';

/** Estimates, their covariance, and what one unit of each is worth. */
export interface WeightedEstimates {
  readonly coefficients: readonly number[];
  readonly estimates: readonly number[];
  /** Covariance of the estimates (squared standard errors on the diagonal); a row of 0 for one taken as known. */
  readonly covariance: readonly (readonly number[])[];
}

/** The sum with its uncertainty. */
export interface Combination {
  readonly kind: 'combined';
  readonly estimate: number;
  /** >= 0; 0 when every part with a coefficient is taken as known. */
  readonly standardError: number;
  /** A point when the standard error is 0. */
  readonly interval: Interval;
  /** coefficient x estimate, part by part. */
  readonly parts: readonly number[];
  /** Each part's share of the variance, covariances split evenly; sums to 1, all 0 when the variance is 0. */
  readonly varianceShares: readonly number[];
}

/**
 * Sum of coefficient x estimate with the standard error sqrt(c' V c) and the normal interval.
 * For a smooth function give its gradient as coefficients (delta method) and read only the error from the answer.
 * The error is exact for the covariance given; the interval assumes near-normal estimates.
 * @throws RangeError when lengths differ, a number is not finite, or the covariance gives a negative variance.
 * @see Oehlert 1992, The American Statistician 46(1) (delta method)
 */
export function linearCombination(parts: WeightedEstimates, options: TestOptions): Combination {
  const alpha = requireAlpha(options.alpha);
  const { coefficients, estimates, covariance } = parts;
  const width = coefficients.length;
  if (estimates.length !== width) refuse('estimates.length', estimates.length, `${width} as in coefficients`);
  if (covariance.length !== width) refuse('covariance.length', covariance.length, `${width} as in coefficients`);
  const rows = coefficients.map((c, i) => {
    requireFinite(`coefficients[${i}]`, c);
    requireFinite(`estimates[${i}]`, estimates[i]!);
    if (covariance[i]!.length !== width) refuse(`covariance[${i}].length`, covariance[i]!.length, `${width}`);
    return (
      c * covariance[i]!.reduce((sum, v, j) => sum + requireFinite(`covariance[${i}][${j}]`, v) * coefficients[j]!, 0)
    );
  });
  const variance = rows.reduce((sum, row) => sum + row, 0);
  const size = rows.reduce((sum, row) => sum + Math.abs(row), 0);
  if (variance < -1e-9 * size) refuse('covariance', `giving variance ${variance}`, 'positive semidefinite');
  const values = coefficients.map((c, i) => c * estimates[i]!);
  const estimate = values.reduce((sum, value) => sum + value, 0);
  const standardError = Math.sqrt(Math.max(0, variance));
  const margin = normal.isf(alpha / 2) * standardError;
  return {
    kind: 'combined',
    estimate,
    standardError,
    interval: bounded(estimate - margin, estimate + margin),
    parts: values,
    varianceShares: rows.map((row) => (variance > 0 ? row / variance : 0)),
  };
}

/**
 * Probability that the quantity lies above `threshold`: normal approximation with a flat prior, in [0, 1].
 * With standard error 0 it is 1 above, 0 below and 1/2 at the threshold.
 * @throws RangeError when a number is not finite or the standard error negative.
 * @see Gelman et al. 2013, Bayesian Data Analysis, section 2.5, with a flat prior
 */
export function probabilityAbove(quantity: Measured, threshold: number): number {
  requireFinite('quantity.estimate', quantity.estimate);
  requireFinite('threshold', threshold);
  if (!(quantity.standardError >= 0)) refuse('quantity.standardError', quantity.standardError, '>= 0');
  const distance = quantity.estimate - threshold;
  if (quantity.standardError === 0) return distance > 0 ? 1 : distance < 0 ? 0 : 0.5;
  return normal.cdf(distance / quantity.standardError);
}
