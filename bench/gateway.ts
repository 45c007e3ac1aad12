// What does the gateway cost beside its peers? Subjects take turns under the same load, and CPU time per request is compared:
// `npm run bench:gateway [-- --quick | --full] [-- --json] [-- --check]`. docs/performance.md says how to read it.
import { existsSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { timeAssignments } from './assignment-peers.ts';
import { beginBench } from './bench-rows.ts';
import { countRows } from './gateway/count-rows.ts';
import { createWrk, type Loaded, openLoop, ownLoad, type Traffic } from './gateway/load.ts';
import { measureMemory } from './gateway/memory.ts';
import { cpuMicros, holdAnalysis, killAll, pin, type Running, stop, stopAll } from './gateway/processes.ts';
import {
  type AssaySubject,
  paths,
  type Subject,
  startAssay,
  startEnvoy,
  startHaproxy,
  startHttpProxy,
  startNginx,
  startUpstreams,
} from './gateway/proxies.ts';
import { findEnvoy, findTool } from './gateway/tools.ts';

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    connections: { type: 'string', default: '32' },
    source: { type: 'boolean', default: false },
  },
});
const rounds = Number(flags.rounds ?? (flags.quick ? 4 : flags.full ? 7 : 5));
const connections = Number(flags.connections);

/** Aims of a quiet machine with --full, else the gates that hold on a busy one. */
const target = (gate: number, aim: number): number => (flags.full ? aim : gate);
const { directory, say, addRow, end } = beginBench({
  name: 'bench',
  below: tmpdir(),
  mostMinutes: flags.quick ? 3 : flags.full ? 60 : 10,
  onStop: killAll,
});

/** Proxies on the first core, load and model servers on the last one; everything anywhere on a machine with a single core. */
const proxyCore = 0;
const loadCore = availableParallelism() >= 2 && existsSync('/usr/bin/taskset') ? availableParallelism() - 1 : null;
const nginxTool = findTool('nginx', say);
const wrkTool = findTool('wrk', say);
const load = typeof wrkTool === 'string' ? ownLoad : createWrk(wrkTool, directory);

const plain: Traffic = { path: paths.plain, bytes: 500, unit: 'header' };
const mirrored: Traffic = { path: paths.mirrored, bytes: 500, unit: 'header' };
const largeByHeader: Traffic = { path: paths.plain, bytes: 20_000, unit: 'header' };
const largeByBody: Traffic = { path: paths.byBody, bytes: 20_000, unit: 'body-first' };
const largeByBodyLast: Traffic = { path: paths.byBody, bytes: 20_000, unit: 'body-last' };

/** CPU time per request of what serves, and requests per second. */
interface Run {
  readonly micros: number;
  readonly rate: number;
}

/** One subject under one kind of traffic, measured once per round. */
interface Lane {
  readonly key: string;
  readonly proxy: Subject;
  readonly traffic: Traffic;
  readonly rounds: number;
  readonly runs: Run[];
}
const lanes: Lane[] = [];
const lane = (key: string, proxy: Subject | undefined, traffic: Traffic, turns: number = rounds): void => {
  if (proxy !== undefined) lanes.push({ key, proxy, traffic, rounds: turns, runs: [] });
};
/** For lanes beside the main ones, so that the quick form stays within its time. */
const fewer = flags.quick ? 2 : rounds;
/** Complete replies of Assay, for the count of rows: nothing else sends to it. */
let replies = 0;
let loads = 0;

async function loadOnce(
  proxy: Subject,
  traffic: Traffic,
  options: { seconds?: number; connections?: number; pinned?: boolean } = {},
): Promise<Loaded> {
  const loaded = await load({
    port: proxy.port,
    traffic,
    connections: options.connections ?? connections,
    seconds: options.seconds ?? 1,
    core: options.pinned === false ? null : loadCore,
  });
  if ('apiUrl' in proxy) {
    replies += loaded.requests;
    loads += options.connections ?? connections;
  }
  if (loaded.errors > 0 || loaded.requests === 0)
    say(`${proxy.name}: ${loaded.errors} of ${loaded.requests} requests to ${traffic.path} failed`);
  return loaded;
}

