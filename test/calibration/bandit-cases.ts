// Do tests keep their level where traffic followed the outcomes, and estimates of another policy cover what it earns?
import {
  type Batch,
  compareBatches,
  compareMeans,
  evaluatePolicy,
  type LoggedDecision,
  mergeMoments,
  momentsOf,
  normal,
  type Random,
} from '../../src/stats/index.ts';
import { type CalibrationCase, calibrationCase } from './calibration-case.ts';
import { covers, rejects } from './simulated-data.ts';
import { alarms, alpha, coverage, type Warning, warned } from './usual-checks.ts';

interface Run {
  readonly batches: readonly Batch[];
  readonly all: Batch;
}

/** 40 batches of 50 under Thompson sampling with a floor of 5 %, equal arms whose level moves from batch to batch or not. */
function drawRun(random: Random, drift: number): Run {
  const batches: Batch[] = [];
  let all: Batch = { control: momentsOf([]), candidate: momentsOf([]) };
  for (let t = 0; t < 40; t += 1) {
    const { control, candidate } = all;
    const better =
      t === 0 ? 0.5 : normal.cdf((candidate.mean - control.mean) / Math.sqrt(1 / control.n + 1 / candidate.n));
    const share = Math.min(0.95, Math.max(0.05, better));
    const made: [number[], number[]] = [[], []];
    for (let i = 0; i < 50; i += 1) {
      made[random.uniform() < share ? 1 : 0].push(drift * Math.sin(t / 4) + random.normal());
    }
    const next = { control: momentsOf(made[0]), candidate: momentsOf(made[1]) };
    batches.push(next);
    all = { control: mergeMoments(control, next.control), candidate: mergeMoments(candidate, next.candidate) };
  }
  return { batches, all };
}

function banditCase(words: string, drift: number, naive: Warning): CalibrationCase {
  return calibrationCase<Run>({
    setting: `40 batches of 50 units by Thompson sampling, equal arms${words}`,
    rounds: 3000,
    draw: (random) => drawRun(random, drift),
    checks: [
      alarms('batched t (`compareBatches`)', ({ batches }) => rejects(compareBatches(batches, { alpha }), alpha)),
      coverage('batched t (`compareBatches`)', ({ batches }) => covers(compareBatches(batches, { alpha }), 0)),
      warned(
        alarms('Welch over all units, beside it (`compareMeans`)', ({ all }) =>
          rejects(compareMeans(all.control, all.candidate, { alpha }), alpha),
        ),
        naive,
      ),
    ],
  });
}

const fewWeights: Warning = { from: 0.925, to: 0.949, warning: 'a normal approximation, and 100 rows carry the sum' };

/** 2,000 decisions of which 5 % took the action that the judged policy takes in half; it earns 0.5, and the model is off. */
const logCase: CalibrationCase = calibrationCase<ReturnType<typeof evaluatePolicy>>({
  setting: "2,000 logged decisions, 5 % of them the judged policy's favourite, a model that is off by 0.2",
  rounds: 2000,
  draw: (random) => {
    const rows = Array.from({ length: 2000 }, (): LoggedDecision => {
      const isRare = random.uniform() < 0.05;
      const reward = (isRare ? 0.6 : 0.4) + 0.5 * random.normal();
      const expected = { logged: isRare ? 0.8 : 0.6, target: 0.7 };
      return { reward, expected, loggedChance: isRare ? 0.05 : 0.95, targetChance: 0.5 };
    });
    return evaluatePolicy(rows, { alpha });
  },
  checks: (['inversePropensity', 'selfNormalised', 'doublyRobust', 'selfNormalisedDoublyRobust'] as const).map((name) =>
    warned(
      coverage(`\`${name}\` (\`evaluatePolicy\`)`, ({ estimates }) => {
        const estimate = 'kind' in estimates ? estimates : estimates[name];
        return estimate === undefined ? null : covers(estimate, 0.5);
      }),
      name === 'inversePropensity' ? fewWeights : undefined,
    ),
  ),
});

export const banditCases: readonly CalibrationCase[] = [
  banditCase('', 0, { from: 0.065, to: 0.1, warning: 'the split followed the outcomes' }),
  banditCase(', their common level moving', 0.5, { from: 0.065, to: 0.5, warning: 'the split followed the outcomes' }),
  logCase,
];
