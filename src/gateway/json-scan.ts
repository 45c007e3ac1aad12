// Where does a value stand in the bytes of a JSON document? Finds a place without parsing the rest: a prediction request of
// 20 KB is mostly numbers that nobody here needs as numbers.
import type { JsonPath } from './json-path.ts';

/** What stands at a place. Positions are those of the value's first byte and of the byte after its last. */
export type JsonPlace =
  | { readonly kind: 'value'; readonly from: number; readonly to: number }
  | { readonly kind: 'missing' }
  /** A key of the path stands twice in its object: readers differ in which they take. The place is the first one's. */
  | { readonly kind: 'duplicate'; readonly from: number; readonly to: number }
  /** The bytes up to the value are no JSON document. */
  | { readonly kind: 'invalid' };

const missing: JsonPlace = { kind: 'missing' };
const invalid: JsonPlace = { kind: 'invalid' };

/**
 * The place of `path` in a document. For every document that JSON.parse takes it agrees with it, but for keys that stand
 * twice. Brackets and texts are told apart, the rest is not checked, and what follows the value is not read to its end: a
 * document that is broken elsewhere may still give its value, a document cut short never gives another one. Linear in the
 * length; a quarter of a nanosecond per byte of numbers and long texts, one per byte of short texts.
 *
 * @param path at least one step.
 * @param keys `first` takes the first of equal keys and saves looking for a second.
 */
export function scanJson(bytes: Buffer, path: readonly PathStep[], keys: 'unique' | 'first' = 'unique'): JsonPlace {
  let at = skipWhite(bytes, 0);
  const last = skipWhiteBack(bytes, bytes.length - 1);
  if (bytes[last] !== closerOf(bytes[at])) return invalid;
  const text = readyText(bytes);
  for (const [depth, { opens, key, index }] of path.entries()) {
    if (bytes[at] !== opens) return missing;
    at = key === null ? findElement(text, at + 1, index) : findKey(text, at + 1, key);
    if (at === notFound) return depth === 0 && key !== null && endOfLastSearch !== last + 1 ? invalid : missing;
    if (at < 0) return invalid;
  }
  const to = endOfValue(text, at);
  if (to < 0) return invalid;
  if (keys === 'first') return { kind: 'value', from: at, to };
  // A second key of the path would have to stand behind the value: as it is written, or with an escape in it.
  const isOnce =
    path.every(({ key }) => key === null || bytes.indexOf(key.quoted, to) < 0) &&
    (text.isPlain || !hasEscape(bytes, to));
  if (!isOnce) {
    const again = findAgain(text, to, path);
    if (again !== notFound) return again === broken ? invalid : { kind: 'duplicate', from: at, to };
  }
  return { kind: 'value', from: at, to };
}

/** One step of a prepared path. */
export interface PathStep {
  /** Byte that opens the container this step looks into. */
  readonly opens: number;
  /** Null for a position in a list. */
  readonly key: Key | null;
  readonly index: number;
}

interface Key {
  readonly name: string;
  /** As it stands in a document without escapes, quotes included. */
  readonly quoted: Buffer;
}

/** A path, made ready for `scanJson` once. */
export function preparePath(path: JsonPath): readonly PathStep[] {
  return path.map((step): PathStep => {
    if (typeof step === 'number') return { opens: openBracket, key: null, index: step };
    return { opens: openBrace, key: { name: step, quoted: Buffer.from(JSON.stringify(step)) }, index: 0 };
  });
}

/** A document that is being searched. */
interface Text {
  readonly bytes: Buffer;
  /** The bytes from `head` on, four at a time. */
  readonly words: Int32Array;
  readonly head: number;
  /** No backslash in it, so every quote begins or ends a text. */
  readonly isPlain: boolean;
}

function readyText(bytes: Buffer): Text {
  const isPlain = !hasEscape(bytes, 0);
  if (bytes.length < 8) return { bytes, words: noWords, head: 0, isPlain };
  const head = (4 - (bytes.byteOffset & 3)) & 3;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + head, (bytes.length - head) >> 2);
  return { bytes, words, head, isPlain };
}

const noWords = new Int32Array(0);

const notFound = -1;
const broken = -2;
/** Where the container ended in which the last search found nothing: a second result without an object for each search. */
let endOfLastSearch = 0;

/** 0, `notFound` or `broken`: whether a key of the path stands a second time, in what remains of its objects. @param at behind the value. */
function findAgain(text: Text, at: number, path: readonly PathStep[]): number {
  for (const { key } of path.toReversed()) {
    const found = findKey(text, at, key);
    if (found !== notFound) return found === broken ? broken : 0;
    at = endOfLastSearch;
  }
  return notFound;
}

/**
 * Start of the value of `key` in the container around `at`; `notFound`, or `broken` when the container does not end.
 * @param key null finds nothing, only the end.
 */
