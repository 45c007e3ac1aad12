import { describe, expect, it } from 'vitest';
import { nearWithin } from './answer.fixture.ts';
import { createRandom, mixtureSprt, watchDifference } from './index.ts';

const alpha = 0.05;
const near = nearWithin(1e-11);

describe('watchDifference', () => {
  it('agrees with the reference multipliers for a horizon of 5000', () => {
    // Half-width over standard error, recomputed from Waudby-Smith et al. 2024.
    for (const [n, want] of [
      [1000, 3.36388772578258],
      [5000, 3.03520899037625],
      [20000, 3.12711414368799],
    ] as const) {
      const result = watchDifference({ estimate: 0, standardError: 1, n }, { alpha, horizon: 5000 });
      if (result.kind !== 'watched' || result.interval.kind !== 'bounded') throw new Error(JSON.stringify(result));
      near(result.interval.upper, want);
    }
  });

  it('works in logarithms: log e = 10.0061353512294, p = 4.51222379869737e-5', () => {
    const result = watchDifference({ estimate: 0.1, standardError: 0.02, n: 5000 }, { alpha, horizon: 5000 });
    if (result.kind !== 'watched') throw new Error(result.reason);
    near(result.logE, 10.0061353512294);
    near(result.pValue, 4.51222379869737e-5);
    const huge = watchDifference({ estimate: 1, standardError: 0.02, n: 5000 }, { alpha, horizon: 5000 });
    expect(huge.kind === 'watched' && huge.logE).toBeGreaterThan(1000);
  });

  it('raises false alarms in at most 5 % of tests looked at 400 times, where peeking at a z-test raises 30 % and more', () => {
    const random = createRandom('peeking');
    const rounds = 400;
    let watched = 0;
    let naive = 0;
    for (let round = 0; round < rounds; round += 1) {
      let sum = 0;
      let n = 0;
      let isWatched = false;
      let isNaive = false;
      for (let look = 0; look < 400; look += 1) {
        // Differences of 10 pairs with unit variance at once.
        sum += random.normal() * Math.sqrt(10);
        n += 10;
        const standardError = 1 / Math.sqrt(n);
        const result = watchDifference({ estimate: sum / n, standardError, n: 2 * n }, { alpha, horizon: 4000 });
        if (n >= 100 && result.kind === 'watched' && result.pValue < alpha) isWatched = true;
        if (Math.abs(sum / n) > 1.959963984540054 * standardError) isNaive = true;
      }
      if (isWatched) watched += 1;
      if (isNaive) naive += 1;
    }
    expect(watched / rounds).toBeLessThanOrEqual(0.05 + 3 * Math.sqrt((0.05 * 0.95) / rounds));
    expect(naive / rounds).toBeGreaterThan(0.3);
  });

  it('interval and p-value agree', () => {
    const random = createRandom('agree');
    for (let i = 0; i < 500; i += 1) {
      const level = 0.001 + 0.3 * random.uniform();
      const result = watchDifference(
        { estimate: 5 * random.normal(), standardError: 0.5 + random.uniform(), n: 1 + random.integer(10000) },
        { alpha: level, horizon: 1 + random.integer(10000) },
      );
      if (result.kind !== 'watched' || result.interval.kind !== 'bounded') throw new Error(JSON.stringify(result));
      expect(result.interval.lower > 0 || result.interval.upper < 0).toBe(result.pValue < level);
    }
  });

  it('says when there is nothing to watch yet, and refuses bad input', () => {
    expect(watchDifference({ estimate: 0, standardError: 1, n: 0 }, { alpha, horizon: 10 })).toMatchObject({
      reason: 'no units yet',
    });
    expect(watchDifference({ estimate: 0, standardError: 0, n: 9 }, { alpha, horizon: 10 }).kind).toBe('insufficient');
    expect(() => watchDifference({ estimate: 0, standardError: 1, n: 9 }, { alpha, horizon: 0 })).toThrow(
      new RangeError('horizon is 0, must be finite and > 0'),
    );
    expect(() => watchDifference({ estimate: Number.NaN, standardError: 1, n: 9 }, { alpha, horizon: 1 })).toThrow(
      'difference.estimate is NaN, must be finite',
    );
  });
});

describe('mixtureSprt', () => {
  it('agrees with the worked example of Johari et al.', () => {
    // sigma 1 per arm, 1000 pairs, tau^2 = .01, difference .1: ln Lambda, p and half-width by their mixture.
    const result = mixtureSprt({ estimate: 0.1, standardError: Math.sqrt(2 / 1000) }, { alpha, mixingVariance: 0.01 });
    if (result.kind !== 'watched' || result.interval.kind !== 'bounded') throw new Error(JSON.stringify(result));
    near(result.logE, 1.187453598719306);
    near(result.pValue, 0.304996920630448);
    near((result.interval.upper - result.interval.lower) / 2, 0.136673836703323);
    expect(mixtureSprt({ estimate: 0.1, standardError: 0 }, { alpha, mixingVariance: 1 }).kind).toBe('insufficient');
  });
});
