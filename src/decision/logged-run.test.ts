import { describe, expect, it } from 'vitest';
import type { LoggedMetric, LoggedUnits } from '../evidence/index.ts';
import { createRandom, jointMomentsOf, momentsOf, quantileSampleOf } from '../stats/index.ts';
import { countPool, levelOf, poolAt } from './logged-pool.ts';
import { expectationsOfUnits } from './logged-run.ts';
import { planned } from './plan.fixture.ts';
import { type Scenario, simulateRule } from './simulate-rule.ts';

const size = 400;
const random = createRandom('logged units');
/** Slow units are the better ones, and one in five has no score. */
const slow = Array.from({ length: size }, () => random.uniform());
const scores = slow.map((each, unit) => (unit % 5 === 4 ? undefined : 8 + 4 * each + random.normal()));
const errors = slow.map((each) => (each > 0.9 ? 1 : 0));

const metric = (name: string, values: readonly (number | undefined)[], kind: LoggedMetric['kind']): LoggedMetric => ({
  name,
  kind,
  isZeroOne: values.every((value) => value === undefined || value === 0 || value === 1),
  present: Uint8Array.from(values, (value) => (value === undefined ? 0 : 1)),
  numerators: Float64Array.from(values, (value) => value ?? 0),
  denominators: Float64Array.from(values, (value) => (value === undefined ? 0 : 1)),
});
const units = (...metrics: readonly LoggedMetric[]): LoggedUnits => ({ variant: 'old', size, units: size, metrics });
const score = metric('score', scores, 'mean');
const errorRate = metric('error_rate', errors, 'proportion');
const logged = units(score, errorRate);

const decision = '{ primary: [net_value > 2], guardrails: [error_rate < 0.2], minDuration: 1d, maxDuration: 14d }';
const experiment = planned(
  decision,
  '{ requestsPerDay: 1000, expected: { score: { control: 3, difference: 0.5, sd: 9 }, error_rate: { control: 0.5 } } }',
);

const play = (
  scenario: Scenario,
  more: { readonly runs?: number; readonly seed?: number; readonly from?: LoggedUnits } = {},
) =>
  simulateRule(experiment, {
    scenario,
    runs: more.runs ?? 40,
    random: createRandom(more.seed ?? 11),
    looks: 30,
    logged: more.from ?? logged,
  });

/** Moments over the pool by its chances. */
const expectedLevel = (metrics: readonly LoggedMetric[], levels: Record<string, number>, of: string): number => {
  const { chances, values, layout } = poolAt(metrics, { size, levels });
  const columns = layout.metrics.find((each) => each.metric.name === of)!;
  const total = (column: number): number =>
    chances.reduce((sum, chance, entry) => sum + chance * values[entry * layout.width + column]!, 0);
  return total(columns.numerator) / total(columns.denominator);
};

