// The whole server with a gRPC socket, as `assay serve --grpc-port` opens it, with and without TLS.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { canMakeCertificates, makeCertificates } from '../adapters/certificates.fixture.ts';
import { parseExperimentFile } from '../experiment/index.ts';
import { callGrpc, closeGrpc, inferReply, inferRequest, methods, startGrpcModel } from '../gateway/grpc-rig.fixture.ts';
import { type RunningServer, startServer } from './index.ts';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await closeGrpc();
});

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'assay-grpc-'));
  closers.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const experimentText = (upstreams: readonly [string, string], more = ''): string => `
apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: forecast}
spec:
  hypothesis: The candidate is better
  route: {model: forecast}
  unit: {header: x-user-id, orElse: control}
  control: a
  variants:
    - {name: a, weight: 50, upstream: {url: "${upstreams[0].replace('http:', 'https:')}", protocol: oip, model: m1, grpcUrl: "${upstreams[0]}"${more}}}
    - {name: b, weight: 50, upstream: {url: "${upstreams[1].replace('http:', 'https:')}", protocol: oip, model: m2, grpcUrl: "${upstreams[1]}"${more}}}
  metrics:
    latency: {mean: attempt_ms}
  decision:
    primary: [latency < control.latency]
`;

async function start(text: string, dataPlane: object): Promise<RunningServer & { readonly grpcAddress: string }> {
  const parsed = parseExperimentFile(text);
  const server = await startServer({
    experiments: [parsed],
    dataDirectory: newDirectory(),
    port: 0,
    apiPort: 0,
    startDrafts: true,
    dataPlane: { grpc: { port: 0 }, ...dataPlane },
  });
  closers.push(() => server.close());
  return server as RunningServer & { readonly grpcAddress: string };
}

function clientOf(address: string, credentials = grpc.credentials.createInsecure()): grpc.Client {
  const client = new grpc.Client(address, credentials);
  closers.push(() => client.close());
  return client;
}

describe('a server with a gRPC socket', () => {
  it('splits callers between variants and reports what happened', async () => {
    const models = [await startGrpcModel(() => inferReply(1)), await startGrpcModel(() => inferReply(2))] as const;
    const server = await start(experimentText([models[0].url, models[1].url]), {});
    const client = clientOf(server.grpcAddress);
    for (let user = 0; user < 40; user += 1) {
      const metadata = { 'x-user-id': `u${user}` };
      const { code, header, reply } = await callGrpc(client, 'ModelInfer', inferRequest(), { metadata });
      expect(code).toBe(0);
      expect(reply.raw_output_contents[0].readFloatLE(0)).toBe(header('x-assay-variant') === 'a' ? 1 : 2);
    }
    expect(models[0].asked.length).toBeGreaterThan(5);
    expect(models[1].asked.length).toBeGreaterThan(5);
    const report = await server.report('forecast');
    expect(JSON.stringify(report)).toContain('"latency"');
  }, 120_000);

  it('says which port is taken', async () => {
    const model = await startGrpcModel(() => inferReply(1));
    const port = Number(new URL(model.url).port);
    await expect(start(experimentText([model.url, model.url]), { grpc: { port } })).rejects.toMatchObject({
      code: 'port-in-use',
    });
  }, 120_000);

  it('ends streams and calls under way before it stops', async () => {
    const model = await startGrpcModel(() => new Promise((resolve) => setTimeout(() => resolve(inferReply(1)), 300)));
    const server = await start(experimentText([model.url, model.url]), {});
    const client = clientOf(server.grpcAddress);
    const { path, requestSerialize, responseDeserialize } = methods.ModelStreamInfer!;
    const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new grpc.Metadata());
    const streamEnded = new Promise<grpc.StatusObject>((resolve) => stream.on('status', resolve));
    stream.on('error', () => {});
    stream.resume();
    const given = callGrpc(client, 'ModelInfer', inferRequest(), { metadata: { 'x-user-id': 'u1' } });
    await expect.poll(() => model.asked.length).toBe(1);
    await server.close();
    expect((await given).code).toBe(0);
    expect((await streamEnded).code).toBe(0);
  }, 120_000);

  it.skipIf(!canMakeCertificates)(
    'speaks TLS with callers and model servers, both ways certified',
    async () => {
      const directory = newDirectory();
      makeCertificates(directory);
      const at = (name: string): string => join(directory, name);
      const pem = (name: string): Buffer => readFileSync(at(name));
      const pair = { cert_chain: pem('server.pem'), private_key: pem('server.key') };
      const credentials = grpc.ServerCredentials.createSsl(pem('ca.pem'), [pair], true);
      const model = await startGrpcModel(() => inferReply(3), { credentials });
      const url = model.url.replace('http:', 'https:');
      const files = `, tls: {caFile: "${at('ca.pem')}", certFile: "${at('client.pem')}", keyFile: "${at('client.key')}"}`;
      const server = await start(experimentText([url, url], files), {
        tls: { certFile: at('server.pem'), keyFile: at('server.key'), clientCaFile: at('ca.pem') },
      });
      const trusted = grpc.credentials.createSsl(pem('ca.pem'), pem('client.key'), pem('client.pem'));
      const metadata = { 'x-user-id': 'u1' };
      const outcome = await callGrpc(clientOf(server.grpcAddress, trusted), 'ModelInfer', inferRequest(), { metadata });
      expect(outcome).toMatchObject({ code: 0 });
      expect(outcome.header('x-assay-fallback-from')).toBeUndefined();
      const bare = grpc.credentials.createSsl(pem('ca.pem'));
      const refused = await callGrpc(clientOf(server.grpcAddress, bare), 'ModelInfer', inferRequest(), { metadata });
      expect(refused.code).toBe(14);
    },
    60_000,
  );
});
