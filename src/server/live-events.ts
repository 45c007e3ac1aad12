// How does a page learn that an experiment has changed? A stream of tiny server-sent events; who missed some catches up where it was.
import { randomBytes } from 'node:crypto';
import type { Hono } from 'hono';
import { type LiveEvent, paths } from '../api/index.ts';
import { AssayError } from '../errors.ts';
import { displayOf } from './page-rows.ts';
import type { StandingChange, StandingReports } from './standing-reports.ts';

/** Options of `createLiveEvents`. */
export interface LiveEventsOptions {
  readonly standing: Pick<StandingReports, 'watch' | 'last'>;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Streams at the same time; default 200. */
  readonly mostListeners?: number;
  /** Pause between two comments that keep proxies from closing a quiet stream, milliseconds; default 15,000. */
  readonly heartbeatMs?: number;
}

/** The live events of one server. */
export interface LiveEvents {
  /** Mounted behind the check of the token. */
  mount(app: Hono): void;
  /** Ends all streams; browsers come back by themselves. */
  close(): void;
}

interface Kept {
  readonly sequence: number;
  readonly text: string;
}

/** Events that somebody who was away can catch up on. */
const mostKept = 1_000;
/** A listener that does not read is cut rather than kept in memory; it comes back and catches up. */
const mostWaitingBytes = 256 * 1024;
const lingerMs = 30_000;

/** Live events. Nothing is computed for them unless somebody listens. */
export function createLiveEvents(options: LiveEventsOptions): LiveEvents {
  const { standing, now, mostListeners = 200, heartbeatMs = 15_000 } = options;
  /** Tells this run of the server from others. */
  const run = randomBytes(6).toString('hex');
  const encoder = new TextEncoder();
  const kept: Kept[] = [];
  const listeners = new Set<{ send(text: string): void; end(): void }>();
  let sequence = 0;
  let unwatch: (() => void) | undefined;
  let heart: NodeJS.Timeout | undefined;
  let farewell: NodeJS.Timeout | undefined;
  let isClosed = false;

  const take = ({ experiment, namespace, version }: StandingChange): void => {
    sequence += 1;
    const event: LiveEvent = {
      experiment,
      namespace,
      version,
      verdictKind: displayOf(standing.last(experiment, namespace)?.report),
      asOf: new Date(now()).toISOString(),
    };
    const text = `id: ${run}-${sequence}\nevent: change\ndata: ${JSON.stringify(event)}\n\n`;
    kept.push({ sequence, text });
    if (kept.length > mostKept) kept.shift();
    for (const listener of listeners) listener.send(text);
  };

  /** What a listener gets first: the events it missed, or the word that it must look at everything again. */
  const greeting = (lastId: string | undefined): string => {
    const hello = `retry: 2000\nid: ${run}-${sequence}\nevent: hello\ndata: ${JSON.stringify({ asOf: new Date(now()).toISOString() })}\n\n`;
    if (lastId === undefined || lastId === '') return hello;
    const [theirRun, theirs] = lastId.split('-');
    const seen = Number(theirs);
    const oldest = kept[0]?.sequence ?? sequence + 1;
    const isKnown = theirRun === run && Number.isInteger(seen) && seen <= sequence && seen >= oldest - 1;
    if (isKnown)
      return `retry: 2000\n\n${kept
        .filter((each) => each.sequence > seen)
        .map(({ text }) => text)
        .join('')}`;
    return `retry: 2000\nid: ${run}-${sequence}\nevent: reset\ndata: ${JSON.stringify({ reason: 'events were missed; read everything again' })}\n\n`;
  };

  const leave = (listener: { send(text: string): void; end(): void }): void => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(heart);
    // A browser that lost its connection is back within seconds and wants to go on where it was.
    farewell = setTimeout(() => {
      unwatch?.();
      unwatch = undefined;
      // What happens while nobody listens is not kept.
      kept.length = 0;
      sequence += 1;
    }, lingerMs);
    farewell.unref();
  };

  const join = (lastId: string | undefined): ReadableStream<Uint8Array> => {
    let listener: { send(text: string): void; end(): void };
    return new ReadableStream<Uint8Array>(
      {
        start(controller) {
          listener = {
            send(text) {
              if ((controller.desiredSize ?? 0) < -mostWaitingBytes) this.end();
              else controller.enqueue(encoder.encode(text));
            },
            end() {
              leave(listener);
              controller.close();
            },
          };
          listener.send(greeting(lastId));
          listeners.add(listener);
          if (listeners.size > 1) return;
          clearTimeout(farewell);
          unwatch ??= standing.watch(take);
          heart = setInterval(() => {
            for (const each of listeners) each.send(': still here\n\n');
          }, heartbeatMs);
          heart.unref();
        },
        cancel() {
          leave(listener);
        },
      },
      { highWaterMark: 0, size: (chunk) => chunk?.byteLength ?? 0 },
    );
  };

  return {
    mount(app) {
      app.get(paths.live, (context) => {
        if (isClosed || listeners.size >= mostListeners)
          throw new AssayError('overloaded', `${listeners.size} pages listen already, at most ${mostListeners} may`, {
            fix: 'Close pages that nobody looks at; the page asks again by itself.',
          });
        // The header of a browser that comes back; a page that keeps its place itself names it in the address.
        const lastId = context.req.header('last-event-id') ?? context.req.query('lastEventId');
        return new Response(join(lastId), {
          headers: {
            'content-type': 'text/event-stream; charset=utf-8',
            'cache-control': 'no-store',
            // nginx would collect events before it passes them on.
            'x-accel-buffering': 'no',
          },
        });
      });
    },
    close() {
      isClosed = true;
      for (const listener of [...listeners]) listener.end();
      clearTimeout(farewell);
      unwatch?.();
    },
  };
}
