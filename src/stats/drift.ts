// Does today's data still look like the data of reference?
import { chiSquared } from './gamma.ts';
import { type Insufficient, insufficient } from './interval.ts';
import { kolmogorovTail, oneSampleTail, twoSampleTail } from './kolmogorov.ts';
import { refuse, requireFinite, requireNonNegative } from './precondition.ts';

/** How far two histograms lie apart. */
export interface StabilityResult {
  readonly kind: 'tested';
  readonly method: string;
  /** Population stability index, >= 0; by custom below 0.1 little, above 0.25 much drift. */
  readonly index: number;
  /** Bins less one. */
  readonly df: number;
  /** Chance of so large an index from sampling alone. */
  readonly pValue: number;
}

/**
 * Population stability index of counts in the same bins, and its large-sample test: the index shrinks with the samples
 * even without drift, so a fixed limit like 0.25 alarms in small samples and sleeps in large ones.
 * Valid when each bin expects five or more in both samples.
 * Insufficient when a sample is empty, fewer than two bins are in use, or a bin is empty in one sample only (the index is
 * infinite then): merge bins.
 * @throws RangeError when the bins differ in number or a count is negative.
 * @see Siddiqi 2006, Credit Risk Scorecards; Yurdakul & Naranjo 2020, Journal of Risk Model Validation 14(4)
 */
export function stabilityIndex(
  reference: readonly number[],
  current: readonly number[],
): StabilityResult | Insufficient {
  if (current.length !== reference.length)
    refuse('current.length', current.length, `${reference.length} as in reference`);
  const n = reference.reduce((sum, count, i) => sum + requireNonNegative(`reference[${i}]`, count), 0);
  const m = current.reduce((sum, count, i) => sum + requireNonNegative(`current[${i}]`, count), 0);
  if (!(n > 0)) return insufficient('the reference is empty');
  if (!(m > 0)) return insufficient('the current sample is empty');
  const used = [...reference.keys()].filter((i) => reference[i]! + current[i]! > 0);
  if (used.length < 2) return insufficient('all values are in one bin');
  const hole = used.find((i) => reference[i] === 0 || current[i] === 0);
  if (hole !== undefined) return insufficient(`bin ${hole} is empty in one sample only; merge it with another`);
  const index = populationStability(
    used.map((i) => reference[i]! / n),
    used.map((i) => current[i]! / m),
  );
  const df = used.length - 1;
  // In counts, the index over (1/n + 1/m) is chi-squared when nothing has changed.
  return {
    kind: 'tested',
    method: 'population stability index, chi-squared limit',
    index,
    df,
    pValue: chiSquared(df).sf(index / (1 / n + 1 / m)),
  };
}

/**
 * Population stability index of two sets of shares, sum of (current - reference) ln(current / reference), >= 0.
 * Without the counts behind the shares it says nothing of chance: `stabilityIndex` does.
 * @throws RangeError when lengths differ or a share is not > 0.
 * @see Siddiqi 2006, Credit Risk Scorecards
 */
export function populationStability(reference: readonly number[], current: readonly number[]): number {
  if (current.length !== reference.length)
    refuse('current.length', current.length, `${reference.length} as in reference`);
  return reference.reduce((sum, expected, i) => {
    const actual = current[i]!;
    if (!(expected > 0)) refuse(`reference[${i}]`, expected, '> 0');
    if (!(actual > 0)) refuse(`current[${i}]`, actual, '> 0');
    return sum + (actual - expected) * Math.log(actual / expected);
  }, 0);
}

/** The largest gap between two distribution functions. */
export interface KolmogorovResult {
  readonly kind: 'tested';
  readonly method: string;
  /** In [0, 1]. */
  readonly statistic: number;
  /** Two-sided. */
  readonly pValue: number;
}

/**
 * Two-sample Kolmogorov-Smirnov test; exact (also with ties) while n m <= 10,000, else the large-sample limit.
 * For continuous values; ties make the limit careful. Sees any change of shape, and hence small ones late.
 * Insufficient when a sample is empty or all values are the same.
 * @throws RangeError when a value is not finite.
 * @see Kolmogorov 1933; Smirnov 1939; Schroer & Trenkler 1995 (exact, by counting paths)
 */
export function compareDistributions(
  reference: readonly number[],
  current: readonly number[],
): KolmogorovResult | Insufficient {
  const one = sorted('reference', reference);
  const two = sorted('current', current);
  if (one.length === 0) return insufficient('the reference is empty');
  if (two.length === 0) return insufficient('the current sample is empty');
  if (one[0] === two[0] && one.at(-1) === one[0] && two.at(-1) === two[0]) {
    return insufficient('all values are the same, so there is no distribution to compare');
  }
  const n = one.length;
  const m = two.length;
  // Gaps are kept as whole numbers, |i m - j n|, so that equal ones compare as equal.
  let widest = 0;
  const ends: boolean[] = [];
  for (let i = 0, j = 0; i < n || j < m; ) {
    const x = Math.min(one[i] ?? Infinity, two[j] ?? Infinity);
    while (i < n && one[i] === x) {
      i += 1;
      ends.push(false);
    }
    while (j < m && two[j] === x) {
      j += 1;
      ends.push(false);
    }
    ends[ends.length - 1] = true;
    widest = Math.max(widest, Math.abs(i * m - j * n));
  }
  const statistic = widest / (n * m);
  const isExact = n * m <= 10_000;
  return {
    kind: 'tested',
    method: `two-sample Kolmogorov-Smirnov test, ${isExact ? 'exact' : 'large-sample limit'}`,
    statistic,
    pValue: isExact ? twoSampleTail({ n, m, widest, ends }) : kolmogorovTail(statistic * Math.sqrt(n / (1 + n / m))),
  };
}

/**
 * Kolmogorov-Smirnov test of a sample against a given continuous distribution (not one fitted to the same sample: that
 * makes p far too large).
 * Insufficient when the sample is empty.
 * @param cdf P(X <= x) of the distribution, in [0, 1] and rising
 * @throws RangeError when a value is not finite or cdf leaves [0, 1].
 * @see Kolmogorov 1933; Marsaglia, Tsang & Wang 2003, Journal of Statistical Software 8(18); Simard & L'Ecuyer 2011
 */
export function fitsDistribution(
  sample: readonly number[],
  cdf: (x: number) => number,
): KolmogorovResult | Insufficient {
  const values = sorted('sample', sample);
  const n = values.length;
  if (n === 0) return insufficient('the sample is empty');
  let statistic = 0;
  for (const [i, value] of values.entries()) {
    const p = cdf(value);
    if (!(p >= 0 && p <= 1)) refuse(`cdf(${value})`, p, 'in [0, 1]');
    statistic = Math.max(statistic, p - i / n, (i + 1) / n - p);
  }
  return {
    kind: 'tested',
    method: 'one-sample Kolmogorov-Smirnov test',
    statistic,
    pValue: oneSampleTail(n, statistic),
  };
}

function sorted(name: string, values: readonly number[]): number[] {
  for (const [i, value] of values.entries()) requireFinite(`${name}[${i}]`, value);
  return [...values].sort((a, b) => a - b);
}
