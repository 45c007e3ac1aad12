import { describe, expect, it } from 'vitest';
import type { ExperimentSummary, MetricSummary, VariantSummary } from '../evidence/index.ts';
import {
  createRandom,
  jointMomentsOf,
  mergeJointMoments,
  mergeMoments,
  momentsOf,
  quantileSampleOf,
  type Random,
} from '../stats/index.ts';
import { comparableStrata, levelAllocations } from './allocation-strata.ts';
import { makeReport } from './make-report.ts';
import type { Difference } from './report.ts';
import { mean, proportion, summaryOf, variant } from './summary.fixture.ts';

/** A summary whose variants came in under two allocations. */
function stratified(
  strata: readonly (readonly VariantSummary[])[],
  pooled: readonly VariantSummary[],
): ExperimentSummary {
  return {
    ...summaryOf(pooled),
    strata: strata.map((variants, index) => ({ epochs: [index + 1], shares: {}, variants })),
  };
}

const differenceOf = (summary: ExperimentSummary, metric: string): Difference =>
  makeReport(summary)
    .metrics.find(({ name }) => name === metric)
    ?.variants.find(({ variant: name }) => name === 'new')?.difference as Difference;

/** Values that rise with time, one list per variant, allocated by the share of the candidate. */
function days(random: Random, { units, share, level }: { units: number; share: number; level: number }): number[][] {
  const values: number[][] = [[], []];
  for (let unit = 0; unit < units; unit += 1) values[random.uniform() < share ? 1 : 0]?.push(level + random.normal());
  return values;
}

describe('a ramp that changes the shares while the metric rises', () => {
  it('biases the pooled difference, and not the one within allocations', () => {
    const random = createRandom(20261122);
    const rounds = 400;
    let ours = 0;
    let pooledCovers = 0;
    for (let round = 0; round < rounds; round += 1) {
      // 10 % of few units at the begin, 50 % of many units later, when everybody is better off. The variants are equal.
      const early = days(random, { units: 600, share: 0.1, level: 0 });
      const late = days(random, { units: 900, share: 0.5, level: 0.5 });
      const asMean = (values: readonly number[] = []): MetricSummary => ({ kind: 'mean', ...momentsOf(values) });
      const side = (values: readonly (readonly number[])[]): VariantSummary[] =>
        ['old', 'new'].map((name, index) =>
          variant(name, values[index]?.length ?? 0, { score: asMean(values[index]) }),
        );
      const pooled = side([0, 1].map((index) => [...(early[index] ?? []), ...(late[index] ?? [])]));
      const covers = (summary: ExperimentSummary): boolean => {
        const { interval } = differenceOf(summary, 'score');
        return interval.kind === 'bounded' && interval.lower <= 0 && interval.upper >= 0;
      };
      ours += Number(covers(stratified([side(early), side(late)], pooled)));
      pooledCovers += Number(covers(summaryOf(pooled)));
    }
    // Binomial: 95 % of 400 within three standard errors (3.3 points).
    expect(ours / rounds).toBeGreaterThan(0.917);
    expect(ours / rounds).toBeLessThan(0.983);
    expect(pooledCovers / rounds).toBeLessThan(0.6);
  });
});

