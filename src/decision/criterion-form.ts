// What does a criterion's text bound? Weights over metrics of candidate and control, a direction and a limit.
import type { ValueModel } from '../experiment/index.ts';
import { linearForm, type OrderOperator, parseExpression, splitCriterion } from '../expression/index.ts';
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
}

/** The limit of a criterion on `net_value` alone, such as `net_value > 2`; undefined for any other criterion. */
export function netValueLimit(text: string, model: ValueModel | undefined): number | undefined {
  const split = readCriterion(text);
  if (split.kind === 'insufficient') return undefined;
  const names = Object.entries(split.coefficients);
  return names.length === 1 && names[0]?.[0] === 'net_value' && model !== undefined
    ? split.limit / (names[0][1] ?? 1)
    : undefined;
}

/** Names of metrics (and `net_value`) a criterion speaks of, the control's without their prefix. */
export function criterionNames(text: string): readonly string[] {
  const split = readCriterion(text);
  if (split.kind === 'insufficient') return [];
  return [...new Set(Object.keys(split.coefficients).map((name) => name.replace(/^control\./, '')))];
}

interface SplitForm {
  readonly kind: 'split';
  readonly comparison: OrderOperator;
  readonly coefficients: { readonly [name: string]: number };
  readonly limit: number;
}

const flipped: { readonly [operator in OrderOperator]: OrderOperator } = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' };

function readCriterion(text: string): SplitForm | Insufficient {
  const parsed = parseExpression(text);
  if (parsed.kind === 'error') return insufficient(`criterion "${text}" cannot be read: ${parsed.message}`);
  const split = splitCriterion(parsed.expression);
  if (split.kind === 'error') return insufficient(`criterion "${text}" cannot be read: ${split.message}`);
  const anyName = (): boolean => true;
  const left = linearForm(split.left, anyName);
  if (left.kind === 'not-linear') return insufficient(`criterion "${text}" cannot be tested: ${left.message}`);
  const right = linearForm(split.right, anyName);
  if (right.kind === 'not-linear') return insufficient(`criterion "${text}" cannot be tested: ${right.message}`);
  // `2 < net_value` reads as `net_value > 2`: the names come to the left, the constants to the right.
  const turn = Object.keys(left.coefficients).length === 0 ? -1 : 1;
  const coefficients: Record<string, number> = {};
  for (const [name, weight] of Object.entries(left.coefficients)) coefficients[name] = turn * weight;
  for (const [name, weight] of Object.entries(right.coefficients)) {
    coefficients[name] = (coefficients[name] ?? 0) - turn * weight;
  }
  if (Object.keys(coefficients).length === 0) return insufficient(`criterion "${text}" names no metric`);
  return {
    kind: 'split',
    comparison: turn === 1 ? split.comparison : flipped[split.comparison],
    coefficients,
    limit: turn * (right.constant - left.constant),
  };
}

/** A criterion's text as weights and limit; `net_value` becomes the value model's terms. */
export function boundedForm(text: string, model: ValueModel | undefined): BoundedForm | Insufficient {
  const split = readCriterion(text);
  if (split.kind === 'insufficient') return split;
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
  return { kind: 'form', control, candidate, comparison: split.comparison, limit: split.limit, isValue };
}
