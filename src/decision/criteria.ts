// Does a declared criterion hold? Each becomes a linear form over metrics, and the form's interval is held against the limit.
import type { ValueModel } from '../experiment/index.ts';
import { growthToDecideWatched, type Insufficient, type Interval, normal } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import { chanceRateAbove, constantRateMethod, growthOfConstantRate } from './constant-rate.ts';
import { type BoundedForm, boundedForm } from './criterion-form.ts';
import { type FormInterval, type FormIntervalOptions, formInterval } from './criterion-interval.ts';
import { type LinearEffectSides, linearEffect } from './linear-effect.ts';
import { lowerEnd, upperEnd } from './number-text.ts';
import type { Procedure } from './procedure.ts';
import type { CriterionEntry } from './report.ts';
import { straightened } from './smooth-form.ts';
import { chanceAbove } from './value.ts';
import { standardErrorOf, unitsBehind, watchedInterval } from './watched-interval.ts';

/** A criterion's entry and what the verdict needs beyond it. */
export interface AssessedCriterion {
  readonly entry: CriterionEntry;
  /** Confidence level of the entry's interval, 0..1. */
  readonly level: number;
  /** The candidate is worse than the control in what a primary criterion measures, by the whole interval. */
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
  readonly procedure: Procedure;
  /** Search for the number of units at which it will be decided; default true. */
  readonly isForecasting?: boolean;
}

/** Holds one criterion against one candidate's numbers. */
export function assessCriterion(rule: CriterionRule, sides: LinearEffectSides): AssessedCriterion {
  const read = boundedForm(rule.text, rule.model);
  const form = read.kind === 'crooked' ? straightened(read, sides, rule.model) : read;
  if (form.kind === 'insufficient') return unanswered({ ...identity(rule, sides), limit: form }, form);
  return assessForm(rule, form, sides);
}

