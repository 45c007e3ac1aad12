// The subjects of the bench: Assay and its peers, each with the same split, the same upstreams and a log, each in processes of its own.
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Running, run } from './processes.ts';
import type { Tool } from './tools.ts';

/** A proxy that listens. */
export interface Subject {
  readonly name: string;
  readonly port: number;
  readonly running: Running;
}

/** The model servers: one port each for two variants and a shadow. */
export interface Upstreams {
  readonly a: number;
  readonly b: number;
  readonly shadow: number;
  readonly what: string;
}

/** Where a subject puts its files and which core it stays on. */
export interface Place {
  readonly directory: string;
  readonly core?: number;
}

/** What every upstream answers: 305 B like those of a small model. */
export const replyBody: string = JSON.stringify({
  model_name: 'm',
  outputs: [{ name: 'up', shape: [1, 1], datatype: 'FP64', data: [0.7] }],
  pad: 'x'.repeat(207),
});

/** Paths that every subject serves; under `/mirrored` each request is also copied to the shadow. */
export const paths = { plain: '/v1/predict', mirrored: '/mirrored', byBody: '/by-body' } as const;

const roles = fileURLToPath(new URL('./roles.ts', import.meta.url));
/** Runs TypeScript as it is, for roles of the bench itself. */
const typescript: readonly string[] = [process.execPath, ...process.execArgv];

/** A free port of this machine, until somebody else takes it. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** Resolves once somebody listens on the port. @throws when nobody does within ten seconds, or the process has ended. */
async function untilListening(port: number, { child, name }: Running): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${name} does not listen on ${port}`);
}

/** Model servers that cost as little as possible: nginx's `return`, or a bare socket of our own. */
export async function startUpstreams(nginx: Tool | string, { directory, core }: Place): Promise<Upstreams> {
  const [a, b, shadow] = [await freePort(), await freePort(), await freePort()];
  const place = { directory: join(directory, 'upstream'), ...(core === undefined ? {} : { core }) };
  mkdirSync(place.directory, { recursive: true });
  if (typeof nginx === 'string') {
    const command = [...typescript, roles, 'upstream', String(a), String(b), String(shadow)];
    const running = run('upstream', command, { ...place, output: join(place.directory, 'out.txt') });
    for (const port of [a, b, shadow]) await untilListening(port, running);
    return { a, b, shadow, what: 'a bare socket of Node' };
  }
  const server = (port: number): string =>
    `server { listen 127.0.0.1:${port}; location / { return 200 '${replyBody}'; } }`;
  const running = runNginx('upstream', nginx, {
    ...place,
    http: `access_log off; default_type application/json;\n${[a, b, shadow].map(server).join('\n')}`,
  });
  for (const port of [a, b, shadow]) await untilListening(port, running);
  return { a, b, shadow, what: `nginx ${nginx.version}, return 200` };
}

function runNginx(name: string, nginx: Tool, options: Place & { readonly http: string }): Running {
  const { directory, core, http } = options;
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((each) => `${each}_temp_path ${directory}/${each};`)
    .join(' ');
  writeFileSync(
    join(directory, 'nginx.conf'),
    `${user}\nworker_processes 1;\npid ${directory}/nginx.pid;\nerror_log ${directory}/error.log crit;\n` +
      'events { worker_connections 8000; }\n' +
      `http {\n${temporary}\nkeepalive_requests 1000000000;\nkeepalive_timeout 600s;\n` +
      `client_body_buffer_size 128k;\n${http}\n}\n`,
  );
  const command = [nginx.path, '-p', directory, '-c', join(directory, 'nginx.conf'), '-g', 'daemon off;'];
  return run(name, command, {
    env: nginx.env,
    ...(core === undefined ? {} : { core }),
    output: join(directory, 'out.txt'),
  });
}

/** nginx: split by `split_clients`, access log through a buffer of 128 KB, mirror module. */
export async function startNginx(nginx: Tool, upstreams: Upstreams, place: Place): Promise<Subject> {
  const directory = join(place.directory, 'nginx');
  mkdirSync(directory, { recursive: true });
  const port = await freePort();
  // What Assay tells model server and caller, and what it writes down, nginx tells and writes too.
  const pass = [
    'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
    'proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;',
    'proxy_set_header X-Request-Id $request_id; proxy_set_header X-Assay-Experiment plain;',
    'proxy_set_header X-Assay-Prediction-Id $request_id;',
  ].join(' ');
  const tell = [
    'add_header X-Request-Id $request_id; add_header X-Assay-Experiment plain; add_header X-Assay-Variant $variant;',
    'add_header X-Assay-Prediction-Id $request_id;',
  ].join(' ');
  const pool = (name: string, to: number): string =>
    `upstream ${name} { server 127.0.0.1:${to}; keepalive 64; keepalive_requests 1000000000; keepalive_timeout 600s; }`;
  const running = runNginx('nginx', nginx, {
    ...place,
    directory,
    http: `
