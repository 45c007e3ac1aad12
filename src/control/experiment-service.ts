// How do people and programs change experiments? One service: every change is checked, written to the control log, then in force.
import { allocate, reallocate } from '../assignment/index.ts';
import { AssayError } from '../errors.ts';
import type { Observer } from '../evidence/index.ts';
import {
  type Allocation,
  type AllocationRange,
  allocationFor,
  applyTransition,
  buildSnapshot,
  type Experiment,
  hasEnded,
  type RoutingSnapshot,
  type TransitionName,
} from '../experiment/index.ts';
import { canonicalJson, digestOf } from './control-chain.ts';
import type { Authorship, ControlEvent, ControlLogEntry, Grounds, Note, VerdictBasis } from './control-event.ts';
import { describeDrift, type ExperimentState, foldEntry } from './experiment-state.ts';
import { requireFreeRoute, requireRevisable, requireSeenFile } from './file-rules.ts';
import { takeSlot } from './layer-slot.ts';
import { describeOverlaps } from './overlap.ts';
import type { ControlLog } from './ports.ts';

/** Options of `createExperimentService`. */
interface ExperimentServiceOptions {
  readonly log: ControlLog;
  /** Told when a listener throws; the change stands all the same. */
  readonly observer?: Pick<Observer, 'fault'>;
}

/** Which experiment, who asks, and why. */
interface ChangeRequest extends Authorship {
  readonly name: string;
  /** Default `default`. */
  readonly namespace?: string;
  /** `logRevision` of the state the caller has seen; refused when somebody changed the experiment in between. */
  readonly expectedRevision?: number;
}

/** A step of the lifecycle. */
interface TransitionRequest extends ChangeRequest, Grounds {
  /** For start, resume and ramp: share of units that take part, in (0, 1]. A ramp without it takes the file's next step. */
  readonly coverage?: number;
  /** For promote: the winner; may be left out when there is one candidate. */
  readonly variant?: string;
}

/** A verdict and what it rests on, plain JSON. */
interface VerdictRequest extends ChangeRequest {
  readonly verdict: unknown;
  readonly summary: unknown;
  readonly basis?: VerdictBasis;
}

/** Something to write down. */
interface NoteRequest extends ChangeRequest, Grounds {
  readonly note: Note;
}

/** What listeners hear. */
export interface ExperimentChange {
  readonly entry: ControlLogEntry;
  readonly state: ExperimentState;
}

/** The experiments of one control plane. Changes are made one after another, in the order of the calls. */
export interface ExperimentService {
  /** All experiments, oldest first. */
  list(): readonly ExperimentState[];
  /** @throws AssayError `experiment-unknown`. */
  get(name: string, namespace?: string): ExperimentState;
  /**
   * Creates the experiment, or takes over a changed file. An unchanged one writes nothing. Never touches lifecycle or
   * coverage; changed weights of a running experiment move the fewest units.
   * @throws AssayError `experiment-exists` when a live experiment has the same route; `transition-refused` for a change that
   *   would reshuffle units or drop the promoted variant; `revision-conflict`; `request-invalid` without author or reason.
   * @param authorship `expectedFile`: the file's revision that this one was made from, 0 to create only
   */
  apply(
    specification: Experiment,
    authorship: Authorship & { readonly expectedRevision?: number; readonly expectedFile?: number },
  ): Promise<ExperimentState>;
  /**
   * Takes a step of the lifecycle.
   * @throws AssayError `transition-refused`, `experiment-unknown`, `revision-conflict`, `request-invalid`.
   */
  act(step: TransitionName, request: TransitionRequest): Promise<ExperimentState>;
  /** Keeps a verdict with the summaries it rests on. Changes nothing else. */
  recordVerdict(request: VerdictRequest): Promise<ExperimentState>;
  /** Writes down a proposal, a notice or an annotation. Changes neither split nor lifecycle. */
  note(request: NoteRequest): Promise<ExperimentState>;
  /** Where the file and the present state differ, in sentences. */
  drift(name: string, namespace?: string): readonly string[];
  /** Other experiments under way that may meet the same requests, in sentences. */
  overlaps(name: string, namespace?: string): readonly string[];
  /** Everything that happened to one experiment, oldest first. */
  history(name: string, namespace?: string): readonly ControlLogEntry[];
  /** What the data plane needs; the same object until something of it changes. */
  snapshot(): RoutingSnapshot;
  /** Calls back after every change; returns the way to stop. */
  subscribe(listener: (change: ExperimentChange) => void): () => void;
}

/**
 * The service over everything the log holds.
 *
 * @throws AssayError `control-log-corrupt` when the log cannot be read or does not add up.
 */
