import { describe, expect, it } from 'vitest';
import { nearWithin } from './answer.fixture.ts';
import {
  compareMeans,
  compareRatios,
  covarianceOfRatios,
  createRandom,
  estimateRatio,
  jointMomentsOf,
  linearCombination,
  momentsOf,
  probabilityAbove,
  ratioStandardError,
  relativeDifference,
} from './index.ts';
import fixture from './intervals.fixture.json' with { type: 'json' };

const alpha = 0.05;
const zip = (a: readonly number[], b: readonly number[]): [number, number][] => a.map((value, i) => [value, b[i]!]);
// Clicks and views of users; reference values of the delta method and Fieller (Deng, Knoblich & Lu 2018), by hand in R.
const control = jointMomentsOf(zip([1, 0, 2, 3, 1, 0], [5, 2, 6, 9, 4, 3]));
const candidate = jointMomentsOf(zip([2, 1, 2, 4, 0, 1], [6, 3, 5, 8, 2, 4]));
const near = nearWithin(1e-11);

describe('ratios by unit', () => {
  it('agrees with the worked example of clicks per view', () => {
    const result = compareRatios(control, candidate, { alpha });
    if (result.kind !== 'tested') throw new Error(result.reason);
    near(result.control, 0.241379310344828);
    near(result.candidate, 0.357142857142857);
    near(result.difference, 0.11576354679803);
    near(result.standardError, 0.0756682968250866);
    near((ratioStandardError(control) as number) ** 2, 0.00255513720854936);
    near((ratioStandardError(candidate) as number) ** 2, 0.00317055393586005);
  });

  it('the lift has the delta-method error and Fieller’s interval', () => {
    const [a, b] = [control, candidate].map((joint) => {
      const estimate = estimateRatio(joint, { alpha });
      if (estimate.kind !== 'estimated') throw new Error(estimate.reason);
      return estimate;
    });
    const lift = relativeDifference(a!, b!, { alpha });
    if (lift.kind !== 'estimated' || lift.interval.kind !== 'bounded') throw new Error(JSON.stringify(lift));
    near(lift.estimate, 0.479591836734694);
    near(lift.standardError, 0.387844007651175);
    near(lift.interval.lower, -0.106520480221718);
    near(lift.interval.upper, 1.66522162202374);
  });

  it('with one row per unit and a denominator of 1 it is the comparison of means', () => {
    const a = [3, 1, 4, 1, 5, 9, 2, 6];
    const b = [2, 7, 1, 8, 2, 8, 1, 8, 9];
    const ones = (values: number[]): [number, number][] => values.map((value) => [value, 1]);
    const ratio = compareRatios(jointMomentsOf(ones(a)), jointMomentsOf(ones(b)), { alpha });
    const mean = compareMeans(momentsOf(a), momentsOf(b), { alpha });
    if (ratio.kind !== 'tested' || mean.kind !== 'tested') throw new Error('tested expected');
    near(ratio.standardError, mean.standardError);
    near(ratio.statistic, mean.statistic);
  });

  it('covariances of ratios agree with numpy on linearised values (intervals.fixture.py)', () => {
    const covariance = covarianceOfRatios(jointMomentsOf(fixture.joint.rows));
    if ('kind' in covariance) throw new Error(covariance.reason);
    covariance.forEach((row, i) => {
      row.forEach((value, j) => {
        near(value, fixture.joint.covariance[i]![j]!);
      });
    });
  });

  it('holds 95 % coverage when users differ and have many rows, where rows taken as independent do not', () => {
    const random = createRandom('ratio coverage');
    let covered = 0;
    let naive = 0;
    const rounds = 1000;
    for (let round = 0; round < rounds; round += 1) {
      const rows = Array.from({ length: 80 }, () => {
        const count = 1 + random.integer(40);
        const level = random.normal();
        let sum = 0;
        for (let i = 0; i < count; i += 1) sum += level + random.normal();
        return [sum, count];
      });
      const joint = jointMomentsOf(rows);
      const estimate = estimateRatio(joint, { alpha });
      if (estimate.kind !== 'estimated' || estimate.interval.kind !== 'bounded') throw new Error('bounded expected');
      if (estimate.interval.lower <= 0 && estimate.interval.upper >= 0) covered += 1;
      const total = joint.mean[1]! * joint.n;
      if (Math.abs(estimate.estimate) <= 1.96 * Math.sqrt(2 / total)) naive += 1;
    }
    // 95 % less three binomial standard errors (0.7 points) and the small-sample bias of 80 units (about 1 point).
    expect(covered / rounds).toBeGreaterThan(0.92);
    expect(covered / rounds).toBeLessThan(0.975);
    expect(naive / rounds).toBeLessThan(0.6);
  });

  it('too little to say is said in a sentence', () => {
    const one = jointMomentsOf([[1, 2]]);
    expect(compareRatios(jointMomentsOf([]), one, { alpha })).toEqual({
      kind: 'insufficient',
      reason: 'control has no units yet',
    });
    expect(compareRatios(control, one, { alpha })).toMatchObject({
      reason: 'candidate has one unit; a spread needs at least two',
    });
    const zero = jointMomentsOf([
      [1, 0],
      [2, 0],
    ]);
    expect(estimateRatio(zero, { alpha })).toMatchObject({ reason: 'the sample has a denominator of 0' });
    const same = jointMomentsOf([
      [1, 2],
      [1, 2],
    ]);
    expect(compareRatios(same, same, { alpha })).toMatchObject({
      reason: 'no unit differs from another in either variant, so the noise cannot be estimated',
    });
    expect(relativeDifference({ estimate: 0, standardError: 1 }, { estimate: 1, standardError: 1 }, { alpha })).toEqual(
      {
        kind: 'insufficient',
        reason: 'control is 0, so no share of it can be taken',
      },
    );
  });

  it('a lift over a control that is not clear of 0 is unbounded', () => {
    const lift = relativeDifference(
      { estimate: 1, standardError: 0.6 },
      { estimate: 2, standardError: 0.1 },
      { alpha },
    );
    expect(lift).toMatchObject({ kind: 'estimated', estimate: 1, interval: { kind: 'unbounded' } });
  });

  it('bad input is refused by name, value and rule', () => {
    expect(() => compareRatios(jointMomentsOf([[1], [2]]), candidate, { alpha })).toThrow(
      new RangeError('control.mean.length is 1, must be 2'),
    );
    expect(() => covarianceOfRatios(jointMomentsOf([[1, 2, 3]]))).toThrow(
      'joint.mean.length is 3, must be even (pairs of numerator and denominator)',
    );
    expect(() =>
      relativeDifference({ estimate: 1, standardError: -1 }, { estimate: 1, standardError: 1 }, { alpha }),
    ).toThrow('control.standardError is -1, must be finite and >= 0');
  });
});

