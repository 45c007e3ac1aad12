// Who sends the requests? wrk with prebuilt requests where it can be had, else a small generator of our own; and an open loop for latencies.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Tool } from './tools.ts';

/** What one kind of request looks like. */
export interface Traffic {
  readonly path: string;
  /** The body is filled up to this, bytes. */
  readonly bytes: number;
  /** Where the unit id stands: a header, or the first or last member of the body. */
  readonly unit: 'header' | 'body-first' | 'body-last';
}

/** What one run of load saw. */
export interface Loaded {
  /** Complete replies. */
  readonly requests: number;
  readonly seconds: number;
  /** Replies that were no 2xx, broken connections, timeouts. */
  readonly errors: number;
}

/** Options of a run. */
interface LoadOptions {
  readonly port: number;
  readonly traffic: Traffic;
  readonly connections: number;
  /** Whole seconds. */
  readonly seconds: number;
  readonly core: number | null;
}

/** Something that sends requests as fast as replies come. */
export type LoadGenerator = (options: LoadOptions) => Promise<Loaded>;

/** Prebuilt requests: 2,000 units, fewer of large ones, so that reading the script takes no time. */
const unitsOf = ({ bytes }: Traffic): number => Math.max(100, Math.min(2000, Math.floor(1_000_000 / bytes)));

/** One request as text. @param unit index of the unit. */
function requestText({ path, bytes, unit }: Traffic, index: number): string {
  const id = `user-${(index * 2_654_435_761) % 1_000_000}`;
  const [first, last] = [unit === 'body-first', unit === 'body-last'].map((is) => (is ? `"user_id":"${id}"` : ''));
  const open = `{${first === '' ? '' : `${first},`}"features":[`;
  const close = `]${last === '' ? '' : `,${last}`}}`;
  const count = Math.max(1, Math.floor((bytes - open.length - close.length) / 7));
  const body = `${open}${Array(count).fill('101.25').join(',')}${close}`;
  const header = unit === 'header' ? `x-user-id: ${id}\r\n` : '';
  return (
    `POST ${path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\naccept: */*\r\nuser-agent: bench\r\n` +
    `accept-encoding: identity\r\n${header}content-length: ${body.length}\r\n\r\n${body}`
  );
}

/** wrk with one thread. @param directory for its script files. */
export function createWrk(tool: Tool, directory: string): LoadGenerator {
  const scripts = new Map<string, string>();
  const scriptOf = (traffic: Traffic): string => {
    const key = JSON.stringify(traffic);
    let file = scripts.get(key);
    if (file === undefined) {
      file = join(directory, `load-${scripts.size}.lua`);
      const requests = Array.from({ length: unitsOf(traffic) }, (_, index) => luaText(requestText(traffic, index)));
      writeFileSync(
        file,
        `local requests = {\n${requests.join(',\n')}\n}\nlocal at = 0\n` +
          `function request() at = at + 1; return requests[(at % ${requests.length}) + 1] end\n` +
          'function done(summary)\n' +
          '  local e = summary.errors\n' +
          '  io.write(string.format("RESULT %d %d %d\\n", summary.requests, summary.duration, ' +
          'e.connect + e.read + e.write + e.status + e.timeout))\nend\n',
      );
      scripts.set(key, file);
    }
    return file;
  };
  return ({ port, traffic, connections, seconds, core }) => {
    const command = [
      tool.path,
      '-t1',
      `-c${connections}`,
      `-d${seconds}s`,
      '-s',
      scriptOf(traffic),
      `http://127.0.0.1:${port}`,
    ];
    const [program = '', ...args] = core === null ? command : ['/usr/bin/taskset', '-c', String(core), ...command];
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, { env: { ...process.env, ...tool.env }, stdio: ['ignore', 'pipe', 'pipe'] });
      let said = '';
      child.stdout.on('data', (chunk) => (said += chunk));
      child.stderr.on('data', (chunk) => (said += chunk));
      child.once('error', reject);
      child.once('close', () => {
        const numbers = /RESULT (\d+) (\d+) (\d+)/.exec(said);
        if (numbers === null) reject(new Error(`wrk said: ${said.slice(-300)}`));
        else {
          const [requests, micros, errors] = numbers.slice(1).map(Number) as [number, number, number];
          resolve({ requests, seconds: micros / 1e6, errors });
        }
      });
    });
  };
}

