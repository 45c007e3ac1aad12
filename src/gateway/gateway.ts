// The data plane: takes HTTP requests, gives each to a variant, and writes down what happened. Serves on when all else is gone.
import type { IncomingMessage, ServerOptions, ServerResponse } from 'node:http';
import { problemType, toProblem } from '../api/index.ts';
import { AssayError } from '../errors.ts';
import type { EvidenceLog, Observer } from '../evidence/index.ts';
import type { RoutingSnapshot, Variant } from '../experiment/index.ts';
import { admit, variantForProbe } from './admission.ts';
import { type ExchangeDesk, runExchange } from './exchange.ts';
import { countHeader, headerOf, requestHeaders } from './forward-headers.ts';
import { createJsonBody } from './json-body.ts';
import type { RoutingSource, Upstream } from './ports.ts';
import { discardBody, readRequestBody } from './read-body.ts';
import { createRecorder } from './recorder.ts';
import { createTableBuilder, isPrediction, type PreparedExperiment, type RoutingTable } from './routing-table.ts';
import { type AskedPath, hasDotSegment, parseModelPath } from './upstream-path.ts';

/** Options of `createGateway`. */
export interface GatewayOptions {
  readonly routing: RoutingSource;
  readonly upstream: Upstream;
  readonly evidence: Pick<EvidenceLog, 'append' | 'appendDurable'>;
  readonly observer: Observer;
  /** Keyed hash of a unit id, 16 hex digits. */
  readonly hashUnit: (id: string) => string;
  /** Epoch milliseconds, fractions welcome; differences of it are latencies, so it must not jump. */
  readonly now: () => number;
  /** Uniform on [0, 1). */
  readonly random: () => number;
  /** A new random id, URL-safe; called once, for the prefix of all prediction ids. */
  readonly createId: () => string;
  /** Where requests go that meet no experiment; http or https, may carry a base path. Without it they get 404. */
  readonly defaultUpstream?: string;
  /** Whole attempt at the default upstream, milliseconds; default 300,000, because nothing is known about what runs there. */
  readonly defaultTimeoutMs?: number;
  /** When the record of a prediction is durable: within milliseconds after the reply (default), or before it. */
  readonly durability?: 'after-reply' | 'before-reply';
  /** Largest request body, bytes; default 10 MB. Bodies are held whole so that the control can get the same bytes. */
  readonly maxRequestBytes?: number;
  /** Longest reply that is held back until it is complete, bytes; default 65,536. Longer ones stream. */
  readonly maxBufferedReplyBytes?: number;
}

/** Counters of a gateway since its start. */
interface GatewayStatus {
  /** Requests whose reply is not yet finished. */
  readonly inFlight: number;
  readonly requests: number;
  /** Requests that met no experiment. */
  readonly unmatched: number;
  /** Revision of the routing snapshot in use; 0 before the first. */
  readonly routingRevision: number;
  readonly draining: boolean;
}

/** The data plane, without a listening socket. */
export interface Gateway {
  /** Handles one request; fits `http.createServer`. Never throws. */
  handle(req: IncomingMessage, res: ServerResponse): void;
  /** Asks callers to close their connections, waits for requests in flight, then hands over the last records. */
  drain(): Promise<void>;
  status(): GatewayStatus;
}

/** What the HTTP server in front of a gateway should be created with. */
export const gatewayServerOptions: ServerOptions = {
  /** Above the 60 s after which common load balancers drop idle connections: then they close first, and no request meets a closing socket. */
  keepAliveTimeout: 65_000,
  /** A head that takes longer is a slow-loris, not a caller. */
  headersTimeout: 15_000,
  /** The whole request, body included. */
  requestTimeout: 60_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 32 * 1024,
  requireHostHeader: true,
  insecureHTTPParser: false,
  noDelay: true,
};

const emptySnapshot: RoutingSnapshot = { format: 'assay-routing', version: 1, revision: 0, experiments: [] };

