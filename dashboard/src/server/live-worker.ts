// Holds the one stream of the browser and hands each message to every tab: eight tabs would use up all connections otherwise.
import { type LiveMessage, listenToServer } from './live-events.ts';
import { otherPaths } from './page-paths.ts';

const tabs = new Set<MessagePort>();
let last: LiveMessage | undefined;
let stop: (() => void) | undefined;

(self as unknown as { onconnect: (event: MessageEvent) => void }).onconnect = (event) => {
  const port = event.ports[0]!;
  tabs.add(port);
  port.onmessage = () => {
    tabs.delete(port);
    if (tabs.size > 0) return;
    stop?.();
    stop = undefined;
    last = undefined;
  };
  port.start();
  if (last !== undefined) port.postMessage(last.kind === 'change' ? { kind: 'open', at: last.at } : last);
  stop ??= listenToServer(otherPaths.live, {
    now: Date.now,
    onMessage: (message) => {
      last = message;
      for (const tab of tabs) tab.postMessage(message);
    },
  });
};
