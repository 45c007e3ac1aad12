// Has a rare thing happened too often, asked after every single event, with no normal approximation?
import { type Insufficient, type Interval, insufficient, type TestOptions } from './interval.ts';
import { betaBinomialMixture, type MixtureMartingale } from './mixture-martingale.ts';
import { refuse, requireAlpha, requireCount, requirePositive } from './precondition.ts';
import type { Proportion } from './proportions.ts';
import { findRoot } from './root.ts';

/** Which rates would be news. */
export interface RateLimitOptions extends TestOptions {
  /** The rate that must not be passed, in (0, 1). */
  readonly limit: number;
  /** Evidence for a rate `above` or `below` the limit. */
  readonly direction: 'above' | 'below';
  /** Trials at which the bound is to be tightest, > 0; valid at any other number too. */
  readonly horizon: number;
}

/** Evidence on a rate, exact at every look. */
export interface WatchedRate {
  readonly kind: 'watched';
  readonly method: string;
  readonly rate: number;
  /** ln of the e-value against the rate being on the right side of the limit. */
  readonly logE: number;
  /** min(1, e^-logE); a running minimum over looks is valid too. */
  readonly pValue: number;
  /** One end of the rate, beyond the limit exactly when pValue < alpha; 0 or 1 where the data bound nothing. */
  readonly interval: Interval;
}

/**
 * One-sided test that a rate exceeds (or falls below) a limit: a beta mixture of likelihood ratios over the rates beyond
 * it. Exact for independent trials of one rate, at every sample size, number of looks and stopping rule; also where the
 * rate moves, as long as it never passes the limit. Trials are units or independent requests, not requests of sticky
 * units. Insufficient before the first trial.
 * @throws RangeError when alpha is outside (0, 1/2), limit outside (0, 1), horizon not > 0, or counts are not whole.
 * @see Robbins 1970, Annals of Mathematical Statistics 41(5); Howard et al. 2021, section 3.2 and appendix A
 */
export function watchRate(counts: Proportion, options: RateLimitOptions): WatchedRate | Insufficient {
  const { limit, direction } = options;
  const alpha = requireAlpha(options.alpha);
  const n = requireCount('counts.n', counts.n);
  const successes = requireCount('counts.successes', counts.successes);
  if (successes > n) refuse('counts.successes', successes, `<= ${n}, the trials`);
  if (!(limit > 0 && limit < 1)) refuse('limit', limit, 'in (0, 1)');
  if (direction !== 'above' && direction !== 'below') refuse('direction', direction, 'above or below');
  const tuning = { alpha, horizon: requirePositive('horizon', options.horizon) };
  const isAbove = direction === 'above';
  // A rate below the limit is a rate of failures above 1 - limit.
  const hits = isAbove ? successes : n - successes;
  const logE = logEvidence({ n, hits }, { ...tuning, chance: isAbove ? limit : 1 - limit });
  if (n === 0) return insufficient('no trials yet');
  const lowest = lowestRate({ n, hits }, tuning);
  return {
    kind: 'watched',
    method: 'beta-binomial mixture sequence',
    rate: successes / n,
    logE,
    pValue: Math.min(1, Math.exp(-logE)),
    interval: isAbove ? { kind: 'lower', lower: lowest } : { kind: 'upper', upper: 1 - lowest },
  };
}

interface Hits {
  readonly n: number;
  readonly hits: number;
}

interface Tuning {
  readonly alpha: number;
  readonly horizon: number;
}

/** ln of the e-value against every chance up to this one. */
function logEvidence({ n, hits }: Hits, tuning: Tuning & { readonly chance: number }): number {
  const { alpha, horizon, chance } = tuning;
  const spread = chance * (1 - chance);
  const mixture: MixtureMartingale = betaBinomialMixture({
    time: horizon * spread,
    alpha,
    sides: 1,
    below: chance,
    above: 1 - chance,
  });
  return mixture.logE(hits - n * chance, n * spread);
}

