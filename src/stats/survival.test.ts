import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearWithin, sure } from './answer.fixture.ts';
import { compareDelayedMeans, delayedMean } from './delayed-mean.ts';
import reference from './survival.fixture.json' with { type: 'json' };
import { type FollowUp, logRank, outcomeShare, survivalCurve } from './survival.ts';

const alpha = 0.05;
const near = nearWithin(1e-12);
type Arm = { readonly time: readonly number[]; readonly status: readonly number[] };
const rowsOf = ({ time, status }: Arm) =>
  time.map((at, i) => ({ time: at, isObserved: status[i] === 1, value: status[i]! }));

describe('share with a late outcome', () => {
  it.each(['maintained', 'nonmaintained', 'ties', 'seven'] as const)('of %s agrees with R’s survfit', (name) => {
    const want = reference[name];
    const curve = sure(survivalCurve(rowsOf(want), { alpha }));
    const steps = curve.steps.filter(({ survival }) => survival > 0);
    expect(steps.map(({ time }) => time)).toEqual(want.steps);
    for (const [i, { time, survival, spread }] of steps.entries()) {
      near(survival, want.survival[i]!);
      if ('kind' in spread || spread.interval.kind !== 'bounded') throw new Error('a spread expected');
      near(spread.standardError, want.error[i]!);
      near(spread.interval.lower, want.lower[i]!);
      near(spread.interval.upper, want.upper[i]!);
      // By weighting the outcomes seen; R's error by the infinitesimal jackknife.
      const mean = sure(delayedMean(rowsOf(want), { horizon: time, alpha }));
      near(mean.estimate, 1 - want.survival[i]!);
      near(mean.standardError, want.robust[i]!, 1e-11);
    }
  });

  it('gives the published curve of the maintained patients (Miller 1981)', () => {
    const { steps } = sure(survivalCurve(rowsOf(reference.maintained), { alpha }));
    const published = [
      0.909090909091, 0.818181818182, 0.715909090909, 0.613636363636, 0.490909090909, 0.368181818182, 0.184090909091,
    ];
    for (const [i, step] of steps.entries()) near(step.survival, published[i]!, 3e-12);
    expect(steps.length).toBe(7);
  });

  it('of seven units is .142857142857143, .314285714285714, .542857142857143 by 1, 3, 5', () => {
    for (const [horizon, share, error] of [
      [1, 0.142857142857143, 0.132260014],
      [3, 0.314285714285714, 0.186294228],
      [5, 0.542857142857143, 0.224175414],
    ] as const) {
      const got = sure(outcomeShare(rowsOf(reference.seven), { horizon, alpha }));
      near(got.estimate, share, 4e-15 / share);
      near(got.standardError, error, 4e-9);
      near(sure(delayedMean(rowsOf(reference.seven), { horizon, alpha })).estimate, share, 4e-15 / share);
    }
  });

  it('without anybody waiting is the plain share with its binomial error', () => {
    const rows = [1, 4, 2, 9, 9, 9].map((time) => ({ time, isObserved: time < 9 }));
    const got = sure(outcomeShare(rows, { horizon: 7, alpha }));
    near(got.estimate, 0.5);
    near(got.standardError, Math.sqrt(0.25 / 6));
  });

  it('says when nobody was followed so long, and refuses what is no time', () => {
    const rows = rowsOf(reference.seven);
    expect(outcomeShare(rows, { horizon: 9, alpha })).toEqual({
      kind: 'insufficient',
      reason: 'no unit was followed to 9; the longest follow-up is 8',
    });
    expect(outcomeShare(rows, { horizon: 0.5, alpha })).toMatchObject({ reason: 'no outcome was seen by 0.5' });
    expect(outcomeShare([{ time: 1, isObserved: true }], { horizon: 1, alpha })).toMatchObject({
      reason: 'every unit still followed had its outcome, so the error is unknown',
    });
    expect(survivalCurve([], { alpha })).toMatchObject({ reason: 'there are no units yet' });
    expect(survivalCurve([{ time: 1, isObserved: false }], { alpha })).toMatchObject({
      reason: 'no outcome was seen yet',
    });
    expect(() => survivalCurve([{ time: -1, isObserved: true }], { alpha })).toThrow(
      new RangeError('rows[0].time is -1, must be finite and >= 0'),
    );
    expect(() => outcomeShare(rows, { horizon: Number.NaN, alpha })).toThrow('horizon is NaN');
    expect(() => outcomeShare(rows, { horizon: 1, alpha: 1.2 })).toThrow('alpha is 1.2, must be in (0, 1)');
  });
});

