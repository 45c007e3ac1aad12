// How noisy is one unit, by what a pilot has shown?
import { type Insufficient, insufficient } from './interval.ts';
import { type JointMoments, type Moments, requireMoments, varianceOf } from './moments.ts';
import { refuse, requireNonNegative, requirePositive } from './precondition.ts';
import { estimateQuantile, type QuantileSample } from './quantiles.ts';
import { ratioStandardError } from './ratios.ts';

/**
 * Noise of a mean per unit: its variance.
 * Insufficient with fewer than two units or when no value varies.
 * @see `varianceOf`
 */
export function meanNoise(pilot: Moments): number | Insufficient {
  requireMoments('pilot', pilot);
  if (pilot.n < 2) return insufficient('the pilot needs at least two units');
  const variance = varianceOf(pilot);
  return variance > 0 ? variance : insufficient('no value of the pilot varies, so its noise is unknown');
}

/**
 * Noise of a ratio per unit (delta method); also that of a mean of rows when the unit has several rows: then the columns
 * are sum of values and number of rows, and the noise has the clustering in it.
 * Insufficient as `ratioStandardError`, or when no unit differs.
 * @param pilot columns [numerator, denominator], one row per unit
 * @see Deng, Knoblich & Lu 2018, KDD, section 3
 */
export function ratioNoise(pilot: JointMoments): number | Insufficient {
  const standardError = ratioStandardError(pilot);
  if (typeof standardError !== 'number') return standardError;
  if (standardError === 0) return insufficient('no unit of the pilot differs from another, so its noise is unknown');
  return standardError ** 2 * pilot.n;
}

/**
 * Noise of a quantile per unit, rows of one unit belonging together.
 * Insufficient as `estimateQuantile`.
 * @throws RangeError when the sample contradicts itself.
 * @see Deng, Knoblich & Lu 2018, KDD, section 4.2
 */
export function quantileNoise(pilot: QuantileSample): number | Insufficient {
  const estimate = estimateQuantile(pilot, { alpha: 0.05 });
  return estimate.kind === 'insufficient' ? estimate : estimate.standardError ** 2 * pilot.indicator.n;
}

/**
 * Noise of a paired difference, as an `EstimateDesign` takes it for as many control as candidate units: half the variance of
 * the differences. Units per variant are then pairs.
 * Insufficient as `meanNoise`.
 * @param pilot moments of candidate - control, one value per pair
 */
export function pairNoise(pilot: Moments): number | Insufficient {
  const noise = meanNoise(pilot);
  return typeof noise === 'number' ? noise / 2 : noise;
}

/**
 * Factor by which rows of one unit that resemble each other inflate the variance of a mean of rows. Assumes one
 * correlation for all units, and values that have nothing to do with how many rows a unit has.
 * @param rows mean rows per unit (> 0), their coefficient of variation (>= 0; default 0), and the correlation of two rows
 * of one unit (in [0, 1])
 * @throws RangeError when one is out of range.
 * @see Eldridge, Ashby & Kerry 2006, International Journal of Epidemiology 35; Kish 1965 at variation 0
 */
export function designEffect(rows: {
  readonly mean: number;
  readonly variation?: number;
  readonly correlation: number;
}): number {
  requirePositive('rows.mean', rows.mean);
  const variation = requireNonNegative('rows.variation', rows.variation ?? 0);
  if (!(rows.correlation >= 0 && rows.correlation <= 1)) refuse('rows.correlation', rows.correlation, 'in [0, 1]');
  return 1 + ((variation ** 2 + 1) * rows.mean - 1) * rows.correlation;
}
