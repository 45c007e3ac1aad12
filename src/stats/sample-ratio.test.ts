import { describe, expect, it } from 'vitest';
import { createRandom, sampleRatio, watchSampleRatio } from './index.ts';
import reference from './reference.fixture.json' with { type: 'json' };

const numbers = reference as unknown as Record<string, number[]>;
const plans: Record<string, number[]> = {
  '3333 3400 3267': [0.34, 0.33, 0.33],
  '1851 649': [70, 30],
};

describe('sampleRatio', () => {
  it('agrees with R 4.2 chisq.test', () => {
    const keys = Object.keys(numbers).filter((key) => key.startsWith('srm '));
    expect(keys.length).toBe(6);
    for (const key of keys) {
      const result = sampleRatio(key.slice(4).split(' ').map(Number), plans[key.slice(4)] ?? [1, 1]);
      if (result.kind !== 'tested') throw new Error(result.reason);
      [result.statistic, result.df, result.pValue].forEach((value, i) => {
        expect(Math.abs(value / numbers[key]![i]! - 1)).toBeLessThan(1e-9);
      });
    }
  });

  it('an empty arm with share 0 costs no degree of freedom: p is .0291, not .0925', () => {
    const result = sampleRatio([1000, 1100, 0], [0.5, 0.5, 0]);
    expect(result).toMatchObject({ kind: 'tested', df: 1, impossible: [] });
    expect(result.kind === 'tested' && result.pValue).toBeCloseTo(0.02909633174125223, 12);
  });

  it('units in an arm with share 0 are named, and no split explains them', () => {
    expect(sampleRatio([1000, 1000, 3], [0.5, 0.5, 0])).toMatchObject({ pValue: 0, impossible: [2], statistic: 0 });
    expect(sampleRatio([10, 3], [1, 0])).toMatchObject({ pValue: 0, impossible: [1], df: 0 });
  });

  it('a split broken beyond 1e-16 keeps its p-value', () => {
    const result = sampleRatio([60000, 40000], [0.5, 0.5]);
    expect(result.kind === 'tested' && result.pValue > 0 && result.pValue < 1e-300).toBe(false);
    const smaller = sampleRatio([10600, 9400], [0.5, 0.5]);
    // z = 8.485..., from R 4.2: pchisq(72, 1, lower = FALSE) = 2.15197367124989e-17
    expect(smaller.kind === 'tested' && Math.abs(smaller.pValue / 2.15197367124989e-17 - 1)).toBeLessThan(1e-9);
  });

  it('too little to say is said in a sentence, and bad input refused', () => {
    expect(sampleRatio([0, 0], [0.5, 0.5])).toEqual({
      kind: 'insufficient',
      reason: 'no units have been assigned yet',
    });
    expect(sampleRatio([5, 0], [1, 0])).toMatchObject({
      reason: 'one variant takes all traffic, so there is no split to check',
    });
    expect(() => sampleRatio([1, 2], [1])).toThrow(new RangeError('shares.length is 1, must be 2 as in counts'));
    expect(() => sampleRatio([1, -2], [1, 1])).toThrow('counts[1] is -2, must be a whole number >= 0');
    expect(() => sampleRatio([1, 2], [1, Number.NaN])).toThrow('shares[1] is NaN, must be finite and >= 0');
    expect(() => sampleRatio([1, 2], [0, 0])).toThrow('sum of shares is 0, must be > 0');
  });
});

describe('watchSampleRatio', () => {
  it('agrees with the published log Bayes factors of Lindon & Malek’s example', () => {
    const batches = [
      [20, 17, 9],
      [18, 21, 8],
      [4, 6, 4],
      [18, 19, 11],
    ];
    const want = [-2.95056078545183, -3.68190087725907, -3.86065843071263, -4.18381398236766];
    const counts = [0, 0, 0];
    batches.forEach((batch, look) => {
      batch.forEach((count, i) => {
        counts[i]! += count;
      });
      const result = watchSampleRatio(counts, [0.4, 0.4, 0.2]);
      expect(result.kind === 'watched' && Math.abs(result.logE / want[look]! - 1)).toBeLessThan(1e-11);
      expect(result).toMatchObject({ pValue: 1 });
    });
  });

  it('stays below alpha over 400 looks at a fair split, where the fixed test does not', () => {
    const random = createRandom('split');
    const rounds = 300;
    let watched = 0;
    let naive = 0;
    for (let round = 0; round < rounds; round += 1) {
      const counts = [0, 0];
      let worstWatched = 1;
      let worstNaive = 1;
      for (let look = 0; look < 400; look += 1) {
        for (let i = 0; i < 10; i += 1) counts[random.integer(2)]! += 1;
        const result = watchSampleRatio(counts, [1, 1], { previous: worstWatched });
        if (result.kind === 'watched') worstWatched = result.pValue;
        const z2 = (counts[0]! - counts[1]!) ** 2 / (counts[0]! + counts[1]!);
        if (z2 > 3.841458820694124) worstNaive = 0;
      }
      if (worstWatched < 0.05) watched += 1;
      if (worstNaive < 0.05) naive += 1;
    }
    expect(watched / rounds).toBeLessThanOrEqual(0.05 + 3 * Math.sqrt((0.05 * 0.95) / rounds));
    expect(naive / rounds).toBeGreaterThan(0.3);
  });

  it('finds a broken split and never forgets it', () => {
    const broken = watchSampleRatio([1851, 649], [0.7, 0.3]);
    expect(broken.kind === 'watched' && broken.pValue < 0.01).toBe(true);
    expect(watchSampleRatio([10, 10], [0.5, 0.5], { previous: 0.0004 })).toMatchObject({ pValue: 0.0004 });
    expect(watchSampleRatio([10, 1], [1, 0])).toMatchObject({ pValue: 0, impossible: [1] });
    expect(() => watchSampleRatio([1, 1], [1, 1], { previous: 2 })).toThrow('previous is 2, must be in [0, 1]');
  });
});
