// Do paired values differ, when their differences are too wild for a mean?
import { bounded, type Insufficient, type Interval, insufficient, type TestOptions } from './interval.ts';
import { normal } from './normal.ts';
import { requireAlpha, requireFinite } from './precondition.ts';
import { midRanks, tieSum } from './ranks.ts';

/** Wilcoxon's signed-rank test of differences. */
export interface SignedRankResult {
  readonly kind: 'tested';
  /** Says whether the p-value is exact or a normal approximation. */
  readonly method: string;
  /** Pairs whose difference is not 0. */
  readonly n: number;
  /** V, the sum of the ranks of positive differences. */
  readonly statistic: number;
  /** Two-sided. */
  readonly pValue: number;
  /** Hodges and Lehmann's: the middle of all means of two differences; insufficient above 3,000 pairs (too many means). */
  readonly shift: { readonly estimate: number; readonly interval: Interval } | Insufficient;
}

/** Up to so many pairs the distribution is counted out, as R does. */
const exactBelow = 50;

/**
 * Wilcoxon's signed-rank test that paired differences are symmetric around 0: exact with fewer than 50 pairs without ties
 * or zeros, else the normal approximation with corrections for ties and continuity. Differences of 0 are left out.
 * It speaks of the mean only where the differences are symmetric. Insufficient when all differences are 0.
 * @param differences candidate - control, one per pair
 * @throws RangeError when alpha is outside (0, 1) or a difference is not finite.
 * @see Wilcoxon 1945, Biometrics Bulletin 1(6); Hollander & Wolfe 1999, chapter 3 (interval from Walsh averages)
 */
export function signedRank(differences: readonly number[], options: TestOptions): SignedRankResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  for (const [i, value] of differences.entries()) requireFinite(`differences[${i}]`, value);
  const used = differences.filter((value) => value !== 0);
  const n = used.length;
  if (n === 0) return insufficient(differences.length === 0 ? 'there are no pairs yet' : 'no pair differs');
  const sizes = used.map(Math.abs);
  const ranks = midRanks(sizes);
  const statistic = used.reduce((sum, value, i) => (value > 0 ? sum + ranks[i]! : sum), 0);
  const ties = tieSum(sizes);
  const isExact = n < exactBelow && ties === 0 && n === differences.length;
  const whole = n * (n + 1);
  const spread = Math.sqrt((whole * (2 * n + 1)) / 24 - ties / 48);
  const tails = isExact ? countedTails(n) : undefined;
  const away = Math.abs(statistic - whole / 4);
  const pValue =
    tails === undefined
      ? 2 * normal.sf(Math.max(0, away - 0.5) / spread)
      : 2 * tails[Math.min(statistic, whole / 2 - statistic)]!;
  // How many means of two are cut off on each side.
  const cut =
    tails === undefined
      ? Math.floor(whole / 4 - normal.isf(alpha / 2) * spread)
      : tails.filter((chance) => chance <= alpha / 2).length;
  return {
    kind: 'tested',
    method: `signed-rank test, ${isExact ? 'exact' : 'normal approximation'}`,
    n,
    statistic,
    pValue: Math.min(1, pValue),
    shift: shiftOf(differences, cut),
  };
}

/** P(V <= v) for v = 0, 1, ..., n (n + 1) / 2, all signs being equally likely. */
function countedTails(n: number): readonly number[] {
  let chances = [1];
  for (let rank = 1; rank <= n; rank += 1) {
    const next = Array.from({ length: chances.length + rank }, () => 0);
    for (const [v, chance] of chances.entries()) {
      next[v]! += chance / 2;
      next[v + rank]! += chance / 2;
    }
    chances = next;
  }
  let sum = 0;
  return chances.map((chance) => {
    sum += chance;
    return sum;
  });
}

function shiftOf(differences: readonly number[], cut: number): SignedRankResult['shift'] {
  const n = differences.length;
  if (n > 3000) return insufficient(`the means of any two of ${n} differences are too many`);
  const means = new Float64Array((n * (n + 1)) / 2);
  let at = 0;
  for (let i = 0; i < n; i += 1) {
    for (let j = i; j < n; j += 1) {
      means[at] = (differences[i]! + differences[j]!) / 2;
      at += 1;
    }
  }
  means.sort();
  const middle = (means[(at - 1) >> 1]! + means[at >> 1]!) / 2;
  // With very few pairs no shift at all is ruled out.
  if (cut < 1) return { estimate: middle, interval: { kind: 'unbounded' } };
  const interval = bounded(means[cut - 1]!, means[at - cut]!);
  if (means[cut - 1] === means[at - cut])
    return insufficient(`so many pairs differ by ${middle} that it has no spread`);
  return { estimate: middle, interval };
}
