import { describe, expect, it } from 'vitest';
import type { Variant } from '../experiment/index.ts';
import { hasDotSegment, parseModelPath, upstreamPath } from './upstream-path.ts';

const rewritten = (path: string, upstream: Partial<Variant['upstream']>, query = ''): string =>
  upstreamPath(
    { path, query, model: parseModelPath(path) },
    { name: 'v', weight: 1, timeoutMs: 1, upstream: { url: 'http://h:1', protocol: 'oip', ...upstream } },
  );

describe('a model path', () => {
  it.each([
    ['/v2/models/m/infer', { api: 'v2', model: 'm', rest: '/infer' }],
    ['/v2/models/a%2Fb/versions/3/ready', { api: 'v2', model: 'a/b', rest: '/ready' }],
    ['/v2/models/m', { api: 'v2', model: 'm', rest: '' }],
    ['/v2/models/m/versions/1', { api: 'v2', model: 'm', rest: '' }],
    ['/v1/models/m:predict', { api: 'v1', model: 'm', rest: ':predict' }],
    ['/v1/models/m/versions/3:classify', { api: 'v1', model: 'm', rest: ':classify' }],
    ['/v1/models/m/labels/stable:regress', { api: 'v1', model: 'm', rest: ':regress' }],
    ['/v1/models/a%3Ab/metadata', { api: 'v1', model: 'a:b', rest: '/metadata' }],
    ['/v1/models/m', { api: 'v1', model: 'm', rest: '' }],
    ['/v1/models', null],
    ['/v1/models/m/other', null],
    ['/v2/models/', null],
    ['/v2/models/%zz/infer', null],
    ['/v2/repository/models/m/load', null],
    ['/v2/health/ready', null],
  ])('%s is understood', (path, parts) => {
    expect(parseModelPath(path)).toEqual(parts);
  });

  it.each<[string, Partial<Variant['upstream']>, string]>([
    ['/v2/models/m/infer', { model: 'x' }, '/v2/models/x/infer'],
    ['/v2/models/m/infer', { model: 'x', version: '2' }, '/v2/models/x/versions/2/infer'],
    ['/v2/models/m/versions/9/infer', { model: 'x', version: '2' }, '/v2/models/x/versions/2/infer'],
    ['/v2/models/m/versions/9/infer', { model: 'x' }, '/v2/models/x/infer'],
    ['/v2/models/m/versions/9/infer', { version: '2' }, '/v2/models/m/versions/2/infer'],
    ['/v2/models/m/versions/9/infer', {}, '/v2/models/m/versions/9/infer'],
    ['/v2/models/m', { model: 'a/b', url: 'http://h:1/base/' }, '/base/v2/models/a%2Fb'],
    ['/v2/health/ready', { model: 'x', url: 'http://h:1/base' }, '/base/v2/health/ready'],
    ['/v2/models/m/infer', { model: 'x', protocol: 'tensorflow' }, '/v2/models/m/infer'],
    ['/v2/models/m/infer', { model: 'x', protocol: 'openai' }, '/v2/models/m/infer'],
    ['/v1/models/m:predict', { model: 'x', protocol: 'tensorflow' }, '/v1/models/x:predict'],
    ['/v1/models/m:predict', { model: 'x', version: '2', protocol: 'tensorflow' }, '/v1/models/x/versions/2:predict'],
    ['/v1/models/m/versions/9:predict', { model: 'x', protocol: 'tensorflow' }, '/v1/models/x:predict'],
    ['/v1/models/m/labels/l/metadata', { model: 'x', protocol: 'tensorflow' }, '/v1/models/x/metadata'],
    ['/v1/models/m', { model: 'x', version: '2', protocol: 'tensorflow' }, '/v1/models/x/versions/2'],
    ['/v1/models/m:predict', { model: 'x' }, '/v1/models/m:predict'],
  ])('%s goes to %o as %s', (path, upstream, expected) => {
    expect(rewritten(path, upstream)).toBe(expected);
    expect(rewritten(path, upstream, '?a=b')).toBe(`${expected}?a=b`);
  });
});

describe('dot segments', () => {
  it.each(['/a/../b', '/..', '/a/.', '/%2e%2E/b', '/a/.%2e', '/a%2f..%2fb', '/a\\..\\b', '/a%5c..'])(
    'stand in %s',
    (path) => {
      expect(hasDotSegment(path)).toBe(true);
    },
  );

  it.each(['/a.b/c', '/...', '/.well-known/x', '/a..b', '/v1.0', '/%2ewell'])('do not stand in %s', (path) => {
    expect(hasDotSegment(path)).toBe(false);
  });
});
