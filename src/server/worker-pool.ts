// How do several processes serve one port? Starts gateway workers with node:cluster, keeps them told and alive, adds up what they did.
import cluster, { type Worker } from 'node:cluster';
import type { Tell } from '../adapters/pino-log.ts';
import { addRequestCells } from '../adapters/prometheus-tally.ts';
import { AssayError, type ErrorCode, errorCatalogue } from '../errors.ts';
import type { VariantTally } from '../evidence/index.ts';
import type { RoutingSource } from '../gateway/index.ts';
import { now } from './clock.ts';
import type { DataPlaneSettings } from './data-plane.ts';
import { addCounts, addFaults, addGateways, addLogs, type PlaneStatus } from './plane-status.ts';
import { tellEjection } from './tell-ejections.ts';
import type { WorkerOrder, WorkerReport } from './worker-messages.ts';
import { youngHeap } from './young-heap.ts';

/** Options of `startWorkers`. */
interface WorkerPoolOptions {
  /** How many. */
  readonly count: number;
  readonly settings: DataPlaneSettings;
  readonly dataDirectory: string;
  readonly routing: RoutingSource;
  /** One sentence per event an operator needs. */
  readonly tell: Tell;
  /** Told what predictions did, four times a second by each worker that has any. */
  readonly onTallies: (tallies: readonly VariantTally[]) => void;
}

/** One process as the status shows it. */
interface WorkerStatus extends PlaneStatus {
  readonly worker: number;
  readonly pid: number;
}

/** The gateway workers of one primary process. */
export interface WorkerPool {
  readonly port: number;
  /** Null without gRPC. */
  readonly grpcPort: number | null;
  /** What all workers did since the start, those that are gone included, and each worker that runs. */
  status(): Promise<{ readonly total: PlaneStatus | null; readonly workers: readonly WorkerStatus[] }>;
  /** True for the writer of a running worker's log. */
  isLive(writer: string): boolean;
  /** Sentences for what keeps the workers from taking traffic: none serves, or a log cannot be written. */
  unready(): readonly string[];
  /** Drains all workers; whoever is not done in time is killed. */
  close(): Promise<void>;
}

/** One place in the pool, whoever holds it now. */
interface Slot {
  readonly number: number;
  worker: Worker | null;
  isReady: boolean;
  status: PlaneStatus | null;
  startedMs: number;
  /** Ends in a row, each soon after its start. */
  crashes: number;
  restart: NodeJS.Timeout | null;
}

/** A worker that lived this long was sound: its end is no sequel of an earlier one. */
const soundMs = 10_000;
const firstPauseMs = 50;
const longestPauseMs = 10_000;
/** How long a question to a worker may take before its last report stands for the answer. */
const answerMs = 1_000;
/** Beyond the time to drain: flushing the log and ending. */
const endMs = 5_000;

/**
 * Starts the workers and resolves when all of them listen.
 * @throws AssayError what the first worker that could not start said: `listen-refused`, `port-in-use`, `data-directory-unusable`.
 */
