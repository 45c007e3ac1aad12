import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ends } from './answer.fixture.ts';
import fixture from './compare-proportions.fixture.json' with { type: 'json' };
import { testProportions } from './compare-proportions.ts';
import { binomial, compareProportions, fisherExact, type ProportionTestResult } from './index.ts';

const alpha = 0.05;

function tested(counts: readonly number[], options: Parameters<typeof compareProportions>[2]): ProportionTestResult {
  const [x0, n0, x1, n1] = counts as [number, number, number, number];
  const result = compareProportions({ successes: x0, n: n0 }, { successes: x1, n: n1 }, options);
  if (result.kind !== 'tested') throw new Error(result.reason);
  return result;
}

describe('compareProportions of rare events', () => {
  it('takes Fisher’s mid-p with the melded interval, as R’s own distributions give them', () => {
    for (const row of fixture) {
      for (const [test, pValue, interval] of [
        ['mid-p', row.midP, row.mid],
        ['exact', row.exactP, row.exact],
      ] as const) {
        const result = tested(row.counts, { alpha, test });
        expect(Math.abs(result.pValue / pValue - 1), `${row.counts} ${test}`).toBeLessThan(1e-9);
        expect(Math.abs(result.exactPValue! / row.fisherP - 1), `${row.counts} ${test}`).toBeLessThan(1e-9);
        for (const [i, end] of ends(result).entries())
          expect(Math.abs(end - interval[i]!), `${row.counts} ${test}`).toBeLessThan(1e-9);
      }
    }
  });

  it('says which test it took and why, and what Fisher’s exact test says', () => {
    const rare = tested([0, 1000, 8, 1000], { alpha });
    expect(rare.method).toBe("Fisher's mid-p test with melded interval");
    expect(rare.because).toBe(
      'the smallest cell holds 0 units, and 4 are the fewest expected with equal rates: too few for the normal approximation, which takes 5',
    );
    expect(Math.abs(rare.exactPValue! / 0.0077034808510839 - 1)).toBeLessThan(1e-12);
    const many = tested([22, 1851, 5, 649], { alpha });
    expect(many.method).toBe('pooled z-test with score interval');
    expect(many).not.toHaveProperty('because');
    expect(many).not.toHaveProperty('exactPValue');
    expect(tested([4, 1000, 40, 1000], { alpha }).method).toContain('mid-p');
    expect(tested([90, 10_000, 5, 100], { alpha }).method).toContain('mid-p');
    expect(tested([5, 1000, 5, 1000], { alpha }).method).toContain('pooled z');
    expect(tested([996, 1000, 995, 1000], { alpha }).method).toContain('mid-p');
    expect(tested([22, 1851, 5, 649], { alpha, test: 'exact' }).because).toContain('this test was asked for');
  });

  it('is exactly twice the smaller tail: Fisher’s two-sided p where both arms are equal', () => {
    const { pValue } = tested([0, 1000, 8, 1000], { alpha, test: 'exact' });
    expect(Math.abs(pValue / 0.0077034808510839 - 1)).toBeLessThan(1e-12);
    const fisher = fisherExact({ successes: 0, n: 1000 }, { successes: 8, n: 1000 });
    expect(fisher.kind === 'tested' && fisher.pValue).toBeCloseTo(pValue, 14);
  });

  it('keeps its digits where the tail is 1e-34', () => {
    // R: 2 * dhyper(8, 10, 100000, 8) / 2
    expect(Math.abs(tested([0, 100_000, 8, 10], { alpha }).pValue / 1.81345679171816e-34 - 1)).toBeLessThan(1e-11);
  });

  const side = fc
    .integer({ min: 1, max: 300 })
    .chain((n) => fc.record({ n: fc.constant(n), successes: fc.integer({ min: 0, max: Math.min(n, 8) }) }));

  it('leaves 0 out of the interval exactly when p is below alpha, at any alpha, and swaps signs with the arms', () => {
    const level = fc.double({ min: 1e-6, max: 0.9, noNaN: true });
    fc.assert(
      fc.property(side, side, level, fc.constantFrom('mid-p', 'exact'), (a, b, level, test) => {
        const there = compareProportions(a, b, { alpha: level, test });
        const back = compareProportions(b, a, { alpha: level, test });
        expect(there.kind).toBe(back.kind);
        if (there.kind !== 'tested' || back.kind !== 'tested') return;
        const [lower, upper] = ends(there);
        expect(lower).toBeLessThanOrEqual(upper);
        expect(ends(back)[0]).toBeCloseTo(-upper, 9);
        expect(ends(back)[1]).toBeCloseTo(-lower, 9);
        expect(back.pValue).toBeCloseTo(there.pValue, 11);
        // At the edge twelve digits of an end decide, and either answer is right.
        if (Math.abs(there.pValue / level - 1) < 1e-8) return;
        expect(lower > 0 || upper < 0, `p ${there.pValue}, [${lower}, ${upper}]`).toBe(there.pValue < level);
      }),
      { numRuns: 150 },
    );
  });

  it('alarms in at most 5.7 % of tests, summed over all tables, where the pooled z-test does in 9.3 %', () => {
    const level = (units: readonly [number, number], rate: number, asked: 'automatic' | 'pooled-z'): number => {
      const [before, after] = units.map((n) => binomial(n, rate));
      let sum = 0;
      for (let x = before!.quantile(1e-8); x <= before!.isf(1e-8); x += 1) {
        for (let y = after!.quantile(1e-8); y <= after!.isf(1e-8); y += 1) {
          const [control, candidate] = [
            { n: units[0], successes: x },
            { n: units[1], successes: y },
          ];
          const result = testProportions(control, candidate, asked);
          if (result.kind === 'tested' && result.pValue < alpha) sum += before!.pdf(x) * after!.pdf(y);
        }
      }
      return sum;
    };
    // The worst rate of each split, of 17 between 0.0002 and 0.5.
    for (const [units, rate] of [
      [[1000, 1000], 0.012],
      [[9000, 1000], 0.008],
      [[30, 30], 0.5],
      [[100, 20], 0.4],
      [[50, 50], 0.5],
      [[200, 1000], 0.03],
      [[10_000, 100], 0.03],
      [[1000, 30], 0.2],
      [[12, 12], 0.3],
    ] as const) {
      expect(level(units, rate, 'automatic'), `${units}`).toBeLessThan(0.057);
    }
    expect(level([10_000, 100], 0.001, 'pooled-z')).toBeCloseTo(0.0928, 4);
    expect(level([10_000, 100], 0.001, 'automatic')).toBeLessThan(0.01);
  });

  it('reaches to the very end where everything happened on one side and nothing on the other, and widens as alpha falls', () => {
    for (const [x0, n0, x1, n1] of [
      [1, 1, 0, 1],
      [2, 2, 0, 3],
      [0, 2, 3, 3],
      [1, 3, 2, 2],
      [0, 1, 1, 4],
    ] as const) {
      let last = [0, 0];
      for (const [i, alpha] of [0.9, 0.5, 0.1, 0.05, 1e-3, 1e-6].entries()) {
        const now = ends(tested([x0, n0, x1, n1], { alpha }));
        if (x0 === n0 && x1 === 0) expect(now[0]).toBe(-1);
        if (x0 === 0 && x1 === n1) expect(now[1]).toBe(1);
        if (i > 0) expect(now[0]).toBeLessThanOrEqual(last[0]!);
        if (i > 0) expect(now[1]).toBeGreaterThanOrEqual(last[1]!);
        last = [...now];
      }
    }
  });

  it('rounds fractions for an exact test, and says when nothing is left', () => {
    const rebuilt = tested([0.0006 * 1000, 1000, 0.0082 * 1000, 1000], { alpha });
    const counted = tested([1, 1000, 8, 1000], { alpha });
    expect(rebuilt.pValue).toBe(counted.pValue);
    expect(rebuilt.difference).toBeCloseTo(0.0076, 12);
    expect(compareProportions({ successes: 0.2, n: 100 }, { successes: 0.3, n: 100 }, { alpha })).toEqual({
      kind: 'insufficient',
      reason: 'rounded to whole units, as an exact test takes them, the rates cannot be told apart',
    });
    expect(() => tested([1, 9, 1, 9], { alpha, test: 'z' as 'pooled-z' })).toThrow(
      new RangeError('test is z, must be automatic, pooled-z, mid-p or exact'),
    );
  });
});
