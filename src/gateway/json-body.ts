// What does a body say, as JSON? Decodes, cuts off binary tensors and parses at most once, and only when somebody asks.
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import type { Json } from '../evidence/index.ts';
import { headerOf, type RawHeaders } from './forward-headers.ts';

/** Largest body looked into after decompression, bytes: a small compressed body must not become a large one here. */
const maxDecodedBytes = 4 * 1024 * 1024;

/** A body that may be JSON. */
export interface JsonBody {
  /** The parsed document; undefined when the body is absent, encoded in an unknown way, too large or no JSON. A key that stands twice counts as its last. */
  document(): Json | undefined;
  /** What follows the JSON part of an Open Inference Protocol binary body; null when there is none. */
  binary(): Buffer | null;
}

/** A body as JSON, read lazily. @param bytes null when there is no body or it was not kept. */
export function createJsonBody(headers: RawHeaders, bytes: Buffer | null): JsonBody {
  let read: { readonly document: Json | undefined; readonly binary: Buffer | null } | null = null;
  const look = (): { readonly document: Json | undefined; readonly binary: Buffer | null } => {
    read ??= readBody(headers, bytes);
    return read;
  };
  return { document: () => look().document, binary: () => look().binary };
}

function readBody(headers: RawHeaders, bytes: Buffer | null): { document: Json | undefined; binary: Buffer | null } {
  const nothing = { document: undefined, binary: null };
  if (bytes === null || bytes.length === 0) return nothing;
  try {
    const decoded = decode(bytes, headerOf(headers, 'content-encoding'));
    if (decoded === null) return nothing;
    const jsonBytes = jsonLength(headers, decoded.length);
    const text = decoded.subarray(0, jsonBytes);
    return {
      document: JSON.parse(text.toString('utf8')) as Json,
      binary: jsonBytes < decoded.length ? decoded.subarray(jsonBytes) : null,
    };
  } catch {
    return nothing;
  }
}

/** Triton's binary tensor extension names the length of the JSON part in a header; 0 means no JSON at all. */
function jsonLength(headers: RawHeaders, total: number): number {
  const written = headerOf(headers, 'inference-header-content-length');
  if (written === undefined) return total;
  const length = Number(written);
  return Number.isInteger(length) && length >= 0 && length <= total ? length : total;
}

function decode(bytes: Buffer, encoding: string | undefined): Buffer | null {
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
