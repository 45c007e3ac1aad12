// The routing snapshot: the one immutable document that gateways, SDKs and one day other proxies consume.
import type { UnitGate } from '../assignment/index.ts';
import type { BodyCapture, Capture, Mirror, Resilience, Route, UnitRule, Variant } from './experiment.ts';

/** Half-open interval [from, to) of the 2^32 split buckets. */
export interface AllocationRange {
  readonly variant: string;
  readonly from: number;
  readonly to: number;
}

/** Who gets what. Later kinds (bandit, contextual) join this union; nothing else changes. */
export type Allocation =
  /** Split by bucket; ranges are disjoint, sorted and cover [0, 2^32) whole. A variant may own several. */
  | { readonly kind: 'fixed'; readonly ranges: readonly AllocationRange[] }
  /** No experiment: everybody gets `variant`, for this reason, and nothing is analysed. */
  | { readonly kind: 'single'; readonly variant: string; readonly reason: 'paused' | 'promoted' | 'ended' };

/** One experiment as the data plane needs it. */
export interface RoutedExperiment {
  readonly namespace: string;
  readonly name: string;
  /** Revision of the experiment's specification. */
  readonly revision: number;
  readonly salt: string;
  /** Mutually exclusive group; null for none. */
  readonly layer: string | null;
  /** Hashes of their own that a unit must pass to take part: layer and holdout; absent where there is none. */
  readonly gates?: readonly UnitGate[];
  readonly route: Route;
  readonly unit: UnitRule;
  /** Share of units that take part, 0..1, in steps of 2^-32. */
  readonly coverage: number;
  /** Counts allocations: every change of coverage, weights or state opens the next. */
  readonly epoch: number;
  readonly control: string;
  readonly allocation: Allocation;
  readonly variants: readonly Variant[];
  readonly capture: readonly Capture[];
  readonly mirror?: Mirror;
  readonly resilience?: Resilience;
  readonly bodyCapture?: BodyCapture;
}

/** All experiments of one control plane at one moment. */
export interface RoutingSnapshot {
  readonly format: 'assay-routing';
  readonly version: 1;
  /** Rises with every change. */
  readonly revision: number;
  readonly experiments: readonly RoutedExperiment[];
}