/** Medians of per-round ratios of one figure of two lanes; a sentence where one of them is missing. */
function ratio(over: string, under: string, read: 'micros' | 'rate' = 'micros'): number | string {
  const [a, b] = [over, under].map((key) => lanes.find((each) => each.key === key));
  for (const [key, found] of [
    [over, a],
    [under, b],
  ] as const)
    if (found === undefined) return missing.get(key) ?? `${key} is not there`;
  return median(a!.runs.map((run, round) => run[read] / b!.runs[round]![read]));
}

/** Why a subject is not there. */
const missing = new Map<string, string>();
const attempt = async <T>(keys: readonly string[], start: () => Promise<T>): Promise<T | undefined> => {
  try {
    return await start();
  } catch (fault) {
    const reason = (fault as Error).message;
    say(`${keys[0]}: ${reason}`);
    for (const key of keys) missing.set(key, reason);
    return undefined;
  }
};
const withTool = <T>(tool: T | string, use: (tool: T) => Promise<Subject>): Promise<Subject> =>
  typeof tool === 'string' ? Promise.reject(new Error(tool)) : use(tool);

try {
  const built = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
  const source = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
  if (!flags.source && !existsSync(built))
    throw new Error('dist/cli/main.js is missing; run `npm run build` first, or pass --source');
  const assay = flags.source ? [process.execPath, ...process.execArgv, source] : [built];
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  say(`${model}, ${availableParallelism()} cores, Node ${process.version}, ${process.arch}`);
  say(
    `load: ${typeof wrkTool === 'string' ? `our own generator (wrk: ${wrkTool})` : `wrk ${wrkTool.version}, 1 thread`}, ${connections} connections, ${rounds} rounds of 1 s in turns`,
  );
  say(
    'durability: assay after-reply (group commit of 4 ms, then fdatasync); peers buffer their log and never flush it to the disk; haproxy logs into memory',
  );

  const upstreams = await startUpstreams(nginxTool, { directory, ...(loadCore === null ? {} : { core: loadCore }) });
  say(`model servers: ${upstreams.what}`);
  const place = { directory };
  const gateway = (name: string, ...extra: string[]): Promise<AssaySubject> =>
    startAssay(upstreams, { ...place, name, assay, flags: extra });
  const [nginx, httpProxy, byDefault, node, pair] = await Promise.all([
    attempt(['nginx', 'nginx mirror'], () => withTool(nginxTool, (tool) => startNginx(tool, upstreams, place))),
    attempt(['http-proxy'], () => startHttpProxy(upstreams, place)),
    attempt(['default'], () => gateway('default')),
    flags.quick ? undefined : attempt(['node'], () => gateway('node', '--front', 'node')),
    attempt(['two workers'], () => gateway('two-workers', '--workers', '2')),
  ]);
  const [haproxy, envoy] = flags.quick
    ? []
    : [
        await attempt(['haproxy'], () =>
          withTool(findTool('haproxy', say), (tool) => startHaproxy(tool, upstreams, place)),
        ),
        await attempt(['envoy'], () => withTool(findEnvoy(say), (tool) => startEnvoy(tool, upstreams, place))),
      ];

  lane('nginx', nginx, plain);
  lane('default', byDefault, plain);
  lane('http-proxy', httpProxy, plain, fewer);
  lane('node', node, plain);
  lane('haproxy', haproxy, plain);
  lane('envoy', envoy, plain);
  lane('nginx mirror', nginx, mirrored);
  lane('default mirror', byDefault, mirrored);
  lane('node mirror', node, mirrored);
  lane('large by header', byDefault, largeByHeader, fewer);
  lane('large by body', byDefault, largeByBody, fewer);
  if (!flags.quick) {
    lane('large by last member', byDefault, largeByBodyLast);
    lane('nginx, large', nginx, largeByHeader);
    lane('node, large by header', node, largeByHeader);
    lane('node, large by body', node, largeByBody);
  }

  const assayed = [byDefault, node, pair].filter((each) => each !== undefined);
  // What the analysis process has to do piles up until everything is measured.
  for (const { running } of assayed) holdAnalysis(running, true);
  // All at once and on all cores: what is compiled in this time does not depend on who else runs.
  // A large body whose unit stands in a header runs no code that the others do not.
  const warmUps = lanes.filter(({ proxy, traffic }) => proxy !== nginx && traffic !== largeByHeader);
  await Promise.all(
    warmUps.map(({ proxy, traffic }) => {
      const seconds = flags.quick ? 9 : 20;
      const turns = warmUps.filter((each) => each.proxy === proxy).length;
      return loadOnce(proxy, traffic, { seconds, connections: Math.ceil(32 / turns), pinned: false });
    }),
  );
  for (const { proxy } of lanes) pin(proxy.running, proxyCore);
  const measure = async (
    { proxy, traffic, runs }: Lane,
    options: Parameters<typeof loadOnce>[2] = {},
  ): Promise<void> => {
    const before = cpuMicros(proxy.running).serving;
    const { requests, seconds } = await loadOnce(proxy, traffic, options);
    runs.push({ micros: (cpuMicros(proxy.running).serving - before) / requests, rate: requests / seconds });
  };
  for (let round = 0; round < rounds; round += 1) {
    for (const each of lanes) if (round < each.rounds) await measure(each);
  }

  // Scaling is about the whole machine, so nobody is held to a core; both compete with load and model servers.
  if (byDefault !== undefined && pair !== undefined) {
    pin(byDefault.running, 'all');
    pin(pair.running, 'all');
    // Each of two processes compiles for itself, and each gets but a part of the requests.
    await loadOnce(pair, plain, { seconds: flags.quick ? 4 : 10, connections: 64, pinned: false });
    lane('one process', byDefault, plain);
    lane('two workers', pair, plain);
    const turns = lanes.slice(-2);
    for (let round = 0; round < fewer; round += 1) {
      for (const each of turns) await measure(each, { connections: 64, pinned: false });
    }
    pin(byDefault.running, proxyCore);
  }
  printLanes();

  addRow('default_vs_nginx_per_core', ratio('nginx', 'default'), target(0.2, 0.28));
  addRow('default_vs_http_proxy', ratio('http-proxy', 'default'), 1.6);
  // The fast front is the default.
  addRow('fast_vs_nginx_per_core', ratio('nginx', 'default'), target(0.4, 0.55));
  addRow('mirror_vs_nginx_mirror', ratio('nginx mirror', 'default mirror'), target(1, 1.3));
  addRow('two_workers', ratio('two workers', 'one process', 'rate'), target(1.3, 1.5));
  addRow('body_id_vs_header_id', ratio('large by header', 'large by body'), 0.85);
  if (!flags.quick) {
    // With a core each: the load and the model servers beside them take from two workers what they leave to one.
    const each = ratio('one process', 'two workers');
    addRow('two_workers_by_cpu', typeof each === 'number' ? 2 * each : each, 1.5);
    addRow('node_vs_nginx_per_core', ratio('nginx', 'node'), target(0.2, 0.28));
    addRow('default_vs_haproxy_per_core', ratio('haproxy', 'default'), target(0.4, 0.55));
    addRow('default_vs_envoy_per_core', ratio('envoy', 'default'), 1);
    addRow('node_mirror_vs_nginx_mirror', ratio('nginx mirror', 'node mirror'), 0.7);
    addRow('last_body_id_vs_header_id', ratio('large by header', 'large by last member'), 0.6);
    addRow('node_body_id_vs_header_id', ratio('node, large by header', 'node, large by body'), 0.85);
    if (byDefault !== undefined) await compareLatency({ direct: upstreams.a, nginx, byDefault, node });
  }
  if (flags.full) {
    for (const row of await measureMemory({ upstreams, place: { directory }, assay, load, say })) {
      addRow(row.name, row.value, row.target, row.note);
    }
  }

  for (const { running } of assayed) holdAnalysis(running, false);
  await checkRows(assayed);
  const { times, vsGrowthbook, vsUnleash } = await timeAssignments({
    rounds: flags.quick ? 5 : 15,
    sliceMs: flags.quick ? 60 : 100,
  });
  for (const { name, median: ns, best } of times)
    say(`${name.padEnd(40)} ${ns.toFixed(0).padStart(6)} ns  (best ${best.toFixed(0)})`);
  addRow('assign_vs_growthbook', vsGrowthbook, 4);
  if (!flags.quick) addRow('assign_vs_unleash', vsUnleash, 8);
} finally {
  await stopAll();
}

