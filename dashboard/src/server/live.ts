// Is what the page shows still true? Follows the server's stream, asks again for what changed, and knows how old the rest is.
import type { QueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import type { VerdictDisplay } from '../../../src/api/index.ts';
import { type LiveMessage, listenToServer } from './live-events.ts';
import { otherPaths } from './page-paths.ts';

/** How the page stands to the server. */
export interface LiveState {
  readonly connection: 'connecting' | 'live' | 'lost';
  readonly isPaused: boolean;
  /** Epoch milliseconds of the last word from the server; 0 before the first. */
  readonly lastAt: number;
  /** Changes that were held back while paused. */
  readonly held: number;
  /** For the one polite live region: the newest change of a verdict. */
  readonly announcement: string;
}

/** Between two questions about the same experiment, milliseconds. */
const shortestPauseMs = 2000;
/** A stream that has been silent for so long after an error is called lost. */
const patienceMs = 1500;

let state: LiveState = { connection: 'connecting', isPaused: false, lastAt: 0, held: 0, announcement: '' };
const listeners = new Set<() => void>();
const verdicts = new Map<string, VerdictDisplay>();
const stale = new Set<string>();
const holders = new Set<symbol>();
let timer: ReturnType<typeof setTimeout> | undefined;
let lostTimer: ReturnType<typeof setTimeout> | undefined;
let lastAskedAt = 0;
let client: QueryClient | undefined;

function change(next: Partial<LiveState>): void {
  state = { ...state, ...next };
  for (const listener of listeners) listener();
}

function askAgain(): void {
  timer = undefined;
  if (client === undefined || stale.size === 0) return;
  if (state.isPaused || holders.size > 0) {
    change({ held: stale.size });
    return;
  }
  lastAskedAt = Date.now();
  for (const key of stale) {
    const [namespace = '', name = ''] = key.split('\n');
    void client.invalidateQueries({ queryKey: ['experiment', namespace, name] });
  }
  void client.invalidateQueries({ queryKey: ['list'] });
  stale.clear();
  change({ held: 0 });
}

function schedule(): void {
  if (timer !== undefined) return;
  timer = setTimeout(askAgain, Math.max(50, lastAskedAt + shortestPauseMs - Date.now()));
}

function take(message: LiveMessage): void {
  if (message.kind === 'lost') {
    lostTimer ??= setTimeout(() => change({ connection: 'lost' }), patienceMs);
    return;
  }
  clearTimeout(lostTimer);
  lostTimer = undefined;
  // After an outage everything may have changed.
  if (message.kind === 'open' && state.connection === 'lost') void client?.invalidateQueries();
  change({ connection: 'live', lastAt: message.at });
  if (message.kind !== 'change') return;
  const { namespace, experiment, verdictKind } = message.event;
  const key = `${namespace}\n${experiment}`;
  const before = verdicts.get(key);
  verdicts.set(key, verdictKind);
  if (before !== undefined && before !== verdictKind)
    change({ announcement: `The verdict of ${experiment} is now: ${verdictKind}.` });
  stale.add(key);
  schedule();
}

/** Begins to follow the server; gives the way to stop. */
export function startLive(queryClient: QueryClient): () => void {
  client = queryClient;
  if (typeof SharedWorker === 'undefined') return listenToServer(otherPaths.live, { onMessage: take, now: Date.now });
  const worker = new SharedWorker(new URL('./live-worker.ts', import.meta.url), { type: 'module', name: 'assay-live' });
  worker.port.onmessage = (event: MessageEvent<LiveMessage>) => take(event.data);
  const leave = (): void => worker.port.postMessage('leave');
  addEventListener('pagehide', leave);
  return () => {
    removeEventListener('pagehide', leave);
    leave();
    worker.port.close();
  };
}

/** Stops or resumes updates; what came in meanwhile is fetched at once. */
export function setPaused(isPaused: boolean): void {
  change({ isPaused });
  if (!isPaused) schedule();
}

/** Holds updates while a reader is busy with what is shown (a dialog, a chart); gives the way to let go. */
export function holdUpdates(): () => void {
  const holder = Symbol('holder');
  holders.add(holder);
  return () => {
    holders.delete(holder);
    if (stale.size > 0) schedule();
  };
}

/** Says something in the polite live region. */
export function announce(announcement: string): void {
  change({ announcement });
}

/** The state of the connection; draws anew when it changes. */
export function useLive(): LiveState {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => state,
  );
}
