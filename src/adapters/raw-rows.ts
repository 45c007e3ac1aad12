// What do the raw tables of an engine hold of a record? The same as the tables that DuckDB fills from the log.
import type { Attempt, LogRecord, Scalar } from '../evidence/index.ts';

/** The raw tables. */
export type RawTable = 'prediction' | 'prediction_end' | 'outcome';

type ColumnType = 'text' | 'json' | 'number' | 'integer' | 'sequence';

/** Their columns, in order; those with `?` may be NULL. */
export const rawColumns: Readonly<Record<RawTable, Readonly<Record<string, ColumnType | `${ColumnType}?`>>>> = {
  prediction: {
    writer: 'text',
    sequence: 'sequence',
    time_ms: 'number',
    namespace: 'text',
    experiment: 'text',
    epoch: 'integer',
    prediction_id: 'text',
    request_id: 'text',
    row_index: 'integer',
    unit: 'text?',
    assigned: 'text',
    served: 'text?',
    reason: 'text',
    failed: 'integer',
    attempt_ms: 'number?',
    context: 'json',
    prediction_number: 'number?',
    prediction_text: 'text?',
    captured: 'json',
    status: 'integer?',
    caller_ms: 'number?',
  },
  prediction_end: {
    writer: 'text',
    sequence: 'sequence',
    time_ms: 'number',
    namespace: 'text',
    prediction_id: 'text',
    row_index: 'integer',
    caller_ms: 'number',
    attempt_variant: 'text',
    attempt_ms: 'number',
    failed: 'integer',
    prediction_number: 'number?',
    prediction_text: 'text?',
    captured: 'json',
  },
  outcome: {
    writer: 'text',
    sequence: 'sequence',
    time_ms: 'number',
    received_ms: 'number',
    namespace: 'text',
    id: 'text',
    type: 'text',
    value_number: 'number?',
    value_text: 'text?',
    subject_kind: 'text',
    subject_id: 'text',
    attributes: 'json',
    subject_row: 'integer?',
  },
};

/** A row of a raw table; JSON as text. */
export type RawRow = Readonly<Record<string, string | number | null>>;

/** The row of a record; undefined for records that no report reads. */
export function rawRowOf(record: LogRecord): { readonly table: RawTable; readonly row: RawRow } | undefined {
  const { writer, sequence } = record;
  switch (record.kind) {
    case 'prediction': {
      const own = record.attempts[0]?.variant === record.assigned ? record.attempts[0] : undefined;
      return {
        table: 'prediction',
        row: {
          writer,
          sequence,
          time_ms: record.timeMs,
          namespace: plain(record.namespace),
          experiment: plain(record.experiment),
          epoch: record.epoch,
          prediction_id: plain(record.predictionId),
          request_id: plain(record.requestId),
          row_index: record.row,
          unit: record.unit,
          assigned: plain(record.assigned),
          served: record.served === null ? null : plain(record.served),
          reason: plain(record.reason),
          failed: own === undefined ? 0 : failureOf(own),
          // An attempt that was never made failed, but took no time.
          attempt_ms: own === undefined || ['ejected', 'overloaded'].includes(own.error ?? '') ? null : own.latencyMs,
          context: json(record.context),
          ...scalarOf('prediction', record.prediction),
          captured: json(record.captured),
          status: record.status,
          caller_ms: record.callerMs,
        },
      };
    }
    case 'prediction-end':
      return {
        table: 'prediction_end',
        row: {
          writer,
          sequence,
          time_ms: record.timeMs,
          namespace: plain(record.namespace),
          prediction_id: plain(record.predictionId),
          row_index: record.row,
          caller_ms: record.callerMs,
          attempt_variant: plain(record.attempt.variant),
          attempt_ms: record.attempt.latencyMs,
          failed: failureOf(record.attempt),
          ...scalarOf('prediction', record.prediction),
          captured: json(record.captured),
        },
      };
    case 'outcome': {
      const { subject } = record;
      const named = subject.kind === 'prediction' ? /^(.*)#(\d+)$/s.exec(subject.predictionId) : null;
      const id =
        subject.kind === 'prediction'
          ? (named?.[1] ?? subject.predictionId)
          : subject.kind === 'request'
            ? subject.requestId
            : subject.unit;
      const row = Number(named?.[2] ?? Number.NaN);
      return {
        table: 'outcome',
        row: {
          writer,
          sequence,
          time_ms: record.timeMs,
          received_ms: record.receivedMs,
          namespace: plain(record.namespace),
          id: plain(record.id),
          type: plain(record.type),
          ...scalarOf('value', record.value),
          subject_kind: subject.kind,
          subject_id: plain(id),
          attributes: json(record.attributes),
          subject_row: row < 2 ** 31 ? row : null,
        },
      };
    }
    default:
      return undefined;
  }
}

/** A caller who hung up is no failure of the variant, and neither is a try that another one of the same variant overtook. */
function failureOf({ error }: Attempt): number {
  return error !== null && error !== 'aborted' && error !== 'hedged' ? 1 : 0;
}

function scalarOf(name: 'prediction' | 'value', value: Scalar | null): RawRow {
  return {
    [`${name}_number`]: value === null || typeof value === 'string' ? null : Number(value),
    [`${name}_text`]: typeof value === 'string' ? plain(value) : null,
  };
}

/** Text every engine can hold: NUL and half a surrogate pair become U+FFFD. */
function plain(text: string): string {
  return Buffer.from(text).toString().replaceAll('\0', '\uFFFD');
}

const unspeakable = /\\u(?:0000|d[89a-f][0-9a-f]{2})/i;

function json(value: object): string {
  const text = JSON.stringify(value);
  return unspeakable.test(text) ? JSON.stringify(speakable(value)) : text;
}

function speakable(value: unknown): unknown {
  if (typeof value === 'string') return plain(value);
  if (Array.isArray(value)) return value.map(speakable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [plain(name), speakable(member)]));
}
