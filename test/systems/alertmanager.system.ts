// Alertmanager: a metric crosses its line, Prometheus fires, Alertmanager calls, and Assay gives everybody the control again.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { alertmanagerFiles, prometheusFiles } from '../../src/cli/export/index.ts';
import { parseExperimentFiles } from '../../src/experiment/index.ts';
import { startServer } from '../../src/server/index.ts';
import { startModel } from '../e2e/assay-process.ts';
import { eventually, prometheusPrograms, startAlertmanager, startPrometheus, writeFiles } from './prometheus-server.ts';
import type { System } from './system.ts';

const withinMs = 15_000;

export const system: System = {
  name: 'alertmanager',
  installs: 'Alertmanager 0.25 and Prometheus 2.42 from Debian (prometheus-alertmanager, prometheus)',
  async run(context) {
    const { bin } = await prometheusPrograms(context);
    const control = await startModel('a');
    context.afterwards(() => control.close());
    const candidate = await startFailingModel();
    context.afterwards(() => candidate.close());
    // Assay's own loop only notifies here, so that what rolls back is the alert.
    const experiments = parseExperimentFiles(
      `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: scores}
spec:
  hypothesis: b scores better
  route: {path: /score}
  unit: {header: x-user-id, orElse: control}
  control: a
  variants:
    - {name: a, weight: 50, upstream: {url: "${control.url}", protocol: json}}
    - {name: b, weight: 50, upstream: {url: "${candidate.url}", protocol: json}}
  metrics:
    error_rate: {mean: failed}
  decision: {guardrails: [error_rate < 0.02], onBreach: notify, minDuration: 0s}
`,
      { file: 'scores' },
    );
    const server = await startServer({
      experiments,
      dataDirectory: join(context.folder, 'data'),
      port: 0,
      apiPort: 0,
      startDrafts: true,
      token: 'the token of the whole API',
      tokensFor: { '/metrics': 'the token of Prometheus', '/api/v1/alerts': 'the token of Alertmanager' },
    });
    context.afterwards(() => server.close());

    const folder = join(context.folder, 'config');
    const target = new URL(server.apiUrl).host;
    await writeFiles(folder, [
      ...alertmanagerFiles({ url: server.apiUrl }),
      { path: 'assay-alerts-token', text: 'the token of Alertmanager' },
      { path: 'assay-metrics-token', text: 'the token of Prometheus' },
    ]);
    const alertmanager = await startAlertmanager(context, { folder, bin });
    const files = prometheusFiles(experiments, { target, windowS: 5, forS: 0 });
    await writeFiles(
      folder,
      files.map(({ path, text }) => ({
        path,
        text:
          path === 'prometheus.yml'
            ? text.replaceAll(': 15s', ': 1s').replace('127.0.0.1:9093', alertmanager)
            : text.replace(/(alert: HighErrorRate[\s\S]*?assay_action: )none/, '$1roll-back'),
      })),
    );
    const prometheus = await startPrometheus(context, { folder, bin });

    let isOver = false;
    const statuses = new Map<number, number>();
    const callers = [0, 1, 2, 3].map(async (caller) => {
      for (let each = 0; !isOver; each += 1) {
        const headers = { 'x-user-id': `user-${caller}-${each % 200}` };
        const { status } = await fetch(`${server.gatewayUrl}/score`, { headers });
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        await sleep(20);
      }
    });
    try {
      await eventually(
        'a scraped rate',
        async () => ((await prometheus.query('assay:requests:rate > 1')).length >= 2 ? true : undefined),
        60_000,
      );
      assert.equal(server.service.get('scores').state, 'running');
      candidate.fail();
      const brokenMs = Date.now();
      await eventually(
        'the roll-back',
        async () => (server.service.get('scores').state === 'rolled-back' ? true : undefined),
        60_000,
      );
      const tookMs = Date.now() - brokenMs;
      context.note(`from the first failure to 100 % control: ${(tookMs / 1000).toFixed(1)} s`);
      assert.ok(tookMs < withinMs, `it took ${tookMs} ms, must take less than ${withinMs}`);
    } finally {
      isOver = true;
      await Promise.all(callers);
    }
    const last = server.service.history('scores').at(-1)!.event;
    assert.equal(last.author, 'alertmanager');
    assert.match(last.reason, /^HighErrorRate: b: b in scores fails more than 2 % of its requests \[[0-9a-f]+ \S+\]$/);
    context.note(`audit: ${last.kind} by ${last.author}: ${last.reason}`);
    assert.deepEqual([...statuses.keys()], [200], 'callers saw a failure');
    context.note(`callers saw ${statuses.get(200)} replies, all of them 200`);

    // Alertmanager repeats a firing alert; the experiment must not be touched again.
    const entries = server.service.history('scores').length;
    await sleep(3_000);
    assert.equal(server.service.history('scores').length, entries);
    context.note('further notifications of the same alert change nothing');
  },
};

/** A model that answers until it is told to fail. */
async function startFailingModel(): Promise<{ url: string; fail: () => void; close: () => Promise<void> }> {
  let isFailing = false;
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.statusCode = isFailing ? 500 : 200;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ score: 0.5 }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fail: () => {
      isFailing = true;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
