// How do records get into DuckDB's raw tables? Sealed ones from Parquet, or shown where they lie; the others frame by frame.

import type { DuckdbSession } from './duckdb-session.ts';
import { type Manifest, type SegmentKind, sealedThrough } from './evidence-store/manifest.ts';
import { segmentRows } from './evidence-store/segment-columns.ts';
import { segmentPath } from './evidence-store/segment-file.ts';
import { forgetKept } from './kept-tables.ts';
import type { LogPosition } from './read-evidence-log.ts';

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

const progressTables = [
  `CREATE TABLE IF NOT EXISTS removal (removals BIGINT)`,
  `CREATE TABLE IF NOT EXISTS applied (writer VARCHAR PRIMARY KEY, file VARCHAR, position DOUBLE, sequence BIGINT, has_ended BOOLEAN)`,
];
/** The raw tables. */
const columnsOf = {
  prediction: `writer VARCHAR, sequence BIGINT, time_ms DOUBLE, namespace VARCHAR, experiment VARCHAR,
    epoch INTEGER, prediction_id VARCHAR, request_id VARCHAR, row_index INTEGER, unit VARCHAR, assigned VARCHAR, served VARCHAR,
    reason VARCHAR, failed INTEGER, attempt_ms DOUBLE, context JSON, prediction_number DOUBLE, prediction_text VARCHAR,
    captured JSON, status INTEGER, caller_ms DOUBLE`,
  prediction_end: `writer VARCHAR, sequence BIGINT, time_ms DOUBLE, namespace VARCHAR,
    prediction_id VARCHAR, row_index INTEGER, caller_ms DOUBLE, attempt_variant VARCHAR, attempt_ms DOUBLE, failed INTEGER,
    prediction_number DOUBLE, prediction_text VARCHAR, captured JSON`,
  outcome: `writer VARCHAR, sequence BIGINT, time_ms DOUBLE, received_ms DOUBLE, namespace VARCHAR,
    id VARCHAR, type VARCHAR, value_number DOUBLE, value_text VARCHAR, subject_kind VARCHAR, subject_id VARCHAR, attributes JSON,
    subject_row INTEGER`,
} as const;
type RawName = keyof typeof columnsOf;
const rawNames = Object.keys(columnsOf) as readonly RawName[];
/** Where records are taken in that stand in no segment: beside the sealed ones, or apart from them. */
export type Place = '' | 'log_';
/** Statements that make the tables where there are none. */
export const rawTables = (place: Place): readonly string[] => [
  ...progressTables,
  ...rawNames.map((name) => `CREATE TABLE IF NOT EXISTS ${place}${name} (${columnsOf[name]})`),
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

type Selection = (from: string) => string;
/** By kind of segment: the raw table, and its rows from rows `i` of a relation with their conditions. */
const selections: readonly {
  readonly kind: SegmentKind;
  readonly table: RawName;
  readonly record: string;
  readonly select: Selection;
}[] = [
  {
    kind: 'predictions',
    table: 'prediction',
    record: 'prediction',
    select: (
      from,
    ) => `SELECT i.writer, i.sequence, i.timeMs, i.namespace, i.experiment, i.epoch, i.predictionId, i.requestId,
    i."row", i.unit, i.assigned, i.served, i.reason,
    CASE WHEN i.attempts[1].variant = i.assigned THEN ${failure('i.attempts[1].error')} ELSE 0 END,
    CASE WHEN i.attempts[1].variant = i.assigned AND ${wasMade('i.attempts[1].error')} THEN i.attempts[1].latencyMs END,
    i.context, ${scalar('i.prediction')}, i.captured, i.status, i.callerMs
    FROM ${from} AND i.timeMs IS NOT NULL AND i.predictionId IS NOT NULL AND i.assigned IS NOT NULL`,
  },
  {
    kind: 'prediction-ends',
    table: 'prediction_end',
    record: 'prediction-end',
    select: (from) => `SELECT i.writer, i.sequence, i.timeMs, i.namespace, i.predictionId, i."row", i.callerMs,
    i.attempt.variant, i.attempt.latencyMs, ${failure('i.attempt.error')}, ${scalar('i.prediction')}, i.captured
    FROM ${from} AND i.timeMs IS NOT NULL AND i.predictionId IS NOT NULL`,
  },
  {
    kind: 'outcomes',
    table: 'outcome',
    record: 'outcome',
    select: (
      from,
    ) => `SELECT i.writer, i.sequence, i.timeMs, i.receivedMs, i.namespace, i.id, i.type, ${scalar('i."value"')},
    i.subject.kind, coalesce(regexp_replace(i.subject.predictionId, '${rowMark}', ''), i.subject.requestId, i.subject.unit), i.attributes,
    try_cast(nullif(regexp_extract(i.subject.predictionId, '${rowMark}', 1), '') AS INTEGER)
    FROM ${from} AND i.timeMs IS NOT NULL AND i.id IS NOT NULL AND i.subject.kind IS NOT NULL`,
  },
];
/** Kinds this version does not know stay in the log and are passed over here. */
const distribute = (place: Place): readonly string[] => [
  ...selections.map(
    ({ table, record, select }) => `INSERT INTO ${place}${table} ${select(`${incoming} AND i.kind = '${record}'`)}`,
  ),
  `INSERT OR REPLACE INTO applied
    SELECT i.writer, '', 0, max(i.sequence), max(CASE WHEN i.kind = 'writer-end' THEN 1 ELSE 0 END) = 1 FROM ${incoming} GROUP BY i.writer`,
];

/** Sealed records that are not in yet, with how far each writer is: in one transaction. Rows that went make everything anew. */
export async function takeSegments(
  session: DuckdbSession,
  sealed: {
    readonly directory: string;
    readonly manifest: Manifest;
    readonly place: Place;
    readonly tables: readonly string[];
  },
): Promise<number> {
  const { directory, manifest, place } = sealed;
  await session.run('BEGIN');
  try {
    const [taken] = await session.read('SELECT r.removals FROM removal r');
    if (taken?.removals !== manifest.removals) {
      await forgetKept(session);
      for (const table of ['removal', 'applied']) await session.run(`DELETE FROM ${table}`);
      // Made anew, so that rows are numbered from the start.
      for (const table of rawNames) await session.run(`DROP TABLE ${place}${table}`);
      for (const sql of sealed.tables) await session.run(sql);
      await session.run('INSERT INTO removal VALUES ($removals)', { removals: manifest.removals });
    }
    const applied = new Map(
      (await session.read('SELECT a.writer, a.sequence FROM applied a')).map((row) => [
        row.writer as string,
        row.sequence as number,
      ]),
    );
    const waiting = manifest.segments.filter(({ sources }) =>
      sources.some(({ writer, last }) => last > (applied.get(writer) ?? 0)),
    );
    let records = 0;
    for (const { kind, table, select } of selections) {
      const segments = waiting.filter((segment) => segment.kind === kind);
      if (segments.length === 0) continue;
      const rows = sealedRows(
        kind,
        segments.map((segment) => segmentPath(directory, segment)),
      );
      const isNew = segments.every(({ sources }) => sources.every(({ writer }) => !applied.has(writer)));
      const from = isNew ? `${rows} i WHERE TRUE` : fresh(rows);
      if (isNew) records += segments.reduce((sum, segment) => sum + segment.rows, 0);
      else records += (await session.read(`SELECT count(*) AS records FROM ${from}`))[0]?.records as number;
      if (place === '') await session.run(`INSERT INTO ${table} ${select(from)}`);
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

/** The raw tables as views: segments where they lie, and the records that stand in no segment yet. */
export async function showSealed(
  session: DuckdbSession,
  { directory, manifest }: { readonly directory: string; readonly manifest: Manifest },
): Promise<void> {
  for (const { kind, table, select } of selections) {
    const taken = await session.read(`SELECT DISTINCT l.writer FROM log_${table} l`);
    // What was sealed since it was taken in is there twice.
    for (const { writer } of taken)
      await session.run(`DELETE FROM log_${table} WHERE writer = $writer AND sequence <= $sequence`, {
        writer: writer as string,
        sequence: sealedThrough(manifest, writer as string),
      });
    const paths = manifest.segments
      .filter((segment) => segment.kind === kind)
      .map((segment) => segmentPath(directory, segment));
    const sealed = paths.length === 0 ? [] : [select(`${sealedRows(kind, paths)} i WHERE TRUE`)];
    const parts = sealed.length > 0 && taken.length === 0 ? sealed : [`SELECT l.* FROM log_${table} l`, ...sealed];
    const columns = columnsOf[table].split(',').map((column) => column.trim().split(' ')[0]);
    await session.run(`CREATE OR REPLACE TEMP VIEW ${table} (${columns.join(', ')}) AS ${parts.join(' UNION ALL ')}`);
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

/** How far each writer's log was read. */
export async function readPositions(session: DuckdbSession): Promise<ReadonlyMap<string, LogPosition>> {
  const rows = await session.read('SELECT a.writer, a.file, a.position FROM applied a');
  return new Map(
    rows.map((row) => [row.writer as string, { file: row.file as string, offset: row.position as number }]),
  );
}

/** Content and positions in one transaction: after a crash each frame is in once or not at all. */
export async function takeLines(
  session: DuckdbSession,
  batch: { readonly lines: string; readonly positions: ReadonlyMap<string, LogPosition>; readonly place: Place },
): Promise<number> {
  await session.run('BEGIN');
  try {
    await session.run(readLines, { lines: batch.lines });
    const [{ replays } = { replays: 0 }] = await session.read(countReplays);
    if (replays !== 0) for (const sql of dropReplays) await session.run(sql);
    const [{ records } = { records: 0 }] = await session.read(countIncoming);
    for (const sql of distribute(batch.place)) await session.run(sql);
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
