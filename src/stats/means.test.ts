import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareMeans, comparePairs, compareProportions, estimateMean, momentsOf, sampleRatio } from './index.ts';
import reference from './reference.fixture.json' with { type: 'json' };

const alpha = 0.05;
const first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
const second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];

/** Every pair agrees to 1e-9 relative. */
function agree(got: readonly (number | undefined)[], want: readonly unknown[]): void {
  expect(got.length).toBe(want.length);
  got.forEach((value, i) => {
    expect(Math.abs(value! - (want[i] as number)), `entry ${i}: ${value} against ${want[i]}`).toBeLessThanOrEqual(
      1e-9 * Math.abs(want[i] as number),
    );
  });
}

describe('compareMeans', () => {
  it('agrees with R 4.2 t.test on Student’s sleep data', () => {
    const result = compareMeans(momentsOf(second), momentsOf(first), { alpha });
    if (result.kind !== 'tested' || result.interval.kind !== 'bounded') throw new Error(JSON.stringify(result));
    agree(
      [result.statistic, result.df, result.pValue, result.interval.lower, result.interval.upper],
      reference['welch sleep: t df p lower upper (group 1 - group 2)'],
    );
    // Published in R's own documentation.
    agree([result.statistic, result.df, result.pValue], [-1.86081346748685, 17.7764735161785, 0.0793941401873582]);
  });

  it('agrees with R 4.2 t.test on uneven groups at 99 %', () => {
    const skewed = Array.from({ length: 40 }, (_, i) => Math.exp((((i + 1) * 0.618034) % 1) * 6));
    const flat = Array.from({ length: 11 }, (_, i) => (((i + 1) * 0.41421356) % 1) * 50);
    const result = compareMeans(momentsOf(skewed), momentsOf(flat), { alpha: 0.01 });
    if (result.kind !== 'tested' || result.interval.kind !== 'bounded') throw new Error(JSON.stringify(result));
    agree(
      [result.statistic, result.df, result.pValue, result.interval.lower, result.interval.upper],
      reference['welch uneven 99%: t df p lower upper (flat - skewed)'],
    );
  });

  it('a difference so large that 1 - cdf is 0 keeps its p-value', () => {
    const result = compareMeans({ n: 1e5, mean: 0, m2: 1e5 }, { n: 1e5, mean: 0.1, m2: 1e5 }, { alpha });
    expect(result.kind === 'tested' && result.pValue > 1e-120 && result.pValue < 1e-100).toBe(true);
  });

  const sample = fc
    .array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 2, maxLength: 20 })
    .map((values) => momentsOf(values));
  const level = fc.double({ min: 1e-6, max: 0.5, noNaN: true });

  it('interval and p-value agree, and swapping the arms flips the signs', () => {
    fc.assert(
      fc.property(sample, sample, level, (a, b, alpha) => {
        const there = compareMeans(a, b, { alpha });
        const back = compareMeans(b, a, { alpha });
        if (there.kind !== 'tested' || back.kind !== 'tested') {
          expect(there.kind).toBe(back.kind);
          return;
        }
        if (there.interval.kind !== 'bounded' || back.interval.kind !== 'bounded') throw new Error('bounded expected');
        expect(back.difference).toBe(-there.difference);
        expect(Math.abs(back.pValue - there.pValue)).toBeLessThanOrEqual(1e-11 * there.pValue);
        expect(Math.abs(back.interval.lower + there.interval.upper)).toBeLessThanOrEqual(1e-9 * there.standardError);
        if (Math.abs(there.pValue - alpha) > 1e-9) {
          expect(there.interval.lower > 0 || there.interval.upper < 0).toBe(there.pValue < alpha);
        }
      }),
      { seed: 3 },
    );
  });

  it('too little to say is said in a sentence', () => {
    const empty = momentsOf([]);
    const some = momentsOf([1, 2, 3]);
    const reason = (a: unknown): unknown => (a as { reason?: string }).reason;
    expect(compareMeans(empty, some, { alpha })).toEqual({ kind: 'insufficient', reason: 'control has no units yet' });
    expect(reason(compareMeans(some, momentsOf([4]), { alpha }))).toBe(
      'candidate has one unit; a spread needs at least two',
    );
    expect(reason(compareMeans(momentsOf([0, 0, 0]), momentsOf([0, 0]), { alpha }))).toBe(
      'no value varies in either variant, so the noise cannot be estimated',
    );
    expect(reason(estimateMean(momentsOf([5, 5]), { alpha }))).toBe(
      'no value varies, so the noise cannot be estimated',
    );
    // One side without spread is fine as long as the other has some.
    expect(compareMeans(momentsOf([0, 0, 0]), some, { alpha }).kind).toBe('tested');
  });

  it('bad input is refused by name, value and rule', () => {
    const some = momentsOf([1, 2, 3]);
    expect(() => compareMeans(some, some, { alpha: 1.2 })).toThrow(new RangeError('alpha is 1.2, must be in (0, 1)'));
    expect(() => compareMeans({ n: 3, mean: Number.NaN, m2: 1 }, some, { alpha })).toThrow(
      'control.mean is NaN, must be finite',
    );
    expect(() => compareMeans(some, { n: 3, mean: 0, m2: Number.POSITIVE_INFINITY }, { alpha })).toThrow(
      'candidate.m2 is Infinity, must be finite and >= 0',
    );
    expect(() => estimateMean(some, { alpha: Number.NaN })).toThrow('alpha is NaN, must be in (0, 1)');
  });
});

