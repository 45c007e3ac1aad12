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
  procedure: { kind: 'fixed' },
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

  it.each([
    ['accuracy > control.accuracy', 'superiority', 'met'],
    ['accuracy - control.accuracy > -0.01', 'non-inferiority', 'met'],
    ['accuracy > 0.98 * control.accuracy', 'non-inferiority', 'met'],
    ['time < 1.05 * control.time', 'non-inferiority', 'not-met'],
    ['time - control.time < 6', 'non-inferiority', 'met'],
    ['abs(accuracy - control.accuracy) < 0.08', 'equivalence', 'met'],
    ['0.08 > abs(accuracy - control.accuracy)', 'equivalence', 'met'],
    ['abs(accuracy - control.accuracy) < 0.07', 'equivalence', 'undecided'],
    ['abs(accuracy - control.accuracy) < 0.04', 'equivalence', 'not-met'],
    ['accuracy / control.accuracy > 1.05', 'limit', 'met'],
    ['time / control.time < 1.05', 'limit', 'not-met'],
    ['log(time) - log(control.time) < 0.2', 'limit', 'met'],
    ['net_value / control.time > 0.05', 'limit', 'met'],
    ['accuracy < 0.9', 'limit', 'met'],
  ])('%s is a matter of %s: %s', (text, aim, outcome) => {
    expect(entryOf(text)).toMatchObject({ aim, outcome });
  });

  it('of equivalence is decided by two one-sided tests', () => {
    // Margin at which the one-sided 95 % end of 0.06 +- 1.645 se lies: TOST at 0.05 by the metric's own 90 % interval.
    const { interval } = entryOf('abs(accuracy - control.accuracy) < 0.5');
    if (interval.kind !== 'insufficient' && interval.kind === 'bounded') {
      expect(interval.upper - interval.lower).toBeCloseTo(2 * 1.6449 * Math.sqrt((0.7 * 0.3 + 0.76 * 0.24) / 4000), 3);
      expect(entryOf(`abs(accuracy - control.accuracy) < ${interval.upper + 1e-6}`).outcome).toBe('met');
      expect(entryOf(`abs(accuracy - control.accuracy) < ${interval.upper - 1e-6}`).outcome).toBe('undecided');
    } else throw new Error('no interval');
    expect(entryOf('abs(accuracy - control.accuracy) < 0.06').probability).toBeCloseTo(0.5, 3);
  });

  it("of a quotient has the delta method's interval, and none where the quotient bends within the noise", () => {
    const { estimate, interval } = entryOf('time / control.time < 1.2');
    // se of r = t / c by Deng, Knoblich & Lu 2018: sqrt(vt + r^2 vc) / c, both variances 20^2 / 4000
    const error = Math.sqrt(0.1 + 1.1 ** 2 * 0.1) / 50;
    expect(estimate).toBeCloseTo(1.1, 9);
    if (interval.kind !== 'bounded') throw new Error('no interval');
    expect(interval.lower).toBeCloseTo(1.1 - 1.959964 * error, 6);
    const noisy = {
      control: variant('old', 50, { time: mean(50, 1, 5) }),
      candidate: variant('new', 50, { time: mean(50, 1, 5) }),
    };
    expect(assessCriterion(rule('time / control.time < 1.2'), noisy).entry.interval).toMatchObject({
      kind: 'insufficient',
      reason: expect.stringContaining('bends within the noise'),
    });
  });
});
