// How likely is so large a gap between an empirical and another distribution function by chance alone?
import { logBinomialDensity } from './whole-number.ts';

/** P(sup |Brownian bridge| > x): the limit for many values. @see Kolmogorov 1933; the second form by theta duality */
export function kolmogorovTail(x: number): number {
  if (!(x > 0)) return 1;
  if (x < 1) {
    let sum = 0;
    for (let k = 1; k < 40; k += 2) sum += Math.exp(-((k * Math.PI) ** 2) / (8 * x * x));
    return Math.min(1, Math.max(0, 1 - (Math.sqrt(2 * Math.PI) / x) * sum));
  }
  let sum = 0;
  for (let k = 1; k < 40; k += 1) {
    const term = Math.exp(-2 * (k * x) ** 2);
    sum += k % 2 === 1 ? term : -term;
    if (term < 1e-18 * sum) break;
  }
  return Math.min(1, 2 * sum);
}

/**
 * P(D >= d) of one sample of n continuous values: exact to some 10 digits up to n = 1000; beyond, the limit with Vrbik's
 * correction (error below 0.2 % of p), except far out, where twice the one-sided tail is exact at any n.
 * @see Marsaglia, Tsang & Wang 2003 (exact); Simard & L'Ecuyer 2011 (choice); Vrbik 2018
 */
export function oneSampleTail(n: number, d: number): number {
  if (d >= 1) return 0;
  if (d <= 0.5 / n) return 1;
  // Both gaps at once are rarer than e^(-6 n d^2) of the one here.
  if (d >= 0.5 || n * d * d >= 4) return Math.min(1, 2 * oneSidedTail(n, d));
  if (n <= 1000) return Math.min(1, Math.max(0, 1 - exactCdf(n, d)));
  const x = d * Math.sqrt(n);
  return kolmogorovTail(x + 1 / (6 * Math.sqrt(n)) + (x - 1) / (4 * n));
}

/** P(D+ >= d). @see Birnbaum & Tingey 1951, Annals of Mathematical Statistics 22 */
function oneSidedTail(n: number, d: number): number {
  let sum = 0;
  for (let j = 0; j <= Math.floor(n * (1 - d)); j += 1) {
    const p = d + j / n;
    if (p >= 1) continue;
    // C(n, j) (1 - p)^(n - j) p^(j - 1), by the density of j at p.
    sum += Math.exp(logBinomialDensity(j, n, p) - Math.log(p));
  }
  return d * sum;
}

/** P(D < d) as an element of a matrix power. @see Marsaglia, Tsang & Wang 2003 */
function exactCdf(n: number, d: number): number {
  const k = Math.floor(n * d) + 1;
  const width = 2 * k - 1;
  const h = k - n * d;
  const matrix = Array.from({ length: width }, (_, i) =>
    Array.from({ length: width }, (__, j) => (i - j + 1 >= 0 ? 1 : 0)),
  ) as number[][];
  for (let i = 0; i < width; i += 1) {
    matrix[i]![0]! -= h ** (i + 1);
    matrix[width - 1]![i]! -= h ** (width - i);
  }
  matrix[width - 1]![0]! += 2 * h - 1 > 0 ? (2 * h - 1) ** width : 0;
  for (let i = 0; i < width; i += 1) {
    for (let j = 0; j < width; j += 1) {
      for (let g = 1; g <= i - j + 1; g += 1) matrix[i]![j]! /= g;
    }
  }
  const { entries, exponent } = power(matrix, n);
  let value = entries[k - 1]![k - 1]!;
  let scale = exponent;
  for (let i = 1; i <= n; i += 1) {
    value *= i / n;
    if (value < 1e-140) {
      value *= 1e140;
      scale -= 140;
    }
  }
  return value * 10 ** scale;
}

interface Scaled {
  readonly entries: readonly (readonly number[])[];
  /** Entries times 10^exponent are meant. */
  readonly exponent: number;
}

function power(matrix: readonly (readonly number[])[], n: number): Scaled {
  if (n === 1) return { entries: matrix, exponent: 0 };
  const half = power(matrix, Math.floor(n / 2));
  let entries = product(half.entries, half.entries);
  let exponent = 2 * half.exponent;
  if (n % 2 === 1) entries = product(entries, matrix);
  const middle = Math.floor(entries.length / 2);
  if (entries[middle]![middle]! > 1e140) {
    entries = entries.map((row) => row.map((value) => value * 1e-140));
    exponent += 140;
  }
  return { entries, exponent };
}

function product(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number[][] {
  return a.map((row) => {
    const out = row.map(() => 0);
    for (const [k, value] of row.entries()) {
      if (value === 0) continue;
      const other = b[k]!;
      for (let j = 0; j < out.length; j += 1) out[j]! += value * other[j]!;
    }
    return out;
  });
}

/**
 * P(gap >= the one seen) of two samples, by counting the orders of all values that keep a smaller gap.
 * @param seen sizes, the gap as |i m - j n|, and for each place whether a group of equal values ends there
 * @see Schroer & Trenkler 1995, Computational Statistics and Data Analysis 20
 */
export function twoSampleTail(seen: {
  readonly n: number;
  readonly m: number;
  readonly widest: number;
  readonly ends: readonly boolean[];
}): number {
  const { n, m, widest, ends } = seen;
  // chance[j]: that a random order passes through (i, j) with a gap of at least `widest` at or before it. Summing what
  // leaves the band, not what stays in it, keeps the digits of a small p.
  const inside = (i: number, j: number): boolean => !ends[i + j - 1] || Math.abs(i * m - j * n) < widest;
  let left: number[] = [];
  for (let i = 0; i <= n; i += 1) {
    const row: number[] = [];
    for (let j = 0; j <= m; j += 1) {
      if (i + j === 0) row.push(0);
      else if (!inside(i, j)) row.push(1);
      else {
        // Of the orders that end in (i, j), the share i / (i + j) has its last value from the first sample.
        const fromFirst = i > 0 ? (left[j]! * i) / (i + j) : 0;
        const fromSecond = j > 0 ? (row[j - 1]! * j) / (i + j) : 0;
        row.push(fromFirst + fromSecond);
      }
    }
    left = row;
  }
  return left[m]!;
}
