// How do outcomes and events come out of a request body? JSON, lines of JSON or CloudEvents, compressed or not, never more than
// a bound, and lines piece by piece, so that a large body neither fills the memory nor holds up the gateway.
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { cloudEventOfHeaders } from '../api/index.ts';
import { AssayError } from '../errors.ts';

/** One fault of a line that is not JSON. */
interface LineIssue {
  readonly place: string;
  readonly text: string;
  readonly line: number;
}

/** A part of a body, in its order. */
export interface IntakePiece {
  /** Parsed JSON; a list where `lines` are given. */
  readonly body: unknown;
  /** The line each item of the list stands in, from 1. */
  readonly lines?: readonly number[];
  readonly issues: readonly LineIssue[];
}

/** A body that can be read once. */
export interface Intake {
  readonly isCloudEvents: boolean;
  readonly pieces: AsyncIterable<IntakePiece>;
}

/** Bounds of one body. */
export interface IntakeLimits {
  /** Of a body that is one JSON document, bytes after decompression. */
  readonly documentBytes: number;
  /** Of a body of lines, bytes after decompression. */
  readonly linesBytes: number;
  readonly lineBytes: number;
  readonly lines: number;
}

/** What a request may bring. */
const intakeLimits: IntakeLimits = {
  documentBytes: 8 * 1024 * 1024,
  linesBytes: 64 * 1024 * 1024,
  lineBytes: 64 * 1024,
  lines: 100_000,
};

type Format = 'json' | 'lines' | 'event' | 'events' | 'binary-event';
const lineTypes = ['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonlines'];
/** Lines parsed between two looks at other work. */
const linesPerPiece = 1_000;

/** Runs work one after another, some at once: bodies that wait are not read, so their senders wait too. */
export function createTurns(atOnce: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = atOnce;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}

/** True for bodies that may become large: they take turns. */
export function isLargeIntake(request: Request): boolean {
  return formatOf(request) === 'lines' || encodingOf(request) !== 'identity';
}

/**
 * The body of a request, to be read once. What is not read stays unread.
 *
 * @throws AssayError `content-unsupported`; while reading `request-invalid`, `body-too-large`.
 */
export function openIntake(request: Request, limits: IntakeLimits = intakeLimits): Intake {
  const format = formatOf(request);
  const bytes = (most: number): AsyncIterable<Buffer> => readBytes(request, most);
  if (format === 'lines') return { isCloudEvents: false, pieces: readLines(bytes(limits.linesBytes), limits) };
  return { isCloudEvents: format !== 'json', pieces: readDocument(request, format, bytes(limits.documentBytes)) };
}

function formatOf({ headers }: Request): Format {
  const [type = ''] = (headers.get('content-type') ?? '').toLowerCase().split(';');
  const media = type.trim();
  if (media === 'application/cloudevents+json') return 'event';
  if (media === 'application/cloudevents-batch+json') return 'events';
  if (media.startsWith('application/cloudevents'))
    throw new AssayError('content-unsupported', `content-type is ${media}, must be application/cloudevents+json`);
  if (headers.get('ce-specversion') !== null) {
    if (media === '' || /^[\w.+-]+\/([\w.-]+\+)?json$/.test(media)) return 'binary-event';
    throw new AssayError('content-unsupported', `content-type is ${media}, must be application/json for event data`);
  }
  return lineTypes.includes(media) ? 'lines' : 'json';
}

const decompressors = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

