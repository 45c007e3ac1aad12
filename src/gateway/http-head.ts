// How is a head of HTTP/1.1 written so that nobody can put a line into it? Shared by the fast front and the upstream that goes with it.
import { STATUS_CODES } from 'node:http';
import type { UpstreamRequest } from './ports.ts';

/** Anything else in a value could end the line, or the head (RFC 9110 section 5.5). */
const unsoundValue = /[^\t\x20-\x7e\x80-\xff]/;
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Names seen sound, each as the end of the line before it and the beginning of its own; header names repeat. */
const starts = new Map<string, string>();

/** One field behind a line that is still open; its own line stays open. @throws TypeError when name or value cannot stand in a head. */
export function headField(name: string, value: string): string {
  let start = starts.get(name);
  if (start === undefined) {
    if (!token.test(name)) throw new TypeError(`header name ${JSON.stringify(name)} is not an HTTP token`);
    start = `\r\n${name}: `;
    if (starts.size > 1000) starts.clear();
    starts.set(name, start);
  }
  if (unsoundValue.test(value)) throw new TypeError(`header ${name} holds a character that HTTP forbids`);
  return start + value;
}

/** True when a reply with this status never has a body (RFC 9110 section 6.4.1). */
export function needsNoBody(status: number): boolean {
  return status === 204 || status === 304;
}

/**
 * Status for a request whose Transfer-Encoding no front serves; null for `chunked` alone. With HTTP/1.0 (RFC 9112 section
 * 6.1), or without `chunked` at its end, a message is likely to be read in two ways on its path; other codings we do not undo.
 */
export function refuseCoding(coding: string, isHttp10: boolean): 400 | 501 | null {
  if (isHttp10) return 400;
  const written = coding.toLowerCase();
  if (written === 'chunked') return null;
  return /[,\s]chunked$/.test(written) ? 501 : 400;
}

const statusLines = new Map<number, string>();

/** The first line of a reply, still open. @throws RangeError when `status` has not three digits. */
export function statusLine(status: number): string {
  let line = statusLines.get(status);
  if (line === undefined) {
    if (!Number.isInteger(status) || status < 200 || status > 999)
      throw new RangeError(`status is ${status}, must be between 200 and 999`);
    line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}`;
    statusLines.set(status, line);
  }
  return line;
}

const unsoundTarget = /[^\x21-\x7e\x80-\xff]/;

/** Methods that promise a body, so that its absence is said. */
const withBody: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/**
 * Request line and fields, with the empty line; Host and Content-Length are made here.
 *
 * @param host as the upstream's URL names it.
 * @throws TypeError when method, path, a name or a value cannot stand in a head.
 */
export function writeRequestHead(host: string, request: UpstreamRequest): string {
  const { method, path, headers, body } = request;
  if (!token.test(method)) throw new TypeError(`method ${JSON.stringify(method)} is not an HTTP token`);
  if (path === '' || unsoundTarget.test(path)) throw new TypeError('the path holds a character that HTTP forbids');
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}`;
  for (let at = 0; at < headers.length; at += 2) head += headField(headers[at]!, headers[at + 1]!);
  if (body !== null) head += `\r\ncontent-length: ${body.length}`;
  else if (withBody.has(method)) head += '\r\ncontent-length: 0';
  return `${head}\r\n\r\n`;
}
