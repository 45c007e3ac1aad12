// What may be said while the test runs, looked at as often as one likes?

import { bounded, type Insufficient, type Interval, insufficient, type TestOptions } from './interval.ts';
import { refuse, requireAlpha, requireCount, requireFinite, requirePositive } from './precondition.ts';
import type { Measured } from './relative-difference.ts';

/** A result that stays valid at every look. */
export interface SequentialResult {
  readonly kind: 'watched';
  readonly method: string;
  readonly difference: number;
  readonly standardError: number;
  /** ln of the e-value: evidence against no difference; above ln(1 / alpha) rejects. */
  readonly logE: number;
  /** min(1, e^-logE); a running minimum over looks is valid too. */
  readonly pValue: number;
  /** Leaves 0 out exactly when pValue < alpha. */
  readonly interval: Interval;
}

/** When the sequence is to be tightest. */
export interface SequenceOptions extends TestOptions {
  /** Units of both variants together at which the interval is to be shortest, > 0; valid at any other number too. */
  readonly horizon: number;
}

/**
 * Asymptotic confidence sequence of a difference, valid at all looks at once (two-sided).
 * Valid once estimates are near-normal; begin looking after some 100 units a side.
 * Insufficient without units or without noise.
 * @param difference estimate and fixed-sample standard error now
 * @param n units of both variants together now
 * @throws RangeError when alpha is outside (0, 1), horizon is not > 0, or n is not a whole number >= 0.
 * @see Waudby-Smith et al. 2024, Annals of Statistics 52(6), eq. 8 and appendix B.2 (rho tuned to a horizon)
 */
export function watchDifference(
  difference: Measured & { readonly n: number },
  options: SequenceOptions,
): SequentialResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requirePositive('horizon', options.horizon);
  requireCount('difference.n', difference.n);
  if (difference.n === 0) return insufficient('no units yet');
  const rhoSquared = (-2 * Math.log(alpha) + Math.log(-2 * Math.log(alpha) + 1)) / options.horizon;
  return mixture('asymptotic confidence sequence', difference, { alpha, spread: difference.n * rhoSquared });
}

/** What effects the test is tuned to. */
export interface MixtureOptions extends TestOptions {
  /** Variance of the normal mixing distribution over the difference, > 0: the square of a typical effect. */
  readonly mixingVariance: number;
}

/**
 * Mixture sequential probability ratio test of a difference: always-valid p-value and interval. Valid once estimates
 * are near normal; begin looking after some 100 units a side. Insufficient without noise.
 * @throws RangeError when alpha is outside (0, 1) or mixingVariance is not > 0.
 * @see Johari, Koomen, Pekelis & Walsh 2017 KDD; 2022 Operations Research 70(3)
 */
export function mixtureSprt(difference: Measured, options: MixtureOptions): SequentialResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requirePositive('mixingVariance', options.mixingVariance);
  const spread = options.mixingVariance / difference.standardError ** 2;
  return mixture('mixture sequential probability ratio test', difference, { alpha, spread });
}

/** The normal mixture both share: ln e = z^2 s / (2 (s + 1)) - ln(1 + s) / 2, s = mixing over estimation variance. */
function mixture(
  method: string,
  measured: Measured,
  options: { readonly alpha: number; readonly spread: number },
): SequentialResult | Insufficient {
  const { alpha, spread } = options;
  const { estimate, standardError } = measured;
  requireFinite('difference.estimate', estimate);
  if (!(Number.isFinite(standardError) && standardError >= 0)) {
    refuse('difference.standardError', standardError, 'finite and >= 0');
  }
  if (standardError === 0) return insufficient('the difference shows no noise, so nothing can be said of its error');
  const z = estimate / standardError;
  const logE = (z * z * spread) / (2 * (spread + 1)) - Math.log1p(spread) / 2;
  const half = standardError * Math.sqrt(((2 * (spread + 1)) / spread) * (Math.log1p(spread) / 2 - Math.log(alpha)));
  return {
    kind: 'watched',
    method,
    difference: estimate,
    standardError,
    logE,
    pValue: Math.min(1, Math.exp(-logE)),
    interval: bounded(estimate - half, estimate + half),
  };
}
