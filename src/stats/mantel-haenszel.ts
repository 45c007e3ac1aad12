// Do two variants differ in a rate once groups of units are each compared with themselves, and does the mix deceive?
import { chiSquared } from './gamma.ts';
import { bounded, type Insufficient, type Interval, insufficient, type TestOptions } from './interval.ts';
import { normal } from './normal.ts';
import { refuse, requireAlpha, requireCount } from './precondition.ts';
import type { Proportion } from './proportions.ts';

/** One group of units under both variants. */
export interface RateStratum {
  readonly control: Proportion;
  readonly candidate: Proportion;
}

/** Level, and whether the statistic is drawn half a unit towards 0. */
export interface MantelHaenszelOptions extends TestOptions {
  /** Default true, as in R; false has more power and keeps its level on average. */
  readonly isCorrected?: boolean;
}

/** Cochran, Mantel and Haenszel's test. */
export interface MantelHaenszelResult {
  readonly kind: 'tested';
  readonly method: string;
  /** Chi-squared with one degree of freedom. */
  readonly statistic: number;
  /** Two-sided. */
  readonly pValue: number;
  /** Candidate's odds over control's, the same in every group by assumption. */
  readonly oddsRatio: number | Insufficient;
  /** Interval of `oddsRatio` from an error of its own: it may disagree with pValue near alpha. */
  readonly interval: Interval | Insufficient;
  /** Whether the odds ratio is the same in all groups; a small p says that `oddsRatio` is an average of different ones. */
  readonly homogeneity: { readonly statistic: number; readonly df: number; readonly pValue: number } | Insufficient;
}

/** Counts of one group: successes and failures of the candidate (a, b) and of control (c, d). */
interface Cells {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly n: number;
}

/**
 * Tests a difference of rates within groups, and gives the common odds ratio. Groups may be many and small, but must not
 * be changed by the variant. Groups with one variant or one outcome only say nothing and are left out. Insufficient when
 * no group is left.
 * @param strata whole counts
 * @throws RangeError when counts are not whole, successes exceed n, or alpha is outside (0, 1).
 * @see Cochran 1954; Mantel & Haenszel 1959, JNCI 22; Robins, Breslow & Greenland 1986 (error of the ratio);
 * Breslow & Day 1980, section 4.4, with the correction of Tarone 1985 (homogeneity)
 */
export function mantelHaenszel(
  strata: readonly RateStratum[],
  options: MantelHaenszelOptions,
): MantelHaenszelResult | Insufficient {
  const z = normal.isf(requireAlpha(options.alpha) / 2);
  const tables = strata.map(cellsOf).filter(({ a, b, c, d }) => (a + b) * (c + d) > 0 && (a + c) * (b + d) > 0);
  if (tables.length === 0) {
    return insufficient('no group has units of both variants and both outcomes, so nothing can be compared');
  }
  let away = 0;
  let variance = 0;
  for (const { a, b, c, d, n } of tables) {
    away += a - ((a + b) / n) * (a + c);
    variance += (((a + b) / n) * ((c + d) / n) * (a + c) * (b + d)) / (n - 1);
  }
  const half = options.isCorrected === false ? 0 : Math.min(0.5, Math.abs(away));
  const statistic = (Math.abs(away) - half) ** 2 / variance;
  const { oddsRatio, error } = commonOdds(tables);
  const known = typeof oddsRatio === 'number';
  return {
    kind: 'tested',
    method: half === 0 ? 'Cochran-Mantel-Haenszel test' : 'Cochran-Mantel-Haenszel test with continuity correction',
    statistic,
    pValue: chiSquared(1).sf(statistic),
    oddsRatio,
    interval: known ? bounded(oddsRatio * Math.exp(-z * error), oddsRatio * Math.exp(z * error)) : oddsRatio,
    homogeneity: known ? homogeneityOf(tables, oddsRatio) : oddsRatio,
  };
}

function cellsOf({ control, candidate }: RateStratum, i: number): Cells {
  for (const [name, side] of [
    [`strata[${i}].control`, control],
    [`strata[${i}].candidate`, candidate],
  ] as const) {
    requireCount(`${name}.n`, side.n);
    requireCount(`${name}.successes`, side.successes);
    if (side.successes > side.n) refuse(`${name}.successes`, side.successes, `in 0..${side.n}`);
  }
  const [a, c] = [candidate.successes, control.successes];
  return { a, b: candidate.n - a, c, d: control.n - c, n: candidate.n + control.n };
}

