// Were the variants alike before the test began, and did every unit stay in one variant?
import { fisherF } from './beta.ts';
import { type Insufficient, type Interval, insufficient, type TestOptions } from './interval.ts';
import { compareMeans } from './means.ts';
import { type JointMoments, requireJointMoments } from './moments.ts';
import { refuse, requireAlpha, requireCount } from './precondition.ts';
import { clopperPearsonInterval } from './proportions.ts';
import { binomial } from './whole-number.ts';

/** One covariate in two variants. */
export interface CovariateBalance {
  /** Index of the column. */
  readonly column: number;
  /** candidate - control */
  readonly difference: number;
  /** The difference in standard deviations (root of the mean of both variances); beyond 0.1 is usually called imbalance. */
  readonly standardized: number;
  /** Welch's t-test. */
  readonly pValue: number;
  /** The same times the number of columns tested (Bonferroni), at most 1. */
  readonly adjustedPValue: number;
}

/** Whether covariates of two variants agree. */
export interface BalanceResult {
  readonly kind: 'tested';
  readonly method: string;
  /** Columns that vary, each by itself; the others are left out. */
  readonly covariates: readonly CovariateBalance[];
  /** Hotelling's T-squared over all columns that are not combinations of others, scaled to F. */
  readonly statistic: number;
  /** [columns used, units - columns - 1] */
  readonly df: readonly [number, number];
  readonly pValue: number;
  /** Columns whose adjusted p-value is below alpha. */
  readonly imbalanced: readonly number[];
}

/**
 * Compares covariates measured before assignment (or that assignment cannot change): one joint test and one per column.
 * With honest randomisation a p below 0.001 happens once in a thousand tests; take it as a fault of assignment, logging
 * or joining, not of luck. Valid for some hundred units a side, fewer for near-normal covariates.
 * Insufficient with fewer than two units on a side, too few units for the columns, or when no column varies.
 * @param control columns are covariates, one row per unit
 * @param options level of `imbalanced`; 0.001 is usual
 * @throws RangeError when alpha is outside (0, 1), moments cannot come from a sample, or the columns differ in number.
 * @see Hotelling 1931, Annals of Mathematical Statistics 2; Austin 2009, Statistics in Medicine 28 (standardized)
 */
export function covariateBalance(
  control: JointMoments,
  candidate: JointMoments,
  options: TestOptions,
): BalanceResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requireJointMoments('control', control);
  requireJointMoments('candidate', candidate);
  if (control.n < 2 || candidate.n < 2) return insufficient('each variant needs at least two units');
  const width = control.mean.length;
  if (candidate.mean.length !== width) refuse('candidate.mean.length', candidate.mean.length, `${width} as in control`);
  const columns = [...control.mean.keys()].filter((i) => control.m2[i]![i]! + candidate.m2[i]![i]! > 0);
  if (columns.length === 0) return insufficient('no covariate varies');
  const units = control.n + candidate.n;
  if (units < columns.length + 3)
    return insufficient(`${units} units are too few for ${columns.length} covariates at once`);
  const covariates: CovariateBalance[] = [];
  for (const column of columns) {
    const one = momentsOfColumn(control, column);
    const two = momentsOfColumn(candidate, column);
    const test = compareMeans(one, two, { alpha });
    if (test.kind === 'insufficient') return test;
    covariates.push({
      column,
      difference: test.difference,
      standardized: test.difference / Math.sqrt((one.m2 / (one.n - 1) + two.m2 / (two.n - 1)) / 2),
      pValue: test.pValue,
      adjustedPValue: Math.min(1, test.pValue * columns.length),
    });
  }
  const pooled = columns.map((i) => columns.map((j) => control.m2[i]![j]! + candidate.m2[i]![j]!));
  const { distance, rank } = squaredDistance(
    pooled,
    columns.map((i) => candidate.mean[i]! - control.mean[i]!),
  );
  const rest = units - rank - 1;
  // T^2 uses the pooled covariance, sum of products / (units - 2); the factors of F leave only these.
  const statistic = ((distance * control.n * candidate.n) / units) * (rest / rank);
  return {
    kind: 'tested',
    method: "Hotelling's T-squared, and Welch t-tests with Bonferroni's correction",
    covariates,
    statistic,
    df: [rank, rest],
    pValue: fisherF(rank, rest).sf(statistic),
    imbalanced: covariates.filter(({ adjustedPValue }) => adjustedPValue < alpha).map(({ column }) => column),
  };
}

