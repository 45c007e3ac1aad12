import { describe, expect, test } from 'vitest';
import { AssayError } from '../errors.ts';
import { parseExperimentFile, type Variant } from './index.ts';

/** An experiment whose second variant carries these keys. */
const file = (more: string): string => `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: small}
spec:
  route: {path: /v1/predict}
  unit: request
  control: a
  variants:
    - {name: a, weight: 1, upstream: {url: "http://127.0.0.1:1"}}
    - {name: b, weight: 1, ${more}}
`;
const upstream = (keys: string): string => file(`upstream: {${keys}}`);
const edits = (keys: string): string => file(`upstream: {url: "http://b"}, set: {${keys}}`);
const candidateOf = (text: string): Variant => parseExperimentFile(text).variants[1]!;

function faultOf(text: string): string {
  try {
    parseExperimentFile(text);
  } catch (error) {
    if (error instanceof AssayError) return error.issues[0]!.text;
    throw error;
  }
  throw new Error('the text was accepted');
}

describe('an upstream', () => {
  test('may name secrets, certificates and an address for gRPC', () => {
    const text = upstream(
      'url: "https://m.example/base/", model: m, grpcUrl: "https://m.example:8001/", ' +
        'headersFrom: {Authorization: {env: TOKEN, prefix: "Bearer "}, x-api-key: {file: /run/key}}, ' +
        'tls: {caFile: ca.pem, certFile: c.pem, keyFile: k.pem}',
    ).replace('"http://127.0.0.1:1"', '"http://127.0.0.1:1", model: m, grpcUrl: "http://127.0.0.1:2"');
    expect(candidateOf(text).upstream).toEqual({
      url: 'https://m.example/base',
      protocol: 'oip',
      model: 'm',
      grpcUrl: 'https://m.example:8001',
      headersFrom: { authorization: { env: 'TOKEN', prefix: 'Bearer ' }, 'x-api-key': { file: '/run/key' } },
      tls: { caFile: 'ca.pem', certFile: 'c.pem', keyFile: 'k.pem' },
    });
  });

  test.each([
    ['mlflow', 'protocol: mlflow'],
    ['tensorflow', 'protocol: tensorflow, model: m, version: "3"'],
    ['openai', 'protocol: openai'],
    ['openai', 'protocol: openai, model: small'],
    ['oip', 'model: m'],
    ['json', ''],
  ])('speaks %s when it says {%s}', (protocol, keys) => {
    expect(candidateOf(upstream(`url: "http://b", ${keys}`)).upstream.protocol).toBe(protocol);
  });

  test.each([
    ['models:/wine@champion', ''],
    ['models:/wine-quality/3', ''],
    ['models:/wine@champion', ', servedAt: "http://{name}-{version}.svc:5001/"'],
  ])('may be the registered model %s, whose server speaks mlflow', (url, more) => {
    const spec = candidateOf(upstream(`url: "${url}"${more}`)).upstream;
    expect(spec).toMatchObject({ url, protocol: 'mlflow' });
    expect(spec.servedAt).toBe(more === '' ? undefined : 'http://{name}-{version}.svc:5001');
  });

  test.each([
    ['url: "models:/wine"', 'url is "models:/wine", must be an http or https URL'],
    ['url: "models:/wine/latest"', 'or a registered model: models:/NAME@ALIAS or models:/NAME/VERSION'],
    ['url: "models:/wine@a", servedAt: "http://{host}:1"', 'in which {name} and {version} may stand'],
    ['url: "http://b", servedAt: "http://c"', 'absent unless the url begins with models:'],
    ['url: "models:/wine@a", grpcUrl: "models:/wine@a"', 'such as http://127.0.0.1:8001'],
  ])('with {%s} is refused', (keys, text) => {
    expect(faultOf(upstream(keys))).toContain(text);
  });

  test('a price is per million tokens in dollars unless it says otherwise', () => {
    const priced = (price: string) =>
      candidateOf(upstream(`url: "http://b", protocol: openai, price: {${price}}`)).upstream.price;
    expect(priced('input: 0.1, output: 2')).toEqual({ input: 0.1, output: 2, per: 1_000_000, currency: 'USD' });
    expect(priced('input: 0, output: 2, per: 1000, currency: EUR')).toEqual({
      input: 0,
      output: 2,
      per: 1000,
      currency: 'EUR',
    });
  });

  const place = 'spec.variants[1].upstream';
  test.each<[string, string]>([
    ['protocol: grpc', `${place}.protocol is "grpc", must be one of: oip, json, mlflow, tensorflow, openai`],
    [
      'protocol: tensorflow',
      `${place}.model is missing, must be the model name at the upstream, because protocol is tensorflow`,
    ],
    [
      'protocol: mlflow, model: m',
      `${place}.model is "m", must be absent unless protocol is oip or tensorflow or openai`,
    ],
    ['protocol: openai, version: "1"', `${place}.version is "1", must be absent unless protocol is oip or tensorflow`],
    ['grpcUrl: "http://b:1"', `${place}.grpcUrl is "http://b:1", must be absent unless protocol is oip`],
    [
      'model: m, grpcUrl: "http://b/v2"',
      `${place}.grpcUrl is "http://b/v2", must be an http or https URL without path, such as http://127.0.0.1:8001`,
    ],
    ['price: {input: 1, output: 1}', `${place}.price is {input, output}, must be absent unless protocol is openai`],
    ['protocol: openai, price: {input: -1, output: 1}', `${place}.price.input is -1, must be a number >= 0`],
    ['protocol: openai, price: {input: 1, output: 1, per: 0}', `${place}.price.per is 0, must be a number > 0`],
    ['tls: {caFile: a}', `${place}.tls is {caFile}, must be absent unless the url begins with https`],
    [
      'headersFrom: {authorization: {}}',
      `${place}.headersFrom.authorization is {}, must be a mapping with exactly one of: env, file`,
    ],
    [
      'headersFrom: {authorization: {env: A, file: b}}',
      `${place}.headersFrom.authorization is {env, file}, must be a mapping with exactly one of: env, file`,
    ],
    [
      'headersFrom: {authorization: {env: "A B"}}',
      `${place}.headersFrom.authorization.env is "A B", must be the name of an environment variable`,
    ],
    [
      'headersFrom: {authorization: secret}',
      `${place}.headersFrom.authorization is "secret", must be a mapping with exactly one of: env, file; and prefix`,
    ],
    [
      'headersFrom: {authorization: {env: A, prefix: "a\\nb"}}',
      `${place}.headersFrom.authorization.prefix is "a\\nb", must be up to 100 visible ASCII characters`,
    ],
    [
      'headersFrom: {host: {env: A}}',
      `${place}.headersFrom.host is misnamed, must be a header that the gateway does not make itself`,
    ],
    [
      'headersFrom: {X-Assay-Variant: {env: A}}',
      `${place}.headersFrom.X-Assay-Variant is misnamed, must be a header that the gateway does not make itself`,
    ],
    ['headersFrom: {"a b": {env: A}}', `${place}.headersFrom["a b"] is misnamed, must be a header name`],
  ])('{url: ..., %s} is refused', (keys, text) => {
    expect(faultOf(upstream(`url: "http://b", ${keys}`))).toBe(text);
  });

  test.each(['certFile', 'keyFile'])('a %s alone is refused', (key) => {
    const other = key === 'certFile' ? 'keyFile' : 'certFile';
    expect(faultOf(upstream(`url: "https://b", tls: {${key}: x}`))).toBe(
      `${place}.tls.${other} is missing, must be the path of a PEM file, because ${key} is given`,
    );
  });
});

