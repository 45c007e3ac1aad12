// By what share does the candidate differ from the control when the two estimates' errors are not independent?
import { bounded, type Estimate, type Insufficient, insufficient, type TestOptions } from './interval.ts';
import { type JointMoments, requireJointMoments } from './moments.ts';
import { normal } from './normal.ts';
import { refuse, requireAlpha, requireFinite, requireNonNegative, requirePositive } from './precondition.ts';
import { studentT } from './student-t.ts';

/** Two estimates and the covariance matrix of their errors. */
export interface LevelPair {
  readonly control: number;
  readonly candidate: number;
  /** Squared standard error of `control`. */
  readonly controlVariance: number;
  /** Squared standard error of `candidate`. */
  readonly candidateVariance: number;
  readonly covariance: number;
}

/** Level, and the degrees of freedom of the errors where they are known. */
export interface LiftOptions extends TestOptions {
  /** Student's t with so many degrees of freedom instead of the normal. */
  readonly df?: number;
}

/**
 * candidate / control - 1 with the delta-method standard error and Fieller's interval. Where it is
 * bounded, the interval leaves 0 out exactly when the test of candidate - control at the same level and df does.
 * Valid for near-normal estimates. The interval is `unbounded` when the control's estimate is not clear of 0 at this
 * level.
 * Insufficient when the control's estimate is 0 or nothing has any noise.
 * @throws RangeError when alpha is outside (0, 1), df is not > 0, or the variances do not make a covariance matrix.
 * @see Fieller 1954, JRSS B 16(2)
 */
export function relativeLift(pair: LevelPair, options: LiftOptions): Estimate | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const { control, candidate, covariance } = pair;
  requireFinite('control', control);
  requireFinite('candidate', candidate);
  const before = requireNonNegative('controlVariance', pair.controlVariance);
  const after = requireNonNegative('candidateVariance', pair.candidateVariance);
  requireFinite('covariance', covariance);
  if (covariance ** 2 > before * after * (1 + 1e-9)) refuse('covariance', covariance, 'at most both standard errors');
  if (control === 0) return insufficient('control is 0, so no share of it can be taken');
  const ratio = candidate / control;
  const variance = Math.max(0, after - 2 * ratio * covariance + ratio * ratio * before);
  const standardError = Math.sqrt(variance) / Math.abs(control);
  if (!(standardError > 0)) return insufficient('neither variant shows any noise, so the interval cannot be made');
  const reference = options.df === undefined ? normal : studentT(requirePositive('df', options.df));
  const quantile = reference.isf(alpha / 2);
  // All in units of the control, so that its scale cannot overflow a square.
  const g = (quantile * quantile * before) / control / control;
  const cross = (quantile * quantile * covariance) / control / control;
  const own = (quantile * quantile * after) / control / control;
  // (ratio - cross)^2 - (1 - g)(ratio^2 - own) with the squares of the ratio already taken away.
  const inside = own - 2 * ratio * cross + g * ratio * ratio - (g * own - cross * cross);
  const half = Math.sqrt(Math.max(0, inside)) / (1 - g);
  const centre = (ratio - cross) / (1 - g);
  return {
    kind: 'estimated',
    method: "relative difference with Fieller's interval",
    estimate: ratio - 1,
    standardError,
    interval: g >= 1 ? { kind: 'unbounded' } : bounded(centre - half - 1, centre + half - 1),
  };
}

/**
 * Relative difference of means of pairs: the same inputs answered by both models, or one unit before and after.
 * Insufficient with fewer than two pairs, and as in `relativeLift`.
 * @param pairs columns [control, candidate], one row per pair
 * @throws RangeError when alpha is outside (0, 1) or moments cannot come from a sample.
 * @see Fieller 1954, with the covariance of the two columns' means and n - 1 degrees of freedom
 */
export function relativeLiftOfPairs(pairs: JointMoments, options: TestOptions): Estimate | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requireJointMoments('pairs', pairs, 2);
  const { n, mean, m2 } = pairs;
  if (n < 2) return insufficient(n === 0 ? 'no pairs yet' : 'one pair; a spread needs at least two');
  const scale = 1 / (n - 1) / n;
  return relativeLift(
    {
      control: mean[0]!,
      candidate: mean[1]!,
      controlVariance: m2[0]![0]! * scale,
      candidateVariance: m2[1]![1]! * scale,
      covariance: m2[0]![1]! * scale,
    },
    { alpha, df: n - 1 },
  );
}
