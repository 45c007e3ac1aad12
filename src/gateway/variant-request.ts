// What exactly does one variant get asked? The caller's request as this variant shall see it: its path, its headers, its time.
import type { Variant } from '../experiment/index.ts';
import type { RawHeaders } from './forward-headers.ts';
import { grpcCallOf, grpcMessageFor, isGrpcRequest } from './grpc-call.ts';
import type { UpstreamRequest } from './ports.ts';
import { editRequest } from './request-edits.ts';
import { type AskedPath, upstreamPath } from './upstream-path.ts';

/** What of a request every variant gets. */
export interface VariantAsk {
  readonly method: string;
  readonly asked: AskedPath;
  readonly headers: readonly string[];
  readonly body: Buffer | null;
  /** False for requests that leave no record: their model server learns nothing of an experiment. */
  readonly isPrediction: boolean;
}

/** How one variant is asked. */
export interface VariantTerms {
  /** Whole attempt, milliseconds. */
  readonly timeoutMs: number;
  /** True when the caller named a deadline: the model server then learns what is left of it. */
  readonly tellsDeadline: boolean;
  /** True for a copy whose reply nobody waits for. */
  readonly isMirror: boolean;
}

/**
 * By this header callers name the time they will wait, in milliseconds, and model servers learn what is left of it. It is
 * the one that Envoy and with it most service meshes set and pass on by themselves.
 */
const deadlineHeader = 'x-envoy-expected-rq-timeout-ms';

/** Epoch milliseconds until when the caller waits; null when the header is absent or no positive whole number. */
export function callerDeadline(headers: RawHeaders, arrivedMs: number): number | null {
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!;
    if (name.length !== deadlineHeader.length || name.toLowerCase() !== deadlineHeader) continue;
    const written = headers[at + 1]!.trim();
    return /^[1-9]\d{0,9}$/.test(written) ? arrivedMs + Number(written) : null;
  }
  return null;
}

/** The request as `variant` gets it. */
export function variantRequest(ask: VariantAsk, variant: Variant, terms: VariantTerms): UpstreamRequest {
  const { timeoutMs, tellsDeadline, isMirror } = terms;
  const edited = editRequest(ask, variant);
  let { headers } = edited;
  if (tellsDeadline) {
    headers = headers.filter((_text, at) => headers[at & ~1]!.toLowerCase() !== deadlineHeader);
    headers = [...headers, deadlineHeader, String(Math.round(timeoutMs))];
  }
  const own = ask.isPrediction ? ['x-assay-variant', variant.name] : [];
  if (isMirror) own.push('x-assay-mirror', '1');
  // One copy of just this length; spreading makes a longer one.
  headers = headers.concat(own);
  const { method, asked } = ask;
  if (isGrpcRequest(headers)) {
    return { method, path: grpcCallOf(asked), headers, body: grpcMessageFor(variant, edited.body, asked), timeoutMs };
  }
  return { method, path: upstreamPath(asked, variant), headers, body: edited.body, timeoutMs };
}
