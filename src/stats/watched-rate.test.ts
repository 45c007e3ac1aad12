import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from './random.ts';
import reference from './watched.fixture.json' with { type: 'json' };
import { type RateLimitOptions, type WatchedRate, watchEventRatio, watchRate } from './watched-rate.ts';

/** The sequence, which has to have an answer. */
function watched(n: number, successes: number, options: RateLimitOptions): WatchedRate {
  const result = watchRate({ n, successes }, options);
  if (result.kind !== 'watched') throw new Error(result.reason);
  return result;
}

const base: RateLimitOptions = { alpha: 0.05, limit: 0.01, direction: 'above', horizon: 1000 };

const situations = fc
  .record({
    n: fc.integer({ min: 1, max: 5000 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    limit: fc.double({ min: 0.001, max: 0.999, noNaN: true }),
    alpha: fc.double({ min: 1e-4, max: 0.4, noNaN: true }),
    horizon: fc.integer({ min: 20, max: 20000 }),
    direction: fc.constantFrom<'above' | 'below'>('above', 'below'),
  })
  .map(({ n, share, ...options }) => ({ n, successes: Math.round(n * share), options }));

describe('watchRate', () => {
  it('agrees with the integral over rates beyond the limit, in 30 digits', () => {
    expect(reference.rates.length).toBe(5);
    for (const { n, successes, logE, ...options } of reference.rates) {
      expect(Math.abs(watched(n, successes, { ...options, direction: 'above' }).logE - logE)).toBeLessThan(1e-10);
      const mirrored = watched(n, n - successes, { ...options, limit: 1 - options.limit, direction: 'below' });
      expect(Math.abs(mirrored.logE - logE)).toBeLessThan(1e-10);
    }
  });

  it('has its bound beyond the limit exactly when p < alpha', () => {
    fc.assert(
      fc.property(situations, ({ n, successes, options }) => {
        const { interval, pValue, rate } = watched(n, successes, options);
        if (interval.kind === 'lower') {
          expect(interval.lower > options.limit).toBe(pValue < options.alpha);
          expect(interval.lower).toBeLessThanOrEqual(rate);
        } else if (interval.kind === 'upper') {
          expect(interval.upper < options.limit).toBe(pValue < options.alpha);
          expect(interval.upper).toBeGreaterThanOrEqual(rate);
        } else throw new Error(interval.kind);
      }),
      { numRuns: 150 },
    );
  });

  it('loses evidence against a chance as that chance rises, so that the bound is one point', () => {
    fc.assert(
      fc.property(
        situations,
        fc.double({ min: 0.001, max: 0.999, noNaN: true }),
        ({ n, successes, options }, other) => {
          const [low, high] = [Math.min(options.limit, other), Math.max(options.limit, other)];
          if (high > successes / n) return;
          const at = (limit: number): number => watched(n, successes, { ...options, direction: 'above', limit }).logE;
          expect(at(high)).toBeLessThanOrEqual(at(low) + 1e-9);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('alarms in at most 5 % of runs at p = 0.002 with a look after every trial, and finds a rate of 0.01', () => {
    const random = createRandom('rare guardrail');
    const rounds = 400;
    const options = { ...base, limit: 0.002, horizon: 3000 };
    const alarms = { healthy: 0, broken: 0 };
    for (const [state, rate] of [
      ['healthy', 0.002],
      ['broken', 0.01],
    ] as const) {
      for (let round = 0; round < rounds; round += 1) {
        let successes = 0;
        for (let n = 1; n <= 5000; n += 1) {
          // Evidence only falls between events: to look after events is to look always.
          if (random.uniform() >= rate) continue;
          successes += 1;
          if (watched(n, successes, options).pValue < 0.05) {
            alarms[state] += 1 / rounds;
            break;
          }
        }
      }
    }
    expect(alarms.healthy).toBeLessThanOrEqual(0.05 + 3 * Math.sqrt((0.05 * 0.95) / rounds));
    expect(alarms.broken).toBeGreaterThan(0.95);
  });

  it('bounds something or says 0 or 1, at no events, all events and huge counts', () => {
    expect(watched(1000, 0, base).interval).toEqual({ kind: 'lower', lower: 0 });
    expect(watched(1000, 1000, { ...base, direction: 'below' }).interval).toEqual({ kind: 'upper', upper: 1 });
    const all = watched(1000, 1000, base);
    expect(all.logE).toBeGreaterThan(800);
    expect(all.interval.kind === 'lower' && all.interval.lower > 0.95).toBe(true);
    const rare = watched(1e9, 1, base);
    expect(rare.interval.kind === 'lower' && rare.interval.lower > 0 && rare.interval.lower < 1e-9).toBe(true);
    expect(watchRate({ n: 0, successes: 0 }, base)).toEqual({ kind: 'insufficient', reason: 'no trials yet' });
  });

  it('refuses bad input', () => {
    const on = (change: Partial<RateLimitOptions>) => () => watchRate({ n: 10, successes: 1 }, { ...base, ...change });
    expect(on({ limit: 0 })).toThrow(new RangeError('limit is 0, must be in (0, 1)'));
    expect(on({ alpha: 0.7 })).toThrow('alpha is 0.7, must be in (0, 0.5) for one side');
    expect(on({ horizon: Number.NaN })).toThrow('horizon is NaN, must be finite and > 0');
    expect(on({ direction: 'up' as 'above' })).toThrow('direction is up, must be above or below');
    expect(() => watchRate({ n: 3, successes: 4 }, base)).toThrow('counts.successes is 4, must be <= 3, the trials');
    expect(() => watchRate({ n: 3.5, successes: 1 }, base)).toThrow('counts.n is 3.5, must be a whole number >= 0');
  });
});

describe('watchEventRatio', () => {
  const options = { alpha: 0.05, share: 0.5, direction: 'above', horizon: 50 } as const;

  it('is the test of the candidate’s share of events, its bound turned into a ratio of rates', () => {
    const got = watchEventRatio({ control: 10, candidate: 30 }, options);
    const share = watched(40, 30, { alpha: 0.05, limit: 0.5, direction: 'above', horizon: 50 });
    if (got.kind !== 'watched' || got.interval.kind !== 'lower' || share.interval.kind !== 'lower') throw new Error();
    expect(got.logE).toBe(share.logE);
    expect(got.interval.lower).toBeCloseTo(share.interval.lower / (1 - share.interval.lower), 13);
    expect(got.shareOfEvents).toBe(0.75);
  });

  it('swapped arms give the mirrored answer, at uneven splits and other limits too', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 200 }),
        fc.double({ min: 0.05, max: 0.95, noNaN: true }),
        fc.double({ min: 0.3, max: 3, noNaN: true }),
        (control, candidate, share, limit) => {
          const there = watchEventRatio({ control, candidate }, { ...options, share, limit });
          const back = watchEventRatio(
            { control: candidate, candidate: control },
            { ...options, share: 1 - share, limit: 1 / limit, direction: 'below' },
          );
          if (there.kind !== 'watched' || back.kind !== 'watched') throw new Error();
          expect(there.logE).toBeCloseTo(back.logE, 8);
          if (there.interval.kind !== 'lower' || back.interval.kind !== 'upper') throw new Error();
          expect(there.interval.lower * back.interval.upper).toBeCloseTo(1, 7);
          expect(there.interval.lower > limit).toBe(there.pValue < 0.05);
        },
      ),
    );
  });

  it('alarms in at most 5 % of runs with a candidate of 20 % of traffic and equal rates, looked at after every event', () => {
    const random = createRandom('event ratio');
    const rounds = 200;
    let alarms = 0;
    for (let round = 0; round < rounds; round += 1) {
      const events = { control: 0, candidate: 0 };
      for (let i = 0; i < 70; i += 1) {
        events[random.uniform() < 0.2 ? 'candidate' : 'control'] += 1;
        const result = watchEventRatio(events, { ...options, share: 0.2 });
        if (result.kind === 'watched' && result.pValue < 0.05) {
          alarms += 1 / rounds;
          break;
        }
      }
    }
    expect(alarms).toBeLessThanOrEqual(0.05 + 3 * Math.sqrt((0.05 * 0.95) / rounds));
  });

  it('bounds nothing from above when all events are the candidate’s, and says when nothing has happened', () => {
    const result = watchEventRatio({ control: 0, candidate: 9 }, { ...options, direction: 'below' });
    expect(result.kind === 'watched' && result.interval).toEqual({ kind: 'unbounded' });
    expect(watchEventRatio({ control: 0, candidate: 0 }, options)).toEqual({
      kind: 'insufficient',
      reason: 'nothing has happened yet',
    });
    expect(() => watchEventRatio({ control: 1, candidate: 1 }, { ...options, share: 1 })).toThrow(
      'share is 1, must be in (0, 1)',
    );
    expect(() => watchEventRatio({ control: -1, candidate: 1 }, options)).toThrow(
      'events.control is -1, must be a whole number >= 0',
    );
  });
});
