// Which few numbers of a sample are enough for every test here, and how do two samples' numbers become one?
import { refuse, requireFinite } from './precondition.ts';

/** Count, mean and sum of squared deviations from the mean; merges without loss. */
export interface Moments {
  readonly n: number;
  /** 0 when n is 0. */
  readonly mean: number;
  /** Sum of squared deviations from the mean, >= 0. */
  readonly m2: number;
}

/** The same for several columns measured on the same units. */
export interface JointMoments {
  readonly n: number;
  /** One mean per column. */
  readonly mean: readonly number[];
  /** Sums of products of deviations, symmetric, columns x columns. */
  readonly m2: readonly (readonly number[])[];
}

/**
 * Moments of a sample in one pass.
 * @throws RangeError when a value is not finite.
 * @see Welford 1962, Technometrics 4(3), on values less the first one: with mean 1e9 and sd 1 the running mean
 * alone would cost five digits.
 */
export function momentsOf(values: Iterable<number>): Moments {
  let n = 0;
  let origin = 0;
  let mean = 0;
  let m2 = 0;
  for (const value of values) {
    requireFinite(`values[${n}]`, value);
    if (n === 0) origin = value;
    n += 1;
    const shifted = value - origin;
    const delta = shifted - mean;
    mean += delta / n;
    m2 += delta * (shifted - mean);
  }
  return { n, mean: origin + mean, m2 };
}

/**
 * Moments of two disjoint samples together. Each mean is rounded once, so means far larger than the spread cost digits
 * with every merge: sd 1 around 1e9 keeps 9 digits when merged from pieces of some thousands.
 * @throws RangeError when either is not a set of moments.
 * @see Chan, Golub & LeVeque 1979, Stanford STAN-CS-79-773
 */
export function mergeMoments(a: Moments, b: Moments): Moments {
  requireMoments('a', a);
  requireMoments('b', b);
  if (a.n === 0) return b;
  if (b.n === 0) return a;
  const n = a.n + b.n;
  const delta = b.mean - a.mean;
  return { n, mean: a.mean + delta * (b.n / n), m2: a.m2 + b.m2 + delta * delta * ((a.n * b.n) / n) };
}

/**
 * Joint moments of rows, one row per unit, in one pass.
 * @throws RangeError when a value is not finite or rows differ in length.
 * @see as `momentsOf`
 */
export function jointMomentsOf(rows: Iterable<readonly number[]>): JointMoments {
  let n = 0;
  let origin: readonly number[] = [];
  let mean: number[] = [];
  let m2: number[][] = [];
  for (const row of rows) {
    if (n === 0) {
      origin = row;
      mean = row.map(() => 0);
      m2 = row.map(() => row.map(() => 0));
    } else if (row.length !== mean.length) {
      refuse(`rows[${n}].length`, row.length, `${mean.length} as in the first row`);
    }
    const weight = n / (n + 1);
    const deltas = row.map((value, i) => requireFinite(`rows[${n}][${i}]`, value) - origin[i]! - mean[i]!);
    n += 1;
    for (const [i, delta] of deltas.entries()) {
      mean[i]! += delta / n;
      for (let j = 0; j <= i; j += 1) m2[i]![j]! += delta * deltas[j]! * weight;
    }
  }
  return {
    n,
    mean: mean.map((value, i) => origin[i]! + value),
    m2: m2.map((row, i) => row.map((_, j) => (j <= i ? m2[i]![j]! : m2[j]![i]!))),
  };
}

/**
 * Joint moments of two disjoint samples together; an empty one (n 0) leaves the other as it is.
 * @throws RangeError when the columns differ in number.
 * @see as `mergeMoments`
 */
export function mergeJointMoments(a: JointMoments, b: JointMoments): JointMoments {
  requireJointMoments('a', a);
  requireJointMoments('b', b);
  if (a.n === 0) return b;
  if (b.n === 0) return a;
  if (a.mean.length !== b.mean.length) refuse('b.mean.length', b.mean.length, `${a.mean.length} as in a`);
  const n = a.n + b.n;
  const delta = b.mean.map((mean, i) => mean - a.mean[i]!);
  const weight = (a.n * b.n) / n;
  return {
    n,
    mean: a.mean.map((mean, i) => mean + delta[i]! * (b.n / n)),
    m2: a.m2.map((row, i) => row.map((sum, j) => sum + b.m2[i]![j]! + delta[i]! * delta[j]! * weight)),
  };
}

/** Unbiased sample variance, m2 / (n - 1). @throws RangeError when n < 2. */
export function varianceOf(moments: Moments): number {
  requireMoments('moments', moments);
  if (moments.n < 2) refuse('moments.n', moments.n, '>= 2');
  return moments.m2 / (moments.n - 1);
}

/** Returns moments. @throws RangeError when they cannot come from a sample. */
export function requireMoments(name: string, moments: Moments): Moments {
  if (!(Number.isSafeInteger(moments.n) && moments.n >= 0)) refuse(`${name}.n`, moments.n, 'a whole number >= 0');
  // Names are put together only for a message: checks run thousands of times in a report.
  if (!Number.isFinite(moments.mean)) refuse(`${name}.mean`, moments.mean, 'finite');
  if (!(Number.isFinite(moments.m2) && moments.m2 >= 0)) refuse(`${name}.m2`, moments.m2, 'finite and >= 0');
  return moments;
}

/** Returns joint moments. @throws RangeError when they cannot come from a sample, or have other than `columns` columns. */
export function requireJointMoments(name: string, joint: JointMoments, columns?: number): JointMoments {
  if (!(Number.isSafeInteger(joint.n) && joint.n >= 0)) refuse(`${name}.n`, joint.n, 'a whole number >= 0');
  const width = joint.mean.length;
  if (columns !== undefined && joint.n > 0 && width !== columns) refuse(`${name}.mean.length`, width, `${columns}`);
  if (joint.m2.length !== width) refuse(`${name}.m2.length`, joint.m2.length, `${width} as in ${name}.mean`);
  for (let i = 0; i < width; i += 1) {
    if (!Number.isFinite(joint.mean[i]!)) refuse(`${name}.mean[${i}]`, joint.mean[i]!, 'finite');
    const row = joint.m2[i]!;
    if (row.length !== width) refuse(`${name}.m2[${i}].length`, row.length, `${width} as in ${name}.mean`);
    for (let j = 0; j < width; j += 1) {
      if (!Number.isFinite(row[j]!)) refuse(`${name}.m2[${i}][${j}]`, row[j]!, 'finite');
    }
    if (row[i]! < 0) refuse(`${name}.m2[${i}][${i}]`, row[i], '>= 0');
  }
  return joint;
}