end(flags);

/** Rows = requests: each server says how many it took, ends, and its log must hold exactly as many. */
async function checkRows(servers: readonly AssaySubject[]): Promise<void> {
  let [requests, predictions, distinct] = [0, 0, 0];
  const each = servers.map(async ({ name, apiUrl, dataDirectory, running }) => {
    let taken = { requests: 0, unmatched: 0, inFlight: 1 };
    // The last connections of the load have just gone; their requests end by themselves.
    for (let tries = 0; tries < 100 && taken.inFlight > 0; tries += 1) {
      const status = (await (await fetch(`${apiUrl}/api/v1/status`)).json()) as { gateway: typeof taken };
      taken = status.gateway;
      if (taken.inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    if (!flags.quick) await tellAnalysis(running, { name, requests: taken.requests });
    await stop(running);
    const rowsOf = await countRows(dataDirectory);
    requests += taken.requests - taken.unmatched;
    predictions += rowsOf.predictions;
    distinct += rowsOf.distinct;
  });
  await Promise.all(each);
  const note = `${predictions} rows, ${requests} requests, ${replies} replies counted by the load, ${distinct} ids`;
  // The load counts whole replies only: at its end each connection may have one more request on the way.
  const adds = predictions === distinct && predictions >= replies && predictions <= replies + loads;
  addRow('rows_equal_requests', adds && predictions === requests && requests > 0 ? 1 : 0, 1, note);
}

/** Lets the analysis process do what has piled up, a minute at most, and says what it cost. */
async function tellAnalysis(running: Running, { name, requests }: { name: string; requests: number }): Promise<void> {
  let before = -1;
  for (let seconds = 0; seconds < 60; seconds += 2) {
    const now = cpuMicros(running).analysis;
    if (now - before < 100_000) break;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
  say(`${name}: its analysis process took ${(before / requests).toFixed(1)} us of CPU per request, afterwards`);
}

/** Added latency at a moderate, fixed rate; everything may run anywhere, as it would in use. */
async function compareLatency(subjects: {
  readonly direct: number;
  readonly nginx: Subject | undefined;
  readonly byDefault: Subject;
  readonly node: Subject | undefined;
}): Promise<void> {
  const { direct, nginx, byDefault, node } = subjects;
  const named: readonly (readonly [string, number, Subject | null])[] = [
    ['direct', direct, null],
    ...(nginx === undefined ? [] : [['nginx', nginx.port, nginx] as const]),
    ['default', byDefault.port, byDefault],
    ...(node === undefined ? [] : [['node', node.port, node] as const]),
  ];
  for (const [, , proxy] of named) if (proxy !== null) pin(proxy.running, 'all');
  const seen = named.map((): { p50: number; p99: number }[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, [, port, proxy]] of named.entries()) {
      const measured = await openLoop({ port, traffic: plain, perSecond: 2000, seconds: 1.5 });
      seen[index]!.push(measured);
      if (proxy !== null && 'apiUrl' in proxy) replies += measured.requests;
    }
  }
  const added = (index: number): number => median(seen[index]!.map(({ p50 }, round) => p50 - seen[0]![round]!.p50));
  for (const [index, [name]] of named.entries()) {
    const p50 = median(seen[index]!.map((each) => each.p50));
    const p99 = median(seen[index]!.map((each) => each.p99));
    say(
      `open loop, 2,000/s  ${name.padEnd(10)} p50 ${p50.toFixed(0)} us, p99 ${p99.toFixed(0)} us, added p50 ${added(index).toFixed(0)} us`,
    );
  }
  const indexOf = (name: string): number => named.findIndex(([each]) => each === name);
  const reference = indexOf('nginx');
  for (const name of ['default', 'node']) {
    const index = indexOf(name);
    const value =
      reference < 0 || index < 0
        ? (missing.get(reference < 0 ? 'nginx' : name) ?? 'not there')
        : added(reference) / added(index);
    addRow(`${name}_added_p50_vs_nginx`, value, 0.77, 'added p50 of nginx over ours, 2,000 requests/s open loop');
  }
}

function printLanes(): void {
  for (const { key, proxy, traffic, runs } of lanes) {
    if (runs.length === 0) continue;
    const rate = median(runs.map((run) => run.rate));
    const micros = runs.map((run) => run.micros);
    say(
      `${key.padEnd(24)} ${proxy.name.padEnd(14)} ${String(traffic.bytes).padStart(6)} B  ${rate.toFixed(0).padStart(7)} requests/s` +
        `  CPU ${median(micros).toFixed(1).padStart(6)} us/request  (best ${Math.min(...micros).toFixed(1)})`,
    );
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}
