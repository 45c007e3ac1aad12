// Do all tests agree with their own intervals, and does swapping the sides change nothing but the sign?
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareMeans,
  comparePairs,
  compareProportions,
  compareQuantiles,
  compareRatios,
  fisherExact,
  type Interval,
  jointMomentsOf,
  mixtureSprt,
  momentsOf,
  quantileSampleOf,
  sampleRatio,
  type TestResult,
  watchDifference,
  watchSampleRatio,
} from './index.ts';

const alpha = fc.double({ min: 1e-6, max: 0.5, noNaN: true });
const value = fc.integer({ min: -1000, max: 1000 }).map((whole) => whole / 8);
const values = fc.array(value, { maxLength: 12 });
const share = fc.integer({ min: 0, max: 60 });
const proportion = fc
  .tuple(share, share)
  .map(([a, b]) => ({ successes: Math.min(a, b), n: Math.max(a, b) }))
  .filter(({ n }) => n > 0);
const units = fc.array(fc.array(value, { minLength: 1, maxLength: 4 }), { maxLength: 12 });
const ratio = units.map((rows) =>
  jointMomentsOf(rows.map((row) => [row.reduce((sum, each) => sum + each, 0), row.length])),
);
const quantile = fc
  .array(fc.array(value, { minLength: 1, maxLength: 4 }), { minLength: 30, maxLength: 60 })
  .map((rows) => quantileSampleOf(rows, 0.5));

/** Every test of two sides, with sides drawn for it. */
const compared = fc.oneof(
  fc.tuple(values, values).map(([a, b]) => test(compareMeans, momentsOf(a), momentsOf(b))),
  fc.tuple(proportion, proportion).map(([a, b]) => test(compareProportions, a, b)),
  fc.tuple(ratio, ratio).map(([a, b]) => test(compareRatios, a, b)),
  fc.tuple(quantile, quantile).map(([a, b]) => test(compareQuantiles, a, b)),
);

type Answer = TestResult | { readonly kind: 'insufficient'; readonly reason: string };

function test<Side>(
  method: (control: Side, candidate: Side, options: { readonly alpha: number }) => Answer,
  a: Side,
  b: Side,
): { forward: (alpha: number) => Answer; backward: (alpha: number) => Answer } {
  return { forward: (level) => method(a, b, { alpha: level }), backward: (level) => method(b, a, { alpha: level }) };
}

const leavesOutZero = (interval: Interval): boolean =>
  interval.kind === 'bounded' && (interval.lower > 0 || interval.upper < 0);

/** Bisected interval ends keep some 12 digits: where p is that near alpha, either answer is right. */
const isOnTheEdge = (pValue: number, level: number): boolean => Math.abs(pValue / level - 1) < 1e-9;

function near(got: number, want: number, scale = Math.abs(want)): void {
  expect(Math.abs(got - want), `${got} ${want}`).toBeLessThanOrEqual(1e-9 * Math.max(scale, 1e-300));
}

describe('every test of two sides', () => {
  it('has a p-value below alpha exactly when its interval leaves 0 out', () => {
    let tested = 0;
    fc.assert(
      fc.property(compared, alpha, ({ forward }, level) => {
        const result = forward(level);
        if (result.kind === 'insufficient' || isOnTheEdge(result.pValue, level)) return;
        tested += 1;
        expect(leavesOutZero(result.interval), JSON.stringify(result)).toBe(result.pValue < level);
      }),
      { seed: 11, numRuns: 2000 },
    );
    expect(tested).toBeGreaterThan(1000);
  });

  it('gives the same with the sides swapped, but for the sign', () => {
    fc.assert(
      fc.property(compared, alpha, ({ forward, backward }, level) => {
        const one = forward(level);
        const other = backward(level);
        expect(other.kind).toBe(one.kind);
        if (one.kind === 'insufficient' || other.kind === 'insufficient') return;
        near(other.difference, -one.difference, Math.abs(one.control) + Math.abs(one.candidate));
        near(other.standardError, one.standardError);
        near(other.pValue, one.pValue);
        expect([other.control, other.candidate]).toEqual([one.candidate, one.control]);
        if (one.interval.kind !== 'bounded' || other.interval.kind !== 'bounded') throw new Error('bounded expected');
        const width = one.interval.upper - one.interval.lower;
        near(other.interval.lower, -one.interval.upper, width);
        near(other.interval.upper, -one.interval.lower, width);
      }),
      { seed: 12, numRuns: 1000 },
    );
  });

  it('has an interval around its difference that widens as alpha falls', () => {
    fc.assert(
      fc.property(compared, alpha, fc.double({ min: 1.001, max: 50, noNaN: true }), ({ forward }, level, times) => {
        const [strict, lax] = [forward(level / times), forward(level)];
        if (strict.kind === 'insufficient' || lax.kind === 'insufficient') return;
        if (strict.interval.kind !== 'bounded' || lax.interval.kind !== 'bounded') throw new Error('bounded expected');
        expect(strict.interval.lower).toBeLessThanOrEqual(lax.interval.lower);
        expect(strict.interval.upper).toBeGreaterThanOrEqual(lax.interval.upper);
        expect(lax.interval.lower).toBeLessThanOrEqual(lax.difference);
        expect(lax.interval.upper).toBeGreaterThanOrEqual(lax.difference);
        expect(strict.pValue).toBe(lax.pValue);
      }),
      { seed: 13, numRuns: 1000 },
    );
  });
});

