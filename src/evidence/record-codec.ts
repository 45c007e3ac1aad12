// How a record stands in the log: one line of JSON; and which lines a reader of this version understands.
import type { Envelope, LogRecord, NewRecord } from './record.ts';
import { mirrorText, predictionText } from './record-text.ts';

/** What a reader makes of one line. A newer writer's kinds are `unknown`, never an error. */
export type DecodedRecord =
  | { readonly kind: 'record'; readonly record: LogRecord }
  /** Written by a newer version; its place in the log is known, its content is not. */
  | { readonly kind: 'unknown'; readonly writer: string; readonly sequence: number; readonly recordKind: string }
  | { readonly kind: 'invalid'; readonly reason: string };

/** The last writer and how it stands in a line: one process has one for millions of records. */
let lastWriter = '';
let lastWriterText = '""';

/** One line of JSON without a line end; the inverse of `decodeRecord` after `JSON.parse`. */
export function encodeRecord(record: NewRecord, { v, writer, sequence }: Envelope): string {
  if (writer !== lastWriter) {
    lastWriter = writer;
    lastWriterText = JSON.stringify(writer);
  }
  // Put together as text: a copy of the record with three fields more costs as much as all its JSON.
  return `{"v":${v},"writer":${lastWriterText},"sequence":${sequence},${fieldsOf(record)}`;
}

function fieldsOf(record: NewRecord): string {
  if (record.kind === 'prediction') return predictionText(record);
  return record.kind === 'mirror' ? mirrorText(record) : JSON.stringify(record).slice(1);
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isNumber: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const isBoolean: Check = (value) => typeof value === 'boolean';
const isObject: Check = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isScalar: Check = (value) => isText(value) || isNumber(value) || isBoolean(value);
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const field = (value: unknown, name: string): unknown => (value as Readonly<Record<string, unknown>>)[name];

const isAttempt: Check = (value) =>
  isObject(value) &&
  isText(field(value, 'variant')) &&
  orNull(isNumber)(field(value, 'status')) &&
  isNumber(field(value, 'latencyMs')) &&
  orNull(isText)(field(value, 'error'));

const isSubject: Check = (value) =>
  isObject(value) &&
  ((field(value, 'kind') === 'prediction' && isText(field(value, 'predictionId'))) ||
    (field(value, 'kind') === 'request' && isText(field(value, 'requestId'))) ||
    (field(value, 'kind') === 'unit' && isText(field(value, 'unit'))));

const reply: Readonly<Record<string, Check>> = { prediction: orNull(isScalar), captured: isObject };

const rules: Readonly<Record<LogRecord['kind'], Readonly<Record<string, Check>>>> = {
  prediction: {
    timeMs: isNumber,
    namespace: isText,
    experiment: isText,
    revision: isNumber,
    epoch: isNumber,
    predictionId: isText,
    requestId: isText,
    row: isNumber,
    unit: orNull(isText),
    assigned: isText,
    served: orNull(isText),
    reason: isText,
    propensity: isNumber,
    attempts: (value) => Array.isArray(value) && value.every(isAttempt),
    context: isObject,
    ...reply,
    status: orNull(isNumber),
    callerMs: orNull(isNumber),
    streaming: isBoolean,
  },
  'prediction-end': {
    timeMs: isNumber,
    namespace: isText,
    predictionId: isText,
    row: isNumber,
    callerMs: isNumber,
    attempt: isAttempt,
    ...reply,
  },
  mirror: {
    timeMs: isNumber,
    namespace: isText,
    experiment: isText,
    predictionId: isText,
    row: isNumber,
    attempt: isAttempt,
    ...reply,
  },
  outcome: {
    id: isText,
    timeMs: isNumber,
    receivedMs: isNumber,
    namespace: isText,
    type: isText,
    value: isScalar,
    subject: isSubject,
    attributes: isObject,
  },
  'writer-end': { timeMs: isNumber },
};

/**
 * The record in a parsed line. Fields this version does not know stay untouched; reasons and errors are open sets.
 *
 * @param value one line of the log after `JSON.parse`.
 */
export function decodeRecord(value: unknown): DecodedRecord {
  if (!isObject(value)) return { kind: 'invalid', reason: `record is ${describe(value)}, must be an object` };
  const writer = field(value, 'writer');
  const sequence = field(value, 'sequence');
  const recordKind = field(value, 'kind');
  if (typeof writer !== 'string' || writer === '') return invalid('writer', writer, 'must be a text');
  if (typeof sequence !== 'number' || !Number.isSafeInteger(sequence) || sequence < 1) {
    return invalid('sequence', sequence, 'must be an integer >= 1');
  }
  if (typeof recordKind !== 'string') return invalid('kind', recordKind, 'must be a text');
  const known = Object.hasOwn(rules, recordKind) ? rules[recordKind as LogRecord['kind']] : undefined;
  if (known === undefined || field(value, 'v') !== 1) return { kind: 'unknown', writer, sequence, recordKind };
  for (const [name, check] of Object.entries(known)) {
    const content = field(value, name);
    if (!check(content)) return invalid(`${recordKind}.${name}`, content, 'breaks record v1');
  }
  return { kind: 'record', record: value as LogRecord };
}

function invalid(place: string, value: unknown, rule: string): DecodedRecord {
  return { kind: 'invalid', reason: `${place} is ${describe(value)}, ${rule}` };
}

function describe(value: unknown): string {
  return value === undefined ? 'missing' : (JSON.stringify(value) ?? typeof value).slice(0, 60);
}
