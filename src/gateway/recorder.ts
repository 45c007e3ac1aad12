// When do records reach the log? After the reply, in batches, a millisecond later; a fault here never reaches a caller.
import type { EvidenceLog, NewRecord, Observer } from '../evidence/index.ts';

/** Takes records off the hot path. */
export interface Recorder {
  /** Queues records that are built later; `make` may throw. */
  add(make: MakeRecords): void;
  /** Builds and writes records now; resolves when they are durable or have been given up, never rejects. */
  addDurable(make: MakeRecords): Promise<void>;
  /** Hands the log everything queued: what is appended to it afterwards stands behind. */
  handOver(): void;
  /** Hands over everything queued, and resolves when no durable write is under way. */
  flush(): Promise<void>;
  /** Why the log keeps nothing now, for an operator; null while it does. */
  fault(): string | null;
}

/** Long enough for company: a turn of the event loop for each record would cost more than the record. */
const collectMs = 1;

type MakeRecords = () => NewRecord | readonly NewRecord[];

/** A recorder for one gateway. */
export function createRecorder(
  evidence: Pick<EvidenceLog, 'append' | 'appendDurable' | 'status'>,
  observer: Observer,
): Recorder {
  let queue: MakeRecords[] = [];
  const underWay = new Set<Promise<void>>();

  const lose = (cause: unknown, count: number): void => {
    observer.count('evidence_lost', {}, count);
    observer.fault('evidence-not-durable', `${count} records could not be handed to the evidence log`, cause);
  };

  const build = (makes: readonly MakeRecords[]): NewRecord[] => {
    const records: NewRecord[] = [];
    for (const make of makes) {
      try {
        const made = make();
        if ('kind' in made) records.push(made);
        else records.push(...made);
      } catch (cause) {
        lose(cause, 1);
      }
    }
    return records;
  };

  const handOver = (): void => {
    const makes = queue;
    queue = [];
    const records = build(makes);
    if (records.length === 0) return;
    try {
      evidence.append(records);
    } catch (cause) {
      lose(cause, records.length);
    }
  };

  return {
    add(make) {
      queue.push(make);
      if (queue.length === 1) setTimeout(handOver, collectMs);
    },
    addDurable(make) {
      const records = build([make]);
      const written = (async (): Promise<void> => {
        try {
          if (records.length > 0) await evidence.appendDurable(records);
        } catch (cause) {
          lose(cause, records.length);
        }
      })();
      underWay.add(written);
      void written.then(() => underWay.delete(written));
      return written;
    },
    handOver,
    async flush() {
      handOver();
      await Promise.all(underWay);
    },
    fault() {
      try {
        return evidence.status().fault;
      } catch (cause) {
        return `the evidence log does not answer: ${cause instanceof Error ? cause.message : String(cause)}`;
      }
    },
  };
}
