// How does one gRPC call look to the gateway, and how does its reply become message and status again?
import { EventEmitter } from 'node:events';
import type { ServerDuplexStream, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import {
  type BodyLimit,
  type CallerReply,
  type CallerRequest,
  grpcCodeOf,
  grpcKind,
  grpcTypes,
  type RequestBody,
  readFields,
  setTextFields,
  textField,
} from '../gateway/index.ts';
import type { GrpcLibrary } from './grpc-library.ts';
import { headersOf, metadataOf } from './grpc-metadata.ts';

/** A call with one request and one reply. */
export type UnaryCall = ServerUnaryCall<Buffer, Buffer>;

/** A call with streams on both sides. */
export type StreamCall = ServerDuplexStream<Buffer, Buffer>;

/** What a request is made of. */
export interface GrpcRequestParts {
  readonly call: UnaryCall | StreamCall;
  readonly target: string;
  readonly message: Buffer;
  readonly proto: 'http' | 'https';
  /** Of a message of a stream; null for the one that metadata names. */
  readonly requestId?: string | null;
}

/** A call, or one message of a stream, as the gateway sees it. */
export class GrpcRequest implements CallerRequest {
  readonly method = 'POST';
  readonly isGrpc = true;
  readonly target: string;
  readonly headers: readonly string[];
  readonly remoteAddress: string;
  readonly proto: 'http' | 'https';
  readonly #message: Buffer;

  constructor({ call, target, message, proto, requestId = null }: GrpcRequestParts) {
    this.target = target;
    this.proto = proto;
    this.#message = message;
    this.remoteAddress = call
      .getPeer()
      .replace(/:\d+$/, '')
      .replace(/^\[(.*)\]$/, '$1');
    const headers = ['host', call.getHost(), 'content-type', grpcTypes.request];
    if (requestId !== null) headers.push('x-request-id', requestId);
    const passed = headersOf(call.metadata);
    for (let at = 0; at < passed.length; at += 2) {
      if (requestId === null || passed[at] !== 'x-request-id') headers.push(passed[at]!, passed[at + 1]!);
    }
    const leftMs = Number(call.getDeadline()) - Date.now();
    if (Number.isFinite(leftMs))
      headers.push('x-envoy-expected-rq-timeout-ms', String(Math.max(1, Math.floor(leftMs))));
    this.headers = headers;
  }

  readBody(limit: BodyLimit, done: (body: RequestBody) => void): void {
    const { length } = this.#message;
    if (length > limit.maxBytes || !limit.take(length)) done({ kind: 'too-large' });
    else done({ kind: 'body', bytes: length === 0 ? null : this.#message });
  }

  discardBody(done: () => void): void {
    done();
  }
}

/** What replies of calls and of messages of streams have in common. */
export abstract class GrpcReply extends EventEmitter<{ close: []; error: []; drain: [] }> implements CallerReply {
  headersSent = false;
  destroyed = false;
  writableFinished = false;
  protected status = 0;
  protected headers: readonly string[] = [];

  writeHead(status: number, headers: string[]): void {
    this.headersSent = true;
    this.status = status;
    this.headers = headers;
  }

  flushHeaders(): void {}
  abstract write(chunk: Buffer): boolean;
  abstract end(chunk?: Buffer): void;
  abstract destroy(): void;

  protected header(name: string): string | undefined {
    const at = this.headers.findIndex((written, index) => index % 2 === 0 && written.toLowerCase() === name);
    return at < 0 ? undefined : this.headers[at + 1];
  }

  /** Once the reply is out, or will never be. */
  protected finish(isComplete: boolean): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.writableFinished = isComplete;
    // Not now: who ends a reply is not yet done with it.
    setImmediate(() => this.emit('close'));
  }

  /** The gRPC status: the model server's own, or what the gateway's problem comes to. */
  protected outcome(body: Buffer): { readonly code: number; readonly details: string } {
    const written = this.header('grpc-status');
    if (written !== undefined) {
      return { code: Number(written), details: decodeURIComponent(this.header('grpc-message') ?? '') };
    }
    if (grpcKind(this.header('content-type')) !== null) return { code: 0, details: '' };
    return { code: grpcCodeOf(this.status) || 2, details: problemText(body) };
  }
}

/** What a problem document says to a person. */
function problemText(body: Buffer): string {
  const text = body.toString('utf8');
  try {
    const { title, detail } = JSON.parse(text) as { readonly title?: unknown; readonly detail?: unknown };
    return typeof detail === 'string' ? detail : typeof title === 'string' ? title : text.slice(0, 1000);
  } catch {
    return text.slice(0, 1000);
  }
}

/** The way to answer a call with one reply. */
export class UnaryReply extends GrpcReply {
  readonly #grpc: GrpcLibrary;
  readonly #call: UnaryCall;
  readonly #done: sendUnaryData<Buffer>;
  readonly #chunks: Buffer[] = [];

  constructor(grpc: GrpcLibrary, call: UnaryCall, done: sendUnaryData<Buffer>) {
    super();
    this.#grpc = grpc;
    this.#call = call;
    this.#done = done;
    call.on('cancelled', () => this.finish(false));
  }

  write(chunk: Buffer): boolean {
    this.#chunks.push(chunk);
    return true;
  }

  end(chunk?: Buffer): void {
    if (this.destroyed) return;
    if (chunk !== undefined) this.#chunks.push(chunk);
    const body = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    const { code, details } = this.outcome(body);
    const metadata = metadataOf(this.#grpc, this.headers);
    if (code === 0) {
      this.#call.sendMetadata(metadata);
      this.#done(null, this.#asAsked(body));
    } else this.#done({ code, details, metadata });
    this.finish(true);
  }

  destroy(): void {
    if (this.destroyed) return;
    this.#done({ code: 14, details: 'the reply broke off' });
    this.finish(false);
  }

  refuse(details: string): void {
    this.#done({ code: 3, details });
    this.finish(true);
  }

  /** Metadata under the name by which the caller asked: which variant's model answers is no business of callers. */
  #asAsked(body: Buffer): Buffer {
    if (!this.#call.getPath().endsWith('/ModelMetadata')) return body;
    const { request } = this.#call;
    const name = textField(request, readFields(request) ?? [], 1);
    return setTextFields(body, new Map([[1, name]])) ?? body;
  }
}