function commonOdds(tables: readonly Cells[]): {
  readonly oddsRatio: number | Insufficient;
  readonly error: number;
} {
  let [above, below] = [0, 0];
  let [sameAbove, mixed, sameBelow] = [0, 0, 0];
  for (const { a, b, c, d, n } of tables) {
    const [r, s] = [(a / n) * d, (b / n) * c];
    const [p, q] = [(a + d) / n, (b + c) / n];
    above += r;
    below += s;
    sameAbove += p * r;
    mixed += p * s + q * r;
    sameBelow += q * s;
  }
  if (above === 0) return { oddsRatio: insufficient('the common odds ratio is 0, so it has no error'), error: 0 };
  if (below === 0) return { oddsRatio: insufficient('the common odds ratio has no upper end'), error: 0 };
  const error = Math.sqrt((sameAbove / above + mixed / below) / above / 2 + sameBelow / below / below / 2);
  return { oddsRatio: above / below, error };
}

function homogeneityOf(tables: readonly Cells[], oddsRatio: number): MantelHaenszelResult['homogeneity'] {
  if (tables.length < 2) return insufficient('one group alone cannot differ from others');
  let [statistic, away, spread] = [0, 0, 0];
  for (const cells of tables) {
    const expected = fittedSuccesses(cells, oddsRatio);
    const { a, b, c, d } = cells;
    const variance = 1 / (1 / expected + 1 / (a + b - expected) + 1 / (a + c - expected) + 1 / (d - a + expected));
    statistic += (a - expected) ** 2 / variance;
    away += a - expected;
    spread += variance;
    if (!(variance > 0)) return insufficient(`a group of ${a + b + c + d} units leaves no room for another ratio`);
  }
  statistic = Math.max(0, statistic - away ** 2 / spread);
  const df = tables.length - 1;
  return { statistic, df, pValue: chiSquared(df).sf(statistic) };
}

/** Candidate's successes that give this odds ratio with the same totals. */
function fittedSuccesses({ a, b, c, d }: Cells, ratio: number): number {
  const [units, hits] = [a + b, a + c];
  // (1 - ratio) x^2 + linear x - ratio units hits = 0, in the form that does not cancel near ratio 1.
  const linear = ratio * (units + hits) + (d - a);
  const root = Math.sqrt(linear ** 2 - 4 * (ratio - 1) * ratio * units * hits);
  return (2 * ratio * units * hits) / (linear + root);
}

/** What the mix of groups does to a comparison. */
export interface SimpsonCheck {
  readonly kind: 'checked';
  /**
   * `reversed`: all units together point one way, the groups the other, and at least one of them beyond chance.
   * `unclear`: they point different ways, neither beyond chance. `agrees`: the same way.
   */
  readonly verdict: 'reversed' | 'unclear' | 'agrees';
  /** All units in one table. */
  readonly crude: MantelHaenszelResult;
  /** Groups each compared with themselves. */
  readonly stratified: MantelHaenszelResult;
}

/**
 * Checks whether the mix of groups turns a comparison round (Simpson's paradox). Where units are assigned by chance a
 * reversal means that the groups' shares differ between the variants: see to the sample ratio within groups first.
 * Insufficient as `mantelHaenszel`, or when an odds ratio is 0 or has no upper end.
 * @throws RangeError as `mantelHaenszel`.
 * @see Simpson 1951, JRSS B 13(2); Bickel, Hammel & O'Connell 1975, Science 187
 */
export function simpsonCheck(
  strata: readonly RateStratum[],
  options: MantelHaenszelOptions,
): SimpsonCheck | Insufficient {
  const stratified = mantelHaenszel(strata, options);
  if (stratified.kind === 'insufficient') return stratified;
  const together = strata.reduce<RateStratum>(
    (sum, stratum) => ({
      control: added(sum.control, stratum.control),
      candidate: added(sum.candidate, stratum.candidate),
    }),
    { control: { successes: 0, n: 0 }, candidate: { successes: 0, n: 0 } },
  );
  const crude = mantelHaenszel([together], options);
  if (crude.kind === 'insufficient') return crude;
  if (typeof crude.oddsRatio !== 'number') return crude.oddsRatio;
  if (typeof stratified.oddsRatio !== 'number') return stratified.oddsRatio;
  const isOpposite = (crude.oddsRatio - 1) * (stratified.oddsRatio - 1) < 0;
  const isBeyondChance = Math.min(crude.pValue, stratified.pValue) < options.alpha;
  return {
    kind: 'checked',
    verdict: isOpposite ? (isBeyondChance ? 'reversed' : 'unclear') : 'agrees',
    crude,
    stratified,
  };
}

function added(one: Proportion, two: Proportion): Proportion {
  return { successes: one.successes + two.successes, n: one.n + two.n };
}
