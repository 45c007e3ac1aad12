import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import reference from './design.fixture.json' with { type: 'json' };
import { daysForUnits, growthToDecideWatched, growthToDecideWithPrior } from './duration.ts';
import { arcsineEffect, powerOfArcsine, powerOfChiSquared } from './effect-size-power.ts';
import {
  detectableEffect,
  detectableLift,
  type EstimateDesign,
  powerOfEstimate,
  unitsForEstimate,
} from './estimate-design.ts';
import { jointMomentsOf, momentsOf } from './moments.ts';
import { designEffect, meanNoise, ratioNoise } from './pilot-noise.ts';
import { growthToDecide, powerOfMeans, unitsForMeans, unitsForProportions } from './power.ts';
import { detectableProportion, powerOfRateMargin, unitsForRateMargin } from './proportion-design.ts';
import { createRandom } from './random.ts';

const alpha = 0.05;
const near = (got: unknown, want: number, tolerance = 1e-11): void => {
  if (typeof got !== 'number') throw new Error(JSON.stringify(got));
  expect(Math.abs(got / want - 1), `${got} against ${want}`).toBeLessThan(tolerance);
};
const even = (n: number) => ({ control: n, candidate: n });
const total = (units: { control: number; candidate: number }) => units.control + units.candidate;

describe("power in Cohen's units", () => {
  it('of two rates agrees with pwr 1.3', () => {
    near(powerOfArcsine(0.3, { units: even(80), alpha, sides: 1 }), reference['pwr.2p h=.3 n=80 one-sided']);
    near(powerOfArcsine(0.3, { units: { control: 80, candidate: 245 }, alpha }), reference['pwr.2p2n h=.3 n=80,245']);
    near(
      powerOfArcsine(0.01, { units: { control: 50, candidate: 80 }, alpha: 0.2 }),
      reference['pwr.2p2n h=.01 n=50,80 alpha=.2'],
    );
    near(arcsineEffect(0.5, 0.65), reference['ES.h .65 .5']);
    expect(powerOfArcsine(0.3, { units: even(80), alpha, sides: 1 })).toBeCloseTo(0.5996777, 7);
    expect(powerOfArcsine(0.3, { units: { control: 80, candidate: 245 }, alpha })).toBeCloseTo(0.6442346, 7);
  });

  it('of chi-squared agrees with pwr 1.3, and without an effect is alpha', () => {
    near(powerOfChiSquared(0.1, { units: 1000, df: 3, alpha }), reference['pwr.chisq w=.1 N=1000 df=3']);
    near(
      powerOfChiSquared(0.02, { units: 20_000, df: 1, alpha: 0.001 }),
      reference['pwr.chisq w=.02 N=20000 df=1 alpha=.001'],
    );
    near(powerOfChiSquared(0, { units: 100, df: 2, alpha }), alpha);
    expect(powerOfChiSquared(3, { units: 100_000, df: 2, alpha })).toBeCloseTo(1, 12);
  });
});

