import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ExperimentSummary, VariantSummary } from '../evidence/index.ts';
import { jointMomentsOf, momentsOf } from '../stats/index.ts';
import { makeReport, type Report } from './index.ts';
import { mean, proportion, specification, summaryOf, variant } from './summary.fixture.ts';

/** Paths of everything a reader could stumble over: null, undefined, NaN, infinities. */
function holes(value: unknown, path = 'report'): readonly string[] {
  if (value === null || value === undefined) return [path];
  if (typeof value === 'number') return Number.isFinite(value) ? [] : [path];
  if (typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, part]) => holes(part, `${path}.${key}`));
}

function difference(report: Report, metric: string, name = 'new') {
  const found = report.metrics.find((entry) => entry.name === metric)?.variants.find((entry) => entry.variant === name);
  if (found?.difference === undefined || !('absolute' in found.difference))
    throw new Error(`no difference of ${metric}`);
  return found.difference;
}

const empty = (name: string): VariantSummary =>
  variant(name, 0, { accuracy: { kind: 'insufficient', reason: 'no outcome has arrived yet' } });

describe('a report', () => {
  it('agrees with R t.test on the sleep data', () => {
    // R 4.2: t.test(extra ~ group, data = sleep), published in its help page
    const first = momentsOf([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]);
    const second = momentsOf([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]);
    const report = makeReport(
      summaryOf([
        variant('old', 10, { extra: { kind: 'mean', ...first } }),
        variant('new', 10, { extra: { kind: 'mean', ...second } }),
      ]),
    );
    const { pValue, interval } = difference(report, 'extra');
    expect(pValue).toBeCloseTo(0.0793941401873582, 12);
    if (interval.kind !== 'bounded') throw new Error('no interval');
    expect(interval.lower).toBeCloseTo(-0.20548323071171, 10);
    expect(interval.upper).toBeCloseTo(3.36548323071171, 10);
  });

  it('agrees with the published ratio example: variance by unit', () => {
    // Clicks per view by user; delta method of Deng et al. 2018, recomputed with 15 digits.
    const control = jointMomentsOf([
      [1, 5],
      [0, 2],
      [2, 6],
      [3, 9],
      [1, 4],
      [0, 3],
    ]);
    const candidate = jointMomentsOf([
      [2, 6],
      [1, 3],
      [2, 5],
      [4, 8],
      [0, 2],
      [1, 4],
    ]);
    const report = makeReport(
      summaryOf([
        variant('old', 6, { ctr: { kind: 'ratio', n: 6, rows: 29, moments: control } }),
        variant('new', 6, { ctr: { kind: 'ratio', n: 6, rows: 28, moments: candidate } }),
      ]),
    );
    const { absolute, interval, relative } = difference(report, 'ctr');
    expect(absolute).toBeCloseTo(0.11576354679803, 13);
    expect(relative).toBeCloseTo(0.479591836734694, 13);
    if (interval.kind !== 'bounded') throw new Error('no interval');
    expect((interval.upper - interval.lower) / 2 / 1.959963984540054).toBeCloseTo(0.0756682968250866, 12);
  });

  it('compares a variant whose units have one row each with one whose units have several', () => {
    const several = jointMomentsOf(Array.from({ length: 100 }, (_, i) => [i % 3, 2]));
    const report = makeReport(
      summaryOf([
        variant('old', 100, { hits: proportion(100, 0.4) }),
        variant('new', 100, { hits: { kind: 'ratio', n: 100, rows: 200, moments: several } }),
      ]),
    );
    expect(difference(report, 'hits').absolute).toBeCloseTo(0.495 - 0.4, 12);
    expect(difference(report, 'hits').pValue).toBeTypeOf('number');
  });

  it('answers insufficient, never null or NaN, before anything arrived', () => {
    const summary: ExperimentSummary = {
      ...summaryOf([empty('old'), empty('new')], [0.5, 0.5]),
      fromMs: null,
      toMs: null,
    };
    const report = makeReport(summary, { experiment: specification({ primary: ['net_value > 2'] }) });
    expect(holes(report)).toEqual([]);
    expect(report.verdict.kind).toBe('keep-testing');
    expect(report.checks.sampleRatio.pValue).toMatchObject({ kind: 'insufficient' });
    expect(report.variants[0]?.failureRate).toMatchObject({ kind: 'insufficient' });
    expect(report.metrics[0]?.variants[1]).toMatchObject({
      estimate: { kind: 'insufficient', reason: 'no outcome has arrived yet' },
      difference: { kind: 'insufficient', reason: 'no outcome has arrived yet' },
    });
    expect(report.value.net).toMatchObject({ kind: 'insufficient' });
  });

  it('answers insufficient for a metric that no unit varies in', () => {
    const report = makeReport(
      summaryOf([variant('old', 50, { failed: proportion(50, 0) }), variant('new', 50, { failed: proportion(50, 0) })]),
    );
    expect(difference(report, 'failed')).toMatchObject({ absolute: 0, relative: { kind: 'insufficient' } });
    expect(holes(report)).toEqual([]);
  });

  it('knows no failure rate where no log is behind the numbers', () => {
    const summary = summaryOf([variant('old', 9, {}), variant('new', 9, {})]);
    expect(makeReport(summary).variants[0]?.failureRate).toBe(0);
    expect(makeReport({ ...summary, health: null }).variants[0]?.failureRate).toMatchObject({ kind: 'insufficient' });
  });

  it('leaves the control without a difference and refuses a summary without it', () => {
    const report = makeReport(summaryOf([variant('old', 9, {}), variant('new', 9, { x: mean(9, 1, 1) })]));
    expect(report.metrics[0]?.variants[0]).not.toHaveProperty('difference');
    expect(() => makeReport({ ...summaryOf([variant('a', 1, {}), variant('b', 1, {})]) })).toThrow(RangeError);
    expect(() => makeReport(summaryOf([variant('old', 1, {})]))).toThrow('must hold the control old and a candidate');
    expect(() => makeReport(summaryOf([variant('old', 1, {}), variant('new', 1, {})]), { alpha: 1.2 })).toThrow(
      'alpha is 1.2, must be in (0, 1)',
    );
  });

  it('gives a metric the role of the weightiest list that names it', () => {
    const metrics = {
      accuracy: proportion(900, 0.7),
      latency: mean(900, 50, 9),
      other: mean(900, 1, 1),
      errors: proportion(900, 0.1),
    };
    const report = makeReport(summaryOf([variant('old', 900, metrics), variant('new', 900, metrics)]), {
      experiment: specification({
        primary: ['net_value > 2'],
        secondary: ['latency < 200', 'errors < 0.5'],
        guardrails: ['errors < 0.2'],
      }),
    });
    expect(report.metrics.map(({ name, role }) => [name, role])).toEqual([
      ['accuracy', 'primary'],
      ['latency', 'secondary'],
      ['other', 'informational'],
      ['errors', 'guardrail'],
    ]);
  });

  it('takes fewer failures for better without being told', () => {
    const rates = (n: number, share: number): VariantSummary['metrics'] => ({ failed: proportion(n, share) });
    const report = makeReport(
      summaryOf([variant('old', 5000, rates(5000, 0.1)), variant('new', 5000, rates(5000, 0.05))]),
    );
    expect(report.verdict.kind).toBe('ship');
    const told = makeReport(
      summaryOf([variant('old', 5000, { cost: mean(5000, 9, 1) }), variant('new', 5000, { cost: mean(5000, 8, 1) })]),
      { lowerIsBetter: ['cost'] },
    );
    expect(told.verdict.kind).toBe('ship');
  });

  it('reports rare events with the exact p-value', () => {
    // 0 of 1000 against 8 of 1000, Fisher's exact p (R 4.2 fisher.test): 0.00770348085108390
    const report = makeReport(
      summaryOf([
        variant('old', 1000, { failed: { kind: 'proportion', n: 1000, successes: 0 } }),
        variant('new', 1000, { failed: { kind: 'proportion', n: 1000, successes: 8 } }),
      ]),
    );
    const rare = report.findings.find(({ code }) => code === 'rare-events');
    expect(rare?.numbers?.fisherPValue).toBeCloseTo(0.0077034808510839, 12);
    expect(rare?.text).toContain('0 of 1,000 against 8 of 1,000');
    const entry = report.metrics.find(({ name }) => name === 'failed');
    expect(entry?.method).toBe("Fisher's mid-p test with melded interval");
    expect(entry?.variants[1]?.difference).toMatchObject({
      pValue: expect.closeTo(0.0077034808510839 / 2, 12),
      because: expect.stringContaining('the smallest cell holds 0 units'),
    });
  });

  it('compares within segments and says so when a segment holds one variant only', () => {
    const metrics = { x: mean(40, 1, 1) };
    const summary = summaryOf([variant('old', 80, metrics), variant('new', 80, metrics)]);
    const report = makeReport({
      ...summary,
      segments: [
        { segment: 'isNew', value: 'true', variants: [variant('old', 40, metrics), variant('new', 40, metrics)] },
        { segment: 'isNew', value: 'false', variants: [variant('new', 40, metrics)] },
      ],
    });
    expect(report.segments[0]?.metrics[0]?.variants[1]?.difference).toMatchObject({ absolute: 0 });
    expect(report.segments[1]?.metrics[0]?.variants[0]?.difference).toMatchObject({ kind: 'insufficient' });
  });

  it('flips its signs and keeps its p-values when control and candidate change places', () => {
    const share = fc.integer({ min: 20, max: 180 });
    fc.assert(
      fc.property(
        share,
        share,
        fc.double({ min: -5, max: 5, noNaN: true }),
        fc.double({ min: 0.1, max: 9, noNaN: true }),
        (x, y, center, deviation) => {
          const left = variant('old', 200, {
            accuracy: { kind: 'proportion', n: 200, successes: x },
            time: mean(200, center, deviation),
          });
          const right = variant('new', 200, {
            accuracy: { kind: 'proportion', n: 200, successes: y },
            time: mean(200, 1, 2),
          });
          const options = { experiment: specification({ primary: ['net_value > 0'] }) };
          const there = makeReport(summaryOf([left, right]), options);
          const back = makeReport({ ...summaryOf([left, right]), control: 'new' }, options);
          for (const name of ['accuracy', 'time']) {
            const a = difference(there, name);
            const b = difference(back, name, 'old');
            expect(b.absolute).toBeCloseTo(-a.absolute, 12);
            expect(b.pValue).toBeCloseTo(a.pValue as number, 9);
            if (a.interval.kind !== 'bounded' || b.interval.kind !== 'bounded') throw new Error('no interval');
            expect(b.interval.lower).toBeCloseTo(-a.interval.upper, 8);
            // Interval and p-value come from one method and never contradict each other.
            expect(a.interval.lower > 0 || a.interval.upper < 0).toBe((a.pValue as number) < 0.05);
          }
          if (!('estimate' in there.value.net) || !('estimate' in back.value.net)) throw new Error('no net value');
          expect(back.value.net.estimate).toBeCloseTo(-there.value.net.estimate, 9);
          expect(holes(there)).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });
});
