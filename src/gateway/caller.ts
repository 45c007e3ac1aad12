// What does the gateway see of a caller? One request and the way to answer it, whichever front (node:http, HTTP/2, the fast one) took it.
import type { RawHeaders } from './forward-headers.ts';

/** How reading ended. A caller that went away is told apart by the response's close event, so it needs no case here. */
export type RequestBody = { readonly kind: 'body'; readonly bytes: Buffer | null } | { readonly kind: 'too-large' };

/** How much of a body is taken. */
export interface BodyLimit {
  /** Longest body, bytes. */
  readonly maxBytes: number;
  /** Told of every piece before it is kept; false when there is no room for it, which ends the reading as too large. */
  readonly take: (bytes: number) => boolean;
}

/** One request as a front hands it over: its head has been read and its framing checked, its body not yet read. */
export interface CallerRequest {
  readonly method: string;
  /** The request target as it was sent: a path with its query, or an absolute URL. */
  readonly target: string;
  /** Raw name, value, name, value; values latin1. */
  readonly headers: RawHeaders;
  /** Address of the connection's other end. */
  readonly remoteAddress: string;
  readonly proto: 'http' | 'https';
  /** True for a gRPC call: the body is its message, and the target the path that stands for the call. */
  readonly isGrpc?: boolean;
  /** Reads the body and calls `done` once; never, when the caller goes away first. */
  readBody(limit: BodyLimit, done: (body: RequestBody) => void): void;
  /** Reads and forgets the rest of a refused body for a moment, then calls `done`. */
  discardBody(done: () => void): void;
}

/** The way to answer one request; `ServerResponse` of node:http is one. */
export interface CallerReply {
  /** True once the head was written. */
  readonly headersSent: boolean;
  /** True once the connection is gone or was cut. */
  readonly destroyed: boolean;
  /** True once the whole reply was handed to the operating system. */
  readonly writableFinished: boolean;
  /** Sets the head; sent with the first bytes of the body, or by `flushHeaders`. @throws when HTTP forbids a name or value. */
  writeHead(status: number, headers: string[]): unknown;
  flushHeaders(): void;
  /** False when the caller does not keep up: wait for `drain`. */
  write(chunk: Buffer): boolean;
  end(chunk?: Buffer): unknown;
  /** Cuts the connection (HTTP/2: the stream). */
  destroy(): unknown;
  /** `close` comes exactly once, after the reply was sent or the caller went away. */
  on(event: 'close' | 'error', listener: () => void): unknown;
  once(event: 'drain', listener: () => void): unknown;
}

/** What a front does with every request; never throws. */
export type CallerHandler = (request: CallerRequest, reply: CallerReply) => void;
