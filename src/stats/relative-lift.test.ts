import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ends } from './answer.fixture.ts';
import { comparePairs } from './means.ts';
import { jointMomentsOf, momentsOf } from './moments.ts';
import { createRandom } from './random.ts';
import { relativeDifference } from './relative-difference.ts';
import { relativeLift, relativeLiftOfPairs } from './relative-lift.ts';

const alpha = 0.05;
const level = fc.double({ min: 1e-6, max: 0.5, noNaN: true });

describe('relativeLift', () => {
  it('with independent errors it is relativeDifference', () => {
    const estimate = fc.double({ min: -100, max: 100, noNaN: true }).filter((x) => Math.abs(x) > 0.01);
    const error = fc.double({ min: 0.001, max: 50, noNaN: true });
    fc.assert(
      fc.property(estimate, error, estimate, error, level, (c, cError, t, tError, alpha) => {
        const pair = {
          control: c,
          candidate: t,
          controlVariance: cError ** 2,
          candidateVariance: tError ** 2,
          covariance: 0,
        };
        const got = relativeLift(pair, { alpha });
        const want = relativeDifference(
          { estimate: c, standardError: cError },
          { estimate: t, standardError: tError },
          { alpha },
        );
        if (got.kind !== 'estimated' || want.kind !== 'estimated') throw new Error('estimated expected');
        expect(got.estimate).toBe(want.estimate);
        expect(Math.abs(got.standardError / want.standardError - 1)).toBeLessThan(1e-9);
        if (want.interval.kind === 'bounded') {
          const [lower, upper] = ends(want.interval);
          const [left, right] = ends(got.interval);
          expect(Math.abs(left - lower)).toBeLessThan(1e-7 * (upper - lower));
          expect(Math.abs(right - upper)).toBeLessThan(1e-7 * (upper - lower));
        }
      }),
    );
  });

  it('its ends are the ratios that the test of candidate - ratio x control just rejects', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -0.9, max: 0.9, noNaN: true }),
        fc.double({ min: -20, max: 20, noNaN: true }),
        (correlation, candidate) => {
          const pair = {
            control: 10,
            candidate,
            controlVariance: 4,
            candidateVariance: 9,
            covariance: correlation * 6,
          };
          const lift = relativeLift(pair, { alpha, df: 7 });
          if (lift.kind !== 'estimated') throw new Error(lift.reason);
          for (const end of ends(lift.interval)) {
            const ratio = 1 + end;
            const error = Math.sqrt(9 - 2 * ratio * pair.covariance + ratio * ratio * 4);
            // qt(.975, 7) in R.
            expect(Math.abs(candidate - ratio * 10) / error).toBeCloseTo(2.364624251592785, 8);
          }
        },
      ),
    );
  });

  it('of pairs agrees with the paired t-test on whether there is a difference', () => {
    fc.assert(
      fc.property(fc.integer(), level, (seed, alpha) => {
        const random = createRandom(seed);
        const rows = Array.from({ length: 8 }, () => {
          const common = 10 + random.normal();
          return [common + 0.3 * random.normal(), common + 0.2 + 0.3 * random.normal()];
        });
        const lift = relativeLiftOfPairs(jointMomentsOf(rows), { alpha });
        const test = comparePairs(momentsOf(rows.map(([a, b]) => b! - a!)), { alpha });
        if (lift.kind !== 'estimated' || test.kind !== 'estimated') throw new Error('estimated expected');
        if (lift.interval.kind === 'unbounded') return;
        const [lower, upper] = ends(lift.interval);
        expect(lower > 0 || upper < 0).toBe(test.pValue < alpha);
      }),
    );
  });

  it('covers the true share in 95 % of samples of 10 pairs', () => {
    const random = createRandom('paired lift');
    const rounds = 1000;
    let covered = 0;
    for (let round = 0; round < rounds; round += 1) {
      const rows = Array.from({ length: 10 }, () => {
        const common = random.normal();
        return [5 + common + 0.5 * random.normal(), 6 + common + 0.5 * random.normal()];
      });
      const lift = relativeLiftOfPairs(jointMomentsOf(rows), { alpha });
      if (lift.kind !== 'estimated') throw new Error(lift.reason);
      const [lower, upper] = ends(lift.interval);
      if (lower <= 0.2 && 0.2 <= upper) covered += 1;
    }
    // Three binomial standard errors are 2.1 points.
    expect(Math.abs(covered / rounds - 0.95)).toBeLessThan(0.021);
  });

  it('a control that is not clear of 0 has no bound, and bad input is refused', () => {
    const pair = { control: 1, candidate: 2, controlVariance: 0.36, candidateVariance: 0.01, covariance: 0.05 };
    expect(relativeLift(pair, { alpha })).toMatchObject({ interval: { kind: 'unbounded' } });
    expect(relativeLift({ ...pair, control: 0 }, { alpha })).toMatchObject({
      reason: 'control is 0, so no share of it can be taken',
    });
    expect(
      relativeLift({ control: 1, candidate: 1, controlVariance: 1, candidateVariance: 1, covariance: 1 }, { alpha }),
    ).toMatchObject({ kind: 'insufficient' });
    expect(() => relativeLift({ ...pair, covariance: 1 }, { alpha })).toThrow(
      new RangeError('covariance is 1, must be at most both standard errors'),
    );
    expect(() => relativeLift(pair, { alpha, df: 0 })).toThrow('df is 0, must be finite and > 0');
    expect(relativeLiftOfPairs(jointMomentsOf([[1, 2]]), { alpha })).toMatchObject({
      reason: 'one pair; a spread needs at least two',
    });
  });
});