function findKey(text: Text, at: number, key: Key | null): number {
  const { bytes, words, head } = text;
  const { length } = bytes;
  let depth = 0;
  while (at < length) {
    if (((at - head) & 3) === 0 && at >= head) {
      let word = (at - head) >> 2;
      while (word < words.length && isPlainWord(words[word]!)) word += 1;
      at = head + (word << 2);
      if (at >= length) return broken;
    }
    const byte = bytes[at]!;
    at += 1;
    if (byte === quote) {
      const from = at;
      at = endOfText(text, at);
      if (at < 0) return broken;
      if (depth > 0 || key === null) continue;
      const behind = skipWhite(bytes, at);
      if (bytes[behind] === colon && isKey(text, key, { from, to: at - 1 })) return skipWhite(bytes, behind + 1);
    } else if (byte === openBrace || byte === openBracket) depth += 1;
    else if (byte === closeBrace || byte === closeBracket) {
      if (depth === 0) {
        endOfLastSearch = at;
        return notFound;
      }
      depth -= 1;
    }
  }
  return broken;
}

/** True when none of four bytes is a quote or above 0x3f, as all brackets are: digits, signs, commas and white space are below. */
function isPlainWord(word: number): boolean {
  return (word & 0x40404040) === 0 && !hasQuote(word);
}

/** True when one of four bytes is a quote: a byte of `rest` that is zero borrows from its top bit. */
function hasQuote(word: number): boolean {
  const rest = word ^ 0x22222222;
  return ((rest - 0x01010101) & ~rest & 0x80808080) !== 0;
}

/** Start of the element at `index`, searched from `at` within a list, behind its bracket; `notFound`, or `broken`. */
function findElement(text: Text, at: number, index: number): number {
  const { bytes } = text;
  at = skipWhite(bytes, at);
  if (bytes[at] === closeBracket) return notFound;
  for (let place = 0; place < index; place += 1) {
    at = endOfValue(text, at);
    if (at < 0) return broken;
    at = skipWhite(bytes, at);
    if (bytes[at] === closeBracket) return notFound;
    if (bytes[at] !== comma) return broken;
    at = skipWhite(bytes, at + 1);
  }
  return at;
}

/** True when the text between two quotes is the key, however it is written. */
function isKey({ bytes, isPlain }: Text, { name, quoted }: Key, { from, to }: { from: number; to: number }): boolean {
  const length = quoted.length - 2;
  if (to - from === length) {
    let at = 0;
    while (at < length && bytes[from + at] === quoted[at + 1]) at += 1;
    return at === length;
  }
  // An escape takes two bytes or more, so a key with escapes is longer.
  if (isPlain || to - from < length || !hasEscape(bytes.subarray(from, to), 0)) return false;
  try {
    return JSON.parse(bytes.toString('utf8', from - 1, to + 1)) === name;
  } catch {
    return false;
  }
}

/** Position behind the value that begins at `at`; `broken` when it does not end. */
function endOfValue(text: Text, at: number): number {
  const { bytes } = text;
  const first = bytes[at];
  if (first === quote) return endOfText(text, at + 1);
  if (first === openBrace || first === openBracket) {
    return findKey(text, at + 1, null) === notFound ? endOfLastSearch : broken;
  }
  let end = at;
  while (end < bytes.length && isScalarByte(bytes[end]!)) end += 1;
  return end > at && end < bytes.length ? end : broken;
}

/** Position behind the quote that ends the text which goes on at `at`; `broken` when there is none. */
function endOfText({ bytes, words, head, isPlain }: Text, at: number): number {
  const { length } = bytes;
  if (!isPlain) {
    for (; at < length; at += 1) {
      const byte = bytes[at]!;
      if (byte === quote) return at + 1;
      if (byte === backslash) at += 1;
    }
    return broken;
  }
  while (at < length) {
    if (((at - head) & 3) === 0 && at >= head) {
      let word = (at - head) >> 2;
      while (word < words.length && !hasQuote(words[word]!)) word += 1;
      at = head + (word << 2);
      if (at >= length) return broken;
    }
    if (bytes[at] === quote) return at + 1;
    at += 1;
  }
  return broken;
}

function hasEscape(bytes: Buffer, from: number): boolean {
  return bytes.indexOf(backslash, from) >= 0;
}

/** First position from `at` that is no JSON white space; the length when there is none. */
export function skipWhite(bytes: Buffer, at: number): number {
  while (at < bytes.length && isWhite(bytes[at]!)) at += 1;
  return at;
}

/** Last position up to `at` that is no JSON white space; -1 when there is none. */
export function skipWhiteBack(bytes: Buffer, at: number): number {
  while (at >= 0 && isWhite(bytes[at]!)) at -= 1;
  return at;
}

function isWhite(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Bytes of numbers, true, false and null. */
function isScalarByte(byte: number): boolean {
  const isDigit = byte >= 0x30 && byte <= 0x39;
  const isLetter = byte >= 0x61 && byte <= 0x7a;
  return isDigit || isLetter || byte === 0x2d || byte === 0x2e || byte === 0x2b || byte === 0x45;
}

/** What closes a document that begins so; no byte for a scalar, since no path leads into one. */
function closerOf(first: number | undefined): number {
  return first === openBrace ? closeBrace : first === openBracket ? closeBracket : -1;
}

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const comma = 0x2c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
