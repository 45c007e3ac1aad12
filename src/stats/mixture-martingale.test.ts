import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logGamma } from './gamma-function.ts';
import { gammaExponentialMixture, gammaPoissonMixture } from './gamma-mixture.ts';
import { betaBinomialMixture, type MixtureMartingale, normalMixture } from './mixture-martingale.ts';
import { createRandom } from './random.ts';
import { binomial } from './whole-number.ts';

const tuning = { time: 100, alpha: 0.05 };
const sums = (terms: number, term: (i: number) => number): number =>
  Array.from({ length: terms }, (_, i) => term(i)).reduce((sum, value) => sum + value, 0);

const all: Record<string, MixtureMartingale> = {
  'normal, two-sided': normalMixture({ ...tuning, sides: 2 }),
  'normal, one-sided': normalMixture({ ...tuning, sides: 1 }),
  'gamma-exponential': gammaExponentialMixture({ ...tuning, scale: 2 }),
  'gamma-Poisson': gammaPoissonMixture({ ...tuning, scale: 2 }),
  'beta-binomial, two-sided': betaBinomialMixture({ ...tuning, sides: 2, below: 0.2, above: 0.8 }),
  'beta-binomial, one-sided': betaBinomialMixture({ ...tuning, sides: 1, below: 0.2, above: 0.8 }),
};

