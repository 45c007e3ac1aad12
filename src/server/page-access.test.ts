import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import * as Plot from '@observablehq/plot';
import { Window } from 'happy-dom';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { experimentText, startModel } from '../../test/e2e/assay-process.ts';
import type { LiveEvent } from '../api/index.ts';
import { parseExperimentFile } from '../experiment/index.ts';
import { type RunningServer, startServer } from './index.ts';
import { createLiveEvents } from './live-events.ts';
import { contentSecurityPolicy, mountPageFiles, plotStyleHash } from './page-files.ts';
import { createPageLogin } from './page-login.ts';
import type { StandingChange } from './standing-reports.ts';

describe('the files of the page', () => {
  let directory: string;
  const app = new Hono();
  const script = 'console.log("assay");'.repeat(50);
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'assay-files-'));
    mountPageFiles(app, { directory });
    app.notFound((context) => context.text('nothing', 404));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('say how to build them where they are missing', async () => {
    const reply = await app.request('/');
    expect(reply.status).toBe(503);
    expect(await reply.text()).toContain('npm run build');
    expect((await app.request('/assets/none.js')).status).toBe(404);
  });

  it('come compressed, for ever where their name is their content, under a policy without foreign scripts', async () => {
    await mkdir(join(directory, 'assets'));
    await writeFile(join(directory, 'assets/index-B1x9Qz7k.js'), script);
    await writeFile(join(directory, 'assets/index-B1x9Qz7k.js.br'), brotliCompressSync(script));
    await writeFile(join(directory, 'index.html'), '<!doctype html><title>one</title>');
    const compressed = await app.request('/assets/index-B1x9Qz7k.js', { headers: { 'accept-encoding': 'gzip, br' } });
    expect(compressed.headers.get('content-encoding')).toBe('br');
    expect(compressed.headers.get('cache-control')).toContain('immutable');
    expect(brotliDecompressSync(Buffer.from(await compressed.arrayBuffer())).toString()).toBe(script);
    const plain = await app.request('/assets/index-B1x9Qz7k.js', {
      headers: { 'accept-encoding': 'br;q=0, gzip;q=0' },
    });
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect(await plain.text()).toBe(script);
    expect(plain.headers.get('content-security-policy')).toBe(contentSecurityPolicy);
    expect(contentSecurityPolicy).not.toMatch(/unsafe|https?:|\*/);
  });

  it('are one page for every address of the page, asked for again each time', async () => {
    for (const path of ['/', '/new', '/playground', '/portfolio', '/experiments/financial-forecast']) {
      const reply = await app.request(path);
      expect([path, reply.status, await reply.text()]).toEqual([path, 200, '<!doctype html><title>one</title>']);
      expect(reply.headers.get('cache-control')).toBe('no-cache');
      const etag = reply.headers.get('etag') ?? '';
      expect((await app.request(path, { headers: { 'if-none-match': etag } })).status).toBe(304);
    }
    for (const path of ['/api/v1/experiments', '/elsewhere', '/../package.json', '/assets/../../secret.js'])
      expect((await app.request(path)).status).toBe(404);
    await writeFile(join(directory, 'index.html'), '<!doctype html><title>two</title>');
    await expect.poll(async () => (await app.request('/')).text()).toContain('two');
  });

  it('allow the one style that charts carry, by its hash', () => {
    const { document } = new Window();
    const drawn = Plot.plot({ document: document as unknown as NonNullable<Plot.PlotOptions['document']>, marks: [] });
    const style = drawn.querySelector('style')?.textContent ?? '';
    expect(`sha256-${createHash('sha256').update(style).digest('base64')}`).toBe(plotStyleHash);
  });
});

