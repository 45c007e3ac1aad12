// Which commands does a documented shell block hold? The few rules of the shell that our pages use.

/** The words of each command: quotes taken off, continued lines joined, comments left out; `&&` and line ends part commands. */
export function commandsIn(text: string): readonly (readonly string[])[] {
  const commands: string[][] = [];
  let words: string[] = [];
  let word: string | undefined;
  let quote = '';
  const endWord = (): void => {
    if (word !== undefined) words.push(word);
    word = undefined;
  };
  const endCommand = (): void => {
    endWord();
    if (words.length > 0) commands.push(words);
    words = [];
  };
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at] ?? '';
    if (quote !== '') {
      if (letter === quote) quote = '';
      else word = (word ?? '') + letter;
    } else if (letter === "'" || letter === '"') {
      quote = letter;
      word ??= '';
    } else if (letter === '\\' && text[at + 1] === '\n') at += 1;
    else if (letter === '#' && word === undefined) {
      while (at + 1 < text.length && text[at + 1] !== '\n') at += 1;
    } else if (letter === '\n') endCommand();
    else if (letter === '&' && text[at + 1] === '&') {
      endCommand();
      at += 1;
    } else if (letter === ' ') endWord();
    // Output into a file: its name is no word of the command.
    else if (letter === '>' && word === undefined) {
      while (at + 1 < text.length && text[at + 1] !== '\n') at += 1;
    } else if (/[|;<>$&]/.test(letter))
      throw new Error(`"${letter}" in a documented command is more than the test can run`);
    else word = (word ?? '') + letter;
  }
  if (quote !== '') throw new Error(`a quote is never closed in: ${text}`);
  endCommand();
  return commands;
}

/** A documented `curl` as a request. */
export interface CurlRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** As given; `@NAME` with `--data-binary` names a file. */
  readonly body?: string;
}

/** Reads the words after `curl`. @throws Error for an option that is not known here. */
export function readCurl(words: readonly string[]): CurlRequest {
  let url: string | undefined;
  let method: string | undefined;
  let body: string | undefined;
  const headers: Record<string, string> = {};
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    const value = words[at + 1] ?? '';
    if (word === '-X') method = value;
    else if (word === '-d' || word === '--data-binary') body = value;
    else if (word === '-H') {
      const colon = value.indexOf(':');
      headers[value.slice(0, colon)] = value.slice(colon + 1).trim();
    } else if (word.startsWith('-') || url !== undefined)
      throw new Error(`curl word "${word}" is not known to the test`);
    else {
      url = word;
      continue;
    }
    at += 1;
  }
  if (url === undefined) throw new Error('curl has no address');
  return {
    url,
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers,
    ...(body === undefined ? {} : { body }),
  };
}
