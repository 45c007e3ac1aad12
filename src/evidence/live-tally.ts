// What has happened since a moment ago? Counts and latencies per variant that gateways publish every 250 ms and anybody can add up.
import type { Attempt, NewRecord, PredictionEndRecord, PredictionRecord } from './record.ts';

/** Upper bounds of the latency buckets that dashboards read, milliseconds; the last bucket has none. */
export const latencyBoundsMs: readonly number[] = [
  1, 2.5, 5, 10, 25, 50, 75, 100, 150, 200, 300, 500, 750, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000,
];

/** Latencies that can be merged: `within[i]` counts those <= `latencyBoundsMs[i]` and above the bound before; the last counts the rest. */
export interface LatencyTally {
  readonly n: number;
  readonly sumMs: number;
  readonly within: readonly number[];
}

/** Which counts belong together. */
export interface TallyKey {
  readonly namespace: string;
  readonly experiment: string;
  readonly epoch: number;
  /** The assigned variant, whatever was served. */
  readonly variant: string;
  /** True for predictions that the split decided; false for forced, uncovered and the like, which no test may count. */
  readonly analysed: boolean;
}

/** What happened to the predictions of one variant in a span of time. */
export interface VariantTally extends TallyKey {
  readonly requests: number;
  /** Requests whose assigned variant's own attempt failed; a caller who hung up is no failure. */
  readonly failed: number;
  /** Requests whose caller got a failure. */
  readonly callerFailed: number;
  /** Requests that another variant answered. */
  readonly fallback: number;
  /** Requests whose caller went away first. */
  readonly aborted: number;
  readonly attemptMs: LatencyTally;
  readonly callerMs: LatencyTally;
}

/** Adds up records as they are made; about a microsecond each. */
export interface LiveTally {
  /** Counts a prediction or the end of a streamed one; other records are passed over. */
  add(record: NewRecord): void;
  /** Everything since the last call. */
  take(): readonly VariantTally[];
}

/** Streams under way that are remembered at most; the ends of further ones are not counted. */
const mostOpenStreams = 100_000;

interface Cell {
  readonly key: TallyKey;
  requests: number;
  failed: number;
  callerFailed: number;
  fallback: number;
  aborted: number;
  readonly attemptMs: MutableLatency;
  readonly callerMs: MutableLatency;
}

interface MutableLatency {
  n: number;
  sumMs: number;
  readonly within: number[];
}

/** A tally with nothing in it. */
export function createLiveTally(): LiveTally {
  let cells = new Map<string, Cell>();
  const streams = new Map<string, TallyKey>();

  const cellOf = (key: TallyKey): Cell => {
    const name = `${key.namespace}/${key.experiment}/${key.epoch}/${key.variant}/${key.analysed}`;
    let cell = cells.get(name);
    if (cell === undefined) {
      cell = {
        key,
        ...{ requests: 0, failed: 0, callerFailed: 0, fallback: 0, aborted: 0 },
        attemptMs: emptyLatency(),
        callerMs: emptyLatency(),
      };
      cells.set(name, cell);
    }
    return cell;
  };

  const addPrediction = (record: PredictionRecord): void => {
    const { namespace, experiment, epoch, assigned: variant } = record;
    const key = { namespace, experiment, epoch, variant, analysed: record.reason === 'split' };
    const cell = cellOf(key);
    cell.requests += 1;
    if (record.served !== null && record.served !== variant) cell.fallback += 1;
    if (record.streaming) {
      // The rest is known at its end.
      if (streams.size < mostOpenStreams) streams.set(record.predictionId, key);
      return;
    }
    if (record.status === null) cell.aborted += 1;
    else if (record.served === null || record.status >= 500) cell.callerFailed += 1;
    const own = record.attempts[0];
    if (own?.variant === variant) addAttempt(cell, own);
    if (record.callerMs !== null) observe(cell.callerMs, record.callerMs);
  };

  const addEnd = (record: PredictionEndRecord): void => {
    const key = streams.get(record.predictionId);
    if (key === undefined) return;
    streams.delete(record.predictionId);
    const cell = cellOf(key);
    if (record.attempt.error === 'aborted') cell.aborted += 1;
    else if (record.attempt.error !== null) cell.callerFailed += 1;
    if (record.attempt.variant === key.variant) addAttempt(cell, record.attempt);
    observe(cell.callerMs, record.callerMs);
  };

  return {
    add(record) {
      // A batched request is one request, whatever the number of its rows.
      if (record.kind === 'prediction' && record.row === 0) addPrediction(record);
      else if (record.kind === 'prediction-end' && record.row === 0) addEnd(record);
    },
    take() {
      const taken = [...cells.values()].map(({ key, ...counts }) => ({ ...key, ...counts }));
      cells = new Map();
      return taken;
    },
  };
}

/** All tallies with the same key as one; the order of arguments does not matter. */
export function mergeTallies(tallies: Iterable<VariantTally>): readonly VariantTally[] {
  const merged = new Map<string, VariantTally>();
  for (const tally of tallies) {
    const name = `${tally.namespace}/${tally.experiment}/${tally.epoch}/${tally.variant}/${tally.analysed}`;
    const before = merged.get(name);
    merged.set(name, before === undefined ? tally : added(before, tally));
  }
  return [...merged.values()];
}

function added(a: VariantTally, b: VariantTally): VariantTally {
  const latency = (x: LatencyTally, y: LatencyTally): LatencyTally => ({
    n: x.n + y.n,
    sumMs: x.sumMs + y.sumMs,
    within: x.within.map((count, place) => count + y.within[place]!),
  });
  return {
    ...a,
    requests: a.requests + b.requests,
    failed: a.failed + b.failed,
    callerFailed: a.callerFailed + b.callerFailed,
    fallback: a.fallback + b.fallback,
    aborted: a.aborted + b.aborted,
    attemptMs: latency(a.attemptMs, b.attemptMs),
    callerMs: latency(a.callerMs, b.callerMs),
  };
}

function addAttempt(cell: Cell, attempt: Attempt): void {
  if (attempt.error === 'aborted') return;
  // A try that another one of the same variant overtook did not fail; one that was never made took no time.
  if (attempt.error !== null && attempt.error !== 'hedged') cell.failed += 1;
  if (attempt.error !== 'ejected' && attempt.error !== 'overloaded') observe(cell.attemptMs, attempt.latencyMs);
}

function emptyLatency(): MutableLatency {
  return { n: 0, sumMs: 0, within: new Array<number>(latencyBoundsMs.length + 1).fill(0) };
}

function observe(latency: MutableLatency, ms: number): void {
  let place = 0;
  while (place < latencyBoundsMs.length && ms > latencyBoundsMs[place]!) place += 1;
  latency.n += 1;
  latency.sumMs += ms;
  latency.within[place]! += 1;
}
