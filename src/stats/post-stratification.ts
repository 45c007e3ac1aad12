// What is the difference of two means when units come from groups that differ, and each group is compared with itself?
import { type Estimate, type Insufficient, insufficient, type TestOptions, type TestResult } from './interval.ts';
import { type Moments, requireMoments } from './moments.ts';
import { refuse, requireAlpha, requireProbability } from './precondition.ts';
import { relativeLift } from './relative-lift.ts';
import { twoSidedTest } from './two-sided-test.ts';

/** One group of units, told apart by something the variant cannot change. */
export interface Stratum {
  /** For a person, in reasons. */
  readonly name: string;
  /** A column of 0 and 1 has mean p and m2 n p (1 - p). */
  readonly control: Moments;
  readonly candidate: Moments;
  /** Known share of the population, in [0, 1]; given for all strata or for none. */
  readonly share?: number;
}

/** A comparison within strata, put together by their shares. */
export interface StratifiedResult extends TestResult {
  /** candidate - control of all units without strata. */
  readonly unadjusted: number;
  /** Weight of each stratum, summing to 1. */
  readonly shares: readonly number[];
  /** 1 - variance / variance of the raw difference; below 0 where strata cost more than they explain. */
  readonly varianceReduction: number;
  /** Difference over the stratified control, Fieller's interval. */
  readonly relative: Estimate | Insufficient;
}

/**
 * Post-stratified difference of means: sum over strata of share x (candidate - control), Satterthwaite's t. Shares are the
 * known ones, else those of all units of both variants; then the answer is about this mix of units, and the chance in
 * the mix itself is not in the interval.
 * Assumes independent units and strata the variant cannot change; conservative with few units in a stratum. Empty strata
 * are left out.
 * Insufficient when a stratum with weight has fewer than two units of a variant (put strata together), or nothing varies.
 * @throws RangeError when alpha is outside (0, 1), shares do not sum to 1 or are given for some strata only, or moments
 * cannot come from a sample.
 * @see Miratrix, Sekhon & Yu 2013, JRSS B 75(2); Satterthwaite 1946 (degrees of freedom)
 */
export function compareStrata(strata: readonly Stratum[], options: TestOptions): StratifiedResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  for (const [i, { control, candidate }] of strata.entries()) {
    requireMoments(`strata[${i}].control`, control);
    requireMoments(`strata[${i}].candidate`, candidate);
  }
  const total = strata.reduce((sum, { control, candidate }) => sum + control.n + candidate.n, 0);
  if (total === 0) return insufficient('no units yet');
  const shares = sharesOf(strata, total);
  const levels = { control: 0, candidate: 0 };
  const variances = { control: 0, candidate: 0 };
  let squares = 0;
  for (const [i, stratum] of strata.entries()) {
    const share = shares[i]!;
    if (share === 0) continue;
    for (const side of ['control', 'candidate'] as const) {
      const { n, mean, m2 } = stratum[side];
      if (n < 2) {
        return insufficient(`${side} has ${n === 0 ? 'no units' : 'one unit'} in stratum ${stratum.name}`);
      }
      const variance = (share * share * m2) / (n - 1) / n;
      levels[side] += share * mean;
      variances[side] += variance;
      squares += variance ** 2 / (n - 1);
    }
  }
  const variance = variances.control + variances.candidate;
  if (!(variance > 0)) return insufficient('no value varies within a stratum, so the noise cannot be estimated');
  const df = variance ** 2 / squares;
  const raw = withoutStrata(strata);
  return {
    ...twoSidedTest(levels, { method: 'post-stratified t-test', standardError: Math.sqrt(variance), df, alpha }),
    unadjusted: raw.difference,
    shares,
    varianceReduction: 1 - variance / raw.variance,
    relative: relativeLift(
      { ...levels, controlVariance: variances.control, candidateVariance: variances.candidate, covariance: 0 },
      { alpha, df },
    ),
  };
}

function sharesOf(strata: readonly Stratum[], total: number): readonly number[] {
  const known = strata.filter((stratum) => stratum.share !== undefined).length;
  if (known === 0) return strata.map(({ control, candidate }) => (control.n + candidate.n) / total);
  if (known < strata.length) refuse('strata with a share', known, `${strata.length} or 0`);
  const shares = strata.map(({ share }, i) => requireProbability(`strata[${i}].share`, share!));
  const sum = shares.reduce((all, share) => all + share, 0);
  if (Math.abs(sum - 1) > 1e-9) refuse('sum of shares', sum, '1');
  return shares;
}

/** The raw difference and its variance, by Chan's formula within each variant. */
function withoutStrata(strata: readonly Stratum[]): { readonly difference: number; readonly variance: number } {
  const [before, after] = (['control', 'candidate'] as const).map((side) => {
    const parts = strata.map((stratum) => stratum[side]);
    const n = parts.reduce((sum, part) => sum + part.n, 0);
    const mean = parts.reduce((sum, part) => sum + (part.n / n) * part.mean, 0);
    const m2 = parts.reduce((sum, part) => sum + part.m2 + part.n * (part.mean - mean) ** 2, 0);
    return { mean, variance: m2 / (n - 1) / n };
  });
  return { difference: after!.mean - before!.mean, variance: before!.variance + after!.variance };
}
