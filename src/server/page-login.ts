// How does a browser prove who it is? The token is exchanged once for a cookie that no script can read, and that other sites cannot send.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Context, Hono } from 'hono';
import type { SessionAnswer } from '../api/index.ts';
import { paths } from '../api/index.ts';
import { AssayError } from '../errors.ts';

/** Options of `createPageLogin`. */
export interface PageLoginOptions {
  /** The server's token; undefined where none is needed. */
  readonly token: string | undefined;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Sessions of browsers, in this process's memory: a restart signs everybody out. */
export interface PageLogin {
  /**
   * True when the request carries a session that holds. Beyond reading it must also carry the page's own header, which a form of
   * another site cannot send.
   */
  isSignedIn(context: Context): boolean;
  /** Mounts sign-in, sign-out and the question which of the two it is. Before the check of the token. */
  mount(app: Hono): void;
}

/** How long a browser stays signed in. */
const sessionMs = 12 * 60 * 60_000;
const mostSessions = 1_000;
/** Wrong tokens within a minute, of all callers together, after which further ones wait. */
const mostFailures = 20;
const failureSpanMs = 60_000;
const longestBody = 4_096;

/** Header that the page sends with everything but reading; its value is of no matter. */
const pageHeader = 'x-assay-page';

/** Sign-in for one server. */
export function createPageLogin({ token, now }: PageLoginOptions): PageLogin {
  /** By hash of the id: reading this memory gives nobody a session. Oldest first. */
  const sessions = new Map<string, number>();
  let failures: number[] = [];

  const expiryOf = (context: Context): number | undefined => {
    const id = cookieOf(context);
    const expiresMs = id === undefined ? undefined : sessions.get(digest(id));
    return expiresMs !== undefined && expiresMs > now() ? expiresMs : undefined;
  };
  const answerOf = (context: Context): SessionAnswer => {
    if (token === undefined) return { needsToken: false, isSignedIn: true };
    const expiresMs = expiryOf(context);
    return expiresMs === undefined
      ? { needsToken: true, isSignedIn: false }
      : { needsToken: true, isSignedIn: true, expiresAt: new Date(expiresMs).toISOString() };
  };
  const begin = (): { readonly id: string; readonly expiresMs: number } => {
    const nowMs = now();
    for (const [known, expiresMs] of sessions)
      if (expiresMs <= nowMs || sessions.size >= mostSessions) sessions.delete(known);
    const id = randomBytes(32).toString('base64url');
    sessions.set(digest(id), nowMs + sessionMs);
    return { id, expiresMs: nowMs + sessionMs };
  };

  return {
    isSignedIn(context) {
      if (token === undefined || expiryOf(context) === undefined) return false;
      const isReading = context.req.method === 'GET' || context.req.method === 'HEAD';
      return isReading || context.req.header(pageHeader) !== undefined;
    },
    mount(app) {
      app.get(paths.session, (context) => context.json(answerOf(context), 200, { 'cache-control': 'no-store' }));
      app.post(paths.session, async (context) => {
        if (token === undefined) return context.json(answerOf(context), 200, { 'cache-control': 'no-store' });
        requireOwnOrigin(context);
        const nowMs = now();
        failures = failures.filter((each) => each > nowMs - failureSpanMs);
        if (failures.length >= mostFailures)
          throw new AssayError('overloaded', `${failures.length} wrong tokens came within a minute`, {
            fix: 'Wait a minute, then sign in again.',
          });
        const given = await readToken(context.req.raw);
        if (!timingSafeEqual(hash(given), hash(token))) {
          failures.push(nowMs);
          throw new AssayError('unauthorized', 'the token is not that of this server', {
            fix: 'Take it from ASSAY_TOKEN or the --token-file of `assay serve`.',
          });
        }
        const { id, expiresMs } = begin();
        const answer: SessionAnswer = {
          needsToken: true,
          isSignedIn: true,
          expiresAt: new Date(expiresMs).toISOString(),
        };
        return context.json(answer, 200, {
          'cache-control': 'no-store',
          'set-cookie': cookieText(context, { value: id, maxAgeSeconds: sessionMs / 1_000 }),
        });
      });
      app.delete(paths.session, (context) => {
        requireOwnOrigin(context);
        const id = cookieOf(context);
        if (id !== undefined) sessions.delete(digest(id));
        const answer: SessionAnswer = { needsToken: token !== undefined, isSignedIn: token === undefined };
        return context.json(answer, 200, {
          'cache-control': 'no-store',
          'set-cookie': cookieText(context, { value: '', maxAgeSeconds: 0 }),
        });
      });
    },
  };
}

/** Cookies know no port: two servers on one host would sign each other out. */
function nameOf(context: Context): string {
  const port = /:(\d+)$/.exec(context.req.header('host') ?? '')?.[1] ?? '80';
  return `assay_session_${port}`;
}

function cookieOf(context: Context): string | undefined {
  const name = nameOf(context);
  for (const part of (context.req.header('cookie') ?? '').split(';')) {
    const [key, value] = part.trim().split('=', 2);
    if (key === name && value !== undefined && value !== '') return value;
  }
  return undefined;
}

function cookieText(
  context: Context,
  { value, maxAgeSeconds }: { readonly value: string; readonly maxAgeSeconds: number },
): string {
  // We speak no TLS ourselves; a proxy that does says so.
  const secure = context.req.header('x-forwarded-proto') === 'https' ? '; Secure' : '';
  return `${nameOf(context)}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeSeconds}${secure}`;
}

function requireOwnOrigin(context: Context): void {
  const origin = context.req.header('origin');
  if (origin === undefined || /^https?:\/\/(.+)$/.exec(origin)?.[1] === context.req.header('host')) return;
  throw new AssayError('unauthorized', `the Origin header is ${JSON.stringify(origin)}, must be this server's own`, {
    fix: 'Sign in on the page of this server.',
  });
}

async function readToken(request: Request): Promise<string> {
  const invalid = (): AssayError =>
    new AssayError('request-invalid', 'the body is not understood, must be {"token": "..."}');
  if (Number(request.headers.get('content-length') ?? longestBody + 1) > longestBody) throw invalid();
  let body: unknown;
  try {
    body = JSON.parse(await request.text());
  } catch {
    throw invalid();
  }
  const token = (body as { readonly token?: unknown } | null)?.token;
  if (typeof token !== 'string') throw invalid();
  return token;
}

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
const digest = (text: string): string => hash(text).toString('hex');
