// Does every comparison refuse a wrong question by name, value and rule, and answer hopeless data with "insufficient"?
import { describe, expect, it } from 'vitest';
import {
  compareAdjustedMeans,
  compareAdjustedRatios,
  compareBatches,
  compareBetaBinomial,
  compareDelayedMeans,
  compareGammaPoisson,
  compareGroupEffects,
  compareInteracted,
  compareMeans,
  comparePairs,
  compareProportions,
  compareQuantiles,
  compareRates,
  compareRatios,
  compareStrata,
  complierEffect,
  equivalent,
  estimateMean,
  estimateProportion,
  estimateRate,
  estimateRatio,
  exactRates,
  fisherExact,
  jointMomentsOf,
  mantelHaenszel,
  mixtureSprt,
  momentsOf,
  notInferior,
  notInferiorByShare,
  posteriorOfEffect,
  proportionsNotInferior,
  quantileSampleOf,
  rankEffects,
  rankSum,
  relativeDifference,
  signedRank,
  watchDifference,
  watchLimit,
} from './index.ts';

/** One value per unit of each side, made into whatever a method takes. */
type Ask = (control: readonly number[], candidate: readonly number[], alpha: number) => unknown;

const share = (values: readonly number[]) => ({
  n: values.length,
  successes: values.filter((value) => value > 0).length,
});
const events = (values: readonly number[]) => ({ events: share(values).successes, exposure: values.length });
const withOne = (values: readonly number[]) => jointMomentsOf(values.map((value) => [value, 1]));
const withCovariate = (values: readonly number[]) => jointMomentsOf(values.map((value, i) => [value, i % 3]));
const measured = (values: readonly number[]) => {
  const { n, mean, m2 } = momentsOf(values);
  return { estimate: n === 0 ? 0 : mean, standardError: n < 2 ? 0 : Math.sqrt(m2 / (n - 1) / n) };
};
const difference = (a: readonly number[], b: readonly number[]) => ({
  estimate: measured(b).estimate - measured(a).estimate,
  standardError: Math.hypot(measured(a).standardError, measured(b).standardError),
  n: a.length + b.length,
});
const asDifference = (a: readonly number[], b: readonly number[]) => {
  const { estimate, standardError } = difference(a, b);
  return { difference: estimate, standardError };
};
const late = (values: readonly number[]) => values.map((value, i) => ({ time: i % 5, isObserved: i % 2 === 0, value }));

const questions: Readonly<Record<string, Ask>> = {
  compareMeans: (a, b, alpha) => compareMeans(momentsOf(a), momentsOf(b), { alpha }),
  comparePairs: (a, _, alpha) => comparePairs(momentsOf(a), { alpha }),
  compareProportions: (a, b, alpha) => compareProportions(share(a), share(b), { alpha }),
  fisherExact: (a, b, alpha) => fisherExact(share(a), share(b), { alpha }),
  compareRatios: (a, b, alpha) => compareRatios(withOne(a), withOne(b), { alpha }),
  compareQuantiles: (a, b, alpha) =>
    compareQuantiles(
      quantileSampleOf(
        a.map((x) => [x]),
        0.5,
      ),
      quantileSampleOf(
        b.map((x) => [x]),
        0.5,
      ),
      { alpha },
    ),
  compareRates: (a, b, alpha) => compareRates(events(a), events(b), { alpha }),
  exactRates: (a, b, alpha) => exactRates(events(a), events(b), { alpha }),
  rankSum: (a, b, alpha) => rankSum(a, b, { alpha }),
  signedRank: (a, _, alpha) => signedRank(a, { alpha }),
  compareAdjustedMeans: (a, b, alpha) => compareAdjustedMeans(withCovariate(a), withCovariate(b), { alpha }),
  compareAdjustedRatios: (a, b, alpha) =>
    compareAdjustedRatios(
      jointMomentsOf(a.map((value, i) => [value, 1, i % 3, 1])),
      jointMomentsOf(b.map((value, i) => [value, 1, i % 3, 1])),
      { alpha },
    ),
  compareInteracted: (a, b, alpha) =>
    compareInteracted(
      { rows: a.map((value, i) => [value, i % 3]) },
      { rows: b.map((value, i) => [value, i % 3]) },
      { alpha },
    ),
  compareStrata: (a, b, alpha) =>
    compareStrata([{ name: 'all', control: momentsOf(a), candidate: momentsOf(b) }], { alpha }),
  compareBatches: (a, b, alpha) => compareBatches([{ control: momentsOf(a), candidate: momentsOf(b) }], { alpha }),
  compareGroupEffects: (a, b, alpha) => {
    const group = { name: 'all', control: momentsOf(a), candidate: momentsOf(b) };
    return compareGroupEffects([group, { ...group, name: 'again' }], { alpha });
  },
  rankEffects: (a, b, alpha) =>
    rankEffects(
      [a, b].flatMap((side, i) => side.map((outcome, j) => ({ score: j % 4, isCandidate: i === 1, outcome }))),
      { alpha },
    ),
  compareBetaBinomial: (a, b, alpha) => compareBetaBinomial(share(a), share(b), { alpha }),
  compareGammaPoisson: (a, b, alpha) => compareGammaPoisson(events(a), events(b), { alpha }),
  compareDelayedMeans: (a, b, alpha) => compareDelayedMeans(late(a), late(b), { alpha, horizon: 3 }),
  complierEffect: (a, b, alpha) => complierEffect(withCovariate(a), withCovariate(b), { alpha }),
  mantelHaenszel: (a, b, alpha) => mantelHaenszel([{ control: share(a), candidate: share(b) }], { alpha }),
  estimateMean: (a, _, alpha) => estimateMean(momentsOf(a), { alpha }),
  estimateProportion: (a, _, alpha) => estimateProportion(share(a), { alpha }),
  estimateRatio: (a, _, alpha) => estimateRatio(withOne(a), { alpha }),
  estimateRate: (a, _, alpha) => estimateRate(events(a), { alpha }),
  relativeDifference: (a, b, alpha) => relativeDifference(measured(a), measured(b), { alpha }),
  posteriorOfEffect: (a, b, alpha) => posteriorOfEffect(measured(a), measured(b), { alpha }),
  watchDifference: (a, b, alpha) => watchDifference(difference(a, b), { alpha, horizon: 100 }),
  watchLimit: (a, b, alpha) => watchLimit(difference(a, b), { alpha, horizon: 100, direction: 'apart' }),
  mixtureSprt: (a, b, alpha) => mixtureSprt(difference(a, b), { alpha, mixingVariance: 1 }),
  notInferior: (a, b, alpha) => notInferior(asDifference(a, b), { alpha, margin: 0.1 }),
  notInferiorByShare: (a, b, alpha) => notInferiorByShare(measured(a), measured(b), { alpha, margin: 0.1 }),
  equivalent: (a, b, alpha) => equivalent(asDifference(a, b), { alpha, margin: 0.1 }),
  proportionsNotInferior: (a, b, alpha) => proportionsNotInferior(share(a), share(b), { alpha, margin: 0.1 }),
};

