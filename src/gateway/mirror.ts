// What would the shadow have answered? Sends copies of predictions to it beside the traffic, bounded in every direction, and writes its answers down.
import type { MirrorRecord, Observer } from '../evidence/index.ts';
import type { Variant } from '../experiment/index.ts';
import { findBatch, maxBatchRows } from './batch-rows.ts';
import type { CapturedReply } from './capture.ts';
import { createJsonBody } from './json-body.ts';
import type { OpenAiCalls } from './openai-request.ts';
import type { Upstream } from './ports.ts';
import type { Recorder } from './recorder.ts';
import { isMalformedReply } from './reply-check.ts';
import type { PreparedExperiment } from './routing-table.ts';
import { type VariantAsk, variantRequest } from './variant-request.ts';
import { attemptOf, startTry, type VariantTry } from './variant-try.ts';

/** Options of `createMirrors`. */
interface MirrorsOptions {
  readonly upstream: Upstream;
  readonly openAi: OpenAiCalls;
  readonly recorder: Recorder;
  readonly observer: Observer;
  readonly now: () => number;
  /** Uniform on [0, 1). */
  readonly random: () => number;
  /** True while the gateway has more to do than it should; copies are the first to go. */
  readonly isPressed: () => boolean;
}

/** A prediction that may be copied. */
export interface MirrorCandidate {
  readonly experiment: PreparedExperiment;
  readonly assigned: Variant;
  readonly ask: VariantAsk;
  readonly predictionId: string;
  /** True when the caller named a deadline. */
  readonly tellsDeadline: boolean;
}

/** The mirrors of a gateway: `mirror_sampled = mirror_sent + mirror_dropped` and, once idle, `mirror_sent = mirror_ok + mirror_failed`. */
export interface Mirrors {
  /** Draws whether this prediction is copied. Returns at once and never throws; nothing is sent in this turn of the event loop. */
  offer(candidate: MirrorCandidate): void;
  /** Copies waiting and under way. */
  status(): { readonly queued: number; readonly inFlight: number };
  /** Lets copies finish for `withinMs`; what then waits is dropped, what is under way is given up. */
  drain(withinMs: number): Promise<void>;
}

/** Copies of one experiment under way at once: half the connections of an origin, which the shadow may share with a variant. */
const maxInFlight = 32;

/** Copies of one experiment that wait. */
const maxQueued = 256;

/** Request bytes of one experiment's copies, waiting and under way. */
const maxHeldBytes = 32 * 1024 * 1024;

/** Longest part of a shadow's reply that is kept for captures, bytes. */
const maxKeptBytes = 256 * 1024;

/** A shadow's reply beyond this is not read to its end, bytes. */
const maxReadBytes = 16 * 1024 * 1024;

/** A copy on its way. */
interface Copy extends MirrorCandidate {
  readonly shadow: Variant;
  readonly bytes: number;
}

/** The copies of one experiment. */
interface Lane {
  /** Always the same object: an observer may know it again. */
  readonly labels: { readonly experiment: string };
  readonly queue: Copy[];
  /** One way to give up for every copy under way. A list, for a Set that gains and loses an entry per copy keeps dead ones alive. */
  readonly underWay: (() => void)[];
  heldBytes: number;
  isWoken: boolean;
}

