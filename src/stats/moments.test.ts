import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom, jointMomentsOf, mergeJointMoments, mergeMoments, momentsOf, varianceOf } from './index.ts';

const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { maxLength: 40 });
const near = (got: number, want: number, scale: number): void =>
  expect(Math.abs(got - want)).toBeLessThanOrEqual(1e-10 * Math.max(1, scale));

describe('moments', () => {
  it('a mean of 1e9 with spread 1 keeps 9 digits of its variance, also when merged from pieces', () => {
    const random = createRandom('far from zero');
    // Rounded to the grid of doubles near 1e9, so that the deviations below are exact.
    const sample = Array.from({ length: 20_000 }, () => 1e9 + random.normal());
    const exact = momentsOf(sample.map((value) => value - 1e9));
    expect(Math.abs(varianceOf(momentsOf(sample)) / varianceOf(exact) - 1)).toBeLessThan(1e-12);
    const pieces = [0, 1, 2, 3, 4].map((i) => sample.slice(i * 4000, (i + 1) * 4000));
    const merged = pieces.map((piece) => momentsOf(piece)).reduce(mergeMoments);
    expect(Math.abs(varianceOf(merged) / varianceOf(exact) - 1)).toBeLessThan(1e-9);
    const joint = pieces
      .map((piece) => jointMomentsOf(piece.map((value) => [value, 1e9 - value])))
      .reduce(mergeJointMoments);
    expect(Math.abs(joint.m2[0]![1]! / -exact.m2 - 1)).toBeLessThan(1e-9);
    // The customary sum of squares has nothing left of it.
    const raw = sample.reduce((sum, v) => sum + v * v, 0) - sample.reduce((sum, v) => sum + v, 0) ** 2 / sample.length;
    expect(Math.abs(raw / exact.m2 - 1)).toBeGreaterThan(0.01);
  });

  it('merging any grouping in any order equals one pass', () => {
    fc.assert(
      fc.property(fc.array(values, { maxLength: 8 }), fc.integer({ min: 0, max: 7 }), (groups, turn) => {
        const all = momentsOf(groups.flat());
        const turned = [...groups.slice(turn), ...groups.slice(0, turn)];
        const merged = turned.map((group) => momentsOf(group)).reduce(mergeMoments, momentsOf([]));
        const right = turned.map((group) => momentsOf(group)).reduceRight((a, b) => mergeMoments(b, a), momentsOf([]));
        for (const one of [merged, right]) {
          expect(one.n).toBe(all.n);
          near(one.mean, all.mean, 1e6);
          near(one.m2, all.m2, all.m2 + 1e12 * Number.EPSILON * all.n);
        }
      }),
      { seed: 1 },
    );
  });

  it('joint moments merge likewise, stay symmetric and agree with single columns', () => {
    const row = fc.tuple(...Array.from({ length: 3 }, () => fc.double({ min: -1e3, max: 1e3, noNaN: true })));
    fc.assert(
      fc.property(fc.array(fc.array(row, { maxLength: 10 }), { maxLength: 6 }), (groups) => {
        const all = jointMomentsOf(groups.flat());
        const merged = groups.map((group) => jointMomentsOf(group)).reduce(mergeJointMoments, jointMomentsOf([]));
        expect(merged.n).toBe(all.n);
        for (let i = 0; i < all.mean.length; i += 1) {
          const single = momentsOf(groups.flat().map((r) => r[i]!));
          near(all.m2[i]![i]!, single.m2, 1e6 * all.n);
          near(merged.mean[i]!, all.mean[i]!, 1e3);
          for (let j = 0; j < all.mean.length; j += 1) {
            near(merged.m2[i]![j]!, all.m2[i]![j]!, 1e6 * all.n);
            expect(all.m2[i]![j]).toBe(all.m2[j]![i]);
          }
        }
      }),
      { seed: 2 },
    );
  });

  it('a comoment is the sum of products of deviations', () => {
    const joint = jointMomentsOf([
      [1, 10],
      [2, 30],
      [6, 20],
    ]);
    expect(joint.mean).toEqual([3, 20]);
    expect(joint.m2).toEqual([
      [14, 10],
      [10, 200],
    ]);
  });

  it('bad input is refused by name, value and rule', () => {
    expect(() => momentsOf([1, Number.NaN])).toThrow(new RangeError('values[1] is NaN, must be finite'));
    expect(() => jointMomentsOf([[1, 2], [3]])).toThrow('rows[1].length is 1, must be 2 as in the first row');
    expect(() => jointMomentsOf([[1, Number.POSITIVE_INFINITY]])).toThrow('rows[0][1] is Infinity, must be finite');
    expect(() => mergeMoments({ n: 1, mean: 0, m2: -1 }, momentsOf([]))).toThrow('a.m2 is -1, must be finite and >= 0');
    expect(() => mergeMoments(momentsOf([]), { n: 1.5, mean: 0, m2: 0 })).toThrow(
      'b.n is 1.5, must be a whole number >= 0',
    );
    expect(() => mergeJointMoments(jointMomentsOf([[1]]), jointMomentsOf([[1, 2]]))).toThrow(
      'b.mean.length is 2, must be 1 as in a',
    );
    expect(() => varianceOf(momentsOf([1]))).toThrow('moments.n is 1, must be >= 2');
  });
});
