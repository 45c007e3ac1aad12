// What is one calibration: data drawn where the truth is known, and the methods that have to keep their word on them?
import { createRandom, type Random } from '../../src/stats/index.ts';

/** Did it happen in this round (a false alarm, an interval over the truth)? Null when the method gave no answer. */
export type Outcome = boolean | null;

/** What is counted: rejections of something true, or intervals that hold the truth. */
export type Measure = 'false alarms' | 'coverage';

/** A promise about one method on one kind of data. */
export interface CalibrationPromise {
  /** The method in words, with the function's name in backticks where it has one. */
  readonly method: string;
  readonly measure: Measure;
  /** Promised at most (false alarms: alpha) or at least (coverage: 1 - alpha); in (0, 1). */
  readonly nominal: number;
  /** For what is known to miss here: the observed share must lie in from..to, and `warning` is printed beside it. */
  readonly expectedToFail?: { readonly from: number; readonly to: number; readonly warning: string };
}

/** A promise with the way to see in one round whether it was kept. */
export interface CalibrationCheck<Data> extends CalibrationPromise {
  outcome(data: Data): Outcome;
}

/** One kind of data and all that is checked on it. Every check sees the same draws. */
export interface CalibrationSetting<Data> {
  /** The data in words; unique, because it names the seed. */
  readonly setting: string;
  /** Rounds of the short form; the long form multiplies them. */
  readonly rounds: number;
  draw(random: Random): Data;
  readonly checks: readonly CalibrationCheck<Data>[];
}

/** A setting whose data nobody outside needs to know: one entry of the table of cases. */
export interface CalibrationCase {
  readonly setting: string;
  readonly rounds: number;
  readonly promises: readonly CalibrationPromise[];
  /** One round: an outcome per promise. */
  play(random: Random): readonly Outcome[];
}

/** What came of one promise. */
export interface CalibrationRow {
  readonly setting: string;
  readonly method: string;
  readonly measure: Measure;
  readonly nominal: number;
  readonly rounds: number;
  /** Rounds in which the method gave an answer; `observed` is a share of these. */
  readonly answered: number;
  readonly observed: number;
  /** Three binomial standard errors of a share that is exactly nominal. */
  readonly tolerance: number;
  /** Conservative keeps the promise with more than the tolerance to spare; the last two are faults. */
  readonly verdict: 'holds' | 'conservative' | 'fails as warned' | 'BREAKS' | 'WARNING OUT OF DATE';
  readonly warning?: string;
}

/** Makes an entry of the table of cases. */
export function calibrationCase<Data>(setting: CalibrationSetting<Data>): CalibrationCase {
  return {
    setting: setting.setting,
    rounds: setting.rounds,
    promises: setting.checks,
    play: (random) => {
      const data = setting.draw(random);
      return setting.checks.map((check) => check.outcome(data));
    },
  };
}

/** Plays a case with its own seed. @param scale multiplies the rounds, > 0 */
export function runCase(given: CalibrationCase, scale = 1): readonly CalibrationRow[] {
  const random = createRandom(`calibration of ${given.setting}`);
  const rounds = Math.max(1, Math.round(given.rounds * scale));
  const answered = given.promises.map(() => 0);
  const happened = given.promises.map(() => 0);
  for (let round = 0; round < rounds; round += 1) {
    for (const [i, outcome] of given.play(random).entries()) {
      if (outcome === null) continue;
      answered[i]! += 1;
      if (outcome) happened[i]! += 1;
    }
  }
  return given.promises.map((promise, i) =>
    judge(promise, { setting: given.setting, rounds, answered: answered[i]!, happened: happened[i]! }),
  );
}

/** True when nothing in the row is a fault. */
export function isSound(row: CalibrationRow): boolean {
  return row.verdict !== 'BREAKS' && row.verdict !== 'WARNING OUT OF DATE';
}

function judge(
  promise: CalibrationPromise,
  counts: { readonly setting: string; readonly rounds: number; readonly answered: number; readonly happened: number },
): CalibrationRow {
  const { method, measure, nominal, expectedToFail } = promise;
  const { setting, rounds, answered, happened } = counts;
  if (answered === 0) throw new RangeError(`${method} on ${setting} answered 0 times, must be at least once`);
  const observed = happened / answered;
  const tolerance = 3 * Math.sqrt((nominal * (1 - nominal)) / answered);
  const beyond = measure === 'false alarms' ? observed - nominal : nominal - observed;
  return {
    setting,
    method,
    measure,
    nominal,
    rounds,
    answered,
    observed,
    tolerance,
    verdict: verdictOf({ beyond, tolerance, observed, expectedToFail }),
    ...(expectedToFail === undefined ? {} : { warning: expectedToFail.warning }),
  };
}

function verdictOf(seen: {
  readonly beyond: number;
  readonly tolerance: number;
  readonly observed: number;
  readonly expectedToFail: CalibrationPromise['expectedToFail'];
}): CalibrationRow['verdict'] {
  const { beyond, tolerance, observed, expectedToFail } = seen;
  if (expectedToFail !== undefined) {
    const { from, to } = expectedToFail;
    return observed >= from && observed <= to ? 'fails as warned' : 'WARNING OUT OF DATE';
  }
  if (beyond > tolerance) return 'BREAKS';
  return beyond < -tolerance ? 'conservative' : 'holds';
}
