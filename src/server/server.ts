// One server that routes, records, answers reports and takes orders: opens every part, wires them, closes them in order.
// Long because this is the one list of what is opened, in which order, and closed in the reverse.

import type { createServer } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import type { AnalysisSettings } from '../adapters/analysis-messages.ts';
import { type AnalysisProcess, startAnalysisProcess } from '../adapters/analysis-process.ts';
import { createCountingObserver, type ObservedFault } from '../adapters/counting-observer.ts';
import { lockDataDirectory } from '../adapters/data-directory-lock.ts';
import { jobsHere } from '../adapters/evidence-jobs.ts';
import { createSegmentReceiver } from '../adapters/evidence-store/receive-segment.ts';
import { openEvidenceLog } from '../adapters/file-evidence-log.ts';
import { openMlflowRegistry } from '../adapters/mlflow-registry.ts';
import type { EngineSettings } from '../adapters/open-engine.ts';
import type { Tell } from '../adapters/pino-log.ts';
import { startSegmentShipper } from '../adapters/segment-shipper.ts';
import { openUnitHasher } from '../adapters/unit-key.ts';
import { createRoutingSource, type ExperimentService } from '../control/index.ts';
import type { Report } from '../decision/index.ts';
import { AssayError } from '../errors.ts';
import type { VariantTally } from '../evidence/index.ts';
import type { Experiment } from '../experiment/index.ts';
import { now } from './clock.ts';
import { openControlPlane } from './control-plane.ts';
import { closeServer, type DataPlaneSettings, openDataPlane } from './data-plane.ts';
import { runDecisionLoop } from './decision-loop.ts';
import { type RetentionSettings, startEvidenceUpkeep } from './evidence-upkeep.ts';
import { explain } from './explain.ts';
import { unreadyReasons } from './health.ts';
import { createHttpApi } from './http-api.ts';
import { type KubernetesSettings, openKubernetesPlane } from './kubernetes-plane.ts';
import { isLoopback, listen } from './listen.ts';
import { createLiveEvents } from './live-events.ts';
import { createMetrics } from './metrics-api.ts';
import { addCounts, addFaults, addLogs, type PlaneStatus } from './plane-status.ts';
import { reportUrl } from './report-url.ts';
import { createStandingReports } from './standing-reports.ts';
import { tellEjection, toldApart, watchEjections } from './tell-ejections.ts';
import { tellReadiness } from './tell-readiness.ts';
import { tellWebhooks, type WebhookSettings } from './tell-webhooks.ts';
import { startWorkers } from './worker-pool.ts';

/** Options of `startServer`. */
export interface ServerOptions {
  /** Experiment files or folders; watched while the server runs. */
  readonly files?: readonly string[];
  /** Experiments given directly. */
  readonly experiments?: readonly Experiment[];
  readonly dataDirectory: string;
  /** Data plane; default 127.0.0.1:8080. Port 0 takes any free one. */
  readonly host?: string;
  readonly port?: number;
  /** API; default 127.0.0.1:8081. Beyond loopback it needs a token. */
  readonly apiHost?: string;
  readonly apiPort?: number;
  readonly token?: string;
  /** Tokens that open one path of the API only: for Prometheus, for Alertmanager. */
  readonly tokensFor?: { readonly [path: string]: string };
  /** What else the data plane shall do. */
  readonly dataPlane?: Omit<Partial<DataPlaneSettings>, 'host' | 'port'>;
  /** Gateway processes. With 1, the default, this process is the gateway too; with more it only directs them. */
  readonly workers?: number;
  /** Where reports are computed and logs sealed; default `here`. `process`: in a process of low priority with a state file. */
  readonly analysis?: 'here' | 'process';
  /** With `process`: a database that takes all evidence and computes the reports; the evidence stays here too. */
  readonly engine?: EngineSettings;
  /** Limits of that process. */
  readonly analysisLimits?: Pick<AnalysisSettings, 'threads' | 'memoryLimit' | 'tempDirectory'>;
  /** When evidence goes; by default it stays. */
  readonly retention?: RetentionSettings;
  /** Hands all evidence to another server instead of keeping it; reports are that server's. */
  readonly shipTo?: { readonly url: string; readonly token?: string };
  /** Addresses that are told of every change. */
  readonly webhooks?: readonly WebhookSettings[];
  /** Start every experiment that is a draft. */
  readonly startDrafts?: boolean;
  /** Pause between two rounds of verdicts of the decision loop, milliseconds; default 5,000. */
  readonly verdictEveryMs?: number;
  /** Experiments from Kubernetes, and weights to Seldon; absent: neither. */
  readonly kubernetes?: KubernetesSettings;
  /** One sentence per event an operator needs. */
  readonly onEvent?: Tell;
}

