// How do requests reach model servers at the lowest cost? Cleartext HTTP/1.1 over node:net with Node's own llhttp; all else is left to another upstream.
import type { Variant } from '../experiment/index.ts';
import {
  type HttpParsing,
  loadHttpParsing,
  type Upstream,
  type UpstreamAttempt,
  type UpstreamFailure,
  type UpstreamHandler,
  type UpstreamRequest,
  writeRequestHead,
} from '../gateway/index.ts';
import { createParserPool, type ParserPool, RawConnection } from './raw-connection.ts';

/** Options of `createRawUpstream`. */
export interface RawUpstreamOptions {
  /** Takes what is not cleartext, and everything where Node's parser cannot be had. */
  readonly otherwise: Upstream;
  /** Connections per origin; default 256. Further requests queue. */
  readonly connections?: number;
  /** Longest wait for a TCP connection, milliseconds; default 5,000. The attempt's own deadline applies besides. */
  readonly connectTimeoutMs?: number;
  /** How long an idle connection is kept, milliseconds; default 4,000. A server's Keep-Alive hint, less a second, wins. */
  readonly keepAliveMs?: number;
}

/**
 * The upstream port with one request at a time per connection, the connection used last first. As with every upstream
 * nothing is ever sent twice.
 */
export function createRawUpstream(options: RawUpstreamOptions): Upstream {
  const { otherwise } = options;
  const parsing = loadHttpParsing();
  if (parsing === null) return otherwise;
  const origins = new Map<string, Origin>();
  const parsers = createParserPool(parsing);
  const known = new WeakMap<Variant, Address | null>();

  /** Null for variants that are not ours. */
  const addressOf = (variant: Variant): Address | null => {
    let address = known.get(variant);
    if (address === undefined) {
      const { upstream } = variant;
      const { protocol, host, hostname, port } = new URL(upstream.url);
      const isOurs = protocol === 'http:' && upstream.tls === undefined;
      // An address of version 6 stands in brackets in a URL.
      address = isOurs ? { host, name: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) } : null;
      known.set(variant, address);
    }
    return address;
  };

  const originOf = (address: Address): Origin => {
    let origin = origins.get(address.host);
    if (origin === undefined) {
      origin = new Origin(address, parsing, parsers, {
        connections: options.connections ?? 256,
        connectTimeoutMs: options.connectTimeoutMs ?? 5000,
        keepAliveMs: options.keepAliveMs ?? 4000,
      });
      origins.set(address.host, origin);
    }
    return origin;
  };

  return {
    dispatch(variant, request, handler) {
      const address = addressOf(variant);
      return address === null
        ? otherwise.dispatch(variant, request, handler)
        : originOf(address).dispatch(request, handler);
    },
    retain(variants) {
      const wanted = new Set(variants.map((variant) => addressOf(variant)?.host));
      for (const [host, origin] of origins) {
        if (wanted.has(host)) continue;
        origins.delete(host);
        void origin.close();
      }
      otherwise.retain(variants.filter((variant) => addressOf(variant) === null));
    },
    async close() {
      const closing = [...origins.values()].map((origin) => origin.close());
      origins.clear();
      await Promise.all([...closing, otherwise.close()]);
      parsers.close();
    },
  };
}

/** Where an origin is. URLs make these texts anew whenever they are asked. */
interface Address {
  /** As it stands in Host. */
  readonly host: string;
  readonly name: string;
  readonly port: number;
}

interface OriginOptions {
  readonly connections: number;
  readonly connectTimeoutMs: number;
  readonly keepAliveMs: number;
}

/** The connections to one host and port. */
class Origin {
  readonly #address: Address;
  readonly #parsing: HttpParsing;
  readonly #parsers: ParserPool;
  readonly #options: OriginOptions;
  /** Idle ones, the one used last at the end. */
  readonly #free: RawConnection[] = [];
  readonly #all = new Set<RawConnection>();
  readonly #queue: RawAttempt[] = [];
  #connecting = 0;
  #isClosing = false;
  #onEmpty: (() => void)[] = [];
  #check: NodeJS.Timeout | null = null;

  constructor(address: Address, parsing: HttpParsing, parsers: ParserPool, options: OriginOptions) {
    this.#address = address;
    this.#parsing = parsing;
    this.#parsers = parsers;
    this.#options = options;
  }

