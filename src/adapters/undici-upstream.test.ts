// The undici upstream keeps the contract of every upstream.
import { afterAll } from 'vitest';
import { closeAll } from '../gateway/gateway-rig.fixture.ts';
import { createUndiciUpstream } from './undici-upstream.ts';
import { testUpstream } from './upstream.contract.ts';

afterAll(closeAll);

testUpstream('the undici upstream', (connections) =>
  createUndiciUpstream(connections === undefined ? {} : { connections }),
);
