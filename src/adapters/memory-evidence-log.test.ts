import { describeEvidenceLog } from '../evidence/evidence-log.contract.ts';
import { createMemoryEvidenceLog } from './memory-evidence-log.ts';

describeEvidenceLog('the memory log', async () => {
  const log = createMemoryEvidenceLog({ now: () => 1_700_000_001_000 });
  return { log, read: async () => log.records(), cleanUp: () => log.close() };
});
