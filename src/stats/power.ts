// How many units does a test need, and what can it see with those it gets?
import { gamma } from './gamma.ts';
import { logGammaKernel } from './gamma-function.ts';
import { normal } from './normal.ts';
import { refuse, requireAlpha, requireFinite, requirePositive } from './precondition.ts';
import { studentT } from './student-t.ts';

/** Units per variant; need not be whole. */
export interface Units {
  readonly control: number;
  readonly candidate: number;
}

/** A difference of two means to be seen with a t-test. */
export interface MeansDesign {
  /** The difference that matters; its sign does not. */
  readonly difference: number;
  /** Of single units, the same in both variants, > 0. */
  readonly standardDeviation: number;
  /** Two-sided, in (0, 1). */
  readonly alpha: number;
}

/** Two rates to be told apart with the pooled z-test. */
export interface ProportionsDesign {
  /** In (0, 1). */
  readonly control: number;
  /** In (0, 1). */
  readonly candidate: number;
  /** Two-sided, in (0, 1). */
  readonly alpha: number;
}

/** What a size calculation aims at. */
export interface Aim {
  /** Chance of seeing the difference when it is there, in (0, 1). */
  readonly power: number;
  /** Candidate's share of the units, in (0, 1); default 0.5. */
  readonly share?: number;
}

/**
 * Power of a two-sided t-test of means, the wrong-side rejections left out. Assumes near-normal means of one variance;
 * with unequal variances on an uneven split it is the pooled test's, not Welch's.
 * @throws RangeError when a group has fewer than two units or an argument is out of range.
 * @see Cohen 1988, chapter 2, with the exact noncentral t
 */
export function powerOfMeans(design: MeansDesign, units: Units): number {
  const { effect, alpha } = requireMeans(design);
  for (const name of ['control', 'candidate'] as const) {
    if (!(Number.isFinite(units[name]) && units[name] >= 2)) refuse(`units.${name}`, units[name], '>= 2');
  }
  const df = units.control + units.candidate - 2;
  return noncentralUpper(studentT(df).isf(alpha / 2), df, effect / Math.sqrt(1 / units.control + 1 / units.candidate));
}

/**
 * Units per variant that give a t-test of means the wished power.
 * @throws RangeError when an argument is out of range or the difference is 0.
 * @see as `powerOfMeans`
 */
export function unitsForMeans(design: MeansDesign, aim: Aim): Units {
  const { effect } = requireMeans(design);
  if (effect === 0) refuse('difference', design.difference, 'other than 0');
  const share = requireAim(aim, design.alpha);
  const at = (total: number): Units => ({ control: total * (1 - share), candidate: total * share });
  const least = 2 / Math.min(share, 1 - share);
  const total = solveRising((n) => powerOfMeans(design, at(n)) - aim.power, least);
  return at(total);
}

/**
 * Smallest difference of means that a t-test with these units sees with the wished power.
 * @throws RangeError when an argument is out of range.
 * @see as `powerOfMeans`
 */
export function detectableDifference(
  design: Omit<MeansDesign, 'difference'>,
  aim: { readonly power: number; readonly units: Units },
): number {
  requireAim(aim, requireAlpha(design.alpha));
  return solveRising((difference) => powerOfMeans({ ...design, difference }, aim.units) - aim.power, 0);
}

/**
 * Power of the pooled z-test of two rates, the wrong-side rejections left out. Valid from some five expected events
 * (and as many non-events) a side.
 * @throws RangeError when a rate is outside (0, 1) or units are not > 0.
 * @see Fleiss, Levin & Paik 2003, eq. 4.14 without the continuity correction
 */
export function powerOfProportions(design: ProportionsDesign, units: Units): number {
  const { pooled, own, gap, z } = proportionsParts(design, units);
  return normal.cdf((gap - z * pooled) / own);
}

/**
 * Units per variant that give the pooled z-test of two rates the wished power.
 * @throws RangeError when an argument is out of range or the rates are equal.
 * @see Fleiss, Levin & Paik 2003, section 4.2, unequal sizes
 */
