// How does a program report outcomes as they happen, without waiting, without losing them to a short outage and without counting
// one twice? Collected, sent together, sent again with growing pauses, each under an id of its own. Runs in browsers too.
import { AssayError } from '../errors.ts';
import type { Client, OutcomeInput } from './client.ts';

/** An outcome on its way; without an id it gets a random one, without a time that of the call. */
export type OutcomeReport = Omit<OutcomeInput, 'id'> & { readonly id?: string };

/** Options of `createOutcomeReporter`. */
export interface OutcomeReporterOptions {
  readonly client: Pick<Client, 'reportOutcomes'>;
  /** Outcomes that are sent together at most; default 500. */
  readonly maxBatch?: number;
  /** How long an outcome waits for others, milliseconds; default 1,000. */
  readonly maxDelayMs?: number;
  /** Outcomes that wait at most; beyond it new ones are dropped. Default 10,000. */
  readonly maxQueue?: number;
  /** Longest pause between two tries, milliseconds; default 30,000. */
  readonly maxPauseMs?: number;
  /** Why outcomes were given up, or why they still wait (then the list is empty). */
  readonly onFault?: (fault: AssayError, dropped: readonly OutcomeInput[]) => void;
}

/** Sends outcomes in the background. */
export interface OutcomeReporter {
  /** Never throws and never waits. False when it was dropped because too many wait. */
  report(outcome: OutcomeReport): boolean;
  /** Sends what waits now; resolves when that is durable or given up. Goes on trying while the server is away. */
  flush(): Promise<void>;
  /** Takes no more, tries once to send the rest, resolves with how many were not sent. */
  close(): Promise<number>;
  status(): { readonly waiting: number; readonly sent: number; readonly dropped: number };
}

/** Faults that lie in one of the outcomes; a smaller batch finds out which. */
const faultsOfContent: readonly string[] = ['outcome-invalid', 'body-too-large', 'request-invalid'];
const firstPauseMs = 500;

/**
 * Gives a reporter over a client.
 *
 * @example
 * const reporter = createOutcomeReporter({ client });
 * reporter.report({ type: 'click', value: true, unit: 'user-17' });
 * await reporter.close();
 */
export function createOutcomeReporter(options: OutcomeReporterOptions): OutcomeReporter {
  const { client, maxBatch = 500, maxDelayMs = 1_000, maxQueue = 10_000, maxPauseMs = 30_000 } = options;
  let queue: OutcomeInput[] = [];
  let sent = 0;
  let dropped = 0;
  let tries = 0;
  let isClosed = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let sending: Promise<void> | undefined;
  /** Ends a pause early. */
  let wake: () => void = () => {};

  const tell = (fault: AssayError, given: readonly OutcomeInput[]): void => {
    dropped += given.length;
    options.onFault?.(fault, given);
  };

  /** Durable, or given up; throws what may pass. */
  const send = async (batch: readonly OutcomeInput[]): Promise<void> => {
    try {
      await client.reportOutcomes(batch);
      sent += batch.length;
    } catch (fault) {
      if (!(fault instanceof AssayError) || !faultsOfContent.includes(fault.code)) throw fault;
      if (batch.length === 1) return tell(fault, batch);
      const half = Math.ceil(batch.length / 2);
      await send(batch.slice(0, half));
      await send(batch.slice(half));
    }
  };

  const drain = async (): Promise<void> => {
    while (queue.length > 0) {
      const batch = queue.slice(0, maxBatch);
      try {
        await send(batch);
        queue = queue.slice(batch.length);
        tries = 0;
      } catch (fault) {
        tell(asAssayError(fault), []);
        if (isClosed) return;
        const pauseMs = Math.random() * Math.min(maxPauseMs, firstPauseMs * 2 ** tries);
        tries = Math.min(tries + 1, 20);
        await new Promise<void>((resolve) => {
          wake = resolve;
          setTimeout(resolve, pauseMs);
        });
        if (isClosed) return;
      }
    }
  };

  const start = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    sending ??= drain().finally(() => {
      sending = undefined;
    });
    return sending;
  };

  return {
    report(outcome) {
      if (isClosed || queue.length >= maxQueue) {
        dropped += 1;
        return false;
      }
      queue.push({ ...outcome, id: outcome.id ?? randomId(), time: outcome.time ?? Date.now() });
      if (queue.length >= maxBatch) void start();
      else if (sending === undefined) timer ??= setTimeout(() => void start(), maxDelayMs);
      return true;
    },
    flush: start,
    async close() {
      isClosed = true;
      wake();
      // A pause ends at once, and what it left is tried one last time.
      await sending;
      if (queue.length > 0) await start();
      clearTimeout(timer);
      return queue.length;
    },
    status: () => ({ waiting: queue.length, sent, dropped }),
  };
}

function asAssayError(fault: unknown): AssayError {
  return fault instanceof AssayError
    ? fault
    : new AssayError('server-unreachable', `outcomes could not be sent: ${String(fault)}`, { cause: fault });
}

/** `crypto.randomUUID` is missing in pages without TLS. */
function randomId(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
