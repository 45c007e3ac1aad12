// What does a server do with Kubernetes? It takes Experiment resources over, and keeps the weights of Seldon's in step.
import { openKubernetesClient } from '../adapters/kubernetes-client.ts';
import { watchKubernetesExperiments } from '../adapters/kubernetes-experiments.ts';
import type { Tell } from '../adapters/pino-log.ts';
import { seldonNameOf } from '../adapters/seldon-conversion.ts';
import { createSeldonRouter } from '../adapters/seldon-router.ts';
import type { ExperimentService, ExperimentState, TrafficRouter, TrafficShares } from '../control/index.ts';
import { AssayError } from '../errors.ts';
import { hasEnded } from '../experiment/index.ts';
import { now } from './clock.ts';

/** What a server shall do with Kubernetes; an absent part is left alone. */
export interface KubernetesSettings {
  /** Take over the Experiment resources of this namespace: `own` is the pod's or the context's, `all` every one. */
  readonly experiments?: string;
  /** Keep the Seldon Experiments of the same names in this namespace (or `own`) split as the experiments here are. */
  readonly seldonNamespace?: string;
  /** Text of a kubeconfig; by default what kubectl would use, or the pod's service account. */
  readonly config?: string;
}

/** Options of `openKubernetesPlane`. */
interface KubernetesPlaneOptions {
  readonly settings: KubernetesSettings;
  readonly service: ExperimentService;
  readonly startDrafts: boolean;
  readonly tell: Tell;
}

/** How long after a failed push the next try comes; changes push at once. */
const retryMs = 30_000;

/**
 * Starts both; a cluster that is away is told and tried again, and nothing else waits for it.
 *
 * @throws AssayError `dependency-missing`, or `kubernetes-refused` where no cluster is configured.
 */
export async function openKubernetesPlane(options: KubernetesPlaneOptions): Promise<{ close(): Promise<void> }> {
  const { settings, service, startDrafts, tell } = options;
  const client = await openKubernetesClient({
    fieldManager: 'assay',
    ...(settings.config === undefined ? {} : { config: settings.config }),
  });
  const closers: (() => Promise<void>)[] = [];
  if (settings.experiments !== undefined) {
    const namespace = settings.experiments === 'all' ? undefined : named(settings.experiments, client.namespace);
    const say = (sentence: string): void => tell(sentence, { name: 'kubernetes' });
    const watch = watchKubernetesExperiments({ client, service, namespace, startDrafts, tell: say, now });
    closers.push(() => watch.close());
    await watch.tried;
  }
  if (settings.seldonNamespace !== undefined) {
    const namespace = named(settings.seldonNamespace, client.namespace);
    const router = createSeldonRouter({ client, namespace });
    closers.push(followTraffic({ service, router, tell }));
  }
  return {
    async close() {
      for (const close of closers.reverse()) await close();
    },
  };
}

const named = (wanted: string, own: string): string => (wanted === 'own' ? own : wanted);

/** Pushes the shares of every experiment that has been started, now and after each change of them. */
function followTraffic({
  service,
  router,
  tell,
}: {
  readonly service: ExperimentService;
  readonly router: TrafficRouter;
  readonly tell: Tell;
}): () => Promise<void> {
  const told = new Map<string, string>();
  const wanted = new Map<string, TrafficShares>();
  let isClosed = false;
  let working: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  const push = async (key: string, shares: TrafficShares): Promise<boolean> => {
    let sentence: string;
    let isDone = true;
    let follows = false;
    try {
      const routed = await router.route(shares);
      follows = routed.kind !== 'elsewhere';
      sentence =
        routed.kind === 'elsewhere'
          ? `Seldon does not follow ${key}: ${routed.reason}`
          : `Seldon splits ${key} as ${shares.shares.map(({ model, share }) => `${model} ${percent(share)}`).join(', ')}`;
    } catch (fault) {
      if (!(fault instanceof AssayError)) throw fault;
      isDone = !fault.retryable;
      sentence = `Seldon does not follow ${key}: ${fault.message}`;
    }
    if (told.get(key) !== sentence)
      tell(sentence, { name: follows ? 'seldon-follows' : 'seldon-behind', fields: { experiment: key } });
    told.set(key, sentence);
    return isDone;
  };
  const work = async (): Promise<void> => {
    const left = new Map<string, TrafficShares>();
    while (wanted.size > 0 && !isClosed) {
      const [key, shares] = wanted.entries().next().value!;
      wanted.delete(key);
      if (!(await push(key, shares))) left.set(key, shares);
    }
    // What changed in the meantime has been pushed already and is newer.
    for (const [key, shares] of left) if (!wanted.has(key)) wanted.set(key, shares);
    if (left.size > 0 && !isClosed) timer = setTimeout(begin, retryMs);
  };
  const begin = (): void => {
    clearTimeout(timer);
    timer = undefined;
    working ??= work()
      .catch((fault: unknown) =>
        tell(`Seldon: ${String((fault as Error)?.stack ?? fault)}`, { name: 'fault', fields: { code: 'internal' } }),
      )
      .finally(() => {
        working = undefined;
        // Wanted after the loop had ended and before this line.
        if (wanted.size > 0 && timer === undefined && !isClosed) begin();
      });
  };
  const want = (state: ExperimentState): void => {
    const shares = sharesOf(state);
    if (shares === undefined) return;
    wanted.set(`${shares.namespace}/${shares.experiment}`, shares);
    begin();
  };
  for (const state of service.list()) if (!hasEnded(state.state) || state.state === 'promoted') want(state);
  const unsubscribe = service.subscribe(({ state }) => want(state));
  return async () => {
    isClosed = true;
    unsubscribe();
    clearTimeout(timer);
    await working;
  };
}

const percent = (share: number): string => `${Math.round(share * 10_000) / 100} %`;

/** Shares of all traffic, coverage included; undefined for a draft, whose file has not been put in force. */
function sharesOf({ experiment, state, allocation, coverage }: ExperimentState): TrafficShares | undefined {
  if (state === 'draft') return undefined;
  const shareOf = (name: string): number => {
    if (allocation.kind !== 'fixed') return allocation.variant === name ? 1 : 0;
    const width = allocation.ranges
      .filter(({ variant }) => variant === name)
      .reduce((sum, { from, to }) => sum + (to - from), 0);
    return (coverage * width) / 2 ** 32 + (name === experiment.control ? 1 - coverage : 0);
  };
  return {
    namespace: experiment.namespace,
    experiment: experiment.name,
    shares: experiment.variants.map((variant) => ({
      variant: variant.name,
      model: seldonNameOf(variant),
      share: shareOf(variant.name),
    })),
  };
}
