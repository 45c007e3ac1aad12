// May this file take the place of the one before? Nobody's change is lost, no two share a route, no unit loses its variant.
import { AssayError } from '../errors.ts';
import { type Experiment, hasEnded, routeKey } from '../experiment/index.ts';
import { canonicalJson } from './control-chain.ts';
import type { ExperimentState } from './experiment-state.ts';

/** Refuses a file that was made from another revision than the present one; 0 stands for none. @throws AssayError. */
export function requireSeenFile(
  state: ExperimentState | undefined,
  { specification, expected }: { readonly specification: Experiment; readonly expected: number | undefined },
): void {
  const current = state?.revision ?? 0;
  if (expected === undefined || expected === current) return;
  const { name } = specification;
  if (expected === 0)
    throw new AssayError('experiment-exists', `experiment "${name}" is there already (revision ${current})`, {
      fix: 'Choose another name, or revise that one.',
    });
  throw new AssayError(
    'revision-conflict',
    `the file was made from revision ${expected}, must be made from ${current}, the present one of "${name}"`,
  );
}

/** Refuses a route that another live experiment has. @throws AssayError `experiment-exists`. */
export function requireFreeRoute(specification: Experiment, states: Iterable<ExperimentState>): void {
  const route = routeKey(specification.route);
  for (const { experiment, state } of states) {
    const isOther = experiment.name !== specification.name || experiment.namespace !== specification.namespace;
    if (isOther && !hasEnded(state) && routeKey(experiment.route) === route)
      throw new AssayError(
        'experiment-exists',
        `route "${route}" belongs to experiment "${experiment.name}" (${state}), must be free`,
        {
          fix: `Stop "${experiment.name}", or change the route of one of them.`,
        },
      );
  }
}

/** Refuses what a file may not change once units have been assigned. @throws AssayError `transition-refused`. */
export function requireRevisable(
  { experiment, startedAtMs, promoted }: ExperimentState,
  specification: Experiment,
): void {
  if (startedAtMs !== null && experiment.salt !== specification.salt)
    throw new AssayError(
      'transition-refused',
      'spec.salt has changed after the start, which would give most units another variant',
      {
        fix: 'Keep the salt, or start an experiment of another name.',
      },
    );
  for (const part of ['layer', 'layerShare', 'holdout'] as const)
    if (startedAtMs !== null && canonicalJson(experiment[part] ?? null) !== canonicalJson(specification[part] ?? null))
      throw new AssayError(
        'transition-refused',
        `spec.${part} has changed after the start, which would let units in or put them out that have a variant`,
        { fix: `Keep it, or start an experiment of another name.` },
      );
  if (promoted !== null && !specification.variants.some((variant) => variant.name === promoted))
    throw new AssayError('transition-refused', `variant "${promoted}" is promoted, must stay in spec.variants`);
}
