// When do records reach the log? After the reply, in batches, one turn of the event loop later; a fault here never reaches a caller.
import type { EvidenceLog, NewRecord, Observer } from '../evidence/index.ts';

/** Takes records off the hot path. */
export interface Recorder {
  /** Queues a record that is built later; `make` may throw. */
  add(make: () => NewRecord): void;
  /** Builds and writes a record now; resolves when it is durable or has been given up, never rejects. */
  addDurable(make: () => NewRecord): Promise<void>;
  /** Hands over everything queued, and resolves when no durable write is under way. */
  flush(): Promise<void>;
}

/** A recorder for one gateway. */
export function createRecorder(evidence: Pick<EvidenceLog, 'append' | 'appendDurable'>, observer: Observer): Recorder {
  let queue: (() => NewRecord)[] = [];
  const underWay = new Set<Promise<void>>();

  const lose = (cause: unknown, count: number): void => {
    observer.count('evidence_lost', {}, count);
    observer.fault('evidence-not-durable', `${count} records could not be handed to the evidence log`, cause);
  };

  const build = (makes: readonly (() => NewRecord)[]): NewRecord[] => {
    const records: NewRecord[] = [];
    for (const make of makes) {
      try {
        records.push(make());
      } catch (cause) {
        lose(cause, 1);
      }
    }
    return records;
  };

  const write = (): void => {
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
      if (queue.length === 1) setImmediate(write);
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
    async flush() {
      write();
      await Promise.all(underWay);
    },
  };
}
