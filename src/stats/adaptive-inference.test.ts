import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AdaptiveStep, type AdaptiveWeights, adaptiveMean, compareAdaptiveMeans } from './adaptive-inference.ts';
import { ends, nearWithin, sure } from './answer.fixture.ts';
import { createRandom } from './random.ts';

const alpha = 0.05;
const near = nearWithin(1e-12);

// Computed from the formulas of Hadad et al. 2021 in double precision, outside this library.
const chances = [0.5, 0.5, 0.5, 0.7, 0.7, 0.8, 0.9, 0.9];
const arms = [1, 0, 1, 1, 0, 1, 1, 0];
const values = [1.2, 0.4, 0.8, 1.5, 0.1, 0.9, 1.1, 0.6];
const steps: AdaptiveStep[] = values.map((value, i) => ({
  arm: arms[i] === 1 ? 'b' : 'a',
  chances: { a: 1 - chances[i]!, b: chances[i]! },
  value,
}));

describe('means of adaptively collected data', () => {
  const cases: readonly [AdaptiveWeights, number, number][] = [
    ['uniform', 1.2392857142857143, 0.19715549116981929],
    ['sqrt', 1.225437595412051, 0.17652570344537888],
    ['chance', 1.2115151515151514, 0.15791228931122725],
  ];
  it.each(cases)('%s weights give the reference mean and standard error', (weights, mean, error) => {
    const result = sure(adaptiveMean(steps, { alpha, weights, arm: 'b' }));
    near(result.estimate, mean);
    near(result.standardError, error);
    const [lower, upper] = ends(result);
    near((upper - lower) / 2, 1.959963984540054 * error);
  });

  it('the root of the chance is the default, and the difference joins both arms', () => {
    const a = sure(adaptiveMean(steps, { alpha, arm: 'a' }));
    const b = sure(adaptiveMean(steps, { alpha, weights: 'sqrt', arm: 'b' }));
    const both = sure(compareAdaptiveMeans(steps, { alpha, control: 'a', candidate: 'b' }));
    near(both.difference, b.estimate - a.estimate);
    near(both.standardError, Math.hypot(a.standardError, b.standardError));
  });

  it('with an arm that always has chance 1 the mean is the plain mean', () => {
    const only = values.map((value) => ({ arm: 'b', chances: { b: 1 }, value }));
    near(sure(adaptiveMean(only, { alpha, arm: 'b' })).estimate, 0.825);
  });

  it('refuses broken input and says when the data cannot answer', () => {
    const broken = [{ arm: 'b', chances: { b: 0 }, value: 1 }];
    expect(() => adaptiveMean(broken, { alpha, arm: 'b' })).toThrow(
      new RangeError('steps[0].chances.b is 0, must be in (0, 1]'),
    );
    expect(() => adaptiveMean(steps, { alpha, arm: 'toString' })).toThrow('steps[0].chances.toString is NaN');
    expect(() => adaptiveMean(steps, { alpha: 1.2, arm: 'b' })).toThrow('alpha is 1.2, must be in (0, 1)');
    expect(() => adaptiveMean(steps, { alpha, arm: 'b', weights: 'e' as 'sqrt' })).toThrow('weights is e');
    expect(() => compareAdaptiveMeans(steps, { alpha, control: 'b', candidate: 'b' })).toThrow('another arm');
    expect(adaptiveMean(steps.slice(0, 2), { alpha, arm: 'b' })).toEqual({
      kind: 'insufficient',
      reason: 'arm b was chosen once, two are needed',
    });
    expect(adaptiveMean([], { alpha, arm: 'b' })).toMatchObject({ reason: 'arm b was chosen never, two are needed' });
    const flat = [0, 0].map((value) => ({ arm: 'b', chances: { b: 0.5 }, value }));
    expect(adaptiveMean(flat, { alpha, arm: 'b' }).kind).toBe('insufficient');
  });

  it('swapping arms flips the difference, and p-value and interval agree', () => {
    const step = fc.record({
      p: fc.double({ min: 0.1, max: 0.9, noNaN: true }),
      value: fc.integer({ min: -9, max: 9 }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 6, maxLength: 30 }), (rows) => {
        const made = rows.map(({ p, value }, i) => ({ arm: i % 2 ? 'b' : 'a', chances: { a: 1 - p, b: p }, value }));
        const there = compareAdaptiveMeans(made, { alpha, control: 'a', candidate: 'b' });
        const back = compareAdaptiveMeans(made, { alpha, control: 'b', candidate: 'a' });
        expect(there.kind).toBe(back.kind);
        if (there.kind === 'insufficient' || back.kind === 'insufficient') return;
        expect(back.difference).toBeCloseTo(-there.difference, 12);
        expect(back.pValue).toBeCloseTo(there.pValue, 12);
        const [lower, upper] = ends(there);
        expect(there.pValue < alpha).toBe(lower > 0 || upper < 0);
      }),
    );
  });

  it('covers the mean of an arm that a greedy bandit starves, where the plain mean is biased downwards', () => {
    const random = createRandom('greedy bandit');
    const rounds = 400;
    const kept = { sqrt: 0, plainBias: 0 };
    for (let round = 0; round < rounds; round += 1) {
      const sums = { a: 0, b: 0 };
      const counts = { a: 0, b: 0 };
      const made: AdaptiveStep[] = [];
      for (let t = 0; t < 400; t += 1) {
        // After a short start the leader gets what a shrinking floor leaves over.
        const floor = t < 20 ? 0.5 : Math.max(0.05, 0.5 * (t / 20) ** -0.5);
        const leads = sums.b / Math.max(1, counts.b) > sums.a / Math.max(1, counts.a);
        const b = leads ? 1 - floor : floor;
        const arm = random.uniform() < b ? 'b' : 'a';
        const value = random.normal();
        sums[arm] += value;
        counts[arm] += 1;
        made.push({ arm, chances: { a: 1 - b, b }, value });
      }
      const [lower, upper] = ends(sure(adaptiveMean(made, { alpha, arm: 'b' })));
      if (lower <= 0 && upper >= 0) kept.sqrt += 1;
      kept.plainBias += sums.b / counts.b / rounds;
    }
    expect(kept.sqrt / rounds).toBeGreaterThan(1 - alpha - 3 * Math.sqrt((alpha * (1 - alpha)) / rounds));
    expect(kept.plainBias).toBeLessThan(-0.02);
  });
});
