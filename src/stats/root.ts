// Where does a function of one number cross zero, between two points or somewhere to the right of one?
import { refuse } from './precondition.ts';

/**
 * A zero of a continuous function between two points of opposite sign.
 * @param bracket the two points, in either order
 * @param options `precision`, the absolute error allowed; default 0, the last digits
 * @throws RangeError when the function has the same sign at both ends, or is not a number.
 * @see Chandrupatla 1997, Advances in Engineering Software 28(3) (inverse quadratic steps where safe, else bisection)
 */
export function findRoot(
  f: (x: number) => number,
  bracket: readonly [number, number],
  options: { readonly precision?: number } = {},
): number {
  let [a, b] = bracket;
  let [fa, fb] = [f(a), f(b)];
  if (fa === 0) return a;
  if (fb === 0) return b;
  if (!(fa < 0 ? fb > 0 : fa > 0 && fb < 0)) refuse('sign of f at both ends', `${fa}, ${fb}`, 'opposite');
  let [c, fc] = [a, fa];
  let share = 0.5;
  // Halving needs at most as many steps as there are binary digits and exponents.
  for (let step = 0; step < 3000; step += 1) {
    const x = a + share * (b - a);
    const fx = f(x);
    if (fx < 0 === fa < 0) [c, fc] = [a, fa];
    else [c, b, fc, fb] = [b, a, fb, fa];
    [a, fa] = [x, fx];
    const best = Math.abs(fa) < Math.abs(fb) ? a : b;
    const tolerance = Math.max(options.precision ?? 0, 2.3e-16 * Math.abs(best) + 1e-300);
    const least = tolerance / Math.abs(b - a);
    if (fa === 0 || least > 0.5) return best;
    const ratio = (a - b) / (c - b);
    const height = (fa - fb) / (fc - fb);
    const isSafe = height * height < ratio && (1 - height) ** 2 < 1 - ratio;
    share = isSafe
      ? (fa / (fb - fa)) * (fc / (fb - fc)) + ((c - a) / (b - a)) * (fa / (fc - fa)) * (fb / (fc - fb))
      : 0.5;
    share = Math.min(1 - least, Math.max(least, share));
  }
  return a;
}

/**
 * Zero of a rising function to the right of `from`, the range doubled until it is found.
 * @param reach first step, > 0
 * @returns `from` when the function is not below 0 there, Infinity when it stays below 0
 */
export function findRisingRoot(
  f: (x: number) => number,
  start: { readonly from: number; readonly reach: number },
): number {
  if (f(start.from) >= 0) return start.from;
  let low = start.from;
  let step = start.reach;
  while (f(start.from + step) < 0) {
    low = start.from + step;
    step *= 2;
    if (start.from + step > 1e300) return Infinity;
  }
  return findRoot(f, [low, start.from + step]);
}

/**
 * Last point from `inside` towards `outside` at which the function is not above 0. It may be 0 at `inside` itself, where a range
 * begins with no room, and still go below.
 * @param ends f(inside) <= 0 < f(outside)
 */
export function lastNotAbove(
  f: (x: number) => number,
  ends: { readonly inside: number; readonly outside: number },
): number {
  let { inside, outside } = ends;
  if (f(inside) < 0) return findRoot(f, [inside, outside]);
  for (let step = 0; step < 200; step += 1) {
    const middle = inside + (outside - inside) / 2;
    if (middle === inside || middle === outside) break;
    if (f(middle) <= 0) inside = middle;
    else outside = middle;
  }
  return inside;
}
