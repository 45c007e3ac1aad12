import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sure } from './answer.fixture.ts';
import fixture from './intervals.fixture.json' with { type: 'json' };
import { linearCombination, probabilityAbove } from './linear-combination.ts';
import { jointMomentsOf } from './moments.ts';
import { createRandom } from './random.ts';
import { compareRatios, estimateRatio } from './ratios.ts';
import { relativeDifference } from './relative-difference.ts';
import {
  bothMetrics,
  differenceOfMetrics,
  estimatesOfRatios,
  type MetricEstimates,
  valueByDelta,
  valueBySimulation,
} from './several-metrics.ts';

const alpha = 0.05;

function near(got: number, want: number, tolerance = 1e-9): void {
  expect(Math.abs(got - want), `${got} against ${want}`).toBeLessThanOrEqual(tolerance * Math.abs(want));
}

const metrics: MetricEstimates = {
  kind: 'metrics',
  estimates: [2, 0.5, -1],
  covariance: [
    [0.04, 0.003, -0.002],
    [0.003, 0.0009, 0.0001],
    [-0.002, 0.0001, 0.01],
  ],
};

describe('several metrics of one variant', () => {
  it('come with the covariance matrix that numpy gives (intervals.fixture.py)', () => {
    const got = sure(estimatesOfRatios(jointMomentsOf(fixture.joint.rows)));
    got.covariance.flat().forEach((value, i) => {
      near(value, fixture.joint.covariance.flat()[i]!);
    });
    expect(got.estimates).toHaveLength(got.covariance.length);
  });

  it('their difference has the standard errors of the tests one by one', () => {
    const rows = fixture.joint.rows;
    const [a, b] = [rows.slice(0, Math.floor(rows.length / 2)), rows.slice(Math.floor(rows.length / 2))];
    const difference = differenceOfMetrics(
      sure(estimatesOfRatios(jointMomentsOf(a))),
      sure(estimatesOfRatios(jointMomentsOf(b))),
    );
    difference.estimates.forEach((estimate, i) => {
      const columns = (part: readonly (readonly number[])[]): number[][] =>
        part.map((row) => [row[2 * i]!, row[2 * i + 1]!]);
      const test = compareRatios(jointMomentsOf(columns(a)), jointMomentsOf(columns(b)), { alpha });
      if (test.kind !== 'tested') throw new Error(test.reason);
      near(estimate, test.difference);
      near(Math.sqrt(difference.covariance[i]![i]!), test.standardError);
    });
  });
});

describe('valueByDelta', () => {
  it('agrees with derivatives taken by hand', () => {
    const value = ([a, b, c]: readonly number[]): number => Math.exp(a! * b!) / (1 + c! * c!) + Math.log(a!);
    const [a, b, c] = metrics.estimates as [number, number, number];
    const bulk = Math.exp(a * b);
    const gradient = [(b * bulk) / (1 + c * c) + 1 / a, (a * bulk) / (1 + c * c), (-2 * c * bulk) / (1 + c * c) ** 2];
    const result = sure(valueByDelta(metrics, value, { alpha }));
    result.gradient.forEach((slope, i) => {
      near(slope, gradient[i]!);
    });
    const by = linearCombination(
      { coefficients: gradient, estimates: metrics.estimates, covariance: metrics.covariance },
      { alpha },
    );
    near(result.standardError, by.standardError);
    expect(result.estimate).toBe(value(metrics.estimates));
    near(
      result.varianceShares.reduce((sum, share) => sum + share, 0),
      1,
    );
  });

  it('a linear value is the linear combination', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 3, maxLength: 3 }), (coefficients) => {
        const result = valueByDelta(metrics, (m) => m.reduce((sum, x, i) => sum + coefficients[i]! * x, 0), { alpha });
        const by = linearCombination({ ...metrics, coefficients }, { alpha });
        if (result.kind === 'insufficient') {
          expect(coefficients).toEqual([0, 0, 0]);
          return;
        }
        near(result.standardError, by.standardError, 1e-8);
        expect(result.estimate).toBeCloseTo(by.estimate, 9);
        if (result.interval.kind !== 'bounded') throw new Error(result.interval.kind);
        near(result.interval.upper - result.interval.lower, 2 * 1.959963984540054 * by.standardError, 1e-8);
      }),
    );
  });

  it('a relative change of two variants is the delta-method lift', () => {
    const control = jointMomentsOf([1, 0, 2, 3, 1, 0].map((clicks, i) => [clicks, [5, 2, 6, 9, 4, 3][i]!]));
    const candidate = jointMomentsOf([2, 1, 2, 4, 0, 1].map((clicks, i) => [clicks, [6, 3, 5, 8, 2, 4][i]!]));
    const both = bothMetrics(sure(estimatesOfRatios(control)), sure(estimatesOfRatios(candidate)));
    const result = sure(valueByDelta(both, ([c, t]) => t! / c! - 1, { alpha }));
    // Published worked example of the delta method for ratios: lift .4796, standard error .3878.
    near(result.estimate, 0.479591836734694);
    near(result.standardError, 0.387844007651175);
    const lift = sure(
      relativeDifference(sure(estimateRatio(control, { alpha })), sure(estimateRatio(candidate, { alpha })), { alpha }),
    );
    near(result.standardError, lift.standardError);
  });

  it('at an estimate of 0, and with scales far apart, derivatives keep their digits', () => {
    const scaled: MetricEstimates = {
      kind: 'metrics',
      estimates: [0, 1e9, 1e-9],
      covariance: [
        [1e-8, 0, 0],
        [0, 1e12, 0],
        [0, 0, 1e-22],
      ],
    };
    const functions = [Math.sin, Math.log, Math.sqrt];
    const slopes = [1, 1e-9, 0.5 / Math.sqrt(1e-9)];
    for (const [i, each] of functions.entries()) {
      const result = sure(valueByDelta(scaled, (m) => each(m[i]!), { alpha }));
      near(result.gradient[i]!, slopes[i]!, 1e-9);
      near(result.standardError, slopes[i]! * Math.sqrt(scaled.covariance[i]![i]!), 1e-9);
    }
  });

  it('a value that is no number, or does not react, is said in a sentence', () => {
    expect(valueByDelta(metrics, ([, , c]) => Math.log(c!), { alpha })).toEqual({
      kind: 'insufficient',
      reason: 'the value at the estimates is NaN',
    });
    expect(valueByDelta(metrics, () => 7, { alpha })).toMatchObject({
      reason: 'the value does not react to any metric that shows noise',
    });
    expect(valueByDelta(metrics, ([a]) => (a! > 2 ? Number.NaN : a!), { alpha })).toMatchObject({
      reason: 'the value near the estimate of metric 1 is no finite number',
    });
    expect(() => valueByDelta({ ...metrics, estimates: [1] }, ([a]) => a!, { alpha })).toThrow(
      new RangeError('metrics.covariance.length is 3, must be 1'),
    );
    expect(() => valueByDelta(metrics, ([a]) => a!, { alpha: 0 })).toThrow('alpha is 0, must be in (0, 1)');
  });
});

