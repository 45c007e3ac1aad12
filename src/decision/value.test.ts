import { describe, expect, it } from 'vitest';
import type { VariantSummary } from '../evidence/index.ts';
import { createRandom, jointMomentsOf, momentsOf } from '../stats/index.ts';
import { makeReport } from './index.ts';
import { riskAdjustedReturn } from './risk-register.ts';
import { mean, proportion, specification, summaryOf, variant } from './summary.fixture.ts';
import { valueEntry } from './value.ts';

const model = {
  unit: 'points',
  terms: [
    { name: 'gain', metric: 'a', coefficient: 2, per: 0.5 },
    { name: 'loss', metric: 'b', coefficient: -3, per: 1 },
  ],
};

/** Units with two metrics that move together, one row each. */
function correlated(name: string, rows: readonly (readonly [number, number])[]): VariantSummary {
  const [a, b] = [momentsOf(rows.map(([x]) => x)), momentsOf(rows.map(([, y]) => y))];
  return {
    ...variant(name, rows.length, { a: { kind: 'mean', ...a }, b: { kind: 'mean', ...b } }),
    joint: {
      columns: ['a:numerator', 'a:denominator', 'b:numerator', 'b:denominator'],
      moments: jointMomentsOf(rows.map(([x, y]) => [x, 1, y, 1])),
    },
  };
}

const random = createRandom(7).stream('value');
const draw = (): readonly (readonly [number, number])[] =>
  Array.from({ length: 500 }, () => {
    const shared = random.normal();
    return [shared + 0.1 * random.normal(), shared + 0.1 * random.normal()];
  });

describe('the value model', () => {
  it('adds coefficient x difference / per', () => {
    const entry = valueEntry(
      {
        control: variant('old', 99, { a: mean(99, 1, 1), b: mean(99, 5, 1) }),
        candidate: variant('new', 99, { a: mean(99, 2, 1), b: mean(99, 7, 1) }),
      },
      { model, alpha: 0.05, threshold: 0 },
    );
    expect(entry.terms.map(({ estimate }) => estimate)).toEqual([4, -6]);
    expect(entry.net).toMatchObject({ estimate: -2, threshold: 0, omits: [] });
  });

  it('has the variance of the per-unit value when the metrics share their units', () => {
    const [control, candidate] = [draw(), draw()];
    const entry = valueEntry(
      { control: correlated('old', control), candidate: correlated('new', candidate) },
      { model, alpha: 0.05, threshold: 0 },
    );
    // The same number by another way: 4 a - 3 b per unit is one ordinary mean.
    const worth = (rows: readonly (readonly [number, number])[]) => momentsOf(rows.map(([a, b]) => 4 * a - 3 * b));
    const [left, right] = [worth(control), worth(candidate)];
    const standardError = Math.sqrt(left.m2 / (left.n - 1) / left.n + right.m2 / (right.n - 1) / right.n);
    if (!('estimate' in entry.net) || entry.net.interval.kind !== 'bounded') throw new Error('no net value');
    expect(entry.net.estimate).toBeCloseTo(right.mean - left.mean, 10);
    expect((entry.net.interval.upper - entry.net.interval.lower) / 2).toBeCloseTo(1.959963984540054 * standardError, 9);
  });

  it('takes metrics for independent where only their margins are known', () => {
    const [control, candidate] = [correlated('old', draw()), correlated('new', draw())];
    const width = (joint: boolean): number => {
      const sides = joint
        ? { control, candidate }
        : { control: { ...control, joint: null }, candidate: { ...candidate, joint: null } };
      const { net } = valueEntry(sides, { model, alpha: 0.05, threshold: 0 });
      if (!('estimate' in net) || net.interval.kind !== 'bounded') throw new Error('no net value');
      return net.interval.upper - net.interval.lower;
    };
    // With correlation near 1 the noise of 4 a - 3 b is about that of 1; independent it is that of 5.
    expect(width(false) / width(true)).toBeGreaterThan(3);
  });

  it('names the terms whose noise is unknown, and has no probability when that is all of them', () => {
    const point = (name: string): VariantSummary =>
      variant(name, 50, { a: { kind: 'point', n: 50, estimate: 1 }, b: { kind: 'point', n: 50, estimate: 2 } });
    const entry = valueEntry({ control: point('old'), candidate: point('new') }, { model, alpha: 0.05, threshold: 0 });
    expect(entry.net).toMatchObject({
      estimate: 0,
      interval: { kind: 'unbounded' },
      probabilityAbove: { kind: 'insufficient' },
      omits: ['gain', 'loss'],
    });
  });

  it('has no net value while one term has no estimate, and says which', () => {
    const entry = valueEntry(
      { control: variant('old', 9, { a: mean(9, 1, 1) }), candidate: variant('new', 9, { a: mean(9, 1, 1) }) },
      { model, alpha: 0.05, threshold: 0 },
    );
    expect(entry.net).toEqual({ kind: 'insufficient', reason: 'b was not measured for old' });
    expect(entry.terms[0]?.estimate).toBe(0);
  });

  it('says what each choice costs on average, and warns of terms without a common base', () => {
    const side = (name: string, share: number) =>
      variant(name, 2_000, { accuracy: proportion(2_000, share), time: mean(2_000, 50, 9) });
    const model = {
      unit: 'points',
      terms: [
        { name: 'lift', metric: 'accuracy', coefficient: 1, per: 0.01, base: 'percent of revenue' },
        { name: 'speed', metric: 'time', coefficient: -1, per: 1, base: 'percent of cost' },
      ],
    };
    const report = makeReport(summaryOf([side('old', 0.7), side('new', 0.7)]), {
      experiment: { ...specification({ primary: ['net_value > 0'] }), value: model },
    });
    const { net } = report.value;
    if (!('estimate' in net) || net.interval.kind !== 'bounded') throw new Error('no net value');
    // E[max(X, 0)] of a normal X around 0 is its deviation / sqrt(2 pi).
    const deviation = (net.interval.upper - net.interval.lower) / 2 / 1.959963984540054;
    expect(net.expectedLoss).toMatchObject({
      candidate: expect.closeTo(deviation / Math.sqrt(2 * Math.PI), 9),
      control: expect.closeTo(deviation / Math.sqrt(2 * Math.PI), 9),
    });
    expect(report.findings.find(({ code }) => code === 'mixed-bases')?.text).toContain('2 bases');
  });

  it('of a risk register is a distribution whose mean is the expected one', () => {
    // The worked example: 658,825 + 53,000 gained before 53,000 spent; expected loss 72,500.
    const risks = [
      { probability: 0.15, loss: 200_000 },
      { probability: 0.05, loss: 50_000 },
      { probability: 0.08, loss: 500_000 },
      { probability: 0.25, loss: 300_000, twoSided: true },
    ];
    const spread = riskAdjustedReturn(risks, { gain: 658_825, cost: 53_000 });
    expect(spread.mean).toBeCloseTo(10.06, 0);
    expect(spread.p5).toBeLessThan(spread.median);
    expect(spread.median).toBeCloseTo(11.43, 1);
    expect(spread.p95).toBeGreaterThan(spread.median);
    expect(riskAdjustedReturn(risks, { gain: 658_825, cost: 53_000 })).toEqual(spread);
  });
});
