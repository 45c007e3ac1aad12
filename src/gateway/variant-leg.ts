// How does one variant come to an answer? By one try, or with retries and a hedge by several within one deadline: the first good answer wins.
import type { Observer } from '../evidence/index.ts';
import type { Variant } from '../experiment/index.ts';
import type { AttemptVerdict } from './ejection.ts';
import type { RawHeaders } from './forward-headers.ts';
import type { OpenAiCalls } from './openai-request.ts';
import type { Upstream, UpstreamFailure } from './ports.ts';
import { isMalformedReply } from './reply-check.ts';
import type { GuardEntry, VariantGuard } from './variant-guard.ts';
import { type VariantAsk, variantRequest } from './variant-request.ts';
import { attemptOf, bodyLength, isHeldBack, startTry, type VariantTry } from './variant-try.ts';

/** What every leg of a gateway shares. */
export interface LegDesk {
  readonly upstream: Upstream;
  readonly openAi: OpenAiCalls;
  readonly observer: Observer;
  readonly now: () => number;
  /** Uniform on [0, 1). */
  readonly random: () => number;
  /** Longest reply that is held back until it is complete, bytes. */
  readonly maxBufferedReplyBytes: number;
}

/** Why a variant brought no answer. */
export interface LegFailure {
  readonly kind: UpstreamFailure['kind'] | 'status' | 'ejected' | 'overloaded';
  readonly message: string;
}

/** What one leg is about. */
export interface LegOptions {
  readonly variant: Variant;
  readonly ask: VariantAsk;
  /** Epoch milliseconds; the first token of a stream is timed from here. */
  readonly arrivedMs: number;
  /** Null for requests that leave no record. */
  readonly guard: VariantGuard | null;
  /** Epoch milliseconds until when the caller waits; null when it did not say. */
  readonly callerDeadlineMs: number | null;
  /** True when somebody else can answer: a 5xx or a malformed reply is then a failure, not the answer. */
  readonly isReplaceable: boolean;
  readonly retries: number;
  /** Milliseconds; null never. */
  readonly hedgeAfterMs: number | null;
  /** Takes every try, in the order in which they began. */
  readonly tries: VariantTry[];
}

/** Whom a leg tells. Of onWhole, onStream and onFailed exactly one comes, once; none after `abort`. */
export interface LegListener {
  onWhole(attempt: VariantTry, body: Buffer): void;
  /** A reply that passes piece by piece; what came already is in `chunks`. False asks the upstream to pause. */
  onStream(attempt: VariantTry): boolean;
  onChunk(attempt: VariantTry, chunk: Buffer): boolean;
  onStreamEnd(attempt: VariantTry): void;
  onStreamBroken(attempt: VariantTry): void;
  onFailed(failure: LegFailure): void;
}

/** First pause before a retry, milliseconds; doubled for each further one, and half of it to one and a half of it is drawn. */
const retryPauseMs = 20;

/** With less time than this nobody is asked: timers fire up to a millisecond early, and no answer comes in one. */
const leastMs = 2;

/** Asking one variant. */
export class VariantLeg {
  readonly #desk: LegDesk;
  readonly #listener: LegListener;
  readonly #options: LegOptions;
  /** The whole leg must be over by then, epoch milliseconds. */
  #deadlineMs = 0;
  /** Tries under way; one but for hedging. */
  readonly #running: VariantTry[] = [];
  #retriesLeft: number;
  #hedge: NodeJS.Timeout | null = null;
  #pause: NodeJS.Timeout | null = null;

  constructor(desk: LegDesk, listener: LegListener, options: LegOptions) {
    this.#desk = desk;
    this.#listener = listener;
    this.#options = options;
    this.#retriesLeft = options.retries;
  }

