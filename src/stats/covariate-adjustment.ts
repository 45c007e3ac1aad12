// How much of the noise was already there before the test (CUPED), and what is the difference without it?
import { type Estimate, type Insufficient, insufficient, type TestOptions, type TestResult } from './interval.ts';
import { compareMeans } from './means.ts';
import { type JointMoments, requireJointMoments } from './moments.ts';
import { refuse, requireAlpha } from './precondition.ts';
import { covarianceOfRatios } from './ratios.ts';
import { relativeLift } from './relative-lift.ts';
import { bilinear, dot, type SymmetricMatrix, solveSymmetric } from './symmetric-matrix.ts';
import { twoSidedTest } from './two-sided-test.ts';

/** A comparison with the noise that covariates explain taken out. */
export interface AdjustedResult extends TestResult {
  /** candidate - control as it was measured. */
  readonly unadjusted: number;
  /** What one unit of each covariate is worth in the metric, by variant; 0 for a dropped one. */
  readonly slopes: { readonly control: readonly number[]; readonly candidate: readonly number[] };
  /** Places (from 0) of covariates that do not vary or are combinations of the ones before. */
  readonly dropped: readonly number[];
  /** 1 - adjusted variance / unadjusted variance; below 0 where the covariates explain less than they cost. */
  readonly varianceReduction: number;
  /** Adjusted difference over adjusted control, Fieller's interval. */
  readonly relative: Estimate | Insufficient;
}

/** Level, and whether variants share their slopes. */
export interface AdjustmentOptions extends TestOptions {
  /** Default `pooled` (CUPED); `per-variant` is Lin's estimator, never worse with many units and an uneven split. */
  readonly slopes?: 'pooled' | 'per-variant';
}

/**
 * Difference of means, adjusted for what was known of each unit before the test. Covariates must not depend on the
 * variant: measured before assignment, or the incumbent model's score of the input. The levels reported are those at the
 * covariates' means over both variants.
 *
 * `pooled`: slopes from the sums of squares and products within variants, Welch's variance of what is left, times
 * (N - 2) / (N - 2 - k) for k fitted slopes and 1 + d' S^-1 d / (1/n + 1/n) for covariate means that lie d apart.
 * `per-variant`: the same with a regression in each variant, and the variance that comes from the spread of covariates
 * where the effect depends on them.
 * Without covariates, or with all of them dropped, it is Welch's test.
 * Insufficient as `compareMeans`, with no more units than slopes, or when covariates explain every value.
 * @param control columns [metric, covariate, covariate, ...], one row per unit
 * @param candidate likewise
 * @throws RangeError when alpha is outside (0, 1), columns differ in number, or moments cannot come from a sample.
 * @see Deng, Xu, Kohavi & Walker 2013, WSDM; Lin 2013, Annals of Applied Statistics 7(1); Negi & Wooldridge
 * 2021, Econometric Reviews 40(5)
 */
export function compareAdjustedMeans(
  control: JointMoments,
  candidate: JointMoments,
  options: AdjustmentOptions,
): AdjustedResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requireSameColumns(control, candidate);
  const plain = compareMeans(firstColumn(control), firstColumn(candidate), { alpha });
  if (plain.kind === 'insufficient') return plain;
  const own = options.slopes === 'per-variant';
  const fit = own ? fitEach(control, candidate) : fitPooled(control, candidate);
  if ('reason' in fit) return fit;
  return {
    ...twoSidedTest(fit, {
      method: own ? 'Welch t-test, slopes per variant' : 'Welch t-test, pooled slopes (CUPED)',
      standardError: Math.sqrt(fit.variance),
      df: fit.df,
      alpha,
    }),
    unadjusted: plain.difference,
    slopes: fit.slopes,
    dropped: fit.dropped,
    varianceReduction: 1 - fit.variance / plain.standardError ** 2,
    relative: relativeLift(fit, { alpha, df: fit.df }),
  };
}

/**
 * Difference of ratios (sum / count by unit), adjusted for what was known of each unit before the test: CUPED on the
 * linearised ratio, pooled slopes, normal approximation. Without covariates it is `compareRatios`; it is valid as that
 * is, for covariates the variant cannot change.
 * Insufficient as `compareRatios`, with no more units than slopes, or when covariates explain every value.
 * @param control columns in pairs [numerator, denominator, covariate numerator, covariate denominator, ...], one row per
 * unit; a covariate per unit has a denominator column of 1
 * @param candidate likewise
 * @throws RangeError when alpha is outside (0, 1), columns differ in number or are not in pairs.
 * @see Deng, Xu, Kohavi & Walker 2013, WSDM; Deng, Knoblich & Lu 2018, KDD
 */
