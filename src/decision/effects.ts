// How much does each metric differ from the control? One method per kind gives difference, interval and p-value together.
import type { CapSummary, MetricSummary, VariantSummary } from '../evidence/index.ts';
import {
  type AdjustedResult,
  calibrationError,
  compareAdjustedMeans,
  compareAdjustedRatios,
  compareMeans,
  compareProportions,
  compareQuantiles,
  compareRatios,
  constantRateInterval,
  type Estimate,
  estimateMean,
  estimateProportion,
  estimateQuantile,
  estimateRatio,
  type Insufficient,
  type Interval,
  type JointMoments,
  normal,
  type TestResult,
} from '../stats/index.ts';
import { insufficient } from './absent.ts';
import { constantDifferenceInterval, constantRate, constantRateMethod } from './constant-rate.ts';
import { compareMeasured, estimateRoot, rootOfMeanSquare } from './measured.ts';
import type { Difference, MetricEntry, MetricVariantEntry } from './report.ts';
import { scoreDrift } from './score-drift.ts';

type Known = Exclude<MetricSummary, { readonly kind: 'insufficient' }>;

/** What the numbers of one metric look like in the report. */
export interface MetricEntryOptions {
  /** Two-sided level of intervals and tests, in (0, 1). */
  readonly alpha: number;
  /** Name of the control variant. */
  readonly control: string;
  readonly role: MetricEntry['role'];
  /** The metric's rows are 0 or 1 whatever the evidence holds. */
  readonly isZeroOne: boolean;
  /** It has one value per unit, so that units wait, not predictions. */
  readonly perUnit?: boolean;
  readonly cap?: CapSummary | undefined;
  /** The shares changed: the numbers are put together from comparisons within each allocation. */
  readonly byAllocation?: boolean;
  /** Says more of a difference than it says of itself. */
  readonly extend?: (difference: Difference, compared: Compared) => Difference;
}

/** One metric of a candidate held against the control's, tested once for all that is said of it. */
export interface Compared {
  readonly name: string;
  readonly control: VariantSummary;
  readonly candidate: VariantSummary;
  readonly test: TestResult | Insufficient;
}

const generality = { proportion: 0, mean: 1, ratio: 2 } as const;

/**
 * The same metric of two variants as the same kind: a variant whose every unit happened to have one row is a special
 * case of the ratio the other variant needs.
 */
function harmonise(control: MetricSummary, candidate: MetricSummary): readonly [MetricSummary, MetricSummary] {
  const left = generalityOf(control);
  const right = generalityOf(candidate);
  if (left === undefined || right === undefined || left === right) return [control, candidate];
  return left < right ? [lift(control, right), candidate] : [control, lift(candidate, left)];
}

function generalityOf(summary: MetricSummary): number | undefined {
  return summary.kind === 'proportion' || summary.kind === 'mean' || summary.kind === 'ratio'
    ? generality[summary.kind]
    : undefined;
}

function lift(summary: MetricSummary, to: number): MetricSummary {
  let result = summary;
  if (result.kind === 'proportion' && to >= generality.mean) {
    const mean = result.n === 0 ? 0 : result.successes / result.n;
    result = { kind: 'mean', n: result.n, mean, m2: result.n * mean * (1 - mean) };
  }
  if (result.kind === 'mean' && to >= generality.ratio) {
    const moments: JointMoments = {
      n: result.n,
      mean: [result.mean, 1],
      m2: [
        [result.m2, 0],
        [0, 0],
      ],
    };
    result = { kind: 'ratio', n: result.n, rows: result.n, moments };
  }
  return result;
}

/** The point estimate of a metric, or undefined where the evidence holds none. */
export function pointEstimate(summary: MetricSummary | undefined): number | undefined {
  if (summary === undefined) return undefined;
  switch (summary.kind) {
    case 'mean':
      return summary.n > 0 ? summary.mean : undefined;
    case 'proportion':
      return summary.n > 0 ? summary.successes / summary.n : undefined;
    case 'ratio': {
      const [numerator = 0, denominator = 0] = summary.moments.mean;
      return denominator === 0 ? undefined : numerator / denominator;
    }
    case 'root':
      return rootOfMeanSquare(summary.moments);
    case 'calibration': {
      const found = calibrationError(summary.summary);
      return found.kind === 'estimated' ? found.expected : undefined;
    }
    case 'quantile':
    case 'point':
    case 'estimate':
      return summary.n > 0 ? summary.estimate : undefined;
    case 'insufficient':
      return undefined;
  }
}