/** Mirrors with nothing under way. */
export function createMirrors(options: MirrorsOptions): Mirrors {
  const { upstream, openAi, recorder, observer, now, random, isPressed } = options;
  const lanes = new Map<string, Lane>();
  let isDraining = false;
  let onIdle: (() => void) | null = null;

  const laneOf = ({ labels }: PreparedExperiment): Lane => {
    let lane = lanes.get(labels.experiment);
    if (lane === undefined) {
      lane = { labels, queue: [], underWay: [], heldBytes: 0, isWoken: false };
      lanes.set(labels.experiment, lane);
    }
    return lane;
  };

  const drop = (lane: Lane, reason: string, count = 1): void => {
    if (count > 0) observer.count('mirror_dropped', { ...lane.labels, reason }, count);
  };

  const dropQueue = (lane: Lane, reason: string): void => {
    for (const { bytes } of lane.queue) lane.heldBytes -= bytes;
    drop(lane, reason, lane.queue.splice(0).length);
    settleIdle();
  };

  const settleIdle = (): void => {
    if (onIdle === null) return;
    for (const { queue, underWay } of lanes.values()) if (queue.length > 0 || underWay.length > 0) return;
    onIdle();
  };

  const wake = (lane: Lane): void => {
    if (lane.isWoken) return;
    lane.isWoken = true;
    // Not now: the request that is copied goes first.
    setImmediate(() => {
      lane.isWoken = false;
      if (isPressed()) dropQueue(lane, 'overload');
      while (lane.underWay.length < maxInFlight) {
        const copy = lane.queue.shift();
        if (copy === undefined) return;
        observer.count('mirror_sent', lane.labels);
        send(lane, copy, false);
      }
    });
  };

  const send = (lane: Lane, copy: Copy, isRepeat: boolean): void => {
    const { shadow, ask } = copy;
    const sentMs = now();
    const attempt = startTry(shadow, sentMs);
    let isKept = true;
    const giveUp = (): void => {
      end('aborted');
      attempt.handle?.abort();
    };
    lane.underWay.push(giveUp);

    const end = (error: string | null): void => {
      if (attempt.isSettled) return;
      attempt.isSettled = true;
      lane.underWay.splice(lane.underWay.indexOf(giveUp), 1);
      if (error === null && attempt.call?.isRefusal(attempt.status ?? 502)) {
        send(lane, copy, true);
        return;
      }
      lane.heldBytes -= copy.bytes;
      attempt.attempt = attemptOf(attempt, now(), error);
      const result = attempt.attempt.error === null ? 'mirror_ok' : 'mirror_failed';
      observer.count(result, lane.labels);
      recorder.add(() => mirrorRecords(copy, attempt, isKept ? bodyOf(attempt) : null, observer));
      wake(lane);
      settleIdle();
    };

    try {
      const { headers, body } = ask;
      attempt.call = openAi.prepare(shadow, { path: ask.asked.path, headers, body, isRepeat });
      const sent = attempt.call === null ? ask : { ...ask, headers: attempt.call.headers, body: attempt.call.body };
      const terms = { timeoutMs: shadow.timeoutMs, tellsDeadline: copy.tellsDeadline, isMirror: true };
      attempt.handle = upstream.dispatch(shadow, variantRequest(sent, shadow, terms), {
        onHeaders(status, received) {
          attempt.status = status;
          attempt.headers = received;
          if (status < 400) attempt.tap = attempt.call?.openTap(received, { now, arrivedMs: sentMs }) ?? null;
        },
        onData(chunk) {
          attempt.bytes += chunk.length;
          attempt.tap?.push(chunk);
          if (attempt.bytes > maxKeptBytes) {
            isKept = false;
            attempt.chunks = [];
          } else attempt.chunks.push(chunk);
          if (attempt.bytes > maxReadBytes) {
            end('oversize');
            attempt.handle?.abort();
          }
          return true;
        },
        onComplete() {
          attempt.tap?.end();
          end(attempt.tap === null ? malformedOf(ask, attempt, isKept) : attempt.tap.failure());
        },
        onError: (failure) => end(failure.kind),
      });
    } catch (cause) {
      observer.fault('internal', `the upstream port refused a copy to variant ${shadow.name}`, cause);
      end('connect');
    }
  };

  const consider = (candidate: MirrorCandidate): void => {
    const { experiment, assigned, ask } = candidate;
    const { mirror, allocation } = experiment.routed;
    // A paused or ended experiment has no traffic of its own to copy.
    if (mirror === undefined || allocation.kind !== 'fixed' || mirror.variant === assigned.name) return;
    if (!(random() < mirror.share)) return;
    const shadow = experiment.variants.get(mirror.variant);
    if (shadow === undefined) return;
    const lane = laneOf(experiment);
    observer.count('mirror_sampled', lane.labels);
    const bytes = ask.body?.length ?? 0;
    if (isDraining) drop(lane, 'draining');
    else if (isPressed()) drop(lane, 'overload');
    else if (lane.queue.length >= maxQueued) drop(lane, 'queue-full');
    else if (lane.heldBytes + bytes > maxHeldBytes) drop(lane, 'bytes');
    else {
      lane.heldBytes += bytes;
      const { predictionId, tellsDeadline } = candidate;
      lane.queue.push({ experiment, assigned, predictionId, ask, tellsDeadline, shadow, bytes });
      wake(lane);
    }
  };

  return {
    offer(candidate) {
      try {
        consider(candidate);
      } catch (cause) {
        observer.fault('internal', `a copy for ${candidate.experiment.routed.name} could not be made`, cause);
      }
    },
    status() {
      let queued = 0;
      let inFlight = 0;
      for (const lane of lanes.values()) {
        queued += lane.queue.length;
        inFlight += lane.underWay.length;
      }
      return { queued, inFlight };
    },
    async drain(withinMs) {
      isDraining = true;
      const isIdle = new Promise<void>((resolve) => (onIdle = resolve));
      settleIdle();
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([isIdle, new Promise<void>((resolve) => (timer = setTimeout(resolve, withinMs)))]);
      clearTimeout(timer);
      for (const lane of lanes.values()) {
        dropQueue(lane, 'draining');
        for (const giveUp of [...lane.underWay]) giveUp();
      }
    },
  };
}

