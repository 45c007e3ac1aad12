// What is a row of the systems suite? One real outside system, made to work with a real Assay, and checked.
import type { SystemsCache } from './cache.ts';

/** What a row gets to work with. */
export interface SystemContext {
  readonly cache: SystemsCache;
  /** An empty folder that goes when the row has ended. */
  readonly folder: string;
  /** Prints a line under the row's name. */
  note(text: string): void;
  /** Runs when the row has ended, the last one first. */
  afterwards(close: () => Promise<void> | void): void;
}

/** One real system. A row file is `NAME.system.ts` and exports one of these as `system`. */
export interface System {
  readonly name: string;
  /** What it puts into the cache, in words and with sizes where they are large. */
  readonly installs: string;
  /** Cold, on two cores, milliseconds; then the row is stopped and has failed. Default ten minutes. */
  readonly timeoutMs?: number;
  /** Resolves when everything held; throws where something did not. */
  run(context: SystemContext): Promise<void>;
}