describe('the six mixtures', () => {
  // Howard et al. 2021: unit tests of their library confseq, evidence of sum 10 and bound at alpha .05, time 100.
  it.each([
    ['normal, two-sided', -0.6510052, 30.35209, 5e-8],
    ['normal, one-sided', -0.06502391, 27.66071, 5e-9],
    ['gamma-exponential', -0.2490165, 33.02017, 5e-8],
    ['gamma-Poisson', -0.06991219, 30.1949, 5e-9],
    ['beta-binomial, two-sided', -0.6941012, 31.4308, 5e-8],
    ['beta-binomial, one-sided', -0.07134019, 28.41238, 5e-9],
  ])('%s has the published evidence and bound', (name, logE, bound, half) => {
    expect(Math.abs(all[name]!.logE(10, 100) - logE)).toBeLessThan(half * 1.01);
    expect(Math.abs(all[name]!.bound(100, 0.05) - bound)).toBeLessThan(6e-6);
  });

  it('the two-sided normal one agrees to all digits of a recomputation', () => {
    expect(Math.abs(all['normal, two-sided']!.logE(10, 100) / -0.6510051600071821 - 1)).toBeLessThan(1e-14);
    expect(Math.abs(all['normal, two-sided']!.bound(100, 0.05) / 30.35208990376253 - 1)).toBeLessThan(1e-14);
  });

  it.each(Object.keys(all))('%s: the bound is the sum at which evidence reaches 1 / alpha, and rises', (name) => {
    const mixture = all[name]!;
    fc.assert(
      fc.property(
        fc.double({ min: 3, max: 1e5, noNaN: true }),
        fc.double({ min: 1e-8, max: 0.4, noNaN: true }),
        (time, alpha) => {
          const bound = mixture.bound(time, alpha);
          const logE = mixture.logE(bound, time);
          // Where not even the largest sum has such evidence, that sum is the bound.
          if (name.startsWith('beta') && Math.abs(bound - time / 0.2) < 1e-9) {
            expect(logE).toBeLessThanOrEqual(-Math.log(alpha) + 1e-9);
          } else {
            expect(Math.abs(logE + Math.log(alpha))).toBeLessThan(1e-7);
            expect(mixture.bound(time, alpha / 2)).toBeGreaterThan(bound);
            expect(mixture.bound(2 * time, alpha)).toBeGreaterThan(bound);
          }
        },
      ),
    );
  });

  it('expects an e-value of exactly 1 under its hypothesis, at any time', () => {
    for (const n of [1, 7, 150]) {
      // Coin tosses: every number of heads, weighed by its chance.
      const chance = 0.03;
      for (const sides of [1, 2] as const) {
        const coin = betaBinomialMixture({ time: 4, alpha: 0.05, sides, below: chance, above: 1 - chance });
        const time = n * chance * (1 - chance);
        const expected = (p: number): number =>
          sums(n + 1, (k) => binomial(n, p).pdf(k) * Math.exp(coin.logE(k - n * chance, time)));
        expect(expected(chance)).toBeCloseTo(1, 11);
        // A smaller chance is part of the one-sided hypothesis; a larger one is what it is to find.
        if (sides === 1) expect(expected(0.02)).toBeLessThan(1);
        if (sides === 1) expect(expected(0.04)).toBeGreaterThan(1);
      }
      const counts = gammaPoissonMixture({ time: 20, alpha: 0.05, scale: 1 });
      const logChance = (k: number): number => k * Math.log(n) - n - logGamma(k + 1);
      const weighed = (k: number): number => Math.exp(logChance(k) + counts.logE(k - n, n));
      expect(sums(20 * n + 200, weighed)).toBeCloseTo(1, 11);
      // Normal and exponential sums by the trapezoidal rule over 20 standard deviations and more.
      for (const sides of [1, 2] as const) {
        const bell = normalMixture({ time: 20, alpha: 0.05, sides });
        const spread = Math.sqrt(n);
        // The mixture's own spread widens the integrand.
        const step = 0.01 * spread;
        const reach = 12 * Math.sqrt(1 + n) * 100;
        const area = sums(2 * reach + 1, (i) => {
          const x = (i - reach) * step;
          const logDensity = -0.5 * (x / spread) ** 2 - Math.log(spread) - 0.9189385332046727;
          return Math.exp(logDensity + bell.logE(x, n)) * step;
        });
        expect(area).toBeCloseTo(1, 9);
      }
    }
    // 30 exponential terms less their means, a gamma distribution, over ln x: the mixture has heavy tails.
    const waits = gammaExponentialMixture({ time: 20, alpha: 0.05, scale: 1 });
    const area = sums(24000, (i) => {
      const x = Math.exp(-4 + i / 1000);
      return Math.exp(30 * Math.log(x) - x - logGamma(30) + waits.logE(x - 30, 30)) / 1000;
    });
    expect(area).toBeCloseTo(1, 8);
  });

  it('the two-sided ones answer alike to a sum and its opposite', () => {
    const coin = betaBinomialMixture({ ...tuning, sides: 2, below: 0.5, above: 0.5 });
    for (const sum of [0, 3.5, 17, 49]) {
      expect(all['normal, two-sided']!.logE(sum, 70)).toBe(all['normal, two-sided']!.logE(-sum, 70));
      expect(coin.logE(sum, 25)).toBeCloseTo(coin.logE(-sum, 25), 10);
    }
  });

  it('stays below alpha over 2,000 looks at rare events, where a one-sided binomial test does not', () => {
    const random = createRandom('rare events watched');
    const chance = 0.01;
    const rounds = 400;
    const coin = betaBinomialMixture({
      time: 1000 * chance * (1 - chance),
      alpha: 0.05,
      sides: 1,
      below: chance,
      above: 1 - chance,
    });
    let watched = 0;
    let naive = 0;
    for (let round = 0; round < rounds; round += 1) {
      let heads = 0;
      let [isWatched, isNaive] = [false, false];
      for (let n = 1; n <= 2000; n += 1) {
        // Between events evidence only falls, so looking after each event is looking always.
        if (random.uniform() >= chance) continue;
        heads += 1;
        if (coin.logE(heads - n * chance, n * chance * (1 - chance)) >= Math.log(20)) isWatched = true;
        if (heads >= 3 && binomial(n, chance).sf(heads - 1) < 0.05) isNaive = true;
      }
      if (isWatched) watched += 1 / rounds;
      if (isNaive) naive += 1 / rounds;
    }
    expect(watched).toBeLessThanOrEqual(0.05 + 3 * Math.sqrt((0.05 * 0.95) / rounds));
    expect(naive).toBeGreaterThan(0.15);
  });

  it('keeps evidence far beyond every exponent, and before the first observation has none', () => {
    for (const mixture of Object.values(all)) {
      expect(mixture.logE(0, 0)).toBeCloseTo(0, 12);
      expect(mixture.logE(20000, 1e4)).toBeGreaterThan(1000);
    }
    expect(normalMixture({ ...tuning, sides: 1 }).logE(-1e4, 100)).toBeLessThan(-8);
    expect(gammaExponentialMixture({ ...tuning, scale: 2 }).logE(-1e4, 100)).toBe(-Infinity);
    expect(gammaPoissonMixture({ ...tuning, scale: 2 }).logE(-1e4, 100)).toBe(-Infinity);
  });

  it('refuses bad input', () => {
    expect(() => normalMixture({ time: 0, alpha: 0.05, sides: 2 })).toThrow('time is 0, must be finite and > 0');
    expect(() => normalMixture({ time: 1, alpha: 0.6, sides: 1 })).toThrow(
      'alpha is 0.6, must be in (0, 0.5) for one side',
    );
    expect(() => gammaPoissonMixture({ ...tuning, scale: -1 })).toThrow('scale is -1, must be finite and > 0');
    expect(() => all['normal, two-sided']!.logE(Number.NaN, 1)).toThrow('sum is NaN, must be finite');
    expect(() => all['normal, two-sided']!.bound(0, 0.05)).toThrow('time is 0, must be finite and > 0');
    expect(() => all['normal, two-sided']!.bound(1, 1)).toThrow('alpha is 1, must be in (0, 1)');
    expect(() => all['beta-binomial, one-sided']!.logE(900, 100)).toThrow(
      'sum is 900, must be in [-125, 500], which terms in [-0.2, 0.8] can reach',
    );
  });
});
