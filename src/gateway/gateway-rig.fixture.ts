// A gateway between real sockets for tests: real model servers, the real upstream adapter, the in-memory evidence log.
import { createHash, randomBytes } from 'node:crypto';
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import {
  type AddressInfo,
  connect,
  createServer as createNetServer,
  type Server as NetServer,
  type Socket,
} from 'node:net';
import { createMemoryEvidenceLog } from '../adapters/memory-evidence-log.ts';
import { createRawUpstream } from '../adapters/raw-upstream.ts';
import { createUndiciUpstream } from '../adapters/undici-upstream.ts';
import { createCredentials, withCredentials } from '../adapters/upstream-credentials.ts';
import type { LogRecord, PredictionEndRecord, PredictionRecord } from '../evidence/index.ts';
import type { RoutedExperiment, RoutingSnapshot, UpstreamSpec, Variant } from '../experiment/index.ts';
import {
  createFastFront,
  createGateway,
  createNodeFront,
  type FrontOptions,
  type Gateway,
  type GatewayOptions,
  type RoutingSource,
} from './index.ts';

/** Everything opened by a test file; closed by `closeAll`. */
const opened: (() => Promise<void>)[] = [];

export async function closeAll(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close();
}

function closeServer(server: Server | NetServer, sockets: Set<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of sockets) socket.destroy();
  });
}

async function listening(server: Server | NetServer, port = 0): Promise<{ port: number; close: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => {});
    // One that came while the server was being closed would keep it open.
    if (!server.listening) socket.destroy();
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server, sockets) };
}

/** What a model server was asked. */
interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

export interface ModelServer {
  readonly url: string;
  readonly port: number;
  readonly asked: Asked[];
  close(): Promise<void>;
}

export type Answer = (asked: Asked, res: ServerResponse, req: IncomingMessage) => void;

/** A model server that reads the whole request and then answers. */
export async function startModel(answer: Answer, port = 0): Promise<ModelServer> {
  const asked: Asked[] = [];
  const server = createServer({ maxHeaderSize: 128 * 1024 }, (req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('error', () => {});
    req.on('end', () => {
      const { method = '', url = '', headers, rawHeaders } = req;
      const one = { method, url, headers, rawHeaders, body: Buffer.concat(chunks) };
      asked.push(one);
      answer(one, res, req);
    });
  });
  const { port: taken, close } = await listening(server, port);
  let isClosed = false;
  const closeOnce = async (): Promise<void> => {
    if (isClosed) return;
    isClosed = true;
    await close();
  };
  opened.push(closeOnce);
  return { url: `http://127.0.0.1:${taken}`, port: taken, asked, close: closeOnce };
}

/** A server that speaks whatever bytes the test likes once a request's head has arrived. */
export async function startRawModel(speak: (socket: Socket) => void): Promise<{ readonly url: string }> {
  const server = createNetServer((socket) => {
    socket.once('data', () => speak(socket));
  });
  const { port, close } = await listening(server);
  opened.push(close);
  return { url: `http://127.0.0.1:${port}` };
}

/** A port nobody listens on. */
export async function deadUrl(): Promise<string> {
  const { port, close } = await listening(createNetServer());
  await close();
  return `http://127.0.0.1:${port}`;
}

export const json = (res: ServerResponse, value: unknown, status = 200): void => {
  const body = JSON.stringify(value);
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  res.end(body);
};

/** An Open Inference Protocol reply with one tensor `up`. */
export const oipReply = (value: number, id?: string): unknown => ({
  model_name: 'm',
  ...(id === undefined ? {} : { id }),
  outputs: [{ name: 'up', shape: [1, 1], datatype: 'FP64', data: [[value]] }],
});

export function variant(
  name: string,
  url: string,
  more: Partial<Omit<Variant, 'upstream'>> & { upstream?: Partial<Variant['upstream']> } = {},
): Variant {
  const { upstream, ...rest } = more;
  return { name, weight: 1, timeoutMs: 5000, ...rest, upstream: { url, protocol: 'json', ...upstream } };
}

/** A running experiment at `/predict` by header `x-user-id`; every unit gets the last variant unless the test says otherwise. */
export function experiment(variants: readonly Variant[], more: Partial<RoutedExperiment> = {}): RoutedExperiment {
  return {
    namespace: 'default',
    name: 'test',
    revision: 3,
    salt: 'default/test',
    layer: null,
    route: { kind: 'path', path: '/predict' },
    unit: { sources: [{ kind: 'header', name: 'x-user-id' }], orElse: 'control' },
    coverage: 1,
    epoch: 7,
    control: variants[0]!.name,
    allocation: { kind: 'fixed', ranges: [{ variant: variants.at(-1)!.name, from: 0, to: 2 ** 32 }] },
    variants,
    capture: [],
    ...more,
  };
}

/** Half and half between two variants. */
export const halves = (a: string, b: string): RoutedExperiment['allocation'] => ({
  kind: 'fixed',
  ranges: [
    { variant: a, from: 0, to: 2 ** 31 },
    { variant: b, from: 2 ** 31, to: 2 ** 32 },
  ],
});

