// How much evidence does a running sum carry, and how far may it stray, when it is looked at after every observation?
import { logGamma } from './gamma-function.ts';
import { logBetaTails } from './incomplete-beta.ts';
import { normal } from './normal.ts';
import { refuse, requireAlpha, requireFinite, requireNonNegative, requirePositive } from './precondition.ts';
import { findRoot } from './root.ts';

/**
 * Evidence on a sum of deviations from what a hypothesis says, and the boundary that goes with it. `sum` is positive where
 * more was seen than the hypothesis says; `time` is the variance the sum has by now (its intrinsic time), not the clock.
 */
export interface MixtureMartingale {
  /** ln of the e-value, expected value <= 1 at any stopping time under the hypothesis; -Infinity is an e-value of 0. */
  logE(sum: number, time: number): number;
  /**
   * The sum that is crossed at any time with probability at most alpha (two-sided: in absolute value). Where no possible
   * sum has such evidence yet, the largest possible one.
   */
  bound(time: number, alpha: number): number;
}

/** What the mixture is tuned to; it holds at all other times and levels too. */
export interface MixtureTuning {
  /** Intrinsic time at which the boundary is to be tightest, > 0. */
  readonly time: number;
  /** Level at which it is to be tightest, in (0, 1); one-sided below 1/2. */
  readonly alpha: number;
}

/**
 * Variance of the normal mixing distribution is 1 / this: tightest two-sided bound at `time` up to a log-log term.
 * For one-sided mixtures it is taken at 2 alpha.
 * @see Howard, Ramdas, McAuliffe & Sekhon 2021, Annals of Statistics 49(2), section 3.5 (its closed approximation)
 */
export function mixingPrecision({ time, alpha }: MixtureTuning, sides: 1 | 2): number {
  requirePositive('time', time);
  requireAlpha(alpha);
  if (sides !== 1 && sides !== 2) refuse('sides', sides, '1 or 2');
  if (sides === 1 && alpha >= 0.5) refuse('alpha', alpha, 'in (0, 0.5) for one side');
  const penalty = -2 * Math.log(sides === 1 ? 2 * alpha : alpha);
  return time / (penalty + Math.log1p(penalty));
}

/**
 * Normal mixture. The sum must be sub-Gaussian with variance `time`: normal, or within bounds of width w with
 * time = n w^2 / 4.
 * @throws RangeError when time is not > 0 or alpha out of range.
 * @see Howard et al. 2021, section 3.2 and appendix A
 */
export function normalMixture(tuning: MixtureTuning & { readonly sides: 1 | 2 }): MixtureMartingale {
  return normalMixtureOf(mixingPrecision(tuning, tuning.sides), tuning.sides);
}

/** Normal mixture whose mixing distribution (its upper half for one side) has variance 1 / precision. */
export function normalMixtureOf(precision: number, sides: 1 | 2): MixtureMartingale {
  return martingale({
    logE: (sum, time) => {
      const whole = time + precision;
      const both = -Math.log1p(time / precision) / 2 + ((sum / whole) * sum) / 2;
      return sides === 2 ? both : both + Math.LN2 + normal.logSf(-sum / Math.sqrt(whole));
    },
    largest: () => Infinity,
  });
}

/**
 * Beta-binomial mixture. Terms must lie in [-below, above] with mean 0 (one-sided: at most 0); time = n below x above.
 * Exact for coin tosses of chance p: below = p, above = 1 - p, sum = heads - n p. One-sided it is valid for every smaller
 * chance too.
 * @throws RangeError when time, below or above is not > 0 or alpha is out of range.
 * @see Howard et al. 2021, section 3.2 and appendix A
 */
export function betaBinomialMixture(
  tuning: MixtureTuning & { readonly sides: 1 | 2; readonly below: number; readonly above: number },
): MixtureMartingale {
  const { sides } = tuning;
  const below = requirePositive('below', tuning.below);
  const above = requirePositive('above', tuning.above);
  const width = below + above;
  const chance = below / width;
  // One observation's variance is what the prior weighs less than a normal mixture; a prior of no weight is none.
  const weight = Math.max(mixingPrecision(tuning, sides) / (below * above) - 1, 1e-3);
  const [a, b] = [weight * chance, weight * (above / width)];
  /** ln of the integral of p^(a-1) (1-p)^(b-1) over all p, or over those above the hypothesis. */
  const logMass = (first: number, second: number): number =>
    logGamma(first) +
    logGamma(second) -
    logGamma(first + second) +
    (sides === 2 ? 0 : logBetaTails(first, second, chance, above / width).above);
  const constant = -logMass(a, b);
  return martingale({
    logE: (sum, time) => {
      const ups = (sum + time / above) / width;
      const downs = (time / below - sum) / width;
      // Sums made up of rounded terms may miss the ends by an ulp.
      const slack = 1e-9 * (ups + downs);
      if (ups < -slack || downs < -slack) {
        refuse('sum', sum, `in [${-time / above}, ${time / below}], which terms in [${-below}, ${above}] can reach`);
      }
      const [up, down] = [Math.max(0, ups), Math.max(0, downs)];
      return constant + logMass(a + up, b + down) - up * Math.log(chance) - down * Math.log(above / width);
    },
    largest: (time) => time / below,
  });
}

/** A mixture by its evidence and the largest sum possible. */
export interface Evidence {
  readonly logE: (sum: number, time: number) => number;
  readonly largest: (time: number) => number;
}

/** Checks what evidence is asked of, and turns evidence into a boundary. */
export function martingale({ logE, largest }: Evidence): MixtureMartingale {
  const checked = (sum: number, time: number): number =>
    logE(requireFinite('sum', sum), requireNonNegative('time', time));
  return {
    logE: checked,
    bound: (time, alpha) => {
      requirePositive('time', time);
      const needed = -Math.log(requireAlpha(alpha));
      const end = largest(time);
      const lacking = (sum: number): number => logE(sum, time) - needed;
      let high = Math.min(end, 3 * Math.sqrt(time));
      while (lacking(high) < 0) {
        if (high >= end) return end;
        high = Math.min(end, 2 * high);
      }
      return findRoot(lacking, [0, high]);
    },
  };
}