describe('design of a decision by a normal estimate', () => {
  it('agrees with rpact on sizes with and without a margin', () => {
    near(total(unitsForEstimate({ effect: 0.1, noise: 1, alpha }, { power: 0.8 })), reference['means .1']);
    const goal = { kind: 'non-inferiority', margin: 0.3 } as const;
    const design = { effect: 0.1, noise: 4, alpha: 0.025, goal };
    near(total(unitsForEstimate(design, { power: 0.8, share: 2 / 3 })), reference['means .1 sd 2 margin .3 ratio 2']);
    expect(total(unitsForEstimate({ effect: 0.1, noise: 1, alpha }, { power: 0.8 }))).toBeCloseTo(3139.55, 2);
  });

  it('sizes give back the power they were made for, whatever the goal, share and inflation', () => {
    const goal = fc.oneof(
      fc.constant({ kind: 'difference' } as const),
      fc.record({
        kind: fc.constant('non-inferiority' as const),
        margin: fc.double({ min: 0.6, max: 3, noNaN: true }),
      }),
      fc.record({ kind: fc.constant('equivalence' as const), margin: fc.double({ min: 0.6, max: 3, noNaN: true }) }),
    );
    const share = fc.double({ min: 0.05, max: 0.95, noNaN: true });
    const effect = fc.double({ min: 0.01, max: 0.5, noNaN: true });
    fc.assert(
      fc.property(goal, share, effect, fc.double({ min: 1, max: 2, noNaN: true }), (aim, part, size, inflation) => {
        const design: EstimateDesign = {
          effect: size,
          noise: { control: 2, candidate: 5 },
          alpha,
          goal: aim,
          inflation,
        };
        const units = unitsForEstimate(design, { power: 0.85, share: part });
        expect(powerOfEstimate(design, units)).toBeCloseTo(0.85, 9);
        expect(units.candidate / total(units)).toBeCloseTo(part, 12);
      }),
      { numRuns: 60, seed: 4 },
    );
  });

  it('the power of equivalence is the share of estimates that pass both tests', () => {
    const goal = { kind: 'equivalence', margin: 0.5 } as const;
    const power = powerOfEstimate({ effect: 0.1, noise: 1, alpha, goal }, even(50));
    const random = createRandom('equivalence');
    const se = Math.sqrt(2 / 50);
    let passed = 0;
    for (let i = 0; i < 40_000; i += 1) {
      const estimate = 0.1 + se * random.normal();
      if (Math.abs(estimate) + 1.6448536269514722 * se < 0.5) passed += 1;
    }
    expect(Math.abs(passed / 40_000 - power)).toBeLessThan(0.008);
    // Too noisy for any estimate to pass.
    expect(powerOfEstimate({ effect: 0, noise: 1, alpha, goal }, even(20))).toBe(0);
  });

  it('for many units agrees with the t-test, and inflation multiplies the units', () => {
    const means = unitsForMeans({ difference: 0.02, standardDeviation: 1, alpha }, { power: 0.8 });
    const design = { effect: 0.02, noise: 1, alpha };
    near(unitsForEstimate(design, { power: 0.8 }).control, means.control, 1e-4);
    near(
      unitsForEstimate({ ...design, inflation: 1.0247199 }, { power: 0.8 }).control,
      1.0247199 * unitsForEstimate(design, { power: 0.8 }).control,
    );
    near(detectableEffect({ noise: 1, alpha }, { power: 0.8, units: unitsForEstimate(design, { power: 0.8 }) }), 0.02);
    expect(powerOfMeans({ difference: 0.02, standardDeviation: 1, alpha }, means)).toBeCloseTo(0.8, 9);
  });

  it('a pilot with several rows a unit carries its clustering into the size', () => {
    const random = createRandom('pilot');
    const rows: [number, number][] = [];
    for (let i = 0; i < 400; i += 1) {
      const own = random.normal();
      let sum = 0;
      for (let row = 0; row < 10; row += 1) sum += own + 2 * random.normal();
      rows.push([sum, 10]);
    }
    const noise = ratioNoise(jointMomentsOf(rows));
    if (typeof noise !== 'number') throw new Error(noise.reason);
    // Between units 1, within 4 / 10: correlation of rows 0.2, so the design effect of ten rows is 2.8 on 5 / 10.
    expect(noise).toBeGreaterThan(1.4 * 0.85);
    expect(noise).toBeLessThan(1.4 * 1.15);
    near((designEffect({ mean: 10, correlation: 0.2 }) * 5) / 10, 1.4);
    near(designEffect({ mean: 10, variation: 0.5, correlation: 0.2 }), 1 + (1.25 * 10 - 1) * 0.2);
    near(meanNoise(momentsOf([1, 2, 3, 4])), 5 / 3);
    expect(meanNoise(momentsOf([1, 1]))).toMatchObject({ kind: 'insufficient' });
    expect(ratioNoise(jointMomentsOf([[1, 1]]))).toMatchObject({ kind: 'insufficient' });
  });

  it('the smallest relative rise solves the quadratic, and may not exist', () => {
    const lift = (mean: number, noise: number, n: number) =>
      detectableLift({ mean, noise, alpha }, { power: 0.8, units: even(n) });
    near(lift(10, 100, 1000), 0.133944806675137);
    near(lift(0.1, 0.09, 10_000), 0.126609459989574);
    near(lift(0.05, 0.0475, 5000), 0.280603513482913);
    expect(lift(1, 100, 500)).toMatchObject({ kind: 'insufficient' });
    expect(lift(0, 1, 500)).toMatchObject({ kind: 'insufficient' });
  });

  it('refuses what no number of units can show', () => {
    const goal = { kind: 'non-inferiority', margin: 0.1 } as const;
    expect(() => unitsForEstimate({ effect: 0, noise: 1, alpha }, { power: 0.8 })).toThrow(
      new RangeError('effect is 0, must be other than 0'),
    );
    expect(() => unitsForEstimate({ effect: -0.1, noise: 1, alpha, goal }, { power: 0.8 })).toThrow(
      'effect is -0.1, must be above -0.1',
    );
    expect(() => unitsForEstimate({ effect: 1, noise: 0, alpha }, { power: 0.8 })).toThrow('noise is 0, must be');
    expect(() => unitsForEstimate({ effect: 1, noise: 1, alpha, inflation: 0.9 }, { power: 0.8 })).toThrow(
      'inflation is 0.9, must be >= 1',
    );
  });
});

