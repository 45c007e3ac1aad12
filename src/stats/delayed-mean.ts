// What is the mean of an outcome that arrives late, when some units have not been followed long enough to know?
import { bounded, type Estimate, type Insufficient, insufficient, type TestResult } from './interval.ts';
import { normal } from './normal.ts';
import { requireAlpha, requireFinite, requireNonNegative } from './precondition.ts';
import { type FollowUp, type HorizonOptions, timeTable, tooShort } from './survival.ts';
import { twoSidedTest } from './two-sided-test.ts';

/** One unit's outcome, if seen. */
export interface DelayedOutcome extends FollowUp {
  /** Value that arrived at `time`; not looked at when the outcome was not observed. */
  readonly value: number;
}

/**
 * Mean value per unit by a time since its start, by weighting each value seen with the inverse chance of having been
 * followed so long. A value that arrives later counts 0. With values of 1 it is the Kaplan-Meier share. Assumes that
 * being followed for less long says nothing about the value; valid from some 30 outcomes seen. Insufficient with
 * fewer than 2 units, when nobody was followed to the horizon, or when no unit differs.
 * @throws RangeError unless times are finite and >= 0, values finite, horizon finite and >= 0, alpha in (0, 1).
 * @see Horvitz & Thompson 1952; Bang & Tsiatis 2000, Biometrika 87(2); error by the infinitesimal jackknife
 * (Efron 1982), weights estimated
 */
export function delayedMean(rows: Iterable<DelayedOutcome>, options: HorizonOptions): Estimate | Insufficient {
  const z = normal.isf(requireAlpha(options.alpha) / 2);
  const known = weighted([...rows], { name: 'rows', horizon: options.horizon });
  if (known.kind === 'insufficient') return known;
  if (!(known.standardError > 0)) return insufficient('no unit differs from another, so the error is unknown');
  const margin = z * known.standardError;
  return {
    kind: 'estimated',
    method: 'inverse-probability-of-censoring weighted mean',
    estimate: known.estimate,
    standardError: known.standardError,
    interval: bounded(known.estimate - margin, known.estimate + margin),
  };
}

/**
 * Compares two variants' means by the same time since a unit's start, however long ago each variant began. Insufficient
 * when either variant is not followed to the horizon (a matured variant is never set against an immature one), has fewer
 * than 2 units, or when no unit differs.
 * @throws RangeError as `delayedMean`.
 * @see as `delayedMean`
 */
export function compareDelayedMeans(
  control: Iterable<DelayedOutcome>,
  candidate: Iterable<DelayedOutcome>,
  options: HorizonOptions,
): TestResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const one = weighted([...control], { name: 'control', horizon: options.horizon });
  if (one.kind === 'insufficient') return insufficient(`control: ${one.reason}`);
  const two = weighted([...candidate], { name: 'candidate', horizon: options.horizon });
  if (two.kind === 'insufficient') return insufficient(`candidate: ${two.reason}`);
  const standardError = Math.hypot(one.standardError, two.standardError);
  if (!(standardError > 0)) return insufficient('no unit differs from another, so the error is unknown');
  return twoSidedTest(
    { control: one.estimate, candidate: two.estimate },
    { method: 'z-test of inverse-probability-of-censoring weighted means', standardError, alpha },
  );
}

interface Weighted {
  readonly kind: 'weighted';
  readonly estimate: number;
  readonly standardError: number;
}

function weighted(
  rows: readonly DelayedOutcome[],
  { name, horizon }: { readonly name: string; readonly horizon: number },
): Weighted | Insufficient {
  requireNonNegative('horizon', horizon);
  for (const [i, row] of rows.entries()) if (row.isObserved) requireFinite(`${name}[${i}].value`, row.value);
  const table = timeTable(rows, name);
  const n = rows.length;
  if (n < 2) return insufficient(`there ${n === 1 ? 'is one unit' : 'are no units'}; a spread needs at least two`);
  const last = table.at(-1)!;
  if (last.time < horizon && last.censored > 0) return insufficient(tooShort(last.time, horizon));

  // Chance of having been followed up to just before each time, and the jackknife's sum over ends of follow-up.
  const followed = new Map<number, number>();
  let chance = 1;
  for (const { time, atRisk, events, censored } of table) {
    followed.set(time, chance);
    const waiting = atRisk - events;
    if (waiting > 0) chance *= (waiting - censored) / waiting;
  }
  const worth = rows.map(({ time, isObserved, value }) =>
    isObserved && time <= horizon ? value / followed.get(time)! : 0,
  );
  const estimate = worth.reduce((sum, x) => sum + x, 0) / n;

  const arriving = new Map<number, number>();
  for (const [i, { time }] of rows.entries()) arriving.set(time, (arriving.get(time) ?? 0) + worth[i]!);
  let later = 0;
  const laterThan = table.map(() => 0);
  for (let k = table.length - 1; k >= 0; k -= 1) {
    laterThan[k] = later;
    later += arriving.get(table[k]!.time)!;
  }
  const spared = new Map<number, { readonly lost: number; readonly gained: number; readonly before: number }>();
  let sum = 0;
  for (const [k, { time, atRisk, events, censored }] of table.entries()) {
    const waiting = atRisk - events;
    const left = waiting - censored;
    const before = sum;
    // Where nobody is left, nothing arrives later either.
    if (left > 0) sum += (laterThan[k]! * censored) / waiting / left;
    spared.set(time, { lost: sum, gained: left > 0 ? laterThan[k]! / left : 0, before });
  }
  const squares = rows.reduce((total, { time, isObserved }, i) => {
    const { lost, gained, before } = spared.get(time)!;
    const influence = worth[i]! - estimate + (isObserved ? -before : gained - lost);
    return total + influence ** 2;
  }, 0);
  return { kind: 'weighted', estimate, standardError: Math.sqrt(squares) / n };
}
