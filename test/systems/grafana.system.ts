// Grafana: every query of every panel gives data from a real Prometheus that has scraped a live demo. Grafana itself is in no registry we can use.
// The demo has no shadow: its panel is asked of an experiment beside it that has one, which fails every other copy.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { runDemo } from '../../src/cli/demo/index.ts';
import { dashboardQueries, makeDashboard } from '../../src/cli/export/index.ts';
import { type Experiment, parseExperimentFiles } from '../../src/experiment/index.ts';
import { type RunningServer, startServer } from '../../src/server/index.ts';
import { startModel } from '../e2e/assay-process.ts';
import {
  eventually,
  prometheusPrograms,
  type RunningPrometheus,
  startPrometheus,
  writeFiles,
} from './prometheus-server.ts';
import type { System } from './system.ts';

const experiment = 'financial-forecast';
const mirrored = 'mirrored';
/** Panels of what the demo does not do. */
const experimentOf: Readonly<Record<string, string>> = { Shadow: mirrored };

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
        server = await startServer({
          experiments: [...experiments, ...(await mirroredExperiment(context))],
          dataDirectory,
          port: 0,
          apiPort: 0,
          startDrafts: true,
        });
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

    for (let each = 0; each < 40; each += 1) {
      const reply = await fetch(`${server!.gatewayUrl}/mirrored`, { headers: { 'x-user-id': `user-${each}` } });
      assert.equal(reply.status, 200);
    }
    await eventually(
      'a scrape of the copies',
      async () => {
        const [rate] = await scraped.query(`rate(assay_mirror_failed_total{experiment="${mirrored}"}[5m])`);
        return Number(rate?.value[1]) > 0 || undefined;
      },
      60_000,
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
    assert.deepEqual(
      new Set(dashboardQueries().map(({ panel }) => panel)),
      new Set(panels.map(({ title }) => title)),
      'a panel without a query would be shown empty',
    );
    assert.ok(panels.length > 10);
    const empty: string[] = [];
    for (const { panel, expr } of dashboardQueries()) {
      const filled = expr
        .replaceAll('$experiment', experimentOf[panel] ?? experiment)
        .replaceAll('$__rate_interval', '5m');
      const found = await scraped.query(filled);
      const numbers = found.map(({ value }) => Number(value[1]));
      const isSound = found.length > 0 && numbers.some((number) => !Number.isNaN(number));
      if (!isSound) empty.push(`${panel}: ${filled}`);
      context.note(`${isSound ? 'ok  ' : 'NONE'} ${panel}: ${found.length} series, ${numbers.slice(0, 4).join(', ')}`);
    }
    assert.deepEqual(empty, []);
  },
};

/** An experiment with a shadow. */
async function mirroredExperiment(context: Parameters<System['run']>[0]): Promise<readonly Experiment[]> {
  const model = await startModel('a');
  context.afterwards(() => model.close());
  let copies = 0;
  const shadow = createServer((request, response) => {
    copies += 1;
    response.statusCode = copies % 2 === 0 ? 200 : 500;
    request.resume().on('end', () => response.end('{"score": 1}'));
  }).listen(0, '127.0.0.1');
  await once(shadow, 'listening');
  context.afterwards(() => {
    shadow.closeAllConnections();
    shadow.close();
  });
  return parseExperimentFiles(
    `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: ${mirrored}}
spec:
  hypothesis: b is better
  route: {path: /mirrored}
  unit: {header: x-user-id, orElse: control}
  control: a
  variants:
    - {name: a, weight: 50, upstream: {url: "${model.url}"}}
    - {name: b, weight: 50, upstream: {url: "${model.url}"}}
    - {name: next, weight: 0, upstream: {url: "http://127.0.0.1:${(shadow.address() as AddressInfo).port}"}}
  mirror: {variant: next, share: 1}
`,
    { file: mirrored },
  );
}
