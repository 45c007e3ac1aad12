// Record v1: what happened, one JSON object per event, as it stands in the evidence log for ever.

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A value a metric or a segment can use. */
export type Scalar = number | string | boolean;

/** What the log adds to every record. */
export interface Envelope {
  readonly v: 1;
  /** Random for every process start. */
  readonly writer: string;
  /** Rises by one within a writer, from 1. (writer, sequence) names a record for ever and makes a replay idempotent. */
  readonly sequence: number;
}

/** Why the unit got this variant. The set is open: readers must accept reasons they do not know. */
export type Reason =
  | 'split'
  | 'forced'
  | 'not-covered'
  | 'paused'
  | 'no-unit'
  | 'promoted'
  | 'ended'
  /** Kept out of every experiment that names its holdout. */
  | 'held-out'
  /** Another experiment of the layer may see the unit. */
  | 'other-experiment'
  /** The caller's route token named the variant it had before. */
  | 'sticky'
  /** The variants write into JSON bodies, and this body is no JSON object. */
  | 'not-editable';

/** One try at one variant. */
export interface Attempt {
  readonly variant: string;
  /** HTTP status; null when no reply came. */
  readonly status: number | null;
  /** From dispatch to the last byte of the reply or to the failure, milliseconds. */
  readonly latencyMs: number;
  /** Why the attempt failed (`timeout`, `connect`, `reset`, `status`, `malformed-reply`, `aborted`, `ejected`, `overloaded`, `hedged`, ...); null when it did not. */
  readonly error: string | null;
}

/** One request that met an experiment. */
export interface PredictionRecord {
  readonly kind: 'prediction';
  /** Arrival of the request, epoch milliseconds. */
  readonly timeMs: number;
  readonly namespace: string;
  readonly experiment: string;
  readonly revision: number;
  readonly epoch: number;
  readonly predictionId: string;
  readonly requestId: string;
  /** Index within a batched request; 0 otherwise. */
  readonly row: number;
  /** Keyed hash of the unit id, 16 hex digits; null without a unit. Never the id itself. */
  readonly unit: string | null;
  /** The variant the rule chose, whatever was served. */
  readonly assigned: string;
  /** The variant whose reply the caller got; null when no variant answered. */
  readonly served: string | null;
  readonly reason: Reason;
  /** Probability with which a covered unit gets `assigned`, 0..1; 1 where nothing was drawn. */
  readonly propensity: number;
  /** In order; the first is the assigned variant's own. */
  readonly attempts: readonly Attempt[];
  /** Declared context, read from the request. */
  readonly context: { readonly [name: string]: Scalar };
  /** Captured prediction (after its threshold); null when there is none. */
  readonly prediction: Scalar | null;
  /** Everything else captured from the reply (confidence, items, tokens, cost). */
  readonly captured: { readonly [name: string]: Json };
  /** Status the caller got; null when the caller went away first. */
  readonly status: number | null;
  /** From the request's arrival to the last byte of the reply, milliseconds; null while a stream is open. */
  readonly callerMs: number | null;
  /** True when the reply goes on after this record; a `prediction-end` follows. */
  readonly streaming: boolean;
}

/** The end of a streamed reply; completes the prediction of the same id and row. */
export interface PredictionEndRecord {
  readonly kind: 'prediction-end';
  readonly timeMs: number;
  readonly namespace: string;
  readonly predictionId: string;
  readonly row: number;
  readonly callerMs: number;
  /** The finished attempt. */
  readonly attempt: Attempt;
  readonly prediction: Scalar | null;
  readonly captured: { readonly [name: string]: Json };
}

/** A copy sent to a shadow variant; the caller never sees it. */
export interface MirrorRecord {
  readonly kind: 'mirror';
  readonly timeMs: number;
  readonly namespace: string;
  readonly experiment: string;
  readonly predictionId: string;
  readonly row: number;
  readonly attempt: Attempt;
  readonly prediction: Scalar | null;
  readonly captured: { readonly [name: string]: Json };
}

/** What an outcome belongs to: exactly one of the three. */
export type OutcomeSubject =
  /** `ID`, or `ID#ROW` for one row of a batched request. */
  | { readonly kind: 'prediction'; readonly predictionId: string }
  | { readonly kind: 'request'; readonly requestId: string }
  /** Keyed hash of the unit id. */
  | { readonly kind: 'unit'; readonly unit: string };

/** Something that happened afterwards: truth, a click, revenue. */
export interface OutcomeRecord {
  readonly kind: 'outcome';
  /** The reporter's id; the same id twice counts once. */
  readonly id: string;
  /** When it happened, by the reporter's clock, epoch milliseconds. */
  readonly timeMs: number;
  /** When we took it, epoch milliseconds. */
  readonly receivedMs: number;
  readonly namespace: string;
  /** For example `label`, `click`, `revenue`. */
  readonly type: string;
  readonly value: Scalar;
  readonly subject: OutcomeSubject;
  readonly attributes: { readonly [name: string]: Json };
}

/** The writer closed its log on purpose; a log without it ended in a crash and may miss up to 5 ms of predictions. */
export interface WriterEndRecord {
  readonly kind: 'writer-end';
  readonly timeMs: number;
}

/** What writers hand to the log. */
export type NewRecord = PredictionRecord | PredictionEndRecord | MirrorRecord | OutcomeRecord | WriterEndRecord;

/** What stands in the log. */
export type LogRecord = NewRecord & Envelope;
