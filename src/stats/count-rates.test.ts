import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import reference from './count-rates.fixture.json' with { type: 'json' };
import { compareRates, type EventRate, estimateRate, exactRates } from './count-rates.ts';
import type { Interval } from './interval.ts';

const alpha = 0.05;

function near(got: number, want: number | string, tolerance = 1e-9): void {
  const number = Number(want);
  expect(Math.abs(got - number), `${got} against ${want}`).toBeLessThanOrEqual(tolerance * Math.abs(number));
}

function ends(interval: Interval): [number, number] {
  if (interval.kind === 'bounded') return [interval.lower, interval.upper];
  if (interval.kind === 'lower') return [interval.lower, Infinity];
  throw new Error(interval.kind);
}

const cases = reference.map((row) => ({
  ...row,
  control: { events: row.case[0]!, exposure: row.case[1]! },
  candidate: { events: row.case[2]!, exposure: row.case[3]! },
  alpha: row.case[4]!,
}));

function agree(got: readonly number[], want: readonly (number | string)[], tolerance?: number): void {
  expect(got.length).toBe(want.length);
  got.forEach((value, i) => {
    if (want[i] === 'Infinity') expect(value).toBe(Infinity);
    else near(value, want[i]!, tolerance);
  });
}

describe('rates of events', () => {
  it('agrees with the published example of R’s poisson.test', () => {
    const result = exactRates({ events: 21, exposure: 3011 }, { events: 11, exposure: 800 }, { alpha });
    if (result.kind !== 'tested') throw new Error(result.reason);
    near(result.ratio as number, 1.9714880952381);
    near(result.pValue, 0.0796686330333295);
    agree(ends(result.interval), [0.858426403, 4.277265944]);
  });

  it.each(cases)('agrees with R 4.2 poisson.test on $case', (row) => {
    const exact = exactRates(row.control, row.candidate, row);
    if (exact.kind !== 'tested') throw new Error(exact.reason);
    near(exact.pValue, row.p);
    near(exact.centralP, row.central);
    near(exact.midP, row.mid);
    agree(ends(exact.interval), row.exact);
    const one = estimateRate(row.candidate, row);
    if (one.kind !== 'estimated') throw new Error(one.reason);
    agree(ends(one.interval), row.garwood);
  });

  it.each(cases)('score test and its two intervals agree with R on $case', (row) => {
    const result = compareRates(row.control, row.candidate, row);
    if (result.kind !== 'tested') throw new Error(result.reason);
    if (row.score === 0) expect(result.statistic).toBe(0);
    else near(result.statistic, row.score);
    agree(
      ends(result.relativeInterval).map((end) => end + 1),
      row.ratio,
    );
    // R's root finder was given 1e-15 of some twenty standard errors.
    const scale = Math.max(...row.difference.map(Math.abs));
    ends(result.interval).forEach((end, i) => {
      expect(Math.abs(end - row.difference[i]!)).toBeLessThan(1e-9 * scale);
    });
  });

  const rate = fc.record({
    events: fc.integer({ min: 0, max: 200 }),
    exposure: fc.double({ min: 0.1, max: 1000, noNaN: true }),
  });
  const level = fc.double({ min: 1e-5, max: 0.5, noNaN: true });
  const leavesOut = (interval: Interval, point: number): boolean => {
    const [lower, upper] = ends(interval);
    return lower > point || upper < point;
  };

  it('intervals and p-values agree, and swapping the sides turns them round', () => {
    fc.assert(
      fc.property(rate, rate, level, (a, b, alpha) => {
        const there = compareRates(a, b, { alpha });
        const back = compareRates(b, a, { alpha });
        expect(there.kind).toBe(back.kind);
        if (there.kind !== 'tested' || back.kind !== 'tested') return;
        near(back.statistic, -there.statistic);
        near(back.pValue, there.pValue, 1e-7);
        const [lower, upper] = ends(there.interval);
        const size = upper - lower;
        expect(Math.abs(lower + ends(back.interval)[1])).toBeLessThan(1e-9 * size);
        expect(Math.abs(upper + ends(back.interval)[0])).toBeLessThan(1e-9 * size);
        if (Math.abs(there.pValue / alpha - 1) < 1e-9) return;
        expect(leavesOut(there.interval, 0)).toBe(there.pValue < alpha);
        expect(leavesOut(there.relativeInterval, 0)).toBe(there.pValue < alpha);
        const exact = exactRates(a, b, { alpha });
        const mirror = exactRates(b, a, { alpha });
        if (exact.kind !== 'tested' || mirror.kind !== 'tested') throw new Error('tested expected');
        near(mirror.pValue, exact.pValue, 1e-6);
        near(mirror.centralP, exact.centralP, 1e-9);
        expect(leavesOut(exact.interval, 1)).toBe(exact.centralP < alpha);
        expect(exact.midP).toBeLessThanOrEqual(exact.centralP);
      }),
      { numRuns: 300 },
    );
  });

  it('the exact test keeps its level with few events, and the score test with five a side', () => {
    // All outcomes of two equal rates with uneven exposure, weighed by their probability.
    const reject = (means: [number, number], test: (a: EventRate, b: EventRate) => boolean): number => {
      let sum = 0;
      const weight = (k: number, mean: number): number => {
        let log = -mean;
        for (let i = 1; i <= k; i += 1) log += Math.log(mean / i);
        return Math.exp(log);
      };
      for (let x = 0; x < 40; x += 1) {
        for (let y = 0; y < 60; y += 1) {
          if (x + y === 0) continue;
          const [a, b] = [
            { events: x, exposure: means[0] },
            { events: y, exposure: means[1] },
          ];
          if (test(a, b)) sum += weight(x, means[0]) * weight(y, means[1]);
        }
      }
      return sum;
    };
    const exact = (a: EventRate, b: EventRate): boolean => {
      const result = exactRates(a, b, { alpha });
      return result.kind === 'tested' && result.centralP < alpha;
    };
    const score = (a: EventRate, b: EventRate): boolean => {
      const result = compareRates(a, b, { alpha });
      return result.kind === 'tested' && result.pValue < alpha;
    };
    expect(reject([2, 3], exact)).toBeLessThan(alpha);
    expect(reject([8, 12], exact)).toBeLessThan(alpha);
    expect(reject([8, 12], score)).toBeLessThan(0.055);
    expect(reject([8, 12], score)).toBeGreaterThan(0.04);
  });

  it('a difference so large that 1 - cdf is 0 keeps its p-value', () => {
    const result = exactRates({ events: 0, exposure: 1 }, { events: 900, exposure: 1 }, { alpha });
    if (result.kind !== 'tested') throw new Error(result.reason);
    near(result.pValue, 2 * 0.5 ** 900, 1e-10);
    expect(result.ratio).toMatchObject({ kind: 'insufficient' });
    expect(result.interval.kind).toBe('lower');
  });

  it('too little to say is said in a sentence, and bad input refused', () => {
    const none = { events: 0, exposure: 5 };
    for (const test of [compareRates, exactRates]) {
      expect(test(none, none, { alpha })).toEqual({
        kind: 'insufficient',
        reason: 'nothing happened in either variant, so the rates cannot be told apart',
      });
      expect(test({ events: 0, exposure: 0 }, none, { alpha })).toMatchObject({
        reason: 'control has no exposure yet',
      });
      expect(() => test(none, { events: 1.5, exposure: 1 }, { alpha })).toThrow(
        new RangeError('candidate.events is 1.5, must be a whole number >= 0'),
      );
      expect(() => test({ events: 1, exposure: -1 }, none, { alpha })).toThrow(
        'control.exposure is -1, must be finite and >= 0',
      );
      expect(() => test(none, none, { alpha: 1.2 })).toThrow('alpha is 1.2, must be in (0, 1)');
    }
    expect(estimateRate({ events: 0, exposure: 0 }, { alpha })).toMatchObject({
      reason: 'the sample has no exposure yet',
    });
    // The rule of three, exactly: -ln(alpha / 2) over the exposure.
    const zero = estimateRate({ events: 0, exposure: 10 }, { alpha });
    near(zero.kind === 'estimated' ? ends(zero.interval)[1] : 0, -Math.log(0.025) / 10, 1e-12);
  });
});