export function unitsForProportions(design: ProportionsDesign, aim: Aim): Units {
  const share = requireAim(aim, design.alpha);
  const one = { control: 1 - share, candidate: share };
  const { pooled, own, gap, z } = proportionsParts(design, one);
  if (gap === 0) refuse('candidate', design.candidate, `other than control's ${design.control}`);
  const total = ((z * pooled + normal.quantile(aim.power) * own) / gap) ** 2;
  return { control: total * one.control, candidate: total * one.candidate };
}

/**
 * Factor by which a test of any metric must grow to decide: the current standard error shrinks with the root of it.
 * Assumes a near-normal estimate whose noise per unit stays what it is now.
 * @param now distance between estimate and limit, and its standard error with the units so far
 * @param aim power 0.5 makes the interval just touch the limit if the estimate stays
 * @throws RangeError when distance or standard error is not > 0, or alpha or power is out of range.
 */
export function growthToDecide(
  now: { readonly distance: number; readonly standardError: number },
  aim: { readonly alpha: number; readonly power: number },
): number {
  const distance = requirePositive('distance', now.distance);
  const standardError = requirePositive('standardError', now.standardError);
  requireAim(aim, requireAlpha(aim.alpha));
  return (((normal.isf(aim.alpha / 2) + normal.quantile(aim.power)) * standardError) / distance) ** 2;
}

function proportionsParts(
  design: ProportionsDesign,
  units: Units,
): { pooled: number; own: number; gap: number; z: number } {
  const z = normal.isf(requireAlpha(design.alpha) / 2);
  for (const name of ['control', 'candidate'] as const) {
    if (!(design[name] > 0 && design[name] < 1)) refuse(name, design[name], 'in (0, 1)');
    requirePositive(`units.${name}`, units[name]);
  }
  const { control: p, candidate: q } = design;
  const mixed = (p * units.control + q * units.candidate) / (units.control + units.candidate);
  return {
    pooled: Math.sqrt(mixed * (1 - mixed) * (1 / units.control + 1 / units.candidate)),
    own: Math.sqrt((p * (1 - p)) / units.control + (q * (1 - q)) / units.candidate),
    gap: Math.abs(q - p),
    z,
  };
}

function requireMeans(design: MeansDesign): { effect: number; alpha: number } {
  requireFinite('difference', design.difference);
  requirePositive('standardDeviation', design.standardDeviation);
  return { effect: Math.abs(design.difference) / design.standardDeviation, alpha: requireAlpha(design.alpha) };
}

/** Returns the share. @throws RangeError unless share is in (0, 1) and power in (alpha / 2, 1). */
export function requireAim(aim: Aim, alpha: number): number {
  const share = aim.share ?? 0.5;
  if (!(share > 0 && share < 1)) refuse('share', share, 'in (0, 1)');
  // Below alpha / 2 there is nothing to solve: no units at all have that power.
  if (!(aim.power > alpha / 2 && aim.power < 1))
    refuse('power', aim.power, `in (alpha / 2, 1), here (${alpha / 2}, 1)`);
  return share;
}

/** P(T' > t) of the noncentral t: the normal tail averaged over the chi distribution of the scale. */
function noncentralUpper(t: number, df: number, shift: number): number {
  const half = gamma(df / 2);
  const low = Math.log(half.quantile(1e-20));
  const high = Math.log(half.isf(1e-20));
  // The trapezoid rule converges faster than any power of the step on a bell that has vanished at both ends.
  const steps = 300;
  const width = (high - low) / steps;
  let sum = 0;
  let mass = 0;
  for (let i = 0; i <= steps; i += 1) {
    const x = Math.exp(low + i * width);
    const weight = Math.exp(logGammaKernel(df / 2, x));
    mass += weight;
    sum += weight * normal.sf(t * Math.sqrt((2 * x) / df) - shift);
  }
  return sum / mass;
}

/** x > from where a rising function crosses 0. */
function solveRising(f: (x: number) => number, from: number): number {
  if (f(from === 0 ? Number.MIN_VALUE : from) >= 0) return from;
  let low = from;
  let high = Math.max(1, 2 * from);
  while (f(high) < 0) {
    low = high;
    high *= 2;
  }
  for (let step = 0; step < 200 && high - low > 4e-16 * high; step += 1) {
    const middle = low + (high - low) / 2;
    if (middle === low || middle === high) break;
    if (f(middle) < 0) low = middle;
    else high = middle;
  }
  return high;
}
