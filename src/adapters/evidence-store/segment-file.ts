// How does one segment come into being? Written under a draft name, counted, synced, named; a manifest makes it count.
import { createHash } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { AssayError } from '../../errors.ts';
import { quoted } from '../../evidence/index.ts';
import { type DuckdbSession, openDuckdbSession } from '../duckdb-session.ts';
import { digestFile, publishFile, syncDirectory } from '../durable-files.ts';
import { type Manifest, type Segment, type SegmentKind, type SegmentSource, segmentFolder } from './manifest.ts';
import { arrivalOf, storedRows } from './segment-columns.ts';

/** Rows of one partition that become a segment. */
export interface SegmentPart {
  readonly kind: SegmentKind;
  readonly namespace?: string;
  readonly experiment?: string;
  readonly day: string;
}

/** Options of `writeSegment`. */
export interface WriteSegmentOptions extends SegmentPart {
  readonly directory: string;
  /** A relation with the columns of the kind. */
  readonly from: string;
  /** Tells segments of the same rows apart: the revision of the manifest that will name this one. */
  readonly revision: number;
  readonly sealedMs: number;
}

/** A session that reaches the segments of a data directory and nothing else. */
export async function openSegmentSession(directory: string, threads = 1): Promise<DuckdbSession> {
  const folder = join(resolve(directory), segmentFolder);
  await mkdir(folder, { recursive: true });
  return openDuckdbSession({ threads, folders: [folder] });
}

/** Where a segment lies. */
export function segmentPath(directory: string, segment: Segment): string {
  return join(resolve(directory), ...segment.path.split('/'));
}

/** Where a segment of these rows belongs, below the data directory; any name of an experiment is safe. */
export function partFolder({ kind, namespace, experiment, day }: SegmentPart): string {
  const parts = [segmentFolder, kind];
  if (experiment !== undefined) {
    const owner = encodeName(namespace ?? '').replaceAll('.', '%2E');
    parts.push(`experiment=${owner}.${encodeName(experiment)}`);
  }
  return [...parts, `dt=${day}`].join('/');
}

/** Small letters, digits, `_`, `-` and `.` as they are: file systems may ignore case, and ours must not mix names up. */
function encodeName(name: string): string {
  const encoded = [...Buffer.from(name)]
    .map((byte) => {
      const letter = String.fromCharCode(byte);
      return /[a-z0-9_.-]/.test(letter) ? letter : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
  if (encoded.length <= 100) return encoded;
  return `${encoded.slice(0, 80)}~${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
}

/**
 * Writes the rows, or gives undefined when there are none. Durable when it returns, but of no effect before the manifest says so.
 *
 * @throws AssayError `data-directory-unusable` when the file cannot be written.
 */
export async function writeSegment(session: DuckdbSession, options: WriteSegmentOptions): Promise<Segment | undefined> {
  const { directory, kind, day, from, revision, sealedMs } = options;
  const arrival = arrivalOf(kind);
  const found = await session.read(
    `SELECT writer, min(sequence) AS first, max(sequence) AS last, count(*) AS n_rows, min(${arrival}) AS from_ms, ` +
      `max(${arrival}) AS to_ms FROM ${from} s GROUP BY writer ORDER BY writer`,
  );
  if (found.length === 0) return undefined;
  const sources = found.map(
    (row): SegmentSource => ({
      writer: row.writer as string,
      first: row.first as number,
      last: row.last as number,
      rows: row.n_rows as number,
    }),
  );
  const rows = sources.reduce((sum, source) => sum + source.rows, 0);
  const path = `${partFolder(options)}/${nameOf(sources, revision)}`;
  const file = join(resolve(directory), ...path.split('/'));
  const draft = `${file}.tmp`;
  try {
    await makeFolders(directory, dirname(file));
    await session.run(
      `COPY (${storedRows(kind, from)} s ORDER BY ${arrival}, writer, sequence) TO ${quoted(draft)} ` +
        '(FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2)',
    );
    // The footer is there and whole before the log it came from goes.
    const [written] = await session.read(`SELECT count(*) AS n_rows FROM read_parquet(${quoted(draft)})`);
    if (written?.n_rows !== rows) throw new Error(`it holds ${written?.n_rows} rows, must hold ${rows}`);
    await publishFile(draft, file);
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw new AssayError('data-directory-unusable', `${file} cannot be written: ${(cause as Error).message}`, {
      cause,
    });
  }
  return {
    path,
    kind,
    ...(options.experiment === undefined ? {} : { namespace: options.namespace ?? '', experiment: options.experiment }),
    day,
    sources,
    rows,
    ...(await digestFile(file)),
    fromMs: Math.min(...found.map((row) => row.from_ms as number)),
    toMs: Math.max(...found.map((row) => row.to_ms as number)),
    sealedMs,
  };
}

/** Removes segments that no manifest names any more; a file that is gone already is no fault. */
export async function removeSegments(directory: string, segments: readonly Segment[]): Promise<void> {
  for (const segment of segments) await rm(segmentPath(directory, segment), { force: true });
}

/** Removes what an interrupted run left: drafts, and segments that the manifest does not name. */
export async function sweepSegments(directory: string, manifest: Manifest): Promise<void> {
  const root = resolve(directory);
  const named = new Set(manifest.segments.map(({ path }) => path));
  const names = await readdir(join(root, segmentFolder), { recursive: true }).catch(() => []);
  for (const name of names) {
    const path = `${segmentFolder}/${name.split(sep).join('/')}`;
    if (path.endsWith('.tmp') || (path.endsWith('.parquet') && !named.has(path)))
      await rm(join(root, path), { force: true });
  }
}

/** One writer: `WRITER-FIRST-LAST-rREVISION`, several: `merged-...`. */
function nameOf(sources: readonly SegmentSource[], revision: number): string {
  const [only] = sources;
  if (sources.length === 1 && only !== undefined)
    return `${encodeName(only.writer)}-${only.first}-${only.last}-r${revision}.parquet`;
  const digest = createHash('sha256').update(JSON.stringify(sources)).digest('hex').slice(0, 16);
  return `merged-${digest}-r${revision}.parquet`;
}

/** Each folder's name is durable before a manifest names a file below it. */
async function makeFolders(directory: string, folder: string): Promise<void> {
  const topmost = await mkdir(folder, { recursive: true });
  if (topmost === undefined) return;
  const stop = dirname(resolve(directory));
  for (let made = folder; made.length >= topmost.length && made !== stop; made = dirname(made))
    await syncDirectory(dirname(made));
}
