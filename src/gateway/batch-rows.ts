// How many predictions does one request ask for? A batch is told by request and reply together: a list of rows in both, of one length.
import type { Json } from '../evidence/index.ts';
import type { Protocol } from '../experiment/index.ts';
import type { JsonBody } from './json-body.ts';
import { type JsonPath, readJsonPath } from './json-path.ts';
import { preparePath, scanJson } from './json-scan.ts';
import { tensorRows } from './oip-tensor.ts';

/** Rows of a batch beyond which it stands as one record: a record per row must not cost more than the prediction. */
export const maxBatchRows = 1000;

/** A batch of two rows or more. */
export interface Batch {
  readonly rows: number;
  /** Where a body has one element per row; null where rows stand in tensors. */
  readonly requestList: JsonPath | null;
  readonly replyList: JsonPath | null;
}

/**
 * The batch of a request, or null when it asks for one prediction. Looks into the request's bytes first, so that the usual
 * single request costs no parsing.
 */
export function findBatch(protocol: Protocol, request: JsonBody, reply: JsonBody): Batch | null {
  if (protocol !== 'oip' && protocol !== 'mlflow' && protocol !== 'tensorflow') return null;
  const bytes = request.json();
  if (bytes === null || bytes.length === 0) return null;
  if (protocol === 'oip') {
    const place = scanJson(bytes, firstDimension, 'first');
    if (place.kind !== 'value' || !(Number(bytes.toString('latin1', place.from, place.to)) > 1)) return null;
    const rows = tensorRows(request.document(), 'inputs');
    const isBatch = rows !== undefined && rows > 1 && rows === tensorRows(reply.document(), 'outputs');
    return isBatch ? { rows, requestList: null, replyList: null } : null;
  }
  for (const { path, secondRow } of requestLists) {
    if (scanJson(bytes, secondRow, 'first').kind !== 'value') continue;
    const rows = lengthAt(request.document(), path);
    const replyList = replyLists.find((list) => lengthAt(reply.document(), list) === rows);
    return rows === undefined || replyList === undefined ? null : { rows, requestList: path, replyList };
  }
  return null;
}

const firstDimension = preparePath(['inputs', 0, 'shape', 0]);

const requestLists = [['instances'], ['dataframe_split', 'data'], ['dataframe_records'], ['inputs']].map((path) => ({
  path,
  secondRow: preparePath([...path, 1]),
}));

/** MLflow before version 2 answered with the bare list. */
const replyLists: readonly JsonPath[] = [['predictions'], []];

function lengthAt(document: Json | undefined, path: JsonPath): number | undefined {
  const list = readJsonPath(document, path);
  return Array.isArray(list) ? list.length : undefined;
}