describe('paired and watched tests', () => {
  it('pairs: p below alpha exactly when the interval leaves 0 out, and the other way round with the pairs turned', () => {
    fc.assert(
      fc.property(values, alpha, (differences, level) => {
        const one = comparePairs(momentsOf(differences), { alpha: level });
        const turned = comparePairs(momentsOf(differences.map((each) => -each)), { alpha: level });
        expect(turned.kind).toBe(one.kind);
        if (one.kind === 'insufficient' || turned.kind === 'insufficient') return;
        near(turned.estimate, -one.estimate, one.standardError);
        near(turned.pValue, one.pValue);
        if (!isOnTheEdge(one.pValue, level)) expect(leavesOutZero(one.interval)).toBe(one.pValue < level);
      }),
      { seed: 14, numRuns: 1000 },
    );
  });

  it('watched: evidence, p-value and interval say the same, and forget the sign', () => {
    const measured = fc.record({
      estimate: fc.double({ min: -5, max: 5, noNaN: true }),
      standardError: fc.double({ min: 0.01, max: 2, noNaN: true }),
      n: fc.integer({ min: 1, max: 100_000 }),
    });
    fc.assert(
      fc.property(measured, alpha, fc.double({ min: 0.01, max: 1e5, noNaN: true }), (difference, level, tuning) => {
        const turned = { ...difference, estimate: -difference.estimate };
        for (const watch of [
          (d: typeof difference) => watchDifference(d, { alpha: level, horizon: tuning }),
          (d: typeof difference) => mixtureSprt(d, { alpha: level, mixingVariance: tuning }),
        ]) {
          const [one, other] = [watch(difference), watch(turned)];
          if (one.kind !== 'watched' || other.kind !== 'watched') throw new Error('watched expected');
          expect(other.logE).toBe(one.logE);
          expect(one.pValue).toBe(Math.min(1, Math.exp(-one.logE)));
          if (Math.abs(one.logE + Math.log(level)) < 1e-9) continue;
          expect(leavesOutZero(one.interval)).toBe(one.pValue < level);
        }
      }),
      { seed: 15, numRuns: 1000 },
    );
  });
});

describe('tables of counts', () => {
  it("Fisher's test gives the same p and the inverse odds ratio with the sides swapped", () => {
    fc.assert(
      fc.property(proportion, proportion, alpha, (a, b, level) => {
        const one = fisherExact(a, b, { alpha: level });
        const other = fisherExact(b, a, { alpha: level });
        expect(other.kind).toBe(one.kind);
        if (one.kind === 'insufficient' || other.kind === 'insufficient') return;
        near(other.pValue, one.pValue);
        near(other.midP, one.midP);
        expect(one.midP).toBeLessThanOrEqual(one.pValue);
        if (typeof one.oddsRatio === 'number' && typeof other.oddsRatio === 'number') {
          near(other.oddsRatio * one.oddsRatio, 1);
        }
        if (one.interval.kind === 'bounded' && other.interval.kind === 'bounded' && other.interval.upper > 0) {
          if (one.interval.lower > 0) near(one.interval.lower * other.interval.upper, 1);
        }
      }),
      { seed: 16, numRuns: 500 },
    );
  });

  it('a split is judged the same whatever the order of its variants and the scale of its shares', () => {
    const cell = fc.record({ count: fc.integer({ min: 0, max: 5000 }), share: fc.integer({ min: 1, max: 9 }) });
    fc.assert(
      fc.property(fc.array(cell, { minLength: 2, maxLength: 5 }), (cells) => {
        const judge = (order: typeof cells, scale: number) => {
          const counts = order.map(({ count }) => count);
          const shares = order.map((each) => each.share * scale);
          return [sampleRatio(counts, shares), watchSampleRatio(counts, shares)] as const;
        };
        const [fixed, watched] = judge(cells, 1);
        const [turnedFixed, turnedWatched] = judge([...cells].reverse(), 7);
        if (fixed.kind === 'insufficient' || watched.kind === 'insufficient') {
          expect([turnedFixed.kind, turnedWatched.kind]).toEqual([fixed.kind, watched.kind]);
          return;
        }
        if (turnedFixed.kind !== 'tested' || turnedWatched.kind !== 'watched') throw new Error('an answer expected');
        near(turnedFixed.pValue, fixed.pValue, fixed.pValue * (1 + fixed.statistic));
        near(turnedWatched.logE, watched.logE, Math.max(1, Math.abs(watched.logE)));
      }),
      { seed: 17, numRuns: 500 },
    );
  });
});
