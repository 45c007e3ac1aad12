import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import fixture from './distributions.fixture.json' with { type: 'json' };
import { beta, binomial, chiSquared, type Distribution, fisherF, gamma, normal, poisson, studentT } from './index.ts';

const make = (name: string, p: readonly number[]): Distribution => {
  const makers: Record<string, () => Distribution> = {
    normal: () => normal,
    studentT: () => studentT(p[0]!),
    gamma: () => gamma(p[0]!),
    beta: () => beta(p[0]!, p[1]!),
    fisherF: () => fisherF(p[0]!, p[1]!),
    binomial: () => binomial(p[0]!, p[1]!),
    poisson: () => poisson(p[0]!),
  };
  return makers[name]!();
};

/** Relative error against a decimal string; a tail below 1e-290 has lost bits to underflow and is not compared. */
const relativeError = (got: number, want: string): number => Math.abs(got - Number(want)) / Math.abs(Number(want));

type TailRow = [string, number[], number, string, string];
type InverseRow = [string, number[], number, string];

interface Row {
  readonly row: string;
  readonly error: number;
  readonly limit: number;
}
const beyond = (rows: readonly Row[]): readonly Row[] => rows.filter((row) => !(row.error <= row.limit));

const names = ['normal', 'studentT', 'gamma', 'beta', 'fisherF', 'binomial', 'poisson'];

describe('distributions against 60-digit arithmetic (distributions.fixture.py)', () => {
  for (const name of names) {
    it(`${name}: both tails keep 12 digits in the middle and 10 far out`, () => {
      const rows = (fixture.tails as TailRow[]).filter((row) => row[0] === name);
      expect(rows.length).toBeGreaterThan(10);
      const errors = rows.flatMap(([, p, x, cdf, sf]) => {
        const distribution = make(name, p);
        return [
          { row: `cdf ${p} ${x}`, error: relativeError(distribution.cdf(x), cdf), limit: limit(cdf) },
          { row: `sf ${p} ${x}`, error: relativeError(distribution.sf(x), sf), limit: limit(sf) },
          {
            row: `logSf ${p} ${x}`,
            error: Math.abs(distribution.logSf(x) - Math.log(Number(sf))),
            limit: Math.max(limit(sf), 1e-13 * Math.abs(Math.log(Number(sf)))),
          },
        ];
      });
      expect(beyond(errors)).toEqual([]);
    });
  }

  it('isf gives the point back to 11 digits', () => {
    const errors = (fixture.inverse as InverseRow[]).map(([name, p, q, x]) => ({
      row: `${name} ${p} ${q} ${x} ${make(name, p).isf(q)}`,
      error: relativeError(make(name, p).isf(q), x),
      limit: 1e-11,
    }));
    expect(errors.length).toBeGreaterThan(100);
    expect(beyond(errors)).toEqual([]);
  });
});

function limit(value: string): number {
  return Number(value) < 1e-12 ? 1e-10 : 1e-12;
}

const oracles = new URL('../../../shared/oracles/', import.meta.url);
const isThere = existsSync(oracles);
if (!isThere) console.log('skipped: the far-tail oracles (../shared/oracles) are not on this machine');

