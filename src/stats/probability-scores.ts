// How good are a classifier's labels and probabilities on one row, and over all rows?
import { type Estimate, type Insufficient, type Interval, insufficient, type TestOptions } from './interval.ts';
import { refuse, requireAlpha, requireCount, requireProbability } from './precondition.ts';
import { estimateProportion } from './proportions.ts';

/**
 * Brier score of one row, (probability - label)^2, in [0, 1]. Its mean over rows is a mean like any other: collect with
 * `momentsOf`, estimate with `estimateMean`, compare two models on the same rows with `comparePairs`.
 * @param probability predicted for label 1, in [0, 1]
 * @throws RangeError when the probability is outside [0, 1].
 * @see Brier 1950, Monthly Weather Review 78 (half of his two-class sum)
 */
export function brierScore(probability: number, label: 0 | 1): number {
  requireProbability('probability', probability);
  return (probability - requireLabel(label)) ** 2;
}

/**
 * Logarithmic loss of one row, -ln of the probability given to what happened, >= 0.
 * @param probability predicted for label 1, in [0, 1]
 * @param options `least`: probabilities are first kept within [least, 1 - least], else a certain and wrong one costs
 * infinitely much; in (0, 0.5), default 1e-15
 * @throws RangeError when the probability is outside [0, 1] or `least` outside (0, 0.5).
 * @see Good 1952, JRSS B 14
 */
export function logLoss(probability: number, label: 0 | 1, options: { readonly least?: number } = {}): number {
  requireProbability('probability', probability);
  const least = options.least ?? 1e-15;
  if (!(least > 0 && least < 0.5)) refuse('least', least, 'in (0, 0.5)');
  if (requireLabel(label) === 1) return -Math.log(Math.min(1 - least, Math.max(least, probability)));
  return -Math.log1p(-Math.min(1 - least, Math.max(least, probability)));
}

/** Rows by prediction and truth; whole numbers, added up over pieces. */
export interface Confusion {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly trueNegatives: number;
  readonly falseNegatives: number;
}

/** Rates of a two-class classifier; each insufficient where it has no rows. */
export interface ClassificationRates {
  readonly accuracy: Estimate | Insufficient;
  /** Of those called positive, the share that is. */
  readonly precision: Estimate | Insufficient;
  /** Of the positives, the share called so. */
  readonly recall: Estimate | Insufficient;
  /** Of the negatives, the share called so. */
  readonly specificity: Estimate | Insufficient;
  /** Harmonic mean of precision and recall. */
  readonly f1: Estimate | Insufficient;
}

/**
 * Rates of a classifier with Wilson's intervals. F1 is a rising function of TP / (TP + FP + FN), which is a proportion, so
 * its interval is Wilson's carried over.
 * Valid for independent rows; rows of one unit make the intervals too short, then use `estimateRatio` by unit.
 * @throws RangeError when alpha is outside (0, 1) or a count is not whole.
 * @see Wilson 1927, JASA 22; van Rijsbergen 1979, Information Retrieval, chapter 7 (F)
 */
export function classificationRates(rows: Confusion, options: TestOptions): ClassificationRates {
  requireAlpha(options.alpha);
  const { truePositives, falsePositives, trueNegatives, falseNegatives } = rows;
  for (const name of ['truePositives', 'falsePositives', 'trueNegatives', 'falseNegatives'] as const) {
    requireCount(name, rows[name]);
  }
  const rate = (successes: number, failures: number, missing: string): Estimate | Insufficient =>
    successes + failures === 0
      ? insufficient(missing)
      : estimateProportion({ successes, n: successes + failures }, options);
  const overlap = rate(truePositives, falsePositives + falseNegatives, 'no row is positive or called positive');
  return {
    accuracy: rate(truePositives + trueNegatives, falsePositives + falseNegatives, 'there are no rows yet'),
    precision: rate(truePositives, falsePositives, 'no row was called positive'),
    recall: rate(truePositives, falseNegatives, 'no row is positive'),
    specificity: rate(trueNegatives, falsePositives, 'no row is negative'),
    f1: overlap.kind === 'insufficient' ? overlap : f1Of(overlap),
  };
}

function f1Of(overlap: Estimate): Estimate {
  const at = (share: number): number => (2 * share) / (1 + share);
  const { interval } = overlap;
  const carried: Interval =
    interval.kind === 'bounded' ? { kind: 'bounded', lower: at(interval.lower), upper: at(interval.upper) } : interval;
  return {
    kind: 'estimated',
    method: "F1 with Wilson's interval of the overlap",
    estimate: at(overlap.estimate),
    standardError: (2 * overlap.standardError) / (1 + overlap.estimate) ** 2,
    interval: carried,
  };
}

function requireLabel(label: number): number {
  return label === 0 || label === 1 ? label : refuse('label', label, '0 or 1');
}
