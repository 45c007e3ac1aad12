// Where does the live page come from? Serves the built dashboard from memory, on the API's own port, under a policy that lets no
// foreign script in. The files are public code; what they show is behind the API's own door.
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Hono } from 'hono';
import { matches } from './page-requests.ts';

/** Where the build puts the page, seen from the compiled file and from the source alike. */
const builtPage = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../dist/dashboard' : '../dashboard', import.meta.url),
);

/** The one style sheet that Observable Plot puts into every picture; it has no switch to leave it out. */
export const plotStyleHash = 'sha256-jSYQUrW7J0b3jPqhZP9C2Xh1PyJKHKXd4s0fpGGKrww=';

/** What a page of this server may load: its own scripts and styles, pictures it made itself, and its own API. */
export const contentSecurityPolicy: string = [
  "default-src 'none'",
  "script-src 'self'",
  `style-src 'self' '${plotStyleHash}'`,
  "img-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': contentSecurityPolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};

/** Paths of the page that are no files: the page itself finds out what to show. */
const pageRoutes = /^\/(?:|new|playground|portfolio|sign-in|experiments\/[^/]+(?:\/[^/]+)?)$/;

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  ico: 'image/x-icon',
  json: 'application/json',
  webmanifest: 'application/manifest+json',
  woff2: 'font/woff2',
  txt: 'text/plain; charset=utf-8',
};

const encodings = [
  { name: 'br', ending: '.br' },
  { name: 'gzip', ending: '.gz' },
] as const;

/** One file, ready to be sent. */
interface PageFile {
  readonly type: string;
  /** By content encoding; `identity` is always there. */
  readonly bodies: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
  readonly etag: string;
  /** Its name changes with its content. */
  readonly isHashed: boolean;
}

/** The files of one build. */
interface Build {
  /** Of `index.html`: a newer one is another build. */
  readonly madeMs: number;
  readonly files: ReadonlyMap<string, PageFile>;
}

/** Options of `mountPageFiles`. */
export interface PageFilesOptions {
  /** Default: beside the program. */
  readonly directory?: string;
}

/** Answers GET of the page's files and routes; everything else passes on. Mounted before the check of the token. */
export function mountPageFiles(app: Hono, { directory = builtPage }: PageFilesOptions = {}): void {
  let build: Promise<Build | undefined> | undefined;
  const latest = async (): Promise<Build | undefined> => {
    const found = await stat(join(directory, 'index.html')).catch(() => undefined);
    const known = await build;
    if (known?.madeMs === found?.mtimeMs && build !== undefined) return known;
    build = found === undefined ? Promise.resolve(undefined) : readBuild(directory, found.mtimeMs);
    return build.catch((fault: unknown) => {
      build = undefined;
      throw fault;
    });
  };

  app.get('*', async (context, next) => {
    const { path } = context.req;
    const isRoute = pageRoutes.test(path);
    // What cannot be a file of ours is none of ours.
    if (!isRoute && (path.startsWith('/api/') || !/\.[a-z0-9]+$/.test(path))) return next();
    const made = await latest();
    const file = made?.files.get(isRoute ? '/index.html' : path);
    if (file === undefined) return isRoute ? unbuilt() : next();
    const { name, body } = pick(file, context.req.header('accept-encoding') ?? '');
    const headers = {
      ...securityHeaders,
      'content-type': file.type,
      'cache-control': file.isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
      etag: file.etag,
      vary: 'accept-encoding',
    };
    if (matches(context.req.header('if-none-match'), file.etag)) return new Response(null, { status: 304, headers });
    return new Response(body, {
      headers: { ...headers, ...(name === 'identity' ? {} : { 'content-encoding': name }) },
    });
  });
}

async function readBuild(directory: string, madeMs: number): Promise<Build> {
  const names = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = names
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length).split(sep).join('/'));
  const files = new Map<string, PageFile>();
  for (const path of paths) {
    const type = types[path.slice(path.lastIndexOf('.') + 1)];
    if (type === undefined) continue;
    const plain = new Uint8Array(await readFile(join(directory, path)));
    const bodies = new Map([['identity', plain]]);
    for (const { name, ending } of encodings)
      if (paths.includes(path + ending))
        bodies.set(name, new Uint8Array(await readFile(join(directory, path + ending))));
    files.set(path, {
      type,
      bodies,
      etag: `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`,
      isHashed: /[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+$/.test(path) && path.startsWith('/assets/'),
    });
  }
  return { madeMs, files };
}

function pick(file: PageFile, accepted: string): { readonly name: string; readonly body: Uint8Array<ArrayBuffer> } {
  const wanted = new Set(
    accepted
      .split(',')
      .map((each) => each.trim().split(/\s*;\s*/))
      .filter(([, quality]) => quality === undefined || !/^q=0(\.0*)?$/.test(quality))
      .map(([name]) => name),
  );
  for (const { name } of encodings) {
    const body = file.bodies.get(name);
    if (wanted.has(name) && body !== undefined) return { name, body };
  }
  return { name: 'identity', body: file.bodies.get('identity')! };
}

/** Says how to get the page. Without a style, so that the policy needs no exception. */
function unbuilt(): Response {
  const text =
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Assay</title><h1>Assay runs; its page is not built</h1>' +
    '<p>Run <code>npm run build</code> where Assay is installed from source, then load this page again. ' +
    'The packaged program carries the page. Everything else works: <code>assay get</code>, <code>assay report NAME</code>, ' +
    'and the API, which <a href="/openapi.json">describes itself</a>.</p></html>';
  return new Response(text, {
    status: 503,
    headers: { ...securityHeaders, 'content-type': types.html!, 'cache-control': 'no-store' },
  });
}
