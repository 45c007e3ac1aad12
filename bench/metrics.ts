// What do metrics and traces cost a request? A microbenchmark of exactly what runs for each: the tally, the look for a trace, a span.
import { cpus } from 'node:os';
import { createCountingObserver } from '../src/adapters/counting-observer.ts';
import { openPredictionTracer } from '../src/adapters/otlp-traces.ts';
import { createRequestTally } from '../src/adapters/prometheus-tally.ts';
import type { PredictionRecord } from '../src/evidence/index.ts';

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

const rows: [string, number][] = [
  ['tally of a record', measure((place) => tally.add(records[place & 63]!))],
  ['tracing off, caller without a trace', measure((place) => void off.begin(headers, place))],
  ['tracing off, caller with a trace', measure((place) => void off.begin(traced, place))],
  ['read of all cells for a report of the worker', measure(() => void tally.read())],
];
console.log(
  `Node ${process.version}, ${cpus()[0]?.model.trim()}; median of ${rounds} x ${calls.toLocaleString('en')} calls`,
);
for (const [name, ns] of rows) console.log(`${name.padEnd(48)} ${(ns / 1000).toFixed(3).padStart(8)} us`);
