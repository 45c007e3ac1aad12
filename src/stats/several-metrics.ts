// What is a smooth function of several metrics of one or two variants worth, when the metrics' errors go together?
import {
  bounded,
  type Estimate,
  type Insufficient,
  type Interval,
  insufficient,
  type TestOptions,
} from './interval.ts';
import { linearCombination } from './linear-combination.ts';
import type { JointMoments } from './moments.ts';
import { refuse, requireAlpha, requireCount, requireFinite } from './precondition.ts';
import { quantileOf } from './quantiles.ts';
import type { Random } from './random.ts';
import { covarianceOfRatios } from './ratios.ts';
import { eigenOf, type SymmetricMatrix } from './symmetric-matrix.ts';

/** Estimates of several metrics and the covariance matrix of their errors. */
export interface MetricEstimates {
  readonly kind: 'metrics';
  readonly estimates: readonly number[];
  /** Squared standard errors on the diagonal; a row of 0 for a metric taken as known. */
  readonly covariance: SymmetricMatrix;
}

/** Several metrics of one variant in, one number out. */
export type ValueFunction = (metrics: readonly number[]) => number;

/**
 * The ratios of one variant with their covariance matrix.
 * Insufficient with fewer than two units or a denominator of 0.
 * @param joint columns in pairs [numerator, denominator, ...], one row per unit; a mean has a denominator column of 1
 * @throws RangeError when the columns are not in pairs or moments cannot come from a sample.
 * @see Deng, Knoblich & Lu 2018, KDD, section 3, in its bilinear form
 */
export function estimatesOfRatios(joint: JointMoments): MetricEstimates | Insufficient {
  const covariance = covarianceOfRatios(joint);
  if ('kind' in covariance) return covariance;
  const estimates = covariance.map((_, i) => joint.mean[2 * i]! / joint.mean[2 * i + 1]!);
  return { kind: 'metrics', estimates, covariance };
}

/**
 * candidate - control, metric by metric, of independent variants: the covariance matrices add up.
 * @throws RangeError when the variants have different numbers of metrics.
 */
export function differenceOfMetrics(control: MetricEstimates, candidate: MetricEstimates): MetricEstimates {
  const width = requireMetrics('control', control);
  if (requireMetrics('candidate', candidate) !== width) {
    refuse('candidate.estimates.length', candidate.estimates.length, `${width} as in control`);
  }
  return {
    kind: 'metrics',
    estimates: candidate.estimates.map((estimate, i) => estimate - control.estimates[i]!),
    covariance: candidate.covariance.map((row, i) => row.map((value, j) => value + control.covariance[i]![j]!)),
  };
}

/**
 * The control's metrics followed by the candidate's, of independent variants: for functions of both, like a relative
 * change of cost.
 * @throws RangeError when a covariance matrix does not fit its estimates.
 */
export function bothMetrics(control: MetricEstimates, candidate: MetricEstimates): MetricEstimates {
  const left = requireMetrics('control', control);
  const right = requireMetrics('candidate', candidate);
  return {
    kind: 'metrics',
    estimates: [...control.estimates, ...candidate.estimates],
    covariance: [
      ...control.covariance.map((row) => [...row, ...new Array<number>(right).fill(0)]),
      ...candidate.covariance.map((row) => [...new Array<number>(left).fill(0), ...row]),
    ],
  };
}

/** The value of metrics by the delta method. */
export interface DeltaValue extends Estimate {
  /** Change of the value per unit of each metric; 0 for a metric taken as known. */
  readonly gradient: readonly number[];
  /** Each metric's share of the variance, covariances split evenly; sums to 1. */
  readonly varianceShares: readonly number[];
}

/**
 * value(metrics) with a normal interval by the delta method, the gradient taken numerically.
 * Valid where the function is near a straight line over some two standard errors of each metric; else simulate.
 * Insufficient when the function gives no finite number at or near the estimates, or does not react to any noisy metric.
 * @param value smooth near the estimates
 * @throws RangeError when alpha is outside (0, 1) or the covariance matrix does not fit the estimates.
 * @see Oehlert 1992, The American Statistician 46(1) (delta method); Ridders 1982, Advances in Engineering Software 4(2)
 * (extrapolated differences)
 */
export function valueByDelta(
  metrics: MetricEstimates,
  value: ValueFunction,
  options: TestOptions,
): DeltaValue | Insufficient {
  requireAlpha(options.alpha);
  requireMetrics('metrics', metrics);
  const { estimates, covariance } = metrics;
  const estimate = value(estimates);
  if (!Number.isFinite(estimate)) return insufficient(`the value at the estimates is ${estimate}`);
  const gradient = estimates.map((_, i) => (covariance[i]![i]! > 0 ? slope(metrics, value, i) : 0));
  const broken = gradient.findIndex((each) => !Number.isFinite(each));
  if (broken >= 0) return insufficient(`the value near the estimate of metric ${broken + 1} is no finite number`);
  // Centred at 0, so that only the error is read from the combination.
  const error = linearCombination({ coefficients: gradient, estimates: estimates.map(() => 0), covariance }, options);
  if (!(error.standardError > 0 && error.interval.kind === 'bounded')) {
    return insufficient('the value does not react to any metric that shows noise');
  }
  return {
    kind: 'estimated',
    method: 'value of several metrics, delta method',
    estimate,
    standardError: error.standardError,
    interval: bounded(estimate + error.interval.lower, estimate + error.interval.upper),
    gradient,
    varianceShares: error.varianceShares,
  };
}

