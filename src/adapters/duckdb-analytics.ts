// How the evidence of a data directory is taken into DuckDB, segment by segment and frame by frame, and asked for summaries.

import { join, resolve } from 'node:path';
import {
  type AnalysisPlan,
  type Analytics,
  makeSummary,
  type SqlRow,
  type SummaryAnswers,
  type SummaryQuery,
  summarySql,
} from '../evidence/index.ts';
import type { DuckdbSession } from './duckdb-session.ts';
import { openState } from './duckdb-state.ts';
import { type Manifest, type SegmentKind, sealedThrough, segmentFolder } from './evidence-store/manifest.ts';
import { hasMoved, takeSnapshot } from './evidence-store/read-evidence.ts';
import { segmentRows } from './evidence-store/segment-columns.ts';
import { segmentPath } from './evidence-store/segment-file.ts';
import { answerFromKept, forgetKept, keptTables } from './kept-tables.ts';
import { type LogFile, type LogPosition, readLog } from './read-evidence-log.ts';

/** Options of `openDuckdbAnalytics`. */
export interface DuckdbAnalyticsOptions {
  /** The data directory whose `seg/` and `log/` are read. */
  readonly directory: string;
  /** Keeps what was taken in; a cache that may be deleted at any time. Default `:memory:`. */
  readonly stateFile?: string;
  /** Keeps the tables behind each plan, so that the next summary only follows what is new; default true with a state file. */
  readonly keep?: boolean;
  readonly threads?: number;
  readonly memoryLimit?: string;
  readonly tempDirectory?: string;
  /** True for a writer that still runs: its log has no end yet and is no unclean shutdown. */
  readonly isLive?: (writer: string) => boolean;
}

/** How often evidence may move on under our eyes before we give up. */
const mostTries = 5;
/** About this much NDJSON is taken in at once. */
const batchCharacters = 8 * 1024 * 1024;

const attempt = '{"variant":"VARCHAR","latencyMs":"DOUBLE","error":"VARCHAR"}';
const recordShape = JSON.stringify({
  v: 'INTEGER',
  writer: 'VARCHAR',
  sequence: 'BIGINT',
  kind: 'VARCHAR',
  timeMs: 'DOUBLE',
  namespace: 'VARCHAR',
  experiment: 'VARCHAR',
  epoch: 'INTEGER',
  predictionId: 'VARCHAR',
  requestId: 'VARCHAR',
  row: 'INTEGER',
  unit: 'VARCHAR',
  assigned: 'VARCHAR',
  served: 'VARCHAR',
  reason: 'VARCHAR',
  attempts: [JSON.parse(attempt)],
  attempt: JSON.parse(attempt),
  context: 'JSON',
  prediction: 'JSON',
  captured: 'JSON',
  status: 'INTEGER',
  callerMs: 'DOUBLE',
  id: 'VARCHAR',
  receivedMs: 'DOUBLE',
  type: 'VARCHAR',
  value: 'JSON',
  subject: { kind: 'VARCHAR', predictionId: 'VARCHAR', requestId: 'VARCHAR', unit: 'VARCHAR' },
  attributes: 'JSON',
});

const tables = [
  `CREATE TABLE IF NOT EXISTS removal (removals BIGINT)`,
  `CREATE TABLE IF NOT EXISTS applied (writer VARCHAR PRIMARY KEY, file VARCHAR, position DOUBLE, sequence BIGINT, has_ended BOOLEAN)`,
  `CREATE TABLE IF NOT EXISTS prediction (writer VARCHAR, sequence BIGINT, time_ms DOUBLE, namespace VARCHAR, experiment VARCHAR,
    epoch INTEGER, prediction_id VARCHAR, request_id VARCHAR, row_index INTEGER, unit VARCHAR, assigned VARCHAR, served VARCHAR,
    reason VARCHAR, failed INTEGER, attempt_ms DOUBLE, context JSON, prediction_number DOUBLE, prediction_text VARCHAR,
    captured JSON, status INTEGER, caller_ms DOUBLE)`,
  `CREATE TABLE IF NOT EXISTS prediction_end (writer VARCHAR, sequence BIGINT, time_ms DOUBLE, namespace VARCHAR,
    prediction_id VARCHAR, row_index INTEGER, caller_ms DOUBLE, attempt_variant VARCHAR, attempt_ms DOUBLE, failed INTEGER,
    prediction_number DOUBLE, prediction_text VARCHAR, captured JSON)`,
  `CREATE TABLE IF NOT EXISTS outcome (writer VARCHAR, sequence BIGINT, time_ms DOUBLE, received_ms DOUBLE, namespace VARCHAR,
    id VARCHAR, type VARCHAR, value_number DOUBLE, value_text VARCHAR, subject_kind VARCHAR, subject_id VARCHAR, attributes JSON,
    subject_row INTEGER)`,
];

