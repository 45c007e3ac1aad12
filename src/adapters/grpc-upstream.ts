// How do gRPC calls reach model servers? Behind the gateway's port `Upstream`, message bytes as they are; a gRPC status becomes the HTTP status that says the same.
import { readFileSync } from 'node:fs';
import type { ChannelCredentials, Client, Metadata, StatusObject } from '@grpc/grpc-js';
import type { Variant } from '../experiment/index.ts';
import {
  frameMessage,
  grpcTypes,
  httpStatusOf,
  isGrpcRequest,
  readFields,
  streamCall,
  textField,
  type Upstream,
  type UpstreamAttempt,
  type UpstreamFailure,
  type UpstreamHandler,
  type UpstreamRequest,
} from '../gateway/index.ts';
import { asItIs, type GrpcLibrary } from './grpc-library.ts';
import { headersOf, metadataOf } from './grpc-metadata.ts';

/** Options of `createGrpcUpstream`. */
export interface GrpcUpstreamOptions {
  readonly grpc: GrpcLibrary;
  /** Takes every request that is no gRPC call. */
  readonly otherwise: Upstream;
  /** Longest reply message, bytes; default 64 MiB. */
  readonly maxReplyBytes?: number;
  /** Told of certificate files that cannot be used. */
  readonly onFault?: (message: string) => void;
}

/** A channel to one model server. */
interface Channel {
  readonly client: Client;
  active: number;
  isRetired: boolean;
}

/** The upstream port for requests that came in by gRPC: each goes to its variant's `grpcUrl`, and is sent once. */
export function createGrpcUpstream(options: GrpcUpstreamOptions): Upstream {
  const { grpc, otherwise, maxReplyBytes = 64 * 1024 * 1024 } = options;
  const channels = new Map<string, Channel>();

  const channelOf = ({ upstream }: Variant): Channel => {
    const key = keyOf(upstream);
    let channel = channels.get(key);
    if (channel === undefined) {
      const url = new URL(upstream.grpcUrl!);
      const isEncrypted = url.protocol === 'https:';
      const address = `${url.hostname}:${url.port === '' ? (isEncrypted ? 443 : 80) : url.port}`;
      const credentials = isEncrypted ? secured(grpc, upstream.tls) : grpc.credentials.createInsecure();
      const client = new grpc.Client(address, credentials, {
        'grpc.max_receive_message_length': maxReplyBytes,
        'grpc.max_send_message_length': -1,
        // Nothing is ever sent twice, and a server that is back is found again at once.
        'grpc.enable_retries': 0,
        'grpc.initial_reconnect_backoff_ms': 100,
        'grpc.max_reconnect_backoff_ms': 1000,
        'grpc.use_local_subchannel_pool': 1,
      });
      channel = { client, active: 0, isRetired: false };
      channels.set(key, channel);
    }
    return channel;
  };

  const closeIdle = (channel: Channel): void => {
    if (channel.isRetired && channel.active === 0) channel.client.close();
  };

  const refuse = (handler: UpstreamHandler, failure: UpstreamFailure): UpstreamAttempt => {
    let isAborted = false;
    queueMicrotask(() => {
      if (!isAborted) handler.onError(failure);
    });
    return {
      resume: () => {},
      abort: () => {
        isAborted = true;
      },
    };
  };

  return {
    dispatch(variant, request, handler) {
      if (!isGrpcRequest(request.headers)) return otherwise.dispatch(variant, request, handler);
      if (variant.upstream.grpcUrl === undefined)
        return refuse(handler, { kind: 'connect', message: 'it has no upstream.grpcUrl' });
      let channel: Channel;
      try {
        channel = channelOf(variant);
      } catch (cause) {
        options.onFault?.(`the certificates of variant ${variant.name} cannot be used: ${(cause as Error).message}`);
        return refuse(handler, { kind: 'credentials', message: 'a certificate of it cannot be used' });
      }
      channel.active += 1;
      const onEnd = (): void => {
        channel.active -= 1;
        closeIdle(channel);
      };
      const begin = request.path === streamCall ? beginStream : beginUnary;
      return begin({ grpc, client: channel.client, request, attempt: new GrpcAttempt(request, handler, onEnd) });
    },
    retain(variants) {
      const wanted = new Set(variants.map(({ upstream }) => keyOf(upstream)));
      for (const [key, channel] of channels) {
        if (wanted.has(key)) continue;
        channels.delete(key);
        channel.isRetired = true;
        closeIdle(channel);
      }
      otherwise.retain(variants);
    },
    async close() {
      for (const { client } of channels.values()) client.close();
      channels.clear();
      await otherwise.close();
    },
  };
}

