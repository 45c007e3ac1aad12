// Which words does the text of an expression consist of?
import type { ExpressionError } from './expression.ts';

/** One word of an expression; `at` is its first character, 0-based, `end` the one after its last. */
export type Token =
  | { readonly kind: 'number'; readonly at: number; readonly end: number; readonly value: number }
  | { readonly kind: 'text'; readonly at: number; readonly end: number; readonly value: string }
  /** `bare` is false when a part was written in backticks; then it is never a word of the language. */
  | { readonly kind: 'name'; readonly at: number; readonly end: number; readonly name: string; readonly bare: boolean }
  | { readonly kind: 'sign'; readonly at: number; readonly end: number; readonly sign: string }
  | { readonly kind: 'end'; readonly at: number; readonly end: number };

/** An error at a 0-based character; the sentence gets its 1-based column. */
export function errorAt(at: number, sentence: string): ExpressionError {
  return { kind: 'error', at, message: `${sentence} at column ${at + 1}` };
}

const numberPattern = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const wordPattern = /[A-Za-z_][A-Za-z0-9_]*/y;
const quotedPattern = /`([^`\n]+)`/y;
const signs: readonly string[] = ['==', '!=', '<=', '>=', '&&', '||', '<', '>', '+', '-', '*', '/', '!', '(', ')', ','];
const corrections: readonly (readonly [string, string])[] = [
  ['<>', "'<>' is not known, write '!='"],
  ['===', "'===' is not known, write '=='"],
  ['!==', "'!==' is not known, write '!='"],
];

/** The words of `text`, the last of kind `end`; or the first place that is no word. */
export function tokenize(
  text: string,
): { readonly kind: 'tokens'; readonly tokens: readonly Token[] } | ExpressionError {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at]!)) {
      at += 1;
      continue;
    }
    const token = tokenAt(text, at);
    if (token.kind === 'error') return token;
    tokens.push(token);
    at = token.end;
  }
  tokens.push({ kind: 'end', at: text.length, end: text.length });
  return { kind: 'tokens', tokens };
}

function tokenAt(text: string, at: number): Token | ExpressionError {
  const char = text[at]!;
  if (/[0-9]/.test(char)) return numberAt(text, at);
  if (char === '.' && /[0-9]/.test(text[at + 1] ?? '')) return errorAt(at, "a number begins with a digit, write '0.5'");
  if (char === "'" || char === '"') return textAt(text, at);
  if (/[A-Za-z_`]/.test(char)) return nameAt(text, at);
  for (const [wrong, sentence] of corrections) if (text.startsWith(wrong, at)) return errorAt(at, sentence);
  const sign = signs.find((candidate) => text.startsWith(candidate, at));
  if (sign !== undefined) return { kind: 'sign', at, end: at + sign.length, sign };
  if (char === '=') return errorAt(at, "'=' is not known, write '==' to compare");
  if (char === '&' || char === '|') return errorAt(at, `'${char}' is not known, write '${char}${char}'`);
  if (char === '%') return errorAt(at, "'%' stands right behind a number, as in 3%,");
  return errorAt(at, `'${String.fromCodePoint(text.codePointAt(at)!)}' is not known`);
}

function numberAt(text: string, at: number): Token | ExpressionError {
  const digits = matchAt(numberPattern, text, at)![0];
  let end = at + digits.length;
  let value = Number(digits);
  if (text[end] === '%') {
    value /= 100;
    end += 1;
  }
  if (/[\p{L}\p{N}_.%]/u.test(text[end] ?? '')) return errorAt(end, `'${text[end]}' cannot follow a number`);
  if (!Number.isFinite(value)) return errorAt(at, `${digits} is too large, must be below 1.8e308,`);
  return { kind: 'number', at, end, value };
}

function textAt(text: string, at: number): Token | ExpressionError {
  const quote = text[at]!;
  let value = '';
  for (let index = at + 1; index < text.length; index += 1) {
    const char = text[index]!;
    if (char === quote) {
      if (/[\p{Surrogate}\0]/u.test(value)) return errorAt(at, 'text holds a character that is not valid Unicode text');
      return { kind: 'text', at, end: index + 1, value };
    }
    if (char === '\\') {
      const next = text[index + 1] ?? '';
      if (next === '' || !`\\'"`.includes(next)) {
        return errorAt(index, 'a backslash in text must be followed by a quote or a backslash');
      }
      value += next;
      index += 1;
    } else value += char;
  }
  return errorAt(at, `text is not closed, expected ${quote === "'" ? '"\'"' : "'\"'"} to match the one`);
}

function nameAt(text: string, at: number): Token | ExpressionError {
  const segments: string[] = [];
  let bare = true;
  let end = at;
  for (;;) {
    const word = matchAt(wordPattern, text, end);
    const quoted = word === null ? matchAt(quotedPattern, text, end) : null;
    if (word === null && quoted === null) {
      return text[end] === '`'
        ? errorAt(end, "name is not closed, expected '`' to match the one")
        : errorAt(end, `expected a name after '${text.slice(at, end)}'`);
    }
    if (quoted !== null) bare = false;
    segments.push(word?.[0] ?? quoted![1]!);
    end += (word ?? quoted)![0].length;
    if (text[end] !== '.') break;
    end += 1;
  }
  return { kind: 'name', at, end, name: segments.join('.'), bare };
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
