// Do two arms differ, when traffic was moved between batches by what the batches before had shown?
import { type Insufficient, insufficient, type TestOptions, type TestResult } from './interval.ts';
import { type Moments, mergeMoments, requireMoments } from './moments.ts';
import { requireAlpha } from './precondition.ts';
import { twoSidedTest } from './two-sided-test.ts';

/** One batch: within it the chances of the arms stood still. */
export interface Batch {
  readonly control: Moments;
  readonly candidate: Moments;
}

/**
 * Batched t-test of two arms (with one batch Welch's): each batch gives its own difference, and the differences, each over its standard error, are
 * added up with equal weight. The plain difference over all batches is biased and far from normal when the split followed
 * the outcomes; each batch's own, given the past, is not. The level of both arms may move between batches, the difference
 * may not, and spreads are taken as the same in all batches.
 * A batch without both arms adds nothing, and still counts: where many are, the test is conservative. Valid with some 30
 * units of each arm over all batches. Reported levels are weighted like the difference.
 * Insufficient without a batch that has both arms, with one unit of an arm in each, or when no value varies within batches.
 * @param batches in any order
 * @throws RangeError when alpha is outside (0, 1) or moments cannot come from a sample.
 * @see Zhang, Janson & Murphy 2020, NeurIPS (batched OLS); Satterthwaite 1946, Biometrics Bulletin 2 (degrees of freedom)
 */
export function compareBatches(batches: readonly Batch[], options: TestOptions): TestResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  for (const [i, batch] of batches.entries()) {
    requireMoments(`batches[${i}].control`, batch.control);
    requireMoments(`batches[${i}].candidate`, batch.candidate);
  }
  const filled = batches.filter(({ control, candidate }) => control.n > 0 && candidate.n > 0);
  if (filled.length === 0) return insufficient('no batch has both arms');
  const before = spreadWithin(filled.map(({ control }) => control));
  const after = spreadWithin(filled.map(({ candidate }) => candidate));
  if (before.df === 0 || after.df === 0)
    return insufficient('an arm has but one unit in each batch, so its noise is unknown');
  if (!(before.variance + after.variance > 0))
    return insufficient('no value varies within a batch, so the noise cannot be estimated');
  const errors = filled.map(({ control, candidate }) =>
    Math.sqrt(before.variance / control.n + after.variance / candidate.n),
  );
  // How much of a batch's noise is the control's, on average: whose spread, known so well, matters that much.
  const share =
    filled.reduce((sum, { control }, i) => sum + before.variance / control.n / errors[i]! ** 2, 0) / filled.length;
  const total = errors.reduce((sum, error) => sum + 1 / error, 0);
  const level = (arm: 'control' | 'candidate'): number =>
    filled.reduce((sum, batch, i) => sum + batch[arm].mean / errors[i]!, 0) / total;
  return twoSidedTest(
    { control: level('control'), candidate: level('candidate') },
    {
      method: 'batched t-test (equal weight to each batch)',
      // All batches count: how many have both arms may itself follow from the outcomes.
      standardError: Math.sqrt(batches.length) / total,
      df: 1 / (share ** 2 / before.df + (1 - share) ** 2 / after.df),
      alpha,
    },
  );
}

/** Variance of one unit around its own batch's mean. */
function spreadWithin(batches: readonly Moments[]): { readonly variance: number; readonly df: number } {
  // With all means at 0 only the spread within batches is left, and a freedom of each batch's mean.
  const { n, m2 } = batches.map((batch) => ({ ...batch, mean: 0 })).reduce(mergeMoments);
  const df = n - batches.length;
  return { variance: df === 0 ? 0 : m2 / df, df };
}
