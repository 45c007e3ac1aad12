// Does a declared criterion hold? Each becomes a linear form over metrics, and the form's interval is held against the limit.
import type { MetricSummary } from '../evidence/index.ts';
import type { ValueModel } from '../experiment/index.ts';
import { type Insufficient, type Interval, normal } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import { type BoundedForm, boundedForm } from './criterion-form.ts';
import { compareMetric, estimateMetric } from './effects.ts';
import { type LinearEffectSides, linearEffect } from './linear-effect.ts';
import { lowerEnd, upperEnd } from './number-text.ts';
import type { CriterionEntry } from './report.ts';
import { chanceAbove, normalInterval } from './value.ts';

/** A criterion's entry and what the verdict needs beyond it. */
export interface AssessedCriterion {
  readonly entry: CriterionEntry;
  /** Confidence level of the entry's interval, 0..1. */
  readonly level: number;
  /** The candidate is worse than the control in what the criterion measures, by the whole interval. */
  readonly harmful: boolean;
  /** The point estimate stands on the wrong side of the limit; false where there is no estimate. */
  readonly missedByEstimate: boolean;
  /** Units of both variants together at which this estimate and spread would be decided; absent when it is, or cannot be known. */
  readonly unitsNeeded?: { readonly atEstimate: number; readonly withPower80: number };
}

/** One criterion as written, and how it is judged. */
export interface CriterionRule {
  readonly text: string;
  readonly role: CriterionEntry['role'];
  /** Significance level of each side's decision: two-sided for primary and secondary, one-sided for guardrails. */
  readonly alpha: number;
  readonly model: ValueModel | undefined;
}

/** Holds one criterion against one candidate's numbers. */
export function assessCriterion(rule: CriterionRule, sides: LinearEffectSides): AssessedCriterion {
  const form = boundedForm(rule.text, rule.model);
  if (form.kind === 'insufficient') return unanswered({ ...identity(rule, sides), limit: form }, form);
  return assessForm(rule, form, sides);
}

/** The criterion nobody wrote down: the candidate is better than the control in one metric. */
export function assessBetter(
  metric: string,
  sides: LinearEffectSides,
  options: Pick<CriterionRule, 'alpha'> & { readonly lowerIsBetter: boolean },
): AssessedCriterion {
  const comparison = options.lowerIsBetter ? '<' : '>';
  const rule: CriterionRule = {
    text: `${metric} ${comparison} control.${metric}`,
    role: 'primary',
    alpha: options.alpha,
    model: undefined,
  };
  const form: BoundedForm = {
    kind: 'form',
    control: { [metric]: -1 },
    candidate: { [metric]: 1 },
    comparison,
    limit: 0,
    isValue: false,
  };
  return assessForm(rule, form, sides);
}

function identity(rule: CriterionRule, sides: LinearEffectSides): Pick<CriterionEntry, 'text' | 'role' | 'variant'> {
  return { text: rule.text, role: rule.role, variant: sides.candidate.variant };
}

function assessForm(rule: CriterionRule, form: BoundedForm, sides: LinearEffectSides): AssessedCriterion {
  const base = identity(rule, sides);
  const effect = linearEffect(sides, form);
  if (effect.kind === 'insufficient') return unanswered({ ...base, limit: form.limit }, effect);

  const alpha = intervalAlpha(rule);
  const interval = formInterval(form, sides, alpha);
  const isEarly = rule.role === 'guardrail' && sides.candidate.units < fewestGuardedUnits;
  const outcome = isEarly || interval.kind === 'insufficient' ? 'undecided' : outcomeOf(interval, form);
  const advantage = formInterval(againstControl(form), sides, alpha);
  const needed =
    outcome === 'undecided' ? unitsNeeded(interval, { form, sides, alpha, estimate: effect.estimate }) : undefined;
  return {
    entry: {
      ...base,
      outcome,
      estimate: effect.estimate,
      limit: form.limit,
      interval,
      probability: probabilityHolds(form, effect.estimate, { interval, alpha }),
    },
    level: 1 - alpha,
    harmful: advantage.kind !== 'insufficient' && outcomeOf(advantage, { ...form, limit: 0 }) === 'not-met',
    missedByEstimate: !holds(effect.estimate, form),
    ...(needed === undefined ? {} : { unitsNeeded: needed }),
  };
}

function unanswered(
  base: Pick<CriterionEntry, 'text' | 'role' | 'variant' | 'limit'>,
  why: Insufficient,
): AssessedCriterion {
  return {
    entry: { ...base, outcome: 'undecided', estimate: why, interval: why, probability: why },
    level: 1,
    harmful: false,
    missedByEstimate: false,
  };
}

/** A guardrail is decided one-sided at alpha, which is the two-sided interval at 2 alpha. */
function intervalAlpha(rule: CriterionRule): number {
  return rule.role === 'guardrail' ? Math.min(2 * rule.alpha, 0.99) : rule.alpha;
}

/** The candidate's part of the form, minus the same of the control. */
function againstControl(form: BoundedForm): BoundedForm {
  const control = Object.fromEntries(Object.entries(form.candidate).map(([name, weight]) => [name, -weight]));
  return { ...form, control, limit: 0 };
}

