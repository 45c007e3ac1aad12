// Which lists, shown how often, tell several rankers apart best without favouring any?
import { type InterleavedList, indexBy, type RankedItem, requireRankings } from './interleaving.ts';
import { solveLinearProgram } from './linear-program.ts';
import { refuse, requireCount } from './precondition.ts';
import type { Random } from './random.ts';

/** A list of a plan and how often it is shown. */
export interface PlannedList<Item extends RankedItem> extends InterleavedList<Item> {
  readonly chance: number;
}

/** Lists to show for one query, made once and drawn from for every impression. */
export interface MultileavingPlan<Item extends RankedItem> {
  /** Lists with a chance > 0; the chances sum to 1. */
  readonly lists: readonly PlannedList<Item>[];
  /** Sum over places and rankers of the credit by which a random clicker would favour one, 0 when the plan is fair. */
  readonly imbalance: number;
}

/**
 * Optimized multileaving: among lists in which every item is some ranker's best one left, the chances under which a user
 * who clicks at random down to any place credits all rankers alike, and among those the ones whose lists add least noise of their own. A click on an
 * item earns each ranker 1 / (its place there), or 1 / (length of its ranking + 1) where it is missing.
 * @param options `length`, default that of the shortest ranking; `mostLists` > 0 (default 256): when there are more
 * possible lists, so many are drawn from `random`, and the plan may be fair only nearly (see `imbalance`)
 * @throws RangeError as `teamDraft`, and unless mostLists is a whole number > 0.
 * @see Radlinski & Craswell 2013, WSDM (constraints); Schuth et al. 2014, CIKM (several rankers, insensitivity)
 */
export function planMultileaving<Item extends RankedItem>(
  rankings: readonly (readonly Item[])[],
  options: { readonly length?: number; readonly random: Random; readonly mostLists?: number },
): MultileavingPlan<Item> {
  const length = requireRankings(rankings, options.length);
  const most = requireCount('mostLists', options.mostLists ?? 256);
  if (most === 0) refuse('mostLists', most, 'a whole number > 0');
  const lists = listsOf(rankings, { length, most, random: options.random });
  const places = rankings.map((ranking) => new Map(ranking.map((item, i) => [item, i + 1])));
  const credits = lists.map((items) =>
    items.map((item) => places.map((place) => 1 / (place.get(item) ?? place.size + 1))),
  );
  const { chances, imbalance } = fairChances(credits, rankings.length);
  return {
    lists: lists.flatMap((items, i) => (chances[i]! > 0 ? [{ items, credits: credits[i]!, chance: chances[i]! }] : [])),
    imbalance,
  };
}

/** Draws the list of one impression. */
export function drawPlanned<Item extends RankedItem>(plan: MultileavingPlan<Item>, random: Random): PlannedList<Item> {
  return plan.lists[indexBy(plan.lists, random.uniform())]!;
}

/** All lists, or `most` drawn ones (fewer when some come up twice). */
function listsOf<Item extends RankedItem>(
  rankings: readonly (readonly Item[])[],
  options: { readonly length: number; readonly most: number; readonly random: Random },
): readonly (readonly Item[])[] {
  const { length, most, random } = options;
  const nextOf = (list: readonly Item[]): readonly Item[] => {
    const best = rankings.map((ranking) => ranking.find((item) => !list.includes(item)));
    return [...new Set(best.filter((item) => item !== undefined))];
  };
  let lists: (readonly Item[])[] = [[]];
  for (let place = 0; place < length && lists.length <= most; place += 1) {
    lists = lists.flatMap((list) => {
      const next = nextOf(list);
      return next.length === 0 ? [list] : next.map((item) => [...list, item]);
    });
  }
  if (lists.length <= most) return lists;
  const drawn = new Map<string, readonly Item[]>();
  for (let draw = 0; draw < most; draw += 1) {
    const list: Item[] = [];
    for (let next = nextOf(list); next.length > 0 && list.length < length; next = nextOf(list))
      list.push(next[random.integer(next.length)]!);
    drawn.set(JSON.stringify(list), list);
  }
  return [...drawn.values()];
}

/**
 * Chances of the lists by a linear program: unfairness may remain but costs more than any gain of sensitivity.
 * The first list alone, with its unfairness, is the point to start from.
 */
function fairChances(
  credits: readonly (readonly (readonly number[])[])[],
  rankers: number,
): { readonly chances: readonly number[]; readonly imbalance: number } {
  const lists = credits.length;
  const length = Math.max(...credits.map((list) => list.length));
  const spreads = credits.map(spreadOf);
  // A vertex gives up fairness only where it must when unfairness is dear.
  const dear = 1e4 * Math.max(...spreads, 1e-6);
  const fairness: number[][] = [];
  for (let end = 1; end <= length; end += 1) {
    for (let ranker = 1; ranker < rankers; ranker += 1) {
      fairness.push(
        credits.map((list) => list.slice(0, end).reduce((sum, place) => sum + place[ranker]! - place[0]!, 0)),
      );
    }
  }
  const slacks = 2 * fairness.length;
  const basis = [0];
  const equations = [{ coefficients: [...spreads.map(() => 1), ...new Array<number>(slacks).fill(0)], total: 1 }];
  for (const [r, row] of fairness.entries()) {
    const sign = row[0]! > 0 ? -1 : 1;
    const coefficients = [...row.map((value) => sign * (value - row[0]!)), ...new Array<number>(slacks).fill(0)];
    coefficients[lists + 2 * r] = 1;
    coefficients[lists + 2 * r + 1] = -1;
    equations.push({ coefficients, total: Math.abs(row[0]!) });
    basis.push(lists + 2 * r);
  }
  const solution = solveLinearProgram({
    costs: [...spreads, ...new Array<number>(slacks).fill(dear)],
    equations,
    basis,
  });
  const total = solution.slice(0, lists).reduce((sum, chance) => sum + chance, 0);
  const chances = solution.slice(0, lists).map((chance) => (chance < 1e-12 ? 0 : chance / total));
  const imbalance = fairness.reduce(
    (sum, row) => sum + Math.abs(row.reduce((miss, value, i) => miss + value * chances[i]!, 0)),
    0,
  );
  return { chances, imbalance: imbalance < 1e-9 ? 0 : imbalance };
}

/** How far the rankers' credits lie apart by the list alone, place i clicked with weight 1 / i; small means sensitive. */
function spreadOf(list: readonly (readonly number[])[]): number {
  const rankers = list[0]!.length;
  const sums = Array.from({ length: rankers }, (_, ranker) =>
    list.reduce((sum, place, i) => sum + place[ranker]! / (i + 1), 0),
  );
  const mean = sums.reduce((sum, value) => sum + value, 0) / rankers;
  return sums.reduce((sum, value) => sum + (value - mean) ** 2, 0);
}
