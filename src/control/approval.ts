// How does a person let a step happen that the loop has proposed?
import { AssayError } from '../errors.ts';
import { canonicalJson } from './control-chain.ts';
import type { Authorship } from './control-event.ts';
import type { ExperimentService } from './experiment-service.ts';
import type { ExperimentState } from './experiment-state.ts';

/** Which experiment, who approves, and why. */
interface ApprovalRequest extends Authorship {
  readonly name: string;
  readonly namespace: string;
  /** What the approver has seen. */
  readonly proposal?: { readonly step: string; readonly coverage?: number; readonly variant?: string };
}

/**
 * Takes the step that waits for approval, in the approver's name.
 * @throws AssayError `transition-refused` when none waits; `revision-conflict` when another one waits than the approver has
 *   seen; whatever the step itself refuses.
 */
export async function approve(
  service: Pick<ExperimentService, 'get' | 'act'>,
  { name, namespace, author, reason, proposal: seen }: ApprovalRequest,
): Promise<ExperimentState> {
  const { proposal, lastVerdict, logRevision } = service.get(name, namespace);
  if (proposal === null)
    throw new AssayError(
      'transition-refused',
      `experiment "${name}" proposes no step, so there is nothing to approve`,
      {
        fix: 'See what its verdict is: `assay verdict NAME`. Steps that need no proposal: ramp, promote, roll-back, stop.',
      },
    );
  if (seen !== undefined && canonicalJson(seen) !== canonicalJson(proposal))
    throw new AssayError(
      'revision-conflict',
      `proposal is ${JSON.stringify(seen)}, must be the step that waits: ${JSON.stringify(proposal)}`,
    );
  const { step, ...more } = proposal;
  return service.act(step, {
    name,
    namespace,
    author,
    reason,
    ...more,
    // What is approved is what was proposed, not what somebody put in its place meanwhile.
    expectedRevision: logRevision,
    evidence: { approved: proposal },
    ...(lastVerdict === null ? {} : { evidenceDigest: lastVerdict.evidenceDigest }),
  });
}
