import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearWithin } from './answer.fixture.ts';
import fixture from './bayes.fixture.json' with { type: 'json' };
import { posteriorOfEffect } from './bayes-normal.ts';
import { compareBetaBinomial } from './bayes-proportion.ts';
import { compareGammaPoisson } from './bayes-rate.ts';
import { chancesOfBest, sharesWithFloor } from './best-arm.ts';
import type { Insufficient } from './interval.ts';
import { normal } from './normal.ts';
import type { PosteriorComparison } from './posterior.ts';
import { createRandom } from './random.ts';

const alpha = 0.05;
const near = nearWithin(1e-11);

function posterior<T extends PosteriorComparison>(result: T | Insufficient): T {
  if (result.kind === 'insufficient') throw new Error(result.reason);
  return result;
}
const betaBinomial = (...args: Parameters<typeof compareBetaBinomial>): PosteriorComparison =>
  posterior(compareBetaBinomial(...args));
const answersOf = (r: PosteriorComparison): readonly number[] => [
  r.probabilityHigher,
  r.probabilityLower,
  r.expectedShortfall,
  r.expectedExcess,
];

describe('beta-binomial comparison', () => {
  it('gives the published probabilities and losses', () => {
    const small = betaBinomial({ successes: 49, n: 100 }, { successes: 51, n: 100 }, { alpha });
    near(small.probabilityHigher, 0.61077052268784);
    near(small.expectedShortfall, 0.019116461202089);
    near(small.expectedExcess, 0.038724304339344);
    const large = betaBinomial({ successes: 120, n: 1000 }, { successes: 150, n: 1000 }, { alpha });
    near(large.probabilityHigher, 0.97506783681214);
    near(large.expectedShortfall, 0.00014417785511183);
    near(large.expectedExcess, 0.030084297615591);
  });

  it.each(fixture.beta)('agrees with 30-digit integration: $control against $candidate', (row) => {
    const side = ([successes, n]: number[]) => ({ successes: successes!, n: n! });
    const prior = { successes: row.prior[0]!, failures: row.prior[1]! };
    const got = answersOf(betaBinomial(side(row.control), side(row.candidate), { alpha, prior }));
    for (const [i, want] of row.answers.entries()) near(got[i]!, want, 1e-12 / Math.min(1, 1e3 * want) + 1e-11);
  });

  it('agrees with the finite sum for whole prior weights', () => {
    // P(B > A) as a sum over the candidate's successes (Evan Miller 2015), with ln Gamma of whole numbers added up.
    const lnFactorial = (n: number): number => (n < 2 ? 0 : Math.log(n) + lnFactorial(n - 1));
    const lnBeta = (a: number, b: number): number => lnFactorial(a - 1) + lnFactorial(b - 1) - lnFactorial(a + b - 1);
    const [aA, bA, aB, bB] = [13, 90, 25, 97];
    let sum = 0;
    for (let i = 0; i < aB; i += 1) {
      sum += Math.exp(lnBeta(aA + i, bB + bA) - Math.log(bB + i) - lnBeta(1 + i, bB) - lnBeta(aA, bA));
    }
    const got = betaBinomial({ successes: 12, n: 101 }, { successes: 24, n: 120 }, { alpha });
    near(got.probabilityHigher, sum, 1e-11);
  });

  it('keeps its digits in the far tail, where 1 - the other side is 0', () => {
    const got = betaBinomial({ successes: 10_000, n: 100_000 }, { successes: 12_000, n: 100_000 }, { alpha });
    expect(got.probabilityHigher).toBe(1);
    expect(got.probabilityLower).toBeGreaterThan(1e-47);
    expect(got.probabilityLower).toBeLessThan(1e-45);
  });

  it('swapping the arms swaps every answer, and excess - shortfall is the difference', () => {
    const side = fc.tuple(fc.nat(300), fc.nat(300)).map(([successes, rest]) => ({ successes, n: successes + rest }));
    fc.assert(
      fc.property(side, side, (control, candidate) => {
        const there = betaBinomial(control, candidate, { alpha });
        const back = betaBinomial(candidate, control, { alpha });
        expect(back.probabilityHigher).toBeCloseTo(there.probabilityLower, 12);
        expect(back.expectedExcess).toBeCloseTo(there.expectedShortfall, 12);
        expect(there.probabilityHigher + there.probabilityLower).toBeCloseTo(1, 11);
        expect(there.expectedExcess - there.expectedShortfall).toBeCloseTo(there.difference, 11);
        if (there.interval.kind !== 'bounded' || back.interval.kind !== 'bounded') throw new Error('unbounded');
        expect(there.interval.lower).toBeCloseTo(-back.interval.upper, 9);
        // The interval leaves 0 out on the upper side exactly when less than alpha / 2 lies below 0.
        expect(there.interval.lower > 0).toBe(there.probabilityLower < alpha / 2);
      }),
      { numRuns: 25, seed: 1 },
    );
  });

  it("the credible interval of the difference holds what a simulation of it holds, also with Jeffreys' prior", () => {
    const prior = { successes: 0.5, failures: 0.5 };
    const got = betaBinomial({ successes: 0, n: 30 }, { successes: 3, n: 40 }, { alpha: 0.2, prior });
    if (got.interval.kind !== 'bounded') throw new Error('unbounded');
    const random = createRandom('difference of betas');
    const betaDraw = (a: number, b: number): number => {
      const g = (shape: number): number => {
        // Half-integer shapes: a half chi-squared.
        let sum = 0;
        for (let i = 0; i < 2 * shape; i += 1) sum += random.normal() ** 2 / 2;
        return sum;
      };
      const x = g(a);
      return x / (x + g(b));
    };
    let below = 0;
    let above = 0;
    const rounds = 20_000;
    for (let i = 0; i < rounds; i += 1) {
      const d = betaDraw(3.5, 37.5) - betaDraw(0.5, 30.5);
      if (d < got.interval.lower) below += 1;
      if (d > got.interval.upper) above += 1;
    }
    expect(Math.abs(below / rounds - 0.1)).toBeLessThan(0.01);
    expect(Math.abs(above / rounds - 0.1)).toBeLessThan(0.01);
  });

  it('is insufficient where one outcome was never seen and the prior hardly allows it', () => {
    const prior = { successes: 0.001, failures: 0.001 };
    expect(compareBetaBinomial({ successes: 0, n: 50 }, { successes: 3, n: 50 }, { alpha, prior })).toMatchObject({
      reason: 'control has seen only one outcome, and the prior hardly allows another',
    });
    expect(betaBinomial({ successes: 1, n: 50 }, { successes: 3, n: 50 }, { alpha, prior }).kind).toBe('posterior');
  });

  it('without data answers from the prior alone', () => {
    const got = betaBinomial({ successes: 0, n: 0 }, { successes: 0, n: 0 }, { alpha });
    expect(got.probabilityHigher).toBeCloseTo(0.5, 13);
    expect(got.expectedShortfall).toBeCloseTo(1 / 6, 13);
    // The difference of two uniforms is triangular: P(D < -1 + s) = s^2 / 2.
    if (got.interval.kind !== 'bounded') throw new Error('unbounded');
    expect(got.interval.lower).toBeCloseTo(-1 + Math.sqrt(0.05), 11);
  });

  it('refuses bad input by name, value and rule', () => {
    const side = { successes: 1, n: 2 };
    expect(() => compareBetaBinomial(side, side, { alpha: 1.2 })).toThrow(
      new RangeError('alpha is 1.2, must be in (0, 1)'),
    );
    expect(() => betaBinomial(side, { successes: 3, n: 2 }, { alpha })).toThrow(
      'candidate.successes is 3, must be in 0..2',
    );
    expect(() => betaBinomial(side, side, { alpha, prior: { successes: 0, failures: 1 } })).toThrow(
      'prior.successes is 0, must be finite and > 0',
    );
  });
});

