// What the control plane needs from the outside: one ordered, hash-chained log of changes.
import type { ControlEvent, ControlLogEntry } from './control-event.ts';

/** One ordered, hash-chained stream of changes. Implementations: adapters/file-control-log.ts, adapters/memory-control-log.ts. */
export interface ControlLog {
  /** All entries, oldest first, verified against the chain. */
  read(): Promise<readonly ControlLogEntry[]>;
  /**
   * Appends durably.
   * @param expectedRevision revision of the last entry the caller has seen; 0 for an empty log.
   * @throws AssayError `revision-conflict` when somebody was faster.
   */
  append(event: ControlEvent, expectedRevision: number): Promise<ControlLogEntry>;
  close(): Promise<void>;
}
