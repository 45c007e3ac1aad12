// Is the evidence whole? Frames, checksums, sequences, and every segment against what the manifest says of it.
import { AssayError } from '../../errors.ts';
import type { DuckdbSession } from '../duckdb-session.ts';
import { digestFile } from '../durable-files.ts';
import { type LogFile, readLog } from '../read-evidence-log.ts';
import { type Manifest, type Segment, writerOf } from './manifest.ts';
import { type EvidenceSnapshot, hasMoved, takeSnapshot } from './read-evidence.ts';
import { segmentRows } from './segment-columns.ts';
import { openSegmentSession, segmentPath } from './segment-file.ts';

/** Options of `verifyEvidence`. */
export interface VerifyOptions {
  readonly directory: string;
  /** Told after each file. */
  readonly onProgress?: (done: { readonly files: number; readonly of: number }) => void;
}

/** What is there of one writer. */
export interface WriterEvidence {
  readonly writer: string;
  /** Records in segments and in logs; erased and expired ones are in neither. */
  readonly sealed: number;
  readonly logged: number;
  readonly erased: number;
  readonly expired: number;
  /** The largest sequence. */
  readonly last: number;
  /** Sequences that no file accounts for. */
  readonly missing: number;
  /** Its `writer-end` is there: it stopped on purpose. */
  readonly ended: boolean;
  /** Bytes after the last whole frame; never acknowledged, and growing while the writer lives. */
  readonly tailBytes: number;
}

/** What `verifyEvidence` found. */
export interface Verification {
  readonly isWhole: boolean;
  readonly writers: readonly WriterEvidence[];
  readonly segments: number;
  readonly sealedRows: number;
  readonly sealedBytes: number;
  readonly logFiles: number;
  /** One sentence each; empty when all is well. */
  readonly faults: readonly string[];
}

/** How often evidence may move on under our eyes before we give up. */
const mostTries = 5;

/**
 * Reads everything. Works beside a running server too.
 *
 * @throws AssayError `evidence-corrupt` for a damaged manifest, `evidence-too-new`, `file-unreadable`.
 */
export async function verifyEvidence(options: VerifyOptions): Promise<Verification> {
  for (let tries = 1; ; tries += 1) {
    const snapshot = await takeSnapshot(options.directory);
    try {
      const found = await verifySnapshot(options, snapshot);
      // A server may have removed a file after we listed it; then the fault is only that we looked at an old list.
      if (found.isWhole || tries === mostTries) return found;
      if ((await takeSnapshot(options.directory)).manifest.revision === snapshot.manifest.revision) return found;
    } catch (fault) {
      if (tries === mostTries || !(await hasMoved(fault, options.directory, snapshot))) throw fault;
    }
  }
}

interface Tally {
  sealed: number;
  logged: number;
  last: number;
  missing: number;
  ended: boolean;
  tailBytes: number;
}

async function verifySnapshot(
  { directory, onProgress }: VerifyOptions,
  snapshot: EvidenceSnapshot,
): Promise<Verification> {
  const { manifest, files } = snapshot;
  const faults: string[] = [];
  const tallies = new Map<string, Tally>();
  const tallyOf = (writer: string): Tally => {
    const known = tallies.get(writer);
    if (known !== undefined) return known;
    const { ranges, ended } = writerOf(manifest, writer);
    const fresh = { sealed: 0, logged: 0, last: ranges.at(-1)?.[1] ?? 0, missing: gapsIn(ranges), ended, tailBytes: 0 };
    tallies.set(writer, fresh);
    return fresh;
  };
  for (const writer of Object.keys(manifest.writers)) tallyOf(writer);
  const of = manifest.segments.length + files.length;
  let done = 0;
  const step = (): void => {
    done += 1;
    onProgress?.({ files: done, of });
  };

  if (manifest.segments.length > 0) {
    const session = await openSegmentSession(directory);
    try {
      for (const segment of manifest.segments) {
        const fault = await faultOfSegment(session, directory, segment);
        if (fault !== undefined) faults.push(`${segmentPath(directory, segment)} ${fault}`);
        for (const { writer, rows } of segment.sources) tallyOf(writer).sealed += rows;
        step();
      }
    } finally {
      await session.close();
    }
  }
  for (const file of files) {
    const fault = await readFile({ directory, file, tally: tallyOf(file.writer) });
    if (fault !== undefined) faults.push(fault);
    step();
  }
  faults.push(...faultsOfCounts(manifest, tallies));
  const writers = [...tallies]
    .map(([writer, tally]): WriterEvidence => {
      const { erased, expired } = writerOf(manifest, writer);
      return { writer, erased, expired, ...tally };
    })
    .sort((a, b) => (a.writer < b.writer ? -1 : 1));
  return {
    isWhole: faults.length === 0,
    writers,
    segments: manifest.segments.length,
    sealedRows: manifest.segments.reduce((sum, { rows }) => sum + rows, 0),
    sealedBytes: manifest.segments.reduce((sum, { bytes }) => sum + bytes, 0),
    logFiles: files.length,
    faults,
  };
}

