// Which ranker do users prefer, when one list mixes the lists of all of them?
import { type Estimate, type Insufficient, type Interval, insufficient, type TestOptions } from './interval.ts';
import { jointMomentsOf } from './moments.ts';
import { refuse, requireAlpha, requireCount, requireNonNegative, requirePositive } from './precondition.ts';
import { clopperPearsonInterval } from './proportions.ts';
import type { Random } from './random.ts';
import { estimateRatio } from './ratios.ts';
import { binomial } from './whole-number.ts';

/** What a ranker ranks: an identifier, each at most once per ranking. */
export type RankedItem = string | number;

/** A list to show, and to whom a click on each place counts. */
export interface InterleavedList<Item extends RankedItem> {
  readonly items: readonly Item[];
  /** Per place, what each ranker earns by a click there, in the order of the rankings. */
  readonly credits: readonly (readonly number[])[];
}

/** How a list is made. */
export interface InterleavingOptions {
  /** Places of the list, a whole number > 0; default the length of the shortest ranking. */
  readonly length?: number;
  readonly random: Random;
}

/**
 * Team-draft list of two or more rankings: in each round the rankers pick in random order, each its best item that is
 * not yet in the list; a click counts for the ranker that picked the item.
 * The list ends early when every ranking is used up.
 * @throws RangeError with fewer than two rankings, an empty ranking, an item twice in one, or a bad length.
 * @see Radlinski, Kurup & Joachims 2008, CIKM (team draft); Schuth et al. 2014, CIKM (more than two rankers)
 */
export function teamDraft<Item extends RankedItem>(
  rankings: readonly (readonly Item[])[],
  options: InterleavingOptions,
): InterleavedList<Item> {
  const length = requireRankings(rankings, options.length);
  const items: Item[] = [];
  const credits: number[][] = [];
  const shown = new Set<Item>();
  let waiting: number[] = [];
  while (items.length < length) {
    if (waiting.length === 0) {
      waiting = rankings.flatMap((ranking, r) => (ranking.some((item) => !shown.has(item)) ? [r] : []));
      if (waiting.length === 0) break;
    }
    const ranker = waiting.splice(waiting.length === 1 ? 0 : options.random.integer(waiting.length), 1)[0]!;
    const item = rankings[ranker]!.find((candidate) => !shown.has(candidate));
    if (item === undefined) continue;
    shown.add(item);
    items.push(item);
    credits.push(rankings.map((_, r) => (r === ranker ? 1 : 0)));
  }
  return { items, credits };
}

/** One item that may come next in a probabilistic list. */
export interface SlotChance<Item extends RankedItem> {
  readonly item: Item;
  readonly chance: number;
  /** Chance that each ranker was the one that gave it: the credit for a click. */
  readonly credits: readonly number[];
}

/**
 * Chances of the next item of a probabilistic list: a ranker is drawn evenly among those with items left, and gives an
 * item in proportion to 1 / place^tau of what it has left (places as in its full ranking).
 * @param rankings two or more, or a single one
 * @param options `shown`: items already in the list; `tau` > 0, default 3
 * @see Hofmann, Whiteson & de Rijke 2011, CIKM (softmax over ranks, tau 3; marginalised credit)
 */
export function slotChances<Item extends RankedItem>(
  rankings: readonly (readonly Item[])[],
  options: { readonly shown?: readonly Item[]; readonly tau?: number } = {},
): readonly SlotChance<Item>[] {
  const tau = requirePositive('tau', options.tau ?? 3);
  for (const [r, ranking] of rankings.entries()) requireRanking(ranking, `rankings[${r}]`);
  const shown = new Set(options.shown ?? []);
  const left = rankings.map((ranking) =>
    ranking.flatMap((item, i) => (shown.has(item) ? [] : [{ item, weight: (i + 1) ** -tau }])),
  );
  const active = left.filter((items) => items.length > 0).length;
  const parts = new Map<Item, number[]>();
  for (const [r, items] of left.entries()) {
    const total = items.reduce((sum, { weight }) => sum + weight, 0);
    for (const { item, weight } of items) {
      const part = parts.get(item) ?? rankings.map(() => 0);
      part[r] = weight / total / active;
      parts.set(item, part);
    }
  }
  return [...parts].map(([item, part]) => {
    const chance = part.reduce((sum, value) => sum + value, 0);
    return { item, chance, credits: part.map((value) => value / chance) };
  });
}

/**
 * Probabilistic list: place by place an item drawn by `slotChances`; a click is shared among the rankers by the chance
 * that each gave the item. Every order is possible, so it can also judge rankers that were not shown.
 * @param options `tau` > 0, default 3; a larger one keeps closer to the rankings
 * @throws RangeError as `teamDraft`, and unless tau is finite and > 0.
 * @see Hofmann, Whiteson & de Rijke 2011, CIKM
 */
export function probabilisticInterleaving<Item extends RankedItem>(
  rankings: readonly (readonly Item[])[],
  options: InterleavingOptions & { readonly tau?: number },
): InterleavedList<Item> {
  const length = requireRankings(rankings, options.length);
  const tau = options.tau ?? 3;
  const items: Item[] = [];
  const credits: (readonly number[])[] = [];
  while (items.length < length) {
    const slots = slotChances(rankings, { shown: items, tau });
    if (slots.length === 0) break;
    const slot = slots[indexBy(slots, options.random.uniform())]!;
    items.push(slot.item);
    credits.push(slot.credits);
  }
  return { items, credits };
}

