// Given an estimated effect and what was believed about it before, what is believed now?
import { bounded, type Insufficient, insufficient, type TestOptions } from './interval.ts';
import { normal } from './normal.ts';
import type { PosteriorComparison } from './posterior.ts';
import { refuse, requireAlpha, requireFinite, requirePositive } from './precondition.ts';
import { type Measured, requireMeasured } from './relative-difference.ts';

/** On which scale an effect is stated: candidate - control, or that divided by |control|. */
export type EffectScale = 'absolute' | 'relative';

/** A normal belief about the effect before the data, on a scale of its own. */
export interface EffectPrior {
  readonly scale: EffectScale;
  readonly mean: number;
  /** > 0 */
  readonly standardDeviation: number;
}

/** How the posterior of an effect is made and reported. */
export interface EffectOptions extends TestOptions {
  /** Absent: flat, the posterior is then the likelihood. */
  readonly prior?: EffectPrior;
  /** Scale of the answer, whatever the prior's; default `absolute`. */
  readonly scale?: EffectScale;
}

/**
 * Normal posterior of the effect of candidate against control: probabilities, expected losses and credible interval.
 * A prior stated on one scale is carried to the scale of the answer through the control's estimate, taken as known; the
 * prior counts on either scale. A relative effect has the delta method's standard error.
 * Valid when both estimates are near normal (some hundred units a side) and, on the relative scale, the control is many
 * standard errors from 0. Probabilities under a prior do not keep an error rate at alpha.
 * Insufficient without noise, and on the relative scale (of answer or prior) when the control is 0.
 * @returns `difference`, its deviation, losses and interval on the scale asked for; `control` and `candidate` as given
 * @throws RangeError when alpha is outside (0, 1), a number is not finite, or a deviation is not > 0.
 * @see Gelman et al. 2013, Bayesian Data Analysis, section 2.5; Deng, Knoblich & Lu 2018, KDD (relative effect)
 */
export function posteriorOfEffect(
  control: Measured,
  candidate: Measured,
  options: EffectOptions,
): PosteriorComparison | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requireMeasured('control', control);
  requireMeasured('candidate', candidate);
  const scale = options.scale ?? 'absolute';
  if (control.estimate === 0 && (scale === 'relative' || options.prior?.scale === 'relative')) {
    return insufficient('control is 0, so no share of it can be taken');
  }
  const unit = Math.abs(control.estimate);
  const seen = effectOn(scale, control, candidate);
  if (!(seen.standardError > 0)) return insufficient('neither variant shows any noise, so its error is unknown');
  const prior = options.prior === undefined ? undefined : priorOn(scale, options.prior, unit);
  const { mean, standardDeviation } = combine(seen, prior);
  const z = mean / standardDeviation;
  const margin = normal.isf(alpha / 2) * standardDeviation;
  return {
    kind: 'posterior',
    method: `normal posterior of the ${scale} effect, ${prior === undefined ? 'flat prior' : `${options.prior!.scale} prior`}`,
    control: control.estimate,
    candidate: candidate.estimate,
    difference: mean,
    standardDeviation,
    probabilityHigher: normal.cdf(z),
    probabilityLower: normal.sf(z),
    expectedShortfall: standardDeviation * meanBeyond(z),
    expectedExcess: standardDeviation * meanBeyond(-z),
    interval: bounded(mean - margin, mean + margin),
  };
}

/** E[max(X - z, 0)] of a standard normal X. */
function meanBeyond(z: number): number {
  // Beyond 38 both underflow; before that the difference keeps all but three digits.
  return z > 38 ? 0 : Math.max(0, normal.pdf(z) - z * normal.sf(z));
}

function effectOn(scale: EffectScale, control: Measured, candidate: Measured): Measured {
  const gap = candidate.estimate - control.estimate;
  if (scale === 'absolute') {
    return { estimate: gap, standardError: Math.hypot(control.standardError, candidate.standardError) };
  }
  const unit = Math.abs(control.estimate);
  const ratio = candidate.estimate / control.estimate;
  return {
    estimate: gap / unit,
    standardError: Math.hypot(candidate.standardError, ratio * control.standardError) / unit,
  };
}

function priorOn(scale: EffectScale, prior: EffectPrior, unit: number): EffectPrior {
  requireFinite('prior.mean', prior.mean);
  requirePositive('prior.standardDeviation', prior.standardDeviation);
  if (prior.scale !== 'absolute' && prior.scale !== 'relative')
    refuse('prior.scale', prior.scale, 'absolute or relative');
  if (prior.scale === scale) return prior;
  const factor = scale === 'absolute' ? unit : 1 / unit;
  if (!Number.isFinite(factor)) return prior;
  return { scale, mean: prior.mean * factor, standardDeviation: prior.standardDeviation * factor };
}

/** Precision-weighted mean of what was seen and what was believed. */
function combine(
  seen: Measured,
  prior: EffectPrior | undefined,
): { readonly mean: number; readonly standardDeviation: number } {
  if (prior === undefined) return { mean: seen.estimate, standardDeviation: seen.standardError };
  // Weights as shares of variances, so that a very sharp or very wide prior neither overflows nor vanishes.
  const total = Math.hypot(seen.standardError, prior.standardDeviation);
  const weight = (prior.standardDeviation / total) ** 2;
  return {
    mean: prior.mean + weight * (seen.estimate - prior.mean),
    standardDeviation: (seen.standardError / total) * prior.standardDeviation,
  };
}
