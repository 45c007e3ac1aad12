// What the control plane needs from the outside: one ordered, hash-chained log of changes, and a registry of models.

import type { Report } from '../decision/index.ts';
import type { ExperimentSummary } from '../evidence/index.ts';
import type { ModelReference } from '../experiment/index.ts';
import type { ControlEvent, ControlLogEntry, VerdictBasis } from './control-event.ts';

/** One ordered, hash-chained stream of changes. Implementations: adapters/file-control-log.ts, adapters/memory-control-log.ts. */
export interface ControlLog {
  /** All entries, oldest first, verified against the chain. */
  read(): Promise<readonly ControlLogEntry[]>;
  /**
   * Appends durably.
   * @param expectedRevision revision of the last entry the caller has seen; 0 for an empty log.
   * @throws AssayError `revision-conflict` when somebody was faster.
   */
  append(event: ControlEvent, expectedRevision: number): Promise<ControlLogEntry>;
  close(): Promise<void>;
}

/** One version of a registered model. */
export interface RegisteredModel {
  readonly name: string;
  readonly version: string;
  readonly tags: { readonly [key: string]: string };
}

/** A wish to point an alias from one version of a model to another. */
export interface AliasMove {
  readonly name: string;
  readonly alias: string;
  readonly from: string;
  readonly to: string;
}

/**
 * Where models are registered. Implementations: adapters/mlflow-registry.ts, adapters/memory-registry.ts.
 * All reject with AssayError `registry-unreachable` when the registry does not answer, `registry-refused` when it declines.
 */
export interface ModelRegistry {
  /** Whom it asks, for messages. */
  readonly place: string;
  /** The version a reference means now. */
  find(reference: ModelReference): Promise<RegisteredModel>;
  /** Moves the alias if it stands where it is expected; says where it stands otherwise. */
  moveAlias(
    move: AliasMove,
  ): Promise<{ readonly kind: 'moved' } | { readonly kind: 'elsewhere'; readonly version: string | null }>;
  /** Sets tags on a version; others stay. */
  tag(
    model: { readonly name: string; readonly version: string },
    tags: { readonly [key: string]: string },
  ): Promise<void>;
}

/** A report and all it was made from. */
export interface JudgedReport {
  readonly report: Report;
  readonly summary: ExperimentSummary;
  readonly basis: VerdictBasis;
}

/** Who makes reports from the evidence. Implementation: server/control-plane.ts. */
export interface ReportSource {
  /** The report from everything acknowledged so far. */
  judge(name: string, namespace: string): Promise<JudgedReport>;
}

/** How a system outside shall split the traffic of one experiment. */
export interface TrafficShares {
  readonly namespace: string;
  readonly experiment: string;
  /** One per variant; the shares are in [0, 1] and their sum is 1. */
  readonly shares: readonly {
    readonly variant: string;
    /** Name of the model there. */
    readonly model: string;
    readonly share: number;
  }[];
}

/** What became of a wish. */
export type TrafficRouted =
  /** It splits so; `isReady` is false while it says that it does not serve it yet. */
  | { readonly kind: 'set' | 'unchanged'; readonly isReady: boolean }
  /** It has no such experiment, or one of other models: nothing was changed. */
  | { readonly kind: 'elsewhere'; readonly reason: string };

/**
 * A system that splits traffic itself. Implementation: adapters/seldon-router.ts.
 * Rejects with AssayError `kubernetes-unreachable` (retryable) or `kubernetes-refused`.
 */
export interface TrafficRouter {
  /** Makes the shares hold there; a second time changes nothing. */
  route(wanted: TrafficShares): Promise<TrafficRouted>;
}
