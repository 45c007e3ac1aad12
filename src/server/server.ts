// One process that routes, records, answers reports and takes orders: opens every part, wires them, closes them in order.

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import { createCountingObserver } from '../adapters/counting-observer.ts';
import { lockDataDirectory } from '../adapters/data-directory-lock.ts';
import { watchExperiments } from '../adapters/experiment-folder.ts';
import { openFileControlLog } from '../adapters/file-control-log.ts';
import { openEvidenceLog } from '../adapters/file-evidence-log.ts';
import { createUndiciUpstream } from '../adapters/undici-upstream.ts';
import { openUnitHasher } from '../adapters/unit-key.ts';
import type { ExplainAnswer } from '../api/index.ts';
import { decide, prepareAssignment } from '../assignment/index.ts';
import {
  createExperimentService,
  createRoutingSource,
  type ExperimentService,
  type ExperimentState,
} from '../control/index.ts';
import { makeReport, type Report } from '../decision/index.ts';
import { AssayError } from '../errors.ts';
import { type Analytics, parseOutcomes } from '../evidence/index.ts';
import type { Experiment } from '../experiment/index.ts';
import { createGateway, gatewayServerOptions } from '../gateway/index.ts';
import { createHttpApi } from './http-api.ts';
import { isLoopback, listen } from './listen.ts';

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
  readonly defaultUpstream?: string;
  readonly durability?: 'after-reply' | 'before-reply';
  /** Start every experiment that is a draft. */
  readonly startDrafts?: boolean;
  /** One sentence per event an operator needs. */
  readonly onEvent?: (sentence: string) => void;
}

/** A running server. */
export interface RunningServer {
  readonly gatewayUrl: string;
  readonly apiUrl: string;
  readonly service: ExperimentService;
  /** The report from everything acknowledged so far. */
  report(name: string, namespace?: string): Promise<Report>;
  /** Stops taking requests, finishes those in flight, makes everything durable, lets the data directory go. */
  close(): Promise<void>;
}

/** Epoch milliseconds that never jump with the wall clock: differences of it are latencies. */
const now = (): number => performance.timeOrigin + performance.now();

