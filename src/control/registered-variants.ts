// Which model versions does an experiment compare, and how does the registry learn what came of it? References are resolved once;
// a promotion moves the control's alias, a roll-back moves it back, and both are written on the version.
import { setTimeout as pause } from 'node:timers/promises';
import { makeReport } from '../decision/index.ts';
import { AssayError } from '../errors.ts';
import { type Experiment, parseModelReference, type RegisteredUpstream, type Variant } from '../experiment/index.ts';
import { canonicalJson } from './control-chain.ts';
import type { ControlLogEntry } from './control-event.ts';
import type { ExperimentService } from './experiment-service.ts';
import type { ExperimentState } from './experiment-state.ts';
import type { ModelRegistry, RegisteredModel, ReportSource } from './ports.ts';

/** Options of `withModelRegistry`. */
export interface RegisteredVariantsOptions {
  /** Null where none is configured: experiments that name registered models are refused, or go on as they were resolved before. */
  readonly registry: ModelRegistry | null;
  /** Says what the evidence is worth at the moment of a promotion; by default the last verdict of the log is what is told. */
  readonly reports?: ReportSource;
  /** Where people read the report of an experiment. */
  readonly reportUrl: (name: string, namespace: string) => string;
  /** One sentence per event an operator needs. */
  readonly tell: (sentence: string, isTrouble: boolean) => void;
  /** Chance in 0..1, for the jitter of pauses. */
  readonly random: () => number;
  /** First and longest pause before the registry is told again, milliseconds; defaults 1,000 and 60,000. */
  readonly firstPauseMs?: number;
  readonly longestPauseMs?: number;
}

/** The experiment service, with registered models in it. */
export interface RegistryService extends ExperimentService {
  /** Resolves when the registry knows all that happened so far, or has refused it. */
  settled(): Promise<void>;
  /** Stops telling the registry; what is left is told after the next start. */
  close(): Promise<void>;
}

/** Tag of a model version that says where it is served; read where the variant has no `servedAt`. */
const addressTag = 'assay.url';
/** Tag that carries the hash of the control log's entry: the registry has been told of that one. */
const entryTag = 'assay.entry';

/**
 * The service, whose `apply` puts addresses and versions in for `models:/NAME@ALIAS` and `models:/NAME/VERSION`.
 *
 * An alias is followed until the start and never after: a model that changes under a running experiment would make its numbers
 * mean nothing. `apply` and `act` reject with `registry-missing`, `registry-unreachable` or `registry-refused` only where there
 * is no earlier resolution to go on with.
 */
export function withModelRegistry(service: ExperimentService, options: RegisteredVariantsOptions): RegistryService {
  const { registry, tell } = options;
  const teller = startTelling(service, options);

  const stateOf = ({ name, namespace }: Pick<Experiment, 'name' | 'namespace'>): ExperimentState | undefined =>
    service.list().find(({ experiment }) => experiment.name === name && experiment.namespace === namespace);

  const resolve = async (specification: Experiment): Promise<Experiment> => {
    const state = stateOf(specification);
    const variants: Variant[] = [];
    for (const variant of specification.variants) {
      const given = variant.upstream.registered?.given ?? variant.upstream;
      if (parseModelReference(given.url) === undefined) {
        variants.push(variant);
        continue;
      }
      const before = state?.experiment.variants.find(({ name }) => name === variant.name)?.upstream;
      const isSame =
        before?.registered !== undefined && canonicalJson(before.registered.given) === canonicalJson(given);
      if (isSame && state?.state !== 'draft') {
        variants.push({ ...variant, upstream: before });
        continue;
      }
      try {
        variants.push(await resolveVariant({ ...variant, upstream: given }, registry));
      } catch (fault) {
        if (!isSame || !isAway(fault)) throw fault;
        tell(`variant ${variant.name} stays version ${before.registered?.version}: ${(fault as Error).message}`, true);
        variants.push({ ...variant, upstream: before });
      }
    }
    return { ...specification, variants };
  };

  /** Writes down what the promotion rests on, unless the log has that already. A promotion does not wait for evidence to be readable. */
  const keepVerdict = async (
    state: ExperimentState,
    { author }: Pick<ControlLogEntry['event'], 'author'>,
  ): Promise<ExperimentState> => {
    const { experiment } = state;
    const { name, namespace } = experiment;
    if (options.reports === undefined) return state;
    try {
      const { summary, basis } = await options.reports.judge(name, namespace);
      // As the decision loop does it: judged from what will be read back.
      const stored: typeof summary = JSON.parse(canonicalJson(summary));
      const { verdict } = makeReport(stored, { experiment, ...basis });
      const last = service.history(name, namespace).findLast(({ event }) => event.kind === 'verdict')?.event;
      if (last?.kind === 'verdict' && kindOf(last.verdict) === verdict.kind) return state;
      const reason = `the verdict at the promotion is ${verdict.kind}`;
      return await service.recordVerdict({ name, namespace, author, reason, verdict, summary: stored, basis });
    } catch (fault) {
      tell(`${name} is promoted without a verdict of this moment: ${(fault as Error).message}`, true);
      return state;
    }
  };

  return {
    ...service,
    apply: async (specification, authorship) => service.apply(await resolve(specification), authorship),
    async act(step, request) {
      const state = stateOf({ name: request.name, namespace: request.namespace ?? 'default' });
      if (state === undefined || !isRegistered(state.experiment)) return service.act(step, request);
      let before = state;
      if (step === 'start' && state.state === 'draft') {
        const specification = await resolve(state.experiment);
        before = await service.apply(specification, {
          author: request.author,
          reason: `versions of registered models at the start: ${describeVersions(specification)}`,
        });
      } else if (step === 'promote') before = await keepVerdict(state, request);
      // What was written just now is no change behind the caller's back.
      const isSeen = request.expectedRevision === state.logRevision;
      return service.act(step, isSeen ? { ...request, expectedRevision: before.logRevision } : request);
    },
    settled: teller.settled,
    close: teller.close,
  };
}

