// What do dashboards read of every request? Counts and latencies since the start of a process, plain JSON that adds up over processes.
import {
  type Attempt,
  type EvidenceLog,
  latencyBoundsMs,
  type NewRecord,
  type PredictionEndRecord,
  type PredictionRecord,
} from '../evidence/index.ts';

/** One request of a bucket that can be looked up by its trace. */
export interface Exemplar {
  readonly traceId: string;
  readonly ms: number;
  /** Epoch milliseconds. */
  readonly timeMs: number;
}

/** Latencies since the start; `within[i]` counts those <= `latencyBoundsMs[i]` and above the bound before, the last the rest. */
export interface LatencyCells {
  readonly sumMs: number;
  readonly within: readonly number[];
  /** The latest of each bucket; null where no request carried a trace. */
  readonly exemplars: readonly (Exemplar | null)[];
}

/** Everything about the requests that were assigned to one variant. */
export interface RequestCell {
  readonly namespace: string;
  readonly experiment: string;
  readonly variant: string;
  /** Requests by why they got the variant. */
  readonly reasons: { readonly [reason: string]: number };
  /** What became of the variant's own attempt; `aborted`: the caller hung up first. */
  readonly attempts: { readonly success: number; readonly error: number; readonly aborted: number };
  /** What callers got: `2xx`, `4xx`, ...; `none` where nobody answered or the caller was gone. */
  readonly codes: { readonly [code: string]: number };
  /** Requests that another variant answered. */
  readonly fallback: number;
  readonly attemptMs: LatencyCells;
  readonly callerMs: LatencyCells;
}

/** A traced request, when it has ended. */
export interface TracedRequest {
  readonly namespace: string;
  readonly experiment: string;
  readonly variant: string;
  readonly traceId: string;
  readonly timeMs: number;
  /** Null where the variant was not asked. */
  readonly attemptMs: number | null;
  readonly callerMs: number;
}

/** Adds up what a gateway process records; well below a microsecond each, and nothing is made per request. */
export interface RequestTally {
  add(record: NewRecord): void;
  /** Keeps the trace as an example of its latency buckets. */
  exemplify(request: TracedRequest): void;
  read(): readonly RequestCell[];
}

/** What a gateway writes to. */
type RecordSink = Pick<EvidenceLog, 'append' | 'appendDurable' | 'status'>;

/** The log, with everything that is appended to it counted: after the reply, in batches, and whether or not it can be written. */
export function tallied(log: RecordSink, tally: { add(record: NewRecord): void }): RecordSink {
  return {
    append(records) {
      for (const record of records) tally.add(record);
      log.append(records);
    },
    appendDurable(records) {
      for (const record of records) tally.add(record);
      return log.appendDurable(records);
    },
    status: () => log.status(),
  };
}

/** Streams under way that are remembered at most; the ends of further ones are not counted. */
const mostOpenStreams = 100_000;

interface MutableLatency {
  sumMs: number;
  readonly within: number[];
  readonly exemplars: (Exemplar | null)[];
}

interface Cell {
  readonly namespace: string;
  readonly experiment: string;
  readonly variant: string;
  readonly reasons: Record<string, number>;
  readonly attempts: { success: number; error: number; aborted: number };
  readonly codes: Record<string, number>;
  fallback: number;
  readonly attemptMs: MutableLatency;
  readonly callerMs: MutableLatency;
}

