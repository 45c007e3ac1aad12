import { describe, expect, it } from 'vitest';
import { createRandom } from './random.ts';
import { empiricalDistributionBound, stitchedBound } from './stitched-bound.ts';

describe('stitchedBound', () => {
  it('agrees with the unit tests of Howard et al.’s library confseq, and with 20-digit arithmetic', () => {
    const at = (scale: number): number =>
      stitchedBound(100, { alpha: 0.05, from: 10, scale, exponent: 1.4, growth: 2 });
    expect(Math.abs(at(3) - 64.48755)).toBeLessThan(5.1e-6);
    expect(Math.abs(at(-1) - 28.99389)).toBeLessThan(5.1e-6);
    expect(Math.abs(at(3) / 64.487546659065 - 1)).toBeLessThan(1e-13);
    expect(Math.abs(at(-1) / 28.99389296805983 - 1)).toBeLessThan(1e-13);
    expect(stitchedBound(100, { alpha: 0.05, from: 10, scale: 3 })).toBe(at(3));
  });

  it('holds the level over 2,000 looks at a random walk and grows with the root of time', () => {
    const random = createRandom('stitched');
    const bounds = Array.from({ length: 2000 }, (_, i) => stitchedBound(i + 1, { alpha: 0.05, from: 10 }));
    const rounds = 400;
    let crossed = 0;
    for (let round = 0; round < rounds; round += 1) {
      let sum = 0;
      if (
        bounds.some((bound) => {
          sum += random.normal();
          return sum >= bound;
        })
      ) {
        crossed += 1 / rounds;
      }
    }
    expect(crossed).toBeLessThanOrEqual(0.05 + 3 * Math.sqrt((0.05 * 0.95) / rounds));
    expect(bounds[0]).toBe(bounds[9]);
    for (const [i, bound] of bounds.slice(10).entries()) expect(bound).toBeGreaterThan(bounds[i + 9]!);
  });

  it('refuses bad input', () => {
    const good = { alpha: 0.05, from: 10 };
    expect(() => stitchedBound(0, good)).toThrow(new RangeError('time is 0, must be finite and > 0'));
    expect(() => stitchedBound(1, { ...good, exponent: 1 })).toThrow('exponent is 1, must be > 1');
    expect(() => stitchedBound(1, { ...good, growth: 0.5 })).toThrow('growth is 0.5, must be > 1');
    expect(() => stitchedBound(1, { ...good, scale: Number.NaN })).toThrow('scale is NaN, must be finite');
  });
});

describe('empiricalDistributionBound', () => {
  it('agrees with the library confseq and to more digits with an independent search for the constant', () => {
    const got = empiricalDistributionBound(1000, { alpha: 0.05, from: 100, growth: 0.85 });
    // Published .08204769, from a constant that R's uniroot found to about 1e-4; in 20 digits (mpmath) it is 8.12271935,
    // which makes 1.2e-6 more.
    expect(Math.abs(got / 0.08204769 - 1)).toBeLessThan(2e-6);
    expect(Math.abs(got / 0.08204778770914 - 1)).toBeLessThan(1e-9);
  });

  it('holds a whole distribution at 3,000 looks at once, and shrinks with n', () => {
    const random = createRandom('empirical process');
    const rounds = 60;
    const looks = Array.from({ length: 146 }, (_, i) => 100 + 20 * i);
    const bounds = new Map(looks.map((n) => [n, empiricalDistributionBound(n, { alpha: 0.05, from: 100 })]));
    let missed = 0;
    for (let round = 0; round < rounds; round += 1) {
      // Distances on a grid of the uniform distribution: the largest is at least that.
      const below = new Float64Array(19);
      let isMissed = false;
      for (let n = 1; n <= 3000; n += 1) {
        const u = random.uniform();
        for (let i = Math.ceil(u * 20) - 1; i < 19; i += 1) below[i]! += 1;
        const bound = bounds.get(n);
        if (bound === undefined) continue;
        for (let i = 0; i < 19; i += 1) if (Math.abs(below[i]! / n - (i + 1) / 20) > bound) isMissed = true;
      }
      if (isMissed) missed += 1;
    }
    expect(missed / rounds).toBeLessThanOrEqual(0.05);
    const at = (n: number): number => empiricalDistributionBound(n, { alpha: 0.05, from: 100 });
    expect(at(400)).toBeLessThan(at(100));
    expect(at(1e6)).toBeLessThan(0.01);
  });

  it('refuses bad input', () => {
    expect(() => empiricalDistributionBound(10, { alpha: 0.05, from: 100 })).toThrow(
      'n is 10, must be finite and >= 100',
    );
    expect(() => empiricalDistributionBound(10, { alpha: 0.05, from: 1, growth: 0.7 })).toThrow(
      'growth is 0.7, must be >',
    );
    expect(() => empiricalDistributionBound(10, { alpha: 0, from: 1 })).toThrow('alpha is 0, must be in (0, 1)');
  });
});
