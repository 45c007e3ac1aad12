// What happens between a request and its reply? Asks the assigned variant, lets the control answer when that fails, passes the reply on.
import { problemType, toProblem } from '../api/index.ts';
import { AssayError, type ErrorCode } from '../errors.ts';
import { defaultResilience, type Variant } from '../experiment/index.ts';
import type { Admission } from './admission.ts';
import type { BodyKeeper } from './body-capture.ts';
import type { CallerReply, CallerRequest } from './caller.ts';
import type { CaptureSource } from './capture.ts';
import { headerOf, replyHeaders, withoutHeader } from './forward-headers.ts';
import { grpcKind } from './grpc-message.ts';
import { createJsonBody } from './json-body.ts';
import type { Mirrors } from './mirror.ts';
import { metadataAsAsked } from './oip-server.ts';
import type { PredictionTrace } from './ports.ts';
import { type Exchanged, endedPrediction, predictionEndRecords, predictionRecords } from './prediction-record.ts';
import type { Recorder } from './recorder.ts';
import { isJsonType } from './reply-check.ts';
import { ReplyStream } from './reply-stream.ts';
import { routeTokenHeader } from './seldon-headers.ts';
import type { AskedPath } from './upstream-path.ts';
import type { VariantGuards } from './variant-guard.ts';
import { type LegDesk, type LegFailure, type LegListener, VariantLeg } from './variant-leg.ts';
import type { VariantAsk } from './variant-request.ts';
import { attemptOf, bodyLength, type VariantTry } from './variant-try.ts';

/** What every exchange of a gateway shares. */
export interface ExchangeDesk extends LegDesk {
  readonly guards: VariantGuards;
  readonly mirrors: Mirrors;
  readonly recorder: Recorder;
  readonly durability: 'after-reply' | 'before-reply';
  /** `cutting`: the time for requests in flight is over, and their connections are cut. */
  readonly phase: () => 'serving' | 'draining' | 'cutting';
}

/** One request on its way. */
export interface ExchangeRequest {
  readonly req: CallerRequest;
  readonly res: CallerReply;
  /** Epoch milliseconds. */
  readonly arrivedMs: number;
  /** Epoch milliseconds until when the caller waits; null when it did not say. */
  readonly deadlineMs: number | null;
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
    /** Null for predictions whose bodies are not kept. */
    readonly bodies: BodyKeeper | null;
    /** Null for predictions that nobody follows. */
    readonly trace: PredictionTrace | null;
  } | null;
}

/** Runs one exchange to its end; the record is written when the response closes. Never throws. */
export function runExchange(desk: ExchangeDesk, request: ExchangeRequest): void {
  new Exchange(desk, request).start();
}

class Exchange implements LegListener {
  readonly #desk: ExchangeDesk;
  readonly #request: ExchangeRequest;
  readonly #ask: VariantAsk;
  /** Every try of every variant, in the order in which they began. */
  readonly #tries: VariantTry[] = [];
  #variant: Variant;
  #leg: VariantLeg | null = null;
  /** The try whose reply the caller gets. */
  #answer: VariantTry | null = null;
  #fallbackFrom: string | null = null;
  /** `holding`: the head waits for a durable record; `open`: the head is sent and the body follows. */
  #phase: 'asking' | 'holding' | 'open' | 'replied' = 'asking';
  #served: string | null = null;
  #status: number | null = null;
  #reply: CaptureSource | null = null;
  /** The reply's bytes where it was held back until it was complete. */
  #whole: Buffer | null = null;
  /** Null for replies that were held back until they were complete. */
  #stream: ReplyStream | null = null;
  #isRecorded = false;
  #brokeStream = false;

  constructor(desk: ExchangeDesk, request: ExchangeRequest) {
    this.#desk = desk;
    this.#request = request;
    this.#variant = request.variant;
    const { req, asked, headers, body, prediction } = request;
    this.#ask = { method: req.method, asked, headers, body, isPrediction: prediction !== null };
  }

