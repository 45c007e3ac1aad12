// Does a declared criterion hold? Each becomes a linear form over metrics, and the form's interval is held against the limit.
import type { ValueModel } from '../experiment/index.ts';
import { type Insufficient, type Interval, normal } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import { chanceRateAbove, constantRateMethod, growthOfConstantRate } from './constant-rate.ts';
import { type BoundedForm, boundedForm } from './criterion-form.ts';
import { type FormInterval, formInterval } from './criterion-interval.ts';
import { type LinearEffectSides, linearEffect } from './linear-effect.ts';
import { lowerEnd, upperEnd } from './number-text.ts';
import type { CriterionEntry } from './report.ts';
import { chanceAbove } from './value.ts';

/** A criterion's entry and what the verdict needs beyond it. */
export interface AssessedCriterion {
  readonly entry: CriterionEntry;
  /** Confidence level of the entry's interval, 0..1. */
  readonly level: number;
  /** The candidate is worse than the control in what the criterion measures, by the whole interval. */
  readonly harmful: boolean;
  /** The point estimate stands on the wrong side of the limit; false where there is no estimate. */
  readonly missedByEstimate: boolean;
  /**
   * Units of both variants together at which this estimate and spread would be decided; absent when it is, or cannot be
   * known. A rate that never moved has no power: it is decided then if it still does not move.
   */
  readonly unitsNeeded?: { readonly atEstimate: number; readonly withPower80?: number };
  /** Units behind a rate that never moved; absent for anything else. */
  readonly constantUnits?: number;
}

/** One criterion as written, and how it is judged. */
export interface CriterionRule {
  readonly text: string;
  readonly role: CriterionEntry['role'];
  /** Significance level of each side's decision: two-sided for primary and secondary, one-sided for guardrails. */
  readonly alpha: number;
  readonly model: ValueModel | undefined;
  /** Names of the metrics whose rows are 0 or 1 whatever the evidence holds. */
  readonly zeroOne: ReadonlySet<string>;
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
  options: Pick<CriterionRule, 'alpha' | 'zeroOne'> & { readonly lowerIsBetter: boolean },
): AssessedCriterion {
  const comparison = options.lowerIsBetter ? '<' : '>';
  const rule: CriterionRule = {
    text: `${metric} ${comparison} control.${metric}`,
    role: 'primary',
    alpha: options.alpha,
    model: undefined,
    zeroOne: options.zeroOne,
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
  const within = { alpha, zeroOne: rule.zeroOne };
  const spread = formInterval(form, sides, within);
  const interval = spread.kind === 'insufficient' ? spread : spread.interval;
  const isEarly = rule.role === 'guardrail' && sides.candidate.units < fewestGuardedUnits;
  const outcome = isEarly || interval.kind === 'insufficient' ? 'undecided' : outcomeOf(interval, form);
  const advantage = formInterval(againstControl(form), sides, within);
  const estimate = spread.kind === 'measured' && spread.estimate !== undefined ? spread.estimate : effect.estimate;
  const at = { form, alpha, estimate };
  const growth = outcome === 'undecided' ? growthNeeded(spread, at) : undefined;
  const units = sides.control.units + sides.candidate.units;
  return {
    entry: {
      ...base,
      outcome,
      estimate,
      limit: form.limit,
      interval,
      ...(spread.kind === 'constant' ? { intervalMethod: constantRateMethod } : {}),
      probability: probabilityHolds(spread, at),
    },
    level: 1 - alpha,
    harmful: advantage.kind !== 'insufficient' && outcomeOf(advantage.interval, { ...form, limit: 0 }) === 'not-met',
    missedByEstimate: !holds(estimate, form),
    ...(growth === undefined
      ? {}
      : {
          unitsNeeded: {
            atEstimate: Math.ceil(units * growth.atEstimate),
            ...(growth.withPower80 === undefined ? {} : { withPower80: Math.ceil(units * growth.withPower80) }),
          },
        }),
    ...(spread.kind === 'constant' ? { constantUnits: spread.constant.units } : {}),
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

/** Half the interval over its normal quantile: the standard error the interval stands for. */
function standardErrorOf(interval: Interval, alpha: number): number | undefined {
  return interval.kind === 'bounded' ? (interval.upper - interval.lower) / 2 / normal.isf(alpha / 2) : undefined;
}

interface At {
  readonly form: BoundedForm;
  readonly alpha: number;
  readonly estimate: number;
}

function probabilityHolds(spread: FormInterval, { form, alpha, estimate }: At): number | Insufficient {
  switch (spread.kind) {
    case 'insufficient':
      return spread;
    case 'equal-constants':
      return insufficient('both rates were the same in every unit, so the noise cannot be estimated');
    case 'constant': {
      const above = chanceRateAbove(form.limit / spread.weight, spread.constant);
      return wantsMore(form) === spread.weight > 0 ? above : 1 - above;
    }
    case 'measured': {
      const standardError = standardErrorOf(spread.interval, alpha);
      if (standardError === undefined) return insufficient('the interval is open, so no probability follows from it');
      return wantsMore(form)
        ? chanceAbove(estimate, standardError, form.limit)
        : chanceAbove(-estimate, standardError, -form.limit);
    }
  }
}

interface Growth {
  readonly atEstimate: number;
  readonly withPower80?: number;
}

/** How many times the units so far: (z se / margin)^2, with 80 % power ((z + z80) se / margin)^2, at this estimate and this spread. */
function growthNeeded(spread: FormInterval, { form, alpha, estimate }: At): Growth | undefined {
  if (spread.kind === 'insufficient' || spread.kind === 'equal-constants') return undefined;
  if (spread.kind === 'constant') {
    const growth = growthOfConstantRate(form.limit / spread.weight, spread.constant, { alpha });
    return growth === undefined ? undefined : { atEstimate: growth };
  }
  const standardError = standardErrorOf(spread.interval, alpha);
  const margin = Math.abs(estimate - form.limit);
  if (standardError === undefined || margin === 0) return undefined;
  const z = normal.isf(alpha / 2);
  const growth = (quantile: number): number => ((quantile * standardError) / margin) ** 2;
  return { atEstimate: growth(z), withPower80: growth(z + normal.isf(0.2)) };
}
