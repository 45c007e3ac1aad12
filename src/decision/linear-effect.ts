// What is a weighted sum of metrics of two variants worth, and how uncertain is it? Value model and criteria both ask this.
import type { MetricSummary, VariantSummary } from '../evidence/index.ts';
import {
  covarianceOfRatios,
  estimateQuantile,
  type Insufficient,
  type JointMoments,
  ratioStandardError,
} from '../stats/index.ts';
import { insufficient } from './absent.ts';
import { pointEstimate, whyNoEstimate } from './effects.ts';
import { estimateRoot } from './measured.ts';

/** Metric name -> weight. */
export type Weights = Readonly<Record<string, number>>;

/** A weighted sum of metrics, candidate's and control's, with its variance. */
export interface LinearEffect {
  readonly kind: 'linear';
  readonly estimate: number;
  /** Variance of the estimate; leaves out the metrics in `omits`. */
  readonly variance: number;
  /** Metrics whose spread is unknown. */
  readonly omits: readonly string[];
}

/** The two sides of a weighted sum. */
export interface LinearEffectSides {
  readonly control: VariantSummary;
  readonly candidate: VariantSummary;
}

/**
 * The sum of candidate weights x candidate's metrics and control weights x control's metrics.
 *
 * The two variants are independent. Within a variant the metrics of the joint moments share units, so their covariance
 * counts (gradient' * covariance * gradient, delta method); metrics outside of the joint moments are taken as independent.
 */
export function linearEffect(
  sides: LinearEffectSides,
  weights: { readonly control: Weights; readonly candidate: Weights },
): LinearEffect | Insufficient {
  const control = variantSum(sides.control, weights.control);
  if (control.kind === 'insufficient') return control;
  const candidate = variantSum(sides.candidate, weights.candidate);
  if (candidate.kind === 'insufficient') return candidate;
  return {
    kind: 'linear',
    estimate: control.estimate + candidate.estimate,
    variance: control.variance + candidate.variance,
    omits: [...new Set([...control.omits, ...candidate.omits])],
  };
}

function variantSum(variant: VariantSummary, weights: Weights): LinearEffect | Insufficient {
  const used = Object.entries(weights).filter(([, weight]) => weight !== 0);
  let estimate = 0;
  for (const [name, weight] of used) {
    const point = pointEstimate(variant.metrics[name]);
    if (point === undefined) return insufficient(whyNoEstimate(name, variant.variant, variant.metrics[name]));
    estimate += weight * point;
  }
  const joint = jointVariance(variant, used);
  let variance = joint.variance;
  const omits: string[] = [];
  for (const [name, weight] of joint.left) {
    const own = metricVariance(variant.metrics[name]);
    if (own === undefined) omits.push(name);
    else variance += weight * weight * own;
  }
  return { kind: 'linear', estimate, variance, omits };
}

type WeightEntry = readonly [name: string, weight: number];

/** The part of the variance the joint moments can give, and the weights they say nothing about. */
function jointVariance(
  variant: VariantSummary,
  used: readonly WeightEntry[],
): { readonly variance: number; readonly left: readonly WeightEntry[] } {
  const joint = variant.joint;
  if (joint === null || joint.moments.n < 2) return { variance: 0, left: used };
  const columnsOf = (name: string): readonly [number, number] => [
    joint.columns.indexOf(`${name}:numerator`),
    joint.columns.indexOf(`${name}:denominator`),
  ];
  const inside = used.filter(([name]) => columnsOf(name).every((column) => column >= 0));
  if (inside.length === 0) return { variance: 0, left: used };
  const covariance = covarianceOfRatios(
    pickColumns(
      joint.moments,
      inside.flatMap(([name]) => columnsOf(name)),
    ),
  );
  if ('kind' in covariance) return { variance: 0, left: used };
  let variance = 0;
  inside.forEach(([, left], i) => {
    inside.forEach(([, right], j) => {
      variance += left * right * (covariance[i]?.[j] ?? 0);
    });
  });
  // Rounding may leave a tiny negative where terms cancel exactly.
  return { variance: Math.max(0, variance), left: used.filter((entry) => !inside.includes(entry)) };
}

function pickColumns(moments: JointMoments, columns: readonly number[]): JointMoments {
  return {
    n: moments.n,
    mean: columns.map((column) => moments.mean[column] ?? 0),
    m2: columns.map((row) => columns.map((column) => moments.m2[row]?.[column] ?? 0)),
  };
}

/** Variance of a metric's estimate; undefined where the evidence holds no spread. */
export function metricVariance(summary: MetricSummary | undefined): number | undefined {
  if (summary === undefined) return undefined;
  switch (summary.kind) {
    case 'mean':
      return summary.n > 1 ? summary.m2 / (summary.n - 1) / summary.n : undefined;
    case 'proportion': {
      const share = summary.successes / summary.n;
      return summary.n > 0 ? (share * (1 - share)) / summary.n : undefined;
    }
    case 'ratio': {
      const standardError = ratioStandardError(summary.moments);
      return typeof standardError === 'number' ? standardError ** 2 : undefined;
    }
    case 'quantile': {
      const spread = estimateQuantile(summary, { alpha: 0.05 });
      return spread.kind === 'estimated' ? spread.standardError ** 2 : undefined;
    }
    case 'root': {
      const spread = estimateRoot(summary.moments, { alpha: 0.05 });
      return spread.kind === 'estimated' ? spread.standardError ** 2 : undefined;
    }
    case 'estimate':
      return summary.standardError ** 2;
    case 'calibration':
    case 'point':
    case 'insufficient':
      return undefined;
  }
}
