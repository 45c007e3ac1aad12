// How far may a sum, or a whole empirical distribution, stray from the truth at any of infinitely many looks?
import { refuse, requireAlpha, requireFinite, requirePositive } from './precondition.ts';
import { findRoot } from './root.ts';

/** A stitched boundary. */
export interface StitchingOptions {
  /** Intrinsic time from which the boundary holds, > 0; at earlier times it is that of this time. */
  readonly from: number;
  /** Scale of the sub-gamma tail; 0 for sub-Gaussian sums, negative for tails shorter than that. Default 0. */
  readonly scale?: number;
  /** How fast the error is spread over epochs, > 1. Default 1.4. */
  readonly exponent?: number;
  /** Ratio of the times of epochs, > 1. Default 2. */
  readonly growth?: number;
}

/**
 * Polynomial stitching: a closed boundary that a sub-gamma sum of variance `time` crosses at any time >= `from` with
 * probability at most alpha (one-sided), growing as sqrt(time log log time), the smallest rate there is.
 * @throws RangeError when time is not > 0, alpha outside (0, 1), or an option out of range.
 * @see Howard, Ramdas, McAuliffe & Sekhon 2021, Annals of Statistics 49(2), theorem 1 and eq. 3.1
 */
export function stitchedBound(time: number, options: StitchingOptions & { readonly alpha: number }): number {
  const alpha = requireAlpha(options.alpha);
  const from = requirePositive('from', options.from);
  const scale = requireFinite('scale', options.scale ?? 0);
  const exponent = requireFinite('exponent', options.exponent ?? 1.4);
  const growth = requireFinite('growth', options.growth ?? 2);
  if (!(exponent > 1)) refuse('exponent', exponent, '> 1');
  if (!(growth > 1)) refuse('growth', growth, '> 1');
  const v = Math.max(from, requirePositive('time', time));
  const level =
    exponent * Math.log(Math.log((growth * v) / from)) +
    Math.log(zeta(exponent) / alpha) -
    exponent * Math.log(Math.log(growth));
  const first = (growth ** 0.25 + growth ** -0.25) / Math.SQRT2;
  const second = ((Math.sqrt(growth) + 1) / 2) * scale * level;
  const root = Math.sqrt(first * first * v * level + second * second);
  // With a negative scale the two parts nearly cancel when the sum is far out.
  return second >= 0 ? root + second : (first * first * v * level) / (root - second);
}

/** What the bound on an empirical distribution is tuned to. */
export interface EmpiricalBoundOptions {
  readonly alpha: number;
  /** Observations from which it holds, >= 1. */
  readonly from: number;
  /** Weight of the growing part, > 1/sqrt(2); default 0.85. A smaller one is tighter late, a larger one early. */
  readonly growth?: number;
}

/**
 * Largest distance between an empirical distribution function and the true one, holding at every n >= `from` at once
 * with probability 1 - alpha; so quantiles at p lie between the empirical ones at p - bound and p + bound, all p at once.
 * @param n independent observations so far, >= `from`
 * @throws RangeError when n < from, alpha is outside (0, 1), or growth is not above 1/sqrt(2).
 * @see Howard & Ramdas 2022, Bernoulli 28(3), theorem 2
 */
export function empiricalDistributionBound(n: number, options: EmpiricalBoundOptions): number {
  const alpha = requireAlpha(options.alpha);
  const from = requirePositive('from', options.from);
  const growth = requireFinite('growth', options.growth ?? 0.85);
  if (!(from >= 1)) refuse('from', from, '>= 1');
  if (!(Number.isFinite(n) && n >= from)) refuse('n', n, `finite and >= ${from}`);
  if (!(growth > Math.SQRT1_2)) refuse('growth', growth, `> ${Math.SQRT1_2}`);
  const excess = (c: number): number => logCrossing(growth, c) - Math.log(alpha);
  let high = 1;
  while (!(excess(high) < 0)) high *= 2;
  let low = high / 2;
  while (!(excess(low) > 0)) low /= 2;
  const constant = findRoot((c) => Math.min(700, excess(c)), [low, high]);
  return growth * Math.sqrt((Math.log1p(Math.log(n / from)) + constant) / n);
}

/** ln of the smallest bound over eta of 4 e^(-gamma^2 C) (1 + 1 / ((gamma^2 - 1) ln eta)); Infinity where gamma <= 1. */
function logCrossing(growth: number, c: number): number {
  const at = (logStep: number): number => {
    const step = Math.exp(logStep);
    const gamma = Math.sqrt(2 / (1 + step)) * (growth - Math.sqrt((2 * step) / c));
    if (!(gamma > 1)) return Infinity;
    return Math.log(4) - gamma * gamma * c + Math.log1p(1 / ((gamma * gamma - 1) * Math.log1p(step)));
  };
  // The bound has one minimum in eta: coarse steps find it, then golden section.
  let best = -40;
  for (let x = -40; x < Math.log(2 * growth * growth - 1); x += 0.25) if (at(x) < at(best)) best = x;
  let [low, high] = [best - 0.25, best + 0.25];
  const golden = (Math.sqrt(5) - 1) / 2;
  for (let i = 0; i < 60; i += 1) {
    const [left, right] = [high - golden * (high - low), low + golden * (high - low)];
    if (at(left) < at(right)) high = right;
    else low = left;
  }
  return at((low + high) / 2);
}

/** Riemann's zeta for s > 1. @see DLMF 25.2.9 (Euler-Maclaurin from 20 on) */
function zeta(s: number): number {
  const n = 20;
  let sum = 0;
  for (let k = n - 1; k >= 1; k -= 1) sum += k ** -s;
  sum += n ** (1 - s) / (s - 1) + n ** -s / 2;
  let term = (s * n ** (-s - 1)) / 2;
  for (const [i, ratio] of [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66].entries()) {
    sum += ratio * term;
    const k = 2 * (i + 1);
    term *= ((s + k - 1) * (s + k)) / ((k + 1) * (k + 2) * n * n);
  }
  return sum;
}
