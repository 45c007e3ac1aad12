// How does the page ask the server? JSON over fetch with a remembered ETag; faults keep the server's code, sentence and fix.
import { fromProblem } from '../../../src/api/index.ts';
import { AssayError } from '../../../src/errors.ts';

/** The last answer of each address: an unchanged one is the same object again, so that nothing is drawn anew. */
const answers = new Map<string, { readonly etag: string; readonly body: unknown }>();
const mostAnswers = 200;

/** Called when the server no longer knows who asks. */
let onSignedOut: () => void = () => {};

/** Says what happens when the server asks for a token. */
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener;
}

/**
 * Reads one address of the API.
 * @throws AssayError with the server's code, or `server-unreachable`.
 */
export async function readApi<T>(path: string, options: { readonly signal?: AbortSignal } = {}): Promise<T> {
  const known = answers.get(path);
  const response = await send(path, {
    headers: { accept: 'application/json', ...(known === undefined ? {} : { 'if-none-match': known.etag }) },
    ...options,
  });
  if (response.status === 304 && known !== undefined) return known.body as T;
  const body = await bodyOf(response);
  const etag = response.headers.get('etag');
  if (etag !== null) {
    answers.delete(path);
    answers.set(path, { etag, body });
    const oldest = answers.keys().next();
    if (answers.size > mostAnswers && !oldest.done) answers.delete(oldest.value);
  }
  return body as T;
}

/**
 * Sends something to the API.
 * @throws AssayError with the server's code, or `server-unreachable`.
 */
export async function sendApi<T>(
  path: string,
  options: {
    readonly method?: 'POST' | 'PUT' | 'DELETE';
    readonly json?: unknown;
    readonly yaml?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal;
  },
): Promise<T> {
  const { method = 'POST', json, yaml, headers, signal } = options;
  const response = await send(path, {
    method,
    headers: {
      accept: 'application/json',
      'x-assay-page': '1',
      ...(yaml !== undefined ? { 'content-type': 'application/yaml' } : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(yaml !== undefined ? { body: yaml } : json === undefined ? {} : { body: JSON.stringify(json) }),
    ...(signal === undefined ? {} : { signal }),
  });
  return (await bodyOf(response)) as T;
}

async function send(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { credentials: 'same-origin', cache: 'no-store', ...init });
  } catch (cause) {
    if ((cause as Error).name === 'AbortError') throw cause;
    throw new AssayError('server-unreachable', 'the server of this page does not answer', { cause });
  }
}

async function bodyOf(response: Response): Promise<unknown> {
  const text = await response.text();
  let body: unknown;
  try {
    body = text === '' ? undefined : JSON.parse(text);
  } catch {
    body = undefined;
  }
  if (response.ok && (body !== undefined || response.status === 204)) return body;
  if (response.status === 401) onSignedOut();
  throw (
    fromProblem(body) ??
    new AssayError('server-unreachable', `the answer to ${response.url} is status ${response.status} without a problem`)
  );
}
