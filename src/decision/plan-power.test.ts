import { describe, expect, it } from 'vitest';
import { planned } from './plan.fixture.ts';
import { type CriterionPower, planPower } from './plan-power.ts';

const known = { control: { score: 10 }, sd: { score: 1 }, difference: { score: 0.2 } };
const once = '{ primary: [score > control.score], method: fixed, minDuration: 1d, maxDuration: 28d }';

describe('the power of a plan', () => {
  it('needs 392.4 units a side for a fifth of a standard deviation (Cohen 1988, normal approximation)', () => {
    const { criteria, end } = planPower(planned(once), known);
    const [first] = criteria;
    expect(first?.needed).toMatchObject({ units: 785, byVariant: { old: 393, new: 393 }, inflation: 1, weekDays: 7 });
    expect(first?.needed).toMatchObject({ days: expect.closeTo(0.785, 5) });
    expect(end).toEqual({ units: 28_000, days: 28 });
  });

  it('sees at the end what (1.96 + 0.84) standard errors are', () => {
    const { criteria } = planPower(planned(once, '{ requestsPerDay: 1000, units: 3140 }'), known);
    const error = Math.sqrt(4 / 3140);
    expect(criteria[0]?.atEnd).toMatchObject({ detectable: expect.closeTo(2.8016 * error, 4) });
    expect(criteria[0]?.atEnd).toMatchObject({ power: expect.closeTo(1, 3) });
  });

  it('asks for some two to three times the units where the numbers are watched, and a few percent more for planned looks', () => {
    const inflationOf = (method: string, plan?: string): number => {
      const { needed } = planPower(planned(once.replace('fixed', method), plan), known).criteria[0] ?? {};
      return needed !== undefined && 'inflation' in needed ? needed.inflation : Number.NaN;
    };
    expect(inflationOf('sequential')).toBeGreaterThan(1.9);
    expect(inflationOf('sequential')).toBeLessThan(4);
    const looks = inflationOf('group-sequential', '{ requestsPerDay: 1000, units: 800 }');
    expect(looks).toBeGreaterThan(1);
    expect(looks).toBeLessThan(1.15);
  });

  it('has a curve that rises to the power at the end, and detectable values that fall', () => {
    const { curve, criteria } = planPower(planned(once), known);
    const powers = curve.map(({ power }) => power);
    expect(powers.toSorted((left, right) => left - right)).toEqual(powers);
    expect(powers.at(-1)).toBeCloseTo((criteria[0] as CriterionPower & { atEnd: { power: number } }).atEnd.power, 6);
    const values = curve.map(({ detectable }) => detectable as number);
    expect(values.toSorted((left, right) => right - left)).toEqual(values);
  });

  it('shares alpha out over several candidates, and lets a ramp hold the traffic back', () => {
    const one = planPower(planned(once), known);
    const ramped = planPower({ ...planned(once), ramp: { coverage: [0.1, 1], holdMs: 7 * 86_400_000 } }, known);
    expect(ramped.end.units).toBeCloseTo(700 + 21_000, 6);
    expect(ramped.criteria[0]?.needed).toMatchObject({ days: expect.closeTo(7 + 0.085, 5) });
    expect(one.criteria[0]?.needed).toMatchObject({ units: 785 });
  });

  it('says what nobody said, and that an expected difference of nothing shows nothing', () => {
    const { assumed, criteria } = planPower(planned(once, '{}'));
    expect(assumed).toEqual([
      'traffic of 10,000 units a day',
      'score of 1 under the control',
      'a standard deviation of half its level for score',
      'error_rate of 0.01 under the control',
    ]);
    expect(criteria[0]?.needed).toMatchObject({ kind: 'insufficient' });
    expect(criteria[0]?.atEnd).toMatchObject({ detectable: expect.any(Number) });
  });

  it('takes the numbers of the file, and those given beside it before them', () => {
    const plan =
      '{ requestsPerDay: 1000, requestsPerUnit: 2, expected: { score: { control: 5, difference: 0.2, sd: 1 } } }';
    const fromFile = planPower(planned(once, plan));
    expect(fromFile).toMatchObject({ unitsPerDay: 500, criteria: [{ needed: { units: 785 } }] });
    const given = planPower(planned(once, plan), { difference: { score: 0.1 }, unitsPerDay: 90 });
    expect(given).toMatchObject({ unitsPerDay: 90, criteria: [{ needed: { units: 3140 } }] });
  });

  it('takes no rate below 0, however much better the candidate shall be, and says so', () => {
    const { metrics, assumed } = planPower(
      planned(once, '{ requestsPerDay: 1000, expected: { error_rate: { difference: -0.004 } } }'),
      { ...known, pilot: { error_rate: { level: 0, form: 'mean' } } },
    );
    expect(metrics[1]).toMatchObject({ name: 'error_rate', form: 'rate', control: 0, difference: 0 });
    expect(assumed).toEqual(['error_rate of 0 under the candidate, as no rate is -0.004']);
  });

  it('counts how metrics of a unit move together where that is known', () => {
    const both = '{ primary: [score - 10 * error_rate > control.score - 10 * control.error_rate], method: fixed }';
    const unitsAt = (between: number): number => {
      const correlation = { score: { error_rate: between }, error_rate: { score: between } };
      const { needed } = planPower(planned(both), { ...known, control: { score: 10, error_rate: 0.01 }, correlation })
        .criteria[0]!;
      return 'units' in needed ? needed.units : Number.NaN;
    };
    // Variance of score - 10 error_rate: 1 + 100 x 0.0099 - 20 x between x sqrt(0.0099).
    const variance = (between: number): number => 1 + 0.99 - 20 * between * Math.sqrt(0.0099);
    for (const between of [-0.5, 0.5])
      expect(unitsAt(between) / unitsAt(0)).toBeCloseTo(variance(between) / variance(0), 2);
  });
});
