// How much do many cheap labels (a judge model's) sharpen a mean of few true ones, without bending it?
import { bounded, type Estimate, type Insufficient, insufficient, type TestOptions } from './interval.ts';
import { type JointMoments, type Moments, requireJointMoments, requireMoments } from './moments.ts';
import { normal } from './normal.ts';
import { requireAlpha, requireFinite } from './precondition.ts';

/** Which part of the cheap labels is used. */
export interface PredictionPoweredOptions extends TestOptions {
  /** 1 trusts them fully (default), 0 not at all, `best` takes the weight with the least variance. */
  readonly weight?: number | 'best';
}

/** A mean sharpened by predictions, and beside it the one from true labels alone. */
export interface PredictionPoweredMean extends Estimate {
  /** The weight used. */
  readonly weight: number;
  /** Mean and standard error of the true labels alone. */
  readonly classical: { readonly estimate: number; readonly standardError: number };
}

/**
 * Mean of the truth from a few rows with true and cheap labels and many rows with cheap labels only: the mean of the cheap
 * labels plus the mean of what they miss where the truth is known. Right however bad the cheap labels are; with weight
 * `best` (asymptotically) never wider than the classical mean. To compare two variants take the difference of the two
 * means and the root of the sum of squared errors.
 * Assumes that the rows with true labels are a random sample of all rows, and some 100 of them or more (at 40 coverage is 93 %).
 * Insufficient with fewer than two rows on a side, when nothing varies, or for `best` when the cheap labels do not vary.
 * @param labelled columns [truth, cheap label], one row per unit
 * @param unlabelled cheap labels of the other rows
 * @throws RangeError when alpha is outside (0, 1), the weight is not finite, or moments cannot come from a sample.
 * @see Angelopoulos et al. 2023, Science 382; Angelopoulos, Duchi & Zrnic 2023 (PPI++), arXiv 2311.01453 (best weight)
 */
export function predictionPoweredMean(
  labelled: JointMoments,
  unlabelled: Moments,
  options: PredictionPoweredOptions,
): PredictionPoweredMean | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requireJointMoments('labelled', labelled, 2);
  requireMoments('unlabelled', unlabelled);
  if (labelled.n < 2) return insufficient('at least two rows with true labels are needed');
  if (unlabelled.n < 2) return insufficient('at least two rows with cheap labels only are needed');
  const { n } = labelled;
  const variance = (i: 0 | 1, j: 0 | 1): number => labelled.m2[i]![j]! / (n - 1);
  const cheap = unlabelled.m2 / (unlabelled.n - 1);
  let weight = options.weight ?? 1;
  if (weight === 'best') {
    const spread = variance(1, 1) / n + cheap / unlabelled.n;
    if (!(spread > 0)) return insufficient('the cheap labels do not vary, so they have no best weight');
    weight = variance(0, 1) / n / spread;
  }
  requireFinite('weight', weight);
  const missed = (variance(0, 0) - 2 * weight * variance(0, 1) + weight ** 2 * variance(1, 1)) / n;
  const standardError = Math.sqrt(Math.max(0, missed) + (weight ** 2 * cheap) / unlabelled.n);
  if (!(standardError > 0)) return insufficient('neither labels nor predictions vary, so the noise is unknown');
  const estimate = labelled.mean[0]! + weight * (unlabelled.mean - labelled.mean[1]!);
  const margin = normal.isf(alpha / 2) * standardError;
  return {
    kind: 'estimated',
    method: 'prediction-powered mean',
    estimate,
    standardError,
    interval: bounded(estimate - margin, estimate + margin),
    weight,
    classical: { estimate: labelled.mean[0]!, standardError: Math.sqrt(variance(0, 0) / n) },
  };
}
