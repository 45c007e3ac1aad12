// How are many values kept in little room, so that any quantile comes back within one percent and pieces can be merged?
import { bounded, type Insufficient, type Interval, insufficient, type TestOptions } from './interval.ts';
import { refuse, requireAlpha, requireCount, requireFinite, requireProbability } from './precondition.ts';
import { binomial } from './whole-number.ts';

/** How many values fell into the bucket with this number. */
export type Bucket = readonly [index: number, count: number];

/**
 * Counts of values in buckets that each reach 2 % further than the last. A plain object: it is its own JSON form.
 * Bucket i of `positive` holds 1.02^i <= x < 1.02^(i + 1), that is i = floor(ln x / ln 1.02), as a database can count it;
 * `negative` holds -x likewise. Rising by index, counts > 0. A range from a microsecond to a day takes 1,300 buckets.
 */
export interface LogHistogram {
  readonly n: number;
  /** Exact; 0 when n is 0. */
  readonly min: number;
  /** Exact; 0 when n is 0. */
  readonly max: number;
  readonly zeros: number;
  readonly positive: readonly Bucket[];
  readonly negative: readonly Bucket[];
}

const growth = 1.02;
const logGrowth = Math.log(growth);

/** Largest relative error of a quantile of a `LogHistogram`, 1 %: half a bucket, (1.02 - 1) / (1.02 + 1), and rounding. */
export const histogramError = 0.01;

/**
 * Histogram of values.
 * @throws RangeError when a value is not finite.
 * @see Masson, Rim & Lee 2019, PVLDB 12(12) (DDSketch), without its limit on buckets
 */
export function histogramOf(values: Iterable<number>): LogHistogram {
  const positive = new Map<number, number>();
  const negative = new Map<number, number>();
  let n = 0;
  let zeros = 0;
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    requireFinite(`values[${n}]`, value);
    n += 1;
    min = Math.min(min, value);
    max = Math.max(max, value);
    if (value === 0) {
      zeros += 1;
      continue;
    }
    const side = value > 0 ? positive : negative;
    const index = Math.floor(Math.log(Math.abs(value)) / logGrowth);
    side.set(index, (side.get(index) ?? 0) + 1);
  }
  // Adding 0 makes -0 a 0, which JSON would make of it anyway.
  const ends = n === 0 ? { min: 0, max: 0 } : { min: min + 0, max: max + 0 };
  return { n, ...ends, zeros, positive: rising(positive), negative: rising(negative) };
}

/**
 * Histogram of both samples together, the same as of all values at once.
 * @throws RangeError when either is not a histogram.
 */
export function mergeHistograms(a: LogHistogram, b: LogHistogram): LogHistogram {
  histogramFromJson(a);
  histogramFromJson(b);
  if (a.n === 0) return b;
  if (b.n === 0) return a;
  return {
    n: a.n + b.n,
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
    zeros: a.zeros + b.zeros,
    positive: rising(added(a.positive, b.positive)),
    negative: rising(added(a.negative, b.negative)),
  };
}

/**
 * The smallest value that a share q of the sample does not exceed (type 1), within 1 % of itself; the smallest and
 * largest value exactly. Insufficient without values.
 * @param q in [0, 1]
 * @throws RangeError when q is outside [0, 1] or the histogram contradicts itself.
 * @see Masson, Rim & Lee 2019, PVLDB 12(12); Hyndman & Fan 1996, definition 1
 */
export function histogramQuantile(histogram: LogHistogram, q: number): number | Insufficient {
  requireProbability('q', q);
  histogramFromJson(histogram);
  const { n } = histogram;
  if (n === 0) return insufficient('the histogram has no values yet');
  // As in `quantileOf`: a product like 0.1 x 30 must not miss the whole number it stands for.
  const rank = Math.min(n, Math.max(1, Math.ceil(n * q - n * 4 * Number.EPSILON)));
  return valueAt(histogram, rank).middle;
}

/**
 * Interval of a population's quantile from independent values, whatever their distribution; an end is open where the
 * sample is too small to bound it. It is widened to the ends of the buckets it stops in, so it covers what it says, 2 % more.
 * Values of one unit that belong together need `estimateQuantile`.
 * Insufficient without values.
 * @param q in (0, 1)
 * @throws RangeError when alpha or q is outside (0, 1), or the histogram contradicts itself.
 * @see David & Nagaraja 2003, Order Statistics (quantile intervals by ranks)
 */
