// Do two ratios differ when a unit has many rows, how well is one known, and how do several ratios of one sample vary together?
import {
  bounded,
  type Estimate,
  type Insufficient,
  insufficient,
  type TestOptions,
  type TestResult,
} from './interval.ts';
import { type JointMoments, requireJointMoments } from './moments.ts';
import { normal } from './normal.ts';
import { refuse, requireAlpha } from './precondition.ts';
import { twoSidedTest } from './two-sided-test.ts';

/**
 * z-test of two ratios of means (sum of values / sum of counts), the variance taken by unit with the delta method.
 * Valid when the denominator's mean is many standard errors from 0 and units are many (some 30 a side or more).
 * Insufficient with fewer than two units on a side, a denominator of 0, or no variation at all.
 * @param control columns [numerator, denominator], one row per unit
 * @param candidate likewise
 * @throws RangeError when alpha is outside (0, 1) or moments cannot come from a sample.
 * @see Deng, Knoblich & Lu 2018, KDD, section 3
 */
export function compareRatios(
  control: JointMoments,
  candidate: JointMoments,
  options: TestOptions,
): TestResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const before = ratioOf('control', control);
  if (before.kind === 'insufficient') return before;
  const after = ratioOf('candidate', candidate);
  if (after.kind === 'insufficient') return after;
  const standardError = Math.hypot(before.standardError, after.standardError);
  if (!(standardError > 0))
    return insufficient('no unit differs from another in either variant, so the noise cannot be estimated');
  return twoSidedTest(
    { control: before.estimate, candidate: after.estimate },
    { method: 'z-test of ratios, delta method by unit', standardError, alpha },
  );
}

/**
 * A ratio of means with its delta-method interval; valid as `compareRatios`.
 * Insufficient with fewer than two units, a denominator of 0, or no variation.
 * @throws RangeError when alpha is outside (0, 1) or moments cannot come from a sample.
 * @see Deng, Knoblich & Lu 2018, KDD, section 3
 */
export function estimateRatio(joint: JointMoments, options: TestOptions): Estimate | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const ratio = ratioOf('the sample', joint);
  if (ratio.kind === 'insufficient') return ratio;
  if (!(ratio.standardError > 0)) return insufficient('no unit differs from another, so the noise cannot be estimated');
  const margin = normal.isf(alpha / 2) * ratio.standardError;
  return {
    kind: 'estimated',
    method: 'ratio, delta method by unit',
    estimate: ratio.estimate,
    standardError: ratio.standardError,
    interval: bounded(ratio.estimate - margin, ratio.estimate + margin),
  };
}

/**
 * Standard error of mean(numerator) / mean(denominator), by unit.
 * Insufficient with fewer than two units or a denominator of 0.
 * @throws RangeError when moments cannot come from a sample.
 * @see as `compareRatios`
 */
export function ratioStandardError(joint: JointMoments): number | Insufficient {
  const ratio = ratioOf('the sample', joint);
  return ratio.kind === 'insufficient' ? ratio : ratio.standardError;
}

/**
 * Covariance matrix of the estimates mean(N1)/mean(D1), mean(N2)/mean(D2), ... of one sample: its diagonal holds
 * squared standard errors, not variances of units. A mean over units is a ratio whose denominator column is all 1.
 * Insufficient with fewer than two units or a denominator of 0.
 * @param joint columns in pairs: numerator, denominator, numerator, denominator, ...
 * @throws RangeError when the columns are not in pairs or moments cannot come from a sample.
 * @see Deng, Knoblich & Lu 2018, KDD, section 3, in its bilinear form
 */
export function covarianceOfRatios(joint: JointMoments): readonly (readonly number[])[] | Insufficient {
  requireJointMoments('joint', joint);
  const width = joint.mean.length;
  if (width % 2 !== 0) refuse('joint.mean.length', width, 'even (pairs of numerator and denominator)');
  if (joint.n < 2) return insufficient(unitsMissing('the sample', joint.n));
  const gradients: [number, number][] = [];
  for (let i = 0; i < width; i += 2) {
    const denominator = joint.mean[i + 1]!;
    if (denominator === 0) return insufficient(`the denominator of ratio ${i / 2 + 1} is 0`);
    gradients.push([1 / denominator, -joint.mean[i]! / denominator / denominator]);
  }
  const scale = 1 / (joint.n - 1) / joint.n;
  return gradients.map((g, i) =>
    gradients.map((h, j) => {
      const sum = productSum(joint, { g, h, row: 2 * i, column: 2 * j });
      return (i === j ? Math.max(0, sum) : sum) * scale;
    }),
  );
}

/** Gradients from both sides of the two-by-two block of sums of products that begins at this place. */
function productSum(
  { m2 }: JointMoments,
  block: {
    readonly g: readonly [number, number];
    readonly h: readonly [number, number];
    readonly row: number;
    readonly column: number;
  },
): number {
  const { g, h, row, column } = block;
  const top = m2[row]!;
  const bottom = m2[row + 1]!;
  return (
    g[0] * h[0] * top[column]! +
    g[0] * h[1] * top[column + 1]! +
    g[1] * h[0] * bottom[column]! +
    g[1] * h[1] * bottom[column + 1]!
  );
}

/** A ratio of two columns and its standard error. */
export function ratioOf(
  name: string,
  joint: JointMoments,
): { readonly kind: 'ratio'; readonly estimate: number; readonly standardError: number } | Insufficient {
  requireJointMoments(name, joint, 2);
  if (joint.n < 2) return insufficient(unitsMissing(name, joint.n));
  const [numerator, denominator] = [joint.mean[0]!, joint.mean[1]!];
  if (denominator === 0) return insufficient(`${name} has a denominator of 0`);
  const g = [1 / denominator, -numerator / denominator / denominator] as const;
  const sum = productSum(joint, { g, h: g, row: 0, column: 0 });
  return {
    kind: 'ratio',
    estimate: numerator / denominator,
    standardError: Math.sqrt(Math.max(0, sum) * (1 / (joint.n - 1) / joint.n)),
  };
}

function unitsMissing(name: string, n: number): string {
  return n === 0 ? `${name} has no units yet` : `${name} has one unit; a spread needs at least two`;
}
