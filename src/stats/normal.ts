// The standard normal distribution, right into tails of 1e-300 and beyond.
import { type Distribution, withChecks } from './distribution.ts';

const logSqrtTwoPi = 0.9189385332046727;

/** The standard normal distribution; sf has relative error below 1e-14 for |x| < 8 and below 1e-13 to 38. */
export const normal: Distribution = withChecks({
  pdf: (x) => density(x),
  cdf: (x) => upperTail(-x),
  sf: (x) => upperTail(x),
  logSf: (x) => logUpperTail(x),
  quantile: (p) => -inverseUpperTail(p),
  isf: (q) => inverseUpperTail(q),
});

/** e^(-x^2/2) / sqrt(2 pi), the square split so that no digit of x^2 is lost. */
function density(x: number): number {
  // Below the smallest number from 38.6 on; far beyond, the split's two factors would be 0 and Infinity.
  if (Math.abs(x) > 40) return 0;
  const head = Math.round(x * 16) / 16;
  const rest = (x - head) * (x + head);
  return Math.exp((-head * head) / 2) * Math.exp(-rest / 2 - logSqrtTwoPi);
}

/** P(0 < X < x), exact relative to x near 0. @see DLMF 7.6.2 */
function central(x: number): number {
  const square = x * x;
  let term = x;
  let sum = x;
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) {
    term *= square / k;
    sum += term;
  }
  return sum * density(x);
}

/** P(X > x) / density(x) for x >= 2.5. @see DLMF 7.9.2 */
function millsRatio(x: number): number {
  const square = x * x;
  let b = square + 1;
  let c = 1e300;
  let d = 1 / b;
  let value = d;
  for (let n = 1; n < 1000; n += 1) {
    const numerator = -(2 * n - 1) * (2 * n);
    b += 4;
    d = 1 / (b + numerator * d);
    c = b + numerator / c;
    const factor = c * d;
    value *= factor;
    if (Math.abs(factor - 1) < 2e-16) break;
  }
  return value * x;
}

function upperTail(x: number): number {
  if (x < -2.5) return 1 - upperTail(-x);
  if (x < 2.5) return 0.5 - central(x);
  return x > 40 ? 0 : density(x) * millsRatio(x);
}

function logUpperTail(x: number): number {
  if (x < -2.5) return Math.log1p(-upperTail(-x));
  if (x < 2.5) return Math.log(0.5 - central(x));
  if (x === Infinity) return -Infinity;
  return (-x * x) / 2 - logSqrtTwoPi + Math.log(millsRatio(x));
}

/** x with P(X > x) = q: Abramowitz & Stegun 26.2.23 (error below 4.5e-4), then two Halley steps. */
function inverseUpperTail(q: number): number {
  if (q === 0) return Infinity;
  if (q === 1) return -Infinity;
  if (q > 0.5) {
    // 1 - q is exact here, but 0.5 - q is what counts near the middle.
    return q <= 0.75 ? -solveCentral(q - 0.5) : -inverseUpperTail(1 - q);
  }
  if (q >= 0.25) return solveCentral(0.5 - q);
  let x = roughUpper(q);
  const logQ = Math.log(q);
  for (let step = 0; step < 3; step += 1) {
    // On the log scale the tail is nearly a parabola, so Halley's step is safe at any depth.
    const mills = millsOf(x);
    const miss = logUpperTail(x) - logQ;
    const first = -1 / mills;
    const second = first * (-x - first);
    const move = miss / first / (1 - (miss * second) / (2 * first * first));
    x -= move;
    if (Math.abs(move) < 1e-10 * x) break;
  }
  return x;
}

function millsOf(x: number): number {
  return x < 2.5 ? upperTail(x) / density(x) : millsRatio(x);
}

/** x >= 0 with P(0 < X < x) = half, for half in [0, 0.25]. */
function solveCentral(half: number): number {
  let x = half * 2.5066282746310002;
  for (let step = 0; step < 20; step += 1) {
    const move = (central(x) - half) / density(x);
    // Halley: the density's logarithm has derivative -x.
    const corrected = move / (1 + (move * x) / 2);
    x -= corrected;
    if (Math.abs(corrected) <= 1e-9 * x || x === 0) break;
  }
  return x;
}

function roughUpper(q: number): number {
  const t = Math.sqrt(-2 * Math.log(q));
  return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}