describe('sign-in', () => {
  let nowMs = 1_000_000;
  const token = 'a token of some length';
  const app = new Hono();
  const login = createPageLogin({ token, now: () => nowMs });
  login.mount(app);
  app.all('/guarded', (context) => context.text(login.isSignedIn(context) ? 'in' : 'out'));
  const host = { host: '127.0.0.1:8081' };
  const body = (given: unknown): { method: string; body: string; headers: Record<string, string> } => {
    const text = JSON.stringify(given);
    return { method: 'POST', body: text, headers: { ...host, 'content-length': String(Buffer.byteLength(text)) } };
  };
  const signIn = async (): Promise<string> => {
    const reply = await app.request('/api/v1/session', body({ token }));
    return (reply.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  };
  app.onError((fault) => new Response((fault as { code?: string }).code ?? String(fault), { status: 400 }));

  it('turns the token into a cookie that scripts and other sites cannot use', async () => {
    const reply = await app.request('/api/v1/session', body({ token }));
    expect(await reply.json()).toMatchObject({ needsToken: true, isSignedIn: true });
    const cookie = reply.headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/^assay_session_8081=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/);
    expect(cookie).not.toContain(token);
  });

  it('lets a cookie read, and change things only with the page’s own header', async () => {
    const cookie = await signIn();
    const ask = async (method: string, extra: Record<string, string> = {}): Promise<string> =>
      (await app.request('/guarded', { method, headers: { ...host, cookie, ...extra } })).text();
    expect(await ask('GET')).toBe('in');
    expect(await ask('POST')).toBe('out');
    expect(await ask('POST', { 'x-assay-page': '1' })).toBe('in');
    expect(await (await app.request('/guarded', { headers: host })).text()).toBe('out');
    expect(await (await app.request('/guarded', { headers: { host: '127.0.0.1:9', cookie } })).text()).toBe('out');
  });

  it('ends by signing out and after half a day', async () => {
    const first = await signIn();
    await app.request('/api/v1/session', { method: 'DELETE', headers: { ...host, cookie: first } });
    expect(await (await app.request('/guarded', { headers: { ...host, cookie: first } })).text()).toBe('out');
    const second = await signIn();
    nowMs += 12 * 3_600_000 - 1;
    expect(await (await app.request('/guarded', { headers: { ...host, cookie: second } })).text()).toBe('in');
    nowMs += 1;
    expect(await (await app.request('/guarded', { headers: { ...host, cookie: second } })).text()).toBe('out');
  });

  it('refuses other sites, bodies that are none, and too many wrong tokens', async () => {
    const foreign = await app.request('/api/v1/session', {
      ...body({ token }),
      headers: { ...body({ token }).headers, origin: 'http://evil.example' },
    });
    expect(await foreign.text()).toBe('unauthorized');
    for (const given of [{}, { token: 7 }, null]) {
      const reply = await app.request('/api/v1/session', body(given));
      expect(await reply.text()).toBe('request-invalid');
    }
    for (let attempt = 0; attempt < 20; attempt += 1)
      expect(await (await app.request('/api/v1/session', body({ token: 'wrong' }))).text()).toBe('unauthorized');
    expect(await (await app.request('/api/v1/session', body({ token }))).text()).toBe('overloaded');
    nowMs += 60_001;
    expect((await app.request('/api/v1/session', body({ token }))).status).toBe(200);
  });
});

/** Reads server-sent events until `isEnough`, then leaves. */
async function readEvents(
  response: Response,
  isEnough: (text: string) => boolean,
): Promise<{ readonly text: string; readonly lastId: string }> {
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let text = '';
  while (!isEnough(text)) {
    const { value, done } = await reader.read();
    if (done) break;
    text += decoder.decode(value);
  }
  await reader.cancel();
  return { text, lastId: [...text.matchAll(/^id: (.+)$/gm)].at(-1)?.[1] ?? '' };
}

