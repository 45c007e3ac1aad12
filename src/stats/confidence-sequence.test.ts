import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearWithin } from './answer.fixture.ts';
import { type LimitOptions, tunedRho, type WatchedLimit, watchLimit } from './confidence-sequence.ts';
import { createRandom } from './random.ts';
import type { Measured } from './relative-difference.ts';
import { watchDifference } from './sequential.ts';

const alpha = 0.05;
const near = nearWithin(1e-11);

/** The sequence, which has to have an answer. */
function watched(difference: Measured & { readonly n: number }, options: LimitOptions): WatchedLimit {
  const result = watchLimit(difference, options);
  if (result.kind !== 'watched') throw new Error(result.reason);
  return result;
}

const situations = fc.record({
  estimate: fc.double({ min: -5, max: 5, noNaN: true }),
  standardError: fc.double({ min: 0.1, max: 2, noNaN: true }),
  n: fc.integer({ min: 1, max: 100000 }),
  horizon: fc.integer({ min: 1, max: 100000 }),
  alpha: fc.double({ min: 1e-6, max: 0.49, noNaN: true }),
  limit: fc.double({ min: -1, max: 1, noNaN: true }),
});

describe('tunedRho', () => {
  it('agrees with the reference values of both tunings', () => {
    near(tunedRho(5000, { alpha, tuning: 'approximate' }), 0.0398400667713737, 1e-14);
    near(tunedRho(5000, { alpha, tuning: 'exact' }), 0.0405264557099884, 1e-14);
  });

  it('is shortest at the horizon: neither more nor less rho gives a shorter interval there', () => {
    for (const level of [0.001, 0.05, 0.3, 0.9]) {
      const rho = tunedRho(700, { alpha: level, tuning: 'exact' });
      const width = (r: number): number => {
        const spread = 700 * r * r;
        return ((spread + 1) / spread) * (Math.log1p(spread) - 2 * Math.log(level));
      };
      for (const factor of [0.97, 1.03]) expect(width(rho * factor)).toBeGreaterThan(width(rho));
    }
  });

  it('refuses bad input', () => {
    expect(() => tunedRho(0, { alpha, tuning: 'exact' })).toThrow(
      new RangeError('horizon is 0, must be finite and > 0'),
    );
    expect(() => tunedRho(1, { alpha: 1, tuning: 'exact' })).toThrow('alpha is 1, must be in (0, 1)');
    expect(() => tunedRho(1, { alpha, tuning: 'best' as 'exact' })).toThrow(
      'tuning is best, must be exact or approximate',
    );
  });
});

