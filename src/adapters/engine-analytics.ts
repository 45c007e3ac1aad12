// How does evidence get into a database of your own, each record once, and how is that database asked for summaries?
import { AssayError } from '../errors.ts';
import {
  type AnalysisPlan,
  type Analytics,
  decodeRecord,
  type LogRecord,
  makeSummary,
  type SummaryAnswers,
} from '../evidence/index.ts';
import type { DuckdbSession } from './duckdb-session.ts';
import { type Manifest, type Segment, type SegmentKind, sealedThrough } from './evidence-store/manifest.ts';
import type { EvidenceSnapshot } from './evidence-store/read-evidence.ts';
import { recordText, segmentRows } from './evidence-store/segment-columns.ts';
import { openSegmentSession, segmentPath } from './evidence-store/segment-file.ts';
import { createTurns, expiredOf, followEvidence } from './follow-evidence.ts';
import { type RawRow, type RawTable, rawRowOf } from './raw-rows.ts';
import { type LogFile, type LogPosition, readLog } from './read-evidence-log.ts';

/** How far a writer's log, or a sealed segment, has been delivered. */
export interface Delivered {
  /** `writer:ID` or `segment:SHA-256`. */
  readonly source: string;
  /** Last sequence of the writer that is in. */
  readonly sequence: number;
  readonly hasEnded: boolean;
  /** Of the manifest the rows were taken from: see `Manifest.removals`. */
  readonly removals: number;
}

/** Rows that belong together, and what is in once they are. */
export interface Delivery {
  readonly rows: Readonly<Record<RawTable, readonly RawRow[]>>;
  readonly delivered: readonly Delivered[];
}

/** A database that keeps the raw tables. Rows are told apart by (writer, sequence): the same row again changes nothing. */
export interface AnalyticsEngine {
  /** `postgres at HOST`, for messages. */
  readonly name: string;
  delivered(): Promise<readonly Delivered[]>;
  /** Resolves once the database has confirmed that all of it is stored; rows are never stored later than their `delivered`. */
  deliver(delivery: Delivery): Promise<void>;
  /** Takes out what came from these writers, and what is known of the sources. */
  forget(writers: readonly string[], sources: readonly string[]): Promise<void>;
  answer(plan: AnalysisPlan): Promise<SummaryAnswers>;
  close(): Promise<void>;
}

/** Options of `createEngineAnalytics`. */
export interface EngineAnalyticsOptions {
  /** The data directory whose `seg/` and `log/` are delivered. */
  readonly directory: string;
  readonly engine: AnalyticsEngine;
  /** True for a writer that still runs: its log has no end yet and is no unclean shutdown. */
  readonly isLive?: (writer: string) => boolean;
  /** Rows of one delivery; default 20,000. */
  readonly batchRows?: number;
}

const kinds: readonly SegmentKind[] = ['predictions', 'prediction-ends', 'outcomes'];

/**
 * Analytics in a database. Nothing is lost on the way: evidence stays in the data directory, and what the database has not
 * confirmed is delivered again, from wherever it left off.
 */
