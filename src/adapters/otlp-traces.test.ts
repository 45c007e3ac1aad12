import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { EndedPrediction } from '../gateway/index.ts';
import { createCountingObserver } from './counting-observer.ts';
import { openPredictionTracer, traceContextOf } from './otlp-traces.ts';
import type { TracedRequest } from './prometheus-tally.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const caller = `00-${traceId}-b7ad6b7169203331-01`;

const ended: EndedPrediction = {
  namespace: 'default',
  experiment: 'chat',
  revision: 3,
  assigned: 'b',
  served: 'a',
  reason: 'split',
  predictionId: 'p-1',
  method: 'POST',
  path: '/v1/chat/completions',
  arrivedMs: 1_700_000_000_000,
  callerMs: 250,
  status: 200,
  attempts: [
    { variant: 'b', status: 503, latencyMs: 40, error: 'status' },
    { variant: 'a', status: 200, latencyMs: 200, error: null },
  ],
  protocol: 'openai',
  model: 'small-2',
  figures: () => ({ model: 'small-2-0601', prompt_tokens: 12, completion_tokens: 34, finish_reason: 'stop' }),
};

interface Sent {
  readonly path: string;
  readonly body: {
    readonly resourceSpans?: readonly {
      readonly resource: { readonly attributes: readonly Attribute[] };
      readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[];
    }[];
    readonly resourceLogs?: readonly {
      readonly resource: { readonly attributes: readonly Attribute[] };
      readonly scopeLogs: readonly { readonly logRecords: readonly SentRecord[] }[];
    }[];
  };
}
interface SentRecord {
  readonly eventName: string;
  readonly timeUnixNano: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: readonly Attribute[];
}
interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}
interface SentSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: readonly Attribute[];
  readonly events: readonly { readonly name: string; readonly attributes: readonly Attribute[] }[];
}

/** A collector: takes OTLP over HTTP in JSON. */
async function startCollector(status = 200): Promise<{ url: string; sent: Sent[]; server: Server }> {
  const sent: Sent[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    expect(request.headers['content-type']).toBe('application/json');
    sent.push({ path: request.url ?? '', body: JSON.parse(Buffer.concat(chunks).toString()) });
    response.statusCode = status;
    response.end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  opened.push(server);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sent, server };
}

const opened: Server[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const server of opened.splice(0)) {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
});

async function open(environment: Readonly<Record<string, string>>) {
  // The exporter reads the environment of the process, as OpenTelemetry prescribes.
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  const traced: TracedRequest[] = [];
  const observer = createCountingObserver({ now: Date.now });
  const tracer = await openPredictionTracer({
    environment: process.env,
    observer,
    onTraced: (request) => traced.push(request),
  });
  return { tracer, traced, observer };
}

