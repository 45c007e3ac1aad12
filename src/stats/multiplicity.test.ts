import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareMeans } from './means.ts';
import reference from './multiplicity.fixture.json' with { type: 'json' };
import {
  adjustPValues,
  type Correction,
  falseCoverageLevel,
  selectByEValues,
  selectComparisons,
} from './multiplicity.ts';
import { createRandom } from './random.ts';

const corrections: readonly Correction[] = [
  'bonferroni',
  'holm',
  'hochberg',
  'hommel',
  'benjamini-hochberg',
  'benjamini-yekutieli',
];
const inR: Record<Correction, 'bonferroni' | 'holm' | 'hochberg' | 'hommel' | 'BH' | 'BY'> = {
  bonferroni: 'bonferroni',
  holm: 'holm',
  hochberg: 'hochberg',
  hommel: 'hommel',
  'benjamini-hochberg': 'BH',
  'benjamini-yekutieli': 'BY',
};
/** The fifteen p-values of Benjamini & Hochberg 1995. */
const published = [
  0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1,
];
const near = (got: number, want: number, tolerance = 1e-12): void =>
  expect(Math.abs(got - want), `${got} ${want}`).toBeLessThanOrEqual(tolerance * Math.abs(want));
const probabilities = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 12 });

describe('adjustPValues', () => {
  it('agrees with R 4.2 p.adjust for every correction', () => {
    expect(reference.length).toBe(7);
    for (const family of reference) {
      for (const method of corrections) {
        adjustPValues(family.p, method).forEach((got, i) => {
          near(got, family[inR[method]][i]!);
        });
      }
    }
  });

  it('agrees with the published example: 4 rejections by Benjamini-Hochberg, 3 by Holm', () => {
    const bh = selectComparisons(published, { alpha: 0.05, method: 'benjamini-hochberg' });
    expect(bh.rejected).toEqual([0, 1, 2, 3]);
    const want = [
      0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.0638571429, 0.0638571429, 0.0645, 0.0765, 0.486, 0.5811818182,
      0.714875, 0.7532307692, 0.8132142857, 1,
    ];
    bh.adjusted.forEach((got, i) => {
      near(got, want[i]!, 1e-9);
    });
    expect(selectComparisons(published, { alpha: 0.05, method: 'holm' }).rejected).toEqual([0, 1, 2]);
    const some = (method: Correction): readonly number[] => adjustPValues(published, method);
    [0.0015, 0.0056, 0.0247, 0.114, 0.2211, 0.278, 0.278, 0.278, 0.3213, 1].forEach((value, i) => {
      near(some('holm')[i]!, value);
    });
    near(some('hochberg')[5]!, 0.2682);
    near(some('hochberg')[7]!, 0.2752);
    [0.0015, 0.0056, 0.0247, 0.095, 0.1608, 0.1946, 0.2086, 0.2408, 0.3213].forEach((value, i) => {
      near(some('hommel')[i]!, value);
    });
    // Published cut after eight decimals.
    [0.00497734, 0.00995469, 0.03152317, 0.11821191].forEach((value, i) => {
      expect(Math.abs(some('benjamini-yekutieli')[i]! - value)).toBeLessThan(1e-8);
    });
  });

  it('gives back the order it was given, and adjusts equal p-values equally', () => {
    fc.assert(
      fc.property(probabilities, fc.constantFrom(...corrections), (ps, method) => {
        const adjusted = adjustPValues(ps, method);
        const backwards = [...adjustPValues([...ps].reverse(), method)].reverse();
        for (const [i, p] of ps.entries()) {
          expect(adjusted[i]).toBeCloseTo(backwards[i]!, 12);
          expect(adjusted[i]!).toBeGreaterThanOrEqual(p);
          for (const [j, other] of ps.entries()) if (p <= other) expect(adjusted[i]!).toBeLessThanOrEqual(adjusted[j]!);
        }
      }),
    );
  });

  it('orders the corrections by their strictness', () => {
    fc.assert(
      fc.property(probabilities, (ps) => {
        const chain: readonly Correction[] = ['bonferroni', 'holm', 'hochberg', 'hommel', 'benjamini-hochberg'];
        for (const [i, method] of chain.slice(1).entries()) {
          const stricter = adjustPValues(ps, chain[i]!);
          for (const [k, got] of adjustPValues(ps, method).entries()) {
            expect(got).toBeLessThanOrEqual(stricter[k]! * (1 + 1e-12));
          }
        }
      }),
    );
  });

  it('leaves one comparison as it is, none as none, and refuses what is no p-value', () => {
    for (const method of corrections) {
      expect(adjustPValues([0.037], method)).toEqual([0.037]);
      expect(adjustPValues([], method)).toEqual([]);
    }
    expect(() => adjustPValues([0.1, Number.NaN], 'holm')).toThrow(
      new RangeError('pValues[1] is NaN, must be in [0, 1]'),
    );
    expect(() => adjustPValues([0.1], 'sidak' as Correction)).toThrow('method is sidak, must be a correction');
  });
});