function encodingOf({ headers }: Request): keyof typeof decompressors | 'identity' {
  const encoding = (headers.get('content-encoding') ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity' || encoding === '') return 'identity';
  if (Object.hasOwn(decompressors, encoding)) return encoding as keyof typeof decompressors;
  throw new AssayError('content-unsupported', `content-encoding is ${encoding}, must be gzip, br or deflate`);
}

async function* readBytes(request: Request, most: number): AsyncGenerator<Buffer> {
  const tooLarge = (): AssayError =>
    new AssayError('body-too-large', `the body is larger than ${most} bytes, must have at most as many`);
  const encoding = encodingOf(request);
  const length = Number(request.headers.get('content-length') ?? 0);
  if (length > most) throw tooLarge();
  if (request.body === null) return;
  const source = Readable.fromWeb(request.body as Parameters<typeof Readable.fromWeb>[0]);
  let plain: Readable = source;
  let piped: Promise<unknown> = Promise.resolve();
  if (encoding !== 'identity') {
    const decompressor = decompressors[encoding]();
    plain = decompressor;
    piped = pipeline(source, decompressor).catch(() => undefined);
  }
  let total = 0;
  try {
    for await (const chunk of plain as AsyncIterable<Buffer>) {
      total += chunk.length;
      if (total > most) throw tooLarge();
      yield Buffer.from(chunk);
    }
    await piped;
  } catch (cause) {
    if (cause instanceof AssayError) throw cause;
    const what = encoding === 'identity' ? 'broke off' : `is not whole ${encoding}`;
    throw new AssayError('request-invalid', `the body ${what}: ${(cause as Error).message}`, { cause });
  }
}

async function* readDocument(
  request: Request,
  format: Exclude<Format, 'lines'>,
  bytes: AsyncIterable<Buffer>,
): AsyncGenerator<IntakePiece> {
  const chunks: Buffer[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  const isEmpty = text === '' && format === 'binary-event';
  const body = isEmpty ? undefined : parse(text);
  if (format === 'events' && !Array.isArray(body))
    throw new AssayError(
      'request-invalid',
      'the body is not a list, must be one in application/cloudevents-batch+json',
    );
  yield { body: format === 'binary-event' ? cloudEventOfHeaders(request.headers, body) : body, issues: [] };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AssayError('request-invalid', `the body is not JSON: ${(cause as Error).message}`, { cause });
  }
}

async function* readLines(bytes: AsyncIterable<Buffer>, limits: IntakeLimits): AsyncGenerator<IntakePiece> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  let line = 0;
  let filled = 0;
  let items: unknown[] = [];
  let lines: number[] = [];
  let issues: LineIssue[] = [];
  const take = (raw: Buffer): void => {
    line += 1;
    if (raw.length > limits.lineBytes)
      throw new AssayError(
        'body-too-large',
        `line ${line} has ${raw.length} bytes, must have at most ${limits.lineBytes}`,
      );
    const text = raw.toString('utf8').trim();
    if (text === '') return;
    filled += 1;
    if (filled > limits.lines)
      throw new AssayError('body-too-large', `the body has more than ${limits.lines} lines, must have at most as many`);
    try {
      items.push(JSON.parse(text));
      lines.push(line);
    } catch (cause) {
      const place = `line ${line}`;
      issues.push({ place, text: `${place} is not JSON: ${(cause as Error).message}`, line });
    }
  };
  const piece = (): IntakePiece => {
    const made = { body: items, lines, issues };
    items = [];
    lines = [];
    issues = [];
    return made;
  };
  for await (const chunk of bytes) {
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, from)) {
      take(rest.length === 0 ? chunk.subarray(from, end) : Buffer.concat([...rest, chunk.subarray(from, end)]));
      rest = [];
      restBytes = 0;
      from = end + 1;
      if (items.length >= linesPerPiece) yield piece();
    }
    if (from < chunk.length) {
      rest.push(chunk.subarray(from));
      restBytes += chunk.length - from;
      if (restBytes > limits.lineBytes)
        throw new AssayError(
          'body-too-large',
          `line ${line + 1} has more than ${limits.lineBytes} bytes, must have at most as many`,
        );
    }
  }
  if (rest.length > 0) take(Buffer.concat(rest));
  // Also when it is empty: a body without an outcome is a fault, which the parser of outcomes tells.
  if (items.length > 0 || issues.length > 0 || filled === 0) yield piece();
}
