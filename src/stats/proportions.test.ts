import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ends } from './answer.fixture.ts';
import {
  clopperPearsonInterval,
  compareProportions,
  estimateProportion,
  newcombeInterval,
  scoreInterval,
} from './index.ts';
import fixture from './intervals.fixture.json' with { type: 'json' };
import reference from './reference.fixture.json' with { type: 'json' };

const alpha = 0.05;
function agree(got: readonly number[], want: readonly unknown[], relative: number): void {
  got.forEach((value, i) => {
    const target = want[i] as number;
    expect(Math.abs(value - target), `${value} against ${target}`).toBeLessThanOrEqual(
      Math.max(relative * Math.abs(target), 1e-15),
    );
  });
}
const numbers = reference as unknown as Record<string, number[]>;

describe('compareProportions', () => {
  it('agrees with R 4.2 prop.test without continuity correction', () => {
    const keys = Object.keys(numbers).filter((key) => key.startsWith('chi-squared '));
    expect(keys.length).toBe(10);
    for (const key of keys) {
      const [x1, n1, x0, n0] = key.split(' ').slice(1).map(Number) as [number, number, number, number];
      const asked = { alpha, test: 'pooled-z' } as const;
      const result = compareProportions({ successes: x0, n: n0 }, { successes: x1, n: n1 }, asked);
      if (result.kind !== 'tested') throw new Error(result.reason);
      agree([result.statistic ** 2, result.pValue], numbers[key]!, 1e-9);
    }
  });

  it('12 % against 10 % of 100,000 has p = 2.4e-46, not 0', () => {
    const result = compareProportions({ successes: 10000, n: 1e5 }, { successes: 12000, n: 1e5 }, { alpha });
    expect(result.kind === 'tested' && Math.abs(result.pValue / 2.419279969901966e-46 - 1)).toBeLessThan(1e-9);
  });

  it('0 of 1000 against 8 of 1000 is tested, not waved through with p = 1', () => {
    const result = compareProportions({ successes: 0, n: 1000 }, { successes: 8, n: 1000 }, { alpha });
    if (result.kind !== 'tested') throw new Error(result.reason);
    // Half of Fisher's .0077034808510839: as many as eight of eight, counted by half, twice.
    expect(result.pValue).toBeCloseTo(0.00385174042554195, 12);
    const [lower, upper] = ends(result.interval);
    expect(lower).toBeGreaterThan(0);
    expect(upper).toBeLessThan(0.02);
  });

  it('the published forecast example: p = .0509 from the rates, .0491 from rounded counts', () => {
    const control = { successes: 0.785 * 1851, n: 1851 };
    const candidate = { successes: 0.821 * 649, n: 649 };
    const result = compareProportions(control, candidate, { alpha });
    if (result.kind !== 'tested') throw new Error(result.reason);
    expect(result.pValue).toBeCloseTo(0.0509, 4);
    const [lower, upper] = ends(result.interval);
    expect(lower).toBeCloseTo(-0.0001, 4);
    expect(upper).toBeCloseTo(0.0698, 4);
    const rounded = compareProportions({ successes: 1453, n: 1851 }, { successes: 533, n: 649 }, { alpha });
    expect(rounded.kind === 'tested' && rounded.pValue).toBeCloseTo(0.0491, 4);
  });

  const side = fc
    .integer({ min: 1, max: 400 })
    .chain((n) => fc.record({ n: fc.constant(n), successes: fc.integer({ min: 0, max: n }) }));
  const level = fc.double({ min: 1e-5, max: 0.5, noNaN: true });

  it('0 is in the score interval exactly when p is at least alpha, and swapping the arms flips the signs', () => {
    fc.assert(
      fc.property(side, side, level, (a, b, alpha) => {
        const there = compareProportions(a, b, { alpha, test: 'pooled-z' });
        const back = compareProportions(b, a, { alpha, test: 'pooled-z' });
        if (there.kind !== 'tested' || back.kind !== 'tested') {
          expect(there.kind).toBe(back.kind);
          return;
        }
        const [lower, upper] = ends(there.interval);
        const [backLower, backUpper] = ends(back.interval);
        expect(back.pValue).toBe(there.pValue);
        expect(backLower).toBeCloseTo(-upper, 9);
        expect(backUpper).toBeCloseTo(-lower, 9);
        expect(lower).toBeLessThanOrEqual(there.difference);
        expect(upper).toBeGreaterThanOrEqual(there.difference);
        if (Math.abs(there.pValue - alpha) > 1e-9) expect(lower > 0 || upper < 0).toBe(there.pValue < alpha);
      }),
      { seed: 4, numRuns: 400 },
    );
  });

  it('too little to say is said in a sentence', () => {
    const none = { successes: 0, n: 50 };
    expect(compareProportions({ successes: 0, n: 0 }, none, { alpha })).toEqual({
      kind: 'insufficient',
      reason: 'control has no units yet',
    });
    expect(compareProportions(none, none, { alpha })).toEqual({
      kind: 'insufficient',
      reason: 'nothing happened in either variant, so the rates cannot be told apart',
    });
    expect(compareProportions({ successes: 9, n: 9 }, { successes: 4, n: 4 }, { alpha })).toEqual({
      kind: 'insufficient',
      reason: 'it happened every time in both variants, so the rates cannot be told apart',
    });
    expect(estimateProportion({ successes: 0, n: 0 }, { alpha }).kind).toBe('insufficient');
  });

  it('bad input is refused by name, value and rule', () => {
    const ok = { successes: 1, n: 10 };
    expect(() => compareProportions({ successes: 11, n: 10 }, ok, { alpha })).toThrow(
      new RangeError('control.successes is 11, must be in 0..10'),
    );
    expect(() => compareProportions(ok, { successes: Number.NaN, n: 10 }, { alpha })).toThrow(
      'candidate.successes is NaN, must be in 0..10',
    );
    expect(() => compareProportions(ok, { successes: 1, n: Number.POSITIVE_INFINITY }, { alpha })).toThrow(
      'candidate.n is Infinity, must be finite and >= 0',
    );
    expect(() => compareProportions(ok, ok, { alpha: 0 })).toThrow('alpha is 0, must be in (0, 1)');
    expect(() => newcombeInterval({ successes: 0, n: 0 }, ok, { alpha })).toThrow('control.n is 0, must be > 0');
  });
});

