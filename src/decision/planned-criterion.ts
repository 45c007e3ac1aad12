// Where would a criterion stand if the plan came true, how noisy is it, and which levels would put it elsewhere?
import type { VariantSummary } from '../evidence/index.ts';
import type { Insufficient } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import { type BoundedForm, boundedForm } from './criterion-form.ts';
import { linearEffect } from './linear-effect.ts';
import { expectedVariant, type Levels, type PlannedExperiment, type PlannedWorld } from './planned-world.ts';
import { straightened } from './smooth-form.ts';

/** True levels of the control and of every candidate. */
export interface TrueLevels {
  readonly control: Levels;
  readonly candidate: Levels;
}

/** One criterion at true levels. */
export interface PlannedCriterion {
  readonly kind: 'planned';
  readonly form: BoundedForm;
  /** What the criterion bounds, at these levels. */
  readonly value: number;
  /** Variance of its estimate times the units of all variants together. */
  readonly noise: number;
  /** Units of control and one candidate over those of all variants. */
  readonly pairShare: number;
  /** The criterion is true; standing exactly at the limit is not. */
  readonly isTrue: boolean;
}

/** Units of all variants together at which noise is read off; it is scaled from there. */
const manyUnits = 1e7;
/** Closer to the limit than this share of it is at it. */
const atLimit = 1e-9;

/** The criterion at these levels; insufficient where it cannot be read or something has no known spread. */
export function plannedCriterion(
  text: string,
  levels: TrueLevels,
  { experiment, world }: { readonly experiment: PlannedExperiment; readonly world: PlannedWorld },
): PlannedCriterion | Insufficient {
  const name = world.candidates[0];
  if (name === undefined) return insufficient('no candidate gets units');
  const shareOf = (variant: string): number => world.shares[variant] ?? 0;
  const side = (variant: string, own: Levels): VariantSummary =>
    expectedVariant(world, variant, { n: manyUnits * shareOf(variant), levels: own });
  const sides = { control: side(world.control, levels.control), candidate: side(name, levels.candidate) };
  const read = boundedForm(text, experiment.value);
  const form = read.kind === 'crooked' ? straightened(read, sides, experiment.value) : read;
  if (form.kind === 'insufficient') return form;
  const effect = linearEffect(sides, form);
  if (effect.kind === 'insufficient') return effect;
  if (effect.omits.length > 0) return insufficient(`the spread of ${effect.omits.join(' and ')} is unknown`);
  const value = effect.estimate + (form.offset ?? 0);
  return {
    kind: 'planned',
    form,
    value,
    noise: effect.variance * manyUnits,
    pairShare: shareOf(world.control) + shareOf(name),
    isTrue: distanceInside(form, value) > atLimit * Math.max(1, Math.abs(form.limit)),
  };
}

/** How far the value lies on the right side of its limit; negative on the wrong one. */
export function distanceInside({ comparison, limit, isBand }: BoundedForm, value: number): number {
  if (isBand) return limit - Math.abs(value);
  return comparison === '>' || comparison === '>=' ? value - limit : limit - value;
}

/**
 * The levels changed so that the criterion's value is `target`: one metric of the candidate is moved, the first that the
 * criterion names and that can go so far, guardrails' metrics last. Insufficient where none can.
 */
export function levelsReaching(
  text: string,
  target: number,
  place: {
    readonly levels: TrueLevels;
    readonly experiment: PlannedExperiment;
    readonly world: PlannedWorld;
    /** Metrics that are to stay where they are, if others will do. */
    readonly reluctant: ReadonlySet<string>;
  },
): TrueLevels | Insufficient {
  const start = plannedCriterion(text, place.levels, place);
  if (start.kind === 'insufficient') return start;
  const names = Object.entries(start.form.candidate).flatMap(([name, weight]) => (weight === 0 ? [] : [name]));
  const order = [
    ...names.filter((name) => !place.reluctant.has(name)),
    ...names.filter((name) => place.reluctant.has(name)),
  ];
  for (const name of order) {
    const metric = place.world.metrics.find((each) => each.name === name);
    let levels = place.levels;
    // A straight line is there at once; a bent one in a few steps.
    for (let step = 0; step < 20 && metric !== undefined; step += 1) {
      const now = plannedCriterion(text, levels, place);
      if (now.kind === 'insufficient') break;
      if (Math.abs(now.value - target) <= atLimit * Math.max(1e-3, Math.abs(target))) return levels;
      const weight = now.form.candidate[name] ?? 0;
      const level = (levels.candidate[name] ?? metric.control) + (target - now.value) / weight;
      const isPossible = metric.form === 'rate' ? level > 0.0001 && level < 0.9999 : metric.control <= 0 || level > 0;
      if (!isPossible || !Number.isFinite(level)) break;
      levels = { ...levels, candidate: { ...levels.candidate, [name]: level } };
    }
  }
  return insufficient(`no metric that ${text} names can go so far that it stands at ${target}`);
}