export function compareAdjustedRatios(
  control: JointMoments,
  candidate: JointMoments,
  options: TestOptions,
): AdjustedResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requireSameColumns(control, candidate);
  const sides: Side[] = [];
  for (const [name, joint] of [
    ['control', control],
    ['candidate', candidate],
  ] as const) {
    if (joint.n < 2) return insufficient(unitsMissing(name, joint.n));
    const errors = covarianceOfRatios(joint);
    if ('kind' in errors) return insufficient(`in ${name} ${errors.reason}`);
    const mean = errors.map((_, i) => joint.mean[2 * i]! / joint.mean[2 * i + 1]!);
    sides.push({ n: joint.n, mean, errors });
  }
  const [before, after] = [sides[0]!, sides[1]!];
  const rough = before.errors[0]![0]! + after.errors[0]![0]!;
  if (!(rough > 0)) {
    return insufficient('no unit differs from another in either variant, so the noise cannot be estimated');
  }
  const fit = adjustPooled(before, after);
  if ('reason' in fit) return fit;
  return {
    ...twoSidedTest(fit, {
      method: 'z-test of ratios, pooled slopes (CUPED)',
      standardError: Math.sqrt(fit.variance),
      alpha,
    }),
    unadjusted: after.mean[0]! - before.mean[0]!,
    slopes: fit.slopes,
    dropped: fit.dropped,
    varianceReduction: 1 - fit.variance / rough,
    relative: relativeLift(fit, { alpha }),
  };
}

/** Estimates of one variant, metric first, and the covariance matrix of their errors. */
interface Side {
  readonly n: number;
  readonly mean: readonly number[];
  readonly errors: SymmetricMatrix;
}

interface Fit {
  readonly control: number;
  readonly candidate: number;
  readonly controlVariance: number;
  readonly candidateVariance: number;
  readonly covariance: number;
  /** Of candidate - control. */
  readonly variance: number;
  /** Welch's, of what is left in each variant. */
  readonly df: number;
  readonly slopes: AdjustedResult['slopes'];
  readonly dropped: readonly number[];
}

function fitPooled(control: JointMoments, candidate: JointMoments): Fit | Insufficient {
  return adjustPooled(sideOf(control), sideOf(candidate));
}

function sideOf(joint: JointMoments): Side {
  const scale = 1 / (joint.n - 1) / joint.n;
  return { n: joint.n, mean: joint.mean, errors: joint.m2.map((row) => row.map((sum) => sum * scale)) };
}

function adjustPooled(before: Side, after: Side): Fit | Insufficient {
  const total = before.n + after.n;
  // Back to sums of squares and products of units, in which every unit counts the same.
  const weights = [before.n * (before.n - 1), after.n * (after.n - 1)] as const;
  const pooled = before.errors.map((row, i) => row.map((v, j) => v * weights[0] + after.errors[i]![j]! * weights[1]));
  const apart = after.mean.slice(1).map((mean, i) => mean - before.mean[i + 1]!);
  const inner = pooled.slice(1).map((row) => row.slice(1));
  const { solutions, dropped } = solveSymmetric(inner, [pooled[0]!.slice(1), apart]);
  const slopes = solutions[0]!;
  const fitted = slopes.length - dropped.length;
  const spare = total - 2 - fitted;
  if (spare <= 0) return insufficient(slopesTooMany('both variants', total, fitted));
  const left = residualVariance(before, slopes);
  const right = residualVariance(after, slopes);
  const noise = left + right;
  if (isExplained(noise, before.errors[0]![0]! + after.errors[0]![0]!)) return explained();
  const distance = dot(apart, solutions[1]!) / (1 / before.n + 1 / after.n);
  const inflation = ((total - 2) / spare) * (1 + distance);
  // Both levels carry the same error of the covariates' common mean.
  const shares = [before.n / total, after.n / total] as const;
  const common =
    commonVariance(before, { slopes, share: shares[0] }) + commonVariance(after, { slopes, share: shares[1] });
  const level = (side: Side, share: number, sign: number): number => side.mean[0]! + sign * share * dot(slopes, apart);
  return {
    control: level(before, shares[1], 1),
    candidate: level(after, shares[0], -1),
    ...levelVariances(inflation * left, inflation * right, Math.max(0, common)),
    variance: inflation * noise,
    df: welchDf([left, before.n - 1], [right, after.n - 1]),
    slopes: { control: slopes, candidate: slopes },
    dropped,
  };
}

/** Squared standard error of metric - slopes x covariates. */
function residualVariance(side: Side, slopes: readonly number[]): number {
  const cross = side.errors[0]!.slice(1);
  const inner = side.errors.slice(1).map((row) => row.slice(1));
  return Math.max(0, side.errors[0]![0]! - 2 * dot(slopes, cross) + bilinear(slopes, inner, slopes));
}

