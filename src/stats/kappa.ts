// How far do two raters agree beyond what chance would give?
import { bounded, type Estimate, type Insufficient, insufficient, type TestOptions } from './interval.ts';
import { normal } from './normal.ts';
import { refuse, requireAlpha, requireCount } from './precondition.ts';

/** How much a disagreement counts: every one alike, or by distance of the categories (in their order) or its square. */
export type KappaWeights = 'equal' | 'linear' | 'quadratic';

/** Kappa, and a test that there is no agreement beyond chance. */
export interface KappaResult extends Estimate {
  /** Share of rows on which both say the same. */
  readonly agreement: number;
  /** Weighted agreement to be expected by chance, in [0, 1]. */
  readonly expectedAgreement: number;
  /** kappa over its standard error at kappa = 0. */
  readonly statistic: number;
  /** Two-sided. */
  readonly pValue: number;
}

/**
 * Cohen's kappa of two raters (or a judge model and a person) on the same rows, with its large-sample interval. The test
 * uses another standard error, that at no agreement, so test and interval can differ near their limit.
 * Valid for some hundred independent rows; kappa drops when one category is rare, whatever the agreement.
 * Insufficient without rows, or when chance alone would agree fully (both only ever say one thing), or when no row can vary.
 * @param table rows by first rater's category (row) and second's (column), whole numbers, square
 * @throws RangeError when alpha is outside (0, 1), the table is not square, or a count is not whole.
 * @see Cohen 1960, Educational and Psychological Measurement 20; Fleiss, Cohen & Everitt 1969, Psychological Bulletin
 * 72 (standard errors)
 */
export function cohensKappa(
  table: readonly (readonly number[])[],
  options: TestOptions & { readonly weights?: KappaWeights },
): KappaResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const width = table.length;
  if (width < 2) refuse('table.length', width, '>= 2');
  let n = 0;
  for (const [i, row] of table.entries()) {
    if (row.length !== width) refuse(`table[${i}].length`, row.length, `${width} as the table is square`);
    for (const [j, count] of row.entries()) n += requireCount(`table[${i}][${j}]`, count);
  }
  if (n === 0) return insufficient('there are no rows yet');
  const weigh = weightOf(options.weights ?? 'equal', width);
  const share = table.map((row) => row.map((count) => count / n));
  const first = share.map((row) => sum(row));
  const second = share.map((_, j) => sum(share.map((row) => row[j]!)));
  const firstMean = first.map((_, i) => sum(second.map((q, j) => q * weigh(i, j))));
  const secondMean = second.map((_, j) => sum(first.map((p, i) => p * weigh(i, j))));
  const observed = sum(share.map((row, i) => sum(row.map((p, j) => p * weigh(i, j)))));
  const expected = sum(first.map((p, i) => p * firstMean[i]!));
  const room = 1 - expected;
  if (!(room > 1e-12)) return insufficient('both raters only ever say one thing, so chance alone agrees fully');
  const kappa = (observed - expected) / room;
  const at = (
    cell: (i: number, j: number) => number,
    centre: number,
    spread: (i: number, j: number) => number,
  ): number => sum(first.map((_, i) => sum(second.map((__, j) => cell(i, j) * spread(i, j) ** 2)))) - centre ** 2;
  const variance = at(
    (i, j) => share[i]![j]!,
    observed * expected - 2 * expected + observed,
    (i, j) => weigh(i, j) * room - (firstMean[i]! + secondMean[j]!) * (1 - observed),
  );
  const nullVariance = at(
    (i, j) => first[i]! * second[j]!,
    expected,
    (i, j) => weigh(i, j) - (firstMean[i]! + secondMean[j]!),
  );
  const standardError = Math.sqrt(Math.max(0, variance) / n) / room ** 2;
  const nullError = Math.sqrt(Math.max(0, nullVariance) / n) / room;
  if (!(standardError > 1e-9 && nullError > 0)) {
    return insufficient(`kappa is ${kappa} without any variation, so its noise cannot be estimated`);
  }
  const statistic = kappa / nullError;
  const margin = normal.isf(alpha / 2) * standardError;
  return {
    kind: 'estimated',
    method: `Cohen's kappa, ${options.weights ?? 'equal'} weights`,
    estimate: kappa,
    standardError,
    interval: bounded(Math.max(-1, kappa - margin), Math.min(1, kappa + margin)),
    agreement: sum(share.map((row, i) => row[i]!)),
    expectedAgreement: expected,
    statistic,
    pValue: Math.min(1, 2 * normal.sf(Math.abs(statistic))),
  };
}

function weightOf(weights: KappaWeights, width: number): (i: number, j: number) => number {
  if (weights === 'equal') return (i, j) => (i === j ? 1 : 0);
  if (weights === 'linear') return (i, j) => 1 - Math.abs(i - j) / (width - 1);
  if (weights === 'quadratic') return (i, j) => 1 - (Math.abs(i - j) / (width - 1)) ** 2;
  return refuse('weights', weights, 'equal, linear or quadratic');
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
