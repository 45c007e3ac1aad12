import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { solveLinearProgram } from './linear-program.ts';
import solved from './multileaving.fixture.json' with { type: 'json' };
import { drawPlanned, planMultileaving } from './multileaving.ts';
import { createRandom } from './random.ts';

const random = createRandom('multileaving');

describe('optimized multileaving', () => {
  it('[1, 2] and [2, 3] give the published chances (3/7, 13/35, 1/5)', () => {
    const plan = planMultileaving(
      [
        [1, 2],
        [2, 3],
      ],
      { random },
    );
    const chances = new Map(plan.lists.map((list) => [list.items.join(), list.chance]));
    // Published by an iterative solver to about 2e-9; the constraints alone determine them.
    for (const [items, published, exact] of [
      ['1,2', 0.428571427, 3 / 7],
      ['2,1', 0.37142857, 13 / 35],
      ['2,3', 0.200000002, 1 / 5],
    ] as const) {
      expect(chances.get(items)).toBeCloseTo(exact, 12);
      expect(Math.abs(chances.get(items)! - published)).toBeLessThan(5e-9);
    }
    expect(plan.imbalance).toBe(0);
  });

  it('a user who clicks at random down to any place credits two rankers alike', () => {
    const ranking = fc.uniqueArray(fc.integer({ min: 0, max: 5 }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(fc.tuple(ranking, ranking), (rankings) => {
        const plan = planMultileaving(rankings, { random });
        expect(plan.lists.reduce((sum, list) => sum + list.chance, 0)).toBeCloseTo(1, 9);
        expect(plan.imbalance).toBe(0);
        for (let end = 1; end <= 4; end += 1) {
          let lead = 0;
          for (const { credits, chance } of plan.lists)
            for (const [a, b] of credits.slice(0, end)) lead += chance * (a! - b!);
          expect(Math.abs(lead)).toBeLessThan(1e-9);
        }
      }),
      { numRuns: 60 },
    );
  });

  it.each(solved)('three rankers $rankings are as fair and as sensitive as by another solver', (reference) => {
    const plan = planMultileaving(reference.rankings, { random });
    expect(plan.imbalance).toBeCloseTo(reference.imbalance, 9);
    let spread = 0;
    for (const { credits, chance } of plan.lists) {
      const sums = [0, 1, 2].map((r) => credits.reduce((sum, place, i) => sum + place[r]! / (i + 1), 0));
      const mean = (sums[0]! + sums[1]! + sums[2]!) / 3;
      spread += chance * sums.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    }
    // Several plans share the optimum, so the chances themselves may differ.
    expect(spread).toBeCloseTo(reference.spread, 11);
  });

  it('draws lists from very many possible ones and says how unfair the plan remains', () => {
    const rankings = [0, 1, 2, 3].map((shift) => Array.from({ length: 10 }, (_, i) => (7 * i + 3 * shift) % 11));
    const plan = planMultileaving(rankings, { random: createRandom(3), mostLists: 64 });
    expect(plan).toEqual(planMultileaving(rankings, { random: createRandom(3), mostLists: 64 }));
    expect(plan.lists.length).toBeLessThanOrEqual(64);
    expect(Number.isFinite(plan.imbalance)).toBe(true);
    const list = drawPlanned(plan, random);
    expect(plan.lists).toContain(list);
    expect(list.items).toHaveLength(10);
  });

  it('draws each list as often as planned', () => {
    const plan = planMultileaving([[...'ab'], [...'bc']], { random });
    let first = 0;
    for (let draw = 0; draw < 4000; draw += 1) if (drawPlanned(plan, random).items.join('') === 'ab') first += 1;
    expect(Math.abs(first / 4000 - 3 / 7)).toBeLessThan(4 * Math.sqrt(12 / 49 / 4000));
  });

  it('refuses a limit of no lists and a single ranking', () => {
    expect(() => planMultileaving([['a'], ['b']], { random, mostLists: 0 })).toThrow(
      new RangeError('mostLists is 0, must be a whole number > 0'),
    );
    expect(() => planMultileaving([['a']], { random })).toThrow('rankings.length is 1, must be >= 2');
  });
});

describe('linear programs', () => {
  it('finds the textbook optimum x = 2, y = 6 of max 3x + 5y', () => {
    // Hillier & Lieberman's Wyndor Glass problem: x <= 4, 2y <= 12, 3x + 2y <= 18.
    const solution = solveLinearProgram({
      costs: [-3, -5, 0, 0, 0],
      equations: [
        { coefficients: [1, 0, 1, 0, 0], total: 4 },
        { coefficients: [0, 2, 0, 1, 0], total: 12 },
        { coefficients: [3, 2, 0, 0, 1], total: 18 },
      ],
      basis: [2, 3, 4],
    });
    for (const [i, want] of [2, 6, 2, 0, 0].entries()) expect(solution[i]).toBeCloseTo(want, 12);
  });

  it('ends on Beale’s program, on which the plain simplex method cycles', () => {
    const solution = solveLinearProgram({
      costs: [-0.75, 150, -0.02, 6, 0, 0, 0],
      equations: [
        { coefficients: [0.25, -60, -1 / 25, 9, 1, 0, 0], total: 0 },
        { coefficients: [0.5, -90, -1 / 50, 3, 0, 1, 0], total: 0 },
        { coefficients: [0, 0, 1, 0, 0, 0, 1], total: 1 },
      ],
      basis: [4, 5, 6],
    });
    expect(-0.75 * solution[0]! + 150 * solution[1]! - 0.02 * solution[2]! + 6 * solution[3]!).toBeCloseTo(-0.05, 10);
  });
});
