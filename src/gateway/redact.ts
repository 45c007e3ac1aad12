// What may be kept of a body that holds secrets? Replaces values at given places in the text and leaves every other character as it came.
import type { Json } from '../evidence/index.ts';
import { createEventSplitter } from './event-stream.ts';
import type { JsonPath } from './json-path.ts';

/** What stands in the place of a redacted value. */
export const redactedMark = '[redacted]';
const mark = JSON.stringify(redactedMark);

/** A text and how many of its values were replaced. */
export interface RedactedText {
  readonly text: string;
  readonly count: number;
}

/** The document with the values at these places replaced, also where a name stands twice; null when the text is no JSON. */
export function redactJson(text: string, paths: readonly JsonPath[]): RedactedText | null {
  try {
    JSON.parse(text) as Json;
  } catch {
    return null;
  }
  const parts: string[] = [];
  let kept = 0;
  let count = 0;
  let at = 0;

  const skipSpace = (): void => {
    while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at += 1;
  };
  const skipString = (): string => {
    const from = at;
    at += 1;
    while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
    at += 1;
    return text.slice(from, at);
  };
  const skipValue = (): void => {
    let depth = 0;
    do {
      skipSpace();
      const character = text[at];
      if (character === '"') skipString();
      else if (character === '{' || character === '[') {
        depth += 1;
        at += 1;
      } else if (character === '}' || character === ']') {
        depth -= 1;
        at += 1;
      } else if (character === ',' || character === ':') at += 1;
      else while (at < text.length && !/[\s,\]}]/.test(text[at]!)) at += 1;
    } while (depth > 0);
  };
  /** Walks one value; `open` are the rests of the paths that lead through it. */
  const walk = (open: readonly JsonPath[]): void => {
    skipSpace();
    if (open.some((path) => path.length === 0)) {
      parts.push(text.slice(kept, at), mark);
      skipValue();
      kept = at;
      count += 1;
      return;
    }
    const close = text[at] === '{' ? '}' : ']';
    if (open.length === 0 || (text[at] !== '{' && text[at] !== '[')) {
      skipValue();
      return;
    }
    at += 1;
    skipSpace();
    for (let index = 0; text[at] !== close; index += 1) {
      let step: string | number = index;
      if (close === '}') {
        step = JSON.parse(skipString()) as string;
        skipSpace();
        at += 1;
      }
      walk(open.filter((path) => path[0] === step).map((path) => path.slice(1)));
      skipSpace();
      if (text[at] === ',') at += 1;
      skipSpace();
    }
    at += 1;
  };

  walk(paths);
  return { text: parts.join('') + text.slice(kept), count };
}

/**
 * An event stream with the values replaced in each of its documents. What cannot be read is replaced whole, because
 * nobody knows what it says.
 */
export function redactEvents(stream: Buffer, paths: readonly JsonPath[]): RedactedText {
  const splitter = createEventSplitter();
  const events = [...splitter.push(stream)];
  const last = splitter.end();
  if (last !== null) events.push(last);
  let text = '';
  let count = 0;
  for (const { raw, data, dataAt } of events) {
    if (data === null || data.trim() === '[DONE]') {
      const written = raw.toString('utf8');
      if (data !== null || /^\s*(:.*\s*)?$/.test(written)) text += written;
      else count += 1;
      continue;
    }
    const redacted = dataAt === null ? null : redactJson(data, paths);
    count += redacted?.count ?? 1;
    text +=
      dataAt === null || redacted === null
        ? `data: ${mark}\n\n`
        : raw.toString('utf8', 0, dataAt.from) + redacted.text + raw.toString('utf8', dataAt.to);
  }
  return { text, count };
}
