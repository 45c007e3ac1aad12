// Which of many comparisons stand when all are judged together, and how wide must the intervals of those be?
import { type Insufficient, insufficient, type TestOptions } from './interval.ts';
import { refuse, requireAlpha, requireProbability } from './precondition.ts';

/** How many p-values are judged together. The first four bound the chance of any false rejection, the others their share. */
export type Correction = 'bonferroni' | 'holm' | 'hochberg' | 'hommel' | 'benjamini-hochberg' | 'benjamini-yekutieli';

/** What stands after a correction. */
export interface Selection {
  readonly kind: 'selected';
  readonly method: string;
  /** Indices of what is rejected, rising. */
  readonly rejected: readonly number[];
  /** Per comparison the smallest alpha at which it would be rejected, in [0, 1]. */
  readonly adjusted: readonly number[];
  /** Level whose intervals fit the selection, or why there is none. */
  readonly intervals: IntervalLevel | Insufficient;
}

/** At which level to take each interval so that intervals and rejections tell the same story. */
export interface IntervalLevel {
  readonly kind: 'level';
  /** Alpha of each interval on its own, in (0, 1); make the intervals of the rejected comparisons at this level. */
  readonly alpha: number;
  /** What is promised of them together. */
  readonly promise: 'simultaneous' | 'false coverage rate';
}

/**
 * Adjusted p-values, in the order given: reject where they are <= alpha. No comparisons give none.
 * Holm, Bonferroni and Benjamini-Yekutieli hold under any dependence; Hochberg, Hommel and Benjamini-Hochberg for
 * independent or positively dependent p-values.
 * @param pValues each in [0, 1]
 * @throws RangeError when a p-value is outside [0, 1].
 * @see Holm 1979; Hochberg 1988; Hommel 1988; Benjamini & Hochberg 1995; Benjamini & Yekutieli 2001, theorem 1.3;
 *   adjusted p-values: Wright 1992, Biometrics 48
 */
export function adjustPValues(pValues: readonly number[], method: Correction): readonly number[] {
  for (const [i, p] of pValues.entries()) requireProbability(`pValues[${i}]`, p);
  const m = pValues.length;
  const order = [...pValues.keys()].sort((i, j) => pValues[i]! - pValues[j]!);
  const sorted = order.map((i) => pValues[i]!);
  const adjusted = adjustSorted(sorted, method);
  const result = new Array<number>(m);
  for (const [rank, i] of order.entries()) result[i] = adjusted[rank]!;
  return result;
}

function adjustSorted(sorted: readonly number[], method: Correction): readonly number[] {
  const m = sorted.length;
  switch (method) {
    case 'bonferroni':
      return sorted.map((p) => Math.min(1, m * p));
    case 'holm':
      return runningMaximum(sorted.map((p, i) => Math.min(1, (m - i) * p)));
    case 'hochberg':
      return minimumFromHere(sorted.map((p, i) => Math.min(1, (m - i) * p)));
    case 'hommel':
      return hommel(sorted);
    case 'benjamini-hochberg':
      return minimumFromHere(sorted.map((p, i) => Math.min(1, (m / (i + 1)) * p)));
    case 'benjamini-yekutieli':
      return minimumFromHere(sorted.map((p, i) => Math.min(1, harmonic(m) * (m / (i + 1)) * p)));
    default:
      return refuse('method', method, 'a correction');
  }
}

/**
 * Closed testing with Simes' test: of the families of size s that hold a hypothesis, the one with the s - 1 largest other
 * p-values is the hardest to reject. @see Hommel 1988, Biometrika 75; Simes 1986, Biometrika 73
 */
function hommel(sorted: readonly number[]): readonly number[] {
  const m = sorted.length;
  const adjusted = [...sorted];
  for (let s = 2; s <= m; s += 1) {
    let simes = Infinity;
    for (let k = 1; k <= s; k += 1) simes = Math.min(simes, (s * sorted[m - s + k - 1]!) / k);
    // Simes' p of a smaller p-value and the s - 1 largest, as far as the latter give it.
    let rest = Infinity;
    for (let k = 2; k <= s; k += 1) rest = Math.min(rest, (s * sorted[m - s + k - 1]!) / k);
    for (let i = 0; i < m; i += 1) {
      const value = i >= m - s ? simes : Math.min(rest, s * sorted[i]!);
      adjusted[i] = Math.min(1, Math.max(adjusted[i]!, value));
    }
  }
  return adjusted;
}

/**
 * What stands under a correction, and the level of the intervals that go with it. An interval made at that level leaves
 * its null value out exactly when the comparison is rejected, if it agrees with its p-value.
 * For holm, hochberg, benjamini-hochberg and benjamini-yekutieli the expected share of rejected comparisons whose
 * interval misses the truth is at most alpha (for the first two the intervals are wider than that needs); bonferroni's
 * cover all at once. Hommel's rejections have no matching level. Nothing rejected: no interval is selected.
 * @throws RangeError when alpha is outside (0, 1) or a p-value outside [0, 1].
 * @see Benjamini & Yekutieli 2005, JASA 100 (level 1 - R q / m; what it takes under any dependence)
 */
