// Given successes in two variants, how likely is the candidate's rate the higher one, and what would a wrong choice cost?
import { logBetaKernel } from './gamma-function.ts';
import { logBetaTails } from './incomplete-beta.ts';
import { type Insufficient, insufficient, type TestOptions } from './interval.ts';
import { type Belief, compareBeliefs, leastShape, type PosteriorComparison } from './posterior.ts';
import { requireAlpha, requirePositive } from './precondition.ts';
import { type Proportion, requireProportion } from './proportions.ts';

/** A beta belief about a rate before the data: as if `successes` and `failures` had been seen already. */
export interface BetaPrior {
  /** > 0 */
  readonly successes: number;
  /** > 0 */
  readonly failures: number;
}

/** Level of the credible interval, and what is believed beforehand. */
export interface BetaBinomialOptions extends TestOptions {
  /** Of both variants' rates, independently; default uniform (1, 1). */
  readonly prior?: BetaPrior;
}

/**
 * Beta-binomial comparison of two rates: exact probabilities and losses by quadrature (no simulation), 12 digits.
 * Answers without data too: then it is the prior that speaks. Insufficient where neither data nor prior holds as much as a
 * twentieth of a success and of a failure: such a belief sits on 0 or 1.
 * Valid for independent units and a prior that was chosen before the data. It does not keep an error rate at alpha.
 * @throws RangeError when alpha is outside (0, 1), successes are not within 0..n, or a prior weight is not > 0.
 * @see Gelman et al. 2013, Bayesian Data Analysis, chapter 2; Cook 2005, UTMDABTR-005-05 (P(X > Y)); Stucchio 2015
 * (loss)
 */
export function compareBetaBinomial(
  control: Proportion,
  candidate: Proportion,
  options: BetaBinomialOptions,
): PosteriorComparison | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requireProportion('control', control);
  requireProportion('candidate', candidate);
  const prior = options.prior ?? { successes: 1, failures: 1 };
  requirePositive('prior.successes', prior.successes);
  requirePositive('prior.failures', prior.failures);
  for (const [name, side] of [
    ['control', control],
    ['candidate', candidate],
  ] as const) {
    const least = Math.min(prior.successes + side.successes, prior.failures + side.n - side.successes);
    if (least < leastShape)
      return insufficient(`${name} has seen only one outcome, and the prior hardly allows another`);
  }
  const belief = (side: Proportion): Belief =>
    betaBelief(prior.successes + side.successes, prior.failures + side.n - side.successes);
  return compareBeliefs(belief(control), belief(candidate), { method: 'beta-binomial posterior', alpha });
}

/** A rate with a beta belief, in the coordinate t = ln(x / (1 - x)). */
function betaBelief(a: number, b: number): Belief {
  const upper = (t: number): number => 1 / (1 + Math.exp(-t));
  return {
    mean: a / (a + b),
    variance: (a / (a + b)) * (b / (a + b)) * (1 / (a + b + 1)),
    at: upper,
    logStretch: (t) => -Math.abs(t) - 2 * Math.log1p(Math.exp(-Math.abs(t))),
    logDensity: (t) => logBetaKernel(a, b, upper(t), upper(-t)),
    logTails: (t) => logBetaTails(a, b, upper(t), upper(-t)),
    logTailsAt: (x) => logBetaTails(a, b, x, 1 - x),
    coordinate: (x) => Math.log(x) - Math.log1p(-x),
    ends: [0, 1],
    centre: Math.log(a / b),
    scale: Math.sqrt(1 / a + 1 / b),
  };
}
