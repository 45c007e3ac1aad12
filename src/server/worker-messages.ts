// What do the primary process and its gateway workers say to each other?
import type { VariantTally } from '../evidence/index.ts';
import type { RoutingSnapshot } from '../experiment/index.ts';
import type { DataPlaneSettings } from './data-plane.ts';
import type { PlaneStatus } from './plane-status.ts';
import type { ObservedEjection } from './tell-ejections.ts';

/** From the primary to a worker. */
export type WorkerOrder =
  | {
      readonly kind: 'start';
      /** 1..N; a replacement has the number of the worker it replaces. */
      readonly slot: number;
      readonly settings: DataPlaneSettings;
      readonly dataDirectory: string;
      readonly snapshot: RoutingSnapshot;
    }
  | { readonly kind: 'routing'; readonly snapshot: RoutingSnapshot }
  | { readonly kind: 'ask'; readonly question: number }
  /** Drain, close the log, end. */
  | { readonly kind: 'stop' };

/** From a worker to the primary. */
export type WorkerReport =
  /** It listens to orders from now on; earlier ones are lost. */
  | { readonly kind: 'loaded' }
  | { readonly kind: 'ready'; readonly port: number; readonly grpcPort: number | null; readonly status: PlaneStatus }
  /** It cannot start, and ends. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string; readonly fix?: string }
  | { readonly kind: 'status'; readonly question: number | null; readonly status: PlaneStatus }
  /** What predictions did since the last of these. */
  | { readonly kind: 'tally'; readonly tallies: readonly VariantTally[] }
  | { readonly kind: 'fault'; readonly code: string; readonly message: string }
  | { readonly kind: 'ejection'; readonly ejection: ObservedEjection };
