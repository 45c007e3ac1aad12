import { describe, expect, it } from 'vitest';
import { chiSquared } from './gamma.ts';
import { mixingPrecision } from './mixture-martingale.ts';
import { detectableDifference, powerOfMeans, unitsForMeans, unitsForProportions } from './power.ts';
import { sampleRatio } from './sample-ratio.ts';

// Numbers often quoted for these methods, where recomputing shows fewer right digits than are quoted.
const alpha = 0.05;
const apart = (got: number, want: number): number => Math.abs(got / want - 1);

describe('quoted numbers', () => {
  it('the best precision of the normal mixture at time 100 is 12.60056097925634', () => {
    expect(apart(mixingPrecision({ time: 100, alpha }, 2), 12.60056097925634)).toBeLessThan(1e-13);
  });

  it('3333, 3400, 3267 of .34, .33, .33 has p .09629888159784 (R); a quoted .0962888815978438 lost a digit', () => {
    const result = sampleRatio([3333, 3400, 3267], [0.34, 0.33, 0.33]);
    if (result.kind !== 'tested') throw new Error(result.reason);
    // By hand: 67^2/3400 + 100^2/3300 + 33^2/3300; with 2 degrees of freedom p is e^(-x/2).
    const statistic = 67 ** 2 / 3400 + 100 ** 2 / 3300 + 33 ** 2 / 3300;
    expect(apart(result.pValue, Math.exp(-statistic / 2))).toBeLessThan(1e-12);
    expect(apart(result.pValue, 0.0962988815978438)).toBeLessThan(1e-12);
  });

  it('R’s help gives sizes to its search’s default tolerance, some 1e-7; ours give back the power to 1e-12', () => {
    const one = { difference: 1, standardDeviation: 1, alpha };
    const units = unitsForMeans(one, { power: 0.9 });
    expect(apart(units.control, 22.02109770385123)).toBeLessThan(2e-7);
    expect(apart(powerOfMeans(one, units), 0.9)).toBeLessThan(1e-12);
    const proportions = unitsForProportions({ control: 0.5, candidate: 0.75, alpha }, { power: 0.9 });
    expect(apart(proportions.control, 76.70693011410766)).toBeLessThan(1e-7);
    const many = { control: 1000, candidate: 1000 };
    const difference = detectableDifference({ standardDeviation: 10, alpha }, { power: 0.8, units: many });
    expect(apart(difference, 1.253508704042566)).toBeLessThan(1e-6);
    expect(apart(powerOfMeans({ difference, standardDeviation: 10, alpha }, many), 0.8)).toBeLessThan(1e-12);
  });

  it('four groups of smokers (R’s help of prop.test): chi-squared 12.6004112971276 has p .00558547666162703', () => {
    expect(apart(chiSquared(3).sf(12.6004112971276), 0.00558547666162703)).toBeLessThan(1e-12);
  });
});
