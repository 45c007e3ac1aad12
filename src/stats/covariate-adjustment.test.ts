import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import reference from './adjustment.fixture.json' with { type: 'json' };
import { type AdjustedResult, compareAdjustedMeans, compareAdjustedRatios } from './covariate-adjustment.ts';
import { compareInteracted } from './interacted-regression.ts';
import type { Insufficient } from './interval.ts';
import { compareMeans } from './means.ts';
import { type JointMoments, jointMomentsOf, mergeJointMoments, momentsOf } from './moments.ts';
import { createRandom } from './random.ts';
import { compareRatios } from './ratios.ts';

const alpha = 0.05;

function tested(result: AdjustedResult | Insufficient): AdjustedResult {
  if (result.kind !== 'tested') throw new Error(result.reason);
  return result;
}

function agree(got: readonly number[], want: readonly number[], tolerance = 1e-9): void {
  expect(got.length).toBe(want.length);
  got.forEach((value, i) => {
    const miss = Math.abs(value - want[i]!);
    expect(miss, `entry ${i}: ${value} against ${want[i]}`).toBeLessThanOrEqual(tolerance * Math.abs(want[i]!));
  });
}

const rowsOf = (flat: readonly number[], width: number): number[][] =>
  Array.from({ length: flat.length / width }, (_, i) => flat.slice(i * width, (i + 1) * width));

function sidesOf(key: '12 12' | '9 15'): [number[][], number[][]] {
  const rows = rowsOf(reference[`cuped ${key}: rows`], 3);
  const n = Number(key.split(' ')[0]);
  return [rows.slice(0, n), rows.slice(n)];
}

