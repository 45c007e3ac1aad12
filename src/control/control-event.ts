// The changes an experiment can undergo, as they stand in the control log for ever.
import type { Allocation, Experiment } from '../experiment/index.ts';

/** Who did it and why; on every event. */
export interface Authorship {
  /** For example `alice`, `file:experiment.yaml`, `decision-loop`. */
  readonly author: string;
  readonly reason: string;
}

/** What a change rests on, where the loop or an alert made it. */
export interface Grounds {
  /** For example the numbers of a broken guardrail, or the verdict that was acted on. */
  readonly evidence?: { readonly [name: string]: unknown };
  /** SHA-256 of the summaries or of `evidence`, hex. */
  readonly evidenceDigest?: string;
}

/** Half-open intervals of a layer's 2^32 buckets. */
export type LayerSlot = readonly { readonly from: number; readonly to: number }[];

/** A step that waits for somebody's approval. */
export type ProposedStep =
  | { readonly step: 'ramp'; readonly coverage: number }
  | { readonly step: 'promote'; readonly variant: string };

/** What a stored verdict was made from beside its summary; with it the verdict recomputes exactly. */
export interface VerdictBasis {
  readonly nowMs: number;
  readonly startedAtMs?: number;
  readonly planChanges: readonly string[];
  /** Absent where nobody had annotated anything. */
  readonly annotations?: readonly { readonly text: string; readonly atMs: number; readonly untilMs?: number }[];
}

/** What is written down and changes neither split nor lifecycle. */
export type Note =
  /** A step is ready and waits for approval; null: it no longer is. */
  | { readonly kind: 'propose'; readonly proposal: ProposedStep | null }
  /** Something an operator should know; nothing was done about it. */
  | { readonly kind: 'notice'; readonly code: string }
  /** A remark about a time, epoch milliseconds: a launch, an outage. */
  | { readonly kind: 'annotate'; readonly text: string; readonly atMs: number; readonly untilMs?: number };

/** What happened to one experiment. Carries no unit ids, so erasing a person's records never breaks the chain. */
export type ControlEvent = Authorship & {
  readonly namespace: string;
  readonly experiment: string;
} & Grounds &
  (
    | { readonly kind: 'create'; readonly specification: Experiment }
    /** The file changed; `allocation` and `epoch` are given when the split changed with it. */
    | {
        readonly kind: 'revise';
        readonly specification: Experiment;
        readonly allocation?: Allocation;
        readonly epoch?: number;
      }
    | {
        readonly kind: 'start';
        readonly coverage: number;
        readonly allocation: Allocation;
        readonly epoch: number;
        /** Buckets of the layer that are this experiment's until it ends. */
        readonly slot?: LayerSlot;
      }
    | { readonly kind: 'pause'; readonly allocation: Allocation; readonly epoch: number }
    | { readonly kind: 'resume'; readonly coverage: number; readonly allocation: Allocation; readonly epoch: number }
    | { readonly kind: 'ramp'; readonly coverage: number; readonly allocation: Allocation; readonly epoch: number }
    | { readonly kind: 'promote'; readonly variant: string; readonly allocation: Allocation; readonly epoch: number }
    | { readonly kind: 'roll-back'; readonly allocation: Allocation; readonly epoch: number }
    | { readonly kind: 'stop'; readonly allocation: Allocation; readonly epoch: number }
    /** A verdict with the summaries it rests on, so that it can be recomputed exactly for ever. */
    | {
        readonly kind: 'verdict';
        readonly verdict: unknown;
        readonly summary: unknown;
        readonly evidenceDigest: string;
        /** Absent in logs of earlier versions. */
        readonly basis?: VerdictBasis;
      }
    | Note
  );

/** One link of the chain. */
export interface ControlLogEntry {
  readonly v: 1;
  /** 1, 2, 3, ... */
  readonly revision: number;
  readonly timeMs: number;
  readonly event: ControlEvent;
  /** Hash of the entry before; 64 zeros for the first. */
  readonly previous: string;
  /** SHA-256, hex, over the canonical JSON of the other fields. */
  readonly hash: string;
}
