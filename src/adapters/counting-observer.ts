// Where counts and faults of the experiment side are kept in memory until somebody asks for them.
import type { Observer } from '../evidence/index.ts';

/** Options of `createCountingObserver`. */
export interface CountingObserverOptions {
  /** Milliseconds. */
  readonly now: () => number;
  /** Told of a fault; again for the same code only after `quietMs`. */
  readonly onFault?: (fault: ObservedFault) => void;
  /** Default 10,000. */
  readonly quietMs?: number;
}

/** One counter with one set of labels. */
export interface ObservedCount {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The faults of one code. */
export interface ObservedFault {
  readonly code: string;
  /** The latest message. */
  readonly message: string;
  readonly count: number;
  readonly lastMs: number;
}

/** An observer that can be read. */
export interface CountingObserver extends Observer {
  counts(): readonly ObservedCount[];
  faults(): readonly ObservedFault[];
}

/** Labels are promised to be bounded; beyond this many series further ones are added up under `overflow`. */
const mostSeries = 2_000;

interface Counter {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  value: number;
}

const none: Readonly<Record<string, string>> = {};

/** An observer with nothing seen yet. Its callback may throw; the observer never does. */
export function createCountingObserver(options: CountingObserverOptions): CountingObserver {
  const { now, onFault, quietMs = 10_000 } = options;
  const counts = new Map<string, Counter>();
  /** Counters by the labels they were told with: who counts often hands over the same object, and then nothing is looked up by text. */
  const known = new WeakMap<Readonly<Record<string, string>>, Map<string, Counter>>();
  const faults = new Map<string, ObservedFault>();
  const toldMs = new Map<string, number>();
  const counterOf = (name: string, labels: Readonly<Record<string, string>>): Counter => {
    const wanted = JSON.stringify([name, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);
    const isKept = counts.has(wanted) || counts.size < mostSeries;
    const key = isKept ? wanted : 'overflow';
    let counter = counts.get(key);
    if (counter === undefined) {
      counter = isKept ? { name, labels: { ...labels }, value: 0 } : { name: 'overflow', labels: {}, value: 0 };
      counts.set(key, counter);
    }
    return counter;
  };

  return {
    count(name, labels = none, by = 1) {
      let byName = known.get(labels);
      if (byName === undefined) {
        byName = new Map();
        known.set(labels, byName);
      }
      let counter = byName.get(name);
      if (counter === undefined) {
        counter = counterOf(name, labels);
        byName.set(name, counter);
      }
      counter.value += by;
    },
    fault(code, message) {
      const timeMs = now();
      const fault = { code, message, count: (faults.get(code)?.count ?? 0) + 1, lastMs: timeMs };
      faults.set(code, fault);
      if (timeMs - (toldMs.get(code) ?? Number.NEGATIVE_INFINITY) < quietMs) return;
      toldMs.set(code, timeMs);
      try {
        onFault?.(fault);
      } catch {
        // A broken listener is no reason to disturb the request that met the fault.
      }
    },
    counts: () => [...counts.values()].map((counter) => ({ ...counter })),
    faults: () => [...faults.values()],
  };
}
