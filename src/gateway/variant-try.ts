// One try at one variant, while it runs: what has come so far, and how it will stand in the record.
import type { Attempt } from '../evidence/index.ts';
import type { Variant } from '../experiment/index.ts';
import { headerOf, type RawHeaders } from './forward-headers.ts';
import type { OpenAiCall } from './openai-request.ts';
import type { UpstreamAttempt } from './ports.ts';
import { isJsonType } from './reply-check.ts';
import type { ReplyTap } from './reply-tap.ts';
import type { GuardEntry } from './variant-guard.ts';

/** A try and its state. */
export interface VariantTry {
  readonly variant: Variant;
  /** Epoch milliseconds. */
  readonly startedMs: number;
  status: number | null;
  headers: RawHeaders;
  /** Held back: the whole of a buffered reply, or what came while a record was made durable. */
  chunks: Buffer[];
  bytes: number;
  mode: 'buffer' | 'stream';
  /** Nothing more of it matters: it failed, or its reply is complete. */
  isSettled: boolean;
  /** As it stands in the record; null while it runs. */
  attempt: Attempt | null;
  /** How the variant's guard let it in. */
  entry: GuardEntry;
  /** True when it had less time than the variant's `timeoutMs`. */
  isCutShort: boolean;
  /** To be aborted as soon as there is a handle. */
  isAbandoned: boolean;
  handle: UpstreamAttempt | null;
  /** What its protocol made of the request; null for protocols that pass it as it is. */
  call: OpenAiCall | null;
  /** Reads the reply while it streams; null for replies nobody reads. */
  tap: ReplyTap | null;
}

/** A try that begins now. */
export function startTry(variant: Variant, startedMs: number): VariantTry {
  return {
    variant,
    startedMs,
    status: null,
    headers: [],
    chunks: [],
    bytes: 0,
    mode: 'buffer',
    isSettled: false,
    attempt: null,
    entry: 'normal',
    isCutShort: false,
    isAbandoned: false,
    handle: null,
    call: null,
    tap: null,
  };
}

/** The try as the record has it. `error` null still becomes `status` where the variant answered 5xx. */
export function attemptOf(attempt: VariantTry, nowMs: number, error: string | null): Attempt {
  const { variant, status, startedMs } = attempt;
  const isServerError = status !== null && status >= 500;
  return {
    variant: variant.name,
    status,
    latencyMs: nowMs - startedMs,
    error: error ?? (isServerError ? 'status' : null),
  };
}

/** Announced length of the reply's body in bytes, 0 where it has none, null where it is not announced. */
export function bodyLength({ status, headers }: VariantTry, method: string): number | null {
  if (method === 'HEAD' || status === 204 || status === 304) return 0;
  const written = headerOf(headers, 'content-length');
  return written === undefined ? null : Number(written);
}

/**
 * True when the reply is held back until it is complete. A JSON document is of no use before its end, so it is held
 * even where its length is not announced: a broken one can then still be replaced by the control's. Event streams and
 * the like pass at once.
 */
export function isHeldBack(attempt: VariantTry, method: string, maxBytes: number): boolean {
  const length = bodyLength(attempt, method);
  return length === null ? isJsonType(headerOf(attempt.headers, 'content-type')) : length <= maxBytes;
}
