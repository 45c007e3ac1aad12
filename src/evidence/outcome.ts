// What a reporter may say about something that happened afterwards: the parser every outcome passes once.
import { AssayError } from '../errors.ts';
import type { Json, OutcomeRecord, OutcomeSubject, Scalar } from './record.ts';
import { largestValue } from './sql-text.ts';

/** Options of `parseOutcomes`. */
export interface ParseOutcomesOptions {
  /** When the request arrived, epoch milliseconds; also the time of outcomes that name none. */
  readonly nowMs: number;
  readonly namespace: string;
  /** Keyed hash of a unit id, as `UnitHasher` gives it. */
  readonly hashUnit: (id: string) => string;
  /** Most outcomes in one request; default 10,000. */
  readonly maxItems?: number;
  /** Numbers of the lines the items of a list came from; faults then name the line instead of the place in the list. */
  readonly lines?: readonly number[];
}

const limits = { id: 200, type: 100, subject: 512, text: 1_000, attributes: 4_096, depth: 8, issues: 100 } as const;
const keys = ['id', 'type', 'value', 'time', 'predictionId', 'row', 'requestId', 'unit', 'attributes'] as const;
/** Below this an epoch is read as seconds by mistake: 1973 in milliseconds, the year 5138 in seconds. */
const earliestMs = 1e11;
const latestMs = 8.64e15;
const largestRow = 999_999_999;
const isoTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})$/;

interface Issue {
  readonly place: string;
  readonly text: string;
  readonly line?: number;
}

/**
 * The outcome records in a request body: one outcome, a list of them, or `{outcomes: [...]}`.
 *
 * @param body parsed JSON; each outcome is `{id, type, value, time?, predictionId | requestId | unit, row?, attributes?}`,
 *   `time` ISO 8601 with a zone or epoch milliseconds. One row of a batched request is `predictionId` with `row`, or `ID#ROW`.
 * @throws AssayError `outcome-invalid` with every fault in `issues`; then nothing of the body is accepted.
 * @throws AssayError `body-too-large` for more than `maxItems` outcomes.
 */
export function parseOutcomes(body: unknown, options: ParseOutcomesOptions): readonly OutcomeRecord[] {
  const { items, isSingle } = listOf(body);
  const maxItems = options.maxItems ?? 10_000;
  if (items.length > maxItems) {
    throw new AssayError('body-too-large', `outcomes has ${items.length} items, must have at most ${maxItems}`);
  }
  const issues: Issue[] = [];
  const records: OutcomeRecord[] = [];
  if (items.length === 0) issues.push({ place: 'outcomes', text: 'outcomes is empty, must hold at least one outcome' });
  for (const [index, item] of items.entries()) {
    const line = options.lines?.[index];
    const place = line !== undefined ? `line ${line}` : isSingle ? 'outcome' : `outcomes[${index}]`;
    const record = parseOutcome(item, { place, line, issues, options });
    if (record !== undefined) records.push(record);
  }
  if (issues.length > 0) {
    const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
    throw new AssayError('outcome-invalid', `${issues[0]?.text}${more}`, { issues: issues.slice(0, limits.issues) });
  }
  return records;
}

function listOf(body: unknown): { readonly items: readonly unknown[]; readonly isSingle: boolean } {
  if (Array.isArray(body)) return { items: body, isSingle: false };
  if (isObject(body) && Array.isArray(body.outcomes) && Object.keys(body).length === 1) {
    return { items: body.outcomes, isSingle: false };
  }
  return { items: [body], isSingle: true };
}

interface Place {
  readonly place: string;
  readonly line: number | undefined;
  readonly issues: Issue[];
  readonly options: ParseOutcomesOptions;
}