describe('gamma-Poisson comparison', () => {
  it.each(fixture.gamma)('agrees with 30-digit integration: $control against $candidate', (row) => {
    const side = ([events, exposure]: number[]) => ({ events: events!, exposure: exposure! });
    const prior = { events: row.prior[0]!, exposure: row.prior[1]! };
    const got = posterior(compareGammaPoisson(side(row.control), side(row.candidate), { alpha, prior }));
    for (const [i, want] of row.answers.entries()) near(answersOf(got)[i]!, want, 1e-11);
  });

  it('interval of the ratio leaves 1 out exactly when the interval of the difference leaves 0 out', () => {
    const count = fc.record({ events: fc.nat(60), exposure: fc.integer({ min: 1, max: 500 }) });
    fc.assert(
      fc.property(count, count, (control, candidate) => {
        const got = posterior(compareGammaPoisson(control, candidate, { alpha }));
        if (got.interval.kind !== 'bounded' || got.ratioInterval.kind !== 'bounded') throw new Error('unbounded');
        expect(got.ratioInterval.lower > 1).toBe(got.interval.lower > 0);
        expect(got.ratioInterval.upper < 1).toBe(got.interval.upper < 0);
        expect(got.expectedExcess - got.expectedShortfall).toBeCloseTo(got.difference, 9);
      }),
      { numRuns: 20, seed: 2 },
    );
  });

  it('is insufficient without exposure, or without events under a prior without any', () => {
    const some = { events: 3, exposure: 10 };
    expect(compareGammaPoisson({ events: 0, exposure: 0 }, some, { alpha })).toMatchObject({ kind: 'insufficient' });
    expect(
      compareGammaPoisson({ events: 0, exposure: 5 }, some, { alpha, prior: { events: 0, exposure: 0 } }),
    ).toMatchObject({ kind: 'insufficient', reason: 'control has no events yet, and the prior hardly any' });
  });
});

