import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocate, type BucketRange, reallocate } from './allocation.ts';
import { assignmentLines } from './assign-in-process.fixture.ts';
import { type AssignableExperiment, assign, decide, prepareAssignment } from './assignment.ts';

const total = 2 ** 32;
const evenSplit = allocate([
  { variant: 'a', weight: 50 },
  { variant: 'b', weight: 50 },
]);
const experiment: AssignableExperiment = {
  salt: 'default/exp-1',
  coverage: 1,
  control: 'a',
  variants: [{ name: 'a' }, { name: 'b' }],
  unit: { sources: [{ kind: 'header' }], orElse: 'control' },
  allocation: { kind: 'fixed', ranges: evenSplit },
};
const never = (): number => {
  throw new Error('nothing may be drawn here');
};
const ask = { unit: 'user_1', forced: null, random: never };
const ids = Array.from({ length: 20_000 }, (_, index) => `user_${index}`);

// Made by vectors.fixture.py.
const vectors = JSON.parse(readFileSync(new URL('./vectors.fixture.json', import.meta.url), 'utf8')) as {
  readonly assignments: readonly {
    readonly salt: string;
    readonly coverage: number;
    readonly control: string;
    readonly ranges: readonly BucketRange[];
    readonly units: readonly {
      readonly unit: string;
      readonly coverageBucket: number;
      readonly splitBucket: number;
      readonly variant: string;
      readonly reason: string;
    }[];
  }[];
};