/** Why a metric has no estimate, in a sentence. */
export function whyNoEstimate(name: string, variant: string, summary: MetricSummary | undefined): string {
  if (summary === undefined) return `${name} was not measured for ${variant}`;
  if (summary.kind === 'insufficient') return summary.reason;
  return `${name} has no ready rows for ${variant} yet`;
}

/**
 * The interval of a metric's estimate. A rate of 0/1 rows that never moved shows no noise to measure; the exact bound
 * by unit stands in, for proportions and for ratios known to be of 0/1 rows.
 */
export function estimateInterval(
  summary: Known,
  options: { readonly alpha: number; readonly isZeroOne: boolean },
): Interval | Insufficient {
  const constant = constantRate(summary, options.isZeroOne);
  if (constant !== undefined) return constantRateInterval(constant.rate, constant.units, options);
  const spread = estimateMetric(summary, options);
  return spread.kind === 'estimated' ? spread.interval : spread;
}

function estimateMetric(summary: Known, options: { readonly alpha: number }): Estimate | Insufficient {
  switch (summary.kind) {
    case 'mean':
      return estimateMean(summary, options);
    case 'proportion':
      return estimateProportion(summary, options);
    case 'ratio':
      return estimateRatio(summary.moments, options);
    case 'quantile':
      return estimateQuantile(summary, options);
    case 'root':
      return estimateRoot(summary.moments, options);
    case 'calibration':
      return insufficient(calibrationUntested);
    case 'estimate': {
      const half = normal.isf(options.alpha / 2) * summary.standardError;
      const { estimate, method, standardError } = summary;
      const interval = { kind: 'bounded', lower: estimate - half, upper: estimate + half } as const;
      return { kind: 'estimated', method, estimate, standardError, interval };
    }
    case 'point':
      return insufficient('it was published without its spread');
  }
}

const calibrationUntested =
  'an expected calibration error lies above 0 even for a calibrated model, by an amount that depends on the number of predictions: ' +
  'it is shown, not tested; test the Brier score, a mean of squared errors';

/** Candidate minus control by the one method of the metric's kind. */
export function compareMetric(
  control: MetricSummary,
  candidate: MetricSummary,
  options: { readonly alpha: number },
): TestResult | Insufficient {
  const [left, right] = harmonise(control, candidate);
  if (left.kind === 'insufficient') return left;
  if (right.kind === 'insufficient') return right;
  if (left.kind === 'point' || right.kind === 'point') return insufficient('it was published without its spread');
  if (left.kind === 'calibration' || right.kind === 'calibration') return insufficient(calibrationUntested);
  if (left.kind === 'mean' && right.kind === 'mean') {
    return left.adjusted !== undefined && right.adjusted !== undefined
      ? compareAdjustedMeans(left.adjusted, right.adjusted, options)
      : compareMeans(left, right, options);
  }
  if (left.kind === 'proportion' && right.kind === 'proportion') return compareProportions(left, right, options);
  if (left.kind === 'ratio' && right.kind === 'ratio') {
    return left.adjusted !== undefined && right.adjusted !== undefined
      ? compareAdjustedRatios(left.adjusted, right.adjusted, options)
      : compareRatios(left.moments, right.moments, options);
  }
  if ((left.kind === 'root' && right.kind === 'root') || (left.kind === 'estimate' && right.kind === 'estimate')) {
    return compareMeasured(estimateMetric(left, options), estimateMetric(right, options), options);
  }
  if (left.kind === 'quantile' && right.kind === 'quantile') return compareQuantiles(left, right, options);
  return insufficient(`the variants hold different kinds of numbers, ${left.kind} and ${right.kind}`);
}

/** The report's entry of one metric: every variant's estimate, and every candidate's difference from the control. */
export function metricEntry(
  name: string,
  variants: readonly VariantSummary[],
  options: MetricEntryOptions,
): MetricEntry {
  const control = variants.find((variant) => variant.variant === options.control);
  const methods = new Set<string>();
  let kind: MetricSummary['kind'] = 'insufficient';
  const entries = variants.map((variant): MetricVariantEntry => {
    const summary = variant.metrics[name];
    if (summary !== undefined && summary.kind !== 'insufficient') kind = moreGeneral(kind, summary.kind);
    const own = estimateEntry(name, variant, options);
    if (variant === control) return own;
    const before = control?.metrics[name];
    const drift = before === undefined || summary === undefined ? undefined : scoreDrift(before, summary);
    const entry = drift === undefined ? own : { ...own, drift };
    const test = compareIn(name, control, variant, options);
    if (test.kind === 'tested') methods.add(test.method);
    const difference = differenceOf(name, variant, { control, test, alpha: options.alpha });
    if (options.extend === undefined || control === undefined || 'kind' in difference) return { ...entry, difference };
    return { ...entry, difference: options.extend(difference, { name, control, candidate: variant, test }) };
  });
  const method = [...methods].join('; ') || untested[kind];
  return {
    name,
    kind,
    role: options.role,
    method: options.byAllocation && methods.size > 0 ? `${method}, within each allocation` : method,
    ...(options.perUnit === undefined ? {} : { per: options.perUnit ? 'unit' : 'prediction' }),
    ...(options.cap === undefined ? {} : { capped: options.cap }),
    variants: entries,
  };
}

