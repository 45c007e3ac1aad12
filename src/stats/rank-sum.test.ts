import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Insufficient } from './interval.ts';
import reference from './rank-sum.fixture.json' with { type: 'json' };
import { type RankSumResult, rankSum } from './rank-sum.ts';

const alpha = 0.05;

function tested(result: RankSumResult | Insufficient): RankSumResult {
  if (result.kind !== 'tested') throw new Error(result.reason);
  return result;
}

describe('rankSum', () => {
  it.each(reference)('agrees with R 4.2 wilcox.test, U = $U', (row) => {
    const result = tested(rankSum(row.control, row.candidate, { alpha }));
    expect(result.statistic).toBe(row.U);
    expect(Math.abs(result.pValue / row.p - 1)).toBeLessThan(1e-9);
    if (row.interval[0] === row.interval[1]) {
      expect(result.interval.kind).toBe('insufficient');
      return;
    }
    if (result.interval.kind !== 'bounded') throw new Error(result.interval.kind);
    expect(Math.abs(result.interval.lower - row.interval[0]!)).toBeLessThan(1e-10);
    expect(Math.abs(result.interval.upper - row.interval[1]!)).toBeLessThan(1e-10);
  });

  it('agrees with the published W = 35 of R’s help, one-sided p .127206127206127', () => {
    const { control, candidate } = reference[0]!;
    const result = tested(rankSum(control, candidate, { alpha }));
    expect(result.statistic).toBe(35);
    expect(result.method).toBe('rank-sum test, exact');
    expect(Math.abs(result.pValue / (2 * 0.127206127206127) - 1)).toBeLessThan(1e-12);
  });

  it('keeps its digits far out: two separate samples of 49 have p = 2 / (98 choose 49)', () => {
    const rising = Array.from({ length: 49 }, (_, i) => i);
    const result = tested(
      rankSum(
        rising,
        rising.map((x) => x + 100),
        { alpha },
      ),
    );
    const orders = rising.reduce((product, i) => (product * (50 + i)) / (1 + i), 1);
    expect(Math.abs((result.pValue * orders) / 2 - 1)).toBeLessThan(1e-11);
  });

  it('swapping the arms mirrors everything, and only the order of values matters', () => {
    const sample = fc.array(fc.integer({ min: -30, max: 30 }), { minLength: 2, maxLength: 60 });
    fc.assert(
      fc.property(sample, sample, (a, b) => {
        const there = rankSum(a, b, { alpha });
        const back = rankSum(b, a, { alpha });
        expect(there.kind).toBe(back.kind);
        if (there.kind !== 'tested' || back.kind !== 'tested') return;
        expect(back.superiority).toBeCloseTo(1 - there.superiority, 12);
        expect(back.pValue).toBeCloseTo(there.pValue, 12);
        if (there.interval.kind === 'bounded' && back.interval.kind === 'bounded') {
          expect(back.interval.lower).toBeCloseTo(1 - there.interval.upper, 9);
        }
        const cubes = rankSum(
          a.map((x) => x ** 3),
          b.map((x) => x ** 3),
          { alpha },
        );
        expect(cubes).toEqual(there);
        // By counting pairs.
        const pairs = a.reduce((sum, x) => sum + b.reduce((s, y) => s + (y > x ? 1 : y === x ? 0.5 : 0), 0), 0);
        expect(there.statistic).toBe(pairs);
      }),
    );
  });

  it('too little to say is said in a sentence, and bad input refused', () => {
    expect(rankSum([], [1], { alpha })).toEqual({ kind: 'insufficient', reason: 'control has no units yet' });
    expect(rankSum([1], [], { alpha })).toMatchObject({ reason: 'candidate has no units yet' });
    expect(rankSum([2, 2], [2], { alpha })).toMatchObject({
      reason: 'all values are equal, so no side can be larger',
    });
    expect(tested(rankSum([1], [2, 3], { alpha })).interval).toMatchObject({
      reason: 'a side has one unit; a spread needs at least two',
    });
    expect(() => rankSum([1, Number.NaN], [2], { alpha })).toThrow(new RangeError('control[1] is NaN, must be finite'));
    expect(() => rankSum([1], [2], { alpha: 1.2 })).toThrow('alpha is 1.2, must be in (0, 1)');
  });
});

const cookieCats = new URL('../../../shared/data/cookie_cats.csv', import.meta.url);
const isThere = existsSync(cookieCats);
if (!isThere) console.log('skipped: the Cookie Cats data (../shared/data/cookie_cats.csv) are not on this machine');

describe.skipIf(!isThere)('game rounds of Cookie Cats by ranks', () => {
  it('agree with R 4.2: p .0502088077204426', () => {
    const rounds: Record<string, number[]> = { gate_30: [], gate_40: [] };
    for (const line of readFileSync(cookieCats, 'utf8').trim().split('\n').slice(1)) {
      const cells = line.split(',');
      rounds[cells[1]!]!.push(Number(cells[2]));
    }
    const result = tested(rankSum(rounds.gate_30!, rounds.gate_40!, { alpha }));
    expect(Math.abs(result.pValue / 0.0502088077204426 - 1)).toBeLessThan(1e-9);
    expect(result.method).toBe('rank-sum test, normal approximation');
  });
});
