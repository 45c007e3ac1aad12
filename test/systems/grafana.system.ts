// Grafana: every query of every panel gives data from a real Prometheus that has scraped a live demo. Grafana itself is in no registry we can use.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { runDemo } from '../../src/cli/demo/index.ts';
import { dashboardQueries, makeDashboard } from '../../src/cli/export/index.ts';
import { type RunningServer, startServer } from '../../src/server/index.ts';
import {
  eventually,
  prometheusPrograms,
  type RunningPrometheus,
  startPrometheus,
  writeFiles,
} from './prometheus-server.ts';
import type { System } from './system.ts';

const experiment = 'financial-forecast';

export const system: System = {
  name: 'grafana',
  installs: 'nothing beside Prometheus from Debian',
  async run(context) {
    const { bin } = await prometheusPrograms(context);
    const folder = join(context.folder, 'config');
    let prometheus: RunningPrometheus | undefined;
    let server: RunningServer | undefined;
    context.afterwards(async () => server?.close());
    await runDemo({
      requests: 1500,
      workers: 5,
      seed: 11,
      scenario: 'real',
      serviceMs: { baseline: 5, enhanced: 9 },
      json: true,
      style: { colour: false, unicode: false, width: 100 },
      write: () => {},
      progressStream: new Writable({ write: (_chunk, _encoding, done) => done() }),
      dataDirectory: join(context.folder, 'data'),
      startServer: async ({ experiments, dataDirectory }) => {
        server = await startServer({ experiments, dataDirectory, port: 0, apiPort: 0, startDrafts: true });
        await writeFiles(folder, [
          {
            path: 'prometheus.yml',
            text: JSON.stringify({
              global: { scrape_interval: '1s' },
              scrape_configs: [{ job_name: 'assay', static_configs: [{ targets: [new URL(server.apiUrl).host] }] }],
            }),
          },
        ]);
        prometheus = await startPrometheus(context, { folder, bin });
        // The demo ends; what it has left behind goes on being scraped.
        return { ...server, close: async () => {} };
      },
    });
    const scraped = prometheus!;
    await eventually(
      'a scrape of the report',
      async () =>
        (await scraped.query(`assay_verdict{experiment="${experiment}"} == 1`)).length === 1 &&
        (await scraped.query(`assay_net_value{experiment="${experiment}"}`)).length === 1
          ? true
          : undefined,
      90_000,
    );

    const { panels = [], templating } = makeDashboard();
    assert.deepEqual(
      templating?.list?.map(({ name }) => name),
      ['datasource', 'experiment'],
    );
    const listed = await scraped.query('assay_experiment_state');
    assert.ok(
      listed.some(({ metric }) => metric.experiment === experiment),
      '$experiment lists nothing',
    );
    assert.ok(panels.length > 10);
    const empty: string[] = [];
    for (const { panel, expr } of dashboardQueries()) {
      const filled = expr.replaceAll('$experiment', experiment).replaceAll('$__rate_interval', '5m');
      const found = await scraped.query(filled);
      const numbers = found.map(({ value }) => Number(value[1]));
      const isSound = found.length > 0 && numbers.some((number) => !Number.isNaN(number));
      if (!isSound) empty.push(`${panel}: ${filled}`);
      context.note(`${isSound ? 'ok  ' : 'NONE'} ${panel}: ${found.length} series, ${numbers.slice(0, 4).join(', ')}`);
    }
    assert.deepEqual(empty, []);
  },
};
