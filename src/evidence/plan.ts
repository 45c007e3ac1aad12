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

/** What is known of the evidence before it is asked; unknown things are taken to be there. */
export interface KnownEvidence {
  /** False: no stream of the namespace has ended yet. */
  readonly hasEnds?: boolean;
  /** Kinds of subject and type of all outcomes of the namespace, each pair once. */
  readonly outcomes?: readonly { readonly subject: string; readonly type: string }[];
  /** True: there are so many predictions that their times are counted, not held. */
  readonly isLarge?: boolean;
}

/** Epochs with one and the same allocation. */
export interface Stratum {
  readonly epochs: readonly number[];
  readonly shares: EpochAllocation['shares'];
}

/** True when every request is its own unit. */
export function isRequestUnit({ experiment }: AnalysisPlan): boolean {
  return experiment.unit.sources.some((source) => source.kind === 'request');
}

/**
 * The epochs put together by allocation. A change of coverage alone keeps the shares: units before and after it are the
 * same mix of variants and may be pooled. Where shares changed, time stands behind the variant, so variants are only
 * compared within a stratum. Epochs without a split have no analysed units and are left out.
 */
export function strataOf({ epochs }: Pick<AnalysisPlan, 'epochs'>): readonly Stratum[] {
  const strata = new Map<string, { epochs: number[]; shares: EpochAllocation['shares'] }>();
  for (const { epoch, shares } of epochs) {
    const entries = Object.entries(shares).filter(([, share]) => share > 0);
    if (entries.length === 0) continue;
    // Shares are quotients of ranges over 2^32: equal ones differ by rounding at most.
    const key = JSON.stringify(entries.map(([name, share]) => [name, share.toFixed(8)]).sort());
    const stratum = strata.get(key) ?? { epochs: [], shares };
    stratum.epochs.push(epoch);
    strata.set(key, stratum);
  }
  return [...strata.values()];
}