/** Our own generator in this process: a closed loop on every connection. */
export const ownLoad: LoadGenerator = async ({ port, traffic, connections, seconds }) => {
  const texts = Array.from({ length: unitsOf(traffic) }, (_, index) => requestText(traffic, index));
  const until = performance.now() + seconds * 1000;
  let [requests, errors, at] = [0, 0, 0];
  await Promise.all(
    Array.from(
      { length: connections },
      () =>
        new Promise<void>((resolve) => {
          const send = (): void => {
            at += 1;
            if (performance.now() < until) socket.write(texts[at % texts.length]!, 'latin1');
            else socket.end(resolve);
          };
          const socket = connect(port, '127.0.0.1', send);
          socket.setNoDelay(true);
          socket.on('error', () => {
            errors += 1;
            resolve();
          });
          socket.on(
            'data',
            createReplyReader((status) => {
              requests += 1;
              if (status !== 200) errors += 1;
              send();
            }),
          );
        }),
    ),
  );
  return { requests, seconds, errors };
};

/** Latencies of an open loop, microseconds. */
export interface OpenLoop {
  readonly p50: number;
  readonly p99: number;
  readonly requests: number;
}

/** Sends at a fixed rate whatever comes back, on 32 connections; a request that finds none free waits, and that counts. */
export async function openLoop(options: {
  readonly port: number;
  readonly traffic: Traffic;
  readonly perSecond: number;
  readonly seconds: number;
}): Promise<OpenLoop> {
  const { port, traffic, perSecond, seconds } = options;
  const texts = Array.from({ length: unitsOf(traffic) }, (_, index) => requestText(traffic, index));
  const latencies: number[] = [];
  const free: ((dueMs: number) => void)[] = [];
  const waiting: number[] = [];
  let sent = 0;
  const sockets = await Promise.all(
    Array.from({ length: 32 }, async () => {
      const socket = connect(port, '127.0.0.1');
      await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
      socket.setNoDelay(true);
      let dueMs = 0;
      const send = (due: number): void => {
        dueMs = due;
        sent += 1;
        socket.write(texts[sent % texts.length]!, 'latin1');
      };
      free.push(send);
      socket.on(
        'data',
        createReplyReader(() => {
          latencies.push((performance.now() - dueMs) * 1000);
          const next = waiting.shift();
          if (next === undefined) free.push(send);
          else send(next);
        }),
      );
      return socket;
    }),
  );
  const startMs = performance.now();
  let due = 0;
  await new Promise<void>((resolve) => {
    const tick = (): void => {
      const nowMs = performance.now();
      for (; due < ((nowMs - startMs) / 1000) * perSecond; due += 1) {
        // Timers wake once a millisecond; a request is due when it is sent, or would be if a connection were free.
        const send = free.shift();
        if (send === undefined) waiting.push(nowMs);
        else send(performance.now());
      }
      if (nowMs - startMs < seconds * 1000) setTimeout(tick, 1);
      else setTimeout(resolve, 200);
    };
    tick();
  });
  for (const socket of sockets) socket.destroy();
  latencies.sort((a, b) => a - b);
  const at = (q: number): number => latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))] ?? 0;
  return { p50: at(0.5), p99: at(0.99), requests: latencies.length };
}

/** Calls back once per complete reply with a Content-Length, or in chunks. */
function createReplyReader(onReply: (status: number) => void): (chunk: Buffer) => void {
  let text = '';
  return (chunk) => {
    text += chunk.toString('latin1');
    for (;;) {
      const head = text.indexOf('\r\n\r\n');
      if (head < 0) return;
      const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head + 2))?.[1];
      const lastChunk = length === undefined ? text.indexOf('\r\n0\r\n\r\n', head + 2) : -1;
      const end = length === undefined ? lastChunk + 7 : head + 4 + Number(length);
      if (text.length < end || (length === undefined && lastChunk < 0)) return;
      const status = Number(text.slice(9, 12));
      text = text.slice(end);
      onReply(status);
    }
  };
}

const luaText = (text: string): string =>
  `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\r', '\\r').replaceAll('\n', '\\n')}"`;
