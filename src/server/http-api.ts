// The control plane's HTTP face: turns requests into calls, faults into problem+json, and refuses strangers.

import { createHash, timingSafeEqual } from 'node:crypto';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { etag } from 'hono/etag';
import type { HandedSegment, ReceivedSegment } from '../adapters/evidence-store/receive-segment.ts';
import {
  type EventsAnswer,
  type ExplainAnswer,
  experimentActions,
  openApi,
  parseActionRequest,
  parseErasureRequest,
  paths,
  problemType,
  toProblem,
} from '../api/index.ts';
import type { ExperimentService } from '../control/index.ts';
import type { Report } from '../decision/index.ts';
import { AssayError } from '../errors.ts';
import { parseExperimentFile } from '../experiment/index.ts';
import { mountAlerts } from './alert-api.ts';
import { type AuditOptions, mountAudit } from './audit-api.ts';
import { experimentAnswer } from './experiment-answer.ts';
import { mountGate } from './gate-api.ts';
import { mountMetrics, type ReadMetrics } from './metrics-api.ts';
import { mountOfrep, ofrepPath } from './ofrep-api.ts';
import { mountPageApi, type PageApiOptions } from './page-api.ts';
import { mountPageFiles } from './page-files.ts';
import { createPageLogin } from './page-login.ts';
import { seenFile } from './page-requests.ts';
import { mountPortfolio } from './portfolio-api.ts';
import { createTurns, type Intake, isLargeIntake, openIntake } from './read-intake.ts';

/** Largest body of a call, bytes. */
const maxBodyBytes = 8 * 1024 * 1024;
/** Large bodies of outcomes that are read at the same time. */
const largeIntakesAtOnce = 4;

/** What the HTTP face needs from the rest of the process. */
export interface HttpApiOptions {
  readonly service: ExperimentService;
  /** Records outcomes durably; resolves with how many. */
  readonly recordOutcomes: (intake: Intake, namespace: string) => Promise<number>;
  /** Records the outcomes among an experiment's foreign events durably. */
  readonly recordEvents: (intake: Intake, experiment: { name: string; namespace: string }) => Promise<EventsAnswer>;
  /** Takes a closed log file of another server in; resolves when it is durable here. */
  readonly receiveSegment: (segment: HandedSegment) => Promise<ReceivedSegment>;
  /** Erases everything of a unit id. */
  readonly erase: (unit: string) => Promise<object>;
  readonly report: (name: string, namespace: string) => Promise<Report>;
  readonly explain: (name: string, namespace: string, unit: string) => ExplainAnswer;
  readonly status: () => Promise<Readonly<Record<string, unknown>>>;
  /** Sentences for what is not ready; empty when all is. */
  readonly unready: () => readonly string[];
  /** Without a token every caller is let in whose Host header names this machine's loopback. */
  readonly token?: string;
  /** Tokens that open one path only, beside the token for all. */
  readonly tokensFor?: { readonly [path: string]: string };
  readonly onFault: (fault: unknown) => void;
  readonly metrics: ReadMetrics;
  /** What the audit reads. */
  readonly audit: Omit<AuditOptions, 'service'>;
  /** What the live page needs beside reports. */
  readonly page: Omit<PageApiOptions, 'service' | 'onFault'>;
}

