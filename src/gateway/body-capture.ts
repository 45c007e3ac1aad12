// Which request and reply bodies are kept, and how much of them? Samples, unpacks, redacts and cuts, off the hot path.
import { isUtf8 } from 'node:buffer';
import type { Observer } from '../evidence/index.ts';
import type { BodyCapture } from '../experiment/index.ts';
import { headerOf, type RawHeaders } from './forward-headers.ts';
import { decodeBody } from './json-body.ts';
import { type JsonPath, parseJsonPath } from './json-path.ts';
import type { BodyStore, KeptBody, KeptExchange } from './ports.ts';
import { type RedactedText, redactEvents, redactJson } from './redact.ts';
import type { PreparedExperiment } from './routing-table.ts';

/** Longest body that is read for redaction where `maxBytes` is less, bytes: parsing more would hold up the process. */
const redactableBytes = 1024 * 1024;

/** Exchanges that wait for their turn; more than this are dropped. */
const maxWaiting = 256;

/** What an exchange knows about itself when it has ended. */
export interface EndedExchange extends Pick<KeptExchange, 'timeMs' | 'predictionId' | 'variant' | 'method' | 'path'> {
  readonly request: { readonly headers: RawHeaders; readonly body: Buffer | null };
  readonly status: number;
  /** `body` null: it was streamed, and what `push` was given counts. */
  readonly reply: { readonly headers: RawHeaders; readonly body: Buffer | null };
  readonly latencyMs: number;
}

/** Keeps the bodies of one sampled exchange. */
export interface BodyKeeper {
  /** Takes a piece of a streamed reply as the caller gets it. */
  push(chunk: Buffer): void;
  /** Hands the exchange over; the work is done later. Never throws. */
  end(ended: EndedExchange): void;
}

/** Draws which exchanges are kept. */
export interface BodySampler {
  /** A keeper for one request in so many, by the experiment's share; null for the others. */
  sample(experiment: PreparedExperiment): BodyKeeper | null;
  /** Hands over everything that has ended. */
  flush(): void;
}

/** A sampler that hands over to `store`. @param options `random` uniform on [0, 1). */
export function createBodySampler(
  store: BodyStore,
  { observer, random }: { readonly observer: Observer; readonly random: () => number },
): BodySampler {
  const redactions = new WeakMap<BodyCapture, readonly JsonPath[]>();
  const waiting: (() => void)[] = [];

  const work = (): void => {
    // One per turn of the event loop: unpacking and redacting take their time, and requests go first.
    const next = waiting.shift();
    if (waiting.length > 0) setImmediate(work);
    next?.();
  };

  const pathsOf = (rule: BodyCapture): readonly JsonPath[] => {
    let paths = redactions.get(rule);
    if (paths === undefined) {
      paths = rule.redact.map(parseJsonPath);
      redactions.set(rule, paths);
    }
    return paths;
  };

  return {
    flush() {
      for (const each of waiting.splice(0)) each();
    },
    sample(experiment) {
      const rule = experiment.routed.bodyCapture;
      if (rule === undefined || !(random() < rule.share)) return null;
      const { namespace, name } = experiment.routed;
      const { labels } = experiment;
      observer.count('bodies_sampled', labels);
      const limit = rule.redact.length === 0 ? rule.maxBytes : Math.max(rule.maxBytes, redactableBytes);
      const chunks: Buffer[] = [];
      let streamed = 0;
      let held = 0;
      return {
        push(chunk) {
          streamed += chunk.length;
          if (held >= limit) return;
          const piece = chunk.subarray(0, limit - held);
          chunks.push(piece);
          held += piece.length;
        },
        end(ended) {
          if (waiting.length >= maxWaiting) {
            observer.count('bodies_dropped', { ...labels, reason: 'busy' });
            return;
          }
          waiting.push(() => {
            try {
              const { request, reply, ...seen } = ended;
              const paths = pathsOf(rule);
              const keep = (part: RawBody): KeptBody => keepBody(part, { maxBytes: rule.maxBytes, limit, paths });
              const streamedBody = { headers: reply.headers, body: Buffer.concat(chunks, held), total: streamed };
              const exchange: KeptExchange = {
                v: 1,
                namespace,
                experiment: name,
                ...seen,
                request: keep({ ...request, total: request.body?.length ?? 0 }),
                reply: keep(reply.body === null ? streamedBody : { ...reply, total: reply.body.length }),
              };
              store.add(exchange, rule.retentionMs);
            } catch (cause) {
              observer.count('bodies_dropped', { ...labels, reason: 'fault' });
              observer.fault('internal', `bodies of experiment ${name} could not be kept`, cause);
            }
          });
          if (waiting.length === 1) setImmediate(work);
        },
      };
    },
  };
}

