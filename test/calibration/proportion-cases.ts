// Do tests and intervals of proportions keep their level when events are rare or units few?
import {
  clopperPearsonInterval,
  compareProportions,
  estimateProportion,
  fisherExact,
  newcombeInterval,
  type Proportion,
  type Random,
  scoreInterval,
} from '../../src/stats/index.ts';
import { type CalibrationCase, type CalibrationCheck, calibrationCase } from './calibration-case.ts';
import { covers, drawSuccesses, holds, rejects } from './simulated-data.ts';

const alpha = 0.05;

interface Sides {
  readonly control: Proportion;
  readonly candidate: Proportion;
}

/** Units and true rate of each side: [n, p]. */
interface Truth {
  readonly control: readonly [number, number];
  readonly candidate: readonly [number, number];
}

const side = (random: Random, [n, p]: readonly [number, number]): Proportion => ({
  n,
  successes: drawSuccesses(random, n, p),
});

const drawSides =
  ({ control, candidate }: Truth) =>
  (random: Random): Sides => ({ control: side(random, control), candidate: side(random, candidate) });

type Check = CalibrationCheck<Sides>;

const pooledZ: Check = {
  method: "pooled z whatever is expected (`compareProportions`, `test: 'pooled-z'`)",
  measure: 'false alarms',
  nominal: alpha,
  outcome: ({ control, candidate }) =>
    rejects(compareProportions(control, candidate, { alpha, test: 'pooled-z' }), alpha),
};

const fisher: Check = {
  method: "Fisher's exact test (`fisherExact`)",
  measure: 'false alarms',
  nominal: alpha,
  outcome: ({ control, candidate }) => rejects(fisherExact(control, candidate), alpha),
};

const midP: Check = {
  method: 'mid-p (`fisherExact`)',
  measure: 'false alarms',
  nominal: alpha,
  outcome: ({ control, candidate }) => {
    const result = fisherExact(control, candidate);
    return result.kind === 'insufficient' ? null : result.midP < alpha;
  },
};

/** The three intervals of a difference; all answer whatever was seen. */
function differenceIntervals(difference: number): readonly Check[] {
  const coverage = { measure: 'coverage', nominal: 1 - alpha } as const;
  return [
    {
      ...coverage,
      method: "Mee's score interval (`scoreInterval`)",
      outcome: ({ control, candidate }) => holds(scoreInterval(control, candidate, { alpha }), difference),
    },
    {
      ...coverage,
      method: "Miettinen and Nurminen's interval (`scoreInterval`)",
      outcome: ({ control, candidate }) =>
        holds(scoreInterval(control, candidate, { alpha, variance: 'miettinen-nurminen' }), difference),
    },
    {
      ...coverage,
      method: "Newcombe's interval (`newcombeInterval`)",
      outcome: ({ control, candidate }) => holds(newcombeInterval(control, candidate, { alpha }), difference),
    },
  ];
}

/** The intervals of one rate, that of the control. */
function rateIntervals(rate: number): readonly Check[] {
  const coverage = { measure: 'coverage', nominal: 1 - alpha } as const;
  return [
    {
      ...coverage,
      method: "Wilson's interval (`estimateProportion`)",
      outcome: ({ control }) => covers(estimateProportion(control, { alpha }), rate),
    },
    {
      ...coverage,
      method: 'Clopper and Pearson (`clopperPearsonInterval`)',
      outcome: ({ control }) => holds(clopperPearsonInterval(control, { alpha }), rate),
    },
  ];
}

const waldInterval = (rate: number, seen: { from: number; to: number }): Check => ({
  method: 'textbook (Wald) interval, beside them',
  measure: 'coverage',
  nominal: 1 - alpha,
  expectedToFail: { ...seen, warning: 'it collapses when nothing happened; never used here' },
  outcome: ({ control: { n, successes } }) => {
    const p = successes / n;
    return Math.abs(p - rate) <= 1.959963984540054 * Math.sqrt((p * (1 - p)) / n);
  },
});

/** The same checks, Wilson's with the warning that discrete counts do not let any interval of its width keep its level. */
const warnedWilson = (checks: readonly Check[], from: number, to: number): readonly Check[] =>
  checks.map((check) =>
    check.method.startsWith('Wilson')
      ? { ...check, expectedToFail: { from, to, warning: 'it holds its level on average over rates, not at each' } }
      : check,
  );

