// Do the watched methods keep their level over 400 looks, and planned looks over five, where a test made for one look does not?
import {
  betaBinomialMixture,
  binomial,
  createBettingSequence,
  createBettingTest,
  designLooks,
  type Insufficient,
  type Moments,
  mergeMoments,
  mixtureSprt,
  momentsOf,
  normal,
  type Random,
  type SequentialResult,
  sampleRatio,
  watchDifference,
  watchSampleRatio,
} from '../../src/stats/index.ts';
import { type CalibrationCase, type CalibrationCheck, calibrationCase } from './calibration-case.ts';
import { covers, drawMany, drawRevenue, drawSuccesses, holds } from './simulated-data.ts';

const alpha = 0.05;
const looks = 400;
const critical = normal.isf(alpha / 2);

/** What is known of the difference at one look. */
interface Look {
  /** Units of both sides together. */
  readonly n: number;
  readonly estimate: number;
  /** 0 when nothing has varied yet. */
  readonly standardError: number;
}

/** Both sides watched 400 times; each batch of `units` adds to a side between looks. The first look has `first` a side. */
function drawLooks(
  batch: (random: Random, units: number) => Moments,
  sizes: { readonly first: number; readonly units: number },
): (random: Random) => readonly Look[] {
  return (random) => {
    let control = momentsOf([]);
    let candidate = momentsOf([]);
    const result: Look[] = [];
    for (let look = 0; look < looks; look += 1) {
      const units = look === 0 ? sizes.first : sizes.units;
      control = mergeMoments(control, batch(random, units));
      candidate = mergeMoments(candidate, batch(random, units));
      result.push({
        n: control.n + candidate.n,
        estimate: candidate.mean - control.mean,
        standardError: Math.sqrt(
          control.m2 / (control.n - 1) / control.n + candidate.m2 / (candidate.n - 1) / candidate.n,
        ),
      });
    }
    return result;
  };
}

type Watch = (look: Look) => SequentialResult | Insufficient;

/** False alarm at any look, and interval over the truth (0) at every look. */
function watched(method: string, watch: Watch): readonly CalibrationCheck<readonly Look[]>[] {
  return [
    {
      method: `${method}, any look`,
      measure: 'false alarms',
      nominal: alpha,
      outcome: (all) =>
        all.some((look) => {
          const result = watch(look);
          return result.kind === 'watched' && result.pValue < alpha;
        }),
    },
    {
      method: `${method}, every look`,
      measure: 'coverage',
      nominal: 1 - alpha,
      outcome: (all) =>
        all.every((look) => {
          const result = watch(look);
          return result.kind === 'insufficient' || holds(result.interval, 0);
        }),
    },
  ];
}

const sequence = watched('confidence sequence (`watchDifference`, horizon 5,000)', (look) =>
  watchDifference(look, { alpha, horizon: 5000 }),
);

const sprt = (typicalEffect: number): readonly CalibrationCheck<readonly Look[]>[] =>
  watched('mixture SPRT (`mixtureSprt`)', (look) => mixtureSprt(look, { alpha, mixingVariance: typicalEffect ** 2 }));

/** The customary mistake: a test for one look, read at all of them. */
const peeking = (from: number, to: number): CalibrationCheck<readonly Look[]> => ({
  method: 't-test read at every look, beside it',
  measure: 'false alarms',
  nominal: alpha,
  expectedToFail: { from, to, warning: 'a test for one look, read at 400 of them' },
  outcome: (all) =>
    all.some(({ estimate, standardError }) => Math.abs(estimate) > critical * standardError && standardError > 0),
});

const bernoulli =
  (p: number) =>
  (random: Random, n: number): Moments => {
    const mean = drawSuccesses(random, n, p) / n;
    return { n, mean, m2: n * mean * (1 - mean) };
  };

const values =
  (draw: (random: Random) => number) =>
  (random: Random, n: number): Moments =>
    momentsOf(drawMany(random, n, draw));

