// Which questions about the server itself are answered here, and how does a model call itself? Open Inference Protocol v2: health and metadata.
import { headerOf, type RawHeaders, withoutHeader } from './forward-headers.ts';
import { createJsonBody } from './json-body.ts';
import { memberValue, setMembers } from './json-members.ts';
import type { AskedPath } from './upstream-path.ts';

/** A small JSON answer. */
export interface OwnAnswer {
  readonly status: number;
  readonly body: Buffer;
}

/**
 * The gateway's answer to `/v2`, `/v2/health/live` and `/v2/health/ready`; null for everything else. Clients ask these
 * before their first prediction, and there is no model server that they would be about: every model has its own.
 */
export function answerForServer(method: string, path: string, isReady: boolean): OwnAnswer | null {
  if (method !== 'GET' && method !== 'HEAD') return null;
  switch (path.replace(/\/$/, '')) {
    case '/v2':
      return answer(200, { name: 'assay', version: '1', extensions: [] });
    case '/v2/health/live':
      return answer(200, { live: true });
    case '/v2/health/ready':
      return answer(isReady ? 200 : 503, { ready: isReady });
    default:
      return null;
  }
}

function answer(status: number, document: object): OwnAnswer {
  return { status, body: Buffer.from(JSON.stringify(document)) };
}

/** A whole reply. */
export interface WholeReply {
  readonly status: number | null;
  readonly headers: RawHeaders;
  readonly body: Buffer;
}

/**
 * A model's metadata under the name by which the caller asked for it; every other reply as it is. Which variant's model
 * answers is no business of callers, and some look for the name they know.
 */
export function metadataAsAsked(
  reply: WholeReply,
  { method, asked }: { method: string; asked: AskedPath },
): WholeReply {
  const { model } = asked;
  if (model === null || model.api !== 'v2' || model.rest !== '' || method !== 'GET' || reply.status !== 200)
    return reply;
  const json = createJsonBody(reply.headers, reply.body).json();
  const isNamed = json !== null && typeof memberValue(json, 'name') === 'string';
  const body = isNamed ? setMembers(json, { name: model.model }) : null;
  if (body === null) return reply;
  let headers = withoutHeader(withoutHeader(reply.headers, 'content-encoding'), 'etag');
  if (headerOf(headers, 'content-length') !== undefined) {
    headers = [...withoutHeader(headers, 'content-length'), 'content-length', String(body.length)];
  }
  return { status: reply.status, headers, body };
}
