// Which columns has a sealed segment? The fields of record v1 by their own names, and the whole line where they do not say all.
import { decodeRecord, type LogRecord, quoted } from '../../evidence/index.ts';
import type { SegmentKind } from './manifest.ts';

/** A column of a segment and its type in DuckDB. */
type Columns = Readonly<Record<string, string>>;

const attempt = 'STRUCT(variant VARCHAR, status DOUBLE, latencyMs DOUBLE, error VARCHAR)';
const place: Columns = { writer: 'VARCHAR', sequence: 'BIGINT', timeMs: 'DOUBLE' };
const reply: Columns = { prediction: 'JSON', captured: 'JSON' };
/** The line as it came, where the columns before it do not say all of it: fields of the future, text that SQL cannot hold. */
const whole: Columns = { whole: 'VARCHAR' };

const columns: Readonly<Record<SegmentKind, Columns>> = {
  predictions: {
    ...place,
    namespace: 'VARCHAR',
    experiment: 'VARCHAR',
    revision: 'DOUBLE',
    epoch: 'DOUBLE',
    predictionId: 'VARCHAR',
    requestId: 'VARCHAR',
    row: 'DOUBLE',
    unit: 'VARCHAR',
    assigned: 'VARCHAR',
    served: 'VARCHAR',
    reason: 'VARCHAR',
    propensity: 'DOUBLE',
    attempts: `${attempt}[]`,
    context: 'JSON',
    ...reply,
    status: 'DOUBLE',
    callerMs: 'DOUBLE',
    streaming: 'BOOLEAN',
    ...whole,
  },
  'prediction-ends': {
    ...place,
    namespace: 'VARCHAR',
    predictionId: 'VARCHAR',
    row: 'DOUBLE',
    callerMs: 'DOUBLE',
    attempt,
    ...reply,
    ...whole,
  },
  mirrors: {
    ...place,
    namespace: 'VARCHAR',
    experiment: 'VARCHAR',
    predictionId: 'VARCHAR',
    row: 'DOUBLE',
    attempt,
    ...reply,
    ...whole,
  },
  outcomes: {
    ...place,
    id: 'VARCHAR',
    receivedMs: 'DOUBLE',
    namespace: 'VARCHAR',
    type: 'VARCHAR',
    value: 'JSON',
    subject: 'STRUCT(kind VARCHAR, predictionId VARCHAR, requestId VARCHAR, unit VARCHAR)',
    attributes: 'JSON',
    ...whole,
  },
  others: { ...place, kind: 'VARCHAR', ...whole },
};

/** Every kind, in the order in which they are sealed. */
export const segmentKinds: readonly SegmentKind[] = ['predictions', 'prediction-ends', 'mirrors', 'outcomes', 'others'];

const recordKinds: Readonly<Record<Exclude<SegmentKind, 'others'>, LogRecord['kind']>> = {
  predictions: 'prediction',
  'prediction-ends': 'prediction-end',
  mirrors: 'mirror',
  outcomes: 'outcome',
};
const kindOf = new Map(Object.entries(recordKinds).map(([kind, record]) => [record as string, kind as SegmentKind]));

/** True for kinds whose folders are parted by experiment. */
export function hasExperiment(kind: SegmentKind): boolean {
  return columns[kind].experiment !== undefined;
}

/** One line of a log, ready for the table of its kind. */
export interface SealableLine {
  readonly kind: SegmentKind;
  readonly sequence: number;
  readonly isEnd: boolean;
  /** JSON text that `lineShape` of its kind reads. */
  readonly line: string;
}

/**
 * What to seal of one line.
 *
 * @param text the line without its end. @param expected the sequence it should have; taken where the line has none.
 */
export function sealableLine(text: string, { writer, expected }: { writer: string; expected: number }): SealableLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const decoded = decodeRecord(value);
  if (decoded.kind === 'record' && decoded.record.kind !== 'writer-end') {
    const { record } = decoded;
    const kind = kindOf.get(record.kind) ?? 'others';
    return {
      kind,
      sequence: record.sequence,
      isEnd: false,
      line: isPlain(record, kind) ? text : restated(record, text),
    };
  }
  const sequence =
    decoded.kind === 'invalid' ? expected : decoded.kind === 'unknown' ? decoded.sequence : decoded.record.sequence;
  const found = (value ?? {}) as { timeMs?: unknown; kind?: unknown };
  const isEnd = decoded.kind === 'record';
  const timeMs = typeof found.timeMs === 'number' && Number.isFinite(found.timeMs) ? found.timeMs : null;
  const kind = decoded.kind === 'invalid' || typeof found.kind !== 'string' ? null : speakable(found.kind);
  return { kind: 'others', sequence, isEnd, line: JSON.stringify({ writer, sequence, timeMs, kind, whole: text }) };
}

