// Do events come more often in one variant than in the other, per hour, per request or per unit?
import { beta } from './beta.ts';
import type { Distribution } from './distribution.ts';
import { gamma } from './gamma.ts';
import {
  bounded,
  type Estimate,
  type Insufficient,
  type Interval,
  insufficient,
  type TestOptions,
  type TestResult,
} from './interval.ts';
import { normal } from './normal.ts';
import { requireAlpha, requireCount, requireNonNegative } from './precondition.ts';
import { lastNotAbove } from './root.ts';
import { binomial } from './whole-number.ts';

/** Events and what they were counted over (hours, requests, units). */
export interface EventRate {
  /** A whole number >= 0. */
  readonly events: number;
  /** >= 0 */
  readonly exposure: number;
}

/** A score test of two rates. */
export interface RateResult extends TestResult {
  /** Of candidate / control - 1; leaves 0 out exactly when pValue < alpha. `lower` when the control has no events. */
  readonly relativeInterval: Interval;
}

/**
 * Score test of two Poisson rates, with the score intervals of difference and ratio that belong to it: both leave "no
 * difference" out exactly when p < alpha.
 * Assumes independent events at a constant rate. Where units differ in their rates (some users click more) the variance
 * is larger than a Poisson count's: then compare means or ratios by unit instead.
 * Valid when each side would expect some five events or more at equal rates; below that `exactRates` keeps its level.
 * Insufficient without exposure on a side or without any event.
 * @throws RangeError when alpha is outside (0, 1), events are not whole, or an exposure is negative.
 * @see Miettinen & Nurminen 1985, Statistics in Medicine 4 (constrained estimate of a difference of rates); Przyborowski &
 * Wilenski 1940, Biometrika 31, and Wilson 1927, JASA 22 (ratio: score interval of the candidate's share of events)
 */
export function compareRates(
  control: EventRate,
  candidate: EventRate,
  options: TestOptions,
): RateResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const missing = cannotCompare(control, candidate);
  if (missing) return missing;
  const events = control.events + candidate.events;
  const pooled = events / (control.exposure + candidate.exposure);
  const standardError = Math.sqrt(pooled * (1 / control.exposure + 1 / candidate.exposure));
  const before = control.events / control.exposure;
  const after = candidate.events / candidate.exposure;
  const statistic = (after - before) / standardError;
  return {
    kind: 'tested',
    method: 'score test of two rates',
    control: before,
    candidate: after,
    difference: after - before,
    standardError,
    statistic,
    pValue: Math.min(1, 2 * normal.sf(Math.abs(statistic))),
    interval: differenceInterval(control, candidate, normal.isf(alpha / 2)),
    relativeInterval: shifted(ratioInterval(wilsonOdds(control, candidate, alpha), control, candidate)),
  };
}

/** An exact comparison of two rates. */
export interface ExactRateResult {
  readonly kind: 'tested';
  readonly method: string;
  /** Two-sided: all splits of the events no likelier than the one seen, as R's poisson.test; may disagree with `interval` near alpha. */
  readonly pValue: number;
  /** Twice the smaller tail; below alpha exactly when `interval` leaves 1 out. */
  readonly centralP: number;
  /** Twice the smaller tail, the seen split counting half: less conservative, keeps its level on average only. */
  readonly midP: number;
  /** candidate / control. */
  readonly ratio: number | Insufficient;
  /** Exact interval of the ratio; `lower` when the control has no events. */
  readonly interval: Interval;
}

/**
 * Exact test of two Poisson rates, conditional on their sum: given all events, the candidate's are binomial. Never
 * exceeds its level, however few the events. Assumes independent events at a constant rate, as `compareRates`.
 * Insufficient without exposure on a side or without any event.
 * @throws RangeError when alpha is outside (0, 1), events are not whole, or an exposure is negative.
 * @see Przyborowski & Wilenski 1940, Biometrika 31; Clopper & Pearson 1934 (interval)
 */
export function exactRates(
  control: EventRate,
  candidate: EventRate,
  options: TestOptions,
): ExactRateResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const missing = cannotCompare(control, candidate);
  if (missing) return missing;
  const events = control.events + candidate.events;
  const seen = candidate.events;
  const share = candidate.exposure / (control.exposure + candidate.exposure);
  const law = binomial(events, share);
  const atMost = law.cdf(seen);
  const atLeast = seen === 0 ? 1 : law.sf(seen - 1);
  const { lower, upper } = clopperPearsonOdds(control, candidate, alpha);
  return {
    kind: 'tested',
    method: 'exact conditional test of two rates',
    pValue: likelihoodP(law, { seen, events, share }),
    centralP: Math.min(1, 2 * Math.min(atMost, atLeast)),
    midP: Math.min(1, 2 * (Math.min(atMost, atLeast) - law.pdf(seen) / 2)),
    ratio:
      control.events === 0
        ? insufficient('the control has no events, so the ratio has no upper end')
        : candidate.events / candidate.exposure / (control.events / control.exposure),
    interval: ratioInterval({ lower, upper }, control, candidate),
  };
}

/**
 * One rate with its exact interval. Assumes independent events at a constant rate, however few. Insufficient without
 * exposure.
 * @throws RangeError when alpha is outside (0, 1), events are not whole, or the exposure is negative.
 * @see Garwood 1936, Biometrika 28
 */