describe('assign', () => {
  it('agrees with the vectors of the independent Python implementation', () => {
    for (const { salt, coverage, control, ranges, units } of vectors.assignments) {
      const prepared = prepareAssignment({
        ...experiment,
        salt,
        coverage,
        control,
        allocation: { kind: 'fixed', ranges },
      });
      for (const { unit, ...expected } of units) expect([unit, assign(prepared, unit)]).toMatchObject([unit, expected]);
    }
    const reasons = vectors.assignments.flatMap(({ units }) => units.map(({ reason }) => reason));
    expect(new Set(reasons)).toEqual(new Set(['split', 'not-covered']));
  });

  it('gives the same answer in another process', async () => {
    const script = fileURLToPath(new URL('./assign-in-process.fixture.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, '--print']);
    expect(stdout).toBe(assignmentLines());
  });

  it('answers alike for the two halves of a pair only when their UTF-8 is alike', () => {
    const prepared = prepareAssignment(experiment);
    expect(assign(prepared, 'a\ud800')).toEqual(assign(prepared, 'a\ufffd'));
    expect(assign(prepared, 'é')).not.toEqual(assign(prepared, 'e\u0301'));
  });

  it('moves nobody when the coverage widens', () => {
    const units = fc.string({ unit: 'binary' });
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(units, share, share, (unit, one, other) => {
        const at = (coverage: number) => assign(prepareAssignment({ ...experiment, coverage }), unit);
        const narrow = at(Math.min(one, other));
        if (narrow.reason === 'split') expect(at(Math.max(one, other))).toEqual(narrow);
      }),
      { numRuns: 500 },
    );
    const steps = [0.05, 0.2, 0.5, 1].map((coverage) => prepareAssignment({ ...experiment, coverage }));
    for (const unit of ids) {
      const seen = steps.map((prepared) => assign(prepared, unit)).filter(({ reason }) => reason === 'split');
      expect(new Set(seen.map(({ variant }) => variant)).size).toBe(1);
    }
  });

  it('takes nobody in at coverage 0 and everybody at coverage 1', () => {
    const none = prepareAssignment({ ...experiment, coverage: 0 });
    const all = prepareAssignment({ ...experiment, coverage: 1 });
    expect(ids.every((unit) => assign(none, unit).reason === 'not-covered')).toBe(true);
    expect(ids.every((unit) => assign(all, unit).reason === 'split')).toBe(true);
  });

  it('moves a tenth of the units when 70/30 becomes 60/40', () => {
    const weights = (a: number, b: number) => [
      { variant: 'a', weight: a },
      { variant: 'b', weight: b },
    ];
    const before = allocate(weights(70, 30));
    const after = reallocate(before, weights(60, 40));
    const split = (ranges: readonly BucketRange[]) =>
      prepareAssignment({ ...experiment, allocation: { kind: 'fixed', ranges } });
    const [was, is] = [split(before), split(after)];
    const moved = ids.filter((unit) => assign(was, unit).variant !== assign(is, unit).variant);
    expect(moved.every((unit) => assign(was, unit).variant === 'a')).toBe(true);
    // 4.9 standard deviations of a binomial: one chance in a million.
    expect(Math.abs(moved.length / ids.length - 0.1)).toBeLessThan(4.9 * Math.sqrt((0.1 * 0.9) / ids.length));
  });
});

describe('decide', () => {
  const prepared = prepareAssignment(experiment);

  it('splits a unit with an id, and says with what probability', () => {
    const answer = decide(prepared, ask);
    expect(answer).toEqual(assign(prepared, 'user_1'));
    expect(answer).toMatchObject({ reason: 'split', propensity: 0.5 });
  });

  it('adds up all ranges of a variant for its propensity', () => {
    const ranges = [
      { variant: 'a', from: 0, to: total / 4 },
      { variant: 'b', from: total / 4, to: total / 2 },
      { variant: 'a', from: total / 2, to: total },
    ];
    const patchwork = prepareAssignment({ ...experiment, allocation: { kind: 'fixed', ranges } });
    const seen = new Map(ids.map((unit) => [assign(patchwork, unit).variant, assign(patchwork, unit).propensity]));
    expect(Object.fromEntries(seen)).toEqual({ a: 0.75, b: 0.25 });
  });

  it('obeys a tester before every other rule, but only with the name of a variant', () => {
    const forced = { variant: 'b', reason: 'forced', propensity: 1, coverageBucket: null, splitBucket: null };
    const paused = prepareAssignment({
      ...experiment,
      allocation: { kind: 'single', variant: 'a', reason: 'paused' },
    });
    expect(decide(prepared, { ...ask, forced: 'b' })).toEqual(forced);
    expect(decide(paused, { ...ask, forced: 'b' })).toEqual(forced);
    expect(decide(prepared, { ...ask, forced: 'constructor' })).toEqual(decide(prepared, ask));
  });

  it.each(['paused', 'promoted', 'ended'] as const)(
    'gives everybody the single variant of a %s experiment',
    (reason) => {
      const single = prepareAssignment({ ...experiment, allocation: { kind: 'single', variant: 'b', reason } });
      for (const unit of ['user_1', null]) {
        expect(decide(single, { ...ask, unit })).toMatchObject({ variant: 'b', reason, propensity: 1 });
      }
    },
  );

  it('lets the control answer without an id, and takes an empty id for none', () => {
    for (const unit of [null, '']) {
      expect(decide(prepared, { ...ask, unit })).toMatchObject({ variant: 'a', reason: 'no-unit', propensity: 1 });
    }
  });

  it('draws for every request where the request is the unit', () => {
    const draws = [0.1, 0.7, 0.6, 0.2, 0.1, 0.2];
    const random = (): number => draws.shift()!;
    const unit = { sources: [{ kind: 'request' }], orElse: 'control' as const };
    const byRequest = prepareAssignment({ ...experiment, unit, coverage: 0.5 });
    const first = decide(byRequest, { ...ask, random });
    expect(first).toMatchObject({ variant: 'b', reason: 'split', propensity: 0.5 });
    expect(first.coverageBucket).toBe(Math.floor(0.1 * total));
    expect(first.splitBucket).toBe(Math.floor(0.7 * total));
    expect(decide(byRequest, { ...ask, random })).toMatchObject({ variant: 'a', reason: 'not-covered' });
    expect(decide(byRequest, { ...ask, unit: null, random })).toMatchObject({ variant: 'a', reason: 'split' });
  });

  it('draws for a request without an id only when the rule says so', () => {
    const unit = { sources: [{ kind: 'header' }], orElse: 'request' as const };
    const orElse = prepareAssignment({ ...experiment, unit });
    expect(decide(orElse, { ...ask, unit: null, random: () => 0.99 })).toMatchObject({ variant: 'b', reason: 'split' });
    expect(decide(orElse, ask)).toEqual(decide(prepared, ask));
  });

  it('ends coverage and ranges before their limit, as half-open intervals do', () => {
    const unit = { sources: [{ kind: 'request' }], orElse: 'control' as const };
    const at = (coverage: number, ...draws: number[]) =>
      decide(prepareAssignment({ ...experiment, unit, coverage }), { ...ask, random: () => draws.shift()! });
    const step = 1 / total;
    expect(at(0.5, 0.5, 0)).toMatchObject({ reason: 'not-covered' });
    expect(at(0.5, 0.5 - step, 0)).toMatchObject({ reason: 'split' });
    expect(at(0, 0, 0)).toMatchObject({ reason: 'not-covered' });
    expect(at(1, 0, 0.5 - step)).toMatchObject({ variant: 'a' });
    expect(at(1, 0, 0.5)).toMatchObject({ variant: 'b' });
  });

  it('covers the last bucket and the largest random number', () => {
    const always = prepareAssignment({ ...experiment, unit: { sources: [{ kind: 'request' }], orElse: 'control' } });
    const answer = decide(always, { unit: null, forced: null, random: () => 1 - 2 ** -53 });
    expect(answer).toMatchObject({ variant: 'b', reason: 'split', splitBucket: total - 1 });
  });
});

describe('prepareAssignment', () => {
  it('rounds the coverage to the nearest bucket', () => {
    const limits = [0, 0.05, 0.2, 2 ** -33, 2 ** -34, 1].map(
      (coverage) => prepareAssignment({ ...experiment, coverage }).coverageLimit,
    );
    // 0.05 x 2^32 = 214748364.8 and 0.2 x 2^32 = 858993459.2.
    expect(limits).toEqual([0, 214748365, 858993459, 1, 0, total]);
  });

  it('refuses a coverage that is no share', () => {
    for (const coverage of [-0.1, 1.1, Number.NaN]) {
      expect(() => prepareAssignment({ ...experiment, coverage })).toThrow(
        `coverage is ${coverage}, must be in [0, 1]`,
      );
    }
  });

  it('refuses ranges that leave a bucket without a variant', () => {
    const ranges = [{ variant: 'a', from: 0, to: 10 }];
    expect(() => prepareAssignment({ ...experiment, allocation: { kind: 'fixed', ranges } })).toThrow(RangeError);
  });
});
