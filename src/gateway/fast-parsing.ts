// What does llhttp tell of a connection of the fast front, and which heads that are sound HTTP are refused all the same?
import type { ExchangeHead } from './fast-exchange.ts';
import { refuseCoding } from './http-head.ts';
import type { HttpParseError, HttpParser, HttpParsing, OnHead } from './http-parser.ts';

/** Whom a parser tells; its `owner`. */
export interface ParsedConnection {
  /** True between a request's head and its end. */
  readonly isReceiving: boolean;
  /** Header fields and target of a head that comes in parts. */
  parts: string[] | null;
  partsTarget: string;
  /** Set when a head asks for another protocol: llhttp reads no further than the end of that request. */
  stopsParsing: boolean;
  head(head: ExchangeHead): void;
  body(chunk: Buffer): void;
  message(): void;
  /** The bytes of one read are parsed. @param result how many of them, or the fault. */
  read(result: number | HttpParseError): void;
  /** A head that is refused with this status. */
  refuseHead(status: number): void;
}

/** The callbacks of every parser of a front; their `this` is the parser. */
export function parserCallbacks(parsing: HttpParsing): {
  readonly onHeaders: (this: HttpParser, headers: string[], target: string) => void;
  readonly onHead: OnHead;
  readonly onBody: (this: HttpParser, chunk: Buffer) => void;
  readonly onMessage: (this: HttpParser) => void;
  readonly onRead: (this: HttpParser, result: number | HttpParseError) => void;
} {
  const { methods } = parsing;
  return {
    onHeaders(headers, target) {
      const connection = this.owner as ParsedConnection;
      // Trailers come here as well, after the head; they are dropped.
      if (connection.isReceiving) return;
      connection.parts = connection.parts === null ? headers : connection.parts.concat(headers);
      connection.partsTarget += target;
    },
    onHead(major, minor, whole, number, wholeTarget, _status, _text, asksUpgrade, keepsAlive) {
      const connection = this.owner as ParsedConnection;
      if (asksUpgrade) connection.stopsParsing = true;
      let headers = whole;
      let target = wholeTarget;
      if (headers === undefined || headers === null) {
        headers = connection.parts ?? [];
        target = connection.partsTarget;
        connection.parts = null;
        connection.partsTarget = '';
      }
      const method = methods[number ?? -1];
      const isHttp10 = minor === 0;
      if (major !== 1 || minor > 1) connection.refuseHead(505);
      else if (method === undefined || target === undefined) connection.refuseHead(400);
      else {
        const head: ExchangeHead & HeadToRead = {
          method,
          target,
          headers,
          isHttp10,
          keepsAlive,
          bodyBytes: 0,
          expectsContinue: false,
        };
        const refusal = readFields(head);
        if (refusal === null) connection.head(head);
        else connection.refuseHead(refusal);
      }
      return 0;
    },
    onBody(chunk) {
      (this.owner as ParsedConnection).body(chunk);
    },
    onMessage() {
      (this.owner as ParsedConnection).message();
    },
    onRead(result) {
      (this.owner as ParsedConnection | null)?.read(result);
    },
  };
}

/** A head before its fields have been looked at. */
interface HeadToRead {
  readonly headers: readonly string[];
  readonly isHttp10: boolean;
  /** Bytes; null with the chunked coding. */
  bodyBytes: number | null;
  expectsContinue: boolean;
}

/** Writes down what the fields say about the body; the status to refuse with, or null. llhttp has checked the framing itself. */
function readFields(head: HeadToRead): number | null {
  const { headers, isHttp10 } = head;
  let refusal: number | null = null;
  let hasHost = isHttp10;
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!;
    switch (name.length) {
      case 4:
        if (!hasHost && name.toLowerCase() === 'host') hasHost = true;
        break;
      case 6:
        if (name.toLowerCase() !== 'expect' || isHttp10) break;
        if (head.expectsContinue || headers[at + 1]!.toLowerCase() !== '100-continue') refusal ??= 417;
        head.expectsContinue = true;
        break;
      case 14:
        if (name.toLowerCase() === 'content-length') head.bodyBytes = Number(headers[at + 1]);
        break;
      case 17:
        if (name.toLowerCase() !== 'transfer-encoding') break;
        refusal ??= refuseCoding(headers[at + 1]!, isHttp10);
        head.bodyBytes = null;
        break;
    }
  }
  return refusal ?? (hasHost ? null : 400);
}
