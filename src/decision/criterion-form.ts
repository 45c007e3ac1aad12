// What does a criterion's text bound? Weights over metrics of candidate and control, a direction and a limit.
import type { ValueModel } from '../experiment/index.ts';
import {
  type Criterion,
  type Expression,
  linearForm,
  namesIn,
  type OrderOperator,
  parseExpression,
  splitCriterion,
} from '../expression/index.ts';
import type { Insufficient } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import type { Weights } from './linear-effect.ts';
import { valueWeights } from './value.ts';

/** Weighted sum of the candidate's and the control's metrics, `comparison` `limit`. */
export interface BoundedForm {
  readonly kind: 'form';
  readonly control: Weights;
  readonly candidate: Weights;
  readonly comparison: OrderOperator;
  readonly limit: number;
  /** The criterion names `net_value`, whose interval it then shares. */
  readonly isValue: boolean;
  /** What stands beside the weighted sum; default 0. The limit bounds sum + offset. */
  readonly offset?: number;
  /** `abs(sum + offset) < limit`: both ends are bounded. */
  readonly isBand?: boolean;
  /** The sum is the straight line of a smooth expression near the estimates. */
  readonly isStraightened?: boolean;
}

/** A criterion that is no weighted sum. */
export interface CrookedCriterion {
  readonly kind: 'crooked';
  readonly left: Expression;
  readonly comparison: OrderOperator;
  readonly right: Expression;
}

/** The limit of a criterion on `net_value` alone, such as `net_value > 2`; undefined for any other criterion. */
export function netValueLimit(text: string, model: ValueModel | undefined): number | undefined {
  const split = readCriterion(text);
  if (split.kind !== 'split' || split.isBand) return undefined;
  const names = Object.entries(split.coefficients);
  return names.length === 1 && names[0]?.[0] === 'net_value' && model !== undefined
    ? split.limit / (names[0][1] ?? 1)
    : undefined;
}

/** Names of metrics (and `net_value`) a criterion speaks of, the control's without their prefix. */
export function criterionNames(text: string): readonly string[] {
  const split = readCriterion(text);
  if (split.kind === 'insufficient') return [];
  const names =
    split.kind === 'crooked' ? [...namesIn(split.left), ...namesIn(split.right)] : Object.keys(split.coefficients);
  return [...new Set(names.map((name) => name.replace(/^control\./, '')))];
}

interface SplitForm {
  readonly kind: 'split';
  readonly comparison: OrderOperator;
  readonly coefficients: { readonly [name: string]: number };
  readonly limit: number;
  readonly offset: number;
  readonly isBand: boolean;
}

const flipped: { readonly [operator in OrderOperator]: OrderOperator } = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' };

function readCriterion(text: string): SplitForm | CrookedCriterion | Insufficient {
  const parsed = parseExpression(text);
  if (parsed.kind === 'error') return insufficient(`criterion "${text}" cannot be read: ${parsed.message}`);
  const split = splitCriterion(parsed.expression);
  if (split.kind === 'error') return insufficient(`criterion "${text}" cannot be read: ${split.message}`);
  if (namesIn(parsed.expression).length === 0) return insufficient(`criterion "${text}" names no metric`);
  const band = bandOf(split);
  if (band !== undefined) return band;
  const anyName = (): boolean => true;
  const left = linearForm(split.left, anyName);
  const right = linearForm(split.right, anyName);
  if (left.kind === 'not-linear' || right.kind === 'not-linear') {
    const isTurned = namesIn(split.left).length === 0;
    return isTurned
      ? { kind: 'crooked', left: split.right, comparison: flipped[split.comparison], right: split.left }
      : { ...split, kind: 'crooked' };
  }
  // `2 < net_value` reads as `net_value > 2`: the names come to the left, the constants to the right.
  const turn = Object.keys(left.coefficients).length === 0 ? -1 : 1;
  const coefficients: Record<string, number> = {};
  for (const [name, weight] of Object.entries(left.coefficients)) coefficients[name] = turn * weight;
  for (const [name, weight] of Object.entries(right.coefficients)) {
    coefficients[name] = (coefficients[name] ?? 0) - turn * weight;
  }
  return {
    kind: 'split',
    comparison: turn === 1 ? split.comparison : flipped[split.comparison],
    coefficients,
    limit: turn * (right.constant - left.constant),
    offset: 0,
    isBand: false,
  };
}

/** `abs(sum) < number`, either way round. */
function bandOf(split: Criterion): SplitForm | undefined {
  const isTurned = namesIn(split.left).length === 0;
  const [inner, bound] = isTurned ? [split.right, split.left] : [split.left, split.right];
  const comparison = isTurned ? flipped[split.comparison] : split.comparison;
  if (inner.kind !== 'call' || inner.function !== 'abs' || (comparison !== '<' && comparison !== '<='))
    return undefined;
  const [argument] = inner.arguments;
  const sum = argument === undefined ? undefined : linearForm(argument, () => true);
  const limit = linearForm(bound, () => false);
  if (sum?.kind !== 'linear' || limit.kind !== 'linear' || !(limit.constant > 0)) return undefined;
  return {
    kind: 'split',
    comparison,
    coefficients: sum.coefficients,
    limit: limit.constant,
    offset: sum.constant,
    isBand: true,
  };
}

/** A criterion's text as weights and limit; `net_value` becomes the value model's terms. */
export function boundedForm(
  text: string,
  model: ValueModel | undefined,
): BoundedForm | CrookedCriterion | Insufficient {
  const split = readCriterion(text);
  if (split.kind !== 'split') return split;
  const isValue = 'net_value' in split.coefficients;
  const control: Record<string, number> = {};
  const candidate: Record<string, number> = {};
  const add = (side: Record<string, number>, name: string, weight: number): void => {
    side[name] = (side[name] ?? 0) + weight;
  };
  for (const [name, weight] of Object.entries(split.coefficients)) {
    if (name === 'net_value') {
      if (model === undefined) return insufficient('the experiment declares no value model');
      const net = valueWeights(model);
      for (const [metric, part] of Object.entries(net.candidate)) add(candidate, metric, weight * part);
      for (const [metric, part] of Object.entries(net.control)) add(control, metric, weight * part);
    } else if (name.startsWith('control.')) add(control, name.slice('control.'.length), weight);
    else add(candidate, name, weight);
  }
  const { comparison, limit, offset, isBand } = split;
  return { kind: 'form', control, candidate, comparison, limit, isValue, offset, isBand };
}
