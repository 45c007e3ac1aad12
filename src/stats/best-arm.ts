// Of several variants, how likely is each the best, and what does settling on it cost?
import type { LogTails } from './distribution.ts';
import { type Insufficient, insufficient } from './interval.ts';
import { normal } from './normal.ts';
import { refuse } from './precondition.ts';
import { integrate, logAreaUnderConcave } from './quadrature.ts';
import { type Measured, requireMeasured } from './relative-difference.ts';

/** The chances of one of several variants. */
export interface ArmChances {
  /** Probability that its true value is the highest of all, in [0, 1]; these sum to 1. */
  readonly probabilityBest: number;
  /** E[highest of all - this one], >= 0: what settling on it is expected to cost. */
  readonly expectedLoss: number;
}

/** The chances of every variant, in their order. */
export interface BestArm {
  readonly kind: 'posterior';
  readonly method: string;
  readonly arms: readonly ArmChances[];
}

/**
 * Chances of being the best for independent normal beliefs, by adaptive quadrature divided at every arm's own scale, so
 * that a new arm with a wide belief beside old ones with narrow beliefs keeps all digits (12; small ones relatively).
 * Higher is better: turn the signs of the estimates round where lower is. An arm with standard error 0 counts as known.
 * Insufficient with fewer than two arms.
 * @param arms posterior mean and deviation of each
 * @throws RangeError when an estimate is not finite or a standard error negative.
 * @see Scott 2010, Applied Stochastic Models in Business and Industry 26 (probability of being best)
 */
export function chancesOfBest(arms: readonly Measured[]): BestArm | Insufficient {
  for (const [i, arm] of arms.entries()) requireMeasured(`arms[${i}]`, arm);
  if (arms.length < 2) return insufficient('there is nothing to be best of with fewer than two variants');
  const breaks = arms.flatMap(({ estimate, standardError }) =>
    [-9, -5, -2, -1, 0, 1, 2, 5, 9].map((k) => estimate + k * standardError),
  );
  return {
    kind: 'posterior',
    method: 'probability of being best of independent normals, adaptive quadrature',
    arms: arms.map((arm, i) => {
      const others = arms.filter((_, j) => j !== i);
      return {
        probabilityBest: arm.standardError > 0 ? chanceOf(arm, others, breaks) : chanceOfKnown(arm, others),
        expectedLoss: lossOf(arm, others, breaks),
      };
    }),
  };
}

function chanceOf(arm: Measured, others: readonly Measured[], breaks: readonly number[]): number {
  const { estimate, standardError } = arm;
  const known = others.reduce(
    (most, other) => (other.standardError === 0 ? Math.max(most, other.estimate) : most),
    -Infinity,
  );
  const logF = (x: number): number => {
    const z = (x - estimate) / standardError;
    // Up to the constant ln(sqrt(2 pi) sigma) the density, which a plain ln(pdf) would lose beyond 38 deviations.
    return others.reduce((sum, other) => sum + logTailsOf(other, x).below, (-z * z) / 2);
  };
  const scale = narrowest(others, standardError);
  const start = Math.max(estimate, known + scale);
  const area = logAreaUnderConcave(logF, { start, scale, breaks });
  return Math.min(1, Math.exp(area - Math.log(standardError) - 0.9189385332046727));
}

/** The narrowest belief that has any width. */
function narrowest(others: readonly Measured[], own: number): number {
  return others.reduce((least, { standardError }) => (standardError > 0 ? Math.min(least, standardError) : least), own);
}

/** An arm taken as known is best when no other one is above; several at the same value share the chance. */
function chanceOfKnown(arm: Measured, others: readonly Measured[]): number {
  let log = 0;
  let equals = 1;
  for (const other of others) {
    if (other.standardError === 0 && other.estimate === arm.estimate) equals += 1;
    else log += logTailsOf(other, arm.estimate).below;
  }
  return Math.exp(log) / equals;
}

/** E[max(best other - arm, 0)], the integral of P(arm <= x < best other). */
function lossOf(arm: Measured, others: readonly Measured[], breaks: readonly number[]): number {
  const f = (x: number): number => {
    const log = others.reduce((sum, other) => sum + logTailsOf(other, x).below, 0);
    return Math.exp(logTailsOf(arm, x).below) * -Math.expm1(log);
  };
  return new Set(breaks).size < 2 ? 0 : integrate(f, breaks);
}

function logTailsOf({ estimate, standardError }: Measured, x: number): LogTails {
  if (standardError === 0) return x < estimate ? { below: -Infinity, above: 0 } : { below: 0, above: -Infinity };
  const z = (x - estimate) / standardError;
  return { below: normal.logSf(-z), above: normal.logSf(z) };
}

/** The share of traffic each arm gets: a floor f for all K arms, the rest by weight w, additively: f + (1 - K f) w. */
export function sharesWithFloor(weights: readonly number[], floor: number): readonly number[] {
  const room = 1 - weights.length * floor;
  if (!(floor >= 0 && room >= -1e-12)) refuse('floor', floor, `in [0, 1/${weights.length}]`);
  const total = weights.reduce((sum, weight, i) => {
    if (!(Number.isFinite(weight) && weight >= 0)) refuse(`weights[${i}]`, weight, 'finite and >= 0');
    return sum + weight;
  }, 0);
  if (!(total > 0)) refuse('sum of weights', total, '> 0');
  return weights.map((weight) => floor + Math.max(0, room) * (weight / total));
}
