// The program of one worker process: a data plane with a log of its own, told by the primary what to route and when to stop.
import cluster from 'node:cluster';
import { createCountingObserver } from '../adapters/counting-observer.ts';
import { openEvidenceLog } from '../adapters/file-evidence-log.ts';
import { openUnitHasher } from '../adapters/unit-key.ts';
import { AssayError } from '../errors.ts';
import type { RoutingSource } from '../gateway/index.ts';
import { now } from './clock.ts';
import { openDataPlane } from './data-plane.ts';
import type { PlaneStatus } from './plane-status.ts';
import { createSnapshotHolder, type SnapshotHolder } from './snapshot-holder.ts';
import { toldApart, watchEjections } from './tell-ejections.ts';
import type { WorkerOrder, WorkerReport } from './worker-messages.ts';

/** How often the primary hears of this process without asking: what it last heard is all that is left of a crashed one. */
const reportEveryMs = 250;

/** How long flushing the log and ending may take after the time to drain, milliseconds; less than the primary waits. */
const endMs = 4_000;

let holder: SnapshotHolder | undefined;
let tellStatus = (_question: number | null): void => {};
let stop = async (): Promise<void> => process.exit(0);

// A terminal's ^C and a service manager's SIGTERM reach the whole group; when to stop is the primary's word alone.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});

process.on('message', (order: WorkerOrder) => {
  if (order.kind === 'start') {
    void start(order).catch(async (fault: unknown) => {
      const code = fault instanceof AssayError ? fault.code : 'internal';
      const message = fault instanceof Error ? fault.message : String(fault);
      const fix = fault instanceof AssayError ? fault.fix : undefined;
      await tell({ kind: 'failed', code, message, ...(fix === undefined ? {} : { fix }) });
      process.exit(1);
    });
  } else if (order.kind === 'routing') holder?.set(order.snapshot);
  else if (order.kind === 'ask') tellStatus(order.question);
  else void stop();
});

// Without its primary a worker gets no new connections and no orders: it finishes what it has, with the last good routing, and ends.
cluster.worker?.on('disconnect', () => {
  // Else node:cluster would end the process at once, requests and records in flight included.
  cluster.worker!.exitedAfterDisconnect = true;
  void stop();
});

void tell({ kind: 'loaded' });

async function start(order: WorkerOrder & { readonly kind: 'start' }): Promise<void> {
  const { settings, dataDirectory, slot } = order;
  holder = createSnapshotHolder(order.snapshot);
  const routing: RoutingSource = holder;
  const counted = createCountingObserver({
    onFault: ({ code, message }) => {
      if (!toldApart.has(code)) void tell({ kind: 'fault', code, message });
    },
    now,
  });
  const observer = watchEjections(counted, (ejection) => void tell({ kind: 'ejection', ejection }));
  const { hashUnit } = await openUnitHasher({ directory: dataDirectory, environment: process.env });
  const evidence = await openEvidenceLog({
    directory: dataDirectory,
    now,
    observer,
    ...(settings.maxLogAgeMs === undefined ? {} : { maxSegmentAgeMs: settings.maxLogAgeMs }),
  });
  const plane = await openDataPlane(settings, {
    routing,
    evidence,
    observer,
    dataDirectory,
    hashUnit,
    idPrefix: `w${slot}-`,
  }).catch(async (fault: unknown) => {
    await evidence.close();
    throw fault;
  });
  const status = (): PlaneStatus => ({
    gateway: { ...plane.status() },
    evidence: evidence.status(),
    counters: observer.counts(),
    faults: observer.faults(),
    requests: plane.requests(),
  });
  tellStatus = (question) => void tell({ kind: 'status', question, status: status() });
  const reporting = setInterval(() => {
    tellStatus(null);
    const tallies = plane.takeTallies();
    if (tallies.length > 0) void tell({ kind: 'tally', tallies });
  }, reportEveryMs);
  let stopping: Promise<void> | undefined;
  stop = () => {
    // Whatever hangs, a worker without work or primary must not stay for ever.
    setTimeout(() => process.exit(1), settings.drainMs + endMs).unref();
    stopping ??= (async () => {
      await plane.close();
      await evidence.close();
      clearInterval(reporting);
      await tell({ kind: 'status', question: null, status: status() });
      process.exit(0);
    })();
    return stopping;
  };
  await tell({ kind: 'ready', port: plane.port, grpcPort: plane.grpcPort, status: status() });
}

/** Resolves when the message has left, or cannot leave any more. */
function tell(report: WorkerReport): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(report, undefined, undefined, () => resolve());
  });
}