describe('intervals that fit the correction', () => {
  it('takes 1 - R q / m: .98666667 for 4 of 15', () => {
    const { intervals } = selectComparisons(published, { alpha: 0.05, method: 'benjamini-hochberg' });
    if (intervals.kind !== 'level') throw new Error(intervals.reason);
    near(1 - intervals.alpha, 0.98666667, 4e-9);
    expect(falseCoverageLevel(4, { alpha: 0.05, tests: 15 })).toEqual(intervals);
  });

  it('leaves 0 out exactly for the rejected, by every correction that has a level', () => {
    const random = createRandom('matching intervals');
    for (let round = 0; round < 150; round += 1) {
      const tests = 1 + random.integer(10);
      const samples = Array.from({ length: tests }, () => {
        const effect = random.uniform() < 0.5 ? 0 : 3 * random.normal();
        return {
          control: { n: 10, mean: 0, m2: 9 },
          candidate: { n: 12, mean: (effect + random.normal()) * 0.43, m2: 11 },
        };
      });
      const pValues = samples.map(({ control, candidate }) => {
        const result = compareMeans(control, candidate, { alpha: 0.05 });
        return result.kind === 'tested' ? result.pValue : 1;
      });
      for (const method of corrections.filter((name) => name !== 'hommel')) {
        const { rejected, intervals } = selectComparisons(pValues, { alpha: 0.1, method });
        if (intervals.kind === 'insufficient') {
          expect(rejected).toEqual([]);
          continue;
        }
        const clear = samples.map(({ control, candidate }) => {
          const result = compareMeans(control, candidate, { alpha: intervals.alpha });
          if (result.kind !== 'tested' || result.interval.kind !== 'bounded') throw new Error('tested expected');
          return result.interval.lower > 0 || result.interval.upper < 0;
        });
        // Bonferroni's own level; the others reject exactly what is clear of 0 at theirs.
        expect(samples.map((_, i) => rejected.includes(i))).toEqual(clear);
      }
    }
  });

  it('misses at most a share alpha of the selected, where uncorrected intervals of them miss more', () => {
    const random = createRandom('false coverage');
    const rounds = 600;
    const misses = { level: 0, plain: 0 };
    for (let round = 0; round < rounds; round += 1) {
      // 20 effects, most of them small: the selected ones are the lucky ones.
      const effects = Array.from({ length: 20 }, (_, i) => (i < 15 ? 0.2 : 2));
      const seen = effects.map((effect) => effect + random.normal());
      const pValues = seen.map((z) => {
        const result = compareMeans({ n: 1e6, mean: 0, m2: 5e11 }, { n: 1e6, mean: z, m2: 5e11 }, { alpha: 0.05 });
        return result.kind === 'tested' ? result.pValue : 1;
      });
      const { rejected, intervals } = selectComparisons(pValues, { alpha: 0.1, method: 'benjamini-hochberg' });
      if (intervals.kind !== 'level') continue;
      for (const [kind, alpha] of [
        ['level', intervals.alpha],
        ['plain', 0.1],
      ] as const) {
        const missed = rejected.filter((i) => {
          const result = compareMeans({ n: 1e6, mean: 0, m2: 5e11 }, { n: 1e6, mean: seen[i]!, m2: 5e11 }, { alpha });
          if (result.kind !== 'tested' || result.interval.kind !== 'bounded') throw new Error('tested expected');
          return result.interval.lower > effects[i]! || result.interval.upper < effects[i]!;
        });
        misses[kind] += missed.length / rejected.length / rounds;
      }
    }
    expect(misses.level).toBeLessThanOrEqual(0.1);
    expect(misses.plain).toBeGreaterThan(0.1);
  });

  it('says when there is no interval to make', () => {
    expect(selectComparisons([0.5, 0.9], { alpha: 0.05, method: 'holm' }).intervals).toEqual({
      kind: 'insufficient',
      reason: 'nothing is rejected, so no interval is selected',
    });
    expect(selectComparisons([0.001], { alpha: 0.05, method: 'hommel' }).intervals.kind).toBe('insufficient');
    expect(selectComparisons([], { alpha: 0.05, method: 'bonferroni' }).intervals).toMatchObject({
      reason: 'there are no comparisons',
    });
    expect(() => falseCoverageLevel(3, { alpha: 0.05, tests: 2 })).toThrow(
      'selected is 3, must be a whole number in 0..2',
    );
    expect(() => selectComparisons([0.1], { alpha: 1.2, method: 'holm' })).toThrow('alpha is 1.2, must be in (0, 1)');
  });
});

describe('selectByEValues', () => {
  it('rejects the k largest when k e_(k) >= m / alpha, as counted by hand', () => {
    // m / alpha = 100: 1 x 60 no, 2 x 55 yes, 3 x 30 no, 4 x 24 no, 5 x 1 no; so the two largest.
    const logEs = [24, 60, 1, 55, 30].map(Math.log);
    const { rejected, adjusted, intervals } = selectByEValues(logEs, { alpha: 0.05 });
    expect(rejected).toEqual([1, 3]);
    near(adjusted[1]!, 5 / 110);
    near(adjusted[3]!, 5 / 110);
    near(adjusted[0]!, 5 / 96);
    expect(intervals).toEqual({ kind: 'level', alpha: 0.02, promise: 'false coverage rate' });
  });

  it('is Benjamini-Hochberg on the p-values 1 / e', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -5, max: 20, noNaN: true }), { minLength: 1, maxLength: 9 }), (logEs) => {
        const ps = logEs.map((logE) => Math.min(1, Math.exp(-logE)));
        const want = adjustPValues(ps, 'benjamini-hochberg');
        selectByEValues(logEs, { alpha: 0.05 }).adjusted.forEach((got, i) => {
          expect(got).toBeCloseTo(want[i]!, 10);
        });
      }),
    );
  });

  it('takes evidence beyond every exponent, and evidence of nothing', () => {
    const { rejected } = selectByEValues([1200, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 800], {
      alpha: 0.05,
    });
    expect(rejected).toEqual([0, 2, 3]);
    expect(selectByEValues([], { alpha: 0.05 }).rejected).toEqual([]);
    expect(() => selectByEValues([Number.NaN], { alpha: 0.05 })).toThrow('logEs[0] is NaN, must be a number');
  });
});
