// Which values of a request and its reply go into the record? Reads declared captures, off the hot path.
import type { Json, Scalar } from '../evidence/index.ts';
import type { Capture } from '../experiment/index.ts';
import type { Batch } from './batch-rows.ts';
import type { RawHeaders } from './forward-headers.ts';
import type { JsonBody } from './json-body.ts';
import { type JsonPath, parseJsonPath, readJsonPath } from './json-path.ts';
import { readTensor, readTensorRows } from './oip-tensor.ts';
import { headerText } from './unit-id.ts';

/** Longest captured value as JSON, in characters: a record must stay a line, not become an archive. */
const maxCapturedLength = 16_384;

/** A message to capture from. */
export interface CaptureSource {
  readonly headers: RawHeaders;
  readonly body: JsonBody;
}

/** What was read from a reply. */
export interface CapturedReply {
  /** The capture named `prediction`, after its threshold; null when there is none. */
  readonly prediction: Scalar | null;
  readonly captured: { readonly [name: string]: Json };
}

/** Reads the captures of one experiment; `missing` is told the names that yielded nothing. */
export interface CaptureReader {
  context(request: CaptureSource, missing: (name: string) => void): CaptureContext;
  reply(reply: CaptureSource, missing: (name: string) => void): CapturedReply;
  /**
   * The same for each row of a batch: the row's own first element of a tensor, and its own element where a JSON path leads
   * to the first row; headers and all other places are the same for every row.
   */
  contexts(request: CaptureSource, batch: Batch, missing: (name: string) => void): readonly CaptureContext[];
  replies(reply: CaptureSource, batch: Batch, missing: (name: string) => void): readonly CapturedReply[];
}

type CaptureContext = { readonly [name: string]: Scalar };
type Missing = (name: string) => void;

interface ReadyCapture {
  readonly name: string;
  readonly read: (source: CaptureSource) => Json | undefined;
  /** One value per row. */
  readonly readRows: (source: CaptureSource, batch: Batch) => readonly (Json | undefined)[];
}

/**
 * The reader for an experiment's captures.
 * @throws RangeError when a JSON path is malformed.
 */
export function createCaptureReader(captures: readonly Capture[]): CaptureReader {
  const fromRequest = captures.filter((capture) => capture.from === 'request').map(readyCapture);
  const fromReply = captures.filter((capture) => capture.from === 'reply').map(readyCapture);
  const single = (ready: readonly ReadyCapture[], source: CaptureSource): readonly (Json | undefined)[] =>
    ready.map(({ read }) => read(source));
  const rowsOf = (ready: readonly ReadyCapture[], source: CaptureSource, batch: Batch): (Json | undefined)[][] => {
    const columns = ready.map(({ readRows }) => readRows(source, batch));
    return Array.from({ length: batch.rows }, (_, row) => columns.map((column) => column[row]));
  };
  return {
    context: (request, missing) => toContext(fromRequest, single(fromRequest, request), missing),
    reply: (reply, missing) => toReply(fromReply, single(fromReply, reply), missing),
    contexts: (request, batch, missing) =>
      rowsOf(fromRequest, request, batch).map((values) => toContext(fromRequest, values, missing)),
    replies: (reply, batch, missing) =>
      rowsOf(fromReply, reply, batch).map((values) => toReply(fromReply, values, missing)),
  };
}

type Values = readonly (Json | undefined)[];

function toContext(captures: readonly ReadyCapture[], values: Values, missing: Missing): CaptureContext {
  const context: { [name: string]: Scalar } = {};
  for (const [at, { name }] of captures.entries()) {
    const value = values[at];
    if (isScalar(value)) context[name] = value;
    else missing(name);
  }
  return context;
}

function toReply(captures: readonly ReadyCapture[], values: Values, missing: Missing): CapturedReply {
  let prediction: Scalar | null = null;
  const captured: { [name: string]: Json } = {};
  for (const [at, { name }] of captures.entries()) {
    const value = values[at];
    if (name === 'prediction' && isScalar(value)) prediction = value;
    else if (name !== 'prediction' && value !== undefined && isBounded(value)) captured[name] = value;
    else missing(name);
  }
  return { prediction, captured };
}

function readyCapture({ name, from, source, threshold }: Capture): ReadyCapture {
  const { read, readRows } = sourceReader(source, from);
  if (threshold === undefined) return { name, read, readRows };
  const judge = (value: Json | undefined): number | undefined => {
    const number = toNumber(value);
    return number === undefined ? undefined : Number(number >= threshold);
  };
  return {
    name,
    read: (message) => judge(read(message)),
    readRows: (message, batch) => readRows(message, batch).map(judge),
  };
}

type SourceReader = Pick<ReadyCapture, 'read' | 'readRows'>;

function sourceReader(source: Capture['source'], from: Capture['from']): SourceReader {
  switch (source.kind) {
    case 'header': {
      const name = source.name.toLowerCase();
      return alike(({ headers }) => headerText(headers, name));
    }
    case 'json': {
      const path = parseJsonPath(source.path);
      const read = ({ body }: CaptureSource): Json | undefined => readJsonPath(body.document(), path);
      const same = alike(read);
      return {
        read,
        readRows(message, batch) {
          const inRow = pathInRow(path, from === 'request' ? batch.requestList : batch.replyList);
          if (inRow === null) return same.readRows(message, batch);
          const document = message.body.document();
          return Array.from({ length: batch.rows }, (_, row) => readJsonPath(document, inRow(row)));
        },
      };
    }
    case 'tensor': {
      const list = from === 'request' ? 'inputs' : 'outputs';
      const read = ({ body }: CaptureSource): Json | undefined => readTensor(body, list, source.name);
      const same = alike(read);
      return {
        read,
        readRows: (message, batch) =>
          readTensorRows(message.body, { list, name: source.name, rows: batch.rows }) ?? same.readRows(message, batch),
      };
    }
  }
}

/** A source that says the same for every row. */
function alike(read: SourceReader['read']): SourceReader {
  return {
    read,
    readRows(message, { rows }) {
      const value = read(message);
      return Array.from({ length: rows }, () => value);
    },
  };
}

/** A path to the first row of a list as the path to any row; null for paths that lead elsewhere. */
function pathInRow(path: JsonPath, list: JsonPath | null): ((row: number) => JsonPath) | null {
  if (list === null || path[list.length] !== 0 || list.some((step, at) => path[at] !== step)) return null;
  const behind = path.slice(list.length + 1);
  return (row) => [...list, row, ...behind];
}

function toNumber(value: Json | undefined): number | undefined {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

/** A binary tensor can hold NaN or infinity, which no JSON record can. */
function isScalar(value: Json | undefined): value is Scalar {
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value === 'boolean' || (typeof value === 'string' && value.length <= maxCapturedLength);
}

function isBounded(value: Json): boolean {
  if (typeof value !== 'object' || value === null) return value === null || isScalar(value);
  return JSON.stringify(value).length <= maxCapturedLength;
}
