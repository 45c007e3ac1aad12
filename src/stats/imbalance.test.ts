import { describe, expect, it } from 'vitest';
import { covariateBalance, crossoverCheck } from './imbalance.ts';
import fixture from './margins.fixture.json' with { type: 'json' };
import { jointMomentsOf, mergeJointMoments } from './moments.ts';
import { createRandom } from './random.ts';

const alpha = 0.001;

describe('balance of covariates', () => {
  const { control, candidate, statistic, pValue, df } = fixture.hotelling;

  it('agrees with the T-squared of statsmodels, from merged pieces too', () => {
    const got = covariateBalance(jointMomentsOf(control), jointMomentsOf(candidate), { alpha });
    if (got.kind === 'insufficient') throw new Error(got.reason);
    expect(got.pValue / pValue).toBeCloseTo(1, 10);
    expect(got.statistic / statistic).toBeCloseTo(1, 10);
    expect([...got.df]).toEqual(df);
    const merged = mergeJointMoments(jointMomentsOf(candidate.slice(20)), jointMomentsOf(candidate.slice(0, 20)));
    expect(covariateBalance(jointMomentsOf(control), merged, { alpha })).toMatchObject({
      pValue: expect.closeTo(pValue, 12) as number,
    });
  });

  it('does not care for the units of a column, for columns that repeat others, or for ones that never vary', () => {
    const widened = (rows: number[][]) => jointMomentsOf(rows.map(([a, b, c]) => [a! * 1e6, b!, c!, a! + b!, 7]));
    const got = covariateBalance(widened(control), widened(candidate), { alpha });
    if (got.kind === 'insufficient') throw new Error(got.reason);
    expect(got.pValue / pValue).toBeCloseTo(1, 6);
    expect(got.covariates.map(({ column }) => column)).toEqual([0, 1, 2, 3]);
  });

  it('swapping the variants turns the differences round and keeps the p-values', () => {
    const [one, two] = [jointMomentsOf(control), jointMomentsOf(candidate)];
    const there = covariateBalance(one, two, { alpha });
    const back = covariateBalance(two, one, { alpha });
    if (there.kind === 'insufficient' || back.kind === 'insufficient') throw new Error('insufficient');
    expect(back.pValue).toBeCloseTo(there.pValue, 12);
    for (const [i, covariate] of there.covariates.entries()) {
      expect(back.covariates[i]!.standardized).toBeCloseTo(-covariate.standardized, 12);
    }
  });

  it('names the column that is off, and raises a false alarm in about alpha of honest splits', () => {
    const random = createRandom('balance');
    const rows = (n: number, shift: number) =>
      jointMomentsOf(Array.from({ length: n }, () => [random.normal(), random.normal() + shift, random.uniform()]));
    const off = covariateBalance(rows(500, 0), rows(500, 0.5), { alpha });
    expect(off).toMatchObject({ imbalanced: [1] });
    let alarms = 0;
    for (let i = 0; i < 600; i += 1) {
      const got = covariateBalance(rows(30, 0), rows(60, 0), { alpha: 0.1 });
      if (got.kind === 'tested' && got.pValue < 0.1) alarms += 1;
    }
    expect(alarms / 600).toBeGreaterThan(0.06);
    expect(alarms / 600).toBeLessThan(0.14);
  });

  it('is insufficient with too few units or nothing that varies, and refuses other columns', () => {
    const flat = jointMomentsOf([[1], [1]]);
    expect(covariateBalance(flat, flat, { alpha })).toMatchObject({ reason: 'no covariate varies' });
    expect(covariateBalance(jointMomentsOf([[1]]), flat, { alpha })).toMatchObject({ kind: 'insufficient' });
    const two = jointMomentsOf([
      [1, 2, 1],
      [2, 1, 5],
    ]);
    expect(covariateBalance(two, two, { alpha })).toMatchObject({ kind: 'insufficient' });
    expect(() => covariateBalance(two, flat, { alpha })).toThrow('candidate.mean.length is 1, must be 3 as in control');
  });
});

describe('units in several variants', () => {
  it('are tested exactly against the tolerated share', () => {
    const got = crossoverCheck({ all: 10_000, inSeveral: 25 }, { alpha: 0.001, tolerated: 0.001 });
    if (got.kind === 'insufficient') throw new Error(got.reason);
    // scipy.stats.binom.sf(24, 10000, .001)
    expect(got.pValue / 4.643922008850713e-5).toBeCloseTo(1, 9);
    expect(got.isExcessive).toBe(true);
    expect(crossoverCheck({ all: 10_000, inSeveral: 0 }, { alpha: 0.001, tolerated: 0.001 })).toMatchObject({
      pValue: 1,
      isExcessive: false,
      share: 0,
    });
    expect(crossoverCheck({ all: 0, inSeveral: 0 }, { alpha: 0.001, tolerated: 0.01 })).toMatchObject({
      kind: 'insufficient',
    });
    expect(() => crossoverCheck({ all: 1, inSeveral: 2 }, { alpha: 0.001, tolerated: 0.01 })).toThrow(
      'units.inSeveral is 2, must be at most all 1 units',
    );
  });
});
