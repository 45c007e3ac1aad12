import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ends, nearWithin, sure } from './answer.fixture.ts';
import quality from './model-quality.fixture.json' with { type: 'json' };
import reference from './models.fixture.json' with { type: 'json' };
import { comparePairedModels, watchPairedModels } from './paired-models.ts';
import { createRandom } from './random.ts';
import { signedRank } from './signed-rank.ts';

const alpha = 0.05;
const near = nearWithin(1e-9);

describe('two models on the same rows', () => {
  const polls = { both: 794, onlyControl: 86, onlyCandidate: 150, neither: 570 };

  it('McNemar gives the published numbers in every form', () => {
    const got = sure(comparePairedModels(polls, { alpha }));
    const want = reference['mcnemar 86 150: corrected chi2 p, plain chi2 p, exact p'];
    const have = [got.corrected.chiSquared, got.corrected.pValue, got.chiSquared, got.pValue, got.exactPValue];
    for (const [i, value] of have.entries()) near(value, want[i]!);
    near(got.corrected.chiSquared, 16.8177966101695);
    near(got.corrected.pValue, 4.11456228134594e-5);
    near(got.chiSquared, 17.3559322033898);
    near(got.pValue, 3.09929344104522e-5);
    near(got.exactPValue, 3.71593613957143e-5);
    const small = sure(comparePairedModels({ both: 0, onlyControl: 9, onlyCandidate: 21, neither: 0 }, { alpha }));
    near(small.exactPValue, 0.0427739452570668);
  });

  it.each(quality.tango)(
    "Tango's interval agrees with its definition in 30 digits: $onlyCandidate, $onlyControl of $n",
    (row) => {
      const rows = { ...row, both: row.n - row.onlyCandidate - row.onlyControl, neither: 0 };
      const [lower, upper] = ends(sure(comparePairedModels(rows, { alpha })));
      expect(Math.abs(lower - row.interval[0]!)).toBeLessThan(1e-10);
      expect(Math.abs(upper - row.interval[1]!)).toBeLessThan(1e-10);
    },
  );

  it('p-value and interval agree, and swapping the models flips signs', () => {
    const count = fc.nat(40);
    fc.assert(
      fc.property(count, count, count, count, (both, onlyControl, onlyCandidate, neither) => {
        const there = comparePairedModels({ both, onlyControl, onlyCandidate, neither }, { alpha });
        if (there.kind === 'insufficient') return;
        const [lower, upper] = ends(there);
        expect(lower > 0 || upper < 0).toBe(there.pValue < alpha);
        const back = sure(
          comparePairedModels({ both, onlyControl: onlyCandidate, onlyCandidate: onlyControl, neither }, { alpha }),
        );
        expect(ends(back)[0]).toBeCloseTo(-upper, 10);
        expect(back.exactPValue).toBe(there.exactPValue);
        expect(there.midP).toBeLessThanOrEqual(there.exactPValue);
      }),
      { seed: 10 },
    );
    expect(comparePairedModels({ both: 5, onlyControl: 0, onlyCandidate: 0, neither: 5 }, { alpha })).toMatchObject({
      kind: 'insufficient',
    });
  });

  it('watched: interval and p-value agree, and the e-value of a fair coin has mean 1', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.nat(60), fc.constantFrom(0.5, 1, 20), (control, candidate, concentration) => {
        const got = watchPairedModels({ control, candidate }, { alpha, concentration });
        if (got.kind === 'insufficient') return;
        const [lower, upper] = ends(got);
        expect(lower > 0.5 || upper < 0.5).toBe(got.pValue < alpha);
        expect(got.share >= lower && got.share <= upper).toBe(true);
      }),
      { seed: 11 },
    );
    // All 2^12 courses of twelve rows, by their number of wins.
    let mean = 0;
    let ways = 1;
    for (let k = 0; k <= 12; k += 1) {
      mean += (ways / 4096) * Math.exp(sure(watchPairedModels({ control: 12 - k, candidate: k }, { alpha })).logE);
      ways = (ways * (12 - k)) / (k + 1);
    }
    expect(mean).toBeCloseTo(1, 11);
    expect(watchPairedModels({ control: 0, candidate: 0 }, { alpha })).toMatchObject({ kind: 'insufficient' });
  });

  it('watched after every row, equal models raise fewer than 5 % false alarms, and the plain test looked at as often many', () => {
    const random = createRandom('paired');
    let alarms = 0;
    let naive = 0;
    for (let round = 0; round < 500; round += 1) {
      let control = 0;
      let candidate = 0;
      let isAlarm = false;
      let isNaive = false;
      for (let row = 0; row < 300; row += 1) {
        if (random.uniform() < 0.5) control += 1;
        else candidate += 1;
        if (sure(watchPairedModels({ control, candidate }, { alpha })).pValue < alpha) isAlarm = true;
        if (row > 20 && Math.abs(candidate - control) / Math.sqrt(candidate + control) > 1.96) isNaive = true;
      }
      if (isAlarm) alarms += 1;
      if (isNaive) naive += 1;
    }
    expect(alarms / 500).toBeLessThan(0.05);
    expect(naive / 500).toBeGreaterThan(0.2);
  });
});

describe('signed ranks', () => {
  it('agree with R: exact, with ties and zeros, and by approximation', () => {
    const { 'depression first': first, 'depression second': second } = reference;
    const exact = sure(
      signedRank(
        first.map((x, i) => x - second[i]!),
        { alpha },
      ),
    );
    expect(exact.statistic).toBe(40);
    near(exact.pValue, 2 * 0.01953125);
    const tied = sure(signedRank(reference.tied, { alpha }));
    expect([tied.statistic, tied.n]).toEqual([reference['tied V p'][0], 13]);
    near(tied.pValue, reference['tied V p'][1]!);
    const sixty = sure(signedRank(reference.sixty, { alpha }));
    expect(sixty.statistic).toBe(reference['sixty V p'][0]);
    near(sixty.pValue, reference['sixty V p'][1]!);
  });

  it('p-value and interval agree where exact, turning signs round mirrors all, and a sure shift is seen', () => {
    const value = fc.integer({ min: -3000, max: 4000 }).filter((x) => x !== 0);
    fc.assert(
      fc.property(fc.uniqueArray(value, { minLength: 3, maxLength: 25, selector: Math.abs }), (differences) => {
        const there = sure(signedRank(differences, { alpha: 0.1 }));
        const back = sure(
          signedRank(
            differences.map((x) => -x),
            { alpha: 0.1 },
          ),
        );
        expect(back.pValue).toBeCloseTo(there.pValue, 12);
        if ('kind' in there.shift) throw new Error(there.shift.reason);
        const { interval } = there.shift;
        if (interval.kind === 'bounded') expect(interval.lower > 0 || interval.upper < 0).toBe(there.pValue <= 0.1);
        else expect(there.pValue).toBeGreaterThan(0.1);
      }),
      { seed: 12 },
    );
    expect(signedRank([0, 0], { alpha })).toMatchObject({ reason: 'no pair differs' });
  });
});
