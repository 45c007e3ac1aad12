import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { capBoundsOf, cappedMomentsOf } from './capping.ts';
import { compareMeans } from './means.ts';
import { mergeMoments, momentsOf } from './moments.ts';

const alpha = 0.05;
const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 60 });

describe('capping', () => {
  it('bounds are values of both samples together, so that at most the stated share lies beyond', () => {
    fc.assert(
      fc.property(values, values, fc.double({ min: 0, max: 1, noNaN: true }), (a, b, q) => {
        const all = [...a, ...b];
        const { upper } = capBoundsOf([a, b], { upper: q });
        expect(all).toContain(upper);
        const { moments, raised, lowered } = cappedMomentsOf(all, { upper: upper! });
        expect(raised).toBe(0);
        expect(lowered).toBe(all.filter((value) => value > upper!).length);
        expect(lowered).toBeLessThanOrEqual((1 - q) * all.length + 1e-9);
        expect(moments.n).toBe(all.length);
        expect(moments.mean).toBeLessThanOrEqual(momentsOf(all).mean + 1e-6);
        expect(capBoundsOf([b, a], { upper: q }).upper).toBe(upper);
      }),
    );
  });

  it('capped pieces merge to the capped whole', () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        const bounds = capBoundsOf([a, b], { lower: 0.1, upper: 0.9 });
        const whole = cappedMomentsOf([...a, ...b], bounds);
        const [left, right] = [cappedMomentsOf(a, bounds), cappedMomentsOf(b, bounds)];
        const merged = mergeMoments(left.moments, right.moments);
        expect(left.lowered + right.lowered).toBe(whole.lowered);
        expect(left.raised + right.raised).toBe(whole.raised);
        expect(merged.n).toBe(whole.moments.n);
        expect(Math.abs(merged.mean - whole.moments.mean)).toBeLessThan(1e-6);
        expect(Math.abs(merged.m2 - whole.moments.m2)).toBeLessThanOrEqual(1e-9 * whole.moments.m2 + 1e-6);
      }),
    );
  });

  it('without bounds, and with ones that nothing reaches, values stay as they are', () => {
    const sample = [3, -1, 4, 1, -5];
    for (const bounds of [{}, { lower: -5, upper: 4 }]) {
      expect(cappedMomentsOf(sample, bounds)).toEqual({ moments: momentsOf(sample), raised: 0, lowered: 0 });
    }
    expect(cappedMomentsOf(sample, { lower: 0 }).raised).toBe(2);
  });

  it('bad input is refused by name, value and rule', () => {
    expect(() => capBoundsOf([[]], { upper: 0.9 })).toThrow(new RangeError('values of all samples is 0, must be > 0'));
    expect(() => capBoundsOf([[1]], {})).toThrow('shares is empty, must be a lower or an upper quantile');
    expect(() => capBoundsOf([[1]], { upper: 99.9 })).toThrow('shares.upper is 99.9, must be in [0, 1]');
    expect(() => capBoundsOf([[1]], { lower: 0.9, upper: 0.1 })).toThrow('shares.lower is 0.9, must be <= 0.1');
    expect(() => capBoundsOf([[1, Infinity]], { upper: 0.9 })).toThrow('largest value is Infinity, must be finite');
    expect(() => capBoundsOf([[1, Number.NaN]], { upper: 0.9 })).toThrow('largest value is NaN, must be finite');
    expect(() => cappedMomentsOf([1, Infinity], { upper: 3 })).toThrow('values[1] is Infinity, must be finite');
    expect(() => cappedMomentsOf([1], { lower: 2, upper: 1 })).toThrow('bounds.lower is 2, must be <= 1');
  });
});

const cookieCats = new URL('../../../shared/data/cookie_cats.csv', import.meta.url);
const isThere = existsSync(cookieCats);
if (!isThere) console.log('skipped: the Cookie Cats data (../shared/data/cookie_cats.csv) are not on this machine');

describe.skipIf(!isThere)('capped game rounds of Cookie Cats', () => {
  it('agree with R 4.2: bound 1074 at the pooled 99.9 %, Welch p .883458634611749', () => {
    const rounds: Record<string, number[]> = { gate_30: [], gate_40: [] };
    for (const line of readFileSync(cookieCats, 'utf8').trim().split('\n').slice(1)) {
      const cells = line.split(',');
      rounds[cells[1]!]!.push(Number(cells[2]));
    }
    const { gate_30: before, gate_40: after } = rounds;
    const bounds = capBoundsOf([before!, after!], { upper: 0.999 });
    expect(bounds).toEqual({ upper: 1074 });
    const [a, b] = [cappedMomentsOf(before!, bounds), cappedMomentsOf(after!, bounds)];
    expect(a.lowered + b.lowered).toBeLessThanOrEqual(90);
    const result = compareMeans(a.moments, b.moments, { alpha });
    if (result.kind !== 'tested') throw new Error(result.reason);
    expect(Math.abs(result.pValue / 0.883458634611749 - 1)).toBeLessThan(1e-9);
  });
});
