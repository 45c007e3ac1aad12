// What happens between a request and its reply? Asks the assigned variant, lets the control answer when that fails, passes the reply on.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { problemType, toProblem } from '../api/index.ts';
import { AssayError } from '../errors.ts';
import type { Attempt, Observer } from '../evidence/index.ts';
import type { Variant } from '../experiment/index.ts';
import type { Admission } from './admission.ts';
import type { CaptureSource } from './capture.ts';
import { headerOf, type RawHeaders, replyHeaders } from './forward-headers.ts';
import { createJsonBody } from './json-body.ts';
import type { Upstream, UpstreamFailure } from './ports.ts';
import { type Exchanged, predictionEndRecord, predictionRecord } from './prediction-record.ts';
import type { Recorder } from './recorder.ts';
import { isJsonType, isMalformedReply } from './reply-check.ts';
import { type AskedPath, upstreamPath } from './upstream-path.ts';
import { attemptOf, bodyLength, isHeldBack, startTry, type VariantTry } from './variant-try.ts';

/** What every exchange of a gateway shares. */
export interface ExchangeDesk {
  readonly upstream: Upstream;
  readonly recorder: Recorder;
  readonly observer: Observer;
  readonly now: () => number;
  readonly durability: 'after-reply' | 'before-reply';
  /** Longest reply that is held back until it is complete, bytes. */
  readonly maxBufferedReplyBytes: number;
  readonly isDraining: () => boolean;
}

/** One request on its way. */
export interface ExchangeRequest {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Epoch milliseconds. */
  readonly arrivedMs: number;
  readonly asked: AskedPath;
  /** As the model server shall get them. */
  readonly headers: readonly string[];
  readonly body: Buffer | null;
  /** Asked first. */
  readonly variant: Variant;
  /** Null for requests that leave no record; those have no fallback either. */
  readonly prediction: {
    readonly admission: Admission;
    readonly predictionId: string;
    readonly requestId: string;
    readonly request: CaptureSource;
  } | null;
}

/** Longest part of a streamed JSON reply that is kept for captures, bytes. */
const maxStreamCopyBytes = 256 * 1024;

/** How long a caller may take nothing of a stream before the connection is cut: it holds a connection of the model server meanwhile. */
const maxStallMs = 60_000;

/** Runs one exchange to its end; the record is written when the response closes. Never throws. */
export function runExchange(desk: ExchangeDesk, request: ExchangeRequest): void {
  new Exchange(desk, request).start();
}

class Exchange {
  readonly #desk: ExchangeDesk;
  readonly #request: ExchangeRequest;
  readonly #method: string;
  readonly #attempts: Attempt[] = [];
  #current: VariantTry | null = null;
  #fallbackFrom: string | null = null;
  /** `holding`: the head waits for a durable record; `open`: the head is sent and the body follows. */
  #phase: 'asking' | 'holding' | 'open' | 'replied' = 'asking';
  #served: string | null = null;
  #status: number | null = null;
  #reply: CaptureSource | null = null;
  #isStreamed = false;
  #isRecorded = false;
  #brokeStream = false;
  /** Runs while the caller does not take what was written. */
  #stall: NodeJS.Timeout | null = null;
  /** Copy of a streamed JSON reply; null when it is not wanted or grew too long. */
  #copy: Buffer[] | null = null;
  #copyBytes = 0;

  constructor(desk: ExchangeDesk, request: ExchangeRequest) {
    this.#desk = desk;
    this.#request = request;
    this.#method = request.req.method ?? 'GET';
  }

  start(): void {
    this.#request.res.on('close', () => this.#onClose());
    this.#ask(this.#request.variant);
  }

