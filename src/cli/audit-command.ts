// `assay audit NAME`: every change with who, when and why, and whether the log still is what was written.
import { readControlLog } from '../adapters/file-control-log.ts';
import type { AuditAnswer } from '../api/index.ts';
import { auditEntries, recomputeVerdicts } from '../control/index.ts';
import { AssayError } from '../errors.ts';
import { connect, currentUser, type RemoteOptions } from './remote-commands.ts';
import { exitCode, say, sayJson } from './terminal.ts';

interface AuditOptions extends RemoteOptions {
  readonly data?: string;
  readonly recompute?: boolean;
  readonly anchor?: string;
}

/**
 * Prints the audit; exit 1 when the chain is broken, a verdict does not follow from its numbers, or the anchor is gone.
 * @throws AssayError `experiment-unknown`, `file-unreadable`, or as the server says.
 */
export async function auditCommand(name: string, options: AuditOptions): Promise<void> {
  const answer =
    options.data === undefined ? await askServer(name, options) : await readHere(name, options, options.data);
  const { chain, changes, verdicts = [] } = answer;
  const hasAnchor = options.anchor === undefined || (await isAnchored(answer, options));
  const isSound = chain.fault === null && hasAnchor && verdicts.every(({ agrees }) => agrees !== 'no');
  if (options.json)
    sayJson({ ...answer, ...(options.anchor === undefined ? {} : { anchored: hasAnchor }), sound: isSound });
  else {
    for (const change of changes) sayChange(change);
    for (const verdict of verdicts) sayVerdict(verdict);
    if (chain.fault !== null) say(`BROKEN: control.log:${chain.fault.line}: ${chain.fault.text}`);
    if (!hasAnchor) say(`BROKEN: no entry has the hash ${options.anchor}; the end of the log was cut off or rewritten`);
    if (isSound) say(`the chain holds: ${chain.entries} entries, the last is ${chain.head ?? 'none'}`);
  }
  if (!isSound) process.exitCode = exitCode.negative;
}

/** `assay approve NAME`. */
export async function approveCommand(
  name: string,
  options: RemoteOptions & { reason: string; author?: string },
): Promise<void> {
  const answer = await connect(options).approve(name, {
    author: options.author ?? currentUser(),
    reason: options.reason,
  });
  if (options.json) sayJson(answer);
  else say(`${answer.name}: ${answer.state}, coverage ${answer.coverage}, epoch ${answer.epoch}`);
}

/** `assay annotate NAME TEXT`. */
export async function annotateCommand(
  name: string,
  text: string,
  options: RemoteOptions & { author?: string; at?: string; until?: string },
): Promise<void> {
  const answer = await connect(options).annotate(name, {
    text,
    author: options.author ?? currentUser(),
    ...(options.at === undefined ? {} : { at: options.at }),
    ...(options.until === undefined ? {} : { until: options.until }),
  });
  if (options.json) sayJson(answer);
  else say(`noted: ${text}`);
}

function askServer(name: string, options: AuditOptions): Promise<AuditAnswer> {
  return connect(options).audit(name, options.recompute ? 'records' : undefined);
}

/** Without a server: the log of a data directory, or of a backup of one. */
async function readHere(name: string, { namespace, recompute }: AuditOptions, directory: string): Promise<AuditAnswer> {
  const { entries, fault } = await readControlLog(directory);
  const experiment = { name, namespace };
  const changes = auditEntries(entries, experiment);
  if (changes.length === 0 && fault === null)
    throw new AssayError('experiment-unknown', `the control log of ${directory} knows no experiment "${name}"`);
  return {
    experiment: name,
    namespace,
    chain: { entries: entries.length, head: entries.at(-1)?.hash ?? null, fault },
    changes,
    ...(recompute ? { verdicts: await recomputeVerdicts(entries, experiment) } : {}),
  };
}

/** A chain whose end was cut off hangs together; only a hash that was noted elsewhere shows it. */
async function isAnchored(answer: AuditAnswer, { anchor, data }: AuditOptions): Promise<boolean> {
  if (answer.chain.head === anchor || answer.changes.some(({ hash }) => hash === anchor)) return true;
  return data !== undefined && (await readControlLog(data)).entries.some(({ hash }) => hash === anchor);
}

function sayChange(change: AuditAnswer['changes'][number]): void {
  const { revision, timeMs, kind, author, reason, before, after, evidenceDigest } = change;
  say(`${String(revision).padStart(4)}  ${new Date(timeMs).toISOString()}  ${kind.padEnd(10)} ${author}: ${reason}`);
  const moved = before === null || stateText(before) !== stateText(after);
  if (moved) say(`      ${before === null ? '' : `${stateText(before)} -> `}${stateText(after)}`);
  if (evidenceDigest !== null) say(`      evidence ${evidenceDigest}`);
}

function stateText({ state, revision, coverage, split }: AuditAnswer['changes'][number]['after']): string {
  const shares = Object.entries(split)
    .map(([variant, share]) => `${variant} ${Number((share * 100).toFixed(2))} %`)
    .join(', ');
  return `${state}, revision ${revision}, ${shares} of ${Number((coverage * 100).toFixed(2))} %`;
}

function sayVerdict({ revision, kind, agrees, text, evidence }: NonNullable<AuditAnswer['verdicts']>[number]): void {
  const again = { exactly: 'recomputes exactly', no: `DIFFERS: ${text}`, unknown: `cannot be recomputed: ${text}` };
  say(`${String(revision).padStart(4)}  verdict ${kind} ${again[agrees]}`);
  if (evidence === undefined) return;
  const { predictions, left, erased, expired } = evidence;
  say(
    `      ${left} of its ${predictions} predictions are still there; ${erased} were erased and ${expired} expired since`,
  );
}
