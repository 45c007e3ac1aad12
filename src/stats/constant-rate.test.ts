import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ends } from './answer.fixture.ts';
import {
  clopperPearsonInterval,
  constantRateInterval,
  createRandom,
  type Random,
  unitsForConstantRate,
} from './index.ts';

describe('the interval of a rate that never moved', () => {
  it.each([
    [0, 360, 0.05, 0, 0.01019456688201237],
    [0, 360, 0.1, 0, 0.008286950875235677],
    [0, 10, 0.05, 0, 0.3084971078187608],
    [0, 100, 0.05, 0, 0.03621669264517646],
    [0, 1, 0.05, 0, 0.975],
    [0, 100_000, 0.05, 0, 3.688811415792421e-5],
    [1, 100, 0.05, 0.9637833073548235, 1],
  ] as const)(
    'agrees with R 4.2.2 binom.test: every row %d in %d units, alpha %d',
    (rate, units, alpha, lower, upper) => {
      const got = ends(constantRateInterval(rate, units, { alpha }));
      expect(Math.abs(got[0] - lower)).toBeLessThan(1e-12 * Math.max(lower, 1e-3));
      expect(Math.abs(got[1] - upper)).toBeLessThan(1e-12 * upper);
    },
  );

  it('is near the rule of three: 3 / n at one-sided 5 % (Hanley & Lippman-Hand 1983)', () => {
    for (const units of [100, 1000, 1_000_000]) {
      const [, upper] = ends(constantRateInterval(0, units, { alpha: 0.1 }));
      expect((upper * units) / 3).toBeGreaterThan(0.98);
      expect((upper * units) / 3).toBeLessThan(1);
    }
  });

  it('is the Clopper-Pearson interval of 0 of n and of n of n, also for n that is not whole', () => {
    const level = fc.double({ min: 1e-6, max: 0.99, noNaN: true });
    fc.assert(
      fc.property(fc.double({ min: 0.5, max: 1e6, noNaN: true }), level, (n, alpha) => {
        const none = ends(constantRateInterval(0, n, { alpha }));
        const all = ends(constantRateInterval(1, n, { alpha }));
        const exactNone = ends(clopperPearsonInterval({ successes: 0, n }, { alpha }));
        const exactAll = ends(clopperPearsonInterval({ successes: n, n }, { alpha }));
        expect(Math.abs(none[1] / exactNone[1] - 1)).toBeLessThan(1e-9);
        expect(Math.abs(all[0] / exactAll[0] - 1)).toBeLessThan(1e-9);
        expect([none[0], all[1]]).toEqual([0, 1]);
      }),
      { seed: 11, numRuns: 200 },
    );
  });

  /** How often 60 units show no event although the rate of rows lies just beyond the bound. */
  function silentShare(setting: string, unit: (rate: number, random: Random) => UnitPlan): number {
    const random = createRandom(5).stream(setting);
    const [, bound] = ends(constantRateInterval(0, 60, { alpha: 0.2 }));
    const isSilent = (): boolean => {
      for (let n = 0; n < 60; n += 1) {
        const { rows, isTroubled, within } = unit(bound * 1.0001, random);
        for (let row = 0; row < rows; row += 1) if (isTroubled && random.uniform() < within) return false;
      }
      return true;
    };
    let silent = 0;
    for (let round = 0; round < rounds; round += 1) if (isSilent()) silent += 1;
    return silent / rounds;
  }
  interface UnitPlan {
    readonly rows: number;
    readonly isTroubled: boolean;
    readonly within: number;
  }
  const rounds = 4000;
  const threeErrors = 3 * Math.sqrt((0.1 * 0.9) / rounds);

  it.each<[string, (rate: number) => number]>([
    ['rows fail independently', (rate) => rate],
    ['rows of a unit fail together', () => 1],
    ['units differ in how often they fail', () => 0.3],
  ])('leaves a true rate of rows out in at most alpha / 2 of samples when %s', (setting, within) => {
    const share = silentShare(setting, (rate, random) => ({
      rows: 1 + random.integer(5),
      isTroubled: random.uniform() < rate / within(rate),
      within: within(rate),
    }));
    expect(share).toBeLessThan(0.1 + threeErrors);
  });

  it('leaves it out more often when only the largest units fail, and fail throughout', () => {
    // One unit in ten has 41 rows, the others 1: 5 on average, so a rate of rows r needs only r x 5 / 41 of the units.
    const share = silentShare('largest', (rate, random) => {
      const isLarge = random.uniform() < 0.1;
      return {
        rows: isLarge ? 41 : 1,
        isTroubled: isLarge && random.uniform() < (rate * 5) / 41 / 0.1,
        within: 1,
      };
    });
    expect(share).toBeGreaterThan(0.1 + threeErrors);
  });

  it('says after how many units without an event a margin is reached', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-5, max: 0.9, noNaN: true }), (margin) => {
        const units = unitsForConstantRate(margin, { alpha: 0.1 });
        const reach = (n: number): number => ends(constantRateInterval(0, n, { alpha: 0.1 }))[1];
        expect(reach(units)).toBeLessThanOrEqual(margin * (1 + 1e-12));
        if (units > 1) expect(reach(units - 1)).toBeGreaterThan(margin * (1 - 1e-12));
      }),
      { seed: 12, numRuns: 200 },
    );
    // ln(0.05) / ln(0.98)
    expect(unitsForConstantRate(0.02, { alpha: 0.1 })).toBe(149);
  });

  it('bad input is refused by name, value and rule', () => {
    expect(() => constantRateInterval(0, 0, { alpha: 0.05 })).toThrow('units is 0, must be finite and > 0');
    expect(() => constantRateInterval(0, 10, { alpha: 1 })).toThrow('alpha is 1, must be in (0, 1)');
    expect(() => unitsForConstantRate(0, { alpha: 0.05 })).toThrow('margin is 0, must be in (0, 1)');
  });
});