describe('design for two rates', () => {
  it('the rate that is told apart agrees with R at full precision', () => {
    const got = detectableProportion({ control: 0.05, alpha }, { power: 0.8, units: even(10_000) });
    near(got, reference['power.prop p2 for n=10000 p1=.05']);
    // The number often quoted is what R gives at its default tolerance: right to four digits only.
    near(got, reference["the same with R's default tolerance"], 1e-4);
    expect(reference["the same with R's default tolerance"]).toBe(0.05898807414699444);
    const below = detectableProportion({ control: 0.5, alpha }, { power: 0.8, units: even(200), side: 'below' });
    const above = detectableProportion({ control: 0.5, alpha }, { power: 0.8, units: even(200), side: 'above' });
    near((below as number) + (above as number), 1);
    expect(detectableProportion({ control: 0.5, alpha }, { power: 0.9, units: even(3) })).toMatchObject({
      kind: 'insufficient',
    });
  });

  it('sizes with a margin agree with rpact, and come back as power', () => {
    const one = { control: 0.1, candidate: 0.1, margin: 0.01, alpha: 0.025 };
    near(total(unitsForRateMargin(one, { power: 0.8 })), reference['rates .1 .1 margin .01']);
    expect(total(unitsForRateMargin(one, { power: 0.8 }))).toBeCloseTo(28289.42, 2);
    near(
      total(unitsForRateMargin({ ...one, candidate: 0.12, margin: 0.02 }, { power: 0.9, share: 0.75 })),
      reference['rates .12 .1 margin .02 ratio 3'],
    );
    near(
      total(
        unitsForRateMargin({ control: 0.1, candidate: 0.09, margin: 0.03, alpha: 0.05 }, { power: 0.9, share: 1 / 3 }),
      ),
      reference['rates .09 .1 margin .03 ratio .5'],
    );
    near(powerOfRateMargin(one, unitsForRateMargin(one, { power: 0.8 })), 0.8);
    near(
      total(unitsForRateMargin({ ...one, inflation: 1.2 }, { power: 0.8 })),
      1.2 * reference['rates .1 .1 margin .01'],
    );
    near(
      total(unitsForProportions({ control: 0.1, candidate: 0.11, alpha }, { power: 0.8 })),
      reference['rates .11 .1'],
    );
    expect(() => unitsForRateMargin({ ...one, candidate: 0.08 }, { power: 0.8 })).toThrow('candidate is 0.08, must be');
  });
});

describe('duration', () => {
  it('counts days of the slower variant, outcomes and whole weeks', () => {
    const traffic = { unitsPerDay: 1000, controlShare: 0.9, candidateShare: 0.1 };
    expect(daysForUnits(even(1000), traffic)).toBe(10);
    expect(daysForUnits(even(1001), traffic)).toBe(11);
    expect(daysForUnits(even(1000), { ...traffic, outcomeDays: 3 })).toBe(13);
    expect(daysForUnits(even(1000), { ...traffic, outcomeDays: 3, wholeWeeks: true })).toBe(14);
    expect(() => daysForUnits(even(1), { ...traffic, controlShare: 0.95 })).toThrow(/sum of shares is 1\.05/);
  });

  it('growth of a running test gives the published scaling factors', () => {
    // 500 units a side, variance of the relative difference 0.0084, rise of 5 % to be seen; the factors count added
    // units, and were found by bisection to a few units.
    const standardError = Math.sqrt(0.008426853707414856);
    const now = { distance: 0.05, standardError, n: 1000 };
    const aim = { alpha, power: 0.8 };
    near(growthToDecide(now, aim) - 1, 25.45703125, 1e-4);
    near(growthToDecideWatched(now, { ...aim, horizon: 5000 }) - 1, 55.66796875, 1e-4);
    const prior = { mean: 0.05, standardDeviation: Math.sqrt(0.001) };
    near(growthToDecideWithPrior({ ...now, prior }, aim) - 1, 13.9404296875, 1e-4);
  });

  it('a prior towards the effect needs fewer units, one against it more, a very wide one as many', () => {
    const now = { distance: 1, standardError: 1 };
    const aim = { alpha, power: 0.8 };
    const factor = (mean: number, standardDeviation: number) =>
      growthToDecideWithPrior({ ...now, prior: { mean, standardDeviation } }, aim);
    near(factor(0, 1e6), growthToDecide(now, aim), 1e-9);
    expect(factor(1, 1)).toBeLessThan(growthToDecide(now, aim));
    expect(factor(-1, 1)).toBeGreaterThan(growthToDecide(now, aim));
  });
});
