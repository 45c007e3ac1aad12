// How does one exchange stand in the log? Builds record v1 from what the gateway saw, off the hot path.
import type { Attempt, Json, NewRecord, Observer, PredictionEndRecord, PredictionRecord } from '../evidence/index.ts';
import type { Variant } from '../experiment/index.ts';
import type { Admission } from './admission.ts';
import { type Batch, findBatch, maxBatchRows } from './batch-rows.ts';
import type { CapturedReply, CaptureSource } from './capture.ts';
import type { EndedPrediction } from './ports.ts';

/** What an exchange knows when it is written down. */
export interface Exchanged {
  readonly admission: Admission;
  readonly predictionId: string;
  readonly requestId: string;
  /** Epoch milliseconds. */
  readonly arrivedMs: number;
  readonly request: CaptureSource;
  /** The reply's headers and body; null when there is nothing to capture from. */
  readonly reply: CaptureSource | null;
  readonly attempts: readonly Attempt[];
  readonly served: string | null;
  readonly status: number | null;
  /** Milliseconds; null while a stream is open. */
  readonly callerMs: number | null;
  readonly streaming: boolean;
  /** What the protocol itself tells of the reply, such as tokens; null for nothing. Declared captures of the same name win. */
  readonly figures: (() => { readonly [name: string]: Json }) | null;
}

/** What whoever follows the prediction is told at its end. @param request `variant` is the one that was asked first. */
export function endedPrediction(
  exchanged: Exchanged,
  request: Pick<EndedPrediction, 'method' | 'path'> & { readonly variant: Variant; readonly wentAway: boolean },
): EndedPrediction {
  const { admission, predictionId, arrivedMs, served, status, attempts, figures } = exchanged;
  const { namespace, name, revision } = admission.experiment.routed;
  const { protocol, model } = request.variant.upstream;
  return {
    namespace,
    experiment: name,
    revision,
    assigned: admission.assigned.name,
    served,
    reason: admission.reason,
    predictionId,
    method: request.method,
    path: request.path,
    arrivedMs,
    callerMs: exchanged.callerMs ?? 0,
    status: request.wentAway ? null : status,
    attempts,
    protocol,
    model,
    figures,
  };
}

const nothing: CapturedReply = { prediction: null, captured: {} };

/**
 * The records of a request that met an experiment: one, or one for each row of a batch whose reply is known. Captures that
 * yield nothing are counted, never invented.
 */
export function predictionRecords(exchanged: Exchanged, observer: Observer): readonly PredictionRecord[] {
  const { admission, request, reply } = exchanged;
  const { labels, side } = admission.experiment;
  const missing = (capture: string): void => observer.count('capture_missing', { ...labels, capture });
  const batch = batchOf(exchanged, observer);
  if (batch.kind === 'rows' && side !== null && reply !== null) {
    const contexts = side.captures.contexts(request, batch, missing);
    return side.captures
      .replies(reply, batch, missing)
      .map((captured, row) => recordOf(exchanged, row, { context: contexts[row]!, captured }));
  }
  const context = side === null ? {} : side.captures.context(request, missing);
  return [recordOf(exchanged, 0, { context, captured: captureReply(exchanged, batch, missing) })];
}

/**
 * The records that complete a streamed prediction: the end of its first row, and the further rows of a batch whole, because
 * only the end of the reply tells that there are any.
 *
 * @param end `timeMs` epoch milliseconds, `attempt` the finished one.
 */
export function predictionEndRecords(
  exchanged: Exchanged,
  end: { readonly timeMs: number; readonly attempt: Attempt; readonly observer: Observer },
): readonly NewRecord[] {
  const { admission, predictionId, arrivedMs } = exchanged;
  const { routed } = admission.experiment;
  const [first, ...others] = predictionRecords(exchanged, end.observer);
  const ending: PredictionEndRecord = {
    kind: 'prediction-end',
    timeMs: Math.floor(end.timeMs),
    namespace: routed.namespace,
    predictionId,
    row: 0,
    callerMs: end.timeMs - arrivedMs,
    attempt: end.attempt,
    prediction: first!.prediction,
    captured: first!.captured,
  };
  return [ending, ...others];
}

// Written out in one piece: this runs for every prediction, and objects spread into objects cost more than all the rest of it.
function recordOf(
  exchanged: Exchanged,
  row: number,
  { context, captured }: { readonly context: PredictionRecord['context']; readonly captured: CapturedReply },
): PredictionRecord {
  const { admission } = exchanged;
  const { routed } = admission.experiment;
  return {
    kind: 'prediction',
    // Whole milliseconds, as callers stamp what they send: an outcome of the same millisecond is not before its exposure.
    timeMs: Math.floor(exchanged.arrivedMs),
    namespace: routed.namespace,
    experiment: routed.name,
    revision: routed.revision,
    epoch: routed.epoch,
    predictionId: exchanged.predictionId,
    requestId: exchanged.requestId,
    row,
    unit: admission.unit,
    assigned: admission.assigned.name,
    served: exchanged.served,
    reason: admission.reason,
    propensity: admission.propensity,
    attempts: exchanged.attempts,
    context,
    prediction: captured.prediction,
    captured: captured.captured,
    status: exchanged.status,
    callerMs: exchanged.callerMs,
    streaming: exchanged.streaming,
  };
}

type FoundBatch =
  | { readonly kind: 'none' }
  | ({ readonly kind: 'rows' } & Batch)
  | { readonly kind: 'too-large'; readonly rows: number };

function batchOf({ admission, request, reply }: Exchanged, observer: Observer): FoundBatch {
  if (reply === null) return { kind: 'none' };
  const batch = findBatch(admission.assigned.upstream.protocol, request.body, reply.body);
  if (batch === null) return { kind: 'none' };
  if (batch.rows <= maxBatchRows) return { kind: 'rows', ...batch };
  observer.count('batch_too_large', admission.experiment.labels);
  return { kind: 'too-large', rows: batch.rows };
}

function captureReply(
  { admission, reply, figures }: Exchanged,
  batch: FoundBatch,
  missing: (capture: string) => void,
): CapturedReply {
  const { side } = admission.experiment;
  if (side === null) return nothing;
  const read = reply === null ? nothing : side.captures.reply(reply, missing);
  if (figures === null && batch.kind !== 'too-large') return read;
  const rows = batch.kind === 'too-large' ? { batch_rows: batch.rows } : {};
  return { prediction: read.prediction, captured: { ...figures?.(), ...read.captured, ...rows } };
}
