// The distributions of counts: binomial and Poisson.
import { type Distribution, type LogTails, withChecks } from './distribution.ts';
import { deviance, stirlingError } from './gamma-function.ts';
import { logBetaTails } from './incomplete-beta.ts';
import { logGammaTails } from './incomplete-gamma.ts';
import { normal } from './normal.ts';
import { requireCount, requireNonNegative, requireProbability } from './precondition.ts';

/** Successes in n independent trials. @throws RangeError unless n is a whole number >= 0 and p in [0, 1] */
export function binomial(n: number, p: number): Distribution {
  requireCount('n', n);
  requireProbability('p', p);
  const tails = (x: number): LogTails => {
    const k = Math.floor(x);
    if (k < 0) return { below: -Infinity, above: 0 };
    if (k >= n) return { below: 0, above: -Infinity };
    const { below, above } = logBetaTails(k + 1, n - k, p, 1 - p);
    return { below: above, above: below };
  };
  return counted({
    tails,
    last: n,
    centre: n * p,
    spread: Math.sqrt(n * p * (1 - p)),
    pdf: (k) => (k > n ? 0 : Math.exp(logBinomialDensity(k, n, p))),
  });
}

/** Events at this mean. @throws RangeError unless mean is finite and >= 0 */
export function poisson(mean: number): Distribution {
  requireNonNegative('mean', mean);
  const tails = (x: number): LogTails => {
    const k = Math.floor(x);
    if (k < 0) return { below: -Infinity, above: 0 };
    if (k === Infinity) return { below: 0, above: -Infinity };
    const { below, above } = logGammaTails(k + 1, mean);
    return { below: above, above: below };
  };
  return counted({
    tails,
    last: mean === 0 ? 0 : Infinity,
    centre: mean,
    spread: Math.sqrt(mean),
    pdf: (k) => (k === 0 ? Math.exp(-mean) : mean === 0 ? 0 : Math.exp(-saddle(k, mean) - saddleNorm(k))),
  });
}

/** ln P(X = k) of a binomial. @see Loader 2000 (saddle point) */
export function logBinomialDensity(k: number, n: number, p: number): number {
  if (p === 0) return k === 0 ? 0 : -Infinity;
  if (p === 1) return k === n ? 0 : -Infinity;
  if (k === 0) return n * Math.log1p(-p);
  if (k === n) return n * Math.log(p);
  return saddleNorm(n) - saddleNorm(k) - saddleNorm(n - k) - saddle(k, n * p) - saddle(n - k, n * (1 - p));
}

/** k ln(k / mean) - k + mean, >= 0. */
function saddle(k: number, mean: number): number {
  return k * deviance((mean - k) / k, mean / k);
}

/** ln of k! e^k / k^k for k >= 1. */
function saddleNorm(k: number): number {
  return 0.5 * Math.log(2 * Math.PI * k) + stirlingError(k);
}

interface Counted {
  readonly tails: (x: number) => LogTails;
  readonly last: number;
  readonly centre: number;
  readonly spread: number;
  readonly pdf: (k: number) => number;
}

function counted(law: Counted): Distribution {
  const { tails, last } = law;
  /** Smallest k with `reached(k)`, found from the normal guess by doubling steps and bisection. */
  const smallest = (guess: number, reached: (k: number) => boolean): number => {
    let high = Math.min(last, Math.max(0, Math.round(guess)));
    let step = 1;
    while (!reached(high)) {
      high = Math.min(last, high + step);
      step *= 2;
    }
    let low = high;
    step = 1;
    while (low >= 0 && reached(low)) {
      high = low;
      low -= step;
      step *= 2;
    }
    low = Math.max(-1, low);
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (reached(middle)) high = middle;
      else low = middle;
    }
    return high;
  };
  const guess = (q: number): number => law.centre + law.spread * Math.max(-40, Math.min(40, normal.isf(q)));
  // A few ulps of slack: k itself must come back from the probability that cdf gave for it.
  const slack = 1e-14;
  return withChecks({
    pdf: (x) => (Number.isInteger(x) && x >= 0 ? law.pdf(x) : 0),
    cdf: (x) => Math.exp(tails(x).below),
    sf: (x) => Math.exp(tails(x).above),
    logSf: (x) => tails(x).above,
    quantile: (p) => {
      if (p === 0) return 0;
      if (p === 1) return last;
      const target = Math.log(p);
      return smallest(guess(1 - p), (k) => tails(k).below >= target - slack * Math.max(1, -target));
    },
    isf: (q) => {
      if (q === 1) return 0;
      if (q === 0) return last;
      const target = Math.log(q);
      return smallest(guess(q), (k) => tails(k).above <= target + slack * Math.max(1, -target));
    },
  });
}
