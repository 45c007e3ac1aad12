// What does the status of an Experiment resource say? Three conditions for tools that wait, and the figures for people.
import type { ExperimentState } from '../control/index.ts';
import type { KubernetesObject } from './kubernetes-client.ts';

/** What the status is made from. */
interface StatusBasis {
  /** Why the specification was not taken over. */
  readonly refusal: string | undefined;
  /** Undefined: there is no such experiment. */
  readonly state: ExperimentState | undefined;
  /** Kind of the last verdict on record. */
  readonly verdict: string | undefined;
  readonly nowMs: number;
}

interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration: number;
}

/** Whole new status; a condition keeps its time while it says the same. */
export function experimentStatus(object: KubernetesObject, basis: StatusBasis): Readonly<Record<string, unknown>> {
  const { refusal, state, verdict, nowMs } = basis;
  const generation = object.metadata.generation ?? 0;
  const before = (object.status as { readonly conditions?: readonly Condition[] } | undefined)?.conditions ?? [];
  const condition = (
    type: string,
    status: Condition['status'],
    { reason, message }: { readonly reason: string; readonly message: string },
  ): Condition => {
    const old = before.find((each) => each.type === type);
    const since =
      old?.status === status ? old.lastTransitionTime : new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
    return { type, status, reason, message, lastTransitionTime: since, observedGeneration: generation };
  };
  const conditions = [
    refusal === undefined
      ? condition('Accepted', 'True', { reason: 'Valid', message: 'the specification is taken over' })
      : condition('Accepted', 'False', { reason: 'Refused', message: refusal.slice(0, 2000) }),
    readiness(condition, state),
    decision(condition, verdict),
  ];
  return {
    observedGeneration: generation,
    // Members of a merge that are null go.
    state: state?.state ?? null,
    coverage: state?.coverage ?? null,
    epoch: state?.epoch ?? null,
    promoted: state?.promoted ?? null,
    verdict: verdict ?? null,
    conditions,
  };
}

type MakeCondition = (
  type: string,
  status: Condition['status'],
  why: { readonly reason: string; readonly message: string },
) => Condition;

/** Ready: requests are routed as the specification says, or its winner has them all. */
function readiness(condition: MakeCondition, state: ExperimentState | undefined): Condition {
  if (state === undefined) return condition('Ready', 'False', { reason: 'Refused', message: 'there is no experiment' });
  const message = {
    draft: 'it has not been started: the control answers everybody',
    running: `${Math.round(state.coverage * 10_000) / 100} % of the units take part`,
    paused: 'it is paused: the control answers everybody',
    promoted: `variant ${state.promoted} answers everybody`,
    'rolled-back': 'it was rolled back: the control answers everybody',
    completed: 'it has ended: the control answers everybody',
  }[state.state];
  const isReady = state.state === 'running' || state.state === 'promoted';
  return condition('Ready', isReady ? 'True' : 'False', { reason: reasonOf(state.state), message });
}

/** Decided: the last verdict on record says what to do. */
function decision(condition: MakeCondition, verdict: string | undefined): Condition {
  if (verdict === undefined)
    return condition('Decided', 'Unknown', { reason: 'NoVerdict', message: 'no verdict is on record yet' });
  const isDecided = verdict === 'ship' || verdict === 'roll-back' || verdict === 'no-difference';
  return condition('Decided', isDecided ? 'True' : 'False', {
    reason: reasonOf(verdict),
    message: `the last verdict on record is ${verdict}`,
  });
}

/** `rolled-back` as Kubernetes writes reasons: `RolledBack`. */
function reasonOf(name: string): string {
  return name.replace(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase());
}

/** True when writing `next` would change nothing of `present`. */
export function isSameStatus(present: unknown, next: Readonly<Record<string, unknown>>): boolean {
  const held = (present ?? {}) as Readonly<Record<string, unknown>>;
  return Object.entries(next).every(([key, value]) => isEqual(held[key] ?? null, value));
}

/** The same JSON, whatever the order of its keys. */
function isEqual(a: unknown, b: unknown): boolean {
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return a === b;
  const keys = Object.keys(a);
  return (
    Array.isArray(a) === Array.isArray(b) &&
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && isEqual((a as never)[key], (b as never)[key]))
  );
}
