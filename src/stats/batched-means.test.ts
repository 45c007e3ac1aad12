import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ends, nearWithin, sure } from './answer.fixture.ts';
import { type Batch, compareBatches, compareMeans, createRandom, mergeMoments, momentsOf, normal } from './index.ts';

const alpha = 0.05;
const near = nearWithin(1e-12);
const batch = (control: readonly number[], candidate: readonly number[]): Batch => ({
  control: momentsOf(control),
  candidate: momentsOf(candidate),
});

describe('compareBatches', () => {
  it('adds up each batch’s difference over its own standard error', () => {
    const result = sure(compareBatches([batch([1, 2, 3], [4, 6]), batch([5, 7], [7, 8, 9, 12])], { alpha }));
    // By hand: spreads (2 + 2) / 3 of the control, (2 + 14) / 4 of the candidate; differences 3 and 3.
    const errors = [Math.sqrt(4 / 3 / 3 + 4 / 2), Math.sqrt(4 / 3 / 2 + 4 / 4)];
    near(result.difference, 3);
    near(result.statistic, (3 / errors[0]! + 3 / errors[1]!) / Math.SQRT2);
    near(result.standardError, Math.SQRT2 / (1 / errors[0]! + 1 / errors[1]!));
    near(result.candidate - result.control, 3);
  });

  it('is Welch’s test with one batch; batches without both arms only count', () => {
    const one = batch([1, 2, 3, 7], [4, 6, 9]);
    const result = sure(compareBatches([one], { alpha }));
    const welch = sure(compareMeans(one.control, one.candidate, { alpha }));
    near(result.standardError, welch.standardError);
    near(result.statistic, welch.statistic);
    near(result.df!, welch.df!);
    near(result.pValue, welch.pValue);
    const padded = sure(compareBatches([one, batch([], [2, 3, 4])], { alpha }));
    near(padded.difference, result.difference);
    near(padded.standardError, Math.SQRT2 * result.standardError);
  });

  it('keeps alpha after Thompson sampling, where Welch’s test over all units does not', () => {
    const random = createRandom('batched bandit');
    const rounds = 1500;
    let [alarms, naive, covered] = [0, 0, 0];
    for (let round = 0; round < rounds; round += 1) {
      const batches: Batch[] = [];
      let all: Batch = batch([], []);
      for (let t = 0; t < 40; t += 1) {
        const { control, candidate } = all;
        const better =
          t === 0 ? 0.5 : normal.cdf((candidate.mean - control.mean) / Math.sqrt(1 / control.n + 1 / candidate.n));
        const share = Math.min(0.95, Math.max(0.05, better));
        const made: [number[], number[]] = [[], []];
        for (let i = 0; i < 50; i += 1) made[random.uniform() < share ? 1 : 0].push(random.normal());
        const next = batch(...made);
        batches.push(next);
        all = { control: mergeMoments(control, next.control), candidate: mergeMoments(candidate, next.candidate) };
      }
      const result = sure(compareBatches(batches, { alpha }));
      if (result.pValue < alpha) alarms += 1;
      const [lower, upper] = ends(result);
      if (lower <= 0 && 0 <= upper) covered += 1;
      if (sure(compareMeans(all.control, all.candidate, { alpha })).pValue < alpha) naive += 1;
    }
    const slack = 3 * Math.sqrt((alpha * (1 - alpha)) / rounds);
    expect(alarms / rounds).toBeLessThan(alpha + slack);
    expect(covered / rounds).toBeGreaterThan(1 - alpha - slack);
    expect(naive / rounds).toBeGreaterThan(alpha + slack);
  });

  it('forgets the order of batches, and swapping the arms flips the sign', () => {
    const value = fc.integer({ min: -20, max: 20 });
    const drawn = fc.tuple(
      fc.array(value, { minLength: 2, maxLength: 6 }),
      fc.array(value, { minLength: 2, maxLength: 6 }),
    );
    fc.assert(
      fc.property(fc.array(drawn, { minLength: 1, maxLength: 5 }), (pairs) => {
        const there = compareBatches(
          pairs.map(([a, b]) => batch(a, b)),
          { alpha },
        );
        const back = compareBatches(pairs.map(([a, b]) => batch(b, a)).reverse(), { alpha });
        expect(back.kind).toBe(there.kind);
        if (there.kind === 'insufficient' || back.kind === 'insufficient') return;
        expect(back.difference).toBeCloseTo(-there.difference, 10);
        expect(back.pValue).toBeCloseTo(there.pValue, 10);
      }),
    );
  });

  it('says when the batches cannot answer, and refuses what is no batch', () => {
    expect(compareBatches([batch([], [2, 3])], { alpha })).toEqual({
      kind: 'insufficient',
      reason: 'no batch has both arms',
    });
    expect(compareBatches([batch([1], [2, 3])], { alpha }).kind).toBe('insufficient');
    expect(compareBatches([batch([1, 1], [2, 2])], { alpha }).kind).toBe('insufficient');
    expect(() => compareBatches([], { alpha: 0 })).toThrow(new RangeError('alpha is 0, must be in (0, 1)'));
    const broken = { control: { n: 2, mean: 0, m2: -1 }, candidate: momentsOf([1, 2]) };
    expect(() => compareBatches([broken], { alpha })).toThrow(/^batches\[0\]\.control/);
  });
});
