import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Spending, spentBy } from './alpha-spending.ts';

const rules: readonly Spending[] = [
  { kind: 'obrien-fleming-like' },
  { kind: 'pocock-like' },
  { kind: 'power', rho: 2 },
  { kind: 'hwang-shih-decani', gamma: -4 },
  { kind: 'hwang-shih-decani', gamma: 0 },
  { kind: 'hwang-shih-decani', gamma: 1 },
];

describe('spentBy', () => {
  it('spends nothing at the start, all at the end, and never takes back', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.constantFrom(...rules),
        fc.double({ min: 1e-6, max: 0.5, noNaN: true }),
        share,
        share,
        (rule, error, a, b) => {
          expect(spentBy(error, 0, rule)).toBe(0);
          expect(spentBy(error, 1, rule)).toBeCloseTo(error, 14);
          expect(spentBy(error, Math.min(a, b), rule)).toBeLessThanOrEqual(spentBy(error, Math.max(a, b), rule));
        },
      ),
    );
  });

  it('is the formula of each rule at half of the information', () => {
    const half = (rule: Spending): number => spentBy(0.05, 0.5, rule);
    // 2 - 2 Phi(isf(.025) sqrt 2) by mpmath.
    expect(half(rules[0]!)).toBeCloseTo(0.005574596680784411, 14);
    expect(half(rules[1]!)).toBeCloseTo(0.05 * Math.log(1 + (Math.E - 1) / 2), 15);
    expect(half(rules[2]!)).toBeCloseTo(0.0125, 15);
    expect(half(rules[3]!)).toBeCloseTo((0.05 * (1 - Math.exp(2))) / (1 - Math.exp(4)), 15);
    expect(half(rules[4]!)).toBe(0.025);
    expect(spentBy(0.05, 0.5, { kind: 'hwang-shih-decani', gamma: 1e-12 })).toBeCloseTo(0.025, 12);
  });

  it('refuses bad input', () => {
    expect(() => spentBy(0, 0.5, rules[0]!)).toThrow(new RangeError('error is 0, must be in (0, 1)'));
    expect(() => spentBy(0.05, 1.5, rules[0]!)).toThrow('share is 1.5, must be in [0, 1]');
    expect(() => spentBy(0.05, 0.5, { kind: 'power', rho: -1 })).toThrow('spending.rho is -1, must be finite and > 0');
    expect(() => spentBy(0.05, 0.5, { kind: 'linear' } as never)).toThrow(
      'spending.kind is linear, must be a spending rule',
    );
  });
});