describe('comparePairs and estimateMean', () => {
  it('agree with R 4.2 t.test, paired and one-sample', () => {
    const paired = comparePairs(momentsOf(first.map((value, i) => value - second[i]!)), { alpha });
    if (paired.kind !== 'estimated' || paired.interval.kind !== 'bounded') throw new Error(JSON.stringify(paired));
    agree(
      [paired.statistic, paired.df, paired.pValue, paired.interval.lower, paired.interval.upper],
      reference['paired sleep: t df p lower upper (group 1 - group 2)'],
    );
    const single = estimateMean(momentsOf(first), { alpha: 0.1 });
    if (single.kind !== 'estimated' || single.interval.kind !== 'bounded') throw new Error(JSON.stringify(single));
    agree(
      [single.estimate, single.interval.lower, single.interval.upper],
      reference['one sample 90%: mean lower upper'],
    );
  });
});

const cookieCats = new URL('../../../shared/data/cookie_cats.csv', import.meta.url);
const isThere = existsSync(cookieCats);
if (!isThere) console.log('skipped: the Cookie Cats data (../shared/data/cookie_cats.csv) are not on this machine');

describe.skipIf(!isThere)('the Cookie Cats experiment agrees with R 4.2', () => {
  it('sample ratio, retention and game rounds', () => {
    const [head, ...lines] = readFileSync(cookieCats, 'utf8').trim().split(/\r?\n/);
    const column = head!.split(',').indexOf('sum_gamerounds');
    const rows = lines.map((line) => line.split(','));
    const version = head!.split(',').indexOf('version');
    const side = (name: string): string[][] => rows.filter((row) => row[version] === name);
    const control = side('gate_30');
    const candidate = side('gate_40');
    const srm = sampleRatio([control.length, candidate.length], [1, 1]);
    agree([control.length, candidate.length], [44700, 45489]);
    agree([srm.kind === 'tested' ? srm.pValue : undefined], [0.00860798781083626]);

    const rounds = (side: string[][]): number[] => side.map((row) => Number(row[column]));
    const means = compareMeans(momentsOf(rounds(control)), momentsOf(rounds(candidate)), { alpha });
    if (means.kind !== 'tested') throw new Error(means.reason);
    agree(
      [means.control, means.candidate, means.statistic, means.df, means.pValue],
      [52.4562639821029, 51.2987755281497, -0.885437433127067, 58595.481422574, 0.375924384093262],
    );
    const trimmed = compareMeans(
      momentsOf(rounds(control).filter((value) => value !== 49854)),
      momentsOf(rounds(candidate)),
      { alpha },
    );
    // Published to nine digits.
    expect(trimmed.kind === 'tested' && trimmed.statistic).toBeCloseTo(-0.0633742631, 9);
    expect(trimmed.kind === 'tested' && trimmed.pValue).toBeCloseTo(0.949468622, 8);

    for (const [name, pValue] of [
      ['retention_1', 0.0744096552969201],
      ['retention_7', 0.00155424997561428],
    ] as const) {
      const at = head!.split(',').indexOf(name);
      const hits = (side: string[][]): number => side.filter((row) => /true|1/i.test(row[at]!)).length;
      const result = compareProportions(
        { successes: hits(control), n: control.length },
        { successes: hits(candidate), n: candidate.length },
        { alpha },
      );
      agree([result.kind === 'tested' ? result.pValue : undefined], [pValue]);
    }
  });
});
