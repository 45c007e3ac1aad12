// What is an experiment's present state, given everything that ever happened to it?
import { AssayError } from '../errors.ts';
import type { EpochAllocation } from '../evidence/index.ts';
import {
  type Allocation,
  type AllocationRange,
  allocationFor,
  applyTransition,
  type Experiment,
  type ExperimentStateName,
  hasEnded,
  type RoutableExperiment,
  type TransitionName,
} from '../experiment/index.ts';
import { canonicalJson } from './control-chain.ts';
import type { ControlEvent, ControlLogEntry, LayerSlot, ProposedStep, VerdictBasis } from './control-event.ts';

/** One allocation in force, and since when. */
interface Epoch extends EpochAllocation {
  /** Share of units that take part, 0..1. */
  readonly coverage: number;
  /** Epoch milliseconds. */
  readonly sinceMs: number;
}

/** A part of the plan that was changed after the start: the report says so. */
interface PlanChange {
  /** Key of the experiment file, for example `metrics`. */
  readonly part: string;
  /** Revision of the specification that brought it. */
  readonly revision: number;
  readonly timeMs: number;
}

/** A remark about a time or a span of time. */
export interface Annotation {
  readonly text: string;
  readonly author: string;
  readonly atMs: number;
  /** Absent for a moment. */
  readonly untilMs?: number;
}

/** Where in the control log a verdict stands. */
interface KeptVerdict {
  readonly kind: string;
  readonly variant: string;
  readonly timeMs: number;
  readonly logRevision: number;
  readonly evidenceDigest: string;
}

/** One experiment as it is. `experiment` says what is wanted. */
export interface ExperimentState extends RoutableExperiment {
  /** Every allocation so far, the newest last; epoch 0 is the draft. */
  readonly epochs: readonly Epoch[];
  /** The split last in force; kept through a pause so that every unit finds its variant again. Empty in a draft. */
  readonly split: readonly AllocationRange[];
  /** Buckets of the layer that are its own; empty without a layer, and before the start. */
  readonly slot: LayerSlot;
  /** Name of the promoted variant. */
  readonly promoted: string | null;
  readonly createdAtMs: number;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
  /** Oldest first. */
  readonly planChanges: readonly PlanChange[];
  /** The step that waits for approval; null while none does. */
  readonly proposal: ProposedStep | null;
  /** Remarks about times, oldest first. */
  readonly annotations: readonly Annotation[];
  /** The last verdict that was kept; null before the first. */
  readonly lastVerdict: KeptVerdict | null;
  /** Revision of the control log's last entry about this experiment. */
  readonly logRevision: number;
}

/** Parts of the file that decide what the numbers mean; fixed at the start of an honest test. */
const planParts = [
  'hypothesis',
  'unit',
  'control',
  'capture',
  'metrics',
  'value',
  'decision',
  'plan',
  'segments',
  'exclude',
] as const satisfies readonly (keyof Experiment)[];

/**
 * The state after one more entry. `state` is undefined before the first.
 *
 * @throws AssayError `control-log-corrupt` when the entry cannot follow.
 */
export function foldEntry(
  state: ExperimentState | undefined,
  { event, revision, timeMs }: ControlLogEntry,
): ExperimentState {
  const misplaced = (why: string): AssayError =>
    new AssayError(
      'control-log-corrupt',
      `entry ${revision} of the control log (${event.kind} ${event.experiment}) ${why}`,
    );
  if (event.kind === 'create') {
    if (state !== undefined) throw misplaced('creates an experiment that exists');
    return createState(event.specification, { timeMs, logRevision: revision });
  }
  if (state === undefined) throw misplaced('is about an experiment that was never created');
  const known = { ...state, logRevision: revision };
  switch (event.kind) {
    case 'verdict': {
      const { kind, variant } = (event.verdict ?? {}) as { readonly kind?: unknown; readonly variant?: unknown };
      const { evidenceDigest } = event;
      return {
        ...known,
        lastVerdict: { kind: String(kind), variant: String(variant), timeMs, logRevision: revision, evidenceDigest },
      };
    }
    case 'notice':
      return known;
    case 'propose':
      return { ...known, proposal: event.proposal };
    case 'annotate': {
      const { text, author, atMs, untilMs } = event;
      const annotation = { text, author, atMs, ...(untilMs === undefined ? {} : { untilMs }) };
      return { ...known, annotations: [...state.annotations, annotation] };
    }
  }
  if (event.kind === 'revise') return foldRevise(known, { event, timeMs });
  if (!isTransition(event)) {
    throw new AssayError(
      'control-log-corrupt',
      `entry ${revision} of the control log has the kind ${JSON.stringify((event as { kind: unknown }).kind)}, which this version does not know`,
      {
        fix: 'Start the version of Assay that wrote it, or a newer one.',
      },
    );
  }
  let next: ExperimentStateName;
  try {
    next = applyTransition(state.state, event.kind);
  } catch (cause) {
    throw misplaced(`is not allowed: ${(cause as Error).message}`);
  }
  return openEpoch(
    {
      ...known,
      state: next,
      coverage: 'coverage' in event ? event.coverage : state.coverage,
      promoted: event.kind === 'promote' ? event.variant : null,
      proposal: null,
      slot: event.kind === 'start' ? (event.slot ?? []) : state.slot,
      startedAtMs: event.kind === 'start' ? timeMs : state.startedAtMs,
      endedAtMs: hasEnded(next) ? (state.endedAtMs ?? timeMs) : null,
    },
    { allocation: event.allocation, epoch: event.epoch, sinceMs: timeMs },
  );
}