export async function createExperimentService({ log, observer }: ExperimentServiceOptions): Promise<ExperimentService> {
  let entries: ControlLogEntry[] = [];
  let states = new Map<string, ExperimentState>();
  let snapshot: RoutingSnapshot = buildSnapshot([], { revision: 0 });
  const listeners = new Set<(change: ExperimentChange) => void>();

  const take = (entry: ControlLogEntry): ExperimentState => {
    const key = keyOf(entry.event.experiment, entry.event.namespace);
    const state = foldEntry(states.get(key), entry);
    states.set(key, state);
    entries.push(entry);
    return state;
  };
  const refresh = (): void => {
    const next = buildSnapshot([...states.values()], { revision: entries.length, previous: snapshot });
    const isSame =
      next.experiments.length === snapshot.experiments.length &&
      next.experiments.every((each, index) => each === snapshot.experiments[index]);
    if (!isSame) snapshot = next;
  };
  const load = async (): Promise<void> => {
    const read = await log.read();
    entries = [];
    states = new Map();
    for (const entry of read) take(entry);
    refresh();
  };
  await load();

  const find = (name: string, namespace = 'default'): ExperimentState => {
    const state = states.get(keyOf(name, namespace));
    if (state !== undefined) return state;
    const names = [...states.values()]
      .filter((each) => each.experiment.namespace === namespace)
      .map((each) => each.experiment.name);
    const rule = names.length === 0 ? 'there is none yet' : `must be one of: ${names.join(', ')}`;
    throw new AssayError(
      'experiment-unknown',
      `experiment ${JSON.stringify(name)} is unknown in namespace ${JSON.stringify(namespace)}, ${rule}`,
    );
  };

  const write = async (event: ControlEvent): Promise<ExperimentState> => {
    let entry: ControlLogEntry;
    try {
      entry = await log.append(event, entries.length);
    } catch (fault) {
      // Another writer of a shared log was faster: see what it did, so that the caller's retry decides on the truth.
      if (fault instanceof AssayError && fault.code === 'revision-conflict') await load();
      throw fault;
    }
    const state = take(entry);
    refresh();
    for (const listener of listeners) {
      try {
        listener({ entry, state });
      } catch (cause) {
        observer?.fault('listener-failed', `a listener failed at entry ${entry.revision} of the control log`, cause);
      }
    }
    return state;
  };

  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };

  const locate = (request: ChangeRequest): ExperimentState => {
    requireAuthorship(request);
    const state = find(request.name, request.namespace);
    requireSeen(state, request.expectedRevision);
    return state;
  };

  return {
    list: () => [...states.values()],
    get: find,
    apply: (specification, authorship) =>
      inTurn(async () => {
        requireAuthorship(authorship);
        const state = states.get(keyOf(specification.name, specification.namespace));
        requireSeen(state, authorship.expectedRevision);
        const about = headOf(specification, authorship);
        // Also what was sent twice because its answer was lost.
        if (state !== undefined && canonicalJson(state.experiment) === canonicalJson(specification)) return state;
        requireSeenFile(state, { specification, expected: authorship.expectedFile });
        if (state === undefined || !hasEnded(state.state)) requireFreeRoute(specification, states.values());
        if (state === undefined) return write({ ...about, kind: 'create', specification });
        requireRevisable(state, specification);
        const allocation = revisedAllocation(state, specification);
        const isMoved = canonicalJson(allocation) !== canonicalJson(state.allocation);
        return write({
          ...about,
          kind: 'revise',
          specification,
          ...(isMoved ? { allocation, epoch: state.epoch + 1 } : {}),
        });
      }),
    act: (step, request) =>
      inTurn(async () => {
        const state = locate(request);
        const event = planTransition(state, { step, request });
        if (event === undefined) return state;
        const slot = event.kind === 'start' ? takeSlot(state.experiment, states.values()) : undefined;
        return write(slot === undefined ? event : ({ ...event, kind: 'start', slot } as ControlEvent));
      }),
    recordVerdict: (request) =>
      inTurn(async () => {
        const { experiment } = locate(request);
        const { verdict, summary, basis } = request;
        return write({
          ...headOf(experiment, request),
          kind: 'verdict',
          verdict,
          summary,
          evidenceDigest: digestOf(summary),
          ...(basis === undefined ? {} : { basis }),
        });
      }),
    note: (request) =>
      inTurn(async () => {
        const { experiment } = locate(request);
        return write({ ...headOf(experiment, request), ...groundsOf(request), ...request.note });
      }),
    drift: (name, namespace) => describeDrift(find(name, namespace)),
    overlaps: (name, namespace) => describeOverlaps(find(name, namespace), states.values()),
    history: (name, namespace) => {
      const { experiment } = find(name, namespace);
      return entries.filter(
        ({ event }) => event.experiment === experiment.name && event.namespace === experiment.namespace,
      );
    },
    snapshot: () => snapshot,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}

