// An evidence log without a disk, for tests and for programs that keep nothing: the same contract, gone with the process.
import { randomBytes } from 'node:crypto';
import { AssayError } from '../errors.ts';
import {
  decodeRecord,
  type EvidenceLog,
  type EvidenceLogStatus,
  encodeRecord,
  type LogRecord,
  type NewRecord,
} from '../evidence/index.ts';

/** Options of `createMemoryEvidenceLog`. */
export interface MemoryEvidenceLogOptions {
  /** Epoch milliseconds; dates the `writer-end` record. */
  readonly now: () => number;
}

/** An evidence log whose records can be read back. */
export interface MemoryEvidenceLog extends EvidenceLog {
  /** Everything appended so far, oldest first, as a reader of the log would get it. */
  records(): readonly LogRecord[];
}

/** An empty log; "durable" means held until the process ends. */
export function createMemoryEvidenceLog({ now }: MemoryEvidenceLogOptions): MemoryEvidenceLog {
  const writer = randomBytes(8).toString('hex');
  const kept: LogRecord[] = [];
  let lost = 0;
  let closed = false;

  /** All or nothing, as one frame on a disk would be. */
  const keep = (records: readonly NewRecord[]): boolean => {
    if (closed) return false;
    const fresh: LogRecord[] = [];
    try {
      for (const record of records) {
        const sequence = kept.length + fresh.length + 1;
        // Through the codec, so that later changes by the caller cannot reach into the log.
        const decoded = decodeRecord(JSON.parse(encodeRecord(record, { v: 1, writer, sequence })));
        if (decoded.kind !== 'record') return false;
        fresh.push(decoded.record);
      }
    } catch {
      return false;
    }
    kept.push(...fresh);
    return true;
  };

  return {
    append(records) {
      if (!keep(records)) lost += records.length;
    },
    async appendDurable(records) {
      if (keep(records)) return;
      lost += records.length;
      const reason = closed ? 'the evidence log is closed' : 'a record is not JSON';
      throw new AssayError('evidence-not-durable', `the evidence could not be recorded: ${reason}`);
    },
    status(): EvidenceLogStatus {
      return { writer, appended: kept.length + lost, durable: kept.length, lost, fault: null };
    },
    async close() {
      if (closed) return;
      keep([{ kind: 'writer-end', timeMs: now() }]);
      closed = true;
    },
    records: () => kept,
  };
}
