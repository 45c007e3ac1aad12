import { describe, expect, it } from 'vitest';
import type { ExperimentSummary, MetricSummary } from '../evidence/index.ts';
import { calibrationOf, compareAdjustedMeans, createRandom, jointMomentsOf, momentsOf } from '../stats/index.ts';
import { makeReport } from './make-report.ts';
import type { Difference, MetricEntry, Report } from './report.ts';
import { mean, proportion, quietHealth, specification, summaryOf, variant } from './summary.fixture.ts';

const entry = (report: Report, name: string): MetricEntry =>
  report.metrics.find((metric) => metric.name === name) as MetricEntry;
const both = (make: (side: number) => MetricSummary): ExperimentSummary =>
  summaryOf(['old', 'new'].map((name, side) => variant(name, 1_000, { m: make(side) })));

describe('a root mean square', () => {
  const random = createRandom(1);
  const errors = [1, 1.2].map((spread) => Array.from({ length: 1_000 }, () => spread * random.normal()));
  const root = (side: number): MetricSummary => ({
    kind: 'root',
    n: 1_000,
    rows: 1_000,
    moments: jointMomentsOf((errors[side] ?? []).map((error) => [error * error, 1])),
  });

  it('is tested as a root, with an interval that is the root of the mean square’s', () => {
    const report = makeReport(both(root));
    const metric = entry(report, 'm');
    const [old, young] = metric.variants;
    const rms = (list: readonly number[] = []): number =>
      Math.sqrt(list.reduce((sum, e) => sum + e * e, 0) / list.length);
    expect(old?.estimate).toBeCloseTo(rms(errors[0]), 12);
    expect(metric).toMatchObject({ kind: 'root', method: 'z-test, root mean square, delta method by unit' });
    const difference = young?.difference as Difference;
    expect(difference.absolute).toBeCloseTo(rms(errors[1]) - rms(errors[0]), 12);
    expect(difference.pValue).toBeLessThan(0.001);
    expect(old?.interval).toMatchObject({ kind: 'bounded' });
  });

  it('can stand in a criterion and in the value', () => {
    const report = makeReport(both(root), {
      experiment: {
        ...specification({ primary: ['m < control.m + 0.5'], guardrails: ['m < 2'] }),
        value: { unit: 'points', terms: [{ name: 'error', metric: 'm', coefficient: -1, per: 1 }] },
      },
    });
    expect(report.criteria.map(({ outcome }) => outcome)).toEqual(['met', 'met']);
    expect(report.value.net).toMatchObject({ interval: { kind: 'bounded' }, omits: [] });
  });
});

describe('a calibration error', () => {
  it('is shown and not tested, because its bias depends on the number of predictions', () => {
    const rows = [0.2, 0.4, 0.9].flatMap((probability) => [
      { probability, label: 1 } as const,
      { probability, label: 0 } as const,
    ]);
    const report = makeReport(both(() => ({ kind: 'calibration', n: 6, rows: 6, summary: calibrationOf(rows, 5) })));
    const [, young] = entry(report, 'm').variants;
    expect(young?.estimate).toBeCloseTo((0.3 + 0.1 + 0.4) / 3, 12);
    expect(young?.interval).toMatchObject({ kind: 'insufficient', reason: expect.stringContaining('Brier') });
    expect(young?.difference).toMatchObject({ pValue: { kind: 'insufficient' }, absolute: 0 });
    expect(young?.drift).toMatchObject({ kind: 'insufficient' });
  });

  it('comes with the drift of the scores behind it: counts of Siddiqi’s example, sparse bins put together', () => {
    // Shares .1 .2 .4 .2 .1 against .15 .25 .3 .2 .1: index 0.0601986402162968.
    const scores = (counts: readonly number[]) =>
      calibrationOf(
        counts.flatMap((count, bin) =>
          Array.from({ length: count }, (_, i) => ({ probability: bin / 5 + 0.1, label: (i % 2) as 0 | 1 })),
        ),
        5,
      );
    const compare = (control: readonly number[], candidate: readonly number[], perUnit = 1) => {
      const side = (counts: readonly number[]): MetricSummary => {
        const rows = counts.reduce((sum, count) => sum + count, 0);
        return { kind: 'calibration', n: rows / perUnit, rows, summary: scores(counts) };
      };
      const report = makeReport(
        summaryOf([variant('old', 1_000, { m: side(control) }), variant('new', 1_000, { m: side(candidate) })]),
      );
      const found = entry(report, 'm').variants.find((each) => each.variant === 'new');
      return { drift: found?.drift, codes: report.findings.map(({ code }) => code) };
    };
    const usual = [100, 200, 400, 200, 100];
    const little = compare(usual, [150, 250, 300, 200, 100]);
    expect(little.drift).toMatchObject({ index: expect.closeTo(0.0601986402162968, 12), bins: 5 });
    expect(little.codes).not.toContain('scores-drifted');
    // The index over 1/1000 + 1/1000 is chi-squared with four degrees of freedom: 30.1.
    expect(little.drift).toMatchObject({ pValue: expect.closeTo(4.66e-6, 7) });
    expect(compare(usual, usual).drift).toMatchObject({ index: 0, pValue: 1 });
    expect(compare(usual, [150, 250, 300, 200, 100], 2).drift).toMatchObject({
      pValue: { reason: expect.stringContaining('not independent') },
    });
    const much = compare(usual, [0, 100, 200, 300, 400]);
    expect(much.drift).toMatchObject({ bins: 4 });
    expect(much.codes).toContain('scores-drifted');
  });
});