/** A gateway; see `docs/gateway.md` for what callers see. */
export function createGateway(options: GatewayOptions): Gateway {
  const { routing, upstream, observer, now, createId } = options;
  const maxRequestBytes = options.maxRequestBytes ?? 10_000_000;
  const recorder = createRecorder(options.evidence, observer);
  const buildTable = createTableBuilder(observer);
  const defaultVariant = defaultVariantOf(options);
  // Random once, then counted: unique across processes and restarts at a fifth of the cost of a random id each.
  const idPrefix = createId()
    .replace(/[^A-Za-z0-9_-]/g, '')
    .slice(0, 16);
  let idCount = 0;
  let inFlight = 0;
  let requests = 0;
  let unmatched = 0;
  let isDraining = false;
  let onIdle: (() => void) | null = null;

  let snapshot = emptySnapshot;
  let table = buildTable(emptySnapshot);
  const currentTable = (): RoutingTable => {
    try {
      const latest = routing.current();
      if (latest === snapshot) return table;
      snapshot = latest;
      table = buildTable(latest);
      upstream.retain(defaultVariant === null ? table.variants : [...table.variants, defaultVariant]);
    } catch (cause) {
      observer.fault('internal', 'the routing snapshot cannot be used; the last good one stays in force', cause);
    }
    return table;
  };
  // So that connections to variants that are gone do not wait for the next request.
  const unsubscribe = routing.subscribe(() => void currentTable());

  const desk: ExchangeDesk = {
    upstream,
    recorder,
    observer,
    now,
    durability: options.durability ?? 'after-reply',
    maxBufferedReplyBytes: options.maxBufferedReplyBytes ?? 65_536,
    isDraining: () => isDraining,
  };

  const onResponseClosed = (): void => {
    inFlight -= 1;
    if (inFlight === 0) onIdle?.();
  };

  const accept = (req: IncomingMessage, res: ServerResponse): void => {
    const arrivedMs = now();
    const raw = req.rawHeaders;
    // Two Host fields let two parsers on the way see two hosts; node takes the first and says nothing.
    if (countHeader(raw, 'host') > 1) {
      refuse(res, new AssayError('request-invalid', 'the Host header stands more than once, must stand once'));
      return;
    }
    const target = parseTarget(req);
    if (target === null) {
      refuse(res, new AssayError('request-invalid', 'the request target must be a path'));
      return;
    }
    const { asked, host } = target;
    const experiment = hasDotSegment(asked.path)
      ? null
      : currentTable().match({ path: asked.path, host, model: asked.model });
    if (experiment === null) {
      unmatched += 1;
      observer.count('unmatched');
      if (defaultVariant === null) {
        const place = asked.path.slice(0, 200);
        const text = `no experiment is routed at ${place} and there is no default upstream`;
        refuse(res, new AssayError('route-unknown', text));
        return;
      }
    }
    readRequestBody(req, maxRequestBytes, (read) => {
      if (read.kind === 'too-large') {
        observer.count('request_too_large');
        const fault = new AssayError('body-too-large', `the request body is larger than ${maxRequestBytes} bytes`, {
          fix: 'Send a smaller body, or raise maxRequestBytes of the gateway.',
        });
        refuse(res, fault, req);
        return;
      }
      forward({ req, res, arrivedMs, asked, body: read.bytes, experiment });
    });
  };

  const forward = (incoming: {
    req: IncomingMessage;
    res: ServerResponse;
    arrivedMs: number;
    asked: AskedPath;
    body: Buffer | null;
    experiment: PreparedExperiment | null;
  }): void => {
    const { req, res, arrivedMs, asked, body, experiment } = incoming;
    const raw = req.rawHeaders;
    const connection = {
      remoteAddress: req.socket.remoteAddress ?? 'unknown',
      proto: 'encrypted' in req.socket ? ('https' as const) : ('http' as const),
    };
    if (experiment === null || !isPrediction(experiment, req.method ?? 'GET', asked.model)) {
      const variant = experiment === null ? defaultVariant! : variantForProbe(experiment, raw);
      const headers = requestHeaders(raw, { ...connection, isMatched: experiment !== null, prediction: null });
      runExchange(desk, { req, res, arrivedMs, asked, headers, body, variant, prediction: null });
      return;
    }
    idCount += 1;
    const predictionId = `${idPrefix}-${idCount.toString(36)}`;
    const given = headerOf(raw, 'x-request-id');
    const requestId = given !== undefined && /^[\x21-\x7e]{1,128}$/.test(given) ? given : predictionId;
    const request = { headers: raw, body: createJsonBody(raw, body) };
    const admission = admit(experiment, request, {
      predictionId,
      observer,
      hashUnit: options.hashUnit,
      random: options.random,
    });
    const headers = requestHeaders(raw, {
      ...connection,
      isMatched: true,
      prediction: { experiment: experiment.routed.name, predictionId, requestId },
    });
    const prediction = { admission, predictionId, requestId, request };
    runExchange(desk, { req, res, arrivedMs, asked, headers, body, variant: admission.assigned, prediction });
  };

  const refuse = (res: ServerResponse, fault: unknown, unread?: IncomingMessage): void => {
    if (res.headersSent || res.destroyed) return;
    const problem = toProblem(fault);
    const body = Buffer.from(JSON.stringify(problem));
    const closes = unread !== undefined || isDraining ? ['connection', 'close'] : [];
    res.writeHead(problem.status, ['content-type', problemType, 'content-length', String(body.length), ...closes]);
    if (unread === undefined) res.end(body);
    else {
      res.write(body);
      discardBody(unread, () => res.end());
    }
  };

  return {
    handle(req, res) {
      requests += 1;
      inFlight += 1;
      res.on('close', onResponseClosed);
      // A caller may go at any moment; the close event says so, and nothing else is to be done about it.
      res.on('error', ignore);
      req.on('error', ignore);
      try {
        accept(req, res);
      } catch (cause) {
        observer.fault('internal', 'a request could not be handled', cause);
        refuse(res, cause);
      }
    },
    async drain() {
      isDraining = true;
      if (inFlight > 0) await new Promise<void>((resolve) => (onIdle = resolve));
      unsubscribe();
      await recorder.flush();
    },
    status: () => ({ inFlight, requests, unmatched, routingRevision: table.revision, draining: isDraining }),
  };
}