/** Units per variant at each look, when 100 arrive in between. */
function drawSplit(shares: readonly number[]): (random: Random) => readonly (readonly number[])[] {
  return (random) => {
    const counts = shares.map(() => 0);
    return Array.from({ length: looks }, () => {
      for (let unit = 0; unit < 100; unit += 1) {
        let place = random.uniform();
        const at = shares.findIndex((share) => {
          place -= share;
          return place < 0;
        });
        counts[at === -1 ? shares.length - 1 : at]! += 1;
      }
      return [...counts];
    });
  };
}

function splitChecks(shares: readonly number[]): readonly CalibrationCheck<readonly (readonly number[])[]>[] {
  return [
    {
      method: 'watched split (`watchSampleRatio`), any look',
      measure: 'false alarms',
      nominal: alpha,
      outcome: (all) =>
        all.some((counts) => {
          const result = watchSampleRatio(counts, shares);
          return result.kind === 'watched' && result.pValue < alpha;
        }),
    },
    {
      method: 'chi-squared (`sampleRatio`), the last look only',
      measure: 'false alarms',
      nominal: alpha,
      outcome: (all) => {
        const result = sampleRatio(all.at(-1)!, shares);
        return result.kind === 'insufficient' ? null : result.pValue < alpha;
      },
    },
    {
      method: 'chi-squared read at every look, beside it',
      measure: 'false alarms',
      nominal: alpha,
      expectedToFail: { from: 0.34, to: 0.6, warning: 'a test for one look, read at 400 of them' },
      outcome: (all) =>
        all.some((counts) => {
          const result = sampleRatio(counts, shares);
          return result.kind === 'tested' && result.pValue < alpha;
        }),
    },
  ];
}

/** A rare-event guardrail: does a rate exceed its limit? Drawn exactly at the limit; successes after each look. */
function drawGuardrail(limit: number): (random: Random) => readonly number[] {
  return (random) => {
    let successes = 0;
    return Array.from({ length: looks }, () => {
      successes += drawSuccesses(random, 100, limit);
      return successes;
    });
  };
}

function guardrailChecks(limit: number): readonly CalibrationCheck<readonly number[]>[] {
  const variance = limit * (1 - limit);
  const mixture = betaBinomialMixture({ sides: 1, below: limit, above: 1 - limit, time: 20_000 * variance, alpha });
  return [
    {
      method: 'exact beta-binomial sequence (`betaBinomialMixture`, one-sided), any look',
      measure: 'false alarms',
      nominal: alpha,
      outcome: (all) =>
        all.some((successes, look) => {
          const n = 100 * (look + 1);
          return mixture.logE(successes - n * limit, n * variance) >= -Math.log(alpha);
        }),
    },
    {
      method: 'exact binomial test read at every look, beside it',
      measure: 'false alarms',
      nominal: alpha,
      expectedToFail: { from: 0.2, to: 0.4, warning: 'exact for one look is not exact for 400 of them' },
      outcome: (all) => all.some((successes, look) => binomial(100 * (look + 1), limit).sf(successes - 1) < alpha),
    },
  ];
}

const information = [0.2, 0.4, 0.6, 0.8, 1];

function plannedChecks(): readonly CalibrationCheck<readonly number[]>[] {
  const crossing = (critical: readonly number[]) => (z: readonly number[]) =>
    z.some((value, look) => Math.abs(value) >= critical[look]!);
  const designed = (spending: 'obrien-fleming-like' | 'pocock-like'): CalibrationCheck<readonly number[]> => ({
    method: `group-sequential, ${spending} spending (\`designLooks\`)`,
    measure: 'false alarms',
    nominal: alpha,
    outcome: crossing(
      designLooks({ alpha, sides: 2, information, boundary: { kind: 'spending', spending: { kind: spending } } })
        .critical,
    ),
  });
  return [
    designed('obrien-fleming-like'),
    designed('pocock-like'),
    {
      method: 'z-test read at each of the five, beside it',
      measure: 'false alarms',
      nominal: alpha,
      expectedToFail: { from: 0.13, to: 0.16, warning: 'a test for one look, read at five of them' },
      outcome: crossing(information.map(() => critical)),
    },
  ];
}