describe.skipIf(!isThere)('distributions against the shared oracles', () => {
  type OracleRow = (number | string)[];
  const read = (name: string): Record<string, OracleRow[]> => JSON.parse(readFileSync(new URL(name, oracles), 'utf8'));
  const check = (rows: readonly OracleRow[], f: (args: number[]) => number): void => {
    const errors = rows.map((row) => {
      const want = String(row.at(-1));
      const got = f(row.slice(0, -1).map(Number));
      return { row: row.join(' '), error: relativeError(got, want), limit: limit(want) };
    });
    expect(errors.length).toBeGreaterThan(5);
    expect(beyond(errors)).toEqual([]);
  };

  it('every tail', () => {
    const tails = read('tails.json');
    check(tails.norm_sf!, ([x]) => normal.sf(x!));
    check(tails.norm_isf!, ([q]) => normal.isf(q!));
    // Student's t at 30 with 10^6 degrees of freedom stands there as 6.0100471026754e-198; the incomplete beta function
    // in 60 digits gives 6.0100471168317189e-198 and R 4.2's pt 6.01004711683167e-198.
    const students = tails.t_sf!.map((row) =>
      row[0] === 30 && row[1] === 1e6 ? [30, 1e6, '6.0100471168317189413e-198'] : row,
    );
    check(students, ([t, df]) => studentT(df!).sf(t!));
    check(tails.chi2_sf!, ([x, df]) => chiSquared(df!).sf(x!));
    check(
      tails.beta!.map((row) => row.slice(0, 4)),
      ([x, a, b]) => beta(a!, b!).cdf(x!),
    );
    check(
      tails.beta!.map((row) => [...row.slice(0, 3), row[4]!]),
      ([x, a, b]) => beta(a!, b!).sf(x!),
    );
  });

  it('every quantile', () => {
    const quantiles = read('quantiles.json');
    check(quantiles.t_isf!, ([q, df]) => studentT(df!).isf(q!));
    check(quantiles.beta_ppf!, ([p, a, b]) => beta(a!, b!).quantile(p!));
    check(quantiles.chi2_isf!, ([q, df]) => chiSquared(df!).isf(q!));
    check(quantiles.gamma_ppf!, ([p, shape]) => gamma(shape!).quantile(p!));
  });
});

