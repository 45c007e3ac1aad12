// How do the entries of the control log hang together, so that a changed or missing one shows?
import { createHash } from 'node:crypto';
import { AssayError } from '../errors.ts';
import type { ControlEvent, ControlLogEntry } from './control-event.ts';

/** `previous` of the first entry. */
const chainStart: string = '0'.repeat(64);

/** JSON with sorted keys and no spaces: equal values give equal text, before and after a round trip through a file. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** SHA-256 of the canonical JSON, 64 hex digits. */
export function digestOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

/** The entry that follows `last` (undefined: the first of a log). */
export function linkEntry(
  event: ControlEvent,
  { last, timeMs }: { readonly last: ControlLogEntry | undefined; readonly timeMs: number },
): ControlLogEntry {
  const body = {
    v: 1,
    revision: (last?.revision ?? 0) + 1,
    timeMs,
    event,
    previous: last?.hash ?? chainStart,
  } as const;
  return { ...body, hash: digestOf(body) };
}

/**
 * The value as the entry that follows `last`.
 *
 * @throws AssayError `control-log-corrupt` naming the revision, when it does not.
 */
export function verifyEntry(value: unknown, last: ControlLogEntry | undefined): ControlLogEntry {
  const revision = (last?.revision ?? 0) + 1;
  const corrupt = (what: string): AssayError =>
    new AssayError('control-log-corrupt', `entry ${revision} of the control log ${what}`);
  if (value === null || typeof value !== 'object') throw corrupt('is not a JSON object');
  const { hash, ...body } = value as Partial<ControlLogEntry>;
  if (body.v !== 1) throw corrupt(`has format version ${JSON.stringify(body.v)}, must be 1`);
  if (body.revision !== revision) throw corrupt(`has revision ${JSON.stringify(body.revision)}, must be ${revision}`);
  if (body.previous !== (last?.hash ?? chainStart)) throw corrupt('does not follow the entry before it');
  if (hash !== digestOf(body)) throw corrupt('does not match its hash');
  return value as ControlLogEntry;
}

/** @throws AssayError `revision-conflict` unless `expected` is the revision of `last`. */
export function requireRevision(expected: number, last: ControlLogEntry | undefined): void {
  const current = last?.revision ?? 0;
  if (expected !== current)
    throw new AssayError(
      'revision-conflict',
      `the expected revision is ${expected}, must be ${current}, the last of the control log`,
    );
}
