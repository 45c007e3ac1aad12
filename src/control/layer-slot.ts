// Which units of a layer are free for one more experiment? Slots never overlap, so no unit is in two experiments of a layer.
import { bucketCount } from '../assignment/index.ts';
import { AssayError } from '../errors.ts';
import { type Experiment, hasEnded } from '../experiment/index.ts';
import type { LayerSlot } from './control-event.ts';
import type { ExperimentState } from './experiment-state.ts';

/**
 * Buckets of its layer for an experiment that starts, the lowest that are free; undefined without a layer.
 * @throws AssayError `transition-refused` naming who has the others, when too few are free.
 */
export function takeSlot(experiment: Experiment, states: Iterable<ExperimentState>): LayerSlot | undefined {
  const { layer, namespace, name, layerShare = 1 } = experiment;
  if (layer === undefined) return undefined;
  const others = [...states].filter(
    (each) =>
      each.experiment.layer === layer &&
      each.experiment.namespace === namespace &&
      each.experiment.name !== name &&
      each.slot.length > 0 &&
      !hasEnded(each.state),
  );
  const taken = others.flatMap(({ slot }) => slot).sort((a, b) => a.from - b.from);
  let wanted = Math.round(layerShare * bucketCount);
  const slot: { from: number; to: number }[] = [];
  let from = 0;
  for (const next of [...taken, { from: bucketCount, to: bucketCount }]) {
    const width = Math.min(wanted, next.from - from);
    if (width > 0) slot.push({ from, to: from + width });
    wanted -= Math.max(0, width);
    from = next.to;
  }
  if (wanted === 0) return slot;
  const free = 1 - taken.reduce((sum, each) => sum + each.to - each.from, 0) / bucketCount;
  const owners = others.map((each) => `"${each.experiment.name}"`).join(', ');
  throw new AssayError(
    'transition-refused',
    `layer "${layer}" has a share of ${Number(free.toFixed(6))} free, must have ${layerShare} for "${name}"; the rest belongs to ${owners}`,
    { fix: `End one of them, or set spec.layerShare of "${name}" to what is free.` },
  );
}
