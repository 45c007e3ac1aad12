// Who seals logs, merges segments and lets old ones go while a server runs? One job after another, now and then, in the background.
import { closedLogFiles } from '../adapters/closed-logs.ts';
import { type EvidenceJobs, jobsHere } from '../adapters/evidence-jobs.ts';
import type { FileEvidenceLog } from '../adapters/file-evidence-log.ts';
import type { Tell } from '../adapters/pino-log.ts';
import { AssayError } from '../errors.ts';
import type { Observer } from '../evidence/index.ts';
import { now } from './clock.ts';

/** When evidence goes. */
export interface RetentionSettings {
  /** Evidence that arrived longer ago goes; default never. */
  readonly keepMs?: number;
  /** The oldest goes beyond this; default no limit. */
  readonly maxBytes?: number;
}

/** Options of `startEvidenceUpkeep`. */
interface EvidenceUpkeepOptions {
  readonly directory: string;
  readonly observer: Observer;
  readonly retention: RetentionSettings;
  /** Ships what is sealed. Where it is given, logs go to another server too, and nothing is sealed here. */
  readonly shipSealed?: () => Promise<void>;
  /** The longest window of any experiment there is, milliseconds. */
  readonly longestWindowMs: () => number;
  /** Who does the work; default this process. */
  readonly jobs?: EvidenceJobs;
  /** Pause between two rounds; default 60,000. */
  readonly everyMs?: number;
  readonly tell: Tell;
}

/** What an erasure over the API did. */
export interface ErasureDone {
  readonly erased: Readonly<Record<string, number>>;
  readonly erasedBeforeMs: number | null;
}

/** The upkeep of one data directory. */
export interface EvidenceUpkeep {
  /** One round now; never rejects. */
  round(): Promise<void>;
  /**
   * Closes the log, seals everything and erases a unit.
   * @throws AssayError `evidence-not-durable` while records cannot be sealed; then nothing was erased.
   */
  erase(unit: string, logs: readonly FileEvidenceLog[]): Promise<ErasureDone>;
  /** Stops after the job that is under way. */
  close(): Promise<void>;
}

/** A day of segments this many is merged. */
const mergeFrom = 16;

/** Starts the upkeep. A fault is told and counted, and the next round tries again: logs only ever go when they are sealed. */
export function startEvidenceUpkeep(options: EvidenceUpkeepOptions): EvidenceUpkeep {
  const { directory, observer, retention, tell, jobs = jobsHere } = options;
  let isClosed = false;
  let last: Promise<unknown> = Promise.resolve();
  /** One job at a time changes the directory. */
  const inTurn = <T>(job: () => Promise<T>): Promise<T> => {
    const result = last.then(job);
    last = result.catch(() => undefined);
    return result;
  };

  const round = async (): Promise<void> => {
    if (isClosed) return;
    try {
      if (options.shipSealed !== undefined) await options.shipSealed();
      else if ((await closedLogFiles(directory)).length > 0) {
        const { damaged } = await jobs.seal({ directory, nowMs: now() });
        for (const text of damaged) observer.fault('evidence-corrupt', text);
        if (!isClosed) await jobs.compact({ directory, atLeast: mergeFrom });
      }
      if (isClosed || (retention.keepMs === undefined && retention.maxBytes === undefined)) return;
      const { rows, bytes, bytesTooMany } = await jobs.retain({
        directory,
        nowMs: now(),
        longestWindowMs: options.longestWindowMs(),
        ...retention,
      });
      if (rows > 0)
        tell(`retention: ${rows} records in ${bytes} bytes have gone`, {
          name: 'evidence-removed',
          fields: { records: rows, bytes },
        });
      if (bytesTooMany > 0)
        observer.fault(
          'data-directory-unusable',
          `${directory} holds ${bytesTooMany} bytes more than allowed, and running experiments need all of it`,
        );
    } catch (fault) {
      const code = fault instanceof AssayError ? fault.code : 'data-directory-unusable';
      observer.fault(code, `evidence could not be sealed: ${(fault as Error).message}`, fault);
    }
  };
  const timer = setInterval(() => void inTurn(round), options.everyMs ?? 60_000).unref();
  if (options.shipSealed !== undefined) void inTurn(round);

  return {
    round: () => inTurn(round),
    erase: (unit, logs) =>
      inTurn(async () => {
        for (const log of logs) {
          await log.roll();
          const { fault } = log.status();
          if (fault !== null) throw new AssayError('evidence-not-durable', `nothing was erased: ${fault}`);
        }
        const { damaged } = await jobs.seal({ directory, nowMs: now() });
        if (damaged.length > 0) throw new AssayError('evidence-corrupt', `nothing was erased: ${damaged[0]}`);
        const { rows, bodies, erasedBeforeMs } = await jobs.erase({ directory, unit, nowMs: now() });
        return { erased: { ...rows, bodies }, erasedBeforeMs };
      }),
    async close() {
      isClosed = true;
      clearInterval(timer);
      await last;
    },
  };
}