  start(): void {
    const { guard, variant, tries, hedgeAfterMs, callerDeadlineMs } = this.#options;
    const nowMs = this.#desk.now();
    const ownMs = nowMs + variant.timeoutMs;
    this.#deadlineMs = callerDeadlineMs === null ? ownMs : Math.min(ownMs, callerDeadlineMs);
    if (this.#deadlineMs - nowMs < leastMs) {
      this.#listener.onFailed({
        kind: 'timeout',
        message: 'the time the caller gave was over before it could be asked',
      });
      return;
    }
    const entry = guard === null ? 'normal' : guard.enter();
    if (entry === 'ejected' || entry === 'overloaded') {
      // On record as the variant's own attempt: who is spared a failing variant still belongs to it.
      const spared = startTry(variant, nowMs);
      spared.isSettled = true;
      spared.attempt = { variant: variant.name, status: null, latencyMs: 0, error: entry };
      tries.push(spared);
      this.#listener.onFailed({ kind: entry, message: refusals[entry] });
      return;
    }
    if (hedgeAfterMs !== null && nowMs + hedgeAfterMs < this.#deadlineMs) {
      this.#hedge = setTimeout(() => this.#tryAgain(), hedgeAfterMs);
    }
    this.#try(entry, false);
  }

  /** Gives up whatever is under way, because nobody waits for it any more. */
  abort(): void {
    this.#stopTimers();
    for (const attempt of this.#running.splice(0)) {
      this.#settle(attempt, 'aborted');
      abandon(attempt);
    }
  }

  #try(entry: GuardEntry, isRepeat: boolean): void {
    const { variant, ask, callerDeadlineMs, tries } = this.#options;
    const { now, openAi, observer, upstream } = this.#desk;
    const startedMs = now();
    const attempt = startTry(variant, startedMs);
    attempt.entry = entry;
    tries.push(attempt);
    this.#running.push(attempt);
    try {
      if (ask.isPrediction) {
        const { headers, body } = ask;
        attempt.call = openAi.prepare(variant, { path: ask.asked.path, headers, body, isRepeat });
      }
      const sent = attempt.call === null ? ask : { ...ask, headers: attempt.call.headers, body: attempt.call.body };
      const timeoutMs = this.#deadlineMs - startedMs;
      attempt.isCutShort = timeoutMs < variant.timeoutMs - 1;
      const request = variantRequest(sent, variant, {
        timeoutMs,
        tellsDeadline: callerDeadlineMs !== null,
        isMirror: false,
      });
      attempt.handle = upstream.dispatch(variant, request, {
        onHeaders: (status, received) => this.#onHeaders(attempt, status, received),
        onData: (chunk) => this.#onData(attempt, chunk),
        onComplete: () => this.#onComplete(attempt),
        onError: (failure) => this.#onError(attempt, failure),
      });
      if (attempt.isAbandoned) attempt.handle.abort();
    } catch (cause) {
      observer.fault('internal', `the upstream port refused a request to variant ${variant.name}`, cause);
      this.#onError(attempt, { kind: 'connect', message: 'the request could not be sent' });
    }
  }

  /** A further try for a retry or a hedge, where the guard and the time allow one. */
  #tryAgain(): boolean {
    this.#hedge = null;
    if (this.#deadlineMs - this.#desk.now() < leastMs) return false;
    const entry = this.#options.guard?.enter() ?? 'normal';
    if (entry === 'ejected' || entry === 'overloaded') return false;
    this.#try(entry, false);
    return true;
  }

  #onHeaders(attempt: VariantTry, status: number, headers: RawHeaders): void {
    if (attempt.isSettled) return;
    attempt.status = status;
    attempt.headers = headers;
    const { method } = this.#options.ask;
    const { maxBufferedReplyBytes, now } = this.#desk;
    if (status >= 500 && this.#canReplace()) {
      const length = bodyLength(attempt, method);
      // A short error page is read to its end, which keeps the connection; a long or endless one is not worth that.
      const isShort = length !== null && length <= maxBufferedReplyBytes;
      this.#fail(attempt, { kind: 'status', message: `it answered ${status}` });
      if (!isShort) abandon(attempt);
      return;
    }
    if (status < 400) {
      attempt.tap = attempt.call?.openTap(headers, { now, arrivedMs: this.#options.arrivedMs }) ?? null;
    }
    // A reply that is read while it passes must pass, however short it is.
    if (attempt.tap !== null || !isHeldBack(attempt, method, maxBufferedReplyBytes)) this.#stream(attempt);
  }

  #onData(attempt: VariantTry, chunk: Buffer): boolean {
    if (attempt.isSettled) return true;
    if (attempt.mode === 'stream') return this.#listener.onChunk(attempt, chunk);
    attempt.chunks.push(chunk);
    attempt.bytes += chunk.length;
    return attempt.bytes <= this.#desk.maxBufferedReplyBytes || this.#stream(attempt);
  }

  #onComplete(attempt: VariantTry): void {
    if (attempt.isSettled) return;
    if (attempt.mode === 'stream') {
      this.#listener.onStreamEnd(attempt);
      return;
    }
    const status = attempt.status ?? 502;
    const body = attempt.chunks.length === 1 ? attempt.chunks[0]! : Buffer.concat(attempt.chunks, attempt.bytes);
    const { variant, ask } = this.#options;
    if (attempt.call?.isRefusal(status)) {
      // Nothing was processed: the same request goes out again as the caller wrote it.
      const entry = attempt.entry;
      this.#leave(attempt, null, { keepsEntry: true });
      this.#try(entry, true);
      return;
    }
    const { headers } = attempt;
    const isMalformed =
      ask.isPrediction && isMalformedReply(variant.upstream.protocol, { method: ask.method, status, headers, body });
    if (isMalformed && this.#canReplace()) {
      this.#fail(attempt, { kind: 'malformed-reply', message: 'its reply is not what its protocol allows' });
      return;
    }
    this.#win(attempt);
    this.#leave(attempt, isMalformed ? 'malformed-reply' : null);
    this.#listener.onWhole(attempt, body);
  }

  #onError(attempt: VariantTry, failure: UpstreamFailure): void {
    if (attempt.isSettled) return;
    if (attempt.mode === 'stream') {
      this.endStream(attempt, failure.kind);
      this.#listener.onStreamBroken(attempt);
    } else this.#fail(attempt, failure);
  }

  /** Ends an open stream, for the record. @param error null for a stream that ended well. */
  endStream(attempt: VariantTry, error: string | null): void {
    if (!attempt.isSettled) this.#leave(attempt, error);
  }

  #canReplace(): boolean {
    return this.#options.isReplaceable || this.#running.length > 1;
  }

  #stream(attempt: VariantTry): boolean {
    attempt.mode = 'stream';
    this.#win(attempt);
    const { guard } = this.#options;
    const isFailing = attempt.status !== null && attempt.status >= 500;
    if (guard !== null && !isFailing) attempt.entry = guard.answered(attempt.entry);
    return this.#listener.onStream(attempt);
  }

  /** The answer is here: the other try, if there is one, is given up. */
  #win(winner: VariantTry): void {
    this.#stopTimers();
    if (this.#running.length === 1) return;
    for (const other of [...this.#running]) {
      if (other === winner) continue;
      this.#leave(other, 'hedged');
      abandon(other);
    }
  }

  #fail(attempt: VariantTry, failure: LegFailure): void {
    this.#leave(attempt, failure.kind);
    // The other try may still bring the answer.
    if (this.#running.length > 0) return;
    this.#stopTimers();
    const isRetryable = failure.kind === 'connect' || (failure.kind === 'reset' && attempt.status === null);
    if (!isRetryable || this.#retriesLeft === 0) {
      this.#listener.onFailed(failure);
      return;
    }
    const pauseMs = retryPauseMs * 2 ** (this.#options.retries - this.#retriesLeft) * (0.5 + this.#desk.random());
    this.#retriesLeft -= 1;
    this.#pause = setTimeout(() => {
      this.#pause = null;
      if (!this.#tryAgain()) this.#listener.onFailed(failure);
    }, pauseMs);
  }

  /** Writes the try down and lets it go. */
  #leave(attempt: VariantTry, error: string | null, { keepsEntry = false } = {}): void {
    this.#running.splice(this.#running.indexOf(attempt), 1);
    this.#settle(attempt, error, { keepsEntry });
  }

  #settle(attempt: VariantTry, error: string | null, { keepsEntry = false } = {}): void {
    attempt.isSettled = true;
    attempt.attempt = attemptOf(attempt, this.#desk.now(), error);
    if (!keepsEntry) this.#options.guard?.leave(attempt.entry, verdictOf(attempt));
  }

  #stopTimers(): void {
    if (this.#hedge !== null) clearTimeout(this.#hedge);
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#hedge = null;
    this.#pause = null;
  }
}

const refusals: Readonly<Record<'ejected' | 'overloaded', string>> = {
  ejected: 'it failed too often and is taken out for a while',
  overloaded: 'as many requests as it may have are under way',
};

function abandon(attempt: VariantTry): void {
  attempt.isAbandoned = true;
  attempt.handle?.abort();
}

/** What the end of a try says about its variant's health. */
function verdictOf({ attempt, isCutShort }: VariantTry): AttemptVerdict {
  const error = attempt?.error ?? null;
  if (error === null) return 'ok';
  // A caller in a hurry is no failure of the variant: it did not have the time its file promises.
  const saysNothing = error === 'aborted' || error === 'hedged' || (error === 'timeout' && isCutShort);
  return saysNothing ? 'neutral' : 'failed';
}
