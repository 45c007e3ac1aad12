// Do margins, strata, families of comparisons, looks, ranks, models, compliers and beliefs keep their word?
import {
  beta,
  compareAdjustedRatios,
  compareBetaBinomial,
  compareGammaPoisson,
  compareMeans,
  comparePairedModels,
  compareRates,
  compareRocAreas,
  compareStrata,
  complierEffect,
  type EventRate,
  equivalent,
  exactRates,
  gamma,
  type JointMoments,
  jointMomentsOf,
  type LooksOptions,
  type Moments,
  momentsOf,
  normal,
  notInferior,
  type PairedOutcomes,
  poisson,
  predictionPoweredMean,
  proportionsNotInferior,
  type Random,
  rankSum,
  readLook,
  type Stratum,
  selectComparisons,
  signedRank,
} from '../../src/stats/index.ts';
import { type CalibrationCase, type CalibrationCheck, calibrationCase } from './calibration-case.ts';
import { covers, drawMany, drawMoments, drawRevenue, drawSuccesses, holds, rejects } from './simulated-data.ts';

const alpha = 0.05;
const critical = normal.isf(alpha / 2);

type Warning = NonNullable<CalibrationCheck<never>['expectedToFail']>;

/** The same check, known to miss on this data. */
function warned<Data>(check: CalibrationCheck<Data>, expectedToFail?: Warning): CalibrationCheck<Data> {
  return expectedToFail === undefined ? check : { ...check, expectedToFail };
}

/** A check of a level of 5 %. */
function alarms<Data>(method: string, outcome: CalibrationCheck<Data>['outcome']): CalibrationCheck<Data> {
  return { method, measure: 'false alarms', nominal: alpha, outcome };
}

/** A check of a 95 % interval. */
function coverage<Data>(method: string, outcome: CalibrationCheck<Data>['outcome']): CalibrationCheck<Data> {
  return { method, measure: 'coverage', nominal: 1 - alpha, outcome };
}

const strataLevels = [0, 3, 10];
const strataShares = [0.6, 0.3, 0.1];
const strataEffects = [0, 1, -2];
/** Effect on the population of those shares. */
const strataTruth = strataEffects.reduce((sum, effect, i) => sum + strataShares[i]! * effect, 0);

/** Units that come from strata and go to variants by chance; `lift` multiplies the effects of the strata. */
function drawStrata(
  random: Random,
  options: { readonly units: number; readonly lift: number; readonly known: boolean },
): readonly Stratum[] {
  const cells = strataLevels.map(() => ({ control: [] as number[], candidate: [] as number[] }));
  for (let unit = 0; unit < options.units; unit += 1) {
    const place = random.uniform();
    const at = place < 0.6 ? 0 : place < 0.9 ? 1 : 2;
    const side = random.uniform() < 0.5 ? 'control' : 'candidate';
    const effect = side === 'candidate' ? options.lift * strataEffects[at]! : 0;
    cells[at]![side].push(strataLevels[at]! + effect + (1 + at) * random.normal());
  }
  return cells.map(({ control, candidate }, i) => ({
    name: `${i}`,
    control: momentsOf(control),
    candidate: momentsOf(candidate),
    ...(options.known ? { share: strataShares[i]! } : {}),
  }));
}

const strataCases: readonly CalibrationCase[] = [
  calibrationCase<readonly Stratum[]>({
    setting: '60 units from 3 strata (60 : 30 : 10), assigned by a coin, alike',
    rounds: 10_000,
    draw: (random) => drawStrata(random, { units: 60, lift: 0, known: false }),
    checks: [alarms('post-stratification (`compareStrata`)', (data) => rejects(compareStrata(data, { alpha }), alpha))],
  }),
  calibrationCase<readonly Stratum[]>({
    setting: '60 units from 3 strata of known shares, assigned by a coin, effects 0, 1 and -2',
    rounds: 10_000,
    draw: (random) => drawStrata(random, { units: 60, lift: 1, known: true }),
    checks: [
      coverage('interval with known shares (`compareStrata`)', (data) =>
        covers(compareStrata(data, { alpha }), strataTruth),
      ),
    ],
  }),
];

/** [errors, rows, errors before, rows before] of one unit: its rate shows in both periods. */
function drawRatioRow(random: Random): readonly number[] {
  const rate = 0.05 + 0.4 * random.uniform() ** 2;
  const busy = random.uniform();
  const rows = (): number => 1 + Math.floor(30 * busy * random.uniform());
  const [now, before] = [rows(), rows()];
  return [drawSuccesses(random, now, rate), now, drawSuccesses(random, before, rate), before];
}

interface Joint {
  readonly control: JointMoments;
  readonly candidate: JointMoments;
}

