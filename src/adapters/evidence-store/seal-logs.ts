// When may a log file go? When its records stand in Parquet segments that the manifest names; this module takes them there.
import { AssayError } from '../../errors.ts';
import { closedLogFiles, removeLogFile } from '../closed-logs.ts';
import type { DuckdbSession } from '../duckdb-session.ts';
import { type LogFile, readLog } from '../read-evidence-log.ts';
import {
  addRange,
  ensureManifest,
  isSealed,
  type Manifest,
  readManifest,
  type SealedWriter,
  type Segment,
  type SegmentKind,
  sealedThrough,
  writeManifest,
  writerOf,
} from './manifest.ts';
import {
  arrivalOf,
  hasExperiment,
  lineShape,
  restatedLine,
  sealableLine,
  segmentKinds,
  tableColumns,
} from './segment-columns.ts';
import { openSegmentSession, type SegmentPart, sweepSegments, writeSegment } from './segment-file.ts';

/** Options of `sealLogs`. Only one process at a time may change a data directory: see `lockDataDirectory`. */
export interface SealLogsOptions {
  readonly directory: string;
  /** Epoch milliseconds. */
  readonly nowMs: number;
  /** About this many bytes of log become one set of segments; default 64 MB. */
  readonly batchBytes?: number;
  /** Told after each set of segments. */
  readonly onProgress?: (done: { readonly files: number; readonly of: number }) => void;
}

/** What `sealLogs` did. */
export interface SealedLogs {
  /** Log files that went, and records that now stand in segments. */
  readonly files: number;
  readonly records: number;
  readonly segments: readonly Segment[];
  /** A sentence for each writer whose log is damaged; its files stay as they are. */
  readonly damaged: readonly string[];
}

/** Lines are handed to DuckDB in pieces of about this many characters. */
const pieceCharacters = 8 * 1024 * 1024;

/**
 * Turns closed log files into segments. Killed at any moment, nothing is lost and nothing stands twice; the next run goes on.
 *
 * @throws AssayError `data-directory-unusable` when the disk refuses; what was sealed before stays sealed.
 */
export async function sealLogs(options: SealLogsOptions): Promise<SealedLogs> {
  const { directory } = options;
  const closed = await closedLogFiles(directory);
  let files = 0;
  let records = 0;
  const segments: Segment[] = [];
  const damaged: string[] = [];
  if (closed.length === 0) return { files, records, segments, damaged };
  await sweepSegments(directory, await readManifest(directory));
  let manifest = await ensureManifest(directory);
  const session = await openSegmentSession(directory);
  try {
    const waiting = [...closed];
    const broken = new Set<string>();
    while (waiting.length > 0) {
      const batch = await openBatch(session, manifest);
      while (waiting.length > 0 && batch.characters < (options.batchBytes ?? 64 * 1024 * 1024)) {
        const file = waiting.shift() as LogFile;
        // A file is only skipped together with the files after it: a writer's records are sealed in their order.
        if (broken.has(file.writer)) continue;
        const fault = isSealed(manifest, file.writer, file.first) ? undefined : await batch.take(directory, file);
        if (fault === undefined) batch.files.push(file);
        else {
          broken.add(file.writer);
          damaged.push(fault);
        }
      }
      const made = await batch.seal(options);
      if (made.segments.length > 0) manifest = await writeManifest(directory, made.manifest);
      segments.push(...made.segments);
      records += made.segments.reduce((sum, segment) => sum + segment.rows, 0);
      for (const { path } of batch.files) {
        await removeLogFile(path);
      }
      files += batch.files.length;
      options.onProgress?.({ files, of: closed.length });
    }
  } finally {
    await session.close();
  }
  return { files, records, segments, damaged };
}

interface Batch {
  readonly files: LogFile[];
  characters: number;
  /** Stages a file's records, or says why it cannot be read; then nothing of it was staged. */
  take(directory: string, file: LogFile): Promise<string | undefined>;
  seal(options: SealLogsOptions): Promise<{ readonly manifest: Manifest; readonly segments: readonly Segment[] }>;
}

const tableOf = (kind: SegmentKind): string => `staged_${kind.replace('-', '_')}`;