/** No field that the columns lack. Values are right already: the record was decoded. */
function isPlain(record: LogRecord, kind: SegmentKind): boolean {
  const known = columns[kind];
  const isKnown = (name: string): boolean =>
    name === 'v' || name === 'kind' || (name !== 'whole' && Object.hasOwn(known, name));
  if (!Object.keys(record).every(isKnown)) return false;
  const isAttempt = (value: object): boolean => Object.keys(value).length === 4;
  if (record.kind === 'prediction') return record.attempts.every(isAttempt);
  if (record.kind === 'outcome') return Object.keys(record.subject).length === 2;
  return record.kind === 'writer-end' || isAttempt(record.attempt);
}

/** The line of a record in words DuckDB can read: JSON may hold half a surrogate pair or a number beyond doubles. */
export function restatedLine(line: string): string {
  const { whole, ...record } = JSON.parse(line) as { readonly whole?: string };
  return restated(record, whole ?? line);
}

function restated(record: object, whole: string): string {
  return JSON.stringify({ ...speakable(record), whole });
}

function speakable<T>(value: T): T {
  // Half a surrogate pair has no bytes in UTF-8 and becomes U+FFFD.
  if (typeof value === 'string') return Buffer.from(value).toString() as T;
  if (Array.isArray(value)) return value.map(speakable) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [speakable(name), speakable(member)])) as T;
}

/** Type of a row for `json_transform`. */
export function lineShape(kind: SegmentKind): string {
  return JSON.stringify(
    Object.fromEntries(Object.entries(columns[kind]).map(([name, type]) => [name, jsonShape(type)])),
  );
}

function jsonShape(type: string): unknown {
  if (type.endsWith('[]')) return [jsonShape(type.slice(0, -2))];
  const members = /^STRUCT\((.*)\)$/.exec(type)?.[1];
  if (members === undefined) return type;
  return Object.fromEntries(members.split(', ').map((member) => member.split(' ')));
}

/** Column definitions of a table of this kind. */
export function tableColumns(kind: SegmentKind): string {
  return Object.entries(columns[kind])
    .map(([name, type]) => `"${name}" ${type}`)
    .join(', ');
}

/** Epoch milliseconds of a record's arrival by our own clock: an outcome's own time may lie anywhere. */
export function arrivalOf(kind: SegmentKind): string {
  return kind === 'outcomes' ? '"receivedMs"' : 'coalesce("timeMs", 0)';
}

/**
 * A relation over segments of one kind with every column of record v1 under its own name.
 *
 * @param paths absolute; at least one.
 */
export function segmentRows(kind: SegmentKind, paths: readonly string[]): string {
  const from = `read_parquet([${paths.map(quoted).join(', ')}], hive_partitioning = false)`;
  // A request id that only repeats the prediction id is not stored twice.
  const same = kind === 'predictions' ? ' REPLACE (coalesce("requestId", "predictionId") AS "requestId")' : '';
  return `(SELECT *${same} FROM ${from})`;
}

/** How rows of a table of this kind are written. */
export function storedRows(kind: SegmentKind, from: string): string {
  const same = kind === 'predictions' ? ' REPLACE (nullif("requestId", "predictionId") AS "requestId")' : '';
  return `SELECT *${same} FROM ${from}`;
}

/** The record as JSON text, from a row. */
export function recordText(kind: SegmentKind): string {
  if (kind === 'others') return 'whole';
  const { writer: _writer, sequence: _sequence, whole: _whole, ...fields } = columns[kind];
  const built = [`'v', 1, 'writer', writer, 'sequence', sequence, 'kind', ${quoted(recordKinds[kind])}`];
  for (const name of Object.keys(fields)) built.push(`${quoted(name)}, ${name === 'subject' ? subject : `"${name}"`}`);
  return `coalesce(whole, CAST(json_object(${built.join(', ')}) AS VARCHAR))`;
}

/** Only the member that its kind has. */
const subject =
  `CASE subject.kind WHEN 'prediction' THEN json_object('kind', subject.kind, 'predictionId', subject.predictionId) ` +
  `WHEN 'request' THEN json_object('kind', subject.kind, 'requestId', subject.requestId) ` +
  `ELSE json_object('kind', subject.kind, 'unit', subject.unit) END`;
