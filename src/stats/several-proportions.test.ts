import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareProportions } from './compare-proportions.ts';
import { linearCombination } from './linear-combination.ts';
import { compareSeveralProportions } from './several-proportions.ts';

describe('several proportions', () => {
  it('agree with the smokers of R’s help page of prop.test', () => {
    // Fleiss 1981, p. 139: X-squared = 12.6004, df = 3, p-value = 0.005585.
    const smokers = [83, 90, 129, 70].map((successes, index) => ({ successes, n: [86, 93, 136, 82][index]! }));
    const result = compareSeveralProportions(smokers);
    if (result.kind !== 'tested') throw new Error(result.reason);
    expect(result.statistic).toBeCloseTo(12.6004112971276, 11);
    expect(result.df).toBe(3);
    expect(Math.abs(result.pValue / 0.00558547666162703 - 1)).toBeLessThan(1e-9);
  });

  it('are the pooled z-test squared when there are two', () => {
    const count = fc.integer({ min: 1, max: 500 });
    fc.assert(
      fc.property(count, count, count, count, (a, b, c, d) => {
        const control = { successes: Math.min(a, b), n: Math.max(a, b) };
        const candidate = { successes: Math.min(c, d), n: Math.max(c, d) };
        const pair = compareProportions(control, candidate, { alpha: 0.05, test: 'pooled-z' });
        const several = compareSeveralProportions([control, candidate]);
        expect(several.kind).toBe(pair.kind);
        if (pair.kind !== 'tested' || several.kind !== 'tested') return;
        expect(several.statistic).toBeCloseTo(pair.statistic ** 2, 9);
        expect(several.pValue).toBeCloseTo(pair.pValue, 9);
      }),
    );
  });

  it('answer insufficient or refuse where there is nothing to compare', () => {
    expect(
      compareSeveralProportions([
        { successes: 0, n: 5 },
        { successes: 0, n: 9 },
      ]),
    ).toMatchObject({ reason: 'nothing happened in any variant' });
    expect(
      compareSeveralProportions([
        { successes: 5, n: 5 },
        { successes: 9, n: 9 },
      ]),
    ).toMatchObject({ reason: 'everything happened in every variant' });
    expect(
      compareSeveralProportions([
        { successes: 1, n: 5 },
        { successes: 0, n: 0 },
      ]),
    ).toMatchObject({ reason: 'variant 2 has no units' });
    expect(() => compareSeveralProportions([{ successes: 1, n: 5 }])).toThrow('samples.length is 1, must be >= 2');
    expect(() =>
      compareSeveralProportions([
        { successes: 6, n: 5 },
        { successes: 1, n: 5 },
      ]),
    ).toThrow(RangeError);
  });

  it('have the textbook (Wald) interval as a linear combination with unpooled variances', () => {
    // R 4.2 prop.test(c(56, 48), c(70, 80), correct = FALSE).
    const [p, q] = [56 / 70, 48 / 80];
    const covariance = [
      [(p * (1 - p)) / 70, 0],
      [0, (q * (1 - q)) / 80],
    ];
    const wald = linearCombination({ coefficients: [1, -1], estimates: [p, q], covariance }, { alpha: 0.05 });
    if (wald.kind !== 'combined' || wald.interval.kind !== 'bounded') throw new Error('no interval');
    expect(wald.interval.lower).toBeCloseTo(0.0575048991, 9);
    expect(wald.interval.upper).toBeCloseTo(0.3424951009, 9);
  });
});
