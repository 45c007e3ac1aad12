import { afterAll, beforeAll, describe } from 'vitest';
import { analyticsContract } from './analytics.contract.ts';
import { deliveryContract, type EngineServer } from './delivery.contract.ts';
import { createEngineAnalytics } from './engine-analytics.ts';
import { createPostgresEngine } from './postgres-analytics.ts';
import { postgresPrograms, startPostgres } from './postgres-server.fixture.ts';

// Half a minute of another engine's work: it belongs to `npm run test:systems`, which names the programs.
const programs = process.env.ASSAY_POSTGRES === undefined ? undefined : postgresPrograms();
if (programs === undefined) console.log('skipped: PostgreSQL is asked in npm run test:systems (ASSAY_POSTGRES)');

describe.skipIf(programs === undefined)('analytics in PostgreSQL', () => {
  let server: EngineServer;
  let schemas = 0;
  beforeAll(async () => {
    server = await startPostgres(programs!);
  });
  afterAll(() => server?.remove());

  analyticsContract(
    async (directory) => {
      schemas += 1;
      const engine = createPostgresEngine({ url: server.url, schema: `test_${schemas}` });
      return createEngineAnalytics({ directory, engine });
    },
    { runs: Number(process.env.ASSAY_CONTRACT_RUNS ?? 5) },
  );
  deliveryContract(
    () => server,
    async (schema) => createPostgresEngine({ url: server.url, schema }),
  );
});
