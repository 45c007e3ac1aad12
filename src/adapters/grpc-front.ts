// How does the gateway listen for gRPC? Each call becomes a request of the gateway like any other; its reply becomes message and status again.
import type { Server, sendUnaryData } from '@grpc/grpc-js';
import { AssayError } from '../errors.ts';
import {
  bytesField,
  type CallerHandler,
  type FrontTls,
  grpcTarget,
  numberField,
  streamCall,
  unaryCalls,
} from '../gateway/index.ts';
import { GrpcRequest, type StreamCall, type UnaryCall, UnaryReply } from './grpc-caller.ts';
import { asItIs, type GrpcLibrary } from './grpc-library.ts';
import { CallerStream } from './grpc-stream.ts';

/** Options of `createGrpcFront`. */
export interface GrpcFrontOptions {
  readonly grpc: GrpcLibrary;
  /** False while the gateway drains: `ServerReady` and the health check say so. */
  readonly isReady: () => boolean;
  /** Longest request message, bytes; default 10,000,000. */
  readonly maxRequestBytes?: number;
  readonly tls?: FrontTls;
}

/** A listening socket for gRPC. */
export interface GrpcFront {
  /** @throws AssayError `port-in-use`, `listen-refused`. Resolves with the port that was taken. */
  listen(host: string, port: number): Promise<number>;
  /** Takes no new connection; streams end after the message they are at. */
  stop(): void;
  /** Stops and cuts what is still open. */
  close(): Promise<void>;
}

/** A front for gRPC over the library's own server. */
export function createGrpcFront(handle: CallerHandler, options: GrpcFrontOptions): GrpcFront {
  const { grpc, isReady, maxRequestBytes = 10_000_000, tls } = options;
  const proto = tls === undefined ? 'http' : 'https';
  const server: Server = new grpc.Server({
    'grpc.max_receive_message_length': maxRequestBytes,
    'grpc.max_send_message_length': -1,
    'grpc.max_metadata_size': 65_536,
  });
  const streams = new Set<CallerStream>();
  let isStopped = false;
  let onShut = (): void => {};
  const isShut = new Promise<void>((resolve) => {
    onShut = resolve;
  });

  const register = (name: string, answer: (call: UnaryCall, reply: sendUnaryData<Buffer>) => void): boolean =>
    server.register<Buffer, Buffer>(name, answer, asItIs, asItIs, 'unary');

  for (const [name, answer] of Object.entries(ownAnswers(isReady))) {
    register(name, (_call, reply) => reply(null, answer()));
  }
  for (const name of unaryCalls) {
    register(name, (call, done) => {
      const reply = new UnaryReply(grpc, call, done);
      const target = grpcTarget(name, call.request);
      if (target === null) reply.refuse(`the message is no sound request of ${name}`);
      else handle(new GrpcRequest({ call, target, message: call.request, proto }), reply);
    });
  }
  server.register<Buffer, Buffer>(
    streamCall,
    (call: StreamCall) => {
      const stream = new CallerStream({ grpc, call, handle, proto, onEnd: () => streams.delete(stream) });
      streams.add(stream);
      if (isStopped) stream.stop();
    },
    asItIs,
    asItIs,
    'bidi',
  );

  const stop = (): void => {
    if (isStopped) return;
    isStopped = true;
    server.tryShutdown(() => onShut());
    for (const stream of streams) stream.stop();
  };
  return {
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        const credentials =
          tls === undefined
            ? grpc.ServerCredentials.createInsecure()
            : grpc.ServerCredentials.createSsl(
                tls.clientCa === undefined ? null : Buffer.from(tls.clientCa),
                [{ private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.cert) }],
                tls.clientCa !== undefined,
              );
        const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
        server.bindAsync(address, credentials, (fault, taken) => {
          if (fault === null) resolve(taken);
          else reject(listenFault(fault, { host, port }));
        });
      }),
    stop,
    async close() {
      stop();
      // The last replies are on their way: they leave first, and callers then close their connections by themselves.
      let timer: NodeJS.Timeout | undefined;
      const isLate = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, lastRepliesMs);
      });
      await Promise.race([isShut, isLate]);
      clearTimeout(timer);
      server.forceShutdown();
    },
  };
}

/** How long replies that were handed over may take to leave, milliseconds. */
const lastRepliesMs = 1000;

function listenFault(cause: Error, { host, port }: { readonly host: string; readonly port: number }): AssayError {
  if (cause.message.includes('EADDRINUSE'))
    return new AssayError('port-in-use', `port ${port} for gRPC is in use on ${host}`, { cause });
  return new AssayError('listen-refused', `gRPC cannot listen on ${host}:${port}: ${cause.message}`, {
    cause,
    fix: 'Choose an address of this machine, or another port.',
  });
}

/** Calls about the server itself, which no model server is behind: every model has its own. */
function ownAnswers(isReady: () => boolean): Readonly<Record<string, () => Buffer>> {
  const yes = (): Buffer => numberField(1, 1);
  const ready = (): Buffer => (isReady() ? yes() : Buffer.alloc(0));
  return {
    '/inference.GRPCInferenceService/ServerLive': yes,
    '/inference.GRPCInferenceService/ServerReady': ready,
    '/inference.GRPCInferenceService/ServerMetadata': () => Buffer.concat([bytesField(1, 'assay'), bytesField(2, '1')]),
    // SERVING or NOT_SERVING, for the probes of Kubernetes and load balancers.
    '/grpc.health.v1.Health/Check': () => numberField(1, isReady() ? 1 : 2),
  };
}
