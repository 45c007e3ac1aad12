// What does another model server answer to kept requests? Sends them at a bounded rate, a bounded number at once, within a deadline.
import { setTimeout as sleep } from 'node:timers/promises';
import type { KeptLine } from '../../adapters/read-kept-bodies.ts';
import { limitTime } from '../../adapters/time-limit.ts';
import { createUndiciUpstream } from '../../adapters/undici-upstream.ts';
import type { Variant } from '../../experiment/index.ts';
import { type KeptExchange, keptBytes, keptHeaders, replayedRequest, type Upstream } from '../../gateway/index.ts';
import type { Comparer, Comparison, Reply } from './compare-replies.ts';

/** Options of `replay`. */
export interface ReplayOptions {
  /** Reads the kept exchanges from the beginning; called twice: to count them, and to send them. */
  readonly read: () => AsyncIterable<KeptLine>;
  readonly target: Variant;
  /** Further request headers, raw. */
  readonly headers: readonly string[];
  readonly compare: Comparer;
  /** Only requests that this variant answered; null for all. */
  readonly variant: string | null;
  /** True sends requests with redacted values as they were kept. */
  readonly includesRedacted: boolean;
  readonly limit: number;
  /** Requests at once. */
  readonly concurrency: number;
  /** Requests per second at most; null for as fast as they are answered. */
  readonly rate: number | null;
  /** Nothing is sent after this many milliseconds. */
  readonly deadlineMs: number;
  /** Ends the run early; what was sent counts. */
  readonly signal: AbortSignal;
  readonly onTotal: (total: number) => void;
  readonly onPair: (pair: ReplayPair, done: number) => void;
}

/** One request and both replies. */
export interface ReplayPair {
  readonly predictionId: string;
  readonly variant: string;
  readonly before: { readonly status: number; readonly latencyMs: number };
  readonly after: { readonly status: number | null; readonly latencyMs: number; readonly error: string | null };
  /** Null where the kept reply was cut or left out, or no reply came. */
  readonly comparison: Comparison | null;
}

/** What became of the kept exchanges. */
export interface ReplayCounts {
  readonly sent: number;
  /** Wanted, but the deadline or an interrupt came first. */
  readonly notSent: number;
  /** Reason -> number. */
  readonly skipped: { readonly [reason: string]: number };
  /** Lines or ends of files that could not be read. */
  readonly broken: number;
}

/** Why requests with redacted values are skipped unless they are asked for. */
export const redactedRequest = 'request body was redacted';

/** Longest reply read, bytes. */
const maxReplyBytes = 16 * 1024 * 1024;

/** Why an exchange is not sent; null when it is. */
function reasonToSkip(
  { variant, request }: KeptExchange,
  options: Pick<ReplayOptions, 'variant' | 'includesRedacted'>,
): string | null {
  if (options.variant !== null && variant !== options.variant) return 'other variant';
  if (request.omitted !== null) return 'request body was left out';
  if (request.isCut) return 'request body was cut';
  return request.redacted > 0 && !options.includesRedacted ? redactedRequest : null;
}

/** Replays; resolves when the last reply has come. */
export async function replay(options: ReplayOptions): Promise<ReplayCounts> {
  const skipped: { [reason: string]: number } = {};
  let broken = 0;
  let total = 0;
  for await (const line of options.read()) {
    if (line.kind === 'broken') {
      broken += 1;
      continue;
    }
    const reason = reasonToSkip(line.exchange, options);
    if (reason === null) total += 1;
    else skipped[reason] = (skipped[reason] ?? 0) + 1;
  }
  const wanted = Math.min(total, options.limit);
  if (total > wanted) skipped['beyond the limit'] = total - wanted;
  options.onTotal(wanted);

  const upstream = createUndiciUpstream({ connections: options.concurrency });
  const { signal: stop, release } = limitTime(options.signal, options.deadlineMs);
  const startMs = performance.now();
  let sent = 0;
  let done = 0;
  const send = async (exchange: KeptExchange): Promise<void> => {
    const pair = await sendOne(exchange, upstream, options);
    done += 1;
    options.onPair(pair, done);
  };
  try {
    const underWay = new Set<Promise<void>>();
    for await (const line of options.read()) {
      if (sent >= wanted || stop.aborted) break;
      if (line.kind === 'broken' || reasonToSkip(line.exchange, options) !== null) continue;
      if (options.rate !== null) {
        const waitMs = startMs + (sent / options.rate) * 1000 - performance.now();
        if (waitMs > 0) await sleep(waitMs, undefined, { signal: stop }).catch(() => {});
      }
      while (underWay.size >= options.concurrency) await Promise.race(underWay);
      if (stop.aborted) break;
      sent += 1;
      const one = send(line.exchange).finally(() => underWay.delete(one));
      underWay.add(one);
    }
    await Promise.all(underWay);
  } finally {
    release();
    await upstream.close();
  }
  return { sent, notSent: wanted - sent, skipped, broken };
}

async function sendOne(exchange: KeptExchange, upstream: Upstream, options: ReplayOptions): Promise<ReplayPair> {
  const startMs = performance.now();
  const answer = await ask(exchange, upstream, options);
  const { predictionId, variant, status, latencyMs, reply } = exchange;
  const isWhole = !reply.isCut && reply.omitted === null;
  const kept: Reply = { headers: keptHeaders(reply), body: keptBytes(reply) };
  return {
    predictionId,
    variant,
    before: { status, latencyMs },
    after: { status: answer.status, latencyMs: performance.now() - startMs, error: answer.error },
    comparison: isWhole && answer.reply !== null ? options.compare(kept, answer.reply) : null,
  };
}

interface Answer {
  readonly status: number | null;
  readonly error: string | null;
  readonly reply: Reply | null;
}

function ask(exchange: KeptExchange, upstream: Upstream, { target, headers }: ReplayOptions): Promise<Answer> {
  return new Promise((resolve) => {
    let status: number | null = null;
    let received: readonly string[] = [];
    const chunks: Buffer[] = [];
    let bytes = 0;
    const attempt = upstream.dispatch(target, replayedRequest(exchange, target, headers), {
      onHeaders(code, raw) {
        status = code;
        received = raw;
      },
      onData(chunk) {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes > maxReplyBytes) {
          attempt.abort();
          resolve({ status, error: 'too-large', reply: null });
        }
        return true;
      },
      onComplete() {
        const error = status !== null && status >= 500 ? 'status' : null;
        resolve({ status, error, reply: { headers: received, body: Buffer.concat(chunks, bytes) } });
      },
      onError: ({ kind }) => resolve({ status, error: kind, reply: null }),
    });
  });
}
