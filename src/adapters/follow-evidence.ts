// How does one engine follow evidence that a living server writes, seals and merges meanwhile?
import type { AnalysisPlan } from '../evidence/index.ts';
import type { ExpiredEvidence } from './evidence-store/manifest.ts';
import { type EvidenceSnapshot, hasMoved, takeSnapshot } from './evidence-store/read-evidence.ts';

/** How often evidence may move on under our eyes before we give up. */
const mostTries = 20;

/** Does one thing at a time, in the order asked: one connection serves one question. */
export function createTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };
}

/**
 * Works on the evidence as it is now; again on the next snapshot when files have moved on meanwhile.
 *
 * @param onFault called with every fault before it is judged; what it gives is thrown where nothing has moved.
 */
export async function followEvidence<T>(
  directory: string,
  work: (snapshot: EvidenceSnapshot) => Promise<T>,
  onFault: (fault: unknown) => unknown = (fault) => fault,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    const snapshot = await takeSnapshot(directory);
    try {
      return await work(snapshot);
    } catch (fault) {
      const told = onFault(fault);
      // Sealed or merged while we read: what was not taken in yet is found in the next snapshot.
      if (!(await hasMoved(fault, directory, snapshot))) throw told;
      if (tries === mostTries) throw fault;
    }
  }
}

/** Predictions of the plan's experiment that went by retention. */
export function expiredOf({ experiment }: AnalysisPlan, expired: readonly ExpiredEvidence[]): number {
  const ours = expired.filter(
    ({ kind, namespace, experiment: name }) =>
      kind === 'predictions' && namespace === experiment.namespace && name === experiment.name,
  );
  return ours.reduce((sum, { rows }) => sum + rows, 0);
}
