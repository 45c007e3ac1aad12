import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ends, nearWithin } from './answer.fixture.ts';
import type { Insufficient } from './interval.ts';
import fixture from './margins.fixture.json' with { type: 'json' };
import { compareMeans } from './means.ts';
import { momentsOf } from './moments.ts';
import { equivalent, notInferior, notInferiorByShare, proportionsNotInferior } from './non-inferiority.ts';

const near = nearWithin(1e-9);
function tested<T extends { kind: string }>(result: T | Insufficient): T {
  if (result.kind === 'insufficient') throw new Error((result as Insufficient).reason);
  return result as T;
}

describe('non-inferiority and equivalence', () => {
  it.each(fixture.means)('of means agree with statsmodels (Welch), margin $margin', (row) => {
    const measured = tested(compareMeans(momentsOf(row.control), momentsOf(row.candidate), { alpha: 0.05 }));
    const both = tested(equivalent(measured, { alpha: 0.05, margin: row.margin }));
    near(both.pValue, row.pValue);
    near(tested(notInferior(measured, { alpha: 0.05, margin: row.margin })).pValue, row.notInferior);
    for (const [i, end] of ends(both).entries()) near(end, row.interval[i]!);
  });

  it.each(fixture.rates)('of rates agree with the score test in 30 digits: $control, $candidate', (row) => {
    const side = ([successes, n]: number[]) => ({ successes: successes!, n: n! });
    const got = tested(
      proportionsNotInferior(side(row.control), side(row.candidate), { alpha: 0.05, margin: row.margin }),
    );
    near(got.statistic, row.statistic);
    near(got.pValue, row.pValue);
  });

  it('p-value and interval agree, and turning the better side round mirrors the answer', () => {
    const value = fc.double({ min: -3, max: 3, noNaN: true });
    const positive = fc.double({ min: 0.05, max: 2, noNaN: true });
    fc.assert(
      fc.property(
        value,
        positive,
        positive,
        fc.option(fc.double({ min: 2, max: 90, noNaN: true })),
        (d, se, margin, df) => {
          const measured = { difference: d, standardError: se, ...(df === null ? {} : { df }) };
          const options = { alpha: 0.05, margin };
          const one = tested(notInferior(measured, options));
          expect(one.isShown).toBe(ends(one)[0] > -margin);
          const mirrored = tested(notInferior({ ...measured, difference: -d }, { ...options, better: 'lower' }));
          expect(mirrored.pValue).toBe(one.pValue);
          const both = tested(equivalent(measured, options));
          expect(both.isShown).toBe(ends(both)[0] > -margin && ends(both)[1] < margin);
        },
      ),
      { seed: 5 },
    );
  });

  it('of rates: p-value and score interval agree, and a wider margin never counts against the candidate', () => {
    const side = fc.tuple(fc.nat(40), fc.nat(40)).map(([successes, rest]) => ({ successes, n: successes + rest + 1 }));
    fc.assert(
      fc.property(side, side, fc.double({ min: 0.01, max: 0.5, noNaN: true }), (control, candidate, margin) => {
        const got = proportionsNotInferior(control, candidate, { alpha: 0.05, margin });
        if (got.kind === 'insufficient') return;
        if (Math.abs(ends(got)[0] + margin) > 1e-9) expect(got.isShown).toBe(ends(got)[0] > -margin);
        const wider = tested(proportionsNotInferior(control, candidate, { alpha: 0.05, margin: margin + 0.1 }));
        expect(wider.pValue).toBeLessThanOrEqual(got.pValue + 1e-12);
      }),
      { seed: 6 },
    );
  });

  it('rates without a single event still get an answer', () => {
    const none = { successes: 0, n: 1000 };
    const got = tested(proportionsNotInferior(none, none, { alpha: 0.05, margin: 0.01, better: 'lower' }));
    expect(got.isShown).toBe(true);
    expect(got.pValue).toBeGreaterThan(0);
  });

  it('by share: the test is 0 just where the interval ends', () => {
    const control = { estimate: 10, standardError: 0.3 };
    const value = fc.double({ min: 7, max: 13, noNaN: true });
    const margins = fc.double({ min: 0.01, max: 0.4, noNaN: true });
    fc.assert(
      fc.property(value, margins, fc.boolean(), (estimate, margin, isLower) => {
        const candidate = { estimate, standardError: 0.4 };
        const better = isLower ? 'lower' : 'higher';
        const got = tested(notInferiorByShare(control, candidate, { alpha: 0.05, margin, better }));
        const [lower, upper] = ends(got);
        expect(got.isShown).toBe(isLower ? upper < margin : lower > -margin);
      }),
      { seed: 7 },
    );
    const got = tested(
      notInferiorByShare(control, { estimate: 9.8, standardError: 0.4 }, { alpha: 0.05, margin: 0.1 }),
    );
    near(got.statistic, (9.8 - 9) / Math.hypot(0.4, 0.27));
  });

  it('by share: a control not clear of 0 leaves the interval unbounded, a control of 0 or less is insufficient', () => {
    const candidate = { estimate: 1, standardError: 1 };
    const options = { alpha: 0.05, margin: 0.1 };
    expect(tested(notInferiorByShare({ estimate: 1, standardError: 1 }, candidate, options)).interval.kind).toBe(
      'unbounded',
    );
    expect(notInferiorByShare({ estimate: 0, standardError: 1 }, candidate, options)).toMatchObject({
      kind: 'insufficient',
    });
  });

  it('bad input is refused and a difference without noise is insufficient', () => {
    const measured = { difference: 0, standardError: 1 };
    expect(() => notInferior(measured, { alpha: 0.6, margin: 1 })).toThrow(
      new RangeError('alpha is 0.6, must be in (0, 0.5), it is one-sided'),
    );
    expect(() => notInferior(measured, { alpha: 0.05, margin: 0 })).toThrow('margin is 0, must be finite and > 0');
    expect(notInferior({ difference: 0, standardError: 0 }, { alpha: 0.05, margin: 1 })).toMatchObject({
      kind: 'insufficient',
    });
  });
});