  dispatch(request: UpstreamRequest, handler: UpstreamHandler): UpstreamAttempt {
    const attempt = new RawAttempt(request, handler);
    let head: string;
    try {
      head = writeRequestHead(this.#address.host, request);
    } catch (cause) {
      attempt.refuse({ kind: 'connect', message: `the request cannot be sent: ${(cause as Error).message}` });
      return attempt;
    }
    attempt.head = head;
    const connection = this.#takeFree();
    if (connection !== null) connection.start(attempt);
    else {
      this.#queue.push(attempt);
      this.#connect();
    }
    return attempt;
  }

  /** Lets requests in flight and in the queue finish, then closes. */
  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#check !== null) clearInterval(this.#check);
    for (const connection of this.#free.splice(0)) connection.destroy();
    if (this.#all.size > 0 || this.#queue.length > 0)
      await new Promise<void>((resolve) => void this.#onEmpty.push(resolve));
  }

  #takeFree(): RawConnection | null {
    for (;;) {
      const connection = this.#free.pop();
      if (connection === undefined) return null;
      if (connection.isUsable(performance.now())) return connection;
      connection.destroy();
    }
  }

  #connect(): void {
    while (this.#connecting < this.#queue.length && this.#all.size < this.#options.connections) {
      this.#connecting += 1;
      const connection = new RawConnection({
        host: this.#address.name,
        port: this.#address.port,
        ...this.#options,
        parsing: this.#parsing,
        parsers: this.#parsers,
        onConnect: () => {
          this.#connecting -= 1;
          this.#onFree(connection);
        },
        onFree: () => this.#onFree(connection),
        onClose: (failure) => this.#onClose(connection, failure),
      });
      this.#all.add(connection);
    }
  }

  #onFree(connection: RawConnection): void {
    for (;;) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      if (next.isEnded) continue;
      connection.start(next);
      return;
    }
    if (this.#isClosing) {
      connection.destroy();
      return;
    }
    this.#free.push(connection);
    this.#check ??= setInterval(() => this.#closeIdle(), 500).unref();
  }

  /** @param failure why it could not connect; null for the end of one that had. */
  #onClose(connection: RawConnection, failure: string | null): void {
    this.#all.delete(connection);
    const at = this.#free.lastIndexOf(connection);
    if (at >= 0) this.#free.splice(at, 1);
    if (failure !== null) {
      this.#connecting -= 1;
      const next = this.#nextQueued();
      next?.fail({ kind: 'connect', message: `cannot connect: ${failure}` });
    }
    this.#connect();
    if (this.#all.size === 0 && this.#queue.length === 0) for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  #nextQueued(): RawAttempt | undefined {
    for (;;) {
      const next = this.#queue.shift();
      if (next === undefined || !next.isEnded) return next;
    }
  }

  #closeIdle(): void {
    const nowMs = performance.now();
    // The list is in the order of last use, so the oldest stand first.
    while (this.#free.length > 0 && !this.#free[0]!.isUsable(nowMs)) this.#free.shift()!.destroy();
    if (this.#free.length === 0 && this.#check !== null) {
      clearInterval(this.#check);
      this.#check = null;
    }
  }
}

/** One attempt: the gateway's handler on one side, a connection on the other, with the deadline between them. */
class RawAttempt implements UpstreamAttempt {
  readonly request: UpstreamRequest;
  head = '';
  isEnded = false;
  isPaused = false;
  readonly #handler: UpstreamHandler;
  #connection: RawConnection | null = null;
  #timer: NodeJS.Timeout | null;
  #armedAtMs: number;
  /** Milliseconds left of the deadline while the caller, not the server, is what we wait for. */
  #leftMs: number;

  constructor(request: UpstreamRequest, handler: UpstreamHandler) {
    this.request = request;
    this.#handler = handler;
    this.#leftMs = request.timeoutMs;
    this.#armedAtMs = performance.now();
    this.#timer = setTimeout(onDeadline, this.#leftMs, this);
  }

  // --- the gateway's side ---

  resume(): void {
    if (!this.isPaused || this.isEnded) return;
    this.isPaused = false;
    this.#armedAtMs = performance.now();
    this.#timer = setTimeout(onDeadline, this.#leftMs, this);
    this.#connection?.resume();
  }

  abort(): void {
    if (this.isEnded) return;
    this.#end();
    this.#connection?.destroy();
  }

  // --- the connection's side ---

  startOn(connection: RawConnection): void {
    this.#connection = connection;
  }

  onHead(status: number, headers: readonly string[]): void {
    if (!this.isEnded) this.#handler.onHeaders(status, headers);
  }

  onData(chunk: Buffer): void {
    if (this.isEnded || this.#handler.onData(chunk) || this.isEnded) return;
    this.isPaused = true;
    this.#disarm();
    this.#leftMs = Math.max(1, this.#leftMs - (performance.now() - this.#armedAtMs));
  }

  complete(): void {
    if (this.isEnded) return;
    this.#end();
    this.#handler.onComplete();
  }

  fail(failure: UpstreamFailure): void {
    if (this.isEnded) return;
    this.#end();
    this.#handler.onError(failure);
  }

  /** Fails after dispatch has returned: the port promises its caller the attempt first. */
  refuse(failure: UpstreamFailure): void {
    queueMicrotask(() => this.fail(failure));
  }

  onTime(): void {
    if (this.isEnded) return;
    this.abort();
    this.#handler.onError({ kind: 'timeout', message: `no complete reply within ${this.request.timeoutMs} ms` });
  }

  #end(): void {
    this.isEnded = true;
    this.#disarm();
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

const onDeadline = (attempt: RawAttempt): void => attempt.onTime();
