// How good is one ranked list? (Means over lists are means like any other.)
import { type Insufficient, insufficient } from './interval.ts';
import { refuse, requireCount, requireNonNegative } from './precondition.ts';

/** How relevance turns into gain: as it is, or 2^relevance - 1, which sets the best items further apart. */
export type Gain = 'linear' | 'exponential';

/** How a ranked list is judged. */
export interface RankingOptions {
  /** Only the first k places count; a whole number > 0. */
  readonly k: number;
}

/**
 * Normalised discounted cumulative gain of the first k places, in [0, 1]: 1 for the best order of these items.
 * Insufficient when no item is relevant: then no order is better than another, and a made-up 0 or 1 would bend the mean.
 * @param shown relevance of the items in the order shown, each >= 0
 * @param options `all`: relevance of every item that could have been shown, default those shown; `gain` default linear
 * @throws RangeError when k is not a whole number > 0, a relevance is negative, or `all` holds less than was shown.
 * @see Jarvelin & Kekalainen 2002, ACM TOIS 20(4); Burges et al. 2005, ICML (discount log2(place + 1), exponential
 * gain)
 */
export function ndcg(
  shown: readonly number[],
  options: RankingOptions & { readonly all?: readonly number[]; readonly gain?: Gain },
): number | Insufficient {
  const k = requireK(options.k);
  const all = options.all ?? shown;
  for (const [i, relevance] of shown.entries()) requireNonNegative(`shown[${i}]`, relevance);
  for (const [i, relevance] of all.entries()) requireNonNegative(`all[${i}]`, relevance);
  const gain = options.gain ?? 'linear';
  if (gain !== 'linear' && gain !== 'exponential') refuse('gain', gain, 'linear or exponential');
  const best = discounted(
    [...all].sort((a, b) => b - a),
    { k, gain },
  );
  if (best === 0) return insufficient('no item is relevant, so no order is better than another');
  const value = discounted(shown, { k, gain }) / best;
  // Rounding apart, more than the best means that `all` misses items.
  if (value > 1 + 1e-9) refuse('gain shown over best gain of all', value, 'at most 1');
  return Math.min(1, value);
}

function discounted(relevances: readonly number[], options: { readonly k: number; readonly gain: Gain }): number {
  let sum = 0;
  for (const [place, relevance] of relevances.slice(0, options.k).entries()) {
    const gain = options.gain === 'linear' ? relevance : 2 ** relevance - 1;
    sum += gain / Math.log2(place + 2);
  }
  return sum;
}

/**
 * 1 when any of the first k items is relevant, else 0; its mean over lists is the hit rate, a proportion.
 * @throws RangeError when k is not a whole number > 0 or a relevance is negative.
 */
export function hit(shown: readonly number[], options: RankingOptions): 0 | 1 {
  const k = requireK(options.k);
  return shown.slice(0, k).some((relevance, i) => requireNonNegative(`shown[${i}]`, relevance) > 0) ? 1 : 0;
}

/**
 * One over the place of the first relevant item among the first k, 0 when there is none; its mean is the MRR.
 * @throws RangeError when k is not a whole number > 0 or a relevance is negative.
 * @see Voorhees 1999, TREC-8 question answering track
 */
export function reciprocalRank(shown: readonly number[], options: RankingOptions): number {
  const k = requireK(options.k);
  const place = shown.slice(0, k).findIndex((relevance, i) => requireNonNegative(`shown[${i}]`, relevance) > 0);
  return place < 0 ? 0 : 1 / (place + 1);
}

function requireK(k: number): number {
  return requireCount('k', k) > 0 ? k : refuse('k', k, 'a whole number > 0');
}