/** Derivative by one metric: central differences at three widths, extrapolated to width 0. */
function slope(metrics: MetricEstimates, value: ValueFunction, place: number): number {
  const centre = metrics.estimates[place]!;
  const error = Math.sqrt(metrics.covariance[place]![place]!);
  // Narrow beside both the value (a logarithm must not leave its domain) and, where the value is 0, its error.
  const width = (centre === 0 ? error : Math.min(Math.abs(centre), Math.max(error, 1e-3 * Math.abs(centre)))) / 64;
  const difference = (step: number): number => {
    const [above, below] = [centre + step, centre - step];
    const at = (x: number): number => value(metrics.estimates.with(place, x));
    return (at(above) - at(below)) / (above - below);
  };
  const [wide, middle, narrow] = [difference(width), difference(width / 2), difference(width / 4)];
  const [first, second] = [(4 * middle - wide) / 3, (4 * narrow - middle) / 3];
  return (16 * second - first) / 15;
}

/** How a value is simulated. */
export interface SimulationOptions extends TestOptions {
  readonly random: Random;
  /** Default 10,000. */
  readonly draws?: number;
  /** What the value should exceed; default 0. */
  readonly threshold?: number;
}

/** The value of metrics by simulation. */
export interface SimulatedValue {
  readonly kind: 'simulated';
  readonly method: string;
  /** value(metrics) at the estimates. */
  readonly estimate: number;
  /** Mean of the draws; apart from `estimate` by the function's curvature. */
  readonly mean: number;
  /** Spread of the draws. */
  readonly standardError: number;
  /** Quantiles alpha / 2 and 1 - alpha / 2 of the draws. */
  readonly interval: Interval;
  readonly draws: number;
  readonly threshold: number;
  /** (draws above the threshold + 1) / (draws + 2): chance in the draws never makes it 0 or 1. */
  readonly probabilityAbove: number;
  /** Standard error of `probabilityAbove` that more draws would take away. */
  readonly simulationError: number;
}

/**
 * value(metrics) with an interval and a probability from draws of the metrics' normal approximation under a flat prior;
 * for functions with kinks, floors or bends within the noise.
 * Insufficient when a draw gives no finite number, or the value does not vary.
 * @throws RangeError when alpha is outside (0, 1), draws < 100, or the matrix is no covariance matrix of the estimates.
 * @see Krinsky & Robb 1986, Review of Economics and Statistics 68(4)
 */
export function valueBySimulation(
  metrics: MetricEstimates,
  value: ValueFunction,
  options: SimulationOptions,
): SimulatedValue | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const threshold = requireFinite('threshold', options.threshold ?? 0);
  const draws = requireCount('draws', options.draws ?? 10_000);
  if (draws < 100) refuse('draws', draws, '>= 100');
  requireMetrics('metrics', metrics);
  const estimate = value(metrics.estimates);
  if (!Number.isFinite(estimate)) return insufficient(`the value at the estimates is ${estimate}`);
  const roots = rootsOf(metrics.covariance);
  const values: number[] = [];
  for (let draw = 0; draw < draws; draw += 1) {
    const point = [...metrics.estimates];
    for (const root of roots) {
      const size = options.random.normal();
      for (const [i, part] of root.entries()) point[i] = point[i]! + size * part;
    }
    const drawn = value(point);
    if (!Number.isFinite(drawn)) return insufficient(`the value is ${drawn} for metrics that the noise allows`);
    values.push(drawn);
  }
  const sorted = values.toSorted((a, b) => a - b);
  const mean = values.reduce((sum, each) => sum + (each - estimate) / draws, estimate);
  const variance = values.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (draws - 1);
  if (!(variance > 0)) return insufficient('the value does not react to any metric that shows noise');
  const probability = (values.filter((each) => each > threshold).length + 1) / (draws + 2);
  return {
    kind: 'simulated',
    method: 'value of several metrics, simulated',
    estimate,
    mean,
    standardError: Math.sqrt(variance),
    interval: bounded(quantileOf(sorted, alpha / 2), quantileOf(sorted, 1 - alpha / 2)),
    draws,
    threshold,
    probabilityAbove: probability,
    simulationError: Math.sqrt((probability * (1 - probability)) / draws),
  };
}

/** Vectors whose sum, each times its own standard normal, has the covariance; metrics brought to one scale first. */
function rootsOf(covariance: SymmetricMatrix): readonly (readonly number[])[] {
  const scale = covariance.map((row, i) => Math.sqrt(row[i]!));
  const { values, vectors } = eigenOf(
    covariance.map((row, i) =>
      row.map((value, j) => (scale[i]! > 0 && scale[j]! > 0 ? value / scale[i]! / scale[j]! : 0)),
    ),
  );
  const least = values.reduce((a, b) => Math.min(a, b), 0);
  if (least < -1e-9) refuse('covariance', `of smallest scaled eigenvalue ${least}`, 'positive semidefinite');
  return vectors.map((vector, k) => vector.map((part, i) => part * scale[i]! * Math.sqrt(Math.max(0, values[k]!))));
}

/** Returns the number of metrics. @throws RangeError unless the covariance matrix fits the estimates. */
function requireMetrics(name: string, metrics: MetricEstimates): number {
  const width = metrics.estimates.length;
  if (width === 0) refuse(`${name}.estimates.length`, 0, '> 0');
  if (metrics.covariance.length !== width) refuse(`${name}.covariance.length`, metrics.covariance.length, `${width}`);
  for (const [i, row] of metrics.covariance.entries()) {
    requireFinite(`${name}.estimates[${i}]`, metrics.estimates[i]!);
    if (row.length !== width) refuse(`${name}.covariance[${i}].length`, row.length, `${width}`);
    for (const [j, value] of row.entries()) requireFinite(`${name}.covariance[${i}][${j}]`, value);
    if (row[i]! < 0) refuse(`${name}.covariance[${i}][${i}]`, row[i], '>= 0');
  }
  return width;
}
