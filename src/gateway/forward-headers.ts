// Which headers may pass the gateway, and which does it add? RFC 9110 section 7.6.1: hop-by-hop fields and those named in Connection stop here.

/** Raw header list: name, value, name, value; values latin1. */
export type RawHeaders = readonly string[];

/** Fields that belong to one connection, plus those whose framing the gateway makes anew. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Prefix of the gateway's own headers; a caller or a model server cannot set them. */
const ownPrefix = 'x-assay-';

/** First value of a header, or undefined. `name` is in lower case. */
export function headerOf(headers: RawHeaders, name: string): string | undefined {
  for (let at = 0; at < headers.length; at += 2) {
    const written = headers[at]!;
    if (written.length === name.length && written.toLowerCase() === name) return headers[at + 1];
  }
  return undefined;
}

/** How often a header occurs. `name` is in lower case. */
export function countHeader(headers: RawHeaders, name: string): number {
  let count = 0;
  for (let at = 0; at < headers.length; at += 2) if (headers[at]!.toLowerCase() === name) count += 1;
  return count;
}

/** Names listed in the Connection fields, lower case; null for the usual case that none is beyond keep-alive and close. */
function namedInConnection(headers: RawHeaders): ReadonlySet<string> | null {
  let names: Set<string> | null = null;
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at]!.toLowerCase() !== 'connection') continue;
    for (const token of headers[at + 1]!.toLowerCase().split(',')) {
      const name = token.trim();
      if (name === '' || name === 'keep-alive' || name === 'close') continue;
      names ??= new Set();
      names.add(name);
    }
  }
  return names;
}

/** What the gateway tells a model server about the request. */
export interface ForwardedRequest {
  /** Address of the caller's connection. */
  readonly remoteAddress: string;
  readonly proto: 'http' | 'https';
  /** False for requests that met no experiment: their `x-assay-*` headers are not ours. */
  readonly isMatched: boolean;
  /** Null for requests that are no predictions. */
  readonly prediction: {
    readonly experiment: string;
    readonly predictionId: string;
    readonly requestId: string;
  } | null;
}

/**
 * The request headers a model server gets: the caller's without hop-by-hop fields, Host, Content-Length (both are made
 * anew for the connection) and Expect (answered here), with `x-forwarded-*` completed.
 */
export function requestHeaders(headers: RawHeaders, forwarded: ForwardedRequest): string[] {
  const named = namedInConnection(headers);
  const passed: string[] = [];
  let forwardedFor = '';
  let host = '';
  let hasProto = false;
  let hasForwardedHost = false;
  for (let at = 0; at < headers.length; at += 2) {
    const written = headers[at]!;
    const value = headers[at + 1]!;
    const name = written.toLowerCase();
    if (name === 'host') host = value;
    if (name === 'host' || name === 'content-length' || name === 'expect' || hopByHop.has(name)) continue;
    if (named?.has(name)) continue;
    if (name === 'x-forwarded-for') {
      forwardedFor = forwardedFor === '' ? value : `${forwardedFor}, ${value}`;
      continue;
    }
    if (forwarded.isMatched && name.startsWith(ownPrefix)) continue;
    if (forwarded.prediction !== null && name === 'x-request-id') continue;
    if (name === 'x-forwarded-proto') hasProto = true;
    if (name === 'x-forwarded-host') hasForwardedHost = true;
    passed.push(written, value);
  }
  const { remoteAddress } = forwarded;
  passed.push('x-forwarded-for', forwardedFor === '' ? remoteAddress : `${forwardedFor}, ${remoteAddress}`);
  if (!hasProto) passed.push('x-forwarded-proto', forwarded.proto);
  if (!hasForwardedHost && host !== '') passed.push('x-forwarded-host', host);
  if (forwarded.prediction !== null) {
    const { experiment, predictionId, requestId } = forwarded.prediction;
    passed.push('x-request-id', requestId, 'x-assay-experiment', experiment, 'x-assay-prediction-id', predictionId);
  }
  return passed;
}

/** The reply headers a caller gets: the model server's without hop-by-hop fields and, under an experiment, without our own names. */
export function replyHeaders(headers: RawHeaders, underExperiment: boolean): string[] {
  const named = namedInConnection(headers);
  const passed: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const written = headers[at]!;
    const name = written.toLowerCase();
    if (hopByHop.has(name) || named?.has(name)) continue;
    if (underExperiment && (name === 'x-request-id' || name.startsWith(ownPrefix))) continue;
    passed.push(written, headers[at + 1]!);
  }
  return passed;
}