export interface Rig {
  readonly url: string;
  readonly port: number;
  readonly gateway: Gateway;
  /** Counter name -> sum. */
  readonly counts: Map<string, number>;
  readonly faults: string[];
  route(experiments: readonly RoutedExperiment[]): void;
  /** Waits until no request is in flight and every record is written; then all records. */
  records(): Promise<readonly LogRecord[]>;
  predictions(): Promise<readonly PredictionRecord[]>;
  ends(): Promise<readonly PredictionEndRecord[]>;
}

export async function openRig(
  experiments: readonly RoutedExperiment[],
  more: Partial<GatewayOptions> = {},
  frontOptions: FrontOptions & { readonly kind?: 'node' | 'fast' } = {},
): Promise<Rig> {
  let revision = 1;
  const snapshotOf = (list: readonly RoutedExperiment[]): RoutingSnapshot => ({
    format: 'assay-routing',
    version: 1,
    revision: revision++,
    experiments: list,
  });
  let snapshot = snapshotOf(experiments);
  const listeners = new Set<(snapshot: RoutingSnapshot) => void>();
  const routing: RoutingSource = {
    current: () => snapshot,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const now = (): number => performance.timeOrigin + performance.now();
  const evidence = createMemoryEvidenceLog({ now });
  const counts = new Map<string, number>();
  const faults: string[] = [];
  const onFault = (message: string): void => void faults.push(`credentials-missing: ${message}`);
  const secrets = createCredentials({ environment: process.env, onFault, rereadMs: 20 });
  const pools = createUndiciUpstream({ onFault });
  // As in production: the fast one, unless something else is asked for.
  const isFast = (frontOptions.kind ?? process.env.ASSAY_TEST_FRONT) !== 'node';
  const upstream = withCredentials(isFast ? createRawUpstream({ otherwise: pools }) : pools, secrets);
  const gateway = createGateway({
    routing,
    upstream,
    evidence,
    observer: {
      count: (name, _labels, by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by),
      fault: (code, message, cause) =>
        void faults.push(`${code}: ${message}${cause instanceof Error ? ` (${cause.message})` : ''}`),
    },
    hashUnit: (id) => createHash('sha256').update(id).digest('hex').slice(0, 16),
    now,
    random: Math.random,
    createId: () => randomBytes(12).toString('base64url'),
    ...more,
  });
  const front = (isFast ? createFastFront : createNodeFront)(gateway.handle, frontOptions);
  await new Promise<void>((resolve) => front.server.listen(0, '127.0.0.1', resolve));
  const { port } = front.server.address() as AddressInfo;
  opened.push(async () => {
    await front.close();
    await gateway.drain();
    await upstream.close();
  });
  const records = async (): Promise<readonly LogRecord[]> => {
    while (gateway.status().inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 2));
    await new Promise((resolve) => setTimeout(resolve, 5));
    return evidence.records();
  };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    gateway,
    counts,
    faults,
    route(list) {
      snapshot = snapshotOf(list);
      for (const listener of listeners) listener(snapshot);
    },
    records,
    predictions: async () => (await records()).filter((record) => record.kind === 'prediction'),
    ends: async () => (await records()).filter((record) => record.kind === 'prediction-end'),
  };
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** One call through a real HTTP client; an object body is sent as JSON. */
export function call(
  url: string,
  options: { method?: string; headers?: Record<string, string | string[]>; body?: unknown } = {},
): Promise<Reply> {
  const { body } = options;
  const bytes =
    body === undefined
      ? null
      : Buffer.isBuffer(body)
        ? body
        : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const headers = {
      ...(bytes === null ? {} : { 'content-length': String(bytes.length), 'content-type': 'application/json' }),
      ...options.headers,
    };
    const req = request(url, { method: options.method ?? (bytes === null ? 'GET' : 'POST'), headers, agent }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', reject);
      res.on('aborted', () => reject(new Error('the reply broke off')));
      res.on('end', () =>
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          rawHeaders: res.rawHeaders,
          body: Buffer.concat(chunks),
        }),
      );
    });
    req.on('error', reject);
    req.end(bytes ?? undefined);
  });
}

/** Sends bytes as they are and gives back all that came until the other side closed or was silent for `quietMs`. */
export function callRaw(port: number, bytes: string, quietMs = 150): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    let text = '';
    socket.setTimeout(quietMs, () => socket.destroy());
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

/** A gateway with two variants on one server that answers every request the same. */
export async function twoOn(
  upstream: Partial<UpstreamSpec>,
  more: Partial<RoutedExperiment> = {},
  answer: unknown = { ok: true },
): Promise<{ readonly model: ModelServer; readonly rig: Rig }> {
  const model = await startModel((_asked, res) => json(res, answer));
  const variants = [variant('a', model.url, { upstream }), variant('b', model.url, { upstream })];
  const rig = await openRig([experiment(variants, more)]);
  return { model, rig };
}
