// How do the messages of one gRPC stream reach the gateway, and their replies the caller? One after another, each a request of its own.
import {
  bytesField,
  type CallerHandler,
  grpcKind,
  grpcTarget,
  readFields,
  streamCall,
  textField,
  unframeMessages,
} from '../gateway/index.ts';
import { GrpcReply, GrpcRequest, type StreamCall } from './grpc-caller.ts';
import type { GrpcLibrary } from './grpc-library.ts';
import { metadataOf } from './grpc-metadata.ts';

/** What a stream is made of. */
export interface CallerStreamParts {
  readonly grpc: GrpcLibrary;
  readonly call: StreamCall;
  readonly handle: CallerHandler;
  readonly proto: 'http' | 'https';
  readonly onEnd: () => void;
}

/** One call with streams: its messages go to the gateway one after another, so that replies keep the order of requests. */
export class CallerStream {
  readonly #parts: CallerStreamParts;
  #reply: StreamReply | null = null;
  #hasHead = false;
  #hasEnded = false;
  #isStopping = false;

  constructor(parts: CallerStreamParts) {
    this.#parts = parts;
    const { call } = parts;
    call.on('data', (message: Buffer) => {
      call.pause();
      this.#take(message);
    });
    call.on('end', () => {
      this.#hasEnded = true;
      this.#endWhenIdle();
    });
    call.on('cancelled', () => {
      this.#reply?.gone();
      parts.onEnd();
    });
    call.on('error', () => parts.onEnd());
  }

  /** Ends the stream after the message it is at. */
  stop(): void {
    this.#isStopping = true;
    this.#endWhenIdle();
  }

  #take(message: Buffer): void {
    const { grpc, call, handle, proto } = this.#parts;
    if (this.#isStopping) return;
    const reply = new StreamReply({
      call,
      sendHead: (headers) => {
        if (!this.#hasHead) call.sendMetadata(metadataOf(grpc, headers));
        this.#hasHead = true;
      },
    });
    this.#reply = reply;
    reply.on('close', () => {
      this.#reply = null;
      if (call.cancelled) return;
      this.#endWhenIdle();
      if (!this.#hasEnded) call.resume();
    });
    const target = grpcTarget(streamCall, message);
    if (target === null) {
      reply.fail('the message is no sound ModelInferRequest');
      return;
    }
    // Metadata is one for the whole stream: only the message itself can tell requests apart.
    const id = textField(message, readFields(message) ?? [], 3);
    handle(new GrpcRequest({ call, target, message, proto, requestId: id === '' ? null : id }), reply);
  }

  #endWhenIdle(): void {
    if ((!this.#hasEnded && !this.#isStopping) || this.#reply !== null) return;
    this.#parts.onEnd();
    this.#parts.call.end();
  }
}

interface StreamReplyParts {
  readonly call: StreamCall;
  readonly sendHead: (headers: readonly string[]) => void;
}

/** The replies to one message of a stream. */
class StreamReply extends GrpcReply {
  readonly #parts: StreamReplyParts;
  /** What is not a whole message yet, or the text of a problem. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(parts: StreamReplyParts) {
    super();
    this.#parts = parts;
  }

  override writeHead(status: number, headers: string[]): void {
    super.writeHead(status, headers);
    this.#parts.sendHead(headers);
  }

  write(chunk: Buffer): boolean {
    if (this.destroyed) return true;
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (grpcKind(this.header('content-type')) !== 'stream') return true;
    let goesOn = true;
    for (const message of unframeMessages(this.#rest)) {
      goesOn = this.#parts.call.write(message);
      this.#rest = this.#rest.subarray(message.length + 5);
    }
    if (!goesOn) this.#parts.call.once('drain', () => this.emit('drain'));
    return goesOn;
  }

  end(chunk?: Buffer): void {
    if (this.destroyed) return;
    if (chunk !== undefined) this.write(chunk);
    const { code, details } = this.outcome(this.#rest);
    if (code !== 0) this.#parts.call.write(bytesField(1, details || `gRPC status ${code}`));
    this.finish(true);
  }

  destroy(): void {
    if (this.destroyed) return;
    this.#parts.call.write(bytesField(1, 'the reply broke off'));
    this.finish(false);
  }

  /** Says what is wrong with the message itself. */
  fail(details: string): void {
    this.#parts.call.write(bytesField(1, details));
    this.finish(true);
  }

  /** The caller went away. */
  gone(): void {
    this.finish(false);
  }
}