/** Gives the API as a fetch handler. */
export function createHttpApi(options: HttpApiOptions): Hono {
  const { service } = options;
  const app = new Hono();

  app.onError((fault) => {
    if (!(fault instanceof AssayError)) options.onFault(fault);
    const problem = toProblem(fault);
    return new Response(JSON.stringify(problem), { status: problem.status, headers: { 'content-type': problemType } });
  });
  app.notFound((context) => {
    throw new AssayError('route-unknown', `${context.req.method} ${context.req.path} is not part of the API`, {
      fix: `Read ${paths.openApi} for what is.`,
    });
  });

  app.get(paths.health, (context) => context.json({ status: 'alive' }));
  app.get(paths.ready, (context) => {
    const unready = options.unready();
    return context.json(
      { status: unready.length === 0 ? 'ready' : 'not-ready', reasons: unready },
      unready.length === 0 ? 200 : 503,
    );
  });

  // Files of the page and sign-in: whoever has no token yet must get this far.
  mountPageFiles(app);
  const login = createPageLogin({ token: options.token, now: options.page.now });
  login.mount(app);

  app.use('*', async (context, next) => {
    if (options.token !== undefined) {
      if (
        !login.isSignedIn(context) &&
        !isSameSecret(context.req.header('authorization') ?? '', `Bearer ${options.token}`) &&
        !opensPath(options.tokensFor?.[context.req.path], context.req.header('authorization')) &&
        // OpenFeature providers may send their key this way.
        !(context.req.path.startsWith(ofrepPath) && isSameSecret(context.req.header('x-api-key') ?? '', options.token))
      )
        throw new AssayError('unauthorized', 'the Authorization header does not carry the token of this server');
    } else if (!isLoopbackHost(context.req.header('host') ?? '')) {
      // Without a token a page in a browser must not reach us under a name of its own (DNS rebinding).
      throw new AssayError(
        'unauthorized',
        `the Host header is ${JSON.stringify(context.req.header('host'))}, must be a loopback name while no token is set`,
        {
          fix: 'Call http://127.0.0.1, or start the server with ASSAY_TOKEN.',
        },
      );
    }
    // A page of another site can make its reader's browser send a request here; it cannot hide where it comes from.
    const origin = context.req.header('origin');
    if (origin !== undefined && originHost(origin) !== context.req.header('host')) {
      throw new AssayError(
        'unauthorized',
        `the Origin header is ${JSON.stringify(origin)}, must be this server's own`,
        {
          fix: 'Call the API from a program, or from a page of this server.',
        },
      );
    }
    await next();
    context.header('x-content-type-options', 'nosniff');
    // What carries a tag may be kept by the reader, who asks each time whether it still holds.
    context.header('cache-control', context.res.headers.has('etag') ? 'private, no-cache' : 'no-store');
  });
  const limited = bodyLimit({
    maxSize: maxBodyBytes,
    onError: () => {
      throw new AssayError('body-too-large', `the body is larger than ${maxBodyBytes} bytes`);
    },
  });
  // Segments are streamed to the disk, outcomes through their parser, under limits of their own.
  const isStreamed = (path: string): boolean =>
    path === paths.segments || path === paths.outcomes || path.startsWith(paths.events(''));
  app.use('*', (context, next) => (isStreamed(context.req.path) ? next() : limited(context, next)));
  const inTurn = createTurns(largeIntakesAtOnce);
  const take = <T>(request: Request, work: (intake: Intake) => Promise<T>): Promise<T> =>
    isLargeIntake(request) ? inTurn(() => work(openIntake(request))) : work(openIntake(request));

  mountMetrics(app, options.metrics);
  mountAlerts(app, options);
  app.get(paths.openApi, (context) => context.json(openApi));
  app.get(paths.status, async (context) => context.json(await options.status()));

  app.get(paths.routing, (context) => {
    const body = JSON.stringify(service.snapshot());
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
    if (context.req.header('if-none-match') === etag) return context.body(null, 304, { etag });
    return context.body(body, 200, { 'content-type': 'application/json', etag });
  });

  app.post(paths.outcomes, async (context) => {
    const namespace = namespaceOf(context.req.query('namespace'));
    const accepted = await take(context.req.raw, (intake) => options.recordOutcomes(intake, namespace));
    return context.json({ accepted });
  });

  app.post('/api/v1/events/:name', async (context) => {
    const namespace = namespaceOf(context.req.query('namespace'));
    const experiment = { name: context.req.param('name'), namespace };
    return context.json(await take(context.req.raw, (intake) => options.recordEvents(intake, experiment)));
  });

  app.post(paths.segments, async (context) => {
    const body = context.req.raw.body;
    if (body === null) throw new AssayError('segment-invalid', 'the body is missing, must be a log file');
    return context.json(
      await options.receiveSegment({
        writer: context.req.query('writer') ?? '',
        first: Number(context.req.query('first')),
        bytes: body as unknown as AsyncIterable<Uint8Array>,
      }),
    );
  });
  app.post(paths.erasure, async (context) =>
    context.json(await options.erase(parseErasureRequest(await readJson(context.req.raw)))),
  );

  mountOfrep(app, { service, random: Math.random });
  // Readers who ask again and again get 304 while nothing has changed.
  app.use(`${paths.experiments}/*`, etag());
  mountPageApi(app, { ...options.page, service, onFault: options.onFault });
  mountPortfolio(app, { service, standing: options.page.standing });
  app.get(paths.experiments, (context) =>
    context.json(service.list().map((state) => experimentAnswer(service, state))),
  );
  app.get(`${paths.experiments}/:name`, (context) =>
    context.json(
      experimentAnswer(service, service.get(context.req.param('name'), namespaceOf(context.req.query('namespace')))),
    ),
  );
  app.put(`${paths.experiments}/:name`, async (context) => {
    const specification = parseExperimentFile(await context.req.text(), { file: 'body' });
    const name = context.req.param('name');
    if (specification.name !== name)
      throw new AssayError(
        'request-invalid',
        `metadata.name is "${specification.name}", must be "${name}" as in the path`,
      );
    const state = await service.apply(specification, {
      author: context.req.query('author') || 'api',
      reason: context.req.query('reason') || 'applied through the API',
      ...seenFile(context.req.header('if-match'), context.req.header('if-none-match')),
    });
    return context.json(experimentAnswer(service, state));
  });
  for (const action of experimentActions) {
    app.post(`${paths.experiments}/:name/${action}`, async (context) => {
      const request = parseActionRequest(await readJson(context.req.raw));
      const state = await service.act(action, {
        name: context.req.param('name'),
        namespace: namespaceOf(context.req.query('namespace')),
        ...request,
      });
      return context.json(experimentAnswer(service, state));
    });
  }
  mountGate(app, { service, report: options.report, now: options.page.now });
  mountAudit(app, { ...options.audit, service });
  app.get(`${paths.experiments}/:name/report`, async (context) =>
    context.json(await options.report(context.req.param('name'), namespaceOf(context.req.query('namespace')))),
  );
  app.get(`${paths.experiments}/:name/verdict`, async (context) => {
    const report = await options.report(context.req.param('name'), namespaceOf(context.req.query('namespace')));
    return context.json(report.verdict);
  });
  app.get(`${paths.experiments}/:name/history`, (context) =>
    context.json(service.history(context.req.param('name'), namespaceOf(context.req.query('namespace')))),
  );
  app.get(`${paths.experiments}/:name/explain`, (context) => {
    const unit = context.req.query('unit');
    if (!unit)
      throw new AssayError('request-invalid', 'unit is missing, must be the unit id to explain: ?unit=user-17');
    return context.json(options.explain(context.req.param('name'), namespaceOf(context.req.query('namespace')), unit));
  });
  return app;
}

const namespaceOf = (query: string | undefined): string => query || 'default';

async function readJson(request: Request): Promise<unknown> {
  const text = await request.text();
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AssayError('request-invalid', `the body is not JSON: ${(cause as Error).message}`, { cause });
  }
}

function isSameSecret(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

/** True where a token of its own opens this path. */
function opensPath(token: string | undefined, authorization: string | undefined): boolean {
  return token !== undefined && isSameSecret(authorization ?? '', `Bearer ${token}`);
}

/** Host and port of an origin; undefined for `null` and other origins without one. */
function originHost(origin: string): string | undefined {
  return /^https?:\/\/(.+)$/.exec(origin)?.[1];
}

function isLoopbackHost(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i.test(host);
}