log_format line escape=json '{"v":1,"writer":"$pid","sequence":$connection,"kind":"prediction","timeMs":$msec,"namespace":"default","experiment":"plain","revision":1,"epoch":1,"predictionId":"$request_id","requestId":"$request_id","row":0,"unit":"$http_x_user_id","assigned":"$variant","served":"$variant","reason":"split","propensity":0.5,"attempts":[{"variant":"$variant","status":$upstream_status,"latencyMs":"$upstream_response_time","error":null}],"context":{},"prediction":null,"captured":{},"status":$status,"callerMs":$request_time,"streaming":false}';
access_log ${directory}/access.log line buffer=128k flush=100ms;
split_clients "bench$http_x_user_id" $variant { 50% a; * b; }
${pool('a', upstreams.a)}
${pool('b', upstreams.b)}
${pool('shadow', upstreams.shadow)}
server {
  listen 127.0.0.1:${port};
  location / { ${pass} ${tell} proxy_pass http://$variant; }
  location ${paths.mirrored} { mirror /shadow; ${pass} ${tell} proxy_pass http://$variant; }
  location = /shadow { internal; ${pass} proxy_pass http://shadow$request_uri; }
}`,
  });
  await untilListening(port, running);
  return { name: `nginx ${nginx.version}`, port, running };
}

/** haproxy: split by `xxh32`, log into a ring in memory (it writes no files). */
export async function startHaproxy(haproxy: Tool, upstreams: Upstreams, place: Place): Promise<Subject> {
  const directory = join(place.directory, 'haproxy');
  mkdirSync(directory, { recursive: true });
  const port = await freePort();
  const backend = (name: string, to: number): string =>
    `backend ${name}\n  http-reuse always\n  http-response set-header x-assay-variant ${name}\n  server s 127.0.0.1:${to} maxconn 64 pool-max-conn 64`;
  writeFileSync(
    join(directory, 'haproxy.cfg'),
    `global
  nbthread 1
  maxconn 4000
  log ring@lines format raw local0
ring lines
  size 1048576
defaults
  mode http
  timeout client 600s
  timeout server 30s
  timeout connect 5s
  timeout http-keep-alive 600s
  log global
  log-format '{"t":%Ts,"id":"%ID","unit":"%[var(txn.unit)]","variant":"%b","status":%ST,"ms":%Ta}'
  unique-id-format %rt%pid
frontend in
  bind 127.0.0.1:${port}
  http-request set-var(txn.unit) req.hdr(x-user-id)
  http-request set-var(txn.half) req.hdr(x-user-id),xxh32(7),mod(2)
  option forwardfor
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Request-Id %[unique-id]
  http-request set-header X-Assay-Experiment plain
  http-request set-header X-Assay-Prediction-Id %[unique-id]
  http-response set-header X-Request-Id %[unique-id]
  http-response set-header X-Assay-Experiment plain
  http-response set-header X-Assay-Prediction-Id %[unique-id]
  use_backend a if { var(txn.half) -m int 0 }
  default_backend b
${backend('a', upstreams.a)}
${backend('b', upstreams.b)}
`,
  );
  const command = [haproxy.path, '-db', '-f', join(directory, 'haproxy.cfg')];
  const { core } = place;
  const running = run('haproxy', command, {
    env: haproxy.env,
    ...(core === undefined ? {} : { core }),
    output: join(directory, 'out.txt'),
  });
  await untilListening(port, running);
  return { name: `haproxy ${haproxy.version}`, port, running };
}

/** Envoy: weighted clusters by the hash of the header, access log to a file. */
export async function startEnvoy(envoy: Tool, upstreams: Upstreams, place: Place): Promise<Subject> {
  const directory = join(place.directory, 'envoy');
  mkdirSync(directory, { recursive: true });
  const port = await freePort();
  const cluster = (name: string, to: number): unknown => ({
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    circuit_breakers: { thresholds: [{ max_connections: 64, max_pending_requests: 20000, max_requests: 20000 }] },
    load_assignment: {
      cluster_name: name,
      endpoints: [
        { lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: to } } } }] },
      ],
    },
  });
  const type = (name: string): string => `type.googleapis.com/envoy.extensions.${name}`;
  const weighted = (name: string): unknown => ({
    name,
    weight: 50,
    response_headers_to_add: [{ header: { key: 'x-variant', value: name } }],
  });
  const configuration = {
    static_resources: {
      listeners: [
        {
          name: 'in',
          address: { socket_address: { address: '127.0.0.1', port_value: port } },
          filter_chains: [
            {
              filters: [
                {
                  name: 'envoy.filters.network.http_connection_manager',
                  typed_config: {
                    '@type': type('filters.network.http_connection_manager.v3.HttpConnectionManager'),
                    stat_prefix: 'in',
                    generate_request_id: true,
                    always_set_request_id_in_response: true,
                    access_log: [
                      {
                        name: 'file',
                        typed_config: {
                          '@type': type('access_loggers.file.v3.FileAccessLog'),
                          path: join(directory, 'access.log'),
                          log_format: {
                            json_format: {
                              t: '%START_TIME%',
                              id: '%REQ(X-REQUEST-ID)%',
                              unit: '%REQ(X-USER-ID)%',
                              variant: '%UPSTREAM_CLUSTER%',
                              status: '%RESPONSE_CODE%',
                              ms: '%DURATION%',
                            },
                          },
                        },
                      },
                    ],
                    route_config: {
                      virtual_hosts: [
                        {
                          name: 'all',
                          domains: ['*'],
                          routes: [
                            {
                              match: { prefix: '/' },
                              route: {
                                hash_policy: [{ header: { header_name: 'x-user-id' } }],
                                weighted_clusters: { use_hash_policy: true, clusters: [weighted('a'), weighted('b')] },
                              },
                            },
                          ],
                        },
                      ],
                    },
                    http_filters: [
                      {
                        name: 'envoy.filters.http.router',
                        typed_config: { '@type': type('filters.http.router.v3.Router') },
                      },
                    ],
                  },
                },
              ],
            },
          ],
        },
      ],
      clusters: [cluster('a', upstreams.a), cluster('b', upstreams.b)],
    },
  };
  writeFileSync(join(directory, 'envoy.json'), JSON.stringify(configuration));
  const command = [
    envoy.path,
    '-c',
    join(directory, 'envoy.json'),
    '--concurrency',
    '1',
    '-l',
    'error',
    '--disable-hot-restart',
  ];
  const { core } = place;
  const running = run('envoy', command, {
    ...(core === undefined ? {} : { core }),
    output: join(directory, 'out.txt'),
  });
  await untilListening(port, running);
  return { name: `envoy ${envoy.version}`, port, running };
}

/** The npm package http-proxy with a keep-alive agent of 64 sockets per variant, and a buffered log. */
export async function startHttpProxy(upstreams: Upstreams, place: Place): Promise<Subject> {
  const directory = join(place.directory, 'http-proxy');
  mkdirSync(directory, { recursive: true });
  const port = await freePort();
  const command = [
    ...typescript,
    roles,
    'http-proxy',
    String(port),
    String(upstreams.a),
    String(upstreams.b),
    directory,
  ];
  const { core } = place;
  const running = run('http-proxy', command, {
    ...(core === undefined ? {} : { core }),
    output: join(directory, 'out.txt'),
  });
  await untilListening(port, running);
  return { name: 'http-proxy', port, running };
}

/** Assay as users start it. */
export interface AssaySubject extends Subject {
  readonly apiUrl: string;
  readonly dataDirectory: string;
}

/** Options of `startAssay`. */
interface AssayOptions extends Place {
  readonly name: string;
  /** Command that runs `assay`. */
  readonly assay: readonly string[];
  readonly flags: readonly string[];
}

/** `assay serve` with the real log; the durability level is its default, `after-reply`. */
export async function startAssay(upstreams: Upstreams, options: AssayOptions): Promise<AssaySubject> {
  const { name, assay, flags, core } = options;
  const directory = join(options.directory, name);
  mkdirSync(join(directory, 'experiments'), { recursive: true });
  const experiment = (
    title: string,
    lines: { readonly route: string; readonly unit: string; readonly more?: string },
  ): void =>
    writeFileSync(
      join(directory, 'experiments', `${title}.yaml`),
      `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: ${title}}
spec:
  hypothesis: There is a difference
  route: {path: ${lines.route}}
  unit: ${lines.unit}
  control: a
  variants:
    - {name: a, weight: 50, timeoutMs: 30000, upstream: {url: "http://127.0.0.1:${upstreams.a}", protocol: json}}
    - {name: b, weight: 50, timeoutMs: 30000, upstream: {url: "http://127.0.0.1:${upstreams.b}", protocol: json}}
${lines.more ?? ''}  metrics: {latency: {mean: attempt_ms}}
  decision: {minDuration: 0s}
`,
    );
  experiment('plain', { route: paths.plain, unit: '{header: x-user-id, orElse: control}' });
  experiment('by-body', { route: paths.byBody, unit: '{json: $.user_id, orElse: control}' });
  experiment('mirrored', {
    route: paths.mirrored,
    unit: '{header: x-user-id, orElse: control}',
    more: `    - {name: shadow, weight: 0, timeoutMs: 30000, upstream: {url: "http://127.0.0.1:${upstreams.shadow}", protocol: json}}
  mirror: {variant: shadow, share: 1}
`,
  });
  const [port, apiPort] = [await freePort(), await freePort()];
  const dataDirectory = join(directory, 'data');
  const command = [
    ...[...assay, 'serve', '-f', join(directory, 'experiments'), '--data', dataDirectory, '--start'],
    ...['--port', String(port), '--api-port', String(apiPort), ...flags],
  ];
  const running = run(name, command, {
    env: { ASSAY_TOKEN: '', NO_COLOR: '1' },
    ...(core === undefined ? {} : { core }),
    output: join(directory, 'out.txt'),
  });
  await untilListening(port, running);
  return { name, port, running, apiUrl: `http://127.0.0.1:${apiPort}`, dataDirectory };
}