describe('a pool of logged units', () => {
  it('adds up to the moments of its units, those without a value left out of their own metric', () => {
    const counts = countPool(poolAt(logged.metrics, { size, levels: {} }), size);
    for (let unit = 0; unit < size; unit += 1) counts.add(unit, 1);
    const { n, mean, m2 } = momentsOf(scores.filter((value) => value !== undefined));
    const { score: own, error_rate: rate } = counts.metrics();
    expect(own).toMatchObject({ kind: 'mean', n, mean: expect.closeTo(mean, 10), m2: expect.closeTo(m2, 6) });
    expect(rate).toEqual({ kind: 'proportion', n: size, successes: errors.reduce<number>((a, b) => a + b, 0) });
    const joint = jointMomentsOf(scores.map((value, i) => [value ?? 0, value === undefined ? 0 : 1, errors[i]!, 1]));
    const made = counts.joint();
    expect(made?.columns).toEqual([
      'score:numerator',
      'score:denominator',
      'error_rate:numerator',
      'error_rate:denominator',
    ]);
    joint.m2.forEach((row, i) => {
      row.forEach((cell, j) => {
        expect(made?.moments.m2[i]?.[j]).toBeCloseTo(cell, 6);
      });
    });
  });

  it('stands exactly at the levels asked for, whichever way a rate has to go', () => {
    expect(expectedLevel(logged.metrics, { score: 11.25, error_rate: 0.2 }, 'score')).toBeCloseTo(11.25, 10);
    for (const level of [0, 0.01, 0.2, 1])
      expect(expectedLevel(logged.metrics, { error_rate: level }, 'error_rate')).toBeCloseTo(level, 12);
    // Rows of a unit turn together, those that are 1 already stay.
    const rows = { ...errorRate, numerators: errorRate.numerators, denominators: new Float64Array(size).fill(3) };
    expect(expectedLevel([{ ...rows, kind: 'ratio' }], { error_rate: 0.4 }, 'error_rate')).toBeCloseTo(0.4, 12);
    expect(levelOf({ ...rows, kind: 'ratio' })).toBeCloseTo(levelOf(errorRate)! / 3, 12);
  });

  it('has the quantile of its rows, and that moved by the shift', () => {
    const times = [5, 1, 3, 2, 4, 9];
    const ranked = { q: 0.5, values: Float64Array.from(times).sort(), units: Int32Array.from([0, 1, 0, 2, 1, 2]) };
    const latency: LoggedMetric = {
      ...metric('latency', [0, 0, 0], 'quantile'),
      isZeroOne: false,
      denominators: Float64Array.from([2, 2, 2]),
      ranked,
    };
    const rowsOf = [0, 1, 2].map((unit) => [...ranked.values].filter((_, place) => ranked.units[place] === unit));
    const counts = countPool(poolAt([latency], { size: 3, levels: { latency: 103 } }), 3);
    for (const unit of [0, 1, 2]) counts.add(unit, 1);
    const known = quantileSampleOf(rowsOf, 0.5);
    expect(counts.metrics().latency).toMatchObject({
      kind: 'quantile',
      n: 3,
      rows: 6,
      estimate: known.estimate + 100,
      lower: known.lower + 100,
      upper: known.upper + 100,
      indicator: { n: 3, mean: known.indicator.mean },
    });
  });
});

describe('a rule played on logged units', { timeout: 120_000 }, () => {
  it('starts from their levels and their likeness, not from what the file expects', () => {
    const found = play({ kind: 'aa' }, { runs: 10 });
    if (found.kind === 'insufficient') throw new Error(found.reason);
    expect(found.logged).toEqual({ variant: 'old', units: size, drawnFrom: size });
    expect(found.worlds[0]?.truth.control).toMatchObject({
      score: expect.closeTo(levelOf(score)!, 9),
      error_rate: levelOf(errorRate)!,
    });
    const measured = expectationsOfUnits(logged, experiment);
    const between = 'kind' in measured ? Number.NaN : measured.correlation?.score?.error_rate;
    // The slowest tenth both fails and scores high.
    expect(between).toBeGreaterThan(0.2);
    expect(between).toBeLessThan(0.8);
  });

  it('keeps its promises exactly at the limits, and ships the planned effect', () => {
    const boundary = play({ kind: 'at-boundary' }, { runs: 20 });
    const effect = play({ kind: 'effect', value: 'planned' }, { runs: 20 });
    if (boundary.kind === 'insufficient' || effect.kind === 'insufficient') throw new Error('must be simulated');
    // 0.05 and three standard errors of 20 runs.
    const most = 0.05 + 3 * Math.sqrt((0.05 * 0.95) / 20);
    expect(boundary.falseShipRate).toBeLessThanOrEqual(most);
    expect(boundary.falseRollbackRate).toBeLessThanOrEqual(most);
    expect(boundary.naiveFalseShipRate).toBeGreaterThan(0.5);
    expect(effect.shipRate).toBeGreaterThanOrEqual(0.8 * (effect.plannedPower ?? 1));
  });

  it('tells the same story for the same seed, and another one for another', () => {
    const some = { kind: 'effect', value: 3 } as const;
    const told = play(some, { runs: 8 });
    expect(play(some, { runs: 8 })).toEqual(told);
    expect(play(some, { runs: 8, seed: 12 })).not.toEqual(told);
  });

  it('says why where the log cannot show the scenario', () => {
    expect(play({ kind: 'aa' }, { from: { ...logged, size: 20 } })).toMatchObject({
      reason: 'the log holds 20 units of old with an exposure, drawing from them takes 50',
    });
    expect(play({ kind: 'aa' }, { from: units(errorRate) })).toMatchObject({
      reason: 'no logged unit of old has a value of score',
    });
    expect(
      simulateRule(planned('{ primary: [error_rate < control.error_rate] }'), {
        scenario: { kind: 'effect', value: 2 },
        runs: 10,
        random: createRandom(1),
        logged,
      }),
    ).toMatchObject({ kind: 'insufficient' });
  });
});
