import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearWithin } from './answer.fixture.ts';
import { momentsOf } from './moments.ts';
import { studentT } from './student-t.ts';
import { compareAllPairs, studentizedRange } from './studentized-range.ts';
import reference from './survival.fixture.json' with { type: 'json' };

const alpha = 0.05;
const near = nearWithin(1e-9);

describe('studentizedRange', () => {
  it('agrees with R’s ptukey to its own accuracy', () => {
    for (const [q, groups, df, p] of reference.range) {
      near(studentizedRange(Number(groups), Number(df)).sf(Number(q)), Number(p), 2e-9);
    }
  });

  it('agrees with scipy.stats.studentized_range, which integrates adaptively', () => {
    near(studentizedRange(3, 27).sf(3.5), 0.050490680599995286, 1e-12);
    near(studentizedRange(4, 12).sf(6), 0.005431890764692415, 1e-11);
  });

  it('has the upper twentieth of 3 means with 27 degrees of freedom at 3.50642612335415', () => {
    const quantile = studentizedRange(3, 27).isf(0.05);
    // R's qtukey gives 3.50642612339269: its search stops early. scipy's ppf gives 3.506426123354149.
    near(quantile, 3.50642612339269, 2e-11);
    near(quantile, 3.506426123354149, 1e-11);
  });

  it('with two means is root 2 times Student’s t, far into the tail', () => {
    for (const [q, df] of [
      [0.3, 1],
      [2, 3],
      [9, 30],
      [30, 12],
      [40, 200],
      [0.01, 7],
    ] as const) {
      near(studentizedRange(2, df).sf(q), 2 * studentT(df).sf(q / Math.SQRT2), 1e-9);
    }
  });

  it('falls with q, rises with groups, and isf turns it round', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 12, noNaN: true }),
        fc.integer({ min: 2, max: 12 }),
        fc.integer({ min: 1, max: 100 }),
        (q, groups, df) => {
          const range = studentizedRange(groups, df);
          const p = range.sf(q);
          expect(range.sf(q * 1.1)).toBeLessThan(p);
          expect(studentizedRange(groups + 1, df).sf(q)).toBeGreaterThan(p);
        },
      ),
      { numRuns: 3, seed: 27 },
    );
    const range = studentizedRange(5, 9);
    near(range.sf(range.isf(1e-6)), 1e-6, 1e-9);
    const known = studentizedRange(5, Infinity);
    near(known.sf(known.isf(0.9)), 0.9, 1e-10);
  });

  it('refuses what it cannot take', () => {
    expect(() => studentizedRange(1, 3)).toThrow(new RangeError('groups is 1, must be whole, in 2..1000'));
    expect(() => studentizedRange(3, 0.5)).toThrow('df is 0.5, must be >= 1');
    expect(() => studentizedRange(3, 5).isf(1)).toThrow('p is 1, must be in [1e-100, 1)');
    expect(() => studentizedRange(3, 5).sf(Number.NaN)).toThrow('q is NaN, must be a number');
    expect(studentizedRange(3, 5).sf(-1)).toBe(1);
    expect(studentizedRange(3, 5).sf(Infinity)).toBe(0);
  });
});

describe('compareAllPairs', () => {
  it('agrees with R’s TukeyHSD on PlantGrowth', () => {
    const pairs = compareAllPairs(reference.plants.map(momentsOf), { alpha });
    if ('kind' in pairs) throw new Error(pairs.reason);
    expect(pairs.map(({ first, second }) => [first, second])).toEqual([
      [0, 1],
      [0, 2],
      [1, 2],
    ]);
    for (const [i, { result }] of pairs.entries()) {
      const [difference, lower, upper, p] = reference.tukey[i] as [number, number, number, number];
      if (result.interval.kind !== 'bounded') throw new Error(result.interval.kind);
      near(result.difference, difference, 1e-12);
      near(result.interval.lower, lower, 1e-9);
      near(result.interval.upper, upper, 1e-9);
      near(result.pValue, p, 1e-8);
      expect(result.interval.lower > 0 || result.interval.upper < 0).toBe(result.pValue < alpha);
    }
  });

  it('says when there is nothing to compare', () => {
    const [one, none] = [momentsOf([1]), momentsOf([])];
    expect(compareAllPairs([one], { alpha })).toMatchObject({ reason: 'there are fewer than 2 groups' });
    expect(compareAllPairs([one, none], { alpha })).toMatchObject({ reason: 'group 1 has no units yet' });
    expect(compareAllPairs([one, one], { alpha })).toMatchObject({
      reason: 'every group has one unit; a spread needs at least two in one',
    });
    expect(compareAllPairs([momentsOf([2, 2]), one], { alpha })).toMatchObject({
      reason: 'no value varies within its group',
    });
  });
});
