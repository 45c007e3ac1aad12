// How does a report say that there is no answer? As a value with its reason, never as a number standing in for one.
import type { Insufficient } from '../stats/index.ts';

/** The answer "not enough to say"; `reason` is a sentence for a person. */
export function insufficient(reason: string): Insufficient {
  return { kind: 'insufficient', reason };
}
