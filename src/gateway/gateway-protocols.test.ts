// Model protocols through a real gateway: each passes untouched and is addressed to the variant's model.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import type { Capture, RoutedExperiment } from '../experiment/index.ts';
import { call, closeAll, experiment, json, openRig, startModel, twoOn, variant } from './gateway-rig.fixture.ts';

afterAll(closeAll);

const byJson = (path: string): RoutedExperiment['unit'] => ({ sources: [{ kind: 'json', path }], orElse: 'control' });
const prediction = (source: Capture['source']): Capture => ({ name: 'prediction', from: 'reply', source });
const asUser = { 'x-user-id': 'u1' };

describe('a unit id in the body', () => {
  it('is found wherever it stands, and is the same unit as in a header', async () => {
    const unit = {
      sources: [
        { kind: 'header', name: 'x-user-id' },
        { kind: 'json', path: '$.user.id' },
      ],
    } as const;
    const { rig } = await twoOn({}, { unit: { ...unit, orElse: 'control' } });
    const bodies = [
      '{"user":{"id":"u1"}}',
      `{"x":[${'1,'.repeat(9000)}1],\n"user" : {"z":{"id":2},"id" : "u\\u0031"}}`,
    ];
    for (const body of bodies) await call(`${rig.url}/predict`, { body });
    await call(`${rig.url}/predict`, { body: gzipSync(bodies[0]!), headers: { 'content-encoding': 'gzip' } });
    await call(`${rig.url}/predict`, { body: '{}', headers: asUser });
    const units = (await rig.predictions()).map((record) => record.unit);
    expect(new Set(units).size).toBe(1);
    expect(units[0]).not.toBeNull();
  });

  it('may be a number, in its shortest form', async () => {
    const { rig } = await twoOn({}, { unit: byJson('$.id') });
    for (const id of ['17', '17.0', '"17"', '1.7e1']) await call(`${rig.url}/predict`, { body: `{"id":${id}}` });
    expect(new Set((await rig.predictions()).map((record) => record.unit)).size).toBe(1);
  });

  it('that stands twice is none: the control answers, counted and with a warning', async () => {
    const { rig } = await twoOn({}, { unit: byJson('$.id') });
    const reply = await call(`${rig.url}/predict`, { body: '{"id":"a","id":"b"}' });
    expect(reply.headers['x-assay-variant']).toBe('a');
    expect(reply.headers['x-assay-warning']).toMatch(/stands twice/);
    expect(await rig.predictions()).toMatchObject([{ unit: null, reason: 'no-unit', assigned: 'a' }]);
    expect(rig.counts.get('unit_id_duplicate')).toBe(1);
  });

  it.each(['', 'text', '{"id":', '{"id":null}', '{"id":9007199254740993}', '{"id":{}}'])(
    'is none in %j',
    async (body) => {
      const { rig } = await twoOn({}, { unit: byJson('$.id') });
      await call(`${rig.url}/predict`, { body });
      expect(await rig.predictions()).toMatchObject([{ unit: null, reason: 'no-unit' }]);
    },
  );
});

describe('one service that is told which model to use', () => {
  const edited = async () => {
    const model = await startModel((_asked, res) => json(res, {}));
    const variants = [
      variant('a', model.url, { set: { json: { model_variant: 'v1' } } }),
      variant('b', model.url, { set: { json: { model_variant: 'v2', k: 20 }, headers: { 'x-stage': 'next' } } }),
    ];
    return { model, rig: await openRig([experiment(variants)]) };
  };

  it('gets the member of each variant, and every other byte as it came', async () => {
    const { model, rig } = await edited();
    const body = '{ "id": 12345678901234567890, "k" : 5,\n "x": 1.0 }';
    await call(`${rig.url}/predict`, { body, headers: { ...asUser, 'X-Stage': 'mine' } });
    expect(model.asked[0]!.body.toString()).toBe(
      '{ "id": 12345678901234567890, "k" : 20,\n "x": 1.0 ,"model_variant":"v2"}',
    );
    expect(model.asked[0]!.headers).toMatchObject({
      'x-stage': 'next',
      'content-length': String(model.asked[0]!.body.length),
    });
    await call(`${rig.url}/predict`, { body });
    expect(model.asked[1]!.body.toString()).toContain('"model_variant":"v1"');
    expect(model.asked[1]!.headers['x-stage']).toBeUndefined();
  });

  it('gets the edits of the control where the candidate failed', async () => {
    const model = await startModel((asked, res) => json(res, {}, asked.body.includes('v2') ? 500 : 200));
    const variants = ['v1', 'v2'].map((name) => variant(name, model.url, { set: { json: { model_variant: name } } }));
    const rig = await openRig([experiment(variants)]);
    const reply = await call(`${rig.url}/predict`, { body: '{"x":1}', headers: asUser });
    expect(reply.status).toBe(200);
    expect(model.asked.map(({ body }) => body.toString())).toEqual([
      '{"x":1,"model_variant":"v2"}',
      '{"x":1,"model_variant":"v1"}',
    ]);
  });

  it.each(['[1,2]', 'a=b', ''])(
    'gets %j from the control as it came, and the request is left out of the comparison',
    async (body) => {
      const { model, rig } = await edited();
      const reply = await call(`${rig.url}/predict`, { body, headers: asUser });
      expect(reply.headers['x-assay-variant']).toBe('a');
      expect(reply.headers['x-assay-warning']).toMatch(/no JSON object/);
      expect(model.asked[0]!.body.toString()).toBe(body);
      expect(await rig.predictions()).toMatchObject([{ assigned: 'a', reason: 'not-editable', unit: null }]);
      expect(rig.counts.get('request_not_editable')).toBe(1);
    },
  );
});

