// What does an OpenAI-compatible request ask for, and what must a variant's server get instead? Edits members in the bytes, never the rest.
import type { Json } from '../evidence/index.ts';
import type { Variant } from '../experiment/index.ts';
import { headerOf, type RawHeaders, withoutHeader } from './forward-headers.ts';
import { memberValue, setMembers } from './json-members.ts';
import { asObject, figuresOfReply, type OpenAiFigures } from './openai-figures.ts';
import { createOpenAiStream } from './openai-stream.ts';
import type { ReplyTap } from './reply-tap.ts';

const endpoint = /\/(chat\/completions|completions|embeddings)$/;

/** True for the paths of the OpenAI API that ask for a prediction, below whatever base path. @param path without query. */
export function isOpenAiPath(path: string): boolean {
  return endpoint.test(path);
}

/** The model a request names; undefined when its body names none. */
export function openAiModel(body: Buffer | null): string | undefined {
  const model = body === null ? undefined : memberValue(body, 'model');
  return typeof model === 'string' ? model : undefined;
}

/** One request to one variant of protocol `openai`. */
export interface OpenAiCall {
  readonly headers: RawHeaders;
  readonly body: Buffer;
  /**
   * True when the server refused what may be no more than the gateway's own addition to the request: the same request
   * is to be asked again without it.
   */
  isRefusal(status: number): boolean;
  /** The tap for a reply below 400 that is an event stream; null for others. */
  openTap(headers: RawHeaders, timing: { readonly now: () => number; readonly arrivedMs: number }): ReplyTap | null;
  /** Figures of a whole reply, from its document. */
  figures(document: Json | undefined): OpenAiFigures;
}

/** What all calls of one gateway share: which servers do not take `stream_options`. */
export interface OpenAiCalls {
  /**
   * The call for a request, or null when the variant or the request is of another kind.
   * @param request `isRepeat` for the second try after a refusal.
   */
  prepare(
    variant: Variant,
    request: {
      readonly path: string;
      readonly headers: RawHeaders;
      readonly body: Buffer | null;
      readonly isRepeat: boolean;
    },
  ): OpenAiCall | null;
}

/** The calls of one gateway. */
export function createOpenAiCalls(): OpenAiCalls {
  const refusing = new WeakSet<Variant>();
  return {
    prepare(variant, { path, headers, body, isRepeat }) {
      const { protocol, model, price } = variant.upstream;
      if (protocol !== 'openai' || body === null || !isOpenAiPath(path)) return null;
      if (!isPlain(headers)) return callOf({ headers, body, hidesUsage: false });
      const streams = memberValue(body, 'stream') === true;
      const options = streams ? memberValue(body, 'stream_options') : undefined;
      const asksUsage = asObject(options)?.include_usage === true;
      const hidesUsage = streams && !asksUsage && !isRepeat && !refusing.has(variant);
      const edited = setMembers(body, {
        ...(model === undefined ? {} : { model }),
        ...(hidesUsage ? { stream_options: { ...asObject(options), include_usage: true } } : {}),
      });
      return callOf({
        // An encoded stream could not be cleaned; these servers never encode unless they are asked to.
        headers: hidesUsage ? withoutHeader(headers, 'accept-encoding') : headers,
        body: edited ?? body,
        hidesUsage: hidesUsage && edited !== null,
      });

      function callOf(sent: Pick<OpenAiCall, 'headers' | 'body'> & { readonly hidesUsage: boolean }): OpenAiCall {
        return {
          headers: sent.headers,
          body: sent.body,
          isRefusal: (status) => sent.hidesUsage && (status === 400 || status === 422),
          openTap(received, timing) {
            // The same request was refused with the addition and is answered without it: this server does not know it.
            if (isRepeat) refusing.add(variant);
            const isStream = /^text\/event-stream\b/i.test(headerOf(received, 'content-type') ?? '');
            if (!isStream || !isPlain(received)) return null;
            return createOpenAiStream({ ...timing, hidesUsage: sent.hidesUsage, price });
          },
          figures: (document) => figuresOfReply(document, price),
        };
      }
    },
  };
}

/** True when the body is not encoded, so that its bytes can be read and edited. */
function isPlain(headers: RawHeaders): boolean {
  const encoding = headerOf(headers, 'content-encoding');
  return encoding === undefined || encoding.trim().toLowerCase() === 'identity';
}
