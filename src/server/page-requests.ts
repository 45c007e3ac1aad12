// How do the page's endpoints read requests and answer them? With the experiment of the path, and a tag that spares unchanged bytes.
import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import { AssayError } from '../errors.ts';

/** Name and namespace of a request about one experiment. */
export function nameOf(context: Context): { readonly name: string; readonly namespace: string } {
  return { name: context.req.param('name') ?? '', namespace: context.req.query('namespace') || 'default' };
}

/** The answer as JSON with a tag over it (or over `what`), or 304 where the reader has it already. */
export function tagged(context: Context, answer: object, what: object = answer): Response {
  const etag = `"${createHash('sha256').update(JSON.stringify(what)).digest('base64url').slice(0, 22)}"`;
  if (matches(context.req.header('if-none-match'), etag)) return context.body(null, 304, { etag });
  return context.json(answer, 200, { etag });
}

/** True when an If-None-Match header names this tag, or any. */
export function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((each) => each.trim() === '*' || each.trim().replace(/^W\//, '') === etag);
}

/**
 * The revision a file was made from, as the headers of a PUT have it: If-Match: "3", or If-None-Match: * to create only.
 * @throws AssayError `request-invalid` for any other If-Match or If-None-Match.
 */
export function seenFile(
  ifMatch: string | undefined,
  ifNoneMatch: string | undefined,
): { readonly expectedFile?: number } {
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch.trim() === '*') return { expectedFile: 0 };
    throw new AssayError('request-invalid', `If-None-Match is ${JSON.stringify(ifNoneMatch)}, must be *`);
  }
  if (ifMatch === undefined) return {};
  const revision = /^"(\d{1,9})"$/.exec(ifMatch.trim())?.[1];
  if (revision === undefined)
    throw new AssayError(
      'request-invalid',
      `If-Match is ${JSON.stringify(ifMatch)}, must be the file's revision in quotes, such as "3"`,
    );
  return { expectedFile: Number(revision) };
}
