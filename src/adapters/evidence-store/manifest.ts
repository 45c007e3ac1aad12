// Which sealed segments make up the evidence of a data directory? One file says so, replaced in one step.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AssayError } from '../../errors.ts';
import { makeDirectory, replaceFile } from '../durable-files.ts';

/** Folder names below `seg/`; `others` keeps the lines a reader of this version cannot use, and `writer-end`. */
export type SegmentKind = 'predictions' | 'prediction-ends' | 'mirrors' | 'outcomes' | 'others';

/** What one writer contributed to a segment. */
export interface SegmentSource {
  readonly writer: string;
  /** Smallest and largest sequence among its rows. */
  readonly first: number;
  readonly last: number;
  readonly rows: number;
}

/** One sealed Parquet file; immutable. */
export interface Segment {
  /** Below the data directory, with `/`. */
  readonly path: string;
  readonly kind: SegmentKind;
  /** Predictions and mirrors only. */
  readonly namespace?: string;
  readonly experiment?: string;
  /** UTC day on which the records arrived, `YYYY-MM-DD`; `undated` beyond the years 1 to 9999. */
  readonly day: string;
  readonly sources: readonly SegmentSource[];
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
  /** Arrival of the first and the last record, epoch milliseconds. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly sealedMs: number;
}

/** What is known of one writer beyond its rows. */
export interface SealedWriter {
  /** Sequences that were sealed, ascending and apart; they stay when rows are erased or expire. */
  readonly ranges: readonly (readonly [first: number, last: number])[];
  /** Its `writer-end` was sealed. */
  readonly ended: boolean;
  /** Rows erased for a person, and rows that went by retention. */
  readonly erased: number;
  readonly expired: number;
}

/** Evidence that went by retention, added up. */
export interface ExpiredEvidence {
  readonly kind: SegmentKind;
  readonly namespace?: string;
  readonly experiment?: string;
  readonly rows: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** One person's erasure. */
export interface Erasure {
  /** SHA-256 of the unit key, so that a second request is recognised; the key itself is gone. */
  readonly digest: string;
  readonly erasedMs: number;
  readonly rows: Readonly<Record<SegmentKind, number>>;
}

/** The sealed part of a data directory. */
export interface Manifest {
  readonly format: 'assay-evidence';
  readonly version: 1;
  /** Rises with every change. */
  readonly revision: number;
  /** Rises when rows go: whoever keeps something made from them must make it again. */
  readonly removals: number;
  readonly writers: Readonly<Record<string, SealedWriter>>;
  readonly segments: readonly Segment[];
  readonly expired: readonly ExpiredEvidence[];
  readonly erasures: readonly Erasure[];
}

const manifestName = 'manifest.json';
/** Folder of the sealed segments. */
export const segmentFolder = 'seg';

const empty: Manifest = {
  format: 'assay-evidence',
  version: 1,
  revision: 0,
  removals: 0,
  writers: {},
  segments: [],
  expired: [],
  erasures: [],
};

/**
 * The manifest of a data directory; an empty one when nothing was ever sealed.
 *
 * @throws AssayError `evidence-corrupt` for a manifest that is damaged, or missing beside segments.
 * @throws AssayError `evidence-too-new` when a newer Assay wrote it.
 */
export async function readManifest(directory: string): Promise<Manifest> {
  const path = join(directory, manifestName);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new AssayError('file-unreadable', `${path} cannot be read: ${(cause as Error).message}`, { cause });
    if (await hasSegments(directory))
      throw new AssayError('evidence-corrupt', `${path} is missing, must name the segments in ${segmentFolder}/`);
    return empty;
  }
  return parseManifest(text, path);
}

function parseManifest(text: string, path: string): Manifest {
  let document: Record<string, unknown>;
  try {
    document = JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new AssayError('evidence-corrupt', `${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
  const { sha256, ...content } = document ?? {};
  if (content.format !== empty.format)
    throw new AssayError(
      'evidence-corrupt',
      `${path} has format ${JSON.stringify(content.format)}, must be "${empty.format}"`,
    );
  if (content.version !== empty.version)
    throw new AssayError(
      'evidence-too-new',
      `${path} has version ${JSON.stringify(content.version)}, must be ${empty.version}`,
    );
  if (sha256 !== digestOf(content)) throw new AssayError('evidence-corrupt', `${path} does not match its own checksum`);
  return content as unknown as Manifest;
}

/**
 * Replaces the manifest; the answer carries the new revision.
 *
 * @throws AssayError `data-directory-unusable` when it cannot be made durable; then the old one still stands.
 */
export async function writeManifest(directory: string, next: Manifest): Promise<Manifest> {
  const manifest: Manifest = { ...next, revision: next.revision + 1 };
  const path = join(directory, manifestName);
  try {
    await replaceFile(path, `${JSON.stringify({ ...manifest, sha256: digestOf(manifest) }, null, 1)}\n`);
  } catch (cause) {
    throw new AssayError('data-directory-unusable', `${path} cannot be written: ${(cause as Error).message}`, {
      cause,
    });
  }
  return manifest;
}

/** The manifest, written first when there is none: from then on a missing one is damage, never a beginning. */
export async function ensureManifest(directory: string): Promise<Manifest> {
  const manifest = await readManifest(directory);
  if (manifest.revision > 0) return manifest;
  await makeDirectory(directory);
  return writeManifest(directory, manifest);
}

/** True when this sequence of this writer was sealed. */
export function isSealed(manifest: Manifest, writer: string, sequence: number): boolean {
  const ranges = writerOf(manifest, writer).ranges;
  return ranges.some(([first, last]) => first <= sequence && sequence <= last);
}

/** The largest sequence of a writer that was sealed; 0 when none was. */
export function sealedThrough(manifest: Manifest, writer: string): number {
  return writerOf(manifest, writer).ranges.at(-1)?.[1] ?? 0;
}

/** What is known of a writer; of an unknown one, that nothing is. */
export function writerOf(manifest: Manifest, writer: string): SealedWriter {
  // A writer may be named like a member of every object.
  const known = Object.hasOwn(manifest.writers, writer) ? manifest.writers[writer] : undefined;
  return known ?? { ranges: [], ended: false, erased: 0, expired: 0 };
}

/** Ranges with one more, merged where they touch. */
export function addRange(
  ranges: SealedWriter['ranges'],
  [first, last]: readonly [number, number],
): SealedWriter['ranges'] {
  const merged: [number, number][] = [];
  for (const [from, to] of [...ranges, [first, last] as const].sort((a, b) => a[0] - b[0])) {
    const before = merged.at(-1);
    if (before !== undefined && from <= before[1] + 1) before[1] = Math.max(before[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

function digestOf(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}

async function hasSegments(directory: string): Promise<boolean> {
  try {
    const names = await readdir(join(directory, segmentFolder), { recursive: true });
    return names.some((name) => name.endsWith('.parquet'));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw cause;
  }
}
