// How does one person's evidence go without breaking the rest? Segments are rewritten without it, and a digest is kept.
import { createHash } from 'node:crypto';
import { AssayError } from '../../errors.ts';
import { quoted } from '../../evidence/index.ts';
import type { DuckdbSession } from '../duckdb-session.ts';
import { eraseBodies } from '../erase-bodies.ts';
import { removeStateFile, stateFileOf } from '../state-file.ts';
import {
  type Manifest,
  readManifest,
  type SealedWriter,
  type Segment,
  type SegmentKind,
  writeManifest,
  writerOf,
} from './manifest.ts';
import { segmentKinds, segmentRows } from './segment-columns.ts';
import { openSegmentSession, removeSegments, segmentPath, sweepSegments, writeSegment } from './segment-file.ts';

/** Options of `eraseUnit`. Only one process at a time may change a data directory. */
export interface EraseOptions {
  readonly directory: string;
  /** The unit key as records have it: 16 hex digits. */
  readonly unit: string;
  /** Epoch milliseconds. */
  readonly nowMs: number;
  /** Told after each segment that was looked through. */
  readonly onProgress?: (done: { readonly rewritten: number; readonly of: number }) => void;
}

/** What `eraseUnit` did. */
export interface Erased {
  /** Names the unit in the manifest without telling which it was. */
  readonly digest: string;
  readonly rows: Readonly<Record<SegmentKind, number>>;
  readonly segments: number;
  /** Kept bodies of its predictions. */
  readonly bodies: number;
  /** When this unit was erased before, epoch milliseconds; null when it was not. */
  readonly erasedBeforeMs: number | null;
}

/**
 * Removes a unit's predictions with their ends, mirrors and kept bodies, and every outcome that names the unit, one of its predictions or
 * one of its requests. Sequences stay, so nothing else moves. What is not sealed is not seen: seal everything first.
 *
 * @throws AssayError `usage-invalid` for a unit that is no key; `data-directory-unusable` when the disk refuses; then
 *   everything is still there.
 */
export async function eraseUnit(options: EraseOptions): Promise<Erased> {
  const { directory, unit, nowMs } = options;
  if (!/^[0-9a-f]{16}$/.test(unit))
    throw new AssayError('usage-invalid', `the unit key is ${JSON.stringify(unit)}, must be 16 hex digits`);
  const manifest = await readManifest(directory);
  const digest = createHash('sha256').update(`assay-erasure/${unit}`).digest('hex');
  const erasedBeforeMs = manifest.erasures.findLast((erasure) => erasure.digest === digest)?.erasedMs ?? null;
  const rows: Record<SegmentKind, number> = {
    predictions: 0,
    'prediction-ends': 0,
    mirrors: 0,
    outcomes: 0,
    others: 0,
  };
  const nothing = { digest, rows, segments: 0, bodies: 0, erasedBeforeMs };
  if (manifest.segments.length === 0) return nothing;
  await sweepSegments(directory, manifest);
  const session = await openSegmentSession(directory);
  try {
    await findSubjects(session, { directory, manifest, unit });
    const affected = await findAffected(session, { directory, manifest, unit });
    if (affected.length === 0) return nothing;
    // First, because afterwards nothing here knows any more which bodies are theirs.
    const ids = await session.read("SELECT s.id FROM subject s WHERE s.kind = 'prediction'");
    const bodies = await eraseBodies(directory, new Set(ids.map(({ id }) => id as string)));
    const writers: Record<string, SealedWriter> = { ...manifest.writers };
    const remaining = new Map<Segment, Segment | undefined>();
    for (const [index, segment] of affected.entries()) {
      const { kind, day, namespace, experiment } = segment;
      const left = await writeSegment(session, {
        directory,
        kind,
        day,
        ...(experiment === undefined ? {} : { namespace: namespace ?? '', experiment }),
        from: `(SELECT * FROM ${segmentRows(kind, [segmentPath(directory, segment)])} e WHERE NOT ${isOfUnit(kind, unit)})`,
        revision: manifest.revision + 1,
        sealedMs: segment.sealedMs,
      });
      remaining.set(segment, left);
      rows[kind] += segment.rows - (left?.rows ?? 0);
      for (const { writer, rows: before } of segment.sources) {
        const after = left?.sources.find((source) => source.writer === writer)?.rows ?? 0;
        const known = writers[writer] ?? writerOf(manifest, writer);
        writers[writer] = { ...known, erased: known.erased + before - after };
      }
      options.onProgress?.({ rewritten: index + 1, of: affected.length });
    }
    await writeManifest(directory, {
      ...manifest,
      removals: manifest.removals + 1,
      writers,
      segments: manifest.segments.flatMap((segment) => {
        if (!remaining.has(segment)) return [segment];
        const left = remaining.get(segment);
        return left === undefined ? [] : [left];
      }),
      erasures: [...manifest.erasures, { digest, erasedMs: nowMs, rows }],
    });
    await removeSegments(directory, affected);
    // What is deleted in a database stays in its file for a while.
    await removeStateFile(stateFileOf(directory));
    return { digest, rows, segments: affected.length, bodies, erasedBeforeMs };
  } finally {
    await session.close();
  }
}

