// Given two estimates and the standard error of their difference, what does a two-sided test say?
import { bounded, type TestResult } from './interval.ts';
import { normal } from './normal.ts';
import { studentTails } from './student-t.ts';

/**
 * Two-sided test of candidate - control with the interval that agrees with it: Student's t where `df` is given, else normal.
 * @param sides both estimates
 * @param options `method` in words; `standardError` of the difference, > 0; `df` > 0; `alpha` in (0, 1)
 */
export function twoSidedTest(
  sides: { readonly control: number; readonly candidate: number },
  options: {
    readonly method: string;
    readonly standardError: number;
    readonly df?: number;
    readonly alpha: number;
  },
): TestResult {
  const { control, candidate } = sides;
  const { method, standardError, df, alpha } = options;
  const law = df === undefined ? normal : studentTails(df);
  const difference = candidate - control;
  const statistic = difference / standardError;
  const margin = law.isf(alpha / 2) * standardError;
  return {
    kind: 'tested',
    method,
    control,
    candidate,
    difference,
    standardError,
    statistic,
    ...(df === undefined ? {} : { df }),
    pValue: Math.min(1, 2 * law.sf(Math.abs(statistic))),
    interval: bounded(difference - margin, difference + margin),
  };
}
