import { describe, expect, it } from 'vitest';
import type { MetricSummary } from '../evidence/index.ts';
import type { Metric } from '../experiment/index.ts';
import { chanceRateAbove, constantRate, zeroOneMetrics } from './constant-rate.ts';
import { assessCriterion, type CriterionRule } from './criteria.ts';
import type { ReportedExperiment } from './judgement.ts';
import { makeReport } from './make-report.ts';
import type { CriterionEntry, Report } from './report.ts';
import { mean, proportion, specification, summaryOf, variant, zeroOneRows } from './summary.fixture.ts';

const metricOf = (expression: string, name = 'rate'): Metric => ({
  name,
  definition: { kind: 'mean', expression },
  windowMs: 0,
});
const declared = (expression: string, decision: Parameters<typeof specification>[0] = {}): ReportedExperiment => ({
  ...specification(decision),
  metrics: [metricOf(expression)],
});
const pair = (control: MetricSummary, candidate: MetricSummary) =>
  summaryOf([
    variant('old', control.kind === 'insufficient' ? 0 : control.n, { rate: control }),
    variant('new', 360, { rate: candidate }),
  ]);
const rateOf = (report: Report) => report.metrics[0]?.variants[1];

describe('metrics of 0/1 rows', () => {
  it.each([
    'failed',
    ' caller_failed ',
    'fallback',
    'not failed',
    'prediction == outcome.label',
    'failed or attempt_ms > 200',
    'exists(outcome.click)',
    'default(outcome.click > 0, false)',
    'max(failed, fallback)',
  ])('are known by their expression: %s', (expression) => {
    expect([...zeroOneMetrics([metricOf(expression)])]).toEqual(['rate']);
  });

  it.each([
    'attempt_ms',
    'status',
    'prediction',
    'outcome.revenue',
    // Its type is boolean, its value may be 7.
    'default(outcome.revenue, false)',
    'failed + fallback',
    '-failed',
    'outcome.revenue * (outcome.revenue > 0)',
    'failed +',
  ])('are not taken for granted: %s', (expression) => {
    expect(zeroOneMetrics([metricOf(expression)]).size).toBe(0);
  });

  it('are means, not quantiles', () => {
    const quantile: Metric = { ...metricOf('failed'), definition: { kind: 'quantile', expression: 'failed', q: 0.9 } };
    expect(zeroOneMetrics([quantile]).size).toBe(0);
  });
});

