// How do headers and gRPC metadata become one another? The same names and values; what belongs to HTTP itself or to gRPC's own framing stays behind.
import type { Metadata } from '@grpc/grpc-js';
import type { GrpcLibrary } from './grpc-library.ts';

/** Names that mean something to HTTP, to gRPC or to the gateway's way of standing for a call, and never cross. */
const ownNames: ReadonlySet<string> = new Set([
  'accept-encoding',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'retry-after',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'x-envoy-expected-rq-timeout-ms',
]);

const mayCross = (name: string): boolean => !ownNames.has(name) && !name.startsWith(':') && !name.startsWith('grpc-');

/** Metadata as raw name, value, name, value; binary values in base64. */
export function headersOf(metadata: Metadata): string[] {
  const headers: string[] = [];
  for (const [name, values] of Object.entries(metadata.toHttp2Headers())) {
    if (!mayCross(name) || values === undefined) continue;
    for (const value of Array.isArray(values) ? values : [values]) headers.push(name, String(value));
  }
  return headers;
}

/** Headers as metadata. One that gRPC cannot carry is left out: it must not cost the call. */
export function metadataOf({ Metadata }: GrpcLibrary, headers: readonly string[]): Metadata {
  const metadata = new Metadata();
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!.toLowerCase();
    const value = headers[at + 1]!;
    if (!mayCross(name)) continue;
    try {
      metadata.add(name, name.endsWith('-bin') ? Buffer.from(value, 'base64') : value);
    } catch {
      // Letters beyond ASCII, which HTTP allows in a value and gRPC does not.
    }
  }
  return metadata;
}
