// How do the page's endpoints read requests and answer them? With the experiment of the path, and a tag that spares unchanged bytes.
import { createHash } from 'node:crypto';
import type { Context } from 'hono';

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
