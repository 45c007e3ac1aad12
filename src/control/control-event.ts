// The changes an experiment can undergo, as they stand in the control log for ever.
import type { Allocation, Experiment } from '../experiment/index.ts';

/** Who did it and why; on every event. */
export interface Authorship {
  /** For example `alice`, `file:experiment.yaml`, `decision-loop`. */
  readonly author: string;
  readonly reason: string;
}

/** What happened to one experiment. Carries no unit ids, so erasing a person's records never breaks the chain. */
export type ControlEvent = Authorship & {
  readonly namespace: string;
  readonly experiment: string;
} & (
    | { readonly kind: 'create'; readonly specification: Experiment }
    /** The file changed; `allocation` and `epoch` are given when the split changed with it. */
    | {
        readonly kind: 'revise';
        readonly specification: Experiment;
        readonly allocation?: Allocation;
        readonly epoch?: number;
      }
    | { readonly kind: 'start'; readonly coverage: number; readonly allocation: Allocation; readonly epoch: number }
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
      }
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
