// How a program assigns units itself, without a request to the gateway: same rule, same answer, never an exception.
import { decide, type PreparedAssignment, prepareAssignment } from '../assignment/index.ts';
import { parseRoutingSnapshot, type RoutingSnapshot } from '../experiment/index.ts';

/** A local answer. `errorCode` is present when the caller's default was used. */
export interface LocalAssignment {
  readonly variant: string;
  /** `split`, `not-covered`, `paused`, `promoted`, `ended`, `no-unit`, or `default` when nothing could be decided. */
  readonly reason: string;
  /** Probability of this variant for a covered unit, 0..1. */
  readonly propensity: number;
  readonly errorCode?: 'no-snapshot' | 'unknown-experiment' | 'internal';
}

/** Options of `createAssigner`. */
export interface AssignerOptions {
  /** A routing snapshot, for example `await client.routing()`. */
  readonly snapshot?: unknown;
  /** Chance in [0, 1) for experiments that randomise per request; default Math.random. */
  readonly random?: () => number;
}

/** Assigns locally. Never throws and never waits. */
export interface Assigner {
  /** The variant for a unit; `fallback` is the answer when nothing can be decided. */
  assign(experiment: string, unit: string | null, fallback: string): LocalAssignment;
  /** Takes a newer snapshot; a bad one is refused and the last good one stays. Returns whether it was taken. */
  update(snapshot: unknown): boolean;
}

/**
 * Gives an assigner that answers like the gateway does.
 *
 * @example
 * const assigner = createAssigner({ snapshot: await client.routing() });
 * const { variant } = assigner.assign('financial-forecast', 'user-17', 'baseline');
 */
export function createAssigner(options: AssignerOptions = {}): Assigner {
  const random = options.random ?? Math.random;
  let prepared: ReadonlyMap<string, PreparedAssignment> | null = null;

  const update = (value: unknown): boolean => {
    let snapshot: RoutingSnapshot;
    try {
      snapshot = parseRoutingSnapshot(value);
    } catch {
      return false;
    }
    prepared = new Map(snapshot.experiments.map((each) => [each.name, prepareAssignment(each)]));
    return true;
  };
  if (options.snapshot !== undefined) update(options.snapshot);

  return {
    update,
    assign(experiment, unit, fallback) {
      const byDefault = (errorCode: NonNullable<LocalAssignment['errorCode']>): LocalAssignment => ({
        variant: fallback,
        reason: 'default',
        propensity: 1,
        errorCode,
      });
      if (prepared === null) return byDefault('no-snapshot');
      const found = prepared.get(experiment);
      if (found === undefined) return byDefault('unknown-experiment');
      try {
        const { variant, reason, propensity } = decide(found, { unit, forced: null, random });
        return { variant, reason, propensity };
      } catch {
        return byDefault('internal');
      }
    },
  };
}
