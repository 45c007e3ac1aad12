import { describe, expect, it } from 'vitest';
import {
  compareQuantiles,
  createRandom,
  estimateQuantile,
  type QuantileSample,
  quantileOf,
  quantileSampleOf,
} from './index.ts';

const alpha = 0.05;

describe('quantiles by unit', () => {
  it('with one row per unit the error is half the width of the order-statistic interval over z', () => {
    const sample = quantileSampleOf(
      Array.from({ length: 400 }, (_, i) => [i * i]),
      0.5,
    );
    const result = estimateQuantile(sample, { alpha });
    if (result.kind !== 'estimated' || result.interval.kind !== 'bounded') throw new Error(JSON.stringify(result));
    const simple = (sample.upper - sample.lower) / (2 * 1.959963984540054);
    // The unit-level variance has n - 1 where the binomial one has n.
    expect(result.standardError / simple).toBeCloseTo(Math.sqrt(400 / 399), 10);
    expect(result.interval.upper - result.interval.lower).toBeCloseTo(2 * 1.959963984540054 * result.standardError, 9);
  });

  it('holds its coverage for the median of users with many requests, where independent rows would not', () => {
    const random = createRandom('quantile coverage');
    let covered = 0;
    let naive = 0;
    const rounds = 600;
    for (let round = 0; round < rounds; round += 1) {
      const units = Array.from({ length: 100 }, () => {
        const level = random.normal();
        return Array.from({ length: 1 + random.integer(20) }, () => level + 0.5 * random.normal());
      });
      const sample = quantileSampleOf(units, 0.5);
      const estimate = estimateQuantile(sample, { alpha });
      if (estimate.kind !== 'estimated' || estimate.interval.kind !== 'bounded') throw new Error('bounded expected');
      if (estimate.interval.lower <= 0 && estimate.interval.upper >= 0) covered += 1;
      if (sample.lower <= 0 && sample.upper >= 0) naive += 1;
    }
    // 95 % less three binomial standard errors (2.7 points) and one for 100 units.
    expect(covered / rounds).toBeGreaterThan(0.913);
    expect(naive / rounds).toBeLessThan(0.7);
  });

  it('false alarms of p95 between equal arms stay near 5 %', () => {
    const random = createRandom('quantile false alarms');
    let alarms = 0;
    const rounds = 600;
    for (let round = 0; round < rounds; round += 1) {
      const arm = (): QuantileSample =>
        quantileSampleOf(
          Array.from({ length: 150 }, () => {
            const level = random.normal();
            return Array.from({ length: 1 + random.integer(20) }, () => Math.exp(level * 0.5 + 0.5 * random.normal()));
          }),
          0.95,
        );
      const result = compareQuantiles(arm(), arm(), { alpha });
      if (result.kind !== 'tested') throw new Error(result.reason);
      if (result.pValue < alpha) alarms += 1;
    }
    // 5 % plus three binomial standard errors (2.7 points).
    expect(alarms / rounds).toBeLessThan(0.077);
  });

  it('swapping the arms flips the signs', () => {
    const a = quantileSampleOf(
      Array.from({ length: 300 }, (_, i) => [i, i * 2]),
      0.9,
    );
    const b = quantileSampleOf(
      Array.from({ length: 300 }, (_, i) => [i + 5, i * 2.2]),
      0.9,
    );
    const there = compareQuantiles(a, b, { alpha });
    const back = compareQuantiles(b, a, { alpha });
    if (there.kind !== 'tested' || back.kind !== 'tested') throw new Error('tested expected');
    expect(back.difference).toBe(-there.difference);
    expect(back.pValue).toBe(there.pValue);
  });

  it('too little to say is said in a sentence, and contradictions are refused', () => {
    const few = quantileSampleOf([[1], [2], [3]], 0.95);
    expect(estimateQuantile(few, { alpha })).toEqual({
      kind: 'insufficient',
      reason: 'the sample has 3 rows, too few to bound its 0.95 quantile on both sides',
    });
    const flat = quantileSampleOf(
      Array.from({ length: 200 }, () => [7]),
      0.5,
    );
    expect(estimateQuantile(flat, { alpha })).toMatchObject({
      reason: 'the sample shows no spread around its 0.5 quantile',
    });
    const ok = quantileSampleOf(
      Array.from({ length: 200 }, (_, i) => [i]),
      0.5,
    );
    expect(compareQuantiles({ ...ok, rows: 0 }, ok, { alpha })).toMatchObject({ reason: 'control has no rows yet' });
    expect(() => compareQuantiles(ok, { ...ok, q: 0.9 }, { alpha })).toThrow(
      new RangeError('candidate.q is 0.9, must be 0.5 as in control'),
    );
    expect(() => estimateQuantile({ ...ok, q: 1 }, { alpha })).toThrow('the sample.q is 1, must be in (0, 1)');
    expect(() => estimateQuantile({ ...ok, estimate: 1e9 }, { alpha })).toThrow(/the sample.estimate is 1000000000/);
  });
});

describe('quantileOf', () => {
  it('agrees with R 4.2 quantile() types 1, 6 and 7', () => {
    const sorted = [1, 2, 4, 7, 11, 16, 22, 29, 37, 46];
    const at = (type: 1 | 6 | 7): number[] => [0.1, 0.5, 0.9].map((q) => quantileOf(sorted, q, { type }));
    const near = (got: number[], want: number[]): void => {
      got.forEach((value, i) => {
        expect(value).toBeCloseTo(want[i]!, 12);
      });
    };
    near(at(7), [1.9, 13.5, 37.9]);
    near(at(6), [1.1, 13.5, 45.1]);
    near(at(1), [1, 11, 37]);
    expect(quantileOf([3], 0)).toBe(3);
    expect(quantileOf(sorted, 1)).toBe(46);
    expect(() => quantileOf([], 0.5)).toThrow(new RangeError('sorted.length is 0, must be > 0'));
    expect(() => quantileOf(sorted, -0.1)).toThrow('q is -0.1, must be in [0, 1]');
  });
});
