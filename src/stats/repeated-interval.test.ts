import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import reference from './group-sequential.fixture.json' with { type: 'json' };
import { designLooks, type LooksOptions } from './group-sequential.ts';
import { normal } from './normal.ts';
import { readLook } from './repeated-interval.ts';
import type { Boundary } from './sequential-boundary.ts';

const thirds = [1 / 3, 2 / 3, 1];
const asOF: Boundary = { kind: 'spending', spending: { kind: 'obrien-fleming-like' } };

describe('readLook', () => {
  it('agrees with rpact on repeated intervals and p-values of five boundaries, one- and two-sided', () => {
    expect(reference.looks.length).toBe(10);
    for (const row of reference.looks) {
      const sides = row.sides as 1 | 2;
      const alpha = sides === 1 ? 0.025 : 0.05;
      const design: LooksOptions = { alpha, sides, information: thirds, boundary: row.boundary as Boundary };
      for (const look of [0, 1]) {
        const [estimate, z] = [row.estimate[look]!, row.z[look]!];
        const result = readLook({ estimate, standardError: estimate / z }, { look, design });
        // rpact gives a one-sided test the upper end of the mirrored test too.
        const mirrored = readLook({ estimate: -estimate, standardError: estimate / z }, { look, design });
        if (result.kind !== 'looked' || mirrored.kind !== 'looked') throw new Error('looked expected');
        const upper =
          result.interval.kind === 'bounded'
            ? result.interval.upper
            : -(mirrored.interval as { readonly lower: number }).lower;
        const lower = (result.interval as { readonly lower: number }).lower;
        for (const [got, want] of [
          [lower, row.lower[look]!],
          [upper, row.upper[look]!],
          [result.pValue, row.p[look]!],
        ] as const) {
          expect(Math.abs(got - want), `${JSON.stringify(row)} ${got} ${want}`).toBeLessThan(3e-6);
        }
      }
    }
  });

  it('gives the worked example: (-.1694954, .8694954), then (.0644182, .5655819), p .11415654 and .00617794', () => {
    const design: LooksOptions = { alpha: 0.05, sides: 2, information: thirds, boundary: asOF };
    // One-sided p-values of the example; intervals at one-sided .025 are those at two-sided .05.
    const oneSided: LooksOptions = { ...design, alpha: 0.025, sides: 1 };
    const sds = [
      [1, 0.98],
      [1.02, 1],
    ] as const;
    const pooled = Math.sqrt((sds[0][0] ** 2 + sds[0][1] ** 2) / 2);
    const [first, second] = [
      { estimate: 0.35, standardError: pooled * Math.sqrt(2 / 100) },
      // Both stages together: within and between stages, per arm, then pooled over the arms.
      {
        estimate: 0.315,
        standardError:
          Math.sqrt(
            (99 * (sds[0][0] ** 2 + sds[1][0] ** 2 + sds[0][1] ** 2 + sds[1][1] ** 2) + 50 * (0.05 ** 2 + 0.02 ** 2)) /
              398,
          ) * Math.sqrt(2 / 200),
      },
    ] as const;
    const read = [first, second].map((measured, look) => ({
      two: readLook(measured, { look, design }),
      one: readLook(measured, { look, design: oneSided }),
    }));
    const want = [
      [-0.1694954, 0.8694954, 0.11415654],
      [0.0644182, 0.5655819, 0.00617794],
    ];
    for (const [look, { two, one }] of read.entries()) {
      if (two.kind !== 'looked' || one.kind !== 'looked' || two.interval.kind !== 'bounded') throw new Error('looked');
      // rpact finds both ends by a search that stops within 1e-7 of estimate -+ critical x standard error.
      expect(Math.abs(two.interval.lower - want[look]![0]!)).toBeLessThan(1e-7);
      expect(Math.abs(two.interval.upper - want[look]![1]!)).toBeLessThan(1e-7);
      expect(one.interval.kind === 'lower' && one.interval.lower).toBeCloseTo(two.interval.lower, 7);
      // rpact's search for p stops early: .11415654 is short by 2.4e-7 and .00617794 too large by 4.8e-7. Exact p, from the
      // spending rule and, for the second, one integral over the first look (mpmath, 25 digits):
      expect(Math.abs(one.pValue - want[look]![2]!)).toBeLessThan(5e-7);
      expect(Math.abs(one.pValue / [0.11415678361436903, 0.006177459008981258][look]! - 1)).toBeLessThan(1e-11);
    }
  });

  const anyDesign = fc.record({
    alpha: fc.double({ min: 0.001, max: 0.3, noNaN: true }),
    sides: fc.constantFrom<1 | 2>(1, 2),
    information: fc.constantFrom(thirds, [0.2, 0.9, 1], [0.5, 1], [1]),
    boundary: fc.constantFrom<Boundary>(
      asOF,
      { kind: 'pocock' },
      { kind: 'obrien-fleming' },
      { kind: 'spending', spending: { kind: 'pocock-like' } },
      { kind: 'spending', spending: { kind: 'hwang-shih-decani', gamma: -4 } },
    ),
  });

  it('leaves 0 out exactly when p < alpha, and swapped arms mirror the two-sided interval', () => {
    fc.assert(
      fc.property(anyDesign, fc.double({ min: -6, max: 6, noNaN: true }), fc.nat(9), (design, estimate, at) => {
        const look = at % design.information.length;
        const result = readLook({ estimate, standardError: 1 }, { look, design });
        const swapped = readLook({ estimate: -estimate, standardError: 1 }, { look, design });
        if (result.kind !== 'looked' || swapped.kind !== 'looked') throw new Error('looked expected');
        const { interval } = result;
        if (interval.kind === 'bounded' && swapped.interval.kind === 'bounded') {
          expect(interval.lower > 0 || interval.upper < 0).toBe(result.pValue < design.alpha);
          expect(swapped.interval.lower).toBeCloseTo(-interval.upper, 12);
          expect(swapped.pValue).toBe(result.pValue);
        } else {
          expect(interval.kind === 'lower' && interval.lower > 0).toBe(result.pValue < design.alpha);
        }
      }),
      { numRuns: 120 },
    );
  });

  it('keeps p-values far out: at the first look they are those of the rule, and they fall with z', () => {
    const pocockLike: Boundary = { kind: 'spending', spending: { kind: 'power', rho: 1 } };
    const design: LooksOptions = { alpha: 0.05, sides: 1, information: [0.5, 1], boundary: pocockLike };
    for (const z of [3, 14.3, 30]) {
      const result = readLook({ estimate: z, standardError: 1 }, { look: 0, design });
      // Half of alpha is spent at half of the information.
      if (result.kind !== 'looked') throw new Error(result.reason);
      expect(Math.abs(result.pValue / (2 * normal.sf(z)) - 1)).toBeLessThan(1e-9);
    }
    for (const boundary of [asOF, pocockLike, { kind: 'pocock' }, { kind: 'obrien-fleming' }] as const) {
      const ps = [-3, 0, 2, 8, 14.3, 25, 35, 60].map((z) => {
        const result = readLook({ estimate: z, standardError: 1 }, { look: 1, design: { ...design, boundary } });
        if (result.kind !== 'looked') throw new Error(result.reason);
        return result.pValue;
      });
      for (const [i, p] of ps.entries()) {
        expect(p).toBeGreaterThan(0);
        expect(p).toBeLessThanOrEqual(ps[i - 1] ?? 1);
      }
      // Never below the test that looked once, never above Bonferroni over the looks by much.
      expect(ps[4]!).toBeGreaterThan(normal.sf(14.3));
      expect(ps[4]!).toBeLessThan(1e-20);
    }
  });

  it('is wider than a binding boundary, and says when there is nothing to say', () => {
    const design: LooksOptions = {
      alpha: 0.025,
      sides: 1,
      information: thirds,
      boundary: asOF,
      power: 0.8,
      futility: { spending: { kind: 'pocock-like' }, binding: true },
    };
    const result = readLook({ estimate: 1, standardError: 1 }, { look: 2, design });
    expect(result.kind === 'looked' && result.critical).toBeGreaterThan(designLooks(design).critical[2]!);
    const early: LooksOptions = { ...design, information: [0.001, 1] };
    expect(readLook({ estimate: 1, standardError: 1 }, { look: 0, design: early })).toEqual({
      kind: 'insufficient',
      reason: 'the design spends nothing at this look',
    });
    expect(readLook({ estimate: 1, standardError: 0 }, { look: 0, design }).kind).toBe('insufficient');
    expect(() => readLook({ estimate: 1, standardError: 1 }, { look: 3, design })).toThrow(
      'look is 3, must be a whole number in 0..2',
    );
    expect(() => readLook({ estimate: Number.NaN, standardError: 1 }, { look: 0, design })).toThrow(
      'measured.estimate is NaN, must be finite',
    );
  });
});
