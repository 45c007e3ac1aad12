// Is this reply one that its protocol allows? A cheap look at both ends of a buffered body; it does not parse what looks sound.
import type { Variant } from '../experiment/index.ts';
import { headerOf, type RawHeaders } from './forward-headers.ts';
import { grpcKind } from './grpc-message.ts';
import { readFields } from './grpc-wire.ts';

/** One buffered reply. */
export interface BufferedReply {
  readonly method: string;
  readonly status: number;
  readonly headers: RawHeaders;
  readonly body: Buffer;
}

/** True for `application/json` and `...+json`; newline-delimited JSON is a stream of documents, not one. */
export function isJsonType(contentType: string | undefined): boolean {
  if (contentType === undefined) return false;
  const semicolon = contentType.indexOf(';');
  const media = (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
  return media === 'application/json' || media.endsWith('+json');
}

/**
 * True when a 2xx reply that must be JSON plainly is not: empty, cut off, or something else. A reply of the Open
 * Inference Protocol or of TensorFlow Serving must be an object; plain JSON services may answer any JSON value. Encoded and binary bodies pass.
 */
export function isMalformedReply(protocol: Variant['upstream']['protocol'], reply: BufferedReply): boolean {
  const { method, status, headers, body } = reply;
  if (status < 200 || status > 299 || status === 204 || status === 205 || method === 'HEAD') return false;
  const type = headerOf(headers, 'content-type');
  if (grpcKind(type) === 'reply') return readFields(body) === null;
  const mustBeObject = protocol === 'oip' || protocol === 'tensorflow';
  const mustBeJson = isJsonType(type) || (mustBeObject && (type === undefined || /^text\/(html|plain)/i.test(type)));
  if (!mustBeJson) return false;
  const encoding = headerOf(headers, 'content-encoding');
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return false;
  if (headerOf(headers, 'inference-header-content-length') !== undefined) return false;

  const first = edge(body, 0, 1);
  const last = edge(body, body.length - 1, -1);
  if (first === openBrace) return last !== closeBrace;
  if (mustBeObject) return true;
  if (first === openBracket) return last !== closeBracket;
  try {
    JSON.parse(body.toString('utf8'));
    return false;
  } catch {
    return true;
  }
}

const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/** First byte from `at` that is no JSON white space; -1 when there is none. */
function edge(body: Buffer, at: number, step: 1 | -1): number {
  for (; at >= 0 && at < body.length; at += step) {
    const byte = body[at]!;
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
  }
  return -1;
}
