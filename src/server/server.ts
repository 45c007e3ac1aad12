// One server that routes, records, answers reports and takes orders: opens every part, wires them, closes them in order.

import type { createServer } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import type { AnalysisSettings } from '../adapters/analysis-messages.ts';
import { type AnalysisProcess, startAnalysisProcess } from '../adapters/analysis-process.ts';
import { createCountingObserver } from '../adapters/counting-observer.ts';
import { lockDataDirectory } from '../adapters/data-directory-lock.ts';
import { createSegmentReceiver } from '../adapters/evidence-store/receive-segment.ts';
import { openEvidenceLog } from '../adapters/file-evidence-log.ts';
import type { EngineSettings } from '../adapters/open-engine.ts';
import { startSegmentShipper } from '../adapters/segment-shipper.ts';
import { openUnitHasher } from '../adapters/unit-key.ts';
import { createRoutingSource, type ExperimentService } from '../control/index.ts';
import type { Report } from '../decision/index.ts';
import { AssayError } from '../errors.ts';
import type { Experiment } from '../experiment/index.ts';
import { now } from './clock.ts';
import { openControlPlane } from './control-plane.ts';
import { closeServer, type DataPlaneSettings, openDataPlane } from './data-plane.ts';
import { type RetentionSettings, startEvidenceUpkeep } from './evidence-upkeep.ts';
import { explain } from './explain.ts';
import { createHttpApi } from './http-api.ts';
import { isLoopback, listen } from './listen.ts';
import { addCounts, addFaults, addLogs, type PlaneStatus } from './plane-status.ts';
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
  /** Start every experiment that is a draft. */
  readonly startDrafts?: boolean;
  /** One sentence per event an operator needs. */
  readonly onEvent?: (sentence: string) => void;
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
  status(): Promise<{ readonly plane: PlaneStatus | null; readonly workers?: readonly unknown[] }>;
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
  const tell = options.onEvent ?? (() => {});
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
    const observer = createCountingObserver({ onFault: ({ code, message }) => tell(`${code}: ${message}`), now });
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
    const control = await openControlPlane({
      dataDirectory,
      observer,
      evidence,
      hashUnit,
      openAnalytics: async () => {
        if (analysis !== undefined) return analysis;
        // Loaded when the first report is asked for: the gateway must run where the engine cannot.
        const { openDuckdbAnalytics } = await import('../adapters/duckdb-analytics.ts');
        return openDuckdbAnalytics({ directory: dataDirectory, isLive });
      },
      startDrafts: options.startDrafts === true,
      tell,
    });
    closers.push(() => control.close());
    const { service } = control;
    await control.take({ experiments: options.experiments ?? [], files: options.files ?? [] });

    const upkeep = startEvidenceUpkeep({
      directory: dataDirectory,
      observer,
      retention: options.retention ?? {},
      isShipped: shipTo !== undefined,
      ...(analysis === undefined ? {} : { jobs: analysis.jobs }),
      longestWindowMs: () =>
        Math.max(0, ...service.list().flatMap(({ experiment }) => experiment.metrics.map(({ windowMs }) => windowMs))),
      tell,
    });
    closers.push(() => upkeep.close());

    const api = createHttpApi({
      service,
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
          ...(each === undefined ? {} : { workers: each }),
          ...(shipper === undefined ? {} : { shipment: shipper.status() }),
          ...(analysis === undefined ? {} : { analysis: { pid: analysis.pid() ?? null } }),
        };
      },
      unready: () => {
        const { fault } = evidence.status();
        return [...(fault === null ? [] : [fault]), ...(serving?.unready() ?? ['the gateway does not listen yet'])];
      },
      onFault: (fault) => tell(`fault: ${String((fault as Error)?.stack ?? fault)}`),
      ...(options.token === undefined ? {} : { token: options.token }),
    });
    const apiServer = createAdaptorServer({ fetch: api.fetch }) as ReturnType<typeof createServer>;
    const apiPortTaken = await listen(apiServer, { host: apiHost, port: apiPort, what: 'API' });
    closers.push(() => closeServer(apiServer));

    const settings: DataPlaneSettings = { drainMs: defaultDrainMs, ...age, ...options.dataPlane, host, port };
    const routing = createRoutingSource(service);
    if (workers > 1) {
      const pool = await startWorkers({ count: workers, settings, dataDirectory, routing, tell });
      serving = {
        port: pool.port,
        grpcPort: pool.grpcPort,
        status: async () => {
          const { total, workers: each } = await pool.status();
          return { plane: total, workers: each };
        },
        isLive: pool.isLive,
        unready: () => (pool.serving() === 0 ? ['no gateway worker serves'] : []),
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
      const nothing = { ...evidence.status(), appended: 0, durable: 0, lost: 0, fault: null };
      serving = {
        port: plane.port,
        grpcPort: plane.grpcPort,
        // Log, counters and faults of this process are counted as its own.
        status: async () => ({
          plane: { gateway: { ...plane.status() }, evidence: nothing, counters: [], faults: [] },
        }),
        isLive: () => false,
        unready: () => (plane.status().draining ? ['the gateway is draining'] : []),
        close: plane.close,
      };
    }
    closers.push(serving.close);

    return {
      gatewayUrl: `http${settings.tls === undefined ? '' : 's'}://${forUrl(host)}:${serving.port}`,
      grpcAddress: serving.grpcPort === null ? null : `${forUrl(settings.grpc?.host ?? host)}:${serving.grpcPort}`,
      apiUrl: `http://${forUrl(apiHost)}:${apiPortTaken}`,
      service,
      report: control.report,
      close,
    };
  } catch (fault) {
    await close();
    throw fault;
  }
}

const forUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host);