function ratioCase(units: number, rounds: number, expectedToFail?: Warning): CalibrationCase {
  const side = (random: Random): JointMoments =>
    jointMomentsOf(Array.from({ length: units }, () => drawRatioRow(random)));
  return calibrationCase<Joint>({
    setting: `${units} and ${units} units with 1 to 30 correlated rows and the ratio before as covariate`,
    rounds,
    draw: (random) => ({ control: side(random), candidate: side(random) }),
    checks: [
      warned(
        alarms('CUPED of ratios (`compareAdjustedRatios`)', ({ control, candidate }) =>
          rejects(compareAdjustedRatios(control, candidate, { alpha }), alpha),
        ),
        expectedToFail,
      ),
    ],
  });
}

interface Sides<Data> {
  readonly control: Data;
  readonly candidate: Data;
}

const margin = 0.5;

function marginCase(setting: string, draw: (random: Random) => Sides<Moments>): CalibrationCase {
  const shown =
    (test: typeof notInferior | typeof equivalent) =>
    ({ control, candidate }: Sides<Moments>) => {
      const measured = compareMeans(control, candidate, { alpha });
      if (measured.kind === 'insufficient') return null;
      const result = test(measured, { alpha, margin });
      return result.kind === 'insufficient' ? null : result.isShown;
    };
  return calibrationCase<Sides<Moments>>({
    setting,
    rounds: 10_000,
    draw,
    checks: [
      alarms('non-inferiority, one-sided (`notInferior` on `compareMeans`)', shown(notInferior)),
      alarms('equivalence (`equivalent` on `compareMeans`)', shown(equivalent)),
    ],
  });
}

interface Count {
  readonly successes: number;
  readonly n: number;
}

function rateMarginCase(units: number, limit: number, rates: readonly [number, number]): CalibrationCase {
  const side = (random: Random, p: number): Count => ({ successes: drawSuccesses(random, units, p), n: units });
  const count = units.toLocaleString('en-US');
  return calibrationCase<Sides<Count>>({
    setting: `${count} and ${count} units, p = ${rates[0]} against ${rates[1]}, exactly the margin, lower is better`,
    rounds: 10_000,
    draw: (random) => ({ control: side(random, rates[0]), candidate: side(random, rates[1]) }),
    checks: [
      alarms('non-inferiority of rates, one-sided (`proportionsNotInferior`)', ({ control, candidate }) => {
        const result = proportionsNotInferior(control, candidate, { alpha, margin: limit, better: 'lower' });
        return result.kind === 'insufficient' ? null : result.isShown;
      }),
    ],
  });
}

const marginCases: readonly CalibrationCase[] = [
  marginCase('30 and 10 normal units, spread 1 against 2, worse by exactly the margin', (random) => ({
    control: drawMoments(random, 30, (r) => r.normal()),
    candidate: drawMoments(random, 10, (r) => 2 * r.normal() - margin),
  })),
  marginCase('300 and 300 normal units, worse by exactly the margin', (random) => ({
    control: drawMoments(random, 300, (r) => r.normal()),
    candidate: drawMoments(random, 300, (r) => r.normal() - margin),
  })),
  rateMarginCase(100, 0.05, [0.02, 0.07]),
  rateMarginCase(1000, 0.01, [0.01, 0.02]),
];

type Correction = Parameters<typeof selectComparisons>[1]['method'];

const familySize = 20;
const familyEffects = Array.from({ length: familySize }, (_, i) => (i < 15 ? 0 : 0.6));

/** Twenty metrics of the same units, and a draw that picks one of those selected. */
interface Family {
  readonly metrics: readonly Sides<Moments>[];
  readonly pValues: readonly number[];
  readonly pick: number;
}

/** Metrics that correlate with 0.5; the last five have an effect of 0.6 standard deviations. */
function drawFamily(random: Random): Family {
  const side = (effects: readonly number[]): readonly Moments[] => {
    const shared = drawMany(random, 30, (r) => r.normal());
    return effects.map((effect) =>
      momentsOf(shared.map((common) => effect + Math.SQRT1_2 * (common + random.normal()))),
    );
  };
  const control = side(familyEffects.map(() => 0));
  const candidate = side(familyEffects);
  const metrics = control.map((moments, i) => ({ control: moments, candidate: candidate[i]! }));
  const pValues = metrics.map((metric) => {
    const result = compareMeans(metric.control, metric.candidate, { alpha });
    return result.kind === 'insufficient' ? 1 : result.pValue;
  });
  return { metrics, pValues, pick: random.uniform() };
}

/** One of the rejected metrics by chance: how often it is wrong is the expected share of wrong ones. */
function picked(family: Family, rejected: readonly number[]): number | undefined {
  return rejected[Math.floor(family.pick * rejected.length)];
}

