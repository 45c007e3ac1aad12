// One request on a connection of the fast front, and the way to answer it: what node:http does in IncomingMessage and ServerResponse, in one lean object.
import type { BodyLimit, CallerReply, CallerRequest, RequestBody } from './caller.ts';
import type { RawHeaders } from './forward-headers.ts';
import { headField, needsNoBody, statusLine } from './http-head.ts';

/** What an exchange needs of its connection. */
export interface ExchangeLine {
  readonly remoteAddress: string;
  readonly isOpen: boolean;
  /** True when every reply from now on is the last of its connection. */
  readonly isStopped: boolean;
  /** The Date field of this second, behind a line that is still open. */
  readonly dateLine: string;
  /** The fields that tell the caller the connection stays, in the same form. */
  readonly keepAliveLines: string;
  /** Sends text (latin1), bytes, or both at once; false when the caller does not keep up. */
  send(text: string, bytes: Buffer | null): boolean;
  /** Sends the end of the reply (latin1) by the end of this turn; with that it has been given over, and `onReplied` needs no call. */
  sendLast(text: string): void;
  /** The reply has been given over; the next request may be answered. */
  onReplied(exchange: FastExchange): void;
  cut(): void;
}

/** Replies and chunks up to this length go out as one string: one write without a Buffer. */
const maxTextBytes = 12 * 1024;

/** What the head of a request says about the rest. */
export interface ExchangeHead {
  readonly method: string;
  readonly target: string;
  readonly headers: RawHeaders;
  readonly isHttp10: boolean;
  readonly keepsAlive: boolean;
  /** Bytes; null with the chunked coding. */
  readonly bodyBytes: number | null;
  readonly expectsContinue: boolean;
}

/** A request and its reply; written out as both interfaces of `caller.ts`. */
export class FastExchange implements CallerRequest, CallerReply {
  readonly #line: ExchangeLine;
  readonly #head: ExchangeHead;
  // --- the request's body ---
  #chunks: Buffer[] | null = null;
  #bytes = 0;
  #limit = Number.POSITIVE_INFINITY;
  #take: BodyLimit['take'] = () => true;
  #done: ((body: RequestBody) => void) | null = null;
  #isDropping = false;
  #isReceived = false;
  // --- the reply ---
  #keepsAlive: boolean;
  #status = 0;
  #headText: string | null = null;
  #headersSent = false;
  #isBodyless = false;
  #isChunked = false;
  /** Bytes the announced length still leaves; null when none is announced. */
  #left: number | null = null;
  #isEnded = false;
  #isFinished = false;
  #isClosed = false;
  #onClose: (() => void)[] = [];
  #onDrain: (() => void) | null = null;

  constructor(line: ExchangeLine, head: ExchangeHead) {
    this.#line = line;
    this.#head = head;
    // Who waited to be asked for a body, and was not, may send it all the same, or the next request in its place.
    this.#keepsAlive = head.keepsAlive && !head.expectsContinue;
  }

  get method(): string {
    return this.#head.method;
  }

  get target(): string {
    return this.#head.target;
  }

  get headers(): RawHeaders {
    return this.#head.headers;
  }

  get remoteAddress(): string {
    return this.#line.remoteAddress;
  }

  get proto(): 'http' {
    return 'http';
  }

  // --- the request's body, as the connection tells it ---

  /** True when the whole request has come. */
  get isReceived(): boolean {
    return this.#isReceived;
  }

