// Do two means differ, and how well is one known?
import {
  bounded,
  type Estimate,
  type Insufficient,
  insufficient,
  type TestOptions,
  type TestResult,
} from './interval.ts';
import { type Moments, requireMoments } from './moments.ts';
import { requireAlpha } from './precondition.ts';
import { studentT, studentTails } from './student-t.ts';
import { twoSidedTest } from './two-sided-test.ts';

/**
 * Welch's t-test of two independent means.
 * Valid for independent units, many or near normal; heavy tails need more units than they look.
 * Insufficient with fewer than two units on a side, or when no value on either side varies.
 * @throws RangeError when alpha is outside (0, 1) or moments cannot come from a sample.
 * @see Welch 1947, Biometrika 34
 */
export function compareMeans(control: Moments, candidate: Moments, options: TestOptions): TestResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requireMoments('control', control);
  requireMoments('candidate', candidate);
  const few = tooFew('control', control.n) ?? tooFew('candidate', candidate.n);
  if (few) return few;
  const controlPart = control.m2 / (control.n - 1) / control.n;
  const candidatePart = candidate.m2 / (candidate.n - 1) / candidate.n;
  const variance = controlPart + candidatePart;
  if (!(variance > 0)) return insufficient('no value varies in either variant, so the noise cannot be estimated');
  // Shares instead of squares of the parts, so that tiny variances do not underflow.
  const share = controlPart / variance;
  const df = 1 / (share ** 2 / (control.n - 1) + (1 - share) ** 2 / (candidate.n - 1));
  return twoSidedTest(
    { control: control.mean, candidate: candidate.mean },
    { method: 'Welch t-test', standardError: Math.sqrt(variance), df, alpha },
  );
}

/**
 * Paired t-test: is the mean of the differences of pairs 0? Valid for independent pairs whose differences are many or
 * near normal. Insufficient with fewer than two pairs, or when no difference varies.
 * @param differences moments of candidate - control, one value per pair
 * @throws RangeError when alpha is outside (0, 1) or moments cannot come from a sample.
 * @see Student 1908, Biometrika 6
 */
export function comparePairs(
  differences: Moments,
  options: TestOptions,
): (Estimate & { readonly statistic: number; readonly df: number; readonly pValue: number }) | Insufficient {
  const estimate = estimateMean(differences, options);
  if (estimate.kind === 'insufficient') return estimate;
  const df = differences.n - 1;
  const statistic = estimate.estimate / estimate.standardError;
  return {
    ...estimate,
    method: 'paired t-test',
    statistic,
    df,
    pValue: Math.min(1, 2 * studentT(df).sf(Math.abs(statistic))),
  };
}

/**
 * A mean with Student's interval. Valid for independent units, many or near normal. Insufficient with fewer than two
 * units or without any spread.
 * @throws RangeError when alpha is outside (0, 1) or moments cannot come from a sample.
 * @see Student 1908, Biometrika 6
 */
export function estimateMean(moments: Moments, options: TestOptions): Estimate | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requireMoments('moments', moments);
  const few = tooFew('the sample', moments.n);
  if (few) return few;
  if (!(moments.m2 > 0)) return insufficient('no value varies, so the noise cannot be estimated');
  const standardError = Math.sqrt(moments.m2 / (moments.n - 1) / moments.n);
  const margin = studentTails(moments.n - 1).isf(alpha / 2) * standardError;
  return {
    kind: 'estimated',
    method: "mean with Student's interval",
    estimate: moments.mean,
    standardError,
    interval: bounded(moments.mean - margin, moments.mean + margin),
  };
}

function tooFew(name: string, n: number): Insufficient | undefined {
  if (n >= 2) return undefined;
  return insufficient(n === 0 ? `${name} has no units yet` : `${name} has one unit; a spread needs at least two`);
}
