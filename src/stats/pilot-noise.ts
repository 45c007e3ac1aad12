// How noisy is one unit, by what a pilot has shown?
import { type Insufficient, insufficient } from './interval.ts';
import { type JointMoments, type Moments, requireMoments, varianceOf } from './moments.ts';
import { refuse, requireNonNegative, requirePositive } from './precondition.ts';
import { ratioStandardError } from './ratios.ts';

/**
 * Noise of a mean per unit: its variance.
 * Insufficient with fewer than two units or when no value varies.
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
 * @see Deng, Knoblich & Lu 2018, eq. 4
 */
export function ratioNoise(pilot: JointMoments): number | Insufficient {
  const standardError = ratioStandardError(pilot);
  if (typeof standardError !== 'number') return standardError;
  if (standardError === 0) return insufficient('no unit of the pilot differs from another, so its noise is unknown');
  return standardError ** 2 * pilot.n;
}

/**
 * Factor by which rows of one unit that resemble each other inflate the variance of a mean of rows.
 * @param rows mean rows per unit (> 0), their coefficient of variation (>= 0; default 0), and the correlation of two rows
 * of one unit (in [0, 1])
 * @throws RangeError when one is out of range.
 * @see Eldridge, Ashby & Kerry 2006, International Journal of Epidemiology 35, eq. 2; Kish 1965 at variation 0
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
