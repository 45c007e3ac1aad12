// What is the evidence of a data directory now? Sealed segments and the logs after them, each record exactly once.
import type { AssayError } from '../../errors.ts';
import { decodeRecord, type LogRecord } from '../../evidence/index.ts';
import { type LogFile, listLogFiles, readLog } from '../read-evidence-log.ts';
import { isSealed, type Manifest, readManifest, type Segment, sealedThrough, segmentFolder } from './manifest.ts';
import { recordText, segmentRows } from './segment-columns.ts';
import { openSegmentSession, segmentPath } from './segment-file.ts';

/** The evidence at one moment: the segments of the manifest, and the log files that it does not cover. */
export interface EvidenceSnapshot {
  readonly manifest: Manifest;
  readonly files: readonly LogFile[];
}

/**
 * What makes up the evidence now. Whoever reads it beside a process that seals must be ready for files that have moved on:
 * see `hasMoved`, and take the next snapshot then.
 */
export async function takeSnapshot(directory: string): Promise<EvidenceSnapshot> {
  // First the files, then the manifest: what was sealed in between is known to both, and what is known to neither does not exist.
  const files = await listLogFiles(directory);
  const manifest = await readManifest(directory);
  return { manifest, files: files.filter(({ writer, first }) => !isSealed(manifest, writer, first)) };
}

/** True when a fault of reading only says that evidence was sealed, merged or removed since the snapshot was taken. */
export async function hasMoved(fault: unknown, directory: string, snapshot: EvidenceSnapshot): Promise<boolean> {
  const { code, cause, message } = fault as AssayError;
  const isGone =
    (code === 'file-unreadable' && (cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') ||
    (message ?? '').includes(segmentFolder);
  return isGone && (await readManifest(directory)).revision !== snapshot.manifest.revision;
}

/**
 * Every record a reader of this version understands, sealed ones first. For a directory at rest: beside a process that seals
 * it may throw because a file has moved on.
 *
 * @throws AssayError `evidence-corrupt`, `evidence-too-new`, `file-unreadable`.
 */
export async function* readEvidence(directory: string): AsyncGenerator<LogRecord> {
  const { manifest, files } = await takeSnapshot(directory);
  if (manifest.segments.length > 0) {
    const session = await openSegmentSession(directory);
    try {
      for (const segment of manifest.segments)
        for await (const text of session.texts(textsOf(directory, segment))) yield* recordIn(text);
    } finally {
      await session.close();
    }
  }
  const last = new Map<string, number>();
  for await (const piece of readLog(directory, { files })) {
    if (piece.kind === 'tail') continue;
    for (const text of piece.payload.toString('utf8').split('\n')) {
      for (const record of recordIn(text)) {
        // A copied file brings the same sequences again.
        if (record.sequence <= (last.get(record.writer) ?? sealedThrough(manifest, record.writer))) continue;
        last.set(record.writer, record.sequence);
        yield record;
      }
    }
  }
}

function textsOf(directory: string, segment: Segment): string {
  return `SELECT ${recordText(segment.kind)} FROM ${segmentRows(segment.kind, [segmentPath(directory, segment)])} s`;
}

function* recordIn(text: string): Generator<LogRecord> {
  if (text === '') return;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return;
  }
  const decoded = decodeRecord(value);
  if (decoded.kind === 'record') yield decoded.record;
}
