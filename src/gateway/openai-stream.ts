// What does a streamed OpenAI reply say on its way to the caller? Times the first token, reads the usage, and takes out what only we asked for.
import type { Json } from '../evidence/index.ts';
import type { UpstreamSpec } from '../experiment/index.ts';
import { createEventSplitter, type StreamEvent } from './event-stream.ts';
import { cutMember } from './json-members.ts';
import { asObject, firstChoice, type OpenAiFigures, textFigure, usageFigures } from './openai-figures.ts';
import type { ReplyTap } from './reply-tap.ts';

/** Options of `createOpenAiStream`. */
export interface OpenAiStreamOptions {
  readonly now: () => number;
  /** Arrival of the request, epoch milliseconds; the first token is timed from here, so a fallback's lost time counts. */
  readonly arrivedMs: number;
  /** True when the gateway, not the caller, asked for the usage: the caller's stream then shows no trace of it. */
  readonly hidesUsage: boolean;
  readonly price: UpstreamSpec['price'];
}

/** A tap on one streamed reply of chat completions or completions. */
export function createOpenAiStream({ now, arrivedMs, hidesUsage, price }: OpenAiStreamOptions): ReplyTap {
  const splitter = createEventSplitter();
  let firstTokenMs: number | null = null;
  let lastTokenMs = 0;
  let usage: Json | undefined;
  let model: Json | undefined;
  let finishReason: Json | undefined;
  let isDone = false;
  let hasError = false;
  let isHidden = false;

  /** What the caller gets of an event; null for nothing. */
  const read = (event: StreamEvent): Buffer | null => {
    if (event.isTail) return isHidden ? null : event.raw;
    isHidden = false;
    const { data, raw } = event;
    if (data === null) return raw;
    if (data.trim() === '[DONE]') {
      isDone = true;
      return raw;
    }
    const chunk = asObject(parse(data));
    if (chunk === undefined) return raw;
    if (chunk.error !== undefined && chunk.error !== null) hasError = true;
    model ??= chunk.model;
    const choice = firstChoice(chunk);
    if (choice !== undefined) {
      finishReason = choice.finish_reason ?? finishReason;
      if (hasContent(choice)) {
        lastTokenMs = now();
        firstTokenMs ??= lastTokenMs;
      }
    }
    if (asObject(chunk.usage) !== undefined) usage = chunk.usage;
    if (!hidesUsage || !Object.hasOwn(chunk, 'usage')) return raw;
    if (chunk.usage === null) return withoutUsage(event);
    isHidden = Array.isArray(chunk.choices) && chunk.choices.length === 0;
    return isHidden ? null : raw;
  };

  const pass = (events: readonly StreamEvent[]): Buffer | null => {
    if (events.length === 1) return read(events[0]!);
    const parts = events.map(read).filter((part) => part !== null);
    return parts.length === 0 ? null : Buffer.concat(parts);
  };

  return {
    push(chunk) {
      const passed = pass(splitter.push(chunk));
      return hidesUsage ? passed : chunk;
    },
    end() {
      const rest = splitter.end();
      const passed = rest === null ? null : read(rest);
      return hidesUsage ? passed : null;
    },
    figures() {
      const used = usageFigures(usage, price);
      const rate = tokenRate(used.completion_tokens, lastTokenMs - (firstTokenMs ?? lastTokenMs));
      return {
        ...textFigure('model', model),
        ...textFigure('finish_reason', finishReason),
        ...used,
        ...(firstTokenMs === null ? {} : { ttft_ms: firstTokenMs - arrivedMs }),
        ...(rate === null ? {} : { tokens_per_second: rate }),
      };
    },
    failure() {
      if (hasError) return 'error-event';
      // Some servers never send [DONE]; one that has said why it stopped has finished all the same.
      return isDone || typeof finishReason === 'string' ? null : 'cut-off';
    },
  };
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** True when the choice brings a token: text, a tool call, reasoning, audio; the chunk that only names the role brings none. */
function hasContent(choice: { readonly [key: string]: Json }): boolean {
  if (typeof choice.text === 'string') return choice.text !== '';
  const delta = asObject(choice.delta);
  if (delta === undefined) return false;
  for (const name in delta) {
    const value = delta[name];
    if (name === 'role' || value === null || value === '') continue;
    if (!Array.isArray(value) || value.length > 0) return true;
  }
  return false;
}

/** Tokens after the first, per second between the first and the last; null for fewer than two or no time between. */
function tokenRate(tokens: OpenAiFigures[string] | undefined, elapsedMs: number): number | null {
  return typeof tokens === 'number' && tokens > 1 && elapsedMs > 0 ? ((tokens - 1) / elapsedMs) * 1000 : null;
}

/** The event without its `"usage": null`, which OpenAI sends in every chunk once usage is asked for. */
function withoutUsage({ raw, dataAt }: StreamEvent): Buffer {
  if (dataAt === null) return raw;
  const data = cutMember(raw.subarray(dataAt.from, dataAt.to), 'usage');
  return Buffer.concat([raw.subarray(0, dataAt.from), data, raw.subarray(dataAt.to)]);
}