const attributesOf = (attributes: readonly Attribute[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

const spansOf = (sent: readonly Sent[]): readonly SentSpan[] =>
  sent
    .flatMap(({ body }) => body.resourceSpans ?? [])
    .flatMap(({ scopeSpans }) => scopeSpans.flatMap((each) => each.spans));
const recordsOf = (sent: readonly Sent[]): readonly SentRecord[] =>
  sent
    .flatMap(({ body }) => body.resourceLogs ?? [])
    .flatMap(({ scopeLogs }) => scopeLogs.flatMap((each) => each.logRecords));

describe('the trace context of a caller', () => {
  it('is read as W3C writes it, and passed over where it breaks the rules', () => {
    expect(traceContextOf(['Host', 'x', 'TraceParent', caller])).toEqual({
      traceId,
      spanId: 'b7ad6b7169203331',
      isSampled: true,
    });
    expect(traceContextOf(['traceparent', `01-${traceId}-b7ad6b7169203331-00-more`])?.isSampled).toBe(false);
    for (const wrong of [
      'x',
      `ff-${traceId}-b7ad6b7169203331-01`,
      `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
      `00-${traceId}-${'0'.repeat(16)}-01`,
      `${caller}-more`,
      caller.toUpperCase(),
    ])
      expect(traceContextOf(['traceparent', wrong])).toBeNull();
  });
});

describe('without a collector', () => {
  it('nobody is followed but callers who say which trace they belong to, and their header passes', async () => {
    const { tracer, traced } = await open({ OTEL_EXPORTER_OTLP_ENDPOINT: '' });
    expect(tracer.begin(['host', 'x'], 0)).toBeNull();
    const trace = tracer.begin(['traceparent', caller], 0);
    expect(trace?.traceparent).toBeNull();
    trace?.end(ended);
    expect(traced).toEqual([
      {
        namespace: 'default',
        experiment: 'chat',
        variant: 'b',
        traceId,
        timeMs: ended.arrivedMs + 250,
        attemptMs: 40,
        callerMs: 250,
      },
    ]);
    await tracer.close();
  });

  it('stays off when OpenTelemetry is disabled', async () => {
    for (const off of [{ OTEL_SDK_DISABLED: 'true' }, { OTEL_SDK_DISABLED: '', OTEL_TRACES_EXPORTER: 'none' }]) {
      const { tracer } = await open({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', ...off });
      expect(tracer.begin(['host', 'x'], 0)).toBeNull();
      await tracer.close();
    }
  });
});

describe('with a collector', () => {
  it('a prediction is a span below the caller, with its assignment, its attempts and what the model used', async () => {
    const { url, sent } = await startCollector();
    const { tracer, traced } = await open({
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_SERVICE_NAME: 'gateway-7',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    });
    const trace = tracer.begin(['traceparent', caller], ended.arrivedMs);
    trace?.end(ended);
    await tracer.close();

    expect(sent.map(({ path }) => path).sort()).toEqual(['/v1/logs', '/v1/traces']);
    const resources = sent.flatMap(({ body }) => [...(body.resourceSpans ?? []), ...(body.resourceLogs ?? [])]);
    expect(resources).toHaveLength(2);
    for (const { resource } of resources)
      expect(attributesOf(resource.attributes)).toEqual({
        'service.name': 'gateway-7',
        'deployment.environment.name': 'test',
      });
    const [span, ...others] = spansOf(sent);
    expect(others).toEqual([]);
    // 2 is a server's span.
    expect(span).toMatchObject({ name: 'predict chat', kind: 2, traceId, parentSpanId: 'b7ad6b7169203331' });
    expect(trace?.traceparent).toBe(`00-${traceId}-${span!.spanId}-01`);
    expect(attributesOf(span!.attributes)).toEqual({
      'http.request.method': 'POST',
      'url.path': '/v1/chat/completions',
      'http.response.status_code': 200,
      'assay.experiment': 'chat',
      'assay.variant': 'b',
      'assay.served': 'a',
      'assay.prediction_id': 'p-1',
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'small-2',
      'gen_ai.response.model': 'small-2-0601',
      'gen_ai.response.finish_reasons': { values: [{ stringValue: 'stop' }] },
      'gen_ai.usage.input_tokens': 12,
      'gen_ai.usage.output_tokens': 34,
    });
    // Events are log records that carry the ids of the span, as the conventions want them.
    expect(span!.events).toEqual([]);
    const records = recordsOf(sent);
    expect(records.map(({ eventName }) => eventName)).toEqual([
      'feature_flag.evaluation',
      'assay.attempt',
      'assay.attempt',
    ]);
    for (const record of records) expect(record).toMatchObject({ traceId, spanId: span!.spanId });
    expect(records[0]!.timeUnixNano).toBe(`${ended.arrivedMs}000000`);
    expect(attributesOf(records[0]!.attributes)).toEqual({
      'feature_flag.key': 'chat',
      'feature_flag.provider.name': 'assay',
      'feature_flag.result.variant': 'b',
      'feature_flag.result.reason': 'split',
      'feature_flag.set.id': 'default',
      'feature_flag.version': '3',
    });
    expect(attributesOf(records[1]!.attributes)).toMatchObject({ 'assay.variant': 'b', 'error.type': 'status' });
    expect(traced.map((each) => each.traceId)).toEqual([traceId]);
  });

  it('a caller without a trace begins one, and a caller who does not sample is left alone', async () => {
    const { url, sent } = await startCollector();
    const { tracer } = await open({ OTEL_EXPORTER_OTLP_ENDPOINT: url });
    const own = tracer.begin(['host', 'x'], 0);
    expect(own?.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    const unsampled = tracer.begin(['traceparent', `00-${traceId}-b7ad6b7169203331-00`], 0);
    expect(unsampled?.traceparent).toBeNull();
    own?.end(ended);
    unsampled?.end(ended);
    await tracer.close();
    expect(spansOf(sent)).toHaveLength(1);
  });

  it('events stand on the span where no log records are wanted', async () => {
    const { url, sent } = await startCollector();
    for (const environment of [
      { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_LOGS_EXPORTER: 'none' },
      { OTEL_EXPORTER_OTLP_ENDPOINT: '', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${url}/v1/traces` },
    ]) {
      const { tracer } = await open(environment);
      tracer.begin(['traceparent', caller], ended.arrivedMs)?.end(ended);
      await tracer.close();
    }
    expect(sent.map(({ path }) => path)).toEqual(['/v1/traces', '/v1/traces']);
    for (const span of spansOf(sent))
      expect(span.events.map(({ name }) => name)).toEqual([
        'feature_flag.evaluation',
        'assay.attempt',
        'assay.attempt',
      ]);
  });

  it('a stream says so, and when its first chunk came', async () => {
    const { url, sent } = await startCollector();
    const { tracer } = await open({ OTEL_EXPORTER_OTLP_ENDPOINT: url });
    tracer.begin(['traceparent', caller], 0)?.end({ ...ended, figures: () => ({ ttft_ms: 1_250 }) });
    await tracer.close();
    expect(attributesOf(spansOf(sent)[0]!.attributes)).toMatchObject({
      'gen_ai.request.stream': true,
      'gen_ai.response.time_to_first_chunk': 1.25,
    });
  });

  it('counts what does not fit into the queue and what the collector does not take', async () => {
    const { url } = await startCollector(400);
    const { tracer, observer } = await open({
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_BSP_MAX_QUEUE_SIZE: '10',
      OTEL_BLRP_MAX_QUEUE_SIZE: '10',
    });
    for (let each = 0; each < 25; each += 1) tracer.begin(['host', 'x'], 0)?.end(ended);
    await tracer.close();
    for (const [counter, told] of [
      ['otlp_spans_dropped', 25],
      ['otlp_events_dropped', 75],
    ] as const) {
      const dropped = observer.counts().filter(({ name }) => name === counter);
      expect(dropped.reduce((sum, { value }) => sum + value, 0)).toBe(told);
      expect(dropped.map(({ labels }) => labels.reason).sort()).toEqual(['export-failed', 'queue-full']);
    }
  });
});
