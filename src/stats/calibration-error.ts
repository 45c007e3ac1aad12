// When a model says 70 %, does it happen in 70 % of cases?
import { type Insufficient, insufficient } from './interval.ts';
import { normal } from './normal.ts';
import { refuse, requireCount, requireProbability } from './precondition.ts';

/** One bin of predicted probabilities. */
export interface CalibrationBin {
  readonly n: number;
  /** Sum of predicted probabilities. */
  readonly predicted: number;
  /** Rows with label 1. */
  readonly observed: number;
}

/** Predictions and labels in bins of equal width, with what Spiegelhalter's test needs; merges without loss. */
export interface CalibrationSummary {
  readonly bins: readonly CalibrationBin[];
  /** Sum of (label - p)(1 - 2p). */
  readonly score: number;
  /** Sum of (1 - 2p)^2 p (1 - p). */
  readonly scoreVariance: number;
}

/**
 * Summary of predictions in `bins` bins of equal width; a probability on a border belongs to the upper bin.
 * @throws RangeError when bins is not a whole number > 0, a probability is outside [0, 1], or a label is not 0 or 1.
 */
export function calibrationOf(
  rows: Iterable<{ readonly probability: number; readonly label: 0 | 1 }>,
  bins: number,
): CalibrationSummary {
  if (requireCount('bins', bins) === 0) refuse('bins', bins, 'a whole number > 0');
  const all = Array.from({ length: bins }, () => ({ n: 0, predicted: 0, observed: 0 }));
  let score = 0;
  let scoreVariance = 0;
  let row = 0;
  for (const { probability: p, label } of rows) {
    requireProbability(`rows[${row}].probability`, p);
    if (label !== 0 && label !== 1) refuse(`rows[${row}].label`, label, '0 or 1');
    const bin = all[Math.min(bins - 1, Math.floor(p * bins))]!;
    bin.n += 1;
    bin.predicted += p;
    bin.observed += label;
    score += (label - p) * (1 - 2 * p);
    scoreVariance += (1 - 2 * p) ** 2 * p * (1 - p);
    row += 1;
  }
  return { bins: all, score, scoreVariance };
}

/** Both summaries together. @throws RangeError when they have different numbers of bins. */
export function mergeCalibrations(a: CalibrationSummary, b: CalibrationSummary): CalibrationSummary {
  if (a.bins.length !== b.bins.length) refuse('b.bins.length', b.bins.length, `${a.bins.length} as in a`);
  return {
    bins: a.bins.map((bin, i) => ({
      n: bin.n + b.bins[i]!.n,
      predicted: bin.predicted + b.bins[i]!.predicted,
      observed: bin.observed + b.bins[i]!.observed,
    })),
    score: a.score + b.score,
    scoreVariance: a.scoreVariance + b.scoreVariance,
  };
}

/** How far predictions and what happened lie apart. */
export interface CalibrationError {
  readonly kind: 'estimated';
  readonly method: string;
  /** Mean |observed share - mean prediction| over rows, in [0, 1]; biased upwards for few rows a bin. */
  readonly expected: number;
  /** The largest of any bin with rows. */
  readonly largest: number;
  /** Observed share - mean prediction over all rows; > 0 when the model is too low. */
  readonly bias: number;
  /** Spiegelhalter's z: far from 0 when predictions are too sure (> 0) or not sure enough; insufficient when all are 0.5 or certain. */
  readonly test: { readonly statistic: number; readonly pValue: number } | Insufficient;
}

/**
 * Expected and largest calibration error, and a test that the predictions are calibrated which needs no bins.
 * The errors depend on the number of bins and are above 0 even for a calibrated model: compare models on the same rows
 * and bins. The test is valid for independent rows, some hundred or more.
 * Insufficient without rows.
 * @see Naeini, Cooper & Hauskrecht 2015, AAAI (ECE, MCE); Spiegelhalter 1986, Statistics in Medicine 5
 */
export function calibrationError(summary: CalibrationSummary): CalibrationError | Insufficient {
  const filled = summary.bins.filter((bin) => bin.n > 0);
  const n = filled.reduce((sum, bin) => sum + bin.n, 0);
  if (n === 0) return insufficient('there are no rows yet');
  const gaps = filled.map((bin) => bin.observed - bin.predicted);
  const statistic = summary.score / Math.sqrt(summary.scoreVariance);
  return {
    kind: 'estimated',
    method: `calibration error in ${summary.bins.length} bins of equal width`,
    expected: gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) / n,
    largest: gaps.reduce((most, gap, i) => Math.max(most, Math.abs(gap) / filled[i]!.n), 0),
    bias: gaps.reduce((sum, gap) => sum + gap, 0) / n,
    test:
      summary.scoreVariance > 0
        ? { statistic, pValue: Math.min(1, 2 * normal.sf(Math.abs(statistic))) }
        : insufficient('every prediction is 0, 0.5 or 1, which says nothing about calibration'),
  };
}