describe('normal posterior of an effect', () => {
  const control = { estimate: 20, standardError: 0.4 };
  const candidate = { estimate: 21, standardError: 0.5 };

  it('is the precision-weighted mean', () => {
    const prior = { scale: 'absolute', mean: 0, standardDeviation: 0.5 } as const;
    const got = posterior(posteriorOfEffect(control, candidate, { alpha, prior }));
    // Precisions 1 / 0.41 and 4.
    near(got.difference, 1 / 0.41 / (1 / 0.41 + 4));
    near(got.standardDeviation, Math.sqrt(1 / (1 / 0.41 + 4)));
  });

  it('a prior counts whatever its scale and whatever the scale of the answer', () => {
    const flat = posterior(posteriorOfEffect(control, candidate, { alpha, scale: 'relative' }));
    const asked = (prior: { scale: 'absolute' | 'relative'; mean: number; standardDeviation: number }) =>
      posterior(posteriorOfEffect(control, candidate, { alpha, scale: 'relative', prior }));
    const absolute = asked({ scale: 'absolute', mean: 0, standardDeviation: 0.2 });
    const relative = asked({ scale: 'relative', mean: 0, standardDeviation: 0.01 });
    expect(absolute.difference).toBeLessThan(flat.difference / 2);
    near(absolute.difference, relative.difference);
    near(absolute.standardDeviation, relative.standardDeviation);
    const inAbsolute = posterior(
      posteriorOfEffect(control, candidate, {
        alpha,
        prior: { scale: 'relative', mean: 0.2, standardDeviation: 0.001 },
      }),
    );
    expect(inAbsolute.difference).toBeGreaterThan(3.9);
  });

  it('under a flat prior agrees with the z-test, and losses differ by the effect', () => {
    const got = posterior(posteriorOfEffect(control, candidate, { alpha }));
    near(got.standardDeviation, Math.sqrt(0.41));
    near(got.expectedExcess - got.expectedShortfall, got.difference);
    near(got.probabilityLower, normal.sf(1 / Math.sqrt(0.41)));
  });

  it('a wider prior changes less, and a very wide one nothing', () => {
    let last = 0;
    for (const standardDeviation of [0.01, 0.1, 1, 10, 1e9]) {
      const prior = { scale: 'absolute', mean: 0, standardDeviation } as const;
      const { difference } = posterior(posteriorOfEffect(control, candidate, { alpha, prior }));
      expect(difference).toBeGreaterThan(last);
      last = difference;
    }
    near(last, 1);
  });

  it('is insufficient without noise or with a control of 0 on the relative scale', () => {
    const zero = { estimate: 0, standardError: 1 };
    expect(posteriorOfEffect(zero, candidate, { alpha, scale: 'relative' })).toMatchObject({ kind: 'insufficient' });
    const prior = { scale: 'relative', mean: 0, standardDeviation: 1 } as const;
    expect(posteriorOfEffect(zero, candidate, { alpha, prior })).toMatchObject({ kind: 'insufficient' });
    const known = { estimate: 1, standardError: 0 };
    expect(posteriorOfEffect(known, known, { alpha })).toMatchObject({ kind: 'insufficient' });
  });
});