describe('linearCombination', () => {
  it('gives the published forecast its interval of -4.74 to 12.54 and P(net > 2) = .67', () => {
    const rate = (p: number, n: number): number => (p * (1 - p)) / n;
    const net = linearCombination(
      {
        // Points of value per unit of accuracy, millisecond and error rate; latency has no published spread.
        coefficients: [50, -0.1, -1000],
        estimates: [0.821 - 0.785, 19, 0.008 - 0.012],
        covariance: [
          [rate(0.785, 1851) + rate(0.821, 649), 0, 0],
          [0, 0, 0],
          [0, 0, rate(0.012, 1851) + rate(0.008, 649)],
        ],
      },
      { alpha },
    );
    expect(net.estimate).toBeCloseTo(3.9, 12);
    expect(net.parts.map((part) => Math.round(part * 1000) / 1000)).toEqual([1.8, -1.9, 4]);
    if (net.interval.kind !== 'bounded') throw new Error(net.interval.kind);
    expect(net.interval.lower).toBeCloseTo(-4.74, 2);
    expect(net.interval.upper).toBeCloseTo(12.54, 2);
    expect(net.varianceShares[2]).toBeCloseTo(0.96, 2);
    expect(net.varianceShares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
    expect(probabilityAbove(net, 2)).toBeCloseTo(0.67, 2);
  });

  it('counts covariance: the difference of two equal columns has no noise', () => {
    const joint = jointMomentsOf([1, 5, 2, 8].map((value) => [value, 1, value, 1]));
    const covariance = covarianceOfRatios(joint);
    if ('kind' in covariance) throw new Error(covariance.reason);
    const sum = linearCombination({ coefficients: [1, -1], estimates: [4, 4], covariance }, { alpha });
    expect(sum.standardError).toBe(0);
    expect(probabilityAbove(sum, 1)).toBe(0);
    expect(probabilityAbove(sum, 0)).toBe(0.5);
  });

  it('bad input is refused by name, value and rule', () => {
    expect(() => linearCombination({ coefficients: [1], estimates: [1, 2], covariance: [[1]] }, { alpha })).toThrow(
      new RangeError('estimates.length is 2, must be 1 as in coefficients'),
    );
    expect(() =>
      linearCombination({ coefficients: [1], estimates: [1], covariance: [[Number.NaN]] }, { alpha }),
    ).toThrow('covariance[0][0] is NaN, must be finite');
    expect(() => linearCombination({ coefficients: [1], estimates: [1], covariance: [[-1]] }, { alpha })).toThrow(
      'covariance is giving variance -1, must be positive semidefinite',
    );
    expect(() => probabilityAbove({ estimate: 1, standardError: Number.NaN }, 0)).toThrow(
      'quantity.standardError is NaN, must be >= 0',
    );
  });
});