function bodyOf(attempt: VariantTry): Buffer {
  return attempt.chunks.length === 1 ? attempt.chunks[0]! : Buffer.concat(attempt.chunks, attempt.bytes);
}

function malformedOf({ method }: VariantAsk, attempt: VariantTry, isKept: boolean): string | null {
  const { status, headers, variant } = attempt;
  if (!isKept || status === null) return null;
  const reply = { method, status, headers, body: bodyOf(attempt) };
  return isMalformedReply(variant.upstream.protocol, reply) ? 'malformed-reply' : null;
}

/** The records of a copy, one per row of a batch; its reply is captured as a caller's would be. @param body null when it was too long to be kept. */
function mirrorRecords(
  copy: Copy,
  attempt: VariantTry,
  body: Buffer | null,
  observer: Observer,
): readonly MirrorRecord[] {
  const { routed, labels, side } = copy.experiment;
  const { status, headers, call, tap } = attempt;
  const isCapturable = attempt.attempt!.error === null && status !== null && status < 400;
  const reply = isCapturable && body !== null ? { headers, body: createJsonBody(headers, body) } : null;
  const missing = (capture: string): void => observer.count('capture_missing', { ...labels, capture, mirror: 'yes' });
  const recordOf = (row: number, { prediction, captured }: CapturedReply): MirrorRecord => ({
    kind: 'mirror',
    timeMs: Math.floor(attempt.startedMs),
    namespace: routed.namespace,
    experiment: routed.name,
    predictionId: copy.predictionId,
    row,
    attempt: attempt.attempt!,
    prediction,
    captured,
  });
  if (side === null || reply === null) return [recordOf(0, { prediction: null, captured: tap?.figures() ?? {} })];
  const asked = createJsonBody(copy.ask.headers, copy.ask.body);
  const batch = findBatch(attempt.variant.upstream.protocol, asked, reply.body);
  if (batch !== null && batch.rows <= maxBatchRows) {
    return side.captures.replies(reply, batch, missing).map((declared, row) => recordOf(row, declared));
  }
  const declared = side.captures.reply(reply, missing);
  const figures = tap?.figures() ?? call?.figures(reply.body.document());
  if (figures === undefined) return [recordOf(0, declared)];
  return [recordOf(0, { prediction: declared.prediction, captured: { ...figures, ...declared.captured } })];
}
