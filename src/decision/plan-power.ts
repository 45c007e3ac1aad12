// How long will it take, and what will it be able to see? Units, days and detectable values of every criterion of a plan.
import { type Insufficient, normal, watchLimit } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import { impliedCriterion } from './judgement.ts';
import { distanceInside, type PlannedCriterion, plannedCriterion, type TrueLevels } from './planned-criterion.ts';
import {
  type Expectations,
  type PlannedExperiment,
  type PlannedMetric,
  type PlannedWorld,
  plannedLevels,
  plannedWorld,
} from './planned-world.ts';
import { type Procedure, proceduresOf } from './procedure.ts';
import type { CriterionEntry } from './report.ts';

/** One criterion of a plan. */
export interface CriterionPower {
  readonly text: string;
  readonly role: CriterionEntry['role'];
  readonly limit: number | Insufficient;
  /** What it bounds, if the expected differences are true. */
  readonly value: number | Insufficient;
  /** Units of all variants together for the wished power, by variant, and days; insufficient where it is not true as planned. */
  readonly needed:
    | {
        readonly units: number;
        readonly byVariant: { readonly [variant: string]: number };
        readonly days: number;
        /** `days` rounded up to whole weeks. */
        readonly weekDays: number;
        /** Units over those of one look at the end. */
        readonly inflation: number;
      }
    | Insufficient;
  /** At the end of the plan. */
  readonly atEnd:
    | {
        /** Chance, 0..1, that it is decided for the candidate; the last look alone, so it is a little more. */
        readonly power: number;
        /** Value nearest to the limit that would be decided with the wished power. */
        readonly detectable: number;
      }
    | Insufficient;
}

/** What a plan can see. */
export interface PowerPlan {
  readonly experiment: string;
  readonly method: Procedure['kind'];
  readonly alpha: number;
  /** Wished chance of a decision, 0..1. */
  readonly power: number;
  readonly unitsPerDay: number;
  readonly shares: { readonly [variant: string]: number };
  /** When the plan is over: `plan.units`, or `maxDuration` at this traffic. */
  readonly end: { readonly units: number; readonly days: number };
  readonly minDays: number;
  readonly criteria: readonly CriterionPower[];
  /** Chance that all primary criteria are met, and the value of the first that would be detectable, by day. */
  readonly curve: readonly {
    readonly day: number;
    readonly units: number;
    readonly power: number;
    readonly detectable: number | Insufficient;
  }[];
  readonly metrics: readonly Pick<PlannedMetric, 'name' | 'form' | 'control' | 'difference' | 'origin'>[];
  /** What nobody said and was therefore assumed, in sentences. */
  readonly assumed: readonly string[];
}

/** What the plan of an experiment can see, and when. */
export function planPower(experiment: PlannedExperiment, expectations: Expectations = {}): PowerPlan {
  const world = plannedWorld(experiment, expectations);
  const levels = plannedLevels(world);
  const traffic = plannedTraffic(experiment, world);
  const { decision } = experiment;
  const power = experiment.plan.power ?? 0.8;
  const procedures = proceduresOf(experiment, { isLive: true });
  const rules = rulesOf(experiment, world);
  const criteria = rules.map(({ text, role, alpha, procedure }): CriterionPower => {
    const found = plannedCriterion(text, levels, { experiment, world });
    if (found.kind === 'insufficient') {
      return { text, role, limit: found, value: found, needed: found, atEnd: found };
    }
    const at = { criterion: found, alpha, procedure };
    return {
      text,
      role,
      limit: found.form.limit,
      value: found.value,
      needed: neededUnits(at, { power, world, traffic }),
      atEnd: {
        power: powerAt(at, traffic.end.units),
        detectable: detectableAt(at, { units: traffic.end.units, power }),
      },
    };
  });
  return {
    experiment: experiment.name,
    method: procedures.criteria.kind,
    alpha: decision.alpha,
    power,
    unitsPerDay: world.unitsPerDay,
    shares: world.shares,
    end: traffic.end,
    minDays: decision.minDurationMs / dayMs,
    criteria,
    curve: curveOf(rules, { experiment, world, levels, traffic, power }),
    metrics: world.metrics.map(({ name, form, control, difference, origin }) => ({
      name,
      form,
      control,
      difference,
      origin,
    })),
    assumed: world.assumed,
  };
}

/** One criterion's text, and how it will be judged. */
interface PlannedRule {
  readonly text: string;
  readonly role: CriterionEntry['role'];
  /** Two-sided. */
  readonly alpha: number;
  readonly procedure: Procedure;
}

