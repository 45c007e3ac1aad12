// Which values of a request and its reply go into the record? Reads declared captures, off the hot path.

import type { Json, Scalar } from '../evidence/index.ts';
import type { Capture } from '../experiment/index.ts';
import type { RawHeaders } from './forward-headers.ts';
import type { JsonBody } from './json-body.ts';
import { parseJsonPath, readJsonPath } from './json-path.ts';
import { readTensor } from './oip-tensor.ts';
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
  context(request: CaptureSource, missing: (name: string) => void): { readonly [name: string]: Scalar };
  reply(reply: CaptureSource, missing: (name: string) => void): CapturedReply;
}

interface ReadyCapture {
  readonly name: string;
  readonly read: (source: CaptureSource) => Json | undefined;
}

/**
 * The reader for an experiment's captures.
 * @throws RangeError when a JSON path is malformed.
 */
export function createCaptureReader(captures: readonly Capture[]): CaptureReader {
  const fromRequest = captures.filter((capture) => capture.from === 'request').map(readyCapture);
  const fromReply = captures.filter((capture) => capture.from === 'reply').map(readyCapture);
  return {
    context(request, missing) {
      const context: { [name: string]: Scalar } = {};
      for (const { name, read } of fromRequest) {
        const value = read(request);
        if (isScalar(value)) context[name] = value;
        else missing(name);
      }
      return context;
    },
    reply(reply, missing) {
      let prediction: Scalar | null = null;
      const captured: { [name: string]: Json } = {};
      for (const { name, read } of fromReply) {
        const value = read(reply);
        if (name === 'prediction' && isScalar(value)) prediction = value;
        else if (name !== 'prediction' && value !== undefined && isBounded(value)) captured[name] = value;
        else missing(name);
      }
      return { prediction, captured };
    },
  };
}

function readyCapture({ name, from, source, threshold }: Capture): ReadyCapture {
  const read = sourceReader(source, from === 'request' ? 'inputs' : 'outputs');
  if (threshold === undefined) return { name, read };
  return {
    name,
    read: (message) => {
      const number = toNumber(read(message));
      return number === undefined ? undefined : Number(number >= threshold);
    },
  };
}

function sourceReader(source: Capture['source'], list: 'inputs' | 'outputs'): ReadyCapture['read'] {
  switch (source.kind) {
    case 'header': {
      const name = source.name.toLowerCase();
      return ({ headers }) => headerText(headers, name);
    }
    case 'json': {
      const path = parseJsonPath(source.path);
      return ({ body }) => readJsonPath(body.document(), path);
    }
    case 'tensor':
      return ({ body }) => readTensor(body, list, source.name);
  }
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