/** Place of the option into which a draw in [0, 1) falls. */
export function indexBy(options: readonly { readonly chance: number }[], draw: number): number {
  let rest = draw;
  for (const [i, { chance }] of options.entries()) {
    if (rest < chance) return i;
    rest -= chance;
  }
  return options.length - 1;
}

/**
 * What each ranker earned by the clicks on one shown list.
 * @param places places clicked, from 0; a place counts once
 * @throws RangeError when a place is not in the list.
 * @see the method that made the list: `teamDraft`, `probabilisticInterleaving` or `planMultileaving`
 */
export function creditsOf(list: InterleavedList<RankedItem>, places: Iterable<number>): readonly number[] {
  const earned = (list.credits[0] ?? []).map(() => 0);
  for (const place of new Set(places)) {
    const credits = list.credits[place] ?? refuse('place', place, `in 0..${list.credits.length - 1}`);
    for (const [ranker, credit] of credits.entries()) earned[ranker]! += credit;
  }
  return earned;
}

/** One interleaved list that one user saw. */
export interface InterleavedImpression {
  readonly user: string;
  /** Credit earned by clicks, >= 0 (`creditsOf`). */
  readonly control: number;
  readonly candidate: number;
}

/** How often each side won. */
export interface Wins {
  readonly control: number;
  readonly candidate: number;
  readonly tied: number;
}

/** Which ranker users prefer. */
export interface InterleavingResult {
  readonly kind: 'tested';
  readonly method: 'sign test of users';
  /** Users by the side that won more of their impressions. */
  readonly users: Wins;
  readonly impressions: Wins;
  /** Share of the users with a preference who prefer the candidate. */
  readonly share: number;
  /** Clopper and Pearson's interval of the share; leaves 1/2 out exactly when the p-value is below alpha. */
  readonly interval: Interval;
  /** Two-sided, exact. */
  readonly pValue: number;
  /** Share of the decided impressions that the candidate won, its error by user. */
  readonly impressionShare: Estimate | Insufficient;
}

/**
 * Sign test of interleaved impressions, clustered by user: each user votes once, for the side that won more of the
 * user's impressions, so that one busy user does not count as many. Users without a preference are left out.
 * Valid for independent users at any size; insufficient when no user has a preference.
 * @throws RangeError when alpha is outside (0, 1) or a credit is negative.
 * @see Dixon & Mood 1946, JASA 41; Chapelle, Joachims, Radlinski & Yue 2012, ACM TOIS 30(1) (wins and ties)
 */
export function compareInterleaved(
  impressions: Iterable<InterleavedImpression>,
  options: TestOptions,
): InterleavingResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const byUser = new Map<string, { control: number; candidate: number }>();
  const won = { control: 0, candidate: 0, tied: 0 };
  for (const { user, control, candidate } of impressions) {
    requireNonNegative('control', control);
    requireNonNegative('candidate', candidate);
    const tally = byUser.get(user) ?? { control: 0, candidate: 0 };
    byUser.set(user, tally);
    const winner = winnerOf({ control, candidate });
    won[winner] += 1;
    if (winner !== 'tied') tally[winner] += 1;
  }
  const users = { control: 0, candidate: 0, tied: 0 };
  for (const tally of byUser.values()) users[winnerOf(tally)] += 1;
  const n = users.control + users.candidate;
  if (n === 0)
    return insufficient(byUser.size === 0 ? 'there are no impressions yet' : 'no user prefers either ranker');
  const rows = [...byUser.values()].map((tally) => [tally.candidate, tally.candidate + tally.control]);
  return {
    kind: 'tested',
    method: 'sign test of users',
    users,
    impressions: won,
    share: users.candidate / n,
    interval: clopperPearsonInterval({ successes: users.candidate, n }, { alpha }),
    pValue: Math.min(1, 2 * binomial(n, 0.5).cdf(Math.min(users.control, users.candidate))),
    impressionShare: estimateRatio(jointMomentsOf(rows), { alpha }),
  };
}

function winnerOf(credits: { readonly control: number; readonly candidate: number }): keyof Wins {
  // Shared credits add up with rounding; a difference that small is none.
  const margin = 1e-9 * (credits.control + credits.candidate);
  const lead = credits.candidate - credits.control;
  return lead > margin ? 'candidate' : lead < -margin ? 'control' : 'tied';
}

/** Returns how many places to fill. @throws RangeError when rankings or length cannot make a list. */
export function requireRankings(rankings: readonly (readonly RankedItem[])[], length: number | undefined): number {
  if (rankings.length < 2) refuse('rankings.length', rankings.length, '>= 2');
  for (const [r, ranking] of rankings.entries()) requireRanking(ranking, `rankings[${r}]`);
  const wanted = length ?? Math.min(...rankings.map((ranking) => ranking.length));
  return requireCount('length', wanted) > 0 ? wanted : refuse('length', wanted, 'a whole number > 0');
}

function requireRanking(ranking: readonly RankedItem[], name: string): void {
  if (ranking.length === 0) refuse(`${name}.length`, 0, '> 0');
  const different = new Set(ranking).size;
  if (different !== ranking.length) refuse(`different items of ${name}`, different, `${ranking.length}, its length`);
}
