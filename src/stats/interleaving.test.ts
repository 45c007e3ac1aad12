import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearWithin, sure } from './answer.fixture.ts';
import {
  compareInterleaved,
  creditsOf,
  type InterleavedImpression,
  probabilisticInterleaving,
  slotChances,
  teamDraft,
} from './interleaving.ts';
import { createRandom } from './random.ts';

const alpha = 0.05;
const near = nearWithin(1e-12);
const draws = 4000;
/** Four binomial standard errors of a share of the draws. */
const slack = (p: number): number => 4 * Math.sqrt((p * (1 - p)) / draws);
const rankings = fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 7 }), { minLength: 1, maxLength: 6 }), {
  minLength: 2,
  maxLength: 4,
});

describe('team draft', () => {
  it('abcd against beaf gives the four published lists, a quarter each, with teams ac and be', () => {
    const random = createRandom('team draft');
    const seen = new Map<string, number>();
    for (let draw = 0; draw < draws; draw += 1) {
      const list = teamDraft([[...'abcd'], [...'beaf']], { random });
      const name = list.items.join('');
      seen.set(name, (seen.get(name) ?? 0) + 1);
      const team = list.items.filter((_, i) => list.credits[i]![0] === 1).sort();
      expect(team.join('')).toBe('ac');
    }
    expect([...seen.keys()].sort()).toEqual(['abce', 'abec', 'bace', 'baec']);
    for (const count of seen.values()) expect(Math.abs(count / draws - 0.25)).toBeLessThan(slack(0.25));
  });

  it('each ranker picks once in the first round, every item is reached, and none comes twice', () => {
    fc.assert(
      fc.property(rankings, fc.integer({ min: 0, max: 999 }), (lists, seed) => {
        const made = teamDraft(lists, { random: createRandom(seed), length: 20 });
        expect(new Set(made.items).size).toBe(made.items.length);
        expect(made.items.length).toBe(new Set(lists.flat()).size);
        const first = made.credits.slice(0, lists.length).map((credit) => credit.indexOf(1));
        if (lists.every((list) => list.length >= lists.length)) expect(new Set(first).size).toBe(lists.length);
      }),
    );
  });

  it('the same seed gives the same list', () => {
    const lists = [[...'abcdefgh'], [...'hgfedcba']];
    expect(teamDraft(lists, { random: createRandom(5) })).toEqual(teamDraft(lists, { random: createRandom(5) }));
  });
});

