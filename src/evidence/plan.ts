// The question a report asks of the evidence: which predictions count, and which numbers are made from them.
import type { Experiment } from '../experiment/index.ts';

/** One allocation in force: expected shares are compared with what was seen, epoch by epoch. */
export interface EpochAllocation {
  readonly epoch: number;
  /** Variant -> share of covered units, 0..1, sums to 1; empty for an epoch without a split. */
  readonly shares: { readonly [variant: string]: number };
}

/** Everything Analytics needs; portable to any SQL engine. */
export interface AnalysisPlan {
  readonly experiment: Experiment;
  /** From the control log: every epoch so far, the newest last. */
  readonly epochs: readonly EpochAllocation[];
  /** Only evidence up to here counts; decides which windows have ended. */
  readonly nowMs: number;
}
