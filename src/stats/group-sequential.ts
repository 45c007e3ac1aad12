// At a few planned looks: when may a test stop early, for success or for futility, and what does the right to do so cost?
import { type Spending, spentBy } from './alpha-spending.ts';
import type { TestOptions } from './interval.ts';
import { normal } from './normal.ts';
import { refuse } from './precondition.ts';
import { atStart, massAbove, massBelow, type Paths, pathsInside, usualReach } from './recursive-integration.ts';
import { findRoot } from './root.ts';
import {
  criticalValues,
  type Looks,
  lowerFor,
  rejectionProbability,
  requireLooks,
  upperFor,
} from './sequential-boundary.ts';

/** Stopping without hope. */
export interface Futility {
  /** How the chance of missing a real effect, 1 - power, is spent over the looks. */
  readonly spending: Spending;
  /** True when crossing it must end the test: rejection is then made easier, and ignoring it costs error. */
  readonly binding: boolean;
}

/** A planned series of looks. */
export interface LooksOptions extends TestOptions, Looks {
  /** Chance to reject at the effect the test is planned for, in (alpha, 1); needed for futility and for a plan. */
  readonly power?: number;
  /** For tests with power; default none. */
  readonly futility?: Futility;
}

/** Boundaries of a series of looks, in z. */
export interface LooksDesign extends LooksOptions {
  readonly kind: 'designed';
  /** Reject when z is at or above this (two-sided: or at or below minus this). */
  readonly critical: readonly number[];
  /** Give up when z (two-sided: |z|) is at or below this; the last is the critical value. Present with futility. */
  readonly futilityBounds?: readonly number[];
  /** Error spent up to and including each look, both sides together; the futility bounds count only if binding. */
  readonly alphaSpent: readonly number[];
  /** Present with power. */
  readonly plan?: LooksPlan;
}

/** What a design needs and saves. */
export interface LooksPlan {
  /** Expected z at full information under the effect planned for. */
  readonly drift: number;
  /** Largest sample over that of the test without early looks, > 1 unless there is one look. */
  readonly inflation: number;
  /** Expected sample over that of the test without early looks, stopping also for futility where it is. */
  readonly expected: { readonly noEffect: number; readonly halfEffect: number; readonly fullEffect: number };
}

/** Chances of stopping at each look under some effect. */
export interface Crossings {
  /** Of rejecting upwards. */
  readonly upper: readonly number[];
  /** Of rejecting downwards (two-sided) or giving up (one-sided with futility); 0 otherwise. */
  readonly lower: readonly number[];
  /** Of giving up, where a two-sided test has futility bounds. */
  readonly inner?: readonly number[];
  /** Expected information share when the test ends. */
  readonly expectedInformation: number;
}

/**
 * Boundaries for a test looked at a few planned times. One-sided tests ask for an effect > 0. Assumes z-statistics of
 * independent increments (means, proportions and other estimates of growing samples) near normal at every look; with a
 * spending rule neither number nor times of looks need be fixed beforehand, as long as they do not depend on the effect
 * seen: design again with the shares so far.
 * @throws RangeError when alpha is outside (0, 1), power outside (alpha, 1), looks do not rise within (0, 1] (to 1 for
 *   boundaries without spending and for plans), or futility is asked for without power.
 * @see Jennison & Turnbull 2000, chapters 2, 5, 7 and 19; futility: Pampallona, Tsiatis & Kim 2001, DIJ 35; of two sides,
 * an inner wedge around 0: Whitehead & Stratton 1983, Biometrics 39
 */
export function designLooks(options: LooksOptions): LooksDesign {
  requireLooks(options);
  const { alpha, power, futility, information } = options;
  const free = criticalValues(options, { alpha });
  if (power === undefined) {
    if (futility !== undefined) refuse('power', power, 'given with futility');
    return { ...options, kind: 'designed', critical: free, alphaSpent: spentAt(options, free) };
  }
  if (!(power > alpha && power < 1)) refuse('power', power, `in (${alpha}, 1)`);
  const last = information[information.length - 1]!;
  if (last !== 1) refuse('last information', last, '1 where power is given');
  if (futility === undefined) {
    const bounds = { ...options, critical: free };
    const drift = driftFor(options, (theta) => power - sumOf(crossingsUnder(bounds, theta).upper));
    return { ...bounds, kind: 'designed', alphaSpent: spentAt(options, free), plan: planOf(bounds, { drift, power }) };
  }
  if (futility.binding && options.boundary.kind !== 'spending') {
    refuse('boundary.kind', options.boundary.kind, 'spending with binding futility');
  }
  const bind = (drift: number): BoundFutility => futilityUnder(options, { drift, futility, error: 1 - power, free });
  const drift = driftFor(options, (theta) => bind(theta).excess);
  const { critical, lower } = bind(drift);
  const futilityBounds = [...lower, critical[critical.length - 1]!];
  const bounds = { ...options, critical, futilityBounds };
  const spent = futility.binding
    ? runningSum(crossingsUnder(bounds, 0).upper).map((each) => options.sides * each)
    : spentAt(options, critical);
  return { ...bounds, kind: 'designed', alphaSpent: spent, plan: planOf(bounds, { drift, power }) };
}

type Bounds = Looks & {
  readonly alpha: number;
  readonly critical: readonly number[];
  readonly futilityBounds?: readonly number[];
};

/**
 * Chances of stopping at each look when z at full information has mean `drift`; assumes what `designLooks` does.
 * @throws RangeError unless drift is finite
 * @see Armitage, McPherson & Rowe 1969, JRSS A 132; Jennison & Turnbull 2000, chapter 19
 */
