import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearWithin, sure } from './answer.fixture.ts';
import { mantelHaenszel, type RateStratum, simpsonCheck } from './mantel-haenszel.ts';
import reference from './survival.fixture.json' with { type: 'json' };

const alpha = 0.05;
const near = nearWithin(1e-12);

/** Bickel, Hammel & O'Connell 1975: admissions of men (candidate) and women (control) by department. */
const berkeley: RateStratum[] = Array.from({ length: 6 }, (_, i) => {
  const [men, noMen, women, noWomen] = reference.berkeley.slice(4 * i, 4 * i + 4) as [number, number, number, number];
  return { candidate: { successes: men, n: men + noMen }, control: { successes: women, n: women + noWomen } };
});

describe('mantelHaenszel', () => {
  it('agrees with R’s mantelhaen.test on the Berkeley admissions', () => {
    const got = sure(mantelHaenszel(berkeley, { alpha }));
    near(got.statistic, 1.42694622858869, 5e-12);
    near(got.pValue, 0.232263462817048, 5e-12);
    near(got.oddsRatio, 0.904696828258623);
    const { corrected, uncorrected, interval } = reference.berkeleyTest;
    near(got.statistic, corrected[0]!);
    near(got.pValue, corrected[1]!);
    const plain = sure(mantelHaenszel(berkeley, { alpha, isCorrected: false }));
    near(plain.statistic, uncorrected[0]!);
    near(plain.pValue, uncorrected[1]!);
    if (got.interval.kind !== 'bounded') throw new Error('an interval expected');
    near(got.interval.lower, interval[0]!);
    near(got.interval.upper, interval[1]!);
  });

  it('sees that the odds ratio is not the same everywhere, as statsmodels’ test_equal_odds(True)', () => {
    const got = sure(mantelHaenszel(berkeley, { alpha })).homogeneity;
    if ('kind' in got) throw new Error(got.reason);
    near(got.statistic, 18.82550125205323, 1e-11);
    near(got.pValue, 0.0020714013978808676, 1e-10);
    expect(got.df).toBe(5);
  });

  it('swapping the variants keeps p and inverts the ratio, and useless groups change nothing', () => {
    const side = fc
      .tuple(fc.nat(30), fc.nat(30))
      .map(([successes, failures]) => ({ successes, n: successes + failures }));
    fc.assert(
      fc.property(fc.array(fc.record({ control: side, candidate: side }), { minLength: 1, maxLength: 6 }), (strata) => {
        const there = mantelHaenszel(strata, { alpha });
        const back = mantelHaenszel(
          strata.map(({ control, candidate }) => ({ control: candidate, candidate: control })),
          { alpha },
        );
        expect(there.kind).toBe(back.kind);
        if (there.kind !== 'tested' || back.kind !== 'tested') return;
        expect(back.pValue).toBeCloseTo(there.pValue, 9);
        if (typeof there.oddsRatio === 'number' && typeof back.oddsRatio === 'number') {
          expect(there.oddsRatio * back.oddsRatio).toBeCloseTo(1, 9);
        }
        const alone = { control: { successes: 0, n: 0 }, candidate: { successes: 3, n: 9 } };
        expect(mantelHaenszel([...strata, alone], { alpha })).toEqual(there);
      }),
      { seed: 25 },
    );
  });

  it('says what it cannot, and refuses what is no count', () => {
    const never = { control: { successes: 0, n: 5 }, candidate: { successes: 0, n: 7 } };
    expect(mantelHaenszel([never], { alpha })).toMatchObject({
      reason: 'no group has units of both variants and both outcomes, so nothing can be compared',
    });
    const once = { control: { successes: 0, n: 5 }, candidate: { successes: 4, n: 7 } };
    expect(sure(mantelHaenszel([once], { alpha })).oddsRatio).toMatchObject({
      reason: 'the common odds ratio has no upper end',
    });
    expect(() => mantelHaenszel([{ ...once, control: { successes: 6, n: 5 } }], { alpha })).toThrow(
      new RangeError('strata[0].control.successes is 6, must be in 0..5'),
    );
    expect(() => mantelHaenszel([once], { alpha: 0 })).toThrow('alpha is 0, must be in (0, 1)');
  });
});

describe('simpsonCheck', () => {
  it('reports that Berkeley’s admissions turn round by department', () => {
    const got = sure(simpsonCheck(berkeley, { alpha }));
    expect(got.verdict).toBe('reversed');
    // 1198 of 2691 men and 557 of 1835 women.
    near(got.crude.oddsRatio, (1198 * 1278) / (1493 * 557));
    expect(got.crude.pValue).toBeLessThan(1e-20);
    near(got.stratified.oddsRatio, 0.904696828258623);
  });

  it('agrees where each group has the same shares, and is unclear where nothing is beyond chance', () => {
    const same = [0.1, 0.5].map((rate) => ({
      control: { successes: 1000 * rate, n: 1000 },
      candidate: { successes: 1200 * rate, n: 1000 },
    }));
    expect(sure(simpsonCheck(same, { alpha })).verdict).toBe('agrees');
    const few = [
      { control: { successes: 1, n: 10 }, candidate: { successes: 0, n: 2 } },
      { control: { successes: 2, n: 3 }, candidate: { successes: 6, n: 10 } },
    ];
    expect(sure(simpsonCheck(few, { alpha })).verdict).toBe('unclear');
    expect(simpsonCheck([], { alpha }).kind).toBe('insufficient');
  });
});
