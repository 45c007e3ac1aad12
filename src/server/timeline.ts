// Who changed what, when and why? The control log of one experiment told in sentences, each change with what was before and after.
import type { Hono } from 'hono';
import { paths, type RevisionsAnswer, type TimelineAnswer, type TimelineEntry } from '../api/index.ts';
import { bucketCount } from '../assignment/index.ts';
import type { ControlLogEntry, ExperimentService } from '../control/index.ts';
import { shareText } from '../decision/index.ts';
import {
  type Allocation,
  applyTransition,
  type Experiment,
  type TransitionName,
  transitions,
} from '../experiment/index.ts';
import { experimentYaml } from './experiment-yaml.ts';
import { diffLines } from './line-diff.ts';
import { nameOf, tagged } from './page-requests.ts';
import { proposalText } from './page-rows.ts';

type TimelineState = TimelineEntry['after'];

/** Mounts the timeline and the revisions of the file. */
export function mountTimeline(app: Hono, { service }: { readonly service: ExperimentService }): void {
  app.get(`${paths.experiments}/:name/timeline`, (context) => {
    const { name, namespace } = nameOf(context);
    const answer: TimelineAnswer = { entries: timelineOf(service.history(name, namespace)) };
    return tagged(context, answer);
  });
  app.get(`${paths.experiments}/:name/revisions`, (context) => {
    const { name, namespace } = nameOf(context);
    return tagged(context, revisionsOf(service.history(name, namespace)));
  });
}

/** The changes, newest first. */
export function timelineOf(history: readonly ControlLogEntry[]): readonly TimelineEntry[] {
  const entries: TimelineEntry[] = [];
  let before: TimelineState | null = null;
  for (const entry of history) {
    const after = stateAfter(before, entry);
    const { event, revision, timeMs, hash } = entry;
    const digest = 'evidenceDigest' in event ? event.evidenceDigest : undefined;
    entries.push({
      logRevision: revision,
      at: new Date(timeMs).toISOString(),
      kind: event.kind,
      author: event.author,
      isAutomatic: /^(policy|decision-loop)/.test(event.author),
      reason: event.reason,
      text: textOf(entry, { before, after }),
      before,
      after,
      ...(digest === undefined ? {} : { evidenceDigest: digest }),
      hash,
    });
    before = after;
  }
  return entries.toReversed();
}

function stateAfter(before: TimelineState | null, { event }: ControlLogEntry): TimelineState {
  const known: TimelineState = before ?? { state: 'draft', revision: 1, epoch: 0, coverage: 0, shares: {} };
  if (event.kind === 'create') return { ...known, coverage: event.specification.coverage };
  const revised = event.kind === 'revise' ? { ...known, revision: known.revision + 1 } : known;
  const moved = {
    ...revised,
    ...('coverage' in event ? { coverage: event.coverage } : {}),
    ...('epoch' in event && event.epoch !== undefined ? { epoch: event.epoch } : {}),
    ...('allocation' in event && event.allocation !== undefined ? { shares: sharesOf(event.allocation) } : {}),
  };
  const isStep = transitions.some(({ name }) => name === event.kind);
  return isStep ? { ...moved, state: applyTransition(known.state, event.kind as TransitionName) } : moved;
}

function sharesOf(allocation: Allocation): { readonly [variant: string]: number } {
  if (allocation.kind === 'single') return { [allocation.variant]: 1 };
  const shares: Record<string, number> = {};
  for (const { variant, from, to } of allocation.ranges)
    shares[variant] = (shares[variant] ?? 0) + (to - from) / bucketCount;
  return shares;
}

function textOf(
  { event }: ControlLogEntry,
  { before, after }: { readonly before: TimelineState | null; readonly after: TimelineState },
): string {
  const split = Object.entries(after.shares)
    .map(([variant, share]) => `${variant} ${shareText(share)}`)
    .join(', ');
  const reach = `${shareText(before?.coverage ?? 0)} to ${shareText(after.coverage)} of units`;
  switch (event.kind) {
    case 'create':
      return 'Created as a draft; the control answers everybody.';
    case 'revise': {
      const moved = event.allocation === undefined ? '' : `; the split is now ${split}`;
      return `Revision ${after.revision} of the file${moved}.`;
    }
    case 'start':
      return `Started with ${shareText(after.coverage)} of units: ${split}.`;
    case 'resume':
      return `Resumed with ${shareText(after.coverage)} of units: ${split}.`;
    case 'ramp':
      return `Ramped from ${reach}.`;
    case 'pause':
      return 'Paused; the control answers everybody.';
    case 'promote':
      return `Promoted ${event.variant}; it answers everybody.`;
    case 'roll-back':
      return 'Rolled back; the control answers everybody.';
    case 'stop':
      return 'Stopped; the control answers everybody.';
    case 'verdict': {
      const { kind, variant } = (event.verdict ?? {}) as { readonly kind?: string; readonly variant?: string };
      return `The verdict became ${kind ?? 'another one'}${variant === undefined ? '' : ` for ${variant}`}.`;
    }
    case 'propose': {
      if (event.proposal === null) return 'Nothing waits for approval any more.';
      return `Ready to ${proposalText(event.proposal)}; waits for approval.`;
    }
    default:
      return 'text' in event && typeof event.text === 'string' ? event.text : `${event.kind}: ${event.reason}`;
  }
}

/** The file as it was and is, newest first. */
function revisionsOf(history: readonly ControlLogEntry[]): RevisionsAnswer {
  const revisions: RevisionsAnswer['revisions'][number][] = [];
  let previous: string | undefined;
  for (const { event, timeMs } of history) {
    if (event.kind !== 'create' && event.kind !== 'revise') continue;
    const yaml = experimentYaml(event.specification as Experiment);
    revisions.push({
      revision: revisions.length + 1,
      at: new Date(timeMs).toISOString(),
      author: event.author,
      reason: event.reason,
      yaml,
      diff: previous === undefined ? [] : diffLines(previous, yaml),
    });
    previous = yaml;
  }
  return { revisions: revisions.toReversed() };
}