describe('probabilistic interleaving', () => {
  // Published in the tests of an open interleaving library, to five digits; exact: 1, 1/8, 1/27 over their sum.
  it('one ranking gives the published first-slot chances', () => {
    const slots = slotChances([[0, 1, 2]]);
    expect(slots.map((slot) => Number(slot.chance.toFixed(5)))).toEqual([0.86056, 0.10757, 0.03187]);
    near(slots[1]!.chance, 27 / 251);
  });

  it('two rankings give the published first-slot chances, with the credit shared by origin', () => {
    const slots = slotChances([
      [0, 1],
      [1, 2],
    ]);
    const chances = new Map(slots.map((slot) => [slot.item, slot]));
    near(chances.get(0)!.chance, 4 / 9);
    near(chances.get(1)!.chance, 0.5);
    near(chances.get(2)!.chance, 1 / 18);
    near(chances.get(1)!.credits[0]!, 1 / 9);
    expect(chances.get(0)!.credits).toEqual([1, 0]);
  });

  it('drawn lists start as often with each item as the chances say', () => {
    const random = createRandom('probabilistic');
    const first = [0, 0, 0];
    for (let draw = 0; draw < draws; draw += 1) {
      const list = probabilisticInterleaving(
        [
          [0, 1],
          [1, 2],
        ],
        { random },
      );
      first[list.items[0]!]! += 1;
    }
    for (const [item, p] of [4 / 9, 0.5, 1 / 18].entries())
      expect(Math.abs(first[item]! / draws - p)).toBeLessThan(slack(p));
  });

  it('chances sum to 1, a larger tau keeps closer to the ranking, and lists end when nothing is left', () => {
    fc.assert(
      fc.property(rankings, fc.integer({ min: 0, max: 999 }), (lists, seed) => {
        const slots = slotChances(lists);
        expect(slots.reduce((sum, slot) => sum + slot.chance, 0)).toBeCloseTo(1, 12);
        const made = probabilisticInterleaving(lists, { random: createRandom(seed), length: 20 });
        expect(new Set(made.items).size).toBe(new Set(lists.flat()).size);
        for (const credits of made.credits) expect(credits.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
      }),
    );
    expect(slotChances([[0, 1]], { tau: 5 })[0]!.chance).toBeGreaterThan(slotChances([[0, 1]], { tau: 1 })[0]!.chance);
    expect(slotChances([[0, 1]], { shown: [0, 1] })).toEqual([]);
  });

  it('rankings and options that cannot make a list are refused', () => {
    const random = createRandom(1);
    expect(() => teamDraft([['a']], { random })).toThrow(new RangeError('rankings.length is 1, must be >= 2'));
    expect(() => teamDraft([['a'], []], { random })).toThrow('rankings[1].length is 0, must be > 0');
    expect(() => teamDraft([['a', 'a'], ['b']], { random })).toThrow('different items of rankings[0] is 1, must be 2');
    expect(() => teamDraft([['a'], ['b']], { random, length: 0 })).toThrow('length is 0, must be a whole number > 0');
    expect(() => probabilisticInterleaving([['a'], ['b']], { random, tau: 0 })).toThrow('tau is 0');
  });
});

describe('who wins', () => {
  it('clicks add up the credits of their places', () => {
    const list = {
      items: ['a', 'b', 'c'],
      credits: [
        [1, 0],
        [0, 1],
        [0.25, 0.75],
      ],
    };
    expect(creditsOf(list, [0, 2, 2])).toEqual([1.25, 0.75]);
    expect(creditsOf(list, [])).toEqual([0, 0]);
    expect(() => creditsOf(list, [3])).toThrow(new RangeError('place is 3, must be in 0..2'));
  });

  const votes = (control: number, candidate: number, tied = 0): InterleavedImpression[] => [
    ...Array.from({ length: control }, (_, i) => ({ user: `c${i}`, control: 1, candidate: 0 })),
    ...Array.from({ length: candidate }, (_, i) => ({ user: `d${i}`, control: 0, candidate: 1 })),
    ...Array.from({ length: tied }, (_, i) => ({ user: `t${i}`, control: 1, candidate: 1 })),
  ];

  it('9 users against 21 have the exact p-value of R’s binom.test', () => {
    const result = sure(compareInterleaved(votes(9, 21, 5), { alpha }));
    near(result.pValue, 0.0427739452570668);
    near(result.share, 0.7);
    expect(result.users).toEqual({ control: 9, candidate: 21, tied: 5 });
  });

  it('a busy user votes once', () => {
    const busy = Array.from({ length: 500 }, () => ({ user: 'busy', control: 0, candidate: 1 }));
    const result = sure(compareInterleaved([...votes(5, 5), ...busy], { alpha }));
    expect(result.users).toEqual({ control: 5, candidate: 6, tied: 0 });
    expect(result.impressions.candidate).toBe(505);
    expect(result.pValue).toBeCloseTo(1, 12);
    const share = sure(result.impressionShare);
    near(share.estimate, 505 / 510);
  });

  it('credits that differ by rounding only are a tie', () => {
    const tied = [{ user: 'u', control: 0.1 + 0.2, candidate: 0.3 }];
    expect(compareInterleaved(tied, { alpha })).toEqual({
      kind: 'insufficient',
      reason: 'no user prefers either ranker',
    });
    expect(compareInterleaved([], { alpha })).toMatchObject({ reason: 'there are no impressions yet' });
    expect(() => compareInterleaved([{ user: 'u', control: -1, candidate: 0 }], { alpha })).toThrow('control is -1');
    expect(() => compareInterleaved([], { alpha: 1.2 })).toThrow('alpha is 1.2, must be in (0, 1)');
  });

  it('interval and p-value agree, and swapping the rankers mirrors both', () => {
    const count = fc.integer({ min: 0, max: 60 });
    fc.assert(
      fc.property(count, count, (a, b) => {
        const there = compareInterleaved(votes(a, b), { alpha });
        const back = compareInterleaved(votes(b, a), { alpha });
        if (there.kind === 'insufficient' || back.kind === 'insufficient') {
          expect(a + b).toBe(0);
          return;
        }
        expect(back.pValue).toBeCloseTo(there.pValue, 12);
        const interval = there.interval;
        if (interval.kind !== 'bounded') throw new Error(interval.kind);
        expect(there.pValue < alpha).toBe(interval.lower > 0.5 || interval.upper < 0.5);
        if (back.interval.kind === 'bounded') expect(back.interval.lower).toBeCloseTo(1 - interval.upper, 10);
      }),
    );
  });

  it('rankers alike in quality are rarely told apart by team draft, a better one is', () => {
    const random = createRandom('clicks');
    const impressionsOf = (good: readonly number[]): InterleavedImpression[] =>
      Array.from({ length: 300 }, (_, i) => {
        const list = teamDraft(
          [
            [1, 2, 3, 4],
            [3, 4, 1, 2],
          ],
          { random },
        );
        const clicked = list.items.flatMap((item, place) =>
          random.uniform() < (good.includes(item) ? 0.6 : 0.2) * 0.8 ** place ? [place] : [],
        );
        const [control, candidate] = creditsOf(list, clicked);
        return { user: `u${i % 100}`, control: control!, candidate: candidate! };
      });
    let alarms = 0;
    for (let round = 0; round < 100; round += 1)
      if (sure(compareInterleaved(impressionsOf([1, 3]), { alpha })).pValue < alpha) alarms += 1;
    expect(alarms).toBeLessThan(5 + 3 * Math.sqrt(4.75));
    const better = sure(compareInterleaved(impressionsOf([3, 4]), { alpha }));
    expect(better.share).toBeGreaterThan(0.5);
    expect(better.pValue).toBeLessThan(0.01);
  });
});