/**
 * Starts gateway and control plane in this process.
 *
 * @throws AssayError `listen-refused`, `port-in-use`, `data-directory-locked`, `data-directory-unusable`,
 *   `experiment-invalid` (at the start; later a broken file is reported and the last good one stays).
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { dataDirectory, host = '127.0.0.1', apiHost = '127.0.0.1', port = 8080, apiPort = 8081 } = options;
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
    const controlLog = await openFileControlLog({ directory: dataDirectory, now: Date.now, onNotice: tell });
    closers.push(() => controlLog.close());
    const service = await createExperimentService({ log: controlLog, observer });
    const evidence = await openEvidenceLog({ directory: dataDirectory, now, observer });
    closers.push(() => evidence.close());
    const analytics = openLazily(async () => {
      // Loaded when the first report is asked for: the gateway must run where the engine cannot.
      const { openDuckdbAnalytics } = await import('../adapters/duckdb-analytics.ts');
      return openDuckdbAnalytics({ directory: dataDirectory, isLive: (writer) => writer === evidence.status().writer });
    });
    closers.push(() => analytics.close());

    const upstream = createUndiciUpstream();
    closers.push(() => upstream.close());
    const gateway = createGateway({
      routing: createRoutingSource(service),
      upstream,
      evidence,
      observer,
      hashUnit,
      now,
      random: Math.random,
      createId: () => randomBytes(12).toString('base64url'),
      ...(options.defaultUpstream === undefined ? {} : { defaultUpstream: options.defaultUpstream }),
      ...(options.durability === undefined ? {} : { durability: options.durability }),
    });
    const gatewayServer = createServer(gatewayServerOptions, (request, response) => gateway.handle(request, response));

    const apply = async (experiment: Experiment, source: string): Promise<void> => {
      const authorship = { author: source, reason: 'read from the file' };
      const state = await service.apply(experiment, authorship);
      if (options.startDrafts && state.state === 'draft') {
        await service.act('start', {
          name: experiment.name,
          namespace: experiment.namespace,
          author: source,
          reason: 'started with the server',
        });
      }
    };
    for (const experiment of options.experiments ?? []) await apply(experiment, 'server');
    let isStarting = true;
    for (const path of options.files ?? []) {
      const watch = await watchExperiments({
        path,
        onEvent: async (event) => {
          if (event.kind === 'refused') {
            if (isStarting) throw event.error;
            tell(`${event.file} is refused, the last good one stays: ${event.error.message}`);
          } else if (event.kind === 'removed') {
            tell(`${event.file} is gone; its experiments go on as they are. End them with \`assay stop\`.`);
          } else {
            for (const experiment of event.experiments) await apply(experiment, `file:${event.file}`);
            if (!isStarting) tell(`${event.file} was read again`);
          }
        },
      });
      closers.push(() => watch.close());
    }
    isStarting = false;

    const report = async (name: string, namespace = 'default'): Promise<Report> => {
      const state = service.get(name, namespace);
      const nowMs = now();
      const summary = await (await analytics.get()).summarise({
        experiment: state.experiment,
        epochs: state.epochs,
        nowMs,
      });
      return makeReport(summary, {
        experiment: state.experiment,
        nowMs,
        ...(state.startedAtMs === null ? {} : { startedAtMs: state.startedAtMs }),
        planChanges: state.planChanges.map(
          ({ part, revision, timeMs }) =>
            `${part} changed with revision ${revision} at ${new Date(timeMs).toISOString()}`,
        ),
      });
    };

    const api = createHttpApi({
      service,
      recordOutcomes: async (body, namespace) => {
        const records = parseOutcomes(body, { nowMs: now(), namespace, hashUnit });
        await evidence.appendDurable(records);
        return records.length;
      },
      report,
      explain: (name, namespace, unit) => explain(service.get(name, namespace), { service, unit }),
      status: () => ({
        gateway: gateway.status(),
        evidence: evidence.status(),
        counters: observer.counts(),
        faults: observer.faults(),
      }),
      unready: () => {
        const fault = evidence.status().fault;
        return [...(fault === null ? [] : [fault]), ...(gateway.status().draining ? ['the gateway is draining'] : [])];
      },
      onFault: (fault) => tell(`fault: ${String((fault as Error)?.stack ?? fault)}`),
      ...(options.token === undefined ? {} : { token: options.token }),
    });
    const apiServer = createAdaptorServer({ fetch: api.fetch }) as ReturnType<typeof createServer>;

    const apiPortTaken = await listen(apiServer, { host: apiHost, port: apiPort, what: 'API' });
    closers.push(() => closeServer(apiServer));
    const gatewayPort = await listen(gatewayServer, { host, port, what: 'data plane' });
    closers.push(async () => {
      const closed = closeServer(gatewayServer);
      await gateway.drain();
      await closed;
    });

    return {
      gatewayUrl: `http://${forUrl(host)}:${gatewayPort}`,
      apiUrl: `http://${forUrl(apiHost)}:${apiPortTaken}`,
      service,
      report,
      close,
    };
  } catch (fault) {
    await close();
    throw fault;
  }
}

/** Opens analytics once, at the first question; a failed opening is tried again at the next. */
function openLazily(open: () => Promise<Analytics>): { get(): Promise<Analytics>; close(): Promise<void> } {
  let opened: Promise<Analytics> | undefined;
  return {
    get: () => {
      opened ??= open().catch((fault: unknown) => {
        opened = undefined;
        throw fault;
      });
      return opened;
    },
    close: async () => (await opened)?.close(),
  };
}

const explanations: Readonly<Record<string, string>> = {
  split: 'its bucket lies in the range of that variant',
  'not-covered': 'its coverage bucket lies outside the share of units that take part',
  paused: 'the experiment does not run, so the control answers everybody',
  promoted: 'this variant was promoted and answers everybody',
  ended: 'the experiment has ended, so the control answers everybody',
};

function explain(
  state: ExperimentState,
  { service, unit }: { service: ExperimentService; unit: string },
): ExplainAnswer {
  const { name, namespace } = state.experiment;
  const routed = service.snapshot().experiments.find((each) => each.name === name && each.namespace === namespace);
  if (routed === undefined)
    throw new AssayError(
      'experiment-unknown',
      `experiment "${name}" is not routed at present: another one owns its route`,
    );
  const { variant, reason, propensity, coverageBucket, splitBucket } = decide(prepareAssignment(routed), {
    unit,
    forced: null,
    random: () => 0,
  });
  const buckets =
    splitBucket === null ? '' : ` (coverage bucket ${coverageBucket}, split bucket ${splitBucket} of ${2 ** 32})`;
  return {
    experiment: name,
    variant,
    reason,
    propensity,
    text: `${unit} gets ${variant}: ${explanations[reason] ?? reason}${buckets}; share ${(propensity * 100).toFixed(2)} %`,
  };
}

const forUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host);

function closeServer(server: ReturnType<typeof createServer>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}