export async function startWorkers(options: WorkerPoolOptions): Promise<WorkerPool> {
  const { settings, routing, tell } = options;
  const slots = Array.from(
    { length: options.count },
    (_, index): Slot => ({
      number: index + 1,
      worker: null,
      isReady: false,
      status: null,
      startedMs: 0,
      crashes: 0,
      restart: null,
    }),
  );
  // One listening socket per port as asked for; 0 names the same one in all workers for as long as one of them lives.
  let portAsked = settings.port;
  let port = 0;
  let grpcPort: number | null = null;
  let isClosing = false;
  let question = 0;
  const answers = new Map<number, () => void>();
  /** Sum of the workers that are gone. */
  let gone: PlaneStatus | null = null;

  // The kernel hands connections out. With round robin the primary does, and one on its way to a worker that is just being
  // killed stays open and unanswered for ever; a primary busy with a report would also hold up every new connection.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  cluster.setupPrimary({
    exec: new URL(`./gateway-worker.${extension}`, import.meta.url).pathname,
    args: [],
    execArgv: [...process.execArgv.filter((each) => each !== youngHeap), youngHeap],
  });

  const start = (slot: Slot): Promise<void> =>
    new Promise((resolve, reject) => {
      if (port !== 0 && slots.every(({ worker }) => worker === null)) portAsked = port;
      const worker = cluster.fork();
      slot.worker = worker;
      slot.isReady = false;
      slot.startedMs = now();
      let failure: AssayError | null = null;
      worker.on('message', (report: WorkerReport) => {
        if (report.kind === 'loaded') {
          send(slot, {
            kind: 'start',
            slot: slot.number,
            settings: { ...settings, port: portAsked },
            dataDirectory: options.dataDirectory,
            snapshot: routing.current(),
          });
        } else if (report.kind === 'ready') {
          slot.status = report.status;
          slot.isReady = true;
          port = report.port;
          grpcPort = report.grpcPort;
          resolve();
        } else if (report.kind === 'status') {
          slot.status = report.status;
          if (report.question !== null) answers.get(report.question)?.();
        } else if (report.kind === 'tally') options.onTallies(report.tallies);
        else if (report.kind === 'ejection') tellEjection(tell, { ...report.ejection, worker: slot.number });
        else if (report.kind === 'fault')
          tell(`worker ${slot.number}: ${report.code}: ${report.message}`, {
            name: 'fault',
            fields: { code: report.code, worker: slot.number },
          });
        else {
          const code = report.code in errorCatalogue ? (report.code as ErrorCode) : 'worker-failed';
          failure = new AssayError(code, report.message, report.fix === undefined ? {} : { fix: report.fix });
        }
      });
      worker.on('error', (fault) =>
        tell(`worker ${slot.number}: ${fault.message}`, {
          name: 'fault',
          fields: { code: 'worker-failed', worker: slot.number },
        }),
      );
      const onEnd = (code: number, signal: string | null): void => {
        const how = signal === null ? `code ${code}` : `signal ${signal}`;
        const wasReady = slot.isReady;
        retire(slot);
        const fault = failure ?? new AssayError('worker-failed', `gateway worker ${slot.number} ended with ${how}`);
        if (wasReady || isClosing) resolve();
        else reject(fault);
        if (!isClosing && port !== 0) restart(slot, failure === null ? `ended with ${how}` : failure.message);
      };
      worker.once('exit', (code, signal) => {
        // What it said last may still be on the way.
        if (worker.isConnected()) worker.once('disconnect', () => onEnd(code, signal));
        else onEnd(code, signal);
      });
    });

  const restart = (slot: Slot, what: string): void => {
    slot.crashes = now() - slot.startedMs > soundMs ? 1 : slot.crashes + 1;
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (slot.crashes - 1));
    tell(`gateway worker ${slot.number} ${what}; another one starts in ${pauseMs} ms`, {
      name: 'worker-ended',
      fields: { worker: slot.number, pauseMs },
    });
    slot.restart = setTimeout(() => {
      slot.restart = null;
      // Its own exit handler tells what went wrong and tries again.
      start(slot).then(
        () =>
          tell(`gateway worker ${slot.number} serves again`, {
            name: 'worker-serving',
            fields: { worker: slot.number },
          }),
        () => {},
      );
    }, pauseMs);
  };

  const retire = (slot: Slot): void => {
    const { status } = slot;
    if (status !== null) {
      const { routingRevision: _revision, ...counted } = status.gateway;
      const last: PlaneStatus = { ...status, gateway: { ...counted, inFlight: 0, draining: false } };
      gone = addPlanes(gone === null ? [last] : [gone, last]);
      gone = { ...gone, evidence: { ...gone.evidence, fault: null } };
    }
    slot.worker = null;
    slot.isReady = false;
    slot.status = null;
  };

  const unsubscribe = routing.subscribe((snapshot) => {
    for (const slot of slots) send(slot, { kind: 'routing', snapshot });
  });

  const close = async (): Promise<void> => {
    isClosing = true;
    unsubscribe();
    await Promise.all(
      slots.map(async (slot) => {
        if (slot.restart !== null) clearTimeout(slot.restart);
        const { worker } = slot;
        if (worker === null) return;
        const ended = new Promise<void>((resolve) => worker.process.once('exit', () => resolve()));
        const limit = setTimeout(() => {
          tell(`gateway worker ${slot.number} did not end in time and was killed`, {
            name: 'worker-killed',
            fields: { worker: slot.number },
          });
          worker.process.kill('SIGKILL');
        }, settings.drainMs + endMs);
        send(slot, { kind: 'stop' });
        await ended;
        clearTimeout(limit);
      }),
    );
  };

  const ask = (slot: Slot): Promise<void> =>
    new Promise((resolve) => {
      question += 1;
      const asked = question;
      const done = (): void => {
        clearTimeout(limit);
        answers.delete(asked);
        slot.worker?.off('exit', done);
        resolve();
      };
      const limit = setTimeout(done, answerMs);
      answers.set(asked, done);
      slot.worker?.once('exit', done);
      if (!send(slot, { kind: 'ask', question: asked })) done();
    });

  const started = await Promise.allSettled(slots.map(start));
  const refused = started.find((each) => each.status === 'rejected');
  if (refused !== undefined) {
    await close();
    throw refused.reason;
  }

  return {
    port,
    grpcPort,
    async status() {
      await Promise.all(slots.filter(({ isReady }) => isReady).map(ask));
      const workers = slots.flatMap(({ number, worker, status }) =>
        worker === null || status === null ? [] : [{ worker: number, pid: worker.process.pid ?? 0, ...status }],
      );
      const all = gone === null ? workers : [...workers, gone];
      return { total: all.length === 0 ? null : addPlanes(all), workers };
    },
    isLive: (writer) => slots.some(({ status }) => status?.evidence.writer === writer),
    unready: () => {
      if (slots.every(({ isReady }) => !isReady)) return ['no gateway worker serves'];
      const faults = slots.flatMap(({ number, isReady, status }) =>
        isReady && status !== null && status.evidence.fault !== null
          ? [`gateway worker ${number}: ${status.evidence.fault}`]
          : [],
      );
      return faults;
    },
    close,
  };
}

/** False when the worker is gone; its exit is told elsewhere. */
function send({ worker }: Slot, order: WorkerOrder): boolean {
  if (worker === null || !worker.isConnected()) return false;
  worker.send(order, () => {});
  return true;
}

function addPlanes(all: readonly PlaneStatus[]): PlaneStatus {
  const [first, ...others] = all;
  return {
    gateway: addGateways(all.map(({ gateway }) => gateway)),
    evidence: addLogs(
      first!.evidence,
      others.map(({ evidence }) => evidence),
    ),
    counters: addCounts(all.map(({ counters }) => counters)),
    faults: addFaults(all.map(({ faults }) => faults)),
    requests: addRequestCells(all.map(({ requests }) => requests)),
  };
}
