import { describe, expect, it } from 'vitest';
import type { VariantSummary } from '../evidence/index.ts';
import { makeReport } from './index.ts';
import type { VerdictKind } from './report.ts';
import { mean, proportion, specification, summaryOf, variant } from './summary.fixture.ts';

interface Row {
  readonly rule: string;
  readonly verdict: VerdictKind;
  readonly reason: string;
  readonly control: VariantSummary;
  readonly candidate: VariantSummary;
  readonly decision?: Parameters<typeof specification>[0];
  readonly shares?: readonly number[];
  readonly nowMs?: number;
}

const accuracy = (name: string, share: number, n = 10_000): VariantSummary =>
  variant(name, n, { accuracy: proportion(n, share), error_rate: proportion(n, 0.001) });
const failing = (name: string, share: number, errors: number): VariantSummary =>
  variant(name, 10_000, { accuracy: proportion(10_000, share), error_rate: proportion(10_000, errors) });
const guarded = { primary: ['accuracy > control.accuracy'], guardrails: ['error_rate < 0.02'] };

const rows: readonly Row[] = [
  {
    rule: 'every primary met and guardrails hold',
    verdict: 'ship',
    reason: 'primary-met',
    control: accuracy('old', 0.7),
    candidate: accuracy('new', 0.75),
    decision: guarded,
  },
  {
    rule: 'a broken guardrail outweighs a met primary',
    verdict: 'roll-back',
    reason: 'guardrail-breached',
    control: accuracy('old', 0.7),
    candidate: failing('new', 0.75, 0.05),
    decision: guarded,
  },
  {
    rule: 'a broken guardrail outweighs a broken split',
    verdict: 'roll-back',
    reason: 'guardrail-breached',
    control: accuracy('old', 0.7),
    candidate: failing('new', 0.75, 0.05),
    decision: guarded,
    shares: [0.6, 0.4],
  },
  {
    rule: 'a broken split outweighs a met primary',
    verdict: 'invalid',
    reason: 'sample-ratio-mismatch',
    control: accuracy('old', 0.7),
    candidate: accuracy('new', 0.75),
    decision: guarded,
    shares: [0.6, 0.4],
  },
  {
    rule: 'a broken split outweighs a short run',
    verdict: 'invalid',
    reason: 'sample-ratio-mismatch',
    control: accuracy('old', 0.7),
    candidate: accuracy('new', 0.75),
    decision: { ...guarded, minDurationMs: 48 * 3_600_000 },
    shares: [0.6, 0.4],
  },
  {
    rule: 'a short run outweighs a met primary',
    verdict: 'keep-testing',
    reason: 'min-duration',
    control: accuracy('old', 0.7),
    candidate: accuracy('new', 0.75),
    decision: { ...guarded, minDurationMs: 48 * 3_600_000 },
  },
  {
    rule: 'a guardrail whose estimate is on the wrong side holds a ship back',
    verdict: 'keep-testing',
    reason: 'guardrail-undecided',
    control: accuracy('old', 0.7),
    candidate: failing('new', 0.75, 0.0205),
    decision: guarded,
  },
  {
    rule: 'a guardrail nothing is known of holds a ship back',
    verdict: 'keep-testing',
    reason: 'guardrail-undecided',
    control: accuracy('old', 0.7),
    candidate: variant('new', 10_000, { accuracy: proportion(10_000, 0.75) }),
    decision: guarded,
  },
  {
    rule: 'significantly worse than the control rolls back',
    verdict: 'roll-back',
    reason: 'worse-than-control',
    control: accuracy('old', 0.75),
    candidate: accuracy('new', 0.7),
    decision: guarded,
  },
  {
    rule: 'a net value below zero by its whole interval rolls back',
    verdict: 'roll-back',
    reason: 'worse-than-control',
    control: accuracy('old', 0.75),
    candidate: accuracy('new', 0.7),
    decision: { primary: ['net_value > 2'] },
  },
  {
    rule: 'a limit that is missed without harm is no difference',
    verdict: 'no-difference',
    reason: 'primary-not-met',
    control: accuracy('old', 0.7),
    candidate: accuracy('new', 0.71),
    decision: { primary: ['accuracy - control.accuracy > 0.03'] },
  },
  {
    rule: 'a cheaper model may ship although slightly worse when the criterion allows it',
    verdict: 'ship',
    reason: 'primary-met',
    control: accuracy('old', 0.75, 100_000),
    candidate: accuracy('new', 0.74, 100_000),
    decision: { primary: ['accuracy > control.accuracy - 0.02'] },
  },
  {
    rule: 'an undecided primary keeps testing',
    verdict: 'keep-testing',
    reason: 'primary-undecided',
    control: accuracy('old', 0.7, 500),
    candidate: accuracy('new', 0.73, 500),
    decision: guarded,
  },
  {
    rule: 'an undecided primary at the end of the plan is no difference',
    verdict: 'no-difference',
    reason: 'max-duration',
    control: accuracy('old', 0.7, 500),
    candidate: accuracy('new', 0.73, 500),
    decision: guarded,
    nowMs: 29 * 86_400_000,
  },
  {
    rule: 'a secondary criterion that is missed does not stop a ship',
    verdict: 'ship',
    reason: 'primary-met',
    control: accuracy('old', 0.7),
    candidate: accuracy('new', 0.75),
    decision: { ...guarded, secondary: ['accuracy > 0.9'] },
  },
  {
    rule: 'without criteria a significantly better first metric ships',
    verdict: 'ship',
    reason: 'primary-met',
    control: accuracy('old', 0.7),
    candidate: accuracy('new', 0.75),
  },
  {
    rule: 'without criteria a significantly worse first metric rolls back',
    verdict: 'roll-back',
    reason: 'worse-than-control',
    control: accuracy('old', 0.75),
    candidate: accuracy('new', 0.7),
  },
  {
    rule: 'without criteria and evidence testing goes on',
    verdict: 'keep-testing',
    reason: 'primary-undecided',
    control: accuracy('old', 0.7, 100),
    candidate: accuracy('new', 0.71, 100),
  },
  {
    rule: 'one failure among the first few requests does not roll back',
    verdict: 'keep-testing',
    reason: 'primary-undecided',
    control: accuracy('old', 0.7, 5),
    candidate: variant('new', 5, {
      accuracy: proportion(5, 0.6),
      error_rate: { kind: 'proportion', n: 5, successes: 1 },
    }),
    decision: guarded,
  },
];

