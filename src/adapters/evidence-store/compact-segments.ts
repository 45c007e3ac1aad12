// How do many small segments become few? Those of one experiment and day are merged; the manifest swaps them in one step.
import { AssayError } from '../../errors.ts';
import { type Manifest, readManifest, type Segment, writeManifest } from './manifest.ts';
import { segmentRows } from './segment-columns.ts';
import {
  openSegmentSession,
  partFolder,
  removeSegments,
  segmentPath,
  sweepSegments,
  writeSegment,
} from './segment-file.ts';

/** Options of `compactSegments`. Only one process at a time may change a data directory. */
export interface CompactOptions {
  readonly directory: string;
  /** Segments at least this long stay as they are; default 128 MB. */
  readonly largeBytes?: number;
  /** Fewest small segments of one experiment and day that are worth a merge; default 2. */
  readonly atLeast?: number;
  /** Told after each merge. */
  readonly onProgress?: (done: { readonly merged: number; readonly of: number }) => void;
}

/** What `compactSegments` did. */
export interface Compacted {
  readonly before: number;
  readonly after: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/**
 * Merges small segments. No row changes, so whatever was made from them stays right.
 *
 * @throws AssayError `evidence-corrupt` for a segment that cannot be read; `data-directory-unusable` when the disk refuses.
 */
export async function compactSegments(options: CompactOptions): Promise<Compacted> {
  const { directory } = options;
  let manifest = await readManifest(directory);
  const groups = groupsOf(manifest, options);
  const before = manifest;
  if (groups.length > 0) {
    await sweepSegments(directory, manifest);
    const session = await openSegmentSession(directory);
    try {
      for (const [index, group] of groups.entries()) {
        const [{ kind, day, namespace, experiment }] = group as [Segment];
        const paths = group.map((segment) => segmentPath(directory, segment));
        const rows = group.reduce((sum, segment) => sum + segment.rows, 0);
        const merged = await writeSegment(session, {
          directory,
          kind,
          day,
          ...(experiment === undefined ? {} : { namespace: namespace ?? '', experiment }),
          from: segmentRows(kind, paths),
          revision: manifest.revision + 1,
          sealedMs: Math.max(...group.map(({ sealedMs }) => sealedMs)),
        });
        if (merged === undefined || merged.rows !== rows)
          throw new AssayError(
            'evidence-corrupt',
            `${partFolder({ kind, day, ...(experiment === undefined ? {} : { namespace: namespace ?? '', experiment }) })} holds ${merged?.rows ?? 0} rows, must hold ${rows} by the manifest`,
          );
        const gone = new Set(paths);
        manifest = await writeManifest(directory, {
          ...manifest,
          segments: [...manifest.segments.filter((segment) => !gone.has(segmentPath(directory, segment))), merged],
        });
        await removeSegments(directory, group);
        options.onProgress?.({ merged: index + 1, of: groups.length });
      }
    } finally {
      await session.close();
    }
  }
  const bytes = ({ segments }: Manifest): number => segments.reduce((sum, segment) => sum + segment.bytes, 0);
  return {
    before: before.segments.length,
    after: manifest.segments.length,
    bytesBefore: bytes(before),
    bytesAfter: bytes(manifest),
  };
}

/** Small segments of one folder each, enough to be worth it. */
function groupsOf(manifest: Manifest, options: CompactOptions): readonly (readonly Segment[])[] {
  const { largeBytes = 128 * 1024 * 1024, atLeast = 2 } = options;
  const groups: Segment[][] = [];
  const open = new Map<string, Segment[]>();
  for (const segment of manifest.segments) {
    if (segment.bytes >= largeBytes) continue;
    const folder = partFolder(segment);
    const group = open.get(folder);
    const total = (group ?? []).reduce((sum, { bytes }) => sum + bytes, 0);
    if (group === undefined || total + segment.bytes > largeBytes) {
      const fresh = [segment];
      open.set(folder, fresh);
      groups.push(fresh);
    } else group.push(segment);
  }
  return groups.filter((group) => group.length >= Math.max(2, atLeast));
}
