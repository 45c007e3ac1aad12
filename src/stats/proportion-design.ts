// Which rates can be told apart with given units, and how many units does a margin between two rates need?

import { type Insufficient, insufficient } from './interval.ts';
import { normal } from './normal.ts';
import { type Aim, type ProportionsDesign, powerOfProportions, requireAim, type Units } from './power.ts';
import { refuse, requireAlpha, requirePositive } from './precondition.ts';
import { constrainedRate } from './proportions.ts';
import { findRoot } from './root.ts';

/** Two rates, and how far below the control the candidate may lie (higher counts as better). */
export interface RateMarginDesign {
  /** True rate of the control to plan for, in (0, 1). */
  readonly control: number;
  /** True rate of the candidate to plan for, in (0, 1). */
  readonly candidate: number;
  /** > 0: candidate <= control - margin is what is to be refuted. */
  readonly margin: number;
  /** One-sided, in (0, 1). */
  readonly alpha: number;
  /** Units of the watched test over those of the fixed one, >= 1; default 1. */
  readonly inflation?: number;
}

/**
 * The rate nearest to the control's, on the wished side, that the pooled z-test tells from it with the wished power.
 * Insufficient when even the end of the range is not told apart with so few units.
 * @param design control's rate and two-sided level
 * @throws RangeError when an argument is out of range.
 * @see Fleiss, Levin & Paik 2003, eq. 4.14, solved for the second rate
 */
export function detectableProportion(
  design: Omit<ProportionsDesign, 'candidate'>,
  aim: { readonly power: number; readonly units: Units; readonly side?: 'above' | 'below' },
): number | Insufficient {
  requireAim(aim, requireAlpha(design.alpha));
  const side = aim.side ?? 'above';
  const missing = (candidate: number): number => powerOfProportions({ ...design, candidate }, aim.units) - aim.power;
  const end = side === 'above' ? 1 - 2 ** -53 : Number.MIN_VALUE;
  if (missing(end) < 0) return insufficient(`with so few units no rate ${side} the control's is told apart from it`);
  return findRoot(missing, [design.control, end]);
}

/**
 * Power of the score test that the candidate's rate is not below control - margin. A normal approximation: rough below
 * some five expected events a side.
 * @throws RangeError when a rate is outside (0, 1), the margin is not > 0, or units are not > 0.
 * @see Farrington & Manning 1990, Statistics in Medicine 9 (variance at the margin by maximum likelihood)
 */
export function powerOfRateMargin(design: RateMarginDesign, units: Units): number {
  const { atMargin, own, gap, z } = partsOf(design, units);
  return normal.cdf((gap - z * atMargin) / own);
}

/**
 * Units per variant that give that test the wished power.
 * @throws RangeError as `powerOfRateMargin`, and when the true difference is at or below -margin.
 * @see Farrington & Manning 1990, eq. 4
 */
export function unitsForRateMargin(design: RateMarginDesign, aim: Aim): Units {
  const share = requireAim(aim, Math.min(1, 2 * requireAlpha(design.alpha)));
  const one = { control: 1 - share, candidate: share };
  const { atMargin, own, gap, z } = partsOf(design, one);
  if (!(gap > 0)) refuse('candidate', design.candidate, `above control - margin, ${design.control - design.margin}`);
  const total = ((z * atMargin + normal.quantile(aim.power) * own) / gap) ** 2;
  return { control: total * one.control, candidate: total * one.candidate };
}

function partsOf(
  design: RateMarginDesign,
  units: Units,
): { readonly atMargin: number; readonly own: number; readonly gap: number; readonly z: number } {
  const z = normal.isf(requireAlpha(design.alpha));
  for (const name of ['control', 'candidate'] as const) {
    if (!(design[name] > 0 && design[name] < 1)) refuse(name, design[name], 'in (0, 1)');
    requirePositive(`units.${name}`, units[name]);
  }
  if (!(design.margin > 0 && design.margin < 1)) refuse('margin', design.margin, 'in (0, 1)');
  const inflation = design.inflation ?? 1;
  if (!(Number.isFinite(inflation) && inflation >= 1)) refuse('inflation', inflation, '>= 1');
  const { control: p, candidate: q, margin } = design;
  const held = constrainedRate(
    { successes: p * units.control, n: units.control },
    { successes: q * units.candidate, n: units.candidate },
    -margin,
  );
  const deviation = (a: number, b: number): number =>
    Math.sqrt(inflation * ((a * (1 - a)) / units.control + (b * (1 - b)) / units.candidate));
  return { atMargin: deviation(held, held - margin), own: deviation(p, q), gap: q - p + margin, z };
}