/** A tally with nothing in it. */
export function createRequestTally(): RequestTally {
  const cells: Cell[] = [];
  const byNamespace = new Map<string, Map<string, Map<string, Cell>>>();
  const streams = new Map<string, Cell>();

  const cellOf = (namespace: string, experiment: string, variant: string): Cell => {
    const known = byNamespace.get(namespace)?.get(experiment)?.get(variant);
    if (known !== undefined) return known;
    const cell = emptyCell(namespace, experiment, variant);
    cells.push(cell);
    const experiments = byNamespace.get(namespace) ?? new Map<string, Map<string, Cell>>();
    byNamespace.set(namespace, experiments);
    const variants = experiments.get(experiment) ?? new Map<string, Cell>();
    experiments.set(experiment, variants);
    variants.set(variant, cell);
    return cell;
  };

  const addPrediction = (record: PredictionRecord): void => {
    const cell = cellOf(record.namespace, record.experiment, record.assigned);
    cell.reasons[record.reason] = (cell.reasons[record.reason] ?? 0) + 1;
    if (record.served !== null && record.served !== record.assigned) cell.fallback += 1;
    const code = codeOf(record.status);
    cell.codes[code] = (cell.codes[code] ?? 0) + 1;
    if (record.streaming) {
      // How it went and how long it took is known at its end.
      if (streams.size < mostOpenStreams) streams.set(record.predictionId, cell);
      return;
    }
    addAttempt(cell, record.attempts[0]);
    if (record.callerMs !== null) observe(cell.callerMs, record.callerMs);
  };

  const addEnd = (record: PredictionEndRecord): void => {
    const cell = streams.get(record.predictionId);
    if (cell === undefined) return;
    streams.delete(record.predictionId);
    addAttempt(cell, record.attempt);
    observe(cell.callerMs, record.callerMs);
  };

  return {
    add(record) {
      // A batched request is one request, whatever the number of its rows.
      if (record.kind === 'prediction' && record.row === 0) addPrediction(record);
      else if (record.kind === 'prediction-end' && record.row === 0) addEnd(record);
    },
    exemplify({ namespace, experiment, variant, traceId, timeMs, attemptMs, callerMs }) {
      const cell = cellOf(namespace, experiment, variant);
      cell.callerMs.exemplars[bucketOf(callerMs)] = { traceId, ms: callerMs, timeMs };
      if (attemptMs !== null) cell.attemptMs.exemplars[bucketOf(attemptMs)] = { traceId, ms: attemptMs, timeMs };
    },
    read: () => structuredClone(cells),
  };
}

/** The cells of several processes as those of one. */
export function addRequestCells(all: readonly (readonly RequestCell[])[]): readonly RequestCell[] {
  const sums = new Map<string, RequestCell>();
  for (const cell of all.flat()) {
    const key = `${cell.namespace}/${cell.experiment}/${cell.variant}`;
    const before = sums.get(key);
    sums.set(key, before === undefined ? cell : added(before, cell));
  }
  return [...sums.values()];
}

function added(a: RequestCell, b: RequestCell): RequestCell {
  return {
    ...a,
    reasons: addedCounts(a.reasons, b.reasons),
    attempts: {
      success: a.attempts.success + b.attempts.success,
      error: a.attempts.error + b.attempts.error,
      aborted: a.attempts.aborted + b.attempts.aborted,
    },
    codes: addedCounts(a.codes, b.codes),
    fallback: a.fallback + b.fallback,
    attemptMs: addedLatency(a.attemptMs, b.attemptMs),
    callerMs: addedLatency(a.callerMs, b.callerMs),
  };
}

function addedCounts(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  const sum: Record<string, number> = { ...a };
  for (const [name, count] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

function addedLatency(a: LatencyCells, b: LatencyCells): LatencyCells {
  return {
    sumMs: a.sumMs + b.sumMs,
    within: a.within.map((count, place) => count + b.within[place]!),
    exemplars: a.exemplars.map((mine, place) => {
      const other = b.exemplars[place] ?? null;
      return mine === null || (other !== null && other.timeMs > mine.timeMs) ? other : mine;
    }),
  };
}

/** The first attempt is the one the reports count: retries and a hedge do not undo that it failed. */
function addAttempt(cell: Cell, own: Attempt | undefined): void {
  if (own === undefined || own.variant !== cell.variant) return;
  if (own.error === 'aborted') {
    cell.attempts.aborted += 1;
    return;
  }
  // A try that another one of the same variant overtook did not fail.
  if (own.error === null || own.error === 'hedged') cell.attempts.success += 1;
  else cell.attempts.error += 1;
  // One that was never made took no time.
  if (own.error !== 'ejected' && own.error !== 'overloaded') observe(cell.attemptMs, own.latencyMs);
}

const codes = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const;

function codeOf(status: number | null): string {
  return status === null ? 'none' : (codes[Math.floor(status / 100)] ?? 'none');
}

function observe(latency: MutableLatency, ms: number): void {
  latency.sumMs += ms;
  latency.within[bucketOf(ms)]! += 1;
}

function bucketOf(ms: number): number {
  let place = 0;
  while (place < latencyBoundsMs.length && ms > latencyBoundsMs[place]!) place += 1;
  return place;
}

function emptyCell(namespace: string, experiment: string, variant: string): Cell {
  return {
    namespace,
    experiment,
    variant,
    reasons: {},
    attempts: { success: 0, error: 0, aborted: 0 },
    codes: {},
    fallback: 0,
    attemptMs: emptyLatency(),
    callerMs: emptyLatency(),
  };
}

function emptyLatency(): MutableLatency {
  const buckets = latencyBoundsMs.length + 1;
  return {
    sumMs: 0,
    within: new Array<number>(buckets).fill(0),
    exemplars: new Array<Exemplar | null>(buckets).fill(null),
  };
}
