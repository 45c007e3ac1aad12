// Do comparisons of two models on the same rows keep their level?
import { comparePairedModels, compareRocAreas, type PairedOutcomes, type Random } from '../../src/stats/index.ts';
import { type CalibrationCase, type CalibrationCheck, calibrationCase } from './calibration-case.ts';
import { covers, rejects } from './simulated-data.ts';
import { alarms, alpha, coverage, type Warning, warned } from './usual-checks.ts';

/** Each row goes to one of the four outcomes. */
function drawOutcomes(random: Random, rows: number, only: readonly [number, number]): PairedOutcomes {
  const counts = { both: 0, onlyControl: 0, onlyCandidate: 0, neither: 0 };
  for (let row = 0; row < rows; row += 1) {
    const place = random.uniform();
    if (place < only[0]) counts.onlyControl += 1;
    else if (place < only[0] + only[1]) counts.onlyCandidate += 1;
    else if (place < 0.9) counts.both += 1;
    else counts.neither += 1;
  }
  return counts;
}

function modelsCase(rows: number, only: readonly [number, number], expectedToFail?: Warning): CalibrationCase {
  const read = (
    method: string,
    p: (result: Exclude<ReturnType<typeof comparePairedModels>, { kind: 'insufficient' }>) => number,
  ): CalibrationCheck<PairedOutcomes> =>
    alarms(method, (data) => {
      const result = comparePairedModels(data, { alpha });
      return result.kind === 'insufficient' ? null : p(result) < alpha;
    });
  const tests = [
    read('McNemar (`comparePairedModels`)', ({ pValue }) => pValue),
    read('McNemar, exact (`comparePairedModels`)', ({ exactPValue }) => exactPValue),
    read('McNemar, mid-p (`comparePairedModels`)', ({ midP }) => midP),
  ];
  const [control, candidate] = only.map((share) => `${100 * share} %`);
  return calibrationCase<PairedOutcomes>({
    setting: `two models on ${rows} rows, ${control} right only in the one and ${candidate} only in the other`,
    rounds: 10_000,
    draw: (random) => drawOutcomes(random, rows, only),
    checks: [
      ...(only[0] === only[1] ? tests : []),
      warned(
        coverage("Tango's interval (`comparePairedModels`)", (data) =>
          covers(comparePairedModels(data, { alpha }), only[1] - only[0]),
        ),
        expectedToFail,
      ),
    ],
  });
}

interface Scored {
  readonly labels: readonly (0 | 1)[];
  readonly control: readonly number[];
  readonly candidate: readonly number[];
}

/** Two models that are equally good and share half of what they see. */
function drawScores(random: Random, positives: number, negatives: number): Scored {
  const labels = Array.from({ length: positives + negatives }, (_, i): 0 | 1 => (i < positives ? 1 : 0));
  const seen = labels.map((label) => 1.2 * label + Math.SQRT1_2 * random.normal());
  const noisy = (): readonly number[] => seen.map((value) => value + Math.SQRT1_2 * random.normal());
  return { labels, control: noisy(), candidate: noisy() };
}

function rocCase(size: readonly [number, number], rounds: number, expectedToFail?: Warning): CalibrationCase {
  const [positives, negatives] = size;
  return calibrationCase<Scored>({
    setting: `two equal models scoring ${positives} positives and ${negatives} negatives (area 0.8)`,
    rounds,
    draw: (random) => drawScores(random, positives, negatives),
    checks: [
      warned(
        alarms('DeLong (`compareRocAreas`)', (data) => rejects(compareRocAreas(data, { alpha }), alpha)),
        expectedToFail,
      ),
    ],
  });
}

export const modelCases: readonly CalibrationCase[] = [
  modelsCase(60, [0.1, 0.1]),
  modelsCase(200, [0.1, 0.1]),
  modelsCase(200, [0.02, 0.08], {
    from: 0.94,
    to: 0.95,
    warning: 'a score interval of few discordant rows: summed over all outcomes its coverage here is 94.77 %',
  }),
  rocCase([20, 60], 4000),
  rocCase([10, 200], 2000, { from: 0.055, to: 0.09, warning: 'a normal approximation: ten rows of a label are few' }),
];
