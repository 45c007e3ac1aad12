// How sure is the number a criterion bounds? Its interval, and what kind of noise stands behind it.
import type { Insufficient, Interval, TestResult } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import { type ConstantRate, constantDifferenceInterval, constantRate } from './constant-rate.ts';
import type { BoundedForm } from './criterion-form.ts';
import { compareMetric, estimateInterval } from './effects.ts';
import { type LinearEffectSides, linearEffect } from './linear-effect.ts';
import { lowerEnd, upperEnd } from './number-text.ts';
import { normalInterval } from './value.ts';

/** The interval of a form and where it comes from. */
export type FormInterval =
  /** Measured noise: half the interval stands for a standard error. */
  | {
      readonly kind: 'measured';
      readonly interval: Interval;
      /** The estimate the interval is about, where the test has one of its own (adjusted for covariates). */
      readonly estimate?: number;
    }
  /** `weight` x one metric that never moved: the noise is bounded by the number of units. */
  | { readonly kind: 'constant'; readonly interval: Interval; readonly weight: number; readonly constant: ConstantRate }
  /** The difference of two rates that never moved and are equal: a score interval, whose width is no standard error. */
  | { readonly kind: 'equal-constants'; readonly interval: Interval }
  | Insufficient;

/** What a form's interval needs beside the numbers. */
export interface FormIntervalOptions {
  /** Two-sided level, in (0, 1). */
  readonly alpha: number;
  /** Names of the metrics whose rows are known to be 0 or 1. */
  readonly zeroOne: ReadonlySet<string>;
  /** `compareMetric` of a form that is one metric's difference, at this alpha, where it is known already. */
  readonly test?: TestResult | Insufficient;
}

/** The form's interval. One metric, or one metric's difference, keeps the interval its own entry shows. */
export function formInterval(form: BoundedForm, sides: LinearEffectSides, options: FormIntervalOptions): FormInterval {
  const single = form.isValue ? undefined : singleMetric(form);
  if (single !== undefined) {
    const own = single.isDifference ? ofDifference(single, sides, options) : ofMetric(single, sides, options);
    if (own !== undefined) return own;
  }
  const effect = linearEffect(sides, form);
  if (effect.kind === 'insufficient') return effect;
  const used = new Set([...Object.keys(form.control), ...Object.keys(form.candidate)]);
  if (effect.omits.length >= used.size) {
    return insufficient(`the spread of ${effect.omits.join(' and ')} is unknown, so it can be shown but not tested`);
  }
  if (effect.variance === 0) return insufficient('the numbers show no spread at all');
  return {
    kind: 'measured',
    interval: normalInterval(effect.estimate, Math.sqrt(effect.variance), options.alpha),
  };
}

/** A form that is `weight` x one metric, or x one metric's difference. */
export interface SingleMetric {
  readonly name: string;
  readonly weight: number;
  readonly isDifference: boolean;
}

/** The one metric a form speaks of; undefined for sums. */
export function singleMetric(form: BoundedForm): SingleMetric | undefined {
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

function ofDifference(
  { name, weight }: SingleMetric,
  sides: LinearEffectSides,
  { alpha, test: known }: FormIntervalOptions,
): FormInterval | undefined {
  const control = sides.control.metrics[name];
  const candidate = sides.candidate.metrics[name];
  if (control === undefined || candidate === undefined) return undefined;
  const test = known ?? compareMetric(control, candidate, { alpha });
  if (test.kind === 'tested') {
    return { kind: 'measured', interval: scale(test.interval, weight), estimate: weight * test.difference };
  }
  const interval = constantDifferenceInterval(control, candidate, { alpha });
  return interval === undefined ? test : { kind: 'equal-constants', interval: scale(interval, weight) };
}

function ofMetric(
  { name, weight }: SingleMetric,
  sides: LinearEffectSides,
  { alpha, zeroOne }: FormIntervalOptions,
): FormInterval | undefined {
  const summary = sides.candidate.metrics[name];
  if (summary === undefined || summary.kind === 'insufficient') return undefined;
  const isZeroOne = zeroOne.has(name);
  const own = estimateInterval(summary, { alpha, isZeroOne });
  if (own.kind === 'insufficient') return own;
  const interval = scale(own, weight);
  const constant = constantRate(summary, isZeroOne);
  return constant === undefined ? { kind: 'measured', interval } : { kind: 'constant', interval, weight, constant };
}

function scale(interval: Interval, weight: number): Interval {
  const [one, other] = [lowerEnd(interval) * weight, upperEnd(interval) * weight];
  const lower = Math.min(one, other);
  const upper = Math.max(one, other);
  if (Number.isFinite(lower) && Number.isFinite(upper)) return { kind: 'bounded', lower, upper };
  if (Number.isFinite(lower)) return { kind: 'lower', lower };
  return Number.isFinite(upper) ? { kind: 'upper', upper } : { kind: 'unbounded' };
}