export function crossingsUnder(design: Bounds, drift: number): Crossings {
  if (!Number.isFinite(drift)) refuse('drift', drift, 'finite');
  const { information, critical, futilityBounds, sides } = design;
  let paths = atStart;
  const upper: number[] = [];
  const lower: number[] = [];
  const inner: number[] = [];
  let expectedInformation = 0;
  let going = 1;
  for (const [k, time] of information.entries()) {
    const high = critical[k]!;
    const low = sides === 2 ? -high : (futilityBounds?.[k] ?? -Infinity);
    const wedge = sides === 2 ? (futilityBounds?.[k] ?? 0) : 0;
    upper.push(massAbove(paths, { time, z: high, drift }));
    lower.push(massBelow(paths, { time, z: low, drift }));
    inner.push(massWithin(paths, { time, z: wedge, drift }));
    const next = information[k + 1];
    const stopping = next === undefined ? going : upper[k]! + lower[k]! + inner[k]!;
    expectedInformation += time * stopping;
    going -= stopping;
    if (next === undefined) break;
    paths = pathsInside(paths, { time, lower: low, upper: high, inner: wedge, next, drift, reach: usualReach });
  }
  const giving = sides === 2 && futilityBounds !== undefined ? { inner } : {};
  return { upper, lower, ...giving, expectedInformation };
}

/** Probability of having stayed inside so far and then lying nearer to 0 than z, or just as near. */
function massWithin(paths: Paths, look: { readonly time: number; readonly z: number; readonly drift: number }): number {
  return look.z > 0 ? massBelow(paths, look) - massBelow(paths, { ...look, z: -look.z }) : 0;
}

interface BoundFutility {
  readonly critical: readonly number[];
  readonly lower: readonly number[];
  /** Chance of missing the effect at the last look beyond what may be spent there; falls with the drift. */
  readonly excess: number;
}

/** Futility bounds that spend the error under this drift, and with binding ones the critical values they allow. */
function futilityUnder(
  options: LooksOptions,
  given: {
    readonly drift: number;
    readonly futility: Futility;
    readonly error: number;
    readonly free: readonly number[];
  },
): BoundFutility {
  const { drift, futility, error, free } = given;
  const { information, boundary, alpha, sides } = options;
  const critical: number[] = [];
  const lower: number[] = [];
  let [paths, nullPaths] = [atStart, atStart];
  let spent = { alpha: 0, error: 0 };
  for (const [k, time] of information.entries()) {
    const whole = {
      alpha: boundary.kind === 'spending' ? spentBy(alpha / sides, time, boundary.spending) : 0,
      error: spentBy(error, time, futility.spending),
    };
    const upper = futility.binding ? upperFor(nullPaths, { time, mass: whole.alpha - spent.alpha }) : free[k]!;
    const mass = whole.error - spent.error;
    spent = whole;
    critical.push(upper);
    const next = information[k + 1];
    const massFor = sides === 2 ? massWithin : massBelow;
    if (next === undefined) return { critical, lower, excess: massFor(paths, { time, z: upper, drift }) - mass };
    const target = { time, mass, drift, ceiling: upper };
    const low = sides === 2 ? innerFor(paths, target) : lowerFor(paths, target);
    lower.push(low);
    const ends = sides === 2 ? { lower: -upper, upper, inner: low } : { lower: low, upper };
    const look = { ...ends, time, next, reach: usualReach };
    paths = pathsInside(paths, { ...look, drift });
    if (futility.binding) nullPaths = pathsInside(nullPaths, { ...look, drift: 0 });
  }
  return refuse('information.length', 0, '>= 1');
}

/** z nearer to 0 than which paths with this drift have this mass; `ceiling` where all within that have less. */
function innerFor(
  paths: Paths,
  target: { readonly time: number; readonly mass: number; readonly drift: number; readonly ceiling: number },
): number {
  const { time, mass, drift } = target;
  const ceiling = Math.min(target.ceiling, 60);
  const excess = (z: number): number => massWithin(paths, { time, z, drift }) - mass;
  if (mass < 1e-300) return 0;
  return excess(ceiling) <= 0 ? ceiling : findRoot(excess, [0, ceiling]);
}

/** Drift where a function that falls with it is 0, searched from the fixed test's drift. */
function driftFor(options: LooksOptions, excess: (drift: number) => number): number {
  const fixed = fixedDrift(options, options.power!);
  if (options.information.length === 1) return fixed;
  let high = 1.2 * fixed;
  while (excess(high) > 0) {
    high *= 1.3;
    if (high > 40 * fixed) refuse('power', options.power, 'attainable with these futility bounds');
  }
  let low = 0.98 * fixed;
  while (excess(low) < 0) low *= 0.8;
  return findRoot(excess, [low, high]);
}

function fixedDrift({ alpha, sides }: LooksOptions, power: number): number {
  return normal.isf(alpha / sides) + normal.quantile(power);
}

function planOf(bounds: Bounds & LooksOptions, given: { readonly drift: number; readonly power: number }): LooksPlan {
  const { drift, power } = given;
  const inflation = (drift / fixedDrift(bounds, power)) ** 2;
  const expected = (theta: number): number => inflation * crossingsUnder(bounds, theta).expectedInformation;
  return {
    drift,
    inflation,
    expected: { noEffect: expected(0), halfEffect: expected(drift / 2), fullEffect: expected(drift) },
  };
}

function spentAt(looks: Looks, critical: readonly number[]): readonly number[] {
  return critical.map((_, k) => rejectionProbability(looks, critical.slice(0, k + 1)));
}

function runningSum(values: readonly number[]): readonly number[] {
  let sum = 0;
  return values.map((value) => {
    sum += value;
    return sum;
  });
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