describe('compareAdjustedMeans', () => {
  it('with 12 units a side it is R’s analysis of covariance with two covariates', () => {
    const [a, b] = sidesOf('12 12').map(jointMomentsOf);
    const result = tested(compareAdjustedMeans(a!, b!, { alpha }));
    agree([result.difference, ...result.slopes.control], reference['cuped 12 12: pooled difference slopes']);
    agree([result.standardError], reference['cuped 12 12: pooled ancova se']);
    expect(result.varianceReduction).toBeGreaterThan(0.8);
  });

  it('with uneven sides difference and slopes are still R’s', () => {
    const [a, b] = sidesOf('9 15').map(jointMomentsOf);
    const result = tested(compareAdjustedMeans(a!, b!, { alpha }));
    agree([result.difference, ...result.slopes.candidate], reference['cuped 9 15: pooled difference slopes']);
  });

  it.each(['12 12', '9 15'] as const)('slopes per variant agree with R’s regression in each (%s)', (key) => {
    const [a, b] = sidesOf(key);
    const result = tested(compareAdjustedMeans(jointMomentsOf(a), jointMomentsOf(b), { alpha, slopes: 'per-variant' }));
    agree([result.control, result.candidate], reference[`cuped ${key}: own levels`]);
    agree([result.standardError ** 2], reference[`cuped ${key}: own variance`]);
    const lin = compareInteracted({ rows: a }, { rows: b }, { alpha });
    if (lin.kind !== 'tested') throw new Error(lin.reason);
    agree([result.difference, result.control], [lin.difference, lin.control]);
  });

  // Eighths: sums of squares neither underflow nor differ by rounding alone.
  const value = fc.integer({ min: -800, max: 800 }).map((whole) => whole / 8);
  const row = fc.tuple(value, value, value);
  const sample = fc.array(row, { minLength: 6, maxLength: 20 });
  const level = fc.double({ min: 1e-6, max: 0.5, noNaN: true });
  const kind = fc.constantFrom('pooled' as const, 'per-variant' as const);

  it('interval, p-value and relative interval agree, and swapping the arms flips the signs', () => {
    fc.assert(
      fc.property(sample, sample, level, kind, (a, b, alpha, slopes) => {
        const there = compareAdjustedMeans(jointMomentsOf(a), jointMomentsOf(b), { alpha, slopes });
        const back = compareAdjustedMeans(jointMomentsOf(b), jointMomentsOf(a), { alpha, slopes });
        expect(there.kind).toBe(back.kind);
        if (there.kind !== 'tested' || back.kind !== 'tested') return;
        expect(back.difference).toBeCloseTo(-there.difference, 6);
        expect(back.control).toBeCloseTo(there.candidate, 6);
        expect(Math.abs(back.pValue - there.pValue)).toBeLessThan(1e-6);
        if (there.interval.kind !== 'bounded') throw new Error(there.interval.kind);
        expect(there.pValue < alpha).toBe(there.interval.lower > 0 || there.interval.upper < 0);
        if (Math.abs(there.pValue - alpha) < 1e-6 || there.relative.kind !== 'estimated') return;
        const lift = there.relative.interval;
        if (lift.kind === 'bounded') expect(there.pValue < alpha).toBe(lift.lower > 0 || lift.upper < 0);
      }),
      { numRuns: 200 },
    );
  });

  it('shifting or rescaling a covariate changes nothing, merging pieces equals one pass', () => {
    fc.assert(
      fc.property(sample, sample, kind, fc.integer({ min: 1, max: 5 }), (a, b, slopes, cut) => {
        const one = compareAdjustedMeans(jointMomentsOf(a), jointMomentsOf(b), { alpha, slopes });
        const merged = mergeJointMoments(jointMomentsOf(a.slice(cut)), jointMomentsOf(a.slice(0, cut)));
        const other = jointMomentsOf(b.map(([y, x, w]) => [y, 1000 - 8 * x, w]));
        const shifted = jointMomentsOf(a.map(([y, x, w]) => [y, 1000 - 8 * x, w]));
        for (const [x, y] of [
          [merged, jointMomentsOf(b)],
          [shifted, other],
        ] as [JointMoments, JointMoments][]) {
          const again = compareAdjustedMeans(x, y, { alpha, slopes });
          expect(again.kind).toBe(one.kind);
          if (one.kind !== 'tested' || again.kind !== 'tested') continue;
          if (one.dropped.length > 0) continue;
          expect(Math.abs(again.difference - one.difference)).toBeLessThan(1e-6);
          expect(Math.abs(again.standardError / one.standardError - 1)).toBeLessThan(1e-6);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('without covariates, or with ones that say nothing, it is Welch’s test', () => {
    const [a, b] = [
      [3, 1, 4, 1, 5, 9, 2, 6],
      [2, 7, 1, 8, 2, 8, 1, 8, 9],
    ];
    const welch = compareMeans(momentsOf(a), momentsOf(b), { alpha });
    if (welch.kind !== 'tested') throw new Error(welch.reason);
    for (const slopes of ['pooled', 'per-variant'] as const) {
      for (const covariates of [[], [7], [7, 0]]) {
        const [left, right] = [a, b].map((side) => jointMomentsOf(side.map((y) => [y, ...covariates])));
        const result = tested(compareAdjustedMeans(left!, right!, { alpha, slopes }));
        agree(
          [result.difference, result.standardError, result.df!, result.pValue],
          [welch.difference, welch.standardError, welch.df!, welch.pValue],
        );
        expect(result.dropped).toEqual(covariates.map((_, i) => i));
        expect(result.varianceReduction).toBeCloseTo(0, 12);
      }
    }
  });

  it('a covariate given twice counts once', () => {
    const [a, b] = sidesOf('12 12');
    const twice = (rows: number[][]): JointMoments => jointMomentsOf(rows.map(([y, x, w]) => [y!, x!, 3 - 2 * x!, w!]));
    const result = tested(compareAdjustedMeans(twice(a), twice(b), { alpha }));
    const once = tested(compareAdjustedMeans(jointMomentsOf(a), jointMomentsOf(b), { alpha }));
    expect(result.dropped).toEqual([1]);
    agree([result.difference, result.standardError], [once.difference, once.standardError]);
  });

  it('holds its level with 10 and 14 units, three covariates and slopes that differ', () => {
    const random = createRandom('adjusted level');
    const rounds = 2000;
    const alarms = { pooled: 0, 'per-variant': 0 };
    for (let round = 0; round < rounds; round += 1) {
      const side = (n: number, slope: number): JointMoments =>
        jointMomentsOf(
          Array.from({ length: n }, () => {
            const x = [random.normal(), random.normal(), random.normal()];
            return [slope * x[0]! + random.normal(), ...x];
          }),
        );
      const [a, b] = [side(10, 1), side(14, 1.5)];
      for (const slopes of ['pooled', 'per-variant'] as const) {
        if (tested(compareAdjustedMeans(a, b, { alpha, slopes })).pValue < alpha) alarms[slopes] += 1;
      }
    }
    // Three binomial standard errors of 5 % are 1.5 points.
    for (const slopes of ['pooled', 'per-variant'] as const) {
      expect(alarms[slopes] / rounds, slopes).toBeLessThan(0.065);
      expect(alarms[slopes] / rounds, slopes).toBeGreaterThan(0.03);
    }
  });

  it('with slopes that differ and an uneven split, slopes per variant are never worse', () => {
    const random = createRandom('uneven slopes');
    const side = (n: number, slope: number): JointMoments =>
      jointMomentsOf(
        Array.from({ length: n }, () => {
          const x = random.normal();
          return [slope * x + random.normal(), x];
        }),
      );
    const [a, b] = [side(9000, 3), side(1000, -1)];
    const pooled = tested(compareAdjustedMeans(a, b, { alpha }));
    const own = tested(compareAdjustedMeans(a, b, { alpha, slopes: 'per-variant' }));
    expect(pooled.varianceReduction).toBeLessThan(0);
    expect(own.varianceReduction).toBeGreaterThan(0);
  });

  it('too little to say is said in a sentence, and bad input refused', () => {
    const many = jointMomentsOf(sidesOf('12 12')[0]);
    expect(compareAdjustedMeans(jointMomentsOf([]), many, { alpha })).toEqual({
      kind: 'insufficient',
      reason: 'control has no units yet',
    });
    const few = jointMomentsOf([
      [1, 2, 5],
      [2, 1, 3],
    ]);
    expect(compareAdjustedMeans(few, few, { alpha })).toMatchObject({
      reason: expect.stringMatching(/too few for|explain every value/),
    });
    expect(compareAdjustedMeans(few, many, { alpha, slopes: 'per-variant' })).toMatchObject({
      reason: 'control has 2 units, too few for 1 covariate',
    });
    const known = jointMomentsOf([1, 4, 2, 8, 5].map((x) => [2 * x + 1, x]));
    for (const slopes of ['pooled', 'per-variant'] as const) {
      expect(compareAdjustedMeans(known, known, { alpha, slopes })).toMatchObject({
        reason: 'the covariates explain every value, so no noise is left to compare with',
      });
    }
    expect(() => compareAdjustedMeans(many, known, { alpha })).toThrow(
      new RangeError('candidate.mean.length is 2, must be 3 as in control'),
    );
    expect(() => compareAdjustedMeans(many, many, { alpha: 0 })).toThrow('alpha is 0, must be in (0, 1)');
  });
});

describe('compareAdjustedRatios', () => {
  const control = rowsOf(reference['ratio: control rows'], 6);
  const candidate = rowsOf(reference['ratio: candidate rows'], 6);

  it('agrees with R on linearised clicks per view, with a ratio and a count as covariates', () => {
    const result = tested(compareAdjustedRatios(jointMomentsOf(control), jointMomentsOf(candidate), { alpha }));
    agree(result.slopes.control, reference['ratio: slopes']);
    agree([result.difference, result.standardError ** 2], reference['ratio: difference variance']);
    expect(result.varianceReduction).toBeGreaterThan(0.5);
  });

  it('swapping the arms flips the signs', () => {
    const there = tested(compareAdjustedRatios(jointMomentsOf(control), jointMomentsOf(candidate), { alpha }));
    const back = tested(compareAdjustedRatios(jointMomentsOf(candidate), jointMomentsOf(control), { alpha }));
    agree([back.difference, back.pValue, back.control], [-there.difference, there.pValue, there.candidate]);
  });

  it('without covariates it is the comparison of ratios', () => {
    const [a, b] = [control, candidate].map((rows) => jointMomentsOf(rows.map((row) => row.slice(0, 2))));
    const plain = compareRatios(a!, b!, { alpha });
    if (plain.kind !== 'tested') throw new Error(plain.reason);
    const result = tested(compareAdjustedRatios(a!, b!, { alpha }));
    agree(
      [result.difference, result.standardError, result.pValue],
      [plain.difference, plain.standardError, plain.pValue],
    );
    expect(result.relative.kind).toBe('estimated');
  });

  it('with denominators of 1 it is the comparison of means but for the reference distribution', () => {
    const [a, b] = sidesOf('9 15');
    const ones = (rows: number[][]): JointMoments =>
      jointMomentsOf(rows.map((row) => row.flatMap((value) => [value, 1])));
    const ratio = tested(compareAdjustedRatios(ones(a), ones(b), { alpha }));
    const mean = tested(compareAdjustedMeans(jointMomentsOf(a), jointMomentsOf(b), { alpha }));
    agree([ratio.difference, ratio.standardError, ratio.control], [mean.difference, mean.standardError, mean.control]);
  });

  it('too little to say is said in a sentence, and bad input refused', () => {
    const good = jointMomentsOf(control);
    expect(compareAdjustedRatios(jointMomentsOf([]), good, { alpha })).toMatchObject({
      reason: 'control has no units yet',
    });
    const zero = jointMomentsOf(control.map((row) => row.map((value, i) => (i === 3 ? 0 : value))));
    expect(compareAdjustedRatios(good, zero, { alpha })).toMatchObject({
      reason: 'in candidate the denominator of ratio 2 is 0',
    });
    const odd = jointMomentsOf(control.map((row) => row.slice(0, 3)));
    expect(() => compareAdjustedRatios(odd, odd, { alpha })).toThrow('joint.mean.length is 3, must be even');
  });
});
