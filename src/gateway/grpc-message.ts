// What does a gRPC message of the Open Inference Protocol say? Shows it as the JSON of the REST side, raw tensors as its binary part, so that captures, unit ids and batches are read once for both.
import type { Json } from '../evidence/index.ts';
import { readFields, readVarint, textField, unframeMessages, type Varint, type WireField } from './grpc-wire.ts';

/**
 * Content types of messages inside the gateway. They never come from outside: what callers and model servers send as
 * content type of gRPC stays at the adapters.
 */
export const grpcTypes = {
  /** One ModelInferRequest, or another message that asks something. */
  request: 'application/grpc+oip-request',
  /** One ModelInferResponse, or another message that answers. */
  reply: 'application/grpc+oip-reply',
  /** ModelStreamInferResponse messages, each with its length before it. */
  stream: 'application/grpc+oip-stream',
} as const;

/** Which kind of message a content type stands for; null for everything that is not gRPC inside the gateway. */
export function grpcKind(contentType: string | undefined): keyof typeof grpcTypes | null {
  if (contentType === undefined || !contentType.startsWith('application/grpc+oip-')) return null;
  if (contentType === grpcTypes.request) return 'request';
  if (contentType === grpcTypes.reply) return 'reply';
  return contentType === grpcTypes.stream ? 'stream' : null;
}

/** Elements of one tensor shown as numbers or texts; FP32, FP64 and BOOL are shown as bytes, which costs nothing. */
const maxElements = 16_384;

/** A message as REST would have it. */
export interface GrpcMessage {
  /** `id`, `model_name`, `parameters`, `inputs` or `outputs`; undefined for unsound messages. */
  readonly document: Json | undefined;
  /** Raw tensors one after another; their lengths are the `binary_data_size` of their tensors. Null for none. */
  readonly binary: Buffer | null;
}

const unsound: GrpcMessage = { document: undefined, binary: null };

/** The message of a kind. Of a stream the last reply that has outputs stands for all. */
export function readGrpcMessage(kind: keyof typeof grpcTypes, bytes: Buffer): GrpcMessage {
  if (kind === 'request') return readInfer(bytes, { tensors: 5, raw: 7, list: 'inputs' });
  if (kind === 'reply') return readInfer(bytes, { tensors: 5, raw: 6, list: 'outputs' });
  for (const message of unframeMessages(bytes).toReversed()) {
    const reply = readFields(message)?.findLast(({ number, type }) => number === 2 && type === 2);
    if (reply === undefined) continue;
    const read = readInfer(message.subarray(reply.from, reply.to), { tensors: 5, raw: 6, list: 'outputs' });
    if (hasOutputs(read.document)) return read;
  }
  return unsound;
}

function hasOutputs(document: Json | undefined): boolean {
  const outputs = (document as { readonly outputs?: readonly Json[] } | undefined)?.outputs;
  return outputs !== undefined && outputs.length > 0;
}

type JsonObject = { [key: string]: Json };

/** A tensor while the bytes of its elements have not yet found their place in the binary part. */
interface ReadTensor {
  readonly shown: JsonObject;
  readonly parameters: JsonObject;
  /** Its elements as little-endian bytes; null where they are shown as data, or stand in the raw contents. */
  readonly bytes: Buffer | null;
}

function readInfer(
  bytes: Buffer,
  places: { readonly tensors: number; readonly raw: number; readonly list: 'inputs' | 'outputs' },
): GrpcMessage {
  const fields = readFields(bytes);
  if (fields === null) return unsound;
  const shown: JsonObject = {};
  for (const [number, name] of headFields) {
    const text = textField(bytes, fields, number);
    if (text !== '') shown[name] = text;
  }
  const parameters = readParameters(bytes, fields, 4);
  if (Object.keys(parameters).length > 0) shown.parameters = parameters;
  const raw = fields.filter(({ number, type }) => number === places.raw && type === 2);
  const tensors = fields
    .filter(({ number, type }) => number === places.tensors && type === 2)
    .map(({ from, to }) => readTensor(bytes.subarray(from, to)));
  const parts: Buffer[] = [];
  let nextRaw = 0;
  for (const tensor of tensors) {
    let part = tensor.bytes;
    // A tensor in shared memory has no place among the raw contents.
    if (raw.length > 0 && tensor.parameters.shared_memory_region === undefined) {
      const place = raw[nextRaw];
      nextRaw += 1;
      if (place !== undefined) part = bytes.subarray(place.from, place.to);
    }
    if (part !== null) {
      parts.push(part);
      tensor.parameters.binary_data_size = part.length;
    }
    if (Object.keys(tensor.parameters).length > 0) tensor.shown.parameters = tensor.parameters;
  }
  shown[places.list] = tensors.map((tensor) => tensor.shown);
  return { document: shown, binary: parts.length === 0 ? null : Buffer.concat(parts) };
}

