// How does the gateway listen with node:http? The front for TLS: keep-alive, timeouts and framing are Node's own, and HTTP/2 comes with TLS.
import { createServer, type IncomingMessage, type ServerOptions, type ServerResponse } from 'node:http';
import { createSecureServer, type Http2ServerResponse, type Http2Session } from 'node:http2';
import type { Server, Socket } from 'node:net';
import type { BodyLimit, CallerHandler, CallerRequest, RequestBody } from './caller.ts';
import type { RawHeaders } from './forward-headers.ts';
import { type Front, type FrontLimits, type FrontOptions, type FrontTls, frontLimits } from './front.ts';
import { refuseCoding } from './http-head.ts';
import { Http2Reply, http2Headers, isHttp2 } from './http2-caller.ts';
import { discardBody, isBodyWanted, lingerMs, readRequestBody } from './read-body.ts';

/** A front over node:http; with TLS it also speaks HTTP/2. */
export function createNodeFront(handle: CallerHandler, options: FrontOptions = {}): Front {
  const limits = frontLimits(options);
  const sockets = new Set<CallerSocket>();
  const sessions = new Set<Http2Session>();
  const server =
    options.tls === undefined ? createServer(http1Options(limits)) : secureServer(options.tls, limits, sessions);
  // With TLS also those whose handshake is not done.
  for (const event of options.tls === undefined ? ['connection'] : ['connection', 'secureConnection']) {
    server.on(event, (socket: CallerSocket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
  }
  let isStopped = false;
  const take = (req: IncomingMessage, res: ServerResponse, expects: 'nothing' | 'continue' | 'unknown'): void => {
    // A caller may go at any moment; the close event says so, and nothing else is to be done about it.
    req.on('error', ignore);
    // Node takes anything for 100-continue that holds it as a word.
    const isKnown = expects === 'nothing' || req.headers.expect?.toLowerCase() === '100-continue';
    const status = isKnown ? refusalOf(req) : 417;
    if (status !== null) {
      refuse(req, res, status);
      return;
    }
    const expectsContinue = expects === 'continue';
    if (isHttp2(req)) {
      handle(
        new NodeRequest(req, expectsContinue ? res : null, http2Headers(req)),
        new Http2Reply(res as unknown as Http2ServerResponse),
      );
      return;
    }
    const socket: CallerSocket = req.socket;
    // What follows a refused request on its connection is nobody's request.
    if (socket[endsOf] === true) return;
    // Node closes after the reply to a caller that waited to be asked for its body and was not; `readBody` asks.
    if (expectsContinue) socket[endsOf] = true;
    if (isStopped) res.shouldKeepAlive = false;
    countReply(req, res);
    handle(new NodeRequest(req, expectsContinue ? res : null, req.rawHeaders), res);
  };
  server.on('request', (req: IncomingMessage, res: ServerResponse) => take(req, res, 'nothing'));
  // Left to itself, Node asks for the body before the gateway has seen how long it will be.
  server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => take(req, res, 'continue'));
  server.on('checkExpectation', (req: IncomingMessage, res: ServerResponse) => take(req, res, 'unknown'));
  server.on('clientError', onClientError);
  // A tunnel is none of our business; without a listener Node would close without a word.
  server.on('connect', (req: IncomingMessage, socket: Socket) => {
    if (!isHttp2(req))
      refuseInTurn(socket, req.httpVersionMajor === 1 ? '400 Bad Request' : '505 HTTP Version Not Supported');
  });

  let closed: Promise<void> = Promise.resolve();
  const stop = (): void => {
    if (isStopped) return;
    isStopped = true;
    // Asked for here, because the last connection may be gone, and the event with it, before `close` is called.
    closed = new Promise((resolve) => server.close(() => resolve()));
    if ('closeIdleConnections' in server) server.closeIdleConnections();
    for (const session of sessions) session.close();
    for (const socket of sockets) {
      const last = socket[pendingOf]?.last?.res;
      if (last !== undefined && !last.headersSent) last.shouldKeepAlive = false;
    }
  };
  return {
    kind: 'node',
    server: server as Server,
    stop,
    async close() {
      stop();
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function http1Options(limits: FrontLimits): ServerOptions {
  return {
    keepAliveTimeout: limits.keepAliveMs,
    headersTimeout: limits.headTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: limits.checkMs,
    maxHeaderSize: limits.maxHeadBytes,
    // We look for it ourselves: Node would answer, and after a fault further on answer once more.
    requireHostHeader: false,
    insecureHTTPParser: false,
    noDelay: true,
  };
}

function secureServer(
  tls: FrontTls,
  limits: FrontLimits,
  sessions: Set<Http2Session>,
): ReturnType<typeof createSecureServer> {
  const { cert, key, clientCa } = tls;
  const server = createSecureServer({
    cert,
    key,
    ...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
    minVersion: 'TLSv1.2',
    handshakeTimeout: limits.headTimeoutMs,
    allowHTTP1: true,
    settings: { maxHeaderListSize: limits.maxHeadBytes, enablePush: false },
  });
  // Node gives this server the limits of its HTTP/1.1 side as properties, not as options.
  Object.assign(server, http1Options(limits));
  server.on('session', (session) => {
    let streams = 0;
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', ignore);
    session.on('stream', (stream) => {
      streams += 1;
      stream.on('close', () => (streams -= 1));
    });
    session.setTimeout(limits.keepAliveMs, () => {
      if (streams === 0) session.close();
    });
  });
  return server;
}

const ignore = (): void => {};

/** What is open on a connection: replies under way, and the refusal that has to wait for them. */
interface Pending {
  readonly replies: Set<ServerResponse>;
  /** The request that came last, which may still be on its way; null once it is whole and answered, so that idle connections hold none. */
  last: { readonly req: IncomingMessage; readonly res: ServerResponse } | null;
  refusal: string | null;
}

const pendingOf = Symbol('pending');
/** True when nothing that comes after the last request is answered. */
const endsOf = Symbol('ends');
type CallerSocket = Socket & { [pendingOf]?: Pending; [endsOf]?: boolean };

/** Refuses a request that Node takes for sound, and all that follows on its connection. */
function refuse(req: IncomingMessage, res: ServerResponse, status: number): void {
  const socket: CallerSocket = req.socket;
  if (isHttp2(req)) res.writeHead(status).end();
  else if (socket[endsOf] === undefined) {
    socket[endsOf] = true;
    res.writeHead(status, { connection: 'close', 'content-length': '0' }).end();
  }
}

function countReply(req: IncomingMessage, res: ServerResponse): void {
  const socket: CallerSocket = req.socket;
  const pending = socket[pendingOf] ?? startCounting(socket, { req, res });
  pending.replies.add(res);
  pending.last = { req, res };
  res.on('close', () => {
    pending.replies.delete(res);
    if (pending.last?.res === res && pending.last.req.complete) pending.last = null;
    if (pending.refusal !== null) refuseInTurn(socket, pending.refusal);
  });
}

function startCounting(socket: CallerSocket, last: Pending['last']): Pending {
  const pending: Pending = { replies: new Set(), last, refusal: null };
  socket[pendingOf] = pending;
  socket.on('close', () => {
    for (const res of pending.replies) {
      // Node tells those that had their turn; the ones behind them would never learn that nobody is there any more.
      if (res.socket !== null || res.writableFinished) continue;
      res.destroy();
      res.emit('close');
    }
  });
  return pending;
}

const refusals: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
};

/** Left to itself Node says 400 at once, which a caller takes for the answer to the request before. */
function onClientError(fault: Error & { code?: string }, socket: CallerSocket): void {
  // What follows a request that closes the connection is nobody's request.
  if (fault.code === 'HPE_CLOSED_CONNECTION' && (socket[pendingOf]?.replies.size ?? 0) > 0) return;
  if (fault.code === 'ECONNRESET') socket.destroy();
  // More bytes bring the same fault again, while the refusal is still being written.
  if (!socket.writable || socket[endsOf] === true) return;
  refuseInTurn(socket, refusals[fault.code ?? ''] ?? '400 Bad Request');
}

/** Refuses when all that came whole before is answered. The broken request itself has one answer: this, or the one it got early. */
function refuseInTurn(socket: CallerSocket, refusal: string): void {
  const pending = socket[pendingOf];
  const last = pending?.last ?? null;
  const broken = last === null || last.req.complete ? null : last.res;
  const before = (pending?.replies.size ?? 0) - (broken !== null && pending?.replies.has(broken) ? 1 : 0);
  if (pending !== undefined && before > 0) {
    pending.refusal ??= refusal;
    return;
  }
  const isAnswered = broken?.writableEnded === true;
  if (!isAnswered && broken?.headersSent === true) socket.destroy();
  if (!socket.writable) return;
  socket.end(isAnswered ? '' : `HTTP/1.1 ${refusal}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  // Closed with bytes unread, the system would take the refusal back.
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.on('close', () => clearTimeout(timer));
}

/** Status for a request that Node lets pass and we do not; null for a sound one. */
function refusalOf(req: IncomingMessage): number | null {
  if (req.httpVersionMajor === 2) return isHttp2(req) ? null : 505;
  if (req.httpVersionMajor !== 1) return 505;
  const coding = req.headers['transfer-encoding'];
  if (req.headers.host === undefined && req.httpVersionMinor > 0) return 400;
  return coding === undefined ? null : refuseCoding(coding, req.httpVersionMinor === 0);
}

class NodeRequest implements CallerRequest {
  readonly #req: IncomingMessage;
  /** Where the caller waits to be asked for the body. */
  readonly #continue: ServerResponse | null;
  readonly method: string;
  readonly target: string;
  readonly headers: RawHeaders;

  constructor(req: IncomingMessage, waiting: ServerResponse | null, headers: RawHeaders) {
    this.#req = req;
    this.#continue = waiting;
    this.method = req.method ?? 'GET';
    this.target = req.url ?? '/';
    this.headers = headers;
  }

  get remoteAddress(): string {
    return this.#req.socket.remoteAddress ?? 'unknown';
  }

  get proto(): 'http' | 'https' {
    return 'encrypted' in this.#req.socket ? 'https' : 'http';
  }

  readBody(limit: BodyLimit, done: (body: RequestBody) => void): void {
    if (this.#continue !== null && isBodyWanted(this.#req, limit)) {
      (this.#req.socket as CallerSocket)[endsOf] = false;
      this.#continue.writeContinue();
    }
    readRequestBody(this.#req, limit, done);
  }

  discardBody(done: () => void): void {
    discardBody(this.#req, done);
  }
}