const familyError = (method: Correction, name: string): CalibrationCheck<Family> =>
  alarms(`${name} (\`selectComparisons\`), any false rejection`, ({ pValues }) =>
    selectComparisons(pValues, { alpha, method }).rejected.some((i) => familyEffects[i] === 0),
  );

const falseDiscovery = (method: Correction, name: string): CalibrationCheck<Family> =>
  alarms(`${name} (\`selectComparisons\`), expected false share of what is rejected`, (family) => {
    const at = picked(family, selectComparisons(family.pValues, { alpha, method }).rejected);
    return at !== undefined && familyEffects[at] === 0;
  });

/** Whether the interval of a picked metric holds its effect; nothing rejected, nothing missed. */
function selectedHolds(family: Family, rejected: readonly number[], level: number): boolean {
  const at = picked(family, rejected);
  if (at === undefined) return true;
  const { control, candidate } = family.metrics[at]!;
  return covers(compareMeans(control, candidate, { alpha: level }), familyEffects[at]!) === true;
}

const falseCoverage = (method: Correction, name: string): CalibrationCheck<Family> =>
  coverage(`intervals of what ${name} rejects, at their own level (\`selectComparisons\`)`, (family) => {
    const { rejected, intervals } = selectComparisons(family.pValues, { alpha, method });
    return intervals.kind === 'insufficient' || selectedHolds(family, rejected, intervals.alpha);
  });

const familyCases: readonly CalibrationCase[] = [
  calibrationCase<Family>({
    setting: '20 correlated metrics of 30 and 30 units, 5 of them truly 0.6 spreads apart',
    rounds: 4000,
    draw: drawFamily,
    checks: [
      familyError('holm', 'Holm'),
      familyError('hommel', 'Hommel'),
      falseDiscovery('benjamini-hochberg', 'Benjamini-Hochberg'),
      falseDiscovery('benjamini-yekutieli', 'Benjamini-Yekutieli'),
      falseCoverage('benjamini-hochberg', 'Benjamini-Hochberg'),
      falseCoverage('holm', 'Holm'),
      {
        method: 'plain 95 % intervals of what Benjamini-Hochberg rejects, beside them',
        measure: 'coverage',
        nominal: 1 - alpha,
        expectedToFail: {
          from: 0.92,
          to: 0.945,
          warning: 'what is selected for being far out is farther out than it is',
        },
        outcome: (family) =>
          selectedHolds(
            family,
            selectComparisons(family.pValues, { alpha, method: 'benjamini-hochberg' }).rejected,
            alpha,
          ),
      },
    ],
  }),
];

const lookTimes = [0.2, 0.4, 0.6, 0.8, 1];
const lookEffect = 2;

