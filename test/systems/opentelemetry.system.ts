// OpenTelemetry: callers traced by the real JavaScript and Python SDKs ask the gateway, and a real Collector sees one trace from the
// caller through Assay to the model server.
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseExperimentFile } from '../../src/experiment/index.ts';
import { startServer } from '../../src/server/index.ts';
import { experimentText } from '../e2e/assay-process.ts';
import { until } from './kubernetes-cluster.ts';
import { installClients } from './python-environments.ts';
import { expectThat, freePorts, runProgram, startProgram } from './serving.ts';
import type { System, SystemContext } from './system.ts';

const place = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const users = 12;
const packages = ['@opentelemetry/sdk-node@0.223.0', '@opentelemetry/instrumentation-http@0.223.0'];

/** A span as the Collector's debug exporter prints it. */
interface Span {
  readonly service: string;
  readonly trace: string;
  readonly parent: string;
  readonly id: string;
  readonly name: string;
}

export const system: System = {
  name: 'opentelemetry',
  installs:
    'OpenTelemetry Collector 0.162.0 (built from its Go modules, a minute when cold), opentelemetry-sdk 1.45.2 (PyPI), @opentelemetry/sdk-node 0.223.0 (npm, 50 MB)',
  timeoutMs: 1_800_000,
  async run(context) {
    const { cache, folder, note, afterwards } = context;
    const collector = await cache.goModule('otelcol', {
      module: place('./programs/opentelemetry-collector'),
      program: '.',
    });
    const python = join(await installClients(cache), 'bin', 'python');
    const modules = join(await cache.npm('opentelemetry', packages), 'node_modules');

    const [port] = await freePorts(1);
    const config = join(folder, 'collector.yaml');
    await writeFile(config, JSON.stringify(collectorConfig(port!)));
    const running = startProgram(context, [collector, '--config', config]);
    await running.until(() => running.output().includes('Everything is ready'));
    const endpoint = `http://127.0.0.1:${port}`;

    // What the model servers are told of the trace.
    const heard = new Map<string, string>();
    const urls = [await startHearing(context, heard), await startHearing(context, heard)] as const;
    process.env.OTEL_EXPORTER_OTLP_ENDPOINT = endpoint;
    process.env.OTEL_BSP_SCHEDULE_DELAY = '200';
    process.env.OTEL_BLRP_SCHEDULE_DELAY = '200';
    const server = await startServer({
      experiments: [parseExperimentFile(experimentText(urls))],
      dataDirectory: join(folder, 'data'),
      port: 0,
      apiPort: 0,
      startDrafts: true,
    });
    afterwards(() => server.close());
    const url = `${server.gatewayUrl}/score`;

    const { version } = JSON.parse(
      await readFile(join(modules, '@opentelemetry', 'sdk-node', 'package.json'), 'utf8'),
    ) as { version: string };
    for (const [service, command, said] of [
      ['shop-js', [process.execPath, place('opentelemetry-caller.cjs')], `JavaScript SDK ${version}`],
      ['shop-py', [python, place('opentelemetry-caller.py')], 'Python SDK 1.45.2'],
    ] as const) {
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: service, NODE_PATH: modules };
      await runProgram([command[0], command[1], url, service, users], { env });
      const found = await running.until(() => {
        const spans = spansIn(running.output());
        return spans.filter((span) => span.service === service).length >= 2 * users &&
          spans.filter((span) => span.service === 'assay').length >= heard.size
          ? spans
          : undefined;
      }, 60);
      const checkouts = found.filter((span) => span.service === service && span.name === 'checkout');
      expectThat(checkouts.length === users, `${checkouts.length} spans of ${service} arrived, must be ${users}`);
      for (const checkout of checkouts) {
        const request = childOf(found, checkout, service);
        const prediction = childOf(found, request, 'assay');
        expectThat(prediction.name === 'predict scores', `the span of Assay is ${prediction.name}`);
        const told = heard.get(checkout.trace);
        expectThat(
          told === `00-${checkout.trace}-${prediction.id}-01`,
          `the model server of trace ${checkout.trace} was told ${told}, must be told of span ${prediction.id}`,
        );
        await running.until(() => hasEvaluation(running.output(), prediction), 60);
      }
      note(`${said}: ${users} traces, each caller, request, Assay, model server; the assignment is a log record of it`);
    }

    await running.end();
    for (let each = 0; each < users; each += 1) {
      const reply = await fetch(url, { method: 'POST', headers: { 'x-user-id': `late-${each}` }, body: '{}' });
      await reply.arrayBuffer();
      expectThat(reply.status === 200, `without a collector user ${each} was answered ${reply.status}`);
    }
    const drops = async (): Promise<number> => {
      const text = await (await fetch(`${server.apiUrl}/metrics`)).text();
      return Number(/^assay_otlp_spans_dropped_total\{.*export-failed.*\} (\d+)/m.exec(text)?.[1] ?? 0);
    };
    await until(`${users} spans are counted as dropped`, async () => (await drops()) === users);
    note(`Collector ended: ${users} requests are answered, their spans are counted as dropped`);
  },
};

/** The one span below another. */
function childOf(spans: readonly Span[], parent: Span, service: string): Span {
  const found = spans.filter((each) => each.trace === parent.trace && each.parent === parent.id);
  const [child] = found;
  expectThat(
    child !== undefined && found.length === 1 && child.service === service,
    `${parent.name} of ${parent.service} has ${found.length} spans of ${service} below it, must have one`,
  );
  return child;
}

/** A model server that keeps the traceparent of each request by its trace. */
async function startHearing({ afterwards }: SystemContext, heard: Map<string, string>): Promise<string> {
  const server = createServer((request, reply) => {
    const told = String(request.headers.traceparent);
    heard.set(told.split('-')[1] ?? '', told);
    request.resume();
    request.once('end', () => {
      reply.setHeader('content-type', 'application/json');
      reply.end('{"score": 1}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  afterwards(() => new Promise<void>((resolve) => void server.close(() => resolve()).closeAllConnections()));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function collectorConfig(port: number): object {
  const pipeline = { receivers: ['otlp'], exporters: ['debug'] };
  return {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
    exporters: { debug: { verbosity: 'detailed', use_internal_logger: false } },
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: { traces: pipeline, logs: pipeline, metrics: pipeline },
    },
  };
}

function spansIn(printed: string): readonly Span[] {
  return printed.split(/^ResourceSpans #/m).flatMap((resource) => {
    const service = /-> service\.name: Str\(([^)]+)\)/.exec(resource)?.[1] ?? '';
    return resource.split(/^Span #/m).flatMap((text) => {
      const member = (name: string): string => new RegExp(`^ +${name} +: (.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
      const trace = member('Trace ID');
      return trace === ''
        ? []
        : [{ service, trace, parent: member('Parent ID'), id: member('ID'), name: member('Name') }];
    });
  });
}

/** Whether the Collector has a log record of the assignment with the ids of this span. */
function hasEvaluation(printed: string, { trace, id }: Span): boolean {
  return printed
    .split(/^LogRecord #/m)
    .some(
      (text) => text.includes('feature_flag.evaluation') && text.includes(trace) && text.includes(`Span ID: ${id}`),
    );
}
