// What is a case of the browser suite? A name and what must hold, on a stage with real servers and a real Chromium.
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core';

/** A running Assay whose page is looked at. */
export interface PageServer {
  readonly apiUrl: string;
  readonly gatewayUrl: string;
}

/** Options of a fresh page. */
export interface OpenOptions {
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: 'light' | 'dark';
  /** Of the reader, for example `Asia/Tokyo`. */
  readonly timeZone?: string;
  /** Faults of the console that the case brings about itself. */
  readonly tolerates?: RegExp;
}

/** What every case works with. */
export interface Stage {
  /** A demo run with its evidence, and `scores`, whose two models answer. */
  readonly server: PageServer;
  /** A demo run whose split is broken. */
  readonly invalid: PageServer;
  /** Without any experiment. */
  readonly empty: PageServer;
  /** A page of its own; console errors and policy violations fail the case. */
  open(url: string, options?: OpenOptions): Promise<Page>;
  /** Keeps a picture for eyes. */
  keep(page: Page, name: string): Promise<void>;
  /** Sends requests of `count` users, with their likes, to `scores` of the shared server or of another one. */
  drive(options: { readonly from: number; readonly count: number; readonly server?: PageServer }): Promise<void>;
  /** Addresses of two models that answer. */
  readonly models: readonly [string, string];
  /** Starts one more server; it ends with the suite. */
  startServer(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<RestartableServer>;
  /** An empty folder that goes with the suite. */
  makeFolder(): Promise<string>;
  /** A browser profile of its own; it ends with the case. */
  newContext(options?: BrowserContextOptions): Promise<BrowserContext>;
  /** Prints a measured figure under the case's name. */
  note(text: string): void;
}

/** A server a case may end. */
export interface RestartableServer extends PageServer {
  end(): Promise<void>;
}

/** One case. */
export interface BrowserCase {
  readonly name: string;
  /** It changes the shared server, or measures how smooth the page is: no other case runs beside it. */
  readonly isAlone?: true;
  readonly run: (stage: Stage) => Promise<void>;
}