/** What connections must not be shared across. */
function keyOf({ grpcUrl, tls }: Variant['upstream']): string {
  return [grpcUrl, tls?.caFile, tls?.certFile, tls?.keyFile].join('\n');
}

/** @throws when a file cannot be read or holds no certificate. */
function secured({ credentials }: GrpcLibrary, tls: Variant['upstream']['tls']): ChannelCredentials {
  const pem = (file: string | undefined): Buffer | null => (file === undefined ? null : readFileSync(file));
  return credentials.createSsl(pem(tls?.caFile), pem(tls?.keyFile), pem(tls?.certFile));
}

interface Beginning {
  readonly grpc: GrpcLibrary;
  readonly client: Client;
  readonly request: UpstreamRequest;
  readonly attempt: GrpcAttempt;
}

function beginUnary({ grpc, client, request, attempt }: Beginning): GrpcAttempt {
  const { path, body, timeoutMs } = request;
  const metadata = metadataOf(grpc, request.headers);
  const options = { deadline: Date.now() + timeoutMs };
  let reply: Buffer | null = null;
  const call = client.makeUnaryRequest(path, asItIs, asItIs, body ?? noBytes, metadata, options, (_error, value) => {
    reply = value ?? null;
  });
  call.on('metadata', (received: Metadata) => attempt.onMetadata(received));
  // After the callback, for every end a call can have.
  call.on('status', (status: StatusObject) => {
    if (status.code !== 0 || reply === null) {
      attempt.onStatus(status);
      return;
    }
    attempt.onHead(200, grpcTypes.reply, { trailing: status.metadata, bytes: reply.length });
    if (reply.length > 0) attempt.onMessage(reply);
    attempt.onStatus(status);
  });
  attempt.started({ cancel: () => call.cancel() });
  return attempt;
}

/** One request message, then any number of replies. */
function beginStream({ grpc, client, request, attempt }: Beginning): GrpcAttempt {
  const { path, body, timeoutMs } = request;
  const metadata = metadataOf(grpc, request.headers);
  const call = client.makeBidiStreamRequest(path, asItIs, asItIs, metadata, { deadline: Date.now() + timeoutMs });
  let refusal: Buffer | null = null;
  call.on('metadata', (received: Metadata) => attempt.onMetadata(received));
  call.on('data', (message: Buffer) => {
    const framed = frameMessage(message);
    if (refusal !== null) return;
    if (!attempt.hasHead && isRefusal(message)) {
      refusal = framed;
      attempt.onHead(500, grpcTypes.stream, { trailing: null, bytes: framed.length });
    } else if (!attempt.hasHead) attempt.onHead(200, grpcTypes.stream, { trailing: null, bytes: null });
    if (!attempt.onMessage(framed)) call.pause();
  });
  // Told by the status as well.
  call.on('error', () => {});
  // The status comes as soon as the server has said it, which may be before the last replies are read here.
  let ending: StatusObject | null = null;
  let isRead = false;
  const finish = (): void => {
    if (ending === null || !isRead) return;
    if (ending.code === 0 && !attempt.hasHead) {
      attempt.onHead(200, grpcTypes.stream, { trailing: ending.metadata, bytes: 0 });
    }
    attempt.onStatus(ending);
  };
  call.on('status', (status: StatusObject) => {
    ending = status;
    finish();
  });
  call.on('end', () => {
    isRead = true;
    finish();
  });
  attempt.started({ cancel: () => call.cancel(), resume: () => call.resume() });
  call.write(body ?? noBytes);
  call.end();
  return attempt;
}

const noBytes = Buffer.alloc(0);

/** Bounded, and never in the middle of a letter. */
function cut(text: string): string {
  return text.slice(0, 4000).replace(/[\ud800-\udbff]$/, '');
}

/** True for a stream's message that says what went wrong and holds no reply. */
function isRefusal(message: Buffer): boolean {
  const fields = readFields(message);
  if (fields === null) return false;
  return textField(message, fields, 1) !== '' && !fields.some(({ number }) => number === 2);
}

