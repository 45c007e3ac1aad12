// The node front keeps the contract of every front.
import { connect } from 'node:net';
import { afterAll } from 'vitest';
import { testFront } from './conformance.contract.ts';
import { closeAll } from './gateway-rig.fixture.ts';

afterAll(closeAll);

testFront('the node front', { kind: 'node', connect: (port) => connect(port, '127.0.0.1') });
