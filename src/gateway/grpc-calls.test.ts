// Real gRPC clients, a gateway and real gRPC model servers: what callers, model servers and the record see.
import { connect } from 'node:http2';
import { createServer } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import type { MirrorRecord } from '../evidence/index.ts';
import { call, closeAll, deadUrl } from './gateway-rig.fixture.ts';
import {
  callGrpc,
  closeGrpc,
  forecast,
  grpcFault,
  grpcVariant,
  inferReply,
  inferRequest,
  methods,
  openGrpcRig,
  startGrpcModel,
} from './grpc-rig.fixture.ts';

afterEach(async () => {
  await closeGrpc();
  await closeAll();
});

const asUser = { metadata: { 'x-user-id': 'u1' } };

describe('a ModelInfer call', () => {
  it('goes to the assigned variant under its own model name and version, every other byte as it was', async () => {
    const control = await startGrpcModel(() => inferReply(0));
    const candidate = await startGrpcModel(() => inferReply(1));
    const rig = await openGrpcRig([
      forecast([grpcVariant('a', control.url), grpcVariant('b', candidate.url, { model: 'other', version: '7' })]),
    ]);
    const request = inferRequest({
      id: 'call-1',
      parameters: { sequence_id: { int64_param: '9007199254740993' } },
      outputs: [{ name: 'up' }],
    });
    const outcome = await callGrpc(rig.client, 'ModelInfer', request, asUser);
    expect(outcome.code).toBe(0);
    expect(outcome.reply.raw_output_contents[0].readFloatLE(0)).toBe(1);
    expect(outcome.header('x-assay-experiment')).toBe('test');
    expect(outcome.header('x-assay-variant')).toBe('b');
    expect(outcome.header('x-assay-prediction-id')).toMatch(/^[\w-]+$/);
    expect(control.asked).toHaveLength(0);
    const { message, metadata } = candidate.asked[0]!;
    expect(message).toMatchObject({
      model_name: 'other',
      model_version: '7',
      id: 'call-1',
      parameters: { sequence_id: { int64_param: '9007199254740993' } },
      outputs: [{ name: 'up' }],
    });
    expect(message.raw_input_contents[0].readDoubleLE(0)).toBe(0.5);
    expect(metadata.get('x-assay-variant')).toEqual(['b']);
    expect(metadata.get('x-user-id')).toEqual(['u1']);
  });

  it('is recorded as a REST prediction is: unit, request id, captures, context, latencies', async () => {
    const model = await startGrpcModel(() => inferReply(0.75));
    const rig = await openGrpcRig([
      forecast([grpcVariant('a', model.url), grpcVariant('b', model.url)], {
        capture: [
          { name: 'prediction', from: 'reply', source: { kind: 'tensor', name: 'up' }, threshold: 0.5 },
          { name: 'score', from: 'reply', source: { kind: 'tensor', name: 'up' } },
          { name: 'x', from: 'request', source: { kind: 'tensor', name: 'x' } },
          { name: 'page', from: 'request', source: { kind: 'json', path: '$.parameters.page' } },
        ],
      }),
    ]);
    const request = inferRequest({ parameters: { page: { string_param: 'home' } } });
    const metadata = { 'x-user-id': 'u1', 'x-request-id': 'req-1' };
    const outcome = await callGrpc(rig.client, 'ModelInfer', request, { metadata });
    expect(outcome.header('x-request-id')).toBe('req-1');
    const [record] = await rig.predictions();
    expect(record).toMatchObject({
      requestId: 'req-1',
      predictionId: outcome.header('x-assay-prediction-id'),
      assigned: 'b',
      served: 'b',
      reason: 'split',
      status: 200,
      prediction: 1,
      captured: { score: 0.75 },
      context: { x: 0.5, page: 'home' },
      attempts: [{ variant: 'b', status: 200, error: null }],
    });
    expect(record!.unit).not.toBeNull();
    expect(rig.counts.get('capture_missing')).toBeUndefined();
    expect(rig.faults).toEqual([]);
  });

  it('finds the unit id in the message where the experiment says so', async () => {
    const model = await startGrpcModel(() => inferReply(0));
    const rig = await openGrpcRig([
      forecast([grpcVariant('a', model.url), grpcVariant('b', model.url)], {
        unit: { sources: [{ kind: 'json', path: '$.parameters.user' }], orElse: 'control' },
      }),
    ]);
    await callGrpc(rig.client, 'ModelInfer', inferRequest({ parameters: { user: { string_param: 'u1' } } }));
    await callGrpc(rig.client, 'ModelInfer', inferRequest());
    const [withId, without] = await rig.predictions();
    expect(withId).toMatchObject({ assigned: 'b', reason: 'split' });
    expect(without).toMatchObject({ assigned: 'a', reason: 'no-unit', unit: null });
  });

  it('leaves a record per row of a batch', async () => {
    const model = await startGrpcModel(() => inferReply(1, 2, 3));
    const rig = await openGrpcRig([
      forecast([grpcVariant('a', model.url), grpcVariant('b', model.url)], {
        capture: [
          { name: 'prediction', from: 'reply', source: { kind: 'tensor', name: 'up' } },
          { name: 'x', from: 'request', source: { kind: 'tensor', name: 'x' } },
        ],
      }),
    ]);
    await callGrpc(rig.client, 'ModelInfer', inferRequest({}, 3), asUser);
    const records = await rig.predictions();
    expect(records.map(({ row, prediction, context }) => [row, prediction, context.x])).toEqual([
      [0, 1, 0.5],
      [1, 2, 1.5],
      [2, 3, 2.5],
    ]);
  });

  it('obeys x-assay-force', async () => {
    const model = await startGrpcModel(() => inferReply(0));
    const rig = await openGrpcRig([forecast([grpcVariant('a', model.url), grpcVariant('b', model.url)])]);
    const metadata = { 'x-user-id': 'u1', 'x-assay-force': 'a' };
    const outcome = await callGrpc(rig.client, 'ModelInfer', inferRequest(), { metadata });
    expect(outcome.header('x-assay-variant')).toBe('a');
    expect((await rig.predictions())[0]).toMatchObject({ reason: 'forced' });
  });

  it('passes replies of several megabytes, with their captures', async () => {
    const model = await startGrpcModel(() => ({ ...inferReply(1), raw_output_contents: [Buffer.alloc(2_800_000, 1)] }));
    const rig = await openGrpcRig([forecast([grpcVariant('a', model.url), grpcVariant('b', model.url)])]);
    const outcome = await callGrpc(rig.client, 'ModelInfer', inferRequest(), asUser);
    expect(outcome).toMatchObject({ code: 0, details: 'OK' });
    expect(outcome.reply.raw_output_contents[0]).toHaveLength(2_800_000);
    await rig.records();
    expect(await rig.ends()).toHaveLength(1);
  });

  it('is mirrored, and the answer of the shadow recorded', async () => {
    const model = await startGrpcModel(() => inferReply(0));
    const shadow = await startGrpcModel(() => inferReply(5));
    const rig = await openGrpcRig([
      forecast([grpcVariant('a', model.url), grpcVariant('s', shadow.url)], {
        allocation: { kind: 'fixed', ranges: [{ variant: 'a', from: 0, to: 2 ** 32 }] },
        mirror: { variant: 's', share: 1 },
        capture: [{ name: 'prediction', from: 'reply', source: { kind: 'tensor', name: 'up' } }],
      }),
    ]);
    await callGrpc(rig.client, 'ModelInfer', inferRequest(), asUser);
    await expect.poll(() => rig.counts.get('mirror_ok')).toBe(1);
    const records = await rig.records();
    const copy = records.find((record): record is MirrorRecord & typeof record => record.kind === 'mirror');
    expect(copy).toMatchObject({ prediction: 5, attempt: { variant: 's', status: 200, error: null } });
    expect(shadow.asked[0]!.message.model_name).toBe('model-s');
    expect(shadow.asked[0]!.metadata.get('x-assay-mirror')).toEqual(['1']);
  });
});

