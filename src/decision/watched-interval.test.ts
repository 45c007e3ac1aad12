import { describe, expect, it } from 'vitest';
import { createRandom } from '../stats/index.ts';
import { assessCriterion } from './criteria.ts';
import { makeReport } from './index.ts';
import { type Procedure, proceduresOf } from './procedure.ts';
import { mean, proportion, specification, summaryOf, variant } from './summary.fixture.ts';

const alpha = 0.05;
const sequential: Procedure = { kind: 'sequential', horizon: 2_000 };

/** Share of runs in which a criterion that is not so was said to be met (or not met) at any of the looks. */
function falseAlarms(
  text: string,
  world: { readonly rate: number; readonly role: 'primary' | 'guardrail'; readonly procedure: Procedure },
  wrong: 'met' | 'not-met',
): number {
  const random = createRandom(11);
  const runs = 300;
  let alarms = 0;
  for (let run = 0; run < runs; run += 1) {
    const hits = { old: 0, new: 0 };
    for (let n = 50; n <= 1_000; n += 50) {
      for (let i = 0; i < 50; i += 1) {
        hits.old += random.uniform() < world.rate ? 1 : 0;
        hits.new += random.uniform() < world.rate ? 1 : 0;
      }
      const side = (name: 'old' | 'new') =>
        variant(name, n, { rate: { kind: 'proportion', n, successes: hits[name] } });
      const { entry } = assessCriterion(
        { text, role: world.role, alpha, model: undefined, zeroOne: new Set(['rate']), procedure: world.procedure },
        { control: side('old'), candidate: side('new') },
      );
      if (entry.outcome === wrong) {
        alarms += 1;
        break;
      }
    }
  }
  return alarms / runs;
}

