// The fast front keeps the contract of every front.
import { connect } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { testFront } from './conformance.contract.ts';
import { createFastFront } from './fast-front.ts';
import { callRaw, closeAll, experiment, json, openRig, startModel, variant } from './gateway-rig.fixture.ts';

afterAll(closeAll);

testFront('the fast front', { kind: 'fast', connect: (port) => connect(port, '127.0.0.1') });

describe('the fast front', () => {
  it('answers what follows a request to switch protocols, also in one piece with it', async () => {
    const model = await startModel(({ body }, res) => json(res, { got: body.toString() }));
    const rig = await openRig([experiment([variant('a', model.url), variant('b', model.url)])], {}, { kind: 'fast' });
    const upgrade =
      'POST /predict HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\n1';
    const next = 'POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\n2';
    expect(await callRaw(rig.port, upgrade + next, 2000)).toMatch(/"got":"1"[\s\S]*"got":"2"/);
  });

  it('is the node front where it cannot serve: with TLS', async () => {
    const front = createFastFront(() => {}, { tls: { cert: '', key: '' } });
    expect(front.kind).toBe('node');
    await front.close();
  });
});
