// How do the weights of a live Seldon Experiment follow an experiment here? By server-side apply of its candidates, refused
// and tried anew when somebody changed the resource in between.
import type { TrafficRouter, TrafficShares } from '../control/index.ts';
import { AssayError } from '../errors.ts';
import type { KubernetesClient, KubernetesObject, KubernetesResource } from './kubernetes-client.ts';
import { seldonResource } from './seldon-experiment.ts';
import { seldonWeights } from './seldon-weights.ts';

/** How often the resource is read again when others keep changing it. */
const mostTries = 5;

/** A router over the Experiments of one Kubernetes namespace. */
export function createSeldonRouter({
  client,
  namespace,
}: {
  readonly client: Pick<KubernetesClient, 'get' | 'apply'>;
  readonly namespace: string;
}): TrafficRouter {
  const resource: KubernetesResource = { ...seldonResource, namespace };
  return {
    async route(wanted) {
      for (let tries = 1; ; tries += 1) {
        const present = await client.get(resource, wanted.experiment);
        const place = `Experiment ${namespace}/${wanted.experiment} of ${seldonResource.group}`;
        if (present === undefined || present.metadata.deletionTimestamp !== undefined)
          return { kind: 'elsewhere', reason: `${place} does not exist` };
        const candidates = candidatesOf(present);
        const weights = weightsFor(wanted, candidates);
        if (weights === undefined)
          return {
            kind: 'elsewhere',
            reason: `${place} has the candidates ${candidates.map(({ name }) => name).join(', ') || 'none'}, must have ${modelsOf(wanted).join(', ')}`,
          };
        const next = candidates.map(({ name }) => ({ name, weight: weights.get(name)! }));
        if (isSameSplit(candidates, next)) return { kind: 'unchanged', isReady: isReady(present) };
        try {
          const after = await client.apply(resource, {
            apiVersion: seldonResource.apiVersion,
            kind: 'Experiment',
            metadata: { name: wanted.experiment, namespace, ...versionOf(present) },
            // The list is ours as a whole; its order stays, and so does every other member.
            spec: { candidates: next },
          });
          return { kind: 'set', isReady: isReady(after) };
        } catch (fault) {
          const isConflict = fault instanceof AssayError && fault.code === 'revision-conflict';
          if (!isConflict || tries === mostTries) throw fault;
        }
      }
    },
  };
}

interface Candidate {
  readonly name: string;
  readonly weight: number;
}

const modelsOf = ({ shares }: TrafficShares): readonly string[] => shares.map(({ model }) => model);

function candidatesOf({ spec }: KubernetesObject): readonly Candidate[] {
  return (spec as { readonly candidates?: readonly Candidate[] } | undefined)?.candidates ?? [];
}

/** Weight by model; undefined when the candidates are not these models. A mirror here has no share and may be missing there. */
function weightsFor(
  { shares }: TrafficShares,
  candidates: readonly Candidate[],
): ReadonlyMap<string, number> | undefined {
  const names = new Set(candidates.map(({ name }) => name));
  const known = shares.filter(({ model, share }) => share > 0 || names.has(model));
  if (known.length !== names.size || known.some(({ model }) => !names.has(model))) return undefined;
  const weights = seldonWeights(known.map(({ share }) => share));
  return new Map(known.map(({ model }, index) => [model, weights[index]!]));
}

/** The same proportions are the same split: 1 to 1 needs no change to 50 to 50. */
function isSameSplit(before: readonly Candidate[], after: readonly Candidate[]): boolean {
  const whole = (all: readonly Candidate[]): number => all.reduce((sum, { weight }) => sum + weight, 0);
  const [wholeBefore, wholeAfter] = [whole(before), whole(after)];
  return before.every(({ weight }, index) => weight * wholeAfter === after[index]!.weight * wholeBefore);
}

/** Seldon's operator reports some faults under conditions of other names, so any that is false counts. */
function isReady({ metadata, status }: KubernetesObject): boolean {
  const { conditions = [], observedGeneration } = (status ?? {}) as {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly observedGeneration?: number;
  };
  const isSeen = observedGeneration === undefined || observedGeneration === metadata.generation;
  return (
    isSeen &&
    conditions.every(({ status: said }) => said !== 'False') &&
    conditions.some(({ type, status: said }) => type === 'Ready' && said === 'True')
  );
}

const versionOf = ({ metadata }: KubernetesObject): { readonly resourceVersion?: string } =>
  metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion };
