// The data plane: takes HTTP requests, gives each to a variant, and writes down what happened. Serves on when all else is gone.
import { problemType, toProblem } from '../api/index.ts';
import { AssayError } from '../errors.ts';
import type { EvidenceLog, Observer } from '../evidence/index.ts';
import type { RoutingSnapshot, Variant } from '../experiment/index.ts';
import { admit, variantForProbe } from './admission.ts';
import { createBodySampler } from './body-capture.ts';
import type { CallerReply, CallerRequest } from './caller.ts';
import { type ExchangeDesk, runExchange } from './exchange.ts';
import { countHeader, headerOf, requestHeaders } from './forward-headers.ts';
import { isGrpcRequest } from './grpc-call.ts';
import { createInFlight, type Place } from './in-flight.ts';
import { createJsonBody } from './json-body.ts';
import { createMirrors } from './mirror.ts';
import { answerForServer, type OwnAnswer } from './oip-server.ts';
import { createOpenAiCalls, isOpenAiPath, openAiModel } from './openai-request.ts';
import type { BodyStore, PredictionTracer, RoutingSource, Upstream } from './ports.ts';
import { createRecorder } from './recorder.ts';
import { parseTarget } from './request-target.ts';
import { createTableBuilder, isPrediction, type PreparedExperiment, type RoutingTable } from './routing-table.ts';
import { seldonTarget } from './seldon-headers.ts';
import { createPeerTrust } from './trusted-proxies.ts';
import { type AskedPath, hasDotSegment } from './upstream-path.ts';
import { createVariantGuards, type GuardStatus } from './variant-guard.ts';
import { callerDeadline } from './variant-request.ts';

/** Options of `createGateway`. */
export interface GatewayOptions {
  readonly routing: RoutingSource;
  readonly upstream: Upstream;
  readonly evidence: Pick<EvidenceLog, 'append' | 'appendDurable' | 'status'>;
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
  /** Requests under way beyond which further ones get 503; default 4,096. From half of it on, copies for shadows are dropped. */
  readonly maxInFlight?: number;
  /** Bytes of request bodies held at once, beyond which further ones get 503; default 256 MB. */
  readonly maxHeldBytes?: number;
  /**
   * What happens to predictions while the evidence log cannot be written: they are served and counted as `unrecorded`
   * (default), or get 503 before any variant is asked.
   */
  readonly onLogFailure?: 'serve-unrecorded' | 'refuse';
  /**
   * Peers that are believed what they say in `X-Forwarded-*`: addresses, networks, `loopback`, `private`; default loopback.
   * From all others those headers are dropped and made anew.
   */
  readonly trustedProxies?: readonly string[];
  /** Where bodies go that an experiment's `bodyCapture` samples; without it none are kept. */
  readonly bodies?: BodyStore;
  /** Follows predictions; without it nobody does. */
  readonly tracer?: PredictionTracer;
  /** How long `drain` waits for requests in flight before it cuts their connections, milliseconds; default 30,000. */
  readonly drainMs?: number;
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
  /** Bytes of request bodies held now. */
  readonly heldBytes: number;
  /** Copies for shadows, waiting and under way. */
  readonly mirrors: { readonly queued: number; readonly inFlight: number };
  /** Every variant that is routed: what is under way, and whether it is taken out. */
  readonly variants: readonly GuardStatus[];
}

/** The data plane, without a listening socket. */
export interface Gateway {
  /** Handles one request of a front. Never throws. */
  handle(req: CallerRequest, res: CallerReply): void;
  /**
   * Asks callers to close their connections, waits up to `drainMs` for requests in flight and cuts what is left, lets copies
   * for shadows finish, then hands over the last records.
   */
  drain(): Promise<void>;
  /** Hands the log the records that still wait for company: an outcome that is appended afterwards stands behind its prediction. */
  handOver(): void;
  status(): GatewayStatus;
}

const emptySnapshot: RoutingSnapshot = { format: 'assay-routing', version: 1, revision: 0, experiments: [] };

