import { beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../stats/index.ts';
import { type ForecastCase, splitInTime } from './forecast-models.ts';
import { loadMarketDays } from './market-data.ts';
import { type PlannedRequest, planTraffic, trafficShape } from './traffic-plan.ts';

let questions: readonly ForecastCase[] = [];
beforeAll(async () => {
  questions = splitInTime(await loadMarketDays()).ask;
});

const plan = (requests: number, seed = 1): readonly PlannedRequest[] =>
  planTraffic({ requests, questions, random: createRandom(seed) });

describe('planTraffic', () => {
  it('asks every request about a day of its own, in the order of the days', () => {
    const dates = plan(2500).map(({ question }) => question.date);
    expect(new Set(dates).size).toBe(2500);
    expect(dates).toEqual(dates.toSorted());
  });

  it('starts over at the first day only when all days have been asked about', () => {
    const many = plan(questions.length + 10);
    expect(many.at(-10)!.question).toBe(questions[0]);
    expect(many.at(-11)!.question).toBe(questions.at(-1));
  });

  it('has half as many users as requests, each of them calls, and a few call often', () => {
    const calls = new Map<string, number>();
    for (const { user } of plan(2500)) calls.set(user.id, (calls.get(user.id) ?? 0) + 1);
    expect(calls.size).toBe(1250);
    const sorted = [...calls.values()].toSorted((a, b) => b - a);
    const busiestTenth = sorted.slice(0, 125).reduce((sum, count) => sum + count, 0);
    expect(busiestTenth / 2500).toBeGreaterThan(0.2);
    expect(busiestTenth / 2500).toBeLessThan(0.4);
  });

  it('keeps a user new or established throughout, and 40 % of users are new', () => {
    const isNew = new Map<string, boolean>();
    for (const { user } of plan(20_000)) {
      expect(isNew.get(user.id) ?? user.isNew).toBe(user.isNew);
      isNew.set(user.id, user.isNew);
    }
    const share = [...isNew.values()].filter(Boolean).length / isNew.size;
    // 10,000 users: five standard deviations are 0.025.
    expect(Math.abs(share - trafficShape.newUsers)).toBeLessThan(0.025);
  });

  it('reports truth late, twice and never in the declared shares', () => {
    const truths = plan(40_000).map(({ truth }) => truth);
    const reported = truths.filter((truth) => truth.kind === 'reported');
    const near = (count: number, share: number, of: number): void =>
      expect(Math.abs(count / of - share)).toBeLessThan(5 * Math.sqrt((share * (1 - share)) / of));
    near(truths.length - reported.length, trafficShape.truthNever, truths.length);
    near(reported.filter(({ afterDays }) => afterDays > 1).length, trafficShape.truthLate, reported.length);
    near(
      reported.filter(({ againAfterDays }) => againAfterDays !== null).length,
      trafficShape.truthTwice,
      reported.length,
    );
    for (const { afterDays, againAfterDays } of reported) {
      expect(afterDays).toBeGreaterThanOrEqual(1);
      expect(afterDays).toBeLessThanOrEqual(trafficShape.latestDays);
      if (againAfterDays !== null) expect(againAfterDays).toBeGreaterThan(afterDays);
    }
  });

  it('is the same for the same seed, with other users for another seed', () => {
    expect(plan(300, 7)).toEqual(plan(300, 7));
    const others = new Set(plan(300, 8).map(({ user }) => user.id));
    expect(plan(300, 7).some(({ user }) => others.has(user.id))).toBe(false);
  });
});
