// How much is under way, and may one more come in? Bounds requests and the bytes held for them, and brings both to an end when draining.
import type { CallerReply } from './caller.ts';

/** Options of `createInFlight`. */
interface InFlightOptions {
  /** Requests whose reply is not yet finished. */
  readonly maxRequests: number;
  /** Request bytes held for them. */
  readonly maxHeldBytes: number;
}

/** One request that is counted. */
export interface Place {
  /** Counts bytes held for the request until its reply closes; false when there is no room, and it is to be refused. */
  hold(bytes: number): boolean;
}

/** The requests of a gateway whose reply is not yet finished. */
export interface InFlight {
  /** Counts a request until its reply closes; null when there were too many already, and it is to be refused. */
  enter(reply: CallerReply): Place | null;
  readonly count: number;
  readonly heldBytes: number;
  /** True from half of either bound on: what nobody waits for stands back. */
  isPressed(): boolean;
  /** Resolves true when nothing is under way, false after `withinMs`. */
  idle(withinMs: number): Promise<boolean>;
  /** Cuts every connection that still waits for a reply. */
  cut(): void;
}

interface Taken extends Place {
  readonly reply: CallerReply;
  /** Where it stands in the list; -1 once it has left. */
  at: number;
  bytes: number;
}

/** Nothing under way. */
export function createInFlight({ maxRequests, maxHeldBytes }: InFlightOptions): InFlight {
  // A list with the last one moved into each gap: a Map that gains and loses an entry per request leaves tables behind that
  // keep every request alive until the next full collection, which made the collections of young objects four times as dear.
  const taken: Taken[] = [];
  let heldBytes = 0;
  let onIdle: (() => void) | null = null;

  return {
    enter(reply) {
      const hasRoom = taken.length < maxRequests;
      const place: Taken = {
        reply,
        at: taken.length,
        bytes: 0,
        hold(bytes) {
          // The caller is gone already, and with it the need to hold anything.
          if (place.at < 0) return true;
          if (heldBytes + bytes > maxHeldBytes) return false;
          heldBytes += bytes;
          place.bytes += bytes;
          return true;
        },
      };
      taken.push(place);
      reply.on('close', () => {
        heldBytes -= place.bytes;
        const last = taken.pop()!;
        if (last !== place) {
          taken[place.at] = last;
          last.at = place.at;
        }
        place.at = -1;
        if (taken.length === 0) onIdle?.();
      });
      return hasRoom ? place : null;
    },
    get count() {
      return taken.length;
    },
    get heldBytes() {
      return heldBytes;
    },
    isPressed: () => taken.length > maxRequests / 2 || heldBytes > maxHeldBytes / 2,
    async idle(withinMs) {
      if (taken.length === 0) return true;
      let timer: NodeJS.Timeout | undefined;
      const isIdle = new Promise<true>((resolve) => (onIdle = () => resolve(true)));
      const isLate = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), withinMs)));
      const reached = await Promise.race([isIdle, isLate]);
      clearTimeout(timer);
      onIdle = null;
      return reached;
    },
    cut() {
      for (const { reply } of [...taken]) reply.destroy();
    },
  };
}
