// What is the first element of a named tensor? Open Inference Protocol v2 tensors, as JSON or in the binary extension.
import type { Json, Scalar } from '../evidence/index.ts';
import type { JsonBody } from './json-body.ts';

type JsonObject = { readonly [key: string]: Json };

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The first element of tensor `name`, or undefined. @param list `inputs` of a request, `outputs` of a reply. */
export function readTensor(body: JsonBody, list: 'inputs' | 'outputs', name: string): Scalar | undefined {
  const document = body.document();
  const tensors = isObject(document) ? document[list] : undefined;
  if (!Array.isArray(tensors)) return undefined;
  let offset = 0;
  for (const tensor of tensors as readonly Json[]) {
    if (!isObject(tensor)) continue;
    const size = isObject(tensor.parameters) ? tensor.parameters.binary_data_size : undefined;
    const binarySize = typeof size === 'number' && size >= 0 ? size : null;
    if (tensor.name === name) {
      if (binarySize === null) return firstScalar(tensor.data);
      const bytes = body.binary()?.subarray(offset, offset + binarySize) ?? null;
      return bytes === null ? undefined : firstBinary(bytes, tensor.datatype);
    }
    offset += binarySize ?? 0;
  }
  return undefined;
}

/** Data may be nested by shape or flat in row-major order; the first element is the same. */
function firstScalar(data: Json | undefined): Scalar | undefined {
  let value = data;
  for (let depth = 0; Array.isArray(value) && depth < 16; depth += 1) value = value[0];
  return typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean' ? value : undefined;
}

/** Little-endian; a BYTES element has its length before it. FP16 and BF16 are not read. */
function firstBinary(bytes: Buffer, datatype: Json | undefined): Scalar | undefined {
  const reader = typeof datatype === 'string' ? binaryReaders[datatype] : undefined;
  if (reader === undefined) return undefined;
  try {
    return reader(bytes);
  } catch {
    return undefined; // fewer bytes than one element
  }
}

const binaryReaders: { readonly [datatype: string]: ((bytes: Buffer) => Scalar) | undefined } = {
  BOOL: (bytes) => bytes.readUInt8(0) !== 0,
  UINT8: (bytes) => bytes.readUInt8(0),
  UINT16: (bytes) => bytes.readUInt16LE(0),
  UINT32: (bytes) => bytes.readUInt32LE(0),
  UINT64: (bytes) => Number(bytes.readBigUInt64LE(0)),
  INT8: (bytes) => bytes.readInt8(0),
  INT16: (bytes) => bytes.readInt16LE(0),
  INT32: (bytes) => bytes.readInt32LE(0),
  INT64: (bytes) => Number(bytes.readBigInt64LE(0)),
  FP32: (bytes) => bytes.readFloatLE(0),
  FP64: (bytes) => bytes.readDoubleLE(0),
  BYTES: (bytes) => bytes.subarray(4, 4 + bytes.readUInt32LE(0)).toString('utf8'),
};
