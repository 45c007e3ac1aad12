import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearWithin, sure } from './answer.fixture.ts';
import { evaluatePolicy, type LoggedDecision } from './off-policy.ts';
import { createRandom } from './random.ts';

const alpha = 0.05;
const near = nearWithin(1e-12);

// Six rows whose weights are 2.5, 0.2, 4/3, twice; expected numbers from the formulas, computed outside this library.
const rewards = [1, 0, 1, 0, 1, 0];
const logged = [0.2, 0.5, 0.3, 0.2, 0.5, 0.3];
const target = [0.5, 0.1, 0.4, 0.5, 0.1, 0.4];
const model = [0.6, 0.3, 0.5, 0.6, 0.3, 0.5];
const rows: LoggedDecision[] = rewards.map((reward, i) => ({
  reward,
  loggedChance: logged[i]!,
  targetChance: target[i]!,
  expected: { logged: model[i]!, target: 0.53 },
}));

describe('what another policy would have earned', () => {
  it('every estimator gives the reference number', () => {
    const { diagnostics, estimates } = evaluatePolicy(rows, { alpha, leastEffectiveRows: 2 });
    const all = sure(estimates);
    near(sure(all.inversePropensity).estimate, 0.672222222222222);
    near(sure(all.inversePropensity).standardError, 0.42255104155125384);
    near(sure(all.selfNormalised).estimate, 0.5);
    near(sure(all.selfNormalised).standardError, 0.27274605495054677);
    near(all.direct!, 0.53);
    near(sure(all.doublyRobust).estimate, 0.46);
    // 0.53 - 0.42 / 8.0666...
    near(sure(all.selfNormalisedDoublyRobust).estimate, 0.53 - 0.42 / (24.2 / 3));
    near(sure(all.doublyRobust).standardError, 0.37115535331757815);
    near(sure(all.selfNormalisedDoublyRobust).standardError, 0.2742107717562895);
    near(diagnostics.effectiveRows, 4.0327778542900425);
    near(diagnostics.greatestWeight, 2.5);
    near(diagnostics.meanWeight, 24.2 / 18);
    // scipy.stats.ttest_1samp([2.5, .2, 4/3, 2.5, .2, 4/3], 1)
    near(sure(diagnostics.meanWeightTest).statistic, 0.8202321218338393, 1e-9);
    near(sure(diagnostics.meanWeightTest).pValue, 0.449403949647726, 1e-9);
  });

  it('tempered weights give what their formulas give by hand', () => {
    const asked = { alpha, leastEffectiveRows: 2, switchAbove: 2, shrinkage: 1 };
    const all = sure(evaluatePolicy(rows, asked).estimates);
    // Without the two weights of 2.5: 0.2 (-0.3) + 0.2 (0.7), the two of 4/3 cancel.
    const switched = sure(all.switched);
    near(switched.estimate, 0.53 + 0.08 / 6);
    near(switched.biasEstimate, 0.53 + 0.08 / 6 - 0.46);
    expect(switched.limit).toBe(2);
    // w / (w^2 + 1): 2.5 / 7.25 and 0.2 / 1.04.
    near(sure(all.shrunk).estimate, 0.53 + (-0.2 * (2.5 / 7.25) + 0.4 * (0.2 / 1.04)) / 6);
    const untouched = sure(evaluatePolicy(rows, { ...asked, switchAbove: 3, shrinkage: 1e12 }).estimates);
    near(sure(untouched.switched).estimate, 0.46);
    near(sure(untouched.switched).standardError, 0.37115535331757815);
    near(sure(untouched.shrunk).estimate, 0.46, 1e-9);
    expect(() => evaluatePolicy(rows, { alpha, switchAbove: 0 })).toThrow('switchAbove is 0, must be finite and > 0');
    expect(() => evaluatePolicy(rows, { alpha, shrinkage: Number.NaN })).toThrow('shrinkage is NaN');
  });

  it('tempered weights are nearer to the truth where few decisions carry the sum, and harmless where none does', () => {
    const random = createRandom('tempered');
    const squares = { rare: { plain: 0, switched: 0, shrunk: 0 }, even: { plain: 0, switched: 0, shrunk: 0 } };
    for (let round = 0; round < 200; round += 1) {
      for (const [name, chance] of [
        ['rare', 0.01],
        ['even', 0.5],
      ] as const) {
        const made: LoggedDecision[] = [];
        for (let i = 0; i < 600; i += 1) {
          const isRare = random.uniform() < chance;
          // The model is off by 0.05 on both actions; the judged policy takes the rare one half of the time. Truth: 0.5.
          const expected = { logged: isRare ? 0.65 : 0.45, target: 0.55 };
          const reward = (isRare ? 0.6 : 0.4) + 0.5 * random.normal();
          made.push({ reward, expected, loggedChance: isRare ? chance : 1 - chance, targetChance: 0.5 });
        }
        const all = sure(evaluatePolicy(made, { alpha, leastEffectiveRows: 1 }).estimates);
        squares[name].plain += (sure(all.doublyRobust).estimate - 0.5) ** 2;
        squares[name].switched += (sure(all.switched).estimate - 0.5) ** 2;
        squares[name].shrunk += (sure(all.shrunk).estimate - 0.5) ** 2;
      }
    }
    expect(squares.rare.switched).toBeLessThan(0.7 * squares.rare.plain);
    expect(squares.rare.shrunk).toBeLessThan(0.7 * squares.rare.plain);
    expect(squares.even.switched).toBeLessThan(1.3 * squares.even.plain);
    expect(squares.even.shrunk).toBeLessThan(1.3 * squares.even.plain);
  });

  it('refuses an estimate when the log says too little, and still shows the diagnostics', () => {
    const { diagnostics, estimates } = evaluatePolicy(rows, { alpha });
    expect(estimates).toEqual({
      kind: 'insufficient',
      reason: "the 6 decisions say as much as 4.0 of the judged policy's own, 30 are needed",
    });
    expect(diagnostics.rows).toBe(6);
    const never = rows.map((row) => ({ ...row, targetChance: 0 }));
    expect(evaluatePolicy(never, { alpha }).diagnostics.effectiveRows).toBe(0);
    expect(evaluatePolicy(never, { alpha, leastEffectiveRows: 1 }).estimates).toMatchObject({ kind: 'insufficient' });
    expect(evaluatePolicy([], { alpha }).estimates).toMatchObject({ reason: 'there are fewer than two decisions' });
  });

  it('leaves out what needs a model when there is none, and refuses broken input', () => {
    const bare = rows.map(({ expected: _, ...row }) => row);
    const all = sure(evaluatePolicy(bare, { alpha, leastEffectiveRows: 2 }).estimates);
    expect(Object.keys(all)).toEqual(['inversePropensity', 'selfNormalised']);
    expect(() => evaluatePolicy([...rows, bare[0]!], { alpha })).toThrow(
      'rows with an expectation is 6, must be 0 or 7',
    );
    expect(() => evaluatePolicy([{ ...rows[0]!, loggedChance: 0 }], { alpha })).toThrow(
      new RangeError('rows[0].loggedChance is 0, must be in (0, 1]'),
    );
    expect(() => evaluatePolicy([{ ...rows[0]!, targetChance: 1.5 }], { alpha })).toThrow('targetChance is 1.5');
    expect(() => evaluatePolicy(rows, { alpha: 0 })).toThrow('alpha is 0, must be in (0, 1)');
    expect(() => evaluatePolicy(rows, { alpha, leastEffectiveRows: 0 })).toThrow('leastEffectiveRows is 0');
  });

  it('judging the logging policy itself gives the plain mean, and weights of 1 need no test', () => {
    const same = rows.map((row) => ({ ...row, targetChance: row.loggedChance }));
    const { diagnostics, estimates } = evaluatePolicy(same, { alpha, leastEffectiveRows: 6 });
    near(sure(sure(estimates).inversePropensity).estimate, 0.5);
    near(diagnostics.effectiveRows, 6);
    expect(Object.hasOwn(diagnostics.meanWeightTest, 'pValue')).toBe(false);
  });

  it('adding a constant to the rewards moves the self-normalised estimates by it', () => {
    fc.assert(
      fc.property(fc.integer({ min: -50, max: 50 }), (shift) => {
        const moved = rows.map((row) => ({
          ...row,
          reward: row.reward + shift,
          expected: { logged: row.expected!.logged + shift, target: row.expected!.target + shift },
        }));
        const before = sure(evaluatePolicy(rows, { alpha, leastEffectiveRows: 2 }).estimates);
        const after = sure(evaluatePolicy(moved, { alpha, leastEffectiveRows: 2 }).estimates);
        for (const name of ['selfNormalised', 'doublyRobust', 'selfNormalisedDoublyRobust'] as const) {
          expect(sure(after[name]).estimate).toBeCloseTo(sure(before[name]).estimate + shift, 9);
          expect(sure(after[name]).standardError).toBeCloseTo(sure(before[name]).standardError, 9);
        }
      }),
    );
  });

  it('covers the truth, and wrong logged chances are caught by the mean weight', () => {
    const random = createRandom('off policy');
    const rounds = 400;
    const covered = { inversePropensity: 0, selfNormalised: 0, doublyRobust: 0, selfNormalisedDoublyRobust: 0 };
    let caught = 0;
    for (let round = 0; round < rounds; round += 1) {
      const made: LoggedDecision[] = [];
      for (let i = 0; i < 300; i += 1) {
        const isGood = random.uniform() < 0.3;
        // The good action pays 0.7, the other 0.4; the judged policy takes the good one in 60 %. Truth: 0.58.
        const reward = random.uniform() < (isGood ? 0.7 : 0.4) ? 1 : 0;
        const expected = { logged: isGood ? 0.6 : 0.45, target: 0.54 };
        made.push({ reward, expected, loggedChance: isGood ? 0.3 : 0.7, targetChance: isGood ? 0.6 : 0.4 });
      }
      const all = sure(evaluatePolicy(made, { alpha }).estimates);
      for (const name of [
        'inversePropensity',
        'selfNormalised',
        'doublyRobust',
        'selfNormalisedDoublyRobust',
      ] as const) {
        const { interval } = sure(all[name]);
        if (interval.kind === 'bounded' && interval.lower <= 0.58 && 0.58 <= interval.upper) covered[name] += 1;
      }
      const wrong = made.map((row) => ({ ...row, loggedChance: 0.5 }));
      if (sure(evaluatePolicy(wrong, { alpha }).diagnostics.meanWeightTest).pValue < 0.01) caught += 1;
    }
    for (const count of Object.values(covered)) expect(count / rounds).toBeGreaterThan(0.95 - 0.033);
    expect(caught / rounds).toBeGreaterThan(0.95);
  });
});
