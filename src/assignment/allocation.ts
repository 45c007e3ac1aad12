// How weights become ranges of buckets, and how changed weights move the fewest units.
import { bucketCount } from './murmur3.ts';

/** Half-open interval [from, to) of the 2^32 split buckets. */
export interface BucketRange {
  readonly variant: string;
  readonly from: number;
  readonly to: number;
}

/** A variant and its weight: an integer >= 0; its share is weight / sum of weights. */
export interface VariantWeight {
  readonly variant: string;
  readonly weight: number;
}

/**
 * Ranges in the order given that cover [0, 2^32) whole, each as wide as its weight demands to within one bucket
 * (largest remainder; of equal remainders the earlier gets the bucket). A weight of 0 gets no range.
 *
 * @throws RangeError when a weight is not an integer >= 0, a variant appears twice, or all weights are 0.
 */
export function allocate(weights: readonly VariantWeight[]): readonly BucketRange[] {
  const widths = widthsOf(weights);
  const ranges: BucketRange[] = [];
  let from = 0;
  for (const { variant } of weights) {
    const width = widths.get(variant)!;
    if (width > 0) ranges.push({ variant, from, to: from + width });
    from += width;
  }
  return ranges;
}

/**
 * Ranges for new weights that move the fewest units: every variant keeps min(old width, new width) of its buckets.
 *
 * @param ranges the allocation in force: sorted, without gap or overlap, covering [0, 2^32).
 * @throws RangeError as `allocate`, and when `ranges` do not cover [0, 2^32).
 */
export function reallocate(ranges: readonly BucketRange[], weights: readonly VariantWeight[]): readonly BucketRange[] {
  requireCover(ranges);
  const widths = widthsOf(weights);
  const keep = new Map(widths);
  const kept: BucketRange[] = [];
  const free: { from: number; to: number }[] = [];
  for (const { variant, from, to } of ranges) {
    const width = Math.min(to - from, keep.get(variant) ?? 0);
    if (width > 0) {
      kept.push({ variant, from, to: from + width });
      keep.set(variant, keep.get(variant)! - width);
    }
    if (from + width < to) free.push({ from: from + width, to });
  }
  for (const { variant } of weights) {
    let wanted = keep.get(variant)!;
    while (wanted > 0) {
      const piece = free[0]!;
      const width = Math.min(wanted, piece.to - piece.from);
      kept.push({ variant, from: piece.from, to: piece.from + width });
      wanted -= width;
      piece.from += width;
      if (piece.from === piece.to) free.shift();
    }
  }
  kept.sort((a, b) => a.from - b.from);
  return merged(kept);
}

/**
 * Checks that ranges are sorted, without gap or overlap, and cover [0, 2^32).
 *
 * @throws RangeError naming the first range that breaks the rule.
 */
export function requireCover(ranges: readonly BucketRange[]): void {
  let expected = 0;
  for (const [index, range] of ranges.entries()) {
    if (range.from !== expected) throw new RangeError(`ranges[${index}].from is ${range.from}, must be ${expected}`);
    if (!Number.isInteger(range.to) || range.to <= range.from || range.to > bucketCount) {
      throw new RangeError(`ranges[${index}].to is ${range.to}, must be an integer in (${range.from}, ${bucketCount}]`);
    }
    expected = range.to;
  }
  if (expected !== bucketCount) throw new RangeError(`the last range ends at ${expected}, must be ${bucketCount}`);
}

function widthsOf(weights: readonly VariantWeight[]): Map<string, number> {
  let sum = 0n;
  for (const [index, { variant, weight }] of weights.entries()) {
    if (!Number.isSafeInteger(weight) || weight < 0) {
      throw new RangeError(`weights[${index}].weight is ${weight}, must be an integer >= 0`);
    }
    if (weights.findIndex((other) => other.variant === variant) !== index) {
      throw new RangeError(`weights[${index}].variant is "${variant}", must appear once`);
    }
    sum += BigInt(weight);
  }
  if (sum === 0n) throw new RangeError('the sum of weights is 0, must be > 0');
  const quotas = weights.map(({ variant, weight }) => {
    const scaled = BigInt(weight) * BigInt(bucketCount);
    return { variant, width: Number(scaled / sum), remainder: scaled % sum };
  });
  let left = bucketCount - quotas.reduce((total, quota) => total + quota.width, 0);
  const byRemainder = [...quotas].sort((a, b) => Number(b.remainder > a.remainder) - Number(b.remainder < a.remainder));
  for (const quota of byRemainder) {
    if (left === 0) break;
    quota.width += 1;
    left -= 1;
  }
  return new Map(quotas.map((quota) => [quota.variant, quota.width]));
}

function merged(ranges: readonly BucketRange[]): readonly BucketRange[] {
  const result: BucketRange[] = [];
  for (const range of ranges) {
    const last = result.at(-1);
    if (last !== undefined && last.variant === range.variant) result[result.length - 1] = { ...last, to: range.to };
    else result.push(range);
  }
  return result;
}
