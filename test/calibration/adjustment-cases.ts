// Do adjusted, capped and stratified comparisons of means keep their level?
import {
  capBoundsOf,
  cappedMomentsOf,
  compareAdjustedMeans,
  compareMeans,
  type JointMoments,
  jointMomentsOf,
  type Random,
} from '../../src/stats/index.ts';
import { type CalibrationCase, type CalibrationCheck, calibrationCase } from './calibration-case.ts';
import { covers, drawMany, drawRevenue, rejects, revenueMean, revenueSigma } from './simulated-data.ts';

const alpha = 0.05;

interface Adjusted {
  readonly control: JointMoments;
  readonly candidate: JointMoments;
}

function adjustedChecks(slopes: 'pooled' | 'per-variant', difference: number): readonly CalibrationCheck<Adjusted>[] {
  const compare = ({ control, candidate }: Adjusted): ReturnType<typeof compareAdjustedMeans> =>
    compareAdjustedMeans(control, candidate, { alpha, slopes });
  const method = slopes === 'pooled' ? 'CUPED' : "Lin's regression";
  return difference === 0
    ? [
        {
          method: `${method} (\`compareAdjustedMeans\`, ${slopes})`,
          measure: 'false alarms',
          nominal: alpha,
          outcome: (data) => rejects(compare(data), alpha),
        },
      ]
    : [
        {
          method: `interval of ${method} (\`compareAdjustedMeans\`, ${slopes})`,
          measure: 'coverage',
          nominal: 1 - alpha,
          outcome: (data) => covers(compare(data), difference),
        },
      ];
}

const rowsOf = (random: Random, n: number, row: (random: Random) => readonly number[]): JointMoments =>
  jointMomentsOf(Array.from({ length: n }, () => row(random)));

/** [metric, covariate] that correlate with 0.8. */
function normalPair(random: Random): readonly number[] {
  const before = random.normal();
  return [0.8 * before + 0.6 * random.normal(), before];
}

/** [revenue now, revenue before], both log-normal; their logarithms correlate with 0.7. */
const revenuePair =
  (lift: number) =>
  (random: Random): readonly number[] => {
    const before = random.normal();
    const now = 0.7 * before + Math.sqrt(1 - 0.49) * random.normal();
    return [lift * Math.exp(revenueSigma * now), Math.exp(revenueSigma * before)];
  };

export const adjustmentCases: readonly CalibrationCase[] = [
  calibrationCase({
    setting: '30 and 30 normal units with a covariate (correlation 0.8)',
    rounds: 10_000,
    draw: (random) => ({ control: rowsOf(random, 30, normalPair), candidate: rowsOf(random, 30, normalPair) }),
    checks: [...adjustedChecks('pooled', 0), ...adjustedChecks('per-variant', 0)],
  }),
  calibrationCase({
    setting: '500 and 500 log-normal revenues with the revenue before as covariate, truly 10 % apart',
    rounds: 4000,
    draw: (random) => ({
      control: rowsOf(random, 500, revenuePair(1)),
      candidate: rowsOf(random, 500, revenuePair(1.1)),
    }),
    checks: [...adjustedChecks('pooled', 0.1 * revenueMean), ...adjustedChecks('per-variant', 0.1 * revenueMean)],
  }),
  calibrationCase({
    setting: '900 and 100 log-normal revenues (sigma 1.5), capped at their pooled 99 % quantile',
    rounds: 4000,
    draw: (random) => {
      const samples = [drawMany(random, 900, drawRevenue), drawMany(random, 100, drawRevenue)] as const;
      const bounds = capBoundsOf(samples, { upper: 0.99 });
      return samples.map((values) => cappedMomentsOf(values, bounds).moments);
    },
    checks: [
      {
        method: 'Welch on capped values (`cappedMomentsOf`, `compareMeans`)',
        measure: 'false alarms',
        nominal: alpha,
        expectedToFail: {
          from: 0.065,
          to: 0.09,
          warning: 'capping the upper hundredth halves the excess of an uneven split, no more: split evenly',
        },
        outcome: ([control, candidate]) => rejects(compareMeans(control!, candidate!, { alpha }), alpha),
      },
    ],
  }),
];
