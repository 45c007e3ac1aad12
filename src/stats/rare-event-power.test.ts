import { describe, expect, it } from 'vitest';
import { sure } from './answer.fixture.ts';
import {
  compareProportions,
  createRandom,
  detectableEffect,
  estimateQuantile,
  growthToDecideWatched,
  momentsOf,
  pairNoise,
  poisson,
  powerOfEstimate,
  powerOfProportions,
  powerOfRareEvents,
  quantileNoise,
  quantileSampleOf,
  unitsForEstimate,
  unitsForRareEvents,
  watchedInflation,
} from './index.ts';

const alpha = 0.05;

describe('power where events are rare', () => {
  const design = { control: 0.002, candidate: 0.01, alpha };

  it('is the share of simulated tests that reject', () => {
    const units = { control: 900, candidate: 600 };
    const random = createRandom('rare power');
    const count = (n: number, rate: number): number => {
      let hits = 0;
      for (let i = 0; i < n; i += 1) if (random.uniform() < rate) hits += 1;
      return hits;
    };
    const rounds = 1200;
    let rejected = 0;
    for (let round = 0; round < rounds; round += 1) {
      const control = { n: units.control, successes: count(units.control, design.control) };
      const candidate = { n: units.candidate, successes: count(units.candidate, design.candidate) };
      const result = compareProportions(control, candidate, { alpha });
      if (result.kind === 'tested' && result.pValue < alpha && result.difference > 0) rejected += 1;
    }
    const power = powerOfRareEvents(design, units);
    expect(Math.abs(rejected / rounds - power)).toBeLessThan(4 * Math.sqrt((power * (1 - power)) / rounds));
  });

  it('is that of the normal formula where events are many, and of another size where they are few', () => {
    const many = { control: 0.1, candidate: 0.14, alpha };
    const units = { control: 1200, candidate: 1200 };
    expect(powerOfRareEvents(many, units)).toBeCloseTo(powerOfProportions(many, units), 2);
    // The formula promises more than twice as much with 300 units, and less than there is with an uneven split.
    const few = { control: 300, candidate: 300 };
    expect(powerOfRareEvents(design, few)).toBeLessThan(0.5 * powerOfProportions(design, few));
    const down = { control: 0.02, candidate: 0.001, alpha };
    const uneven = { control: 5000, candidate: 300 };
    expect(powerOfRareEvents(down, uneven)).toBeGreaterThan(0.05 + powerOfProportions(down, uneven));
  });

  it('comes back from its size, with an uneven split too', () => {
    for (const share of [0.5, 0.3]) {
      const units = unitsForRareEvents(design, { power: 0.8, share });
      expect(powerOfRareEvents(design, units)).toBeGreaterThanOrEqual(0.8);
      expect(powerOfRareEvents(design, units)).toBeLessThan(0.84);
      expect(units.candidate / (units.control + units.candidate)).toBeCloseTo(share, 2);
    }
  });

  it('refuses broken input, and what is no matter of rare events', () => {
    const units = { control: 10, candidate: 10 };
    expect(() => powerOfRareEvents({ ...design, control: 0 }, units)).toThrow(
      new RangeError('control is 0, must be in (0, 1)'),
    );
    expect(() => powerOfRareEvents(design, { ...units, candidate: 1.5 })).toThrow('units.candidate is 1.5');
    expect(() => powerOfRareEvents({ ...design, candidate: 0.5 }, { control: 1e6, candidate: 1e8 })).toThrow(
      'take powerOfProportions',
    );
    expect(() => powerOfRareEvents({ ...design, candidate: 0.002 }, units)).toThrow('another rate than the control');
    expect(() => unitsForRareEvents({ ...design, candidate: 0.002 }, { power: 0.8 })).toThrow(RangeError);
  });
});

describe('noise of other metrics in a design', () => {
  it('of pairs: as many pairs as a z-test of their differences takes', () => {
    const noise = sure(pairNoise(momentsOf([3, -1, 2, 0, 1, 4])));
    const { control, candidate } = unitsForEstimate({ effect: 0.5, noise, alpha }, { power: 0.8 });
    // Variance 3.5; (1.959964 + 0.8416212)^2 x 3.5 / 0.25
    expect(control).toBeCloseTo((2.801585218112969 ** 2 * 3.5) / 0.25, 8);
    expect(candidate).toBeCloseTo(control, 9);
    expect(pairNoise(momentsOf([1]))).toMatchObject({ kind: 'insufficient' });
  });

  it('of a quantile: the error of the pilot at the pilot’s size', () => {
    const random = createRandom('latency');
    const pilot = quantileSampleOf(
      Array.from({ length: 400 }, () => [Math.exp(random.normal()), Math.exp(random.normal())]),
      0.9,
    );
    const noise = sure(quantileNoise(pilot));
    const { standardError } = sure(estimateQuantile(pilot, { alpha }));
    const effect = detectableEffect({ noise, alpha }, { power: 0.8, units: { control: 400, candidate: 400 } });
    expect(effect).toBeCloseTo(2.801585218112969 * Math.SQRT2 * standardError, 9);
  });

  it('of Poisson rates: the rates themselves, as simulated score tests confirm', () => {
    const random = createRandom('poisson power');
    const [before, after, hours] = [0.4, 0.55, 300];
    const power = powerOfEstimate(
      { effect: after - before, noise: { control: before, candidate: after }, alpha },
      { control: hours, candidate: hours },
    );
    let rejected = 0;
    for (let round = 0; round < 4000; round += 1) {
      const [x, y] = [before, after].map((rate) => poisson(rate * hours).quantile(random.uniform())) as [
        number,
        number,
      ];
      if ((y - x) / Math.sqrt(x + y) > 1.959963984540054) rejected += 1;
    }
    expect(Math.abs(rejected / 4000 - power)).toBeLessThan(0.03);
  });

  it('watched to the end a test takes 1.9 times the units, and is then decided with that power', () => {
    const inflation = watchedInflation({ alpha, power: 0.8 });
    expect(inflation).toBeCloseTo(1.9148, 3);
    const design = { effect: 0.1, noise: 4, alpha, inflation };
    const { control, candidate } = unitsForEstimate(design, { power: 0.8 });
    const n = Math.round(control + candidate);
    const standardError = Math.sqrt(4 / control + 4 / candidate);
    const growth = growthToDecideWatched({ distance: 0.1, standardError, n }, { alpha, power: 0.8, horizon: n });
    expect(growth).toBeCloseTo(1, 3);
    expect(() => watchedInflation({ alpha: 0, power: 0.8 })).toThrow(new RangeError('alpha is 0, must be in (0, 1)'));
  });
});
