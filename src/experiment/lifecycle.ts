// Which steps may an experiment take from where it stands? One table of named transitions.
import { AssayError } from '../errors.ts';

/** Where an experiment stands in its life. */
export type ExperimentStateName = 'draft' | 'running' | 'paused' | 'promoted' | 'rolled-back' | 'completed';

/** A step somebody can ask for. */
export type TransitionName = 'start' | 'pause' | 'resume' | 'ramp' | 'promote' | 'roll-back' | 'stop';

/** One row of the table. */
export interface Transition {
  readonly name: TransitionName;
  readonly from: readonly ExperimentStateName[];
  readonly to: ExperimentStateName;
  /** What it does, in one sentence. */
  readonly does: string;
}

/** Every step there is. `promoted`, `rolled-back` and `completed` are ends; only a promotion can still be taken back. */
export const transitions: readonly Transition[] = [
  { name: 'start', from: ['draft'], to: 'running', does: 'Splits the covered units between the variants.' },
  { name: 'pause', from: ['running'], to: 'paused', does: 'Lets the control answer everybody for a while.' },
  { name: 'resume', from: ['paused'], to: 'running', does: 'Splits again; every unit gets the variant it had.' },
  { name: 'ramp', from: ['running'], to: 'running', does: 'Changes the share of units that take part.' },
  { name: 'promote', from: ['running', 'paused'], to: 'promoted', does: 'Lets the winner answer everybody.' },
  {
    name: 'roll-back',
    from: ['running', 'paused', 'promoted'],
    to: 'rolled-back',
    does: 'Ends the experiment because a candidate does harm; the control answers everybody.',
  },
  {
    name: 'stop',
    from: ['draft', 'running', 'paused'],
    to: 'completed',
    does: 'Ends the experiment; the control answers everybody.',
  },
];

/** True when no further evidence is taken: outcomes still join until their windows close. */
export function hasEnded(state: ExperimentStateName): boolean {
  return state === 'promoted' || state === 'rolled-back' || state === 'completed';
}

/** The steps allowed from a state, in the order of the table. */
export function transitionsFrom(state: ExperimentStateName): readonly TransitionName[] {
  return transitions.filter((row) => row.from.includes(state)).map((row) => row.name);
}

/**
 * The state a step leads to.
 *
 * @throws AssayError `transition-refused` naming the steps that are allowed from here.
 */
export function applyTransition(state: ExperimentStateName, name: TransitionName): ExperimentStateName {
  const row = transitions.find((each) => each.name === name);
  if (row?.from.includes(state)) return row.to;
  const allowed = transitionsFrom(state);
  const rule = allowed.length === 0 ? 'no step is left' : `must be one of: ${allowed.join(', ')}`;
  throw new AssayError('transition-refused', `"${name}" is not allowed from ${state}, ${rule}`);
}
