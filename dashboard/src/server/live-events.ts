// What tells the page that something changed? One stream for the whole browser where shared workers exist, else one a tab.
import type { LiveEvent } from '../../../src/api/index.ts';

/** What a stream says: that it stands, that it broke, or that an experiment changed. */
export type LiveMessage =
  | { readonly kind: 'open'; readonly at: number }
  | { readonly kind: 'lost'; readonly at: number }
  | { readonly kind: 'change'; readonly at: number; readonly event: LiveEvent };

/**
 * Listens to the server; gives the way to stop.
 *
 * @param options.now the clock, epoch milliseconds.
 */
export function listenToServer(
  url: string,
  options: { readonly onMessage: (message: LiveMessage) => void; readonly now: () => number },
): () => void {
  const { onMessage, now } = options;
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let pauseMs = 1000;
  const open = (): void => {
    source = new EventSource(url);
    source.onopen = () => {
      pauseMs = 1000;
      onMessage({ kind: 'open', at: now() });
    };
    source.addEventListener('change', (message) => {
      onMessage({ kind: 'change', at: now(), event: JSON.parse((message as MessageEvent<string>).data) as LiveEvent });
    });
    source.onerror = () => {
      onMessage({ kind: 'lost', at: now() });
      // A refused stream is closed for good by the browser; a broken one comes back by itself.
      if (source?.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(open, pauseMs);
      pauseMs = Math.min(pauseMs * 2, 15_000);
    };
  };
  open();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}