describe('the verdict', () => {
  it.each(rows)('is $verdict when: $rule', ({ verdict, reason, control, candidate, decision, shares, nowMs }) => {
    const report = makeReport(summaryOf([control, candidate], shares), {
      ...(decision === undefined ? {} : { experiment: specification(decision) }),
      startedAtMs: 0,
      nowMs: nowMs ?? 86_400_000,
    });
    expect(report.verdict.kind).toBe(verdict);
    expect(report.verdict.reasons[0]?.code).toBe(reason);
    expect(report.verdict.variant).toBe('new');
  });

  it('is a strong recommendation only when the whole interval of the net value exceeds the strong level', () => {
    const decide = (share: number): string =>
      makeReport(summaryOf([accuracy('old', 0.7, 20_000), accuracy('new', share, 20_000)]), {
        experiment: specification({ primary: ['accuracy > control.accuracy'] }),
      }).verdict.recommendation;
    expect(decide(0.75)).toBe('strong-recommend');
    expect(decide(0.725)).toBe('recommend');
    expect(decide(0.65)).toBe('reject');
    expect(decide(0.7)).toBe('continue-testing');
  });

  it('says what the point rule would have said, and that it differs', () => {
    const report = makeReport(summaryOf([accuracy('old', 0.7, 300), accuracy('new', 0.73, 300)]), {
      experiment: specification({ primary: ['net_value > 2'] }),
    });
    expect(report.verdict.pointRule).toBe('strong-recommend');
    expect(report.verdict.recommendation).toBe('continue-testing');
    expect(report.findings.map(({ code }) => code)).toContain('point-rule-differs');
  });

  it('has no point rule without a value model', () => {
    const report = makeReport(summaryOf([accuracy('old', 0.7), accuracy('new', 0.75)]));
    expect(report.verdict.pointRule).toEqual({
      kind: 'insufficient',
      reason: 'the experiment declares no value model',
    });
  });

  it('says how many units an undecided primary would need', () => {
    const report = makeReport(summaryOf([accuracy('old', 0.7, 500), accuracy('new', 0.73, 500)]), {
      experiment: { ...specification({ primary: ['net_value > 0'] }), plan: { requestsPerDay: 1000 } },
    });
    const needed = report.verdict.reasons.find(({ code }) => code === 'units-needed');
    // n (z se / margin)^2 with se^2 = 0.7 x 0.3 / 500 + 0.73 x 0.27 / 500, margin 0.03
    const variance = (0.7 * 0.3 + 0.73 * 0.27) / 500;
    expect(needed?.numbers?.units).toBe(Math.ceil((1000 * 1.959963984540054 ** 2 * variance) / 0.03 ** 2));
    expect(needed?.numbers?.unitsWithPower80).toBe(
      Math.ceil((1000 * (1.959963984540054 + 0.8416212335729143) ** 2 * variance) / 0.03 ** 2),
    );
    expect(needed?.text).toContain('at 1,000 a day');
  });

  it('speaks of a broken guardrail before a candidate to ship, and of that before one still open', () => {
    const old = accuracy('old', 0.7);
    const better = accuracy('better', 0.75);
    const same = accuracy('same', 0.7);
    const broken = failing('broken', 0.75, 0.05);
    const speak = (...candidates: readonly VariantSummary[]): string => {
      const { verdict } = makeReport(summaryOf([old, ...candidates]), { experiment: specification(guarded) });
      return `${verdict.kind} ${verdict.variant}`;
    };
    expect(speak(same, better)).toBe('ship better');
    expect(speak(same, better, broken)).toBe('roll-back broken');
    expect(speak(same, accuracy('worse', 0.6))).toBe('keep-testing same');
  });

  it('shares alpha out over several candidates', () => {
    // p = 0.03 alone: below 0.05, above 0.05 / 2.
    const old = variant('old', 2000, { score: mean(2000, 0, 1) });
    const first = variant('first', 2000, { score: mean(2000, 2.17 * Math.sqrt(2 / 2000), 1) });
    const second = variant('second', 2000, { score: mean(2000, 0, 1) });
    expect(makeReport(summaryOf([old, first])).verdict.kind).toBe('ship');
    const both = makeReport(summaryOf([old, first, second]));
    expect(both.verdict.kind).toBe('keep-testing');
    expect(both.findings.map(({ code }) => code)).toContain('several-candidates');
  });
});
