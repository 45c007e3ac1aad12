// One process's share of the data plane: gateway, listening socket and connections to model servers, from settings that are plain JSON.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { createFileBodyStore } from '../adapters/file-body-store.ts';
import { createGrpcFront, type GrpcFront } from '../adapters/grpc-front.ts';
import { loadGrpc } from '../adapters/grpc-library.ts';
import { createGrpcUpstream } from '../adapters/grpc-upstream.ts';
import { openPredictionTracer } from '../adapters/otlp-traces.ts';
import { createRequestTally, type RequestCell, tallied } from '../adapters/prometheus-tally.ts';
import { createRawUpstream } from '../adapters/raw-upstream.ts';
import { createUndiciUpstream } from '../adapters/undici-upstream.ts';
import { createCredentials, withCredentials } from '../adapters/upstream-credentials.ts';
import { AssayError } from '../errors.ts';
import { createLiveTally, type EvidenceLog, type Observer, type VariantTally } from '../evidence/index.ts';
import {
  createFastFront,
  createGateway,
  createNodeFront,
  type FrontOptions,
  type FrontTls,
  type Gateway,
  type RoutingSource,
} from '../gateway/index.ts';
import { now } from './clock.ts';
import { listen } from './listen.ts';

/** How the data plane listens and behaves; crosses to worker processes as JSON. */
export interface DataPlaneSettings {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly defaultUpstream?: string;
  readonly durability?: 'after-reply' | 'before-reply';
  /** `fast` (default) is node:net with Node's own parser, for cleartext HTTP/1.1; `node` is node:http, which also takes over with TLS. */
  readonly front?: 'node' | 'fast';
  /** PEM files of a front that speaks HTTPS; every process reads them itself. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly clientCaFile?: string };
  /** Peers that are believed what they say in `X-Forwarded-*`: addresses, networks, `loopback`, `private`; default loopback. */
  readonly trustedProxies?: readonly string[];
  /** A second socket that takes gRPC calls, with the certificates of the first. */
  readonly grpc?: {
    /** Default: the data plane's. */
    readonly host?: string;
    /** 0 takes any free one. */
    readonly port: number;
    /** Longest request message, bytes; default 10,000,000. */
    readonly maxMessageBytes?: number;
  };
  /** What happens to predictions while the log cannot be written. */
  readonly onLogFailure?: 'serve-unrecorded' | 'refuse';
  /** Requests under way in one process beyond which further ones get 503. */
  readonly maxInFlight?: number;
  /** How long requests in flight may take to end after the order to stop, milliseconds; then they are cut. */
  readonly drainMs: number;
  /** How old a file of the evidence log becomes before the next is begun, milliseconds; default five minutes. */
  readonly maxLogAgeMs?: number;
}

/** What a data plane needs of its process. */
interface DataPlaneParts {
  readonly routing: RoutingSource;
  readonly evidence: EvidenceLog;
  readonly observer: Observer;
  /** Sampled bodies are kept beneath it. */
  readonly dataDirectory: string;
  readonly hashUnit: (id: string) => string;
  /** Stands before all prediction ids of this process; `''` where there is only one. At most 4 characters. */
  readonly idPrefix: string;
}

/** A listening data plane. */
export interface DataPlane {
  readonly port: number;
  /** Null without gRPC. */
  readonly grpcPort: number | null;
  status(): ReturnType<Gateway['status']>;
  /** Hands the log the records that still wait for company. */
  handOver(): void;
  /** Counts and latencies of all requests since the start, for `/metrics`. */
  requests(): readonly RequestCell[];
  /** What predictions did since the last call. */
  takeTallies(): readonly VariantTally[];
  /** Takes no new connections, finishes requests in flight within `drainMs`, hands over their records. The log stays open. */
  close(): Promise<void>;
}