/** The declared criteria as `makeReport` judges them; without primary ones, that the first metric is better. */
function rulesOf({ decision, plan, metrics }: PlannedExperiment, world: PlannedWorld): readonly PlannedRule[] {
  const procedures = proceduresOf({ decision, plan }, { isLive: true });
  const alpha = decision.alpha / Math.max(1, world.candidates.length);
  return [
    ...primaryTexts({ decision, plan, metrics }).map((text) => ({
      text,
      role: 'primary' as const,
      alpha,
      procedure: procedures.criteria,
    })),
    ...decision.secondary.map((text) => ({ text, role: 'secondary' as const, alpha, procedure: procedures.criteria })),
    ...decision.guardrails.map((text) => ({
      text,
      role: 'guardrail' as const,
      // One-sided at alpha is two-sided at twice that.
      alpha: Math.min(2 * decision.alpha, 0.99),
      procedure: procedures.guardrails,
    })),
  ];
}

/** The primary criteria, declared or implied. */
export function primaryTexts(experiment: Pick<PlannedExperiment, 'decision' | 'plan' | 'metrics'>): readonly string[] {
  const { primary } = experiment.decision;
  return primary.length > 0 ? primary : [impliedCriterion(experiment) ?? []].flat();
}

const dayMs = 86_400_000;

/** When units come in. */
export interface PlannedTraffic {
  readonly end: { readonly units: number; readonly days: number };
  /** Days until so many units took part. */
  daysAt(units: number): number;
  /** Units that took part until this day. */
  unitsAt(days: number): number;
}

/** The traffic of the plan, held back by the steps of the ramp. */
export function plannedTraffic(experiment: PlannedExperiment, world: PlannedWorld): PlannedTraffic {
  const steps = experiment.ramp?.coverage ?? [experiment.coverage ?? 1];
  const holdDays = (experiment.ramp?.holdMs ?? 0) / dayMs;
  const last = steps.at(-1) ?? 1;
  const unitsAt = (days: number): number => {
    let units = 0;
    let left = days;
    for (const step of steps.slice(0, -1)) {
      const on = Math.min(left, holdDays);
      units += on * step * world.unitsPerDay;
      left -= on;
    }
    return units + left * last * world.unitsPerDay;
  };
  const rampDays = holdDays * (steps.length - 1);
  const daysAt = (units: number): number => {
    const beyond = units - unitsAt(rampDays);
    if (beyond >= 0) return rampDays + beyond / (last * world.unitsPerDay);
    let days = 0;
    let left = units;
    for (const step of steps) {
      const rate = step * world.unitsPerDay;
      if (left <= rate * holdDays) return days + left / rate;
      left -= rate * holdDays;
      days += holdDays;
    }
    return days;
  };
  const { plan, decision } = experiment;
  const whole = unitsAt(decision.maxDurationMs / dayMs);
  const pair = Math.max(
    ...world.candidates.map((name) => (world.shares[world.control] ?? 0) + (world.shares[name] ?? 0)),
  );
  const units = Math.max(2, Math.min(whole, plan.units === undefined ? whole : plan.units / pair));
  return { end: { units, days: Math.max(daysAt(units), decision.minDurationMs / dayMs) }, daysAt, unitsAt };
}

/** A criterion and how it is judged. */
interface Judged {
  readonly criterion: PlannedCriterion;
  readonly alpha: number;
  readonly procedure: Procedure;
}

/** Half-width of the interval in standard errors; infinite before the first look. */
function reachAt({ alpha, procedure, criterion }: Judged, units: number): number {
  const pair = Math.max(1, Math.round(units * criterion.pairShare));
  switch (procedure.kind) {
    case 'fixed':
      return normal.isf(alpha / 2);
    case 'group-sequential': {
      const reach = procedure.reachAt(pair, alpha);
      return typeof reach === 'number' ? reach : Number.POSITIVE_INFINITY;
    }
    case 'sequential': {
      const watched = watchLimit(
        { estimate: 0, standardError: 1, n: pair },
        { alpha, horizon: procedure.horizon, direction: 'apart', tuning: 'approximate' },
      );
      return watched.kind === 'watched' && watched.interval.kind === 'bounded'
        ? watched.interval.upper
        : Number.POSITIVE_INFINITY;
    }
  }
}

/** Chance that the interval lies on the right side at this many units of all variants together. */
function powerAt(judged: Judged, units: number): number {
  const { form, value, noise } = judged.criterion;
  const reach = reachAt(judged, units);
  if (!Number.isFinite(reach)) return 0;
  const error = Math.sqrt(noise / units);
  if (!(error > 0)) return distanceInside(form, value) > 0 ? 1 : 0;
  if (!form.isBand) return normal.cdf(distanceInside(form, value) / error - reach);
  const above = (form.limit + value) / error - reach;
  const below = (form.limit - value) / error - reach;
  return above + below <= 0 ? 0 : Math.max(0, normal.cdf(above) - normal.sf(below));
}