describe('numbers of several allocations', () => {
  const means = (n: number, center: number): MetricSummary => mean(n, center, 2);
  const two = [
    [variant('old', 90, { score: means(90, 1) }), variant('new', 10, { score: means(10, 1.5) })],
    [variant('old', 50, { score: means(50, 3) }), variant('new', 50, { score: means(50, 3.5) })],
  ];
  const pooled = [variant('old', 140, { score: means(140, 1.7) }), variant('new', 60, { score: means(60, 3.2) })];

  it('are weighed by the units of each, the difference with its standard error', () => {
    const { absolute, interval } = differenceOf(stratified(two, pooled), 'score');
    // Half of the 200 units came in under each: 0.5 x 0.5 + 0.5 x 0.5.
    expect(absolute).toBeCloseTo(0.5, 12);
    const error = Math.sqrt(0.25 * (4 / 90 + 4 / 10) + 0.25 * (4 / 50 + 4 / 50));
    expect(interval.kind === 'bounded' && (interval.upper - interval.lower) / 2 / error).toBeGreaterThan(1.959);
    expect(interval.kind === 'bounded' && (interval.upper - interval.lower) / 2 / error).toBeLessThan(2.02);
  });

  it('say so in the method and in a check', () => {
    const report = makeReport(stratified(two, pooled));
    expect(report.metrics[0]?.method).toBe('Welch t-test, within each allocation');
    expect(report.checks.allocations).toMatchObject({ ok: true, numbers: { allocations: 2, units: 200, leftOut: 0 } });
    expect(report.variants.map(({ units }) => units)).toEqual([140, 60]);
  });

  it('leave out an allocation in which a variant had nobody, and count its units', () => {
    const alone = [variant('old', 40, { score: means(40, 9) }), variant('new', 0, {})];
    const summary = stratified([alone, ...two], pooled);
    expect(differenceOf(summary, 'score').absolute).toBeCloseTo(0.5, 12);
    expect(comparableStrata(summary).left).toHaveLength(1);
    expect(makeReport(summary).checks.allocations?.numbers).toMatchObject({ allocations: 2, leftOut: 40 });
  });

  it('equal the pooled ones where the allocations were the same', () => {
    const random = createRandom(7);
    const lists = [0, 1, 2, 3].map(() =>
      Array.from({ length: 400 }, () => [random.normal() + 3, 1 + Math.floor(3 * random.uniform())]),
    );
    const moments = lists.map(jointMomentsOf);
    const ratio = (list: number): MetricSummary => ({ kind: 'ratio', n: 400, rows: 800, moments: moments[list]! });
    const both = (a: number, b: number): MetricSummary => ({
      kind: 'ratio',
      n: 800,
      rows: 1600,
      moments: mergeJointMoments(moments[a]!, moments[b]!),
    });
    const whole = [variant('old', 800, { rate: both(0, 2) }), variant('new', 800, { rate: both(1, 3) })];
    const parts = [
      [variant('old', 400, { rate: ratio(0) }), variant('new', 400, { rate: ratio(1) })],
      [variant('old', 400, { rate: ratio(2) }), variant('new', 400, { rate: ratio(3) })],
    ];
    const within = differenceOf(stratified(parts, whole), 'rate');
    const raw = differenceOf(summaryOf(whole), 'rate');
    expect(within.absolute).toBeCloseTo(raw.absolute, 12);
    expect(within.pValue).toBeCloseTo(raw.pValue as number, 2);
  });

  it('keep the exact bound of a rate that never moved', () => {
    const none = (n: number): MetricSummary => proportion(n, 0);
    const parts = [1, 2].map(() => [
      variant('old', 100, { failed: none(100) }),
      variant('new', 100, { failed: none(100) }),
    ]);
    const whole = [variant('old', 200, { failed: none(200) }), variant('new', 200, { failed: none(200) })];
    const leveled = levelAllocations(stratified(parts, whole));
    expect(leveled.variants[1]?.metrics.failed).toEqual({ kind: 'proportion', n: 200, successes: 0 });
  });

  it('put quantiles together by their estimates, and adjusted means by all their moments', () => {
    const random = createRandom(3);
    const rows = (shift: number): MetricSummary => ({
      kind: 'quantile',
      n: 500,
      ...quantileSampleOf(
        Array.from({ length: 500 }, () => [random.normal() + shift]),
        0.5,
      ),
    });
    const pairs = (shift: number): MetricSummary => {
      const values = Array.from({ length: 500 }, () => {
        const x = random.normal();
        return [x + shift + random.normal() / 10, x];
      });
      return { kind: 'mean', ...momentsOf(values.map(([y = 0]) => y)), adjusted: jointMomentsOf(values) };
    };
    const part = (level: number): VariantSummary[] => [
      variant('old', 500, { p50: rows(level), score: pairs(level) }),
      variant('new', 500, { p50: rows(level + 0.4), score: pairs(level + 0.4) }),
    ];
    const [first = [], second = []] = [part(0), part(5)];
    const merged = first.map((each, index) => {
      const [a, b] = [each.metrics.score, second[index]?.metrics.score];
      if (a?.kind !== 'mean' || b?.kind !== 'mean') throw new Error('no means');
      const adjusted = mergeJointMoments(a.adjusted!, b.adjusted!);
      return variant(each.variant, 1000, {
        p50: each.metrics.p50!,
        score: { kind: 'mean', ...mergeMoments(a, b), adjusted },
      });
    });
    const summary = stratified([first, second], merged);
    expect(differenceOf(summary, 'p50').absolute).toBeCloseTo(0.4, 0);
    const score = differenceOf(summary, 'score');
    expect(Math.abs(score.absolute - 0.4)).toBeLessThan(0.03);
    expect(score.varianceReduction).toBeGreaterThan(0.95);
  });
});
