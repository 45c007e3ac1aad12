// How do requests reach model servers? Keep-alive connection pools of undici, one per origin and certificate, behind the gateway's
// port `Upstream`.
import { readFileSync } from 'node:fs';
import { buildConnector, type Dispatcher, errors, Pool } from 'undici';
import type { UpstreamSpec, Variant } from '../experiment/index.ts';
import type { Upstream, UpstreamAttempt, UpstreamFailure, UpstreamHandler, UpstreamRequest } from '../gateway/index.ts';

/** Options of `createUndiciUpstream`. */
export interface UndiciUpstreamOptions {
  /** Connections per origin; default 64: undici looks through them one by one, and more brought no speed. Further requests queue. */
  readonly connections?: number;
  /** Longest wait for a TCP or TLS connection, milliseconds; default 5,000. The attempt's own deadline applies besides. */
  readonly connectTimeoutMs?: number;
  /**
   * How long an idle connection is kept, milliseconds; default 4,000: below the 5 s after which common model servers
   * (Node, uvicorn) close theirs, so that a request seldom meets a closing connection. A server's Keep-Alive hint wins.
   */
  readonly keepAliveMs?: number;
  /** Told of certificate files that cannot be read, once for each fault. */
  readonly onFault?: (message: string) => void;
}

/**
 * The upstream port over undici's raw dispatch. Nothing is ever sent twice: after a reset nobody knows whether the
 * server had begun, so the gateway's fallback decides what comes next.
 */
export function createUndiciUpstream(options: UndiciUpstreamOptions = {}): Upstream {
  const pools = new Map<string, Pool>();
  const keys = new WeakMap<Variant, string>();
  const told = new Set<string>();

  /** Origin, and what else connections must not be shared across. */
  const keyOf = (variant: Variant): string => {
    let key = keys.get(variant);
    if (key === undefined) {
      const { url, tls } = variant.upstream;
      key = [new URL(url).origin, tls?.caFile, tls?.certFile, tls?.keyFile].join('\n');
      keys.set(variant, key);
    }
    return key;
  };

  const poolOf = (variant: Variant): Pool => {
    const key = keyOf(variant);
    let pool = pools.get(key);
    if (pool === undefined) {
      const { url, tls } = variant.upstream;
      const connectTimeout = options.connectTimeoutMs ?? 5000;
      pool = new Pool(new URL(url).origin, {
        connections: options.connections ?? 64,
        pipelining: 1,
        keepAliveTimeout: options.keepAliveMs ?? 4000,
        // The whole attempt has one deadline of its own, so undici's two timers per socket are switched off.
        headersTimeout: 0,
        bodyTimeout: 0,
        maxHeaderSize: 64 * 1024,
        ...(tls === undefined
          ? { connectTimeout }
          : { connect: connectWith(tls, { connectTimeout, onFault: tellOnce }) }),
      });
      pools.set(key, pool);
    }
    return pool;
  };

  const tellOnce = (message: string): void => {
    if (told.has(message)) return;
    told.add(message);
    options.onFault?.(message);
  };

  return {
    dispatch(variant, request, handler) {
      const attempt = new PooledAttempt(request, handler);
      const { method, path, headers, body } = request;
      poolOf(variant).dispatch(
        { method: method as Dispatcher.HttpMethod, path, headers: headers as string[], body },
        attempt,
      );
      return attempt;
    },
    retain(variants) {
      const wanted = new Set(variants.map(keyOf));
      for (const [key, pool] of pools) {
        if (wanted.has(key)) continue;
        pools.delete(key);
        void pool.close().catch(() => {});
      }
    },
    async close() {
      const closing = [...pools.values()].map((pool) => pool.close());
      pools.clear();
      await Promise.all(closing);
    },
  };
}

/** How long certificate files are used before a new connection reads them again, milliseconds: rotated ones come in by themselves. */
const rereadMs = 10_000;

/** A certificate file could not be read; nothing was sent. */
class CertificateFault extends Error {}

/** Opens connections with certificates from files. */
function connectWith(
  tls: UpstreamSpec['tls'] & {},
  { connectTimeout, onFault }: { readonly connectTimeout: number; readonly onFault: (message: string) => void },
): buildConnector.connector {
  let connect: buildConnector.connector | null = null;
  let readAtMs = 0;
  return (target, callback) => {
    const nowMs = performance.now();
    try {
      if (connect === null || nowMs - readAtMs > rereadMs) {
        const pem = (file: string | undefined, name: string): Record<string, Buffer> =>
          file === undefined ? {} : { [name]: readFileSync(file) };
        const certificates = { ...pem(tls.caFile, 'ca'), ...pem(tls.certFile, 'cert'), ...pem(tls.keyFile, 'key') };
        connect = buildConnector({ ...certificates, timeout: connectTimeout });
        readAtMs = nowMs;
      }
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      onFault(`a certificate for ${target.hostname} cannot be read: ${reason}`);
      if (connect === null) {
        callback(new CertificateFault('a certificate of it cannot be read'), null);
        return;
      }
    }
    try {
      connect(target, callback);
    } catch (cause) {
      // Thrown for a file that holds no certificate or a key that does not fit it.
      onFault(`the certificates for ${target.hostname} cannot be used: ${(cause as Error).message}`);
      callback(new CertificateFault('a certificate of it cannot be used'), null);
    }
  };
}

