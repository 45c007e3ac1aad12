// Which power has a test whose effect is stated in Cohen's units?
import { gamma } from './gamma.ts';
import { logGammaTails } from './incomplete-gamma.ts';
import { normal } from './normal.ts';
import type { Units } from './power.ts';
import { refuse, requireAlpha, requireFinite, requireNonNegative, requirePositive } from './precondition.ts';
import { poisson } from './whole-number.ts';

/**
 * Cohen's h, the distance of two rates on the arcsine scale: 2 asin(sqrt(candidate)) - 2 asin(sqrt(control)).
 * @throws RangeError when a rate is outside [0, 1].
 * @see Cohen 1988, chapter 6
 */
export function arcsineEffect(control: number, candidate: number): number {
  for (const [name, rate] of [
    ['control', control],
    ['candidate', candidate],
  ] as const) {
    if (!(rate >= 0 && rate <= 1)) refuse(name, rate, 'in [0, 1]');
  }
  return 2 * Math.asin(Math.sqrt(candidate)) - 2 * Math.asin(Math.sqrt(control));
}

/**
 * Power of the arcsine test of two rates, by the normal approximation. Two-sided counts the rejections on both sides.
 * @param h Cohen's h, candidate over control
 * @throws RangeError when an argument is out of range.
 * @see Cohen 1988, chapter 6
 */
export function powerOfArcsine(
  h: number,
  options: { readonly units: Units; readonly alpha: number; readonly sides?: 1 | 2 },
): number {
  requireFinite('h', h);
  const alpha = requireAlpha(options.alpha);
  const { control, candidate } = options.units;
  requirePositive('units.control', control);
  requirePositive('units.candidate', candidate);
  const shift = h / Math.sqrt(1 / control + 1 / candidate);
  if (options.sides === 1) return normal.cdf(shift - normal.isf(alpha));
  const z = normal.isf(alpha / 2);
  return normal.cdf(shift - z) + normal.cdf(-shift - z);
}

/**
 * Power of a chi-squared test: of a split (Cohen's w = sqrt(sum (true - planned share)^2 / planned share)) or of a table.
 * @param w effect, >= 0
 * @throws RangeError when an argument is out of range.
 * @see Cohen 1988, chapter 7; Johnson, Kotz & Balakrishnan 1995, chapter 29 (the noncentral law as a Poisson mixture)
 */
export function powerOfChiSquared(
  w: number,
  options: { readonly units: number; readonly df: number; readonly alpha: number },
): number {
  requireNonNegative('w', w);
  const alpha = requireAlpha(options.alpha);
  const half = requirePositive('df', options.df) / 2;
  const limit = gamma(half).isf(alpha);
  const mean = (requirePositive('units', options.units) * w * w) / 2;
  const weights = poisson(mean);
  const from = weights.quantile(1e-18);
  const to = weights.isf(1e-18);
  let power = 0;
  for (let k = from; k <= to; k += 1) power += weights.pdf(k) * Math.exp(logGammaTails(half + k, limit).above);
  return Math.min(1, power);
}
