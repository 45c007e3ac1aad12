// Which routing does a process apply that is told of it by another one? The last snapshot it was given.
import type { RoutedExperiment, RoutingSnapshot } from '../experiment/index.ts';
import type { RoutingSource } from '../gateway/index.ts';

/** A routing source that is set from outside. */
export interface SnapshotHolder extends RoutingSource {
  set(snapshot: RoutingSnapshot): void;
}

/**
 * Holds one snapshot. Experiments that did not change stay the same objects, whoever sent them anew: what a gateway has
 * prepared and learnt for them hangs on that.
 */
export function createSnapshotHolder(first: RoutingSnapshot): SnapshotHolder {
  const listeners = new Set<(snapshot: RoutingSnapshot) => void>();
  let known = new Map<string, RoutedExperiment>();
  const keep = (snapshot: RoutingSnapshot): RoutingSnapshot => {
    const next = new Map<string, RoutedExperiment>();
    for (const experiment of snapshot.experiments) {
      const text = JSON.stringify(experiment);
      next.set(text, known.get(text) ?? experiment);
    }
    known = next;
    return { ...snapshot, experiments: [...next.values()] };
  };
  let current = keep(first);
  return {
    current: () => current,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set(snapshot) {
      current = keep(snapshot);
      for (const listener of listeners) listener(current);
    },
  };
}
