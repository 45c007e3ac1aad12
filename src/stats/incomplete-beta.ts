// How much of a beta distribution lies below and above x, as logarithms that do not underflow?
import type { LogTails } from './distribution.ts';
import {
  betaExcess,
  deviance,
  logBetaKernel,
  logGammaKernel,
  logOneMinusExp,
  stirlingError,
} from './gamma-function.ts';
import { logGammaTails } from './incomplete-gamma.ts';

/**
 * Logarithms of I_x(a, b) and 1 - I_x(a, b), for a, b > 0, x in [0, 1] and y = 1 - x given on its own.
 * The tail that does not hold the mean is computed, the other is its complement.
 * @see DiDonato & Morris 1992, ACM TOMS 18(3), algorithm 708 (BPSER, BFRAC, BGRAT)
 */
export function logBetaTails(a: number, b: number, x: number, y: number): LogTails {
  if (x <= 0) return { below: -Infinity, above: 0 };
  if (y <= 0) return { below: 0, above: -Infinity };
  if (betaExcess(a, b, x, y) <= 0) {
    const below = Math.min(0, logLowerTail(a, b, x, y));
    return { below, above: logOneMinusExp(below) };
  }
  const above = Math.min(0, logLowerTail(b, a, y, x));
  return { below: logOneMinusExp(above), above };
}

/** ln I_x(a, b) where x is at most the mean. */
function logLowerTail(a: number, b: number, x: number, y: number): number {
  if (b <= 1 ? x <= 0.7 : b * x <= 0.7) {
    return logBetaKernel(a, b, x, y) - Math.log(a) - b * Math.log1p(-x) + Math.log(powerSeries(a, b, x));
  }
  if (b <= 1 && a > 15) return largeFirst(a, b, y);
  return logBetaKernel(a, b, x, y) - Math.log(fraction(a, b, x, y));
}

/** a I_x(a, b) B(a, b) / x^a = 1 + a sum of (1-b)(2-b)...(n-b) / n! x^n / (a+n). @see DiDonato & Morris 1992 (BPSER) */
function powerSeries(a: number, b: number, x: number): number {
  let term = 1;
  let sum = 1;
  for (let n = 1; n < 10000; n += 1) {
    term *= ((n - b) / n) * x;
    const add = (a * term) / (a + n);
    sum += add;
    if (Math.abs(add) < 1e-17 * sum) break;
  }
  return sum;
}

/** Kernel over I_x(a, b), by Lentz's method. @see DiDonato & Morris 1992 (BFRAC) */
function fraction(a: number, b: number, x: number, y: number): number {
  const excess = betaExcess(a, b, x, y);
  const at = (m: number): number =>
    // At m = 0 the middle term is 0, also where its divisor is.
    (m === 0 ? 0 : m + (m * (b - m) * x) / (a + 2 * m - 1)) + ((a + m) * (1 - excess + m * (1 + y))) / (a + 2 * m + 1);
  let value = at(0);
  let c = value;
  let d = 0;
  for (let m = 1; m < 1e6; m += 1) {
    const odd = a + 2 * m - 1;
    const numerator = ((a + m - 1) / odd) * ((a + b + m - 1) / odd) * m * (b - m) * x * x;
    const denominator = at(m);
    d = 1 / (denominator + numerator * d);
    c = denominator + numerator / c;
    const factor = c * d;
    value *= factor;
    if (Math.abs(factor - 1) < 2e-16) break;
  }
  return value;
}

/** ln I_x(a, b) for a > 15 >> b, an expansion around the gamma distribution. @see DiDonato & Morris 1992 (BGRAT) */
function largeFirst(a: number, b: number, y: number): number {
  const logX = Math.log1p(-y);
  const scale = a + (b - 1) / 2;
  const u = -scale * logX;
  const logQ = logGammaTails(b, u).above;
  // ln of Gamma(a+b) / (Gamma(a) scale^b), which is close to 0 while its parts are huge.
  const logRatio =
    -a * deviance(b / a, 1 + b / a) -
    0.5 * Math.log1p(b / a) +
    b * Math.log1p((b + 1) / (2 * scale)) +
    stirlingError(a + b) -
    stirlingError(a);
  let j = Math.exp(logQ - logGammaKernel(b, u));
  const first = j;
  let sum = j;
  const p = [1];
  const factorial = [1];
  const quarter = (logX * logX) / 4;
  let power = 1;
  for (let n = 1; n < 40; n += 1) {
    factorial.push(factorial[n - 1]! * 2 * n * (2 * n + 1));
    let inner = 0;
    for (let m = 1; m < n; m += 1) inner += ((m * b - n) / factorial[m]!) * p[n - m]!;
    p.push((b - 1) / factorial[n]! + inner / n);
    const k = b + 2 * (n - 1);
    j = (k * (k + 1) * j + (u + k + 1) * power) / (4 * scale * scale);
    power *= quarter;
    const add = p[n]! * j;
    sum += add;
    if (Math.abs(add) < 1e-17 * Math.abs(sum)) break;
  }
  return logQ + logRatio + Math.log(sum / first);
}
