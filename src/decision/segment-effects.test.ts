import { describe, expect, it } from 'vitest';
import type { ExperimentSummary, MetricSummary, VariantSummary } from '../evidence/index.ts';
import { jointMomentsOf } from '../stats/index.ts';
import { makeReport } from './index.ts';
import { proportion, specification, summaryOf, variant } from './summary.fixture.ts';

const counts = (n: number, successes: number): MetricSummary => ({ kind: 'proportion', n, successes });
type Pair = readonly [old: MetricSummary, candidate: MetricSummary];
const cut = (segment: string, value: string, [old, candidate]: Pair): ExperimentSummary['segments'][number] => {
  const side = (name: string, summary: MetricSummary): VariantSummary =>
    variant(name, summary.kind === 'insufficient' ? 0 : summary.n, { accuracy: summary });
  return { segment, value, variants: [side('old', old), side('new', candidate)] };
};
const reportOf = (whole: Pair, segments: ExperimentSummary['segments']) => {
  const variants = cut('all', 'all', whole).variants;
  return makeReport(
    { ...summaryOf(variants), segments },
    { experiment: specification({ primary: ['accuracy > control.accuracy'] }) },
  );
};
const codes = (report: ReturnType<typeof reportOf>) => report.findings.map(({ code }) => code);

describe('effects by segment', () => {
  it('of a novelty that wears off are told apart from a lasting one', () => {
    const days = (last: number) =>
      reportOf(
        [proportion(9_000, 0.5), proportion(9_000, 0.54)],
        [
          cut('days_since_exposure', '0', [proportion(3_000, 0.5), proportion(3_000, 0.6)]),
          cut('days_since_exposure', '1', [proportion(3_000, 0.5), proportion(3_000, 0.55)]),
          cut('days_since_exposure', '2', [proportion(3_000, 0.5), proportion(3_000, last)]),
        ],
      );
    const fading = days(0.5);
    expect(codes(fading)).toContain('effect-changes-over-time');
    expect(fading.findings.find(({ code }) => code === 'effect-changes-over-time')?.text).toContain('wears off');
    expect(fading.segmentEffects?.[0]).toMatchObject({
      segment: 'days_since_exposure',
      metric: 'accuracy',
      decay: { change: expect.closeTo(-0.1, 9), interval: { kind: 'bounded' } },
    });
    expect(codes(days(0.595))).not.toContain('effect-changes-over-time');
  });

  it('say when the whole rests on one segment, and when it does not', () => {
    const split = (fresh: number, rest: number) =>
      reportOf(
        [proportion(8_000, 0.5), proportion(8_000, 0.53)],
        [
          cut('new_unit', 'new', [proportion(2_000, 0.5), proportion(2_000, fresh)]),
          cut('new_unit', 'established', [proportion(6_000, 0.5), proportion(6_000, rest)]),
        ],
      );
    const carried = split(0.62, 0.5);
    expect(codes(carried)).toContain('rests-on-one-segment');
    expect(codes(carried)).toContain('effect-differs-by-segment');
    expect(carried.segmentEffects?.[0]?.restsOn).toBe('new');
    expect(split(0.53, 0.53).segmentEffects?.[0]?.restsOn).toBe('none');
    expect(codes(split(0.53, 0.53))).not.toContain('effect-differs-by-segment');
  });

  it('that reverse inside segments are called so (kidney stones)', () => {
    // Charig et al. 1986, BMJ 292: open surgery is better for small and for large stones, and worse for all together.
    const report = reportOf(
      [counts(350, 273), counts(350, 289)],
      [
        cut('size', 'small', [counts(87, 81), counts(270, 234)]),
        cut('size', 'large', [counts(263, 192), counts(80, 55)]),
      ],
    );
    expect(report.segmentEffects?.[0]?.effects.map(({ difference }) => Math.sign(difference))).toEqual([-1, -1]);
    expect(report.segmentEffects?.[0]?.withinSegments).toMatch(/reversed|unclear/);
  });
});

describe('those who really got the candidate', () => {
  /** Every third unit fell back to the control, whose 0.5 it then has; the others have 0.8. */
  const side = (name: string, falls: boolean): VariantSummary => {
    const rows = Array.from({ length: 600 }, (_, i) => {
      const fell = falls && i % 3 === 0 ? 1 : 0;
      const chance = falls && fell === 0 ? 0.8 : 0.5;
      return [(i * 7) % 10 < chance * 10 ? 1 : 0, 1, fell, 1];
    });
    const joint = jointMomentsOf(rows);
    const rate = (column: number): MetricSummary =>
      counts(
        600,
        rows.reduce((sum, row) => sum + (row[column] ?? 0), 0),
      );
    return {
      ...variant(name, 600, { accuracy: rate(0), fell_back: rate(2) }),
      fallback: falls ? 200 : 0,
      joint: {
        columns: ['accuracy:numerator', 'accuracy:denominator', 'fell_back:numerator', 'fell_back:denominator'],
        moments: joint,
      },
    };
  };

  it('have the effect of assignment over the share that received it', () => {
    const report = makeReport(summaryOf([side('old', false), side('new', true)]), {
      experiment: {
        ...specification({ primary: ['accuracy > control.accuracy'] }),
        metrics: [
          { name: 'accuracy', definition: { kind: 'mean', expression: 'prediction == outcome.label' }, windowMs: 0 },
          { name: 'fell_back', definition: { kind: 'mean', expression: 'fallback' }, windowMs: 0 },
        ],
      },
    });
    const { difference } = report.metrics[0]?.variants[1] ?? {};
    if (difference === undefined || 'kind' in difference) throw new Error('no difference');
    expect(difference.compliers).toMatchObject({
      method: expect.stringContaining('complier'),
      estimate: expect.closeTo((difference.absolute * 3) / 2, 9),
      compliance: expect.closeTo(2 / 3, 9),
      interval: { kind: 'bounded' },
    });
  });

  it('are not known where nobody measures the fallbacks', () => {
    const report = makeReport(summaryOf([side('old', false), side('new', true)]));
    expect(report.metrics[0]?.variants[1]?.difference).toMatchObject({ compliers: { kind: 'insufficient' } });
  });
});
