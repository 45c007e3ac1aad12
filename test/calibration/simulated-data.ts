// Which hard data do the calibrations draw, and what is true of them?
import { type Insufficient, type Interval, type Moments, momentsOf, type Random } from '../../src/stats/index.ts';
import type { Outcome } from './calibration-case.ts';

/** Log-scale spread of the skewed revenues: skewness 33, one unit in a hundred holds a fifth of the money. */
export const revenueSigma = 1.5;

/** Mean of one unit's revenue. */
export const revenueMean: number = Math.exp(revenueSigma ** 2 / 2);

/** One unit's log-normal revenue. */
export function drawRevenue(random: Random): number {
  return Math.exp(revenueSigma * random.normal());
}

/** `n` values, one per unit. */
export function drawMany(random: Random, n: number, draw: (random: Random) => number): number[] {
  return Array.from({ length: n }, () => draw(random));
}

/** Moments of `n` values, one per unit. */
export function drawMoments(random: Random, n: number, draw: (random: Random) => number): Moments {
  return momentsOf(drawMany(random, n, draw));
}

/** Successes among `n` trials of probability `p`. */
export function drawSuccesses(random: Random, n: number, p: number): number {
  let hits = 0;
  if (p > 0.1) {
    for (let i = 0; i < n; i += 1) if (random.uniform() < p) hits += 1;
    return hits;
  }
  // Jumps from success to success (geometric gaps) instead of n single trials.
  const gap = (): number => Math.floor(Math.log1p(-random.uniform()) / Math.log1p(-p));
  for (let at = gap(); at < n; at += 1 + gap()) hits += 1;
  return hits;
}

/** A two-sided test's answer as a false alarm at this level. */
export function rejects(
  result: { readonly kind: string; readonly pValue?: number } | Insufficient,
  alpha: number,
): Outcome {
  return 'pValue' in result && result.pValue !== undefined ? result.pValue < alpha : null;
}

/** Whether an answer's interval holds the truth. */
export function covers(result: { readonly interval: Interval } | Insufficient, truth: number): Outcome {
  return 'interval' in result ? holds(result.interval, truth) : null;
}

/** Whether an interval holds the truth; the ends belong to it. */
export function holds(interval: Interval, truth: number): boolean {
  // Ends at 0 or 1 are computed to some digits only.
  const slack = 1e-12;
  if (interval.kind === 'unbounded') return true;
  const isAbove = interval.kind === 'upper' || interval.lower <= truth + slack;
  return isAbove && (interval.kind === 'lower' || truth - slack <= interval.upper);
}
