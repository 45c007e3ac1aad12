// The Helm chart: linted, rendered, installed by a real helm into a real API server, and its roles used by a real Assay.
import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { startModel } from '../e2e/assay-process.ts';
import { check, clusterInstalls, endProcess, output, runProgram, startCluster, until } from './kubernetes-cluster.ts';
import type { System } from './system.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const chart = join(root, 'deploy', 'helm', 'assay');
const command = join(root, 'src', 'cli', 'main.ts');

export const system: System = {
  name: 'helm',
  installs: clusterInstalls,
  timeoutMs: 1_800_000,
  async run(context) {
    const { folder, note, afterwards } = context;
    const cluster = await startCluster(context);
    const { kubectl, tryKubectl, helm } = cluster;
    await helm(['lint', '--strict', chart]);
    for (const [values, rule] of [
      ['gateway.workers=0', 'minimum'],
      ['gatewai.workers=2', 'gatewai'],
      ['experiments.scope=some', 'experiments'],
      ['persistence.size=twenty', 'pattern'],
    ] as const) {
      const said = await helm(['template', 'r', chart, '--set', values]).catch((fault: Error) => fault.message);
      check(said.includes(rule), `--set ${values} must be refused, helm said: ${said.slice(0, 300)}`);
    }
    note('helm lint --strict; the schema of the values refuses four slips');

    // What the chart ships is what the commands write today.
    const made = join(folder, 'made');
    const assay = async (...args: readonly string[]): Promise<string> =>
      output(await runProgram(process.execPath, ['--import', 'tsx', command, ...args]), ['assay', ...args]);
    await assay('export', 'prometheus', '-o', join(made, 'prometheus'));
    await assay('export', 'grafana', '-o', join(made, 'grafana'));
    for (const [shipped, source] of [
      ['files/alerts.yaml', 'prometheus/assay.rules.yml'],
      ['files/dashboard.json', 'grafana/dashboards/assay.json'],
    ] as const)
      check(
        (await readFile(join(chart, shipped), 'utf8')) === (await readFile(join(made, source), 'utf8')),
        `deploy/helm/assay/${shipped} must be what assay export writes: copy ${source} there`,
      );

    await kubectl(['create', 'namespace', 'assay']);
    await kubectl(['create', 'namespace', 'models']);
    for (const file of ['seldon-experiment-crd.yaml', 'monitoring-crds.yaml'])
      await kubectl(['apply', '--server-side', '-f', join(root, 'test', 'systems', 'fixtures', file)]);
    await kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
    const everything = [
      ...['--set', 'serviceMonitor.enabled=true,prometheusRule.enabled=true,dashboards.enabled=true'],
      ...['--set', 'seldon.namespace=models,gateway.grpcPort=9000,persistence.keep=90d,persistence.maxBytes=15GB'],
    ];
    const release = ['assay', chart, '--namespace', 'assay'];
    await helm(['install', ...release, ...everything]);
    const secret = (): Promise<string> =>
      kubectl(['get', 'secret', '-n', 'assay', 'assay-token', '-o', 'jsonpath={.data.token}']);
    const before = await secret();
    await helm(['upgrade', ...release, ...everything, '--set', 'podAnnotations.changed=yes']);
    check((await secret()) === before && before.length > 40, 'an upgrade must keep the token');
    const kinds = await kubectl([
      'get',
      'statefulset,service,networkpolicy,poddisruptionbudget,configmap,servicemonitor,prometheusrule,role',
      '-n',
      'assay',
      '-o',
      'name',
    ]);
    for (const each of [
      'statefulset.apps/assay',
      'service/assay-api',
      'networkpolicy.networking.k8s.io/assay',
      'poddisruptionbudget.policy/assay',
      'configmap/assay-dashboard',
      'servicemonitor.monitoring.coreos.com/assay',
      'prometheusrule.monitoring.coreos.com/assay',
    ])
      check(kinds.includes(each), `${each} must be installed, there is: ${kinds}`);
    await kubectl(['wait', '--for=condition=Established', 'crd/experiments.assay.dev', '--timeout=60s']);
    note('helm install and upgrade: every resource is accepted, the token stays');

    const account = 'system:serviceaccount:assay:assay';
    for (const [verb, what, namespace, expected] of [
      ['watch', 'experiments.assay.dev', 'assay', true],
      ['patch', 'experiments.assay.dev/status', 'assay', true],
      ['patch', 'experiments.mlops.seldon.io', 'models', true],
      ['patch', 'experiments.assay.dev', 'assay', false],
      ['delete', 'experiments.assay.dev', 'assay', false],
      ['list', 'experiments.assay.dev', 'models', false],
      ['delete', 'experiments.mlops.seldon.io', 'models', false],
      ['get', 'secrets', 'assay', false],
      ['create', 'pods', 'assay', false],
      ['list', 'nodes', 'assay', false],
    ] as const) {
      const [resource, subresource] = what.split('/') as [string, string?];
      const { stdout } = await tryKubectl([
        ...['auth', 'can-i', verb, resource, '--as', account, '--namespace', namespace],
        ...(subresource === undefined ? [] : ['--subresource', subresource]),
      ]);
      check(
        stdout.trim() === (expected ? 'yes' : 'no'),
        `${account} may ${verb} ${what} in ${namespace}: ${stdout.trim()}`,
      );
    }
    note('the role allows what is needed and refuses seven other things');

    // The pod's own command line, as the pod's own account, on this machine.
    const models = [await startModel('a'), await startModel('b')] as const;
    for (const model of models) afterwards(() => model.close());
    const place = join(folder, 'pod');
    await mkdir(place);
    await writeFile(join(place, 'token'), Buffer.from(before, 'base64'));
    await writeFile(join(place, 'kubeconfig'), await cluster.configFor({ namespace: 'assay', name: 'assay' }));
    const set = JSON.parse(await kubectl(['get', 'statefulset', '-n', 'assay', 'assay', '-o', 'json'])) as StatefulSet;
    const args = set.spec.template.spec.containers[0]!.args.map((arg) =>
      arg
        .replace('/var/lib/assay', join(place, 'data'))
        .replace('/etc/assay/token', place)
        .replace('0.0.0.0', '127.0.0.1')
        .replace(/^(--(?:api-|grpc-)?port)=\d+$/, '$1=0'),
    );
    const server = spawn(process.execPath, ['--import', 'tsx', command, ...args], {
      env: { ...process.env, KUBECONFIG: join(place, 'kubeconfig') },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    afterwards(() => endProcess(server));
    let said = '';
    server.stderr.on('data', (text: Buffer) => {
      said += text.toString();
    });
    const experiment = {
      apiVersion: 'assay.dev/v1alpha1',
      kind: 'Experiment',
      metadata: { name: 'scores', namespace: 'assay' },
      spec: {
        route: { path: '/score' },
        unit: { header: 'x-user-id' },
        control: 'a',
        variants: models.map(({ url }, index) => ({ name: 'ab'[index], weight: 50, upstream: { url } })),
      },
    };
    await kubectl(['apply', '-f', '-'], JSON.stringify(experiment));
    const seldon = {
      apiVersion: 'mlops.seldon.io/v1alpha1',
      kind: 'Experiment',
      metadata: { name: 'scores', namespace: 'models' },
      spec: {
        candidates: [
          { name: 'a', weight: 100 },
          { name: 'b', weight: 0 },
        ],
      },
    };
    await kubectl(['apply', '-f', '-'], JSON.stringify(seldon));
    const wait = ['wait', '-n', 'assay', '--for=condition=Ready', 'abx/scores', '--timeout=60s'];
    await until(`the resource is ready: ${said}`, async () => (await tryKubectl(wait)).code === 0);
    await kubectl([
      'patch',
      'abx',
      '-n',
      'assay',
      'scores',
      '--type=json',
      '-p',
      '[{"op":"replace","path":"/spec/variants/1/weight","value":150}]',
    ]);
    await until(
      'the weights reach Seldon',
      async () =>
        (await kubectl(['get', 'mlx', '-n', 'models', 'scores', '-o', 'jsonpath={.spec.candidates[*].weight}'])) ===
        '25 75',
    );
    check(server.exitCode === null, `the server must run: ${said}`);
    note(
      'the pod’s command line runs as the chart’s service account: resource taken over, status written, weights pushed',
    );
    const small = parseAllDocuments(await helm(['template', 'r', chart, '--set', 'experiments.scope=none']));
    const kindsOfSmall = small.map((each) => (each.toJS() as { readonly kind?: string } | null)?.kind);
    check(
      !kindsOfSmall.includes('Role') && !kindsOfSmall.includes('ClusterRole'),
      'without Kubernetes there must be no role',
    );
  },
};

interface StatefulSet {
  readonly spec: {
    readonly template: { readonly spec: { readonly containers: readonly { readonly args: readonly string[] }[] } };
  };
}
