// What stands between callers' sockets and the gateway? The interface of a front, and the limits every front keeps.
import type { Server } from 'node:net';

/** Certificates of a front that speaks TLS, in PEM. */
export interface FrontTls {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** When given, a caller must show a certificate signed by one of these. */
  readonly clientCa?: string | Buffer;
}

/** Options of `createNodeFront` and `createFastFront`. */
export interface FrontOptions {
  /** How long an idle connection is kept, milliseconds; default 65,000. */
  readonly keepAliveMs?: number;
  /** Longest time for a request's head, milliseconds; default 15,000, then 408. */
  readonly headTimeoutMs?: number;
  /** Longest time for a whole request, body included, milliseconds; default 60,000, then 408. */
  readonly requestTimeoutMs?: number;
  /** Largest head (target and header fields), bytes; default 65,536, then 431. */
  readonly maxHeadBytes?: number;
  /** How often the timeouts are looked at, milliseconds; default 1,000. */
  readonly checkMs?: number;
  /** Serve HTTPS, with HTTP/2 where the caller can. */
  readonly tls?: FrontTls;
}

/** The limits in force. */
export type FrontLimits = Required<Omit<FrontOptions, 'tls'>>;

/** Limits where the options name none; `docs/gateway.md` has the reasons. */
export function frontLimits(options: FrontOptions): FrontLimits {
  return {
    keepAliveMs: options.keepAliveMs ?? 65_000,
    headTimeoutMs: options.headTimeoutMs ?? 15_000,
    requestTimeoutMs: options.requestTimeoutMs ?? 60_000,
    maxHeadBytes: options.maxHeadBytes ?? 65_536,
    checkMs: options.checkMs ?? 1000,
  };
}

/** A front: `server.listen(...)` starts it; then `stop`, the gateway's `drain`, and `close`, in this order. */
export interface Front {
  readonly kind: 'node' | 'fast';
  readonly server: Server;
  /** Takes no new connection and closes those on which no request is under way; the others close after their reply. */
  stop(): void;
  /** Stops, cuts what is still open, and resolves when every connection is gone. */
  close(): Promise<void>;
}
