// Which experiment does a request meet? Turns a routing snapshot into look-ups, once per change.
import { type PreparedAssignment, prepareAssignment } from '../assignment/index.ts';
import type { Observer } from '../evidence/index.ts';
import { experimentLabel, type RoutedExperiment, type RoutingSnapshot, type Variant } from '../experiment/index.ts';
import { type CaptureReader, createCaptureReader } from './capture.ts';
import { isOpenAiPath } from './openai-request.ts';
import type { SeldonTarget } from './seldon-headers.ts';
import { createUnitReader, type UnitReader } from './unit-id.ts';
import type { AskedPath, ModelPath } from './upstream-path.ts';

/** How an experiment decides and what it captures; all that can go wrong in it stays on the experiment side. */
interface ExperimentSide {
  readonly assignment: PreparedAssignment;
  readonly readUnit: UnitReader;
  readonly captures: CaptureReader;
  /** Some variant writes into JSON bodies, so a request without one can be no part of the comparison. */
  readonly editsJson: boolean;
}

/** One experiment, ready to serve. */
export interface PreparedExperiment {
  readonly routed: RoutedExperiment;
  /** Of whatever is counted about it. */
  readonly labels: { readonly experiment: string };
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
  /** What a Seldon header names; goes before everything else. */
  readonly seldon: SeldonTarget | null;
}

/** Look-ups for one snapshot. */
export interface RoutingTable {
  readonly revision: number;
  /** Most specific first: a name in Seldon's header, model name in the path, the longest path, host. */
  match(key: RouteKey): PreparedExperiment | null;
  /** Experiments routed by the model that an OpenAI request names in its body; such a name goes before path and host. */
  readonly bodyModels: ReadonlyMap<string, PreparedExperiment>;
  /** True when some experiment is routed by an Open Inference Protocol model. */
  readonly hasOipModels: boolean;
  /** Every variant of every experiment. */
  readonly variants: readonly Variant[];
}

/** Makes tables; an experiment that did not change keeps what was prepared for it. */
export function createTableBuilder(observer: Observer): (snapshot: RoutingSnapshot) => RoutingTable {
  const prepared = new WeakMap<RoutedExperiment, PreparedExperiment>();
  return (snapshot) => {
    const models = new Map<string, PreparedExperiment>();
    const bodyModels = new Map<string, PreparedExperiment>();
    const hosts = new Map<string, PreparedExperiment>();
    const names = new Map<string, PreparedExperiment>();
    const paths: { readonly path: string; readonly experiment: PreparedExperiment }[] = [];
    for (const routed of snapshot.experiments) {
      const experiment = prepared.get(routed) ?? prepareExperiment(routed, observer);
      if (experiment === null) continue;
      prepared.set(routed, experiment);
      const { route } = routed;
      // Seldon's header knows no namespaces; the default one goes first, then whichever comes first.
      if (!names.has(routed.name) || routed.namespace === 'default') names.set(routed.name, experiment);
      if (route.kind === 'model') {
        const speaksOpenAi = experiment.control.upstream.protocol === 'openai';
        (speaksOpenAi ? bodyModels : models).set(route.model, experiment);
      } else if (route.kind === 'host') hosts.set(route.host.toLowerCase(), experiment);
      else paths.push({ path: route.path.replace(/\/+$/, ''), experiment });
    }
    paths.sort((a, b) => b.path.length - a.path.length);
    return {
      revision: snapshot.revision,
      variants: snapshot.experiments.flatMap((routed) => routed.variants),
      bodyModels,
      hasOipModels: [...models.values()].some(({ control }) => control.upstream.protocol === 'oip'),
      match({ path, host, model, seldon }) {
        if (seldon !== null) {
          const named = seldon.kind === 'experiment' ? names.get(seldon.name) : undefined;
          const found = named ?? models.get(seldon.name);
          if (found !== undefined) return found;
        }
        if (model !== null) {
          const found = models.get(model.model);
          const speaksV1 = found?.control.upstream.protocol === 'tensorflow';
          if (found !== undefined && speaksV1 === (model.api === 'v1')) return found;
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
  const labels = { experiment: experimentLabel(routed.namespace, routed.name) };
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
      editsJson: routed.variants.some(({ set }) => set?.json !== undefined),
    };
    return { routed, labels, control, variants, side };
  } catch (cause) {
    observer.fault('experiment-invalid', `experiment ${name} cannot be prepared; its control answers everybody`, cause);
    return { routed, labels, control, variants, side: null };
  }
}

const inference: ReadonlySet<string> = new Set(['/infer', '/generate', '/infer_stream', '/generate_stream']);
const tensorflowVerbs: ReadonlySet<string> = new Set([':predict', ':classify', ':regress']);

/**
 * True when the request asks for a prediction. Readiness, metadata, preflight and the like are answered by the control
 * and leave no record: a probe is nobody's exposure.
 */
export function isPrediction(experiment: PreparedExperiment, method: string, { path, model }: AskedPath): boolean {
  switch (experiment.control.upstream.protocol) {
    case 'oip':
      return method === 'POST' && model !== null && inference.has(model.rest);
    case 'tensorflow':
      return method === 'POST' && model !== null && tensorflowVerbs.has(model.rest);
    case 'mlflow':
      return method === 'POST' && path.endsWith('/invocations');
    case 'openai':
      return method === 'POST' && isOpenAiPath(path);
    case 'json':
      if (experiment.routed.route.kind === 'model') return method === 'POST';
      return method !== 'OPTIONS' && method !== 'HEAD' && method !== 'TRACE';
  }
}
