// How far off are a model's numbers, and how sure is that?
import { bounded, type Estimate, type Insufficient, type TestOptions } from './interval.ts';
import { estimateMean } from './means.ts';
import { type Moments, mergeMoments, momentsOf } from './moments.ts';
import { refuse, requireFinite } from './precondition.ts';

/** Errors of predictions as three columns of moments; merges without loss. */
export interface RegressionErrors {
  /** Of prediction - truth. */
  readonly error: Moments;
  /** Of |prediction - truth|. */
  readonly absolute: Moments;
  /** Of (prediction - truth)^2. */
  readonly squared: Moments;
}

/** Errors of a sample. @throws RangeError when a value is not finite. */
export function regressionErrorsOf(
  rows: Iterable<{ readonly prediction: number; readonly truth: number }>,
): RegressionErrors {
  const errors: number[] = [];
  for (const { prediction, truth } of rows) {
    requireFinite(`rows[${errors.length}].prediction`, prediction);
    requireFinite(`rows[${errors.length}].truth`, truth);
    errors.push(prediction - truth);
  }
  return {
    error: momentsOf(errors),
    absolute: momentsOf(errors.map(Math.abs)),
    squared: momentsOf(errors.map((error) => error * error)),
  };
}

/** Errors of two disjoint samples together. */
export function mergeRegressionErrors(a: RegressionErrors, b: RegressionErrors): RegressionErrors {
  return {
    error: mergeMoments(a.error, b.error),
    absolute: mergeMoments(a.absolute, b.absolute),
    squared: mergeMoments(a.squared, b.squared),
  };
}

/** What a model's errors come to. */
export interface RegressionQuality {
  /** Mean of prediction - truth. */
  readonly bias: Estimate | Insufficient;
  readonly meanAbsoluteError: Estimate | Insufficient;
  readonly rootMeanSquaredError: Estimate | Insufficient;
}

/**
 * Bias, mean absolute and root mean squared error with intervals. The root's interval is the root of the mean squared
 * error's, so it is not symmetric. To compare two models on the same rows, use `comparePairs` on the differences of their
 * absolute or squared errors: the rows they both find hard cancel.
 * Valid for independent rows; squared errors are skewed and want some hundred rows. Insufficient with fewer than two rows
 * or when the errors do not vary.
 * @throws RangeError when alpha is outside (0, 1).
 * @see Student 1908 (means); Oehlert 1992 (delta method for the root)
 */
export function regressionQuality(errors: RegressionErrors, options: TestOptions): RegressionQuality {
  const squared = estimateMean(errors.squared, options);
  return {
    bias: estimateMean(errors.error, options),
    meanAbsoluteError: estimateMean(errors.absolute, options),
    rootMeanSquaredError: squared.kind === 'insufficient' ? squared : rootOf(squared),
  };
}

function rootOf(squared: Estimate): Estimate {
  const root = Math.sqrt(squared.estimate);
  const { interval } = squared;
  const end = (value: number): number => Math.sqrt(Math.max(0, value));
  return {
    kind: 'estimated',
    method: "root mean squared error, root of Student's interval",
    estimate: root,
    standardError: squared.standardError / (2 * root),
    interval: interval.kind === 'bounded' ? bounded(end(interval.lower), end(interval.upper)) : interval,
  };
}

/**
 * Pinball loss of one predicted quantile, >= 0; its mean is least when the prediction is the quantile.
 * @param level which quantile was predicted, in (0, 1)
 * @throws RangeError when the level is outside (0, 1) or a value is not finite.
 * @see Koenker & Bassett 1978, Econometrica 46
 */
export function pinballLoss(row: { readonly prediction: number; readonly truth: number }, level: number): number {
  if (!(level > 0 && level < 1)) refuse('level', level, 'in (0, 1)');
  const above = requireFinite('truth', row.truth) - requireFinite('prediction', row.prediction);
  return above >= 0 ? level * above : (level - 1) * above;
}