function keyOf(name: string, namespace: string): string {
  return `${namespace}/${name}`;
}

function headOf(
  { namespace, name }: Experiment,
  { author, reason }: Authorship,
): Authorship & Pick<ControlEvent, 'namespace' | 'experiment'> {
  return { author, reason, namespace, experiment: name };
}

/** With the digest of the evidence where nobody gave one. */
function groundsOf({ evidence, evidenceDigest }: Grounds): Grounds {
  const digest = evidenceDigest ?? (evidence === undefined ? undefined : digestOf(evidence));
  return {
    ...(evidence === undefined ? {} : { evidence }),
    ...(digest === undefined ? {} : { evidenceDigest: digest }),
  };
}

/** The event a step writes; undefined when it would change nothing. */
function planTransition(
  state: ExperimentState,
  { step, request }: { readonly step: TransitionName; readonly request: TransitionRequest },
): ControlEvent | undefined {
  const { experiment } = state;
  const next = applyTransition(state.state, step);
  requireFitting(step, request);
  const head = { ...headOf(experiment, request), ...groundsOf(request), epoch: state.epoch + 1 };
  const everybody = (promoted?: string): Allocation =>
    allocationFor(next, { control: experiment.control, ranges: [], promoted });
  switch (step) {
    case 'start':
    case 'resume': {
      const coverage = request.coverage ?? (step === 'start' ? experiment.coverage : state.coverage);
      const ranges = splitFor(experiment, state.split);
      return {
        ...head,
        kind: step,
        coverage,
        allocation: allocationFor(next, { control: experiment.control, ranges }),
      };
    }
    case 'ramp': {
      const coverage = request.coverage ?? nextCoverage(state);
      return coverage === state.coverage ? undefined : { ...head, kind: step, coverage, allocation: state.allocation };
    }
    case 'promote': {
      const variant = winnerOf(experiment, request.variant);
      return { ...head, kind: step, variant, allocation: everybody(variant) };
    }
    case 'pause':
    case 'roll-back':
    case 'stop':
      return { ...head, kind: step, allocation: everybody() };
  }
}

function splitFor({ variants }: Experiment, present: readonly AllocationRange[]): readonly AllocationRange[] {
  const weights = variants.map(({ name, weight }) => ({ variant: name, weight }));
  return present.length === 0 ? allocate(weights) : reallocate(present, weights);
}

function revisedAllocation(state: ExperimentState, specification: Experiment): Allocation {
  const ranges = state.state === 'running' ? splitFor(specification, state.split) : [];
  return allocationFor(state.state, { control: specification.control, ranges, promoted: state.promoted ?? undefined });
}

function nextCoverage({ experiment, coverage }: ExperimentState): number {
  const next = experiment.ramp?.coverage.find((step) => step > coverage);
  if (next !== undefined) return next;
  throw new AssayError('transition-refused', `coverage is ${coverage}, the file's ramp has no step above it`, {
    fix: 'Name the coverage you want.',
  });
}

function winnerOf({ variants, control }: Experiment, wanted: string | undefined): string {
  const candidates = variants.map((variant) => variant.name).filter((name) => name !== control);
  const winner = wanted ?? (candidates.length === 1 ? candidates[0] : undefined);
  if (winner !== undefined && candidates.includes(winner)) return winner;
  const value = wanted === undefined ? 'missing' : JSON.stringify(wanted);
  throw new AssayError('request-invalid', `variant is ${value}, must be a candidate: ${candidates.join(', ')}`);
}

function requireFitting(step: TransitionName, { coverage, variant }: TransitionRequest): void {
  if (coverage !== undefined) {
    if (step !== 'start' && step !== 'resume' && step !== 'ramp')
      throw new AssayError('request-invalid', `coverage is ${coverage}, must be absent from ${step}`);
    if (!(coverage > 0 && coverage <= 1))
      throw new AssayError('request-invalid', `coverage is ${coverage}, must be in (0, 1]`);
  }
  if (variant !== undefined && step !== 'promote')
    throw new AssayError('request-invalid', `variant is ${JSON.stringify(variant)}, must be absent from ${step}`);
}

function requireAuthorship(authorship: Authorship): void {
  for (const key of ['author', 'reason'] as const) {
    const value: unknown = authorship[key];
    if (typeof value !== 'string' || value.trim() === '' || value.length > 2000)
      throw new AssayError(
        'request-invalid',
        `${key} is ${JSON.stringify(value) ?? 'missing'}, must be a text of 1 to 2000 characters`,
      );
  }
}

function requireSeen(state: ExperimentState | undefined, expected: number | undefined): void {
  const current = state?.logRevision ?? 0;
  if (expected !== undefined && expected !== current)
    throw new AssayError('revision-conflict', `the expected revision is ${expected}, the experiment is at ${current}`);
}
