// ClickHouse as the engine of reports: chDB, which is ClickHouse as a library, behind its HTTP interface.
import { startClickhouse } from '../../src/adapters/clickhouse-server.fixture.ts';
import { runTests, serveOverEngine } from './analytics-engine.ts';
import type { System } from './system.ts';

export const system: System = {
  name: 'clickhouse',
  installs: 'chdb 3.4.0 from npm (ClickHouse 26.7, 546 MB)',
  timeoutMs: 1_200_000,
  async run(context) {
    const folder = await context.cache.npm('chdb', ['chdb@3.4.0']);
    await runTests('src/adapters/clickhouse-analytics.test.ts', { ASSAY_CHDB: folder, ASSAY_CONTRACT_RUNS: '30' });
    const server = await startClickhouse(folder);
    context.afterwards(() => server.remove());
    await serveOverEngine(context, { server, url: `${server.url.replace(/^http/, 'clickhouse')}/default` });
  },
};
