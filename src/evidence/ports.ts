// What evidence needs from the outside: a durable log, an engine that summarises it, and somebody to tell about faults.
import type { AnalysisPlan } from './plan.ts';
import type { NewRecord } from './record.ts';
import type { ExperimentSummary } from './summary.ts';

/** Counters of one evidence log since its start. */
export interface EvidenceLogStatus {
  readonly writer: string;
  readonly appended: number;
  readonly durable: number;
  /** Records that could not be written; they were never acknowledged. */
  readonly lost: number;
  /** Null while healthy, else the sentence for the operator. */
  readonly fault: string | null;
}

/** Append-only, durable, one writer per process. Implementations: adapters/file-evidence-log.ts, adapters/memory-evidence-log.ts. */
export interface EvidenceLog {
  /** Queues records; durable within the group-commit time (at most 5 ms). Never throws; a loss is counted. */
  append(records: readonly NewRecord[]): void;
  /**
   * Resolves once an fdatasync begun after the bytes were written has returned.
   * @throws AssayError `evidence-not-durable` when that is impossible; then nothing was acknowledged.
   */
  appendDurable(records: readonly NewRecord[]): Promise<void>;
  status(): EvidenceLogStatus;
  /** Flushes, writes `writer-end`, closes. */
  close(): Promise<void>;
}

/** Turns logs into summaries. Implementation: adapters/duckdb-analytics.ts. */
export interface Analytics {
  /** Takes in everything that is durable in the logs now. Idempotent by (writer, sequence). */
  catchUp(): Promise<{ readonly records: number }>;
  /** Catches up, then answers the plan from what is in. */
  summarise(plan: AnalysisPlan): Promise<ExperimentSummary>;
  close(): Promise<void>;
}

/** Where faults and counts of the experiment side go; never throws, never blocks. */
export interface Observer {
  /** Adds to a counter; labels are bounded names, never ids. */
  count(name: string, labels?: Readonly<Record<string, string>>, by?: number): void;
  /** An operator should know this; repeated faults are rate-limited by the implementation. */
  fault(code: string, message: string, cause?: unknown): void;
}

/** Turns unit ids into what the log may keep. Implementation: adapters/unit-key.ts. */
export interface UnitHasher {
  /** First 64 bits of a keyed hash of the id, 16 lower-case hex digits; the same id always gives the same digits. */
  hashUnit(id: string): string;
}