/** The criterion nobody wrote down: the candidate is better than the control in one metric. */
export function assessBetter(
  metric: string,
  sides: LinearEffectSides,
  options: Pick<CriterionRule, 'alpha' | 'zeroOne' | 'procedure' | 'isForecasting'> & {
    readonly lowerIsBetter: boolean;
  },
): AssessedCriterion {
  const comparison = options.lowerIsBetter ? '<' : '>';
  const rule: CriterionRule = {
    text: `${metric} ${comparison} control.${metric}`,
    role: 'primary',
    alpha: options.alpha,
    model: undefined,
    zeroOne: options.zeroOne,
    procedure: options.procedure,
    ...(options.isForecasting === undefined ? {} : { isForecasting: options.isForecasting }),
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

function assessForm(rule: CriterionRule, written: BoundedForm, sides: LinearEffectSides): AssessedCriterion {
  const base = identity(rule, sides);
  const effect = linearEffect(sides, written);
  if (effect.kind === 'insufficient') return unanswered({ ...base, limit: written.limit }, effect);

  // All is held against the weighted sum; what stands beside it comes back into the entry.
  const shift = written.offset ?? 0;
  const form: Bounded = { ...written, ...boundsOf(written) };
  const alpha = intervalAlpha(rule, form);
  const within = { alpha, zeroOne: rule.zeroOne };
  const spread = formInterval(form, sides, within);
  const once: Decided | Insufficient =
    spread.kind === 'insufficient'
      ? spread
      : { kind: 'decided', interval: spread.interval, method: methodOnce(spread) };
  const decided =
    rule.procedure.kind === 'fixed' ? once : decide(form, sides, { ...within, procedure: rule.procedure });
  const isEarly = rule.role === 'guardrail' && sides.candidate.units < fewestGuardedUnits;
  const judged = (by: Decided | Insufficient): CriterionEntry['outcome'] =>
    isEarly || by.kind === 'insufficient' ? 'undecided' : outcomeOf(by.interval, form);
  const outcome = judged(decided);
  const estimate = spread.kind === 'measured' && spread.estimate !== undefined ? spread.estimate : effect.estimate;
  const at = { form, alpha, estimate };
  const units = sides.control.units + sides.candidate.units;
  const growth =
    outcome === 'undecided' && rule.isForecasting !== false
      ? growthNeeded(spread, { ...at, procedure: rule.procedure, units: unitsBehind(form, sides).n })
      : undefined;
  const isConstantOnce = spread.kind === 'constant' && rule.procedure.kind === 'fixed';
  return {
    entry: {
      ...base,
      outcome,
      aim: aimOf(written),
      estimate: estimate + shift,
      limit: written.limit,
      interval: decided.kind === 'insufficient' ? decided : moved(decided.interval, shift),
      ...(isConstantOnce ? { intervalMethod: constantRateMethod } : {}),
      ...(decided.kind === 'insufficient' ? {} : { method: decided.method }),
      ...(rule.procedure.kind === 'fixed'
        ? {}
        : {
            fixedHorizon: {
              outcome: judged(once),
              interval: once.kind === 'insufficient' ? once : moved(once.interval, shift),
            },
          }),
      probability: probabilityHolds(spread, at),
    },
    level: 1 - alpha,
    harmful: rule.role === 'primary' && isHarmful(form, sides, { ...within, procedure: rule.procedure }),
    missedByEstimate: !holds(estimate, form),
    ...(growth === undefined
      ? {}
      : {
          unitsNeeded: {
            atEstimate: Math.ceil(units * growth.atEstimate),
            ...(growth.withPower80 === undefined ? {} : { withPower80: Math.ceil(units * growth.withPower80) }),
          },
        }),
    ...(isConstantOnce ? { constantUnits: spread.constant.units } : {}),
  };
}

/** By the whole interval; nobody asks it of criteria that are not primary. */
function isHarmful(
  form: Bounded,
  sides: LinearEffectSides,
  options: FormIntervalOptions & { readonly procedure: Procedure },
): boolean {
  // Apart is not worse; and of a quotient the candidate's part alone means nothing.
  if (form.isBand === true || form.isStraightened === true) return false;
  const advantage = decideBy(againstControl(form), sides, options);
  return (
    advantage.kind !== 'insufficient' &&
    outcomeOf(advantage.interval, { comparison: form.comparison, lower: 0, upper: 0 }) === 'not-met'
  );
}

/** The interval that decides, and what it is in words. */
interface Decided {
  readonly kind: 'decided';
  readonly interval: Interval;
  readonly method: string;
}

function methodOnce(spread: FormInterval): string {
  return spread.kind === 'constant' ? `${constantRateMethod}, fixed horizon` : 'fixed horizon';
}

function decide(
  form: BoundedForm,
  sides: LinearEffectSides,
  options: FormIntervalOptions & { readonly procedure: Exclude<Procedure, { readonly kind: 'fixed' }> },
): Decided | Insufficient {
  const watched = watchedInterval(form, sides, options);
  return watched.kind === 'insufficient'
    ? watched
    : { kind: 'decided', interval: watched.interval, method: watched.method };
}

function decideBy(
  form: BoundedForm,
  sides: LinearEffectSides,
  options: FormIntervalOptions & { readonly procedure: Procedure },
): Decided | Insufficient {
  const { procedure } = options;
  if (procedure.kind !== 'fixed') return decide(form, sides, { ...options, procedure });
  const spread = formInterval(form, sides, options);
  return spread.kind === 'insufficient'
    ? spread
    : { kind: 'decided', interval: spread.interval, method: methodOnce(spread) };
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

/**
 * A guardrail is decided one-sided at alpha, which is the two-sided interval at 2 alpha; so is equivalence, by two
 * one-sided tests. @see Schuirmann 1987
 */
function intervalAlpha(rule: CriterionRule, form: BoundedForm): number {
  return rule.role === 'guardrail' || form.isBand ? Math.min(2 * rule.alpha, 0.99) : rule.alpha;
}

/** The candidate's part of the form, minus the same of the control. */
function againstControl(form: BoundedForm): BoundedForm {
  const control = Object.fromEntries(Object.entries(form.candidate).map(([name, weight]) => [name, -weight]));
  return { ...form, control, limit: 0 };
}

/** The limits of the weighted sum itself; the same for one limit, apart for a band. */
interface Bound {
  readonly comparison: BoundedForm['comparison'];
  readonly lower: number;
  readonly upper: number;
}

type Bounded = BoundedForm & Bound;

function boundsOf({ limit, offset = 0, isBand }: BoundedForm): Pick<Bound, 'lower' | 'upper'> {
  return isBand ? { lower: -limit - offset, upper: limit - offset } : { lower: limit - offset, upper: limit - offset };
}

function holds(value: number, { comparison, lower, upper }: Bound): boolean {
  const isBand = lower < upper;
  switch (comparison) {
    case '<':
      return value < upper && (!isBand || value > lower);
    case '<=':
      return value <= upper && (!isBand || value >= lower);
    case '>':
      return value > lower;
    case '>=':
      return value >= lower;
  }
}

const wantsMore = (bound: Pick<Bound, 'comparison'>): boolean => bound.comparison === '>' || bound.comparison === '>=';

function outcomeOf(interval: Interval, bound: Bound): CriterionEntry['outcome'] {
  const low = lowerEnd(interval);
  const high = upperEnd(interval);
  if (bound.lower < bound.upper) {
    if (holds(low, bound) && holds(high, bound)) return 'met';
    return high < bound.lower || low > bound.upper ? 'not-met' : 'undecided';
  }
  const [worst, best] = wantsMore(bound) ? [low, high] : [high, low];
  if (holds(worst, bound)) return 'met';
  return holds(best, bound) ? 'undecided' : 'not-met';
}

function moved(interval: Interval, by: number): Interval {
  switch (interval.kind) {
    case 'bounded':
      return { kind: 'bounded', lower: interval.lower + by, upper: interval.upper + by };
    case 'lower':
      return { kind: 'lower', lower: interval.lower + by };
    case 'upper':
      return { kind: 'upper', upper: interval.upper + by };
    case 'unbounded':
      return interval;
  }
}

/** What the criterion asks of the candidate against the control; a bound on the candidate alone is a limit. */
function aimOf({
  control,
  candidate,
  comparison,
  limit,
  isBand,
  isStraightened,
}: BoundedForm): NonNullable<CriterionEntry['aim']> {
  if (isBand) return 'equivalence';
  const weights = Object.values(control).filter((weight) => weight !== 0);
  if (weights.length === 0 || isStraightened) return 'limit';
  const isMore = comparison === '>' || comparison === '>=';
  // `accuracy > 0.98 * control.accuracy` asks for less than the control has, `accuracy - control.accuracy > -0.01` too.
  const share = Object.entries(control).reduce((sum, [name, weight]) => sum + weight + (candidate[name] ?? 0), 0);
  const eased = limit === 0 ? share : -limit;
  return (isMore ? eased : -eased) > 1e-12 ? 'non-inferiority' : 'superiority';
}

/** Units that no experiment will ever see. */
const farthestUnits = 1e12;

/** One failure among the first few requests is no evidence that a limit is broken for good. */
const fewestGuardedUnits = 30;

interface At {
  readonly form: Bounded;
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
      const beyond = (limit: number): number => {
        const above = chanceRateAbove(limit / spread.weight, spread.constant);
        return spread.weight > 0 ? above : 1 - above;
      };
      if (form.isBand) return beyond(form.lower) - beyond(form.upper);
      return wantsMore(form) ? beyond(form.lower) : 1 - beyond(form.upper);
    }
    case 'measured': {
      const standardError = standardErrorOf(spread, alpha);
      if (standardError === undefined) return insufficient('the interval is open, so no probability follows from it');
      if (form.isBand) {
        return (
          normal.cdf((form.upper - estimate) / standardError) - normal.cdf((form.lower - estimate) / standardError)
        );
      }
      return wantsMore(form)
        ? chanceAbove(estimate, standardError, form.lower)
        : chanceAbove(-estimate, standardError, -form.upper);
    }
  }
}

interface Growth {
  readonly atEstimate: number;
  readonly withPower80?: number;
}

/**
 * How many times the units so far would decide, at this estimate and this spread: for one look (z se / margin)^2, with
 * 80 % power ((z + z80) se / margin)^2; watched, the number at which the sequence leaves the limit out.
 */
function growthNeeded(
  spread: FormInterval,
  { form, alpha, estimate, procedure, units }: At & { readonly procedure: Procedure; readonly units: number },
): Growth | undefined {
  if (spread.kind === 'insufficient' || spread.kind === 'equal-constants') return undefined;
  if (spread.kind === 'constant') {
    const growth = growthOfConstantRate(form.upper / spread.weight, spread.constant, { alpha });
    return growth === undefined || procedure.kind !== 'fixed' ? undefined : { atEstimate: growth };
  }
  const standardError = standardErrorOf(spread, alpha);
  const distance = Math.min(Math.abs(estimate - form.lower), Math.abs(estimate - form.upper));
  if (standardError === undefined || distance === 0) return undefined;
  if (procedure.kind === 'sequential') {
    // Beyond this nobody waits for it, and the search would leave the whole numbers.
    if (units * (standardError / distance) ** 2 > farthestUnits) return undefined;
    const growth = (power: number): number =>
      Math.max(
        1,
        growthToDecideWatched({ distance, standardError, n: units }, { alpha, power, horizon: procedure.horizon }),
      );
    return { atEstimate: growth(0.5), withPower80: growth(0.8) };
  }
  const z = normal.isf(alpha / 2);
  const growth = (quantile: number): number => ((quantile * standardError) / distance) ** 2;
  return { atEstimate: growth(z), withPower80: growth(z + normal.isf(0.2)) };
}