type TransitionEvent = Extract<ControlEvent, { kind: TransitionName }>;
type ReviseEvent = Extract<ControlEvent, { kind: 'revise' }>;

function isTransition(event: ControlEvent): event is TransitionEvent {
  return ['start', 'pause', 'resume', 'ramp', 'promote', 'roll-back', 'stop'].includes(event.kind);
}

function createState(
  experiment: Experiment,
  { timeMs, logRevision }: { readonly timeMs: number; readonly logRevision: number },
): ExperimentState {
  return {
    experiment,
    state: 'draft',
    revision: 1,
    coverage: experiment.coverage,
    epoch: 0,
    allocation: allocationFor('draft', { control: experiment.control, ranges: [] }),
    sinceMs: timeMs,
    epochs: [{ epoch: 0, shares: {}, coverage: experiment.coverage, sinceMs: timeMs }],
    split: [],
    slot: [],
    promoted: null,
    createdAtMs: timeMs,
    startedAtMs: null,
    endedAtMs: null,
    planChanges: [],
    proposal: null,
    annotations: [],
    lastVerdict: null,
    logRevision,
  };
}

function foldRevise(
  state: ExperimentState,
  { event, timeMs }: { readonly event: ReviseEvent; readonly timeMs: number },
): ExperimentState {
  const { specification, allocation, epoch } = event;
  const revision = state.revision + 1;
  const changed =
    state.startedAtMs === null ? [] : planParts.filter((part) => differ(state.experiment[part], specification[part]));
  const revised: ExperimentState = {
    ...state,
    experiment: specification,
    revision,
    // A draft has no coverage of its own yet; later only the control log moves it.
    coverage: state.state === 'draft' ? specification.coverage : state.coverage,
    planChanges: [...state.planChanges, ...changed.map((part) => ({ part, revision, timeMs }))],
  };
  if (allocation === undefined || epoch === undefined) return revised;
  return openEpoch(revised, { allocation, epoch, sinceMs: timeMs });
}

function differ(a: unknown, b: unknown): boolean {
  return canonicalJson(a ?? null) !== canonicalJson(b ?? null);
}

function openEpoch(
  state: ExperimentState,
  { allocation, epoch, sinceMs }: { readonly allocation: Allocation; readonly epoch: number; readonly sinceMs: number },
): ExperimentState {
  return {
    ...state,
    allocation,
    epoch,
    sinceMs,
    split: allocation.kind === 'fixed' ? allocation.ranges : state.split,
    epochs: [...state.epochs, { epoch, shares: sharesOf(allocation), coverage: state.coverage, sinceMs }],
  };
}

/** Variant -> share of covered units, 0..1; empty where nothing is split. */
function sharesOf(allocation: Allocation): { readonly [variant: string]: number } {
  if (allocation.kind === 'single') return {};
  const shares: Record<string, number> = {};
  for (const { variant, from, to } of allocation.ranges)
    shares[variant] = (shares[variant] ?? 0) + (to - from) / 2 ** 32;
  return shares;
}

/** What a report at this time is made from beside its summary. */
export function verdictBasis({ startedAtMs, planChanges, annotations }: ExperimentState, nowMs: number): VerdictBasis {
  return {
    nowMs,
    ...(startedAtMs === null ? {} : { startedAtMs }),
    planChanges: planChanges.map(
      ({ part, revision, timeMs }) => `${part} changed with revision ${revision} at ${new Date(timeMs).toISOString()}`,
    ),
    ...(annotations.length === 0
      ? {}
      : {
          annotations: annotations.map(({ text, atMs, untilMs }) => ({
            text,
            atMs,
            ...(untilMs === undefined ? {} : { untilMs }),
          })),
        }),
  };
}

/** Where what is differs from what the file wants, in sentences; empty where they agree, and for a draft. */
export function describeDrift(state: ExperimentState): readonly string[] {
  const { experiment, allocation, coverage } = state;
  if (state.state === 'draft') return [];
  const total = experiment.variants.reduce((sum, variant) => sum + variant.weight, 0);
  const wanted = experiment.variants
    .filter((variant) => variant.weight > 0)
    .map(({ name, weight }) => [name, weight / total] as const);
  const split = wanted.map(([name, share]) => `${name} ${formatShare(share)}`).join(', ');
  if (allocation.kind === 'single')
    return [
      `${allocation.variant} answers everybody because the experiment is ${state.state}; the file splits ${split}`,
    ];
  const sentences: string[] = [];
  const shares = sharesOf(allocation);
  const is = Object.entries(shares).map(([name, share]) => `${name} ${formatShare(share)}`);
  const isSame =
    is.length === wanted.length && wanted.every(([name, share]) => Math.abs((shares[name] ?? 0) - share) < 1e-9);
  if (!isSame) sentences.push(`the split is ${is.join(', ')}; the file says ${split}`);
  const steps = experiment.ramp?.coverage ?? [experiment.coverage];
  if (!steps.includes(coverage))
    sentences.push(
      `coverage is ${coverage}; the file says ${steps.length === 1 ? steps[0] : `one of ${steps.join(', ')}`}`,
    );
  return sentences;
}

function formatShare(share: number): string {
  return String(Number(share.toPrecision(6)));
}
