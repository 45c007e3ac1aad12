// Given events over exposure in two variants, how likely is the candidate's rate the higher one, and by which factor?
import { fisherF } from './beta.ts';
import { logGammaKernel } from './gamma-function.ts';
import { logBetaTails } from './incomplete-beta.ts';
import { logGammaTails } from './incomplete-gamma.ts';
import { bounded, type Insufficient, type Interval, insufficient, type TestOptions } from './interval.ts';
import { type Belief, compareBeliefs, leastShape, type PosteriorComparison } from './posterior.ts';
import { refuse, requireAlpha, requireNonNegative } from './precondition.ts';

/** Events and over how much they happened (units, hours, requests). */
export interface EventCount {
  /** >= 0 */
  readonly events: number;
  /** >= 0 */
  readonly exposure: number;
}

/** Level of the credible interval, and what is believed beforehand. */
export interface GammaPoissonOptions extends TestOptions {
  /**
   * Of both rates, independently, as if so many events had been seen over so much exposure (both >= 0);
   * default Jeffreys' 0.5 events over 0.
   */
  readonly prior?: EventCount;
}

/** The comparison of two rates with their ratio. */
export interface RatePosterior extends PosteriorComparison {
  /** Posterior median of candidate / control. */
  readonly ratio: number;
  /** Equal-tailed credible interval of candidate / control. */
  readonly ratioInterval: Interval;
}

/**
 * Gamma-Poisson comparison of two event rates; probabilities and the ratio are exact (beta and F distributions).
 * Valid for independent events: a unit with bursts of events makes this too sure, then count units with an event.
 * Insufficient where a side has neither exposure nor a prior of its own, or has no events and the prior less
 * than a twentieth of one.
 * @throws RangeError when alpha is outside (0, 1) or a count is negative.
 * @see Gelman et al. 2013, Bayesian Data Analysis, chapter 2; Price & Bonett 2000, Computational Statistics
 * & Data Analysis 34(3)
 */
export function compareGammaPoisson(
  control: EventCount,
  candidate: EventCount,
  options: GammaPoissonOptions,
): RatePosterior | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const prior = requireEvents('prior', options.prior ?? { events: 0.5, exposure: 0 });
  const posterior = (name: string, side: EventCount): { shape: number; rate: number } => {
    requireEvents(name, side);
    return { shape: prior.events + side.events, rate: prior.exposure + side.exposure };
  };
  const before = posterior('control', control);
  const after = posterior('candidate', candidate);
  for (const [name, side] of [
    ['control', before],
    ['candidate', after],
  ] as const) {
    if (side.rate === 0) return insufficient(`${name} has no exposure yet, and the prior has none either`);
    if (side.shape < leastShape) return insufficient(`${name} has no events yet, and the prior hardly any`);
  }
  const comparison = compareBeliefs(gammaBelief(before), gammaBelief(after), {
    method: 'gamma-Poisson posterior',
    alpha,
  });
  // control / (control + candidate), each scaled to rate 1, is beta: below this share the candidate is the higher one.
  const share = before.rate / (before.rate + after.rate);
  const tails = logBetaTails(before.shape, after.shape, share, after.rate / (before.rate + after.rate));
  const factor = (after.shape / before.shape) * (before.rate / after.rate);
  const f = fisherF(2 * after.shape, 2 * before.shape);
  return {
    ...comparison,
    probabilityHigher: Math.exp(tails.below),
    probabilityLower: Math.exp(tails.above),
    ratio: factor * f.quantile(0.5),
    ratioInterval: bounded(factor * f.quantile(alpha / 2), factor * f.isf(alpha / 2)),
  };
}

/** A rate with a gamma belief, in the coordinate t = ln x. */
function gammaBelief({ shape, rate }: { readonly shape: number; readonly rate: number }): Belief {
  return {
    mean: shape / rate,
    variance: shape / rate / rate,
    at: Math.exp,
    logStretch: (t) => t,
    logDensity: (t) => logGammaKernel(shape, rate * Math.exp(t)),
    logTails: (t) => logGammaTails(shape, rate * Math.exp(t)),
    logTailsAt: (x) => (x > 0 ? logGammaTails(shape, rate * x) : { below: -Infinity, above: 0 }),
    coordinate: Math.log,
    ends: [0, Infinity],
    centre: Math.log(shape / rate),
    scale: 1 / Math.sqrt(shape),
  };
}

function requireEvents(name: string, side: EventCount): EventCount {
  if (!(Number.isFinite(side.events) && side.events >= 0)) refuse(`${name}.events`, side.events, 'finite and >= 0');
  requireNonNegative(`${name}.exposure`, side.exposure);
  return side;
}