/** The value nearest to the limit, on its right side, that is decided with the wished power. */
function detectableAt(judged: Judged, { units, power }: { readonly units: number; readonly power: number }): number {
  const { form, noise } = judged.criterion;
  const away = (reachAt(judged, units) + normal.quantile(power)) * Math.sqrt(noise / units);
  const isMore = form.comparison === '>' || form.comparison === '>=';
  return form.isBand ? Math.max(0, form.limit - away) : isMore ? form.limit + away : form.limit - away;
}

/** Nobody waits for more. */
const mostUnits = 1e12;

function neededUnits(
  judged: Judged,
  { power, world, traffic }: { readonly power: number; readonly world: PlannedWorld; readonly traffic: PlannedTraffic },
): CriterionPower['needed'] {
  if (!judged.criterion.isTrue) {
    return insufficient('it is not true if the expected differences are; say which difference is expected');
  }
  const search = (own: Judged): number | undefined => {
    let [low, high] = [Math.log(2), Math.log(mostUnits)];
    if (powerAt(own, mostUnits) < power) return undefined;
    for (let step = 0; step < 60; step += 1) {
      const middle = (low + high) / 2;
      if (powerAt(own, Math.exp(middle)) >= power) high = middle;
      else low = middle;
    }
    return Math.ceil(Math.exp(high) - 1e-6);
  };
  const units = search(judged);
  const once = search({ ...judged, procedure: { kind: 'fixed' } });
  if (units === undefined || once === undefined) return insufficient('no number of units would show it');
  const days = traffic.daysAt(units);
  return {
    units,
    byVariant: Object.fromEntries(
      Object.entries(world.shares).map(([name, share]) => [name, Math.ceil(units * share)] as const),
    ),
    days,
    weekDays: Math.max(1, Math.ceil(days / 7 - 1e-9)) * 7,
    inflation: units / once,
  };
}

/** Points of the curve. */
const curvePoints = 28;

function curveOf(
  rules: readonly PlannedRule[],
  plan: {
    readonly experiment: PlannedExperiment;
    readonly world: PlannedWorld;
    readonly levels: TrueLevels;
    readonly traffic: PlannedTraffic;
    readonly power: number;
  },
): PowerPlan['curve'] {
  const judged = rules.flatMap(({ text, role, alpha, procedure }) => {
    const criterion = plannedCriterion(text, plan.levels, plan);
    return role === 'primary' && criterion.kind === 'planned' ? [{ criterion, alpha, procedure }] : [];
  });
  const last = plan.traffic.end.days;
  return Array.from({ length: curvePoints }, (_, i) => {
    const day = (last * (i + 1)) / curvePoints;
    const units = Math.min(plan.traffic.unitsAt(day), plan.traffic.end.units);
    const first = judged[0];
    const detectable = first === undefined ? Number.NaN : detectableAt(first, { units, power: plan.power });
    return {
      day,
      units: Math.round(units),
      power: judged.reduce((product, each) => product * powerAt(each, units), judged.length === 0 ? 0 : 1),
      detectable: Number.isFinite(detectable) ? detectable : insufficient('nothing is decided so early'),
    };
  });
}

/** Chance that all primary criteria are met at the end of the plan, at these levels. */
export function plannedPowerAt(
  levels: TrueLevels,
  { experiment, world }: { readonly experiment: PlannedExperiment; readonly world: PlannedWorld },
): number {
  const { end } = plannedTraffic(experiment, world);
  return rulesOf(experiment, world)
    .filter(({ role }) => role === 'primary')
    .reduce((product, { text, alpha, procedure }) => {
      const criterion = plannedCriterion(text, levels, { experiment, world });
      return criterion.kind === 'insufficient' ? 0 : product * powerAt({ criterion, alpha, procedure }, end.units);
    }, 1);
}

/** The value of a primary criterion that the end of the plan shows with the wished power; insufficient where it cannot be read. */
export function detectableValue(
  text: string,
  levels: TrueLevels,
  { experiment, world }: { readonly experiment: PlannedExperiment; readonly world: PlannedWorld },
): number | Insufficient {
  const rule = rulesOf(experiment, world).find((each) => each.text === text);
  const criterion = plannedCriterion(text, levels, { experiment, world });
  if (criterion.kind === 'insufficient') return criterion;
  if (rule === undefined) return insufficient(`${text} is no criterion of the experiment`);
  const { end } = plannedTraffic(experiment, world);
  const power = (experiment.plan.power ?? 0.8) ** (1 / Math.max(1, experiment.decision.primary.length));
  return detectableAt({ criterion, alpha: rule.alpha, procedure: rule.procedure }, { units: end.units, power });
}
