// With TLS the node front keeps the same contract for HTTP/1.1, and serves HTTP/2 to callers that can.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  type IncomingHttpHeaders,
} from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { canMakeCertificates, makeCertificates } from '../adapters/certificates.fixture.ts';
import { testFront } from './conformance.contract.ts';
import type { FrontTls } from './front.ts';
import { closeAll, experiment, json, openRig, type Rig, startModel, variant } from './gateway-rig.fixture.ts';

if (!canMakeCertificates) console.log('TLS is not tested: openssl, which makes certificates, is not installed');

const directory = mkdtempSync(join(tmpdir(), 'assay-tls-'));
const read = (name: string): Buffer => readFileSync(join(directory, name));
if (canMakeCertificates) makeCertificates(directory);
const tls: FrontTls = canMakeCertificates
  ? { cert: read('server.pem'), key: read('server.key') }
  : { cert: '', key: '' };
const ca = canMakeCertificates ? read('ca.pem') : '';

afterAll(async () => {
  await closeAll();
  rmSync(directory, { recursive: true });
});

if (canMakeCertificates) {
  testFront('the node front with TLS', {
    kind: 'node',
    options: { tls },
    connect: (port) => connect({ port, host: '127.0.0.1', ca }),
  });
}

describe.skipIf(!canMakeCertificates)('over HTTP/2 the node front', () => {
  const sessions: ClientHttp2Session[] = [];
  afterEach(() => {
    for (const session of sessions.splice(0)) session.destroy();
  });
  const dial = (rig: Rig, more: object = {}): ClientHttp2Session => {
    const session = connectHttp2(`https://127.0.0.1:${rig.port}`, { ca, ...more });
    session.on('error', () => {});
    sessions.push(session);
    return session;
  };
  const answerOf = (stream: ClientHttp2Stream): Promise<{ headers: IncomingHttpHeaders; body: string }> =>
    new Promise((resolve, reject) => {
      let headers: IncomingHttpHeaders = {};
      let body = '';
      stream.on('response', (received) => (headers = received));
      stream.on('data', (chunk: Buffer) => (body += chunk));
      stream.on('error', reject);
      stream.on('close', () => resolve({ headers, body }));
    });
  const ask = (session: ClientHttp2Session, headers: Record<string, string>, body?: string | Buffer) => {
    const stream = session.request({ ':method': body === undefined ? 'GET' : 'POST', ':path': '/predict', ...headers });
    const answer = answerOf(stream);
    stream.end(body);
    return answer;
  };
  const open = async () => {
    const model = await startModel(({ url, body, headers }, res) => {
      if (url.includes('hang')) return;
      if (url.includes('long')) res.writeHead(200, { 'set-cookie': ['a=1', 'b=2'] }).end(Buffer.alloc(3_000_000, 'x'));
      else if (url.includes('empty')) res.writeHead(204).end();
      else json(res, { got: body.length, headers });
    });
    const both = [variant('control', model.url), variant('candidate', model.url)];
    return { model, rig: await openRig([experiment(both)], { maxRequestBytes: 200_000 }, { kind: 'node', tls }) };
  };

  it('serves, assigns and records as over HTTP/1.1', async () => {
    const { rig } = await open();
    const session = dial(rig);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_none, at) => ask(session, { 'x-user-id': `u${at}` }, Buffer.alloc(at * 5000, 'b'))),
    );
    for (const [at, { headers, body }] of answers.entries()) {
      expect(headers[':status']).toBe(200);
      expect(headers['x-assay-variant']).toBe('candidate');
      const { got, headers: asked } = JSON.parse(body);
      expect(got).toBe(at * 5000);
      expect(asked).toMatchObject({ 'x-forwarded-proto': 'https', 'x-forwarded-host': `127.0.0.1:${rig.port}` });
      expect(Object.keys(asked).filter((name) => name.startsWith(':'))).toEqual([]);
    }
    expect(await rig.predictions()).toHaveLength(20);
    expect(rig.faults).toEqual([]);
  });

  it('passes long replies, repeated fields and replies without a body', async () => {
    const { rig } = await open();
    const session = dial(rig);
    const long = await ask(session, { ':path': '/predict/long' });
    expect([long.body.length, long.headers['set-cookie']]).toEqual([3_000_000, ['a=1', 'b=2']]);
    const empty = await ask(session, { ':path': '/predict/empty' });
    expect([empty.headers[':status'], empty.body]).toEqual([204, '']);
    const head = await ask(session, { ':method': 'HEAD' });
    expect([head.headers[':status'], head.body]).toEqual([200, '']);
  });

  it('refuses two hosts, bodies above the limit and heads above the limit', async () => {
    const { rig, model } = await open();
    const session = dial(rig);
    expect((await ask(session, { ':authority': 'a', host: 'b' })).headers[':status']).toBe(400);
    const announced = await ask(session, { 'content-length': '300000' }, Buffer.alloc(300_000));
    expect(announced.headers[':status']).toBe(413);
    const long = await ask(session, { 'x-a': 'y'.repeat(70_000) }).catch(() => ({
      headers: {} as IncomingHttpHeaders,
    }));
    expect(long.headers[':status']).not.toBe(200);
    expect(model.asked).toEqual([]);
  });

  it('gives up the attempt when the caller resets the stream, and keeps the others of the connection', async () => {
    const { rig, model } = await open();
    const session = dial(rig);
    const hanging = session.request({ ':path': '/predict/hang', 'x-user-id': 'u' });
    hanging.on('error', () => {});
    while (model.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    hanging.close(8);
    expect((await ask(session, {})).headers[':status']).toBe(200);
    expect((await rig.predictions()).map(({ status, attempts }) => [status, attempts[0]!.error])).toContainEqual([
      null,
      'aborted',
    ]);
  });

  it('takes only callers with a certificate where an authority for them is named', async () => {
    const model = await startModel((_asked, res) => json(res, {}));
    const closed = await openRig(
      [experiment([variant('a', model.url), variant('b', model.url)])],
      {},
      { kind: 'node', tls: { ...tls, clientCa: ca } },
    );
    await expect(ask(dial(closed), {})).rejects.toThrow();
    const shown = await ask(dial(closed, { cert: read('client.pem'), key: read('client.key') }), {});
    expect(shown.headers[':status']).toBe(200);
  });
});