const scalar = (json: string): string =>
  `CASE json_type(${json}) WHEN 'BOOLEAN' THEN CAST(${json} = CAST('true' AS JSON) AS DOUBLE) ` +
  `WHEN 'VARCHAR' THEN NULL WHEN 'NULL' THEN NULL WHEN 'OBJECT' THEN NULL WHEN 'ARRAY' THEN NULL ELSE try_cast(${json} AS DOUBLE) END, ` +
  `CASE json_type(${json}) WHEN 'VARCHAR' THEN json_extract_string(${json}, '$') END`;
/** A caller who hung up is no failure of the variant, and neither is a try that another one of the same variant overtook. */
const failure = (error: string): string => `CASE WHEN ${error} NOT IN ('aborted', 'hedged') THEN 1 ELSE 0 END`;
/** An attempt that was never made failed, but took no time. */
const wasMade = (error: string): string => `coalesce(${error}, '') NOT IN ('ejected', 'overloaded')`;

/** How an outcome says which row of a batch it is about, at the end of the prediction's id. */
const rowMark = '#([0-9]+)$';

/** A step of its own, because DuckDB would read the JSON again for every field that a filter beside it names. */
const readLines = `CREATE OR REPLACE TEMP TABLE arrived AS SELECT r.* FROM (
    SELECT json_transform(l.line, '${recordShape}') AS r FROM (SELECT unnest(string_split($lines, chr(10))) AS line) l WHERE json_valid(l.line)
  ) t`;
const countReplays = 'SELECT count(*) - count(DISTINCT (i.writer, i.sequence)) AS replays FROM arrived i';
/** Costs as much as all the rest, so only where it must be. */
const dropReplays = [
  'CREATE OR REPLACE TEMP TABLE once AS SELECT i.* FROM arrived i QUALIFY row_number() OVER (PARTITION BY i.writer, i.sequence) = 1',
  'CREATE OR REPLACE TEMP TABLE arrived AS SELECT o.* FROM once o',
  'DROP TABLE once',
];
/** Records of the batch that were not taken in before. */
const fresh = (rows: string): string =>
  `${rows} i LEFT JOIN applied a ON a.writer = i.writer WHERE i.sequence > coalesce(a.sequence, 0)`;
const incoming = `${fresh('arrived')} AND i.v = 1`;
const countIncoming = `SELECT count(*) AS records FROM ${incoming}`;

/** By kind of segment: the insertion of rows `i` of a relation and its conditions. */
const insertions: Readonly<Partial<Record<SegmentKind, (from: string) => string>>> = {
  predictions: (
    from,
  ) => `INSERT INTO prediction SELECT i.writer, i.sequence, i.timeMs, i.namespace, i.experiment, i.epoch, i.predictionId, i.requestId,
    i."row", i.unit, i.assigned, i.served, i.reason,
    CASE WHEN i.attempts[1].variant = i.assigned THEN ${failure('i.attempts[1].error')} ELSE 0 END,
    CASE WHEN i.attempts[1].variant = i.assigned AND ${wasMade('i.attempts[1].error')} THEN i.attempts[1].latencyMs END,
    i.context, ${scalar('i.prediction')}, i.captured, i.status, i.callerMs
    FROM ${from} AND i.timeMs IS NOT NULL AND i.predictionId IS NOT NULL AND i.assigned IS NOT NULL`,
  'prediction-ends': (
    from,
  ) => `INSERT INTO prediction_end SELECT i.writer, i.sequence, i.timeMs, i.namespace, i.predictionId, i."row", i.callerMs,
    i.attempt.variant, i.attempt.latencyMs, ${failure('i.attempt.error')}, ${scalar('i.prediction')}, i.captured
    FROM ${from} AND i.timeMs IS NOT NULL AND i.predictionId IS NOT NULL`,
  outcomes: (
    from,
  ) => `INSERT INTO outcome SELECT i.writer, i.sequence, i.timeMs, i.receivedMs, i.namespace, i.id, i.type, ${scalar('i."value"')},
    i.subject.kind, coalesce(regexp_replace(i.subject.predictionId, '${rowMark}', ''), i.subject.requestId, i.subject.unit), i.attributes,
    try_cast(nullif(regexp_extract(i.subject.predictionId, '${rowMark}', 1), '') AS INTEGER)
    FROM ${from} AND i.timeMs IS NOT NULL AND i.id IS NOT NULL AND i.subject.kind IS NOT NULL`,
};
/** Kinds this version does not know stay in the log and are passed over here. */
const distribute = [
  ...Object.entries(insertions).map(([kind, insertion]) =>
    insertion(`${incoming} AND i.kind = '${kind.slice(0, -1)}'`),
  ),
  `INSERT OR REPLACE INTO applied
    SELECT i.writer, '', 0, max(i.sequence), max(CASE WHEN i.kind = 'writer-end' THEN 1 ELSE 0 END) = 1 FROM ${incoming} GROUP BY i.writer`,
];