const usual = [
  [3, 1, 0, 5, 2, 0, 7, 4, 1, 0, 2, 6],
  [2, 4, 0, 6, 8, 1, 0, 5, 3, 9, 0, 7],
] as const;

/** NaN, an empty interval, or p outside [0, 1] anywhere inside. */
function faultsOf(value: unknown, place = '$'): readonly string[] {
  if (typeof value === 'number') return Number.isNaN(value) ? [`${place} is NaN`] : [];
  if (value === null || value === undefined) return [`${place} is ${value}`];
  if (typeof value !== 'object') return [];
  const { kind, lower, upper, pValue } = value as Record<string, unknown>;
  const own: string[] = [];
  if (kind === 'bounded' && !((lower as number) < (upper as number))) own.push(`${place} is [${lower}, ${upper}]`);
  if (typeof pValue === 'number' && !(pValue >= 0 && pValue <= 1)) own.push(`${place}.pValue is ${pValue}`);
  return [...own, ...Object.entries(value).flatMap(([key, inner]) => faultsOf(inner, `${place}.${key}`))];
}

const answer = (name: string, ...asked: Parameters<Ask>): unknown => {
  try {
    return questions[name]!(...asked);
  } catch (error) {
    return error;
  }
};

describe.each(Object.keys(questions))('%s', (name) => {
  it('answers a usual question without a fault', () => {
    expect(faultsOf(questions[name]!(...usual, 0.05))).toEqual([]);
  });

  it.each([0, 1, 1.2, -0.1, Number.NaN, Infinity])('refuses alpha %s', (alpha) => {
    const thrown = answer(name, ...usual, alpha);
    expect(thrown).toBeInstanceOf(RangeError);
    expect((thrown as Error).message).toBe(`alpha is ${alpha}, must be in (0, 1)`);
  });

  const many = Array.from({ length: 12 }, (_, i) => i % 4);
  it.each<[string, readonly number[], readonly number[]]>([
    ['no units', [], []],
    ['no control', [], many],
    ['no candidate', many, []],
    ['one unit each', [1], [2]],
    ['all zeros', many.map(() => 0), many.map(() => 0)],
    ['all ones', many.map(() => 1), many.map(() => 1)],
    ['a constant control', many.map(() => 2), many],
    ['two constants', many.map(() => 2), many.map(() => 3)],
    ['huge values', many.map((x) => 1e150 * x), many.map((x) => 2e150 * x)],
    ['tiny values', many.map((x) => 1e-150 * x), many.map((x) => 2e-150 * x)],
  ])('answers %s with numbers, a reason or a refusal, never NaN or an empty interval', (_, control, candidate) => {
    const given = answer(name, control, candidate, 0.05);
    if (given instanceof Error) {
      expect(given).toBeInstanceOf(RangeError);
      expect(given.message).toMatch(/^\S.* is .+, must be .+/);
    } else if ((given as { kind?: string }).kind === 'insufficient') {
      expect((given as { reason: string }).reason).toMatch(/\w+ \w+/);
    } else {
      expect(faultsOf(given)).toEqual([]);
    }
  });

  it.each([Number.NaN, Infinity])('refuses or survives a value of %s', (value) => {
    const given = answer(name, [...usual[0], value], usual[1], 0.05);
    if (given instanceof Error) expect(given).toBeInstanceOf(RangeError);
    else expect(faultsOf(given)).toEqual([]);
  });
});
