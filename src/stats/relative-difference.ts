// By what share does the candidate differ from the control, and how sure is that?
import {
  bounded,
  type Estimate,
  type Insufficient,
  type Interval,
  insufficient,
  type TestOptions,
} from './interval.ts';
import { normal } from './normal.ts';
import { requireAlpha, requireFinite, requireNonNegative } from './precondition.ts';

/** An estimate and its standard error, independent of the other side's. */
export interface Measured {
  readonly estimate: number;
  /** >= 0 */
  readonly standardError: number;
}

/**
 * candidate / control - 1, with the delta-method standard error and Fieller's interval. Assumes independent,
 * near-normal estimates.
 * The interval is `unbounded` when the control's estimate is not clear of 0 at this level: then no share is ruled out.
 * Insufficient when the control's estimate is 0 or neither side has any noise.
 * @throws RangeError when alpha is outside (0, 1) or a standard error is negative.
 * @see Fieller 1954, JRSS B 16; Deng, Knoblich & Lu 2018, KDD
 */
export function relativeDifference(
  control: Measured,
  candidate: Measured,
  options: TestOptions,
): Estimate | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requireMeasured('control', control);
  requireMeasured('candidate', candidate);
  if (control.estimate === 0) return insufficient('control is 0, so no share of it can be taken');
  const ratio = candidate.estimate / control.estimate;
  const standardError = Math.hypot(candidate.standardError, ratio * control.standardError) / Math.abs(control.estimate);
  if (!(standardError > 0)) return insufficient('neither variant shows any noise, so the interval cannot be made');
  return {
    kind: 'estimated',
    method: "relative difference with Fieller's interval",
    estimate: ratio - 1,
    standardError,
    interval: fieller(control, candidate, normal.isf(alpha / 2)),
  };
}

/** All ratios r with |candidate - r control| <= z se(candidate - r control), minus 1. */
function fieller(control: Measured, candidate: Measured, z: number): Interval {
  const g = ((z * control.standardError) / control.estimate) ** 2;
  if (g >= 1) return { kind: 'unbounded' };
  const ratio = candidate.estimate / control.estimate;
  const spread = candidate.standardError / control.estimate;
  const controlSpread = control.standardError / control.estimate;
  const centre = ratio / (1 - g);
  const half = (z * Math.sqrt(spread ** 2 * (1 - g) + ratio ** 2 * controlSpread ** 2)) / (1 - g);
  return bounded(centre - half - 1, centre + half - 1);
}

/** Checks a measurement. @throws RangeError unless the estimate is finite and the standard error finite and >= 0. */
export function requireMeasured(name: string, value: Measured): void {
  requireFinite(`${name}.estimate`, value.estimate);
  requireNonNegative(`${name}.standardError`, value.standardError);
}