export function histogramQuantileInterval(
  histogram: LogHistogram,
  q: number,
  options: TestOptions,
): Interval | Insufficient {
  const alpha = requireAlpha(options.alpha);
  if (!(q > 0 && q < 1)) refuse('q', q, 'in (0, 1)');
  histogramFromJson(histogram);
  if (histogram.n === 0) return insufficient('the histogram has no values yet');
  const below = binomial(histogram.n, q);
  const first = below.quantile(alpha / 2);
  const last = below.isf(alpha / 2) + 1;
  const lower = first >= 1 ? valueAt(histogram, first).lower : undefined;
  const upper = last <= histogram.n ? valueAt(histogram, last).upper : undefined;
  if (lower !== undefined && upper !== undefined) return bounded(lower, upper);
  if (lower !== undefined) return { kind: 'lower', lower };
  return upper === undefined ? { kind: 'unbounded' } : { kind: 'upper', upper };
}

interface Place {
  readonly lower: number;
  /** The point that is nowhere in the bucket further than 1 % away. */
  readonly middle: number;
  readonly upper: number;
}

/** The bucket of the value with this rank, 1..n, within smallest and largest value. */
function valueAt(histogram: LogHistogram, rank: number): Place {
  const { n, min, max } = histogram;
  if (rank === 1) return { lower: min, middle: min, upper: min };
  if (rank === n) return { lower: max, middle: max, upper: max };
  const within = (value: number): number => Math.min(max, Math.max(min, value));
  let seen = 0;
  for (const [index, count] of histogram.negative.toReversed()) {
    seen += count;
    if (seen < rank) continue;
    const { lower, middle, upper } = placeOf(index);
    return { lower: within(-upper), middle: within(-middle), upper: within(-lower) };
  }
  seen += histogram.zeros;
  if (seen >= rank) return { lower: 0, middle: 0, upper: 0 };
  for (const [index, count] of histogram.positive) {
    seen += count;
    if (seen < rank) continue;
    const { lower, middle, upper } = placeOf(index);
    return { lower: within(lower), middle: within(middle), upper: within(upper) };
  }
  return refuse('rank', rank, `in 1..${n}`);
}

function placeOf(index: number): Place {
  const lower = growth ** index;
  return { lower, middle: (2 * growth * lower) / (growth + 1), upper: growth * lower };
}

function rising(counts: ReadonlyMap<number, number>): readonly Bucket[] {
  return [...counts].sort(([a], [b]) => a - b);
}

function added(a: readonly Bucket[], b: readonly Bucket[]): ReadonlyMap<number, number> {
  const counts = new Map(a);
  for (const [index, count] of b) counts.set(index, (counts.get(index) ?? 0) + count);
  return counts;
}

/**
 * Returns a value read from JSON as a histogram.
 * @throws RangeError naming what does not fit: counts that are not whole, buckets out of order, a total that is not `n`.
 */
export function histogramFromJson(json: unknown): LogHistogram {
  if (typeof json !== 'object' || json === null) refuse('histogram', json, 'an object');
  const histogram = json as LogHistogram;
  requireCount('histogram.n', histogram.n);
  requireCount('histogram.zeros', histogram.zeros);
  requireFinite('histogram.min', histogram.min);
  requireFinite('histogram.max', histogram.max);
  if (histogram.min > histogram.max) refuse('histogram.min', histogram.min, `<= ${histogram.max}`);
  let total = histogram.zeros;
  for (const side of ['positive', 'negative'] as const) {
    const buckets: unknown = histogram[side];
    if (!Array.isArray(buckets)) refuse(`histogram.${side}`, buckets, 'a list of buckets');
    let before = -Infinity;
    for (const [i, bucket] of buckets.entries()) {
      const name = `histogram.${side}[${i}]`;
      if (!Array.isArray(bucket) || bucket.length !== 2) refuse(name, bucket, '[index, count]');
      const [index, count] = bucket as [number, number];
      if (!Number.isSafeInteger(index)) refuse(`${name}[0]`, index, 'a whole number');
      if (index <= before) refuse(`${name}[0]`, index, `> ${before}`);
      before = index;
      if (requireCount(`${name}[1]`, count) === 0) refuse(`${name}[1]`, count, '> 0');
      total += count;
    }
  }
  if (total !== histogram.n) refuse('histogram.n', histogram.n, `${total}, the sum of its counts`);
  return histogram;
}