const headFields = [
  [1, 'model_name'],
  [2, 'model_version'],
  [3, 'id'],
] as const;

function readTensor(bytes: Buffer): ReadTensor {
  const fields = readFields(bytes) ?? [];
  const shown: JsonObject = { name: textField(bytes, fields, 1), datatype: textField(bytes, fields, 2) };
  shown.shape = readVarints(bytes, fields, 3).map(signed64);
  const contents = fields.findLast(({ number, type }) => number === 5 && type === 2);
  const elements = contents === undefined ? null : readContents(bytes.subarray(contents.from, contents.to));
  if (elements !== null && !Buffer.isBuffer(elements)) shown.data = elements;
  return {
    shown,
    parameters: readParameters(bytes, fields, 4),
    bytes: Buffer.isBuffer(elements) ? elements : null,
  };
}

/** Elements as bytes or as a list; null where there are none or too many. */
function readContents(bytes: Buffer): Buffer | Json[] | null {
  const fields = readFields(bytes);
  const number = fields?.[0]?.number;
  if (fields === undefined || fields === null || number === undefined) return null;
  // Booleans are varints of one byte, floating-point numbers little-endian: as they stand they are the raw tensor.
  if (number === 1 || number === 6 || number === 7) {
    return Buffer.concat(
      fields.filter((each) => each.number === number).map(({ from, to }) => bytes.subarray(from, to)),
    );
  }
  if (number === 8) {
    const texts = fields.filter((each) => each.number === 8 && each.type === 2);
    return texts.length > maxElements ? null : texts.map(({ from, to }) => bytes.toString('utf8', from, to));
  }
  const show = integers[number];
  if (show === undefined) return null;
  const values = readVarints(bytes, fields, number);
  return values.length > maxElements ? null : values.map(show);
}

const integers: { readonly [field: number]: ((value: Varint) => number | string) | undefined } = {
  2: ({ low }) => low | 0,
  3: signed64,
  4: ({ low }) => low,
  5: unsigned64,
};

/** The varints of a repeated field, packed or not; stops soon after there are too many. */
function readVarints(bytes: Buffer, fields: readonly WireField[], number: number): Varint[] {
  const values: Varint[] = [];
  for (const field of fields) {
    if (field.number !== number || (field.type !== 0 && field.type !== 2)) continue;
    for (let at = field.from; at < field.to && values.length <= maxElements; ) {
      const value = readVarint(bytes, at);
      if (value === null) break;
      values.push(value);
      at = value.next;
    }
  }
  return values;
}

function signed64({ low, high }: Varint): number | string {
  if (high === 0) return low;
  return exact(BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low)));
}

function unsigned64({ low, high }: Varint): number | string {
  return high === 0 ? low : exact((BigInt(high) << 32n) | BigInt(low));
}

/** As a number where that is exact, else as text: two ids must never read as one. */
function exact(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function readParameters(bytes: Buffer, fields: readonly WireField[], number: number): JsonObject {
  const parameters: JsonObject = {};
  for (const field of fields) {
    if (field.number !== number || field.type !== 2) continue;
    const entry = bytes.subarray(field.from, field.to);
    const parts = readFields(entry) ?? [];
    const choice = parts.findLast((each) => each.number === 2 && each.type === 2);
    const value = choice === undefined ? undefined : readParameter(entry.subarray(choice.from, choice.to));
    const name = textField(entry, parts, 1);
    // Defined, not assigned: a parameter may be called `__proto__`.
    if (value !== undefined) {
      Object.defineProperty(parameters, name, { value, enumerable: true, writable: true, configurable: true });
    }
  }
  return parameters;
}

function readParameter(bytes: Buffer): Json | undefined {
  const field = readFields(bytes)?.at(-1);
  if (field === undefined) return undefined;
  if (field.number === 3 && field.type === 2) return bytes.toString('utf8', field.from, field.to);
  if (field.number === 4 && field.type === 1) return bytes.readDoubleLE(field.from);
  if (field.type !== 0) return undefined;
  const value = readVarint(bytes, field.from);
  if (value === null) return undefined;
  if (field.number === 1) return value.low !== 0;
  if (field.number === 2) return signed64(value);
  return field.number === 5 ? unsigned64(value) : undefined;
}
