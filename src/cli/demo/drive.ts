// What do callers do? N requests from W workers through the gateway, paced by the replay clock, truth reported later.
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { AssayError } from '../../errors.ts';
import { historyDays } from './forecast-models.ts';
import type { PlannedRequest } from './traffic-plan.ts';
import { createTruthFeed, type TruthFeed } from './truth-feed.ts';

/** Options of `drive`. */
export interface DriveOptions {
  readonly gatewayUrl: string;
  readonly apiUrl: string;
  /** Model name the callers ask for; the gateway rewrites it to the variant's. */
  readonly model: string;
  readonly plan: readonly PlannedRequest[];
  /** Concurrent callers, >= 1. */
  readonly workers: number;
  /** Length of one trading day on the replay clock, milliseconds. */
  readonly dayMs: number;
  /** True for users whose calls never leave the client. */
  readonly isLost: (userId: string) => boolean;
  /** Called after every request with the number of requests done. */
  readonly onProgress: (done: number) => void;
  readonly signal?: AbortSignal;
}

/** What was done. */
export interface DriveResult {
  /** Requests that reached the gateway. */
  readonly sent: number;
  /** Users behind them. */
  readonly users: number;
  /** Requests that never left the client, by injection. */
  readonly lost: number;
  /** Requests whose caller got no 2xx. */
  readonly callerFailed: number;
  /** Reports posted to the API, second copies included. */
  readonly truthsPosted: number;
  /** Predictions whose truth came after the first day, twice, or never. */
  readonly truthsLate: number;
  readonly truthsTwice: number;
  readonly truthsNever: number;
  /** When the last request was sent, epoch milliseconds. */
  readonly lastSentMs: number;
  /** From the first request to the last posted truth. */
  readonly elapsedMs: number;
}

const firstAnswerMs = 30_000;

/**
 * Drives the whole plan and reports every truth.
 *
 * Request k belongs to trading day k and is not sent before that day has begun on the replay clock; its truth is known
 * one day later at the earliest.
 *
 * @throws AssayError `server-unreachable` when the gateway or the API does not answer.
 */
export async function drive(options: DriveOptions): Promise<DriveResult> {
  const { plan, workers, dayMs, gatewayUrl, onProgress, signal } = options;
  const feed = createTruthFeed(options.apiUrl);
  const pool = new Pool(gatewayUrl, {
    connections: workers,
    headersTimeout: firstAnswerMs,
    bodyTimeout: firstAnswerMs,
  });
  const startMs = Date.now();
  const users = new Set<string>();
  const count = { sent: 0, lost: 0, callerFailed: 0, truthsLate: 0, truthsTwice: 0, truthsNever: 0 };
  let next = 0;
  let lastSentMs = startMs;

  const work = async (): Promise<void> => {
    while (next < plan.length) {
      signal?.throwIfAborted();
      const day = next++;
      const request = plan[day]!;
      const early = startMs + day * dayMs - Date.now();
      if (early > 0) await sleep(early);
      if (options.isLost(request.user.id)) {
        count.lost++;
      } else {
        const sentMs = Date.now();
        lastSentMs = sentMs;
        users.add(request.user.id);
        const answer = await ask(pool, { request, model: options.model, day });
        count.sent++;
        if (!answer.isOk) count.callerFailed++;
        if (answer.predictionId !== null) {
          tallyTruth(count, request);
          // A worker may lag behind the clock; the truth of its day then comes a day after the request all the same.
          report(feed, {
            request,
            predictionId: answer.predictionId,
            dayMs,
            fromMs: Math.max(startMs + day * dayMs, sentMs),
          });
        }
      }
      onProgress(count.sent + count.lost);
    }
  };
  try {
    await Promise.all(Array.from({ length: workers }, work));
    const truthsPosted = await feed.finish();
    return { ...count, users: users.size, truthsPosted, lastSentMs, elapsedMs: Date.now() - startMs };
  } finally {
    next = plan.length;
    feed.abandon();
    await pool.destroy();
  }
}

async function ask(
  pool: Pool,
  call: { readonly request: PlannedRequest; readonly model: string; readonly day: number },
): Promise<{ readonly isOk: boolean; readonly predictionId: string | null }> {
  const { user, question } = call.request;
  try {
    const reply = await pool.request({
      method: 'POST',
      path: `/v2/models/${call.model}/infer`,
      headers: { 'content-type': 'application/json', 'x-user-id': user.id, 'x-new-user': String(user.isNew) },
      body: JSON.stringify({
        id: `question-${call.day}`,
        inputs: [{ name: 'ohlc', datatype: 'FP64', shape: [1, historyDays, 4], data: question.history.flat() }],
      }),
    });
    await reply.body.dump();
    const predictionId = reply.headers['x-assay-prediction-id'];
    const isOk = reply.statusCode >= 200 && reply.statusCode < 300;
    return { isOk, predictionId: typeof predictionId === 'string' ? predictionId : null };
  } catch (cause) {
    throw new AssayError('server-unreachable', `the gateway did not answer request ${call.day}: ${String(cause)}`, {
      cause,
    });
  }
}

function report(
  feed: TruthFeed,
  known: {
    readonly request: PlannedRequest;
    readonly predictionId: string;
    readonly dayMs: number;
    readonly fromMs: number;
  },
): void {
  const { request, predictionId, dayMs, fromMs } = known;
  if (request.truth.kind === 'never') return;
  const timeMs = Math.ceil(fromMs + request.truth.afterDays * dayMs);
  const truth = { id: `label-${predictionId}`, predictionId, value: request.question.label, timeMs };
  feed.add({ ...truth, postAtMs: timeMs });
  if (request.truth.againAfterDays !== null) {
    feed.add({ ...truth, postAtMs: Math.ceil(fromMs + request.truth.againAfterDays * dayMs) });
  }
}

function tallyTruth(
  count: { truthsLate: number; truthsTwice: number; truthsNever: number },
  { truth }: PlannedRequest,
): void {
  if (truth.kind === 'never') {
    count.truthsNever++;
    return;
  }
  if (truth.afterDays > 1) count.truthsLate++;
  if (truth.againAfterDays !== null) count.truthsTwice++;
}