test('an address for gRPC stands at every variant or at none', () => {
  expect(faultOf(upstream('url: "http://b", model: m, grpcUrl: "http://b:8001"'))).toBe(
    'spec.variants[0].upstream.grpcUrl is missing, must be given because another variant names one: ' +
      'a call by gRPC may be assigned to any of them',
  );
});

describe('what a variant sets', () => {
  test('headers and members are read as written, header names in lower case', () => {
    const { set } = candidateOf(edits('headers: {X-Model: "v 2"}, json: {model_variant: v2, top_k: 5, fast: true}'));
    expect(set).toEqual({ headers: { 'x-model': 'v 2' }, json: { model_variant: 'v2', top_k: 5, fast: true } });
  });

  test('a variant that sets nothing has no such key', () => {
    expect(candidateOf(upstream('url: "http://b"'))).not.toHaveProperty('set');
  });

  const place = 'spec.variants[1].set';
  test.each<[string, string]>([
    [
      'headers: {authorization: x}',
      `${place}.headers.authorization is misnamed, must be a header that carries no credentials`,
    ],
    [
      'headers: {content-length: "3"}',
      `${place}.headers.content-length is misnamed, must be a header that the gateway does not make itself`,
    ],
    ['headers: {x-a: "a\\r\\nb: c"}', `${place}.headers.x-a is "a\\r\\nb: c", must be visible ASCII text`],
    ['headers: {x-a: " a"}', `${place}.headers.x-a is " a", must be visible ASCII text`],
    ['headers: {x-a: 5}', `${place}.headers.x-a is 5, must be visible ASCII text`],
    ['json: {a: {b: 1}}', `${place}.json.a is {b}, must be text, a number or a boolean`],
    ['json: {a: null}', `${place}.json.a is null, must be text, a number or a boolean`],
    ['body: {a: 1}', `${place}.body is an unknown key, must be one of: headers, json`],
  ])('{%s} is refused', (keys, text) => {
    expect(faultOf(edits(keys))).toBe(text);
  });
});
