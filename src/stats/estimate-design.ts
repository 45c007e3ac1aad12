// How many units does a decision about any estimate need, when a pilot has shown how noisy one unit is?

import { type Insufficient, insufficient } from './interval.ts';
import { normal } from './normal.ts';
import { type Aim, requireAim, type Units } from './power.ts';
import { refuse, requireAlpha, requireFinite, requirePositive } from './precondition.ts';
import { findRisingRoot } from './root.ts';

/** What is to be shown. A margin is > 0, in the unit of the effect; higher counts as better. */
export type Goal =
  | { readonly kind: 'difference' }
  | { readonly kind: 'non-inferiority'; readonly margin: number }
  | { readonly kind: 'equivalence'; readonly margin: number };

/** A decision about candidate - control with a normal estimate. */
export interface EstimateDesign {
  /** True candidate - control to plan for. */
  readonly effect: number;
  /** Squared standard error of one side's estimate times its units, > 0; from a pilot by `meanNoise`, `ratioNoise`. */
  readonly noise: number | Units;
  /** Two-sided for `difference`; one-sided for the margins (0.05 goes with a 90 % interval). */
  readonly alpha: number;
  /** Default `{kind: 'difference'}`. */
  readonly goal?: Goal;
  /** Units of the watched test over those of the fixed one, >= 1; default 1. The planned units are the watched test's. */
  readonly inflation?: number;
}

/**
 * Power of the decision with these units, in [0, 1]. For `difference` the rejections on the wrong side are left out.
 * Valid where the estimate is near normal; for few units use `powerOfMeans`, for rates the exact-variance forms.
 * @throws RangeError when an argument is out of range.
 * @see Chow, Shao & Wang 2008, Sample Size Calculations, chapter 3; Schuirmann 1987 (two one-sided tests)
 */
export function powerOfEstimate(design: EstimateDesign, units: Units): number {
  requireFinite('effect', design.effect);
  const alpha = requireAlpha(design.alpha);
  const noise = noiseOf(design);
  const inflation = inflationOf(design);
  requirePositive('units.control', units.control);
  requirePositive('units.candidate', units.candidate);
  const se = Math.sqrt(inflation * (noise.control / units.control + noise.candidate / units.candidate));
  const goal = goalOf(design);
  if (goal.kind === 'difference') return normal.cdf(Math.abs(design.effect) / se - normal.isf(alpha / 2));
  const z = normal.isf(alpha);
  const above = (goal.margin + design.effect) / se - z;
  if (goal.kind === 'non-inferiority') return normal.cdf(above);
  const below = (goal.margin - design.effect) / se - z;
  // Both one-sided tests reject when the estimate falls between their limits, if those leave room.
  return above + below <= 0 ? 0 : Math.max(0, normal.cdf(above) - normal.sf(below));
}

/**
 * Units per variant that give the decision the wished power.
 * @throws RangeError when an argument is out of range, or no number of units can show it (no effect; effect at or beyond
 * the margin).
 * @see as `powerOfEstimate`
 */
export function unitsForEstimate(design: EstimateDesign, aim: Aim): Units {
  const goal = goalOf(design);
  const alpha = requireAlpha(design.alpha);
  const share = requireAim(aim, goal.kind === 'difference' ? alpha : 2 * alpha);
  requireFinite('effect', design.effect);
  if (goal.kind === 'difference' && design.effect === 0) refuse('effect', 0, 'other than 0');
  if (goal.kind !== 'difference' && design.effect <= -goal.margin)
    refuse('effect', design.effect, `above -${goal.margin}`);
  if (goal.kind === 'equivalence' && design.effect >= goal.margin)
    refuse('effect', design.effect, `below ${goal.margin}`);
  const noise = noiseOf(design);
  const perTotal = inflationOf(design) * (noise.control / (1 - share) + noise.candidate / share);
  const at = (total: number): Units => ({ control: total * (1 - share), candidate: total * share });
  if (goal.kind !== 'equivalence') {
    const gap = goal.kind === 'difference' ? Math.abs(design.effect) : goal.margin + design.effect;
    const z = normal.isf(goal.kind === 'difference' ? alpha / 2 : alpha) + normal.quantile(aim.power);
    return at((z / gap) ** 2 * perTotal);
  }
  const first = perTotal / goal.margin ** 2;
  const missing = (total: number): number => powerOfEstimate(design, at(total)) - aim.power;
  return at(findRisingRoot(missing, { from: first * 1e-9, reach: first }));
}

/**
 * Smallest effect > 0 that the test of a difference sees with the wished power.
 * @throws RangeError when an argument is out of range.
 * @see as `powerOfEstimate`
 */
export function detectableEffect(
  design: Omit<EstimateDesign, 'effect' | 'goal'>,
  aim: { readonly power: number; readonly units: Units },
): number {
  requireAim(aim, requireAlpha(design.alpha));
  const noise = noiseOf(design);
  requirePositive('units.control', aim.units.control);
  requirePositive('units.candidate', aim.units.candidate);
  const se = Math.sqrt(
    inflationOf(design) * (noise.control / aim.units.control + noise.candidate / aim.units.candidate),
  );
  return (normal.isf(design.alpha / 2) + normal.quantile(aim.power)) * se;
}

/**
 * Smallest relative rise (candidate / control - 1) that the test of a relative difference sees with the wished power.
 * The noise of a relative difference grows with the rise itself, so there may be none: insufficient then, or when the
 * mean is 0.
 * @param baseline control's mean and noise per unit, taken for both sides
 * @throws RangeError when an argument is out of range.
 * @see Deng, Knoblich & Lu 2018, KDD (variance of the ratio of means); solved for the rise it is a quadratic
 */
export function detectableLift(
  baseline: { readonly mean: number; readonly noise: number; readonly alpha: number },
  aim: { readonly power: number; readonly units: Units },
): number | Insufficient {
  requireFinite('mean', baseline.mean);
  requirePositive('noise', baseline.noise);
  requireAim(aim, requireAlpha(baseline.alpha));
  requirePositive('units.control', aim.units.control);
  requirePositive('units.candidate', aim.units.candidate);
  if (baseline.mean === 0) return insufficient('the mean is 0, so no share of it can be taken');
  const z = normal.isf(baseline.alpha / 2) + normal.quantile(aim.power);
  const scale = (z / baseline.mean) ** 2 * baseline.noise;
  const control = scale / aim.units.control;
  const candidate = scale / aim.units.candidate;
  // rise^2 = candidate + control (1 + rise)^2
  if (control >= 1) return insufficient('the control is too noisy with these units for any rise to be seen');
  return (control + Math.sqrt(control ** 2 + (1 - control) * (control + candidate))) / (1 - control);
}

function noiseOf(design: Pick<EstimateDesign, 'noise'>): Units {
  const { noise } = design;
  if (typeof noise === 'number') {
    requirePositive('noise', noise);
    return { control: noise, candidate: noise };
  }
  requirePositive('noise.control', noise.control);
  requirePositive('noise.candidate', noise.candidate);
  return noise;
}

function inflationOf(design: Pick<EstimateDesign, 'inflation'>): number {
  const inflation = design.inflation ?? 1;
  return Number.isFinite(inflation) && inflation >= 1 ? inflation : refuse('inflation', inflation, '>= 1');
}

function goalOf(design: EstimateDesign): Goal {
  const goal = design.goal ?? { kind: 'difference' };
  if (goal.kind !== 'difference') requirePositive('goal.margin', goal.margin);
  return goal;
}
