// Who is asking? Reads the unit id from the places an experiment names: header, cookie, session, or the JSON body.
import type { UnitRule, UnitSource } from '../experiment/index.ts';
import { headerOf, type RawHeaders } from './forward-headers.ts';
import type { JsonBody } from './json-body.ts';
import { parseJsonPath } from './json-path.ts';
import { preparePath, scanJson } from './json-scan.ts';

/** Longest unit id taken, in bytes of UTF-8; longer ones count as no id, so that a log line stays bounded. */
const maxUnitIdBytes = 512;

/** What the request says about its unit. */
type UnitId =
  | { readonly kind: 'unit'; readonly id: string }
  /** The request is its own unit. */
  | { readonly kind: 'request' }
  | { readonly kind: 'none'; readonly cause: NoUnitCause };

/** `duplicate`: a key of its JSON path stands twice, so gateway and model server might read different ids. */
export type NoUnitCause = 'missing' | 'too-long' | 'duplicate';

/** Reads the unit id of one request; made once per experiment. */
export type UnitReader = (headers: RawHeaders, body: JsonBody) => UnitId;

/** Null: the id is ambiguous. */
type Reader = (headers: RawHeaders, body: JsonBody) => string | null | undefined;

/**
 * The reader for a rule: sources in order, the first non-empty id wins.
 * @throws RangeError when a JSON path is malformed.
 */
export function createUnitReader(rule: UnitRule): UnitReader {
  if (rule.sources.some((source) => source.kind === 'request')) return () => ({ kind: 'request' });
  const readers = rule.sources.map(readerOf);
  return (headers, body) => {
    let cause: NoUnitCause = 'missing';
    for (const read of readers) {
      const id = read(headers, body);
      if (id === null) return { kind: 'none', cause: 'duplicate' };
      if (id === undefined || id === '') continue;
      if (Buffer.byteLength(id) <= maxUnitIdBytes) return { kind: 'unit', id };
      cause = 'too-long';
    }
    return rule.orElse === 'request' ? { kind: 'request' } : { kind: 'none', cause };
  };
}

function readerOf(source: UnitSource): Reader {
  switch (source.kind) {
    case 'header': {
      const name = source.name.toLowerCase();
      return (headers) => headerText(headers, name);
    }
    case 'cookie':
      return (headers) => cookieOf(headers, source.name);
    case 'session': {
      const name = source.name.toLowerCase();
      return (headers) => headerText(headers, name) || cookieOf(headers, source.name);
    }
    case 'json': {
      const path = preparePath(parseJsonPath(source.path));
      return (_headers, body) => {
        const bytes = body.json();
        if (bytes === null) return undefined;
        const place = scanJson(bytes, path);
        if (place.kind === 'value') return idOf(bytes.toString('utf8', place.from, place.to));
        return place.kind === 'duplicate' ? null : undefined;
      };
    }
    case 'request':
      return () => undefined;
  }
}

/** The id that a JSON value is: a text, or a number below 2^53 as JavaScript writes it. */
function idOf(json: string): string | undefined {
  if (json.startsWith('{') || json.startsWith('[')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (typeof value === 'string') return value;
  // Beyond 2^53 neighbouring ids would read as one; such ids must be sent as text.
  return typeof value === 'number' && (Number.isSafeInteger(value) || !Number.isInteger(value))
    ? String(value)
    : undefined;
}

/** A header as text: the bytes are UTF-8 where they are valid UTF-8, so that an id is the same in a header and in JSON. */
export function headerText(headers: RawHeaders, name: string): string | undefined {
  const value = headerOf(headers, name);
  if (value === undefined) return undefined;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is a range of code points, control characters included
  if (/^[\x00-\x7f]*$/.test(value)) return value;
  const text = Buffer.from(value, 'latin1').toString('utf8');
  return text.includes('\ufffd') ? value : text;
}

/** A cookie's value (RFC 6265 section 4.2): quotes taken off, percent-decoded where that is possible. `name` is case-sensitive. */
function cookieOf(headers: RawHeaders, name: string): string | undefined {
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at]!.toLowerCase() !== 'cookie') continue;
    for (const pair of headers[at + 1]!.split(';')) {
      const equals = pair.indexOf('=');
      if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
      const value = pair.slice(equals + 1).trim();
      const bare = value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
      try {
        return decodeURIComponent(bare);
      } catch {
        return bare;
      }
    }
  }
  return undefined;
}
