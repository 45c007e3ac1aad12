// What does a change do, when everybody gets it for some time and nobody for some time, in turns?
import { type Insufficient, insufficient } from './interval.ts';
import { refuse, requireCount, requireFinite } from './precondition.ts';
import type { Random } from './random.ts';

/** One period, in the order of time. */
export interface SwitchbackPeriod {
  /** Index of its block, 0, 1, 2, ... in order; all periods of a block have the same treatment, drawn for it alone. */
  readonly block: number;
  readonly isTreated: boolean;
  /** The outcome of the period. */
  readonly value: number;
}

/** How a switchback experiment was drawn and is tested. */
export interface SwitchbackOptions {
  /** Periods for which an earlier treatment may still act, a whole number >= 0. */
  readonly carryover: number;
  /** Chance of treatment of each block, in (0, 1); default 0.5. */
  readonly chance?: number;
  /** Source of the drawn assignments; not touched with up to 12 blocks, where all assignments are counted. */
  readonly random: Random;
  /** Assignments drawn when there are more than 12 blocks, a whole number > 0; default 4,999. */
  readonly draws?: number;
}

/** The effect of always treating against never treating, per period. */
export interface SwitchbackResult {
  readonly kind: 'tested';
  /** Says whether the p-value counts all assignments or some drawn ones. */
  readonly method: string;
  /** Mean over periods of always - never, unbiased over the drawing of the blocks. */
  readonly effect: number;
  /** Periods that had the same treatment for the whole carryover: always, never. */
  readonly clearPeriods: { readonly treated: number; readonly control: number };
  readonly blocks: number;
  /** Two-sided, of the hypothesis that no assignment changes any period's outcome. */
  readonly pValue: number;
  /** No p-value of this design can be smaller; read it before concluding from a large one. */
  readonly leastPValue: number;
}

/** Up to so many blocks all assignments are counted (4,096 of them). */
const countedBlocks = 12;

/**
 * Horvitz-Thompson estimate of a switchback experiment with carryover of at most m periods, and its randomisation test.
 * A period counts when it and the m before it had the same treatment, weighted by one over the chance of that.
 * Valid when carryover lasts at most m periods and the blocks were drawn independently; the estimate is noisy when
 * outcomes lie far from 0, so subtract a level fixed beforehand (last week's mean) from them.
 * Insufficient with fewer than two blocks, or without a clear period of both kinds.
 * @throws RangeError when blocks are not numbered in order or change treatment inside, a value is not finite, or an option
 * is out of range.
 * @see Bojinov, Simchi-Levi & Zhao 2023, Management Science 69(7) (estimator; test of the sharp null)
 */
export function switchbackEffect(
  periods: readonly SwitchbackPeriod[],
  options: SwitchbackOptions,
): SwitchbackResult | Insufficient {
  const carryover = requireCount('carryover', options.carryover);
  const chance = options.chance ?? 0.5;
  if (!(chance > 0 && chance < 1)) refuse('chance', chance, 'in (0, 1)');
  const draws = requireCount('draws', options.draws ?? 4999);
  if (draws === 0) refuse('draws', draws, 'a whole number > 0');
  const treated = treatmentsOf(periods);
  const blocks = treated.length;
  if (blocks < 2) return insufficient(`there ${blocks === 1 ? 'is 1 block' : 'are no blocks'}, two are needed`);
  const windows = windowsOf(periods, { carryover, chance });
  const clear = { treated: 0, control: 0 };
  for (const window of windows) {
    const kind = kindOf(window, treated);
    if (kind !== 'mixed') clear[kind] += 1;
  }
  if (clear.treated === 0 || clear.control === 0) {
    const missing = clear.treated === 0 ? 'with' : 'without';
    return insufficient(`no period stayed ${missing} treatment for the whole carryover of ${carryover}`);
  }
  const observed = effectOf(windows, treated);
  const isCounted = blocks <= countedBlocks;
  // Equal effects may differ in their last digits.
  const bar = Math.abs(observed) * (1 - 1e-12);
  const isExtreme = (assignment: readonly boolean[]): boolean => Math.abs(effectOf(windows, assignment)) >= bar;
  return {
    kind: 'tested',
    method: `Horvitz-Thompson, ${isCounted ? 'all assignments counted' : `${draws} assignments drawn`}`,
    effect: observed,
    clearPeriods: clear,
    blocks,
    pValue: isCounted
      ? countedShare(blocks, { chance, isExtreme })
      : drawnShare(blocks, { ...options, chance, draws, isExtreme }),
    leastPValue: isCounted ? countedLeast(blocks, { chance, windows }) : 1 / (draws + 1),
  };
}