/** The chance below which all are ruled out: evidence against a chance falls as it rises towards hits / n. */
function lowestRate(counts: Hits, tuning: Tuning): number {
  const { n, hits } = counts;
  if (hits === 0) return 0;
  const needed = -Math.log(tuning.alpha);
  const surplus = (logChance: number): number =>
    logEvidence(counts, { ...tuning, chance: Math.exp(logChance) }) - needed;
  const high = Math.min(Math.log(hits / n), -1e-15);
  // All hits: chances up to nearly 1 may be ruled out.
  if (surplus(high) >= 0) return Math.exp(high);
  let low = high - 1;
  while (surplus(low) < 0) {
    low -= high - low;
    if (low < -690) return 0;
  }
  return Math.exp(findRoot(surplus, [low, high]));
}

/** Events on both sides of a test. */
export interface ArmEvents {
  /** Units of the control to which it happened. */
  readonly control: number;
  readonly candidate: number;
}

/** When a candidate does too much harm. */
export interface EventRatioOptions extends TestOptions {
  /** Share of units assigned to the candidate among the two, in (0, 1). */
  readonly share: number;
  /** Rate of the candidate over the control's that must not be passed, > 0; default 1. */
  readonly limit?: number;
  readonly direction: 'above' | 'below';
  /** Events of both together at which the bound is to be tightest, > 0. */
  readonly horizon: number;
}

/** Evidence on a ratio of rates, exact at every look. */
export interface WatchedEventRatio {
  readonly kind: 'watched';
  readonly method: string;
  /** Share of all events that were the candidate's. */
  readonly shareOfEvents: number;
  readonly logE: number;
  readonly pValue: number;
  /** One end of rate of the candidate / rate of the control, beyond the limit exactly when pValue < alpha. */
  readonly interval: Interval;
}

/**
 * One-sided test that an event (crash, complaint, refund) is more frequent under the candidate, exact at every look.
 * Units are assigned at random, so those to which it happens are the candidate's with chance
 * share r / (share r + 1 - share), r the ratio of rates, whatever the rate and however it moves. Count each unit once.
 * Insufficient before the first event.
 * @throws RangeError when alpha is outside (0, 1/2), share outside (0, 1), limit or horizon not > 0, or counts not whole.
 * @see `watchRate`; conditioning as in Przyborowski & Wilenski 1940, Biometrika 31
 */
export function watchEventRatio(events: ArmEvents, options: EventRatioOptions): WatchedEventRatio | Insufficient {
  const { share, alpha, direction, horizon } = options;
  const limit = requirePositive('limit', options.limit ?? 1);
  if (!(share > 0 && share < 1)) refuse('share', share, 'in (0, 1)');
  const candidate = requireCount('events.candidate', events.candidate);
  const n = candidate + requireCount('events.control', events.control);
  const odds = (share / (1 - share)) * limit;
  const result = watchRate({ n, successes: candidate }, { alpha, direction, horizon, limit: odds / (1 + odds) });
  if (result.kind === 'insufficient') return insufficient('nothing has happened yet');
  const ratio = (part: number): number => (part / (1 - part)) * ((1 - share) / share);
  return {
    kind: 'watched',
    method: 'beta-binomial mixture sequence of the events',
    shareOfEvents: result.rate,
    logE: result.logE,
    pValue: result.pValue,
    interval: ratioInterval(result.interval, ratio),
  };
}

/** No upper end (all events are the candidate's) is no bound at all. */
function ratioInterval(interval: Interval, ratio: (part: number) => number): Interval {
  if (interval.kind === 'lower') return { kind: 'lower', lower: ratio(interval.lower) };
  if (interval.kind !== 'upper' || interval.upper === 1) return { kind: 'unbounded' };
  return { kind: 'upper', upper: ratio(interval.upper) };
}
