// How far apart can the largest and the smallest of several equal means be, and which pairs of means differ then?

import { logGamma } from './gamma-function.ts';
import { bounded, type Insufficient, insufficient, type TestOptions, type TestResult } from './interval.ts';
import { type Moments, requireMoments } from './moments.ts';
import { normal } from './normal.ts';
import { refuse, requireAlpha } from './precondition.ts';
import { integrate, logAreaUnderConcave } from './quadrature.ts';
import { findRoot } from './root.ts';

/** The distribution of (largest - smallest) / s of standard normals, s an independent estimate of their deviation. */
export interface StudentizedRange {
  /** P(Q > q), with relative accuracy about 1e-11 down to 1e-100. @throws RangeError for NaN */
  sf(q: number): number;
  /** q with P(Q > q) = p. @throws RangeError unless p is in [1e-100, 1) */
  isf(p: number): number;
}

/**
 * Tukey's studentized range.
 * @param groups how many means, a whole number in 2..1000
 * @param df degrees of freedom of s, >= 1; Infinity when the deviation is known
 * @throws RangeError when groups or df are outside.
 * @see Tukey 1953; Copenhaver & Holland 1988, J. Stat. Comput. Simul. 30; both integrals by adaptive
 * Kronrod rules, the upper tail directly
 */
export function studentizedRange(groups: number, df: number): StudentizedRange {
  if (!(Number.isInteger(groups) && groups >= 2 && groups <= 1000)) refuse('groups', groups, 'whole, in 2..1000');
  if (!(df >= 1)) refuse('df', df, '>= 1');
  const sf = (q: number): number => {
    if (Number.isNaN(q)) refuse('q', q, 'a number');
    if (q <= 0) return 1;
    if (q === Infinity) return 0;
    return Math.min(1, df === Infinity ? rangeTail(groups, q) : studentizedTail(groups, df, q));
  };
  return {
    sf,
    isf: (p) => {
      if (!(p >= 1e-100 && p < 1)) refuse('p', p, 'in [1e-100, 1)');
      let high = 4;
      while (sf(high) > p) high *= 2;
      let low = high / 2;
      while (sf(low) < p) low /= 2;
      const target = Math.log(p);
      const root = findRoot((x) => target - Math.log(sf(Math.exp(x))), [Math.log(low), Math.log(high)], {
        precision: 1e-13,
      });
      return Math.exp(root);
    },
  };
}

/** P(range of standard normals > w), as k times the integral over the largest, z, of the chance that one is below z - w. */
function rangeTail(groups: number, w: number): number {
  const others = groups - 1;
  const area = integrate(
    (z) => {
      const below = normal.cdf(z);
      const density = normal.pdf(z);
      if (below === 0 || density === 0) return 0;
      const lost = -Math.expm1(others * Math.log1p(-Math.min(1, normal.cdf(z - w) / below)));
      return density * below ** others * lost;
    },
    [-9, 0, w / 2, w, w + 9],
  );
  return groups * area;
}

function studentizedTail(groups: number, df: number, q: number): number {
  // ln density of ln s, with df s^2 chi-squared.
  const constant = Math.LN2 + (df / 2) * Math.log(df / 2) - logGamma(df / 2);
  const logF = (t: number): number => {
    const tail = rangeTail(groups, q * Math.exp(t));
    return tail > 0 ? constant + df * t - (df / 2) * Math.exp(2 * t) + Math.log(Math.min(1, tail)) : -Infinity;
  };
  const start = Math.min(0, -Math.log(q / 20));
  return Math.exp(logAreaUnderConcave(logF, { start, scale: 1 / Math.sqrt(2 * df), breaks: [] }));
}

/** Two of several groups compared. */
export interface PairOfMeans {
  /** Places of the two groups, from 0; the difference is second - first. */
  readonly first: number;
  readonly second: number;
  /** Interval and p-value hold for all pairs at once. */
  readonly result: TestResult;
}

/**
 * Compares all pairs of several means with one error over all of them: the chance of any wrong "different" is alpha.
 * Assumes independent units with near-normal means and one common variance; unequal group sizes make it conservative.
 * Insufficient with fewer than 2 groups, a group without units, no degrees of freedom, or no variation.
 * @throws RangeError when moments are malformed or alpha is outside (0, 1).
 * @see Tukey 1953; Kramer 1956, Biometrics 12(3); Hayter 1984 (proof that it is conservative)
 */
export function compareAllPairs(
  groups: readonly Moments[],
  options: TestOptions,
): readonly PairOfMeans[] | Insufficient {
  const alpha = requireAlpha(options.alpha);
  for (const [i, group] of groups.entries()) requireMoments(`groups[${i}]`, group);
  if (groups.length < 2) return insufficient('there are fewer than 2 groups');
  const empty = groups.findIndex(({ n }) => n === 0);
  if (empty >= 0) return insufficient(`group ${empty} has no units yet`);
  const df = groups.reduce((sum, { n }) => sum + n - 1, 0);
  if (!(df >= 1)) return insufficient('every group has one unit; a spread needs at least two in one');
  const variance = groups.reduce((sum, { m2 }) => sum + m2, 0) / df;
  if (!(variance > 0)) return insufficient('no value varies within its group');
  const range = studentizedRange(groups.length, df);
  const reach = range.isf(alpha);
  const pairs: PairOfMeans[] = [];
  for (const [second, candidate] of groups.entries()) {
    for (const [first, control] of groups.slice(0, second).entries()) {
      const difference = candidate.mean - control.mean;
      const standardError = Math.sqrt(variance * (1 / control.n + 1 / candidate.n));
      const statistic = difference / standardError;
      // The range is in deviations of one mean, the difference of two has root 2 of them.
      const margin = (reach * standardError) / Math.SQRT2;
      const result: TestResult = {
        kind: 'tested',
        method: 'Tukey-Kramer test of all pairs',
        control: control.mean,
        candidate: candidate.mean,
        difference,
        standardError,
        statistic,
        df,
        pValue: range.sf(Math.abs(statistic) * Math.SQRT2),
        interval: bounded(difference - margin, difference + margin),
      };
      pairs.push({ first, second, result });
    }
  }
  return pairs;
}