/** The test that `compareProportions` chooses by how rare events are, and its interval; both insufficient where nothing happened. */
function chosenCase(truth: Truth, beside: readonly CalibrationCheck<Sides>[] = []): CalibrationCase {
  const [[n0, p0], [n1, p1]] = [truth.control, truth.candidate];
  type Chosen = Sides & { readonly result: ReturnType<typeof compareProportions> };
  const alarms: CalibrationCheck<Chosen> = {
    method: 'test chosen by how rare events are (`compareProportions`)',
    measure: 'false alarms',
    nominal: alpha,
    outcome: ({ result }) => rejects(result, alpha),
  };
  return calibrationCase<Chosen>({
    setting: `${n0.toLocaleString('en')} and ${n1.toLocaleString('en')} units, p = ${p0}${p0 === p1 ? '' : ` against ${p1}`}, test as chosen`,
    rounds: 3000,
    draw: (random) => {
      const sides = drawSides(truth)(random);
      return { ...sides, result: compareProportions(sides.control, sides.candidate, { alpha }) };
    },
    checks: [
      ...(p0 === p1 ? [alarms] : []),
      {
        method: 'its interval (`compareProportions`)',
        measure: 'coverage',
        nominal: 1 - alpha,
        outcome: ({ result }) => covers(result, p1 - p0),
      },
      ...beside,
    ],
  });
}

const chosenCases: readonly CalibrationCase[] = [
  chosenCase({ control: [1000, 0.002], candidate: [1000, 0.002] }),
  chosenCase({ control: [1000, 0.002], candidate: [1000, 0.008] }),
  chosenCase({ control: [9000, 0.002], candidate: [1000, 0.002] }),
  chosenCase({ control: [10_000, 0.002], candidate: [500, 0.01] }),
  chosenCase({ control: [10_000, 0.001], candidate: [100, 0.001] }, [
    {
      ...pooledZ,
      expectedToFail: { from: 0.07, to: 0.11, warning: 'a tenth of an event expected; the chosen test is mid-p' },
    },
  ]),
  chosenCase({ control: [30, 0.3], candidate: [30, 0.3] }),
  chosenCase({ control: [30, 0.1], candidate: [30, 0.3] }),
];

export const proportionCases: readonly CalibrationCase[] = [
  ...chosenCases,
  calibrationCase({
    setting: '1,000 and 1,000 units, p = 0.002',
    rounds: 10_000,
    draw: drawSides({ control: [1000, 0.002], candidate: [1000, 0.002] }),
    checks: [
      pooledZ,
      fisher,
      midP,
      ...differenceIntervals(0),
      ...warnedWilson(rateIntervals(0.002), 0.94, 0.953),
      waldInterval(0.002, { from: 0.8, to: 0.92 }),
    ],
  }),
  calibrationCase({
    setting: '1,000 and 1,000 units, p = 0.002 against 0.008',
    rounds: 10_000,
    draw: drawSides({ control: [1000, 0.002], candidate: [1000, 0.008] }),
    checks: differenceIntervals(0.006),
  }),
  calibrationCase({
    setting: '9,000 and 1,000 units, p = 0.001',
    rounds: 10_000,
    draw: drawSides({ control: [9000, 0.001], candidate: [1000, 0.001] }),
    checks: [pooledZ, fisher, midP],
  }),
  calibrationCase({
    setting: '30 and 30 units, p = 0.1 against 0.3',
    rounds: 10_000,
    draw: drawSides({ control: [30, 0.1], candidate: [30, 0.3] }),
    checks: [...differenceIntervals(0.2), ...rateIntervals(0.1)],
  }),
  calibrationCase({
    setting: '30 and 30 units, p = 0.3',
    rounds: 10_000,
    draw: drawSides({ control: [30, 0.3], candidate: [30, 0.3] }),
    checks: [pooledZ, fisher, midP, ...warnedWilson(rateIntervals(0.3), 0.92, 0.94)],
  }),
  calibrationCase({
    setting: '30 units, a rate drawn anew each time',
    rounds: 20_000,
    draw: (random) => {
      const rate = random.uniform();
      return { rate, sample: side(random, [30, rate]) };
    },
    checks: [
      {
        method: "Wilson's interval (`estimateProportion`), on average over rates",
        measure: 'coverage',
        nominal: 1 - alpha,
        outcome: ({ rate, sample }) => covers(estimateProportion(sample, { alpha }), rate),
      },
    ],
  }),
];
