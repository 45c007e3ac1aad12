// What are the first elements of a named tensor? Open Inference Protocol v2 tensors, as JSON or in Triton's binary extension.
import type { Json, Scalar } from '../evidence/index.ts';
import type { JsonBody } from './json-body.ts';

type JsonObject = { readonly [key: string]: Json };

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A tensor of a message. */
interface Tensor {
  readonly data: Json | undefined;
  readonly datatype: Json | undefined;
  readonly shape: readonly number[] | null;
  /** Its bytes, little-endian and row-major; null when its data stand in the JSON part. */
  readonly bytes: Buffer | null;
}

/** The first element of tensor `name`, or undefined. @param list `inputs` of a request, `outputs` of a reply. */
export function readTensor(body: JsonBody, list: 'inputs' | 'outputs', name: string): Scalar | undefined {
  const tensor = findTensor(body, list, name);
  return tensor === null ? undefined : rowStarts(tensor, 1)[0];
}

/** The first element of each of `rows` rows of tensor `name`; undefined where its shape has another number of rows. */
export function readTensorRows(
  body: JsonBody,
  { list, name, rows }: { readonly list: 'inputs' | 'outputs'; readonly name: string; readonly rows: number },
): readonly (Scalar | undefined)[] | undefined {
  const tensor = findTensor(body, list, name);
  return tensor?.shape?.[0] === rows ? rowStarts(tensor, rows) : undefined;
}

/** First dimension of all tensors of a list, where they have the same; undefined elsewhere. */
export function tensorRows(document: Json | undefined, list: 'inputs' | 'outputs'): number | undefined {
  const tensors = isObject(document) ? document[list] : undefined;
  if (!Array.isArray(tensors) || tensors.length === 0) return undefined;
  const rows = (tensors as readonly Json[]).map((tensor) => (isObject(tensor) ? shapeOf(tensor)?.[0] : undefined));
  return rows.every((each) => each === rows[0]) ? rows[0] : undefined;
}

function shapeOf({ shape }: JsonObject): readonly number[] | null {
  const isShape = Array.isArray(shape) && (shape as readonly Json[]).every((size) => Number.isSafeInteger(size));
  return isShape ? (shape as readonly number[]) : null;
}

function findTensor(body: JsonBody, list: 'inputs' | 'outputs', name: string): Tensor | null {
  const document = body.document();
  const tensors = isObject(document) ? document[list] : undefined;
  if (!Array.isArray(tensors)) return null;
  let offset = 0;
  for (const tensor of tensors as readonly Json[]) {
    if (!isObject(tensor)) continue;
    const size = isObject(tensor.parameters) ? tensor.parameters.binary_data_size : undefined;
    const binarySize = typeof size === 'number' && size >= 0 ? size : null;
    if (tensor.name === name) {
      const { data, datatype } = tensor;
      const bytes = binarySize === null ? null : (body.binary()?.subarray(offset, offset + binarySize) ?? noBytes);
      return { data, datatype, shape: shapeOf(tensor), bytes };
    }
    offset += binarySize ?? 0;
  }
  return null;
}

const noBytes = Buffer.alloc(0);

/** The first element of each row. */
function rowStarts({ data, datatype, shape, bytes }: Tensor, rows: number): (Scalar | undefined)[] {
  const elements = shape?.slice(1).reduce((product, size) => product * size, 1) ?? 1;
  if (bytes !== null) return binaryStarts(bytes, datatype, { rows, elements });
  if (!Array.isArray(data)) return [firstScalar(data)];
  // Nested by shape, or flat in row-major order: the first element of all is the same either way.
  const isNested = data.length === rows;
  return Array.from({ length: rows }, (_, row) => firstScalar(data[isNested ? row : row * elements]));
}

function firstScalar(data: Json | undefined): Scalar | undefined {
  let value = data;
  for (let depth = 0; Array.isArray(value) && depth < 16; depth += 1) value = value[0];
  return typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean' ? value : undefined;
}

function binaryStarts(
  bytes: Buffer,
  datatype: Json | undefined,
  { rows, elements }: { readonly rows: number; readonly elements: number },
): (Scalar | undefined)[] {
  if (datatype === 'BYTES') return textStarts(bytes, { rows, elements });
  const element = typeof datatype === 'string' && Object.hasOwn(fixed, datatype) ? fixed[datatype] : undefined;
  if (element === undefined) return [];
  const { size, read } = element;
  return Array.from({ length: rows }, (_, row) => {
    const at = row * elements * size;
    return at + size <= bytes.length ? read(bytes, at) : undefined;
  });
}

/** Each element of a BYTES tensor has its length before it, four bytes, so rows are found by walking. */
function textStarts(
  bytes: Buffer,
  { rows, elements }: { readonly rows: number; readonly elements: number },
): (Scalar | undefined)[] {
  const starts: (Scalar | undefined)[] = [];
  let at = 0;
  for (let index = 0; starts.length < rows && at + 4 <= bytes.length; index += 1) {
    const end = at + 4 + bytes.readUInt32LE(at);
    if (end > bytes.length) break;
    if (index === starts.length * elements) starts.push(bytes.toString('utf8', at + 4, end));
    at = end;
  }
  return starts;
}

interface FixedElement {
  readonly size: number;
  readonly read: (bytes: Buffer, at: number) => Scalar;
}

/** A 64-bit integer as a number where that is exact, else as text: two ids must never read as one. */
function exact(value: bigint): Scalar {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

const fixed: { readonly [datatype: string]: FixedElement | undefined } = {
  BOOL: { size: 1, read: (bytes, at) => bytes.readUInt8(at) !== 0 },
  UINT8: { size: 1, read: (bytes, at) => bytes.readUInt8(at) },
  UINT16: { size: 2, read: (bytes, at) => bytes.readUInt16LE(at) },
  UINT32: { size: 4, read: (bytes, at) => bytes.readUInt32LE(at) },
  UINT64: { size: 8, read: (bytes, at) => exact(bytes.readBigUInt64LE(at)) },
  INT8: { size: 1, read: (bytes, at) => bytes.readInt8(at) },
  INT16: { size: 2, read: (bytes, at) => bytes.readInt16LE(at) },
  INT32: { size: 4, read: (bytes, at) => bytes.readInt32LE(at) },
  INT64: { size: 8, read: (bytes, at) => exact(bytes.readBigInt64LE(at)) },
  FP16: { size: 2, read: (bytes, at) => halfFloat(bytes.readUInt16LE(at)) },
  BF16: { size: 2, read: (bytes, at) => brainFloat(bytes.readUInt16LE(at)) },
  FP32: { size: 4, read: (bytes, at) => bytes.readFloatLE(at) },
  FP64: { size: 8, read: (bytes, at) => bytes.readDoubleLE(at) },
};

/** IEEE 754 binary16: one sign bit, five of exponent with bias 15, ten of fraction. */
function halfFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The upper half of a binary32. */
function brainFloat(bits: number): number {
  const word = Buffer.alloc(4);
  word.writeUInt16LE(bits, 2);
  return word.readFloatLE(0);
}