function momentsOfColumn(joint: JointMoments, column: number): { n: number; mean: number; m2: number } {
  return { n: joint.n, mean: joint.mean[column]!, m2: joint.m2[column]![column]! };
}

/** d' M^-1 d by elimination with diagonal pivots; columns that the earlier ones explain are left out. */
function squaredDistance(
  matrix: readonly (readonly number[])[],
  vector: readonly number[],
): { readonly distance: number; readonly rank: number } {
  // Scaled to unit diagonal, so that "explained" does not depend on the columns' units.
  const size = matrix.map((row, i) => Math.sqrt(row[i]!));
  const rows = matrix.map((row, i) => row.map((value, j) => value / size[i]! / size[j]!));
  const rest = vector.map((value, i) => value / size[i]!);
  const open = new Set(rows.keys());
  let distance = 0;
  let rank = 0;
  while (open.size > 0) {
    const pivot = [...open].reduce((best, i) => (rows[i]![i]! > rows[best]![best]! ? i : best));
    const top = rows[pivot]![pivot]!;
    if (!(top > 1e-10)) break;
    open.delete(pivot);
    rank += 1;
    distance += rest[pivot]! ** 2 / top;
    for (const i of open) {
      const factor = rows[i]![pivot]! / top;
      rest[i]! -= factor * rest[pivot]!;
      for (const j of open) rows[i]![j]! -= factor * rows[pivot]![j]!;
    }
  }
  return { distance, rank };
}

/** How many units were seen in more than one variant. */
export interface CrossoverResult {
  readonly kind: 'tested';
  readonly method: string;
  /** Share of units in more than one variant. */
  readonly share: number;
  /** Exact interval of the share. */
  readonly interval: Interval;
  /** One-sided: chance of so many if the true share were `tolerated`. */
  readonly pValue: number;
  /** p < alpha: more than tolerated. */
  readonly isExcessive: boolean;
}

/**
 * Are more units seen in several variants than can be tolerated? Leaving such units out is only harmless while they are
 * few; with an uneven split it also skews the comparison, as units cross over mostly from the larger variant.
 * Insufficient without units.
 * @param units all units, and those seen in more than one variant; whole numbers
 * @param options `tolerated` share, in (0, 1)
 * @throws RangeError when a count is not whole, more units cross than there are, or an option is out of range.
 * @see Clopper & Pearson 1934, Biometrika 26 (exact binomial test and interval)
 */
export function crossoverCheck(
  units: { readonly all: number; readonly inSeveral: number },
  options: TestOptions & { readonly tolerated: number },
): CrossoverResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requireCount('units.all', units.all);
  requireCount('units.inSeveral', units.inSeveral);
  if (units.inSeveral > units.all) refuse('units.inSeveral', units.inSeveral, `at most all ${units.all} units`);
  const { tolerated } = options;
  if (!(tolerated > 0 && tolerated < 1)) refuse('tolerated', tolerated, 'in (0, 1)');
  if (units.all === 0) return insufficient('no units have been assigned yet');
  const pValue = binomial(units.all, tolerated).sf(units.inSeveral - 1);
  return {
    kind: 'tested',
    method: 'exact binomial test of the share of units in several variants',
    share: units.inSeveral / units.all,
    interval: clopperPearsonInterval({ successes: units.inSeveral, n: units.all }, { alpha }),
    pValue,
    isExcessive: pValue < alpha,
  };
}
