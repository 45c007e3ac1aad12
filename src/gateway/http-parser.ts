// How do we read HTTP/1.1 as strictly as Node does, without node:http around it? Node's own llhttp, from the module that node:http uses.

import { METHODS } from 'node:http';
import { createRequire } from 'node:module';

/** Codes that begin with `HPE_`, as llhttp has them. */
export interface HttpParseError extends Error {
  readonly code?: string;
  readonly reason?: string;
}

/** One parser; callbacks are set under the numbers of `HttpParsing`. */
export interface HttpParser {
  /** Begins anew. @param kind `request` or `response` of `HttpParsing`. */
  initialize(kind: number, resource: object, maxHeadBytes: number, leniency: number): void;
  /** Bytes read; fewer than given after a message that asked for an upgrade; or the fault. */
  execute(bytes: Buffer): number | HttpParseError;
  /** Tells the end of the connection; the fault when that is within a message. */
  finish(): undefined | number | HttpParseError;
  /** Reads a stream by itself from now on, without a buffer per read; every read ends in the callback `onRead`. */
  consume(handle: object): void;
  /** The opposite of `consume`. */
  unconsume(): void;
  /** A copy of what is being read; only within `onRead`. */
  getCurrentBuffer(): Buffer;
  close(): void;
  /** Whom the callbacks are about; they are called with the parser as `this`. */
  owner: unknown;
  [callback: number]: unknown;
}

/** Head of a message as the callback gets it: a request has a method number and a target, a response a status. */
export type OnHead = (
  this: HttpParser,
  major: number,
  minor: number,
  headers: string[] | undefined,
  method: number | undefined,
  target: string | undefined,
  status: number | undefined,
  statusText: string | undefined,
  asksUpgrade: boolean,
  keepsAlive: boolean,
) => number;

/** Node's native parser. */
export interface HttpParsing {
  readonly request: number;
  readonly response: number;
  /** More than 32 header fields come in parts; trailers come here too. */
  readonly onHeaders: number;
  readonly onHead: number;
  /** A copy of some bytes of the body. */
  readonly onBody: number;
  readonly onMessage: number;
  /** What `execute` would have returned, for each read of a stream that the parser consumes. */
  readonly onRead: number;
  /** Name of a method number; undefined for methods of other protocols. */
  readonly methods: readonly (string | undefined)[];
  create(): HttpParser;
}

interface ParserClass {
  new (): HttpParser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
  readonly kOnExecute: number;
}

let loaded: HttpParsing | null | undefined;

/**
 * Node's parser, or null where this Node has none or one that behaves otherwise than we know it: `_http_common` is an
 * internal module, so what we rest on is tried out once before it is used.
 */
export function loadHttpParsing(): HttpParsing | null {
  if (loaded === undefined) {
    try {
      const { HTTPParser } = createRequire(import.meta.url)('_http_common') as { HTTPParser: ParserClass };
      loaded = tryOut(HTTPParser);
    } catch {
      loaded = null;
    }
  }
  return loaded;
}

function tryOut(Parser: ParserClass): HttpParsing | null {
  const methods: (string | undefined)[] = [];
  const parsing: HttpParsing = {
    request: Parser.REQUEST,
    response: Parser.RESPONSE,
    onHeaders: Parser.kOnHeaders,
    onHead: Parser.kOnHeadersComplete,
    onBody: Parser.kOnBody,
    onMessage: Parser.kOnMessageComplete,
    onRead: Parser.kOnExecute,
    methods,
    create: () => new Parser(),
  };
  const parser = parsing.create();
  const seen: unknown[] = [];
  const onHead: OnHead = (major, minor, headers, method, target, _status, _text, asksUpgrade, keepsAlive) => {
    seen.push([major, minor, headers, target, asksUpgrade, keepsAlive]);
    lastMethod = method;
    return 0;
  };
  let lastMethod: number | undefined;
  parser[parsing.onHead] = onHead;
  parser[parsing.onBody] = (bytes: Buffer) => void seen.push(bytes.toString());
  parser[parsing.onMessage] = () => void seen.push('end');
  const read = (text: string): number | HttpParseError => {
    parser.initialize(parsing.request, {}, 1024, 0);
    return parser.execute(Buffer.from(text));
  };
  try {
    if (typeof parser.consume !== 'function' || typeof parser.unconsume !== 'function') return null;
    if (typeof parser.getCurrentBuffer !== 'function' || typeof parsing.onRead !== 'number') return null;
    const sound = 'POST /x HTTP/1.1\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n';
    if (read(sound) !== sound.length) return null;
    const expected = [[1, 1, ['A', 'b', 'Transfer-Encoding', 'chunked'], '/x', false, true], 'hi', 'end'];
    if (JSON.stringify(seen) !== JSON.stringify(expected)) return null;
    for (const unsound of [
      'Content-Length: 1\r\nContent-Length: 2',
      'Content-Length : 1',
      'A: b\nC: d',
      `A: ${'b'.repeat(2000)}`,
    ])
      if (typeof read(`POST / HTTP/1.1\r\n${unsound}\r\n\r\nx`) === 'number') return null;
    for (const method of METHODS) {
      // Its bytes after the head belong to another protocol; no front serves it.
      if (method === 'CONNECT') continue;
      lastMethod = undefined;
      read(`${method} / HTTP/1.1\r\n\r\n`);
      if (lastMethod !== undefined) methods[lastMethod] = method;
    }
    return methods.includes('POST') ? parsing : null;
  } finally {
    parser.close();
  }
}
