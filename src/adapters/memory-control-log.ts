// Where do the changes of experiments live when nothing shall outlast the process?
import { type ControlLog, type ControlLogEntry, linkEntry, requireRevision } from '../control/index.ts';

/** Options of `createMemoryControlLog`. */
export interface MemoryControlLogOptions {
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** A control log in memory: the same chain and the same refusals as the file, gone with the process. */
export function createMemoryControlLog({ now }: MemoryControlLogOptions): ControlLog {
  const entries: ControlLogEntry[] = [];
  return {
    read: async () => [...entries],
    append: async (event, expectedRevision) => {
      requireRevision(expectedRevision, entries.at(-1));
      // A copy, as a file would keep: what the caller does to its object later must not reach the log.
      const entry = linkEntry(structuredClone(event), { last: entries.at(-1), timeMs: now() });
      entries.push(entry);
      return entry;
    },
    close: async () => undefined,
  };
}
