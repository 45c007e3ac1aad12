// A test of a few looks has stopped: what is the effect, allowing for having stopped because it looked large?
import type { LooksDesign } from './group-sequential.ts';
import { bounded, type Insufficient, type Interval, insufficient } from './interval.ts';
import { refuse, requireFinite, requireNonNegative } from './precondition.ts';
import { atStart, massAbove, pathsInside, usualReach } from './recursive-integration.ts';
import type { Measured } from './relative-difference.ts';
import { findRoot } from './root.ts';

/** What a stopped test says. */
export interface StoppedResult {
  readonly kind: 'stopped';
  readonly method: string;
  /** Median-unbiased effect: as often too high as too low. */
  readonly estimate: number;
  /** The plain difference, which early stopping makes too large on average. */
  readonly difference: number;
  readonly statistic: number;
  /** Two-sided, or of an effect > 0 for a one-sided test; below alpha exactly when the test has rejected. */
  readonly pValue: number;
  /** Level 1 - alpha for two sides, 1 - 2 alpha (both ends at alpha) for one. */
  readonly interval: Interval;
}

/**
 * Median-unbiased estimate, interval and p-value after a test of a few looks has stopped, all by one order of outcomes: an
 * earlier rejection is the stronger result, at one look the larger statistic. Narrower than `readLook`, but only right once
 * the test is over. Assumes that the looks were the design's, and that crossing a bound has ended the test.
 * Futility bounds that need not be kept widen the upper end and are otherwise left out, as they are in the critical values.
 * Insufficient without noise, where the test has not stopped, and for two-sided tests with futility (their outcomes
 * have no such order).
 * @param measured the difference and its standard error at the look where it stopped
 * @param options `look`, index of that look, 0 is the first; `design` of `designLooks`
 * @throws RangeError when `look` is none of the design's looks or the measurement is not finite.
 * @see Tsiatis, Rosner & Mehta 1984, Biometrics 40; Jennison & Turnbull 2000, chapter 8 (stage-wise ordering)
 */
export function estimateAfterStop(
  measured: Measured,
  options: { readonly look: number; readonly design: LooksDesign },
): StoppedResult | Insufficient {
  const { look, design } = options;
  const { information, critical, futilityBounds, sides, alpha } = design;
  if (!(Number.isSafeInteger(look) && look >= 0 && look < information.length)) {
    refuse('look', look, `a whole number in 0..${information.length - 1}`);
  }
  const difference = requireFinite('measured.estimate', measured.estimate);
  const standardError = requireNonNegative('measured.standardError', measured.standardError);
  if (standardError === 0) return insufficient('the difference shows no noise, so nothing can be said of its error');
  if (sides === 2 && futilityBounds !== undefined) {
    return insufficient('results of a two-sided test with futility bounds have no order; the repeated interval holds');
  }
  const statistic = difference / standardError;
  const isRejected = (sides === 2 ? Math.abs(statistic) : statistic) >= critical[look]!;
  const isGivenUp = futilityBounds !== undefined && statistic <= futilityBounds[look]!;
  if (!isRejected && !isGivenUp && look < information.length - 1) {
    return insufficient('the test has not stopped at this look; while it runs the repeated interval holds');
  }
  const chance = (drift: number, isKept: boolean): number =>
    strongerResults(design, { look, statistic, drift, isKept });
  // Bounds that must be kept are part of the error rate; others may have been ignored.
  const must = design.futility?.binding === true;
  const above = chance(0, must);
  // Drift is the mean of the statistic at full information.
  const scale = standardError * Math.sqrt(information[look]!);
  const centre = statistic / Math.sqrt(information[look]!);
  const effectAt = (target: number, isKept: boolean): number =>
    scale * driftWhere((drift) => chance(drift, isKept) - target, centre);
  const tail = alpha / sides;
  return {
    kind: 'stopped',
    method: 'median-unbiased estimate, stage-wise ordering',
    estimate: effectAt(0.5, must),
    difference,
    statistic,
    pValue: sides === 2 ? Math.min(1, 2 * Math.min(above, strongerResultsBelow(design, { look, statistic }))) : above,
    interval: bounded(effectAt(tail, must), effectAt(1 - tail, true)),
  };
}

interface Stop {
  readonly look: number;
  readonly statistic: number;
}

/** Chance of a result at least as strong upwards: rejecting earlier, or not having stopped and then z or more. */
function strongerResults(
  design: LooksDesign,
  stop: Stop & { readonly drift: number; readonly isKept: boolean },
): number {
  const { information, critical, futilityBounds, sides } = design;
  const { look, statistic, drift, isKept } = stop;
  const reach = Math.max(usualReach, Math.min(36, Math.abs(statistic)) + 2);
  let paths = atStart;
  let sum = 0;
  for (let k = 0; k < look; k += 1) {
    const time = information[k]!;
    const upper = critical[k]!;
    const lower = sides === 2 ? -upper : isKept ? (futilityBounds?.[k] ?? -Infinity) : -Infinity;
    sum += massAbove(paths, { time, z: upper, drift });
    paths = pathsInside(paths, { time, lower, upper, next: information[k + 1]!, drift, reach });
  }
  return sum + massAbove(paths, { time: information[look]!, z: statistic, drift });
}

/** The same downwards without effect, for a two-sided test: its mirror image. */
function strongerResultsBelow(design: LooksDesign, stop: Stop): number {
  return strongerResults(design, { look: stop.look, statistic: -stop.statistic, drift: 0, isKept: true });
}

/** Where a function that rises with the drift is 0. */
function driftWhere(excess: (drift: number) => number, from: number): number {
  let [low, high] = [from - 1, from + 1];
  for (let step = 1; excess(low) > 0; step *= 2) low -= step;
  for (let step = 1; excess(high) < 0; step *= 2) high += step;
  return findRoot(excess, [low, high], { precision: 1e-11 });
}