describe('intervals of proportions', () => {
  it('score and Newcombe intervals agree with their definition in 30 digits (intervals.fixture.py)', () => {
    for (const row of fixture.score) {
      const control = { successes: row.control[0]!, n: row.control[1]! };
      const candidate = { successes: row.candidate[0]!, n: row.candidate[1]! };
      agree(ends(scoreInterval(control, candidate, { alpha })), row.mee, 1e-9);
      agree(ends(scoreInterval(control, candidate, { alpha, variance: 'miettinen-nurminen' })), row.mn, 1e-9);
      if (row.newcombe) agree(ends(newcombeInterval(control, candidate, { alpha })), row.newcombe, 1e-9);
    }
  });

  it('differences of Newcombe 1998b are met to the four digits of the table', () => {
    const rows: [number, number, number, number, number, number, number, number][] = [
      [56, 70, 48, 80, 0.0524, 0.3339, 0.0528, 0.3382],
      [9, 10, 3, 10, 0.1705, 0.809, 0.17, 0.8406],
      [6, 7, 2, 7, 0.0582, 0.8062, 0.0342, 0.8534],
      [5, 56, 0, 29, -0.0381, 0.1926, -0.0326, 0.1933],
      [0, 10, 0, 20, -0.1611, 0.2775, -0.1658, 0.2844],
      [10, 10, 0, 10, 0.6075, 1, 0.6636, 1],
    ];
    for (const [x1, n1, x0, n0, ...want] of rows) {
      const control = { successes: x0, n: n0 };
      const candidate = { successes: x1, n: n1 };
      const got = [
        ...ends(newcombeInterval(control, candidate, { alpha })),
        ...ends(scoreInterval(control, candidate, { alpha, variance: 'miettinen-nurminen' })),
      ];
      got.forEach((value, i) => {
        expect(Math.abs(value - want[i]!)).toBeLessThanOrEqual(0.00005 + 1e-9);
      });
    }
  });

  it('Wilson and Clopper-Pearson agree with R 4.2 and with Newcombe 1998a', () => {
    for (const key of Object.keys(numbers)) {
      const [method, successes, n] = key.split(' ');
      const sample = { successes: Number(successes), n: Number(n) };
      if (method === 'clopper-pearson') agree(ends(clopperPearsonInterval(sample, { alpha })), numbers[key]!, 1e-9);
      // R solves Wilson's quadratic with cancellation: it is good to 1e-9 absolute only for the rarest.
      if (method === 'wilson') {
        const estimate = estimateProportion(sample, { alpha });
        if (estimate.kind !== 'estimated') throw new Error(estimate.reason);
        agree(ends(estimate.interval), numbers[key]!, 1e-9);
      }
    }
    const published = estimateProportion({ successes: 15, n: 148 }, { alpha });
    if (published.kind !== 'estimated') throw new Error(published.reason);
    agree(ends(published.interval), [0.0623863995, 0.1604872417], 1e-8);
  });
});
