// Do intervals of a few planned looks cover, at all of them and after stopping?
import {
  designLooks,
  estimateAfterStop,
  type LooksDesign,
  type LooksOptions,
  type Random,
  readLook,
} from '../../src/stats/index.ts';
import { type CalibrationCase, type CalibrationCheck, calibrationCase } from './calibration-case.ts';
import { covers, holds } from './simulated-data.ts';
import { alarms, alpha, coverage, critical } from './usual-checks.ts';

const lookTimes = [0.2, 0.4, 0.6, 0.8, 1];
const lookEffect = 2;

/** Estimates after each look; the information at the end is 1. */
function drawLookEstimates(random: Random, effect: number = lookEffect): readonly number[] {
  let sum = 0;
  let before = 0;
  return lookTimes.map((time) => {
    const step = time - before;
    before = time;
    sum += step * effect + Math.sqrt(step) * random.normal();
    return sum / time;
  });
}

const lookChecks = (kind: 'obrien-fleming-like' | 'pocock-like'): CalibrationCheck<readonly number[]> => {
  const design: LooksOptions = {
    alpha,
    sides: 2,
    information: lookTimes,
    boundary: { kind: 'spending', spending: { kind } },
  };
  // An interval moves with its estimate, so that of the estimate 0 is made once: solving boundaries takes its time.
  const atZero = lookTimes.map((time, look) =>
    readLook({ estimate: 0, standardError: 1 / Math.sqrt(time) }, { look, design }),
  );
  return coverage(`repeated intervals, ${kind} spending (\`readLook\`), every look`, (estimates) =>
    atZero.every(
      (result, look) => result.kind === 'insufficient' || holds(result.interval, lookEffect - estimates[look]!),
    ),
  );
};

const pocockLike: LooksDesign = designLooks({
  alpha,
  sides: 2,
  information: lookTimes,
  boundary: { kind: 'spending', spending: { kind: 'pocock-like' } },
});

const wedge: LooksDesign = designLooks({
  ...pocockLike,
  power: 0.8,
  futility: { spending: { kind: 'obrien-fleming-like' }, binding: true },
});

interface Stopped {
  readonly look: number;
  readonly result: ReturnType<typeof estimateAfterStop>;
}

function drawStopped(random: Random): Stopped {
  const estimates = drawLookEstimates(random);
  const first = estimates.findIndex(
    (estimate, look) => Math.abs(estimate) * Math.sqrt(lookTimes[look]!) >= pocockLike.critical[look]!,
  );
  const look = first === -1 ? lookTimes.length - 1 : first;
  const measured = { estimate: estimates[look]!, standardError: 1 / Math.sqrt(lookTimes[look]!) };
  return { look, result: estimateAfterStop(measured, { look, design: pocockLike }) };
}

export const lookCases: readonly CalibrationCase[] = [
  calibrationCase<readonly number[]>({
    setting: '5 planned looks, estimates of an effect of 2 standard errors at the end',
    rounds: 10_000,
    draw: drawLookEstimates,
    checks: [
      lookChecks('obrien-fleming-like'),
      lookChecks('pocock-like'),
      {
        method: 'plain 95 % interval at each of the five, beside them',
        measure: 'coverage',
        nominal: 1 - alpha,
        expectedToFail: { from: 0.84, to: 0.87, warning: 'an interval for one look, read at five of them' },
        outcome: (estimates) =>
          estimates.every((value, look) => Math.abs(value - lookEffect) * Math.sqrt(lookTimes[look]!) <= critical),
      },
    ],
  }),
  calibrationCase<Stopped>({
    setting: '5 planned looks, the test ended at the first to reject or at the last, the same effect',
    rounds: 2000,
    draw: drawStopped,
    checks: [
      coverage('interval after stopping (`estimateAfterStop`)', ({ result }) => covers(result, lookEffect)),
      {
        method: 'median-unbiased estimate above the truth (`estimateAfterStop`)',
        measure: 'false alarms',
        nominal: 0.5,
        outcome: ({ result }) => (result.kind === 'stopped' ? result.estimate > lookEffect : null),
      },
      {
        method: 'plain difference above the truth where the test stopped early, beside them',
        measure: 'false alarms',
        nominal: 0.5,
        expectedToFail: { from: 0.85, to: 1, warning: 'it stopped because the difference was large' },
        outcome: ({ result, look }) =>
          result.kind === 'stopped' && look < lookTimes.length - 1 ? result.difference > lookEffect : null,
      },
    ],
  }),
  calibrationCase<readonly number[]>({
    setting: '5 planned looks of two sides with binding futility bounds, no effect',
    rounds: 20_000,
    draw: (random) => drawLookEstimates(random, 0),
    checks: [
      alarms('boundaries of `designLooks`', (estimates) => {
        for (const [look, estimate] of estimates.entries()) {
          const z = Math.abs(estimate) * Math.sqrt(lookTimes[look]!);
          if (z >= wedge.critical[look]!) return true;
          if (z <= wedge.futilityBounds![look]!) return false;
        }
        return false;
      }),
    ],
  }),
];
