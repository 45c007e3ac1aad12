// One cleartext connection to a model server: writes a request in one go, reads its reply with Node's own llhttp.
import { connect, type Socket } from 'node:net';
import type {
  HttpParseError,
  HttpParser,
  HttpParsing,
  OnHead,
  UpstreamFailure,
  UpstreamRequest,
} from '../gateway/index.ts';
import { type LateWriter, type ReadHandle, readHandleOf, writeSoon } from '../gateway/index.ts';

/** What a connection needs of the request it carries. */
export interface CarriedAttempt {
  readonly request: UpstreamRequest;
  /** Request line and fields, with the empty line. */
  readonly head: string;
  readonly isEnded: boolean;
  /** Set while the gateway cannot take more. */
  readonly isPaused: boolean;
  startOn(connection: RawConnection): void;
  onHead(status: number, headers: readonly string[]): void;
  onData(chunk: Buffer): void;
  complete(): void;
  fail(failure: UpstreamFailure): void;
}

/** Options of a connection. */
export interface RawConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly connectTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly parsing: HttpParsing;
  readonly parsers: ParserPool;
  readonly onConnect: () => void;
  /** A reply is complete and the next request may come. */
  readonly onFree: () => void;
  /** @param failure why it could not connect; null for the end of one that had. */
  readonly onClose: (failure: string | null) => void;
}

/** Parsers of replies, kept for the next connection. */
export interface ParserPool {
  take(owner: RawConnection): HttpParser;
  give(parser: HttpParser): void;
  close(): void;
}

/** Largest head of a reply, bytes. */
const maxHeadBytes = 64 * 1024;

/** Requests up to this length go out as one string. */
const maxTextBytes = 12 * 1024;

/** A pool of parsers with the callbacks of this file. */
export function createParserPool(parsing: HttpParsing): ParserPool {
  const spare: HttpParser[] = [];
  const onHead: OnHead = function (_major, _minor, headers, _method, _target, status, _text, upgrade, keeps) {
    return (this.owner as RawConnection).parsedHead(status ?? 0, headers ?? null, upgrade || !keeps);
  };
  return {
    take(owner) {
      let parser = spare.pop();
      if (parser === undefined) {
        parser = parsing.create();
        parser[parsing.onHeaders] = function (this: HttpParser, headers: string[]): void {
          (this.owner as RawConnection).parsedPart(headers);
        };
        parser[parsing.onHead] = onHead;
        parser[parsing.onBody] = function (this: HttpParser, chunk: Buffer): void {
          (this.owner as RawConnection).parsedBody(chunk);
        };
        parser[parsing.onMessage] = function (this: HttpParser): void {
          (this.owner as RawConnection).parsedEnd();
        };
        parser[parsing.onRead] = function (this: HttpParser, result: number | HttpParseError): void {
          (this.owner as RawConnection | null)?.parsedRead(result);
        };
      }
      parser.initialize(parsing.response, {}, maxHeadBytes, 0);
      parser.owner = owner;
      return parser;
    },
    give(parser) {
      parser.owner = null;
      parser.unconsume();
      spare.push(parser);
    },
    close() {
      for (const parser of spare.splice(0)) parser.close();
    },
  };
}

/** One connection; one request at a time. */
export class RawConnection implements LateWriter {
  readonly #options: RawConnectionOptions;
  readonly #socket: Socket;
  #handle: ReadHandle | null = null;
  #parser: HttpParser | null;
  #attempt: CarriedAttempt | null = null;
  #isConnected = false;
  #isClosed = false;
  #fault: string | null = null;
  #connectTimer: NodeJS.Timeout | null;
  /** `performance.now()` after which an idle connection is not used any more. */
  #usableUntilMs = 0;
  // --- the reply, as far as it was parsed and not yet told ---
  #status = 0;
  #headers: string[] | null = null;
  #parts: string[] | null = null;
  #chunks: Buffer[] = [];
  #isComplete = false;
  #hasHead = false;
  #isLast = false;
  #isTelling = false;
  /** A request that goes out at the end of this turn. */
  #late = '';
  /** How long the server says it keeps the connection, less a margin; null when it says nothing. */
  #hintMs: number | null = null;

