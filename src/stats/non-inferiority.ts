// Is the candidate not worse than the control by more than a margin, or the same within a margin?
import { type Insufficient, type Interval, insufficient, type TestOptions } from './interval.ts';
import { normal } from './normal.ts';
import { refuse, requireAlpha, requireFinite, requirePositive } from './precondition.ts';
import { constrainedRate, type Proportion, requireProportion, scoreInterval } from './proportions.ts';
import { type Measured, relativeDifference, requireMeasured } from './relative-difference.ts';
import { studentT } from './student-t.ts';

/** A test of candidate - control against a margin; `pValue < alpha` exactly when `interval` keeps inside the margin. */
export interface MarginResult {
  readonly kind: 'tested';
  readonly method: string;
  /** candidate - control */
  readonly difference: number;
  /** Of the quantity that is tested against 0. */
  readonly standardError: number;
  /** Distance from the nearer margin in standard errors. */
  readonly statistic: number;
  /** One-sided; for equivalence the larger of the two. */
  readonly pValue: number;
  /** p < alpha: the margin is kept. */
  readonly isShown: boolean;
  /** Two-sided interval of the difference at level 2 alpha (for a relative margin, of candidate / control - 1). */
  readonly interval: Interval;
}

/** The level, and how much worse is still acceptable. */
export interface MarginOptions extends TestOptions {
  /** One-sided, in (0, 0.5); 0.05 goes with a 90 % interval. */
  readonly alpha: number;
  /** > 0, in the unit of the difference. */
  readonly margin: number;
  /** Which side is better; default `higher`. */
  readonly better?: 'higher' | 'lower';
}

/** A difference with its error, such as the answer of `compareMeans` or `compareRatios`. */
export interface MeasuredDifference {
  readonly difference: number;
  readonly standardError: number;
  /** Degrees of freedom; absent for a normal reference. */
  readonly df?: number;
}

/**
 * Non-inferiority by an absolute margin: refutes that the candidate is worse than the control by `margin` or more.
 * Valid where the difference is near normal. Not for the pooled standard error of `compareProportions`, which holds only
 * at no difference: use `proportionsNotInferior`.
 * Insufficient when the standard error is 0.
 * @throws RangeError when alpha is outside (0, 0.5), the margin is not > 0, or a number is not finite.
 * @see Committee for Proprietary Medicinal Products 2000, CPMP/EWP/482/99; Piaggio et al. 2012, JAMA 308 (interval form)
 */
export function notInferior(measured: MeasuredDifference, options: MarginOptions): MarginResult | Insufficient {
  const { alpha, margin, sign } = requireMargin(options);
  const law = requireDifference(measured);
  if ('kind' in law) return law;
  const { difference, standardError } = measured;
  const statistic = (sign * difference + margin) / standardError;
  const pValue = law.sf(statistic);
  const half = law.isf(alpha) * standardError;
  return {
    kind: 'tested',
    method: `non-inferiority ${measured.df === undefined ? 'z' : 't'}-test, absolute margin`,
    difference,
    standardError,
    statistic,
    pValue,
    isShown: pValue < alpha,
    interval: { kind: 'bounded', lower: difference - half, upper: difference + half },
  };
}

/**
 * Non-inferiority by a relative margin: refutes that the candidate is worse than the control by the share `margin` of the
 * control or more, with candidate - (1 - margin) control as the tested quantity (plus for lower-is-better), so the noise
 * of the control is in it.
 * Insufficient when the control is not above 0 or nothing varies; the interval is `unbounded` when the control is not clear
 * of 0 (Fieller), the test is valid even then.
 * @throws RangeError when alpha is outside (0, 0.5), the margin is not in (0, 1), or a number is not finite.
 * @see Laster & Johnson 2003, Statistics in Medicine 22; Fieller 1954, JRSS B 16
 */