/** The form's interval. One metric, or one metric's difference, keeps the interval its own entry shows. */
function formInterval(form: BoundedForm, sides: LinearEffectSides, alpha: number): Interval | Insufficient {
  const single = form.isValue ? undefined : singleMetric(form);
  if (single !== undefined) {
    const control = sides.control.metrics[single.name];
    const candidate = sides.candidate.metrics[single.name];
    const interval = single.isDifference
      ? differenceInterval(control, candidate, alpha)
      : ownInterval(candidate, alpha);
    if (interval !== undefined) return interval.kind === 'insufficient' ? interval : scale(interval, single.weight);
  }
  const effect = linearEffect(sides, form);
  if (effect.kind === 'insufficient') return effect;
  const used = new Set([...Object.keys(form.control), ...Object.keys(form.candidate)]);
  if (effect.omits.length >= used.size) {
    return insufficient(`the spread of ${effect.omits.join(' and ')} is unknown, so it can be shown but not tested`);
  }
  if (effect.variance === 0) return insufficient('the numbers show no spread at all');
  return normalInterval(effect.estimate, Math.sqrt(effect.variance), alpha);
}

function singleMetric(
  form: BoundedForm,
): { readonly name: string; readonly weight: number; readonly isDifference: boolean } | undefined {
  const candidate = Object.entries(form.candidate).filter(([, weight]) => weight !== 0);
  const control = Object.entries(form.control).filter(([, weight]) => weight !== 0);
  const [name, weight] = candidate[0] ?? [];
  if (candidate.length !== 1 || name === undefined || weight === undefined) return undefined;
  if (control.length === 0) return { name, weight, isDifference: false };
  if (control.length === 1 && control[0]?.[0] === name && control[0][1] === -weight) {
    return { name, weight, isDifference: true };
  }
  return undefined;
}

function differenceInterval(
  control: MetricSummary | undefined,
  candidate: MetricSummary | undefined,
  alpha: number,
): Interval | Insufficient | undefined {
  if (control === undefined || candidate === undefined) return undefined;
  const test = compareMetric(control, candidate, { alpha });
  return test.kind === 'tested' ? test.interval : test;
}

function ownInterval(summary: MetricSummary | undefined, alpha: number): Interval | Insufficient | undefined {
  if (summary === undefined || summary.kind === 'insufficient') return undefined;
  const spread = estimateMetric(summary, { alpha });
  return spread.kind === 'estimated' ? spread.interval : spread;
}

function scale(interval: Interval, weight: number): Interval {
  const ends = [lowerEnd(interval) * weight, upperEnd(interval) * weight];
  const lower = Math.min(...ends);
  const upper = Math.max(...ends);
  if (Number.isFinite(lower) && Number.isFinite(upper)) return { kind: 'bounded', lower, upper };
  if (Number.isFinite(lower)) return { kind: 'lower', lower };
  return Number.isFinite(upper) ? { kind: 'upper', upper } : { kind: 'unbounded' };
}

type Bound = Pick<BoundedForm, 'comparison' | 'limit'>;

function holds(value: number, bound: Bound): boolean {
  switch (bound.comparison) {
    case '<':
      return value < bound.limit;
    case '<=':
      return value <= bound.limit;
    case '>':
      return value > bound.limit;
    case '>=':
      return value >= bound.limit;
  }
}

const wantsMore = (bound: Bound): boolean => bound.comparison === '>' || bound.comparison === '>=';

function outcomeOf(interval: Interval, bound: Bound): CriterionEntry['outcome'] {
  const worst = wantsMore(bound) ? lowerEnd(interval) : upperEnd(interval);
  const best = wantsMore(bound) ? upperEnd(interval) : lowerEnd(interval);
  if (holds(worst, bound)) return 'met';
  return holds(best, bound) ? 'undecided' : 'not-met';
}

/** One failure among the first few requests is no evidence that a limit is broken for good. */
const fewestGuardedUnits = 30;

interface Spread {
  readonly interval: Interval | Insufficient;
  readonly alpha: number;
}

/** Half the interval over its normal quantile: the standard error the interval stands for. */
function standardErrorOf({ interval, alpha }: Spread): number | undefined {
  return interval.kind === 'bounded' ? (interval.upper - interval.lower) / 2 / normal.isf(alpha / 2) : undefined;
}

function probabilityHolds(bound: Bound, estimate: number, spread: Spread): number | Insufficient {
  if (spread.interval.kind === 'insufficient') return spread.interval;
  const standardError = standardErrorOf(spread);
  if (standardError === undefined) return insufficient('the interval is open, so no probability follows from it');
  return wantsMore(bound)
    ? chanceAbove(estimate, standardError, bound.limit)
    : chanceAbove(-estimate, standardError, -bound.limit);
}

/** n x (z se / margin)^2, and with 80 % power n x ((z + z80) se / margin)^2, at this estimate and this spread. */
function unitsNeeded(
  interval: Interval | Insufficient,
  at: {
    readonly form: BoundedForm;
    readonly sides: LinearEffectSides;
    readonly alpha: number;
    readonly estimate: number;
  },
): { readonly atEstimate: number; readonly withPower80: number } | undefined {
  const standardError = standardErrorOf({ interval, alpha: at.alpha });
  const margin = Math.abs(at.estimate - at.form.limit);
  if (standardError === undefined || margin === 0) return undefined;
  const units = at.sides.control.units + at.sides.candidate.units;
  const z = normal.isf(at.alpha / 2);
  const needed = (quantile: number): number => Math.ceil(units * ((quantile * standardError) / margin) ** 2);
  return { atEstimate: needed(z), withPower80: needed(z + normal.isf(0.2)) };
}
