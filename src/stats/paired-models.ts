// Two models answered the same inputs: is one right more often?

import { logGamma } from './gamma-function.ts';
import {
  bounded,
  type Insufficient,
  type Interval,
  insufficient,
  type TestOptions,
  type TestResult,
} from './interval.ts';
import { normal } from './normal.ts';
import { requireAlpha, requireCount, requirePositive } from './precondition.ts';
import { findRoot } from './root.ts';
import { binomial } from './whole-number.ts';

/** Rows by whether each model was right; whole numbers, added up over pieces. */
export interface PairedOutcomes {
  readonly both: number;
  readonly onlyControl: number;
  readonly onlyCandidate: number;
  readonly neither: number;
}

/** McNemar's test in all its forms; `pValue` and `interval` are the asymptotic ones, which agree. */
export interface McNemarResult extends TestResult {
  /** Rows on which just one model was right: all the test looks at. */
  readonly discordant: number;
  /** Chi-squared without correction, the square of `statistic`. */
  readonly chiSquared: number;
  /** With Edwards' continuity correction: close to the exact test, and as careful. */
  readonly corrected: { readonly chiSquared: number; readonly pValue: number };
  /** Exact binomial, two-sided: keeps its level with any number of rows. */
  readonly exactPValue: number;
  /** The same counting the seen table half: less careful. */
  readonly midP: number;
}

/**
 * McNemar's test of two models on the same independent rows, with Tango's score interval of the difference of their rates
 * (0 is in it exactly when p >= alpha).
 * Asymptotic forms are valid from some 25 discordant rows; below that read `exactPValue`.
 * Insufficient without rows, or when the models never differ.
 * @throws RangeError when alpha is outside (0, 1) or a count is not whole.
 * @see McNemar 1947, Psychometrika 12; Edwards 1948; Fagerland, Lydersen & Laake 2013 (mid-p); Tango 1998, Statistics in
 * Medicine 17 (interval)
 */
export function comparePairedModels(rows: PairedOutcomes, options: TestOptions): McNemarResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const n =
    requireCount('both', rows.both) +
    requireCount('onlyControl', rows.onlyControl) +
    requireCount('onlyCandidate', rows.onlyCandidate) +
    requireCount('neither', rows.neither);
  const { onlyControl, onlyCandidate } = rows;
  const discordant = onlyControl + onlyCandidate;
  if (n === 0) return insufficient('there are no rows yet');
  if (discordant === 0)
    return insufficient('both models were right on just the same rows, so nothing tells them apart');
  const gap = onlyCandidate - onlyControl;
  const statistic = gap / Math.sqrt(discordant);
  const corrected = Math.max(0, Math.abs(gap) - 1) / Math.sqrt(discordant);
  const coin = binomial(discordant, 0.5);
  const least = Math.min(onlyControl, onlyCandidate);
  return {
    kind: 'tested',
    method: "McNemar's test with Tango's score interval",
    control: (rows.both + onlyControl) / n,
    candidate: (rows.both + onlyCandidate) / n,
    difference: gap / n,
    standardError: Math.sqrt(discordant) / n,
    statistic,
    pValue: Math.min(1, 2 * normal.sf(Math.abs(statistic))),
    interval: tango(rows, { n, alpha }),
    discordant,
    chiSquared: statistic ** 2,
    corrected: { chiSquared: corrected ** 2, pValue: Math.min(1, 2 * normal.sf(corrected)) },
    exactPValue: Math.min(1, 2 * coin.cdf(least)),
    midP: Math.min(1, 2 * coin.cdf(least) - coin.pdf(least)),
  };
}

/** All differences that the score test with constrained variance does not reject. */
function tango(rows: PairedOutcomes, { n, alpha }: { readonly n: number; readonly alpha: number }): Interval {
  const { onlyControl, onlyCandidate } = rows;
  const z = normal.isf(alpha / 2);
  const excess = (delta: number): number => {
    // The likeliest share of "only control" when the rates differ by delta.
    const b = -onlyCandidate - onlyControl + (2 * n - onlyCandidate + onlyControl) * delta;
    const c = -onlyControl * delta * (1 - delta);
    const root = Math.sqrt(Math.max(0, b * b - 8 * n * c));
    // Whichever form of the root does not cancel.
    const held = b > 0 ? (-2 * c) / (b + root) : (root - b) / (4 * n);
    const variance = n * (2 * Math.max(0, held) + delta * (1 - delta));
    return (onlyCandidate - onlyControl - n * delta) ** 2 - z * z * Math.max(0, variance);
  };
  const seen = (onlyCandidate - onlyControl) / n;
  // At a difference of 1 or -1 the variance vanishes, so the search starts a hair inside.
  const start = Math.min(1 - 1e-14, Math.max(-1 + 1e-14, seen));
  const end = (limit: 1 | -1): number =>
    seen === limit || excess(limit) <= 0 ? limit : findRoot(excess, [start, limit]);
  return bounded(end(-1), end(1));
}

/** Wins of one model over another, watched while rows come in. */
export interface WatchedWins {
  readonly kind: 'watched';
  readonly method: string;
  /** Candidate's share of the rows that just one model won; 0.5 when both are alike. */
  readonly share: number;
  /** ln of the e-value against a share of 0.5. */
  readonly logE: number;
  /** min(1, e^-logE); a running minimum over looks is valid too. */
  readonly pValue: number;
  /** Confidence sequence of the share: right at all looks at once. Leaves 0.5 out exactly when pValue < alpha. */
  readonly interval: Interval;
}

/**
 * Sequential McNemar test: valid at every look and exact, as a discordant row is a fair coin when the models are alike.
 * A beta mixture over the coin's bias gives the e-value.
 * Insufficient before the first discordant row.
 * @param wins rows that only one model got right (or that a judge gave to one), whole numbers; ties are left out
 * @param options `concentration` of the symmetric beta mixture, > 0, default 1 (all biases alike); larger is quicker to
 * see small differences
 * @throws RangeError when alpha is outside (0, 1), a count is not whole, or the concentration is not > 0.
 * @see Robbins 1970, Annals of Mathematical Statistics 41(5) (beta mixture); Howard et al. 2021, section 3.2
 */
export function watchPairedModels(
  wins: { readonly control: number; readonly candidate: number },
  options: TestOptions & { readonly concentration?: number },
): WatchedWins | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requireCount('wins.control', wins.control);
  requireCount('wins.candidate', wins.candidate);
  const weight = requirePositive('concentration', options.concentration ?? 1);
  const { control, candidate } = wins;
  if (control + candidate === 0) return insufficient('no row has told the models apart yet');
  const logBeta = (a: number, b: number): number => logGamma(a) + logGamma(b) - logGamma(a + b);
  const mixed = logBeta(weight + candidate, weight + control) - logBeta(weight, weight);
  const logE = (share: number): number =>
    mixed - (candidate === 0 ? 0 : candidate * Math.log(share)) - (control === 0 ? 0 : control * Math.log1p(-share));
  const share = candidate / (control + candidate);
  const limit = Math.log(1 / alpha);
  const seen = logE(0.5);
  return {
    kind: 'watched',
    method: 'sequential McNemar test, beta mixture',
    share,
    logE: seen,
    pValue: Math.min(1, Math.exp(-seen)),
    interval: bounded(
      candidate === 0 ? 0 : findRoot((x) => logE(x) - limit, [Number.MIN_VALUE, share]),
      control === 0 ? 1 : findRoot((x) => logE(x) - limit, [share, 1 - 2 ** -53]),
    ),
  };
}
