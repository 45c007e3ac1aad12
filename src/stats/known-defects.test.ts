// Defects that were measured in other open-source experiment libraries, each quoted with its symptom: none of them here.
import { describe, expect, it } from 'vitest';
import { ends, nearWithin, sure } from './answer.fixture.ts';
import {
  type AdaptiveStep,
  chancesOfBest,
  compareAdaptiveMeans,
  compareMeans,
  compareProportions,
  compareQuantiles,
  createRandom,
  type Moments,
  mergeMoments,
  momentsOf,
  normal,
  posteriorOfEffect,
  quantileSampleOf,
  sampleRatio,
  sharesWithFloor,
  watchDifference,
  watchLimit,
} from './index.ts';

const alpha = 0.05;
const near = nearWithin(1e-9);

describe('a defect seen elsewhere does not show here', () => {
  it('p = 0 at z = 14.3 (2 (1 - cdf)): 10,000 and 12,000 of 100,000 have p = 2.4e-46', () => {
    const side = (successes: number) => ({ successes, n: 100_000 });
    const result = sure(compareProportions(side(10_000), side(12_000), { alpha }));
    // statsmodels proportions_ztest in 50 digits; a quoted 2.30e-46 belongs to the unpooled error.
    near(result.pValue, 2.419279969901966e-46);
  });

  it('p = 1 and the interval (0, 0) at 0/1000 against 8/1000 (variance of an arm without events): p = .0039, Fisher .0077', () => {
    const result = sure(compareProportions({ successes: 0, n: 1000 }, { successes: 8, n: 1000 }, { alpha }));
    near(result.exactPValue!, 0.0077034808510839);
    near(result.pValue, 0.0077034808510839 / 2);
    const [lower, upper] = ends(result);
    expect(lower).toBeGreaterThan(0.002);
    expect(upper).toBeLessThan(0.016);
  });

  it('an arm of share 0 counted as a degree of freedom: [1000, 1100, 0] at .5/.5/0 has p = .0291, not .0925', () => {
    const result = sampleRatio([1000, 1100, 0], [0.5, 0.5, 0]);
    expect(sure(result)).toMatchObject({ df: 1, pValue: expect.closeTo(0.0291, 4) });
  });

  it('the best arm of a lower-is-better metric given the least traffic: it gets the most, and two arms work', () => {
    const rates = [0.1, 0.12, 0.15];
    const weightsOf = (some: readonly number[]): readonly number[] => {
      // Lower is better: the best of the negated.
      const arms = some.map((rate) => ({ estimate: -rate, standardError: 0.012 }));
      return sharesWithFloor(
        sure(chancesOfBest(arms)).arms.map(({ probabilityBest }) => probabilityBest),
        0.01,
      );
    };
    const weights = weightsOf(rates);
    expect(weights[0]).toBeGreaterThan(0.8);
    expect(weights[0]! + weights[1]! + weights[2]!).toBeCloseTo(1, 12);
    expect(weights[1]).toBeGreaterThan(weights[2]!);
    expect(weightsOf(rates.slice(0, 2))).toHaveLength(2);
  });

  it('a prior on the absolute effect ignored when the answer is relative: it pulls the relative answer too', () => {
    const [control, candidate] = [
      { estimate: 20, standardError: 0.5 },
      { estimate: 21, standardError: 0.4 },
    ];
    const flat = sure(posteriorOfEffect(control, candidate, { alpha, scale: 'relative' }));
    const prior = { scale: 'absolute', mean: 0, standardDeviation: 0.2 } as const;
    const pulled = sure(posteriorOfEffect(control, candidate, { alpha, scale: 'relative', prior }));
    expect(pulled.difference).toBeLessThan(flat.difference / 2);
  });

  it('a one-sided sequential p-value floored at 1e-5 by its search: it is e to minus the evidence, as small as that is', () => {
    const seen = { estimate: 1, standardError: 0.1, n: 5000 };
    const result = sure(watchLimit(seen, { alpha, horizon: 5000, direction: 'above' }));
    near(result.pValue, Math.exp(-result.logE));
    expect(result.pValue).toBeLessThan(1e-18);
    expect(result.pValue).toBeGreaterThan(1e-23);
  });

  it('probabilities of being best that sum to 1.027 where one arm is sixty times wider', () => {
    const arms = [
      [0.1, 0.0005],
      [0.101, 0.0005],
      [0.099, 0.03],
    ].map(([estimate, standardError]) => ({ estimate: estimate!, standardError: standardError! }));
    const chances = sure(chancesOfBest(arms)).arms.map(({ probabilityBest }) => probabilityBest);
    expect(chances.reduce((sum, chance) => sum + chance, 0)).toBeCloseTo(1, 12);
    expect(chances[2]).toBeCloseTo(0.473, 3);
  });

  it('a likelihood rule read at every look that names a winner of two equal arms in 7 %: the sequence does in fewer than 5 %', () => {
    const random = createRandom('two equal arms');
    const rounds = 600;
    let [heuristic, sequence] = [0, 0];
    for (let round = 0; round < rounds; round += 1) {
      let walk = 0;
      let [isNamed, isSeen] = [false, false];
      for (let n = 20; n <= 20_000; n += 20) {
        // Sum of candidate - control over 20 more units an arm, spread 1 each.
        walk += Math.sqrt(40) * random.normal();
        if (!isNamed && walk ** 2 / (4 * n) > Math.log((1 + Math.log(n)) / alpha)) isNamed = true;
        if (!isSeen) {
          const measured = { estimate: walk / n, standardError: Math.sqrt(2 / n), n: 2 * n };
          isSeen = sure(watchDifference(measured, { alpha, horizon: 10_000 })).pValue < alpha;
        }
      }
      if (isNamed) heuristic += 1;
      if (isSeen) sequence += 1;
    }
    expect(sequence / rounds).toBeLessThan(alpha);
    expect(heuristic).toBeGreaterThan(sequence);
  });

  it('a t-test that alarms in 9.5 % after Thompson sampling between equal arms: weighted by their chances the arms differ in 5 %', () => {
    const random = createRandom('thompson with a floor of 1 %');
    const rounds = 500;
    let [naive, weighted] = [0, 0];
    for (let round = 0; round < rounds; round += 1) {
      let [a, b]: [Moments, Moments] = [momentsOf([]), momentsOf([])];
      const steps: AdaptiveStep[] = [];
      for (let batch = 0; batch < 40; batch += 1) {
        const better = batch === 0 ? 0.5 : normal.cdf((b.mean - a.mean) / Math.sqrt(1 / a.n + 1 / b.n));
        const share = Math.min(0.99, Math.max(0.01, better));
        const made: [number[], number[]] = [[], []];
        for (let i = 0; i < 50; i += 1) {
          const value = random.normal();
          const isCandidate = random.uniform() < share;
          made[isCandidate ? 1 : 0].push(value);
          steps.push({ arm: isCandidate ? 'b' : 'a', chances: { a: 1 - share, b: share }, value });
        }
        a = mergeMoments(a, momentsOf(made[0]));
        b = mergeMoments(b, momentsOf(made[1]));
      }
      if (sure(compareMeans(a, b, { alpha })).pValue < alpha) naive += 1;
      if (sure(compareAdaptiveMeans(steps, { alpha, control: 'a', candidate: 'b' })).pValue < alpha) weighted += 1;
    }
    const slack = 3 * Math.sqrt((alpha * (1 - alpha)) / rounds);
    expect(weighted / rounds).toBeLessThan(alpha + slack);
    expect(naive / rounds).toBeGreaterThan(weighted / rounds);
    expect(naive / rounds).toBeGreaterThan(0.07);
  });

  it('a quantile’s error divided by the clustering instead of multiplied: users with many alike requests widen it', () => {
    const random = createRandom('alike requests');
    const users = Array.from({ length: 400 }, () => {
      const own = random.normal();
      return Array.from({ length: 8 }, () => own + 0.3 * random.normal());
    });
    const rows = users.flat().map((value) => [value]);
    const clustered = sure(compareQuantiles(quantileSampleOf(users, 0.5), quantileSampleOf(users, 0.5), { alpha }));
    const independent = sure(compareQuantiles(quantileSampleOf(rows, 0.5), quantileSampleOf(rows, 0.5), { alpha }));
    // Eight rows that nearly repeat one another are worth little more than one: the error grows by almost sqrt(8).
    expect(clustered.standardError / independent.standardError).toBeGreaterThan(2);
    expect(clustered.standardError / independent.standardError).toBeLessThan(Math.sqrt(8));
  });
});