describe('a variant that fails by gRPC', () => {
  const statuses: readonly [string, number, number][] = [
    ['UNKNOWN', 2, 500],
    ['DEADLINE_EXCEEDED', 4, 504],
    ['UNIMPLEMENTED', 12, 501],
    ['INTERNAL', 13, 500],
    ['UNAVAILABLE', 14, 503],
    ['DATA_LOSS', 15, 500],
  ];
  it.each(statuses)('with %s lets the control answer', async (_name, code, status) => {
    const control = await startGrpcModel(() => inferReply(0));
    const candidate = await startGrpcModel(() => Promise.reject(grpcFault(code, 'broken')));
    const rig = await openGrpcRig([forecast([grpcVariant('a', control.url), grpcVariant('b', candidate.url)])]);
    const outcome = await callGrpc(rig.client, 'ModelInfer', inferRequest(), asUser);
    expect(outcome.code).toBe(0);
    expect(outcome.header('x-assay-fallback-from')).toBe('b');
    expect(control.asked[0]!.message.model_name).toBe('model-a');
    expect((await rig.predictions())[0]).toMatchObject({
      assigned: 'b',
      served: 'a',
      status: 200,
      attempts: [
        { variant: 'b', status, error: 'status' },
        { variant: 'a', status: 200, error: null },
      ],
    });
  });

  const callers: readonly [string, number, number][] = [
    ['INVALID_ARGUMENT', 3, 400],
    ['NOT_FOUND', 5, 404],
    ['PERMISSION_DENIED', 7, 403],
    ['RESOURCE_EXHAUSTED', 8, 429],
    ['FAILED_PRECONDITION', 9, 400],
    ['UNAUTHENTICATED', 16, 401],
  ];
  it.each(callers)('with %s, which is the caller’s own, has its word passed on', async (_name, code, status) => {
    const model = await startGrpcModel(() => Promise.reject(grpcFault(code, 'input x: 3 columns, must be 4 – ø')));
    const rig = await openGrpcRig([forecast([grpcVariant('a', model.url), grpcVariant('b', model.url)])]);
    const outcome = await callGrpc(rig.client, 'ModelInfer', inferRequest(), asUser);
    expect(outcome).toMatchObject({ code, details: 'input x: 3 columns, must be 4 – ø' });
    expect(outcome.header('x-assay-variant')).toBe('b');
    expect((await rig.predictions())[0]).toMatchObject({ served: 'b', status, attempts: [{ status, error: null }] });
  });

  it('because nobody listens there counts as not reached', async () => {
    const control = await startGrpcModel(() => inferReply(0));
    const rig = await openGrpcRig([forecast([grpcVariant('a', control.url), grpcVariant('b', await deadUrl())])]);
    const outcome = await callGrpc(rig.client, 'ModelInfer', inferRequest(), asUser);
    expect(outcome.code).toBe(0);
    expect((await rig.predictions())[0]!.attempts).toMatchObject([
      { variant: 'b', status: null, error: 'connect' },
      { variant: 'a', status: 200 },
    ]);
  });

  it('because the connection breaks counts as reset', async () => {
    const control = await startGrpcModel(() => inferReply(0));
    const candidate = await startGrpcModel(() => {
      candidate.close();
      return new Promise(() => {});
    });
    const rig = await openGrpcRig([forecast([grpcVariant('a', control.url), grpcVariant('b', candidate.url)])]);
    const outcome = await callGrpc(rig.client, 'ModelInfer', inferRequest(), asUser);
    expect(outcome.code).toBe(0);
    expect((await rig.predictions())[0]!.attempts[0]).toMatchObject({ variant: 'b', status: null, error: 'reset' });
  });

  it('because it is too slow counts as timed out, and its call is cancelled', async () => {
    const control = await startGrpcModel(() => inferReply(0));
    const candidate = await startGrpcModel(() => new Promise(() => {}));
    const slow = grpcVariant('b', candidate.url, {}, { timeoutMs: 100 });
    const rig = await openGrpcRig([forecast([grpcVariant('a', control.url), slow])]);
    const outcome = await callGrpc(rig.client, 'ModelInfer', inferRequest(), asUser);
    expect(outcome.header('x-assay-variant')).toBe('a');
    expect((await rig.predictions())[0]!.attempts[0]).toMatchObject({ variant: 'b', error: 'timeout' });
    await expect.poll(() => candidate.cancelled).toEqual(['ModelInfer']);
  });

  it('leaves the caller with a status when the control fails too', async () => {
    const dead = await deadUrl();
    const rig = await openGrpcRig([forecast([grpcVariant('a', dead), grpcVariant('b', dead)])]);
    const outcome = await callGrpc(rig.client, 'ModelInfer', inferRequest(), asUser);
    expect(outcome.code).toBe(14);
    expect(outcome.details).toMatch(/^variant a: cannot connect/);
    expect(outcome.header('x-assay-prediction-id')).toBeDefined();
    expect((await rig.predictions())[0]).toMatchObject({ served: null, status: 502 });
  });

  it('by an HTTP server that knows no gRPC does not hang the caller', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const control = await startGrpcModel(() => inferReply(0));
    const rig = await openGrpcRig([
      forecast([grpcVariant('a', control.url), grpcVariant('b', `http://127.0.0.1:${port}`, {}, { timeoutMs: 2000 })]),
    ]);
    const outcome = await callGrpc(rig.client, 'ModelInfer', inferRequest(), asUser);
    server.close();
    expect(outcome.header('x-assay-variant')).toBe('a');
  });

  it('is ejected like any other', async () => {
    const control = await startGrpcModel(() => inferReply(0));
    const candidate = await startGrpcModel(() => Promise.reject(grpcFault(13, 'broken')));
    const rig = await openGrpcRig([
      forecast([grpcVariant('a', control.url), grpcVariant('b', candidate.url)], {
        resilience: {
          ejection: { failureRate: 0.5, minRequests: 3, windowMs: 60_000, coolDownMs: 60_000 },
          retries: 0,
          hedgeAfterMs: null,
          maxInFlight: 100,
        },
      }),
    ]);
    for (let nth = 0; nth < 5; nth += 1) await callGrpc(rig.client, 'ModelInfer', inferRequest(), asUser);
    expect(candidate.asked).toHaveLength(3);
    expect((await rig.predictions()).at(-1)!.attempts[0]).toMatchObject({ variant: 'b', error: 'ejected' });
  });
});

