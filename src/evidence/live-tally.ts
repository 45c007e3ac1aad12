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

/** What happened to some predictions. */
export interface TallyCounts {
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

/** Groups that units fall into, the same one in every process and at every time. */
export const unitGroups = 32;

/** The counts of the units of one group: groups differ by more than chance where requests of a unit are alike. */
export interface GroupTally extends TallyCounts {
  /** 0..`unitGroups` - 1. */
  readonly group: number;
}

/** What happened to the predictions of one variant in a span of time. */
export interface VariantTally extends TallyKey, TallyCounts {
  /** The same counts by groups of units, those with something in them; a request without a unit is a unit of its own. */
  readonly groups: readonly GroupTally[];
}

/** Adds up records as they are made; about a microsecond each. */
export interface LiveTally {
  /** Counts a prediction or the end of a streamed one; other records are passed over. */
  add(record: NewRecord): void;
  /** Everything since the last call. */
  take(): readonly VariantTally[];
}

/** Cells that are looked through one by one before they are looked up. */
const mostRecent = 8;

/** Streams under way that are remembered at most; the ends of further ones are not counted. */
const mostOpenStreams = 100_000;

interface Counts {
  requests: number;
  failed: number;
  callerFailed: number;
  fallback: number;
  aborted: number;
  readonly attemptMs: MutableLatency;
  readonly callerMs: MutableLatency;
}

interface Cell {
  readonly key: TallyKey;
  readonly total: Counts;
  readonly groups: (Counts | undefined)[];
}

interface MutableLatency {
  n: number;
  sumMs: number;
  readonly within: number[];
}

/** A tally with nothing in it. */
export function createLiveTally(): LiveTally {
  let cells = new Map<string, Cell>();
  const recent: Cell[] = [];
  const streams = new Map<string, { readonly key: TallyKey; readonly group: number }>();
  let withoutUnit = 0;

  const groupOf = (unit: string | null): number => {
    if (unit !== null) return (16 * hexDigit(unit, 0) + hexDigit(unit, 1)) % unitGroups;
    withoutUnit = (withoutUnit + 1) % unitGroups;
    return withoutUnit;
  };

  const cellOf = (key: TallyKey): Cell => {
    // Most traffic meets few cells, and to compare is cheaper than to make a name.
    for (const cell of recent) if (isSameKey(cell.key, key)) return cell;
    const name = nameOf(key);
    let cell = cells.get(name);
    if (cell === undefined) {
      cell = { key, total: emptyCounts(), groups: new Array<Counts | undefined>(unitGroups).fill(undefined) };
      cells.set(name, cell);
    }
    if (recent.length < mostRecent) recent.push(cell);
    return cell;
  };

  /** Of the variant as a whole, and of the unit's group. */
  const countsOf = (key: TallyKey, group: number): readonly [Counts, Counts] => {
    const cell = cellOf(key);
    const own = cell.groups[group] ?? emptyCounts();
    cell.groups[group] = own;
    return [cell.total, own];
  };

  const addPrediction = (record: PredictionRecord): void => {
    const { namespace, experiment, epoch, assigned: variant, streaming } = record;
    const key = { namespace, experiment, epoch, variant, analysed: record.reason === 'split' };
    const group = groupOf(record.unit);
    // The rest of a stream is known at its end.
    if (streaming && streams.size < mostOpenStreams) streams.set(record.predictionId, { key, group });
    for (const counts of countsOf(key, group)) {
      counts.requests += 1;
      if (record.served !== null && record.served !== variant) counts.fallback += 1;
      if (streaming) continue;
      if (record.status === null) counts.aborted += 1;
      else if (record.served === null || record.status >= 500) counts.callerFailed += 1;
      const own = record.attempts[0];
      if (own?.variant === variant) addAttempt(counts, own);
      if (record.callerMs !== null) observe(counts.callerMs, record.callerMs);
    }
  };

  const addEnd = (record: PredictionEndRecord): void => {
    const stream = streams.get(record.predictionId);
    if (stream === undefined) return;
    streams.delete(record.predictionId);
    for (const counts of countsOf(stream.key, stream.group)) {
      if (record.attempt.error === 'aborted') counts.aborted += 1;
      else if (record.attempt.error !== null) counts.callerFailed += 1;
      if (record.attempt.variant === stream.key.variant) addAttempt(counts, record.attempt);
      observe(counts.callerMs, record.callerMs);
    }
  };

  return {
    add(record) {
      // A batched request is one request, whatever the number of its rows.
      if (record.kind === 'prediction' && record.row === 0) addPrediction(record);
      else if (record.kind === 'prediction-end' && record.row === 0) addEnd(record);
    },
    take() {
      const taken = [...cells.values()].map(({ key, total, groups }) => ({
        ...key,
        ...total,
        groups: groups.flatMap((counts, group) => (counts === undefined ? [] : [{ group, ...counts }])),
      }));
      cells = new Map();
      recent.length = 0;
      return taken;
    },
  };
}

/** Value of a digit; 0 for what is none. */
function hexDigit(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : 0;
}

/** All tallies with the same key as one; the order of arguments does not matter. */
export function mergeTallies(tallies: Iterable<VariantTally>): readonly VariantTally[] {
  const merged = new Map<string, VariantTally>();
  for (const tally of tallies) {
    const name = nameOf(tally);
    const before = merged.get(name);
    merged.set(
      name,
      before === undefined
        ? tally
        : { ...before, ...addedCounts(before, tally), groups: addedGroups(before.groups, tally.groups) },
    );
  }
  return [...merged.values()];
}

function isSameKey(a: TallyKey, b: TallyKey): boolean {
  return (
    a.variant === b.variant &&
    a.experiment === b.experiment &&
    a.epoch === b.epoch &&
    a.analysed === b.analysed &&
    a.namespace === b.namespace
  );
}

function nameOf({ namespace, experiment, epoch, variant, analysed }: TallyKey): string {
  return `${namespace}/${experiment}/${epoch}/${variant}/${analysed}`;
}

function addedGroups(a: readonly GroupTally[], b: readonly GroupTally[]): readonly GroupTally[] {
  const groups = new Map(a.map((each) => [each.group, each]));
  for (const each of b) {
    const before = groups.get(each.group);
    groups.set(each.group, before === undefined ? each : { group: each.group, ...addedCounts(before, each) });
  }
  return [...groups.values()].sort((left, right) => left.group - right.group);
}

function addedCounts(a: TallyCounts, b: TallyCounts): TallyCounts {
  const latency = (x: LatencyTally, y: LatencyTally): LatencyTally => ({
    n: x.n + y.n,
    sumMs: x.sumMs + y.sumMs,
    within: x.within.map((count, place) => count + y.within[place]!),
  });
  return {
    requests: a.requests + b.requests,
    failed: a.failed + b.failed,
    callerFailed: a.callerFailed + b.callerFailed,
    fallback: a.fallback + b.fallback,
    aborted: a.aborted + b.aborted,
    attemptMs: latency(a.attemptMs, b.attemptMs),
    callerMs: latency(a.callerMs, b.callerMs),
  };
}

function addAttempt(counts: Counts, attempt: Attempt): void {
  if (attempt.error === 'aborted') return;
  // A try that another one of the same variant overtook did not fail; one that was never made took no time.
  if (attempt.error !== null && attempt.error !== 'hedged') counts.failed += 1;
  if (attempt.error !== 'ejected' && attempt.error !== 'overloaded') observe(counts.attemptMs, attempt.latencyMs);
}

function emptyCounts(): Counts {
  return {
    ...{ requests: 0, failed: 0, callerFailed: 0, fallback: 0, aborted: 0 },
    attemptMs: emptyLatency(),
    callerMs: emptyLatency(),
  };
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
