// What is printed below every exported picture? Pictures travel without their page.
import type { ExperimentContextValue } from './experiment-context.tsx';
import { levelOf } from './experiment-context.tsx';

/** Experiment, as of, method, digest, and INVALID where it applies. */
export function chartNotes({ answer, isMarkedInvalid }: ExperimentContextValue): readonly string[] {
  const method = answer.experiment.specification.decision.method ?? 'sequential';
  const line = `${answer.report.experiment} · as of ${answer.asOf} · ${method} ${levelOf(answer)} · digest ${answer.digest}`;
  return isMarkedInvalid ? [line, 'INVALID: the traffic split is broken; this is no conclusion.'] : [line];
}
