// Does a value of one variant tend to be larger than one of the other, whatever the distribution?
import { bounded, type Insufficient, type Interval, insufficient, type TestOptions } from './interval.ts';
import { normal } from './normal.ts';
import { requireAlpha, requireFinite } from './precondition.ts';
import { tieSum } from './ranks.ts';
import { studentT } from './student-t.ts';

/** A comparison of two samples by ranks. */
export interface RankSumResult {
  readonly kind: 'tested';
  /** Says whether the p-value is exact or a normal approximation. */
  readonly method: string;
  /** Probability that a value of the candidate is larger than one of the control, ties counting half; 1/2 when equal. */
  readonly superiority: number;
  /** Mann and Whitney's U of the candidate: superiority x both counts. */
  readonly statistic: number;
  /** Two-sided, of both samples having one distribution. */
  readonly pValue: number;
  /**
   * Brunner and Munzel's interval of `superiority`, for which spreads may differ; so it may disagree with `pValue` near
   * alpha. Bounded by 0 and 1.
   */
  readonly interval: Interval | Insufficient;
}

/** Up to so many values on both sides the distribution is counted out, as R does. */
const exactBelow = 50;

/**
 * Mann and Whitney's rank-sum test: exact with fewer than 50 values on each side and no ties, else the normal
 * approximation with corrections for ties and continuity.
 * Assumes independent units. It answers whether one distribution lies above the other, not whether means (revenue,
 * cost) differ.
 * Insufficient with an empty side, or when all values are equal.
 * @param control one value per unit
 * @param candidate likewise
 * @throws RangeError when alpha is outside (0, 1) or a value is not finite.
 * @see Mann & Whitney 1947, Annals of Mathematical Statistics 18(1); Brunner & Munzel 2000, Biometrical Journal 42(1)
 */
export function rankSum(
  control: readonly number[],
  candidate: readonly number[],
  options: TestOptions,
): RankSumResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const [m, n] = [control.length, candidate.length];
  if (m === 0) return insufficient('control has no units yet');
  if (n === 0) return insufficient('candidate has no units yet');
  for (const [i, value] of control.entries()) requireFinite(`control[${i}]`, value);
  for (const [i, value] of candidate.entries()) requireFinite(`candidate[${i}]`, value);
  const left = Float64Array.from(control).sort();
  const right = Float64Array.from(candidate).sort();
  const ties = tieSum([...left, ...right]);
  const total = m + n;
  if (ties === total ** 3 - total) return insufficient('all values are equal, so no side can be larger');
  // Of each value the number of the other side's values below it, ties counting half.
  const after = placements(right, left);
  const statistic = after.reduce((sum, place) => sum + place, 0);
  const isExact = ties === 0 && m < exactBelow && n < exactBelow;
  return {
    kind: 'tested',
    method: isExact ? 'rank-sum test, exact' : 'rank-sum test, normal approximation',
    superiority: statistic / m / n,
    statistic,
    pValue: isExact ? exactP(statistic, m, n) : approximateP(statistic, { m, n, ties }),
    interval: brunnerMunzel(placements(left, right), after, alpha),
  };
}

/** For each of `sorted`, how many of `others` (sorted too) lie below it, equal ones counting half. */
function placements(sorted: Float64Array, others: Float64Array): number[] {
  let below = 0;
  let upTo = 0;
  return Array.from(sorted, (value) => {
    while (below < others.length && others[below]! < value) below += 1;
    while (upTo < others.length && others[upTo]! <= value) upTo += 1;
    return (below + upTo) / 2;
  });
}

function approximateP(
  statistic: number,
  { m, n, ties }: { readonly m: number; readonly n: number; readonly ties: number },
): number {
  const total = m + n;
  const spread = Math.sqrt(((m * n) / 12) * (total + 1 - ties / total / (total - 1)));
  const distance = Math.max(0, Math.abs(statistic - (m * n) / 2) - 0.5);
  return Math.min(1, 2 * normal.sf(distance / spread));
}

/** Twice the smaller tail of U when all orders are equally likely, by Mann and Whitney's recursion over values. */
function exactP(statistic: number, m: number, n: number): number {
  // ways[u]: shares of the orders in which U is u; a value of the candidate at a time, as a product of polynomials
  // prod (1 - q^(m + i)) / (1 - q^i), in probabilities so that nothing overflows.
  const size = m * n + 1;
  const ways = new Float64Array(size);
  ways[0] = 1;
  for (let i = 1; i <= n; i += 1) {
    for (let u = size - 1; u >= m + i; u -= 1) ways[u] = ways[u]! - ways[u - m - i]!;
    for (let u = i; u < size; u += 1) ways[u] = ways[u]! + ways[u - i]!;
    for (let u = 0; u < size; u += 1) ways[u] = (ways[u]! * i) / (m + i);
  }
  const tail = Math.min(statistic, m * n - statistic);
  let sum = 0;
  for (let u = 0; u <= tail; u += 1) sum += ways[u]!;
  return Math.min(1, 2 * sum);
}

function brunnerMunzel(before: readonly number[], after: readonly number[], alpha: number): Interval | Insufficient {
  const [m, n] = [before.length, after.length];
  if (m < 2 || n < 2) return insufficient('a side has one unit; a spread needs at least two');
  const left = varianceOfPlaces(before) / n / n / m;
  const right = varianceOfPlaces(after) / m / m / n;
  const variance = left + right;
  if (!(variance > 0)) return insufficient('every value of one side is larger than all of the other');
  const share = left / variance;
  const df = 1 / (share ** 2 / (m - 1) + (1 - share) ** 2 / (n - 1));
  const centre = after.reduce((sum, place) => sum + place, 0) / m / n;
  const margin = studentT(df).isf(alpha / 2) * Math.sqrt(variance);
  return bounded(Math.max(0, centre - margin), Math.min(1, centre + margin));
}

function varianceOfPlaces(places: readonly number[]): number {
  const mean = places.reduce((sum, place) => sum + place, 0) / places.length;
  return places.reduce((sum, place) => sum + (place - mean) ** 2, 0) / (places.length - 1);
}
