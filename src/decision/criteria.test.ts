import { describe, expect, it } from 'vitest';
import { assessCriterion, type CriterionRule } from './criteria.ts';
import { criterionNames, netValueLimit } from './criterion-form.ts';
import { makeReport } from './make-report.ts';
import { mean, proportion, summaryOf, variant } from './summary.fixture.ts';

const model = { unit: 'points', terms: [{ name: 'lift', metric: 'accuracy', coefficient: 1, per: 0.01 }] };
const sides = {
  control: variant('old', 4000, { accuracy: proportion(4000, 0.7), time: mean(4000, 50, 20) }),
  candidate: variant('new', 4000, { accuracy: proportion(4000, 0.76), time: mean(4000, 55, 20) }),
};
const rule = (text: string, role: CriterionRule['role'] = 'primary'): CriterionRule => ({
  text,
  role,
  alpha: 0.05,
  model,
  zeroOne: new Set(),
});
const entryOf = (text: string, role?: CriterionRule['role']) => assessCriterion(rule(text, role), sides).entry;

describe('a criterion', () => {
  it.each([
    ['accuracy > control.accuracy', 'met', 0.06, 0],
    ['accuracy - control.accuracy > 0.03', 'met', 0.06, 0.03],
    ['accuracy > control.accuracy + 3%', 'met', 0.06, 0.03],
    ['accuracy - control.accuracy > 0.06', 'undecided', 0.06, 0.06],
    ['accuracy - control.accuracy >= 0.09', 'not-met', 0.06, 0.09],
    ['0.7 < accuracy', 'met', 0.76, 0.7],
    ['accuracy < 0.7', 'not-met', 0.76, 0.7],
    ['time < 60', 'met', 55, 60],
    ['time < 1.2 * control.time', 'met', -5, 0],
    ['net_value > 2', 'met', 6, 2],
    ['2 < net_value', 'met', 6, 2],
    ['net_value / 2 > 1', 'met', 3, 1],
  ])('%s is %s', (text, outcome, estimate, limit) => {
    const entry = entryOf(text);
    expect(entry.outcome).toBe(outcome);
    expect(entry.estimate).toBeCloseTo(estimate, 9);
    expect(entry.limit).toBeCloseTo(limit, 12);
  });

  it('of a difference has the very interval of the metric', () => {
    const report = makeReport(summaryOf([sides.control, sides.candidate]));
    const difference = report.metrics[0]?.variants[1]?.difference;
    expect(entryOf('accuracy > control.accuracy').interval).toEqual(
      difference !== undefined && 'interval' in difference ? difference.interval : 'none',
    );
  });

  it('holds with a probability that grows with the margin, from either side', () => {
    const chance = (text: string): number => Number(entryOf(text).probability);
    expect(chance('accuracy - control.accuracy > 0.06')).toBeCloseTo(0.5, 6);
    expect(chance('accuracy - control.accuracy < 0.06')).toBeCloseTo(0.5, 6);
    expect(chance('accuracy - control.accuracy > 0.05')).toBeGreaterThan(0.8);
    expect(chance('accuracy - control.accuracy < 0.05')).toBeLessThan(0.2);
  });

  it('as a guardrail is decided one-sided: earlier than as a primary', () => {
    // 76 % of 4000, standard error 0.00675: the limit 0.7715 lies 1.70 standard errors above.
    expect(entryOf('accuracy < 0.7715', 'primary').outcome).toBe('undecided');
    expect(entryOf('accuracy < 0.7715', 'guardrail').outcome).toBe('met');
    expect(entryOf('accuracy > 0.7715', 'guardrail').outcome).toBe('not-met');
  });

  it.each([
    ['accuracy >', 'cannot be read'],
    ['accuracy', 'cannot be read'],
    ['accuracy * time > 3', 'cannot be tested'],
    ['1 > 0', 'names no metric'],
    ['clicks > 1', 'clicks was not measured for new'],
    ['accuracy > control.clicks', 'clicks was not measured for old'],
  ])('that cannot be answered is undecided with its reason: %s', (text, reason) => {
    const entry = entryOf(text);
    expect(entry.outcome).toBe('undecided');
    expect(entry.estimate).toMatchObject({ kind: 'insufficient', reason: expect.stringContaining(reason) });
  });

  it('on the net value needs a value model', () => {
    const { entry } = assessCriterion({ ...rule('net_value > 2'), model: undefined }, sides);
    expect(entry.probability).toMatchObject({ reason: 'the experiment declares no value model' });
  });

  it('tells the limit of the net value and the metrics it names', () => {
    expect(netValueLimit('net_value > 2', model)).toBe(2);
    expect(netValueLimit('2 * net_value > 3', model)).toBe(1.5);
    expect(netValueLimit('net_value > time', model)).toBeUndefined();
    expect(netValueLimit('accuracy > 2', model)).toBeUndefined();
    expect(criterionNames('accuracy - control.time > net_value')).toEqual(['accuracy', 'time', 'net_value']);
  });
});
