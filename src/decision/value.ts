// What is the difference worth? The value model's terms, their sum, and how much of the sum is noise.
import type { ValueModel, ValueTerm } from '../experiment/index.ts';
import { type Insufficient, type Interval, normal, posteriorOfEffect, probabilityAbove } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import {
  type LinearEffect,
  type LinearEffectSides,
  linearEffect,
  metricVariance,
  type Weights,
} from './linear-effect.ts';
import type { NetValue, ValueEntry, ValueTermEntry } from './report.ts';

/** Weights of the net value as a sum over metrics: candidate's plus, control's minus. */
export function valueWeights(model: ValueModel): { readonly control: Weights; readonly candidate: Weights } {
  const candidate: Record<string, number> = {};
  const control: Record<string, number> = {};
  for (const term of model.terms) {
    const weight = term.coefficient / term.per;
    candidate[term.metric] = (candidate[term.metric] ?? 0) + weight;
    control[term.metric] = (control[term.metric] ?? 0) - weight;
  }
  return { control, candidate };
}

/** What a value entry needs beside the numbers. */
export interface ValueOptions {
  readonly model: ValueModel | undefined;
  /** Two-sided level of the net value's interval, in (0, 1). */
  readonly alpha: number;
  /** `probabilityAbove` is the probability that the net value exceeds this. */
  readonly threshold: number;
}

/**
 * The value of one candidate against the control.
 *
 * term = coefficient x (candidate - control) / per; net = sum of terms; variance by the delta method over the joint
 * moments of the units, so that metrics which move together are not counted as independent noise.
 */
export function valueEntry(sides: LinearEffectSides, options: ValueOptions): ValueEntry {
  const variant = sides.candidate.variant;
  if (options.model === undefined) {
    const none = insufficient('the experiment declares no value model');
    return { variant, unit: 'none', net: none, terms: [] };
  }
  const model = options.model;
  const net = linearEffect(sides, valueWeights(model));
  return {
    variant,
    unit: model.unit,
    net: net.kind === 'linear' ? netValue(net, model, options) : net,
    terms: termEntries(sides, model),
  };
}

function netValue(net: LinearEffect, model: ValueModel, options: ValueOptions): NetValue {
  const omits = model.terms.filter((term) => net.omits.includes(term.metric)).map((term) => term.name);
  const known = omits.length < model.terms.length;
  const standardError = Math.sqrt(net.variance);
  return {
    estimate: net.estimate,
    interval: known ? normalInterval(net.estimate, standardError, options.alpha) : { kind: 'unbounded' },
    probabilityAbove: known
      ? chanceAbove(net.estimate, standardError, options.threshold)
      : insufficient('no term of the value model has a known spread'),
    threshold: options.threshold,
    expectedLoss: known
      ? expectedLoss(net.estimate, standardError)
      : insufficient('no term of the value model has a known spread'),
    omits,
  };
}

/** What each choice costs on average, under a flat prior and a normal estimate. */
function expectedLoss(estimate: number, standardError: number): NonNullable<NetValue['expectedLoss']> {
  if (standardError === 0) return { candidate: Math.max(0, -estimate), control: Math.max(0, estimate) };
  const found = posteriorOfEffect({ estimate: 0, standardError: 0 }, { estimate, standardError }, { alpha: 0.05 });
  return found.kind === 'insufficient' ? found : { candidate: found.expectedShortfall, control: found.expectedExcess };
}

/** Normal interval of an estimate, two-sided at alpha. */
export function normalInterval(estimate: number, standardError: number, alpha: number): Interval {
  const half = normal.isf(alpha / 2) * standardError;
  return { kind: 'bounded', lower: estimate - half, upper: estimate + half };
}

/** P(value > threshold) for a normal estimate under a flat prior; insufficient when the spread is zero. */
export function chanceAbove(estimate: number, standardError: number, threshold: number): number | Insufficient {
  if (standardError === 0) return insufficient('the estimate shows no spread at all');
  return probabilityAbove({ estimate, standardError }, threshold);
}

function termEntries(sides: LinearEffectSides, model: ValueModel): readonly ValueTermEntry[] {
  const own = model.terms.map((term) => termVariance(sides, term));
  const total = own.reduce<number>((sum, variance) => sum + (variance ?? 0), 0);
  return model.terms.map((term, index) => {
    const effect = linearEffect(sides, valueWeights({ unit: model.unit, terms: [term] }));
    const variance = own[index];
    return {
      name: term.name,
      metric: term.metric,
      ...(term.base === undefined ? {} : { base: term.base }),
      estimate: effect.kind === 'linear' ? effect.estimate : effect,
      varianceShare: varianceShare(variance, total, term),
    };
  });
}

function varianceShare(variance: number | undefined, total: number, term: ValueTerm): number | Insufficient {
  if (variance === undefined) return insufficient(`the spread of ${term.metric} is unknown`);
  if (total === 0) return insufficient('no term shows any spread');
  return variance / total;
}

/** The term's own variance, without its covariance with other terms. */
function termVariance(sides: LinearEffectSides, term: ValueTerm): number | undefined {
  const control = metricVariance(sides.control.metrics[term.metric]);
  const candidate = metricVariance(sides.candidate.metrics[term.metric]);
  if (control === undefined || candidate === undefined) return undefined;
  return (term.coefficient / term.per) ** 2 * (control + candidate);
}
