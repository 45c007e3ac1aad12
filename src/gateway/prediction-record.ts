// How does one exchange stand in the log? Builds record v1 from what the gateway saw, off the hot path.
import type { Attempt, Observer, PredictionEndRecord, PredictionRecord } from '../evidence/index.ts';
import type { Admission } from './admission.ts';
import type { CapturedReply, CaptureSource } from './capture.ts';

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
}

const nothing: CapturedReply = { prediction: null, captured: {} };

/** The record of a request that met an experiment. Captures that yield nothing are counted, never invented. */
export function predictionRecord(exchanged: Exchanged, observer: Observer): PredictionRecord {
  const { admission, arrivedMs, request, reply, ...seen } = exchanged;
  const { routed, side } = admission.experiment;
  const missing = missingCounter(routed.name, observer);
  const { prediction, captured } = captureReply(exchanged, observer);
  return {
    kind: 'prediction',
    timeMs: arrivedMs,
    namespace: routed.namespace,
    experiment: routed.name,
    revision: routed.revision,
    epoch: routed.epoch,
    predictionId: seen.predictionId,
    requestId: seen.requestId,
    row: 0,
    unit: admission.unit,
    assigned: admission.assigned.name,
    served: seen.served,
    reason: admission.reason,
    propensity: admission.propensity,
    attempts: seen.attempts,
    context: side === null ? {} : side.captures.context(request, missing),
    prediction,
    captured,
    status: seen.status,
    callerMs: seen.callerMs,
    streaming: seen.streaming,
  };
}

/** The record that completes a streamed prediction. @param end `timeMs` epoch milliseconds, `attempt` the finished one. */
export function predictionEndRecord(
  exchanged: Exchanged,
  end: { readonly timeMs: number; readonly attempt: Attempt; readonly observer: Observer },
): PredictionEndRecord {
  return {
    kind: 'prediction-end',
    timeMs: end.timeMs,
    namespace: exchanged.admission.experiment.routed.namespace,
    predictionId: exchanged.predictionId,
    row: 0,
    callerMs: end.timeMs - exchanged.arrivedMs,
    attempt: end.attempt,
    ...captureReply(exchanged, end.observer),
  };
}

function captureReply({ admission, reply }: Exchanged, observer: Observer): CapturedReply {
  const { side, routed } = admission.experiment;
  if (side === null || reply === null) return nothing;
  return side.captures.reply(reply, missingCounter(routed.name, observer));
}

function missingCounter(experiment: string, observer: Observer): (capture: string) => void {
  return (capture) => observer.count('capture_missing', { experiment, capture });
}
