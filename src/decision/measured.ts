// How do two numbers differ that are known by estimate and standard error alone? Root mean squares, and what was put together from parts.
import {
  type Estimate,
  estimateRatio,
  type Insufficient,
  type JointMoments,
  normal,
  type TestOptions,
  type TestResult,
} from '../stats/index.ts';

/** Root of a mean square over [sum of squares, rows] per unit; undefined without rows. */
export function rootOfMeanSquare(moments: JointMoments): number | undefined {
  const [squares = 0, rows = 0] = moments.mean;
  return rows === 0 ? undefined : Math.sqrt(Math.max(0, squares / rows));
}

/**
 * The root with the root of the mean square's interval, which therefore is not symmetric.
 * @see Deng, Knoblich & Lu 2018, section 2.1 (delta method)
 */
export function estimateRoot(moments: JointMoments, options: TestOptions): Estimate | Insufficient {
  const square = estimateRatio(moments, options);
  if (square.kind === 'insufficient') return square;
  const root = Math.sqrt(Math.max(0, square.estimate));
  const end = (value: number): number => Math.sqrt(Math.max(0, value));
  const { interval } = square;
  return {
    kind: 'estimated',
    method: 'root mean square, delta method by unit',
    estimate: root,
    standardError: square.standardError / (2 * root),
    interval:
      interval.kind === 'bounded'
        ? { kind: 'bounded', lower: end(interval.lower), upper: end(interval.upper) }
        : interval,
  };
}

/** Two-sided z-test of candidate - control, of two independent estimates. */
export function compareMeasured(
  control: Estimate | Insufficient,
  candidate: Estimate | Insufficient,
  { alpha }: TestOptions,
): TestResult | Insufficient {
  if (control.kind === 'insufficient') return control;
  if (candidate.kind === 'insufficient') return candidate;
  const difference = candidate.estimate - control.estimate;
  const standardError = Math.hypot(control.standardError, candidate.standardError);
  if (!(standardError > 0)) return { kind: 'insufficient', reason: 'the estimates show no spread at all' };
  const statistic = difference / standardError;
  const half = normal.isf(alpha / 2) * standardError;
  return {
    kind: 'tested',
    method: `z-test, ${control.method}`,
    control: control.estimate,
    candidate: candidate.estimate,
    difference,
    standardError,
    statistic,
    pValue: Math.min(1, 2 * normal.sf(Math.abs(statistic))),
    interval: { kind: 'bounded', lower: difference - half, upper: difference + half },
  };
}
