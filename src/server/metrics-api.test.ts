import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseExperimentFiles } from '../experiment/index.ts';
import { type RunningServer, startServer } from './index.ts';

const seen: IncomingHttpHeaders[] = [];
const spans: { readonly traceId: string; readonly spanId: string; readonly name: string }[] = [];
const events: { readonly eventName: string; readonly spanId: string }[] = [];
const servers: Server[] = [];
let server: RunningServer;
let folder: string;

async function listen(handle: Parameters<typeof createServer>[1]): Promise<string> {
  const made = createServer({}, handle).listen(0, '127.0.0.1');
  await once(made, 'listening');
  servers.push(made);
  return `http://127.0.0.1:${(made.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assay-metrics-'));
  const model = await listen((request, response) => {
    seen.push(request.headers);
    response.end('{"score": 1}');
  });
  const shadow = await listen((_request, response) => {
    response.statusCode = 500;
    response.end();
  });
  const collector = await listen(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { resourceSpans = [], resourceLogs = [] } = JSON.parse(Buffer.concat(chunks).toString());
    for (const { scopeSpans } of resourceSpans) for (const scope of scopeSpans) spans.push(...scope.spans);
    for (const { scopeLogs } of resourceLogs) for (const scope of scopeLogs) events.push(...scope.logRecords);
    response.end('{}');
  });
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', collector);
  vi.stubEnv('OTEL_BSP_SCHEDULE_DELAY', '50');
  vi.stubEnv('OTEL_BLRP_SCHEDULE_DELAY', '50');
  server = await startServer({
    experiments: parseExperimentFiles(`apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: scores, namespace: team}
spec:
  hypothesis: b is better
  route: {path: /score}
  unit: {header: x-user-id, orElse: control}
  control: a
  variants:
    - {name: a, weight: 70, upstream: {url: "${model}", protocol: json}}
    - {name: b, weight: 30, upstream: {url: "${model}", protocol: json}}
    - {name: next, weight: 0, upstream: {url: "${shadow}", protocol: json}}
  mirror: {variant: next, share: 1}
  capture: {prediction: {json: $.score}}
  metrics: {accuracy: {mean: prediction}, failures: {mean: failed}}
  value:
    unit: points
    terms: {revenue_lift: {accuracy: 0.5, per: 0.01}}
    money: {currency: USD, worth: 1000, infrastructure: 365}
  decision: {primary: [net_value > 2], guardrails: [failures < 0.02], minDuration: 0s, maxDuration: 28d}
