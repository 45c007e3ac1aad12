import { describe, expect, it } from 'vitest';
import {
  detectableDifference,
  growthToDecide,
  powerOfMeans,
  powerOfProportions,
  unitsForMeans,
  unitsForProportions,
} from './index.ts';
import reference from './reference.fixture.json' with { type: 'json' };

const alpha = 0.05;
const near = (got: number, want: readonly number[]): void =>
  expect(Math.abs(got / want[0]! - 1), `${got} ${want[0]}`).toBeLessThan(1e-9);

describe('power and size', () => {
  it('of means agree with R 4.2 power.t.test', () => {
    const one = { difference: 1, standardDeviation: 1, alpha };
    near(powerOfMeans(one, { control: 20, candidate: 20 }), reference['power.t n=20 delta=1']);
    near(
      powerOfMeans({ difference: -2, standardDeviation: 1.3, alpha: 0.01 }, { control: 5, candidate: 5 }),
      reference['power.t n=5 delta=2 sd=1.3 alpha=.01'],
    );
    near(unitsForMeans(one, { power: 0.9 }).control, reference['power.t n for .9']);
    near(
      detectableDifference({ standardDeviation: 10, alpha }, { power: 0.8, units: { control: 1000, candidate: 1000 } }),
      reference['power.t delta for n=1000 sd=10 power=.8'],
    );
  });

  it('of proportions agree with R 4.2 power.prop.test', () => {
    near(
      powerOfProportions({ control: 0.5, candidate: 0.75, alpha }, { control: 50, candidate: 50 }),
      reference['power.prop n=50'],
    );
    near(
      unitsForProportions({ control: 0.5, candidate: 0.75, alpha }, { power: 0.9 }).candidate,
      reference['power.prop n for .9'],
    );
    near(
      unitsForProportions({ control: 0.1, candidate: 0.11, alpha }, { power: 0.8 }).control,
      reference['power.prop n .10 .11'],
    );
  });

  it('an uneven split needs more units in all, and power comes back from the size', () => {
    const design = { control: 0.1, candidate: 0.12, alpha };
    const even = unitsForProportions(design, { power: 0.8 });
    const uneven = unitsForProportions(design, { power: 0.8, share: 0.1 });
    expect(uneven.control + uneven.candidate).toBeGreaterThan(2 * (even.control + even.candidate));
    expect(uneven.candidate / (uneven.control + uneven.candidate)).toBeCloseTo(0.1, 12);
    expect(powerOfProportions(design, uneven)).toBeCloseTo(0.8, 10);
    const means = { difference: 0.2, standardDeviation: 1, alpha };
    expect(powerOfMeans(means, unitsForMeans(means, { power: 0.8, share: 0.3 }))).toBeCloseTo(0.8, 10);
  });

  it('the published forecast would be decided at about 52,000 requests, at 106,000 with 80 % power', () => {
    // Net value 3.9 (standard error 4.408 at 2,500 requests) against the limit 2.
    const now = { distance: 1.9, standardError: 4.408 };
    expect(2500 * growthToDecide(now, { alpha, power: 0.5 })).toBeCloseTo(51_691, -3);
    expect(2500 * growthToDecide(now, { alpha, power: 0.8 })).toBeCloseTo(105_600, -3);
  });

  it('bad input is refused by name, value and rule', () => {
    const means = { difference: 0, standardDeviation: 1, alpha };
    expect(() => unitsForMeans(means, { power: 0.8 })).toThrow(new RangeError('difference is 0, must be other than 0'));
    expect(() => powerOfMeans(means, { control: 1, candidate: 5 })).toThrow('units.control is 1, must be >= 2');
    expect(() => unitsForProportions({ control: 0, candidate: 0.5, alpha }, { power: 0.8 })).toThrow(
      'control is 0, must be in (0, 1)',
    );
    expect(() => unitsForProportions({ control: 0.5, candidate: 0.5, alpha }, { power: 0.8 })).toThrow(
      "candidate is 0.5, must be other than control's 0.5",
    );
    expect(() => unitsForMeans({ ...means, difference: 1 }, { power: 1 })).toThrow(/power is 1, must be in/);
    expect(() => growthToDecide({ distance: 0, standardError: 1 }, { alpha, power: 0.8 })).toThrow(
      'distance is 0, must be finite and > 0',
    );
  });
});
