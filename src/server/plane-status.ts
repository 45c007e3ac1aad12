// What have all processes of a data plane done together? Adds up what each of them tells.
import type { ObservedCount, ObservedFault } from '../adapters/counting-observer.ts';
import type { RequestCell } from '../adapters/prometheus-tally.ts';
import type { EvidenceLogStatus } from '../evidence/index.ts';

/** What one process tells of itself; plain JSON, so that it can come from another process. */
export interface PlaneStatus {
  /** Counters of its gateway. */
  readonly gateway: Readonly<Record<string, unknown>>;
  readonly evidence: EvidenceLogStatus;
  readonly counters: readonly ObservedCount[];
  readonly faults: readonly ObservedFault[];
  /** Counts and latencies of requests by variant. */
  readonly requests: readonly RequestCell[];
}

/** Sums of numbers at every depth, but the lowest routing revision; true where one says true; other values as the first says. */
export function addGateways(all: readonly PlaneStatus['gateway'][]): PlaneStatus['gateway'] {
  return all.reduce((sum, each) => addFields(sum, each), {});
}

function addFields(sum: PlaneStatus['gateway'], more: PlaneStatus['gateway']): PlaneStatus['gateway'] {
  const added: Record<string, unknown> = { ...sum };
  for (const [name, value] of Object.entries(more)) {
    const isLowest = name === 'routingRevision' && name in sum;
    added[name] = isLowest ? Math.min(sum[name] as number, value as number) : addValues(sum[name], value);
  }
  return added;
}

function addValues(before: unknown, value: unknown): unknown {
  if (before === undefined) return value;
  if (typeof before === 'number' && typeof value === 'number') return before + value;
  if (typeof before === 'boolean' && typeof value === 'boolean') return before || value;
  if (Array.isArray(before) && Array.isArray(value)) return addLists([...before, ...value]);
  if (isFields(before) && isFields(value)) return addFields(before, value);
  return before;
}

/** Entries that all their texts name the same are one entry: what two processes say of one variant. */
function addLists(entries: readonly unknown[]): readonly unknown[] {
  const sums = new Map<string, unknown>();
  for (const entry of entries) {
    const texts = isFields(entry) ? Object.entries(entry).filter(([, value]) => typeof value === 'string') : entry;
    const key = JSON.stringify(texts);
    sums.set(key, addValues(sums.get(key), entry));
  }
  return [...sums.values()];
}

const isFields = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Records of all logs; the writer of the first, and the first fault there is. */
export function addLogs(first: EvidenceLogStatus, others: readonly EvidenceLogStatus[]): EvidenceLogStatus {
  const all = [first, ...others];
  const sumOf = (read: (status: EvidenceLogStatus) => number): number =>
    all.reduce((sum, status) => sum + read(status), 0);
  return {
    writer: first.writer,
    appended: sumOf(({ appended }) => appended),
    durable: sumOf(({ durable }) => durable),
    lost: sumOf(({ lost }) => lost),
    fault: all.find(({ fault }) => fault !== null)?.fault ?? null,
  };
}

/** Counters of the same name and labels are one counter. */
export function addCounts(all: readonly (readonly ObservedCount[])[]): readonly ObservedCount[] {
  const sums = new Map<string, ObservedCount>();
  for (const count of all.flat()) {
    const key = JSON.stringify([count.name, Object.entries(count.labels).sort(([a], [b]) => (a < b ? -1 : 1))]);
    sums.set(key, { ...count, value: count.value + (sums.get(key)?.value ?? 0) });
  }
  return [...sums.values()];
}

/** Faults of the same code are one fault with the latest message. */
export function addFaults(all: readonly (readonly ObservedFault[])[]): readonly ObservedFault[] {
  const sums = new Map<string, ObservedFault>();
  for (const fault of all.flat()) {
    const before = sums.get(fault.code);
    const latest = before === undefined || before.lastMs < fault.lastMs ? fault : before;
    sums.set(fault.code, { ...latest, count: fault.count + (before?.count ?? 0) });
  }
  return [...sums.values()];
}
