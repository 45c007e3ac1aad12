// What does a few huge values leave of a mean, when all beyond a bound are taken as the bound?
import { type Moments, momentsOf } from './moments.ts';
import { refuse, requireFinite, requireProbability } from './precondition.ts';
import { quantileOf } from './quantiles.ts';

/** Where values end; an absent end is open. */
export interface CapBounds {
  readonly lower?: number;
  readonly upper?: number;
}

/** Moments of capped values, and how many values a bound moved. */
export interface CappedMoments {
  readonly moments: Moments;
  /** Values that lay below `lower`. */
  readonly raised: number;
  /** Values that lay above `upper`. */
  readonly lowered: number;
}

/**
 * Bounds at quantiles of all variants together (type 1: a value of the sample), the same for each variant, so that equal
 * variants stay equal. Capping at a bound of each variant's own would compare different metrics.
 * @param samples one list of values per variant, at least one value in all
 * @param shares quantiles to cap at, for example `{ upper: 0.999 }`; in [0, 1], lower <= upper
 * @throws RangeError when there is no value, one is not finite, no share is given, or a share is outside [0, 1].
 * @see Tukey 1962, Annals of Mathematical Statistics 33(1) (winsorizing); Hyndman & Fan 1996, definition 1
 */
export function capBoundsOf(samples: readonly (readonly number[])[], shares: CapBounds): CapBounds {
  const { lower, upper } = shares;
  if (lower === undefined && upper === undefined) refuse('shares', 'empty', 'a lower or an upper quantile');
  if (lower !== undefined) requireProbability('shares.lower', lower);
  if (upper !== undefined) requireProbability('shares.upper', upper);
  if (lower !== undefined && upper !== undefined && lower > upper) refuse('shares.lower', lower, `<= ${upper}`);
  const sorted = Float64Array.from(samples.flat()).sort();
  if (sorted.length === 0) refuse('values of all samples', 0, '> 0');
  requireFinite('smallest value', sorted[0]!);
  requireFinite('largest value', sorted[sorted.length - 1]!);
  const at = (q: number): number => quantileOf(sorted as unknown as readonly number[], q, { type: 1 });
  return {
    ...(lower === undefined ? {} : { lower: at(lower) }),
    ...(upper === undefined ? {} : { upper: at(upper) }),
  };
}

/**
 * Moments of values capped at the bounds. Given to `compareMeans` they answer for the capped metric, which is another
 * metric than the mean: say so, and how many values were moved. Bounds of `mergeMoments` parts must be the same.
 * @throws RangeError when a value or bound is not finite, or lower > upper.
 */
export function cappedMomentsOf(values: Iterable<number>, bounds: CapBounds): CappedMoments {
  const lower = bounds.lower === undefined ? -Infinity : requireFinite('bounds.lower', bounds.lower);
  const upper = bounds.upper === undefined ? Infinity : requireFinite('bounds.upper', bounds.upper);
  if (lower > upper) refuse('bounds.lower', lower, `<= ${upper}`);
  let raised = 0;
  let lowered = 0;
  const capped: number[] = [];
  for (const value of values) {
    requireFinite(`values[${capped.length}]`, value);
    if (value < lower) raised += 1;
    if (value > upper) lowered += 1;
    capped.push(Math.min(upper, Math.max(lower, value)));
  }
  return { moments: momentsOf(capped), raised, lowered };
}
