// Do exact tests of rare events and tests of ranks keep their level?
import {
  compareRates,
  type EventRate,
  exactRates,
  poisson,
  type Random,
  rankSum,
  signedRank,
} from '../../src/stats/index.ts';
import { type CalibrationCase, calibrationCase } from './calibration-case.ts';
import { covers, drawMany, drawRevenue, holds, rejects } from './simulated-data.ts';
import { alarms, alpha, coverage, type Sides, type Warning, warned } from './usual-checks.ts';

function rareCase(exposures: readonly [number, number], words: string): CalibrationCase {
  const side = (random: Random, exposure: number): EventRate => ({
    events: poisson(exposure).quantile(random.uniform()),
    exposure,
  });
  return calibrationCase<Sides<EventRate>>({
    setting: `rare Poisson events, ${words} expected`,
    rounds: 4000,
    draw: (random) => ({ control: side(random, exposures[0]), candidate: side(random, exposures[1]) }),
    checks: [
      alarms('score test (`compareRates`)', ({ control, candidate }) =>
        rejects(compareRates(control, candidate, { alpha }), alpha),
      ),
      alarms('exact test (`exactRates`)', ({ control, candidate }) =>
        rejects(exactRates(control, candidate, { alpha }), alpha),
      ),
      alarms('mid-p (`exactRates`)', ({ control, candidate }) => {
        const result = exactRates(control, candidate, { alpha });
        return result.kind === 'insufficient' ? null : result.midP < alpha;
      }),
      coverage('exact interval of the ratio (`exactRates`)', ({ control, candidate }) =>
        covers(exactRates(control, candidate, { alpha }), 1),
      ),
    ],
  });
}

type Values = readonly number[];

function rankCase(
  setting: string,
  given: {
    readonly rounds: number;
    readonly draw: (random: Random) => Sides<Values>;
    readonly isAlike: boolean;
    readonly expectedToFail?: Warning;
  },
): CalibrationCase {
  const test = alarms<Sides<Values>>('rank-sum test (`rankSum`)', ({ control, candidate }) =>
    rejects(rankSum(control, candidate, { alpha }), alpha),
  );
  const interval = coverage<Sides<Values>>(
    "Brunner and Munzel's interval of the superiority (`rankSum`)",
    ({ control, candidate }) => {
      const result = rankSum(control, candidate, { alpha });
      return result.kind === 'insufficient' || result.interval.kind === 'insufficient'
        ? null
        : holds(result.interval, 0.5);
    },
  );
  return calibrationCase<Sides<Values>>({
    setting,
    rounds: given.rounds,
    draw: given.draw,
    checks: [...(given.isAlike ? [test] : []), warned(interval, given.expectedToFail)],
  });
}

function signedCase(pairs: number, rounds: number): CalibrationCase {
  return calibrationCase<Values>({
    setting: `${pairs} pairs whose differences are Cauchy`,
    rounds,
    draw: (random) => drawMany(random, pairs, (r) => Math.tan(Math.PI * (r.uniform() - 0.5))),
    checks: [
      alarms('signed-rank test (`signedRank`)', (data) => rejects(signedRank(data, { alpha }), alpha)),
      coverage('interval of the shift (`signedRank`)', (data) => {
        const result = signedRank(data, { alpha });
        return result.kind === 'insufficient'
          ? null
          : 'interval' in result.shift
            ? holds(result.shift.interval, 0)
            : null;
      }),
    ],
  });
}

export const rankCases: readonly CalibrationCase[] = [
  rareCase([1.5, 1.5], '1.5 and 1.5'),
  rareCase([20, 2], '20 and 2'),
  rankCase('12 and 8 log-normal revenues, by rank', {
    rounds: 10_000,
    draw: (random) => ({ control: drawMany(random, 12, drawRevenue), candidate: drawMany(random, 8, drawRevenue) }),
    isAlike: true,
    expectedToFail: {
      from: 0.935,
      to: 0.9475,
      warning: 'an approximation for some ten units or more on each side; the test beside it is exact',
    },
  }),
  rankCase('100 and 60 whole numbers from 0 to 3 (ties), by rank', {
    rounds: 4000,
    draw: (random) => ({
      control: drawMany(random, 100, (r) => r.integer(4)),
      candidate: drawMany(random, 60, (r) => r.integer(4)),
    }),
    isAlike: true,
  }),
  rankCase('40 and 20 normal units, spread 1 against 5, by rank', {
    rounds: 5000,
    draw: (random) => ({
      control: drawMany(random, 40, (r) => r.normal()),
      candidate: drawMany(random, 20, (r) => 5 * r.normal()),
    }),
    isAlike: false,
  }),
  signedCase(10, 10_000),
  signedCase(80, 1500),
];
