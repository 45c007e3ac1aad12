// What can be asked of a distribution, and how are its tails turned round?
import { refuse, requireProbability } from './precondition.ts';

/**
 * A continuous or discrete distribution; all tails are computed directly, never as 1 - the other.
 * Every method throws a RangeError for NaN.
 */
export interface Distribution {
  /** Density, or probability of the whole number x. */
  pdf(x: number): number;
  /** P(X <= x), in [0, 1]. */
  cdf(x: number): number;
  /** P(X > x), in [0, 1]; keeps its relative accuracy where cdf rounds to 1. */
  sf(x: number): number;
  /** ln P(X > x); does not underflow. */
  logSf(x: number): number;
  /** x with P(X <= x) = p (the smallest such for whole numbers). @throws RangeError unless p is in [0, 1] */
  quantile(p: number): number;
  /** x with P(X > x) = q. @throws RangeError unless q is in [0, 1] */
  isf(q: number): number;
}

/** Natural logarithms of the probability at or below and above a point. */
export interface LogTails {
  readonly below: number;
  readonly above: number;
}

/** One tail and its natural logarithm. */
export interface TailTarget {
  readonly side: 'below' | 'above';
  readonly log: number;
}

/** What a distribution has to bring along; x is never NaN, a target never that of probability 0 or 1. */
export interface Law {
  /** Smallest and largest possible value. */
  readonly ends: readonly [number, number];
  pdf(x: number): number;
  tails(x: number): LogTails;
  solve(target: TailTarget): number;
}

/** Makes a distribution of a law given by its log-tails, solving for whichever tail is the smaller. */
export function fromLogTails(law: Law): Distribution {
  const [lowest, highest] = law.ends;
  return withChecks({
    pdf: (x) => law.pdf(x),
    cdf: (x) => Math.exp(law.tails(x).below),
    sf: (x) => Math.exp(law.tails(x).above),
    logSf: (x) => law.tails(x).above,
    quantile: (p) => {
      if (p === 0) return lowest;
      if (p === 1) return highest;
      return law.solve(p <= 0.5 ? { side: 'below', log: Math.log(p) } : { side: 'above', log: Math.log1p(-p) });
    },
    isf: (q) => {
      if (q === 1) return lowest;
      if (q === 0) return highest;
      return law.solve(q <= 0.5 ? { side: 'above', log: Math.log(q) } : { side: 'below', log: Math.log1p(-q) });
    },
  });
}

/** The same distribution, refusing NaN and what is no probability. */
export function withChecks(inner: Distribution): Distribution {
  const number = (x: number): number => (Number.isNaN(x) ? refuse('x', x, 'a number') : x);
  return {
    pdf: (x) => inner.pdf(number(x)),
    cdf: (x) => inner.cdf(number(x)),
    sf: (x) => inner.sf(number(x)),
    logSf: (x) => inner.logSf(number(x)),
    quantile: (p) => inner.quantile(requireProbability('p', p)),
    isf: (q) => inner.isf(requireProbability('q', q)),
  };
}

/** A monotone log-probability in x > 0 with its derivative by ln x. */
export interface LogTail {
  readonly rising: boolean;
  value(x: number): number;
  /** @param value that of the log-probability at x */
  slope(x: number, value: number): number;
}

/**
 * x > 0 where a log-tail takes the value `target`: Newton steps in ln x, kept inside a bracket.
 * @param start a guess > 0
 */
export function solveLogTail(tail: LogTail, target: number, start: number): number {
  let low = 0;
  let high = Infinity;
  let reach = 1;
  let x = start;
  for (let step = 0; step < 300; step += 1) {
    const value = tail.value(x);
    const miss = value - target;
    if (miss === 0) return x;
    const isAbove = miss > 0 === tail.rising;
    if (isAbove) high = x;
    else low = x;
    let move = -miss / tail.slope(x, value);
    // The error left is of the order of the squared step: this one is the last that matters.
    if (Math.abs(move) < 1e-10) return x + x * Math.expm1(move);
    // Where the slope has underflowed only the direction is known; the reach doubles so that any depth is found.
    if (!(Math.abs(move) <= reach)) move = isAbove ? -reach : reach;
    reach *= 2;
    let next = x * Math.exp(move);
    if (!(next > low && next < high)) next = between(low, high);
    if (next === x || next === 0 || next === Infinity) return next;
    x = next;
  }
  return x;
}

function between(low: number, high: number): number {
  if (low === 0) return high / 2;
  if (high === Infinity) return low * 2;
  return high / low > 4 ? Math.sqrt(low) * Math.sqrt(high) : low + (high - low) / 2;
}
