import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findRisingRoot, findRoot } from './root.ts';

describe('a root', () => {
  it('finds zeros to the last digits: steep, flat, far off and at an end', () => {
    const close = (got: number, want: number): void => expect(Math.abs(got / want - 1)).toBeLessThan(4e-16);
    close(
      findRoot((x) => x * x - 2, [0, 2]),
      Math.SQRT2,
    );
    close(
      findRoot((x) => Math.exp(-x) - 1e-200, [0, 1000]),
      460.51701859880916,
    );
    close(
      findRoot((x) => Math.log(x), [1e-300, 1e300]),
      1,
    );
    expect(findRoot((x) => x - 3, [3, 4])).toBe(3);
    expect(Math.abs(findRoot((x) => (x - 0.3) ** 9, [-1, 1]) - 0.3)).toBeLessThan(1e-12);
  });

  it('turns round the cube of any number, from either side', () => {
    fc.assert(
      fc.property(fc.double({ min: -1e3, max: 1e3, noNaN: true }), (x) => {
        const cube = (y: number): number => y * y * y + y - (x * x * x + x);
        expect(Math.abs(findRoot(cube, [-2000, 2001]) - x)).toBeLessThan(1e-9);
        expect(Math.abs(findRoot(cube, [2001, -2000]) - x)).toBeLessThan(1e-9);
      }),
    );
  });

  it('refuses ends of one sign and what is not a number', () => {
    expect(() => findRoot((x) => x * x + 1, [-1, 2])).toThrow(
      new RangeError('sign of f at both ends is 2, 5, must be opposite'),
    );
    expect(() => findRoot(() => Number.NaN, [0, 1])).toThrow('must be opposite');
  });

  it('stops at the precision asked for, in fewer steps', () => {
    expect(findRoot((x) => x ** 3 - 2, [0, 2])).toBeCloseTo(Math.cbrt(2), 15);
    expect(findRoot((x) => Math.exp(x) - 1e-200, [-1000, 0])).toBeCloseTo(-200 * Math.LN10, 9);
    let steps = 0;
    const counted = (x: number): number => {
      steps += 1;
      return Math.cos(x) - x;
    };
    expect(findRoot(counted, [0, 1], { precision: 1e-6 })).toBeCloseTo(0.7390851332, 6);
    expect(steps).toBeLessThan(12);
  });

  it('finds a root to the right of a point, however far; Infinity when there is none', () => {
    expect(findRisingRoot((x) => Math.log(x) - 30, { from: 1, reach: 1 })).toBeCloseTo(Math.exp(30), 0);
    expect(findRisingRoot(() => 1, { from: 3, reach: 1 })).toBe(3);
    expect(findRisingRoot(() => -1, { from: 0, reach: 1 })).toBe(Infinity);
  });
});
