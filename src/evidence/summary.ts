// What happened, in numbers that add up: the only thing statistics and decision ever see of the evidence.
import type { CalibrationSummary, JointMoments } from '../stats/index.ts';
import type { EpochAllocation } from './plan.ts';

/** One metric of one variant, as sufficient statistics. `n` counts units unless said. */
export type MetricSummary =
  /** One value per unit. */
  | {
      readonly kind: 'mean';
      readonly n: number;
      readonly mean: number;
      readonly m2: number;
      /** With a covariate: columns [value, covariate]. */
      readonly adjusted?: JointMoments;
    }
  /** One 0/1 value per unit; `successes` may be fractional when it was rebuilt from a published rate. */
  | { readonly kind: 'proportion'; readonly n: number; readonly successes: number }
  /** Several values per unit: numerator = sum of values, denominator = count, per unit; moments over [numerator, denominator]. */
  | {
      readonly kind: 'ratio';
      readonly n: number;
      readonly rows: number;
      readonly moments: JointMoments;
      /** With a covariate: columns [numerator, denominator, covariate, 1]. */
      readonly adjusted?: JointMoments;
    }
  /** Root of a mean square: moments over [sum of squares, rows] per unit. */
  | { readonly kind: 'root'; readonly n: number; readonly rows: number; readonly moments: JointMoments }
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
  /** Probabilities against what happened, in bins; `n` units, `rows` predictions. */
  | { readonly kind: 'calibration'; readonly n: number; readonly rows: number; readonly summary: CalibrationSummary }
  /** A number and its standard error, put together from parts. */
  | {
      readonly kind: 'estimate';
      readonly n: number;
      readonly estimate: number;
      readonly standardError: number;
      /** What it is, in words: `mean of quantiles`. */
      readonly method: string;
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
  /** Rows of a metric (units of a metric per unit) whose window is still open, by metric name; absent means 0. */
  readonly waiting: { readonly [name: string]: number };
  /**
   * Joint per-unit moments over all mean and ratio metrics, columns `NAME:numerator`, `NAME:denominator`,
   * so that a value model gets an honest variance; null where only margins are known.
   */
  readonly joint: { readonly columns: readonly string[]; readonly moments: JointMoments } | null;
}

/** The same numbers of the units that came in under one allocation. */
export interface StratumSummary {
  readonly epochs: readonly number[];
  readonly shares: EpochAllocation['shares'];
  readonly variants: readonly VariantSummary[];
}

/** All units of an experiment or of one of its segments. */
export interface ScopeSummary {
  readonly variants: readonly VariantSummary[];
  /** Absent unless the shares of variants changed: then variants may only be compared within each of these. */
  readonly strata?: readonly StratumSummary[];
}

export interface SegmentSummary extends ScopeSummary {
  readonly segment: string;
  readonly value: string;
}

/** Units that had their first exposure in one stretch of time, and what became of them. */
export interface SeriesPoint {
  readonly metric: string;
  readonly variant: string;
  /** Begin of the stretch, epoch milliseconds, a multiple of its length in UTC. */
  readonly atMs: number;
  readonly n: number;
  /** Columns [numerator, denominator] per unit; mean of the metric = ratio of the means. */
  readonly moments: JointMoments;
}

/** Where the values of a metric were ended, the same for all variants. */
export interface CapSummary {
  readonly lower?: number;
  readonly upper?: number;
  /** Values that lay below `lower` / above `upper`, of `n`. */
  readonly raised: number;
  readonly lowered: number;
  readonly n: number;
}

/** What reporters say was served, held against our own record. */
export interface ClaimCount {
  readonly compared: number;
  readonly mismatched: number;
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
  /** All experiments of the namespace together; an orphan belongs to none of them and is counted here once. */
  readonly namespace?: { readonly outcomes: number; readonly orphans: number };
  /** Outcomes whose place a later one took: the last value counts, the earlier ones stay in the log. */
  readonly corrections?: number;
  /** The reply's own word for the model that made it (capture `model_used`). */
  readonly modelUsed?: ClaimCount;
  /** The reporter's word for what was served (`served` of an outcome mapping). */
  readonly variantServed?: ClaimCount;
  /** Writers that ended without closing: each may miss up to 5 ms of predictions. */
  readonly uncleanShutdowns: number;
  /** Epoch milliseconds; what came later is not in yet. Absent when all is. */
  readonly asOfMs?: number;
  /** Predictions of this experiment that are gone because evidence is kept for a limited time; absent when none are. */
  readonly expired?: number;
}

/** All that a report is made from. Plain JSON: stored with a verdict, it recomputes that verdict for ever. */
export interface ExperimentSummary extends ScopeSummary {
  readonly format: 'assay-summary';
  readonly version: 1;
  readonly namespace: string;
  readonly experiment: string;
  readonly control: string;
  /** What was randomised. */
  readonly unit: 'unit' | 'request';
  readonly fromMs: number | null;
  readonly toMs: number | null;
  readonly segments: readonly SegmentSummary[];
  readonly epochs: readonly EpochUnits[];
  /** Names of metrics with one value per unit. */
  readonly perUnit?: readonly string[];
  /** By metric name. */
  readonly caps?: { readonly [metric: string]: CapSummary };
  /** Without the units seen in several variants; only where the experiment asks for it. */
  readonly unmixed?: ScopeSummary;
  /** In the order of metric, variant and time; at most 366 stretches. */
  readonly series?: { readonly widthMs: number; readonly points: readonly SeriesPoint[] };
  /** Null where there is no log behind the numbers (a CSV, a published table). */
  readonly health: EvidenceHealth | null;
}
