// How is one cleartext connection of the fast front read and answered? llhttp reads, one request at a time is answered, in the order they came.
import type { Socket } from 'node:net';
import type { CallerHandler } from './caller.ts';
import { type ExchangeHead, type ExchangeLine, FastExchange } from './fast-exchange.ts';
import type { ParsedConnection } from './fast-parsing.ts';
import type { HttpParseError, HttpParser } from './http-parser.ts';
import { type ReadHandle, readHandleOf } from './read-handle.ts';
import { type LateWriter, writeSoon } from './write-turn.ts';

/** What all connections of a front share. */
export interface ConnectionDesk {
  readonly handle: CallerHandler;
  readonly keepAliveLines: string;
  /** Turns of the timeout check since the start, and how many of them each wait may take. */
  readonly turns: {
    now: number;
    readonly idle: number;
    readonly head: number;
    readonly request: number;
    readonly linger: number;
  };
  dateLine: string;
  isStopped: boolean;
  readonly takeParser: () => HttpParser;
  readonly returnParser: (parser: HttpParser) => void;
  readonly onClose: (connection: FastConnection) => void;
}

/** What a connection waits for; decides what its timeout does. */
type Wait = 'first-byte' | 'idle' | 'head' | 'body' | 'nothing' | 'flush' | 'linger';

const never = Number.POSITIVE_INFINITY;

/** Status lines of refusals. */
const reasons: Readonly<Record<number, string>> = {
  400: '400 Bad Request',
  408: '408 Request Timeout',
  413: '413 Payload Too Large',
  417: '417 Expectation Failed',
  431: '431 Request Header Fields Too Large',
  501: '501 Not Implemented',
  505: '505 HTTP Version Not Supported',
};

/** Status for a request that cannot be read. */
function statusOf(fault: HttpParseError): number {
  if (fault.code === 'HPE_HEADER_OVERFLOW') return 431;
  return fault.code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW' ? 413 : 400;
}

/** One connection. */
export class FastConnection implements ExchangeLine, ParsedConnection, LateWriter {
  readonly #desk: ConnectionDesk;
  readonly #socket: Socket;
  readonly #handle: ReadHandle;
  #parser: HttpParser | null;
  parts: string[] | null = null;
  partsTarget = '';
  stopsParsing = false;
  /** Being received; may already be the one that is answered. */
  #incoming: FastExchange | null = null;
  /** Being answered. */
  #current: FastExchange | null = null;
  /** Received behind the current one. */
  #waiting: FastExchange[] = [];
  /** To be said once the requests before it are answered; nothing is read any more. */
  #refusal: number | null = null;
  /** The last one given to the gateway. */
  #started: FastExchange | null = null;
  #isStarting = false;
  #isReading = true;
  #hasMessage = false;
  #wait: Wait = 'first-byte';
  #deadline: number;
  #remoteAddress: string | null = null;
  /** The end of the current reply, until this turn ends. */
  #late = '';