  constructor(options: RawConnectionOptions) {
    this.#options = options;
    const { host, port, connectTimeoutMs } = options;
    const socket = connect({ host, port, noDelay: true });
    this.#socket = socket;
    this.#parser = options.parsers.take(this);
    this.#connectTimer = setTimeout(() => {
      this.#fault = `no connection within ${connectTimeoutMs} ms`;
      socket.destroy();
    }, connectTimeoutMs);
    socket.on('connect', () => {
      this.#isConnected = true;
      this.#handle = readHandleOf(socket);
      // As on the callers' side: bytes go to the parser, the stream only tells the end.
      this.#parser?.consume(this.#handle);
      socket.resume();
      this.#stopConnectTimer();
      options.onConnect();
    });
    socket.on('error', (fault: Error & { code?: string }) => {
      this.#fault ??= fault.message === '' ? (fault.code ?? fault.name) : fault.message;
    });
    socket.on('end', () => this.#onEnd());
    socket.on('close', () => this.#onClose());
  }

  /** True when a request may be sent. */
  isUsable(nowMs: number): boolean {
    return !this.#isClosed && !this.#socket.destroyed && nowMs < this.#usableUntilMs;
  }

  start(attempt: CarriedAttempt): void {
    this.#attempt = attempt;
    attempt.startOn(this);
    const { body } = attempt.request;
    if (body === null || body.length <= maxTextBytes) {
      this.#late = body === null ? attempt.head : attempt.head + body.toString('latin1');
      writeSoon(this);
      return;
    }
    const socket = this.#socket;
    socket.cork();
    socket.write(attempt.head, 'latin1');
    socket.write(body);
    socket.uncork();
  }

  writeLate(): void {
    const text = this.#late;
    this.#late = '';
    if (text !== '' && !this.#socket.destroyed) this.#socket.write(text, 'latin1');
  }

  /** The gateway takes more. */
  resume(): void {
    this.#tell();
    if (this.#attempt !== null && !this.#attempt.isPaused) this.#handle?.readStart();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  // --- called by the parser ---

  parsedPart(headers: string[]): void {
    // Trailers come here as well, after the head; they are dropped.
    if (!this.#hasHead) this.#parts = this.#parts === null ? headers : this.#parts.concat(headers);
  }

  /** Returns what llhttp wants to know: 1 when no body follows. */
  parsedHead(status: number, headers: string[] | null, isLast: boolean): number {
    // Nobody asked for a second one: the connection is not used again.
    if (this.#isComplete) {
      this.#isLast = true;
      return 0;
    }
    const all = headers ?? this.#parts ?? [];
    this.#parts = null;
    // Informational replies are between server and gateway.
    if (status < 200 && status !== 101) return 1;
    this.#hasHead = true;
    this.#isLast = isLast;
    this.#status = status;
    this.#headers = all;
    return this.#attempt?.request.method === 'HEAD' ? 1 : 0;
  }

  parsedBody(chunk: Buffer): void {
    if (!this.#isComplete) this.#chunks.push(chunk);
  }

  parsedEnd(): void {
    if (this.#hasHead) this.#isComplete = true;
  }

  /** The bytes of one read are parsed. */
  parsedRead(result: number | HttpParseError): void {
    if (this.#parser === null) return;
    // Nobody asked: whatever it is, it must not become the reply to the next request.
    if (this.#attempt === null) {
      this.#socket.destroy();
      return;
    }
    if (this.#late !== '') {
      this.#break('reset', 'the server spoke before the request was sent');
      return;
    }
    if (typeof result !== 'number') {
      this.#isLast = true;
      if (!this.#isComplete) {
        this.#break('malformed-reply', `the reply is not sound HTTP: ${reasonOf(result)}`);
        return;
      }
    } else if (this.#status === 101) {
      this.#break('malformed-reply', 'the reply switches to another protocol, which nobody asked for');
      return;
    }
    this.#tell();
  }

  // --- the socket's side ---

  #tell(): void {
    const attempt = this.#attempt;
    if (attempt === null || this.#isTelling) return;
    this.#isTelling = true;
    if (this.#headers !== null) {
      const headers = this.#headers;
      this.#headers = null;
      this.#hintMs = keepAliveHint(headers);
      attempt.onHead(this.#status, headers);
    }
    let told = 0;
    while (told < this.#chunks.length && !attempt.isPaused && !attempt.isEnded) {
      attempt.onData(this.#chunks[told]!);
      told += 1;
    }
    this.#chunks = told === this.#chunks.length ? [] : this.#chunks.slice(told);
    this.#isTelling = false;
    if (attempt.isEnded) return;
    if (attempt.isPaused) this.#handle?.readStop();
    else if (this.#isComplete) this.#finish(attempt);
  }

  #finish(attempt: CarriedAttempt): void {
    const isLast = this.#isLast || this.#socket.writableLength > 0 || this.#socket.destroyed;
    this.#attempt = null;
    this.#hasHead = false;
    this.#isComplete = false;
    if (isLast) this.#socket.destroy();
    else {
      this.#usableUntilMs = performance.now() + (this.#hintMs ?? this.#options.keepAliveMs);
      this.#options.onFree();
    }
    attempt.complete();
  }

  #break(kind: UpstreamFailure['kind'], message: string): void {
    const attempt = this.#attempt;
    this.#attempt = null;
    this.#socket.destroy();
    attempt?.fail({ kind, message });
  }

  /** The server has said all: the end of a reply without a length, or of one that broke off. */
  #onEnd(): void {
    const parser = this.#parser;
    if (parser === null || this.#attempt === null) return;
    this.#isLast = true;
    if (this.#isComplete) return;
    const hadHead = this.#hasHead;
    const fault = parser.finish();
    if (this.#isComplete) this.#tell();
    else if (hadHead || typeof fault === 'object') this.#break('reset', 'the reply broke off before its end');
    else this.#break('reset', 'the connection broke: other side closed');
  }

  #onClose(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopConnectTimer();
    const parser = this.#parser;
    this.#parser = null;
    if (parser !== null) this.#options.parsers.give(parser);
    this.#options.onClose(this.#isConnected ? null : (this.#fault ?? 'other side closed'));
    // What came whole is told although the connection is gone; it may only wait for the caller to take it.
    if (!this.#isComplete) this.#break('reset', `the connection broke: ${this.#fault ?? 'other side closed'}`);
  }

  #stopConnectTimer(): void {
    if (this.#connectTimer !== null) clearTimeout(this.#connectTimer);
    this.#connectTimer = null;
  }
}

function reasonOf(fault: HttpParseError): string {
  return fault.reason ?? fault.message;
}

/** Less than the server names by so much, milliseconds: the request has yet to get there. */
const hintMarginMs = 1000;

function keepAliveHint(headers: readonly string[]): number | null {
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at]!.length !== 10 || headers[at]!.toLowerCase() !== 'keep-alive') continue;
    const seconds = /timeout=(\d{1,6})/.exec(headers[at + 1]!)?.[1];
    if (seconds !== undefined) return Number(seconds) * 1000 - hintMarginMs;
  }
  return null;
}
