// What must every upstream keep, over real sockets? Deadlines in every phase, queues, connections that come and go, replies of every framing. One suite for all.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { deadUrl, json, startModel, startRawModel, variant } from '../gateway/gateway-rig.fixture.ts';
import type { Upstream, UpstreamFailure, UpstreamRequest } from '../gateway/index.ts';

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

/** Declares the suite for one implementation. @param create with at most so many connections per origin. */
export function testUpstream(name: string, create: (connections?: number) => Upstream): void {
  describe(`${name} keeps the contract of an upstream`, () => {
    it('reuses one connection for requests in sequence', async () => {
      const upstream = create();
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
      const upstream = create();
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
      const upstream = create(1);
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
      const upstream = create();
      expect((await send(upstream, await deadUrl())).kind).toBe('connect');
      expect((await send(upstream, 'http://no-such-host.invalid')).kind).toBe('connect');
      await upstream.close();
    });

    it('ends an attempt once: nothing is told after abort, and a second abort is harmless', async () => {
      const upstream = create();
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
      const upstream = create();
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
      const upstream = create();
      const model = await startModel((_asked, res) => json(res, {}));
      expect((await send(upstream, model.url, { headers: ['x-bad', 'a\nb'] })).kind).toBe('connect');
      expect((await send(upstream, model.url)).kind).toBe('complete');
      await upstream.close();
    });

    const raw = (reply: string) => startRawModel((socket) => void socket.write(Buffer.from(reply, 'latin1')));
    const bodyless: readonly [string, string, string][] = [
      ['HEAD, with the length of what GET would bring', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n'],
      ['HEAD, in chunks', 'HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
      ['204', 'POST', 'HTTP/1.1 204 No Content\r\n\r\n'],
      ['304', 'GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n'],
    ];
    it.each(bodyless)('expects no body after %s', async (_what, method, reply) => {
      const upstream = create();
      const model = await raw(reply);
      expect(await send(upstream, model.url, { method, body: null })).toMatchObject({ kind: 'complete', body: '' });
      await upstream.close();
    });

    const framed: readonly [string, string, string][] = [
      ['with its length', 'Content-Length: 5\r\n\r\nhello', 'hello'],
      [
        'in chunks, with trailers',
        'Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX-T: t\r\n\r\n',
        'hello',
      ],
      ['with more than 32 fields', `${'X-A: b\r\n'.repeat(100)}Content-Length: 5\r\n\r\nhello`, 'hello'],
      ['empty', 'Content-Length: 0\r\n\r\n', ''],
    ];
    it.each(framed)('reads a reply %s', async (_what, rest, body) => {
      const upstream = create();
      const model = await raw(`HTTP/1.1 200 OK\r\n${rest}`);
      expect(await send(upstream, model.url)).toMatchObject({ kind: 'complete', status: 200, body });
      await upstream.close();
    });

    it('reads a reply that ends with the connection', async () => {
      const upstream = create();
      const model = await startRawModel((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nhello'));
      expect(await send(upstream, model.url)).toMatchObject({ kind: 'complete', body: 'hello' });
      await upstream.close();
    });

    const unsound: readonly [string, string][] = [
      ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
      ['a length beside chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
      ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
      ['a head beyond all measure', `HTTP/1.1 200 OK\r\nX-A: ${'y'.repeat(70_000)}\r\n\r\n`],
      ['a chunk size that is none', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ];
    it.each(unsound)('does not pass a reply that has %s', async (_what, reply) => {
      const upstream = create();
      const model = await raw(reply);
      expect(['malformed-reply', 'reset']).toContain((await send(upstream, model.url)).kind);
      await upstream.close();
    });

    it.each([
      ['before its end', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhe'],
      ['within a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhe'],
      ['within its head', 'HTTP/1.1 200 OK\r\nContent-'],
      ['before its first byte', ''],
    ])('says reset when a reply breaks off %s', async (_what, reply) => {
      const upstream = create();
      const ended = await startRawModel((socket) => socket.end(reply));
      expect(await send(upstream, ended.url)).toMatchObject({ kind: 'reset' });
      const reset = await startRawModel((socket) => socket.write(reply, () => socket.resetAndDestroy()));
      expect(await send(upstream, reset.url)).toMatchObject({ kind: 'reset' });
      await upstream.close();
    });

    it('never takes for a reply what came before it was asked', async () => {
      const upstream = create();
      const one = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none';
      const model = await startRawModel((socket) => socket.write(one + one.replace('one', 'bad')));
      expect(await send(upstream, model.url)).toMatchObject({ body: 'one' });
      await sleep(10);
      for (let count = 0; count < 3; count += 1) expect(await send(upstream, model.url)).toMatchObject({ body: 'one' });
      await upstream.close();
    });

    it('sends long bodies and reads long replies, held up by whoever is slow', async () => {
      const upstream = create();
      const bytes = Buffer.alloc(3_000_000, 'abc');
      const model = await startModel(({ body }, res) => res.end(body));
      const chunks: Buffer[] = [];
      let pauses = 0;
      let isPaused = false;
      const ending = await new Promise<string>((resolve) => {
        const attempt = upstream.dispatch(
          variant('v', model.url),
          { ...post, body: bytes, timeoutMs: 20_000 },
          {
            onHeaders: () => {},
            onData(chunk) {
              expect(isPaused).toBe(false);
              chunks.push(chunk);
              if (chunks.length % 5 !== 0) return true;
              pauses += 1;
              isPaused = true;
              setTimeout(() => {
                isPaused = false;
                attempt.resume();
              }, 1);
              return false;
            },
            onComplete: () => resolve('complete'),
            onError: ({ kind }) => resolve(kind),
          },
        );
      });
      expect([ending, pauses > 0]).toEqual(['complete', true]);
      expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
      await upstream.close();
    });

    it('lets requests wait for a free connection, in their order', async () => {
      const upstream = create(2);
      const model = await startModel((_asked, res) => void setTimeout(() => json(res, {}), 5));
      const order: number[] = [];
      await Promise.all(
        Array.from({ length: 20 }, (_none, at) =>
          send(upstream, model.url, { path: `/${at}` }).then(({ kind }) => {
            expect(kind).toBe('complete');
            order.push(at);
          }),
        ),
      );
      expect(order).toEqual([...order].sort((a, b) => a - b));
      await upstream.close();
    });

    it('finds a server again that closed its connections and one that was away', async () => {
      const upstream = create();
      let model = await startModel((_asked, res) => json(res, {}));
      expect((await send(upstream, model.url)).kind).toBe('complete');
      await model.close();
      // Time to hear of it; a request at the very moment may be lost with the connection.
      await sleep(20);
      expect((await send(upstream, model.url)).kind).toBe('connect');
      model = await startModel((_asked, res) => json(res, {}), model.port);
      expect((await send(upstream, model.url)).kind).toBe('complete');
      await upstream.close();
    });

    it('does not use a connection again longer than the server will keep it', async () => {
      const upstream = create();
      const ports = new Set<number | undefined>();
      const model = await startModel((_asked, res, req) => {
        ports.add(req.socket.remotePort);
        res.setHeader('keep-alive', 'timeout=1');
        json(res, {});
      });
      for (let count = 0; count < 2; count += 1) {
        expect((await send(upstream, model.url)).kind).toBe('complete');
        await sleep(30);
      }
      expect(ports.size).toBe(2);
      await upstream.close();
    });

    it('writes nothing a caller could have put there', async () => {
      const upstream = create();
      const model = await startModel((_asked, res) => json(res, {}));
      for (const more of [
        { path: '/a b' },
        { path: '/a\r\nx: y' },
        { method: 'GE T' },
        { headers: ['x y', 'a'] },
        { headers: ['x', 'a\rb'] },
        { headers: ['x', 'a\0b'] },
      ]) {
        expect((await send(upstream, model.url, more)).kind).toBe('connect');
      }
      expect(model.asked).toEqual([]);
      await upstream.close();
    });
  });
}
