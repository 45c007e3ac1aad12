import { createClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe } from 'vitest';
import { analyticsContract } from './analytics.contract.ts';
import { createClickhouseEngine } from './clickhouse-analytics.ts';
import { startClickhouse } from './clickhouse-server.fixture.ts';
import { deliveryContract, type EngineServer } from './delivery.contract.ts';
import { type AnalyticsEngine, createEngineAnalytics } from './engine-analytics.ts';

const folder = process.env.ASSAY_CHDB;
if (folder === undefined)
  console.log('skipped: ASSAY_CHDB names no folder with chdb; `npm run test:systems -- --only clickhouse` installs it');

describe.skipIf(folder === undefined)('analytics in ClickHouse', () => {
  let server: EngineServer;
  let databases = 0;
  beforeAll(async () => {
    server = await startClickhouse(folder!);
  });
  afterAll(() => server?.remove());
  const open = async (name: string): Promise<AnalyticsEngine> => {
    const client = createClient({ url: server.url });
    await client.command({ query: `CREATE DATABASE IF NOT EXISTS ${name}` });
    await client.close();
    return createClickhouseEngine({ url: `${server.url}/${name}` });
  };

  analyticsContract(
    async (directory) => {
      databases += 1;
      return createEngineAnalytics({ directory, engine: await open(`test_${databases}`) });
    },
    { runs: Number(process.env.ASSAY_CONTRACT_RUNS ?? 10) },
  );
  deliveryContract(() => server, open);
});