function parseOutcome(item: unknown, at: Place): OutcomeRecord | undefined {
  const { place, line, issues, options } = at;
  const tell = (where: string, text: string): void => {
    issues.push({ place: where, text: `${where} ${text}`, ...(line === undefined ? {} : { line }) });
  };
  const memberOf = (name: string): string => (line === undefined ? `${place}.${name}` : `${place}: ${name}`);
  if (!isObject(item)) {
    tell(place, `is ${show(item)}, must be an object`);
    return undefined;
  }
  const before = issues.length;
  const fault = (name: string, rule: string): void => tell(memberOf(name), `is ${show(item[name])}, ${rule}`);
  for (const name of Object.keys(item)) {
    if (!(keys as readonly string[]).includes(name)) {
      tell(memberOf(name), `is unknown, must be one of: ${keys.join(', ')}`);
    }
  }
  if (!isText(item.id, limits.id)) fault('id', `must be a text of 1 to ${limits.id} characters`);
  if (!isText(item.type, limits.type) || !/^[A-Za-z][\w.:-]*$/.test(item.type)) {
    fault('type', `must be a name of at most ${limits.type} letters, digits, "_", ".", ":" or "-"`);
  }
  if (!isScalar(item.value)) fault('value', 'must be a number, text or boolean');
  else if (typeof item.value === 'string' && item.value.length > limits.text) {
    fault('value', `must have at most ${limits.text} characters`);
  }
  if (typeof item.value === 'number' && Math.abs(item.value) > largestValue) {
    fault('value', `must be at most ${largestValue} in size`);
  }
  const timeMs = parseTime(item.time, options.nowMs);
  if (typeof timeMs === 'string') fault('time', timeMs);
  const subject = parseSubject(item, options, { fault, tell: (text) => tell(place, text) });
  const attributes = item.attributes === undefined ? {} : item.attributes;
  const wrong = attributesFault(attributes);
  if (wrong !== undefined) fault('attributes', wrong);
  if (issues.length > before || subject === undefined) return undefined;
  return {
    kind: 'outcome',
    id: item.id as string,
    timeMs: timeMs as number,
    receivedMs: options.nowMs,
    namespace: options.namespace,
    type: item.type as string,
    value: item.value as Scalar,
    subject,
    attributes: attributes as { readonly [name: string]: Json },
  };
}

function parseSubject(
  item: Readonly<Record<string, unknown>>,
  options: ParseOutcomesOptions,
  { fault, tell }: { readonly fault: (name: string, rule: string) => void; readonly tell: (text: string) => void },
): OutcomeSubject | undefined {
  const given = (['predictionId', 'requestId', 'unit'] as const).filter((name) => item[name] !== undefined);
  const [name] = given;
  if (name === undefined || given.length > 1) {
    const found = name === undefined ? 'none of them' : given.join(' and ');
    tell(`has ${found}, must have exactly one of: predictionId, requestId, unit`);
    return undefined;
  }
  const id = item[name];
  if (!isText(id, limits.subject)) {
    fault(name, `must be a text of 1 to ${limits.subject} characters`);
    return undefined;
  }
  const { row } = item;
  if (row !== undefined && name !== 'predictionId') {
    fault('row', 'must stand beside a predictionId');
    return undefined;
  }
  if (name === 'predictionId') return parsePrediction(id, row, fault);
  if (name === 'requestId') return { kind: 'request', requestId: id };
  return { kind: 'unit', unit: options.hashUnit(id) };
}

function parsePrediction(
  id: string,
  row: unknown,
  fault: (name: string, rule: string) => void,
): OutcomeSubject | undefined {
  const [, named, digits] = /^(.+)#(\d+)$/.exec(id) ?? [];
  if (Number(digits ?? 0) > largestRow) {
    fault('predictionId', `must end in a row of at most ${largestRow} after its #`);
    return undefined;
  }
  if (row === undefined) {
    return { kind: 'prediction', predictionId: digits === undefined ? id : `${named}#${Number(digits)}` };
  }
  if (typeof row !== 'number' || !Number.isInteger(row) || row < 0 || row > largestRow) {
    fault('row', `must be an integer in [0, ${largestRow}]`);
    return undefined;
  }
  if (digits !== undefined && Number(digits) !== row) {
    fault('row', `must be ${Number(digits)} as the predictionId says, or missing`);
    return undefined;
  }
  return { kind: 'prediction', predictionId: `${named ?? id}#${row}` };
}

/** Epoch milliseconds, or the rule that was broken. */
function parseTime(value: unknown, nowMs: number): number | string {
  const rule = 'must be ISO 8601 with a time zone, or epoch milliseconds';
  if (value === undefined) return nowMs;
  if (typeof value === 'number') {
    if (!Number.isFinite(value) || value < 0 || value > latestMs) return rule;
    return value < earliestMs ? `${rule}; this looks like seconds` : value;
  }
  if (typeof value !== 'string' || !isoTime.test(value)) return rule;
  const timeMs = Date.parse(value);
  return Number.isNaN(timeMs) ? rule : timeMs;
}

function attributesFault(value: unknown): string | undefined {
  if (!isObject(value)) return 'must be an object';
  if (!isJson(value, limits.depth)) return `must be JSON at most ${limits.depth} levels deep with finite numbers`;
  return JSON.stringify(value).length > limits.attributes
    ? `must have at most ${limits.attributes} characters as JSON`
    : undefined;
}

function isJson(value: unknown, depth: number): boolean {
  if (value === null || isScalar(value)) return true;
  if (depth === 0 || typeof value !== 'object') return false;
  return Object.values(value).every((inner) => isJson(inner, depth - 1));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown, most: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= most;
}

function isScalar(value: unknown): value is Scalar {
  return (
    typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
  );
}

function show(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
