// What do metrics and traces cost a request? A microbenchmark of exactly what runs for each: the tally, the look for a trace, the
// exemplar, the span with its events. Spans go to a sink of this process, which is read, parsed and counted as a collector would.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { createCountingObserver } from '../src/adapters/counting-observer.ts';
import { openPredictionTracer } from '../src/adapters/otlp-traces.ts';
import { createRequestTally } from '../src/adapters/prometheus-tally.ts';
import type { PredictionRecord } from '../src/evidence/index.ts';
import type { EndedPrediction } from '../src/gateway/index.ts';

const rounds = 9;
const calls = 100_000;

const records = Array.from({ length: 64 }, (_each, place): PredictionRecord => {
  const variant = place % 3 === 0 ? 'enhanced' : 'baseline';
  const latencyMs = 5 + ((place * 37) % 200);
  return {
    kind: 'prediction',
    timeMs: place,
    namespace: 'default',
    experiment: 'financial-forecast',
    revision: 1,
    epoch: 1,
    predictionId: `p-${place}`,
    requestId: `p-${place}`,
    row: 0,
    unit: '0123456789abcdef',
    assigned: variant,
    served: variant,
    reason: 'split',
    propensity: 0.7,
    attempts: [{ variant, status: 200, latencyMs, error: null }],
    context: {},
    prediction: 1,
    captured: {},
    status: 200,
    callerMs: latencyMs + 1,
    streaming: false,
  };
});

const headers = [
  ...['Host', 'models.example', 'User-Agent', 'client/1.0', 'Accept', '*/*', 'Accept-Encoding', 'gzip'],
  ...['Content-Type', 'application/json', 'Content-Length', '128', 'X-User-Id', 'user-17', 'Connection', 'keep-alive'],
];
const traced = [...headers, 'Traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'];

/** Median of rounds, nanoseconds per call. */
function measure(work: (place: number) => void): number {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const startedNs = process.hrtime.bigint();
    for (let place = 0; place < calls; place += 1) work(place);
    times.push(Number(process.hrtime.bigint() - startedNs) / calls);
  }
  return times.sort((a, b) => a - b)[Math.floor(rounds / 2)]!;
}

const observer = createCountingObserver({ now: Date.now });
const tally = createRequestTally();
const off = await openPredictionTracer({ environment: {}, observer, onTraced: tally.exemplify });

const ended = (place: number): EndedPrediction => {
  const { namespace, experiment, revision, assigned, served, reason, predictionId, attempts, status, callerMs } =
    records[place & 63]!;
  return {
    ...{ namespace, experiment, revision, assigned, served, reason, predictionId, attempts, status },
    ...{ method: 'POST', path: '/v2/models/forecast/infer', arrivedMs: 1_700_000_000_000, callerMs: callerMs ?? 0 },
    ...{ protocol: 'oip', model: 'forecast', figures: null },
  };
};
const predictions = Array.from({ length: 64 }, (_each, place) => ended(place));

/** Processor time of the whole process per request with a span, microseconds: the making, and the sending beside the requests. */
async function measureSpans(): Promise<{ readonly us: number; readonly sent: number; readonly dropped: number }> {
  let bytes = 0;
  const sink = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on('end', () => response.end('{}'));
  }).listen(0, '127.0.0.1');
  await once(sink, 'listening');
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = `http://127.0.0.1:${(sink.address() as AddressInfo).port}`;
  process.env.OTEL_BSP_SCHEDULE_DELAY = '10';
  process.env.OTEL_BLRP_SCHEDULE_DELAY = '10';
  const counting = createCountingObserver({ now: Date.now });
  const on = await openPredictionTracer({ environment: process.env, observer: counting, onTraced: tally.exemplify });
  const wanted = 20_000;
  const begun = process.cpuUsage();
  for (let made = 0; made < wanted; made += 100) {
    for (let place = 0; place < 100; place += 1) on.begin(headers, place)?.end(predictions[place & 63]!);
    // Requests come one after another; the queue is emptied between them.
    await pause(10);
  }
  await on.close();
  const { user, system } = process.cpuUsage(begun);
  sink.close();
  const dropped = counting.counts().reduce((sum, { value }) => sum + value, 0);
  return { us: (user + system) / wanted, sent: bytes, dropped };
}

const rows: [string, number][] = [
  ['tally of a record', measure((place) => tally.add(records[place & 63]!))],
  ['tracing off, caller without a trace', measure((place) => void off.begin(headers, place))],
  [
    'tracing off, caller with a trace: exemplar',
    measure((place) => off.begin(traced, place)?.end(predictions[place & 63]!)),
  ],
  ['read of all cells for a report of the worker', measure(() => void tally.read())],
];
console.log(
  `Node ${process.version}, ${cpus()[0]?.model.trim()}; median of ${rounds} x ${calls.toLocaleString('en')} calls`,
);
for (const [name, ns] of rows) console.log(`${name.padEnd(48)} ${(ns / 1000).toFixed(3).padStart(8)} us`);
const { us, sent, dropped } = await measureSpans();
console.log(`${'tracing on: span and two events, made and sent'.padEnd(48)} ${us.toFixed(3).padStart(8)} us`);
console.log(`${' '.repeat(48)} ${(sent / 20_000).toFixed(0).padStart(8)} bytes each, ${dropped} dropped`);