/** Analytics over the logs of one data directory. The logs stay the truth; DuckDB only ever holds what they say. */
export async function openDuckdbAnalytics(options: DuckdbAnalyticsOptions): Promise<Analytics> {
  const { directory, isLive = () => false, keep = options.stateFile !== undefined, ...sessionOptions } = options;
  const session = await openState({ ...sessionOptions, folders: [join(resolve(directory), segmentFolder)] }, [
    ...tables,
    ...keptTables,
  ]);
  let manifest: Manifest | undefined;
  let last: Promise<unknown> = Promise.resolve();
  /** One connection, one thing at a time: a summary never sees half a batch. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };

  const catchUp = async (): Promise<{ readonly records: number }> => {
    let records = 0;
    for (let tries = 1; ; tries += 1) {
      const snapshot = await takeSnapshot(directory);
      try {
        manifest = snapshot.manifest;
        records += await takeSegments(session, { directory, manifest });
        return { records: records + (await takeFrames(snapshot.files)) };
      } catch (fault) {
        // Sealed or merged while we read: what was not taken in yet is found in the next snapshot.
        if (tries === mostTries || !(await hasMoved(fault, directory, snapshot))) throw fault;
      }
    }
  };

  const takeFrames = async (files: readonly LogFile[]): Promise<number> => {
    let records = 0;
    let lines: string[] = [];
    let characters = 0;
    let positions = new Map<string, LogPosition>();
    const flush = async (): Promise<void> => {
      if (lines.length === 0) return;
      records += await takeLines(session, { lines: lines.join(''), positions });
      lines = [];
      characters = 0;
      positions = new Map();
    };
    for await (const piece of readLog(directory, { files, after: await readPositions(session) })) {
      if (piece.kind === 'tail') continue;
      const payload = piece.payload.toString('utf8');
      lines.push(payload);
      characters += payload.length;
      positions.set(piece.writer, piece.next);
      if (characters >= batchCharacters) await flush();
    }
    await flush();
    return records;
  };

  return {
    catchUp: () => inTurn(catchUp),
    summarise: (plan) =>
      inTurn(async () => {
        // A plan that cannot be read is refused before anything is taken in.
        summarySql(plan);
        await catchUp();
        const answers = await (keep ? answerFromKept : answerAnew)(session, plan);
        const open = await session.read('SELECT a.writer FROM applied a WHERE NOT a.has_ended');
        const uncleanShutdowns = open.filter(({ writer }) => !isLive(writer as string)).length;
        return makeSummary(plan, answers, { uncleanShutdowns, expired: expiredOf(plan, manifest) });
      }),
    close: () => inTurn(() => session.close()),
  };
}

/** Answers the queries of a plan from all evidence and keeps nothing. */
async function answerAnew(session: DuckdbSession, plan: AnalysisPlan): Promise<SummaryAnswers> {
  const { steps, queries } = summarySql(plan);
  try {
    for (const { table, select } of steps) await session.run(`CREATE OR REPLACE TEMP TABLE ${table} AS ${select}`);
    const answers: { [query in SummaryQuery]?: readonly SqlRow[] } = {};
    for (const [query, sql] of Object.entries(queries) as [SummaryQuery, string][])
      answers[query] = await session.read(sql);
    return answers;
  } finally {
    for (const { table } of steps) await session.run(`DROP TABLE IF EXISTS temp.${table}`);
  }
}

/** Predictions of the plan's experiment that went by retention. */
function expiredOf({ experiment }: AnalysisPlan, manifest: Manifest | undefined): number {
  const ours = manifest?.expired.filter(
    (each) =>
      each.kind === 'predictions' && each.namespace === experiment.namespace && each.experiment === experiment.name,
  );
  return (ours ?? []).reduce((sum, { rows }) => sum + rows, 0);
}

/** Sealed records that are not in yet, with how far each writer is: in one transaction. Rows that went make everything anew. */
async function takeSegments(
  session: DuckdbSession,
  { directory, manifest }: { readonly directory: string; readonly manifest: Manifest },
): Promise<number> {
  await session.run('BEGIN');
  try {
    const [taken] = await session.read('SELECT r.removals FROM removal r');
    if (taken?.removals !== manifest.removals) {
      await forgetKept(session);
      for (const table of ['removal', 'applied']) await session.run(`DELETE FROM ${table}`);
      // Made anew, so that rows are numbered from the start.
      for (const table of ['prediction', 'prediction_end', 'outcome']) await session.run(`DROP TABLE ${table}`);
      for (const sql of tables) await session.run(sql);
      await session.run('INSERT INTO removal VALUES ($removals)', { removals: manifest.removals });
    }
    const applied = new Map(
      (await session.read('SELECT a.writer, a.sequence FROM applied a')).map((row) => [
        row.writer,
        row.sequence as number,
      ]),
    );
    const waiting = manifest.segments.filter(({ sources }) =>
      sources.some(({ writer, last }) => last > (applied.get(writer) ?? 0)),
    );
    let records = 0;
    for (const [kind, insertion] of Object.entries(insertions) as [SegmentKind, (from: string) => string][]) {
      const paths = waiting
        .filter((segment) => segment.kind === kind)
        .map((segment) => segmentPath(directory, segment));
      if (paths.length === 0) continue;
      const from = fresh(sealedRows(kind, paths));
      const [{ records: found } = { records: 0 }] = await session.read(`SELECT count(*) AS records FROM ${from}`);
      await session.run(insertion(from));
      records += found as number;
    }
    for (const [writer, { ended }] of Object.entries(manifest.writers)) {
      const sequence = sealedThrough(manifest, writer);
      if (sequence <= (applied.get(writer) ?? 0)) continue;
      await session.run(
        `INSERT INTO applied VALUES ($writer, '', 0, $sequence, $ended) ON CONFLICT (writer) DO UPDATE SET sequence = excluded.sequence, has_ended = excluded.has_ended`,
        { writer, sequence, ended },
      );
    }
    await session.run('COMMIT');
    return records;
  } catch (cause) {
    await session.run('ROLLBACK');
    throw cause;
  }
}

/** With numbers as the tables have them. */
function sealedRows(kind: SegmentKind, paths: readonly string[]): string {
  const whole = kind === 'predictions' ? ['epoch', 'row', 'status'] : kind === 'prediction-ends' ? ['row'] : [];
  const casts = whole.map((name) => `try_cast("${name}" AS INTEGER) AS "${name}"`).join(', ');
  return whole.length === 0
    ? segmentRows(kind, paths)
    : `(SELECT * REPLACE (${casts}) FROM ${segmentRows(kind, paths)} s)`;
}

async function readPositions(session: DuckdbSession): Promise<ReadonlyMap<string, LogPosition>> {
  const rows = await session.read('SELECT a.writer, a.file, a.position FROM applied a');
  return new Map(
    rows.map((row) => [row.writer as string, { file: row.file as string, offset: row.position as number }]),
  );
}

/** Content and positions in one transaction: after a crash each frame is in once or not at all. */
async function takeLines(
  session: DuckdbSession,
  batch: { readonly lines: string; readonly positions: ReadonlyMap<string, LogPosition> },
): Promise<number> {
  await session.run('BEGIN');
  try {
    await session.run(readLines, { lines: batch.lines });
    const [{ replays } = { replays: 0 }] = await session.read(countReplays);
    if (replays !== 0) for (const sql of dropReplays) await session.run(sql);
    const [{ records } = { records: 0 }] = await session.read(countIncoming);
    for (const sql of distribute) await session.run(sql);
    for (const [writer, { file, offset }] of batch.positions) {
      await session.run(
        `INSERT INTO applied VALUES ($writer, $file, $offset, 0, FALSE) ON CONFLICT (writer) DO UPDATE SET file = excluded.file, position = excluded.position`,
        { writer, file, offset },
      );
    }
    await session.run('COMMIT');
    return records as number;
  } catch (cause) {
    await session.run('ROLLBACK');
    throw cause;
  }
}
