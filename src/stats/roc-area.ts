// How well do scores put positives above negatives, and does one model do it better than another on the same rows?
import {
  bounded,
  type Estimate,
  type Insufficient,
  insufficient,
  type TestOptions,
  type TestResult,
} from './interval.ts';
import { normal } from './normal.ts';
import { refuse, requireAlpha, requireFinite } from './precondition.ts';
import { midRanks } from './ranks.ts';
import { twoSidedTest } from './two-sided-test.ts';

/** Rows with a label and one model's score; a higher score speaks for label 1. */
export interface ScoredRows {
  readonly labels: readonly (0 | 1)[];
  /** One per label. */
  readonly scores: readonly number[];
}

/** Rows with a label and both models' scores. */
export interface PairedScores {
  readonly labels: readonly (0 | 1)[];
  /** One per label. */
  readonly control: readonly number[];
  /** One per label. */
  readonly candidate: readonly number[];
}

/**
 * Area under the ROC curve (a positive scores above a negative, ties half) with DeLong's standard error and a normal
 * interval cut to [0, 1]. Cost n log n; it does not merge, as every positive is set against every negative.
 * Valid with some thirty or more rows of each label and an area not too near 1.
 * Insufficient with fewer than two rows of a label, or when no placement varies (perfect, or useless by ties).
 * @throws RangeError when alpha is outside (0, 1), lengths differ, a label is not 0 or 1, or a score is not finite.
 * @see DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44; Sun & Xu 2014 (by ranks)
 */
export function rocArea(rows: ScoredRows, options: TestOptions): Estimate | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const all = placements(rows.labels, { name: 'scores', scores: rows.scores });
  if ('kind' in all) return all;
  const standardError = Math.sqrt(covariance(all, all));
  if (!(standardError > 0)) {
    return insufficient(`every row is placed alike at area ${all.area}, so the noise cannot be estimated`);
  }
  const margin = normal.isf(alpha / 2) * standardError;
  return {
    kind: 'estimated',
    method: "area under the ROC curve, DeLong's standard error",
    estimate: all.area,
    standardError,
    interval: bounded(Math.max(0, all.area - margin), Math.min(1, all.area + margin)),
  };
}

/**
 * DeLong's test of two areas under the ROC curve for two models scoring the same rows; `covariance` is that of the areas.
 * Validity as `rocArea`. Insufficient likewise, and when both models place every row alike.
 * @throws RangeError as `rocArea`.
 * @see DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44 (contrasts of areas)
 */
export function compareRocAreas(
  rows: PairedScores,
  options: TestOptions,
): (TestResult & { readonly covariance: number }) | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const before = placements(rows.labels, { name: 'control', scores: rows.control });
  if ('kind' in before) return before;
  const after = placements(rows.labels, { name: 'candidate', scores: rows.candidate });
  if ('kind' in after) return after;
  const shared = covariance(before, after);
  // From the differences of placements, not of the three variances, which nearly cancel for models that resemble each other.
  const difference: Placements = {
    area: after.area - before.area,
    positives: after.positives.map((value, i) => value - before.positives[i]!),
    negatives: after.negatives.map((value, i) => value - before.negatives[i]!),
  };
  const standardError = Math.sqrt(covariance(difference, difference));
  if (!(standardError > 0)) return insufficient('both models place every row alike, so there is no difference to test');
  const sides = { control: before.area, candidate: after.area };
  const method = "DeLong's test of two areas on the same rows";
  return { ...twoSidedTest(sides, { method, standardError, alpha }), covariance: shared };
}

/** Per row the share of the other label that it is placed right against. */
interface Placements {
  readonly area: number;
  readonly positives: readonly number[];
  readonly negatives: readonly number[];
}

function placements(
  labels: readonly number[],
  model: { readonly name: string; readonly scores: readonly number[] },
): Placements | Insufficient {
  const { name, scores } = model;
  if (scores.length !== labels.length) refuse(`${name}.length`, scores.length, `${labels.length} as in labels`);
  const high: number[] = [];
  const low: number[] = [];
  for (const [i, label] of labels.entries()) {
    if (label !== 0 && label !== 1) refuse(`labels[${i}]`, label, '0 or 1');
    requireFinite(`${name}[${i}]`, scores[i]!);
    (label === 1 ? high : low).push(scores[i]!);
  }
  if (high.length < 2) return insufficient('at least two rows with label 1 are needed');
  if (low.length < 2) return insufficient('at least two rows with label 0 are needed');
  const all = midRanks([...high, ...low]);
  const own = midRanks(high);
  const rest = midRanks(low);
  // A row's rank among all less that among its own label is the number of the other label below it.
  const positives = own.map((rank, i) => (all[i]! - rank) / low.length);
  const negatives = rest.map((rank, i) => 1 - (all[high.length + i]! - rank) / high.length);
  return { area: positives.reduce((sum, value) => sum + value, 0) / high.length, positives, negatives };
}

/** Covariance of two areas: each label's covariance of placements over its rows. */
function covariance(one: Placements, two: Placements): number {
  return part(one.positives, two.positives) + part(one.negatives, two.negatives);
}

function part(one: readonly number[], two: readonly number[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [a, b] = [mean(one), mean(two)];
  const sum = one.reduce((total, value, i) => total + (value - a) * (two[i]! - b), 0);
  return sum / (one.length - 1) / one.length;
}
