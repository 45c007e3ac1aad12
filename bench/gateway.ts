// What does the gateway cost? The same load straight to a model server and through the gateway, in turns: `npx tsx bench/gateway.ts`.
import { fork } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openEvidenceLog } from '../src/adapters/file-evidence-log.ts';
import { createUndiciUpstream } from '../src/adapters/undici-upstream.ts';
import { allocate } from '../src/assignment/index.ts';
import type { RoutingSnapshot, Variant } from '../src/experiment/index.ts';
import { createGateway, gatewayServerOptions } from '../src/gateway/index.ts';

const replyBody = JSON.stringify({
  model_name: 'm',
  outputs: [{ name: 'up', shape: [1, 1], datatype: 'FP64', data: [0.7] }],
  pad: 'x'.repeat(200),
});
const requestBody = JSON.stringify({
  id: 'r',
  inputs: [{ name: 'ohlc', shape: [1, 40], datatype: 'FP64', data: Array(40).fill(101.25) }],
});

const [role, ...rest] = process.argv.slice(2);
if (role === 'as-model') runModel();
else if (role === 'as-gateway') await runGateway(rest[0]!, rest[1]!);
else await runBench();

/** Answers every request with the same bytes, as cheaply as a socket allows. */
function runModel(): void {
  const reply = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${replyBody.length}\r\n\r\n${replyBody}`;
  const server = createServer((socket) => {
    const reader = createMessageReader(() => socket.write(reply, 'latin1'));
    socket.on('data', reader);
    socket.on('error', () => {});
    socket.setNoDelay(true);
  });
  server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }));
}

/** The gateway as the server wires it: real log, real pools; tells its CPU time on request. */
async function runGateway(modelUrl: string, directory: string): Promise<void> {
  const variants: Variant[] = ['baseline', 'enhanced'].map((name) => ({
    name,
    weight: 1,
    timeoutMs: 5000,
    upstream: { url: modelUrl, protocol: 'oip', model: name },
  }));
  const snapshot: RoutingSnapshot = {
    format: 'assay-routing',
    version: 1,
    revision: 1,
    experiments: [
      {
        namespace: 'default',
        name: 'bench',
        revision: 1,
        salt: 'default/bench',
        layer: null,
        route: { kind: 'model', model: 'forecast' },
        unit: { sources: [{ kind: 'header', name: 'x-user-id' }], orElse: 'control' },
        coverage: 1,
        epoch: 1,
        control: 'baseline',
        allocation: {
          kind: 'fixed',
          ranges: allocate(variants.map(({ name, weight }) => ({ variant: name, weight }))),
        },
        variants,
        capture: [{ name: 'prediction', from: 'reply', source: { kind: 'tensor', name: 'up' }, threshold: 0.5 }],
      },
    ],
  };
  const now = (): number => performance.timeOrigin + performance.now();
  const observer = { count: () => {}, fault: (_code: string, message: string) => console.error(message) };
  const gateway = createGateway({
    routing: { current: () => snapshot, subscribe: () => () => {} },
    upstream: createUndiciUpstream(),
    evidence: await openEvidenceLog({ directory, now, observer }),
    observer,
    hashUnit: (id) => createHash('sha256').update(id).digest('hex').slice(0, 16),
    now,
    random: Math.random,
    createId: () => randomBytes(12).toString('base64url'),
  });
  const server = createHttpServer(gatewayServerOptions, gateway.handle);
  process.on('message', () => process.send!({ cpu: process.cpuUsage() }));
  server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }));
}

/** Calls back once per complete HTTP message with a Content-Length; enough for both sides of this bench. */
function createMessageReader(onMessage: () => void): (chunk: Buffer) => void {
  let text = '';
  return (chunk) => {
    text += chunk.toString('latin1');
    for (;;) {
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end + 2))?.[1] ?? 0);
      if (text.length < end + 4 + length) return;
      text = text.slice(end + 4 + length);
      onMessage();
    }
  };
}

interface Round {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly requests: number;
}

/** Closed loop: each connection sends its next request when the reply to the last is whole. Latencies in microseconds. */
async function load(port: number, connections: number, seconds: number): Promise<Round> {
  const latencies: number[] = [];
  const startedMs = performance.now();
  let user = 0;
  await Promise.all(
    Array.from({ length: connections }, () => {
      return new Promise<void>((resolve, reject) => {
        let sentMs = 0;
        const socket = connect(port, '127.0.0.1', () => send());
        const send = (): void => {
          if (performance.now() - startedMs >= seconds * 1000) {
            socket.end();
            resolve();
            return;
          }
          user = (user + 1) % 100_000;
          sentMs = performance.now();
          socket.write(
            `POST /v2/models/forecast/infer HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\nx-user-id: user-${user}\r\n` +
              `user-agent: bench\r\naccept: */*\r\ncontent-length: ${requestBody.length}\r\n\r\n${requestBody}`,
            'latin1',
          );
        };
        socket.setNoDelay(true);
        socket.on('error', reject);
        socket.on(
          'data',
          createMessageReader(() => {
            latencies.push((performance.now() - sentMs) * 1000);
            send();
          }),
        );
      });
    }),
  );
  latencies.sort((a, b) => a - b);
  const at = (q: number): number => latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))] ?? 0;
  return { rate: latencies.length / seconds, p50: at(0.5), p99: at(0.99), requests: latencies.length };
}

async function runBench(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '1' },
      connections: { type: 'string', default: '32' },
    },
  });
  const rounds = Number(values.rounds);
  const seconds = Number(values.seconds);
  const directory = mkdtempSync(join(tmpdir(), 'assay-bench-'));
  const file = fileURLToPath(import.meta.url);
  const start = async (args: string[]): Promise<{ child: ReturnType<typeof fork>; port: number }> => {
    const child = fork(file, args);
    const port = await new Promise<number>((resolve) =>
      child.once('message', (message: { port: number }) => resolve(message.port)),
    );
    return { child, port };
  };
  const model = await start(['as-model']);
  const gateway = await start(['as-gateway', `http://127.0.0.1:${model.port}`, directory]);
  const cpuMicros = (): Promise<number> =>
    new Promise((resolve) => {
      gateway.child.once('message', ({ cpu }: { cpu: NodeJS.CpuUsage }) => resolve(cpu.user + cpu.system));
      gateway.child.send('cpu');
    });
  try {
    console.log(
      `request ${requestBody.length} B, reply ${replyBody.length} B, ${rounds} rounds of ${seconds} s in turns; medians`,
    );
    for (const connections of [1, Number(values.connections)]) {
      await load(gateway.port, connections, seconds);
      const direct: Round[] = [];
      const through: Round[] = [];
      const cpu: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        direct.push(await load(model.port, connections, seconds));
        const before = await cpuMicros();
        const measured = await load(gateway.port, connections, seconds);
        cpu.push(((await cpuMicros()) - before) / measured.requests);
        through.push(measured);
      }
      print(`direct,  ${connections} connections`, direct);
      print(`gateway, ${connections} connections`, through, cpu);
    }
  } finally {
    model.child.kill();
    gateway.child.kill();
    rmSync(directory, { recursive: true, force: true });
  }
}

function print(name: string, rounds: readonly Round[], cpu: readonly number[] = []): void {
  const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
  const of = (read: (round: Round) => number): string => median(rounds.map(read)).toFixed(0).padStart(7);
  const cost = cpu.length === 0 ? '' : `  CPU ${median(cpu).toFixed(1)} us/request`;
  console.log(
    `${name.padEnd(26)} ${of((r) => r.rate)} requests/s  p50 ${of((r) => r.p50)} us  p99 ${of((r) => r.p99)} us${cost}`,
  );
}
