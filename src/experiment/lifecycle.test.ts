import { describe, expect, test } from 'vitest';
import { AssayError } from '../errors.ts';
import {
  applyTransition,
  type ExperimentStateName,
  hasEnded,
  type TransitionName,
  transitions,
  transitionsFrom,
} from './index.ts';

const states: readonly ExperimentStateName[] = ['draft', 'running', 'paused', 'promoted', 'rolled-back', 'completed'];

/** Written out a second time on purpose: what each step leads to; absent where it is refused. */
const expected: Record<ExperimentStateName, Partial<Record<TransitionName, ExperimentStateName>>> = {
  draft: { start: 'running', stop: 'completed' },
  running: { pause: 'paused', ramp: 'running', promote: 'promoted', 'roll-back': 'rolled-back', stop: 'completed' },
  paused: { resume: 'running', promote: 'promoted', 'roll-back': 'rolled-back', stop: 'completed' },
  promoted: { 'roll-back': 'rolled-back' },
  'rolled-back': {},
  completed: {},
};

describe('lifecycle', () => {
  test('every step from every state is allowed or refused as the table says', () => {
    for (const state of states)
      for (const { name } of transitions) {
        const to = expected[state][name];
        if (to !== undefined) expect(applyTransition(state, name)).toBe(to);
        else expect(() => applyTransition(state, name)).toThrow(AssayError);
      }
  });

  test('a refusal names the steps that are allowed', () => {
    expect(() => applyTransition('running', 'start')).toThrow(
      '"start" is not allowed from running, must be one of: pause, ramp, promote, roll-back, stop',
    );
    expect(() => applyTransition('completed', 'start')).toThrow(
      '"start" is not allowed from completed, no step is left',
    );
  });

  test('every state can be reached from a draft, and every live state can end', () => {
    const reached = new Set<ExperimentStateName>(['draft']);
    for (const state of reached) for (const step of transitionsFrom(state)) reached.add(applyTransition(state, step));
    expect([...reached].sort()).toEqual([...states].sort());
    for (const state of states.filter((each) => !hasEnded(each)))
      expect(transitionsFrom(state).some((step) => hasEnded(applyTransition(state, step)))).toBe(true);
  });
});
