// Where does the gateway of the same process get its routing from?
import type { RoutingSnapshot } from '../experiment/index.ts';
import type { ExperimentService } from './experiment-service.ts';

/**
 * The service as a source of routing snapshots: the present one, and a call after every change of it. Has the shape of the
 * gateway's port `RoutingSource`.
 */
export function createRoutingSource(service: Pick<ExperimentService, 'snapshot' | 'subscribe'>): {
  readonly current: () => RoutingSnapshot;
  readonly subscribe: (listener: (snapshot: RoutingSnapshot) => void) => () => void;
} {
  return {
    current: () => service.snapshot(),
    subscribe: (listener) => {
      let seen = service.snapshot();
      return service.subscribe(() => {
        const snapshot = service.snapshot();
        if (snapshot === seen) return;
        seen = snapshot;
        listener(snapshot);
      });
    },
  };
}
