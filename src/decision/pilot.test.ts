import { describe, expect, it } from 'vitest';
import { makeReport } from './make-report.ts';
import { pilotOfReport, pilotOfSummary } from './pilot.ts';
import { planned } from './plan.fixture.ts';
import { planPower } from './plan-power.ts';
import { mean, proportion, summaryOf, variant } from './summary.fixture.ts';

const summary = summaryOf([
  variant('old', 500, { score: mean(500, 10, 2), error_rate: proportion(500, 0.02) }),
  variant('new', 500, { score: mean(500, 10.3, 2), error_rate: proportion(500, 0.02) }),
]);

describe('a pilot', () => {
  it('shows level, noise and traffic, from its summary and from its report alike', () => {
    const fromSummary = pilotOfSummary(summary);
    expect(fromSummary.unitsPerDay).toBeCloseTo(1000, 9);
    expect(fromSummary.pilot?.score).toMatchObject({ level: 10, form: 'mean', noise: expect.closeTo(4, 9) });
    expect(fromSummary.pilot?.error_rate).toMatchObject({ level: 0.02, form: 'rate' });
    const fromReport = pilotOfReport(makeReport(summary), 0.05);
    // The report's interval is Student's, which for 500 units is 0.25 % wider than the normal one.
    expect(fromReport.pilot?.score?.noise).toBeCloseTo(4, 1);
    expect(fromReport.pilot?.score?.level).toBe(10);
    expect(fromReport.unitsPerDay).toBeCloseTo(1000, 9);
  });

  it('plans the next experiment with what it has shown', () => {
    const once = '{ primary: [score > control.score], method: fixed }';
    const plan = planPower(planned(once, '{}'), { ...pilotOfSummary(summary), difference: { score: 0.4 } });
    expect(plan).toMatchObject({ assumed: [], unitsPerDay: 1000, criteria: [{ needed: { units: 785 } }] });
    expect(plan.metrics[0]).toMatchObject({ name: 'score', control: 10, origin: 'pilot' });
  });

  it('of less than an hour says nothing of the traffic of a day', () => {
    expect(pilotOfSummary({ ...summary, toMs: 60_000 })).not.toHaveProperty('unitsPerDay');
  });
});
