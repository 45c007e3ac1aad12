// May this variant be asked now? Counts what is under way at each variant and takes failing ones out.
import type { Observer } from '../evidence/index.ts';
import { defaultResilience, experimentLabel, type RoutedExperiment, type Variant } from '../experiment/index.ts';
import { type AttemptVerdict, createEjection, type Ejection } from './ejection.ts';

/** How an attempt got in. A `probe` decides whether an ejected variant comes back. */
export type GuardEntry = 'normal' | 'probe';

/** Why an attempt is not made; also the `error` under which it stands in the record. */
export type GuardRefusal = 'ejected' | 'overloaded';

/** The guard of one variant of one experiment. Every entry must be followed by one `leave`. */
export interface VariantGuard {
  enter(): GuardEntry | GuardRefusal;
  /** Says that an attempt brought an answer although it goes on, such as a stream: a probe need not wait for the end. */
  answered(entry: GuardEntry): GuardEntry;
  leave(entry: GuardEntry, verdict: AttemptVerdict): void;
}

/** How one variant stands. */
export interface GuardStatus {
  readonly namespace: string;
  readonly experiment: string;
  readonly variant: string;
  readonly inFlight: number;
  readonly state: 'in' | 'ejected' | 'probing';
  /** Epoch milliseconds; null unless ejected. */
  readonly untilMs: number | null;
}

/** The guards of a gateway. What they know survives changes of weights and coverage. */
export interface VariantGuards {
  of(experiment: RoutedExperiment, variant: Variant): VariantGuard;
  /** Forgets variants that are no longer routed. */
  retain(experiments: readonly RoutedExperiment[]): void;
  status(): readonly GuardStatus[];
}

/** Options of `createVariantGuards`. */
interface VariantGuardsOptions {
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Uniform on [0, 1). */
  readonly random: () => number;
  readonly observer: Observer;
}

/** Guards with nothing under way and everybody in. */
export function createVariantGuards(options: VariantGuardsOptions): VariantGuards {
  const known = new Map<string, Guard>();
  const ready = new WeakMap<RoutedExperiment, Map<string, Guard>>();

  const prepare = (experiment: RoutedExperiment): Map<string, Guard> => {
    const guards = new Map<string, Guard>();
    for (const variant of experiment.variants) {
      const key = keyOf(experiment, variant);
      const guard = known.get(key) ?? new Guard(options, experiment, variant);
      known.set(key, guard);
      guards.set(variant.name, guard);
      guard.maxInFlight = (experiment.resilience ?? defaultResilience).maxInFlight;
    }
    ready.set(experiment, guards);
    return guards;
  };

  return {
    of(experiment, variant) {
      const guards = ready.get(experiment) ?? prepare(experiment);
      return guards.get(variant.name)!;
    },
    retain(experiments) {
      const wanted = new Set(experiments.flatMap((each) => [...prepare(each).values()]));
      for (const [key, guard] of known) if (!wanted.has(guard)) known.delete(key);
    },
    status: () => [...known.values()].map((guard) => guard.status()),
  };
}

/** A new address or new rules make a new beginning; a new weight does not. */
function keyOf({ namespace, name, control, resilience }: RoutedExperiment, variant: Variant): string {
  const { ejection } = resilience ?? defaultResilience;
  const { url, model, version } = variant.upstream;
  const isControl = variant.name === control;
  return JSON.stringify([namespace, name, variant.name, isControl, url, model, version, ejection]);
}

class Guard implements VariantGuard {
  readonly #options: VariantGuardsOptions;
  readonly #name: { readonly namespace: string; readonly experiment: string; readonly variant: string };
  readonly #labels: Readonly<Record<string, string>>;
  /** Null for the control, which is never taken out: there is nobody to take its place. */
  readonly #ejection: Ejection | null;
  #inFlight = 0;
  maxInFlight = defaultResilience.maxInFlight;

  constructor(options: VariantGuardsOptions, experiment: RoutedExperiment, variant: Variant) {
    this.#options = options;
    this.#name = { namespace: experiment.namespace, experiment: experiment.name, variant: variant.name };
    this.#labels = { experiment: experimentLabel(experiment.namespace, experiment.name), variant: variant.name };
    const { ejection } = experiment.resilience ?? defaultResilience;
    this.#ejection = ejection === null || variant.name === experiment.control ? null : createEjection(ejection);
  }

  enter(): GuardEntry | GuardRefusal {
    if (this.#inFlight >= this.maxInFlight) return 'overloaded';
    const entry = this.#ejection === null ? 'normal' : this.#ejection.enter(this.#options.now());
    if (entry === 'refused') return 'ejected';
    this.#inFlight += 1;
    return entry;
  }

  answered(entry: GuardEntry): GuardEntry {
    if (entry === 'probe') this.#judge(entry, 'ok');
    return 'normal';
  }

  leave(entry: GuardEntry, verdict: AttemptVerdict): void {
    this.#inFlight -= 1;
    if (this.#ejection !== null) this.#judge(entry, verdict);
  }

  status(): GuardStatus {
    const state = this.#ejection?.state(this.#options.now()) ?? { kind: 'in' };
    return {
      ...this.#name,
      inFlight: this.#inFlight,
      state: state.kind,
      untilMs: state.kind === 'ejected' ? state.untilMs : null,
    };
  }

  #judge(entry: GuardEntry, verdict: AttemptVerdict): void {
    const { now, random, observer } = this.#options;
    const change = this.#ejection!.leave(entry, { verdict, nowMs: now(), random });
    if (entry === 'probe') observer.count('ejection_probe', { ...this.#labels, result: verdict });
    if (change === 'readmitted') observer.count('variant_readmitted', this.#labels);
    if (change !== 'ejected') return;
    observer.count('variant_ejected', this.#labels);
    const { namespace, experiment, variant } = this.#name;
    observer.fault(
      'variant-ejected',
      `variant ${variant} of ${namespace}/${experiment} fails too often and is taken out; its units get the control until a probe succeeds`,
    );
  }
}
