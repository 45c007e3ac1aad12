// Which experiment does a request meet? Turns a routing snapshot into look-ups, once per change.
import { type PreparedAssignment, prepareAssignment } from '../assignment/index.ts';
import type { Observer } from '../evidence/index.ts';
import type { RoutedExperiment, RoutingSnapshot, Variant } from '../experiment/index.ts';
import { type CaptureReader, createCaptureReader } from './capture.ts';
import { createUnitReader, type UnitReader } from './unit-id.ts';
import type { ModelPath } from './upstream-path.ts';

/** How an experiment decides and what it captures; all that can go wrong in it stays on the experiment side. */
interface ExperimentSide {
  readonly assignment: PreparedAssignment;
  readonly readUnit: UnitReader;
  readonly captures: CaptureReader;
}

/** One experiment, ready to serve. */
export interface PreparedExperiment {
  readonly routed: RoutedExperiment;
  readonly control: Variant;
  readonly variants: ReadonlyMap<string, Variant>;
  /** Null when the experiment cannot be prepared: the control answers everybody. */
  readonly side: ExperimentSide | null;
}

/** What of a request decides where it goes. */
interface RouteKey {
  /** Without query. */
  readonly path: string;
  /** Lower case, without port. */
  readonly host: string;
  readonly model: ModelPath | null;
}

/** Look-ups for one snapshot. */
export interface RoutingTable {
  readonly revision: number;
  /** Most specific first: model name, then the longest path, then host. */
  match(key: RouteKey): PreparedExperiment | null;
  /** Every variant of every experiment. */
  readonly variants: readonly Variant[];
}

/** Makes tables; an experiment that did not change keeps what was prepared for it. */
export function createTableBuilder(observer: Observer): (snapshot: RoutingSnapshot) => RoutingTable {
  const prepared = new WeakMap<RoutedExperiment, PreparedExperiment>();
  return (snapshot) => {
    const models = new Map<string, PreparedExperiment>();
    const hosts = new Map<string, PreparedExperiment>();
    const paths: { readonly path: string; readonly experiment: PreparedExperiment }[] = [];
    for (const routed of snapshot.experiments) {
      const experiment = prepared.get(routed) ?? prepareExperiment(routed, observer);
      if (experiment === null) continue;
      prepared.set(routed, experiment);
      const { route } = routed;
      if (route.kind === 'model') models.set(route.model, experiment);
      else if (route.kind === 'host') hosts.set(route.host.toLowerCase(), experiment);
      else paths.push({ path: route.path.replace(/\/+$/, ''), experiment });
    }
    paths.sort((a, b) => b.path.length - a.path.length);
    return {
      revision: snapshot.revision,
      variants: snapshot.experiments.flatMap((routed) => routed.variants),
      match({ path, host, model }) {
        if (model !== null) {
          const found = models.get(model.model);
          if (found !== undefined) return found;
        }
        for (const entry of paths) {
          const { length } = entry.path;
          if (path.startsWith(entry.path) && (path.length === length || path[length] === '/')) return entry.experiment;
        }
        return hosts.get(host) ?? null;
      },
    };
  };
}

function prepareExperiment(routed: RoutedExperiment, observer: Observer): PreparedExperiment | null {
  const variants = new Map(routed.variants.map((variant) => [variant.name, variant]));
  const control = variants.get(routed.control);
  const name = `${routed.namespace}/${routed.name}`;
  if (control === undefined) {
    observer.fault('experiment-invalid', `experiment ${name} has no variant "${routed.control}" and is not served`);
    return null;
  }
  try {
    const side = {
      assignment: prepareAssignment(routed),
      readUnit: createUnitReader(routed.unit),
      captures: createCaptureReader(routed.capture),
    };
    return { routed, control, variants, side };
  } catch (cause) {
    observer.fault('experiment-invalid', `experiment ${name} cannot be prepared; its control answers everybody`, cause);
    return { routed, control, variants, side: null };
  }
}

const inference: ReadonlySet<string> = new Set(['/infer', '/generate', '/infer_stream', '/generate_stream']);

/**
 * True when the request asks for a prediction. Readiness, metadata, preflight and the like are answered by the control
 * and leave no record: a probe is nobody's exposure.
 */
export function isPrediction(experiment: PreparedExperiment, method: string, model: ModelPath | null): boolean {
  if (experiment.control.upstream.protocol === 'oip') {
    return method === 'POST' && model !== null && inference.has(model.rest);
  }
  if (experiment.routed.route.kind === 'model') return method === 'POST';
  return method !== 'OPTIONS' && method !== 'HEAD' && method !== 'TRACE';
}
