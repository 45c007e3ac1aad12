// When a few logged decisions weigh far more than others: how much is gained by trusting the model there instead?
import { type Insufficient, insufficient } from './interval.ts';
import { momentsOf, varianceOf } from './moments.ts';

/**
 * A doubly robust estimate whose large weights have been tempered. It has no interval: what it gave up is judged by the model,
 * and the limit by the same rows, so that one made of the noise covers 75 to 90 % where 95 % are asked for.
 */
export interface TemperedEstimate {
  readonly kind: 'tempered';
  readonly method: string;
  readonly estimate: number;
  /** Of the noise alone. */
  readonly standardError: number;
  /** `switch`: weights above it count 0. `shrink`: lambda in weight -> lambda weight / (weight^2 + lambda). */
  readonly limit: number;
  /** What the tempering took off or added, seen from the untempered estimate; noisy. 0 where no weight was touched. */
  readonly biasEstimate: number;
}

/** What one decision brings: its weight, its model's miss, and what the model expects of the judged policy. */
export interface WeighedDecision {
  readonly weight: number;
  /** reward - the model's expectation of the logged action */
  readonly miss: number;
  readonly target: number;
}

/** How weights are tempered: cut off above a limit, or shrunk smoothly. */
export type Tempering = 'switch' | 'shrink';

/**
 * Doubly robust mean with tempered weights: unbiased only where the model is right about what the tempering gave up, and
 * steadier than the untempered mean, whose interval is the one to decide by.
 * Without a limit the one is taken, of up to 16 (and of none), for which variance plus squared bias, both estimated, is least.
 * Insufficient when nothing varies.
 * @param rows at least two
 * @see Wang, Agarwal & Dudik 2017, ICML (switch); Su, Dimakopoulou, Krishnamurthy & Dudik 2020, ICML (optimistic shrinkage)
 */
export function temperedMean(
  rows: readonly WeighedDecision[],
  options: { readonly tempering: Tempering; readonly limit?: number },
): TemperedEstimate | Insufficient {
  const { tempering } = options;
  const limits = options.limit === undefined ? candidatesFor(rows, tempering) : [options.limit];
  const tried = limits.map((limit) => meanAt(rows, tempering, limit));
  const best = tried.reduce((least, each) => (each.risk < least.risk ? each : least));
  if (!(best.variance > 0)) return insufficient('no score varies, so the noise cannot be estimated');
  return {
    kind: 'tempered',
    method: tempering === 'switch' ? 'switch doubly robust' : 'doubly robust with optimistic shrinkage',
    estimate: best.mean,
    standardError: Math.sqrt(best.variance),
    limit: best.limit,
    biasEstimate: best.bias,
  };
}

interface Tried {
  readonly limit: number;
  readonly mean: number;
  /** Of the mean. */
  readonly variance: number;
  readonly bias: number;
  readonly risk: number;
}

function meanAt(rows: readonly WeighedDecision[], tempering: Tempering, limit: number): Tried {
  const tempered = rows.map(({ weight }) => temper(weight, tempering, limit));
  const moments = momentsOf(rows.map(({ miss, target }, i) => target + tempered[i]! * miss));
  const bias = momentsOf(rows.map(({ weight, miss }, i) => (tempered[i]! - weight) * miss));
  const variance = varianceOf(moments) / moments.n;
  // The square of a noisy bias is too large by its variance.
  const squared = Math.max(0, bias.mean ** 2 - varianceOf(bias) / bias.n);
  return { limit, mean: moments.mean, variance, bias: bias.mean, risk: variance + squared };
}

function temper(weight: number, tempering: Tempering, limit: number): number {
  if (tempering === 'switch') return weight <= limit ? weight : 0;
  // Divided through, so that no square of a weight leaves the range of numbers.
  return weight === 0 || limit === Infinity ? weight : weight / ((weight / limit) * weight + 1);
}

/** Limits between the usual weights and the largest, and Infinity, which leaves all as they are. */
function candidatesFor(rows: readonly WeighedDecision[], tempering: Tempering): readonly number[] {
  const weights = rows.map(({ weight }) => weight).filter((weight) => weight > 0);
  if (weights.length === 0) return [Infinity];
  const sorted = Float64Array.from(weights).sort();
  const shares = Array.from({ length: 16 }, (_, i) => 1 - 0.5 * 0.6 ** i);
  const limits = shares.map((share) => sorted[Math.floor(share * (sorted.length - 1))]!);
  // Shrinking leaves nine tenths of a weight at the limit it is made for, so that usual weights stay nearly whole.
  return [...new Set([Infinity, ...limits.map((limit) => (tempering === 'switch' ? limit : 9 * limit * limit))])];
}
