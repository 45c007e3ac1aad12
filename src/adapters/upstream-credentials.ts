// Which secrets go with a request to a model server? Reads them from the environment and from files and adds them at the last
// moment, behind everything that records or copies requests, so that no log ever holds one.
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { SecretSource, Variant } from '../experiment/index.ts';
import type { Upstream, UpstreamRequest } from '../gateway/index.ts';

/** Options of `createCredentials`. */
export interface CredentialsOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Told once for each secret that is not there or cannot be sent: place and fix, never the secret. */
  readonly onFault: (message: string) => void;
  /** How long a file's content is used before it is read again, milliseconds; default 10,000. A missing one is looked for each second. */
  readonly rereadMs?: number;
}

/** Secrets of variants. */
export interface Credentials {
  /** Raw name, value, ... of the variant's `headersFrom`; null when one of them is not there. */
  headersFor(variant: Variant): readonly string[] | null;
}

interface HeldFile {
  /** Undefined while the file cannot be read. */
  text: string | undefined;
  readAtMs: number;
  isBeingRead: boolean;
}

const missingRereadMs = 1000;
/** What an HTTP header can carry: visible ASCII, inner spaces and tabs. */
const sendable = /^[\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?$/;

/** Secrets from the environment and from files. */
export function createCredentials(options: CredentialsOptions): Credentials {
  const { environment, onFault, rereadMs = 10_000 } = options;
  const files = new Map<string, HeldFile>();
  const told = new Set<string>();

  const read = (source: SecretSource): string | undefined => {
    if ('env' in source) return environment[source.env];
    const nowMs = performance.now();
    let held = files.get(source.file);
    if (held === undefined) {
      held = { text: readNow(source.file), readAtMs: nowMs, isBeingRead: false };
      files.set(source.file, held);
    }
    if (nowMs - held.readAtMs > (held.text === undefined ? missingRereadMs : rereadMs)) refresh(source.file, held);
    return held.text;
  };

  const refresh = (file: string, held: HeldFile): void => {
    if (held.isBeingRead) return;
    held.isBeingRead = true;
    readFile(file, 'utf8').then(
      (text) => {
        if (text.trim() !== held.text?.trim()) told.clear();
        held.text = text;
        held.isBeingRead = false;
        held.readAtMs = performance.now();
      },
      (cause: unknown) => {
        // A file that is being replaced may be gone for a moment: what was read last is better than nothing.
        if (held.text !== undefined) {
          tell(`the file ${file} can no longer be read (${codeOf(cause)}); the secret read before is used on`);
        }
        held.isBeingRead = false;
        held.readAtMs = performance.now();
      },
    );
  };

  const tell = (message: string): void => {
    if (told.has(message)) return;
    told.add(message);
    onFault(message);
  };

  return {
    headersFor({ name, upstream }) {
      const headers: string[] = [];
      for (const [header, source] of Object.entries(upstream.headersFrom ?? {})) {
        const secret = read(source)?.trim();
        const value = secret === undefined || secret === '' ? undefined : `${source.prefix ?? ''}${secret}`;
        if (value !== undefined && sendable.test(value)) {
          headers.push(header, value);
          continue;
        }
        const place = 'env' in source ? `the environment variable ${source.env}` : `the file ${source.file}`;
        const fault = value === undefined ? 'is not set or empty' : 'holds characters that no HTTP header may carry';
        const fix = 'env' in source ? 'set it and restart' : 'write the secret into it; it is looked for each second';
        tell(`header ${header} of variant ${name} comes from ${place}, which ${fault}; ${fix}`);
        return null;
      }
      return headers;
    },
  };
}

/** The upstream, with every variant's secrets added to its requests; attempts that lack one fail as `credentials` without being sent. */
export function withCredentials(upstream: Upstream, credentials: Credentials): Upstream {
  return {
    dispatch(variant, request, handler) {
      if (variant.upstream.headersFrom === undefined) return upstream.dispatch(variant, request, handler);
      const secrets = credentials.headersFor(variant);
      if (secrets !== null) return upstream.dispatch(variant, withHeaders(request, secrets), handler);
      let isAborted = false;
      queueMicrotask(() => {
        if (!isAborted) handler.onError({ kind: 'credentials', message: 'its credentials are not available' });
      });
      return {
        resume: () => {},
        abort: () => {
          isAborted = true;
        },
      };
    },
    retain: (variants) => upstream.retain(variants),
    close: () => upstream.close(),
  };
}

function withHeaders(request: UpstreamRequest, secrets: readonly string[]): UpstreamRequest {
  const names = new Set(secrets.filter((_, at) => at % 2 === 0));
  const kept = request.headers.filter((_, at) => !names.has(request.headers[at & ~1]!.toLowerCase()));
  return { ...request, headers: [...kept, ...secrets] };
}

function readNow(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
}
