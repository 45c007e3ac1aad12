// Are the values per unit those that a summary is made of? The same log, once as moments and once unit by unit.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoggedMetric, MetricSummary, VariantSummary } from '../evidence/index.ts';
import type { Metric } from '../experiment/index.ts';
import { jointMomentsOf, momentsOf } from '../stats/index.ts';
import { metric, outcome, plan, prediction, write } from './analytics-records.fixture.ts';
import { type DuckdbAnalytics, openDuckdbAnalytics } from './duckdb-analytics.ts';

const metrics: readonly Metric[] = [
  metric('error_rate', 'failed'),
  metric('latency', 'attempt_ms'),
  { name: 'p90', definition: { kind: 'quantile', expression: 'attempt_ms', q: 0.9 }, windowMs: 1_000 },
  {
    name: 'revenue',
    definition: { kind: 'sum', expression: 'outcome.paid' },
    windowMs: 1_000,
    covariate: { expression: null, beforeMs: 86_400_000 },
  },
];

let directory: string;
let analytics: DuckdbAnalytics;
let variant: VariantSummary;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-units-'));
  const records = Array.from({ length: 240 }, (_, i) => {
    const unit = String(1_000 + (i % 120));
    const assigned = (i % 120) % 3 === 0 ? 'b' : 'a';
    const attemptMs = 10 + ((i * 37) % 61);
    const failed = i % 11 === 0;
    return prediction(`p${i}`, {
      ...{ unit, assigned, served: assigned, at: i },
      attempts: [
        { variant: assigned, status: failed ? 500 : 200, latencyMs: attemptMs, error: failed ? 'status' : null },
      ],
    });
  });
  const paid = Array.from({ length: 90 }, (_, i) =>
    outcome(`o${i}`, {
      subject: { kind: 'unit', unit: String(1_000 + ((i * 7) % 120)) },
      ...{ type: 'paid', value: 1 + (i % 9), at: 4 * i - 40 },
    }),
  );
  await write(directory, [records, paid]);
  analytics = await openDuckdbAnalytics({ directory });
  variant = (await analytics.summarise(plan(metrics))).variants.find((each) => each.variant === 'a')!;
}, 120_000);
afterAll(async () => {
  await analytics?.close();
  await rm(directory, { recursive: true, force: true });
});

const of = (found: readonly LoggedMetric[], name: string): LoggedMetric => found.find((each) => each.name === name)!;
const summaryOf = <K extends MetricSummary['kind']>(name: string, kind: K): MetricSummary & { readonly kind: K } => {
  const summary = variant.metrics[name];
  if (summary?.kind !== kind) throw new Error(`${name} is ${summary?.kind}`);
  return summary as MetricSummary & { readonly kind: K };
};

describe('logged units', () => {
  it('add up to the very moments of the summary, covariates and ranks too', async () => {
    const found = await analytics.readUnits(plan(metrics), { variant: 'a', atMost: 1_000 });
    expect(found).toMatchObject({ variant: 'a', size: variant.units, units: variant.units });
    expect(found.metrics.map(({ name, kind, isZeroOne }) => [name, kind, isZeroOne])).toEqual([
      ['error_rate', 'ratio', true],
      ['latency', 'ratio', false],
      ['p90', 'quantile', false],
      ['revenue', 'mean', false],
    ]);
    for (const name of ['error_rate', 'latency']) {
      const { numerators, denominators } = of(found.metrics, name);
      const moments = jointMomentsOf([...numerators].map((numerator, unit) => [numerator, denominators[unit]!]));
      const known = summaryOf(name, 'ratio');
      expect(known.rows).toBe(denominators.reduce((sum, rows) => sum + rows, 0));
      moments.mean.forEach((value, i) => {
        expect(known.moments.mean[i]).toBeCloseTo(value, 10);
      });
      expect(known.moments.m2[0]?.[1]).toBeCloseTo(moments.m2[0]![1]!, 6);
    }
    const revenue = of(found.metrics, 'revenue');
    const { mean, m2 } = momentsOf([...revenue.numerators]);
    expect(summaryOf('revenue', 'mean')).toMatchObject({
      mean: expect.closeTo(mean, 10),
      m2: expect.closeTo(m2, 8),
      adjusted: { mean: [expect.closeTo(mean, 10), expect.closeTo(momentsOf([...revenue.covariates!]).mean, 10)] },
    });
    const { ranked } = of(found.metrics, 'p90');
    expect([...ranked!.values]).toEqual([...ranked!.values].sort((left, right) => left - right));
    expect(ranked?.values[Math.ceil(0.9 * ranked.values.length) - 1]).toBe(summaryOf('p90', 'quantile').estimate);
  }, 120_000);

  it('are some of them where there are more than asked for, always the same ones', async () => {
    const ask = () => analytics.readUnits(plan(metrics), { variant: 'a', atMost: 10 });
    const some = await ask();
    expect(some).toMatchObject({ size: 10, units: variant.units });
    expect(of(some.metrics, 'latency').numerators).toHaveLength(10);
    expect(await ask()).toEqual(some);
  }, 120_000);
});
