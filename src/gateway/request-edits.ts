// What does a variant write into its requests? Headers, and top-level members of a JSON body, edited in the bytes: nothing else of
// the body is read or written anew, so 64-bit integers, white space and the order of keys stay as the caller sent them.
import type { Variant } from '../experiment/index.ts';
import { headerOf, type RawHeaders, withoutHeader } from './forward-headers.ts';
import { isGrpcRequest } from './grpc-call.ts';
import { createJsonBody, isJsonObject } from './json-body.ts';
import { setMembers } from './json-members.ts';

/** Headers and body as they are sent. */
export interface EditableRequest {
  readonly headers: RawHeaders;
  readonly body: Buffer | null;
}

/**
 * The request with a variant's edits. A body that is no JSON object stays as it is. One that came encoded goes out plain,
 * because nobody but the model server's HTTP layer could tell the difference.
 */
export function editRequest(request: EditableRequest, { set }: Variant): EditableRequest {
  if (set === undefined) return request;
  let { headers, body } = request;
  if (set.json !== undefined && body !== null && !isGrpcRequest(headers)) {
    const parts = createJsonBody(headers, body);
    const json = parts.json();
    const edited = json === null || !isJsonObject(json) ? null : setMembers(json, set.json);
    if (edited !== null) {
      const binary = parts.binary();
      body = binary === null ? edited : Buffer.concat([edited, binary]);
      headers = withoutHeader(headers, 'content-encoding');
      if (headerOf(headers, jsonLengthHeader) !== undefined) {
        headers = [...withoutHeader(headers, jsonLengthHeader), jsonLengthHeader, String(edited.length)];
      }
    }
  }
  for (const [name, value] of Object.entries(set.headers ?? {})) {
    headers = [...withoutHeader(headers, name), name, value];
  }
  return { headers, body };
}

/** Length of the JSON part of a body that goes on with binary tensors. */
const jsonLengthHeader = 'inference-header-content-length';
