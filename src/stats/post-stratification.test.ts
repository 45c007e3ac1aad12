import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Insufficient } from './interval.ts';
import { compareMeans } from './means.ts';
import { type Moments, momentsOf } from './moments.ts';
import reference from './post-stratification.fixture.json' with { type: 'json' };
import { compareStrata, type StratifiedResult, type Stratum } from './post-stratification.ts';
import { createRandom } from './random.ts';

const alpha = 0.05;

function tested(result: StratifiedResult | Insufficient): StratifiedResult {
  if (result.kind !== 'tested') throw new Error(result.reason);
  return result;
}

function agree(got: readonly number[], want: readonly number[], tolerance = 1e-9): void {
  expect(got.length).toBe(want.length);
  got.forEach((value, i) => {
    expect(Math.abs(value - want[i]!), `entry ${i}: ${value} against ${want[i]}`).toBeLessThanOrEqual(
      tolerance * Math.abs(want[i]!),
    );
  });
}

const strata: Stratum[] = [1, 2, 3].map((stratum) => {
  const pick = (z: number): Moments =>
    momentsOf(reference.y.filter((_, i) => reference.stratum[i] === stratum && reference.z[i] === z));
  return { name: `group ${stratum}`, control: pick(0), candidate: pick(1) };
});

describe('compareStrata', () => {
  it('agrees with R, with shares of the sample and with known ones', () => {
    const own = tested(compareStrata(strata, { alpha }));
    agree([own.control, own.candidate, own.standardError, own.df!], reference['own shares: control candidate se df']);
    agree([own.pValue], reference['own shares: p']);
    agree([own.varianceReduction], reference['variance reduction']);
    const known = tested(
      compareStrata(
        strata.map((stratum, i) => ({ ...stratum, share: [0.5, 0.3, 0.2][i]! })),
        { alpha },
      ),
    );
    agree(
      [known.control, known.candidate, known.standardError, known.df!],
      reference['known shares: control candidate se df'],
    );
    expect(known.relative.kind).toBe('estimated');
  });

  const values = fc
    .array(fc.integer({ min: -400, max: 400 }), { minLength: 2, maxLength: 12 })
    .map((whole) => momentsOf(whole));
  const level = fc.double({ min: 1e-6, max: 0.5, noNaN: true });

  it('one stratum is Welch’s test, empty strata do not matter', () => {
    fc.assert(
      fc.property(values, values, level, (a, b, alpha) => {
        const welch = compareMeans(a, b, { alpha });
        const none = momentsOf([]);
        const one = compareStrata(
          [
            { name: 'none', control: none, candidate: none },
            { name: 'all', control: a, candidate: b },
          ],
          { alpha },
        );
        expect(one.kind).toBe(welch.kind);
        if (one.kind !== 'tested' || welch.kind !== 'tested') return;
        agree(
          [one.difference, one.standardError, one.df!, one.pValue],
          [welch.difference, welch.standardError, welch.df!, welch.pValue],
        );
        expect(one.varianceReduction).toBeCloseTo(0, 9);
      }),
    );
  });

  it('interval and p-value agree, swapping the arms flips the signs, and the order of strata does not matter', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(values, values), { minLength: 1, maxLength: 4 }), level, (pairs, alpha) => {
        const make = (swap: boolean): Stratum[] =>
          pairs.map(([a, b], i) => ({ name: `${i}`, control: swap ? b : a, candidate: swap ? a : b }));
        const there = compareStrata(make(false), { alpha });
        const back = compareStrata(make(true).reverse(), { alpha });
        expect(there.kind).toBe(back.kind);
        if (there.kind !== 'tested' || back.kind !== 'tested') return;
        expect(back.difference).toBeCloseTo(-there.difference, 9);
        agree([back.standardError, back.df!], [there.standardError, there.df!]);
        if (there.interval.kind !== 'bounded') throw new Error(there.interval.kind);
        expect(there.pValue < alpha).toBe(there.interval.lower > 0 || there.interval.upper < 0);
      }),
    );
  });

  it('covers the difference in 95 % of samples and is narrower than the raw comparison', () => {
    const random = createRandom('strata coverage');
    const rounds = 1000;
    let covered = 0;
    let narrower = 0;
    for (let round = 0; round < rounds; round += 1) {
      const groups = [0, 1, 2].map(() => ({ control: [] as number[], candidate: [] as number[] }));
      for (let unit = 0; unit < 90; unit += 1) {
        const group = random.integer(3);
        const side = random.uniform() < 0.6 ? 'control' : 'candidate';
        groups[group]![side].push(3 * group + random.normal());
      }
      const result = tested(
        compareStrata(
          groups.map((group, i) => ({
            name: `${i}`,
            control: momentsOf(group.control),
            candidate: momentsOf(group.candidate),
          })),
          { alpha },
        ),
      );
      if (result.pValue >= alpha) covered += 1;
      if (result.varianceReduction > 0) narrower += 1;
    }
    // Three binomial standard errors are 2.1 points.
    expect(covered / rounds).toBeGreaterThan(0.929);
    expect(covered / rounds).toBeLessThan(0.971);
    expect(narrower).toBe(rounds);
  });

  it('too little to say is said in a sentence, and bad input refused', () => {
    expect(compareStrata([], { alpha })).toEqual({ kind: 'insufficient', reason: 'no units yet' });
    const two = momentsOf([1, 2]);
    expect(
      compareStrata([...strata, { name: 'iOS', control: two, candidate: momentsOf([1]) }], { alpha }),
    ).toMatchObject({ reason: 'candidate has one unit in stratum iOS' });
    const flat = momentsOf([1, 1]);
    expect(compareStrata([{ name: 'a', control: flat, candidate: flat }], { alpha })).toMatchObject({
      reason: 'no value varies within a stratum, so the noise cannot be estimated',
    });
    expect(() => compareStrata([{ ...strata[0]!, share: 0.5 }, strata[1]!], { alpha })).toThrow(
      new RangeError('strata with a share is 1, must be 2 or 0'),
    );
    expect(() => compareStrata([{ ...strata[0]!, share: 0.5 }], { alpha })).toThrow('sum of shares is 0.5, must be 1');
    expect(() => compareStrata(strata, { alpha: 1.2 })).toThrow('alpha is 1.2, must be in (0, 1)');
  });
});
