// What does a body say, as JSON? Decodes, cuts off binary tensors and parses at most once, and only when somebody asks.
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import type { Json } from '../evidence/index.ts';
import { headerOf, type RawHeaders } from './forward-headers.ts';
import { type GrpcMessage, grpcKind, readGrpcMessage } from './grpc-message.ts';
import { skipWhite, skipWhiteBack } from './json-scan.ts';

/** Largest body looked into after decompression, bytes: a small compressed body must not become a large one here. */
const maxDecodedBytes = 4 * 1024 * 1024;

/** A body that may be JSON. */
export interface JsonBody {
  /** The bytes of the JSON part, unpacked; null when the body is absent, encoded in an unknown way or too large. They need not be sound JSON. */
  json(): Buffer | null;
  /** The parsed document; undefined when there is none. A key that stands twice counts as its last. */
  document(): Json | undefined;
  /** What follows the JSON part of an Open Inference Protocol binary body; null when there is none. */
  binary(): Buffer | null;
}

/** A body as JSON, read lazily. @param bytes null when there is no body or it was not kept. */
export function createJsonBody(headers: RawHeaders, bytes: Buffer | null): JsonBody {
  const kind = grpcKind(headerOf(headers, 'content-type'));
  if (kind !== null) return grpcBody(() => (bytes === null ? null : readGrpcMessage(kind, bytes)));
  return new PlainBody(headers, bytes);
}

/** One object and no closures: two of them are made for every request. */
class PlainBody implements JsonBody {
  readonly #headers: RawHeaders;
  readonly #bytes: Buffer | null;
  #parts: BodyParts | null = null;
  #parsed: { readonly document: Json | undefined } | null = null;

  constructor(headers: RawHeaders, bytes: Buffer | null) {
    this.#headers = headers;
    this.#bytes = bytes;
  }

  json(): Buffer | null {
    return this.#look().json;
  }

  document(): Json | undefined {
    this.#parsed ??= { document: parseJson(this.#look().json) };
    return this.#parsed.document;
  }

  binary(): Buffer | null {
    return this.#look().binary;
  }

  #look(): BodyParts {
    this.#parts ??= splitBody(this.#headers, this.#bytes);
    return this.#parts;
  }
}

/** A gRPC message read as the JSON it stands for. */
function grpcBody(read: () => GrpcMessage | null): JsonBody {
  let message: { readonly read: GrpcMessage | null } | null = null;
  let text: { readonly json: Buffer | null } | null = null;
  const look = (): GrpcMessage | null => {
    message ??= { read: read() };
    return message.read;
  };
  return {
    json: () => {
      const document = look()?.document;
      text ??= { json: document === undefined ? null : Buffer.from(JSON.stringify(document)) };
      return text.json;
    },
    document: () => look()?.document,
    binary: () => look()?.binary ?? null,
  };
}

interface BodyParts {
  readonly json: Buffer | null;
  readonly binary: Buffer | null;
}

function splitBody(headers: RawHeaders, bytes: Buffer | null): BodyParts {
  if (bytes === null || bytes.length === 0) return { json: null, binary: null };
  try {
    const decoded = decodeBody(bytes, headerOf(headers, 'content-encoding'));
    if (decoded === null) return { json: null, binary: null };
    const jsonBytes = jsonLength(headers, decoded.length);
    if (jsonBytes === decoded.length) return { json: decoded, binary: null };
    return { json: decoded.subarray(0, jsonBytes), binary: decoded.subarray(jsonBytes) };
  } catch {
    return { json: null, binary: null };
  }
}

function parseJson(bytes: Buffer | null): Json | undefined {
  if (bytes === null || bytes.length === 0) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8')) as Json;
  } catch {
    return undefined;
  }
}

/** True when the bytes begin and end as a JSON object does. */
export function isJsonObject(bytes: Buffer | null): boolean {
  if (bytes === null) return false;
  return bytes[skipWhite(bytes, 0)] === 0x7b && bytes[skipWhiteBack(bytes, bytes.length - 1)] === 0x7d;
}

/** Triton's binary tensor extension names the length of the JSON part in a header; 0 means no JSON at all. */
function jsonLength(headers: RawHeaders, total: number): number {
  const written = headerOf(headers, 'inference-header-content-length');
  if (written === undefined) return total;
  const length = Number(written);
  return Number.isInteger(length) && length >= 0 && length <= total ? length : total;
}

/** The bytes without their content encoding; null for an encoding nobody here knows. @throws when they are broken or become too large. */
export function decodeBody(bytes: Buffer, encoding: string | undefined): Buffer | null {
  const options = { maxOutputLength: maxDecodedBytes };
  switch (encoding?.trim().toLowerCase()) {
    case undefined:
    case '':
    case 'identity':
      return bytes;
    case 'gzip':
    case 'x-gzip':
      return gunzipSync(bytes, options);
    case 'deflate':
      return inflateSync(bytes, options);
    case 'br':
      return brotliDecompressSync(bytes, options);
    default:
      return null;
  }
}
