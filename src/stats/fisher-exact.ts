// Do two rates differ when events are so rare that no approximation holds?
import { bounded, type Insufficient, type Interval, insufficient } from './interval.ts';
import { refuse, requireAlpha, requireCount } from './precondition.ts';
import type { Proportion } from './proportions.ts';
import { logBinomialDensity } from './whole-number.ts';

/** Fisher's exact test of a two-by-two table. */
export interface FisherResult {
  readonly kind: 'tested';
  readonly method: string;
  /** Two-sided: all tables no likelier than the one seen. */
  readonly pValue: number;
  /** Two-sided mid-p: the seen table and its equals count half; less conservative, keeps its level on average only. */
  readonly midP: number;
  /** Candidate's odds over control's, conditional maximum likelihood. */
  readonly oddsRatio: number | Insufficient;
  /** Exact interval of the odds ratio from two one-sided tests; it may disagree with the two-sided p-value near alpha. */
  readonly interval: Interval;
}

/**
 * Fisher's exact test, conditional on the totals. Assumes independent units, 0 or 1 each; at any size it never exceeds
 * its level and is conservative. Insufficient without units on a side, or when nothing (or everything) happened.
 * Cost: one term per possible table, at most the number of events.
 * @param control whole numbers
 * @param candidate whole numbers
 * @param options level of the interval, default 0.05
 * @throws RangeError when counts are not whole, successes exceed n, or alpha is outside (0, 1).
 * @see Fisher 1935; Lancaster 1961, JASA 56 (mid-p); Cornfield 1956 (interval)
 */
export function fisherExact(
  control: Proportion,
  candidate: Proportion,
  options: { readonly alpha: number } = { alpha: 0.05 },
): FisherResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  for (const [name, side] of [
    ['control', control],
    ['candidate', candidate],
  ] as const) {
    requireCount(`${name}.n`, side.n);
    requireCount(`${name}.successes`, side.successes);
    if (side.successes > side.n) refuse(`${name}.successes`, side.successes, `in 0..${side.n}`);
  }
  if (control.n === 0) return insufficient('control has no units yet');
  if (candidate.n === 0) return insufficient('candidate has no units yet');
  const hits = control.successes + candidate.successes;
  if (hits === 0) return insufficient('nothing happened in either variant, so the rates cannot be told apart');
  if (hits === control.n + candidate.n) {
    return insufficient('it happened every time in both variants, so the rates cannot be told apart');
  }
  const tables = tablesOf(control, candidate);
  const seen = candidate.successes - tables.first;
  const { rarer, likeSeen } = tailsOf(tables.logs, seen);
  return {
    kind: 'tested',
    method: "Fisher's exact test",
    pValue: Math.min(1, rarer + likeSeen),
    midP: Math.min(1, rarer + likeSeen / 2),
    oddsRatio: oddsRatio(tables.logs, seen),
    interval: oddsInterval(tables.logs, seen, alpha),
  };
}

/** Probabilities of tables with the totals seen, were both rates the same. */
export interface TableTails {
  /** Of tables less likely than the one seen. */
  readonly rarer: number;
  /** Of the table seen and those just as likely. */
  readonly likeSeen: number;
  /** Of the candidate having as few successes as seen, or fewer. */
  readonly below: number;
  /** Of as many, or more. */
  readonly above: number;
  /** Of the table seen. */
  readonly seen: number;
}

/** Tails of Fisher's test. @param control whole counts, as `fisherExact` takes them @param candidate likewise */
export function fisherTails(control: Proportion, candidate: Proportion): TableTails {
  const tables = tablesOf(control, candidate);
  return tailsOf(tables.logs, candidate.successes - tables.first);
}

function tailsOf(logs: readonly number[], seen: number): TableTails {
  let [rarer, likeSeen, below, above] = [0, 0, 0, 0];
  for (const [k, log] of logs.entries()) {
    const mass = Math.exp(log);
    const away = log - logs[seen]!;
    // Equal tables differ by rounding only.
    if (Math.abs(away) < 1e-7) likeSeen += mass;
    else if (away < 0) rarer += mass;
    if (k <= seen) below += mass;
    if (k >= seen) above += mass;
  }
  return { rarer, likeSeen, below, above, seen: Math.exp(logs[seen]!) };
}

/** ln probability of each number of the candidate's successes, from the smallest possible, at odds ratio 1. */
function tablesOf(control: Proportion, candidate: Proportion): { first: number; logs: readonly number[] } {
  const hits = control.successes + candidate.successes;
  const total = control.n + candidate.n;
  const rate = hits / total;
  const first = Math.max(0, hits - control.n);
  const last = Math.min(hits, candidate.n);
  // Products of binomial densities keep all digits where differences of log-factorials lose them (Loader 2000).
  const whole = logBinomialDensity(hits, total, rate);
  const logs: number[] = [];
  for (let k = first; k <= last; k += 1) {
    logs.push(logBinomialDensity(k, candidate.n, rate) + logBinomialDensity(hits - k, control.n, rate) - whole);
  }
  return { first, logs };
}

function oddsRatio(logs: readonly number[], seen: number): number | Insufficient {
  if (seen === 0)
    return insufficient('the candidate has the fewest successes possible, so its odds ratio is 0 at best');
  if (seen === logs.length - 1) {
    return insufficient('the candidate has the most successes possible, so its odds ratio has no upper end');
  }
  return Math.exp(solveRising((lnOdds) => shares(logs, lnOdds).mean - seen));
}

function oddsInterval(logs: readonly number[], seen: number, alpha: number): Interval {
  const atLeast = (lnOdds: number): number => shares(logs, lnOdds).tail(seen) - alpha / 2;
  const lower = seen === 0 ? 0 : Math.exp(solveRising(atLeast));
  if (seen === logs.length - 1) return { kind: 'lower', lower };
  const atMost = (lnOdds: number): number => shares(logs, lnOdds).tail(seen + 1) - (1 - alpha / 2);
  return bounded(lower, Math.exp(solveRising(atMost)));
}

/** The tables' distribution at another odds ratio (Fisher's noncentral hypergeometric). */
function shares(logs: readonly number[], lnOdds: number): { mean: number; tail: (from: number) => number } {
  const shifted = logs.map((log, k) => log + k * lnOdds);
  const most = shifted.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = shifted.map((log) => Math.exp(log - most));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return {
    mean: weights.reduce((sum, weight, k) => sum + weight * k, 0) / total,
    tail: (from) => weights.reduce((sum, weight, k) => (k >= from ? sum + weight : sum), 0) / total,
  };
}

/** Zero of a rising function of the log odds ratio, by bisection to the last digits. */
function solveRising(f: (x: number) => number): number {
  let low = -1;
  let high = 1;
  while (f(low) > 0) low *= 2;
  while (f(high) < 0) high *= 2;
  for (let step = 0; step < 100 && high - low > 1e-15 * Math.max(1, Math.abs(low)); step += 1) {
    const middle = (low + high) / 2;
    if (f(middle) < 0) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
