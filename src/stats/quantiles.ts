// Do two quantiles of rows differ (p95 latency), and how well is one known, when rows of one unit belong together?
import {
  bounded,
  type Estimate,
  type Insufficient,
  insufficient,
  type TestOptions,
  type TestResult,
} from './interval.ts';
import { type JointMoments, jointMomentsOf } from './moments.ts';
import { normal } from './normal.ts';
import { refuse, requireAlpha, requireFinite, requireProbability } from './precondition.ts';
import { ratioOf } from './ratios.ts';
import { twoSidedTest } from './two-sided-test.ts';

/** A quantile of rows and what its cluster-robust standard error needs. */
export interface QuantileSample {
  /** In (0, 1). */
  readonly q: number;
  /** Rows over all units, > 0. */
  readonly rows: number;
  readonly estimate: number;
  /** Order statistic at q - z sqrt(q (1 - q) / rows), z = 1.959963984540054. */
  readonly lower: number;
  /** Order statistic at q + z sqrt(q (1 - q) / rows). */
  readonly upper: number;
  /** Columns [rows <= estimate, rows], one row per unit. */
  readonly indicator: JointMoments;
}

const bandZ = 1.959963984540054;

/**
 * z-test of two quantiles with variance by unit.
 * Valid when both order statistics exist on both sides of the quantile: rows (1 - q) of some 25 or more.
 * Insufficient with fewer than two units, too few rows beyond the quantile, or values too coarse to show a spread.
 * @throws RangeError when alpha or q is outside (0, 1), or the sample contradicts itself.
 * @see Deng, Knoblich & Lu 2018, KDD, section 4.2; Yao, Li & Lu 2024, arXiv 2401.14549
 */
export function compareQuantiles(
  control: QuantileSample,
  candidate: QuantileSample,
  options: TestOptions,
): TestResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  if (control.q !== candidate.q) refuse('candidate.q', candidate.q, `${control.q} as in control`);
  const before = quantileError('control', control);
  if (typeof before !== 'number') return before;
  const after = quantileError('candidate', candidate);
  if (typeof after !== 'number') return after;
  return twoSidedTest(
    { control: control.estimate, candidate: candidate.estimate },
    { method: 'z-test of quantiles, variance by unit', standardError: Math.hypot(before, after), alpha },
  );
}

/**
 * A quantile with its cluster-robust interval; valid and insufficient as in `compareQuantiles`, though the interval of
 * one quantile wants some 300 rows beyond it.
 * @throws RangeError when alpha or q is outside (0, 1), or the sample contradicts itself.
 * @see as `compareQuantiles`
 */
export function estimateQuantile(sample: QuantileSample, options: TestOptions): Estimate | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const standardError = quantileError('the sample', sample);
  if (typeof standardError !== 'number') return standardError;
  const margin = normal.isf(alpha / 2) * standardError;
  return {
    kind: 'estimated',
    method: 'quantile, variance by unit',
    estimate: sample.estimate,
    standardError,
    interval: bounded(sample.estimate - margin, sample.estimate + margin),
  };
}

function quantileError(name: string, sample: QuantileSample): number | Insufficient {
  const { q, rows } = sample;
  if (!(q > 0 && q < 1)) refuse(`${name}.q`, q, 'in (0, 1)');
  if (!(Number.isSafeInteger(rows) && rows >= 0)) refuse(`${name}.rows`, rows, 'a whole number >= 0');
  if (rows === 0) return insufficient(`${name} has no rows yet`);
  for (const key of ['estimate', 'lower', 'upper'] as const) requireFinite(`${name}.${key}`, sample[key]);
  if (!(sample.lower <= sample.estimate && sample.estimate <= sample.upper)) {
    refuse(`${name}.estimate`, sample.estimate, `in ${sample.lower}..${sample.upper}`);
  }
  const half = bandZ * Math.sqrt((q * (1 - q)) / rows);
  if (q - half <= 0 || q + half >= 1) {
    return insufficient(`${name} has ${rows} rows, too few to bound its ${q} quantile on both sides`);
  }
  const below = ratioOf(name, sample.indicator);
  if (below.kind === 'insufficient') return below;
  const simple = (sample.upper - sample.lower) / (2 * bandZ);
  // How much wider the share below is than for independent rows.
  const inflation = below.standardError / Math.sqrt((q * (1 - q)) / rows);
  const error = simple * inflation;
  if (!(error > 0)) return insufficient(`${name} shows no spread around its ${q} quantile`);
  return error;
}

/** How a quantile between two values is taken, in R's numbering: 1 inverse of the empirical cdf, 6 (n + 1) q, 7 (n - 1) q + 1. */
export interface QuantileOptions {
  /** Default 7. */
  readonly type?: 1 | 6 | 7;
}

/**
 * A quantile of a sorted sample.
 * @param sorted rising, at least one value
 * @param q in [0, 1]
 * @throws RangeError when the sample is empty or q is outside [0, 1].
 * @see Hyndman & Fan 1996, The American Statistician 50(4), definitions 1, 6 and 7
 */
export function quantileOf(sorted: readonly number[], q: number, options: QuantileOptions = {}): number {
  const n = sorted.length;
  if (n === 0) refuse('sorted.length', n, '> 0');
  requireProbability('q', q);
  const type = options.type ?? 7;
  const at = (rank: number): number => sorted[Math.min(n, Math.max(1, rank)) - 1]!;
  // A product like 0.1 x 30 must not miss the whole number it stands for.
  const fuzz = 4 * Number.EPSILON;
  if (type === 1) return at(Math.ceil(n * q - n * fuzz));
  const rank = type === 6 ? (n + 1) * q : (n - 1) * q + 1;
  const whole = Math.floor(rank + rank * fuzz);
  const part = Math.max(0, rank - whole);
  return part === 0 ? at(whole) : at(whole) + part * (at(whole + 1) - at(whole));
}

/**
 * The summary that `compareQuantiles` needs, from the rows of each unit.
 * @param units one list of rows per unit, at least one row in all
 * @param q in (0, 1)
 * @throws RangeError when there is no row, a row is not finite, or q is outside (0, 1).
 * @see as `compareQuantiles`
 */
export function quantileSampleOf(units: readonly (readonly number[])[], q: number): QuantileSample {
  if (!(q > 0 && q < 1)) refuse('q', q, 'in (0, 1)');
  const sorted = Float64Array.from(units.flat()).sort();
  const rows = sorted.length;
  if (rows === 0) refuse('rows of all units', rows, '> 0');
  requireFinite('smallest row', sorted[0]!);
  requireFinite('largest row', sorted[rows - 1]!);
  const half = bandZ * Math.sqrt((q * (1 - q)) / rows);
  const at = (share: number): number => sorted[Math.min(rows, Math.max(1, Math.ceil(share * rows))) - 1]!;
  const estimate = at(q);
  return {
    q,
    rows,
    estimate,
    lower: at(q - half),
    upper: at(q + half),
    indicator: jointMomentsOf(
      units
        .filter((unit) => unit.length > 0)
        .map((unit) => [unit.reduce((sum, row) => sum + (row <= estimate ? 1 : 0), 0), unit.length]),
    ),
  };
}
