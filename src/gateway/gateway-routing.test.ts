// Requests find their experiment, their unit and their variant, and callers see what product and protocol promise.
import { afterAll, describe, expect, it } from 'vitest';
import {
  call,
  callRaw,
  closeAll,
  experiment,
  halves,
  json,
  oipReply,
  openRig,
  startModel,
  variant,
} from './gateway-rig.fixture.ts';

afterAll(closeAll);

const namedModel = (name: string) => startModel((_asked, res) => json(res, { model_used: name }));

describe('a model route', () => {
  it('rewrites infer to the model and version of the variant, keeps query, id and body bytes', async () => {
    const model = await startModel((asked, res) => json(res, oipReply(0.7, JSON.parse(asked.body.toString()).id)));
    const rig = await openRig([
      experiment(
        [
          variant('baseline', model.url, { upstream: { protocol: 'oip', model: 'forecast-baseline' } }),
          variant('enhanced', `${model.url}/base`, {
            upstream: { protocol: 'oip', model: 'forecast enhanced', version: '3' },
          }),
        ],
        {
          route: { kind: 'model', model: 'forecast' },
          capture: [{ name: 'prediction', from: 'reply', source: { kind: 'tensor', name: 'up' }, threshold: 0.5 }],
        },
      ),
    ]);
    // A 64-bit integer that JSON.parse would damage: the body must pass as bytes.
    const body = '{"id":"r-1", "inputs":[{"name":"day","shape":[1],"datatype":"INT64","data":[9007199254740993]}]}';
    const reply = await call(`${rig.url}/v2/models/forecast/versions/9/infer?trace=1`, {
      method: 'POST',
      headers: { 'x-user-id': 'u1' },
      body,
    });
    expect(reply.status).toBe(200);
    expect(JSON.parse(reply.body.toString()).id).toBe('r-1');
    expect(model.asked[0]!.url).toBe('/base/v2/models/forecast%20enhanced/versions/3/infer?trace=1');
    expect(model.asked[0]!.body.toString()).toBe(body);
    const [record] = await rig.predictions();
    expect(record).toMatchObject({
      namespace: 'default',
      experiment: 'test',
      revision: 3,
      epoch: 7,
      assigned: 'enhanced',
      served: 'enhanced',
      reason: 'split',
      propensity: 1,
      prediction: 1,
      status: 200,
      streaming: false,
      attempts: [{ variant: 'enhanced', status: 200, error: null }],
    });
    expect(record!.unit).toMatch(/^[0-9a-f]{16}$/);
    expect(record!.predictionId).toBe(reply.headers['x-assay-prediction-id']);
    expect(record!.callerMs).toBeGreaterThanOrEqual(record!.attempts[0]!.latencyMs);
  });

  it('answers readiness and metadata by the control, without a record', async () => {
    const model = await startModel((asked, res) => json(res, { url: asked.url }));
    const oip = (name: string) => variant(name, model.url, { upstream: { protocol: 'oip', model: name } });
    const rig = await openRig([
      experiment([oip('baseline'), oip('enhanced')], { route: { kind: 'model', model: 'forecast' } }),
    ]);
    expect((await call(`${rig.url}/v2/models/forecast/ready`)).body.toString()).toBe(
      '{"url":"/v2/models/baseline/ready"}',
    );
    expect((await call(`${rig.url}/v2/models/forecast`)).body.toString()).toBe('{"url":"/v2/models/baseline"}');
    const forced = await call(`${rig.url}/v2/models/forecast/ready`, { headers: { 'x-assay-force': 'enhanced' } });
    expect(forced.body.toString()).toBe('{"url":"/v2/models/enhanced/ready"}');
    expect(model.asked.at(-1)!.headers).not.toHaveProperty('x-assay-force');
    expect(await rig.records()).toEqual([]);
  });
});