const untested: { readonly [kind in MetricSummary['kind']]: string } = {
  point: 'none: published without a spread',
  estimate: 'z-test',
  calibration: 'none: shown, not tested',
  root: 'z-test of root mean squares, delta method by unit',
  quantile: 'z-test of quantiles, variance by unit',
  ratio: 'z-test of ratios, variance by unit (delta method)',
  mean: 'Welch t-test',
  proportion: 'pooled z-test with score interval',
  insufficient: 'none: nothing was measured',
};

function moreGeneral(left: MetricSummary['kind'], right: MetricSummary['kind']): MetricSummary['kind'] {
  return byGenerality.indexOf(left) >= byGenerality.indexOf(right) ? left : right;
}

const byGenerality = Object.keys(untested).toReversed() as MetricSummary['kind'][];

function estimateEntry(name: string, variant: VariantSummary, options: MetricEntryOptions): MetricVariantEntry {
  const summary = variant.metrics[name];
  const estimate = pointEstimate(summary);
  const waiting = variant.waiting[name] ?? 0;
  const rows = summary !== undefined && 'rows' in summary ? { rows: summary.rows } : {};
  const open = waiting > 0 ? { waiting } : {};
  if (summary === undefined || summary.kind === 'insufficient' || estimate === undefined) {
    const reason = whyNoEstimate(name, variant.variant, summary);
    return { variant: variant.variant, n: 0, estimate: insufficient(reason), ...open };
  }
  const isConstant = constantRate(summary, options.isZeroOne) !== undefined;
  return {
    variant: variant.variant,
    n: summary.n,
    ...rows,
    estimate,
    interval: estimateInterval(summary, options),
    ...(isConstant ? { intervalMethod: constantRateMethod } : {}),
    ...open,
  };
}

function compareIn(
  name: string,
  control: VariantSummary | undefined,
  candidate: VariantSummary,
  options: MetricEntryOptions,
): TestResult | Insufficient {
  const left = control?.metrics[name];
  const right = candidate.metrics[name];
  if (left === undefined) return insufficient(whyNoEstimate(name, options.control, left));
  if (right === undefined) return insufficient(whyNoEstimate(name, candidate.variant, right));
  return compareMetric(left, right, options);
}

function differenceOf(
  name: string,
  candidate: VariantSummary,
  against: {
    readonly control: VariantSummary | undefined;
    readonly test: TestResult | Insufficient;
    readonly alpha: number;
  },
): Difference | Insufficient {
  const { control, test, alpha } = against;
  const before = control?.metrics[name];
  const after = candidate.metrics[name];
  const left = pointEstimate(before);
  const right = pointEstimate(after);
  if (before === undefined || after === undefined || left === undefined || right === undefined) {
    return test.kind === 'insufficient' ? test : insufficient(whyNoEstimate(name, candidate.variant, undefined));
  }
  // An adjusted test has levels of its own; for all others they are the estimates themselves.
  const absolute = test.kind === 'tested' ? test.difference : right - left;
  const base = test.kind === 'tested' ? test.control : left;
  const adjustment =
    test.kind === 'tested' && 'varianceReduction' in test
      ? {
          unadjusted: (test as AdjustedResult).unadjusted,
          varianceReduction: (test as AdjustedResult).varianceReduction,
        }
      : {};
  return {
    absolute,
    // Also a control of almost 0 has no share that means anything: the quotient overflows.
    relative: Number.isFinite(absolute / base) ? absolute / base : insufficient(`the control's ${name} is 0`),
    interval: test.kind === 'tested' ? test.interval : (constantDifferenceInterval(before, after, { alpha }) ?? test),
    pValue: test.kind === 'tested' ? test.pValue : test,
    ...adjustment,
    ...(test.kind === 'tested' && test.because !== undefined ? { method: test.method, because: test.because } : {}),
  };
}