describe('a rate that never moved', () => {
  it('is seen in rows of 0 and in rows of 1, and ends with the first row that differs', () => {
    expect(constantRate(zeroOneRows(360, 0), true)).toEqual({ rate: 0, units: 360 });
    expect(constantRate(zeroOneRows(360, 1), true)).toEqual({ rate: 1, units: 360 });
    expect(constantRate(zeroOneRows(100_000, 0, 1), true)).toBeUndefined();
    expect(constantRate(zeroOneRows(100_000, 1, 1), true)).toBeUndefined();
    expect(constantRate(zeroOneRows(360, 0), false)).toBeUndefined();
    expect(constantRate(mean(360, 0, 0), true)).toBeUndefined();
    expect(constantRate(proportion(9, 0), false)).toEqual({ rate: 0, units: 9 });
    expect(constantRate({ kind: 'proportion', n: 9, successes: 0.2 }, false)).toBeUndefined();
    expect(constantRate({ kind: 'proportion', n: 0, successes: 0 }, false)).toBeUndefined();
  });

  it('has the exact interval by unit, named as such, however many rows the units have', () => {
    const entry = rateOf(
      makeReport(pair(zeroOneRows(840, 0), zeroOneRows(360, 0)), { experiment: declared('failed') }),
    );
    // R 4.2.2: binom.test(0, 360)
    expect(entry).toMatchObject({ n: 360, rows: 720, estimate: 0, intervalMethod: 'exact binomial bound by unit' });
    expect(entry?.interval).toMatchObject({ kind: 'bounded', lower: 0 });
    expect(upperOf(entry?.interval)).toBeCloseTo(0.01019456688201237, 12);
    const all = rateOf(
      makeReport(pair(zeroOneRows(840, 1), zeroOneRows(100, 1)), { experiment: declared('not failed') }),
    );
    expect(all?.interval).toMatchObject({ kind: 'bounded', lower: expect.closeTo(0.9637833073548235, 12), upper: 1 });
  });

  it('has no interval when the rows may be anything, and no method of its own once a row differs', () => {
    const revenue = rateOf(
      makeReport(pair(zeroOneRows(840, 0), zeroOneRows(360, 0)), { experiment: declared('outcome.revenue') }),
    );
    expect(revenue?.interval).toMatchObject({
      kind: 'insufficient',
      reason: expect.stringContaining('no unit differs'),
    });
    expect(revenue).not.toHaveProperty('intervalMethod');
    const undeclared = rateOf(makeReport(pair(zeroOneRows(840, 0), zeroOneRows(360, 0))));
    expect(undeclared?.interval).toMatchObject({ kind: 'insufficient' });
    const once = rateOf(
      makeReport(pair(zeroOneRows(840, 0), zeroOneRows(360, 0, 1)), { experiment: declared('failed') }),
    );
    expect(once?.interval).toMatchObject({ kind: 'bounded' });
    expect(once).not.toHaveProperty('intervalMethod');
  });

  it('differs from another such proportion by a score interval, without a p-value', () => {
    const { difference } = rateOf(makeReport(pair(proportion(840, 0), proportion(360, 0)))) ?? {};
    // With no event the constrained estimate puts all of a difference d into one arm: d^2 = z^2 d (1 - d) / n.
    const z2 = 1.959963984540054 ** 2;
    expect(difference).toMatchObject({
      absolute: 0,
      interval: {
        kind: 'bounded',
        lower: expect.closeTo(-z2 / (840 + z2), 12),
        upper: expect.closeTo(z2 / (360 + z2), 12),
      },
      pValue: { kind: 'insufficient', reason: 'nothing happened in either variant, so the rates cannot be told apart' },
    });
    const all = rateOf(makeReport(pair(proportion(840, 1), proportion(360, 1))));
    expect(all?.difference).toMatchObject({ interval: { kind: 'bounded' }, pValue: { kind: 'insufficient' } });
  });

  it('is not compared with another such ratio', () => {
    const report = makeReport(pair(zeroOneRows(840, 0), zeroOneRows(360, 0)), { experiment: declared('failed') });
    expect(rateOf(report)?.difference).toMatchObject({
      absolute: 0,
      interval: { kind: 'insufficient', reason: expect.stringContaining('no unit differs') },
      pValue: { kind: 'insufficient' },
    });
  });

  it('exceeds a limit with the probability of its beta posterior', () => {
    // R 4.2.2: pbeta(0.005, 1, 361), pbeta(0.99, 361, 1, lower.tail = FALSE)
    expect(chanceRateAbove(0.005, { rate: 0, units: 360 })).toBeCloseTo(1 - 0.8362685344410942, 12);
    expect(chanceRateAbove(0.99, { rate: 1, units: 360 })).toBeCloseTo(0.9734352795695131, 12);
    expect(chanceRateAbove(-1, { rate: 0, units: 360 })).toBe(1);
    expect(chanceRateAbove(1.5, { rate: 0, units: 360 })).toBe(0);
  });
});

