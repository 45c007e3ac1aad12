// Do tests and intervals of means keep their level with few or skewed units?
import {
  compareMeans,
  comparePairs,
  estimateMean,
  type Insufficient,
  type Moments,
  relativeDifference,
} from '../../src/stats/index.ts';
import { type CalibrationCase, calibrationCase } from './calibration-case.ts';
import { covers, drawMoments, drawRevenue, rejects, revenueMean } from './simulated-data.ts';

const alpha = 0.05;

interface Arms {
  readonly control: Moments;
  readonly candidate: Moments;
}

const welch = {
  method: 'Welch (`compareMeans`)',
  measure: 'false alarms',
  nominal: alpha,
  outcome: ({ control, candidate }: Arms) => rejects(compareMeans(control, candidate, { alpha }), alpha),
} as const;

const measured = (moments: Moments): { estimate: number; standardError: number } => ({
  estimate: moments.mean,
  standardError: Math.sqrt(moments.m2 / (moments.n - 1) / moments.n),
});

function lift({ control, candidate }: Arms): ReturnType<typeof relativeDifference> | Insufficient {
  return relativeDifference(measured(control), measured(candidate), { alpha });
}

export const meanCases: readonly CalibrationCase[] = [
  calibrationCase({
    setting: '30 and 30 normal units, spread 1 against 5',
    rounds: 10_000,
    draw: (random) => ({
      control: drawMoments(random, 30, (r) => r.normal()),
      candidate: drawMoments(random, 30, (r) => 5 * r.normal()),
    }),
    checks: [welch],
  }),
  calibrationCase({
    setting: '30 and 30 log-normal revenues (sigma 1.5)',
    rounds: 10_000,
    draw: (random) => ({
      control: drawMoments(random, 30, drawRevenue),
      candidate: drawMoments(random, 30, drawRevenue),
    }),
    checks: [
      welch,
      {
        method: "Student's interval of one mean (`estimateMean`)",
        measure: 'coverage',
        nominal: 1 - alpha,
        expectedToFail: { from: 0.75, to: 0.85, warning: 'thirty skewed units do not have a near-normal mean' },
        outcome: ({ control }: Arms) => covers(estimateMean(control, { alpha }), revenueMean),
      },
    ],
  }),
  calibrationCase({
    setting: '500 and 500 log-normal revenues (sigma 1.5), truly 10 % apart',
    rounds: 4000,
    draw: (random) => ({
      control: drawMoments(random, 500, drawRevenue),
      candidate: drawMoments(random, 500, (r) => 1.1 * drawRevenue(r)),
    }),
    checks: [
      {
        method: 'interval of the difference (`compareMeans`)',
        measure: 'coverage',
        nominal: 1 - alpha,
        outcome: ({ control, candidate }: Arms) =>
          covers(compareMeans(control, candidate, { alpha }), 0.1 * revenueMean),
      },
      {
        method: 'Fieller interval of the lift (`relativeDifference`)',
        measure: 'coverage',
        nominal: 1 - alpha,
        outcome: (arms: Arms) => covers(lift(arms), 0.1),
      },
    ],
  }),
  calibrationCase({
    setting: '500 and 500 log-normal revenues (sigma 1.5), alike',
    rounds: 4000,
    draw: (random) => ({
      control: drawMoments(random, 500, drawRevenue),
      candidate: drawMoments(random, 500, drawRevenue),
    }),
    checks: [
      welch,
      {
        method: "Student's interval of one mean (`estimateMean`)",
        measure: 'coverage',
        nominal: 1 - alpha,
        expectedToFail: { from: 0.88, to: 0.94, warning: 'one mean has no other side whose skewness cancels its own' },
        outcome: ({ control }: Arms) => covers(estimateMean(control, { alpha }), revenueMean),
      },
    ],
  }),
  calibrationCase({
    setting: '900 and 100 log-normal revenues (sigma 1.5)',
    rounds: 4000,
    draw: (random) => ({
      control: drawMoments(random, 900, drawRevenue),
      candidate: drawMoments(random, 100, drawRevenue),
    }),
    checks: [
      {
        ...welch,
        expectedToFail: {
          from: 0.08,
          to: 0.13,
          warning: 'an uneven split of few skewed units: split evenly or wait for more',
        },
      },
    ],
  }),
  calibrationCase({
    setting: '12 pairs, normal differences',
    rounds: 10_000,
    draw: (random) => drawMoments(random, 12, (r) => r.normal()),
    checks: [
      {
        method: 'paired t (`comparePairs`)',
        measure: 'false alarms',
        nominal: alpha,
        outcome: (pairs: Moments) => rejects(comparePairs(pairs, { alpha }), alpha),
      },
    ],
  }),
  calibrationCase({
    setting: '200 and 200 normal units, control barely clear of 0 (mean 0.2, spread 1)',
    rounds: 10_000,
    draw: (random) => ({
      control: drawMoments(random, 200, (r) => 0.2 + r.normal()),
      candidate: drawMoments(random, 200, (r) => 0.3 + r.normal()),
    }),
    checks: [
      {
        method: 'Fieller interval of the lift (`relativeDifference`), unbounded ones counted as covering',
        measure: 'coverage',
        nominal: 1 - alpha,
        outcome: (arms: Arms) => covers(lift(arms), 0.5),
      },
      {
        method: 'delta-method interval of the lift, beside it',
        measure: 'coverage',
        nominal: 1 - alpha,
        expectedToFail: {
          from: 0.9,
          to: 0.94,
          warning: 'symmetric round a ratio that is not; Fieller is used instead',
        },
        outcome: (arms: Arms) => {
          const result = lift(arms);
          if (result.kind === 'insufficient') return null;
          return Math.abs(result.estimate - 0.5) <= 1.959963984540054 * result.standardError;
        },
      },
    ],
  }),
];
