// How does a request over HTTP/2 look like one over HTTP/1.1? Pseudo-headers become a target and a Host, and the reply loses what HTTP/2 forbids.
import { constants, Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from 'node:http2';
import type { CallerReply } from './caller.ts';
import type { RawHeaders } from './forward-headers.ts';

/** True for a request that came over HTTP/2. */
export function isHttp2(req: unknown): req is Http2ServerRequest {
  return req instanceof Http2ServerRequest;
}

/**
 * The header fields without pseudo-headers, with the authority as Host. Where both stand and differ, both remain: two
 * Host fields, which the gateway refuses.
 */
export function http2Headers(req: Http2ServerRequest): RawHeaders {
  const { rawHeaders, authority } = req;
  const headers: string[] = [];
  let host: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (name.startsWith(':')) continue;
    if (name === 'host') host = rawHeaders[at + 1];
    headers.push(name, rawHeaders[at + 1]!);
  }
  if (authority !== undefined && authority !== '' && authority !== host) headers.unshift('host', authority);
  return headers;
}

/** Fields that HTTP/2 has no place for (RFC 9113 section 8.2.2). */
const connectionFields: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** The reply to a request over HTTP/2. */
export class Http2Reply implements CallerReply {
  readonly #res: Http2ServerResponse;
  /** Node hides the stream behind a stand-in once it is closed. */
  readonly #stream: ServerHttp2Stream;

  constructor(res: Http2ServerResponse) {
    this.#res = res;
    this.#stream = res.stream;
  }

  get headersSent(): boolean {
    return this.#stream.headersSent;
  }

  get destroyed(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  get writableFinished(): boolean {
    return this.#stream.writableFinished && (this.#stream.rstCode ?? 0) === constants.NGHTTP2_NO_ERROR;
  }

  writeHead(status: number, headers: string[]): void {
    const fields: Record<string, string | string[]> = {};
    for (let at = 0; at < headers.length; at += 2) {
      const name = headers[at]!.toLowerCase();
      const value = headers[at + 1]!;
      if (connectionFields.has(name)) continue;
      const before = fields[name];
      if (before === undefined) fields[name] = value;
      else if (Array.isArray(before)) before.push(value);
      else fields[name] = [before, value];
    }
    this.#res.writeHead(status, fields);
  }

  flushHeaders(): void {}

  write(chunk: Buffer): boolean {
    return this.#res.write(chunk);
  }

  end(chunk?: Buffer): void {
    if (chunk === undefined) this.#res.end();
    else this.#res.end(chunk);
  }

  destroy(): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  on(event: 'close' | 'error', listener: () => void): void {
    this.#res.on(event, listener);
  }

  once(event: 'drain', listener: () => void): void {
    this.#res.once(event, listener);
  }
}
