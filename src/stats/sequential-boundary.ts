// Where must a statistic stand at each planned look to reject, so that all looks together keep the error rate?
import { type Spending, spentBy } from './alpha-spending.ts';
import { normal } from './normal.ts';
import { refuse, requireAlpha, requireFinite } from './precondition.ts';
import { atStart, massAbove, massBelow, type Paths, pathsInside, usualReach } from './recursive-integration.ts';
import { findRoot } from './root.ts';

/** The shape of a boundary over the looks. */
export type Boundary =
  /** The same z at every look. @see Pocock 1977, Biometrika 64 */
  | { readonly kind: 'pocock' }
  /** z falling with the square root of information. @see O'Brien & Fleming 1979, Biometrics 35 */
  | { readonly kind: 'obrien-fleming' }
  /** z proportional to share^(delta - 1/2): 0 is O'Brien-Fleming's, 1/2 Pocock's. @see Wang & Tsiatis 1987, Biometrics 43 */
  | { readonly kind: 'wang-tsiatis'; readonly delta: number }
  /** Whatever spends the error by this rule; looks need not be planned. @see Lan & DeMets 1983, Biometrika 70 */
  | { readonly kind: 'spending'; readonly spending: Spending };

/** Looks at a test of one or two sides. */
export interface Looks {
  readonly sides: 1 | 2;
  /** Share of the planned information at each look, rising, in (0, 1]. */
  readonly information: readonly number[];
  readonly boundary: Boundary;
}

const mostLooks = 200;

/** Returns looks. @throws RangeError when they cannot be had. */
export function requireLooks(looks: Looks): Looks {
  const { information, sides, boundary } = looks;
  if (sides !== 1 && sides !== 2) refuse('sides', sides, '1 or 2');
  if (information.length < 1 || information.length > mostLooks) {
    refuse('information.length', information.length, `in 1..${mostLooks}; watch more looks by a confidence sequence`);
  }
  let before = 0;
  for (const [i, share] of information.entries()) {
    if (!(share > before && share <= 1)) refuse(`information[${i}]`, share, `in (${before}, 1]`);
    before = share;
  }
  if (boundary.kind === 'wang-tsiatis') requireFinite('boundary.delta', boundary.delta);
  if (boundary.kind !== 'spending' && before !== 1) {
    refuse('last information', before, `1 with a boundary of the kind ${boundary.kind}`);
  }
  return looks;
}

/**
 * Critical z-values at each look: crossing any of them under no effect has probability alpha.
 * Infinity at a look where less than 1e-300 may be spent.
 * @throws RangeError when alpha is outside (0, 1) or the looks cannot be had.
 */
export function criticalValues(
  looks: Looks,
  options: { readonly alpha: number; readonly reach?: number },
): readonly number[] {
  const alpha = requireAlpha(options.alpha);
  requireLooks(looks);
  const { boundary, information } = looks;
  if (boundary.kind === 'spending')
    return spendingValues(looks, { ...boundary, alpha, reach: options.reach ?? usualReach });
  const shape = shapeOf(boundary);
  const low = normal.isf(alpha / looks.sides) - 1e-9;
  const high = normal.isf(alpha / looks.sides / information.length) + 1e-9;
  const constant =
    information.length === 1
      ? normal.isf(alpha / looks.sides)
      : findRoot(
          (c) =>
            rejectionProbability(
              looks,
              information.map((t) => c * t ** shape),
            ) - alpha,
          [low, widest(high, information, shape)],
        );
  return information.map((t) => constant * t ** shape);
}

/** z at share t is a constant times t to this power. */
export function shapeOf(boundary: Exclude<Boundary, { readonly kind: 'spending' }>): number {
  if (boundary.kind === 'pocock') return 0;
  return boundary.kind === 'obrien-fleming' ? -0.5 : boundary.delta - 0.5;
}

/** Bonferroni's constant, for whichever look has the lowest z relative to it. */
function widest(z: number, information: readonly number[], shape: number): number {
  return Math.max(...information.map((t) => z / t ** shape));
}

/** Probability of crossing at any of the first looks under no effect. @param reach standard deviations kept, default `usualReach` */
export function rejectionProbability(looks: Looks, critical: readonly number[], reach: number = usualReach): number {
  let paths = atStart;
  let crossed = 0;
  for (const [k, upper] of critical.entries()) {
    const time = looks.information[k]!;
    crossed += massAbove(paths, { time, z: upper, drift: 0 });
    if (k + 1 < critical.length) {
      const next = looks.information[k + 1]!;
      paths = pathsInside(paths, { time, lower: looks.sides === 2 ? -upper : -Infinity, upper, next, drift: 0, reach });
    }
  }
  return looks.sides * crossed;
}

function spendingValues(
  looks: Looks,
  options: { readonly spending: Spending; readonly alpha: number; readonly reach: number },
): readonly number[] {
  const { alpha, reach, spending } = options;
  let paths = atStart;
  let spent = 0;
  return looks.information.map((time, k) => {
    const whole = spentBy(alpha / looks.sides, time, spending);
    const upper = upperFor(paths, { time, mass: whole - spent });
    spent = whole;
    const next = looks.information[k + 1];
    if (next !== undefined) {
      paths = pathsInside(paths, { time, lower: looks.sides === 2 ? -upper : -Infinity, upper, next, drift: 0, reach });
    }
    return upper;
  });
}

/** z above which paths without drift have this mass; Infinity for none, -Infinity where they have less. */
export function upperFor(paths: Paths, target: { readonly time: number; readonly mass: number }): number {
  const { time, mass } = target;
  if (mass < 1e-300) return Infinity;
  // Fewer paths than all of them lie above, so the z of all is too high.
  const high = normal.isf(Math.min(1, mass));
  if (paths.time === 0) return high;
  const excess = (z: number): number => Math.log(massAbove(paths, { time, z, drift: 0 })) - Math.log(mass);
  let low = Math.min(high, 38);
  for (let step = 0.25; excess(low) <= 0; step *= 2) {
    if (low < -40) return -Infinity;
    low -= step;
  }
  return findRoot(excess, [low, Math.min(high, 38) + 1e-9]);
}

/** z below which paths with this drift have this mass; -Infinity for none, `ceiling` where less lies below that. */
export function lowerFor(
  paths: Paths,
  target: { readonly time: number; readonly mass: number; readonly drift: number; readonly ceiling: number },
): number {
  const { time, mass, drift, ceiling } = target;
  if (mass < 1e-300) return -Infinity;
  if (massBelow(paths, { time, z: ceiling, drift }) <= mass) return ceiling;
  const low = normal.quantile(mass) + drift * Math.sqrt(time) - 1e-9;
  const excess = (z: number): number => Math.log(massBelow(paths, { time, z, drift })) - Math.log(mass);
  return findRoot(excess, [low, Math.min(ceiling, 60)]);
}
