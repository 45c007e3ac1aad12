// Which evidence is old enough to go? Whole segments, the oldest first, never what a running experiment still joins.
import { stat } from 'node:fs/promises';
import { listLogFiles } from '../read-evidence-log.ts';
import {
  type ExpiredEvidence,
  type Manifest,
  readManifest,
  type SealedWriter,
  type Segment,
  writeManifest,
  writerOf,
} from './manifest.ts';
import { removeSegments } from './segment-file.ts';

/** Options of `retainEvidence`. Only one process at a time may change a data directory. */
export interface RetainOptions {
  readonly directory: string;
  /** Epoch milliseconds. */
  readonly nowMs: number;
  /** Segments whose last record arrived longer ago go. */
  readonly keepMs?: number;
  /** Then the oldest go until segments and logs together are at most this long. */
  readonly maxBytes?: number;
  /** The longest window of a running experiment: nothing younger goes, whatever the other two say. Default 0. */
  readonly longestWindowMs?: number;
  /** True: say what would go, and leave everything. */
  readonly isRehearsal?: boolean;
}

/** What `retainEvidence` did. */
export interface Retained {
  readonly segments: number;
  readonly rows: number;
  readonly bytes: number;
  /** What is left, logs included. */
  readonly bytesLeft: number;
  /** By how much that is more than `maxBytes`, because the rest is protected or not sealed yet; 0 otherwise. */
  readonly bytesTooMany: number;
  readonly expired: readonly ExpiredEvidence[];
}

/** A clock that says less was never set: such records count from the moment they were sealed. */
const earliestMs = Date.UTC(2000, 0, 1);

/**
 * Removes old segments and writes down how many records went. Logs are never touched: seal first.
 *
 * @throws AssayError `data-directory-unusable` when the disk refuses; then everything is still there.
 */
export async function retainEvidence(options: RetainOptions): Promise<Retained> {
  const { directory, nowMs, keepMs = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY } = options;
  const manifest = await readManifest(directory);
  const ageOf = (segment: Segment): number => nowMs - (segment.toMs < earliestMs ? segment.sealedMs : segment.toMs);
  const oldestFirst = manifest.segments
    .filter((segment) => ageOf(segment) > (options.longestWindowMs ?? 0))
    .sort((a, b) => ageOf(b) - ageOf(a));
  let bytesLeft = manifest.segments.reduce((sum, { bytes }) => sum + bytes, await logBytes(directory));
  const gone: Segment[] = [];
  for (const segment of oldestFirst) {
    if (!(ageOf(segment) > keepMs || bytesLeft > maxBytes)) continue;
    gone.push(segment);
    bytesLeft -= segment.bytes;
  }
  const expired = addUp(gone);
  if (gone.length > 0 && options.isRehearsal !== true) {
    const wentAway = new Set(gone);
    await writeManifest(directory, {
      ...manifest,
      removals: manifest.removals + 1,
      segments: manifest.segments.filter((segment) => !wentAway.has(segment)),
      writers: countRemoved(manifest, gone),
      expired: mergeExpired([...manifest.expired, ...expired]),
    });
    await removeSegments(directory, gone);
  }
  return {
    segments: gone.length,
    rows: gone.reduce((sum, { rows }) => sum + rows, 0),
    bytes: gone.reduce((sum, { bytes }) => sum + bytes, 0),
    bytesLeft,
    bytesTooMany: Math.max(0, bytesLeft - maxBytes),
    expired,
  };
}

function countRemoved(manifest: Manifest, gone: readonly Segment[]): Manifest['writers'] {
  const writers: Record<string, SealedWriter> = { ...manifest.writers };
  for (const { writer, rows } of gone.flatMap(({ sources }) => sources)) {
    const known = writers[writer] ?? writerOf(manifest, writer);
    writers[writer] = { ...known, expired: known.expired + rows };
  }
  return writers;
}

function addUp(gone: readonly Segment[]): readonly ExpiredEvidence[] {
  return mergeExpired(
    gone.map(({ kind, namespace, experiment, rows, fromMs, toMs }) => ({
      kind,
      ...(experiment === undefined ? {} : { namespace: namespace ?? '', experiment }),
      rows,
      fromMs,
      toMs,
    })),
  );
}

/** One entry per kind and experiment. */
function mergeExpired(all: readonly ExpiredEvidence[]): readonly ExpiredEvidence[] {
  const merged = new Map<string, ExpiredEvidence>();
  for (const each of all) {
    const key = JSON.stringify([each.kind, each.namespace, each.experiment]);
    const known = merged.get(key);
    merged.set(
      key,
      known === undefined
        ? each
        : {
            ...known,
            rows: known.rows + each.rows,
            fromMs: Math.min(known.fromMs, each.fromMs),
            toMs: Math.max(known.toMs, each.toMs),
          },
    );
  }
  return [...merged.values()];
}

async function logBytes(directory: string): Promise<number> {
  let bytes = 0;
  for (const { path } of await listLogFiles(directory)) bytes += (await stat(path).catch(() => ({ size: 0 }))).size;
  return bytes;
}
