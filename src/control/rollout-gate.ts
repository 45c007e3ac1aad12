// May a rollout that waits for the experiment go on? One of three words, always with a reason, whatever there is to know.
import type { Verdict } from '../decision/index.ts';
import type { ExperimentState } from './experiment-state.ts';

/** The answer to a gate; every field is always there, because readers address them by name. */
export interface RolloutGate {
  readonly gate: 'pass' | 'fail' | 'wait';
  /** `none` where there is none yet. */
  readonly verdict: Verdict['kind'] | 'none';
  readonly recommendation: Verdict['recommendation'] | 'none';
  /** `none` where nothing speaks of one. */
  readonly variant: string;
  /** `unknown` where there is no such experiment. */
  readonly state: ExperimentState['state'] | 'unknown';
  /** The weightiest, in one sentence. */
  readonly reason: string;
}

/**
 * The gate of an experiment in this state with this verdict. What has been done goes before what the numbers say: a
 * promotion passes, a roll-back fails, and so does an end without a winner, because nothing will change any more.
 * @param verdict undefined where none can be made; `reason` then says why
 */
export function rolloutGate(
  state: Pick<ExperimentState, 'state' | 'promoted'> | undefined,
  { verdict, reason }: { readonly verdict: Verdict | undefined; readonly reason?: string },
): RolloutGate {
  const why = verdict?.reasons[0]?.text ?? reason ?? 'nothing is known yet';
  const answer = {
    verdict: verdict?.kind ?? 'none',
    recommendation: verdict?.recommendation ?? 'none',
    variant: verdict?.variant ?? 'none',
    state: state?.state ?? 'unknown',
  } as const;
  if (state === undefined) return { ...answer, gate: 'wait', reason: why };
  switch (state.state) {
    case 'promoted':
      return { ...answer, gate: 'pass', variant: state.promoted ?? answer.variant, reason: 'it was promoted' };
    case 'rolled-back':
      return { ...answer, gate: 'fail', reason: 'it was rolled back' };
    case 'completed':
      return { ...answer, gate: 'fail', reason: 'it was ended without a winner' };
    case 'draft':
      return { ...answer, gate: 'wait', reason: 'it has not been started' };
    case 'paused':
    case 'running': {
      if (verdict === undefined) return { ...answer, gate: 'wait', reason: why };
      const isBad = verdict.kind === 'roll-back' || verdict.kind === 'invalid';
      return { ...answer, gate: verdict.kind === 'ship' ? 'pass' : isBad ? 'fail' : 'wait', reason: why };
    }
  }
}
