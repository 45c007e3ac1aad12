// How likely is it that a test statistic, looked at several times, crosses its boundary at each look?
import { normal } from './normal.ts';

/**
 * Brownian motion with drift among the paths that have stayed inside so far: masses on points. At information share t it
 * is z sqrt(t), z being the test statistic.
 */
export interface Paths {
  readonly time: number;
  readonly points: Float64Array;
  readonly masses: Float64Array;
}

/** Paths before the first look. */
export const atStart: Paths = { time: 0, points: Float64Array.of(0), masses: Float64Array.of(1) };

/** Standard deviations beyond the drift that are kept; tails below some 1e-31 of all paths are cut off. */
export const usualReach = 12;

/** Probability of having stayed inside so far and then lying above z at `time`. */
export function massAbove(
  paths: Paths,
  look: { readonly time: number; readonly z: number; readonly drift: number },
): number {
  const step = look.time - paths.time;
  const scale = Math.sqrt(step);
  const level = look.z * Math.sqrt(look.time) - look.drift * step;
  let sum = 0;
  for (let i = 0; i < paths.points.length; i += 1) {
    sum += paths.masses[i]! * normal.sf((level - paths.points[i]!) / scale);
  }
  return sum;
}

/** Probability of having stayed inside so far and then lying below z at `time`. */
export function massBelow(
  paths: Paths,
  look: { readonly time: number; readonly z: number; readonly drift: number },
): number {
  const mirrored = { time: paths.time, points: paths.points.map((point) => -point), masses: paths.masses };
  return massAbove(mirrored, { time: look.time, z: -look.z, drift: -look.drift });
}

/** One look of a test. */
export interface Look {
  /** Information share, above that of the paths. */
  readonly time: number;
  /** Continue while the statistic lies between these, -Infinity and Infinity allowed. */
  readonly lower: number;
  readonly upper: number;
  /** End also where the statistic is nearer to 0 than this, >= 0; absent: nowhere. */
  readonly inner?: number;
  /** Information share of the look after this one; absent after the last. */
  readonly next?: number;
  /** Mean of the statistic at information share 1. */
  readonly drift: number;
  /** How many standard deviations up paths are kept, >= `usualReach`. */
  readonly reach: number;
}

/**
 * Paths that also stay inside at this look. Integrals by Gauss-Legendre rules of 16 points on panels of three standard
 * deviations of the shorter neighbouring step, exact to some 1e-13.
 * @see Armitage, McPherson & Rowe 1969, JRSS A 132; Jennison & Turnbull 2000, chapter 19
 */
export function pathsInside(paths: Paths, look: Look): Paths {
  const inner = look.inner ?? 0;
  if (!(inner > 0)) return pathsBetween(paths, look);
  const [low, high] = [pathsBetween(paths, { ...look, upper: -inner }), pathsBetween(paths, { ...look, lower: inner })];
  return {
    time: look.time,
    points: Float64Array.of(...low.points, ...high.points),
    masses: Float64Array.of(...low.masses, ...high.masses),
  };
}

function pathsBetween(paths: Paths, look: Look): Paths {
  const step = look.time - paths.time;
  const scale = Math.sqrt(step);
  const root = Math.sqrt(look.time);
  const centre = look.drift * look.time;
  const lowest = Math.max(look.lower * root, centre - usualReach * root);
  const highest = Math.min(look.upper * root, centre + look.reach * root);
  if (!(highest > lowest)) return { time: look.time, points: new Float64Array(), masses: new Float64Array() };
  const panelWidth = 3 * Math.min(scale, Math.sqrt((look.next ?? Infinity) - look.time));
  const panels = Math.max(1, Math.ceil((highest - lowest) / panelWidth));
  const half = (highest - lowest) / panels / 2;
  const points = new Float64Array(panels * ruleSize);
  const masses = new Float64Array(panels * ruleSize);
  const norm = half / (scale * Math.sqrt(2 * Math.PI));
  // A jump of more standard deviations than this adds nothing to the paths that are kept.
  const band = look.reach + 4;
  let from = 0;
  for (let j = 0; j < points.length; j += 1) {
    const rule = j % ruleSize;
    const point = lowest + half * (2 * Math.floor(j / ruleSize) + 1 + ruleNodes[rule]!);
    const shifted = point - look.drift * step;
    while (from < paths.points.length && shifted - paths.points[from]! > band * scale) from += 1;
    let sum = 0;
    for (let i = from; i < paths.points.length; i += 1) {
      const jump = (shifted - paths.points[i]!) / scale;
      if (jump < -band) break;
      sum += paths.masses[i]! * Math.exp((-jump * jump) / 2);
    }
    points[j] = point;
    masses[j] = sum * norm * ruleWeights[rule]!;
  }
  return { time: look.time, points, masses };
}

const ruleSize = 16;
const [ruleNodes, ruleWeights] = legendreRule(ruleSize);

/** Nodes and weights of the Gauss-Legendre rule on [-1, 1], nodes rising. @see Abramowitz & Stegun 25.4.29, 22.16.6 */
export function legendreRule(size: number): readonly [Float64Array, Float64Array] {
  const nodes = new Float64Array(size);
  const weights = new Float64Array(size);
  for (let i = 0; i < size; i += 1) {
    let x = -Math.cos((Math.PI * (i + 0.75)) / (size + 0.5));
    let slope = 0;
    for (let step = 0; step < 8; step += 1) {
      let [before, value] = [1, x];
      for (let k = 2; k <= size; k += 1) [before, value] = [value, ((2 * k - 1) * x * value - (k - 1) * before) / k];
      slope = (size * (x * value - before)) / (x * x - 1);
      x -= value / slope;
    }
    nodes[i] = x;
    weights[i] = 2 / ((1 - x * x) * slope * slope);
  }
  return [nodes, weights];
}
