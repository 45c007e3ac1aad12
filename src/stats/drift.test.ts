import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearWithin, sure } from './answer.fixture.ts';
import { compareDistributions, fitsDistribution, populationStability, stabilityIndex } from './drift.ts';
import { kolmogorovTail, oneSampleTail } from './kolmogorov.ts';
import quality from './model-quality.fixture.json' with { type: 'json' };
import reference from './models.fixture.json' with { type: 'json' };
import { normal } from './normal.ts';
import { createRandom } from './random.ts';

const near = nearWithin(1e-9);

describe('population stability index', () => {
  it('gives the published value, from shares and from counts', () => {
    near(populationStability([0.1, 0.2, 0.4, 0.2, 0.1], [0.15, 0.25, 0.3, 0.2, 0.1]), 0.0601986402162968);
    const got = sure(stabilityIndex([10, 20, 40, 20, 10], [300, 500, 600, 400, 200]));
    near(got.index, 0.0601986402162968);
    expect(got.df).toBe(4);
  });

  it('is symmetric, 0 for equal shares, and its test alarms at about its level without drift', () => {
    const shares = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(shares, shares, (one, two) => {
        const there = sure(stabilityIndex(one, two));
        near(sure(stabilityIndex(two, one)).index + 1, there.index + 1, 1e-12);
        expect(there.index).toBeGreaterThanOrEqual(0);
        expect(
          sure(
            stabilityIndex(
              one,
              one.map((count) => 3 * count),
            ),
          ).index,
        ).toBeCloseTo(0, 12);
      }),
      { seed: 13 },
    );
    const random = createRandom('drift');
    let alarms = 0;
    for (let round = 0; round < 1000; round += 1) {
      const draw = (n: number): number[] => {
        const counts = [0, 0, 0, 0, 0];
        for (let i = 0; i < n; i += 1) counts[Math.floor(5 * random.uniform() ** 1.3)]! += 1;
        return counts;
      };
      if (sure(stabilityIndex(draw(300), draw(200))).pValue < 0.05) alarms += 1;
    }
    expect(alarms / 1000).toBeGreaterThan(0.03);
    expect(alarms / 1000).toBeLessThan(0.07);
  });

  it('is insufficient, not infinite, where a bin is empty on one side; bad input is refused', () => {
    expect(stabilityIndex([5, 0], [5, 5])).toMatchObject({
      reason: 'bin 1 is empty in one sample only; merge it with another',
    });
    expect(stabilityIndex([5, 0], [5, 0])).toMatchObject({ kind: 'insufficient' });
    expect(stabilityIndex([0, 0], [5, 5])).toMatchObject({ reason: 'the reference is empty' });
    expect(() => stabilityIndex([1], [1, 2])).toThrow(new RangeError('current.length is 2, must be 1 as in reference'));
    expect(() => populationStability([0.5, 0.5], [1, 0])).toThrow('current[1] is 0, must be > 0');
  });
});

describe('Kolmogorov-Smirnov', () => {
  it('two samples agree with R, exact also with ties', () => {
    const plain = sure(compareDistributions(reference['ks one'], reference['ks two']));
    near(plain.statistic, reference['ks two-sample D p'][0]!);
    near(plain.pValue, reference['ks two-sample D p'][1]!);
    const tied = sure(compareDistributions(reference['ks tied one'], reference['ks tied two']));
    near(tied.statistic, reference['ks tied D p'][0]!);
    near(tied.pValue, reference['ks tied D p'][1]!);
  });

  it('one sample agrees with R and with the published p for n = 25', () => {
    const values = Array.from({ length: 18 }, (_, i) => (0.05 + (i * 0.91) / 17) ** 2);
    const got = sure(fitsDistribution(values, (x) => x));
    near(got.statistic, reference['ks punif D p'][0]!);
    near(got.pValue, reference['ks punif D p'][1]!);
    // Published with its D only; the sample is not given, and 25 is the one size that has this p.
    near(oneSampleTail(25, 0.174091881198877), 0.389741171867919, 1e-11);
  });

  it('the law of one sample agrees with scipy and mpmath: exactly to n = 1000 and far out, near enough beyond', () => {
    for (const [n, d, want] of quality.kolmogorov as [number, number, number][]) {
      // At n = 1000 it is scipy that approximates.
      const isExact = n < 1000 || n * d * d >= 4;
      near(oneSampleTail(n, d), want, isExact ? 2e-9 : n === 1000 ? 1e-5 : 2e-3);
    }
    for (const [x, want] of quality.limit as [number, number][]) near(kolmogorovTail(x), want, 1e-12);
  });

  it('swapping samples changes nothing, nor does a rising change of both, and large samples meet the exact answer', () => {
    const sample = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 2, maxLength: 30 });
    fc.assert(
      fc.property(sample, sample, (one, two) => {
        const there = compareDistributions(one, two);
        if (there.kind === 'insufficient') return;
        expect(sure(compareDistributions(two, one)).pValue).toBeCloseTo(there.pValue, 12);
        const cubed = (values: readonly number[]) => values.map((x) => x ** 3);
        expect(sure(compareDistributions(cubed(one), cubed(two))).pValue).toBe(there.pValue);
        expect(there.pValue > 0 && there.pValue <= 1 + 1e-12).toBe(true);
      }),
      { seed: 14 },
    );
    const random = createRandom('ks');
    const draw = (n: number, shift: number) => Array.from({ length: n }, () => random.normal() + shift);
    const large = sure(compareDistributions(draw(150, 0), draw(150, 0.15)));
    expect(large.method).toMatch(/limit/);
    expect(sure(compareDistributions(draw(2000, 0), draw(2000, 1))).pValue).toBeLessThan(1e-50);
    expect(sure(fitsDistribution(draw(3000, 0), normal.cdf)).pValue).toBeGreaterThan(0.001);
  });

  it('is insufficient for an empty or constant sample, and refuses what is no distribution', () => {
    expect(compareDistributions([], [1])).toMatchObject({ reason: 'the reference is empty' });
    expect(compareDistributions([1, 1], [1])).toMatchObject({ kind: 'insufficient' });
    expect(fitsDistribution([], (x) => x)).toMatchObject({ kind: 'insufficient' });
    expect(() => fitsDistribution([2], (x) => x)).toThrow('cdf(2) is 2, must be in [0, 1]');
    expect(() => compareDistributions([1, Number.NaN], [1])).toThrow('reference[1] is NaN, must be finite');
  });
});