describe('matching', () => {
  it('takes a path and what continues it after a slash, the longest first, then the host', async () => {
    const [short, long, host, fallback] = await Promise.all(['short', 'long', 'host', 'default'].map(namedModel));
    const at = (name: string, url: string, route: Parameters<typeof experiment>[1]) =>
      experiment([variant(name, url), variant(`${name}-b`, url)], { name, salt: name, ...route });
    const rig = await openRig(
      [
        at('host', host!.url, { route: { kind: 'host', host: 'Models.example' } }),
        at('short', short!.url, { route: { kind: 'path', path: '/v1' } }),
        at('long', long!.url, { route: { kind: 'path', path: '/v1/recommend' } }),
      ],
      { defaultUpstream: fallback!.url },
    );
    const askedFor = async (path: string, headers = {}) =>
      JSON.parse((await call(`${rig.url}${path}`, { headers })).body.toString()).model_used;
    expect(await askedFor('/v1/recommend')).toBe('long');
    expect(await askedFor('/v1/recommend/x?y=1')).toBe('long');
    expect(await askedFor('/v1/recommended')).toBe('short');
    expect(await askedFor('/v1')).toBe('short');
    expect(await askedFor('/v12')).toBe('default');
    expect(await askedFor('/other', { host: 'models.EXAMPLE:8080' })).toBe('host');
    expect(await askedFor('/v1', { host: 'models.example' })).toBe('short');
    for (const path of ['/v1/recommend/%2e%2e/admin', '/v1/../admin', '/v1/.%2E']) {
      expect(await callRaw(rig.port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).toContain(
        '"default"',
      );
    }
    expect(
      await callRaw(
        rig.port,
        'GET http://models.example/abs HTTP/1.1\r\nHost: models.example\r\nConnection: close\r\n\r\n',
      ),
    ).toContain('"host"');
    expect((await rig.predictions()).map((record) => record.experiment)).toEqual([
      'long',
      'long',
      'short',
      'short',
      'host',
      'short',
      'host',
    ]);
  });

  it('passes what matches nothing to the default upstream as it is, without a record', async () => {
    const site = await startModel((_asked, res) => {
      res.writeHead(418, { 'x-assay-variant': 'theirs', 'set-cookie': ['a=1', 'b=2'] });
      res.end('teapot');
    });
    const rig = await openRig([], { defaultUpstream: `${site.url}/` });
    const reply = await call(`${rig.url}/a/../b?c=%20`, {
      method: 'PUT',
      body: 'plain',
      headers: { 'x-assay-force': 'x', 'x-request-id': 'mine' },
    });
    expect(reply.status).toBe(418);
    expect(reply.body.toString()).toBe('teapot');
    expect(reply.headers['set-cookie']).toEqual(['a=1', 'b=2']);
    expect(reply.headers['x-assay-variant']).toBe('theirs');
    expect(reply.headers).not.toHaveProperty('x-assay-prediction-id');
    expect(site.asked[0]).toMatchObject({ method: 'PUT', body: Buffer.from('plain') });
    expect(site.asked[0]!.headers).toMatchObject({ 'x-assay-force': 'x', 'x-request-id': 'mine' });
    expect(await rig.records()).toEqual([]);
    expect(rig.gateway.status().unmatched).toBe(1);
  });

  it('answers 404 as problem+json when nothing matches and there is no default upstream', async () => {
    const rig = await openRig([]);
    const reply = await call(`${rig.url}/nowhere`);
    expect(reply.status).toBe(404);
    expect(reply.headers['content-type']).toBe('application/problem+json');
    expect(JSON.parse(reply.body.toString())).toMatchObject({ code: 'route-unknown', status: 404 });
  });

  it('refuses a request with two Host headers', async () => {
    const rig = await openRig([]);
    const text = await callRaw(rig.port, 'GET /predict HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text).toContain('request-invalid');
  });
});

describe('assignment', () => {
  it('is sticky by unit, spreads units, and is the same after a restart', async () => {
    const [a, b] = await Promise.all([namedModel('a'), namedModel('b')]);
    const split = [experiment([variant('a', a!.url), variant('b', b!.url)], { allocation: halves('a', 'b') })];
    const rig = await openRig(split);
    const other = await openRig(split);
    const seen = new Map<string, string>();
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(
        Array.from({ length: 40 }, async (_none, index) => {
          const target = round === 2 ? other : rig;
          const reply = await call(`${target.url}/predict`, { headers: { 'x-user-id': `user-${index}` } });
          const served = String(reply.headers['x-assay-variant']);
          expect(JSON.parse(reply.body.toString()).model_used).toBe(served);
          expect(seen.get(`user-${index}`) ?? served).toBe(served);
          seen.set(`user-${index}`, served);
        }),
      );
    }
    expect(new Set(seen.values())).toEqual(new Set(['a', 'b']));
    const records = await rig.predictions();
    expect(new Set(records.map((record) => record.unit)).size).toBe(40);
    expect(records.every((record) => record.propensity === 0.5 && record.reason === 'split')).toBe(true);
    expect(new Set(records.map((record) => record.predictionId)).size).toBe(80);
  });

  it('reads the unit from header, cookie, session or JSON body, and gives the same unit for the same id', async () => {
    const model = await namedModel('m');
    const sources = [
      { kind: 'header', name: 'X-User' },
      { kind: 'cookie', name: 'uid' },
      { kind: 'session', name: 'sid' },
      { kind: 'json', path: '$.user.ids[1]' },
    ] as const;
    const rig = await openRig([
      experiment([variant('a', model.url), variant('b', model.url)], { unit: { sources, orElse: 'control' } }),
    ]);
    const id = 'zoë@example';
    const post = (headers: Record<string, string>, body: unknown = {}) => call(`${rig.url}/predict`, { headers, body });
    await post({ 'x-user': Buffer.from(id).toString('latin1') });
    await post({ cookie: `other=1; uid="${encodeURIComponent(id)}"; uidx=2` });
    await post({ cookie: `sid=${encodeURIComponent(id)}` });
    await post({ sid: Buffer.from(id).toString('latin1') });
    await post({}, { user: { ids: [1, id] } });
    await post({}, { user: { ids: [1, 42] } });
    const units = (await rig.predictions()).map((record) => record.unit);
    expect(new Set(units.slice(0, 5)).size).toBe(1);
    expect(units[5]).not.toBe(units[0]);
    expect(units.includes(null)).toBe(false);
  });

  it('gives a request without an id, or with one of more than 512 bytes, to the control with reason no-unit', async () => {
    const model = await namedModel('m');
    const rig = await openRig([experiment([variant('a', model.url), variant('b', model.url)])]);
    const none = await call(`${rig.url}/predict`);
    expect(none.headers['x-assay-variant']).toBe('a');
    await call(`${rig.url}/predict`, { headers: { 'x-user-id': 'x'.repeat(513) } });
    await call(`${rig.url}/predict`, { headers: { 'x-user-id': 'x'.repeat(512) } });
    expect((await rig.predictions()).map(({ assigned, reason, unit }) => [assigned, reason, unit === null])).toEqual([
      ['a', 'no-unit', true],
      ['a', 'no-unit', true],
      ['b', 'split', false],
    ]);
    expect(rig.counts.get('unit_id_too_long')).toBe(1);
  });

  it('draws for each request when the request is the unit', async () => {
    const model = await namedModel('m');
    const draws = [0, 0.1, 0, 0.9];
    const rig = await openRig(
      [
        experiment([variant('a', model.url), variant('b', model.url)], {
          allocation: halves('a', 'b'),
          unit: { sources: [{ kind: 'request' }], orElse: 'control' },
        }),
      ],
      { random: () => draws.shift()! },
    );
    for (let count = 0; count < 2; count += 1) await call(`${rig.url}/predict`, { headers: { 'x-user-id': 'same' } });
    expect(
      (await rig.predictions()).map(({ assigned, reason, propensity, unit }) => [assigned, reason, propensity, unit]),
    ).toEqual([
      ['a', 'split', 0.5, null],
      ['b', 'split', 0.5, null],
    ]);
  });

  it('gives each request without an id a unit of its own where the rule says so', async () => {
    const model = await namedModel('m');
    const rig = await openRig([
      experiment([variant('a', model.url), variant('b', model.url)], {
        unit: { sources: [{ kind: 'header', name: 'x-user-id' }], orElse: 'request' },
      }),
    ]);
    for (let count = 0; count < 3; count += 1) await call(`${rig.url}/predict`);
    const records = await rig.predictions();
    expect(records.map((record) => record.reason)).toEqual(['split', 'split', 'split']);
    expect(new Set(records.map((record) => record.unit)).size).toBe(3);
  });

  it('obeys a forced variant, and warns of an unknown one without obeying it', async () => {
    const [a, b] = await Promise.all([namedModel('a'), namedModel('b')]);
    const rig = await openRig([experiment([variant('a', a!.url), variant('b', b!.url)])]);
    const forced = await call(`${rig.url}/predict`, { headers: { 'x-user-id': 'u', 'x-assay-force': 'a' } });
    expect(forced.headers['x-assay-variant']).toBe('a');
    expect(forced.headers).not.toHaveProperty('x-assay-warning');
    const unknown = await call(`${rig.url}/predict`, { headers: { 'x-user-id': 'u', 'x-assay-force': 'c\xe9' } });
    expect(unknown.headers['x-assay-variant']).toBe('b');
    expect(unknown.headers['x-assay-warning']).toBe('x-assay-force is "c?", must be one of: a, b');
    expect((await rig.predictions()).map((record) => record.reason)).toEqual(['forced', 'split']);
    expect(a!.asked[0]!.headers).not.toHaveProperty('x-assay-force');
  });

  it('serves one variant to everybody while the experiment is paused', async () => {
    const model = await namedModel('m');
    const rig = await openRig([
      experiment([variant('a', model.url), variant('b', model.url)], {
        allocation: { kind: 'single', variant: 'a', reason: 'paused' },
      }),
    ]);
    expect((await call(`${rig.url}/predict`, { headers: { 'x-user-id': 'u' } })).headers['x-assay-variant']).toBe('a');
    expect((await rig.predictions())[0]).toMatchObject({ assigned: 'a', reason: 'paused', propensity: 1 });
  });
});

describe('headers', () => {
  it('strips hop-by-hop and Connection-named fields both ways, and completes the forwarding ones', async () => {
    const model = await startModel((_asked, res) => {
      res.writeHead(200, [
        ...[
          'Content-Type',
          'application/json',
          'Content-Length',
          '2',
          'Connection',
          'x-private, keep-alive',
          'X-Private',
          'p',
        ],
        ...[
          'Keep-Alive',
          'timeout=9',
          'X-Assay-Variant',
          'forged',
          'Set-Cookie',
          'a=1',
          'Set-Cookie',
          'b=2',
          'X-Request-Id',
          'theirs',
          'Proxy-Authenticate',
          'Basic',
        ],
      ]);
      res.end('{}');
    });
    const rig = await openRig([experiment([variant('a', model.url), variant('b', model.url)])]);
    const reply = await call(`${rig.url}/predict`, {
      method: 'POST',
      body: '{}',
      headers: {
        'x-user-id': 'u',
        connection: 'keep-alive, X-Secret',
        'x-secret': 's',
        te: 'trailers',
        'proxy-authorization': 'Basic x',
        'x-assay-variant': 'forged',
        'x-forwarded-for': '10.0.0.1',
        'x-request-id': 'req-7',
        traceparent: '00-aa-bb-01',
        host: 'shop.example',
        expect: '100-continue',
      },
    });
    const { headers } = model.asked[0]!;
    for (const name of ['x-secret', 'te', 'proxy-authorization', 'expect']) expect(headers).not.toHaveProperty(name);
    expect(headers).toMatchObject({
      'x-forwarded-for': '10.0.0.1, 127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'shop.example',
      host: new URL(model.url).host,
      'x-request-id': 'req-7',
      traceparent: '00-aa-bb-01',
      'content-length': '2',
      'x-assay-experiment': 'test',
      'x-assay-variant': 'b',
      'x-assay-prediction-id': reply.headers['x-assay-prediction-id'],
    });
    expect(reply.headers).toMatchObject({
      'x-assay-variant': 'b',
      'x-assay-experiment': 'test',
      'x-request-id': 'req-7',
      'set-cookie': ['a=1', 'b=2'],
    });
    for (const name of ['x-private', 'proxy-authenticate', 'x-assay-fallback-from'])
      expect(reply.headers).not.toHaveProperty(name);
    expect(reply.rawHeaders.filter((name) => name.toLowerCase() === 'x-request-id')).toHaveLength(1);
    expect((await rig.predictions())[0]!.requestId).toBe('req-7');
  });

  it('makes a request id where none came, the same for model, caller and record', async () => {
    const model = await namedModel('m');
    const rig = await openRig([experiment([variant('a', model.url), variant('b', model.url)])]);
    const reply = await call(`${rig.url}/predict`);
    expect(reply.headers['x-request-id']).toBe(reply.headers['x-assay-prediction-id']);
    expect(model.asked[0]!.headers['x-request-id']).toBe(reply.headers['x-request-id']);
    expect((await rig.predictions())[0]!.requestId).toBe(reply.headers['x-request-id']);
    expect(reply.headers['x-assay-prediction-id']).toMatch(/^[\w-]+$/);
  });

  it('keeps HEAD, 204 and 304 free of a body', async () => {
    const model = await startModel((asked, res) => {
      if (asked.method === 'HEAD') res.writeHead(200, { 'content-length': '1234', 'content-type': 'application/json' });
      else res.writeHead(asked.url.endsWith('304') ? 304 : 204, { etag: '"x"' });
      res.end();
    });
    const rig = await openRig([experiment([variant('a', model.url), variant('b', model.url)])]);
    const head = await call(`${rig.url}/predict/head`, { method: 'HEAD', headers: { 'x-user-id': 'u' } });
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '1234', 0]);
    for (const status of [204, 304]) {
      const reply = await call(`${rig.url}/predict/${status}`, { headers: { 'x-user-id': 'u' } });
      expect([reply.status, reply.headers['transfer-encoding'], reply.body.length]).toEqual([status, undefined, 0]);
    }
    expect((await rig.predictions()).map((record) => [record.status, record.attempts[0]!.error])).toEqual([
      [204, null],
      [304, null],
    ]);
  });
});
