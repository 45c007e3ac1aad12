// What the data plane needs from the outside: the routing document, connections to variants.
import type { RoutingSnapshot, Variant } from '../experiment/index.ts';

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
  readonly kind: 'timeout' | 'connect' | 'reset' | 'malformed-reply' | 'aborted';
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