describe('the Open Inference Protocol', () => {
  const route = { kind: 'model', model: 'iris' } as const;
  const oip = { protocol: 'oip', model: 'iris-blue' } as const;

  it('passes binary tensors both ways, and reads ids and captures from them', async () => {
    const replyHead = JSON.stringify({
      model_name: 'iris-blue',
      outputs: [{ name: 'up', datatype: 'INT64', shape: [1], parameters: { binary_data_size: 8 } }],
    });
    const tensor = Buffer.alloc(8);
    tensor.writeBigInt64LE(2n ** 53n + 1n);
    const replyBody = Buffer.concat([Buffer.from(replyHead), tensor]);
    const model = await startModel((_asked, res) => {
      res.writeHead(200, {
        'content-type': 'application/octet-stream',
        'inference-header-content-length': replyHead.length,
        'content-length': replyBody.length,
      });
      res.end(replyBody);
    });
    const variants = [variant('a', model.url, { upstream: oip }), variant('b', model.url, { upstream: oip })];
    const capture: Capture[] = [
      prediction({ kind: 'tensor', name: 'up' }),
      { name: 'amount', from: 'request', source: { kind: 'tensor', name: 'amount' } },
    ];
    const rig = await openRig([experiment(variants, { route, capture, unit: byJson('$.parameters.user') })]);
    const head = JSON.stringify({
      id: 'x',
      parameters: { user: 'u1' },
      inputs: [{ name: 'amount', datatype: 'FP32', shape: [1, 1], parameters: { binary_data_size: 4 } }],
    });
    // Bytes that would read as the end of the document, and as another id, if anybody looked.
    const amount = Buffer.from('}"u"');
    const body = Buffer.concat([Buffer.from(head), amount]);
    const headers = {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(head.length),
    };
    const reply = await call(`${rig.url}/v2/models/iris/infer`, { body, headers });
    expect(reply.body).toEqual(replyBody);
    expect(reply.headers['inference-header-content-length']).toBe(String(replyHead.length));
    expect(model.asked[0]).toMatchObject({ url: '/v2/models/iris-blue/infer', headers });
    expect(model.asked[0]!.body).toEqual(body);
    expect(await rig.predictions()).toMatchObject([
      { reason: 'split', prediction: '9007199254740993', context: { amount: amount.readFloatLE(0) } },
    ]);
  });

  it('passes 64-bit integers in JSON and any white space untouched', async () => {
    const { model, rig } = await twoOn(oip, { route });
    const body = '{"inputs": [ {"name":"x","datatype":"INT64","shape":[1],"data":[9223372036854775807]} ]}\n';
    await call(`${rig.url}/v2/models/iris/versions/3/infer`, { body, headers: asUser });
    expect(model.asked[0]!.body.toString()).toBe(body);
  });

  it('answers for the name callers know: metadata and readiness of the model', async () => {
    const model = await startModel((asked, res) =>
      asked.url.endsWith('/ready')
        ? json(res, {})
        : json(res, { name: 'iris-blue', versions: ['1'], platform: 'onnx', inputs: [], outputs: [] }),
    );
    const rig = await openRig([
      experiment([variant('a', model.url, { upstream: oip }), variant('b', model.url)], { route }),
    ]);
    for (const path of ['/v2/models/iris', '/v2/models/iris/versions/1']) {
      const reply = await call(rig.url + path);
      expect(reply.body.toString()).toBe('{"name":"iris","versions":["1"],"platform":"onnx","inputs":[],"outputs":[]}');
      expect(reply.headers['content-length']).toBe(String(reply.body.length));
    }
    expect((await call(`${rig.url}/v2/models/iris/ready`)).status).toBe(200);
    expect(model.asked.map(({ url }) => url)).toEqual([
      '/v2/models/iris-blue',
      '/v2/models/iris-blue',
      '/v2/models/iris-blue/ready',
    ]);
    expect(await rig.predictions()).toEqual([]);
  });

  it('answers for the server where no other server is asked', async () => {
    const { model, rig } = await twoOn(oip, { route });
    expect(JSON.parse((await call(`${rig.url}/v2/health/live`)).body.toString())).toEqual({ live: true });
    expect(JSON.parse((await call(`${rig.url}/v2/health/ready`)).body.toString())).toEqual({ ready: true });
    expect(JSON.parse((await call(`${rig.url}/v2`)).body.toString())).toMatchObject({ name: 'assay', extensions: [] });
    expect((await call(`${rig.url}/v2/health/ready`, { method: 'POST', body: '{}' })).status).toBe(404);
    expect((await call(`${rig.url}/v2/models/unknown/ready`)).status).toBe(404);
    expect(model.asked).toEqual([]);
    rig.route([]);
    expect((await call(`${rig.url}/v2/health/live`)).status).toBe(404);
  });

  it('leaves those questions to the default upstream where there is one', async () => {
    const other = await startModel((_asked, res) => json(res, { name: 'triton' }));
    const rig = await openRig(
      [experiment([variant('a', other.url, { upstream: oip }), variant('b', other.url)], { route })],
      {
        defaultUpstream: other.url,
      },
    );
    expect((await call(`${rig.url}/v2`)).body.toString()).toBe('{"name":"triton"}');
  });
});