describe('a criterion on a rate that never moved', () => {
  const assess = (text: string, candidate: MetricSummary, role: CriterionRule['role'] = 'guardrail') =>
    assessCriterion(
      { text, role, alpha: 0.05, model: undefined, zeroOne: new Set(['rate']), procedure: { kind: 'fixed' } },
      {
        control: variant('old', 840, { rate: zeroOneRows(840, 0) }),
        candidate: variant('new', 360, { rate: candidate }),
      },
    );

  // One-sided 5 %: R 4.2.2 qbeta(0.95, 1, 360) = 0.00828695.
  it.each<[string, 0 | 1, CriterionEntry['outcome']]>([
    ['rate < 0.02', 0, 'met'],
    ['rate < 0.0083', 0, 'met'],
    ['rate < 0.0082', 0, 'undecided'],
    ['rate > 0.0083', 0, 'not-met'],
    ['rate > 0.0082', 0, 'undecided'],
    ['2 * rate < 0.0166', 0, 'met'],
    ['-rate > -0.0083', 0, 'met'],
    ['0.02 > rate', 0, 'met'],
    ['rate > 0.9917', 1, 'met'],
    ['rate > 0.9918', 1, 'undecided'],
    ['rate < 0.9917', 1, 'not-met'],
  ])('%s with every row %d is %s', (text, usual, outcome) => {
    const { entry } = assess(text, zeroOneRows(360, usual));
    expect(entry.outcome).toBe(outcome);
    expect(entry.intervalMethod).toBe('exact binomial bound by unit');
    const isLikely = Number(entry.probability) > 0.5;
    expect(isLikely).toBe(outcome === 'met' || text === 'rate < 0.0082' || text === 'rate > 0.9918');
  });

  it('keeps the early guard: not decided before the candidate has 30 units', () => {
    const { entry } = assessCriterion(
      {
        text: 'rate < 0.5',
        role: 'guardrail',
        alpha: 0.05,
        model: undefined,
        zeroOne: new Set(['rate']),
        procedure: { kind: 'fixed' },
      },
      {
        control: variant('old', 29, { rate: zeroOneRows(29, 0) }),
        candidate: variant('new', 29, { rate: zeroOneRows(29, 0) }),
      },
    );
    expect(entry.outcome).toBe('undecided');
  });

  it('says how many units would decide it if every row stays the same', () => {
    // Two-sided 5 %: ln(0.025) / ln(0.999) = 3687.04 units of the candidate, which has 360 of 1200.
    const { unitsNeeded } = assess('rate < 0.001', zeroOneRows(360, 0), 'primary');
    expect(unitsNeeded).toEqual({ atEstimate: Math.ceil((3688 / 360) * 1200) });
    expect(assess('rate < 1.5', zeroOneRows(360, 0), 'primary').unitsNeeded).toBeUndefined();
  });

  it('on the difference of two such proportions is undecided or met by the score interval, without a probability', () => {
    const sides = {
      control: variant('old', 840, { rate: proportion(840, 0) }),
      candidate: variant('new', 360, { rate: proportion(360, 0) }),
    };
    const rule = {
      role: 'primary',
      alpha: 0.05,
      model: undefined,
      zeroOne: new Set<string>(),
      procedure: { kind: 'fixed' },
    } as const;
    const equal = assessCriterion({ ...rule, text: 'rate < control.rate' }, sides);
    expect(equal).toMatchObject({ harmful: false, entry: { outcome: 'undecided', interval: { kind: 'bounded' } } });
    expect(equal).not.toHaveProperty('unitsNeeded');
    const worse = assessCriterion({ ...rule, text: 'rate - control.rate < 0.02' }, sides).entry;
    expect(worse).toMatchObject({ outcome: 'met', probability: { kind: 'insufficient' } });
  });

  it('is told in plain words', () => {
    const decide = (guardrail: string, primary = 'rate < 0.02'): readonly string[] => {
      const experiment = {
        ...declared('failed', { primary: [primary], guardrails: [guardrail] }),
        plan: { requestsPerDay: 1200 },
      };
      // Without a log the numbers are a table, looked at once.
      const table = { ...pair(zeroOneRows(840, 0), zeroOneRows(360, 0)), health: null };
      return makeReport(table, { experiment }).verdict.reasons.map(({ text }) => text);
    };
    expect(decide('rate < 0.02')).toContain(
      'Guardrail rate < 0.02 is met for new: 0 (the same in every row of 360 units; exact 90 % interval by unit 0 to 0.00829, probability > 0.999).',
    );
    expect(decide('rate < 0.005')).toContain(
      'Guardrail rate < 0.005 is undecided for new: 0 (the same in every row of 360 units; exact 90 % interval by unit 0 to 0.00829, probability 0.84).',
    );
    expect(decide('rate < 0.02', 'rate < 0.001')).toContain(
      'If every row stays the same, rate < 0.001 will be decided at about 12,000 units; at 1,200 a day that is 10 d 5 h.',
    );
  });
});

function upperOf(interval: unknown): number {
  return (interval as { readonly upper: number }).upper;
}
