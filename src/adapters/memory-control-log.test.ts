import { testControlLog } from '../control/control-log.contract.ts';
import { createMemoryControlLog } from './memory-control-log.ts';

testControlLog('createMemoryControlLog', async () => ({ open: async (now) => createMemoryControlLog({ now }) }));
