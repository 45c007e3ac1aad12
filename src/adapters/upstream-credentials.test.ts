// Secrets on their way to model servers, and certificates on both ends of real TLS connections.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Variant } from '../experiment/index.ts';
import { closeAll, json, startModel, variant } from '../gateway/gateway-rig.fixture.ts';
import type { Upstream, UpstreamFailure, UpstreamRequest } from '../gateway/index.ts';
import { canMakeCertificates, makeCertificates } from './certificates.fixture.ts';
import { createUndiciUpstream } from './undici-upstream.ts';
import { createCredentials, withCredentials } from './upstream-credentials.ts';

const directory = mkdtempSync(join(tmpdir(), 'assay-secrets-'));
afterAll(async () => {
  await closeAll();
  rmSync(directory, { recursive: true });
});

const post: UpstreamRequest = { method: 'POST', path: '/x', headers: [], body: Buffer.from('{}'), timeoutMs: 10_000 };

/** The whole reply as text, or the failure. */
function send(upstream: Upstream, to: Variant, headers: readonly string[] = []): Promise<string | UpstreamFailure> {
  return new Promise((resolve) => {
    let body = '';
    upstream.dispatch(
      to,
      { ...post, headers },
      {
        onHeaders: () => {},
        onData(chunk) {
          body += chunk.toString('latin1');
          return true;
        },
        onComplete: () => resolve(body),
        onError: resolve,
      },
    );
  });
}

const withSecrets = (url: string, headersFrom: Variant['upstream']['headersFrom'] & {}): Variant =>
  variant('v', url, { upstream: { headersFrom } });

describe('secrets in headers', () => {
  const faults: string[] = [];
  const file = join(directory, 'key');
  const environment: Record<string, string | undefined> = { TOKEN: ' s3cret\n', EMPTY: ' ', BROKEN: 'a\nb' };
  const open = () =>
    withCredentials(
      createUndiciUpstream(),
      createCredentials({ environment, onFault: (message) => void faults.push(message), rereadMs: 20 }),
    );

  it('come from the environment and from files, and replace what the caller sent', async () => {
    writeFileSync(file, 'from-file\n');
    const model = await startModel((_asked, res) => json(res, {}));
    const upstream = open();
    const to = withSecrets(model.url, { authorization: { env: 'TOKEN', prefix: 'Bearer ' }, 'x-key': { file } });
    await send(upstream, to, ['Authorization', 'mine', 'x-other', 'kept', 'X-Key', 'mine']);
    expect(model.asked[0]!.headers).toMatchObject({
      authorization: 'Bearer s3cret',
      'x-key': 'from-file',
      'x-other': 'kept',
    });
    await upstream.close();
  });

  it('follow a file that changes, and outlive one that is gone', async () => {
    writeFileSync(file, 'one');
    const model = await startModel((asked, res) => json(res, { key: asked.headers['x-key'] }));
    const upstream = open();
    const to = withSecrets(model.url, { 'x-key': { file } });
    expect(await send(upstream, to)).toBe('{"key":"one"}');
    writeFileSync(file, 'two');
    while ((await send(upstream, to)) !== '{"key":"two"}') await sleep(5);
    rmSync(file);
    while (!faults.some((fault) => fault.includes('can no longer be read'))) {
      expect(await send(upstream, to)).toBe('{"key":"two"}');
      await sleep(5);
    }
    expect(await send(upstream, to)).toBe('{"key":"two"}');
    await upstream.close();
  });

  it.each<[string, Variant['upstream']['headersFrom'] & {}, string]>([
    ['unset', { authorization: { env: 'NO_SUCH' } }, 'the environment variable NO_SUCH, which is not set or empty'],
    ['empty', { authorization: { env: 'EMPTY' } }, 'the environment variable EMPTY, which is not set or empty'],
    ['broken', { authorization: { env: 'BROKEN' } }, 'the environment variable BROKEN, which holds characters'],
    ['absent', { 'x-key': { file: join(directory, 'none') } }, `the file ${join(directory, 'none')}, which is not set`],
  ])('an %s one fails the attempt before anything is sent, and is told once', async (_, headersFrom, words) => {
    faults.length = 0;
    const model = await startModel((_asked, res) => json(res, {}));
    const upstream = open();
    const to = withSecrets(model.url, headersFrom);
    for (let count = 0; count < 3; count += 1) {
      expect(await send(upstream, to)).toEqual({ kind: 'credentials', message: 'its credentials are not available' });
    }
    expect(model.asked).toEqual([]);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(words);
    expect(faults[0]).not.toContain('a\nb');
    await upstream.close();
  });
});

if (!canMakeCertificates) console.log('certificates are not tested: openssl, which makes them, is not installed');

describe.skipIf(!canMakeCertificates)('certificates', () => {
  const at = (name: string): string => join(directory, name);
  const servers: Server[] = [];
  beforeAll(() => makeCertificates(directory));
  afterAll(() => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });

  /** A model server that tells the caller's name by its certificate. */
  async function startTls(requestCert: boolean): Promise<string> {
    const files = {
      ca: readFileSync(at('ca.pem')),
      cert: readFileSync(at('server.pem')),
      key: readFileSync(at('server.key')),
    };
    const server = createServer({ ...files, requestCert, rejectUnauthorized: requestCert }, (req, res) => {
      req.resume();
      res.end(String((req.socket as TLSSocket).getPeerCertificate().subject?.CN ?? 'nobody'));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it('of a private authority are accepted where the variant names it, and refused elsewhere', async () => {
    const url = await startTls(false);
    const upstream = createUndiciUpstream();
    expect(await send(upstream, variant('v', url, { upstream: { tls: { caFile: at('ca.pem') } } }))).toBe('nobody');
    // The same origin with other trust is another pool: it does not ride on the connection above.
    expect(await send(upstream, variant('w', url))).toMatchObject({ kind: 'connect' });
    await upstream.close();
  });

  it('of our own are shown to a server that asks', async () => {
    const url = await startTls(true);
    const upstream = createUndiciUpstream();
    const tls = { caFile: at('ca.pem'), certFile: at('client.pem'), keyFile: at('client.key') };
    expect(await send(upstream, variant('v', url, { upstream: { tls } }))).toBe('client');
    expect(await send(upstream, variant('w', url, { upstream: { tls: { caFile: at('ca.pem') } } }))).toMatchObject({
      kind: expect.stringMatching(/connect|reset/) as string,
    });
    await upstream.close();
  });

  it.each([
    ['is not there', 'none.pem', 'cannot be read'],
    ['is no certificate', 'names', 'cannot be used'],
  ])('in a file that %s fail the attempt, and an operator is told', async (_, name, words) => {
    const faults: string[] = [];
    const url = await startTls(true);
    const upstream = createUndiciUpstream({ onFault: (message) => void faults.push(message) });
    const tls = { certFile: at(name), keyFile: at('client.key') };
    expect(await send(upstream, variant('v', url, { upstream: { tls } }))).toMatchObject({ kind: 'credentials' });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(words);
    await upstream.close();
  });
});
