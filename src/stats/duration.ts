// How long must a test run, given the traffic, and given what it has shown so far?

import { normal } from './normal.ts';
import { requireAim, type Units } from './power.ts';
import { refuse, requireAlpha, requireFinite, requirePositive } from './precondition.ts';
import { findRisingRoot } from './root.ts';
import { watchDifference } from './sequential.ts';

/** Traffic that a test gets. */
export interface Traffic {
  /** New units a day that the test could take, > 0. Units that return are not new. */
  readonly unitsPerDay: number;
  /** Share of them sent to the control, in (0, 1). */
  readonly controlShare: number;
  /** Share of them sent to the candidate, in (0, 1); both together at most 1. */
  readonly candidateShare: number;
  /** Days an outcome takes to become known, >= 0; default 0. */
  readonly outcomeDays?: number;
  /** Round up to full weeks, so that every weekday counts alike; default false. */
  readonly wholeWeeks?: boolean;
}

/**
 * Days until both variants have their units and the last outcomes are known, a whole number.
 * Assumes as many new units each day; with returning visitors the flow of new units falls, and it takes longer.
 * @throws RangeError when an argument is out of range.
 */
export function daysForUnits(units: Units, traffic: Traffic): number {
  requirePositive('units.control', units.control);
  requirePositive('units.candidate', units.candidate);
  requirePositive('unitsPerDay', traffic.unitsPerDay);
  for (const name of ['controlShare', 'candidateShare'] as const) {
    if (!(traffic[name] > 0 && traffic[name] < 1)) refuse(name, traffic[name], 'in (0, 1)');
  }
  const { controlShare, candidateShare } = traffic;
  if (controlShare + candidateShare > 1 + 1e-12) refuse('sum of shares', controlShare + candidateShare, 'at most 1');
  const outcomeDays = traffic.outcomeDays ?? 0;
  if (!(Number.isFinite(outcomeDays) && outcomeDays >= 0)) refuse('outcomeDays', outcomeDays, 'finite and >= 0');
  const longest = Math.max(units.control / controlShare, units.candidate / candidateShare) / traffic.unitsPerDay;
  // A size that came out a rounding error above a whole day is that day.
  const days = Math.ceil(longest - 1e-9 * longest) + outcomeDays;
  return traffic.wholeWeeks === true ? Math.ceil(days / 7) * 7 : Math.ceil(days);
}

/** Where a running test stands: the difference to be seen and the standard error now. */
export interface Standing {
  /** > 0 */
  readonly distance: number;
  /** > 0 */
  readonly standardError: number;
}

/**
 * Factor by which the units must grow until `watchDifference` decides with the wished power at that look.
 * It counts what the one last look sees; stopping earlier at a lucky look only adds power.
 * @param now with `n`, the units of both variants together now (> 0)
 * @throws RangeError when an argument is out of range.
 * @see Waudby-Smith et al. 2024, Annals of Statistics 52(6), eq. 8
 */
export function growthToDecideWatched(
  now: Standing & { readonly n: number },
  aim: { readonly alpha: number; readonly power: number; readonly horizon: number },
): number {
  requireAim(aim, requireAlpha(aim.alpha));
  requirePositive('now.distance', now.distance);
  requirePositive('now.standardError', now.standardError);
  requirePositive('now.n', now.n);
  const z = normal.quantile(aim.power);
  const reached = (factor: number): number => {
    const n = Math.max(1, Math.round(now.n * factor));
    const watched = watchDifference({ estimate: 0, standardError: 1, n }, { alpha: aim.alpha, horizon: aim.horizon });
    const half = watched.kind === 'watched' && watched.interval.kind === 'bounded' ? watched.interval.upper : Infinity;
    return (now.distance / now.standardError) * Math.sqrt(n / now.n) - half - z;
  };
  return findRisingRoot(reached, { from: 1 / now.n, reach: 1 });
}

/**
 * Units of a test watched by `watchDifference` over those of the fixed test, for `EstimateDesign.inflation`: at the last look,
 * when the sequence is tuned to it. Some 1.9 for alpha 0.05 and power 0.8; stopping earlier at a lucky look gives some back.
 * @throws RangeError when alpha is outside (0, 1) or power outside (alpha, 1).
 * @see Waudby-Smith et al. 2024, Annals of Statistics 52(6), eq. 8
 */
export function watchedInflation(aim: { readonly alpha: number; readonly power: number }): number {
  requireAim(aim, requireAlpha(aim.alpha));
  // Tuned to the look itself the width depends on alpha alone.
  const watched = watchDifference({ estimate: 0, standardError: 1, n: 1 }, { alpha: aim.alpha, horizon: 1 });
  if (watched.kind !== 'watched' || watched.interval.kind !== 'bounded')
    return refuse('alpha', aim.alpha, 'attainable');
  const z = normal.quantile(aim.power);
  return ((watched.interval.upper + z) / (normal.isf(aim.alpha / 2) + z)) ** 2;
}

/**
 * Factor by which the units must grow until the credible interval under a normal prior leaves 0 out with the wished
 * power, the true effect being `distance`. A prior that leans towards the effect needs fewer units, one against it more.
 * @param now the prior on the same scale as the distance
 * @throws RangeError when an argument is out of range.
 * @see Spiegelhalter, Abrams & Myles 2004, Bayesian Approaches to Clinical Trials (hybrid power)
 */
export function growthToDecideWithPrior(
  now: Standing & { readonly prior: { readonly mean: number; readonly standardDeviation: number } },
  aim: { readonly alpha: number; readonly power: number },
): number {
  requireAim(aim, requireAlpha(aim.alpha));
  requirePositive('now.distance', now.distance);
  const variance = requirePositive('now.standardError', now.standardError) ** 2;
  requireFinite('now.prior.mean', now.prior.mean);
  const precision = requirePositive('now.prior.standardDeviation', now.prior.standardDeviation) ** -2;
  const z = normal.isf(aim.alpha / 2);
  const quantile = normal.quantile(aim.power);
  const missing = (factor: number): number => {
    const data = factor / variance;
    // The posterior mean is (prior + data) / total; it must exceed z posterior deviations.
    const centre = precision * now.prior.mean + data * now.distance;
    return (centre - z * Math.sqrt(precision + data)) / Math.sqrt(data) - quantile;
  };
  return findRisingRoot(missing, { from: 1e-12, reach: 1 });
}