describe('valueBySimulation', () => {
  it('of a linear value comes to the exact interval and probability', () => {
    const coefficients = [1, -2, 0.5];
    const value = (m: readonly number[]): number => m.reduce((sum, x, i) => sum + coefficients[i]! * x, 0);
    const draws = 40_000;
    const result = sure(
      valueBySimulation(metrics, value, { alpha, random: createRandom('linear value'), draws, threshold: 0.6 }),
    );
    const exact = linearCombination({ ...metrics, coefficients }, { alpha });
    // Four standard errors of the simulation.
    expect(Math.abs(result.mean - exact.estimate)).toBeLessThan((4 * exact.standardError) / Math.sqrt(draws));
    expect(Math.abs(result.standardError / exact.standardError - 1)).toBeLessThan(4 / Math.sqrt(2 * draws));
    expect(Math.abs(result.probabilityAbove - probabilityAbove(exact, 0.6))).toBeLessThan(4 * result.simulationError);
    if (result.interval.kind !== 'bounded' || exact.interval.kind !== 'bounded') throw new Error('bounded expected');
    expect(Math.abs(result.interval.lower - exact.interval.lower)).toBeLessThan(0.05 * exact.standardError);
    expect(Math.abs(result.interval.upper - exact.interval.upper)).toBeLessThan(0.05 * exact.standardError);
  });

  it('sees the kink that the delta method does not', () => {
    const floor: MetricEstimates = { kind: 'metrics', estimates: [0.01], covariance: [[1]] };
    const cut = ([a]: readonly number[]): number => Math.max(0, a!);
    const result = sure(valueBySimulation(floor, cut, { alpha, random: createRandom('kink') }));
    if (result.interval.kind !== 'bounded') throw new Error(result.interval.kind);
    expect(result.interval.lower).toBe(0);
    expect(result.interval.upper).toBeGreaterThan(1.8);
    // Mean of the positive part of a standard normal: 1 / sqrt(2 pi).
    expect(result.mean).toBeCloseTo(0.4, 1);
    const delta = valueByDelta(floor, cut, { alpha });
    if (delta.kind !== 'estimated' || delta.interval.kind !== 'bounded') throw new Error(delta.kind);
    expect(delta.interval.lower).toBeLessThan(0);
  });

  it('takes metrics that repeat one another or are known, and never answers 0 or 1', () => {
    const twice: MetricEstimates = {
      kind: 'metrics',
      estimates: [5, 5, 3],
      covariance: [
        [1, 1, 0],
        [1, 1, 0],
        [0, 0, 0],
      ],
    };
    const options = { alpha, random: createRandom('twice'), draws: 500 };
    expect(valueBySimulation(twice, ([a, b]) => Math.round((a! - b!) * 1e6), options).kind).toBe('insufficient');
    const sum = sure(valueBySimulation(twice, ([a, b, c]) => a! + b! + c!, { ...options, threshold: -100 }));
    expect(sum.probabilityAbove).toBeLessThan(1);
    expect(Math.abs(sum.standardError - 2)).toBeLessThan(0.3);
    const again = sure(valueBySimulation(twice, ([a]) => a!, { ...options, random: createRandom('same'), draws: 200 }));
    expect(valueBySimulation(twice, ([a]) => a!, { ...options, random: createRandom('same'), draws: 200 })).toEqual(
      again,
    );
  });

  it('refuses what is no covariance matrix, and says where the value leaves its domain', () => {
    const random = createRandom('bad');
    const wrong: MetricEstimates = {
      kind: 'metrics',
      estimates: [1, 1],
      covariance: [
        [1, 2],
        [2, 1],
      ],
    };
    expect(() => valueBySimulation(wrong, ([a]) => a!, { alpha, random })).toThrow(/must be positive semidefinite/);
    expect(() => valueBySimulation(metrics, ([a]) => a!, { alpha, random, draws: 5 })).toThrow(
      new RangeError('draws is 5, must be >= 100'),
    );
    expect(valueBySimulation(metrics, ([, , c]) => Math.sqrt(-1 - c! + 0.001), { alpha, random })).toMatchObject({
      reason: 'the value is NaN for metrics that the noise allows',
    });
  });
});