interface RawBody {
  readonly headers: RawHeaders;
  readonly body: Buffer | null;
  /** Length of the whole body; more than `body` where only its beginning was held. */
  readonly total: number;
}

interface KeepRule {
  readonly maxBytes: number;
  readonly limit: number;
  readonly paths: readonly JsonPath[];
}

const keptHeaders = ['content-type', 'inference-header-content-length'];

function keepBody({ headers: raw, body, total }: RawBody, { maxBytes, limit, paths }: KeepRule): KeptBody {
  const headers: { [name: string]: string } = {};
  for (const name of keptHeaders) {
    const value = headerOf(raw, name);
    if (value !== undefined) headers[name] = value;
  }
  const base = {
    headers,
    text: null,
    encoding: 'utf8',
    bytes: total,
    isCut: false,
    redacted: 0,
    omitted: null,
  } as const;
  if (body === null || body.length === 0) return base;
  const isWhole = body.length === total;
  const encoding = headerOf(raw, 'content-encoding')?.trim().toLowerCase() ?? 'identity';
  const bytes = isWhole || encoding === 'identity' ? unpacked(body, encoding) : null;
  if (bytes === null) return { ...base, omitted: `content encoding ${encoding.slice(0, 40)} cannot be read` };
  const length = isWhole ? bytes.length : total;
  if (paths.length === 0) return { ...base, bytes: length, ...cut(bytes, { maxBytes, isWhole }) };

  const isStream = /^text\/event-stream\b/i.test(headers['content-type'] ?? '');
  if (bytes.length > limit) return { ...base, bytes: length, omitted: 'too long to be redacted' };
  if (!isWhole && !isStream) return { ...base, bytes: length, omitted: 'too long to be redacted' };
  if (headers['inference-header-content-length'] !== undefined)
    return { ...base, bytes: length, omitted: 'binary tensors cannot be redacted' };
  // Many clients send JSON under another type or none. The last event of a stream that was cut is incomplete, and
  // `redactEvents` replaces it whole.
  let redacted: RedactedText | null = null;
  if (isStream) redacted = redactEvents(bytes, paths);
  else if (isUtf8(bytes)) redacted = redactJson(bytes.toString('utf8'), paths);
  if (redacted === null) return { ...base, bytes: length, omitted: 'no JSON, cannot be redacted' };
  return {
    ...base,
    bytes: length,
    ...cut(Buffer.from(redacted.text), { maxBytes, isWhole }),
    redacted: redacted.count,
  };
}

function unpacked(body: Buffer, encoding: string): Buffer | null {
  try {
    return decodeBody(body, encoding);
  } catch {
    return null;
  }
}

/** The beginning as text; the part of a character that was cut in two goes. */
function cut(
  bytes: Buffer,
  { maxBytes, isWhole }: { readonly maxBytes: number; readonly isWhole: boolean },
): Pick<KeptBody, 'text' | 'encoding' | 'isCut'> {
  const isCut = !isWhole || bytes.length > maxBytes;
  const first = bytes.subarray(0, maxBytes);
  for (let lost = 0; lost <= (isCut ? 3 : 0); lost += 1) {
    const kept = first.subarray(0, first.length - lost);
    if (isUtf8(kept)) return { text: kept.toString('utf8'), encoding: 'utf8', isCut };
  }
  return { text: first.toString('base64'), encoding: 'base64', isCut };
}
