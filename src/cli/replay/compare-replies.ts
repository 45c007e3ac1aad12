// Did the other model say the same? Compares one kept reply with the reply to the same request.
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '../../evidence/index.ts';
import type { Capture } from '../../experiment/index.ts';
import { createCaptureReader, createJsonBody, parseJsonPath, redactedMark } from '../../gateway/index.ts';

/** One reply to compare. `headers` raw. */
export interface Reply {
  readonly headers: readonly string[];
  readonly body: Buffer | null;
}

/** What two replies have in common. */
export interface Comparison {
  /** Null where that cannot be told. */
  readonly same: boolean | null;
  /** The number asked for, in the kept and in the new reply; null where there is none. */
  readonly before: number | null;
  readonly after: number | null;
}

/** Compares replies to one request. */
export type Comparer = (before: Reply, after: Reply) => Comparison;

/**
 * A comparer.
 * @param options `ignore`: JSON paths that may differ, such as ids; `value`: where the number stands, null for none.
 * @throws RangeError when a path is malformed.
 */
export function createComparer(options: {
  readonly ignore: readonly string[];
  readonly value: Capture['source'] | null;
}): Comparer {
  const ignored = options.ignore.map(parseJsonPath);
  const reader =
    options.value === null ? null : createCaptureReader([{ name: 'value', from: 'reply', source: options.value }]);
  const numberOf = ({ headers, body }: Reply): number | null => {
    const source = { headers, body: createJsonBody(headers, body) };
    const value = reader?.reply(source, () => {}).captured.value;
    if (typeof value === 'boolean') return Number(value);
    return typeof value === 'number' ? value : null;
  };
  return (before, after) => ({
    same: isSame(before, after, ignored),
    before: numberOf(before),
    after: numberOf(after),
  });
}

function isSame(before: Reply, after: Reply, ignored: readonly (readonly (string | number)[])[]): boolean | null {
  const bytes = before.body ?? Buffer.alloc(0);
  if (bytes.equals(after.body ?? Buffer.alloc(0))) return true;
  // The same words may come in other pieces: two streams that differ in bytes need not differ in what they say.
  if ([before, after].some(({ headers }) => /^text\/event-stream/i.test(contentType(headers)))) return null;
  const documents = [before, after].map(({ headers, body }) => createJsonBody(headers, body).document());
  if (documents.some((document) => document === undefined)) return false;
  for (const path of ignored) for (const document of documents) forget(document!, path);
  return isDeepStrictEqual(documents[0], redactLike(documents[0]!, documents[1]!));
}

/** The new document with what was redacted in the kept one redacted too: those places may differ. */
function redactLike(kept: Json, fresh: Json): Json {
  if (kept === redactedMark) return kept;
  if (typeof kept !== 'object' || kept === null || typeof fresh !== 'object' || fresh === null) return fresh;
  if (Array.isArray(kept) && Array.isArray(fresh))
    return fresh.map((each: Json, at) => (at < kept.length ? redactLike(kept[at] as Json, each) : each));
  if (Array.isArray(kept) || Array.isArray(fresh)) return fresh;
  const known = kept as { readonly [name: string]: Json };
  return Object.fromEntries(
    Object.entries(fresh as { readonly [name: string]: Json }).map(([name, value]) => [
      name,
      Object.hasOwn(known, name) ? redactLike(known[name]!, value) : value,
    ]),
  );
}

function contentType(headers: readonly string[]): string {
  const at = headers.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === 'content-type');
  return at < 0 ? '' : headers[at + 1]!;
}

/** Takes the value at a place out of a document that is nobody else's. */
function forget(document: Json, path: readonly (string | number)[]): void {
  let holder: unknown = document;
  for (const step of path.slice(0, -1)) {
    if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, step)) return;
    holder = (holder as Record<string | number, unknown>)[step];
  }
  const last = path.at(-1);
  if (typeof holder !== 'object' || holder === null || last === undefined || !Object.hasOwn(holder, last)) return;
  if (Array.isArray(holder)) holder[last as number] = null;
  else delete (holder as Record<string, unknown>)[last];
}
