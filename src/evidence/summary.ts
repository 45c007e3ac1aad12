// What happened, in numbers that add up: the only thing statistics and decision ever see of the evidence.
import type { JointMoments } from '../stats/index.ts';
import type { EpochAllocation } from './plan.ts';

/** One metric of one variant, as sufficient statistics. `n` counts units unless said. */
export type MetricSummary =
  /** One value per unit. */
  | { readonly kind: 'mean'; readonly n: number; readonly mean: number; readonly m2: number }
  /** One 0/1 value per unit; `successes` may be fractional when it was rebuilt from a published rate. */
  | { readonly kind: 'proportion'; readonly n: number; readonly successes: number }
  /** Several values per unit: numerator = sum of values, denominator = count, per unit; moments over [numerator, denominator]. */
  | { readonly kind: 'ratio'; readonly n: number; readonly rows: number; readonly moments: JointMoments }
  /**
   * A quantile of rows, with what its cluster-robust interval needs: indicator = per unit (rows <= estimate, rows).
   * `lower` and `upper` are the order statistics at q -+ z sqrt(q(1-q)/rows), z = 1.959963984540054.
   */
  | {
      readonly kind: 'quantile';
      readonly n: number;
      readonly rows: number;
      readonly q: number;
      readonly estimate: number;
      readonly lower: number;
      readonly upper: number;
      readonly indicator: JointMoments;
    }
  /** A number published without its spread: it can be shown, not tested. */
  | { readonly kind: 'point'; readonly n: number; readonly estimate: number }
  | { readonly kind: 'insufficient'; readonly reason: string };

/** Latency of rows; milliseconds. */
export interface LatencySummary {
  readonly n: number;
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

export type Insufficient = { readonly kind: 'insufficient'; readonly reason: string };

/** One variant, or one variant within a segment. Variants are the assigned ones (intention to treat). */
export interface VariantSummary {
  readonly variant: string;
  /** Distinct units whose first exposure was to this variant. */
  readonly units: number;
  readonly requests: number;
  /** Requests whose assigned variant's own attempt failed. */
  readonly failed: number;
  /** Requests whose caller got a failure. */
  readonly callerFailed: number;
  /** Requests answered by another variant than the assigned one. */
  readonly fallback: number;
  readonly attemptMs: LatencySummary | Insufficient;
  readonly callerMs: LatencySummary | Insufficient;
  /** By metric name. */
  readonly metrics: { readonly [name: string]: MetricSummary };
  /** Rows of a metric whose window is still open, by metric name; absent means 0. */
  readonly waiting: { readonly [name: string]: number };
  /**
   * Joint per-unit moments over all mean and ratio metrics, columns `NAME:numerator`, `NAME:denominator`,
   * so that a value model gets an honest variance; null where only margins are known.
   */
  readonly joint: { readonly columns: readonly string[]; readonly moments: JointMoments } | null;
}

export interface SegmentSummary {
  readonly segment: string;
  readonly value: string;
  readonly variants: readonly VariantSummary[];
}

/** Assigned units per epoch and variant: what the sample-ratio check reads. */
export interface EpochUnits extends EpochAllocation {
  readonly units: { readonly [variant: string]: number };
}

/** What reached the log and did or did not find its place. */
export interface EvidenceHealth {
  readonly predictions: number;
  /** By reason, all predictions of the experiment, analysed or not. */
  readonly byReason: { readonly [reason: string]: number };
  /** Units exposed to more than one variant (kept under their first). */
  readonly unitsInSeveralVariants: number;
  readonly outcomes: {
    readonly received: number;
    /** Same id seen before; counted once. */
    readonly duplicates: number;
    readonly joined: number;
    /** Found no prediction yet. */
    readonly orphans: number;
    /** Came after the metric's window. */
    readonly late: number;
  };
  /** Writers that ended without closing: each may miss up to 5 ms of predictions. */
  readonly uncleanShutdowns: number;
}

/** All that a report is made from. Plain JSON: stored with a verdict, it recomputes that verdict for ever. */
export interface ExperimentSummary {
  readonly format: 'assay-summary';
  readonly version: 1;
  readonly namespace: string;
  readonly experiment: string;
  readonly control: string;
  /** What was randomised. */
  readonly unit: 'unit' | 'request';
  readonly fromMs: number | null;
  readonly toMs: number | null;
  readonly variants: readonly VariantSummary[];
  readonly segments: readonly SegmentSummary[];
  readonly epochs: readonly EpochUnits[];
  /** Null where there is no log behind the numbers (a CSV, a published table). */
  readonly health: EvidenceHealth | null;
}
