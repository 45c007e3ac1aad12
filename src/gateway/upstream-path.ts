// Where does a request go at the model server? Parses Open Inference Protocol paths and rewrites them to a variant's model and version.
import type { Variant } from '../experiment/index.ts';

/** A path below `/v2/models/`. */
export interface ModelPath {
  /** Decoded name. */
  readonly model: string;
  /** As written, still encoded; null when the path names none. */
  readonly version: string | null;
  /** What follows, with its leading slash: `/infer`, `/ready`, or empty for metadata. */
  readonly rest: string;
}

const modelPath = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?(\/.*)?$/;

/** The parts of a model path; null when it is none. @param path without query. */
export function parseModelPath(path: string): ModelPath | null {
  if (!path.startsWith('/v2/models/')) return null;
  const found = modelPath.exec(path);
  if (found === null) return null;
  try {
    return { model: decodeURIComponent(found[1]!), version: found[2] ?? null, rest: found[3] ?? '' };
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
  const { model, version } = variant.upstream;
  if (asked.model === null || (model === undefined && version === undefined)) return base + asked.path + asked.query;
  const name = encodeURIComponent(model ?? asked.model.model);
  const named = version === undefined ? '' : `/versions/${encodeURIComponent(version)}`;
  return `${base}/v2/models/${name}${named}${asked.model.rest}${asked.query}`;
}

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