export function selectComparisons(
  pValues: readonly number[],
  options: TestOptions & { readonly method: Correction },
): Selection {
  const alpha = requireAlpha(options.alpha);
  const { method } = options;
  const adjusted = adjustPValues(pValues, method);
  const rejected = [...adjusted.keys()].filter((i) => adjusted[i]! <= alpha);
  return {
    kind: 'selected',
    method,
    rejected,
    adjusted,
    intervals: levelFor(method, { alpha, tests: pValues.length, rejected: rejected.length }),
  };
}

function levelFor(
  method: Correction,
  family: { readonly alpha: number; readonly tests: number; readonly rejected: number },
): IntervalLevel | Insufficient {
  const { alpha, tests, rejected } = family;
  if (tests === 0) return insufficient('there are no comparisons');
  if (method === 'bonferroni') return { kind: 'level', alpha: alpha / tests, promise: 'simultaneous' };
  if (rejected === 0) return insufficient('nothing is rejected, so no interval is selected');
  switch (method) {
    case 'hommel':
      return insufficient("Hommel's rejections have no level of intervals that matches them; use holm or hochberg");
    case 'benjamini-hochberg':
      return falseCoverageLevel(rejected, { alpha, tests });
    case 'benjamini-yekutieli':
      return falseCoverageLevel(rejected, { alpha: alpha / harmonic(tests), tests });
    default:
      // alpha / (m - R + 1) <= R alpha / m for every R in 1..m, so the false coverage rate holds here too.
      return { kind: 'level', alpha: alpha / (tests - rejected + 1), promise: 'false coverage rate' };
  }
}

/**
 * Level of intervals for `selected` of `tests` parameters that keeps the expected share of misses among them <= alpha.
 * Insufficient when nothing is selected.
 * @throws RangeError when alpha is outside (0, 1), or selected is not a whole number in 0..tests.
 * @see Benjamini & Yekutieli 2005, JASA 100
 */
export function falseCoverageLevel(
  selected: number,
  options: TestOptions & { readonly tests: number },
): IntervalLevel | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const { tests } = options;
  if (!(Number.isSafeInteger(tests) && tests >= 1)) refuse('tests', tests, 'a whole number >= 1');
  if (!(Number.isSafeInteger(selected) && selected >= 0 && selected <= tests)) {
    refuse('selected', selected, `a whole number in 0..${tests}`);
  }
  if (selected === 0) return insufficient('nothing is rejected, so no interval is selected');
  return { kind: 'level', alpha: (selected * alpha) / tests, promise: 'false coverage rate' };
}

/**
 * Benjamini-Hochberg for e-values: at most a share alpha of the rejected is false in expectation, under any dependence
 * and at any stopping time. Intervals: confidence sequences at the level given keep the same promise.
 * @param logEs natural logarithms of e-values; -Infinity is an e-value of 0
 * @throws RangeError when alpha is outside (0, 1) or a logarithm is NaN.
 * @see Wang & Ramdas 2022, JRSS B 84(3); intervals: Xu, Wang & Ramdas 2024, Electronic Journal of Statistics 18(1),
 *   theorem 2
 */
export function selectByEValues(logEs: readonly number[], options: TestOptions): Selection {
  const alpha = requireAlpha(options.alpha);
  const tests = logEs.length;
  for (const [i, logE] of logEs.entries()) if (Number.isNaN(logE)) refuse(`logEs[${i}]`, logE, 'a number');
  const order = [...logEs.keys()].sort((i, j) => (logEs[i] === logEs[j] ? 0 : logEs[j]! - logEs[i]!));
  const levels = minimumFromHere(order.map((i, rank) => Math.min(0, Math.log(tests / (rank + 1)) - logEs[i]!)));
  const logAdjusted = new Array<number>(tests);
  for (const [rank, i] of order.entries()) logAdjusted[i] = levels[rank]!;
  const rejected = [...logAdjusted.keys()].filter((i) => logAdjusted[i]! <= Math.log(alpha));
  return {
    kind: 'selected',
    method: 'e-Benjamini-Hochberg',
    rejected,
    adjusted: logAdjusted.map(Math.exp),
    intervals:
      tests === 0 ? insufficient('there are no comparisons') : falseCoverageLevel(rejected.length, { alpha, tests }),
  };
}

/** 1 + 1/2 + ... + 1/m. */
function harmonic(m: number): number {
  let sum = 0;
  for (let k = m; k >= 1; k -= 1) sum += 1 / k;
  return sum;
}

function runningMaximum(values: readonly number[]): readonly number[] {
  let largest = -Infinity;
  return values.map((value) => {
    largest = Math.max(largest, value);
    return largest;
  });
}

function minimumFromHere(values: readonly number[]): readonly number[] {
  const result = [...values];
  for (let i = result.length - 2; i >= 0; i -= 1) result[i] = Math.min(result[i]!, result[i + 1]!);
  return result;
}