/** Every sequence that was sealed stands in a segment, was erased, or has expired. */
function faultsOfCounts(manifest: Manifest, tallies: ReadonlyMap<string, Tally>): readonly string[] {
  const faults: string[] = [];
  for (const [writer, tally] of tallies) {
    const { ranges, erased, expired } = writerOf(manifest, writer);
    const sealed = ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    if (tally.sealed + erased + expired !== sealed)
      faults.push(
        `writer ${writer} has ${tally.sealed} sealed records, ${erased} erased and ${expired} expired, must have ${sealed} together`,
      );
    if (tally.missing > 0)
      faults.push(`writer ${writer} lacks ${tally.missing} of its ${tally.last} sequences, must have every one`);
  }
  return faults;
}

async function faultOfSegment(
  session: DuckdbSession,
  directory: string,
  segment: Segment,
): Promise<string | undefined> {
  const path = segmentPath(directory, segment);
  try {
    const { bytes, sha256 } = await digestFile(path);
    if (bytes !== segment.bytes) return `has ${bytes} bytes, must have ${segment.bytes} by the manifest`;
    if (sha256 !== segment.sha256) return 'does not match its checksum in the manifest';
  } catch (cause) {
    return `cannot be read: ${(cause as Error).message}`;
  }
  try {
    const found = await session.read(
      `SELECT writer, min(sequence) AS first, max(sequence) AS last, count(*) AS n_rows, count(DISTINCT sequence) AS n_different ` +
        `FROM ${segmentRows(segment.kind, [path])} s GROUP BY writer ORDER BY writer`,
    );
    const rows = found.map(({ writer, first, last, n_rows }) => ({ writer, first, last, rows: n_rows }));
    if (JSON.stringify(rows) !== JSON.stringify(segment.sources)) return 'holds other rows than the manifest says';
    const twice = found.find(({ n_rows, n_different }) => n_rows !== n_different);
    if (twice !== undefined) return `holds a sequence of writer ${twice.writer} twice`;
    return undefined;
  } catch (cause) {
    return `is no readable Parquet file: ${(cause as Error).message.split('\n')[0]}`;
  }
}

async function readFile(at: {
  readonly directory: string;
  readonly file: LogFile;
  readonly tally: Tally;
}): Promise<string | undefined> {
  const { directory, file, tally } = at;
  try {
    for await (const piece of readLog(directory, { files: [file] })) {
      if (piece.kind === 'tail') {
        tally.tailBytes = piece.bytes;
        continue;
      }
      for (const line of piece.payload.toString('utf8').split('\n')) {
        if (line === '') continue;
        const { writer, sequence, kind } = JSON.parse(line) as Readonly<Record<string, unknown>>;
        if (writer !== file.writer || typeof sequence !== 'number')
          return `${file.path} holds record ${writer}/${sequence}, must hold records of ${file.writer} only`;
        if (sequence <= tally.last) continue;
        tally.missing += sequence - tally.last - 1;
        tally.last = sequence;
        tally.logged += 1;
        tally.ended ||= kind === 'writer-end';
      }
    }
    return undefined;
  } catch (fault) {
    if (fault instanceof AssayError && fault.code === 'evidence-corrupt') return fault.message;
    if (fault instanceof SyntaxError) return `${file.path} holds a line that is not JSON`;
    throw fault;
  }
}

/** Sequences before and between ranges. */
function gapsIn(ranges: readonly (readonly [number, number])[]): number {
  return ranges.reduce((sum, [first], index) => sum + first - (ranges[index - 1]?.[1] ?? 0) - 1, 0);
}
