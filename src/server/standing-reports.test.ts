import { describe, expect, it } from 'vitest';
import type { ExperimentState } from '../control/index.ts';
import type { Report } from '../decision/index.ts';
import type { ExperimentSummary } from '../evidence/index.ts';
import { createStandingReports, type StandingChange } from './standing-reports.ts';

/** A service of so many running experiments, and a count of what is asked of it. */
function createMany(count: number): {
  readonly asked: string[];
  readonly options: Parameters<typeof createStandingReports>[0];
  move(): void;
} {
  const asked: string[] = [];
  let activity = 1;
  const states = Array.from(
    { length: count },
    (_, place) =>
      ({
        experiment: { name: `e${place}`, namespace: 'default' },
        state: 'running',
        logRevision: 1,
      }) as unknown as ExperimentState,
  );
  return {
    asked,
    move: () => {
      activity += 1;
    },
    options: {
      service: {
        list: () => states,
        get: (name) => states.find(({ experiment }) => experiment.name === name)!,
        subscribe: () => () => {},
      },
      judge: async (name) => {
        asked.push(name);
        const report = { criteria: [], values: [], variants: [{ units: asked.length }] } as unknown as Report;
        return { report, summary: { health: null } as ExperimentSummary };
      },
      activity: async () => activity,
      now: () => performance.now(),
      onFault: (fault) => expect.unreachable(String(fault)),
      everyMs: 5,
    },
  };
}

describe('standing reports of 200 experiments', { timeout: 120_000 }, () => {
  it('are made once each, one after another, however often the list is read', async () => {
    const many = createMany(200);
    const standing = createStandingReports(many.options);
    for (let read = 0; read < 20; read += 1) standing.refresh();
    expect(many.asked.length).toBeLessThanOrEqual(1);
    await expect.poll(() => many.asked.length, { timeout: 60_000 }).toBe(200);
    standing.refresh();
    await standing.close();
    expect(new Set(many.asked).size).toBe(200);
    expect(many.asked).toHaveLength(200);
  });

  it('share one report among questions of one moment', async () => {
    const many = createMany(1);
    const standing = createStandingReports(many.options);
    const reports = await Promise.all(Array.from({ length: 8 }, () => standing.recent('e0', 'default')));
    expect(new Set(reports.map(({ digest }) => digest)).size).toBe(1);
    expect(many.asked).toHaveLength(1);
    await standing.close();
  });

  it('are renewed while somebody watches and something happens, and tell what changed with a rising version', async () => {
    const many = createMany(2);
    const standing = createStandingReports(many.options);
    const heard: StandingChange[] = [];
    const stop = standing.watch((change) => heard.push(change));
    await expect.poll(() => heard.length, { timeout: 60_000 }).toBeGreaterThanOrEqual(2);
    many.move();
    await expect
      .poll(() => heard.filter(({ experiment }) => experiment === 'e0').length, { timeout: 60_000 })
      .toBeGreaterThan(1);
    const versions = heard.filter(({ experiment }) => experiment === 'e0').map(({ version }) => version);
    expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b));
    stop();
    await standing.close();
    const made = many.asked.length;
    many.move();
    await new Promise((resolve) => setImmediate(resolve));
    expect(many.asked).toHaveLength(made);
  });
});