describe('a caller by gRPC', () => {
  it('with a deadline passes what is left of it on', async () => {
    const model = await startGrpcModel(() => inferReply(0));
    const rig = await openGrpcRig([forecast([grpcVariant('a', model.url), grpcVariant('b', model.url)])]);
    const beforeMs = Date.now();
    await callGrpc(rig.client, 'ModelInfer', inferRequest(), { ...asUser, deadlineMs: 3000 });
    await callGrpc(rig.client, 'ModelInfer', inferRequest(), asUser);
    const [short, own] = model.asked.map(({ deadlineMs }) => deadlineMs - beforeMs);
    expect(short).toBeLessThanOrEqual(3100);
    expect(own).toBeGreaterThan(4000);
  });

  it('that cancels has its call cancelled at the model server, and is on record', async () => {
    const model = await startGrpcModel(() => new Promise(() => {}));
    const rig = await openGrpcRig([forecast([grpcVariant('a', model.url), grpcVariant('b', model.url)])]);
    const { path, requestSerialize, responseDeserialize } = methods.ModelInfer!;
    const metadata = new grpc.Metadata();
    metadata.set('x-user-id', 'u1');
    const given = new Promise((resolve) => {
      const made = rig.client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        inferRequest(),
        metadata,
        (fault) => resolve(fault?.code),
      );
      void expect
        .poll(() => model.asked.length)
        .toBe(1)
        .then(() => made.cancel());
    });
    expect(await given).toBe(grpc.status.CANCELLED);
    await expect.poll(() => model.cancelled).toEqual(['ModelInfer']);
    const [record] = await rig.predictions();
    expect(record).toMatchObject({ served: null, status: null, attempts: [{ variant: 'b', error: 'aborted' }] });
    expect(rig.counts.get('caller_aborted')).toBe(1);
  });

  it('whose deadline passes has its call cancelled at the model server', async () => {
    const model = await startGrpcModel(() => new Promise(() => {}));
    const rig = await openGrpcRig([forecast([grpcVariant('a', model.url), grpcVariant('b', model.url)])]);
    const outcome = await callGrpc(rig.client, 'ModelInfer', inferRequest(), { ...asUser, deadlineMs: 200 });
    expect(outcome.code).toBe(4);
    await expect.poll(() => model.cancelled).toEqual(['ModelInfer']);
    expect((await rig.predictions())[0]).toMatchObject({ assigned: 'b', served: null });
  });

  it('whose message is larger than allowed is told so', async () => {
    const model = await startGrpcModel(() => inferReply(0));
    const rig = await openGrpcRig(
      [forecast([grpcVariant('a', model.url), grpcVariant('b', model.url)])],
      {},
      { maxRequestBytes: 1000 },
    );
    const outcome = await callGrpc(rig.client, 'ModelInfer', inferRequest({ id: 'x'.repeat(2000) }), asUser);
    expect(outcome.code).toBe(8);
    expect(model.asked).toHaveLength(0);
  });

  it('of a model that no experiment routes is told so', async () => {
    const rig = await openGrpcRig([]);
    const outcome = await callGrpc(rig.client, 'ModelInfer', inferRequest({ model_name: 'nobody' }));
    expect(outcome.code).toBe(5);
    expect(outcome.details).toContain('/v2/models/nobody/infer');
  });

  it('of an experiment that has no gRPC addresses is refused before anybody is assigned', async () => {
    const model = await startGrpcModel(() => inferReply(0));
    const bare = grpcVariant('b', model.url);
    const { grpcUrl: _none, ...upstream } = bare.upstream;
    const rig = await openGrpcRig([forecast([grpcVariant('a', model.url), { ...bare, upstream }])]);
    const outcome = await callGrpc(rig.client, 'ModelInfer', inferRequest(), asUser);
    expect(outcome).toMatchObject({ code: 5 });
    expect(outcome.details).toContain('variant b of experiment test has no upstream.grpcUrl');
    expect(await rig.predictions()).toEqual([]);
  });

  it('whose message is no message gets INVALID_ARGUMENT', async () => {
    const rig = await openGrpcRig([]);
    const session = connect(`http://${rig.address}`);
    const stream = session.request({
      ':method': 'POST',
      ':path': '/inference.GRPCInferenceService/ModelInfer',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.end(Buffer.from([0, 0, 0, 0, 2, 0x0a, 0x7f]));
    stream.resume();
    const status = await new Promise((resolve) => {
      stream.on('trailers', (trailers) => resolve(trailers['grpc-status']));
      stream.on('response', (headers) => headers['grpc-status'] !== undefined && resolve(headers['grpc-status']));
    });
    session.destroy();
    expect(status).toBe('3');
  });
});

describe('calls about servers and models', () => {
  it('about the server are answered by the gateway', async () => {
    const rig = await openGrpcRig([]);
    expect((await callGrpc(rig.client, 'ServerLive', {})).reply).toEqual({ live: true });
    expect((await callGrpc(rig.client, 'ServerReady', {})).reply).toEqual({ ready: true });
    expect((await callGrpc(rig.client, 'ServerMetadata', {})).reply).toEqual({
      name: 'assay',
      version: '1',
      extensions: [],
    });
    await rig.gateway.drain();
    expect((await callGrpc(rig.client, 'ServerReady', {})).reply).toEqual({ ready: false });
  });

  it('about the model are answered by the control under the name asked for, and leave no record', async () => {
    const control = await startGrpcModel(({ call: name }) =>
      name === 'ModelReady'
        ? { ready: true }
        : {
            name: 'model-a',
            platform: 'onnx',
            versions: ['1', '2'],
            inputs: [{ name: 'x', datatype: 'FP64', shape: [-1, 1] }],
          },
    );
    const candidate = await startGrpcModel(() => ({ ready: false }));
    const rig = await openGrpcRig([
      forecast([grpcVariant('a', control.url, { version: '2' }), grpcVariant('b', candidate.url)]),
    ]);
    expect((await callGrpc(rig.client, 'ModelReady', { name: 'forecast' }, asUser)).reply).toEqual({ ready: true });
    const { reply } = await callGrpc(rig.client, 'ModelMetadata', { name: 'forecast', version: '9' }, asUser);
    expect(reply).toMatchObject({
      name: 'forecast',
      platform: 'onnx',
      versions: ['1', '2'],
      inputs: [{ shape: ['-1', '1'] }],
    });
    expect(control.asked.map(({ message }) => message)).toEqual([
      { name: 'model-a', version: '2' },
      { name: 'model-a', version: '2' },
    ]);
    expect(await rig.records()).toEqual([]);
  });
});

describe('the content types of gRPC inside the gateway', () => {
  it('are refused from HTTP callers', async () => {
    const model = await startGrpcModel(() => inferReply(0));
    const rig = await openGrpcRig([forecast([grpcVariant('a', model.url), grpcVariant('b', model.url)])]);
    const reply = await call(`${rig.url}/v2/models/forecast/infer`, {
      headers: { 'content-type': 'application/grpc+oip-request', 'x-user-id': 'u1' },
      body: Buffer.from('x'),
    });
    expect(reply.status).toBe(400);
    expect(model.asked).toHaveLength(0);
  });
});
