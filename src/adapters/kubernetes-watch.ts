// What is there of one kind of resource, and what changes? Lists, watches from there, lists again when the server has forgotten.
import { setTimeout as pause } from 'node:timers/promises';
import type { KubernetesClient, KubernetesObject, KubernetesResource } from './kubernetes-client.ts';

/** What a watch tells, one after another. */
export type ResourceNews =
  /** All there is: what is not among them is gone. */
  | { readonly kind: 'listed'; readonly objects: readonly KubernetesObject[] }
  | { readonly kind: 'changed' | 'gone'; readonly object: KubernetesObject };

/** Options of `watchResources`. */
export interface WatchResourcesOptions {
  readonly client: Pick<KubernetesClient, 'list' | 'watch'>;
  readonly resource: KubernetesResource;
  /** Awaited before the next; must not throw. */
  readonly onNews: (news: ResourceNews) => Promise<void>;
  /** One sentence when the API goes away, and one when it is back. */
  readonly tell: (sentence: string) => void;
  /** Pause after the first failure, doubled up to `longestPauseMs`; half of each is chance. Default 500. */
  readonly firstPauseMs?: number;
  /** Default 30000. */
  readonly longestPauseMs?: number;
}

/** A running watch. */
export interface ResourceWatch {
  /** Resolves when the first list has been told, or could not be had. */
  readonly tried: Promise<void>;
  close(): Promise<void>;
}

/** Starts to watch; goes on whatever the API does, until it is closed. */
export function watchResources(options: WatchResourcesOptions): ResourceWatch {
  const { client, resource, onNews, tell, firstPauseMs = 500, longestPauseMs = 30_000 } = options;
  const stop = new AbortController();
  const { signal } = stop;
  let markTried = (): void => {};
  const tried = new Promise<void>((resolve) => {
    markTried = resolve;
  });
  let failures = 0;

  /** From one list until the API has forgotten the version, or a fault. */
  const follow = async (): Promise<void> => {
    const { items, resourceVersion } = await client.list(resource);
    if (signal.aborted) return;
    if (failures > 0) tell(`${resource.plural} of ${resource.group} can be read again`);
    await onNews({ kind: 'listed', objects: items });
    markTried();
    let version = resourceVersion;
    while (!signal.aborted) {
      for await (const event of client.watch(resource, { resourceVersion: version, signal })) {
        if (signal.aborted || event.kind === 'expired') return;
        failures = 0;
        version = event.object.metadata.resourceVersion ?? version;
        if (event.kind !== 'bookmark') await onNews(event);
      }
      // The server ends every watch after a while; a server that ends them at once is not asked without pause.
      await pause(firstPauseMs * Math.random(), undefined, { signal });
    }
  };

  const running = (async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await follow();
        failures = 0;
      } catch (fault) {
        if (signal.aborted) break;
        failures += 1;
        if (failures === 1)
          tell(`${resource.plural} of ${resource.group} cannot be watched: ${(fault as Error).message}`);
        markTried();
        const longest = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 10));
        await pause(longest * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
      }
    }
  })().catch(() => {
    // Only the pause between two watches ends like this, when it is closed.
  });

  return {
    tried,
    async close() {
      stop.abort();
      markTried();
      await running;
    },
  };
}
