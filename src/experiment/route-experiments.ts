// Who answers which request right now? The routing snapshot, made from specification and state, and read back from a cached copy.

import { bucketCount, type UnitGate } from '../assignment/index.ts';
import type { Experiment, Route } from './experiment.ts';
import { type ExperimentStateName, hasEnded } from './lifecycle.ts';
import type { Allocation, AllocationRange, RoutedExperiment, RoutingSnapshot } from './routing.ts';

/** An experiment with everything of its state that routing depends on. */
export interface RoutableExperiment {
  readonly experiment: Experiment;
  readonly state: ExperimentStateName;
  /** Revision of the specification. */
  readonly revision: number;
  /** Share of units that take part, 0..1. */
  readonly coverage: number;
  readonly epoch: number;
  readonly allocation: Allocation;
  /** Buckets of the layer that are this experiment's; absent or empty where it has none. */
  readonly slot?: UnitGate['ranges'];
  /** When the present epoch began, epoch milliseconds. */
  readonly sinceMs: number;
}

/**
 * The allocation a state calls for: the split while running, one variant for everybody otherwise.
 * @param ranges the split; used while running
 * @param promoted name of the winner; used when promoted
 */
export function allocationFor(
  state: ExperimentStateName,
  {
    control,
    ranges,
    promoted,
  }: { readonly control: string; readonly ranges: readonly AllocationRange[]; readonly promoted?: string | undefined },
): Allocation {
  if (state === 'running') return { kind: 'fixed', ranges };
  if (state === 'promoted') return { kind: 'single', variant: promoted ?? control, reason: 'promoted' };
  return { kind: 'single', variant: control, reason: hasEnded(state) ? 'ended' : 'paused' };
}

/** One text per route, equal for routes that would take the same requests. */
export function routeKey(route: Route): string {
  if (route.kind === 'model') return `model ${route.model}`;
  return route.kind === 'path' ? `path ${route.path}` : `host ${route.host}`;
}

/**
 * The routing snapshot of all experiments.
 *
 * A route answers for one experiment: one that runs or is paused before one that has ended, that before a draft, and the
 * latest change before earlier ones. So a draft for the next test does not disturb the winner of the last.
 * @param previous entries that did not change are taken over as the same objects.
 */
export function buildSnapshot(
  experiments: readonly RoutableExperiment[],
  { revision, previous }: { readonly revision: number; readonly previous?: RoutingSnapshot | undefined },
): RoutingSnapshot {
  const owners = new Map<string, RoutableExperiment>();
  for (const each of experiments) {
    const key = routeKey(each.experiment.route);
    const owner = owners.get(key);
    if (owner === undefined || precedes(each, owner)) owners.set(key, each);
  }
  const routed = [...owners.values()].map((each) => {
    const old = previous?.experiments.find(
      (other) => other.name === each.experiment.name && other.namespace === each.experiment.namespace,
    );
    return old?.revision === each.revision && old.epoch === each.epoch ? old : routeExperiment(each);
  });
  return { format: 'assay-routing', version: 1, revision, experiments: routed };
}

function precedes(a: RoutableExperiment, b: RoutableExperiment): boolean {
  const rank = rankOf(a.state) - rankOf(b.state);
  return rank > 0 || (rank === 0 && a.sinceMs >= b.sinceMs);
}

function rankOf(state: ExperimentStateName): number {
  if (hasEnded(state)) return 1;
  return state === 'draft' ? 0 : 2;
}

function routeExperiment({
  experiment,
  revision,
  coverage,
  epoch,
  allocation,
  slot,
}: RoutableExperiment): RoutedExperiment {
  const { namespace, name, salt, layer = null, route, unit, control, variants, capture } = experiment;
  const { mirror, resilience, bodyCapture } = experiment;
  return {
    namespace,
    name,
    revision,
    salt,
    layer,
    ...gatesOf(experiment, slot),
    route,
    unit,
    coverage,
    epoch,
    control,
    allocation,
    variants,
    capture,
    ...(mirror === undefined ? {} : { mirror }),
    ...(resilience === undefined ? {} : { resilience }),
    ...(bodyCapture === undefined ? {} : { bodyCapture }),
  };
}

function gatesOf(
  { namespace, layer, holdout }: Experiment,
  slot: UnitGate['ranges'] = [],
): { readonly gates?: readonly UnitGate[] } {
  const gates: UnitGate[] = [];
  if (holdout !== undefined) {
    const from = Math.round(holdout.share * bucketCount);
    gates.push({ kind: 'holdout', salt: `${namespace}/${holdout.name}`, ranges: [{ from, to: bucketCount }] });
  }
  if (layer !== undefined && slot.length > 0)
    gates.push({ kind: 'layer', salt: `${namespace}/${layer}`, ranges: slot });
  return gates.length === 0 ? {} : { gates };
}
