// Did the split come out as it was meant to?
import { chiSquared } from './gamma.ts';
import { logGamma } from './gamma-function.ts';
import { type Insufficient, insufficient } from './interval.ts';
import { refuse, requireCount, requirePositive, requireProbability } from './precondition.ts';

/** Whether counts fit the intended shares. */
export interface SampleRatioResult {
  readonly kind: 'tested';
  readonly method: string;
  /** Pearson's chi-squared over the cells that may hold units. */
  readonly statistic: number;
  /** Cells with a share above 0, less one. */
  readonly df: number;
  /** Exactly 0 when `impossible` is not empty. */
  readonly pValue: number;
  /** Indices of cells that hold units although their share is 0: no split with these shares does that. */
  readonly impossible: readonly number[];
}

/**
 * Pearson's chi-squared test of counts of units against intended shares. Cells with share 0 do not count as a degree
 * of freedom. Valid when each expected count is about 5 or more.
 * Insufficient without units, or when one variant alone takes traffic.
 * @param counts whole numbers >= 0: randomised units, never requests of sticky units
 * @param shares >= 0, one per count; scaled to sum 1
 * @throws RangeError when lengths differ, a count is not whole, or shares do not sum above 0.
 * @see Pearson 1900, Philosophical Magazine 50; Fabijan et al. 2019, KDD
 */
export function sampleRatio(counts: readonly number[], shares: readonly number[]): SampleRatioResult | Insufficient {
  const usable = usableShares(counts, shares);
  if (usable.kind === 'insufficient') return usable;
  const { cells, impossible } = usable;
  const total = cells.reduce((sum, cell) => sum + cell.count, 0);
  const statistic =
    total === 0 ? 0 : cells.reduce((sum, { count, share }) => sum + (count - total * share) ** 2 / (total * share), 0);
  const df = cells.length - 1;
  return {
    kind: 'tested',
    method: 'chi-squared test of the split',
    statistic,
    df,
    pValue: impossible.length > 0 ? 0 : chiSquared(df).sf(statistic),
    impossible,
  };
}

/** A sample-ratio check that may be read at every look. */
export interface WatchedSampleRatio {
  readonly kind: 'watched';
  readonly method: string;
  /** ln of the Bayes factor against the intended split, over the cells that may hold units. */
  readonly logE: number;
  /** min(previous, e^-logE), 0 when `impossible` is not empty. */
  readonly pValue: number;
  /** Indices of cells that hold units although their share is 0. */
  readonly impossible: readonly number[];
}

/** Options of the watched sample-ratio check. */
export interface WatchedSampleRatioOptions {
  /** Smallest p-value of earlier looks, in [0, 1]; default 1. */
  readonly previous?: number;
  /** Dirichlet weight per cell, > 0; default 1 (every split equally likely beforehand). */
  readonly concentration?: number;
}

/**
 * Sequential sample-ratio check: Bayes factor of a Dirichlet mixture over splits against the intended one.
 * Exact at every look for units assigned independently at constant shares; after a change of shares count anew.
 * Insufficient as `sampleRatio`.
 * @param counts units so far, whole numbers >= 0
 * @param shares >= 0, one per count
 * @throws RangeError when lengths differ, a count is not whole, shares do not sum above 0, or an option is out of range.
 * @see Lindon & Malek 2022, NeurIPS, section 2 (eq. 5 one unit at a time)
 */
export function watchSampleRatio(
  counts: readonly number[],
  shares: readonly number[],
  options: WatchedSampleRatioOptions = {},
): WatchedSampleRatio | Insufficient {
  const previous = requireProbability('previous', options.previous ?? 1);
  const concentration = requirePositive('concentration', options.concentration ?? 1);
  const usable = usableShares(counts, shares);
  if (usable.kind === 'insufficient') return usable;
  const { cells, impossible } = usable;
  const total = cells.reduce((sum, cell) => sum + cell.count, 0);
  const weight = concentration * cells.length;
  let logE = logGamma(weight) - logGamma(weight + total);
  for (const { count, share } of cells) {
    logE += logGamma(concentration + count) - logGamma(concentration) - count * Math.log(share);
  }
  return {
    kind: 'watched',
    method: 'sequential multinomial test of the split',
    logE,
    pValue: impossible.length > 0 ? 0 : Math.min(previous, Math.exp(-logE)),
    impossible,
  };
}

/** The cells that may hold units, shares scaled to sum 1, and those that hold some although they may not. */
interface UsableShares {
  readonly kind: 'usable';
  readonly cells: readonly { readonly count: number; readonly share: number }[];
  readonly impossible: readonly number[];
}

/** Sorts counts by whether their share allows them; insufficient and throws as `sampleRatio` says. */
function usableShares(counts: readonly number[], shares: readonly number[]): UsableShares | Insufficient {
  if (shares.length !== counts.length) refuse('shares.length', shares.length, `${counts.length} as in counts`);
  let whole = 0;
  for (const [i, share] of shares.entries()) {
    requireCount(`counts[${i}]`, counts[i]!);
    if (!(Number.isFinite(share) && share >= 0)) refuse(`shares[${i}]`, share, 'finite and >= 0');
    whole += share;
  }
  if (!(whole > 0)) refuse('sum of shares', whole, '> 0');
  const all = counts.map((count, i) => ({ count, share: shares[i]! / whole }));
  const cells = all.filter(({ share }) => share > 0);
  const impossible = [...all.keys()].filter((i) => all[i]!.share === 0 && all[i]!.count > 0);
  if (all.every(({ count }) => count === 0)) return insufficient('no units have been assigned yet');
  if (cells.length < 2 && impossible.length === 0) {
    return insufficient('one variant takes all traffic, so there is no split to check');
  }
  return { kind: 'usable', cells, impossible };
}