export function notInferiorByShare(
  control: Measured,
  candidate: Measured,
  options: MarginOptions,
): MarginResult | Insufficient {
  const { alpha, margin, sign } = requireMargin(options);
  if (!(margin < 1)) refuse('margin', margin, 'in (0, 1)');
  requireMeasured('control', control);
  requireMeasured('candidate', candidate);
  if (!(control.estimate > 0)) return insufficient('the control is not above 0, so a share of it is no margin');
  const limit = 1 - sign * margin;
  const standardError = Math.hypot(candidate.standardError, limit * control.standardError);
  if (!(standardError > 0)) return insufficient('neither variant shows any noise, so its error is unknown');
  const lift = relativeDifference(control, candidate, { alpha: 2 * alpha });
  if (lift.kind === 'insufficient') return lift;
  const statistic = (sign * (candidate.estimate - limit * control.estimate)) / standardError;
  const pValue = normal.sf(statistic);
  return {
    kind: 'tested',
    method: 'non-inferiority z-test, relative margin',
    difference: candidate.estimate - control.estimate,
    standardError,
    statistic,
    pValue,
    isShown: pValue < alpha,
    interval: lift.interval,
  };
}

/**
 * Non-inferiority of two rates by an absolute margin with the score test: the variance is that of the likeliest rates
 * which differ by just the margin. Keeps its level with few events, also with none.
 * Insufficient without units on a side.
 * @throws RangeError when alpha is outside (0, 0.5), the margin is not in (0, 1), or successes are not within 0..n.
 * @see Farrington & Manning 1990, Statistics in Medicine 9 (variance at the margin by maximum likelihood); Mee 1984
 * (its interval)
 */
export function proportionsNotInferior(
  control: Proportion,
  candidate: Proportion,
  options: MarginOptions,
): MarginResult | Insufficient {
  const { alpha, margin, sign } = requireMargin(options);
  if (!(margin < 1)) refuse('margin', margin, 'in (0, 1)');
  requireProportion('control', control);
  requireProportion('candidate', candidate);
  if (control.n === 0) return insufficient('control has no units yet');
  if (candidate.n === 0) return insufficient('candidate has no units yet');
  const difference = candidate.successes / candidate.n - control.successes / control.n;
  const delta = -sign * margin;
  const held = constrainedRate(control, candidate, delta);
  const other = Math.min(1, Math.max(0, held + delta));
  const standardError = Math.sqrt((held * (1 - held)) / control.n + (other * (1 - other)) / candidate.n);
  if (!(standardError > 0))
    return insufficient('rates that differ by the margin show no noise, so its error is unknown');
  const statistic = (sign * (difference - delta)) / standardError;
  const pValue = normal.sf(statistic);
  return {
    kind: 'tested',
    method: 'non-inferiority score test of two rates',
    difference,
    standardError,
    statistic,
    pValue,
    isShown: pValue < alpha,
    interval: scoreInterval(control, candidate, { alpha: 2 * alpha }),
  };
}

/**
 * Equivalence: refutes that the candidate differs from the control by `margin` or more, in either direction, with two
 * one-sided tests; shown exactly when the interval at level 2 alpha lies within -margin..margin.
 * Valid where `notInferior` is. Insufficient when the standard error is 0.
 * @throws RangeError when alpha is outside (0, 0.5), the margin is not > 0, or a number is not finite.
 * @see Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15
 */
export function equivalent(
  measured: MeasuredDifference,
  options: Omit<MarginOptions, 'better'>,
): MarginResult | Insufficient {
  const below = notInferior(measured, { ...options, better: 'higher' });
  const above = notInferior(measured, { ...options, better: 'lower' });
  if (below.kind === 'insufficient') return below;
  if (above.kind === 'insufficient') return above;
  const weaker = below.pValue >= above.pValue ? below : above;
  return {
    ...weaker,
    method: `equivalence, two one-sided ${measured.df === undefined ? 'z' : 't'}-tests`,
  };
}

function requireMargin(options: MarginOptions): { alpha: number; margin: number; sign: 1 | -1 } {
  const alpha = requireAlpha(options.alpha);
  if (!(alpha < 0.5)) refuse('alpha', alpha, 'in (0, 0.5), it is one-sided');
  return { alpha, margin: requirePositive('margin', options.margin), sign: options.better === 'lower' ? -1 : 1 };
}

function requireDifference(measured: MeasuredDifference): Pick<typeof normal, 'sf' | 'isf'> | Insufficient {
  requireFinite('difference', measured.difference);
  if (!(Number.isFinite(measured.standardError) && measured.standardError >= 0)) {
    refuse('standardError', measured.standardError, 'finite and >= 0');
  }
  if (measured.standardError === 0) return insufficient('the difference shows no noise, so its error is unknown');
  return measured.df === undefined ? normal : studentT(measured.df);
}
