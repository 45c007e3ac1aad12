// What does a criterion bound that is no weighted sum, such as a quotient? The straight line it is near the estimates, if noise stays where it is one.
import type { VariantSummary } from '../evidence/index.ts';
import type { ValueModel } from '../experiment/index.ts';
import { type Expression, evaluateExpression, namesIn } from '../expression/index.ts';
import {
  createRandom,
  type Insufficient,
  type MetricEstimates,
  valueByDelta,
  valueBySimulation,
} from '../stats/index.ts';
import { insufficient } from './absent.ts';
import type { BoundedForm, CrookedCriterion } from './criterion-form.ts';
import { pointEstimate, whyNoEstimate } from './effects.ts';
import { type LinearEffectSides, linearEffect } from './linear-effect.ts';
import { valueWeights } from './value.ts';

/** One name of the expression: a metric of one side. */
interface Place {
  readonly side: 'control' | 'candidate';
  readonly metric: string;
}

const draws = 2_000;
/** How far delta method and simulation may part, in standard errors and as a share of the spread. */
const tolerated = { bias: 0.25, spread: 0.1 } as const;

/**
 * left (less right, where right names metrics) as weights (its gradient at the estimates) and an offset, so that everything that holds of a weighted sum
 * holds of it. Insufficient where a simulation of the metrics' joint noise, always the same draws, parts from the delta
 * method: the expression then bends within the noise.
 * @see Oehlert 1992, The American Statistician 46(1) (delta method); Krinsky & Robb 1986 (simulation)
 */
export function straightened(
  criterion: CrookedCriterion,
  sides: LinearEffectSides,
  model: ValueModel | undefined,
): BoundedForm | Insufficient {
  const { left, right, comparison } = criterion;
  const names = [...new Set([...namesIn(left), ...namesIn(right)])];
  if (names.includes('net_value') && model === undefined) {
    return insufficient('the experiment declares no value model');
  }
  const places = placesOf(names, model);
  const estimates: number[] = [];
  for (const { side, metric } of places) {
    const variant = sides[side];
    const point = pointEstimate(variant.metrics[metric]);
    if (point === undefined) return insufficient(whyNoEstimate(metric, variant.variant, variant.metrics[metric]));
    estimates.push(point);
  }
  const isLimit = namesIn(right).length === 0;
  const limit = isLimit ? numberOf(right, () => Number.NaN) : 0;
  const net = model === undefined ? undefined : valueWeights(model);
  const value = (at: readonly number[]): number => {
    const metric = (side: Place['side'], name: string): number =>
      at[places.findIndex((place) => place.side === side && place.metric === name)] ?? Number.NaN;
    const lookup = (name: string): number => {
      if (name === 'net_value' && net !== undefined) {
        const part = (side: Place['side']): number =>
          Object.entries(net[side]).reduce((sum, [each, weight]) => sum + weight * metric(side, each), 0);
        return part('candidate') + part('control');
      }
      return name.startsWith('control.') ? metric('control', name.slice('control.'.length)) : metric('candidate', name);
    };
    return numberOf(left, lookup) - (isLimit ? 0 : numberOf(right, lookup));
  };
  const metrics: MetricEstimates = { kind: 'metrics', estimates, covariance: covarianceOf(places, sides) };
  const delta = valueByDelta(metrics, value, { alpha: 0.05 });
  if (delta.kind === 'insufficient') return delta;
  const drawn = valueBySimulation(metrics, value, { alpha: 0.05, random: createRandom(1), draws });
  if (drawn.kind === 'insufficient') return drawn;
  const isBent =
    Math.abs(drawn.mean - delta.estimate) > tolerated.bias * delta.standardError ||
    Math.abs(drawn.standardError / delta.standardError - 1) > tolerated.spread;
  if (isBent) {
    return insufficient(
      'the expression bends within the noise of its metrics, so no interval of it can be trusted yet; more units will help',
    );
  }
  const weights = { control: {} as Record<string, number>, candidate: {} as Record<string, number> };
  let straight = 0;
  places.forEach(({ side, metric }, i) => {
    const weight = delta.gradient[i] ?? 0;
    weights[side][metric] = weight;
    straight += weight * (estimates[i] ?? 0);
  });
  return {
    kind: 'form',
    ...weights,
    comparison,
    limit,
    offset: delta.estimate - straight,
    isValue: false,
    isStraightened: true,
  };
}

function numberOf(expression: Expression, lookup: (name: string) => number): number {
  const found = evaluateExpression(expression, lookup);
  return typeof found === 'number' ? found : Number.NaN;
}

function placesOf(names: readonly string[], model: ValueModel | undefined): readonly Place[] {
  const places = new Map<string, Place>();
  const add = (side: Place['side'], metric: string): void => {
    places.set(`${side} ${metric}`, { side, metric });
  };
  for (const name of names) {
    if (name === 'net_value') {
      for (const { metric } of model?.terms ?? []) {
        add('control', metric);
        add('candidate', metric);
      }
    } else if (name.startsWith('control.')) add('control', name.slice('control.'.length));
    else add('candidate', name);
  }
  return [...places.values()];
}

/** Within a variant by the joint moments where there are any; metrics without a known spread count as known. */
function covarianceOf(places: readonly Place[], sides: LinearEffectSides): MetricEstimates['covariance'] {
  const varianceOf = (side: Place['side'], weights: Readonly<Record<string, number>>): number => {
    const own: VariantSummary = sides[side];
    const effect = linearEffect({ control: own, candidate: own }, { control: {}, candidate: weights });
    return effect.kind === 'linear' ? effect.variance : 0;
  };
  const errors = places.map(({ side, metric }) => Math.sqrt(varianceOf(side, { [metric]: 1 })));
  return places.map((left, i) =>
    places.map((right, j) => {
      const [one, two] = [errors[i] ?? 0, errors[j] ?? 0];
      if (i === j) return one * one;
      if (left.side !== right.side || one === 0 || two === 0) return 0;
      // On one scale, so that a large variance does not swallow a small one.
      const both = varianceOf(left.side, { [left.metric]: 1 / one, [right.metric]: 1 / two });
      return Math.min(1, Math.max(-1, both / 2 - 1)) * one * two;
    }),
  );
}
