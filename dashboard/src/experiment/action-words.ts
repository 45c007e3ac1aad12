// What are the steps of an experiment's life called on the page?
import type { StepOffer } from '../../../src/api/index.ts';

/** What each step is called. */
export const actionWords: Readonly<Record<StepOffer['action'], string>> = {
  start: 'Start',
  pause: 'Pause',
  resume: 'Resume',
  ramp: 'Ramp',
  promote: 'Promote',
  'roll-back': 'Roll back',
  stop: 'Stop',
  approve: 'Approve',
};

/** The words on the button or menu item of a step. */
export function stepTitle({ action, agreement }: StepOffer): string {
  return action === 'promote' && agreement === 'against' ? 'Promote against the verdict…' : `${actionWords[action]}…`;
}
