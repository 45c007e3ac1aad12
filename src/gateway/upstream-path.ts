// Where does a request go at the model server? Parses paths that name a model and rewrites them to a variant's model and version.
import type { Variant } from '../experiment/index.ts';

/** A path that names a model. */
export interface ModelPath {
  /** `v2`: Open Inference Protocol, `/v2/models/...`; `v1`: TensorFlow Serving, `/v1/models/...`. */
  readonly api: 'v1' | 'v2';
  /** Decoded name. */
  readonly model: string;
  /** What follows name and version, with its leading slash or colon: `/infer`, `/ready`, `:predict`, or empty for metadata. */
  readonly rest: string;
}

const oipPath = /^\/v2\/models\/([^/]+)(?:\/versions\/[^/]+)?(\/.*)?$/;
const tensorflowPath = /^\/v1\/models\/([^/:]+)(?:\/(?:versions|labels)\/[^/:]+)?(:[a-z]+|\/metadata)?$/;

/** The parts of a model path; null when it is none. @param path without query. */
export function parseModelPath(path: string): ModelPath | null {
  const api = path.startsWith('/v2/models/') ? 'v2' : path.startsWith('/v1/models/') ? 'v1' : null;
  if (api === null) return null;
  const found = (api === 'v2' ? oipPath : tensorflowPath).exec(path);
  if (found === null) return null;
  try {
    return { api, model: decodeURIComponent(found[1]!), rest: found[2] ?? '' };
  } catch {
    return null;
  }
}

/** What is asked for, as the caller wrote it. */
export interface AskedPath {
  /** Without query. */
  readonly path: string;
  /** With its question mark, or empty. */
  readonly query: string;
  /** Null when the path is no model path. */
  readonly model: ModelPath | null;
}

/**
 * Path and query as the variant's server shall see them: its base path, then the path as asked; a model path names the
 * variant's model and version. A version the caller asked for is kept only where the variant names neither model nor
 * version, because versions of different models do not correspond.
 */
export function upstreamPath(asked: AskedPath, variant: Variant): string {
  const base = basePathOf(variant.upstream.url);
  const { protocol, model, version } = variant.upstream;
  const isRewritten = asked.model !== null && protocol === protocols[asked.model.api];
  if (!isRewritten || (model === undefined && version === undefined)) return base + asked.path + asked.query;
  const { api, rest } = asked.model!;
  const name = encodeURIComponent(model ?? asked.model!.model);
  const named = version === undefined ? '' : `/versions/${encodeURIComponent(version)}`;
  return `${base}/${api}/models/${name}${named}${rest}${asked.query}`;
}

const protocols = { v1: 'tensorflow', v2: 'oip' } as const;

const basePaths = new Map<string, string>();

function basePathOf(url: string): string {
  let base = basePaths.get(url);
  if (base === undefined) {
    base = new URL(url).pathname.replace(/\/+$/, '');
    // Urls come from experiment files, not from callers; the bound only guards a process that sees thousands of revisions.
    if (basePaths.size > 10_000) basePaths.clear();
    basePaths.set(url, base);
  }
  return base;
}

/** True when the path holds a `.` or `..` segment, plain or encoded: such a path could leave the place it was matched by. */
export function hasDotSegment(path: string): boolean {
  if (!path.includes('.') && !path.includes('%')) return false;
  return /(^|[/\\]|%2f|%5c)(\.|%2e){1,2}($|[/\\]|%2f|%5c)/i.test(path);
}