  start(): void {
    const { res, prediction, variant, deadlineMs } = this.#request;
    res.on('close', () => this.#onClose());
    this.#begin(variant);
    if (prediction === null) return;
    const { admission, predictionId } = prediction;
    const { experiment, assigned } = admission;
    const tellsDeadline = deadlineMs !== null;
    this.#desk.mirrors.offer({ experiment, assigned, predictionId, ask: this.#ask, tellsDeadline });
  }

  #begin(variant: Variant): void {
    const { prediction, arrivedMs, deadlineMs } = this.#request;
    const experiment = prediction?.admission.experiment ?? null;
    const { retries, hedgeAfterMs } = experiment?.routed.resilience ?? defaultResilience;
    this.#variant = variant;
    this.#leg = new VariantLeg(this.#desk, this, {
      variant,
      ask: this.#ask,
      arrivedMs,
      guard: experiment === null ? null : this.#desk.guards.of(experiment.routed, variant),
      callerDeadlineMs: deadlineMs,
      isReplaceable: experiment !== null && variant !== experiment.control,
      retries: experiment === null ? 0 : retries,
      hedgeAfterMs: experiment === null ? null : hedgeAfterMs,
      tries: this.#tries,
    });
    this.#leg.start();
  }

  // --- what the leg tells ---

  onFailed(failure: LegFailure): void {
    const { prediction } = this.#request;
    const variant = this.#variant;
    const experiment = prediction?.admission.experiment;
    if (experiment === undefined || variant === experiment.control) {
      this.#sendFailure(failure);
      return;
    }
    this.#fallbackFrom = variant.name;
    const labels = { ...experiment.labels, variant: variant.name, error: failure.kind };
    this.#desk.observer.count('fallback', labels);
    this.#begin(experiment.control);
  }

  onWhole(attempt: VariantTry, received: Buffer): void {
    let body = received;
    if (this.#request.prediction === null && attempt.variant.upstream.protocol === 'oip') {
      const { status, headers } = attempt;
      ({ headers: attempt.headers, body } = metadataAsAsked({ status, headers, body }, this.#ask));
    }
    this.#take(attempt);
    this.#whole = body;
    this.#reply = { headers: attempt.headers, body: createJsonBody(attempt.headers, body) };
    this.#afterRecord(() => {
      const headers = this.#headersFor(attempt);
      if (headerOf(headers, 'content-length') === undefined && bodyLength(attempt, this.#ask.method) === null) {
        headers.push('content-length', String(body.length));
      }
      if (this.#writeHead(attempt.status ?? 502, headers)) this.#request.res.end(body);
    });
  }

  /** Sends the head, at once or when its record is durable; false asks the upstream to pause. */
  onStream(attempt: VariantTry): boolean {
    this.#take(attempt);
    const { res, prediction } = this.#request;
    const type = headerOf(attempt.headers, 'content-type');
    const keepsCopy = prediction !== null && (isJsonType(type) || grpcKind(type) !== null);
    this.#stream = new ReplyStream(res, { keepsCopy });
    let goesOn = true;
    this.#afterRecord(() => {
      this.#phase = 'open';
      if (!this.#writeHead(attempt.status ?? 502, this.#headersFor(attempt))) return;
      this.#request.res.flushHeaders();
      for (const chunk of attempt.chunks.splice(0)) goesOn = this.#deliver(attempt, chunk) && goesOn;
      if (attempt.isSettled) this.#request.res.end();
      else if (goesOn) attempt.handle?.resume();
    });
    return goesOn && this.#phase === 'open';
  }

  onChunk(attempt: VariantTry, chunk: Buffer): boolean {
    const passed = attempt.tap === null ? chunk : attempt.tap.push(chunk);
    return passed === null || this.#deliver(attempt, passed);
  }

  onStreamEnd(attempt: VariantTry): void {
    const rest = attempt.tap?.end() ?? null;
    if (rest !== null) this.#deliver(attempt, rest);
    this.#leg!.endStream(attempt, attempt.tap?.failure() ?? null);
    if (this.#phase === 'open') this.#request.res.end();
  }

  onStreamBroken(): void {
    // The caller has part of the reply; cutting the connection is the only honest way left to say so.
    this.#brokeStream = true;
    this.#request.res.destroy();
  }

  // --- replying ---

  #take(attempt: VariantTry): void {
    this.#answer = attempt;
    this.#served = attempt.variant.name;
    this.#status = attempt.status;
  }

  #deliver(attempt: VariantTry, chunk: Buffer): boolean {
    if (this.#phase === 'holding') {
      attempt.chunks.push(chunk);
      return false;
    }
    this.#request.prediction?.bodies?.push(chunk);
    return this.#stream!.write(chunk, () => attempt.handle?.resume());
  }

  #sendFailure({ kind, message }: LegFailure): void {
    const problem = toProblem(new AssayError(codeOf(kind), `variant ${this.#variant.name}: ${message}`));
    const body = Buffer.from(JSON.stringify(problem));
    this.#status = problem.status;
    this.#afterRecord(() => {
      const headers = ['content-type', problemType, 'content-length', String(body.length), ...this.#ownHeaders()];
      if (problem.status === 503) headers.push('retry-after', '1');
      if (this.#writeHead(problem.status, headers)) this.#request.res.end(body);
    });
  }

  /** Runs `send` now, or after the record is durable where that was asked for. */
  #afterRecord(send: () => void): void {
    const { prediction, res } = this.#request;
    if (prediction === null || (this.#desk.durability === 'after-reply' && this.#stream === null)) {
      this.#phase = 'replied';
      send();
      return;
    }
    this.#isRecorded = true;
    const exchanged = this.#exchanged(this.#stream !== null ? null : this.#desk.now() - this.#request.arrivedMs);
    const make = () => predictionRecords(exchanged, this.#desk.observer);
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
    const received = attempt.tap === null ? attempt.headers : withoutHeader(attempt.headers, 'content-length');
    const headers = replyHeaders(received, this.#request.prediction !== null);
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
      if (admission.routeToken !== null) own.push(routeTokenHeader, admission.routeToken);
    }
    if (this.#desk.phase() !== 'serving') own.push('connection', 'close');
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
      const answer = this.#answer;
      if (answer !== null) {
        this.#leg!.endStream(answer, 'malformed-reply');
        if (answer.attempt !== null) answer.attempt = { ...answer.attempt, error: 'malformed-reply' };
        answer.handle?.abort();
      }
      this.#brokeStream = true;
      res.destroy();
      return false;
    }
  }

  // --- recording ---

  #onClose(): void {
    const { res, prediction } = this.#request;
    const answer = this.#answer;
    const isComplete = res.writableFinished;
    this.#stream?.stop();
    this.#leg?.abort();
    if (prediction === null) return;
    const { observer, recorder, now, phase } = this.#desk;
    const wentAway = !isComplete && !this.#brokeStream;
    if (wentAway) {
      const counter = phase() === 'cutting' ? 'drain_cut' : 'caller_aborted';
      observer.count(counter, prediction.admission.experiment.labels);
    }
    if (prediction.trace !== null) this.#endTrace(prediction.trace, wentAway);
    if (isComplete && answer !== null) this.#keepBodies(answer);
    if (this.#isRecorded && this.#stream === null) return;
    const timeMs = now();
    if (this.#stream !== null && answer !== null) {
      const copy = isComplete ? this.#stream.copy() : null;
      if (copy !== null) this.#reply = { headers: answer.headers, body: createJsonBody(answer.headers, copy) };
      const exchanged = this.#exchanged(timeMs - this.#request.arrivedMs);
      const last = answer.attempt ?? attemptOf(answer, timeMs, null);
      const attempt = wentAway && last.error === null ? { ...last, error: 'aborted' } : last;
      recorder.add(() => predictionEndRecords(exchanged, { timeMs, attempt, observer }));
      return;
    }
    if (wentAway) this.#status = null;
    const exchanged = this.#exchanged(timeMs - this.#request.arrivedMs);
    recorder.add(() => predictionRecords(exchanged, observer));
  }

  #endTrace(trace: PredictionTrace, wentAway: boolean): void {
    const { req, asked, variant, arrivedMs } = this.#request;
    const exchanged = this.#exchanged(this.#desk.now() - arrivedMs);
    trace.end(endedPrediction(exchanged, { method: req.method, path: asked.path, variant, wentAway }));
  }

  #exchanged(callerMs: number | null): Exchanged {
    const { admission, predictionId, requestId, request } = this.#request.prediction!;
    const isCapturable = this.#status !== null && this.#status < 400;
    return {
      admission,
      predictionId,
      requestId,
      arrivedMs: this.#request.arrivedMs,
      request,
      reply: isCapturable ? this.#reply : null,
      // The reply of a stream is still open: its attempt is written down as far as it went, and completed by the end record.
      attempts: this.#tries.map((each) => each.attempt ?? attemptOf(each, this.#desk.now(), null)),
      served: this.#served,
      status: this.#status,
      callerMs,
      streaming: callerMs === null,
      figures: callerMs === null || !isCapturable ? null : this.#figures(),
    };
  }

  #keepBodies(answer: VariantTry): void {
    const { req, arrivedMs, asked, body, prediction } = this.#request;
    const { predictionId, request, bodies } = prediction!;
    bodies?.end({
      timeMs: Math.floor(arrivedMs),
      predictionId,
      variant: answer.variant.name,
      method: req.method,
      path: asked.path + asked.query,
      request: { headers: request.headers, body },
      status: answer.status ?? 502,
      reply: { headers: answer.headers, body: this.#whole },
      latencyMs: (answer.attempt ?? attemptOf(answer, this.#desk.now(), null)).latencyMs,
    });
  }

  /** What the protocol of the variant that answered reads from its reply; computed when the record is built. */
  #figures(): Exchanged['figures'] {
    const answer = this.#answer;
    if (answer === null) return null;
    const { call, tap } = answer;
    if (tap !== null) return () => tap.figures();
    const reply = this.#reply;
    return call === null || reply === null ? null : () => call.figures(reply.body.document());
  }
}

/** What a caller is told when the last variant failed. */
function codeOf(kind: LegFailure['kind']): ErrorCode {
  if (kind === 'timeout') return 'upstream-timeout';
  return kind === 'overloaded' ? 'overloaded' : 'upstream-unreachable';
}