function isRegistered({ variants }: Experiment): boolean {
  return variants.some(({ upstream }) => upstream.registered !== undefined);
}

function isAway(fault: unknown): boolean {
  return fault instanceof AssayError && (fault.code === 'registry-unreachable' || fault.code === 'registry-missing');
}

function describeVersions({ variants }: Experiment): string {
  const parts = variants.flatMap(({ name, upstream: { registered } }) =>
    registered === undefined ? [] : [`${name} is ${registered.name} version ${registered.version}`],
  );
  return parts.join(', ');
}

async function resolveVariant(variant: Variant, registry: ModelRegistry | null): Promise<Variant> {
  const given = variant.upstream;
  const reference = parseModelReference(given.url)!;
  if (registry === null)
    throw new AssayError(
      'registry-missing',
      `variant ${variant.name} is ${given.url}, and no model registry is configured`,
    );
  const model = await registry.find(reference);
  const fill = (text: string): string =>
    text.replaceAll('{name}', encodeURIComponent(model.name)).replaceAll('{version}', model.version);
  const registered: RegisteredUpstream = {
    name: model.name,
    version: model.version,
    ...(reference.kind === 'alias' ? { alias: reference.alias } : {}),
    given,
  };
  const { servedAt, ...rest } = given;
  return {
    ...variant,
    upstream: {
      ...rest,
      url: servedAt === undefined ? addressOf(model, { variant: variant.name, reference: given.url }) : fill(servedAt),
      ...(given.model === undefined ? {} : { model: fill(given.model) }),
      ...(given.version === undefined ? {} : { version: fill(given.version) }),
      registered,
    },
  };
}