/** A running server. */
export interface RunningServer {
  readonly gatewayUrl: string;
  /** Host and port for gRPC clients; null without gRPC. */
  readonly grpcAddress: string | null;
  readonly apiUrl: string;
  readonly service: ExperimentService;
  /** The report from everything acknowledged so far. */
  report(name: string, namespace?: string): Promise<Report>;
  /** Stops taking requests, finishes those in flight, makes everything durable, lets the data directory go. */
  close(): Promise<void>;
}

/** Below the 30 s after which Kubernetes and common service managers kill. */
const defaultDrainMs = 25_000;

/** How old a log file becomes where another server waits for it. */
const shippedAgeMs = 5_000;

/** The data plane of a server, in this process or in several others. */
interface Serving {
  readonly port: number;
  readonly grpcPort: number | null;
  /** What it did; null parts stand in this process's own figures. */
  status(): Promise<{ readonly plane: PlaneStatus | null; readonly workers?: readonly object[] }>;
  isLive(writer: string): boolean;
  /** Sentences for what is not ready. */
  unready(): readonly string[];
  close(): Promise<void>;
}

/**
 * Starts gateway and control plane.
 *
 * @throws AssayError `listen-refused`, `port-in-use`, `data-directory-locked`, `data-directory-unusable`, `worker-failed`,
 *   `experiment-invalid` (at the start; later a broken file is reported and the last good one stays).
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { dataDirectory, host = '127.0.0.1', apiHost = '127.0.0.1', port = 8080, apiPort = 8081 } = options;
  const workers = options.workers ?? 1;
  const tell: Tell = options.onEvent ?? (() => {});
  if (!isLoopback(apiHost) && options.token === undefined)
    throw new AssayError('listen-refused', `the API would listen on ${apiHost} without a token`);

  // Opened one after another, closed in reverse, also when a later step of the start fails.
  const closers: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const each of closers.splice(0).reverse()) await each();
  };
  try {
    const lock = await lockDataDirectory(dataDirectory);
    closers.push(() => lock.release());
    const observer = watchEjections(
      createCountingObserver({ onFault: (fault) => tellFault(tell, fault), now }),
      (ejection) => tellEjection(tell, ejection),
    );
    const { hashUnit } = await openUnitHasher({ directory: dataDirectory, environment: process.env });
    const { shipTo } = options;
    const shipper =
      shipTo === undefined
        ? undefined
        : startSegmentShipper({ directory: dataDirectory, random: Math.random, tell, ...shipTo });
    // Closed after the log, so that its last file goes too.
    if (shipper !== undefined) closers.push(() => shipper.close());
    // What is shipped is wanted elsewhere soon; what stays is sealed in larger pieces.
    const age = shipTo === undefined ? {} : { maxLogAgeMs: shippedAgeMs };
    const evidence = await openEvidenceLog({
      directory: dataDirectory,
      now,
      observer,
      ...(shipTo === undefined ? {} : { maxSegmentAgeMs: shippedAgeMs }),
    });
    closers.push(() => evidence.close());
    const receiver = createSegmentReceiver({
      directory: dataDirectory,
      isOwn: (writer) => writer === evidence.status().writer || serving?.isLive(writer) === true,
    });
    let serving: Serving | undefined;
    let apiUrl = `http://${forUrl(apiHost)}:${apiPort}`;
    const isLive = (writer: string): boolean =>
      writer === evidence.status().writer || serving?.isLive(writer) === true || receiver.isActive(writer);
    let analysis: AnalysisProcess | undefined;
    if (options.analysis === 'process' && shipTo === undefined) {
      analysis = startAnalysisProcess({
        directory: dataDirectory,
        isLive,
        tell,
        ...options.analysisLimits,
        ...(options.engine === undefined ? {} : { engine: options.engine }),
      });
      closers.push(analysis.close);
    }
    /** Set where the gateway writes to the same log. */
    let handOver = (): void => {};
    const control = await openControlPlane({
      dataDirectory,
      observer,
      evidence: {
        ...evidence,
        // No crash keeps an outcome that was acknowledged without the prediction that its caller had seen.
        appendDurable: (records) => {
          handOver();
          return evidence.appendDurable(records);
        },
      },
      hashUnit,
      openAnalytics: async () => {
        if (analysis !== undefined) return analysis;
        // Loaded when the first report is asked for: the gateway must run where the engine cannot.
        const { openDuckdbAnalytics } = await import('../adapters/duckdb-analytics.ts');
        return openDuckdbAnalytics({ directory: dataDirectory, isLive });
      },
      startDrafts: options.startDrafts === true,
      registry: openMlflowRegistry(process.env, Math.random),
      reportUrl: (name, namespace) => reportUrl(apiUrl, { name, namespace }),
      tell,
    });
    closers.push(() => control.close());
    const { service } = control;
    closers.push(tellWebhooks(service, { webhooks: options.webhooks ?? [], observer }));
    await control.take({ experiments: options.experiments ?? [], files: options.files ?? [] });
    // What the start did is said by the list of experiments.
    const untell = tellChanges(service, tell);
    closers.push(async () => untell());
    if (options.kubernetes !== undefined) {
      const kubernetes = await openKubernetesPlane({
        settings: options.kubernetes,
        service,
        startDrafts: options.startDrafts === true,
        tell,
      });
      closers.push(() => kubernetes.close());
    }

    const upkeep = startEvidenceUpkeep({
      directory: dataDirectory,
      observer,
      retention: options.retention ?? {},
      ...(shipper === undefined ? {} : { shipSealed: shipper.flushSealed }),
      ...(analysis === undefined ? {} : { jobs: analysis.jobs }),
      longestWindowMs: () =>
        Math.max(0, ...service.list().flatMap(({ experiment }) => experiment.metrics.map(({ windowMs }) => windowMs))),
      tell,
    });
    closers.push(() => upkeep.close());

    const standing = createStandingReports({
      service,
      judge: control.judge,
      activity: async () => {
        const own = evidence.status().appended;
        return own + ((await serving?.status())?.plane?.evidence.appended ?? 0);
      },
      now,
      onFault: (fault) => tell(`report: ${String((fault as Error)?.message ?? fault)}`, { name: 'report-failed' }),
    });
    closers.push(() => standing.close());
    if (analysis === undefined) closers.push(() => jobsHere.forgetDetail(dataDirectory));
    const live = createLiveEvents({ standing, now });
    const metrics = createMetrics({
      service,
      standing,
      now,
      lastTickMs: () => loop.status().lastTickMs,
      serving: async () => {
        const { plane, workers: each } = (await serving?.status()) ?? { plane: null };
        return {
          gateway: plane?.gateway ?? {},
          evidence: addLogs(evidence.status(), plane === null ? [] : [plane.evidence]),
          counters: addCounts([observer.counts(), plane?.counters ?? []]),
          faults: addFaults([observer.faults(), plane?.faults ?? []]),
          requests: plane?.requests ?? [],
          workers: each?.length ?? (plane === null ? 0 : 1),
        };
      },
    });
    let collect = (): readonly VariantTally[] => [];
    const loop = runDecisionLoop({
      service,
      judge: shipTo === undefined ? standing.taking(control.judge) : undefined,
      collect: () => collect(),
      tell,
      ...(options.verdictEveryMs === undefined ? {} : { verdictEveryMs: options.verdictEveryMs }),
    });
    closers.push(() => loop.close());
    const unready = (): readonly string[] =>
      unreadyReasons({ log: evidence.status(), loop: loop.status(), serving: serving?.unready() ?? null });
    const api = createHttpApi({
      service,
      audit: { dataDirectory, countLeft: control.countLeft },
      page: {
        standing,
        live,
        now,
        detail: (question) => (analysis?.jobs ?? jobsHere).detail({ ...question, directory: dataDirectory }),
      },
      metrics,
      ...(options.tokensFor === undefined ? {} : { tokensFor: options.tokensFor }),
      recordOutcomes: control.recordOutcomes,
      recordEvents: control.recordEvents,
      receiveSegment: receiver.receive,
      erase: async (unit) => {
        if (workers > 1)
          throw new AssayError('data-directory-locked', 'gateway workers are writing to the evidence log', {
            fix: 'Stop the server and run `assay log erase`, or run it with one worker.',
          });
        return upkeep.erase(hashUnit(unit), [evidence]);
      },
      report: control.report,
      explain: (name, namespace, unit) => explain(service, { name, namespace, unit }),
      status: async () => {
        const { plane, workers: each } = (await serving?.status()) ?? { plane: null };
        const own = { evidence: evidence.status(), counters: observer.counts(), faults: observer.faults() };
        return {
          gateway: plane?.gateway ?? {},
          evidence: addLogs(own.evidence, plane === null ? [] : [plane.evidence]),
          counters: addCounts([own.counters, plane?.counters ?? []]),
          faults: addFaults([own.faults, plane?.faults ?? []]),
          ...(each === undefined ? {} : { workers: each.map(withoutRequests) }),
          ...(shipper === undefined ? {} : { shipment: shipper.status() }),
          ...(analysis === undefined ? {} : { analysis: { pid: analysis.pid() ?? null } }),
          loop: loop.status(),
        };
      },
      unready,
      onFault: (fault) =>
        tell(`fault: ${String((fault as Error)?.stack ?? fault)}`, { name: 'fault', fields: { code: 'internal' } }),
      ...(options.token === undefined ? {} : { token: options.token }),
    });
    const apiServer = createAdaptorServer({ fetch: api.fetch }) as ReturnType<typeof createServer>;
    const apiPortTaken = await listen(apiServer, { host: apiHost, port: apiPort, what: 'API' });
    closers.push(() => closeServer(apiServer));
    // Streams that never end by themselves would keep the server open.
    closers.push(async () => live.close());
    apiUrl = `http://${forUrl(apiHost)}:${apiPortTaken}`;

    const settings: DataPlaneSettings = { drainMs: defaultDrainMs, ...age, ...options.dataPlane, host, port };
    const routing = createRoutingSource(service);
    if (workers > 1) {
      const pool = await startWorkers({
        count: workers,
        settings,
        dataDirectory,
        routing,
        tell,
        onTallies: loop.observe,
      });
      serving = {
        port: pool.port,
        grpcPort: pool.grpcPort,
        status: async () => {
          const { total, workers: each } = await pool.status();
          return { plane: total, workers: each };
        },
        isLive: pool.isLive,
        unready: pool.unready,
        close: pool.close,
      };
    } else {
      const plane = await openDataPlane(settings, {
        routing,
        evidence,
        observer,
        dataDirectory,
        hashUnit,
        idPrefix: '',
      });
      collect = plane.takeTallies;
      handOver = plane.handOver;
      const nothing = { ...evidence.status(), appended: 0, durable: 0, lost: 0, fault: null };
      serving = {
        port: plane.port,
        grpcPort: plane.grpcPort,
        // Log, counters and faults of this process are counted as its own.
        status: async () => ({
          plane: {
            gateway: { ...plane.status() },
            evidence: nothing,
            counters: [],
            faults: [],
            requests: plane.requests(),
          },
        }),
        isLive: () => false,
        unready: () => (plane.status().draining ? ['the gateway is draining'] : []),
        close: plane.close,
      };
    }
    closers.push(serving.close);
    const untellReadiness = tellReadiness({ unready, tell });
    closers.push(async () => untellReadiness());

    return {
      gatewayUrl: `http${settings.tls === undefined ? '' : 's'}://${forUrl(host)}:${serving.port}`,
      grpcAddress: serving.grpcPort === null ? null : `${forUrl(settings.grpc?.host ?? host)}:${serving.grpcPort}`,
      apiUrl,
      service,
      report: control.report,
      close,
    };
  } catch (fault) {
    await close();
    throw fault;
  }
}

/** A fault of the gateway or the log, for an operator. */
function tellFault(tell: Tell, { code, message }: ObservedFault): void {
  if (!toldApart.has(code)) tell(`${code}: ${message}`, { name: 'fault', fields: { code } });
}

/** Tells every change of an experiment, whoever made it. */
function tellChanges(service: ExperimentService, tell: Tell): () => void {
  return service.subscribe(({ entry: { event, revision }, state }) => {
    const { namespace, experiment, author, reason, kind } = event;
    tell(`experiment ${experiment}: ${kind} by ${author}: ${reason}`, {
      name: 'experiment-changed',
      fields: { namespace, experiment, change: kind, state: state.state, author, reason, revision },
    });
  });
}

/** Latencies by bucket are for `/metrics`. */
function withoutRequests(worker: object): object {
  return { ...worker, requests: undefined };
}

const forUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host);
