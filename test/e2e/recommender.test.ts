// The recommender of examples/recommender, run as it stands there: one service, two models, its own click events.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startService } from '../../examples/recommender/service.ts';
import { sendVisitors, type Tally } from '../../examples/recommender/visitors.ts';
import { openDuckdbAnalytics } from '../../src/adapters/duckdb-analytics.ts';
import { type MetricEntry, makeReport, type Report } from '../../src/decision/index.ts';
import { parseExperimentFile } from '../../src/experiment/index.ts';
import { type RunningServer, startServer } from '../../src/server/server.ts';
import { expectContract } from './report-contract.ts';

const file = fileURLToPath(new URL('../../examples/recommender/experiment.yaml', import.meta.url));
const made: string[] = [];
afterAll(async () => {
  for (const directory of made) await rm(directory, { recursive: true, force: true });
});

/** The example's own file, but for its addresses. */
async function start(serviceUrl: string): Promise<{ server: RunningServer; dataDirectory: string }> {
  const text = (await readFile(file, 'utf8')).replaceAll('http://127.0.0.1:9001', serviceUrl);
  const dataDirectory = await mkdtemp(join(tmpdir(), 'assay-recommender-'));
  made.push(dataDirectory);
  const experiments = [parseExperimentFile(text)];
  const server = await startServer({ experiments, dataDirectory, port: 0, apiPort: 0, startDrafts: true });
  return { server, dataDirectory };
}

/** The report as it will be in an hour, when every window has ended. */
async function reportInAnHour(server: RunningServer, dataDirectory: string): Promise<Report> {
  const { experiment, epochs, startedAtMs } = server.service.get('recommender', 'default');
  const analytics = await openDuckdbAnalytics({ directory: dataDirectory, isLive: () => true });
  const nowMs = Date.now() + 3_600_000;
  const summary = await analytics.summarise({ experiment, epochs, nowMs });
  await analytics.close();
  return makeReport(summary, { experiment, nowMs, startedAtMs: startedAtMs as number });
}

const metric = (report: Report, name: string): MetricEntry =>
  report.metrics.find((entry) => entry.name === name) as MetricEntry;
const estimate = (report: Report, name: string, variant: string): number =>
  metric(report, name).variants.find((entry) => entry.variant === variant)?.estimate as number;

describe('the recommender', () => {
  let tallies: Readonly<Record<string, Tally>>;
  let report: Report;

  beforeAll(async () => {
    const service = await startService();
    const { server, dataDirectory } = await start(service.url);
    tallies = await sendVisitors({ gatewayUrl: server.gatewayUrl, apiUrl: server.apiUrl });
    const early = await server.report('recommender');
    expect(early.checks.maturity).toMatchObject({ ok: false, text: expect.stringContaining('still wait') });
    report = await reportInAnHour(server, dataDirectory);
    await server.close();
    await service.close();
  }, 120_000);

  it('counts exactly what the visitors saw, clicked and paid', () => {
    expectContract(report);
    for (const name of ['v1', 'v2']) {
      const { users, shown, clicks, newShown, newClicks, clickingUsers } = tallies[name] as Tally;
      expect(report.variants.find((entry) => entry.name === name)?.units).toBe(users);
      expect(estimate(report, 'click_rate', name)).toBeCloseTo(clicks / shown, 12);
      expect(estimate(report, 'new_item_click_rate', name)).toBeCloseTo(newClicks / newShown, 12);
      expect(estimate(report, 'clicking_users', name)).toBeCloseTo(clickingUsers / users, 12);
    }
    const { capped } = metric(report, 'revenue_per_user');
    const revenue = ({ revenue: sum, users }: Tally): number => sum / users;
    // The 99.9 % quantile of some 300 users is the largest but none: at most the largest is moved.
    expect(capped?.lowered).toBeLessThanOrEqual(1);
    expect(estimate(report, 'revenue_per_user', 'v2')).toBeCloseTo(revenue(tallies.v2 as Tally), 0);
  });

  it('finds the personal model better, also for new users, and the launch no help to it', () => {
    const difference = (entry: MetricEntry): { absolute: number; pValue: number } =>
      entry.variants.find(({ variant }) => variant === 'v2')?.difference as { absolute: number; pValue: number };
    expect(metric(report, 'click_rate')).toMatchObject({
      kind: 'ratio',
      per: 'unit',
      method: 'z-test of ratios, delta method by unit',
    });
    expect(difference(metric(report, 'click_rate'))).toMatchObject({ pValue: expect.any(Number) });
    expect(difference(metric(report, 'click_rate')).absolute).toBeGreaterThan(0.02);
    expect(difference(metric(report, 'click_rate')).pValue).toBeLessThan(0.001);
    const cuts = report.segments.filter(({ segment }) => segment === 'isNewUser');
    expect(cuts.map(({ value }) => value).sort()).toEqual(['false', 'true']);
    for (const { metrics } of cuts)
      expect(difference(metrics.find(({ name }) => name === 'click_rate') as MetricEntry).absolute).toBeGreaterThan(0);
    expect(report.verdict.kind).toBe('keep-testing');
    expect(report.verdict.reasons[0]?.text).toContain('48 h');
  });

  it('finds the model’s and the events’ own words in line with its record', () => {
    const { modelUsed, variantServed } = report.checks;
    const clicks = Object.values(tallies).reduce((sum, tally) => sum + tally.clicks, 0);
    expect(modelUsed).toMatchObject({ ok: true, numbers: { compared: 600, mismatched: 0 } });
    expect(variantServed).toMatchObject({ ok: true, numbers: { compared: clicks, mismatched: 0 } });
    expect(report.checks.orphans).toMatchObject({ ok: true, numbers: { orphans: 0 } });
  });

  it('reports that a service does not use the model it was asked for', async () => {
    const service = await startService({ ignoresEvery: 10 });
    const { server } = await start(service.url);
    await sendVisitors({ gatewayUrl: server.gatewayUrl, apiUrl: server.apiUrl, users: 60 });
    const wrong = await server.report('recommender');
    await server.close();
    await service.close();
    expect(wrong.checks.modelUsed?.ok).toBe(false);
    expect(wrong.findings.map(({ code }) => code)).toContain('model-used-differs');
  }, 120_000);
});