describe('live events', () => {
  const watchers = new Set<(change: StandingChange) => void>();
  const change = (version: number): void => {
    for (const each of watchers) each({ experiment: 'x', namespace: 'default', version });
  };
  const live = createLiveEvents({
    standing: {
      watch: (listener) => {
        watchers.add(listener);
        return () => watchers.delete(listener);
      },
      last: () => undefined,
    },
    now: () => 0,
    mostListeners: 3,
    heartbeatMs: 20,
  });
  const app = new Hono();
  live.mount(app);
  app.onError((fault) => new Response((fault as { code?: string }).code ?? String(fault), { status: 503 }));
  const join = (lastId?: string): Promise<Response> =>
    Promise.resolve(app.request('/api/v1/live', { headers: lastId === undefined ? {} : { 'last-event-id': lastId } }));

  it('say what has changed, go on where a reader was, and beat meanwhile', async () => {
    const first = readEvents(await join(), (text) => text.includes('"version":1'));
    expect(watchers.size).toBe(1);
    change(1);
    const { text, lastId } = await first;
    const data = JSON.parse(/event: change\ndata: (.+)\n/.exec(text)![1]!) as LiveEvent;
    expect(data).toEqual({
      experiment: 'x',
      namespace: 'default',
      version: 1,
      verdictKind: 'no-verdict',
      asOf: '1970-01-01T00:00:00.000Z',
    });
    change(2);
    change(3);
    const missed = await readEvents(await join(lastId), (each) => each.includes('"version":3'));
    expect(missed.text).toContain('"version":2');
    expect(missed.text).not.toContain('"version":1');
    const stranger = await readEvents(await join('0123456789ab-1'), (each) => each.includes(': still here'));
    expect(stranger.text).toContain('event: reset');
  });

  it('bound their listeners, and end with the server', async () => {
    const open = [await join(), await join(), await join()];
    const refused = await join();
    expect([refused.status, await refused.text()]).toEqual([503, 'overloaded']);
    const endings = open.map((each) => readEvents(each, () => false));
    live.close();
    await Promise.all(endings);
    expect(watchers.size).toBe(0);
  });
});

describe('a server with a token', { timeout: 60_000 }, () => {
  let server: RunningServer;
  let directory: string;
  let models: Awaited<ReturnType<typeof startModel>>[];
  const token = 'long enough for a token';
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'assay-token-'));
    models = [await startModel('a'), await startModel('b')];
    const experiments = [parseExperimentFile(experimentText([models[0]!.url, models[1]!.url]))];
    server = await startServer({ dataDirectory: directory, port: 0, apiPort: 0, token, experiments });
  }, 120_000);
  afterAll(async () => {
    await server.close();
    for (const model of models) await model.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('shows its page to everybody and its numbers to those signed in', async () => {
    const page = await fetch(`${server.apiUrl}/`);
    expect(page.headers.get('content-type')).toContain('text/html');
    const session = `${server.apiUrl}/api/v1/session`;
    expect(await (await fetch(session)).json()).toEqual({ needsToken: true, isSignedIn: false });
    const list = `${server.apiUrl}/api/v1/experiments?view=list`;
    expect((await fetch(list)).status).toBe(401);
    const signedIn = await fetch(session, { method: 'POST', body: JSON.stringify({ token }) });
    const cookie = signedIn.headers.get('set-cookie')!.split(';')[0]!;
    expect((await fetch(list, { headers: { cookie } })).status).toBe(200);
    const act = `${server.apiUrl}/api/v1/experiments/scores/start`;
    const body = JSON.stringify({ reason: 'from the page' });
    expect((await fetch(act, { method: 'POST', body, headers: { cookie } })).status).toBe(401);
    expect((await fetch(act, { method: 'POST', body, headers: { cookie, 'x-assay-page': '1' } })).status).toBe(200);
  });

  it('tells a listening page of a step within moments, and closes although the page listens', async () => {
    const listening = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
      request(`${server.apiUrl}/api/v1/live`, { headers: { authorization: `Bearer ${token}` } }, resolve)
        .on('error', reject)
        .end();
    });
    expect(listening.headers['content-type']).toContain('text/event-stream');
    let text = '';
    listening.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    const ended = new Promise((resolve) => listening.once('close', resolve));
    const state = server.service.get('scores').state;
    await server.service.act(state === 'draft' ? 'start' : 'pause', {
      name: 'scores',
      author: 'test',
      reason: 'to be seen',
    });
    await expect.poll(() => text, { timeout: 60_000 }).toMatch(/event: change\ndata: \{"experiment":"scores"/);
    await server.close();
    await ended;
  });
});
