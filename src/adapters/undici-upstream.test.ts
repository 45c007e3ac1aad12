// The upstream port over real sockets: deadlines in every phase, queues, pools that come and go.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { closeAll, deadUrl, json, startModel, startRawModel, variant } from '../gateway/gateway-rig.fixture.ts';
import type { Upstream, UpstreamFailure, UpstreamRequest } from '../gateway/index.ts';
import { createUndiciUpstream } from './undici-upstream.ts';

afterAll(closeAll);

type Ending =
  | { readonly kind: 'complete'; readonly status: number; readonly headers: readonly string[]; readonly body: string }
  | UpstreamFailure;

const post: UpstreamRequest = { method: 'POST', path: '/x', headers: [], body: Buffer.from('{}'), timeoutMs: 2000 };

function send(upstream: Upstream, url: string, more: Partial<UpstreamRequest> = {}): Promise<Ending> {
  return new Promise((resolve) => {
    let status = 0;
    let headers: readonly string[] = [];
    let body = '';
    upstream.dispatch(
      variant('v', url),
      { ...post, ...more },
      {
        onHeaders(received, list) {
          status = received;
          headers = list;
        },
        onData(chunk) {
          body += chunk.toString('latin1');
          return true;
        },
        onComplete: () => resolve({ kind: 'complete', status, headers, body }),
        onError: resolve,
      },
    );
  });
}

describe('the undici upstream', () => {
  it('reuses one connection for requests in sequence', async () => {
    const upstream = createUndiciUpstream();
    const ports = new Set<number | undefined>();
    const model = await startModel((_asked, res, req) => {
      ports.add(req.socket.remotePort);
      json(res, {});
    });
    for (let count = 0; count < 5; count += 1) {
      expect((await send(upstream, model.url)).kind).toBe('complete');
      // Undici frees a connection one turn of the event loop after its reply.
      await sleep(5);
    }
    expect(ports.size).toBe(1);
    await upstream.close();
  });

  it('passes over informational replies and keeps header bytes as latin1', async () => {
    const upstream = createUndiciUpstream();
    const model = await startRawModel((socket) =>
      socket.end(
        Buffer.from(
          'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nX-Name: caf\xe9\r\nContent-Length: 2\r\n\r\nok',
          'latin1',
        ),
      ),
    );
    expect(await send(upstream, model.url)).toEqual({
      kind: 'complete',
      status: 200,
      headers: ['X-Name', 'caf\xe9', 'Content-Length', '2'],
      body: 'ok',
    });
    await upstream.close();
  });

  it('holds the deadline while a request waits for a free connection, and keeps the connection', async () => {
    const upstream = createUndiciUpstream({ connections: 1 });
    const ports = new Set<number | undefined>();
    const model = await startModel((_asked, res, req) => {
      ports.add(req.socket.remotePort);
      setTimeout(() => json(res, {}), 150);
    });
    const first = send(upstream, model.url);
    const queued = send(upstream, model.url, { timeoutMs: 50 });
    expect(await queued).toEqual({ kind: 'timeout', message: 'no complete reply within 50 ms' });
    expect((await first).kind).toBe('complete');
    expect((await send(upstream, model.url)).kind).toBe('complete');
    // The queued request was given up before it was sent, so the server never saw it.
    expect(model.asked).toHaveLength(2);
    expect(ports.size).toBe(1);
    await upstream.close();
  });

  it('says connect for a closed port and for a name that does not exist', async () => {
    const upstream = createUndiciUpstream();
    expect((await send(upstream, await deadUrl())).kind).toBe('connect');
    expect((await send(upstream, 'http://no-such-host.invalid')).kind).toBe('connect');
    await upstream.close();
  });

  it('ends an attempt once: nothing is told after abort, and a second abort is harmless', async () => {
    const upstream = createUndiciUpstream();
    const model = await startModel((_asked, res) => void setTimeout(() => json(res, {}), 50));
    const told: string[] = [];
    const attempt = upstream.dispatch(variant('v', model.url), post, {
      onHeaders: () => void told.push('headers'),
      onData: () => true,
      onComplete: () => void told.push('complete'),
      onError: (failure) => void told.push(failure.kind),
    });
    await sleep(20);
    attempt.abort();
    attempt.abort();
    attempt.resume();
    await sleep(80);
    expect(told).toEqual([]);
    await upstream.close();
  });

  it('lets requests in flight finish on a pool that is no longer wanted, and closes it then', async () => {
    const upstream = createUndiciUpstream();
    let open = 0;
    const model = await startModel((_asked, res, req) => {
      open += 1;
      req.socket.once('close', () => (open -= 1));
      setTimeout(() => json(res, {}), 60);
    });
    const running = send(upstream, model.url);
    await sleep(20);
    upstream.retain([]);
    expect((await running).kind).toBe('complete');
    while (open > 0) await sleep(2);
    // A late request, for example a fallback of an exchange that began before the change, still gets through.
    expect((await send(upstream, model.url)).kind).toBe('complete');
    await upstream.close();
  });

  it('tells a refused request to its handler, after dispatch has returned', async () => {
    const upstream = createUndiciUpstream();
    const model = await startModel((_asked, res) => json(res, {}));
    expect((await send(upstream, model.url, { headers: ['x-bad', 'a\nb'] })).kind).toBe('connect');
    expect((await send(upstream, model.url)).kind).toBe('complete');
    await upstream.close();
  });
});
