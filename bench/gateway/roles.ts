// The small programs the bench starts as processes of their own: a bare model server, and the npm package http-proxy as a peer.
import { open } from 'node:fs/promises';
import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { join } from 'node:path';
import { allocate, decide, prepareAssignment } from '../../src/assignment/index.ts';
import { replyBody } from './proxies.ts';

const [role, ...rest] = process.argv.slice(2);
if (role === 'upstream') for (const port of rest) runUpstream(Number(port));
if (role === 'http-proxy') await runHttpProxy(Number(rest[0]), [Number(rest[1]), Number(rest[2])], rest[3]!);

/** Answers every request with the same bytes, as cheaply as a socket allows. */
function runUpstream(port: number): void {
  const reply = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${replyBody.length}\r\n\r\n${replyBody}`;
  const server = createSocketServer((socket) => {
    let text = '';
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (;;) {
        const head = text.indexOf('\r\n\r\n');
        if (head < 0) return;
        const end = head + 4 + Number(/\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head + 2))?.[1] ?? 0);
        if (text.length < end) return;
        text = text.slice(end);
        socket.write(reply, 'latin1');
      }
    });
  });
  server.listen(port, '127.0.0.1');
}

/** What of http-proxy is used here; the package brings no types. */
interface HttpProxy {
  createProxyServer(options: object): {
    web(req: IncomingMessage, res: ServerResponse, options: { readonly target: string; readonly agent: Agent }): void;
    on(event: 'error', listener: (fault: Error, req: IncomingMessage, res: ServerResponse) => void): void;
  };
}

/** The same work as the gateway: the unit from the header, the same hash, the same headers to both sides, the same line of log, through a buffer. */
async function runHttpProxy(port: number, upstreams: readonly [number, number], directory: string): Promise<void> {
  // @ts-expect-error the package brings no types
  const { createProxyServer } = (await import('http-proxy')).default as HttpProxy;
  const proxy = createProxyServer({ xfwd: true });
  proxy.on('error', (_fault, _req, res) => {
    if (!res.headersSent) res.writeHead(502);
    res.end();
  });
  const prepared = prepareAssignment({
    salt: 'default/plain',
    coverage: 1,
    control: 'a',
    variants: [{ name: 'a' }, { name: 'b' }],
    unit: { sources: [{ kind: 'header' }], orElse: 'control' },
    allocation: {
      kind: 'fixed',
      ranges: allocate([
        { variant: 'a', weight: 50 },
        { variant: 'b', weight: 50 },
      ]),
    },
  });
  const routes = Object.fromEntries(
    ['a', 'b'].map((name, index) => [
      name,
      { target: `http://127.0.0.1:${upstreams[index]}`, agent: new Agent({ keepAlive: true, maxSockets: 64 }) },
    ]),
  );
  const log = await open(join(directory, 'access.log'), 'a');
  let lines: string[] = [];
  const write = (): void => {
    const text = lines.join('');
    lines = [];
    if (text !== '') void log.write(text);
  };
  setInterval(write, 100).unref();
  let count = 0;
  createServer((req, res) => {
    const startedMs = performance.now();
    const unit = String(req.headers['x-user-id'] ?? '');
    const { variant } = decide(prepared, { unit, forced: null, random: Math.random });
    count += 1;
    const id = `bench-${count.toString(36)}`;
    Object.assign(req.headers, {
      'x-request-id': id,
      'x-assay-experiment': 'plain',
      'x-assay-prediction-id': id,
    });
    res.setHeader('x-request-id', id);
    res.setHeader('x-assay-experiment', 'plain');
    res.setHeader('x-assay-variant', variant);
    res.setHeader('x-assay-prediction-id', id);
    res.on('finish', () => {
      const ms = performance.now() - startedMs;
      lines.push(
        `{"v":1,"writer":"${process.pid}","sequence":${count},"kind":"prediction","timeMs":${Date.now()},"namespace":"default","experiment":"plain","revision":1,"epoch":1,"predictionId":"${id}","requestId":"${id}","row":0,"unit":"${unit}","assigned":"${variant}","served":"${variant}","reason":"split","propensity":0.5,"attempts":[{"variant":"${variant}","status":${res.statusCode},"latencyMs":${ms},"error":null}],"context":{},"prediction":null,"captured":{},"status":${res.statusCode},"callerMs":${ms},"streaming":false}\n`,
      );
      if (lines.length >= 1000) write();
    });
    proxy.web(req, res, routes[variant]!);
  }).listen(port, '127.0.0.1');
}
