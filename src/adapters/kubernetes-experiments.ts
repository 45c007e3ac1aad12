// How do Experiment resources of Kubernetes become experiments here, and what is told back? The resource is the experiment file
// as it is; the control log stays the truth about its life, and the status of the resource shows it.
import type { ExperimentService, ExperimentState } from '../control/index.ts';
import { AssayError } from '../errors.ts';
import { hasEnded, parseExperimentFile } from '../experiment/index.ts';
import type { KubernetesClient, KubernetesObject, KubernetesResource } from './kubernetes-client.ts';
import { experimentStatus, isSameStatus } from './kubernetes-status.ts';
import { type ResourceNews, watchResources } from './kubernetes-watch.ts';

/** Group, version and names of Assay's own resource; deploy/crd holds its definition. */
const experimentResource = { group: 'assay.dev', version: 'v1alpha1', plural: 'experiments' } as const;

/** Options of `watchKubernetesExperiments`. */
export interface KubernetesExperimentsOptions {
  readonly client: KubernetesClient;
  readonly service: Pick<ExperimentService, 'apply' | 'act' | 'get' | 'history' | 'subscribe'>;
  /** Undefined: the resources of all namespaces. */
  readonly namespace: string | undefined;
  /** Start every draft. */
  readonly startDrafts: boolean;
  readonly tell: (sentence: string) => void;
  readonly now: () => number;
}

/** A running watch. */
export interface KubernetesExperiments {
  /** Resolves when the first list has been taken over, or could not be had. */
  readonly tried: Promise<void>;
  close(): Promise<void>;
}

/** How often a status is written anew when others keep changing the resource. */
const mostTries = 5;