interface Search {
  readonly directory: string;
  readonly manifest: Manifest;
  readonly unit: string;
}

const pathsOf = ({ directory, manifest }: Search, kind: SegmentKind): readonly string[] =>
  manifest.segments.filter((segment) => segment.kind === kind).map((segment) => segmentPath(directory, segment));

/** Table `subject`: what else names this unit. */
async function findSubjects(session: DuckdbSession, search: Search): Promise<void> {
  const paths = pathsOf(search, 'predictions');
  await session.run('CREATE TEMP TABLE subject (namespace VARCHAR, kind VARCHAR, id VARCHAR)');
  if (paths.length === 0) return;
  for (const [kind, column] of [
    ['prediction', 'predictionId'],
    ['request', 'requestId'],
  ])
    await session.run(
      `INSERT INTO subject SELECT DISTINCT p.namespace, '${kind}', p."${column}" FROM ${segmentRows('predictions', paths)} p WHERE p.unit = ${quoted(search.unit)}`,
    );
}

async function findAffected(session: DuckdbSession, search: Search): Promise<readonly Segment[]> {
  const affected: Segment[] = [];
  for (const segment of search.manifest.segments) {
    const from = segmentRows(segment.kind, [segmentPath(search.directory, segment)]);
    const [found] = await session.read(
      `SELECT count(*) AS n_rows FROM ${from} e WHERE ${isOfUnit(segment.kind, search.unit)}`,
    );
    if ((found?.n_rows as number) > 0) affected.push(segment);
  }
  return affected.sort((a, b) => segmentKinds.indexOf(a.kind) - segmentKinds.indexOf(b.kind));
}

/** Condition on rows `e`. Never NULL: a row that is kept is one it is false for. */
function isOfUnit(kind: SegmentKind, unit: string): string {
  const named = (subject: string, id: string): string =>
    `EXISTS (SELECT 1 FROM subject s WHERE s.namespace = e.namespace AND s.kind = ${subject} AND s.id = ${id})`;
  switch (kind) {
    case 'predictions':
      return `(coalesce(e.unit, '') = ${quoted(unit)})`;
    case 'prediction-ends':
    case 'mirrors':
      return named("'prediction'", 'e."predictionId"');
    case 'outcomes':
      return (
        `(coalesce(e.subject.unit, '') = ${quoted(unit)} OR ` +
        // One of a single row of a batch names it behind the id.
        `${named('e.subject.kind', `coalesce(regexp_replace(e.subject."predictionId", '#[0-9]+$', ''), e.subject."requestId")`)})`
      );
    case 'others':
      // Nobody knows how a newer version names its subjects, but its line holds the key or the id.
      return `(contains(e.whole, ${quoted(unit)}) OR EXISTS (SELECT 1 FROM subject s WHERE s.kind = 'prediction' AND length(s.id) >= 8 AND contains(e.whole, s.id)))`;
  }
}