describe('a metric with a covariate', () => {
  const random = createRandom(2);
  const pairs = [0, 0.1].map((effect) =>
    Array.from({ length: 1_000 }, () => {
      const before = random.normal();
      return [before + effect + random.normal() / 5, before];
    }),
  );
  const adjusted = (side: number): MetricSummary => ({
    kind: 'mean',
    ...momentsOf((pairs[side] ?? []).map(([value = 0]) => value)),
    adjusted: jointMomentsOf(pairs[side] ?? []),
  });

  it('is decided by the adjusted difference, and shows the one as measured beside it', () => {
    const report = makeReport(both(adjusted), { experiment: specification({ primary: ['m - control.m > 0.05'] }) });
    const expected = compareAdjustedMeans(jointMomentsOf(pairs[0] ?? []), jointMomentsOf(pairs[1] ?? []), {
      alpha: 0.05,
    });
    if (expected.kind === 'insufficient') throw new Error(expected.reason);
    const metric = entry(report, 'm');
    expect(metric.method).toBe('Welch t-test, pooled slopes (CUPED)');
    expect(metric.variants[1]?.difference).toMatchObject({
      absolute: expected.difference,
      pValue: expected.pValue,
      interval: expected.interval,
      unadjusted: expected.unadjusted,
      varianceReduction: expected.varianceReduction,
    });
    expect(expected.varianceReduction).toBeGreaterThan(0.9);
    // The criterion speaks of the same number as the metric's own line.
    expect(report.criteria[0]).toMatchObject({
      outcome: 'met',
      estimate: expected.difference,
      interval: expected.interval,
    });
  });
});

describe('what a report says of its evidence', () => {
  const sides = ['old', 'new'].map((name) => ({
    ...variant(name, 100, { revenue: mean(40, 2, 1) }),
    requests: 1_000,
    waiting: { revenue: 60 },
  }));

  it('measures units that wait against units, not requests', () => {
    const report = makeReport({ ...summaryOf(sides), perUnit: ['revenue'] });
    expect(report.checks.maturity).toMatchObject({
      ok: false,
      text: "60 of new's units (60.0 %) still wait for the end of the window of revenue.",
    });
  });

  it('counts orphans once for the namespace, apart from the experiment’s own outcomes', () => {
    const outcomes = { received: 120, duplicates: 0, joined: 100, orphans: 20, late: 0 };
    const health = { ...quietHealth, outcomes, namespace: { outcomes: 1_000, orphans: 20 }, corrections: 3 };
    const { outcomeJoin, orphans } = makeReport({ ...summaryOf(sides), health }).checks;
    expect(outcomeJoin).toMatchObject({ ok: true, text: expect.stringContaining('3 were corrected by a later one') });
    expect(orphans).toMatchObject({ ok: true, numbers: { outcomes: 1_000, orphans: 20 } });
    const many = { ...health, namespace: { outcomes: 200, orphans: 20 } };
    const broken = makeReport({ ...summaryOf(sides), health: many });
    expect(broken.checks.orphans?.ok).toBe(false);
    expect(broken.findings.map(({ code }) => code)).toContain('outcomes-orphaned');
  });

  it('shows claims that differ from its own record, and is silent where nobody claims', () => {
    const health = {
      ...quietHealth,
      modelUsed: { compared: 200, mismatched: 5 },
      variantServed: { compared: 0, mismatched: 0 },
    };
    const { checks } = makeReport({ ...summaryOf(sides), health });
    expect(checks.modelUsed).toMatchObject({ ok: false, numbers: { share: 0.025 } });
    expect(checks.variantServed).toBeUndefined();
  });

  it('gives the second numbers without mixed units beside its own', () => {
    const without = ['old', 'new'].map((name, side) =>
      variant(name, 80, { rate: proportion(80, side === 0 ? 0.5 : 0.6) }),
    );
    const own = ['old', 'new'].map((name) => variant(name, 100, { rate: proportion(100, 0.5) }));
    const summary = {
      ...summaryOf(own),
      unmixed: { variants: without },
      health: { ...quietHealth, unitsInSeveralVariants: 40 },
    };
    const report = makeReport(summary);
    expect(report.sensitivity?.[0]).toMatchObject({
      name: 'exclude-mixed',
      text: expect.stringContaining('40 units'),
      metrics: [{ name: 'rate', variants: [{ n: 80 }, { n: 80, estimate: 0.6 }] }],
    });
    expect(report.metrics[0]?.variants[1]).toMatchObject({ n: 100, estimate: 0.5 });
    expect(makeReport(summaryOf(own)).sensitivity).toBeUndefined();
  });

  it('gives points over time, the stretches without a unit left out', () => {
    const moments = (value: number): ReturnType<typeof jointMomentsOf> =>
      jointMomentsOf([
        [value, 1],
        [value, 1],
      ]);
    const point = (name: string, hour: number, value: number) =>
      ({ metric: 'revenue', variant: name, atMs: hour * 3_600_000, n: 2, moments: moments(value) }) as const;
    const series = { widthMs: 3_600_000, points: [point('new', 0, 1), point('old', 0, 2), point('old', 2, 3)] };
    expect(makeReport({ ...summaryOf(sides), series }).series).toEqual([
      {
        metric: 'revenue',
        variant: 'new',
        everyMs: 3_600_000,
        points: [{ at: '1970-01-01T00:00:00.000Z', n: 2, estimate: 1 }],
      },
      {
        metric: 'revenue',
        variant: 'old',
        everyMs: 3_600_000,
        points: [
          { at: '1970-01-01T00:00:00.000Z', n: 2, estimate: 2 },
          { at: '1970-01-01T02:00:00.000Z', n: 2, estimate: 3 },
        ],
      },
    ]);
  });
});
