// How are small symmetric systems solved, and which directions and sizes does a symmetric matrix have?
import { refuse } from './precondition.ts';

/** A square symmetric matrix, row by row. */
export type SymmetricMatrix = readonly (readonly number[])[];

/** Solutions of one system for several right sides. */
export interface SymmetricSolution {
  /** One per right side; 0 in dropped places. */
  readonly solutions: readonly (readonly number[])[];
  /** Places (from 0) of columns that do not vary or are combinations of the ones before, in rising order. */
  readonly dropped: readonly number[];
}

/** A column counts as a combination of others when less than this share of its square is its own. */
const ownShare = 1e-10;

/**
 * Solves matrix x = right for a matrix of sums of squares and products. Columns without variation of their own are left
 * out, so a result always exists; with none dropped it is the solution.
 * @param matrix symmetric, positive semidefinite
 * @throws RangeError when a right side has another length than the matrix.
 * @see Golub & Van Loan 2013, algorithm 4.2.1 (Cholesky), on the matrix scaled to a diagonal of 1
 */
export function solveSymmetric(matrix: SymmetricMatrix, rights: readonly (readonly number[])[]): SymmetricSolution {
  const size = matrix.length;
  for (const [i, right] of rights.entries()) {
    if (right.length !== size) refuse(`rights[${i}].length`, right.length, `${size} as in matrix`);
  }
  const scale = matrix.map((row, i) => Math.sqrt(Math.max(0, row[i]!)));
  const factor: number[][] = [];
  const kept: number[] = [];
  const dropped: number[] = [];
  for (let i = 0; i < size; i += 1) {
    const row: number[] = [];
    let rest = 1;
    for (const [at, j] of kept.entries()) {
      let sum = scale[i]! > 0 ? matrix[i]![j]! / scale[i]! / scale[j]! : 0;
      for (let m = 0; m < at; m += 1) sum -= row[m]! * factor[at]![m]!;
      row.push(sum / factor[at]![at]!);
      rest -= row[at]! ** 2;
    }
    if (!(scale[i]! > 0 && rest > ownShare)) {
      dropped.push(i);
      continue;
    }
    row.push(Math.sqrt(rest));
    factor.push(row);
    kept.push(i);
  }
  return { solutions: rights.map((right) => substitute(right, { size, kept, factor, scale })), dropped };
}

function substitute(
  right: readonly number[],
  system: {
    readonly size: number;
    readonly kept: readonly number[];
    readonly factor: readonly (readonly number[])[];
    readonly scale: readonly number[];
  },
): number[] {
  const { kept, factor, scale } = system;
  const half: number[] = [];
  for (const [at, i] of kept.entries()) {
    let sum = right[i]! / scale[i]!;
    for (let m = 0; m < at; m += 1) sum -= factor[at]![m]! * half[m]!;
    half.push(sum / factor[at]![at]!);
  }
  const solution = new Array<number>(system.size).fill(0);
  for (let at = kept.length - 1; at >= 0; at -= 1) {
    let sum = half[at]!;
    for (let m = at + 1; m < kept.length; m += 1) sum -= factor[m]![at]! * half[m]!;
    half[at] = sum / factor[at]![at]!;
    solution[kept[at]!] = half[at]! / scale[kept[at]!]!;
  }
  return solution;
}

/** Sum of left[i] x matrix[i][j] x right[j]. */
export function bilinear(left: readonly number[], matrix: SymmetricMatrix, right: readonly number[]): number {
  return left.reduce((sum, l, i) => sum + l * dot(matrix[i]!, right), 0);
}

/** Sum of products, place by place. */
export function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!;
  return sum;
}

/** Eigenvalues and the unit vectors they belong to, in no particular order. */
export interface Eigen {
  readonly values: readonly number[];
  /** vectors[k] belongs to values[k]. */
  readonly vectors: readonly (readonly number[])[];
}

/**
 * Eigenvalues and orthonormal eigenvectors of a symmetric matrix.
 * @see Jacobi 1846; Golub & Van Loan 2013, algorithm 8.5.3 (cyclic Jacobi)
 */
export function eigenOf(matrix: SymmetricMatrix): Eigen {
  const size = matrix.length;
  const a = matrix.map((row) => [...row]);
  const vectors = a.map((_, i) => a.map((__, j) => (i === j ? 1 : 0)));
  const norm = Math.sqrt(a.reduce((sum, row) => sum + dot(row, row), 0));
  for (let sweep = 0; sweep < 60; sweep += 1) {
    let off = 0;
    for (let i = 0; i < size; i += 1) for (let j = 0; j < i; j += 1) off += a[i]![j]! ** 2;
    if (Math.sqrt(off) <= 1e-16 * norm) break;
    for (let i = 0; i < size; i += 1) for (let j = 0; j < i; j += 1) rotate(a, vectors, [j, i]);
  }
  return { values: a.map((row, i) => row[i]!), vectors };
}

/** One rotation in the plane of p and q that makes a[p][q] 0. */
function rotate(a: number[][], vectors: number[][], [p, q]: readonly [number, number]): void {
  const off = a[p]![q]!;
  if (off === 0) return;
  const tau = (a[q]![q]! - a[p]![p]!) / (2 * off);
  const tangent = (tau >= 0 ? 1 : -1) / (Math.abs(tau) + Math.hypot(1, tau));
  const cosine = 1 / Math.hypot(1, tangent);
  const sine = tangent * cosine;
  for (let k = 0; k < a.length; k += 1) {
    const row = a[k]!;
    const left = row[p]!;
    row[p] = cosine * left - sine * row[q]!;
    row[q] = sine * left + cosine * row[q]!;
  }
  turn(a[p]!, a[q]!, [cosine, sine]);
  turn(vectors[p]!, vectors[q]!, [cosine, sine]);
}

function turn(upper: number[], lower: number[], [cosine, sine]: readonly [number, number]): void {
  for (let k = 0; k < upper.length; k += 1) {
    const value = upper[k]!;
    upper[k] = cosine * value - sine * lower[k]!;
    lower[k] = sine * value + cosine * lower[k]!;
  }
}