/** One attempt: undici's handler on one side, the gateway's on the other, with the deadline between them. */
class PooledAttempt implements UpstreamAttempt, Dispatcher.DispatchHandler {
  readonly #handler: UpstreamHandler;
  readonly #timeoutMs: number;
  #timer: NodeJS.Timeout | null;
  #armedAt: number;
  /** Milliseconds left of the deadline while the caller, not the server, is what we wait for. */
  #leftMs: number;
  #isPaused = false;
  #isEnded = false;
  #isSent = false;
  #status = 0;
  #abort: ((reason?: Error) => void) | null = null;
  #resume: (() => void) | null = null;

  constructor(request: UpstreamRequest, handler: UpstreamHandler) {
    this.#handler = handler;
    this.#timeoutMs = request.timeoutMs;
    this.#leftMs = request.timeoutMs;
    this.#armedAt = performance.now();
    this.#timer = setTimeout(() => this.#onDeadline(), this.#leftMs);
  }

  // --- the gateway's side ---

  resume(): void {
    if (!this.#isPaused || this.#isEnded) return;
    this.#isPaused = false;
    this.#armedAt = performance.now();
    this.#timer = setTimeout(() => this.#onDeadline(), this.#leftMs);
    this.#resume?.();
  }

  abort(): void {
    this.#end();
    this.#abort?.(new Error('the attempt was given up'));
  }

  // --- undici's side: the raw handler, which builds no header objects ---

  onConnect(abort: (reason?: Error) => void): void {
    // Thrown, not aborted: undici then drops the queued request and keeps the connection for the next.
    if (this.#isEnded) throw new Error('the attempt was given up while it waited for a connection');
    this.#isSent = true;
    this.#abort = abort;
  }

  onHeaders(status: number, headers: Buffer[], resume: () => void): boolean {
    // Informational replies (1xx) are between server and gateway.
    if (this.#isEnded || status < 200) return true;
    this.#resume = resume;
    this.#status = status;
    const raw = new Array<string>(headers.length);
    for (let at = 0; at < headers.length; at += 1) raw[at] = headers[at]!.toString('latin1');
    this.#handler.onHeaders(status, raw);
    return true;
  }

  onData(chunk: Buffer): boolean {
    if (this.#isEnded || this.#handler.onData(chunk)) return true;
    if (this.#isEnded) return true;
    this.#isPaused = true;
    this.#disarm();
    this.#leftMs = Math.max(1, this.#leftMs - (performance.now() - this.#armedAt));
    return false;
  }

  onComplete(): void {
    if (this.#isEnded) return;
    this.#end();
    this.#handler.onComplete();
  }

  onError(error: Error): void {
    if (this.#isEnded) return;
    // A 304 names the length of what it does not send (RFC 9110 section 8.6); undici takes that for a reply cut short.
    if (this.#status === 304 && error instanceof errors.ResponseContentLengthMismatchError) {
      this.onComplete();
      return;
    }
    this.#end();
    const failure = failureOf(error, this.#isSent);
    // Undici tells some failures within dispatch itself; the port promises its caller the attempt first.
    queueMicrotask(() => this.#handler.onError(failure));
  }

  #onDeadline(): void {
    if (this.#isEnded) return;
    this.abort();
    this.#handler.onError({ kind: 'timeout', message: `no complete reply within ${this.#timeoutMs} ms` });
  }

  #end(): void {
    this.#isEnded = true;
    this.#disarm();
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/** What undici's error means to the gateway. @param isSent whether the request had got a connection. */
function failureOf(error: Error & { code?: string }, isSent: boolean): UpstreamFailure {
  const code = error.code ?? '';
  const message = `${error.message || error.name}${code === '' || error.message.includes(code) ? '' : ` (${code})`}`;
  if (error instanceof CertificateFault) return { kind: 'credentials', message };
  if (!isSent) return { kind: 'connect', message: `cannot connect: ${message}` };
  const isNotHttp = error instanceof errors.HTTPParserError || error instanceof errors.HeadersOverflowError;
  // A body that ends before its announced length, or within a chunk, is a connection that broke, not a wrong word.
  const brokeOff = /EOF/.test(error.message) || error instanceof errors.ResponseContentLengthMismatchError;
  if (brokeOff) return { kind: 'reset', message: 'the reply broke off before its end' };
  if (isNotHttp) return { kind: 'malformed-reply', message: `the reply is not sound HTTP: ${message}` };
  return { kind: 'reset', message: `the connection broke: ${message}` };
}