/** One attempt: the gateway's handler on one side, a call on the other. */
class GrpcAttempt implements UpstreamAttempt {
  readonly #handler: UpstreamHandler;
  readonly #timeoutMs: number;
  readonly #startedMs: number;
  readonly #onEnd: () => void;
  #call: { readonly cancel: () => void; readonly resume?: () => void } | null = null;
  #initial: string[] = [];
  #hasInitial = false;
  hasHead = false;
  #isEnded = false;
  #isPaused = false;
  /** The end, where it came while the gateway could take no more. */
  #waiting: StatusObject | null = null;

  constructor(request: UpstreamRequest, handler: UpstreamHandler, onEnd: () => void) {
    this.#handler = handler;
    this.#timeoutMs = request.timeoutMs;
    this.#startedMs = performance.now();
    this.#onEnd = onEnd;
  }

  // --- the gateway's side ---

  resume(): void {
    if (!this.#isPaused || this.#isEnded) return;
    this.#isPaused = false;
    const waiting = this.#waiting;
    if (waiting !== null) this.onStatus(waiting);
    else this.#call?.resume?.();
  }

  abort(): void {
    if (this.#isEnded) return;
    this.#end();
    this.#call?.cancel();
  }

  // --- the call's side ---

  started(call: { readonly cancel: () => void; readonly resume?: () => void }): void {
    this.#call = call;
  }

  onMetadata(received: Metadata): void {
    this.#hasInitial = true;
    this.#initial = headersOf(received);
  }

  onHead(
    status: number,
    type: string,
    { trailing, bytes }: { readonly trailing: Metadata | null; readonly bytes: number | null },
  ): void {
    if (this.#isEnded) return;
    this.hasHead = true;
    const headers = ['content-type', type, ...this.#initial, ...(trailing === null ? [] : headersOf(trailing))];
    if (bytes !== null) headers.push('content-length', String(bytes));
    this.#handler.onHeaders(status, headers);
  }

  /** False when the gateway asks for a pause. */
  onMessage(bytes: Buffer): boolean {
    if (this.#isEnded || this.#handler.onData(bytes) || this.#isEnded) return true;
    this.#isPaused = true;
    return false;
  }

  onStatus(status: StatusObject): void {
    if (this.#isEnded) return;
    if (this.#isPaused) {
      this.#waiting = status;
      return;
    }
    const { code, details } = status;
    const failure = code === 0 ? null : this.#failureOf(code, details);
    if (failure === null && !this.hasHead) {
      // The server's own word: it passes as the reply that it is.
      const own = ['grpc-status', String(code), 'grpc-message', encodeURIComponent(cut(details))];
      const headers = [...this.#initial, ...headersOf(status.metadata), ...own, 'content-length', '0'];
      this.#handler.onHeaders(httpStatusOf(code), headers);
    }
    if (this.#isEnded) return;
    this.#end();
    if (failure !== null) this.#handler.onError(failure);
    else if (code !== 0 && this.hasHead)
      this.#handler.onError({ kind: 'reset', message: `the stream ended with gRPC status ${code}: ${details}` });
    else this.#handler.onComplete();
  }

  /** What a status that the library made up means to the gateway; null for one that the server sent. */
  #failureOf(code: number, details: string): UpstreamFailure | null {
    if (code === 4 && performance.now() - this.#startedMs > this.#timeoutMs - 2)
      return { kind: 'timeout', message: `no complete reply within ${this.#timeoutMs} ms` };
    if (/^Received message larger than max/.test(details)) return { kind: 'malformed-reply', message: details };
    // Nobody here has cancelled: whoever waits no longer hears of an end. So the server has, as one does that is being stopped.
    if (code === 1 || /RST_STREAM|^Connection (dropped|closed)|^Call ended without gRPC status/i.test(details))
      return { kind: 'reset', message: details };
    const couldNotConnect = /^No connection established|^Name resolution|ECONN|EHOST|ENETUNREACH|ETIMEDOUT/i;
    if (code === 14 && !this.#hasInitial && couldNotConnect.test(details))
      return { kind: 'connect', message: `cannot connect: ${details}` };
    return null;
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#onEnd();
  }
}