/** Estimates after each look; the information at the end is 1. */
function drawLookEstimates(random: Random): readonly number[] {
  let sum = 0;
  let before = 0;
  return lookTimes.map((time) => {
    const step = time - before;
    before = time;
    sum += step * lookEffect + Math.sqrt(step) * random.normal();
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

const lookCases: readonly CalibrationCase[] = [
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
];

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

const rankCases: readonly CalibrationCase[] = [
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

function modelsCase(rows: number, only: readonly [number, number]): CalibrationCase {
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
      coverage("Tango's interval (`comparePairedModels`)", (data) =>
        covers(comparePairedModels(data, { alpha }), only[1] - only[0]),
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

const modelCases: readonly CalibrationCase[] = [
  modelsCase(60, [0.1, 0.1]),
  modelsCase(200, [0.1, 0.1]),
  modelsCase(200, [0.02, 0.08]),
  rocCase([20, 60], 4000),
  rocCase([10, 200], 2000, { from: 0.055, to: 0.09, warning: 'a normal approximation: ten rows of a label are few' }),
];

/** [outcome, received] of units of which `share` comply; compliers differ from the others, and receipt adds 1. */
function drawCompliers(random: Random, given: { units: number; share: number; isAssigned: boolean }): JointMoments {
  return jointMomentsOf(
    Array.from({ length: given.units }, () => {
      const complies = random.uniform() < given.share;
      const received = complies && given.isAssigned ? 1 : 0;
      return [random.normal() + (complies ? 2 : 0) + received, received];
    }),
  );
}

function complierCase(units: number, share: number): CalibrationCase {
  const side = (random: Random, isAssigned: boolean): JointMoments =>
    drawCompliers(random, { units, share, isAssigned });
  return calibrationCase<Joint>({
    setting: `${units} and ${units} units of which ${100 * share} % comply, and differ from the others`,
    rounds: 6000,
    draw: (random) => ({ control: side(random, false), candidate: side(random, true) }),
    checks: [
      coverage("Anderson and Rubin's interval (`complierEffect`)", ({ control, candidate }) =>
        covers(complierEffect(control, candidate, { alpha }), 1),
      ),
    ],
  });
}

interface Labelled {
  readonly labelled: JointMoments;
  readonly unlabelled: Moments;
}

/** [truth, cheap label]: the truth is a success in 30 %, the cheap label sees four in five of them and invents a tenth. */
function drawLabels(random: Random): readonly [number, number] {
  const truth = random.uniform() < 0.3 ? 1 : 0;
  return [truth, random.uniform() < (truth === 1 ? 0.8 : 0.1) ? 1 : 0];
}

function predictionCase(labelled: number, unlabelled: number, expectedToFail?: Warning): CalibrationCase {
  const check = (words: string, weight: 1 | 'best'): CalibrationCheck<Labelled> =>
    coverage(`prediction-powered mean, ${words} (\`predictionPoweredMean\`)`, (data) =>
      covers(predictionPoweredMean(data.labelled, data.unlabelled, { alpha, weight }), 0.3),
    );
  return calibrationCase<Labelled>({
    setting: `${labelled} rows with a true label (30 % right), ${unlabelled} with a biased cheap one only`,
    rounds: 6000,
    draw: (random) => ({
      labelled: jointMomentsOf(Array.from({ length: labelled }, () => drawLabels(random))),
      unlabelled: drawMoments(random, unlabelled, (r) => drawLabels(r)[1]),
    }),
    checks: [check('weight 1', 1), warned(check('best weight', 'best'), expectedToFail)],
  });
}

/** A posterior together with the truth its data came from. */
interface Believed {
  readonly posterior: ReturnType<typeof compareBetaBinomial>;
  /** Of candidate - control. */
  readonly truth: number;
}

/** What a posterior must promise when the truth is drawn from its prior. */
function beliefChecks(name: string): readonly CalibrationCheck<Believed>[] {
  return [
    coverage(`credible interval of the difference (\`${name}\`)`, ({ posterior, truth }) => covers(posterior, truth)),
    {
      method: `candidate called higher at a probability above 80 %, and is not (\`${name}\`)`,
      measure: 'false alarms',
      nominal: 0.2,
      outcome: ({ posterior, truth }) =>
        posterior.kind === 'insufficient' || posterior.probabilityHigher <= 0.8 ? null : truth <= 0,
    },
  ];
}

const betaPrior = { successes: 2, failures: 30 };
const gammaPrior = { events: 1.5, exposure: 10 };

const beliefCases: readonly CalibrationCase[] = [
  calibrationCase<Believed>({
    setting: '80 and 40 units, rates drawn from the prior beta(2, 30)',
    rounds: 1000,
    draw: (random) => {
      const law = beta(betaPrior.successes, betaPrior.failures);
      const [p, q] = [law.quantile(random.uniform()), law.quantile(random.uniform())];
      const control = { successes: drawSuccesses(random, 80, p), n: 80 };
      const candidate = { successes: drawSuccesses(random, 40, q), n: 40 };
      return { truth: q - p, posterior: compareBetaBinomial(control, candidate, { alpha, prior: betaPrior }) };
    },
    checks: beliefChecks('compareBetaBinomial'),
  }),
  calibrationCase<Believed>({
    setting: '30 and 15 hours, event rates drawn from the prior gamma(1.5, 10)',
    rounds: 1500,
    draw: (random) => {
      const rate = (): number => gamma(gammaPrior.events).quantile(random.uniform()) / gammaPrior.exposure;
      const [before, after] = [rate(), rate()];
      const events = (mean: number): number => poisson(mean).quantile(random.uniform());
      const control = { events: events(30 * before), exposure: 30 };
      const candidate = { events: events(15 * after), exposure: 15 };
      return {
        truth: after - before,
        posterior: compareGammaPoisson(control, candidate, { alpha, prior: gammaPrior }),
      };
    },
    checks: beliefChecks('compareGammaPoisson'),
  }),
];

export const furtherCases: readonly CalibrationCase[] = [
  ...strataCases,
  ratioCase(50, 4000, {
    from: 0.055,
    to: 0.07,
    warning: 'a normal approximation: 50 units a side are few for a ratio',
  }),
  ratioCase(300, 2000),
  ...marginCases,
  ...familyCases,
  ...lookCases,
  rareCase([1.5, 1.5], '1.5 and 1.5'),
  rareCase([20, 2], '20 and 2'),
  ...rankCases,
  ...modelCases,
  complierCase(100, 0.2),
  complierCase(400, 0.7),
  predictionCase(40, 400, {
    from: 0.92,
    to: 0.942,
    warning: 'a normal approximation, and the weight is fitted to the same 40 rows',
  }),
  predictionCase(200, 2000),
  ...beliefCases,
];