/** This side's part in the covariance of the two levels: of its error and of slopes x covariates, by its share of units. */
function commonVariance(side: Side, part: { readonly slopes: readonly number[]; readonly share: number }): number {
  const { slopes, share } = part;
  const inner = side.errors.slice(1).map((row) => row.slice(1));
  const known = bilinear(slopes, inner, slopes);
  return share * (dot(slopes, side.errors[0]!.slice(1)) - known) + share * share * known;
}

function levelVariances(
  left: number,
  right: number,
  common: number,
): Pick<Fit, 'controlVariance' | 'candidateVariance' | 'covariance'> {
  return { controlVariance: left + common, candidateVariance: right + common, covariance: common };
}

function fitEach(control: JointMoments, candidate: JointMoments): Fit | Insufficient {
  const total = control.n + candidate.n;
  const before = regress('control', control);
  if ('reason' in before) return before;
  const after = regress('candidate', candidate);
  if ('reason' in after) return after;
  const toward = (from: JointMoments, to: JointMoments): number[] =>
    from.mean.slice(1).map((mean, i) => (to.mean[i + 1]! - mean) * (to.n / total));
  const [fromControl, fromCandidate] = [toward(control, candidate), toward(candidate, control)];
  const left = before.variance * (1 / control.n + before.distance(fromControl));
  const right = after.variance * (1 / candidate.n + after.distance(fromCandidate));
  if (isExplained(left + right, control.m2[0]![0]! / control.n ** 2 + candidate.m2[0]![0]! / candidate.n ** 2)) {
    return explained();
  }
  // Spread of the covariates' common mean; slopes that differ turn it into an error of the difference.
  const spread = control.m2
    .slice(1)
    .map((row, i) => row.slice(1).map((sum, j) => (sum + candidate.m2[i + 1]![j + 1]!) / (total - 2) / total));
  const [a, b] = [before.slopes, after.slopes];
  const steeper = b.map((slope, i) => slope - a[i]!);
  return {
    control: control.mean[0]! + dot(a, fromControl),
    candidate: candidate.mean[0]! + dot(b, fromCandidate),
    controlVariance: left + bilinear(a, spread, a),
    candidateVariance: right + bilinear(b, spread, b),
    covariance: bilinear(a, spread, b),
    variance: left + right + bilinear(steeper, spread, steeper),
    df: welchDf([left, before.df], [right, after.df]),
    slopes: { control: a, candidate: b },
    dropped: [...new Set([...before.dropped, ...after.dropped])].sort((x, y) => x - y),
  };
}

function regress(
  name: string,
  joint: JointMoments,
):
  | {
      readonly slopes: readonly number[];
      readonly dropped: readonly number[];
      readonly df: number;
      readonly variance: number;
      readonly distance: (step: readonly number[]) => number;
    }
  | Insufficient {
  const inner = joint.m2.slice(1).map((row) => row.slice(1));
  const cross = joint.m2[0]!.slice(1);
  const { solutions, dropped } = solveSymmetric(inner, [cross]);
  const slopes = solutions[0]!;
  const df = joint.n - 1 - (slopes.length - dropped.length);
  if (df <= 0) return insufficient(slopesTooMany(name, joint.n, slopes.length - dropped.length));
  return {
    slopes,
    dropped,
    df,
    variance: Math.max(0, joint.m2[0]![0]! - dot(slopes, cross)) / df,
    distance: (step) => dot(step, solveSymmetric(inner, [step]).solutions[0]!),
  };
}

function welchDf(left: readonly [number, number], right: readonly [number, number]): number {
  const share = left[0] / (left[0] + right[0]);
  return 1 / (share ** 2 / left[1] + (1 - share) ** 2 / right[1]);
}

/** What is left is rounding only. */
function isExplained(left: number, whole: number): boolean {
  return !(left > 1e-12 * whole);
}

function explained(): Insufficient {
  return insufficient('the covariates explain every value, so no noise is left to compare with');
}

function slopesTooMany(name: string, n: number, slopes: number): string {
  return `${name} has ${n} units, too few for ${slopes} covariate${slopes === 1 ? '' : 's'}`;
}

function firstColumn(joint: JointMoments): { n: number; mean: number; m2: number } {
  return { n: joint.n, mean: joint.mean[0] ?? 0, m2: joint.m2[0]?.[0] ?? 0 };
}

function requireSameColumns(control: JointMoments, candidate: JointMoments): void {
  requireJointMoments('control', control);
  requireJointMoments('candidate', candidate);
  for (const [name, joint] of [
    ['control', control],
    ['candidate', candidate],
  ] as const) {
    if (joint.n > 0 && joint.mean.length === 0) refuse(`${name}.mean.length`, 0, '>= 1');
  }
  if (control.n > 0 && candidate.n > 0 && control.mean.length !== candidate.mean.length) {
    refuse('candidate.mean.length', candidate.mean.length, `${control.mean.length} as in control`);
  }
}

function unitsMissing(name: string, n: number): string {
  return n === 0 ? `${name} has no units yet` : `${name} has one unit; a spread needs at least two`;
}