describe('a criterion that is watched', () => {
  // 300 runs: the standard error of a true 0.025 is 0.009, of a true 0.05 0.0126.
  it('calls equal models better at 20 looks no more often than half of alpha', () => {
    const world = { rate: 0.3, role: 'primary', procedure: sequential } as const;
    expect(falseAlarms('rate > control.rate', world, 'met')).toBeLessThan(0.025);
    // The same looks at the interval of one look: what everybody does.
    expect(falseAlarms('rate > control.rate', { ...world, procedure: { kind: 'fixed' } }, 'met')).toBeGreaterThan(0.08);
  });

  it('keeps half of alpha at the looks of a plan too', () => {
    const { criteria } = proceduresOf(
      { ...specification({ method: 'group-sequential' }), plan: { units: 2_000 } },
      { isLive: true },
    );
    expect(criteria.kind).toBe('group-sequential');
    const world = { rate: 0.3, role: 'primary', procedure: criteria } as const;
    expect(falseAlarms('rate > control.rate', world, 'met')).toBeLessThan(0.045);
  });

  it('breaks a guardrail whose rate stands exactly at its limit no more often than alpha', () => {
    const world = { rate: 0.02, role: 'guardrail', procedure: sequential } as const;
    expect(falseAlarms('rate < 0.02', world, 'not-met')).toBeLessThan(0.05);
    expect(falseAlarms('rate < 0.02', world, 'met')).toBeLessThan(0.05);
  });

  it('is decided all the same when the effect is there, and says by what and what one look would have said', () => {
    const live = specification({ primary: ['accuracy > control.accuracy'], guardrails: ['errors < 0.02'] });
    const { method: _, ...decision } = live.decision;
    const side = (name: string, share: number) =>
      variant(name, 4_000, {
        accuracy: proportion(4_000, share),
        errors: proportion(4_000, 0.005),
        ms: mean(4_000, 50, 9),
      });
    const report = makeReport(summaryOf([side('old', 0.7), side('new', 0.76)]), {
      experiment: { ...live, decision },
    });
    expect(report.verdict.kind).toBe('ship');
    expect(report.criteria[0]).toMatchObject({
      outcome: 'met',
      method: 'asymptotic confidence sequence',
      fixedHorizon: { outcome: 'met', interval: { kind: 'bounded' } },
    });
    expect(report.criteria[1]).toMatchObject({ outcome: 'met', method: 'beta-binomial mixture sequence' });
    const width = (interval: unknown): number => {
      const { lower, upper } = interval as { readonly lower: number; readonly upper: number };
      return upper - lower;
    };
    expect(width(report.criteria[0]?.interval)).toBeGreaterThan(width(report.criteria[0]?.fixedHorizon?.interval));
    expect(report.value.net).toMatchObject({ sequential: { kind: 'bounded' } });
    const { difference } = report.metrics[0]?.variants[1] ?? {};
    expect(difference).toMatchObject({
      method: expect.stringContaining('z-test'),
      sequential: { method: 'asymptotic confidence sequence', pValue: expect.any(Number) },
      bayes: { probabilityHigher: expect.closeTo(1, 6), interval: { kind: 'bounded' } },
      adjusted: { method: 'holm', comparisons: 2, interval: { kind: 'bounded' } },
    });
  });

  it('says what one look would have said where it differs', () => {
    const side = (name: string, share: number) => variant(name, 1_000, { accuracy: proportion(1_000, share) });
    const live = specification({ primary: ['accuracy > control.accuracy'], method: 'sequential' });
    const report = makeReport(summaryOf([side('old', 0.7), side('new', 0.745)]), { experiment: live });
    expect(report.verdict.kind).toBe('keep-testing');
    expect(report.criteria[0]).toMatchObject({ outcome: 'undecided', fixedHorizon: { outcome: 'met' } });
    expect(report.verdict.reasons[0]?.text).toContain('at every look; for one look at the end it would be');
  });

  it('says at how many units it will be decided, and nothing where that is beyond all experiments', () => {
    const decide = (distance: number) => {
      const side = (name: string, center: number) => variant(name, 1_000, { score: mean(1_000, center, 1) });
      return assessCriterion(
        {
          text: 'score > control.score',
          role: 'primary',
          alpha,
          model: undefined,
          zeroOne: new Set(),
          procedure: sequential,
        },
        { control: side('old', 0), candidate: side('new', distance) },
      ).unitsNeeded;
    };
    const needed = decide(0.05);
    // One look needs 2 (1.96 / 0.05)^2 a side; the sequence some twice as many.
    expect((needed?.atEstimate ?? 0) / 2 / (2 * (1.96 / 0.05) ** 2)).toBeGreaterThan(1.5);
    expect(needed?.withPower80).toBeGreaterThan(needed?.atEstimate ?? 0);
    for (const distance of [0, 1e-7, 1e-9, 1e-15, -1e-12]) expect(decide(distance)).toBeUndefined();
  });

  it('waits for 50 units of each variant', () => {
    const side = (name: string, share: number) => variant(name, 40, { score: mean(40, share, 1) });
    const { entry } = assessCriterion(
      {
        text: 'score > control.score',
        role: 'primary',
        alpha,
        model: undefined,
        zeroOne: new Set(),
        procedure: sequential,
      },
      { control: side('old', 0), candidate: side('new', 9) },
    );
    expect(entry).toMatchObject({
      outcome: 'undecided',
      interval: { reason: '40 units of one variant are too few to be watched; it takes 50' },
    });
  });

  it('is watched by default in a running experiment, and looked at once in a table', () => {
    const decision = {};
    expect(proceduresOf({ decision, plan: {} }, { isLive: true }).criteria.kind).toBe('sequential');
    expect(proceduresOf({ decision, plan: {} }, { isLive: false }).criteria.kind).toBe('fixed');
    expect(proceduresOf(undefined, { isLive: true }).criteria.kind).toBe('fixed');
    expect(proceduresOf({ decision: { method: 'fixed' }, plan: {} }, { isLive: true }).guardrails.kind).toBe(
      'sequential',
    );
  });
});
