// What share of units has its outcome by a given time when some are still waiting for it, and do two variants differ?
import { chiSquared } from './gamma.ts';
import {
  bounded,
  type Estimate,
  type Insufficient,
  type Interval,
  insufficient,
  type TestOptions,
} from './interval.ts';
import { normal } from './normal.ts';
import { requireAlpha, requireNonNegative } from './precondition.ts';

/** How long one unit was followed. */
export interface FollowUp {
  /** Time from the start of the unit to its outcome, or to the last look when none was seen; any unit, >= 0. */
  readonly time: number;
  /** Whether the outcome was seen at `time`; if not, it may still come later. */
  readonly isObserved: boolean;
}

/** The curve right after one of its steps. */
export interface SurvivalStep {
  readonly time: number;
  /** Units still followed and without outcome just before. */
  readonly atRisk: number;
  /** Outcomes at this time. */
  readonly events: number;
  /** Share without outcome after this time. */
  readonly survival: number;
  /** Greenwood's error and the log-log interval of `survival`; insufficient once nobody is left. */
  readonly spread: { readonly standardError: number; readonly interval: Interval } | Insufficient;
}

/** Share without outcome over time. */
export interface SurvivalCurve {
  readonly kind: 'estimated';
  readonly method: string;
  /** One per time with an outcome, rising. */
  readonly steps: readonly SurvivalStep[];
  /** The longest follow-up; nothing is known beyond. */
  readonly followedTo: number;
}

/** Units at one distinct time. */
interface TimeRow {
  readonly time: number;
  readonly atRisk: number;
  readonly events: number;
  readonly censored: number;
}

/**
 * Share without outcome over time. Assumes that being followed for less long says nothing about the outcome. Insufficient
 * without units or outcomes.
 * @throws RangeError unless times are finite and >= 0 and alpha is in (0, 1).
 * @see Kaplan & Meier 1958, eq. 2b; Greenwood 1926; Kalbfleisch & Prentice 2002, section 1.4 (log-log interval)
 */
export function survivalCurve(rows: Iterable<FollowUp>, options: TestOptions): SurvivalCurve | Insufficient {
  const z = normal.isf(requireAlpha(options.alpha) / 2);
  const table = timeTable(rows, 'rows');
  const last = table.at(-1);
  if (last === undefined) return insufficient('there are no units yet');
  const steps: SurvivalStep[] = [];
  let survival = 1;
  let greenwood = 0;
  for (const { time, atRisk, events } of table) {
    if (events === 0) continue;
    survival *= (atRisk - events) / atRisk;
    greenwood += events / atRisk / (atRisk - events);
    steps.push({ time, atRisk, events, survival, spread: spreadOf(survival, greenwood, z) });
  }
  if (steps.length === 0) return insufficient('no outcome was seen yet');
  return { kind: 'estimated', method: 'Kaplan-Meier with Greenwood error', steps, followedTo: last.time };
}

function spreadOf(survival: number, greenwood: number, z: number): SurvivalStep['spread'] {
  if (survival === 0) return insufficient('every unit still followed had its outcome, so the error is unknown');
  const root = Math.sqrt(greenwood);
  const factor = Math.exp((z * root) / Math.abs(Math.log(survival)));
  return { standardError: survival * root, interval: bounded(survival ** factor, survival ** (1 / factor)) };
}

/** A time by which outcomes count, and the level. */
export interface HorizonOptions extends TestOptions {
  /** Outcomes up to and including this time since the start of a unit count; finite, >= 0. */
  readonly horizon: number;
}

/**
 * Share of units with their outcome by a time, units still waiting included rightly. Insufficient when nobody was followed
 * so long, or when no unit or every unit followed had its outcome by then.
 * @throws RangeError as `survivalCurve`, or unless horizon is finite and >= 0.
 * @see as `survivalCurve`
 */