/** A gateway; see `docs/gateway.md` for what callers see. */
export function createGateway(options: GatewayOptions): Gateway {
  const { routing, upstream, observer, now, createId } = options;
  const maxRequestBytes = options.maxRequestBytes ?? 10_000_000;
  const recorder = createRecorder(options.evidence, observer);
  const isTrustedPeer = createPeerTrust(options.trustedProxies ?? ['loopback']);
  const buildTable = createTableBuilder(observer);
  const defaultVariant = defaultVariantOf(options);
  // Random once, then counted: unique across processes and restarts at a fifth of the cost of a random id each.
  const idPrefix = createId()
    .replace(/[^A-Za-z0-9_-]/g, '')
    .slice(0, 16);
  let idCount = 0;
  let requests = 0;
  let unmatched = 0;
  let phase: ReturnType<ExchangeDesk['phase']> = 'serving';
  const { maxInFlight = 4096, maxHeldBytes = 256 * 1024 * 1024, drainMs = 30_000, onLogFailure } = options;
  const inFlight = createInFlight({ maxRequests: maxInFlight, maxHeldBytes });
  const guards = createVariantGuards({ now, random: options.random, observer });

  let snapshot = emptySnapshot;
  let table = buildTable(emptySnapshot);
  const currentTable = (): RoutingTable => {
    try {
      const latest = routing.current();
      if (latest === snapshot) return table;
      snapshot = latest;
      table = buildTable(latest);
      guards.retain(latest.experiments);
      upstream.retain(defaultVariant === null ? table.variants : [...table.variants, defaultVariant]);
    } catch (cause) {
      observer.fault('internal', 'the routing snapshot cannot be used; the last good one stays in force', cause);
    }
    return table;
  };
  // So that connections to variants that are gone do not wait for the next request.
  const unsubscribe = routing.subscribe(() => void currentTable());

  const shared = { upstream, openAi: createOpenAiCalls(), recorder, observer, now, random: options.random };
  const bodySampler = options.bodies === undefined ? null : createBodySampler(options.bodies, shared);
  const mirrors = createMirrors({ ...shared, isPressed: inFlight.isPressed });
  const desk: ExchangeDesk = {
    ...shared,
    guards,
    mirrors,
    durability: options.durability ?? 'after-reply',
    maxBufferedReplyBytes: options.maxBufferedReplyBytes ?? 65_536,
    phase: () => phase,
  };

  const accept = (req: CallerRequest, res: CallerReply, place: Place): void => {
    const arrivedMs = now();
    const raw = req.headers;
    // Two Host fields let two parsers on the way see two hosts; node takes the first and says nothing.
    if (countHeader(raw, 'host') > 1) {
      refuse(res, new AssayError('request-invalid', 'the Host header stands more than once, must stand once'));
      return;
    }
    const target = parseTarget(req);
    if (typeof target === 'string') {
      refuse(res, new AssayError('request-invalid', target));
      return;
    }
    const { asked, host } = target;
    const { match, bodyModels, hasOipModels } = currentTable();
    const isSound = !hasDotSegment(asked.path);
    const byHead = isSound ? match({ path: asked.path, host, model: asked.model, seldon: seldonTarget(raw) }) : null;
    const isGrpc = req.isGrpc === true;
    if (isGrpcRequest(raw) !== isGrpc) {
      refuse(
        res,
        new AssayError('request-invalid', 'the Content-Type header is one that only this gateway itself uses'),
      );
      return;
    }
    if (isGrpc && !mayCallByGrpc(byHead, asked, res)) return;
    const waitsForBody = isSound && bodyModels.size > 0 && req.method === 'POST' && isOpenAiPath(asked.path);
    if (byHead === null && defaultVariant === null && hasOipModels) {
      const own = answerForServer(req.method, asked.path, phase === 'serving');
      if (own !== null) {
        answerSelf(res, own);
        return;
      }
    }
    if (byHead === null && !waitsForBody && !mayPassUnmatched(asked, res)) return;
    let hasRoom = true;
    const take = (bytes: number): boolean => {
      hasRoom = place.hold(bytes);
      return hasRoom;
    };
    req.readBody({ maxBytes: maxRequestBytes, take }, (read) => {
      if (read.kind === 'too-large') {
        if (!hasRoom) {
          overload('bytes', res, { message: `bodies of ${inFlight.heldBytes} bytes are held`, unread: req });
          return;
        }
        observer.count('request_too_large');
        const fault = new AssayError('body-too-large', `the request body is larger than ${maxRequestBytes} bytes`, {
          fix: 'Send a smaller body, or raise maxRequestBytes of the gateway.',
        });
        refuse(res, fault, req);
        return;
      }
      const named = waitsForBody ? bodyModels.get(openAiModel(read.bytes) ?? '') : undefined;
      const experiment = named ?? byHead;
      if (experiment === null && waitsForBody && !mayPassUnmatched(asked, res)) return;
      forward({ req, res, arrivedMs, asked, body: read.bytes, experiment });
    });
  };

  const answerSelf = (res: CallerReply, { status, body }: OwnAnswer): void => {
    const closes = phase === 'serving' ? [] : ['connection', 'close'];
    res.writeHead(status, ['content-type', 'application/json', 'content-length', String(body.length), ...closes]);
    res.end(body);
  };

  /** Counts a request that meets no experiment; false when there is nowhere to send it and it was refused. */
  const mayPassUnmatched = (asked: AskedPath, res: CallerReply): boolean => {
    unmatched += 1;
    observer.count('unmatched');
    if (defaultVariant !== null) return true;
    const place = asked.path.slice(0, 200);
    refuse(
      res,
      new AssayError('route-unknown', `no experiment is routed at ${place} and there is no default upstream`),
    );
    return false;
  };

  /** False when a gRPC call has nowhere to go and was refused: before anybody is assigned, so that no variant is charged with it. */
  const mayCallByGrpc = (experiment: PreparedExperiment | null, { path }: AskedPath, res: CallerReply): boolean => {
    const lacking = experiment?.routed.variants.find((variant) => variant.upstream.grpcUrl === undefined);
    if (experiment !== null && lacking === undefined) return true;
    unmatched += 1;
    observer.count('unmatched');
    const fault =
      lacking === undefined
        ? `no experiment is routed at ${path.slice(0, 200)}, and gRPC calls have no default upstream`
        : `variant ${lacking.name} of experiment ${experiment!.routed.name} has no upstream.grpcUrl, and every variant needs one`;
    const fix = 'Check the model name of the call, and give every variant of its experiment a grpcUrl.';
    refuse(res, new AssayError('route-unknown', fault, { fix }));
    return false;
  };

  const forward = (incoming: {
    req: CallerRequest;
    res: CallerReply;
    arrivedMs: number;
    asked: AskedPath;
    body: Buffer | null;
    experiment: PreparedExperiment | null;
  }): void => {
    const { req, res, arrivedMs, asked, body, experiment } = incoming;
    const raw = req.headers;
    // Where no experiment is met, nothing is known about who reads that header, so it passes as it is.
    const deadlineMs = experiment === null ? null : callerDeadline(raw, arrivedMs);
    const { remoteAddress, proto } = req;
    const isTrusted = isTrustedPeer(remoteAddress);
    if (experiment === null || !isPrediction(experiment, req.method, asked)) {
      const variant = experiment === null ? defaultVariant! : variantForProbe(experiment, raw);
      const headers = requestHeaders(raw, {
        remoteAddress,
        proto,
        isTrusted,
        isMatched: experiment !== null,
        prediction: null,
      });
      runExchange(desk, { req, res, arrivedMs, deadlineMs, asked, headers, body, variant, prediction: null });
      return;
    }
    const logFault = recorder.fault();
    if (logFault !== null) {
      const { labels } = experiment;
      observer.count(onLogFailure === 'refuse' ? 'refused_unrecorded' : 'unrecorded', labels);
      if (onLogFailure === 'refuse') {
        refuse(res, new AssayError('evidence-not-durable', `the prediction could not be recorded: ${logFault}`));
        return;
      }
    }
    const trace = options.tracer?.begin(raw, arrivedMs) ?? null;
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
      remoteAddress,
      proto,
      isTrusted,
      isMatched: true,
      traceparent: trace === null ? null : trace.traceparent,
      prediction: { experiment: experiment.routed.name, predictionId, requestId },
    });
    const bodies = bodySampler?.sample(experiment) ?? null;
    const prediction = { admission, predictionId, requestId, request, bodies, trace };
    const variant = admission.assigned;
    runExchange(desk, { req, res, arrivedMs, deadlineMs, asked, headers, body, variant, prediction });
  };

  /** Turns a request away because there is too much of something. */
  const overload = (
    what: 'requests' | 'bytes',
    res: CallerReply,
    { message, unread }: { readonly message: string; readonly unread?: CallerRequest },
  ): void => {
    observer.count('overloaded', { what });
    refuse(res, new AssayError('overloaded', `${message}, which is as much as there may be`), unread);
  };

  const refuse = (res: CallerReply, fault: unknown, unread?: CallerRequest): void => {
    if (res.headersSent || res.destroyed) return;
    const problem = toProblem(fault);
    const body = Buffer.from(JSON.stringify(problem));
    const closes = unread !== undefined || phase !== 'serving' ? ['connection', 'close'] : [];
    const retry = problem.status === 503 ? ['retry-after', retryAfter] : [];
    const headers = ['content-type', problemType, 'content-length', String(body.length), ...retry, ...closes];
    res.writeHead(problem.status, headers);
    if (unread === undefined) res.end(body);
    else {
      res.write(body);
      unread.discardBody(() => res.end());
    }
  };

  return {
    handle(req, res) {
      requests += 1;
      const place = inFlight.enter(res);
      // A caller may go at any moment; the close event says so, and nothing else is to be done about it.
      res.on('error', ignore);
      try {
        if (place === null) {
          overload('requests', res, { message: `${maxInFlight} requests are under way` });
          return;
        }
        accept(req, res, place);
      } catch (cause) {
        observer.fault('internal', 'a request could not be handled', cause);
        refuse(res, cause);
      }
    },
    async drain() {
      phase = 'draining';
      if (!(await inFlight.idle(drainMs))) {
        phase = 'cutting';
        inFlight.cut();
        await inFlight.idle(cutMs);
      }
      await mirrors.drain(Math.min(drainMs, mirrorDrainMs));
      unsubscribe();
      bodySampler?.flush();
      await recorder.flush();
    },
    handOver: recorder.handOver,
    status: () => ({
      inFlight: inFlight.count,
      requests,
      unmatched,
      routingRevision: table.revision,
      draining: phase !== 'serving',
      heldBytes: inFlight.heldBytes,
      mirrors: mirrors.status(),
      variants: guards.status(),
    }),
  };
}

/** How long cut connections may take to say so. */
const cutMs = 1000;

/** How long copies for shadows may still take after the last caller has its reply. */
const mirrorDrainMs = 5000;

/** Seconds after which a caller that was turned away may try again; the evidence log tries to go on every 2 s. */
const retryAfter = '2';

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