describe('mean of a late value', () => {
  const follow = fc.record({
    time: fc.integer({ min: 0, max: 6 }),
    isObserved: fc.boolean(),
    value: fc.double({ min: -5, max: 5, noNaN: true }),
  });

  it('has the error of weighting units by hand (numerical jackknife)', () => {
    fc.assert(
      fc.property(fc.array(follow, { minLength: 3, maxLength: 12 }), (rows) => {
        const got = delayedMean([...rows, { time: 7, isObserved: false, value: 0 }], { horizon: 5, alpha });
        if (got.kind === 'insufficient') return;
        const all = [...rows, { time: 7, isObserved: false, value: 0 }];
        const slopes = all.map((_, j) => {
          const at = (extra: number) =>
            weightedMean(all, { horizon: 5, weights: all.map((__, i) => (i === j ? 1 + extra : 1)) });
          return (at(1e-4) - at(-1e-4)) / 2e-4;
        });
        near(got.estimate, weightedMean(all, { horizon: 5, weights: all.map(() => 1) }) || got.estimate, 1e-9);
        expect(got.standardError).toBeCloseTo(Math.hypot(...slopes), 5);
      }),
      { numRuns: 100, seed: 21 },
    );
  });

  it('swapping the variants turns the sign, and p-value and interval agree', () => {
    fc.assert(
      fc.property(
        fc.array(follow, { minLength: 2, maxLength: 30 }),
        fc.array(follow, { minLength: 2, maxLength: 30 }),
        (a, b) => {
          const there = compareDelayedMeans(a, b, { horizon: 3, alpha });
          const back = compareDelayedMeans(b, a, { horizon: 3, alpha });
          expect(there.kind).toBe(back.kind);
          if (there.kind !== 'tested' || back.kind !== 'tested' || there.interval.kind !== 'bounded') return;
          expect(back.difference).toBeCloseTo(-there.difference, 12);
          expect(back.pValue).toBeCloseTo(there.pValue, 12);
          expect(there.interval.lower > 0 || there.interval.upper < 0).toBe(there.pValue < alpha);
        },
      ),
      { seed: 22 },
    );
  });

  it('never sets a matured variant against an immature one', () => {
    const old = [1, 2, 30, 30].map((time) => ({ time, isObserved: time < 30, value: 1 }));
    const young = [1, 2, 3, 3].map((time) => ({ time, isObserved: time < 3, value: 1 }));
    expect(compareDelayedMeans(old, young, { horizon: 7, alpha })).toEqual({
      kind: 'insufficient',
      reason: 'candidate: no unit was followed to 7; the longest follow-up is 3',
    });
    expect(sure(compareDelayedMeans(old, young, { horizon: 2, alpha })).difference).toBe(0);
    expect(compareDelayedMeans([], young, { horizon: 2, alpha })).toMatchObject({
      reason: 'control: there are no units; a spread needs at least two',
    });
    expect(delayedMean(young, { horizon: 0, alpha })).toMatchObject({
      reason: 'no unit differs from another, so the error is unknown',
    });
    expect(() => delayedMean([{ time: 1, isObserved: true, value: Infinity }], { horizon: 1, alpha })).toThrow(
      'rows[0].value is Infinity, must be finite',
    );
  });
});

/** The weighted mean from its definition, each unit counted `weights[i]` times. */
function weightedMean(
  rows: readonly { readonly time: number; readonly isObserved: boolean; readonly value: number }[],
  { horizon, weights }: { readonly horizon: number; readonly weights: readonly number[] },
): number {
  const count = (keep: (i: number) => boolean) => weights.reduce((sum, w, i) => (keep(i) ? sum + w : sum), 0);
  const followed = (before: number) =>
    [...new Set(rows.map(({ time }) => time))].reduce((chance, u) => {
      if (u >= before) return chance;
      const waiting = count((i) => rows[i]!.time > u || (rows[i]!.time === u && !rows[i]!.isObserved));
      const ended = count((i) => rows[i]!.time === u && !rows[i]!.isObserved);
      return waiting > 0 ? chance * (1 - ended / waiting) : chance;
    }, 1);
  const sum = rows.reduce(
    (total, { time, isObserved, value }, i) =>
      isObserved && time <= horizon ? total + (weights[i]! * value) / followed(time) : total,
    0,
  );
  return sum / count(() => true);
}

describe('logRank', () => {
  const control = rowsOf(reference.nonmaintained);
  const candidate = rowsOf(reference.maintained);

  it('agrees with R’s survdiff on the leukemia data: chi-squared 3.396388698977601', () => {
    const got = sure(logRank(control, candidate, { alpha }));
    near(got.statistic, 3.396388698977601);
    near(got.pValue, reference.logRank.p);
    expect(got.observed).toBe(reference.logRank.observed[0]);
    near(got.expected, reference.logRank.expected[0]!);
    near(Math.log(got.hazardRatio), (got.observed - got.expected) / reference.logRank.variance);
  });

  it('swapping inverts the ratio, interval and p agree, and only the order of times matters', () => {
    const arm = fc.array(fc.record({ time: fc.integer({ min: 0, max: 9 }), isObserved: fc.boolean() }), {
      maxLength: 25,
    });
    fc.assert(
      fc.property(arm, arm, (a: FollowUp[], b: FollowUp[]) => {
        const there = logRank(a, b, { alpha });
        const back = logRank(b, a, { alpha });
        expect(there.kind).toBe(back.kind);
        if (there.kind !== 'tested' || back.kind !== 'tested' || there.interval.kind !== 'bounded') return;
        expect(back.statistic).toBeCloseTo(there.statistic, 10);
        expect(back.hazardRatio * there.hazardRatio).toBeCloseTo(1, 10);
        expect(there.interval.lower > 1 || there.interval.upper < 1).toBe(there.pValue < alpha);
        const squares = (rows: FollowUp[]) => rows.map((row) => ({ ...row, time: row.time ** 2 }));
        expect(logRank(squares(a), squares(b), { alpha })).toEqual(there);
      }),
      { seed: 23 },
    );
  });

  it('says when there is nothing to compare', () => {
    expect(logRank([], candidate, { alpha })).toMatchObject({ reason: 'control has no units yet' });
    expect(logRank(control, [], { alpha })).toMatchObject({ reason: 'candidate has no units yet' });
    expect(logRank([{ time: 1, isObserved: false }], [{ time: 2, isObserved: true }], { alpha })).toMatchObject({
      reason: 'no outcome was seen while both variants had units waiting for one',
    });
  });
});