export const sequentialCases: readonly CalibrationCase[] = [
  calibrationCase({
    setting: '400 looks, 100 units between looks, normal values',
    rounds: 2000,
    draw: drawLooks(
      values((random) => random.normal()),
      { first: 100, units: 50 },
    ),
    checks: [...sequence, ...sprt(0.1), peeking(0.34, 0.48)],
  }),
  calibrationCase({
    setting: '400 looks, 100 units between looks, log-normal revenues (sigma 1.5)',
    rounds: 1000,
    draw: drawLooks(values(drawRevenue), { first: 100, units: 50 }),
    checks: [...sequence, ...sprt(0.3), peeking(0.34, 0.48)],
  }),
  calibrationCase({
    setting: '400 looks, 100 units between looks, p = 0.5',
    rounds: 2000,
    draw: drawLooks(bernoulli(0.5), { first: 100, units: 50 }),
    checks: [...sequence, ...sprt(0.05), peeking(0.34, 0.48)],
  }),
  calibrationCase({
    setting: '400 looks, 100 units between looks, p = 0.002',
    rounds: 4000,
    draw: drawLooks(bernoulli(0.002), { first: 100, units: 50 }),
    checks: [...sequence, ...sprt(0.005), peeking(0.3, 0.48)],
  }),
  calibrationCase({
    setting: '400 looks at a split of 50 : 50, 100 units between looks',
    rounds: 1000,
    draw: drawSplit([0.5, 0.5]),
    checks: splitChecks([0.5, 0.5]),
  }),
  calibrationCase({
    setting: '400 looks at a split of 80 : 10 : 10, 100 units between looks',
    rounds: 1000,
    draw: drawSplit([0.8, 0.1, 0.1]),
    checks: splitChecks([0.8, 0.1, 0.1]),
  }),
  calibrationCase({
    setting: '400 looks at a rate exactly at its limit of 0.002, 100 units between looks',
    rounds: 2000,
    draw: drawGuardrail(0.002),
    checks: guardrailChecks(0.002),
  }),
  calibrationCase({
    setting: 'a look after each of 1,000 skewed values in [0, 1] (ninth power of a uniform, mean 0.1)',
    rounds: 1000,
    draw: (random) => drawMany(random, 1000, (r) => r.uniform() ** 9),
    checks: [
      {
        method: 'betting test of the limit 0.1 (`createBettingTest`), any look',
        measure: 'false alarms',
        nominal: alpha,
        outcome: (all) => {
          const test = createBettingTest({ alpha, limit: 0.1, direction: 'above' });
          for (const value of all) test.add(value);
          const result = test.read();
          return result.kind === 'watched' ? result.rejected : null;
        },
      },
      {
        method: 'betting sequence (`createBettingSequence`), every look',
        measure: 'coverage',
        nominal: 1 - alpha,
        // The interval only shrinks: what the last one holds, all held.
        outcome: (all) => {
          const sequence = createBettingSequence({ alpha, resolution: 200 });
          for (const value of all) sequence.add(value);
          return covers(sequence.read(), 0.1);
        },
      },
    ],
  }),
  calibrationCase({
    setting: '5 planned looks at equal steps, z of normal means',
    rounds: 10_000,
    draw: (random) => {
      let sum = 0;
      // The difference of two means of normal units: its z at a look is a sum of as many normals as there were looks.
      return information.map((_, look) => {
        sum += random.normal();
        return sum / Math.sqrt(look + 1);
      });
    },
    checks: plannedChecks(),
  }),
];