`),
    dataDirectory: folder,
    port: 0,
    apiPort: 0,
    startDrafts: true,
    webhooks: [{ url: 'http://127.0.0.1:9', secret: `whsec_${'A'.repeat(32)}` }],
  });
});
afterAll(async () => {
  await server.close();
  vi.unstubAllEnvs();
  for (const each of servers) {
    each.closeAllConnections();
    each.close();
  }
  await rm(folder, { recursive: true, force: true });
});

async function scrape(accept = ''): Promise<readonly string[]> {
  const reply = await fetch(`${server.apiUrl}/metrics`, { headers: { accept } });
  expect(reply.status).toBe(200);
  return (await reply.text()).split('\n');
}

const numberOf = (lines: readonly string[], series: string): number | undefined => {
  const line = lines.find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
};

const traceId = '0af7651916cd43dd8448eb211c80319c';
const baseOf = (name: string): string => name.replace(/_bucket$/, '');

describe('the metrics of a running server', () => {
  it('count requests, carry their traces to the variant, the collector and the exemplars, and show the latest report', async () => {
    const requests = 60;
    for (let each = 0; each < requests; each += 1) {
      const headers = { 'x-user-id': `user-${each}`, traceparent: `00-${traceId}-b7ad6b7169203331-01` };
      expect((await fetch(`${server.gatewayUrl}/score`, { headers })).status).toBe(200);
    }
    await vi.waitFor(() => expect(spans.length).toBe(requests), 20_000);
    const evaluations = (): readonly string[] =>
      events.filter(({ eventName }) => eventName === 'feature_flag.evaluation').map(({ spanId }) => spanId);
    await vi.waitFor(() => expect(new Set(evaluations())).toEqual(new Set(spans.map(({ spanId }) => spanId))), 20_000);
    expect(evaluations()).toHaveLength(requests);
    // The model server is below our span, not below the caller's.
    const parents = new Set(seen.map(({ traceparent }) => traceparent));
    expect(parents).toEqual(new Set(spans.map((span) => `00-${traceId}-${span.spanId}-01`)));
    expect(parents.size).toBe(requests);

    const at = 'experiment="team/scores"';
    const lines = await vi.waitFor(async () => {
      const scraped = await scrape();
      // A report of the decision loop may be older than the last requests.
      const units = ['a', 'b'].map((variant) => numberOf(scraped, `assay_variant_units{${at},variant="${variant}"}`));
      expect((units[0] ?? 0) + (units[1] ?? 0)).toBe(requests);
      return scraped;
    }, 120_000);
    const assigned = ['a', 'b'].map(
      (variant) => numberOf(lines, `assay_assignments_total{${at},variant="${variant}",reason="split"}`) ?? 0,
    );
    expect(assigned[0]! + assigned[1]!).toBe(requests);
    for (const [place, variant] of ['a', 'b'].entries()) {
      expect(numberOf(lines, `ab_test_requests_total{model_name="${variant}",${at},status="success"}`)).toBe(
        assigned[place],
      );
      expect(numberOf(lines, `ab_test_response_time_seconds_count{model_name="${variant}",${at}}`)).toBe(
        assigned[place],
      );
      expect(numberOf(lines, `assay_variant_units{${at},variant="${variant}"}`)).toBe(assigned[place]);
      expect(numberOf(lines, `ab_test_model_accuracy{model_name="${variant}",${at}}`)).toBe(100);
    }
    // The gateway's own counters say the namespace too.
    expect(numberOf(lines, `assay_mirror_sampled_total{${at}}`)).toBe(requests);
    expect(numberOf(lines, `assay_variant_share_ratio{${at},variant="a"}`)).toBeCloseTo(0.7, 6);
    expect(numberOf(lines, `assay_experiment_state{${at},state="running"}`)).toBe(1);
    expect(numberOf(lines, `assay_experiment_state{${at},state="paused"}`)).toBe(0);
    expect(numberOf(lines, `assay_sample_ratio_p_value{${at}}`)).toBeGreaterThan(0.001);
    expect(numberOf(lines, `ab_test_business_impact{model_name="b",${at},metric_type="revenue_lift"}`)).toBe(0);
    for (const [type, value] of [
      ['daily_revenue_impact', 0],
      ['annual_revenue_impact', 0],
      ['infrastructure_cost', 365],
      ['net_annual_value', -365],
    ] as const) {
      expect(numberOf(lines, `ab_test_business_impact{model_name="b",${at},metric_type="${type}"}`)).toBe(value);
    }
    expect(numberOf(lines, 'assay_evidence_writable')).toBe(1);
    const started = numberOf(lines, `assay_experiment_started_timestamp_seconds{${at}}`)!;
    expect(numberOf(lines, `assay_experiment_planned_end_timestamp_seconds{${at}}`)! - started).toBe(28 * 86_400);
    expect(lines.filter((line) => /^assay_verdict\{.* 1$/.test(line))).toHaveLength(1);
    expect(numberOf(lines, `assay_check_ok{${at},check="sampleRatio"}`)).toBe(1);
    expect(lines.some((line) => line.includes('user-'))).toBe(false);

    const open = await scrape('application/openmetrics-text; version=1.0.0');
    expect(open.at(-2)).toBe('# EOF');
    expect(open.some((line) => line.startsWith('assay_caller_duration_seconds_bucket') && line.includes(traceId))).toBe(
      true,
    );
  }, 120_000);

  it('are those that the documentation lists, no more and no fewer', async () => {
    const read = (page: string): Promise<string> => readFile(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
    await fetch(`${server.gatewayUrl}/nowhere`);
    const outcome = { id: 'o1', type: 'label', value: 1, unit: 'user-1' };
    const sent = await fetch(`${server.apiUrl}/api/v1/outcomes?namespace=team`, {
      method: 'POST',
      body: JSON.stringify([outcome]),
    });
    expect(sent.status).toBe(200);
    const page = await read('metrics-exported.md');
    const listed = new Set([...page.matchAll(/`((?:assay|ab_test)_[a-z_]+)`/g)].map(([, name]) => baseOf(name!)));
    const counters = [...(await read('gateway.md')).matchAll(/`([a-z_]+)(?:\{[^`]*\})?`/g)].map(
      ([, name]) => `assay_${name}_total`,
    );
    const exposed = await vi.waitFor(async () => {
      const types = (await scrape()).filter((line) => line.startsWith('# TYPE ')).map((line) => line.split(' ')[2]!);
      expect(types).toContain('assay_outcomes_joined_ratio');
      expect(types).toContain('assay_faults_total');
      return types.filter((name) => /^(assay|ab_test)_/.test(name));
    }, 120_000);
    expect(exposed.filter((name) => !listed.has(name) && !counters.includes(name))).toEqual([]);
    // These appear when they first count.
    const later = ['fallback', 'overloaded', 'otlp_spans_dropped', 'otlp_events_dropped'];
    expect([...listed].filter((name) => !exposed.includes(name))).toEqual(
      expect.arrayContaining(later.map((name) => `assay_${name}_total`)),
    );
    expect([...listed].filter((name) => !exposed.includes(name)).length).toBeLessThanOrEqual(later.length);
  });

  it('name every family once, with its type', async () => {
    const types = (await scrape()).filter((line) => line.startsWith('# TYPE ')).map((line) => line.split(' ')[2]);
    expect(new Set(types).size).toBe(types.length);
    expect(types).toContain('process_cpu_seconds_total');
    expect(types).toContain('assay_build_info');
  });
});