describe('watchLimit', () => {
  it('is watchDifference when approximately tuned, two-sided and against 0', () => {
    for (const n of [1000, 5000, 20000]) {
      const difference = { estimate: 0.1, standardError: 0.02, n };
      const got = watched(difference, { alpha, horizon: 5000, direction: 'apart', tuning: 'approximate' });
      const want = watchDifference(difference, { alpha, horizon: 5000 });
      if (want.kind !== 'watched' || want.interval.kind !== 'bounded' || got.interval.kind !== 'bounded')
        throw new Error();
      near(got.logE, want.logE);
      near(got.interval.upper, want.interval.upper);
      near(got.interval.lower, want.interval.lower, 1e-10);
    }
  });

  it('one-sided reaches further than two-sided and never less far than the closed form of Waudby-Smith et al.', () => {
    fc.assert(
      fc.property(situations, ({ limit: _, ...situation }) => {
        const { estimate, standardError, n, horizon, alpha: level } = situation;
        const difference = { estimate, standardError, n };
        const one = watched(difference, { alpha: level, horizon, direction: 'above' });
        if (one.interval.kind !== 'lower') throw new Error(one.interval.kind);
        const rho = tunedRho(horizon, { alpha: 2 * level, tuning: 'exact' });
        const spread = n * rho * rho;
        const closed =
          standardError * Math.sqrt(((2 * (spread + 1)) / spread) * Math.log1p(Math.sqrt(spread + 1) / (2 * level)));
        expect(estimate - one.interval.lower).toBeLessThanOrEqual(closed * (1 + 1e-12));
      }),
    );
    const difference = { estimate: 0.1, standardError: 0.02, n: 5000 };
    const [one, two] = (['above', 'apart'] as const).map((direction) =>
      watched(difference, { alpha, horizon: 5000, direction }),
    );
    expect((one!.interval as { lower: number }).lower).toBeGreaterThan((two!.interval as { lower: number }).lower);
  });

  it('leaves the limit out exactly when p < alpha, and turned round says the opposite', () => {
    fc.assert(
      fc.property(situations, fc.constantFrom('above', 'below', 'apart'), (situation, direction) => {
        const { estimate, standardError, n, ...options } = situation;
        const result = watched({ estimate, standardError, n }, { ...options, direction });
        const { interval, limit } = result;
        const isOut =
          (interval.kind === 'lower' && interval.lower > limit) ||
          (interval.kind === 'upper' && interval.upper < limit) ||
          (interval.kind === 'bounded' && (interval.lower > limit || interval.upper < limit));
        expect(isOut).toBe(result.pValue < options.alpha);
        const opposite = { above: 'below', below: 'above', apart: 'apart' } as const;
        const swapped = watched(
          { estimate: -estimate, standardError, n },
          { ...options, limit: -options.limit, direction: opposite[direction] },
        );
        expect(swapped.logE).toBe(result.logE);
      }),
    );
  });

  it('raises one-sided false alarms in at most 5 % of tests looked at 400 times, also against a margin', () => {
    const random = createRandom('one-sided peeking');
    const rounds = 400;
    let watchedAlarms = 0;
    let naive = 0;
    for (let round = 0; round < rounds; round += 1) {
      let sum = 0;
      let [isWatched, isNaive] = [false, false];
      for (let look = 1; look <= 400; look += 1) {
        sum += random.normal() * Math.sqrt(10);
        const n = 10 * look;
        const standardError = 1 / Math.sqrt(n);
        // The truth sits on the margin: an effect of -0.1 is not above -0.1.
        const difference = { estimate: sum / n - 0.1, standardError, n };
        if (watched(difference, { alpha, horizon: 2000, direction: 'above', limit: -0.1 }).pValue < alpha)
          isWatched = true;
        if (sum / n > 1.6448536269514722 * standardError) isNaive = true;
      }
      if (isWatched) watchedAlarms += 1 / rounds;
      if (isNaive) naive += 1 / rounds;
    }
    expect(watchedAlarms).toBeLessThanOrEqual(0.05 + 3 * Math.sqrt((0.05 * 0.95) / rounds));
    expect(naive).toBeGreaterThan(0.2);
  });

  it('says when there is nothing to watch yet, keeps evidence beyond every exponent, and refuses bad input', () => {
    const options = { alpha, horizon: 100, direction: 'above' } as const;
    const difference = { estimate: 1, standardError: 0.01, n: 100 };
    expect(watchLimit({ ...difference, n: 0 }, options)).toMatchObject({ reason: 'no units yet' });
    expect(watchLimit({ ...difference, standardError: 0 }, options).kind).toBe('insufficient');
    expect(watched(difference, options).logE).toBeGreaterThan(1000);
    expect(() => watchLimit(difference, { ...options, alpha: 0.6 })).toThrow(
      'alpha is 0.6, must be in (0, 0.5) for one direction',
    );
    expect(() => watchLimit(difference, { ...options, direction: 'up' as 'above' })).toThrow(
      'direction is up, must be above, below or apart',
    );
    expect(() => watchLimit(difference, { ...options, limit: Number.POSITIVE_INFINITY })).toThrow(
      'limit is Infinity, must be finite',
    );
    expect(() => watchLimit({ ...difference, standardError: -1 }, options)).toThrow(
      'difference.standardError is -1, must be finite and >= 0',
    );
  });
});
