// What are the gamma and beta functions and their densities, in logarithms, without losing digits where terms cancel?

const halfLogTwoPi = 0.9189385332046727;

/** zeta(k) - 1 for k = 2, 3, ... @see Abramowitz & Stegun, table 23.3 */
const zetaMinusOne: readonly number[] = [
  0.6449340668482264, 0.2020569031595943, 0.08232323371113819, 0.03692775514336993, 0.01734306198444914,
  0.008349277381922827, 0.00407735619794434, 0.0020083928260822143, 0.0009945751278180853, 0.0004941886041194645,
  0.0002460865533080483, 0.00012271334757848915, 6.124813505870483e-5, 3.058823630702049e-5, 1.528225940865187e-5,
  7.637197637899763e-6, 3.81729326499984e-6, 1.908212716553939e-6, 9.539620338727962e-7, 4.769329867878064e-7,
  2.38450502727733e-7, 1.1921992596531106e-7, 5.960818905125948e-8, 2.980350351465228e-8, 1.4901554828365043e-8,
];

/** Coefficients B(2k) / (2k (2k-1)) of Stirling's series. @see DLMF 5.11.1 */
const stirling: readonly number[] = [
  0.08333333333333333, -0.002777777777777778, 7.936507936507937e-4, -5.952380952380953e-4, 8.417508417508417e-4,
  -0.0019175269175269176, 0.00641025641025641,
];

/**
 * What Stirling's formula misses of ln Gamma(x): ln Gamma(x) - [(x - 1/2) ln x - x + ln(2 pi)/2], for x > 0.
 * @see Loader 2000, "Fast and accurate computation of binomial probabilities" (there as delta)
 */
export function stirlingError(x: number): number {
  let shifted = 0;
  // The series needs x >= 10 for 16 digits; below, step up with delta(x) = delta(x + 1) + (x + 1/2) ln(1 + 1/x) - 1.
  while (x < 10) {
    shifted += (x + 0.5) * Math.log1p(1 / x) - 1;
    x += 1;
  }
  const inverse = 1 / x;
  const square = inverse * inverse;
  let sum = 0;
  for (let k = stirling.length - 1; k >= 0; k -= 1) sum = sum * square + stirling[k]!;
  return shifted + sum * inverse;
}

/** ln Gamma(x) for x > 0; absolute error near 1e-15 for moderate x. */
export function logGamma(x: number): number {
  if (x < 0.5) return logGammaOnePlus(x) - Math.log(x);
  if (x <= 1.5) return logGammaOnePlus(x - 1);
  return (x - 0.5) * Math.log(x) - x + halfLogTwoPi + stirlingError(x);
}

/** ln Gamma(1 + a) for |a| <= 0.5, to full relative accuracy near 0. @see DLMF 5.7.3 */
export function logGammaOnePlus(a: number): number {
  let sum = 0;
  for (let k = zetaMinusOne.length + 1; k >= 2; k -= 1) {
    sum = sum * -a + zetaMinusOne[k - 2]! / k;
  }
  return -Math.log1p(a) + a * 0.4227843350984671 + a * a * sum;
}

/**
 * u - ln(1 + u), >= 0, given u and the ratio 1 + u computed on its own (1 + u may have lost u, or u may have lost 1 + u).
 * @see Loader 2000 (there as D0)
 */
export function deviance(u: number, ratio: number): number {
  if (Math.abs(u) > 0.3) return u - Math.log(ratio);
  const r = u / (2 + u);
  const square = r * r;
  let sum = 0;
  for (let k = 23; k >= 3; k -= 2) sum = (sum + 1 / k) * square;
  return r * (u - 2 * sum);
}

/** ln of x^a e^-x / Gamma(a), for a > 0, x > 0: the gamma density times x. */
export function logGammaKernel(a: number, x: number): number {
  return -a * deviance((x - a) / a, x / a) + 0.5 * Math.log(a) - halfLogTwoPi - stirlingError(a);
}

/** ln of x^a y^b / B(a, b), for a, b > 0 and y = 1 - x: the beta density times x y. */
export function logBetaKernel(a: number, b: number, x: number, y: number): number {
  const n = a + b;
  const excess = betaExcess(a, b, x, y);
  return (
    -a * deviance(excess / a, (x * n) / a) -
    b * deviance(-excess / b, (y * n) / b) +
    0.5 * (Math.log(a) + Math.log(b / n)) -
    halfLogTwoPi +
    stirlingError(n) -
    stirlingError(a) -
    stirlingError(b)
  );
}

/** x (a + b) - a without cancellation, from whichever of x and y = 1 - x is small and therefore exact. */
export function betaExcess(a: number, b: number, x: number, y: number): number {
  return x <= y ? productMinus(x, a, b) : -productMinus(y, b, a);
}

/** x (p + q) - p, the product and the sum in twice the working precision. @see Dekker 1971; Knuth's two-sum */
function productMinus(x: number, p: number, q: number): number {
  const sum = p + q;
  const back = sum - p;
  const sumError = p - (sum - back) + (q - back);
  const high = x * sum;
  const [xh, xl] = split(x);
  const [sh, sl] = split(sum);
  const low = xl * sl - (high - xh * sh - xl * sh - xh * sl);
  return high - p + (low + x * sumError);
}

function split(value: number): [number, number] {
  const scaled = 134217729 * value;
  const high = scaled - (scaled - value);
  return [high, value - high];
}

/** ln(1 - e^l) for l <= 0. @see Maechler 2012, "Accurately computing log(1 - exp(-|a|))" */
export function logOneMinusExp(l: number): number {
  return l > -Math.LN2 ? Math.log(-Math.expm1(l)) : Math.log1p(-Math.exp(l));
}