export function outcomeShare(rows: Iterable<FollowUp>, options: HorizonOptions): Estimate | Insufficient {
  const horizon = requireNonNegative('horizon', options.horizon);
  const curve = survivalCurve(rows, options);
  if (curve.kind === 'insufficient') return curve;
  const step = curve.steps.findLast(({ time }) => time <= horizon);
  if (step === undefined) return insufficient(`no outcome was seen by ${horizon}`);
  if ('kind' in step.spread) return step.spread;
  if (curve.followedTo < horizon) return insufficient(tooShort(curve.followedTo, horizon));
  const { standardError, interval } = step.spread;
  if (interval.kind !== 'bounded') return insufficient('the interval of the share is unknown');
  return {
    kind: 'estimated',
    method: curve.method,
    estimate: 1 - step.survival,
    standardError,
    interval: bounded(1 - interval.upper, 1 - interval.lower),
  };
}

/** The sentence for a horizon nobody has reached. */
export function tooShort(followedTo: number, horizon: number): string {
  return `no unit was followed to ${horizon}; the longest follow-up is ${followedTo}`;
}

/** Log-rank test of two variants. */
export interface LogRankResult {
  readonly kind: 'tested';
  readonly method: string;
  /** Chi-squared with one degree of freedom. */
  readonly statistic: number;
  /** Two-sided. */
  readonly pValue: number;
  /** Outcomes of the candidate. */
  readonly observed: number;
  /** Outcomes the candidate would have if both variants' came equally fast. */
  readonly expected: number;
  /** Speed of the candidate's outcomes over that of control's, Peto's one-step estimate; best near 1. */
  readonly hazardRatio: number;
  /** Interval of `hazardRatio`; leaves 1 out exactly when pValue < alpha. */
  readonly interval: Interval;
}

/**
 * Tests whether outcomes come equally fast in two variants, over the whole time followed. Strongest when one variant is
 * faster by the same factor throughout; crossing curves may cancel. Insufficient without outcomes while both are followed.
 * @throws RangeError unless times are finite and >= 0 and alpha is in (0, 1).
 * @see Mantel 1966; Peto & Peto 1972; Yusuf et al. 1985 (one-step ratio and its interval)
 */
export function logRank(
  control: Iterable<FollowUp>,
  candidate: Iterable<FollowUp>,
  options: TestOptions,
): LogRankResult | Insufficient {
  const z = normal.isf(requireAlpha(options.alpha) / 2);
  const before = timeTable(control, 'control');
  const after = timeTable(candidate, 'candidate');
  if (before.length === 0) return insufficient('control has no units yet');
  if (after.length === 0) return insufficient('candidate has no units yet');
  const times = [...new Set([...before, ...after].map(({ time }) => time))].sort((a, b) => a - b);
  let [left, right] = [0, 0];
  let [observed, expected, variance] = [0, 0, 0];
  for (const time of times) {
    while (left < before.length && before[left]!.time < time) left += 1;
    while (right < after.length && after[right]!.time < time) right += 1;
    const [one, two] = [before[left], after[right]];
    const [waiting, risk] = [one?.atRisk ?? 0, two?.atRisk ?? 0];
    const own = two?.time === time ? two.events : 0;
    const events = own + (one?.time === time ? one.events : 0);
    const total = waiting + risk;
    observed += own;
    expected += (events * risk) / total;
    if (total > 1) variance += (events * (risk / total) * (waiting / total) * (total - events)) / (total - 1);
  }
  if (!(variance > 0)) return insufficient('no outcome was seen while both variants had units waiting for one');
  const statistic = (observed - expected) ** 2 / variance;
  const log = (observed - expected) / variance;
  const margin = z / Math.sqrt(variance);
  return {
    kind: 'tested',
    method: 'log-rank test',
    statistic,
    pValue: chiSquared(1).sf(statistic),
    observed,
    expected,
    hazardRatio: Math.exp(log),
    interval: bounded(Math.exp(log - margin), Math.exp(log + margin)),
  };
}

/** Units by distinct time, rising; outcomes come before ends of follow-up at the same time. */
export function timeTable(rows: Iterable<FollowUp>, name: string): readonly TimeRow[] {
  const counts = new Map<number, { events: number; censored: number }>();
  let units = 0;
  for (const { time, isObserved } of rows) {
    requireNonNegative(`${name}[${units}].time`, time);
    units += 1;
    const count = counts.get(time) ?? { events: 0, censored: 0 };
    if (isObserved) count.events += 1;
    else count.censored += 1;
    counts.set(time, count);
  }
  let atRisk = units;
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([time, { events, censored }]) => {
      const row = { time, atRisk, events, censored };
      atRisk -= events + censored;
      return row;
    });
}
