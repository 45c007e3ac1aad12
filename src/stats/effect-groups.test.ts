import { describe, expect, it } from 'vitest';
import { ends, nearWithin, sure } from './answer.fixture.ts';
import reference from './effect-groups.fixture.json' with { type: 'json' };
import {
  compareGroupEffects,
  createRandom,
  type EffectGroup,
  momentsOf,
  type Random,
  type RankedUnit,
  rankEffects,
} from './index.ts';

const alpha = 0.05;
const near = nearWithin(1e-9);
const units: RankedUnit[] = reference.score.map((score, i) => ({
  score,
  isCandidate: reference.treated[i] === 1,
  outcome: reference.outcome[i]!,
}));

describe('effects by groups', () => {
  const ranking = sure(rankEffects(units, { alpha, groups: 3 }));

  it('agree with R: best linear predictor with HC2 errors, groups, Qini by its definition', () => {
    near(ranking.average.estimate, reference.average[0]!);
    near(ranking.average.standardError, reference.average[1]!);
    near(ranking.slope.estimate, reference.slope[0]!);
    near(ranking.slope.standardError, reference.slope[1]!);
    const groups = sure(ranking.groups);
    for (const [i, { name, effect }] of groups.effects.entries()) {
      expect(name).toBe(`${i + 1} of 3`);
      near(sure(effect).difference, reference.effects[i]!);
      near(sure(effect).standardError, reference.errors[i]!);
    }
    near(sure(groups.lastAgainstFirst).estimate, reference.effects[2]! - reference.effects[0]!);
    near(ranking.qini.estimate, reference.qini);
    expect(ranking.gains.map(({ share }) => share)).toEqual([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]);
    for (const [i, { gain }] of ranking.gains.entries()) near(gain, reference.gains[i]!);
  });

  it('between groups are tested as R’s oneway.test does for means, which are effects against a control without noise', () => {
    const sorted = [...units].sort((a, b) => a.score - b.score).map(({ outcome }) => outcome);
    const means = [0, 1, 2].map((i) => ({
      name: `${i}`,
      control: { n: 100, mean: 0, m2: 0 },
      candidate: momentsOf(sorted.slice(20 * i, 20 * i + 20)),
    }));
    const { sameEffect } = sure(compareGroupEffects(means, { alpha }));
    near(sameEffect.statistic, reference.means[0]!);
    near(sameEffect.df, reference.means[1]!);
    near(sameEffect.dfNoise, reference.means[2]!);
    near(sameEffect.pValue, reference.means[3]!);
  });

  it('are the same in any order of units, and turn round with the score', () => {
    const turned = sure(
      rankEffects(
        [...units].reverse().map((unit) => ({ ...unit, score: -unit.score })),
        { alpha, groups: 3 },
      ),
    );
    near(turned.qini.estimate, -ranking.qini.estimate);
    near(turned.qini.standardError, ranking.qini.standardError);
    near(turned.slope.estimate, -ranking.slope.estimate);
    near(turned.gains[9]!.gain, ranking.gains[9]!.gain);
  });

  it('treat ties in proportion: a score of two values gains along a straight line within each', () => {
    const tied = units.map((unit) => ({ ...unit, score: unit.score > 0 ? 1 : 0 }));
    const one = sure(rankEffects(tied, { alpha }));
    const other = sure(rankEffects([...tied].reverse(), { alpha }));
    near(one.qini.estimate, other.qini.estimate);
    for (const [i, { gain }] of one.gains.entries()) near(gain, other.gains[i]!.gain);
  });

  it('hold their level and cover, also where the score foretells the outcome and not the effect', () => {
    const random = createRandom('ranked effects');
    const rounds = 400;
    const draw = (source: Random, slope: number): RankedUnit[] =>
      Array.from({ length: 300 }, () => {
        const score = source.normal();
        const isCandidate = source.uniform() < 0.3;
        const effect = isCandidate ? 0.2 + slope * score : 0;
        return { score, isCandidate, outcome: 2 * score + effect + source.normal() };
      });
    let [alarms, slopes, covered] = [0, 0, 0];
    for (let round = 0; round < rounds; round += 1) {
      const none = sure(rankEffects(draw(random, 0), { alpha }));
      if (none.qini.pValue < alpha) alarms += 1;
      if (none.slope.pValue < alpha) slopes += 1;
      // The covariance of slope x score with the score's place is slope / (2 sqrt(pi)).
      const [lower, upper] = ends(sure(rankEffects(draw(random, 0.8), { alpha })).qini);
      const truth = 0.8 / (2 * Math.sqrt(Math.PI));
      if (lower <= truth && truth <= upper) covered += 1;
    }
    const slack = 3 * Math.sqrt((alpha * (1 - alpha)) / rounds);
    expect(alarms / rounds).toBeLessThan(alpha + slack);
    expect(slopes / rounds).toBeLessThan(alpha + slack);
    expect(covered / rounds).toBeGreaterThan(1 - alpha - slack);
    expect(alarms / rounds).toBeGreaterThan(alpha - slack);
  });

  it('say when the data cannot answer, and refuse broken input', () => {
    const group = (name: string, ...values: readonly number[]): EffectGroup => ({
      name,
      control: momentsOf(values),
      candidate: momentsOf(values.map((value) => value + 1)),
    });
    expect(compareGroupEffects([group('a', 1, 2), group('b', 1)], { alpha })).toEqual({
      kind: 'insufficient',
      reason: 'fewer than two groups have units that vary in both variants',
    });
    const three = sure(compareGroupEffects([group('a', 1), group('b', 1, 2), group('c', 3, 5, 6)], { alpha }));
    expect(three.effects[0]!.effect.kind).toBe('insufficient');
    expect(three.lastAgainstFirst.kind).toBe('insufficient');
    expect(three.sameEffect.df).toBe(1);
    expect(() => compareGroupEffects([group('a', 1, 2)], { alpha })).toThrow(
      new RangeError('groups.length is 1, must be >= 2'),
    );
    expect(() => rankEffects(units, { alpha, groups: 1 })).toThrow('groups is 1, must be a whole number in 2..100');
    expect(() => rankEffects([{ ...units[0]!, score: Number.NaN }], { alpha })).toThrow('units[0].score is NaN');
    expect(rankEffects(units.slice(0, 2), { alpha })).toMatchObject({ reason: 'a variant has fewer than two units' });
    const flat = units.map((unit) => ({ ...unit, score: 1 }));
    expect(rankEffects(flat, { alpha }).kind).toBe('insufficient');
  });
});
