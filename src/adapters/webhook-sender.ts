// How does the world outside hear of a change? Signed calls of an address, tried again until it answers, never in anybody's way.
import { Webhook } from 'standardwebhooks';
import { AssayError } from '../errors.ts';
import type { Observer } from '../evidence/index.ts';
import { limitTime } from './time-limit.ts';

/** Something that happened, as receivers get it. */
export interface WebhookEvent {
  /** Names the event for ever: a receiver that has seen it may pass it over. */
  readonly id: string;
  /** For example `experiment.promote`, `experiment.verdict`. */
  readonly type: string;
  /** Epoch milliseconds. */
  readonly timeMs: number;
  readonly data: { readonly [name: string]: unknown };
}

/** Options of `createWebhookSender`. */
export interface WebhookSenderOptions {
  /** http or https. */
  readonly url: string;
  /** `whsec_` and 24 to 64 bytes in base64, as Standard Webhooks has it. */
  readonly secret: string;
  readonly observer: Observer;
  /** In [0, 1). */
  readonly random: () => number;
  /** Pauses before further tries, milliseconds, each drawn between half and all of it. */
  readonly pausesMs?: readonly number[];
  /** For one try, milliseconds; default 10,000. */
  readonly timeoutMs?: number;
  /** Events that wait at most; beyond it the oldest is dropped and counted. Default 1,000. */
  readonly mostWaiting?: number;
}

/** Sends events to one address, one after another, in order. */
export interface WebhookSender {
  /** Queues an event; never waits, never throws. */
  send(event: WebhookEvent): void;
  /** What waits gets one more try within `graceMs`, then it is dropped. */
  close(graceMs: number): Promise<void>;
}

const usualPausesMs: readonly number[] = [1_000, 5_000, 30_000, 120_000, 600_000, 1_800_000];

/**
 * A sender that is idle.
 * @throws AssayError `usage-invalid` for an address or a secret that cannot be used.
 * @see https://www.standardwebhooks.com: headers `webhook-id`, `webhook-timestamp`, `webhook-signature`
 */
export function createWebhookSender(options: WebhookSenderOptions): WebhookSender {
  const { url, observer, random, pausesMs = usualPausesMs, timeoutMs = 10_000, mostWaiting = 1_000 } = options;
  const signer = signerOf(url, options.secret);
  const waiting: WebhookEvent[] = [];
  const closing = new AbortController();
  let isClosed = false;
  let wake: (() => void) | undefined;
  let working: Promise<void> | undefined;
  const host = new URL(url).host;

  const tryOnce = async (event: WebhookEvent): Promise<'done' | 'again' | 'refused'> => {
    const body = JSON.stringify({
      type: event.type,
      timestamp: new Date(event.timeMs).toISOString(),
      data: event.data,
    });
    const sentAt = new Date();
    const limit = limitTime(closing.signal, timeoutMs);
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'webhook-id': event.id,
          'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1000)),
          'webhook-signature': signer.sign(event.id, sentAt, body),
        },
        body,
        // A signed event goes where it was addressed, and nowhere else.
        redirect: 'manual',
        signal: limit.signal,
      });
      await response.body?.cancel();
      if (response.ok) return 'done';
      observer.fault('webhook-failed', `${host} answered ${response.status} to ${event.type}`);
      // Their words for: never again, and: not like this.
      return response.status === 410 || response.status === 400 ? 'refused' : 'again';
    } catch (cause) {
      if (!closing.signal.aborted)
        observer.fault('webhook-failed', `${host} did not take ${event.type}: ${reasonOf(cause)}`, cause);
      return 'again';
    } finally {
      limit.release();
    }
  };

  const rest = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const work = async (): Promise<void> => {
    for (let event = waiting[0]; event !== undefined && !closing.signal.aborted; event = waiting[0]) {
      for (let tried = 0; ; tried += 1) {
        const result = await tryOnce(event);
        const pauseMs = pausesMs[tried];
        if (result === 'done') observer.count('webhook_sent', { host });
        else if (result === 'refused' || pauseMs === undefined || isClosed) observer.count('webhook_dropped', { host });
        else {
          await rest(pauseMs * (0.5 + random() / 2));
          // It may have made room for newer ones meanwhile.
          if (waiting[0] === event && !closing.signal.aborted) continue;
        }
        break;
      }
      if (waiting[0] === event) waiting.shift();
    }
    // At once: what is sent from now on needs somebody to work again.
    working = undefined;
  };

  return {
    send(event) {
      if (isClosed) return;
      if (waiting.length >= mostWaiting) {
        waiting.shift();
        observer.count('webhook_dropped', { host });
      }
      waiting.push(event);
      working ??= work();
    },
    async close(graceMs) {
      isClosed = true;
      wake?.();
      const limit = setTimeout(() => {
        closing.abort();
        wake?.();
      }, graceMs);
      await working;
      clearTimeout(limit);
    },
  };
}

function signerOf(url: string, secret: string): Webhook {
  if (!/^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : ''))
    throw new AssayError('usage-invalid', `the webhook is "${url}", must be an http or https address`);
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  if (key.length < 24 || key.length > 64)
    throw new AssayError(
      'usage-invalid',
      `the webhook secret holds ${key.length} bytes in base64, must hold 24 to 64`,
      { fix: 'Make one: echo "whsec_$(openssl rand -base64 32)"' },
    );
  return new Webhook(secret);
}

function reasonOf(fault: unknown): string {
  const cause = (fault as { readonly cause?: { readonly code?: string } } | null)?.cause?.code;
  return cause ?? (fault instanceof Error ? fault.message : String(fault));
}
