// Only our own proxies are believed what they say of the hops before them.
import { afterAll, describe, expect, it } from 'vitest';
import { call, closeAll, experiment, json, openRig, startModel, variant } from './gateway-rig.fixture.ts';
import { createPeerTrust } from './trusted-proxies.ts';

afterAll(closeAll);

describe('trust in peers', () => {
  it.each([
    [
      'loopback',
      ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'],
      ['10.0.0.1', '128.0.0.1', '::2', 'unknown', ''],
    ],
    [
      'private',
      ['10.1.2.3', '172.31.0.1', '192.168.1.1', '100.64.0.9', 'fd00::1', 'fe80::1%eth0'],
      ['172.32.0.1', '8.8.8.8', '2001:db8::1'],
    ],
    ['10.0.0.0/8', ['10.255.255.255', '::ffff:10.0.0.1'], ['11.0.0.0', '::a00:1']],
    ['2001:db8::/32', ['2001:db8:1::2'], ['2001:db9::1', '32.1.13.184']],
    ['192.0.2.7', ['192.0.2.7'], ['192.0.2.8']],
    ['0.0.0.0/0', ['8.8.8.8'], ['2001:db8::1']],
  ])('%s takes in what it names and nothing else', (entry, inside, outside) => {
    const isTrusted = createPeerTrust([entry]);
    expect(inside.map(isTrusted)).toEqual(inside.map(() => true));
    expect(outside.map(isTrusted)).toEqual(outside.map(() => false));
    // The second time the answer is a kept one.
    expect(inside.every(isTrusted)).toBe(true);
  });

  it.each([
    '',
    'localhost',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0/8',
    '::1/129',
    '10.0.0.1/8/8',
    'private ',
  ])('refuses %j', (entry) => {
    expect(() => createPeerTrust(['loopback', entry])).toThrow(/^trustedProxies\[1\] is ".*", must be/);
  });
});

describe('forwarded headers', () => {
  const forwarded = {
    'x-forwarded-for': '203.0.113.9, 10.1.1.1',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'shop.example',
    'x-forwarded-port': '443',
    'x-real-ip': '203.0.113.9',
    forwarded: 'for=203.0.113.9',
    'x-user-id': 'u',
  };
  const asked = async (trustedProxies?: readonly string[]) => {
    const model = await startModel((_asked, res) => json(res, {}));
    const rig = await openRig(
      [experiment([variant('a', model.url), variant('b', model.url)])],
      trustedProxies === undefined ? {} : { trustedProxies },
    );
    await call(`${rig.url}/predict`, { headers: { ...forwarded, host: 'gate.example' } });
    return model.asked[0]!.headers;
  };

  it('of a trusted peer pass, its own address behind them', async () => {
    for (const list of [undefined, ['127.0.0.1'], ['10.0.0.0/8', 'loopback']]) {
      expect(await asked(list)).toMatchObject({ ...forwarded, 'x-forwarded-for': '203.0.113.9, 10.1.1.1, 127.0.0.1' });
    }
  });

  it('of any other peer are dropped and made anew', async () => {
    for (const list of [[], ['10.0.0.0/8']]) {
      const headers = await asked(list);
      expect(headers).toMatchObject({
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': 'http',
        'x-forwarded-host': 'gate.example',
        'x-user-id': 'u',
      });
      for (const gone of ['x-forwarded-port', 'x-real-ip', 'forwarded']) expect(headers).not.toHaveProperty(gone);
    }
  });
});