/** @throws AssayError `listen-refused`, `port-in-use`, `dependency-missing`. */
export async function openDataPlane(settings: DataPlaneSettings, parts: DataPlaneParts): Promise<DataPlane> {
  // What outlives a request is so little that threads which share the copying of it cost more than the copying.
  setFlagsFromString('--no-parallel-scavenge');
  const { host, defaultUpstream, durability, onLogFailure, maxInFlight, drainMs } = settings;
  const tls = settings.tls === undefined ? undefined : await readTls(settings.tls);
  const isFast = settings.front !== 'node';
  const grpc = settings.grpc === undefined ? null : await loadGrpc();
  const onFault = (message: string): void => parts.observer.fault('credentials-missing', message);
  const secrets = createCredentials({ environment: process.env, onFault });
  const pools = createUndiciUpstream({ onFault });
  const http = isFast ? createRawUpstream({ otherwise: pools }) : pools;
  const upstream = withCredentials(
    grpc === null ? http : createGrpcUpstream({ grpc, otherwise: http, onFault }),
    secrets,
  );
  const bodies = createFileBodyStore({ directory: parts.dataDirectory, now, observer: parts.observer });
  const tally = createRequestTally();
  const live = createLiveTally();
  const tracer = await openPredictionTracer({
    environment: process.env,
    observer: parts.observer,
    onTraced: tally.exemplify,
  });
  const gateway = createGateway({
    tracer,
    bodies,
    routing: parts.routing,
    upstream,
    evidence: tallied(tallied(parts.evidence, tally), live),
    observer: parts.observer,
    hashUnit: parts.hashUnit,
    now,
    random: Math.random,
    createId: () => parts.idPrefix + randomBytes(12).toString('base64url'),
    ...(defaultUpstream === undefined ? {} : { defaultUpstream }),
    ...(durability === undefined ? {} : { durability }),
    ...(onLogFailure === undefined ? {} : { onLogFailure }),
    ...(maxInFlight === undefined ? {} : { maxInFlight }),
    ...(settings.trustedProxies === undefined ? {} : { trustedProxies: settings.trustedProxies }),
    ...(settings.grpc?.maxMessageBytes === undefined
      ? {}
      : { maxRequestBytes: Math.max(settings.grpc.maxMessageBytes, defaultRequestBytes) }),
    drainMs,
  });
  const frontOptions: FrontOptions = tls === undefined ? {} : { tls };
  const front = isFast ? createFastFront(gateway.handle, frontOptions) : createNodeFront(gateway.handle, frontOptions);
  let grpcFront: GrpcFront | null = null;
  let port: number;
  let grpcPort: number | null = null;
  try {
    port = await listen(front.server, { host, port: settings.port, what: 'data plane' });
    if (grpc !== null) {
      grpcFront = createGrpcFront(gateway.handle, {
        grpc,
        isReady: () => !gateway.status().draining,
        maxRequestBytes: settings.grpc!.maxMessageBytes ?? defaultRequestBytes,
        ...(tls === undefined ? {} : { tls }),
      });
      grpcPort = await grpcFront.listen(settings.grpc!.host ?? host, settings.grpc!.port);
    }
  } catch (fault) {
    await Promise.all([front.close(), grpcFront?.close()]);
    await Promise.all([upstream.close(), bodies.close(), tracer.close()]);
    throw fault;
  }
  return {
    port,
    grpcPort,
    status: () => gateway.status(),
    handOver: () => gateway.handOver(),
    requests: tally.read,
    takeTallies: live.take,
    close: async () => {
      front.stop();
      grpcFront?.stop();
      await gateway.drain();
      await front.close();
      await grpcFront?.close();
      await Promise.all([upstream.close(), bodies.close(), tracer.close()]);
    },
  };
}

/** What the gateway takes where nothing else is said, bytes. */
const defaultRequestBytes = 10_000_000;

/** @throws AssayError `file-unreadable`. */
async function readTls(files: NonNullable<DataPlaneSettings['tls']>): Promise<FrontTls> {
  const read = async (path: string, what: string): Promise<Buffer> => {
    try {
      return await readFile(path);
    } catch (cause) {
      throw new AssayError('file-unreadable', `the ${what} ${path} cannot be read: ${(cause as Error).message}`, {
        cause,
      });
    }
  };
  return {
    cert: await read(files.certFile, 'certificate'),
    key: await read(files.keyFile, 'private key'),
    ...(files.clientCaFile === undefined ? {} : { clientCa: await read(files.clientCaFile, 'CA of callers') }),
  };
}

/** Resolves when the last connection is gone; idle ones are closed at once. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}
