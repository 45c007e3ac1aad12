// Which coefficients fit rows best, what do the rows weigh, and which part of each coefficient does each cluster bring?
import { refuse, requireFinite } from './precondition.ts';
import { bilinear, dot, eigenOf } from './symmetric-matrix.ts';

/** Responses and the rows of a design; an intercept is a column of 1. */
export interface LinearModel {
  readonly response: readonly number[];
  /** One row per response, all of the same length >= 1. */
  readonly rows: readonly (readonly number[])[];
}

/** The model's design in orthonormal columns: rows = basis x upper. */
export interface Orthogonal {
  /** One per row, `width` long. */
  readonly basis: readonly (readonly number[])[];
  readonly residuals: readonly number[];
  readonly coefficients: readonly number[];
  /** Inverse of the upper triangle; coefficient j is row j of it times the basis' sums. */
  readonly inverse: readonly (readonly number[])[];
}

/** A column counts as a combination of others when less than this share of its length is its own. */
const ownShare = 1e-9;

/**
 * Least squares; the place (from 0) of the first column that is a combination of the ones before where there is one.
 * @throws RangeError when there are no rows, rows differ in length, or a number is not finite.
 * @see Golub & Van Loan 2013, algorithm 5.2.1 (Householder)
 */
export function orthogonalise(model: LinearModel): Orthogonal | { readonly dependent: number } {
  const { response, rows } = model;
  const n = rows.length;
  if (n === 0) refuse('rows.length', 0, '> 0');
  if (response.length !== n) refuse('response.length', response.length, `${n} as in rows`);
  const width = rows[0]!.length;
  if (width === 0) refuse('rows[0].length', 0, '> 0');
  const columns = Array.from({ length: width }, () => new Float64Array(n));
  const rest = new Float64Array(n);
  for (const [i, row] of rows.entries()) {
    if (row.length !== width) refuse(`rows[${i}].length`, row.length, `${width} as in the first row`);
    for (let j = 0; j < width; j += 1) columns[j]![i] = requireFinite(`rows[${i}][${j}]`, row[j]!);
    rest[i] = requireFinite(`response[${i}]`, response[i]!);
  }
  if (width > n) return { dependent: n };
  const mirrors: Float64Array[] = [];
  for (const [j, column] of columns.entries()) {
    const whole = Math.sqrt(sumOfSquares(column, 0));
    const own = Math.sqrt(sumOfSquares(column, j));
    if (!(own > ownShare * whole)) return { dependent: j };
    const mirror = column.slice();
    mirror.fill(0, 0, j);
    mirror[j] = mirror[j]! + (mirror[j]! < 0 ? -own : own);
    const length = Math.sqrt(sumOfSquares(mirror, j));
    for (let i = j; i < n; i += 1) mirror[i] = mirror[i]! / length;
    mirrors.push(mirror);
    for (let k = j; k < width; k += 1) reflect(columns[k]!, mirror, j);
    reflect(rest, mirror, j);
  }
  const inverse = invertUpper(columns, width);
  const coefficients = inverse.map((row) => row.reduce((sum, value, k) => sum + value * rest[k]!, 0));
  // Fitted part away, the rest back to the rows' own places.
  rest.fill(0, 0, width);
  const basis = columns.map((_, k) => {
    const unit = new Float64Array(n);
    unit[k] = 1;
    return unit;
  });
  for (let j = width - 1; j >= 0; j -= 1) for (const each of [rest, ...basis]) reflect(each, mirrors[j]!, j);
  return { basis: rows.map((_, i) => basis.map((each) => each[i]!)), residuals: [...rest], coefficients, inverse };
}

function sumOfSquares(values: Float64Array, from: number): number {
  let sum = 0;
  for (let i = from; i < values.length; i += 1) sum += values[i]! * values[i]!;
  return sum;
}

function reflect(values: Float64Array, mirror: Float64Array, from: number): void {
  let sum = 0;
  for (let i = from; i < values.length; i += 1) sum += values[i]! * mirror[i]!;
  for (let i = from; i < values.length; i += 1) values[i] = values[i]! - 2 * sum * mirror[i]!;
}

function invertUpper(columns: readonly Float64Array[], width: number): number[][] {
  const inverse = columns.map(() => new Array<number>(width).fill(0));
  for (let k = 0; k < width; k += 1) {
    inverse[k]![k] = 1 / columns[k]![k]!;
    for (let i = k - 1; i >= 0; i -= 1) {
      let sum = 0;
      for (let m = i + 1; m <= k; m += 1) sum += columns[m]![i]! * inverse[m]![k]!;
      inverse[i]![k] = -sum / columns[i]![i]!;
    }
  }
  return inverse;
}

/** How a cluster's residuals are scaled up for having pulled the fit towards themselves. */
export type Correction = 'CR0' | 'CR2';

/** Covariance matrix of coefficients, and the degrees of freedom of each one's variance. */
export interface RobustErrors {
  readonly covariance: readonly (readonly number[])[];
  /** One per coefficient; 0 where one cluster alone decides it, so that its error leaves no trace in the residuals. */
  readonly df: readonly number[];
}

