// What did an OpenAI-compatible reply use and cost? Tokens, money and timing, for the record's `captured`.
import type { Json } from '../evidence/index.ts';
import type { UpstreamSpec } from '../experiment/index.ts';

/** Figures by name, a subset of `languageModelFields` of src/experiment; what the reply does not say is absent. */
export type OpenAiFigures = { readonly [name: string]: string | number };

type JsonObject = { readonly [key: string]: Json };

/** Longest text taken from a reply, characters. */
const maxTextLength = 200;

/** The value as an object, or undefined. */
export function asObject(value: Json | undefined): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

/** The first choice of a reply or a chunk, or undefined. */
export function firstChoice(document: JsonObject): JsonObject | undefined {
  const { choices } = document;
  return Array.isArray(choices) ? asObject((choices as readonly Json[])[0]) : undefined;
}

/** Figures of a whole reply. */
export function figuresOfReply(document: Json | undefined, price: UpstreamSpec['price']): OpenAiFigures {
  const reply = asObject(document);
  if (reply === undefined) return {};
  const finish = firstChoice(reply)?.finish_reason;
  return {
    ...textFigure('model', reply.model),
    ...textFigure('finish_reason', finish),
    ...usageFigures(reply.usage, price),
  };
}

/** One text as a figure; nothing for anything else. */
export function textFigure(name: string, value: Json | undefined): OpenAiFigures {
  return typeof value === 'string' && value !== '' ? { [name]: value.slice(0, maxTextLength) } : {};
}

/**
 * Tokens, and what they cost. Embeddings have no completion; their cost is that of the prompt alone.
 * @param usage the `usage` member of a reply or of a stream's last chunk.
 */
export function usageFigures(usage: Json | undefined, price: UpstreamSpec['price']): OpenAiFigures {
  const said = asObject(usage);
  if (said === undefined) return {};
  const prompt = tokenCount(said.prompt_tokens);
  const completion = tokenCount(said.completion_tokens);
  const total =
    tokenCount(said.total_tokens) ??
    (prompt === undefined || completion === undefined ? undefined : prompt + completion);
  return {
    ...(prompt === undefined ? {} : { prompt_tokens: prompt }),
    ...(completion === undefined ? {} : { completion_tokens: completion }),
    ...(total === undefined ? {} : { total_tokens: total }),
    ...(price === undefined || prompt === undefined || (completion === undefined && total !== prompt)
      ? {}
      : { cost: (prompt * price.input + (completion ?? 0) * price.output) / price.per }),
  };
}

function tokenCount(value: Json | undefined): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
