// Who changed what, when and why, and does every kept verdict still follow from the numbers kept with it?
import { makeReport, type Verdict } from '../decision/index.ts';
import type { ExperimentSummary } from '../evidence/index.ts';
import { canonicalJson, digestOf } from './control-chain.ts';
import type { ControlLogEntry } from './control-event.ts';
import { type ExperimentState, foldEntry } from './experiment-state.ts';

/** What of an experiment a change can move. */
export interface AuditedState {
  readonly state: ExperimentState['state'];
  /** Of the file. */
  readonly revision: number;
  readonly epoch: number;
  /** Share of units that take part, 0..1. */
  readonly coverage: number;
  /** Who answers covered units, 0..1 by variant. */
  readonly split: { readonly [variant: string]: number };
}

/** One change with what was before and after. */
export interface AuditEntry {
  /** Place in the chain, from 1. */
  readonly revision: number;
  readonly timeMs: number;
  readonly kind: string;
  readonly author: string;
  readonly reason: string;
  /** Null before the experiment was created. */
  readonly before: AuditedState | null;
  readonly after: AuditedState;
  /** Of what the change rests on; null where a person gave a reason only. */
  readonly evidenceDigest: string | null;
  readonly hash: string;
}

/** A kept verdict made once more from its summary. */
export interface RecomputedVerdict {
  readonly revision: number;
  readonly timeMs: number;
  readonly kind: string;
  /** `exactly`: the same to the last digit. */
  readonly agrees: 'exactly' | 'no' | 'unknown';
  /** Why not, or why it cannot be known; empty where it agrees. */
  readonly text: string;
  /** What the evidence was then, and what is left of it; absent where nobody asked. */
  readonly evidence?: EvidenceLeft;
}

/** Predictions behind a verdict, and what became of their records. */
export interface EvidenceLeft {
  readonly predictions: number;
  readonly left: number;
  /** Gone because evidence is kept for a limited time. */
  readonly expired: number;
  /** Gone because somebody asked for their records to be erased. */
  readonly erased: number;
}

interface AuditedExperiment {
  readonly name: string;
  readonly namespace: string;
}

/** Every change of one experiment, oldest first. @param entries the whole log, verified. */
export function auditEntries(
  entries: readonly ControlLogEntry[],
  experiment: AuditedExperiment,
): readonly AuditEntry[] {
  return walk(entries, experiment).map(({ entry: { revision, timeMs, event, hash }, before, after }) => ({
    revision,
    timeMs,
    kind: event.kind,
    author: event.author,
    reason: event.reason,
    before: before === undefined ? null : audited(before),
    after: audited(after),
    evidenceDigest: event.evidenceDigest ?? null,
    hash,
  }));
}

/** How the evidence behind a verdict is counted again: as of a time, under the allocations in force then. */
export type CountLeft = (
  asked: Pick<ExperimentState, 'experiment' | 'epochs'> & { readonly nowMs: number },
) => Promise<ExperimentSummary>;

/**
 * Every kept verdict of one experiment, made once more from the summary kept with it.
 * @param countLeft given, the records behind each verdict are counted again too
 */
export async function recomputeVerdicts(
  entries: readonly ControlLogEntry[],
  experiment: AuditedExperiment,
  countLeft?: CountLeft,
): Promise<readonly RecomputedVerdict[]> {
  const recomputed: RecomputedVerdict[] = [];
  for (const { entry, after } of walk(entries, experiment)) {
    const { event, revision, timeMs } = entry;
    if (event.kind !== 'verdict') continue;
    const head = { revision, timeMs, kind: String((event.verdict as Partial<Verdict> | null)?.kind) };
    const summary = event.summary as ExperimentSummary;
    if (event.basis === undefined || summary?.format !== 'assay-summary') {
      recomputed.push({ ...head, agrees: 'unknown', text: 'it was kept without all that it was made from' });
      continue;
    }
    const { basis } = event;
    const text =
      digestOf(summary) === event.evidenceDigest
        ? differenceOf(makeReport(summary, { experiment: after.experiment, ...basis }).verdict, event.verdict)
        : 'its summary does not match its digest';
    const evidence =
      countLeft === undefined ? undefined : evidenceLeft(summary, await countLeft({ ...after, nowMs: basis.nowMs }));
    recomputed.push({
      ...head,
      agrees: text === '' ? 'exactly' : 'no',
      text,
      ...(evidence === undefined ? {} : { evidence }),
    });
  }
  return recomputed;
}

/** Empty where both are the same to the last digit. */
function differenceOf(again: Verdict, kept: unknown): string {
  if (canonicalJson(again) === canonicalJson(kept)) return '';
  const before = kept as Partial<Verdict> | null;
  return again.kind === before?.kind
    ? `the verdict is ${again.kind} again, but its numbers or words differ: another version of Assay made it`
    : `the verdict is now ${again.kind}, it was ${before?.kind}`;
}

function evidenceLeft(then: ExperimentSummary, now: ExperimentSummary): EvidenceLeft {
  const predictions = then.health?.predictions ?? 0;
  const left = Math.min(predictions, now.health?.predictions ?? 0);
  const gone = predictions - left;
  const expired = Math.min(gone, Math.max(0, (now.health?.expired ?? 0) - (then.health?.expired ?? 0)));
  return { predictions, left, expired, erased: gone - expired };
}

interface Change {
  readonly entry: ControlLogEntry;
  readonly before: ExperimentState | undefined;
  readonly after: ExperimentState;
}

function walk(entries: readonly ControlLogEntry[], { name, namespace }: AuditedExperiment): readonly Change[] {
  const changes: Change[] = [];
  for (const entry of entries) {
    if (entry.event.experiment !== name || entry.event.namespace !== namespace) continue;
    const before = changes.at(-1)?.after;
    changes.push({ entry, before, after: foldEntry(before, entry) });
  }
  return changes;
}

function audited({ state, revision, epoch, coverage, allocation }: ExperimentState): AuditedState {
  const split: Record<string, number> = {};
  if (allocation.kind === 'single') split[allocation.variant] = 1;
  else
    for (const { variant, from, to } of allocation.ranges)
      split[variant] = (split[variant] ?? 0) + (to - from) / 2 ** 32;
  return { state, revision, epoch, coverage, split };
}