/** A period as the test sees it: the blocks it depends on, and what it adds when all of them are alike. */
interface Window {
  readonly first: number;
  readonly last: number;
  /** value / P(all treated) / periods that count */
  readonly whenTreated: number;
  /** -value / P(none treated) / periods that count */
  readonly whenControl: number;
}

function treatmentsOf(periods: readonly SwitchbackPeriod[]): readonly boolean[] {
  const treated: boolean[] = [];
  for (const [i, { block, isTreated, value }] of periods.entries()) {
    requireFinite(`periods[${i}].value`, value);
    if (block === treated.length) treated.push(isTreated);
    else if (block !== treated.length - 1)
      refuse(`periods[${i}].block`, block, `${Math.max(0, treated.length - 1)} or the next`);
    else if (treated[block] !== isTreated) refuse(`periods[${i}].isTreated`, isTreated, 'as in the rest of its block');
  }
  return treated;
}

function windowsOf(
  periods: readonly SwitchbackPeriod[],
  options: { readonly carryover: number; readonly chance: number },
): readonly Window[] {
  const { carryover, chance } = options;
  const counted = periods.length - carryover;
  return periods.slice(carryover).map((period, i) => {
    const first = periods[i]!.block;
    const size = period.block - first + 1;
    return {
      first,
      last: period.block,
      whenTreated: period.value / chance ** size / counted,
      whenControl: -period.value / (1 - chance) ** size / counted,
    };
  });
}

function kindOf(window: Window, treated: readonly boolean[]): 'treated' | 'control' | 'mixed' {
  const start = treated[window.first]!;
  for (let block = window.first + 1; block <= window.last; block += 1) if (treated[block] !== start) return 'mixed';
  return start ? 'treated' : 'control';
}

function effectOf(windows: readonly Window[], treated: readonly boolean[]): number {
  let sum = 0;
  for (const window of windows) {
    const kind = kindOf(window, treated);
    if (kind !== 'mixed') sum += kind === 'treated' ? window.whenTreated : window.whenControl;
  }
  return sum;
}

type Assignment = readonly boolean[];

/** Every assignment with its probability. */
function* assignmentsOf(blocks: number, chance: number): Generator<{ assignment: Assignment; probability: number }> {
  for (let code = 0; code < 2 ** blocks; code += 1) {
    const assignment = Array.from({ length: blocks }, (_, block) => ((code >> block) & 1) === 1);
    const treated = assignment.filter(Boolean).length;
    yield { assignment, probability: chance ** treated * (1 - chance) ** (blocks - treated) };
  }
}

function countedShare(
  blocks: number,
  options: { readonly chance: number; readonly isExtreme: (assignment: Assignment) => boolean },
): number {
  let share = 0;
  for (const { assignment, probability } of assignmentsOf(blocks, options.chance))
    if (options.isExtreme(assignment)) share += probability;
  return Math.min(1, share);
}

/** Probability of the assignments with the largest effect of all. */
function countedLeast(
  blocks: number,
  options: { readonly chance: number; readonly windows: readonly Window[] },
): number {
  let largest = 0;
  let share = 0;
  for (const { assignment, probability } of assignmentsOf(blocks, options.chance)) {
    const size = Math.abs(effectOf(options.windows, assignment));
    if (size > largest * (1 + 1e-12)) [largest, share] = [size, probability];
    else if (size >= largest * (1 - 1e-12)) share += probability;
  }
  return Math.min(1, share);
}

/** The observed assignment counts as one of the drawn, so that the level is kept. @see Phipson & Smyth 2010 */
function drawnShare(
  blocks: number,
  options: {
    readonly chance: number;
    readonly draws: number;
    readonly random: Random;
    readonly isExtreme: (assignment: Assignment) => boolean;
  },
): number {
  const { chance, draws, random, isExtreme } = options;
  let extreme = 1;
  for (let draw = 0; draw < draws; draw += 1)
    if (isExtreme(Array.from({ length: blocks }, () => random.uniform() < chance))) extreme += 1;
  return extreme / (draws + 1);
}
