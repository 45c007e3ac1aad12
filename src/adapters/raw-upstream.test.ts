// The raw upstream keeps the contract of every upstream, and leaves what is not cleartext to another one.
import { afterAll, expect, it } from 'vitest';
import { closeAll, variant } from '../gateway/gateway-rig.fixture.ts';
import type { Upstream } from '../gateway/index.ts';
import { createRawUpstream } from './raw-upstream.ts';
import { createUndiciUpstream } from './undici-upstream.ts';
import { testUpstream } from './upstream.contract.ts';

afterAll(closeAll);

testUpstream('the raw upstream', (connections) =>
  createRawUpstream({ otherwise: createUndiciUpstream(), ...(connections === undefined ? {} : { connections }) }),
);

it('the raw upstream leaves https and certificates to the other one', async () => {
  const asked: string[] = [];
  const otherwise: Upstream = {
    dispatch({ name }) {
      asked.push(name);
      return { resume: () => {}, abort: () => {} };
    },
    retain: (variants) => void asked.push(`retain ${variants.map(({ name }) => name).join(' ')}`),
    close: async () => {},
  };
  const upstream = createRawUpstream({ otherwise });
  const handler = { onHeaders: () => {}, onData: () => true, onComplete: () => {}, onError: () => {} };
  const request = { method: 'GET', path: '/', headers: [], body: null, timeoutMs: 10 };
  const secure = variant('secure', 'https://127.0.0.1:1');
  const certified = variant('certified', 'http://127.0.0.1:1', { upstream: { tls: { caFile: 'x' } } });
  const plain = variant('plain', 'http://127.0.0.1:1');
  for (const each of [secure, certified, plain]) upstream.dispatch(each, request, handler);
  upstream.retain([secure, certified, plain]);
  expect(asked).toEqual(['secure', 'certified', 'retain secure certified']);
  await upstream.close();
});
