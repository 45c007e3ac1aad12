// Is an effect beyond a limit, asked at every look and in one direction where only one counts?
import { bounded, type Insufficient, type Interval, insufficient, type TestOptions } from './interval.ts';
import { normalMixtureOf } from './mixture-martingale.ts';
import {
  refuse,
  requireAlpha,
  requireCount,
  requireFinite,
  requireNonNegative,
  requirePositive,
} from './precondition.ts';
import type { Measured } from './relative-difference.ts';
import { findRoot } from './root.ts';
import type { SequenceOptions } from './sequential.ts';

/** How a sequence is tuned. */
export interface TuningOptions extends TestOptions {
  /** `exact` makes the interval shortest at the horizon; `approximate` is a closed formula, there 0.003 % longer. */
  readonly tuning: 'exact' | 'approximate';
}

/**
 * rho, the root of the mixing variance, whose two-sided sequence is shortest at `horizon` units:
 * sqrt((-W(-alpha^2 / e) - 1) / horizon) with the lower branch of Lambert's W, or the closed form with
 * -2 ln alpha + ln(1 - 2 ln alpha).
 * @throws RangeError when alpha is outside (0, 1) or horizon is not > 0.
 * @see Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024, Annals of Statistics 52(6), appendix B.2
 */
export function tunedRho(horizon: number, options: TuningOptions): number {
  const penalty = -2 * Math.log(requireAlpha(options.alpha));
  requirePositive('horizon', horizon);
  const approximate = penalty + Math.log1p(penalty);
  if (options.tuning === 'approximate') return Math.sqrt(approximate / horizon);
  if (options.tuning !== 'exact') refuse('tuning', options.tuning, 'exact or approximate');
  // u = -W - 1 solves u - ln(1 + u) = penalty; the left side rises from 0, and falls short at u = penalty.
  const root = findRoot((u) => u - Math.log1p(u) - penalty, [penalty, 2 * approximate + 2 * Math.sqrt(penalty)]);
  return Math.sqrt(root / horizon);
}

/** A limit and the side of it that is asked about. */
export interface LimitOptions extends SequenceOptions {
  /** Evidence for an effect `above` the limit, `below` it, or `apart` from it in either direction. */
  readonly direction: 'above' | 'below' | 'apart';
  /** In units of the effect; default 0. A non-inferiority margin m is `above` -m. */
  readonly limit?: number;
  /** Default `exact`. */
  readonly tuning?: TuningOptions['tuning'];
}

/** Evidence on a limit that stays valid at every look. */
export interface WatchedLimit {
  readonly kind: 'watched';
  readonly method: string;
  readonly difference: number;
  readonly standardError: number;
  readonly limit: number;
  /** ln of the e-value against the effect being on the other side of the limit (`apart`: at it). */
  readonly logE: number;
  /** min(1, e^-logE); a running minimum over looks is valid too. */
  readonly pValue: number;
  /** Leaves the limit out exactly when pValue < alpha: a lower end for `above`, an upper for `below`, both for `apart`. */
  readonly interval: Interval;
}

/**
 * Asymptotic confidence sequence against a limit, in one direction or both. One direction spends all of alpha on one end.
 * Valid at all looks at once when estimates are near normal: begin after some 100 units a side, more where values are
 * skewed. Insufficient without units or without noise.
 * @param difference estimate and fixed-sample standard error now, and units of all variants together
 * @throws RangeError when alpha is outside (0, 1), or (0, 1/2) for one direction, horizon is not > 0, or n is no count.
 * @see Waudby-Smith et al. 2024, Annals of Statistics 52(6), theorem 2.2 (two-sided) and appendix B; the one-sided
 *   end is the mixture's own (Howard et al. 2021, section 3.2), which is never wider than their closed form
 */
export function watchLimit(
  difference: Measured & { readonly n: number },
  options: LimitOptions,
): WatchedLimit | Insufficient {
  const { direction } = options;
  const alpha = requireAlpha(options.alpha);
  const horizon = requirePositive('horizon', options.horizon);
  const limit = requireFinite('limit', options.limit ?? 0);
  const n = requireCount('difference.n', difference.n);
  const estimate = requireFinite('difference.estimate', difference.estimate);
  const standardError = requireNonNegative('difference.standardError', difference.standardError);
  if (direction !== 'above' && direction !== 'below' && direction !== 'apart') {
    refuse('direction', direction, 'above, below or apart');
  }
  const sides = direction === 'apart' ? 2 : 1;
  if (sides === 1 && alpha >= 0.5) refuse('alpha', alpha, 'in (0, 0.5) for one direction');
  if (n === 0) return insufficient('no units yet');
  if (standardError === 0) return insufficient('the difference shows no noise, so nothing can be said of its error');
  const rho = tunedRho(horizon, { alpha: sides === 2 ? alpha : 2 * alpha, tuning: options.tuning ?? 'exact' });
  const mixture = normalMixtureOf(1 / (rho * rho), sides);
  const z = ((direction === 'below' ? limit - estimate : estimate - limit) / standardError) * Math.sqrt(n);
  const logE = mixture.logE(z, n);
  const reach = (mixture.bound(n, alpha) / Math.sqrt(n)) * standardError;
  return {
    kind: 'watched',
    method: `asymptotic confidence sequence, ${sides === 2 ? 'two-sided' : 'one-sided'}`,
    difference: estimate,
    standardError,
    limit,
    logE,
    pValue: Math.min(1, Math.exp(-logE)),
    interval:
      direction === 'apart'
        ? bounded(estimate - reach, estimate + reach)
        : direction === 'above'
          ? { kind: 'lower', lower: estimate - reach }
          : { kind: 'upper', upper: estimate + reach },
  };
}