  constructor(socket: Socket, desk: ConnectionDesk) {
    this.#desk = desk;
    this.#socket = socket;
    this.#deadline = desk.turns.now + desk.turns.head;
    const parser = desk.takeParser();
    parser.owner = this;
    this.#parser = parser;
    this.#handle = readHandleOf(socket);
    // As node:http does: the parser reads the socket by itself, which saves a buffer and two calls for each read.
    parser.consume(this.#handle);
    // No bytes come through the stream any more; flowing, it still tells the end.
    socket.resume();
    // A caller who closes its sending half has gone, as for every proxy that must not compute for nobody.
    socket.on('end', () => this.#onEnd());
    socket.on('drain', () => this.#current?.drained());
    socket.on('error', ignore);
    socket.on('close', () => this.#onClosed());
  }

  // --- ExchangeLine ---

  get remoteAddress(): string {
    this.#remoteAddress ??= this.#socket.remoteAddress ?? 'unknown';
    return this.#remoteAddress;
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  get isStopped(): boolean {
    return this.#desk.isStopped;
  }

  get dateLine(): string {
    return this.#desk.dateLine;
  }

  get keepAliveLines(): string {
    return this.#desk.keepAliveLines;
  }

  send(text: string, bytes: Buffer | null): boolean {
    const socket = this.#socket;
    if (bytes === null) return socket.write(text, 'latin1');
    if (text === '') return socket.write(bytes);
    socket.cork();
    socket.write(text, 'latin1');
    const goesOn = socket.write(bytes);
    socket.uncork();
    return goesOn;
  }

  sendLast(text: string): void {
    this.#late = text;
    writeSoon(this);
  }

  writeLate(): void {
    const text = this.#late;
    this.#late = '';
    const current = this.#current;
    if (current === null || this.#socket.destroyed) return;
    this.#socket.write(text, 'latin1');
    this.onReplied(current);
  }

  cut(): void {
    this.#socket.destroy();
  }

  onReplied(exchange: FastExchange): void {
    if (this.#socket.writableLength === 0) {
      this.#finish(exchange);
      return;
    }
    this.#setWait('flush', this.#desk.turns.request);
    this.#socket.write('', (fault) => {
      // A connection that broke says so by its close event.
      if (fault === null || fault === undefined) this.#finish(exchange);
    });
  }

  /** True when no request is being received, answered or waiting. */
  get isIdle(): boolean {
    return this.#current === null && this.#waiting.length === 0 && this.#incoming === null;
  }

  /** Looks at the timeout; called once per turn. */
  check(): void {
    if (this.#deadline > this.#desk.turns.now || this.#late !== '') return;
    switch (this.#wait) {
      case 'first-byte':
      case 'head':
      case 'body':
        this.#refuse(408);
        break;
      default:
        this.#socket.destroy();
    }
  }

  // --- reading ---

  /** Called by the parser. */
  read(result: number | HttpParseError): void {
    const parser = this.#parser;
    if (parser === null || this.#wait === 'linger') return;
    if (typeof result !== 'number') {
      // What follows a request that closes the connection is nobody's request.
      if (result.code === 'HPE_CLOSED_CONNECTION') this.#stopReading();
      else this.#refusal ??= statusOf(result);
    } else if (this.stopsParsing) {
      // A request that asks for another protocol is answered in this one, and so is what follows it.
      this.stopsParsing = false;
      const rest = parser.getCurrentBuffer().subarray(result);
      if (rest.length > 0) this.#readLater(rest);
    }
    this.#advance();
    this.#hasMessage = false;
  }

  /** Parses bytes that llhttp left; not now, because it is at work. Nothing else is read until then. */
  #readLater(rest: Buffer): void {
    this.#handle.readStop();
    setImmediate(() => {
      if (this.#socket.destroyed || this.#refusal !== null || this.#wait === 'linger') return;
      const result = this.#parser?.execute(rest);
      if (this.#isReading) this.#handle.readStart();
      if (result === undefined) return;
      if (typeof result === 'number' && this.stopsParsing && result < rest.length) {
        this.stopsParsing = false;
        // llhttp that takes nothing will never take more.
        if (result === 0) this.#refusal = 400;
        else this.#readLater(rest.subarray(result));
        this.#advance();
        return;
      }
      this.read(result);
    });
  }

  /** True between a request's head and its end. */
  get isReceiving(): boolean {
    return this.#incoming !== null;
  }

  /** Called by the parser. */
  head(head: ExchangeHead): void {
    if (this.#refusal !== null) return;
    const exchange = new FastExchange(this, head);
    this.#incoming = exchange;
    if (this.#current === null && this.#waiting.length === 0) this.#current = exchange;
    else this.#waiting.push(exchange);
  }

  body(chunk: Buffer): void {
    this.#incoming?.addBody(chunk);
  }

  message(): void {
    this.#hasMessage = true;
    this.#incoming?.endBody();
    this.#incoming = null;
  }

  /** A head that is sound HTTP and yet refused. */
  refuseHead(status: number): void {
    this.#refusal ??= status;
    this.#incoming = null;
  }

  /** Starts and feeds requests as far as they go; replies within it come back here by `#finish` and are picked up by the loop. */
  #advance(): void {
    if (this.#isStarting) return;
    this.#isStarting = true;
    for (;;) {
      this.#current ??= this.#waiting.shift() ?? null;
      const current = this.#current;
      if (current === null) break;
      if (this.#started === current) {
        current.offerBody();
        if (this.#current === current) break;
      } else {
        this.#started = current;
        this.#desk.handle(current, current);
        if (this.#current === current) break;
      }
    }
    this.#isStarting = false;
    this.#settle();
  }

  /** What now? Pauses while requests wait, says a refusal when its turn has come, sets the timeout. */
  #settle(): void {
    if (this.#socket.destroyed || this.#wait === 'linger') return;
    if (this.#refusal !== null) {
      if (this.#late !== '') return;
      const current = this.#current;
      if (current === null || !current.isReceived) this.#refuse(this.#refusal);
      return;
    }
    if (this.#waiting.length > 0) this.#stopReading();
    else if (!this.#isReading) {
      this.#isReading = true;
      this.#handle.readStart();
    }
    if (this.#incoming !== null) this.#setWait('body', this.#desk.turns.request);
    else if (this.#current !== null) this.#setWait('nothing', never);
    else if (this.#hasMessage || this.#wait === 'nothing') this.#setWait('idle', this.#desk.turns.idle);
    else this.#setWait('head', this.#desk.turns.head);
  }

  #stopReading(): void {
    if (!this.#isReading) return;
    this.#isReading = false;
    this.#handle.readStop();
  }

  /** A wait that goes on keeps its deadline: it is for the whole head, the whole request. */
  #setWait(wait: Wait, turns: number): void {
    if (this.#wait === wait && wait !== 'idle') return;
    // One more, because the turn that runs is partly over.
    this.#deadline = this.#desk.turns.now + turns + 1;
    this.#wait = wait;
  }

  // --- ending ---

  #finish(exchange: FastExchange): void {
    if (this.#current !== exchange) return;
    this.#current = null;
    this.#started = null;
    if (!exchange.keepsAlive || this.#desk.isStopped) {
      this.#waiting.length = 0;
      this.#refusal = null;
      if (exchange.isReceived) {
        this.#wait = 'linger';
        this.#deadline = this.#desk.turns.now + this.#desk.turns.linger + 1;
        this.#socket.destroySoon();
      } else this.#linger();
      exchange.closed(true);
      return;
    }
    this.#wait = 'nothing';
    exchange.closed(true);
    if (!this.#isStarting) this.#advance();
  }

  /** Answers what cannot be read, or did not come in time, and closes. */
  #refuse(status: number): void {
    const { headersSent = false } = this.#current ?? {};
    if (headersSent) {
      this.#socket.destroy();
      return;
    }
    if (this.#current === null && this.#incoming !== null) {
      // Answered before it had come; a second answer would be taken for that to the next request.
      this.#incoming = null;
      this.#linger();
      return;
    }
    this.#socket.write(
      `HTTP/1.1 ${reasons[status] ?? status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
      'latin1',
    );
    const current = this.#current;
    this.#current = null;
    this.#incoming = null;
    this.#waiting.length = 0;
    this.#linger();
    current?.closed(false);
  }

  /** Closes the sending half and reads on for a moment: closed with bytes unread, the system would take the reply back. */
  #linger(): void {
    this.#wait = 'linger';
    this.#deadline = this.#desk.turns.now + this.#desk.turns.linger + 1;
    this.#socket.end();
    if (!this.#isReading && !this.#socket.destroyed) this.#handle.readStart();
  }

  #onEnd(): void {
    if (this.#late !== '') this.writeLate();
    if (!this.isIdle || this.#refusal !== null) this.#socket.destroy();
  }

  #onClosed(): void {
    const parser = this.#parser;
    this.#parser = null;
    if (parser !== null) this.#desk.returnParser(parser);
    this.#desk.onClose(this);
    const current = this.#current;
    this.#current = null;
    this.#incoming = null;
    this.#waiting.length = 0;
    current?.closed(false);
  }
}

const ignore = (): void => {};