describe('TensorFlow Serving', () => {
  it('is addressed by the model of the variant; its status is a probe', async () => {
    const upstream = { protocol: 'tensorflow', model: 'net', version: '4' } as const;
    const { model, rig } = await twoOn(upstream, { route: { kind: 'model', model: 'iris' } }, { predictions: [1] });
    for (const verb of ['predict', 'classify', 'regress']) {
      const reply = await call(`${rig.url}/v1/models/iris:${verb}`, { body: '{"instances":[1]}', headers: asUser });
      expect(reply.headers['x-assay-variant']).toBe('b');
    }
    await call(`${rig.url}/v1/models/iris/labels/stable:predict`, { body: '{"instances":[1]}', headers: asUser });
    await call(`${rig.url}/v1/models/iris`);
    await call(`${rig.url}/v1/models/iris/metadata`);
    expect(model.asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST /v1/models/net/versions/4:predict',
      'POST /v1/models/net/versions/4:classify',
      'POST /v1/models/net/versions/4:regress',
      'POST /v1/models/net/versions/4:predict',
      'GET /v1/models/net/versions/4',
      'GET /v1/models/net/versions/4/metadata',
    ]);
    expect(await rig.predictions()).toHaveLength(4);
    expect((await call(`${rig.url}/v2/models/iris/infer`, { body: '{}', headers: asUser })).status).toBe(404);
  });
});

describe('MLflow', () => {
  it('predicts by invocations; its ping and version are probes', async () => {
    const { model, rig } = await twoOn({ protocol: 'mlflow' }, { route: { kind: 'host', host: 'localhost' } }, {});
    const url = rig.url.replace('127.0.0.1', 'localhost');
    const headers = { ...asUser, host: 'localhost' };
    await call(`${url}/invocations`, { body: '{"inputs":[[1]]}', headers });
    for (const path of ['/ping', '/version', '/health']) await call(url + path, { headers });
    expect(model.asked.map(({ url: path }) => path)).toEqual(['/invocations', '/ping', '/version', '/health']);
    expect(await rig.predictions()).toHaveLength(1);
  });
});

describe('credentials', () => {
  const directory = mkdtempSync(join(tmpdir(), 'assay-credentials-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  it('reach the model server and neither records nor callers', async () => {
    const file = join(directory, 'key');
    writeFileSync(file, 'top-secret');
    const model = await startModel((asked, res) =>
      json(res, { got: asked.headers.authorization === 'Bearer top-secret' }),
    );
    const upstream = { headersFrom: { authorization: { file, prefix: 'Bearer ' } } };
    const rig = await openRig([experiment([variant('a', model.url), variant('b', model.url, { upstream })])]);
    const reply = await call(`${rig.url}/predict`, { body: {}, headers: { ...asUser, authorization: 'mine' } });
    expect(reply.body.toString()).toBe('{"got":true}');
    expect(JSON.stringify([await rig.records(), reply.headers, rig.faults])).not.toContain('top-secret');
  });

  it('that are missing let the control answer; without those of the control it is 502', async () => {
    const model = await startModel((_asked, res) => json(res, {}));
    const upstream = { headersFrom: { authorization: { env: 'NO_SUCH_TOKEN' } } };
    const rig = await openRig([experiment([variant('a', model.url), variant('b', model.url, { upstream })])]);
    const reply = await call(`${rig.url}/predict`, { body: {}, headers: asUser });
    expect([reply.status, reply.headers['x-assay-variant']]).toEqual([200, 'a']);
    expect((await rig.predictions())[0]!.attempts).toMatchObject([
      { variant: 'b', status: null, error: 'credentials' },
      { variant: 'a', status: 200, error: null },
    ]);
    expect(rig.faults).toEqual([
      'credentials-missing: header authorization of variant b comes from the environment variable NO_SUCH_TOKEN, which is not set or empty; set it and restart',
    ]);
    rig.route([experiment([variant('a', model.url, { upstream }), variant('b', model.url)], { epoch: 8 })]);
    const refused = await call(`${rig.url}/predict`, { body: {} });
    expect(refused.status).toBe(502);
    expect(refused.body.toString()).not.toContain('NO_SUCH_TOKEN');
  });
});
