import { describe, expect, it } from 'vitest';
import { createRandom } from '../stats/index.ts';
import { planned } from './plan.fixture.ts';
import { type Scenario, simulateRule } from './simulate-rule.ts';

const decision =
  '{ primary: [net_value > 2], guardrails: [error_rate < 0.02], minDuration: 1d, maxDuration: 14d, levels: { strong: 2, recommend: 0.5 } }';
const plan =
  '{ requestsPerDay: 1000, expected: { score: { control: 10, difference: 0.5, sd: 2 }, error_rate: { control: 0.01 } } }';

const play = (scenario: Scenario, more: { decision?: string; runs?: number; seed?: number } = {}) => {
  const { runs = 40, seed = 11 } = more;
  const found = simulateRule(planned(more.decision ?? decision, plan), {
    scenario,
    runs,
    random: createRandom(seed),
    looks: 30,
  });
  if (found.kind === 'insufficient') throw new Error(found.reason);
  return found;
};

describe('the simulated rule', { timeout: 120_000 }, () => {
  it('keeps its promises exactly at the limits, where the customary rule ships nearly always', () => {
    const found = play({ kind: 'at-boundary' });
    expect(found.worlds.map(({ name }) => name)).toEqual([
      'net_value > 2 is exactly at its limit',
      'guardrail error_rate < 0.02 is exactly at its limit',
    ]);
    const [limit, guard] = found.worlds;
    expect(limit?.criteria[0]).toMatchObject({ value: expect.closeTo(2, 9), isTrue: false });
    expect(guard?.criteria[0]).toMatchObject({ value: expect.closeTo(5, 9), isTrue: true });
    expect(guard?.criteria[1]?.value).toBeCloseTo(0.02, 12);
    // 0.05 and three standard errors of 40 runs.
    expect(found.falseShipRate).toBeLessThanOrEqual(0.05 + 3 * Math.sqrt((0.05 * 0.95) / 40));
    expect(found.falseRollbackRate).toBeLessThanOrEqual(0.05 + 3 * Math.sqrt((0.05 * 0.95) / 40));
    expect(found.naiveFalseShipRate).toBeGreaterThan(0.5);
  });

  it('ships the planned effect as often as the plan promises, long before its end', () => {
    const found = play({ kind: 'effect', value: 'planned' });
    expect(found.plannedPower).toBeGreaterThan(0.8);
    expect(found.shipRate).toBeGreaterThanOrEqual(0.8 * (found.plannedPower ?? 1));
    expect(found.expectedDays).toBeLessThan(14);
    expect(found).not.toHaveProperty('falseShipRate');
  });

  it('never takes a candidate that is the control for a better one where the limit is above nothing', () => {
    const found = play({ kind: 'aa' });
    expect(found).toMatchObject({ falseShipRate: 0, worlds: [{ truth: { candidate: { score: 10 } } }] });
    // At a non-inferiority margin the same candidate may ship, and that is no mistake.
    const margin = decision.replace('net_value > 2', 'score > control.score - 1');
    expect(play({ kind: 'aa' }, { decision: margin })).not.toHaveProperty('falseShipRate');
  });

  it('rolls back what is worse, and does not call that false', () => {
    const better = decision.replace('net_value > 2', 'score > control.score');
    const found = play({ kind: 'effect', value: -0.5 }, { decision: better });
    expect(found.worlds[0]).toMatchObject({ isRollbackFalse: false, isShipFalse: true });
    expect(found.worlds[0]?.rollbackRate).toBeGreaterThan(0.9);
  });

  it('would fail its promise with intervals for one look at the end, were they allowed to ship early', () => {
    const peeking = decision.replace('primary', 'method: fixed, primary');
    const honest = play({ kind: 'at-boundary' }, { runs: 80 });
    const naive = play({ kind: 'at-boundary' }, { runs: 80, decision: peeking });
    expect(naive.falseShipRate).toBeGreaterThan(honest.falseShipRate ?? 1);
  });

  it('tells the same story for the same seed, and another one for another', () => {
    const some = { kind: 'effect', value: 3 } as const;
    const told = play(some, { runs: 20 });
    expect(play(some, { runs: 20 })).toEqual(told);
    expect(play(some, { runs: 20, seed: 12 }).worlds[0]?.days).not.toEqual(told.worlds[0]?.days);
  });

  it('says why where no levels give the scenario', () => {
    const found = simulateRule(planned('{ primary: [error_rate > control.error_rate + 2] }', plan), {
      scenario: { kind: 'at-boundary' },
      runs: 10,
      random: createRandom(1),
    });
    expect(found).toMatchObject({ kind: 'insufficient', reason: expect.stringContaining('error_rate') });
  });
});