describe('probability of being best', () => {
  const arms = (mean: readonly number[], sd: readonly number[]) =>
    mean.map((estimate, i) => ({ estimate, standardError: sd[i]! }));
  const best = (mean: readonly number[], sd: readonly number[]) => {
    const result = chancesOfBest(arms(mean, sd));
    if (result.kind === 'insufficient') throw new Error(result.reason);
    return result.arms;
  };

  it('gives the published probabilities', () => {
    const got = best([0, 0.1, 0.2], [0.1, 0.1, 0.1]).map((arm) => arm.probabilityBest);
    for (const [i, want] of [0.047150679919088, 0.22409830478044, 0.72875101530047].entries())
      near(got[i]!, want, 1e-12);
  });

  it.each(fixture.best)('agrees with 30-digit integration for deviations $sd', (row) => {
    const got = best(row.mean, row.sd);
    for (const [i, arm] of got.entries()) {
      near(arm.probabilityBest, row.probability[i]!, 1e-12);
      near(arm.expectedLoss, row.loss[i]!, 1e-11);
    }
  });

  it('sums to 1 where one arm is sixty times wider than the others', () => {
    // Gauss-Hermite quadrature with 128 nodes gives 1.027 here, and 0.500 for the wide arm.
    const got = best([0.1, 0.101, 0.099], [0.0005, 0.0005, 0.03]);
    expect(got.reduce((sum, arm) => sum + arm.probabilityBest, 0)).toBeCloseTo(1, 13);
    expect(got[2]!.probabilityBest).toBeCloseTo(0.473093523522682, 12);
  });

  it('sums to 1 whatever the arms, and of two arms is the normal tail', () => {
    const arm = fc.record({
      estimate: fc.double({ min: -10, max: 10, noNaN: true }),
      standardError: fc.double({ min: 0.001, max: 20, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(arm, { minLength: 2, maxLength: 5 }), (some) => {
        const result = chancesOfBest(some);
        if (result.kind === 'insufficient') throw new Error(result.reason);
        expect(result.arms.reduce((sum, one) => sum + one.probabilityBest, 0)).toBeCloseTo(1, 10);
        for (const one of result.arms) expect(one.expectedLoss).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 60, seed: 3 },
    );
    near(best([0, 30], [1, 1])[0]!.probabilityBest, normal.sf(30 / Math.SQRT2));
  });

  it('an arm taken as known, and arms that tie, share what is left', () => {
    const got = best([5, 4, 3], [0, 0, 3]);
    near(got[2]!.probabilityBest, 0.252492537546923);
    expect(got[1]!.probabilityBest).toBe(0);
    expect(best([5, 5], [0, 0]).map((arm) => arm.probabilityBest)).toEqual([0.5, 0.5]);
  });

  it('is insufficient for one arm and refuses a negative error', () => {
    expect(chancesOfBest(arms([1], [1]))).toMatchObject({ kind: 'insufficient' });
    expect(() => chancesOfBest(arms([1, 2], [1, -1]))).toThrow('arms[1].standardError is -1, must be finite and >= 0');
  });

  it('shares with a floor add the floor and scale the rest', () => {
    expect(sharesWithFloor([0, 1, 3], 0.1)).toEqual(
      [0.1, 0.1 + 0.7 / 4, 0.1 + (0.7 * 3) / 4].map((x) => expect.closeTo(x, 14)),
    );
    expect(() => sharesWithFloor([1, 1], 0.6)).toThrow('floor is 0.6, must be in [0, 1/2]');
  });
});
