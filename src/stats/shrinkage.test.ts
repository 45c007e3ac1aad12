import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sure } from './answer.fixture.ts';
import { normal } from './normal.ts';
import { createRandom } from './random.ts';
import { shrinkEffects, winnerEffect } from './shrinkage.ts';

const alpha = 0.05;
const errors = [0.01, 0.012, 0.02, 0.008, 0.015];
const five = [0.02, -0.01, 0.05, 0, 0.03].map((estimate, i) => ({ estimate, standardError: errors[i]! }));

describe('shrinkEffects', () => {
  it('gives the five effects of the reference, to the digits given', () => {
    const got = sure(shrinkEffects(five, { alpha }));
    expect(got.heterogeneity).toBeCloseTo(11.1170669791, 9);
    expect(got.variance).toBeCloseTo(0.000246044015, 12);
    expect(got.mean.estimate).toBeCloseTo(0.0140277979, 10);
    const shrunk = [0.01827415, -0.0011292, 0.02772771, 0.00289565, 0.02237068];
    for (const [i, effect] of got.effects.entries()) expect(effect.estimate).toBeCloseTo(shrunk[i]!, 8);
  });

  it('draws every effect towards the mean, keeps the order of equal errors, and moves with the origin', () => {
    const effect = fc.record({
      estimate: fc.double({ min: -3, max: 3, noNaN: true }),
      standardError: fc.double({ min: 0.1, max: 2, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(effect, { minLength: 4, maxLength: 12 }), (effects) => {
        const got = sure(shrinkEffects(effects, { alpha }));
        for (const [i, { estimate }] of effects.entries()) {
          const shrunk = got.effects[i]!;
          const [low, high] = [estimate, got.mean.estimate].sort((a, b) => a - b) as [number, number];
          expect(shrunk.estimate).toBeGreaterThanOrEqual(low - 1e-12);
          expect(shrunk.estimate).toBeLessThanOrEqual(high + 1e-12);
        }
        const moved = sure(
          shrinkEffects(
            effects.map((e) => ({ ...e, estimate: 7 - e.estimate })),
            { alpha },
          ),
        );
        expect(moved.effects[0]!.estimate).toBeCloseTo(7 - got.effects[0]!.estimate, 9);
      }),
      { seed: 26 },
    );
  });

  it('takes the excess off the largest of many, where the measured one is too large', () => {
    const random = createRandom('winners');
    let [raw, shrunk, covered] = [0, 0, 0];
    for (let round = 0; round < 400; round += 1) {
      const truth = Array.from({ length: 20 }, () => 0.1 * random.normal());
      const effects = truth.map((t) => ({ estimate: t + 0.1 * random.normal(), standardError: 0.1 }));
      const got = sure(shrinkEffects(effects, { alpha }));
      const top = effects.reduce((best, e, i) => (e.estimate > effects[best]!.estimate ? i : best), 0);
      raw += (effects[top]!.estimate - truth[top]!) / 400;
      shrunk += (got.effects[top]!.estimate - truth[top]!) / 400;
      const { interval } = got.effects[top]!;
      if (interval.kind === 'bounded' && interval.lower <= truth[top]! && truth[top]! <= interval.upper) covered += 1;
    }
    expect(raw).toBeGreaterThan(0.1);
    expect(Math.abs(shrunk)).toBeLessThan(0.02);
    expect(covered / 400).toBeGreaterThan(0.9);
  });

  it('with no more spread than noise gives all the same effect', () => {
    const alike = [1, 1.01, 0.99, 1].map((estimate) => ({ estimate, standardError: 1 }));
    const got = sure(shrinkEffects(alike, { alpha }));
    expect(got.variance).toBe(0);
    for (const { estimate } of got.effects) expect(estimate).toBeCloseTo(1, 12);
  });

  it('says when there are too few, and refuses what is no error', () => {
    expect(shrinkEffects(five.slice(0, 3), { alpha })).toMatchObject({
      reason: 'a spread of true effects needs at least 4 of them',
    });
    expect(() => shrinkEffects([{ estimate: 1, standardError: 0 }], { alpha })).toThrow(
      new RangeError('effects[0].standardError is 0, must be finite and > 0'),
    );
    expect(() => shrinkEffects(five, { alpha: 1 })).toThrow('alpha is 1, must be in (0, 1)');
  });
});

describe('winnerEffect', () => {
  it('puts the measured effect at the stated places of the normal cut off at the runner-up', () => {
    const got = sure(winnerEffect(five, { alpha }));
    expect(got.index).toBe(2);
    if (got.interval.kind !== 'bounded') throw new Error(got.interval.kind);
    for (const [effect, share] of [
      [got.interval.lower, 0.025],
      [got.estimate, 0.5],
      [got.interval.upper, 0.975],
    ] as const) {
      const tail = normal.sf((0.05 - effect) / 0.02) / normal.sf((0.03 - effect) / 0.02);
      expect(Math.abs(tail / share - 1)).toBeLessThan(1e-9);
    }
    expect(got.estimate).toBeLessThan(0.05);
  });

  it('covers the winner’s true effect at its level, where the plain interval does not', () => {
    const random = createRandom('covered winners');
    let [plain, conditional, below] = [0, 0, 0];
    const rounds = 2000;
    for (let round = 0; round < rounds; round += 1) {
      const effects = Array.from({ length: 10 }, () => ({ estimate: random.normal(), standardError: 1 }));
      const got = sure(winnerEffect(effects, { alpha }));
      if (got.interval.kind !== 'bounded') throw new Error(got.interval.kind);
      if (Math.abs(effects[got.index]!.estimate) < 1.96) plain += 1;
      if (got.interval.lower < 0 && got.interval.upper > 0) conditional += 1;
      if (got.estimate < 0) below += 1;
    }
    expect(plain / rounds).toBeLessThan(0.85);
    expect(Math.abs(conditional / rounds - 0.95)).toBeLessThan(0.015);
    expect(Math.abs(below / rounds - 0.5)).toBeLessThan(0.034);
  });

  it('a clear win is left as it was measured, a tie has no winner', () => {
    const clear = [0, 12].map((estimate) => ({ estimate, standardError: 1 }));
    const got = sure(winnerEffect(clear, { alpha }));
    expect(got.estimate).toBeCloseTo(12, 9);
    expect(winnerEffect([clear[0]!, clear[0]!], { alpha })).toMatchObject({
      reason: 'two effects share the first place, so there is no winner',
    });
    expect(winnerEffect([], { alpha })).toMatchObject({ reason: 'a winner needs at least one other' });
  });
});
