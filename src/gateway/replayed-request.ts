// How does a kept request go to another model server? The body as it was kept, path and model name rewritten as for a variant.
import type { Variant } from '../experiment/index.ts';
import { createOpenAiCalls } from './openai-request.ts';
import type { KeptBody, KeptExchange, UpstreamRequest } from './ports.ts';
import { parseModelPath } from './upstream-path.ts';
import { variantRequest } from './variant-request.ts';

/** The bytes of a kept body; null when there were none or they were left out. */
export function keptBytes({ text, encoding }: KeptBody): Buffer | null {
  return text === null ? null : Buffer.from(text, encoding);
}

/** A kept body's headers as raw name, value, name, value. */
export function keptHeaders({ headers }: KeptBody): readonly string[] {
  return Object.entries(headers).flat();
}

/** The request of a kept exchange as `variant` gets it. @param headers further ones, raw. */
export function replayedRequest(kept: KeptExchange, variant: Variant, headers: readonly string[]): UpstreamRequest {
  const question = kept.path.indexOf('?');
  const path = question < 0 ? kept.path : kept.path.slice(0, question);
  const query = question < 0 ? '' : kept.path.slice(question);
  const body = keptBytes(kept.request);
  const sent = { headers: [...keptHeaders(kept.request), ...headers], body };
  // As a repeat: nobody needs the usage of a replayed stream, so nothing is added to the request.
  const call = createOpenAiCalls().prepare(variant, { path, ...sent, isRepeat: true }) ?? sent;
  return variantRequest(
    {
      method: kept.method,
      asked: { path, query, model: parseModelPath(path) },
      headers: call.headers,
      body: call.body,
      isPrediction: false,
    },
    variant,
    { timeoutMs: variant.timeoutMs, tellsDeadline: false, isMirror: false },
  );
}