const ignore = (): void => {};

function defaultVariantOf({ defaultUpstream, defaultTimeoutMs }: GatewayOptions): Variant | null {
  if (defaultUpstream === undefined) return null;
  return {
    name: 'default-upstream',
    weight: 0,
    upstream: { url: new URL(defaultUpstream).href.replace(/\/+$/, ''), protocol: 'json' },
    timeoutMs: defaultTimeoutMs ?? 300_000,
  };
}

/** Path, query and host of a request; the absolute form names the host itself (RFC 9112 section 3.2.2). */
function parseTarget(req: IncomingMessage): { asked: AskedPath; host: string } | null {
  let target = req.url ?? '/';
  let authority = headerOf(req.rawHeaders, 'host') ?? '';
  if (!target.startsWith('/')) {
    const absolute = /^https?:\/\/([^/?#]*)([^#]*)$/i.exec(target);
    if (absolute === null) return null;
    authority = absolute[1]!;
    target = absolute[2]!.startsWith('/') ? absolute[2]! : `/${absolute[2]!}`;
  }
  const question = target.indexOf('?');
  const path = question < 0 ? target : target.slice(0, question);
  const query = question < 0 ? '' : target.slice(question);
  const host = authority.toLowerCase().replace(/:\d*$/, '');
  return { asked: { path, query, model: parseModelPath(path) }, host };
}
