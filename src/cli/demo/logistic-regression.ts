// How likely is a yes, given some numbers? Logistic regression by Newton's method, deterministic to the last bit.

/** A fitted model: the intercept first, then one coefficient per feature. */
export type Coefficients = readonly number[];

/** P(yes) for one row of features, 0..1. */
export function predictProbability(coefficients: Coefficients, features: readonly number[]): number {
  let score = coefficients[0] ?? 0;
  for (let k = 0; k < features.length; k++) score += (coefficients[k + 1] ?? 0) * (features[k] ?? 0);
  return 1 / (1 + Math.exp(-score));
}

/**
 * Gives the maximum-likelihood coefficients of a logistic regression.
 *
 * @param rows one row of features per observation, all of one length.
 * @param labels 0 or 1 per observation.
 * @throws RangeError when there are no rows, the counts differ, or the features do not determine the coefficients
 *   (collinear, or perfectly separable).
 * @see McCullagh & Nelder 1989, section 4.4 (iteratively reweighted least squares).
 */
export function fitLogisticRegression(rows: readonly (readonly number[])[], labels: readonly number[]): Coefficients {
  if (rows.length === 0) throw new RangeError('rows is empty, must hold at least one observation');
  if (rows.length !== labels.length) {
    throw new RangeError(`labels has ${labels.length} entries, must have one per row (${rows.length})`);
  }
  const size = rows[0]!.length + 1;
  let coefficients = new Array<number>(size).fill(0);
  for (let step = 0; step < 50; step++) {
    const gradient = new Array<number>(size).fill(0);
    const information = Array.from({ length: size }, () => new Array<number>(size).fill(0));
    rows.forEach((features, index) => {
      const probability = predictProbability(coefficients, features);
      const weight = probability * (1 - probability);
      for (let a = 0; a < size; a++) {
        const left = a === 0 ? 1 : features[a - 1]!;
        gradient[a]! += left * (labels[index]! - probability);
        for (let b = 0; b <= a; b++) information[a]![b]! += weight * left * (b === 0 ? 1 : features[b - 1]!);
      }
    });
    const change = solveSymmetric(information, gradient);
    coefficients = coefficients.map((value, k) => value + change[k]!);
    if (Math.max(...change.map(Math.abs)) < 1e-12) return coefficients;
  }
  throw new RangeError('the coefficients are still moving after 50 steps, features must not separate the labels');
}

/** Solves A x = b by Cholesky; only the lower triangle of A is read. */
function solveSymmetric(matrix: readonly (readonly number[])[], right: readonly number[]): readonly number[] {
  const size = right.length;
  const lower = Array.from({ length: size }, () => new Array<number>(size).fill(0));
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i]![j]!;
      for (let k = 0; k < j; k++) sum -= lower[i]![k]! * lower[j]![k]!;
      if (i === j && !(sum > matrix[i]![i]! * 1e-12)) {
        throw new RangeError(`feature ${i} is determined by the others, features must be linearly independent`);
      }
      lower[i]![j] = i === j ? Math.sqrt(sum) : sum / lower[j]![j]!;
    }
  }
  const half: number[] = [];
  for (let i = 0; i < size; i++) {
    let sum = right[i]!;
    for (let k = 0; k < i; k++) sum -= lower[i]![k]! * half[k]!;
    half.push(sum / lower[i]![i]!);
  }
  const solution = new Array<number>(size).fill(0);
  for (let i = size - 1; i >= 0; i--) {
    let sum = half[i]!;
    for (let k = i + 1; k < size; k++) sum -= lower[k]![i]! * solution[k]!;
    solution[i] = sum / lower[i]![i]!;
  }
  return solution;
}