function addressOf(
  { version, tags }: RegisteredModel,
  { variant, reference }: { readonly variant: string; readonly reference: string },
): string {
  const url = tags[addressTag];
  const fix = `Give the variant servedAt: http://HOST/..., or tag the version with ${addressTag}.`;
  if (url === undefined)
    throw new AssayError(
      'registry-refused',
      `variant ${variant} is ${reference}, version ${version}, which does not say where it is served`,
      { fix },
    );
  if (!/^https?:\/\/[^\s\\?#@]+$/.test(url) || !URL.canParse(url))
    throw new AssayError(
      'registry-refused',
      `tag ${addressTag} of ${reference}, version ${version}, is ${JSON.stringify(url)}, must be an http or https URL`,
      { fix },
    );
  return url.replace(/\/+$/, '');
}

/** Tells the registry what became of the models, one experiment after another, again and again until it hears. */
function startTelling(
  service: ExperimentService,
  options: RegisteredVariantsOptions,
): Pick<RegistryService, 'settled' | 'close'> {
  const { registry, tell, random, firstPauseMs = 1_000, longestPauseMs = 60_000 } = options;
  const stop = new AbortController();
  let last: Promise<void> = Promise.resolve();

  const untilTold = async (entry: ControlLogEntry, state: ExperimentState): Promise<void> => {
    const { name } = state.experiment;
    for (let failures = 0; !stop.signal.aborted; failures += 1) {
      try {
        const said = await tellRegistry(entry, state);
        if (said !== null) tell(`${registry!.place}: ${said}`, false);
        return;
      } catch (fault) {
        const { message } = fault as Error;
        if (!(fault instanceof AssayError && fault.retryable)) {
          tell(`the registry was not told of the ${entry.event.kind} of ${name}: ${message}`, true);
          return;
        }
        if (failures === 0)
          tell(`the registry will be told of the ${entry.event.kind} of ${name} when it is back: ${message}`, true);
        const waitMs = Math.min(longestPauseMs, firstPauseMs * 2 ** failures) * (0.5 + random());
        await pause(waitMs, undefined, { signal: stop.signal, ref: false }).catch(() => undefined);
      }
    }
  };

  /** @returns a sentence for operators; null when there is nothing to tell, or all was told before. */
  const tellRegistry = async (entry: ControlLogEntry, { experiment }: ExperimentState): Promise<string | null> => {
    const { name, namespace } = experiment;
    const history = service.history(name, namespace).filter(({ revision }) => revision <= entry.revision);
    const promotion = history.findLast(({ event }) => event.kind === 'promote')?.event;
    const winner = promotion?.kind === 'promote' ? promotion.variant : undefined;
    const versionOf = (variant: string): RegisteredUpstream | undefined =>
      experiment.variants.find((each) => each.name === variant)?.upstream.registered;
    const control = versionOf(experiment.control);
    const isPromotion = entry.event.kind === 'promote';
    const concerned = experiment.variants
      .filter((each) => (winner === undefined ? each.name !== experiment.control : each.name === winner))
      .flatMap(({ upstream }) => (upstream.registered === undefined ? [] : [upstream.registered]));
    const sentences: string[] = [];
    for (const model of concerned) {
      const { tags } = await registry!.find({ kind: 'version', name: model.name, version: model.version });
      if (tags[entryTag] === entry.hash) continue;
      if (winner !== undefined && control?.alias !== undefined && control.name === model.name) {
        const [from, to] = isPromotion ? [control.version, model.version] : [model.version, control.version];
        const move = await registry!.moveAlias({ name: model.name, alias: control.alias, from, to });
        sentences.push(
          move.kind === 'moved'
            ? `${model.name}@${control.alias} is version ${to}`
            : `${model.name}@${control.alias} is ${move.version === null ? 'gone' : `version ${move.version}`}, which is neither ${from} nor ${to}: left as it is`,
        );
      }
      const verdict = history.findLast(({ event }) => event.kind === 'verdict')?.event;
      await registry!.tag(model, {
        'assay.experiment': `${namespace}/${name}`,
        'assay.state': isPromotion ? 'promoted' : 'rolled-back',
        'assay.verdict': verdict?.kind === 'verdict' ? kindOf(verdict.verdict) : 'none',
        ...(verdict?.kind === 'verdict' ? { 'assay.evidence': verdict.evidenceDigest } : {}),
        'assay.report': options.reportUrl(name, namespace),
        'assay.by': entry.event.author,
        'assay.at': new Date(entry.timeMs).toISOString(),
        [entryTag]: entry.hash,
      });
      sentences.push(`version ${model.version} of ${model.name} is tagged`);
    }
    return sentences.length === 0 ? null : sentences.join('; ');
  };

  const take = (entry: ControlLogEntry, state: ExperimentState): void => {
    const isEnd = entry.event.kind === 'promote' || entry.event.kind === 'roll-back';
    if (registry === null || !isEnd || !isRegistered(state.experiment)) return;
    last = last.then(() => untilTold(entry, state));
  };
  const unsubscribe = service.subscribe(({ entry, state }) => take(entry, state));
  for (const state of service.list()) {
    if (state.state !== 'promoted' && state.state !== 'rolled-back') continue;
    const { name, namespace } = state.experiment;
    const end = service
      .history(name, namespace)
      .findLast(({ event }) => event.kind === 'promote' || event.kind === 'roll-back');
    if (end !== undefined) take(end, state);
  }
  return {
    settled: () => last,
    close: async () => {
      unsubscribe();
      stop.abort();
      await last;
    },
  };
}

function kindOf(verdict: unknown): string {
  const { kind } = (verdict ?? {}) as { readonly kind?: unknown };
  return typeof kind === 'string' ? kind : 'unknown';
}
