// What the data plane needs from the outside: the routing document, connections to variants.
import type { Attempt, Json, Reason } from '../evidence/index.ts';
import type { Protocol, RoutingSnapshot, Variant } from '../experiment/index.ts';

/** Where the current routing snapshot comes from. */
export interface RoutingSource {
  current(): RoutingSnapshot;
  /** Calls back after every change; returns the way to stop. */
  subscribe(listener: (snapshot: RoutingSnapshot) => void): () => void;
}

/** One request to one variant. `headers` are raw name, value, name, value. */
export interface UpstreamRequest {
  readonly method: string;
  /** Path and query as the upstream shall see them. */
  readonly path: string;
  readonly headers: readonly string[];
  readonly body: Buffer | null;
  /** Whole attempt, milliseconds. */
  readonly timeoutMs: number;
}

/** Callbacks of one attempt; exactly one of onComplete and onError ends it. */
export interface UpstreamHandler {
  /** Raw header list, latin1. */
  onHeaders(status: number, headers: readonly string[]): void;
  /** Return false to pause until `resume()` of the attempt. */
  onData(chunk: Buffer): boolean;
  onComplete(): void;
  onError(error: UpstreamFailure): void;
}

export interface UpstreamFailure {
  /** `credentials`: a secret or certificate that belongs to it is not there; nothing was sent. */
  readonly kind: 'timeout' | 'connect' | 'reset' | 'malformed-reply' | 'aborted' | 'credentials';
  readonly message: string;
}

export interface UpstreamAttempt {
  resume(): void;
  abort(): void;
}

/** Connections to model servers. Implementation: adapters/undici-upstream.ts. */
export interface Upstream {
  dispatch(variant: Variant, request: UpstreamRequest, handler: UpstreamHandler): UpstreamAttempt;
  /** Forgets pools of upstreams that no longer appear, once they are idle. */
  retain(variants: readonly Variant[]): void;
  close(): Promise<void>;
}

/** One body as it is kept. */
export interface KeptBody {
  /** Only what is needed to read the body again: content-type, inference-header-content-length. */
  readonly headers: { readonly [name: string]: string };
  /** As text, or base64 where the bytes are no UTF-8; null when there was none or it was left out. */
  readonly text: string | null;
  readonly encoding: 'utf8' | 'base64';
  /** Length before it was cut, bytes, without content encoding. */
  readonly bytes: number;
  readonly isCut: boolean;
  /** How many values were redacted. */
  readonly redacted: number;
  /** Why it was left out whole: it could not be read far enough to be redacted; null when it was not. */
  readonly omitted: string | null;
}

/** Request and reply of one sampled prediction. */
export interface KeptExchange {
  readonly v: 1;
  /** Arrival of the request, epoch milliseconds. */
  readonly timeMs: number;
  readonly namespace: string;
  readonly experiment: string;
  readonly predictionId: string;
  /** The variant that answered. */
  readonly variant: string;
  readonly method: string;
  /** Path and query as the caller sent them. */
  readonly path: string;
  /** As the caller sent it, before any edit for a variant. */
  readonly request: KeptBody;
  readonly status: number;
  /** As the caller got it. */
  readonly reply: KeptBody;
  /** Of the attempt that answered, milliseconds. */
  readonly latencyMs: number;
}

/** Where sampled bodies are kept. Implementation: adapters/file-body-store.ts. */
export interface BodyStore {
  /** Takes an exchange or drops it and counts that; never throws, never waits. @param retentionMs when it must be gone, counted from now. */
  add(exchange: KeptExchange, retentionMs: number): void;
  /** Writes what it has taken. */
  close(): Promise<void>;
}

/** What is known of a prediction when its reply has ended. */
export interface EndedPrediction {
  readonly namespace: string;
  readonly experiment: string;
  readonly revision: number;
  readonly assigned: string;
  /** Null when no variant answered. */
  readonly served: string | null;
  readonly reason: Reason;
  readonly predictionId: string;
  readonly method: string;
  readonly path: string;
  /** Epoch milliseconds. */
  readonly arrivedMs: number;
  /** Milliseconds. */
  readonly callerMs: number;
  /** Null when the caller went away first. */
  readonly status: number | null;
  readonly attempts: readonly Attempt[];
  /** What the variant that was asked first speaks. */
  readonly protocol: Protocol;
  /** The model it was asked for; undefined where the variant names none. */
  readonly model: string | undefined;
  /** What the protocol tells of the reply, such as tokens; null for nothing. */
  readonly figures: (() => { readonly [name: string]: Json }) | null;
}

/** One prediction that is followed. */
export interface PredictionTrace {
  /** Value of the header `traceparent` for the model server; null lets the caller's pass. */
  readonly traceparent: string | null;
  /** Called once, after the reply; never throws. */
  end(prediction: EndedPrediction): void;
}

/** Follows predictions through other systems. Implementation: adapters/otlp-traces.ts. */
export interface PredictionTracer {
  /** Null for a prediction that nobody follows. Never throws. @param headers raw name, value, name, value. */
  begin(headers: readonly string[], arrivedMs: number): PredictionTrace | null;
}