  addBody(chunk: Buffer): void {
    if (this.#isDropping) return;
    this.#bytes += chunk.length;
    if (!this.#take(chunk.length)) this.#limit = -1;
    if (this.#bytes > this.#limit) {
      this.#isDropping = true;
      this.#chunks = null;
    } else if (this.#chunks === null) this.#chunks = [chunk];
    else this.#chunks.push(chunk);
  }

  endBody(): void {
    this.#isReceived = true;
  }

  /** Tells whoever reads the body when it is complete or too large; never called while the parser runs. */
  offerBody(): void {
    const done = this.#done;
    if (done === null) return;
    if (this.#isReceived) {
      this.#done = null;
      done(this.#bytes > this.#limit ? { kind: 'too-large' } : { kind: 'body', bytes: this.#takeBody() });
    } else if (this.#isDropping && this.#bytes > this.#limit) {
      this.#done = null;
      done({ kind: 'too-large' });
    }
  }

  #takeBody(): Buffer | null {
    const chunks = this.#chunks;
    this.#chunks = null;
    if (chunks === null) return null;
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, this.#bytes);
  }

  // --- CallerRequest ---

  readBody(limit: BodyLimit, done: (body: RequestBody) => void): void {
    const { bodyBytes, expectsContinue } = this.#head;
    if (bodyBytes === 0) {
      done({ kind: 'body', bytes: null });
      return;
    }
    if (bodyBytes !== null && bodyBytes > limit.maxBytes) {
      this.#isDropping = true;
      done({ kind: 'too-large' });
      return;
    }
    this.#take = limit.take;
    this.#limit = this.#bytes === 0 || limit.take(this.#bytes) ? limit.maxBytes : -1;
    this.#done = done;
    if (this.#bytes > this.#limit) this.#isDropping = true;
    else if (expectsContinue) {
      this.#keepsAlive = this.#head.keepsAlive;
      if (!this.#isReceived && this.#bytes === 0) this.#line.send('HTTP/1.1 100 Continue\r\n\r\n', null);
    }
    this.offerBody();
  }

  discardBody(done: () => void): void {
    this.#chunks = null;
    this.#isDropping = true;
    // The connection itself goes on reading for a moment before it closes.
    done();
  }

  // --- CallerReply ---

  get headersSent(): boolean {
    return this.#headersSent;
  }

  get destroyed(): boolean {
    return this.#isClosed || !this.#line.isOpen;
  }

  get writableFinished(): boolean {
    return this.#isFinished;
  }

  /** False when the connection must be closed after this reply. */
  get keepsAlive(): boolean {
    return this.#keepsAlive;
  }

  writeHead(status: number, headers: string[]): void {
    let text = statusLine(status);
    let hasDate = false;
    let left: number | null = null;
    for (let at = 0; at < headers.length; at += 2) {
      const name = headers[at]!;
      const value = headers[at + 1]!;
      switch (name.length) {
        case 4:
          if (!hasDate && name.toLowerCase() === 'date') hasDate = true;
          break;
        case 10: {
          const lower = name.toLowerCase();
          if (lower === 'connection' && value.toLowerCase().includes('close')) this.#keepsAlive = false;
          if (lower === 'connection' || lower === 'keep-alive') continue;
          break;
        }
        case 14:
          if (name.toLowerCase() === 'content-length') {
            left = Number(value);
            if (status === 204) continue;
          }
          break;
        case 17:
          if (name.toLowerCase() === 'transfer-encoding') continue;
          break;
      }
      text += headField(name, value);
    }
    this.#status = status;
    this.#left = left;
    this.#headText = hasDate ? text : text + this.#line.dateLine;
    this.#headersSent = true;
  }

  flushHeaders(): void {
    if (this.#headText !== null && !this.destroyed) this.#line.send(this.#startText(null), null);
  }

  write(chunk: Buffer): boolean {
    if (this.#isEnded || this.destroyed) return true;
    const start = this.#headText === null ? '' : this.#startText(null);
    if (this.#isBodyless || chunk.length === 0) return start === '' || this.#line.send(start, null);
    if (!this.#isChunked) {
      if (this.#left !== null) {
        this.#left -= chunk.length;
        if (this.#left < 0) return this.#cutShort();
      }
      if (chunk.length > maxTextBytes) return this.#line.send(start, chunk);
      return this.#line.send(start + chunk.toString('latin1'), null);
    }
    const size = `${chunk.length.toString(16)}\r\n`;
    if (chunk.length <= maxTextBytes) return this.#line.send(`${start}${size}${chunk.toString('latin1')}\r\n`, null);
    this.#line.send(start + size, chunk);
    return this.#line.send('\r\n', null);
  }

  end(chunk?: Buffer): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#isDropping = true;
    this.#done = null;
    if (this.destroyed) return;
    const body = chunk === undefined || chunk.length === 0 ? null : chunk;
    let text = this.#headText === null ? '' : this.#startText(body?.length ?? 0);
    let bytes: Buffer | null = null;
    if (!this.#isBodyless) {
      if (this.#left !== null && this.#left !== (body?.length ?? 0)) {
        // The caller was promised another length; a broken connection tells it, a wrong reply would not.
        this.#cutShort();
        return;
      }
      if (this.#isChunked) {
        if (body !== null) text += `${body.length.toString(16)}\r\n${body.toString('latin1')}\r\n`;
        text += '0\r\n\r\n';
      } else if (body !== null) {
        if (body.length <= maxTextBytes) text += body.toString('latin1');
        else bytes = body;
      }
    }
    if (bytes === null && text !== '') {
      this.#line.sendLast(text);
      return;
    }
    if (bytes !== null) this.#line.send(text, bytes);
    this.#line.onReplied(this);
  }

  destroy(): void {
    this.#line.cut();
  }

  on(event: 'close' | 'error', listener: () => void): void {
    // Errors of the connection end in `close`; there is no other event for them.
    if (event === 'close') this.#onClose.push(listener);
  }

  once(_event: 'drain', listener: () => void): void {
    this.#onDrain = listener;
  }

  // --- as the connection tells it ---

  drained(): void {
    const listener = this.#onDrain;
    this.#onDrain = null;
    listener?.();
  }

  /** The reply is with the operating system, or the caller is gone. */
  closed(isFinished: boolean): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isFinished = isFinished;
    this.#chunks = null;
    for (const listener of this.#onClose) listener();
  }

  /** Status line and head with the framing. @param length of the whole body, where it is known; null while it streams. */
  #startText(length: number | null): string {
    const text = this.#headText!;
    this.#headText = null;
    const { isHttp10, method } = this.#head;
    let framing = '';
    this.#isBodyless = method === 'HEAD' || needsNoBody(this.#status);
    if (!this.#isBodyless && this.#left === null) {
      if (length !== null) {
        framing = `\r\ncontent-length: ${length}`;
        this.#left = length;
      } else if (isHttp10) this.#keepsAlive = false;
      else {
        framing = '\r\ntransfer-encoding: chunked';
        this.#isChunked = true;
      }
    }
    if (this.#line.isStopped) this.#keepsAlive = false;
    const connection = this.#keepsAlive ? this.#line.keepAliveLines : '\r\nconnection: close';
    return `${text}${framing}${connection}\r\n\r\n`;
  }

  #cutShort(): boolean {
    this.#line.cut();
    return true;
  }
}
