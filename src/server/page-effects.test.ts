import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Difference, Report } from '../decision/index.ts';
import { parseExperimentFile } from '../experiment/index.ts';
import { type Interval, normal, relativeDifference } from '../stats/index.ts';
import { relativeInterval, valuesWithTerms } from './page-effects.ts';

const alpha = 0.05;
const z = normal.isf(alpha / 2);
const around = (middle: number, half: number): Interval => ({
  kind: 'bounded',
  lower: middle - half,
  upper: middle + half,
});

/** A comparison of two independent means as a report has it. */
function compared(control: number, candidate: number, errors: readonly [number, number]) {
  const absolute = candidate - control;
  const interval = around(absolute, z * Math.hypot(...errors));
  return {
    difference: { absolute, relative: absolute / control, interval } satisfies Partial<Difference>,
    level: around(control, z * errors[0]),
    interval,
  };
}

const sides = fc.record({
  control: fc.double({ min: 0.5, max: 100, noNaN: true }),
  factor: fc.double({ min: 0.3, max: 3, noNaN: true }).filter((factor) => Math.abs(factor - 1) > 1e-3),
  spread: fc.double({ min: 0.001, max: 0.15, noNaN: true }),
  other: fc.double({ min: 0.001, max: 0.15, noNaN: true }),
});

describe('the interval of a share of the control', () => {
  it('is Fieller’s interval of the two levels where both are means', () => {
    fc.assert(
      fc.property(sides, ({ control, factor, spread, other }) => {
        const errors = [control * spread, control * other] as const;
        const { difference, level, interval } = compared(control, control * factor, errors);
        const wanted = relativeDifference(
          { estimate: control, standardError: errors[0] },
          { estimate: control * factor, standardError: errors[1] },
          { alpha },
        );
        const found = relativeInterval(difference, { watched: interval, level });
        if (wanted.kind !== 'estimated' || wanted.interval.kind !== 'bounded' || found.kind !== 'bounded')
          throw new Error(`${JSON.stringify(wanted)} and ${JSON.stringify(found)} must both be bounded`);
        expect(found.lower).toBeCloseTo(wanted.interval.lower, 8);
        expect(found.upper).toBeCloseTo(wanted.interval.upper, 8);
      }),
    );
  });

  it('leaves 0 out exactly when the difference’s does, watched or not, also below 0', () => {
    fc.assert(
      fc.property(sides, fc.double({ min: 1, max: 3, noNaN: true }), fc.boolean(), (side, wider, isBelow) => {
        const sign = isBelow ? -1 : 1;
        const control = sign * side.control;
        const { difference, level, interval } = compared(control, control * side.factor, [
          side.control * side.spread,
          side.control * side.other,
        ]);
        if (interval.kind !== 'bounded') throw new Error('it is bounded');
        const watched = around(difference.absolute, ((interval.upper - interval.lower) / 2) * wider);
        const found = relativeInterval(difference, { watched, level });
        if (watched.kind !== 'bounded' || found.kind !== 'bounded') return;
        const [lower, upper] = isBelow ? [-found.upper, -found.lower] : [found.lower, found.upper];
        expect([lower > 0, upper < 0]).toEqual([watched.lower > 0, watched.upper < 0]);
        expect(found.lower).toBeLessThanOrEqual(difference.relative);
        expect(found.upper).toBeGreaterThanOrEqual(difference.relative);
      }),
    );
  });

  it('keeps an open end open, and is unbounded when the control is not clear of 0', () => {
    const { difference, level, interval } = compared(2, 3, [0.1, 0.1]);
    const above = relativeInterval(difference, { watched: { kind: 'lower', lower: 0.5 }, level });
    expect(above).toMatchObject({ kind: 'lower' });
    // (1 - 2 r)^2 = 0.5^2 + 0.5^2 / 2 (r^2 + 2 r), the smaller root by hand: the control has half of the noise.
    expect((above as { readonly lower: number }).lower).toBeCloseTo(
      (2.125 - Math.sqrt(2.125 ** 2 - 3.875 * 0.75)) / 3.875,
      9,
    );
    const unclear = compared(2, 3, [1.5, 0.1]);
    expect(relativeInterval(unclear.difference, { watched: unclear.interval, level: unclear.level })).toEqual({
      kind: 'unbounded',
    });
    const missing = relativeInterval(difference, { watched: interval, level: undefined });
    expect(missing).toMatchObject({ kind: 'insufficient' });
  });
});

describe('the noise of a term', () => {
  const experiment = parseExperimentFile(`apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: worth}
spec:
  route: {path: /worth}
  unit: {header: x-user-id}
  control: a
  variants:
    - {name: a, weight: 50, upstream: {url: "http://127.0.0.1:1"}}
    - {name: b, weight: 50, upstream: {url: "http://127.0.0.1:1"}}
  metrics: {latency: {mean: attempt_ms}}
  value: {unit: points, terms: {cost: {latency: -0.1, per: 1}}}
`);
  const reportWith = (estimate: number, sequential: Difference['sequential']): Report =>
    ({
      metrics: [
        {
          name: 'latency',
          variants: [
            { variant: 'a' },
            { variant: 'b', difference: { absolute: 20, interval: around(20, 4), sequential } },
          ],
        },
      ],
      values: [
        {
          variant: 'b',
          unit: 'points',
          terms: [{ name: 'cost', metric: 'latency', estimate, varianceShare: 1 }],
          net: { estimate, interval: around(estimate, 0.4), sequential: around(estimate, 0.9) },
        },
      ],
    }) as unknown as Report;

  it('is that of its metric in the unit of the value, turned around by a cost, valid at every look as the net value is', () => {
    const watched = { method: 'a sequence', interval: around(20, 9), pValue: 0.2 };
    const [value] = valuesWithTerms(reportWith(-2, watched), experiment);
    expect(value?.terms[0]?.interval).toEqual({
      kind: 'bounded',
      lower: expect.closeTo(-2.9, 12),
      upper: expect.closeTo(-1.1, 12),
    });
  });

  it('is not told where the metric is judged by another estimate, or not watched', () => {
    const watched = { method: 'a sequence', interval: around(20, 9), pValue: 0.2 };
    for (const report of [reportWith(-2.1, watched), reportWith(-2, { kind: 'insufficient', reason: 'too few' })])
      expect(valuesWithTerms(report, experiment)[0]?.terms[0]?.interval).toMatchObject({ kind: 'insufficient' });
  });
});
