// How does the gateway listen at less cost than node:http? node:net with Node's own llhttp, for cleartext HTTP/1.1; all else is node:http's.
import { createServer } from 'node:net';
import type { CallerHandler } from './caller.ts';
import { type ConnectionDesk, FastConnection } from './fast-connection.ts';
import { parserCallbacks } from './fast-parsing.ts';
import { type Front, type FrontOptions, frontLimits } from './front.ts';
import { type HttpParser, loadHttpParsing } from './http-parser.ts';
import { createNodeFront } from './node-front.ts';
import { lingerMs } from './read-body.ts';

/** Parsers kept for the next connection. */
const maxSpareParsers = 256;

/** A front over node:net. With TLS, or where Node's parser cannot be had, it is the node front instead: `kind` tells. */
export function createFastFront(handle: CallerHandler, options: FrontOptions = {}): Front {
  const parsing = loadHttpParsing();
  if (parsing === null || options.tls !== undefined) return createNodeFront(handle, options);
  const limits = frontLimits(options);
  const turnsOf = (ms: number): number => Math.ceil(ms / limits.checkMs);
  const connections = new Set<FastConnection>();
  const callbacks = parserCallbacks(parsing);
  const spare: HttpParser[] = [];
  const dateLine = (): string => `\r\ndate: ${new Date().toUTCString()}`;

  const desk: ConnectionDesk = {
    handle,
    keepAliveLines: `\r\nconnection: keep-alive\r\nkeep-alive: timeout=${Math.floor(limits.keepAliveMs / 1000)}`,
    turns: {
      now: 0,
      idle: turnsOf(limits.keepAliveMs),
      head: turnsOf(limits.headTimeoutMs),
      request: turnsOf(limits.requestTimeoutMs),
      linger: turnsOf(lingerMs),
    },
    dateLine: dateLine(),
    isStopped: false,
    takeParser() {
      let parser = spare.pop();
      if (parser === undefined) {
        parser = parsing.create();
        parser[parsing.onHeaders] = callbacks.onHeaders;
        parser[parsing.onHead] = callbacks.onHead;
        parser[parsing.onBody] = callbacks.onBody;
        parser[parsing.onMessage] = callbacks.onMessage;
        parser[parsing.onRead] = callbacks.onRead;
      }
      parser.initialize(parsing.request, {}, limits.maxHeadBytes, 0);
      return parser;
    },
    returnParser(parser) {
      parser.owner = null;
      parser.unconsume();
      if (spare.length < maxSpareParsers) spare.push(parser);
      // Not within one of its own callbacks.
      else setImmediate(() => parser.close());
    },
    onClose(connection) {
      connections.delete(connection);
    },
  };

  const server = createServer({ noDelay: true }, (socket) => {
    connections.add(new FastConnection(socket, desk));
  });
  const check = setInterval(() => {
    desk.turns.now += 1;
    desk.dateLine = dateLine();
    for (const connection of connections) connection.check();
  }, limits.checkMs).unref();

  let closed: Promise<void> = Promise.resolve();
  const stop = (): void => {
    if (desk.isStopped) return;
    desk.isStopped = true;
    // Asked for here, because the last connection may be gone, and the event with it, before `close` is called.
    closed = new Promise((resolve) => server.close(() => resolve()));
    for (const connection of connections) if (connection.isIdle) connection.cut();
  };
  return {
    kind: 'fast',
    server,
    stop,
    async close() {
      stop();
      for (const connection of connections) connection.cut();
      await closed;
      clearInterval(check);
      for (const parser of spare.splice(0)) parser.close();
    },
  };
}