export function createEngineAnalytics(options: EngineAnalyticsOptions): Analytics {
  const { directory, engine, isLive = () => false, batchRows = 20_000 } = options;
  /** Only saves reading: what was not confirmed is found by its sequence. */
  let positions = new Map<string, LogPosition>();
  let known = new Map<string, Delivered>();
  let expired: Manifest['expired'] = [];
  let writers: readonly string[] = [];
  const inTurn = createTurns();

  const catchUp = (): Promise<{ readonly records: number }> => {
    let records = 0;
    const take = async ({ manifest, files }: EvidenceSnapshot): Promise<{ readonly records: number }> => {
      known = new Map((await engine.delivered()).map((each) => [each.source, each]));
      expired = manifest.expired;
      writers = [...new Set([...Object.keys(manifest.writers), ...files.map(({ writer }) => writer)])];
      await forgetRemoved(manifest);
      records += await takeSegments(manifest);
      records += await takeFrames(files, manifest);
      return { records };
    };
    return followEvidence(directory, take, (fault) => {
      positions = new Map();
      return faultOf(fault, engine);
    });
  };

  const throughOf = (writer: string): number => known.get(`writer:${writer}`)?.sequence ?? 0;

  const deliver = async (batch: Batch): Promise<void> => {
    await engine.deliver(batch.delivery());
    for (const each of batch.delivered.values()) known.set(each.source, each);
  };

  /** Rows that were erased or have expired go by delivering what is left. */
  const forgetRemoved = async (manifest: Manifest): Promise<void> => {
    const stale = writers.filter((writer) => {
      const found = known.get(`writer:${writer}`);
      return found !== undefined && found.removals !== manifest.removals;
    });
    if (stale.length === 0) return;
    const segments = [...known.keys()].filter((source) => source.startsWith('segment:'));
    await engine.forget(stale, [...stale.map((writer) => `writer:${writer}`), ...segments]);
    positions = new Map();
    known = new Map((await engine.delivered()).map((each) => [each.source, each]));
  };

  const takeSegments = async (manifest: Manifest): Promise<number> => {
    const waiting = manifest.segments.filter(
      ({ kind, sources, sha256 }) =>
        kinds.includes(kind) &&
        !known.has(`segment:${sha256}`) &&
        sources.some(({ writer, last: through }) => through > throughOf(writer)),
    );
    let records = 0;
    const session = waiting.length === 0 ? undefined : await openSegmentSession(directory);
    try {
      for (const segment of waiting) records += await takeSegment(session!, { segment, manifest });
    } finally {
      await session?.close();
    }
    const batch = createBatch(manifest.removals);
    for (const [writer, { ended }] of Object.entries(manifest.writers)) {
      const sequence = sealedThrough(manifest, writer);
      if (sequence > throughOf(writer)) batch.reach(writer, { sequence, hasEnded: ended });
    }
    if (batch.delivered.size > 0) await deliver(batch);
    return records;
  };

  const takeSegment = async (
    session: DuckdbSession,
    { segment, manifest }: { readonly segment: Segment; readonly manifest: Manifest },
  ): Promise<number> => {
    const path = segmentPath(directory, segment);
    let batch = createBatch(manifest.removals);
    let records = 0;
    const sql = `SELECT ${recordText(segment.kind)} FROM ${segmentRows(segment.kind, [path])} s`;
    for await (const text of session.texts(sql)) {
      for (const record of recordsIn(text)) {
        if (record.sequence <= throughOf(record.writer) || !batch.put(record)) continue;
        records += 1;
        if (batch.size < batchRows) continue;
        await deliver(batch);
        batch = createBatch(manifest.removals);
      }
    }
    batch.delivered.set(segment.path, {
      source: `segment:${segment.sha256}`,
      sequence: 0,
      hasEnded: true,
      removals: manifest.removals,
    });
    await deliver(batch);
    return records;
  };

  const takeFrames = async (files: readonly LogFile[], { removals }: Manifest): Promise<number> => {
    let records = 0;
    let batch = createBatch(removals);
    let reached = new Map<string, LogPosition>();
    const flush = async (): Promise<void> => {
      if (batch.delivered.size > 0) await deliver(batch);
      for (const [writer, position] of reached) positions.set(writer, position);
      batch = createBatch(removals);
      reached = new Map();
    };
    for await (const piece of readLog(directory, { files, after: positions })) {
      if (piece.kind === 'tail') continue;
      for (const record of recordsIn(piece.payload.toString('utf8'))) {
        const { writer, sequence } = record;
        const through = batch.delivered.get(writer)?.sequence ?? throughOf(writer);
        // A copied file brings the same sequences again.
        if (sequence <= through) continue;
        if (batch.put(record)) records += 1;
        batch.reach(writer, { sequence, hasEnded: record.kind === 'writer-end' });
      }
      reached.set(piece.writer, piece.next);
      if (batch.size >= batchRows) await flush();
    }
    await flush();
    return records;
  };

  return {
    catchUp: () => inTurn(catchUp),
    summarise: (plan) =>
      inTurn(async () => {
        await catchUp();
        const answers = await engine.answer(plan).catch((fault: unknown) => {
          throw faultOf(fault, engine);
        });
        const open = writers.filter((writer) => known.get(`writer:${writer}`)?.hasEnded === false);
        return makeSummary(plan, answers, {
          uncleanShutdowns: open.filter((writer) => !isLive(writer)).length,
          expired: expiredOf(plan, expired),
        });
      }),
    close: () => inTurn(() => engine.close()),
  };
}

interface Batch {
  readonly size: number;
  readonly delivered: Map<string, Delivered>;
  /** False for a record without a row. */
  put(record: LogRecord): boolean;
  reach(writer: string, place: { readonly sequence: number; readonly hasEnded: boolean }): void;
  delivery(): Delivery;
}

function createBatch(removals: number): Batch {
  const rows: Record<RawTable, RawRow[]> = { prediction: [], prediction_end: [], outcome: [] };
  const delivered = new Map<string, Delivered>();
  let size = 0;
  return {
    get size() {
      return size;
    },
    delivered,
    put(record) {
      const raw = rawRowOf(record);
      if (raw === undefined) return false;
      rows[raw.table].push(raw.row);
      size += 1;
      return true;
    },
    reach(writer, place) {
      delivered.set(writer, { source: `writer:${writer}`, ...place, removals });
    },
    delivery: () => ({ rows, delivered: [...delivered.values()] }),
  };
}

function* recordsIn(text: string): Generator<LogRecord> {
  for (const line of text.split('\n')) {
    if (line === '') continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      continue;
    }
    const decoded = decodeRecord(value);
    if (decoded.kind === 'record') yield decoded.record;
  }
}

function faultOf(fault: unknown, engine: AnalyticsEngine): unknown {
  if (fault instanceof AssayError) return fault;
  const text = fault instanceof Error ? fault.message || fault.name : String(fault);
  return new AssayError('analysis-failed', `${engine.name}: ${text}`, {
    cause: fault,
    fix: 'Nothing is lost: evidence stays in the data directory and is delivered when the database answers again.',
  });
}