describe('distributions', () => {
  const size = fc.double({ min: Math.log(0.05), max: Math.log(1e5), noNaN: true }).map(Math.exp);
  const law: fc.Arbitrary<[string, number[]]> = fc.oneof(
    fc.constant<[string, number[]]>(['normal', []]),
    size.map((df): [string, number[]] => ['studentT', [df]]),
    size.map((shape): [string, number[]] => ['gamma', [shape]]),
    fc.tuple(size, size).map(([a, b]): [string, number[]] => ['beta', [a, b]]),
    fc.tuple(size, size).map(([a, b]): [string, number[]] => ['fisherF', [a, b]]),
  );
  // From 1e-30 to 1 - 1e-6.
  const probability = fc.oneof(
    fc.double({ min: Math.log(1e-30), max: Math.log(0.5), noNaN: true }).map(Math.exp),
    fc.double({ min: 0.5, max: 1 - 1e-6, noNaN: true }),
  );

  it('sf gives back the probability that isf was asked for, cdf that of quantile', () => {
    fc.assert(
      fc.property(law, probability, ([name, parameters], p) => {
        const distribution = make(name, parameters);
        const x = distribution.isf(p);
        const y = distribution.quantile(p);
        // Where a point is not a double apart from its neighbours no inverse can be exact: 16 digits of x or of 1 - x.
        const isPinned = (value: number): boolean =>
          !Number.isFinite(value) || Math.abs(value) < 1e-290 || (name === 'beta' && value > 0.99);
        const scale = (value: number): number => 1e-9 + (8e-16 * Math.abs(value * distribution.pdf(value))) / p;
        if (!isPinned(x)) expect(Math.abs(distribution.sf(x) / p - 1)).toBeLessThan(scale(x));
        if (!isPinned(y)) expect(Math.abs(distribution.cdf(y) / p - 1)).toBeLessThan(scale(y));
      }),
      { seed: 5, numRuns: 500 },
    );
  });

  it('cdf and sf sum to 1 and never leave [0, 1]', () => {
    fc.assert(
      fc.property(law, fc.double({ min: -50, max: 2e5, noNaN: true }), ([name, parameters], x) => {
        const distribution = make(name, parameters);
        const below = distribution.cdf(x);
        const above = distribution.sf(x);
        expect(below + above).toBeCloseTo(1, 12);
        for (const value of [below, above]) expect(value >= 0 && value <= 1).toBe(true);
        expect(distribution.pdf(x)).toBeGreaterThanOrEqual(0);
      }),
      { seed: 6, numRuns: 500 },
    );
  });

  it('pdf is the slope of cdf', () => {
    for (const [name, parameters, x] of [
      ['normal', [], 1.3],
      ['studentT', [4.5], -2.1],
      ['studentT', [4.5], 0],
      ['gamma', [3.3], 5],
      ['beta', [2.5, 7], 0.31],
      ['fisherF', [5, 12], 1.7],
    ] as [string, number[], number][]) {
      const distribution = make(name, parameters);
      const h = 1e-5;
      const slope = (distribution.cdf(x + h) - distribution.cdf(x - h)) / (2 * h);
      expect(distribution.pdf(x) / slope).toBeCloseTo(1, 7);
    }
    expect(chiSquared(2).pdf(0)).toBe(0.5);
  });

  it('whole-number laws sum their densities to their cdf, and quantile gives the number back', () => {
    for (const distribution of [binomial(30, 0.27), poisson(8.4), binomial(5, 0), binomial(5, 1), poisson(0)]) {
      let sum = 0;
      for (let k = 0; k <= 30; k += 1) {
        sum += distribution.pdf(k);
        expect(distribution.cdf(k)).toBeCloseTo(sum, 12);
        if (distribution.pdf(k) > 0 && sum < 1 - 1e-12) expect(distribution.quantile(distribution.cdf(k))).toBe(k);
        if (distribution.pdf(k) > 0 && distribution.sf(k) > 0) expect(distribution.isf(distribution.sf(k))).toBe(k);
      }
    }
    expect(binomial(10, 0.5).pdf(2.5)).toBe(0);
    expect(binomial(10, 0.5).cdf(2.5)).toBe(binomial(10, 0.5).cdf(2));
    expect(poisson(3).quantile(1)).toBe(Number.POSITIVE_INFINITY);
  });

  it('the ends of the range are answers, not NaN', () => {
    for (const distribution of [normal, studentT(3), gamma(2), beta(2, 3), fisherF(3, 4), chiSquared(5), poisson(4)]) {
      expect(distribution.cdf(Number.POSITIVE_INFINITY)).toBe(1);
      expect(distribution.sf(Number.POSITIVE_INFINITY)).toBe(0);
      expect(distribution.cdf(Number.NEGATIVE_INFINITY)).toBe(0);
      expect(distribution.sf(Number.NEGATIVE_INFINITY)).toBe(1);
      expect(distribution.logSf(Number.POSITIVE_INFINITY)).toBe(Number.NEGATIVE_INFINITY);
      expect(distribution.pdf(Number.POSITIVE_INFINITY)).toBe(0);
    }
    expect(normal.quantile(0)).toBe(Number.NEGATIVE_INFINITY);
    expect(normal.isf(0.5)).toBe(0);
    expect(studentT(5).isf(0.5)).toBe(0);
    // Cauchy: P(T > 1e200) = 1 / (pi 1e200).
    expect(studentT(1).sf(1e200) * 1e200 * Math.PI).toBeCloseTo(1, 11);
    expect(normal.logSf(1e6)).toBeCloseTo(-5e11 - Math.log(1e6) - 0.5 * Math.log(2 * Math.PI), 3);
  });

  it('bad input is refused by name, value and rule', () => {
    expect(() => normal.cdf(Number.NaN)).toThrow(new RangeError('x is NaN, must be a number'));
    expect(() => normal.quantile(1.5)).toThrow(new RangeError('p is 1.5, must be in [0, 1]'));
    expect(() => gamma(2).isf(Number.NaN)).toThrow('q is NaN, must be in [0, 1]');
    expect(() => studentT(0)).toThrow('df is 0, must be finite and > 0');
    expect(() => beta(1, -1)).toThrow('b is -1, must be finite and > 0');
    expect(() => gamma(Number.POSITIVE_INFINITY)).toThrow('shape is Infinity, must be finite and > 0');
    expect(() => binomial(2.5, 0.1)).toThrow('n is 2.5, must be a whole number >= 0');
    expect(() => poisson(-1)).toThrow('mean is -1, must be finite and >= 0');
    expect(() => fisherF(1, Number.NaN)).toThrow('df2 is NaN, must be finite and > 0');
  });
});
