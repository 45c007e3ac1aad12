// Does the whole configured rule keep its promises, watched after every batch, where the truth stands exactly at a limit?
import { readFileSync } from 'node:fs';
import { simulateRule } from '../../src/decision/index.ts';
import { parseExperimentFile } from '../../src/experiment/index.ts';
import { createRandom } from '../../src/stats/index.ts';
import { type CalibrationCase, calibrationCase } from './calibration-case.ts';
import { alpha } from './usual-checks.ts';

const example = parseExperimentFile(
  readFileSync(new URL('../../examples/financial-forecast/experiment.yaml', import.meta.url), 'utf8'),
);

interface Played {
  readonly ships: boolean;
  readonly rollsBack: boolean;
  readonly naiveShips: boolean;
}

/** One run of the world at this place of the scenario. */
function playOnce(kind: 'at-boundary' | 'planned', world: number, seed: string): Played {
  const found = simulateRule(example, {
    scenario: kind === 'planned' ? { kind: 'effect', value: 'planned' } : { kind },
    runs: 1,
    random: createRandom(seed),
    looks: 40,
    onlyWorld: world,
  });
  const played = found.kind === 'simulated' ? found.worlds[0] : undefined;
  if (played === undefined) throw new RangeError(`${kind} has no world ${world}, must have it`);
  return { ships: played.shipRate === 1, rollsBack: played.rollbackRate === 1, naiveShips: played.naiveShipRate === 1 };
}

/** The configured rule of the financial forecast as a whole: criteria, guardrails, checks and verdict at 40 looks. */
export const ruleCases: readonly CalibrationCase[] = [
  calibrationCase({
    setting: 'the rule of the financial forecast, 40 looks in 28 days, true net value exactly at its threshold',
    rounds: 60,
    draw: (random): Played => playOnce('at-boundary', 0, String(random.uniform())),
    checks: [
      {
        method: 'configured rule (`simulateRule`) ships',
        measure: 'false alarms' as const,
        nominal: alpha,
        outcome: ({ ships }: Played) => ships,
      },
      {
        method: 'configured rule (`simulateRule`) rolls back',
        measure: 'false alarms' as const,
        nominal: alpha,
        outcome: ({ rollsBack }: Played) => rollsBack,
      },
      {
        method: 'point estimates held against the threshold, as is customary, ship',
        measure: 'false alarms' as const,
        nominal: alpha,
        expectedToFail: { from: 0.9, to: 1, warning: 'ships what brings no more than the threshold, nearly always' },
        outcome: ({ naiveShips }: Played) => naiveShips,
      },
    ],
  }),
  calibrationCase({
    setting: 'the rule of the financial forecast, 40 looks in 28 days, true error rate exactly at its guardrail',
    rounds: 60,
    draw: (random): Played => playOnce('at-boundary', 1, String(random.uniform())),
    checks: [
      {
        method: 'configured rule (`simulateRule`) rolls back',
        measure: 'false alarms' as const,
        nominal: alpha,
        outcome: ({ rollsBack }: Played) => rollsBack,
      },
    ],
  }),
  calibrationCase({
    setting: 'the rule of the financial forecast, 40 looks in 28 days, the planned effect true',
    rounds: 60,
    draw: (random): Played => playOnce('planned', 0, String(random.uniform())),
    checks: [
      {
        method: 'configured rule (`simulateRule`) ships, of the planned power of more than 0.999',
        measure: 'coverage' as const,
        nominal: 0.8,
        outcome: ({ ships }: Played) => ships,
      },
    ],
  }),
];
