// How does an experiment look to callers of the API? As it is wanted, as it is, and where the two differ.
import type { ExperimentAnswer } from '../api/index.ts';
import type { ExperimentService, ExperimentState } from '../control/index.ts';

/** Gives an experiment as the API shows it. */
export function experimentAnswer(
  service: Pick<ExperimentService, 'drift' | 'overlaps'>,
  state: ExperimentState,
): ExperimentAnswer {
  const { experiment } = state;
  return {
    namespace: experiment.namespace,
    name: experiment.name,
    state: state.state,
    revision: state.revision,
    coverage: state.coverage,
    epoch: state.epoch,
    allocation: state.allocation,
    ...(state.startedAtMs === null ? {} : { startedAt: new Date(state.startedAtMs).toISOString() }),
    ...(state.endedAtMs === null ? {} : { endedAt: new Date(state.endedAtMs).toISOString() }),
    specification: experiment,
    drift: service.drift(experiment.name, experiment.namespace),
    overlaps: service.overlaps(experiment.name, experiment.namespace),
  };
}