  #ask(variant: Variant): void {
    const { asked, headers, body, prediction } = this.#request;
    const attempt = startTry(variant, this.#desk.now());
    this.#current = attempt;
    try {
      attempt.handle = this.#desk.upstream.dispatch(
        variant,
        {
          method: this.#method,
          path: upstreamPath(asked, variant),
          headers: prediction === null ? headers : [...headers, 'x-assay-variant', variant.name],
          body,
          timeoutMs: variant.timeoutMs,
        },
        {
          onHeaders: (status, received) => this.#onHeaders(attempt, status, received),
          onData: (chunk) => this.#onData(attempt, chunk),
          onComplete: () => this.#onComplete(attempt),
          onError: (failure) => this.#onError(attempt, failure),
        },
      );
      if (attempt.isAbandoned) attempt.handle.abort();
    } catch (cause) {
      this.#desk.observer.fault('internal', `the upstream port refused a request to variant ${variant.name}`, cause);
      this.#onError(attempt, { kind: 'connect', message: 'the request could not be sent' });
    }
  }

  #onHeaders(attempt: VariantTry, status: number, headers: RawHeaders): void {
    if (attempt.isSettled) return;
    attempt.status = status;
    attempt.headers = headers;
    const length = bodyLength(attempt, this.#method);
    const { maxBufferedReplyBytes } = this.#desk;
    if (status >= 500 && this.#canFallBack(attempt)) {
      this.#settle(attempt, 'status');
      // A short error page is read to its end, which keeps the connection; a long or endless one is not worth that.
      if (length === null || length > maxBufferedReplyBytes) this.#abandon(attempt);
      this.#fallBack(attempt);
      return;
    }
    if (isHeldBack(attempt, this.#method, maxBufferedReplyBytes)) return;
    attempt.mode = 'stream';
    this.#openStream(attempt);
  }

  #onData(attempt: VariantTry, chunk: Buffer): boolean {
    if (attempt.isSettled) return true;
    if (attempt.mode === 'stream') return this.#pass(attempt, chunk);
    attempt.chunks.push(chunk);
    attempt.bytes += chunk.length;
    if (attempt.bytes <= this.#desk.maxBufferedReplyBytes) return true;
    attempt.mode = 'stream';
    return this.#openStream(attempt);
  }

  #onComplete(attempt: VariantTry): void {
    if (attempt.isSettled) return;
    if (attempt.mode === 'stream') {
      this.#settle(attempt, null);
      if (this.#phase === 'open') this.#request.res.end();
      return;
    }
    const status = attempt.status ?? 502;
    const body = attempt.chunks.length === 1 ? attempt.chunks[0]! : Buffer.concat(attempt.chunks, attempt.bytes);
    const method = this.#method;
    const isMalformed =
      this.#request.prediction !== null &&
      isMalformedReply(attempt.variant.upstream.protocol, { method, status, headers: attempt.headers, body });
    this.#settle(attempt, isMalformed ? 'malformed-reply' : null);
    if (isMalformed && this.#canFallBack(attempt)) this.#fallBack(attempt);
    else this.#sendWhole(attempt, body);
  }

  #onError(attempt: VariantTry, failure: UpstreamFailure): void {
    if (attempt.isSettled) return;
    this.#settle(attempt, failure.kind);
    if (this.#phase !== 'asking') {
      // The caller has part of the reply; cutting the connection is the only honest way left to say so.
      this.#brokeStream = true;
      this.#request.res.destroy();
    } else if (this.#canFallBack(attempt)) this.#fallBack(attempt);
    else this.#sendFailure(attempt, failure);
  }

  #canFallBack(attempt: VariantTry): boolean {
    const { prediction } = this.#request;
    return prediction !== null && attempt.variant !== prediction.admission.experiment.control;
  }

  #fallBack(attempt: VariantTry): void {
    const { experiment } = this.#request.prediction!.admission;
    this.#fallbackFrom = attempt.variant.name;
    const error = this.#attempts.at(-1)?.error ?? 'status';
    this.#desk.observer.count('fallback', { experiment: experiment.routed.name, variant: attempt.variant.name, error });
    this.#ask(experiment.control);
  }

  #settle(attempt: VariantTry, error: string | null): void {
    attempt.isSettled = true;
    this.#attempts.push(attemptOf(attempt, this.#desk.now(), error));
  }

  #abandon(attempt: VariantTry): void {
    attempt.isAbandoned = true;
    attempt.handle?.abort();
  }

  // --- replying ---

  #sendWhole(attempt: VariantTry, body: Buffer): void {
    this.#reply = { headers: attempt.headers, body: createJsonBody(attempt.headers, body) };
    this.#served = attempt.variant.name;
    this.#status = attempt.status;
    this.#afterRecord(() => {
      const headers = this.#headersFor(attempt);
      if (headerOf(headers, 'content-length') === undefined && bodyLength(attempt, this.#method) === null) {
        headers.push('content-length', String(body.length));
      }
      if (this.#writeHead(attempt.status ?? 502, headers)) this.#request.res.end(body);
    });
  }

  /** Sends the head, at once or when its record is durable; false asks the upstream to pause. */
  #openStream(attempt: VariantTry): boolean {
    this.#served = attempt.variant.name;
    this.#status = attempt.status;
    this.#isStreamed = true;
    if (isJsonType(headerOf(attempt.headers, 'content-type')) && this.#request.prediction !== null) this.#copy = [];
    let goesOn = true;
    this.#afterRecord(() => {
      this.#phase = 'open';
      if (!this.#writeHead(attempt.status ?? 502, this.#headersFor(attempt))) return;
      this.#request.res.flushHeaders();
      for (const chunk of attempt.chunks.splice(0)) goesOn = this.#pass(attempt, chunk) && goesOn;
      if (attempt.isSettled) this.#request.res.end();
      else if (goesOn) attempt.handle?.resume();
    });
    return goesOn && this.#phase === 'open';
  }

  #pass(attempt: VariantTry, chunk: Buffer): boolean {
    if (this.#phase === 'holding') {
      attempt.chunks.push(chunk);
      return false;
    }
    if (this.#copy !== null) {
      this.#copyBytes += chunk.length;
      if (this.#copyBytes > maxStreamCopyBytes) this.#copy = null;
      else this.#copy.push(chunk);
    }
    if (this.#request.res.write(chunk)) return true;
    if (this.#stall === null) {
      const { res } = this.#request;
      this.#stall = setTimeout(() => res.destroy(), maxStallMs);
      res.once('drain', () => {
        this.#endStall();
        attempt.handle?.resume();
      });
    }
    return false;
  }

  #endStall(): void {
    if (this.#stall !== null) clearTimeout(this.#stall);
    this.#stall = null;
  }

  #sendFailure(attempt: VariantTry, failure: UpstreamFailure): void {
    const code = failure.kind === 'timeout' ? 'upstream-timeout' : 'upstream-unreachable';
    const problem = toProblem(new AssayError(code, `variant ${attempt.variant.name}: ${failure.message}`));
    const body = Buffer.from(JSON.stringify(problem));
    this.#status = problem.status;
    this.#afterRecord(() => {
      const headers = ['content-type', problemType, 'content-length', String(body.length), ...this.#ownHeaders()];
      if (this.#writeHead(problem.status, headers)) this.#request.res.end(body);
    });
  }

  /** Runs `send` now, or after the record is durable where that was asked for. */
  #afterRecord(send: () => void): void {
    const { prediction, res } = this.#request;
    if (prediction === null || (this.#desk.durability === 'after-reply' && !this.#isStreamed)) {
      this.#phase = 'replied';
      send();
      return;
    }
    this.#isRecorded = true;
    const exchanged = this.#exchanged(this.#isStreamed ? null : this.#desk.now() - this.#request.arrivedMs);
    const make = () => predictionRecord(exchanged, this.#desk.observer);
    if (this.#desk.durability === 'after-reply') {
      this.#desk.recorder.add(make);
      send();
      return;
    }
    this.#phase = 'holding';
    void this.#desk.recorder.addDurable(make).then(() => {
      if (res.destroyed || this.#brokeStream) return;
      this.#phase = 'replied';
      send();
    });
  }

  #headersFor(attempt: VariantTry): string[] {
    const headers = replyHeaders(attempt.headers, this.#request.prediction !== null);
    headers.push(...this.#ownHeaders());
    return headers;
  }

  #ownHeaders(): string[] {
    const own: string[] = [];
    const { prediction } = this.#request;
    if (prediction !== null) {
      const { admission, predictionId, requestId } = prediction;
      own.push('x-request-id', requestId);
      own.push('x-assay-experiment', admission.experiment.routed.name);
      if (this.#served !== null) own.push('x-assay-variant', this.#served);
      own.push('x-assay-prediction-id', predictionId);
      if (this.#fallbackFrom !== null) own.push('x-assay-fallback-from', this.#fallbackFrom);
      if (admission.warning !== null) own.push('x-assay-warning', admission.warning);
    }
    if (this.#desk.isDraining()) own.push('connection', 'close');
    return own;
  }

  /** False when the head could not be written: a header that HTTP forbids. The caller then gets no reply but a closed connection. */
  #writeHead(status: number, headers: string[]): boolean {
    const { res } = this.#request;
    try {
      res.writeHead(status, headers);
      return true;
    } catch (cause) {
      this.#desk.observer.fault('internal', `a reply with status ${status} could not be written`, cause);
      const current = this.#current!;
      if (current.isSettled)
        this.#attempts[this.#attempts.length - 1] = { ...this.#attempts.at(-1)!, error: 'malformed-reply' };
      else this.#settle(current, 'malformed-reply');
      this.#abandon(current);
      this.#brokeStream = true;
      res.destroy();
      return false;
    }
  }

  // --- recording ---

  #onClose(): void {
    const { res, prediction } = this.#request;
    const current = this.#current;
    const isComplete = res.writableFinished;
    this.#endStall();
    if (current !== null && !current.isSettled) {
      this.#settle(current, 'aborted');
      this.#abandon(current);
    }
    if (prediction === null) return;
    const labels = { experiment: prediction.admission.experiment.routed.name };
    const wentAway = !isComplete && !this.#brokeStream;
    if (wentAway) this.#desk.observer.count('caller_aborted', labels);
    if (this.#isRecorded && !this.#isStreamed) return;
    const { observer, recorder } = this.#desk;
    const timeMs = this.#desk.now();
    if (this.#isStreamed) {
      const copy = this.#copy;
      if (copy !== null && isComplete && current !== null) {
        const bytes = Buffer.concat(copy);
        this.#reply = { headers: current.headers, body: createJsonBody(current.headers, bytes) };
      }
      const exchanged = this.#exchanged(timeMs - this.#request.arrivedMs);
      const last = this.#attempts.at(-1)!;
      const attempt = wentAway && last.error === null ? { ...last, error: 'aborted' } : last;
      recorder.add(() => predictionEndRecord(exchanged, { timeMs, attempt, observer }));
      return;
    }
    if (wentAway) this.#status = null;
    const exchanged = this.#exchanged(timeMs - this.#request.arrivedMs);
    recorder.add(() => predictionRecord(exchanged, observer));
  }

  #exchanged(callerMs: number | null): Exchanged {
    const { admission, predictionId, requestId, request } = this.#request.prediction!;
    const open = this.#current;
    // The reply of a stream is still open: its attempt is written down as far as it went, and completed by the end record.
    const isOpen = callerMs === null && open !== null && !open.isSettled;
    const attempts = isOpen ? [...this.#attempts, attemptOf(open, this.#desk.now(), null)] : [...this.#attempts];
    const isCapturable = this.#status !== null && this.#status < 400;
    return {
      admission,
      predictionId,
      requestId,
      arrivedMs: this.#request.arrivedMs,
      request,
      reply: isCapturable ? this.#reply : null,
      attempts,
      served: this.#served,
      status: this.#status,
      callerMs,
      streaming: callerMs === null,
    };
  }
}
