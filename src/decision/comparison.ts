// What else may be said of one metric's difference: while it is watched, and as a belief?
import type { MetricSummary, VariantSummary } from '../evidence/index.ts';
import {
  compareBetaBinomial,
  complierEffect,
  estimatesOfRatios,
  type Insufficient,
  type JointMoments,
  type PosteriorComparison,
  posteriorOfEffect,
  type TestResult,
} from '../stats/index.ts';
import { insufficient } from './absent.ts';
import type { Compared } from './effects.ts';
import type { LinearEffectSides } from './linear-effect.ts';
import type { Procedure } from './procedure.ts';
import type { BayesEntry, Difference, SequentialEntry } from './report.ts';
import { watchedInterval } from './watched-interval.ts';

/** How differences are watched and believed. */
export interface ComparisonOptions {
  readonly alpha: number;
  readonly isZeroOne: boolean;
  /** Units at which sequences are tightest. */
  readonly procedure: Exclude<Procedure, { readonly kind: 'fixed' }>;
  /** Rare events are believed exactly; false leaves them out, where there are too many differences to take the time. */
  readonly isExact: boolean;
  /** Name of the metric that is the mean of `fallback`; absent where the experiment has none. */
  readonly fallbackMetric: string | undefined;
}

/** The difference with `sequential`, `bayes` and `method`. */
export function extendDifference(difference: Difference, compared: Compared, options: ComparisonOptions): Difference {
  const { name, test } = compared;
  const control = compared.control.metrics[name];
  const candidate = compared.candidate.metrics[name];
  if (control === undefined || candidate === undefined) return difference;
  return {
    ...(test.kind === 'tested' ? { method: test.method } : {}),
    ...difference,
    sequential: watchDifferenceOf(name, compared, { ...options, test }),
    bayes: believeDifference({ control, candidate }, test, options),
    ...compliersOf(name, compared, options),
  };
}

/** One metric's difference of candidate and control, watched. */
export function watchDifferenceOf(
  name: string,
  sides: LinearEffectSides,
  options: {
    readonly alpha: number;
    readonly isZeroOne: boolean;
    readonly procedure: Exclude<Procedure, { readonly kind: 'fixed' }>;
    /** The test of this difference at this alpha, where it is known already. */
    readonly test?: TestResult | Insufficient;
  },
): SequentialEntry | Insufficient {
  const { alpha, procedure, test } = options;
  const watched = watchedInterval(
    { kind: 'form', control: { [name]: -1 }, candidate: { [name]: 1 }, comparison: '>', limit: 0, isValue: false },
    sides,
    { alpha, procedure, zeroOne: new Set(options.isZeroOne ? [name] : []), ...(test === undefined ? {} : { test }) },
  );
  if (watched.kind === 'insufficient') return watched;
  const { method, interval, pValue } = watched;
  return { method, interval, pValue: pValue ?? insufficient('this method gives an interval and no p-value') };
}

/**
 * The difference as a belief under a flat prior: exact for rare events (beta-binomial), near normal for all else, with
 * the standard error of the metric's own test. A belief does not keep an error rate at alpha.
 */
function believeDifference(
  sides: { readonly control: MetricSummary; readonly candidate: MetricSummary },
  test: TestResult | Insufficient,
  { alpha, isExact }: { readonly alpha: number; readonly isExact: boolean },
): BayesEntry | Insufficient {
  const { control, candidate } = sides;
  const isRare = test.kind === 'insufficient' || test.because !== undefined;
  if (isRare && !isExact) return insufficient('too few events for a normal belief');
  if (isRare && control.kind === 'proportion' && candidate.kind === 'proportion') {
    return entryOf(compareBetaBinomial(wholeCounts(control), wholeCounts(candidate), { alpha }));
  }
  if (test.kind === 'insufficient') return test;
  // All of the noise stands on one side: the posterior is of the difference alone.
  return entryOf(
    posteriorOfEffect(
      { estimate: test.control, standardError: 0 },
      { estimate: test.control + test.difference, standardError: test.standardError },
      { alpha },
    ),
  );
}

const wholeCounts = ({ n, successes }: { readonly n: number; readonly successes: number }) => ({
  n: Math.round(n),
  successes: Math.round(successes),
});

function entryOf(posterior: PosteriorComparison | Insufficient): BayesEntry | Insufficient {
  if (posterior.kind === 'insufficient') return posterior;
  const { method, probabilityHigher, interval, expectedShortfall, expectedExcess } = posterior;
  return { method, probabilityHigher, interval, expectedShortfall, expectedExcess };
}

/**
 * Effect on those who got what was assigned (complier average causal effect), from the joint moments of the metric and of
 * the fallbacks: the effect of assignment over the share that was answered by the candidate. Nobody of the control gets the
 * candidate. Says nothing where no prediction fell back.
 * @see Imbens & Angrist 1994, Econometrica 62
 */
function compliersOf(
  name: string,
  { control, candidate }: LinearEffectSides,
  { alpha, fallbackMetric }: Pick<ComparisonOptions, 'alpha' | 'fallbackMetric'>,
): Pick<Difference, 'compliers'> {
  if (candidate.fallback === 0 || name === fallbackMetric) return {};
  if (fallbackMetric === undefined) {
    return { compliers: insufficient('no metric is the mean of fallback, so it is not known per unit who got what') };
  }
  const right = receiptOf(candidate, [name, fallbackMetric]);
  const outcome = receiptOf(control, [name]);
  if (right === undefined || outcome === undefined) {
    return { compliers: insufficient(`${name} and ${fallbackMetric} are not known together, unit by unit`) };
  }
  const left: JointMoments = {
    n: outcome.n,
    mean: [outcome.mean[0] ?? 0, 0],
    m2: [
      [outcome.m2[0]?.[0] ?? 0, 0],
      [0, 0],
    ],
  };
  const effect = complierEffect(left, right, { alpha });
  if (effect.kind === 'insufficient') return { compliers: effect };
  const { method, estimate, interval, compliance } = effect;
  return { compliers: { method, estimate, interval, compliance: compliance.estimate } };
}

/** The metric (and the share that did not fall back) as linearised columns per unit. */
function receiptOf(variant: VariantSummary, names: readonly string[]): JointMoments | undefined {
  const { joint } = variant;
  if (joint === null || joint.moments.n < 2) return undefined;
  const { n, mean, m2 } = joint.moments;
  const columns = names.flatMap((each) =>
    ['numerator', 'denominator'].map((part) => joint.columns.indexOf(`${each}:${part}`)),
  );
  if (columns.some((column) => column < 0)) return undefined;
  const ratios = estimatesOfRatios({
    n,
    mean: columns.map((column) => mean[column] ?? 0),
    m2: columns.map((row) => columns.map((column) => m2[row]?.[column] ?? 0)),
  });
  if (ratios.kind === 'insufficient') return undefined;
  // Received is 1 - fallback: its mean is mirrored, and so is its covariance with the outcome.
  const sign = (i: number): number => (i === 1 ? -1 : 1);
  return {
    n,
    mean: ratios.estimates.map((estimate, i) => (i === 1 ? 1 - estimate : estimate)),
    m2: ratios.covariance.map((row, i) => row.map((value, j) => sign(i) * sign(j) * value * n * (n - 1))),
  };
}