/** Starts to watch; goes on whatever the API does, until it is closed. */
export function watchKubernetesExperiments(options: KubernetesExperimentsOptions): KubernetesExperiments {
  const { client, service, namespace, tell, now } = options;
  const resource: KubernetesResource = { ...experimentResource, ...(namespace === undefined ? {} : { namespace }) };
  /** What this process has seen, by namespace/name: what goes is stopped, what it never saw is not. */
  const seen = new Map<string, Seen>();
  let isClosed = false;
  let last: Promise<void> = Promise.resolve();
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    last = last.then(work).catch((fault: unknown) => tell(`Kubernetes: ${(fault as Error).message}`));
    return last;
  };

  const publish = async (key: string): Promise<void> => {
    for (let tries = 1; !isClosed; tries += 1) {
      const known = seen.get(key);
      if (known === undefined) return;
      const { object, refusal } = known;
      const place: KubernetesResource = { ...experimentResource, namespace: namespaceOf(object) };
      const state = stateOf(service, object);
      const status = experimentStatus(object, { refusal, state, verdict: verdictOf(service, state), nowMs: now() });
      if (isSameStatus(object.status, status)) return;
      try {
        seen.set(key, { ...known, object: await client.mergeStatus(place, object, status) });
        return;
      } catch (fault) {
        if (!(fault instanceof AssayError) || fault.code !== 'revision-conflict' || tries === mostTries) throw fault;
        const present = await client.get(place, object.metadata.name);
        // A changed specification comes by the watch; until then the status is about the one that was taken over.
        if (present === undefined || present.metadata.generation !== object.metadata.generation) return;
        seen.set(key, { ...known, object: present });
      }
    }
  };

  const take = async (object: KubernetesObject): Promise<void> => {
    const key = keyOf(object);
    const known = seen.get(key);
    const isNew =
      known === undefined ||
      known.object.metadata.uid !== object.metadata.uid ||
      known.object.metadata.generation !== object.metadata.generation;
    if (!isNew) {
      seen.set(key, { ...known, object });
      // Somebody else's hand in the status does not stay.
      await publish(key);
      return;
    }
    const refusal = await takeOver(object);
    seen.set(key, { object, refusal });
    if (refusal !== undefined) tell(`Experiment ${key} of Kubernetes is refused: ${refusal}`);
    await publish(key);
  };

  /** Why it is not taken over; undefined when it was. */
  const takeOver = async (object: KubernetesObject): Promise<string | undefined> => {
    const author = `kubernetes:${keyOf(object)}`;
    try {
      const experiment = parseExperimentFile(toText(object));
      const about = { name: experiment.name, namespace: experiment.namespace, author };
      const state = await service.apply(experiment, {
        author,
        reason: `generation ${object.metadata.generation ?? 1}`,
      });
      if (options.startDrafts && state.state === 'draft')
        await service.act('start', { ...about, reason: 'started with the resource' });
      return undefined;
    } catch (fault) {
      if (!(fault instanceof AssayError)) throw fault;
      return fault.issues.length === 0 ? fault.message : fault.issues.map(({ text }) => text).join('; ');
    }
  };

  const drop = async (object: KubernetesObject): Promise<void> => {
    const key = keyOf(object);
    if (!seen.delete(key)) return;
    const state = stateOf(service, object);
    if (state === undefined || hasEnded(state.state)) return;
    const { name, namespace: own } = state.experiment;
    const author = `kubernetes:${key}`;
    await service.act('stop', { name, namespace: own, author, reason: 'the resource was deleted' });
    tell(`Experiment ${key} of Kubernetes is gone; the control answers everybody`);
  };

  const onNews = (news: ResourceNews): Promise<void> =>
    inTurn(async () => {
      if (isClosed) return;
      if (news.kind !== 'listed') return news.kind === 'gone' ? drop(news.object) : take(news.object);
      const present = new Set(news.objects.map(keyOf));
      for (const [key, { object }] of seen) if (!present.has(key)) await drop(object);
      // One resource that cannot be taken over is no reason to leave the others out.
      for (const object of news.objects)
        await take(object).catch((fault: unknown) => tell(`Experiment ${keyOf(object)}: ${(fault as Error).message}`));
    });
  const unsubscribe = service.subscribe(({ state }) => {
    const key = `${state.experiment.namespace}/${state.experiment.name}`;
    if (seen.has(key)) void inTurn(() => publish(key));
  });
  const watch = watchResources({ client, resource, onNews, tell });

  return {
    tried: watch.tried,
    async close() {
      isClosed = true;
      unsubscribe();
      await watch.close();
      await last;
    },
  };
}

interface Seen {
  readonly object: KubernetesObject;
  /** Why its specification was not taken over. */
  readonly refusal: string | undefined;
}

const namespaceOf = ({ metadata }: KubernetesObject): string => metadata.namespace ?? 'default';
const keyOf = (object: KubernetesObject): string => `${namespaceOf(object)}/${object.metadata.name}`;

/** The resource as an experiment file: without what Kubernetes and its tools write into every object. */
function toText(object: KubernetesObject): string {
  const { apiVersion, kind, metadata, spec } = object;
  return JSON.stringify({ apiVersion, kind, metadata: { name: metadata.name, namespace: namespaceOf(object) }, spec });
}

function stateOf(service: Pick<ExperimentService, 'get'>, object: KubernetesObject): ExperimentState | undefined {
  try {
    return service.get(object.metadata.name, namespaceOf(object));
  } catch {
    return undefined;
  }
}

/** Kind of the last verdict on record. */
function verdictOf(
  service: Pick<ExperimentService, 'history'>,
  state: ExperimentState | undefined,
): string | undefined {
  if (state === undefined) return undefined;
  const entry = service
    .history(state.experiment.name, state.experiment.namespace)
    .findLast(({ event }) => event.kind === 'verdict');
  const verdict = entry?.event.kind === 'verdict' ? entry.event.verdict : undefined;
  const kind = (verdict as { readonly kind?: unknown } | undefined)?.kind;
  return typeof kind === 'string' ? kind : undefined;
}
