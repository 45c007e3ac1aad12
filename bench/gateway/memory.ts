// Does memory stay flat, and what do idle connections cost? Millions of requests and thousands of connections against one gateway.
import { execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import type { LoadGenerator } from './load.ts';
import { residentBytes, stop } from './processes.ts';
import { type Place, paths, startAssay, type Upstreams } from './proxies.ts';

/** One figure, and the load it took. */
export interface MemoryRow {
  readonly name: string;
  readonly value: number | string;
  readonly target: number;
  readonly note: string;
}

const requestsWanted = 10_000_000;
const idleWanted = 10_000;
const megabyte = 1024 * 1024;

/**
 * Memory after a warm-up over memory after ten million requests, and 300 MB over memory with ten thousand idle connections; of what
 * serves. The analysis process seals the log in memory of its own, under a limit of its own: its peak is said beside.
 */
export async function measureMemory(options: {
  readonly upstreams: Upstreams;
  readonly place: Place;
  readonly assay: readonly string[];
  readonly load: LoadGenerator;
  readonly say: (line: string) => void;
}): Promise<readonly MemoryRow[]> {
  const { upstreams, place, assay, load, say } = options;
  const rows: MemoryRow[] = [];
  for (const front of ['fast', 'node']) {
    const name = `memory-${front}`;
    // Evidence beyond 2 GB goes: what is measured is the gateway, not the free space of this machine.
    const flags = ['--front', front, '--max-bytes', '2GB'];
    const proxy = await startAssay(upstreams, { ...place, name, assay, flags });
    rows.push(await idleConnections(proxy.port, front, () => residentBytes(proxy.running).serving));
    const traffic = { path: paths.plain, bytes: 500, unit: 'header' } as const;
    let sent = 0;
    /** Highest figure of each tenth of the run: sealing the log and collecting garbage make it swing. */
    const peaks: number[] = [];
    let analysisPeak = 0;
    while (sent < requestsWanted) {
      const { requests } = await load({ port: proxy.port, traffic, connections: 32, seconds: 5, core: null });
      if (requests === 0) break;
      sent += requests;
      const tenth = Math.min(9, Math.floor((10 * sent) / requestsWanted));
      const { serving, analysis } = residentBytes(proxy.running);
      peaks[tenth] = Math.max(peaks[tenth] ?? 0, serving);
      analysisPeak = Math.max(analysisPeak, analysis);
    }
    const shown = peaks.map((bytes) => Math.round(bytes / megabyte));
    const beside = `analysis process ${Math.round(analysisPeak / megabyte)} MB at most`;
    say(`${name}: ${sent} requests, peaks of each tenth ${shown.join(' ')} MB; ${beside}`);
    const seen = peaks.filter((bytes) => bytes > 0);
    const early = Math.max(...seen.slice(1, 4));
    const late = Math.max(...seen.slice(-3));
    const value = sent >= requestsWanted ? early / late : `only ${sent} requests were answered`;
    rows.push({
      name: `memory_flat_${front}`,
      value,
      target: 0.9,
      note: `${sent} requests; highest of tenths 2 to 4 over highest of tenths 8 to 10: ${shown.join(' ')} MB; ${beside}`,
    });
    await stop(proxy.running);
  }
  return rows;
}

async function idleConnections(port: number, front: string, resident: () => number): Promise<MemoryRow> {
  const name = `idle_connections_${front}`;
  const limit = Number(execFileSync('/bin/sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim());
  // Both ends of every connection are on this machine, each in a process under this limit.
  if (limit < idleWanted + 1000)
    return { name, value: `ulimit -n is ${limit}, must be at least ${idleWanted + 1000}`, target: 1, note: '' };
  const sockets: Socket[] = [];
  while (sockets.length < idleWanted) {
    const opened = await Promise.all(Array.from({ length: 250 }, () => openIdle(port)));
    sockets.push(...opened);
  }
  const bytes = resident();
  for (const socket of sockets) socket.destroy();
  const note = `${sockets.length} connections, each after one request: ${Math.round(bytes / megabyte)} MB, aim 300 MB`;
  return { name, value: (300 * megabyte) / bytes, target: 1, note };
}

/** A connection that has made one request and waits. */
function openIdle(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(`POST ${paths.plain} HTTP/1.1\r\nhost: bench\r\nx-user-id: idle\r\ncontent-length: 2\r\n\r\n{}`);
    });
    socket.once('data', () => resolve(socket));
    socket.once('error', reject);
  });
}
