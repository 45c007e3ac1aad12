// PostgreSQL as the engine of reports.
import { join } from 'node:path';
import { postgresPrograms, startPostgres } from '../../src/adapters/postgres-server.fixture.ts';
import { runTests, serveOverEngine } from './analytics-engine.ts';
import type { System } from './system.ts';

export const system: System = {
  name: 'postgres',
  installs: 'PostgreSQL 15 from Debian (postgresql-15, 60 MB), unless the machine has one',
  async run(context) {
    const programs =
      postgresPrograms() ??
      join(await context.cache.debian('postgres', ['postgresql-15']), 'usr', 'lib', 'postgresql', '15', 'bin');
    await runTests('src/adapters/postgres-analytics.test.ts', { ASSAY_POSTGRES: programs, ASSAY_CONTRACT_RUNS: '50' });
    const server = await startPostgres(programs);
    context.afterwards(() => server.remove());
    await serveOverEngine(context, { server, url: server.url });
  },
};