export function estimateRate(sample: EventRate, options: TestOptions): Estimate | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requireRate('sample', sample);
  const { events, exposure } = sample;
  if (exposure === 0) return insufficient('the sample has no exposure yet');
  const lower = events === 0 ? 0 : gamma(events).quantile(alpha / 2);
  return {
    kind: 'estimated',
    method: "rate with Garwood's exact interval",
    estimate: events / exposure,
    standardError: Math.sqrt(events) / exposure,
    interval: bounded(lower / exposure, gamma(events + 1).isf(alpha / 2) / exposure),
  };
}

function cannotCompare(control: EventRate, candidate: EventRate): Insufficient | undefined {
  requireRate('control', control);
  requireRate('candidate', candidate);
  if (control.exposure === 0) return insufficient('control has no exposure yet');
  if (candidate.exposure === 0) return insufficient('candidate has no exposure yet');
  if (control.events + candidate.events > 0) return undefined;
  return insufficient('nothing happened in either variant, so the rates cannot be told apart');
}

function requireRate(name: string, rate: EventRate): void {
  requireCount(`${name}.events`, rate.events);
  requireNonNegative(`${name}.exposure`, rate.exposure);
}

/** All differences that a z-test with the variance at that difference does not reject. */
function differenceInterval(control: EventRate, candidate: EventRate, z: number): Interval {
  const [s, t] = [control.exposure, candidate.exposure];
  const observed = candidate.events / t - control.events / s;
  const excess = (delta: number): number => {
    // Maximum-likelihood rate of the control at this difference: the root of (s + t) x^2 + b x - events delta.
    const b = (s + t) * delta - control.events - candidate.events;
    const root = Math.sqrt(b * b + 4 * (s + t) * control.events * delta);
    const rate = b <= 0 ? (root - b) / (2 * (s + t)) : (2 * control.events * delta) / (root + b);
    const low = Math.max(0, -delta);
    const x = Math.max(low, Number.isNaN(rate) ? low : rate);
    return (observed - delta) ** 2 - z * z * (x / s + Math.max(0, x + delta) / t);
  };
  const reach = z * Math.sqrt((control.events + 1) / s / s + (candidate.events + 1) / t / t);
  const end = (sign: -1 | 1): number => {
    let step = reach;
    while (excess(observed + sign * step) <= 0) step *= 2;
    return lastNotAbove(excess, { inside: observed, outside: observed + sign * step });
  };
  return bounded(end(-1), end(1));
}

/** Odds of an event to be the candidate's. */
interface OddsRange {
  readonly lower: number;
  /** Infinity when the control has no events. */
  readonly upper: number;
}

/** Wilson's score interval in odds. */
function wilsonOdds(control: EventRate, candidate: EventRate, alpha: number): OddsRange {
  const z = normal.isf(alpha / 2);
  const [x, y] = [candidate.events, control.events];
  const root = z * Math.sqrt(z * z + (4 * x * y) / (x + y));
  const far = (hits: number): number => 2 * hits + z * z + root;
  // 2 hits + z^2 - root, without the cancellation: the product of both ends is 4 hits^2 (1 + z^2 / n).
  const near = (hits: number): number => (4 * hits * hits * (1 + (z * z) / (x + y))) / far(hits);
  return { lower: near(x) / far(y), upper: y === 0 ? Infinity : far(x) / near(y) };
}

function clopperPearsonOdds(control: EventRate, candidate: EventRate, alpha: number): OddsRange {
  const [x, y] = [candidate.events, control.events];
  // Each end from the beta quantile whose complement is not needed: odds = p / q with both from their own tail.
  const odds = (a: number, b: number, tail: 'below' | 'above'): number => {
    const p = tail === 'below' ? beta(a, b).quantile(alpha / 2) : beta(a, b).isf(alpha / 2);
    const q = tail === 'below' ? beta(b, a).isf(alpha / 2) : beta(b, a).quantile(alpha / 2);
    return p / q;
  };
  return {
    lower: x === 0 ? 0 : odds(x, y + 1, 'below'),
    upper: y === 0 ? Infinity : odds(x + 1, y, 'above'),
  };
}

/** Interval of candidate / control from that of the odds. */
function ratioInterval(odds: OddsRange, control: EventRate, candidate: EventRate): Interval {
  const scale = control.exposure / candidate.exposure;
  const lower = odds.lower * scale;
  return odds.upper === Infinity ? { kind: 'lower', lower } : bounded(lower, odds.upper * scale);
}

function shifted(interval: Interval): Interval {
  if (interval.kind === 'bounded') return bounded(interval.lower - 1, interval.upper - 1);
  return interval.kind === 'lower' ? { kind: 'lower', lower: interval.lower - 1 } : interval;
}

/** Sum of the probabilities no larger than the one seen: the seen tail, and the other from where it is as unlikely. */
function likelihoodP(
  law: Distribution,
  split: { readonly seen: number; readonly events: number; readonly share: number },
): number {
  const { seen, events, share } = split;
  // Equal probabilities differ by rounding only.
  const limit = law.pdf(seen) * (1 + 1e-7);
  const mode = Math.min(events, Math.floor((events + 1) * share));
  if (law.pdf(mode) <= limit) return 1;
  // Beyond the mode probabilities only fall, so the first place that is no likelier is found by bisection.
  const step = seen < mode ? 1 : -1;
  let inside = mode;
  let outside = seen < mode ? events + 1 : -1;
  while (Math.abs(outside - inside) > 1) {
    const middle = Math.floor((inside + outside) / 2);
    if (law.pdf(middle) <= limit) outside = middle;
    else inside = middle;
  }
  const same = step > 0 ? law.cdf(seen) : law.sf(seen - 1);
  const other = step > 0 ? law.sf(outside - 1) : outside < 0 ? 0 : law.cdf(outside);
  return Math.min(1, same + other);
}