async function openBatch(session: DuckdbSession, manifest: Manifest): Promise<Batch> {
  for (const kind of segmentKinds)
    await session.run(`CREATE OR REPLACE TEMP TABLE ${tableOf(kind)} (${tableColumns(kind)})`);
  const lines = new Map<SegmentKind, string[]>();
  let unstaged = 0;
  const writers = new Map<string, SealedWriter>();
  const lasts = new Map<string, number>();

  const stage = async (): Promise<void> => {
    for (const [kind, texts] of lines) await stageLines(session, { kind, texts });
    lines.clear();
    unstaged = 0;
  };

  const batch: Batch = {
    files: [],
    characters: 0,
    async take(directory, file) {
      const fault = await faultOf(directory, file);
      if (fault !== undefined) return fault;
      const { writer } = file;
      let last = lasts.get(writer) ?? sealedThrough(manifest, writer);
      let first: number | undefined;
      let hasEnded = false;
      for await (const piece of readLog(directory, { files: [file] })) {
        if (piece.kind === 'tail') continue;
        for (const text of piece.payload.toString('utf8').split('\n')) {
          if (text === '') continue;
          const sealable = sealableLine(text, { writer, expected: last + 1 });
          if (sealable.sequence <= last) continue;
          first ??= sealable.sequence;
          last = sealable.sequence;
          hasEnded ||= sealable.isEnd;
          const texts = lines.get(sealable.kind);
          if (texts === undefined) lines.set(sealable.kind, [sealable.line]);
          else texts.push(sealable.line);
          unstaged += sealable.line.length;
          batch.characters += sealable.line.length;
        }
        if (unstaged >= pieceCharacters) await stage();
      }
      if (first === undefined) return undefined;
      lasts.set(writer, last);
      const known = writers.get(writer) ?? writerOf(manifest, writer);
      writers.set(writer, { ...known, ranges: addRange(known.ranges, [first, last]), ended: known.ended || hasEnded });
      return undefined;
    },
    async seal({ directory, nowMs }) {
      await stage();
      const segments: Segment[] = [];
      for (const kind of segmentKinds) {
        for (const { part, from } of await partsOf(session, kind)) {
          const segment = await writeSegment(session, {
            ...part,
            directory,
            from,
            revision: manifest.revision + 1,
            sealedMs: nowMs,
          });
          if (segment !== undefined) segments.push(segment);
        }
      }
      return {
        manifest: {
          ...manifest,
          writers: { ...manifest.writers, ...Object.fromEntries(writers) },
          segments: [...manifest.segments, ...segments],
        },
        segments,
      };
    },
  };
  return batch;
}

/** A look at every frame first: what is staged of a file is all of it. */
async function faultOf(directory: string, file: LogFile): Promise<string | undefined> {
  try {
    for await (const _ of readLog(directory, { files: [file] }));
    return undefined;
  } catch (fault) {
    if (fault instanceof AssayError && fault.code === 'evidence-corrupt') return fault.message;
    throw fault;
  }
}

async function stageLines(
  session: DuckdbSession,
  { kind, texts }: { readonly kind: SegmentKind; readonly texts: readonly string[] },
): Promise<void> {
  const load = (lines: string): Promise<void> =>
    session.run('CREATE OR REPLACE TEMP TABLE line AS SELECT unnest(string_split($lines, chr(10))) AS text', { lines });
  const insert = `INSERT INTO ${tableOf(kind)} SELECT r.* FROM (SELECT json_transform(l.text, '${lineShape(kind)}') AS r FROM line l WHERE json_valid(l.text)) t`;
  await load(texts.join('\n'));
  await session.run(insert);
  const unread = await session.read('SELECT l.text FROM line l WHERE NOT json_valid(l.text)');
  if (unread.length === 0) return;
  await load(unread.map(({ text }) => restatedLine(text as string)).join('\n'));
  await session.run(insert);
}

/** What is staged of one kind, by experiment and day of arrival. */
async function partsOf(
  session: DuckdbSession,
  kind: SegmentKind,
): Promise<readonly { readonly part: SegmentPart; readonly from: string }[]> {
  const arrival = arrivalOf(kind);
  // The years 1 to 9999, as far as a date has four digits.
  const day =
    `CASE WHEN ${arrival} BETWEEN -62135596800000 AND 253402300799999 ` +
    `THEN strftime(make_timestamp(CAST(floor(${arrival}) AS BIGINT) * 1000), '%Y-%m-%d') ELSE 'undated' END`;
  const keys = hasExperiment(kind) ? ['namespace', 'experiment'] : [];
  const table = tableOf(kind);
  const columns = [...keys, `${day} AS arrival_day`].join(', ');
  const rows = await session.read(`SELECT DISTINCT ${columns} FROM ${table} ORDER BY ALL`);
  return rows.map((row) => {
    const part: SegmentPart = {
      kind,
      day: row.arrival_day as string,
      ...(keys.length === 0 ? {} : { namespace: row.namespace as string, experiment: row.experiment as string }),
    };
    const is = (name: string, value: string): string => `${name} = '${value.replaceAll("'", "''")}'`;
    const conditions = [is(day, part.day), ...keys.map((name) => is(name, row[name] as string))];
    return { part, from: `(SELECT * FROM ${table} WHERE ${conditions.join(' AND ')})` };
  });
}
