// How much of a gamma distribution lies below and above x, as logarithms that do not underflow?
import type { LogTails } from './distribution.ts';
import { logGammaKernel, logGammaOnePlus, logOneMinusExp } from './gamma-function.ts';

/**
 * Logarithms of the regularised incomplete gamma functions P(a, x) and Q(a, x), for a > 0, x >= 0.
 * @see DLMF 8.11.4 (series), 8.9.2 in its even form (continued fraction); DiDonato & Morris 1986, ACM TOMS 12(4)
 */
export function logGammaTails(a: number, x: number): LogTails {
  if (x <= 0) return { below: -Infinity, above: 0 };
  if (x === Infinity) return { below: 0, above: -Infinity };
  if (a <= 0.5 && x < 1.5) return smallShape(a, x);
  const kernel = logGammaKernel(a, x);
  if (x < a + 1) {
    const below = Math.min(0, kernel + Math.log(lowerSeries(a, x)));
    return { below, above: logOneMinusExp(below) };
  }
  const above = Math.min(0, kernel + Math.log(upperFraction(a, x)));
  return { below: logOneMinusExp(above), above };
}

/** P(a, x) over the kernel: sum of x^n / (a (a+1) ... (a+n)). */
function lowerSeries(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let n = 1; term > sum * 1e-17; n += 1) {
    term *= x / (a + n);
    sum += term;
  }
  return sum;
}

/** Q(a, x) over the kernel, by Lentz's method: 1 / (x+1-a - 1(1-a)/(x+3-a - 2(2-a)/(x+5-a - ...))). */
function upperFraction(a: number, x: number): number {
  let b = x + 1 - a;
  let c = 1e300;
  let d = 1 / b;
  let value = d;
  for (let n = 1; n < 1e6; n += 1) {
    const numerator = n * (a - n);
    b += 2;
    d = 1 / (b + numerator * d);
    c = b + numerator / c;
    const factor = c * d;
    value *= factor;
    if (Math.abs(factor - 1) < 2e-16) break;
  }
  return value;
}

/** a <= 1/2 and small x, where Q is small although x is: 1 - x^a / Gamma(1 + a) must not cancel. */
function smallShape(a: number, x: number): LogTails {
  const logPower = a * Math.log(x) - logGammaOnePlus(a);
  let term = 1;
  let sum = 0;
  for (let n = 1; n < 60; n += 1) {
    term *= -x / n;
    sum += (a * term) / (a + n);
    if (Math.abs(term) < 1e-18) break;
  }
  const below = Math.min(0, logPower + Math.log1p(sum));
  const above = -Math.expm1(logPower) - Math.exp(logPower) * sum;
  return { below, above: Math.log(above) };
}