/**
 * Cluster-robust covariance of the coefficients: CR0, or CR2 with Satterthwaite's degrees of freedom, both under the
 * working model of independent rows. With one row per cluster CR2 is HC2.
 *
 * All that is needed of a cluster is B = sum of basis products and t = sum of basis x residual: its adjustment
 * (I - H)^(-1/2) acts on the basis as (I - B)^(-1/2), of the size of the coefficients and not of the cluster.
 * @param clusters one key per row
 * @see Bell & McCaffrey 2002, Survey Methodology 28(2); Pustejovsky & Tipton 2018, JBES 36(4), with
 * their generalised inverse where a cluster fixes a coefficient alone
 */
export function robustErrors(
  fit: Orthogonal,
  clusters: readonly (number | string)[],
  correction: Correction,
): RobustErrors {
  const width = fit.coefficients.length;
  const pieces = new Map<number | string, Piece>();
  for (const [i, q] of fit.basis.entries()) {
    let piece = pieces.get(clusters[i]!);
    if (!piece) {
      piece = { first: q, rows: 0, basis: q.map(() => new Array<number>(width).fill(0)), sums: q.map(() => 0) };
      pieces.set(clusters[i]!, piece);
    }
    piece.rows += 1;
    addProducts(piece.basis, q);
    for (let j = 0; j < width; j += 1) piece.sums[j] = piece.sums[j]! + q[j]! * fit.residuals[i]!;
  }
  const meat = fit.coefficients.map(() => new Array<number>(width).fill(0));
  const moments = fit.coefficients.map(() => ({
    isDecided: false,
    own: 0,
    ownSquares: 0,
    between: meat.map((row) => row.map(() => 0)),
  }));
  for (const { first, rows, basis, sums } of pieces.values()) {
    const rest = rows === 1 ? restOfRow(first) : restOf(basis);
    addProducts(meat, correction === 'CR0' ? sums : rest.root(sums));
    for (const [j, moment] of moments.entries()) {
      moment.isDecided ||= rest.isDecided(fit.inverse[j]!);
      const pull = rest.root(fit.inverse[j]!);
      const shift = basis.map((row) => dot(row, pull));
      const size = dot(shift, shift);
      const own = bilinear(pull, basis, pull);
      moment.own += own - size;
      moment.ownSquares += (own - size) ** 2 - size ** 2;
      addProducts(moment.between, shift);
    }
  }
  return {
    covariance: fit.inverse.map((left) => fit.inverse.map((right) => bilinear(left, meat, right))),
    df: moments.map(({ isDecided, own, ownSquares, between }) => {
      if (isDecided) return 0;
      if (correction === 'CR0') return pieces.size - 1;
      return own ** 2 / (ownSquares + between.reduce((sum, b) => sum + dot(b, b), 0));
    }),
  };
}

function addProducts(matrix: number[][], vector: readonly number[]): void {
  for (let i = 0; i < vector.length; i += 1) {
    const row = matrix[i]!;
    for (let j = 0; j < vector.length; j += 1) row[j] = row[j]! + vector[i]! * vector[j]!;
  }
}

/** What is known of one cluster. */
interface Piece {
  readonly first: readonly number[];
  rows: number;
  readonly basis: number[][];
  readonly sums: number[];
}

interface Rest {
  /** (I - B)^(-1/2) times a vector, without the directions that the cluster alone decides. */
  readonly root: (vector: readonly number[]) => number[];
  /** Whether a vector has a part in those directions. */
  readonly isDecided: (vector: readonly number[]) => boolean;
}

/** Nothing is left of a leverage this near to 1. */
const leastRest = 1e-10;
/** A part this small of a vector's square is rounding. */
const leastPart = 1e-12;

/** The same for a cluster of one row, whose B has that row as its one direction. */
function restOfRow(row: readonly number[]): Rest {
  const leverage = dot(row, row);
  const isWhole = 1 - leverage <= leastRest;
  const factor = leverage === 0 ? 0 : ((isWhole ? 0 : 1 / Math.sqrt(1 - leverage)) - 1) / leverage;
  return {
    root: (vector) => {
      const part = factor * dot(row, vector);
      return vector.map((value, i) => value + part * row[i]!);
    },
    isDecided: (vector) => isWhole && dot(row, vector) ** 2 > leastPart * dot(vector, vector),
  };
}

function restOf(basis: readonly (readonly number[])[]): Rest {
  const { values, vectors } = eigenOf(basis);
  const factors = values.map((value) => (1 - value > leastRest ? 1 / Math.sqrt(1 - value) : 0));
  return {
    root: (vector) => {
      const result = vector.map(() => 0);
      for (const [k, direction] of vectors.entries()) {
        const part = factors[k]! * dot(direction, vector);
        for (const [i, value] of direction.entries()) result[i] = result[i]! + part * value;
      }
      return result;
    },
    isDecided: (vector) =>
      vectors.some((direction, k) => factors[k] === 0 && dot(direction, vector) ** 2 > leastPart * dot(vector, vector)),
  };
}
