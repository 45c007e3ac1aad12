// Seldon Core v2's Experiment: its YAML in and out of the command line, and the weights of a live one that follow an experiment here.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import { startServer } from '../../src/server/index.ts';
import { runTests } from './analytics-engine.ts';
import { type Cluster, check, clusterInstalls, output, runProgram, startCluster, until } from './kubernetes-cluster.ts';
import type { System } from './system.ts';

const crdFile = fileURLToPath(new URL('./fixtures/seldon-experiment-crd.yaml', import.meta.url));
const applicationFile = fileURLToPath(new URL('../../examples/argo/application.yaml', import.meta.url));
const platformFile = fileURLToPath(new URL('../../deploy/platform/helmfile.yaml', import.meta.url));
const command = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export const system: System = {
  name: 'seldon',
  installs: clusterInstalls,
  timeoutMs: 1_800_000,
  async run(context) {
    const { folder, note, afterwards } = context;
    const cluster = await startCluster(context);
    const { kubectl, tryKubectl } = cluster;
    await kubectl(['create', 'namespace', 'models']);
    await kubectl(['apply', '--server-side', '-f', crdFile]);
    await kubectl(['wait', '--for=condition=Established', 'crd/experiments.mlops.seldon.io', '--timeout=60s']);
    await checkPlatform();
    note('deploy/platform: the four charts of Seldon Core v2, each after the one it needs, pinned at 2.9.0');
    await runTests('src/adapters/seldon-router.test.ts', {
      ASSAY_SELDON_KUBECONFIG: join(folder, 'cluster', 'kubeconfig'),
    });
    const assay = (...args: string[]) => runProgram(process.execPath, ['--import', 'tsx', command, ...args]);

    // What the API server takes without a word, the import refuses.
    const seldon = (weight: number): string =>
      JSON.stringify({
        apiVersion: 'mlops.seldon.io/v1alpha1',
        kind: 'Experiment',
        metadata: { name: 'iris-test', namespace: 'models', annotations: { owner: 'team-a' } },
        spec: {
          default: 'iris',
          candidates: [
            { name: 'iris', weight: 50 },
            { name: 'iris2', weight },
          ],
          mirror: { name: 'iris3', percent: 10 },
        },
      });
    const negative = join(folder, 'negative.yaml');
    await writeFile(negative, seldon(-3));
    check(
      (await tryKubectl(['apply', '-f', negative])).code === 0,
      'the API server must take negative weights, as Seldon’s does',
    );
    const refused = await assay('import', 'seldon', negative, '--seldon-mesh', 'http://127.0.0.1:9');
    check(
      refused.code === 2 && refused.stderr.includes('spec.candidates[1].weight is -3'),
      `the import must refuse what the API server took, said: ${refused.stderr}`,
    );
    note('a negative weight passes the API server and not the import');

    await kubectl(['apply', '-f', '-'], seldon(50));
    const live = join(folder, 'live.yaml');
    await writeFile(live, await kubectl(['get', 'mlx', 'iris-test', '-n', 'models', '-o', 'yaml']));
    const file = join(folder, 'iris.yaml');
    const mesh = ['--seldon-mesh', 'http://127.0.0.1:9', '--unit-header', 'x-user-id'];
    output(await assay('import', 'seldon', live, ...mesh, '-o', file), ['assay import seldon']);
    const exported = output(await assay('export', 'seldon', '-f', file, '--seldon-namespace', 'models'), [
      'assay export',
    ]);
    const difference = await tryKubectl(['diff', '--server-side', '--field-manager=export', '-f', '-'], exported);
    check(
      difference.code === 0,
      `what comes out must be what went in, kubectl diff says: ${difference.stdout}${difference.stderr}`,
    );
    note('kubectl get | assay import | assay export | kubectl diff: no difference');

    const told: string[] = [];
    const server = await startServer({
      files: [file],
      dataDirectory: join(folder, 'data'),
      port: 0,
      apiPort: 0,
      startDrafts: true,
      kubernetes: { seldonNamespace: 'models', config: cluster.config },
      onEvent: (sentence) => told.push(sentence),
    });
    afterwards(() => server.close());
    const split = async (): Promise<string> =>
      kubectl([
        'get',
        'mlx',
        'iris-test',
        '-n',
        'models',
        '-o',
        'jsonpath={range .spec.candidates[*]}{.name}={.weight} {end}',
      ]);
    const about = { name: 'iris-test', author: 'test', reason: 'the row' };
    const expectSplit = (expected: string): Promise<void> =>
      until(`Seldon splits ${expected}`, async () => (await split()).trim() === expected);
    await expectSplit('iris=50 iris2=50');
    await server.service.act('ramp', { ...about, coverage: 0.2 });
    await expectSplit('iris=90 iris2=10');
    note('coverage 20 % became weights 90 and 10');
    await syncFromGit(cluster, seldon(50));
    await expectSplit('iris=90 iris2=10');
    note('a sync from git, with the ignored fields of the example Application, leaves Assay’s weights');

    let racing = true;
    const race = (async () => {
      for (let count = 0; racing; count += 1)
        await kubectl(['label', '--overwrite', '-n', 'models', 'mlx', 'iris-test', `count=c${count}`]);
    })();
    for (const [coverage, expected] of [
      [0.3, 'iris=85 iris2=15'],
      [0.005, 'iris=9975 iris2=25'],
      [1, 'iris=50 iris2=50'],
    ] as const) {
      await server.service.act('ramp', { ...about, coverage });
      await expectSplit(expected);
    }
    racing = false;
    await race;
    note('weights follow while somebody else keeps changing the resource');
    await server.service.act('pause', about);
    await expectSplit('iris=100 iris2=0');
    await server.service.act('resume', about);
    await expectSplit('iris=50 iris2=50');
    await cluster.stop();
    await server.service.act('promote', { ...about, variant: 'iris2' });
    await until('the loss is told', () => told.some((each) => each.includes('does not follow default/iris-test')));
    await cluster.start();
    await expectSplit('iris=0 iris2=100');
    note('promoted while the API server was away: 0 and 100 once it is back');

    const whole = JSON.parse(
      await kubectl(['get', 'mlx', 'iris-test', '-n', 'models', '-o', 'json', '--show-managed-fields']),
    ) as Live;
    check(whole.metadata.annotations.owner === 'team-a', 'annotations of others must stay');
    check(whole.spec.default === 'iris' && whole.spec.mirror.percent === 10, 'default and mirror must stay');
    const ours = whole.metadata.managedFields.find(
      ({ manager, operation }) => manager === 'assay' && operation === 'Apply',
    );
    check(
      ours !== undefined && JSON.stringify(ours.fieldsV1) === '{"f:spec":{"f:candidates":{}}}',
      `the candidates and nothing else must be ours: ${JSON.stringify(ours)}`,
    );
    note('the candidates are managed by assay, everything else stays with its owner');
  },
};

/** The pins that `helmfile apply` would follow. */
async function checkPlatform(): Promise<void> {
  const { releases } = parse(await readFile(platformFile, 'utf8')) as { releases: readonly Release[] };
  const order = ['crds', 'setup', 'runtime', 'servers'].map((part) => `seldon-core-v2-${part}`);
  check(
    isDeepStrictEqual(
      releases.map(({ name }) => name),
      order,
    ),
    `the charts are ${releases.map(({ name }) => name).join(', ')}, must be ${order.join(', ')}`,
  );
  for (const [index, { name, namespace, chart, version, needs = [] }] of releases.entries()) {
    const before = index === 0 ? [] : [`${namespace}/${order[index - 1]}`];
    check(
      version === '2.9.0' && chart === `seldon/${name}` && isDeepStrictEqual(needs, before),
      `${name} is ${chart} ${version} after ${needs.join()}, must be seldon/${name} 2.9.0 after ${before.join()}`,
    );
  }
}

/**
 * What Argo CD does when it finds the resource other than git has it (selfHeal): it applies git's text on the server side, with
 * the fields of `ignoreDifferences` as they are live where `RespectIgnoreDifferences` is set. Argo CD itself does not run.
 */
async function syncFromGit({ kubectl }: Cluster, git: string): Promise<void> {
  const { spec } = parse(await readFile(applicationFile, 'utf8')) as Application;
  const rule = spec.ignoreDifferences.find(({ group, kind }) => group === 'mlops.seldon.io' && kind === 'Experiment');
  check(rule !== undefined, 'the Application must ignore something of the Experiment');
  for (const option of ['RespectIgnoreDifferences=true', 'ServerSideApply=true'])
    check(spec.syncPolicy.syncOptions.includes(option), `the Application must have the option ${option}`);
  const apply = ['apply', '--server-side', '--force-conflicts', '--field-manager=argocd-controller', '-f', '-'];
  const read = async (): Promise<Resource> =>
    JSON.parse(await kubectl(['get', 'mlx', 'iris-test', '-n', 'models', '-o', 'json'])) as Resource;
  const live = await read();
  // All that a sync would put back must be what the Application ignores, else the two would fight.
  const back = JSON.parse(await kubectl([...apply, '--dry-run=server', '-o', 'json'], git)) as Resource;
  const members = [...new Set([...Object.keys(live.spec), ...Object.keys(back.spec)])];
  const contested = members.filter((each) => !isDeepStrictEqual(live.spec[each], back.spec[each]));
  check(
    isDeepStrictEqual(
      contested.map((each) => `/spec/${each}`),
      rule.jsonPointers,
    ),
    `a sync would put back ${contested.join()}, the Application ignores ${rule.jsonPointers.join()}`,
  );
  const wanted = JSON.parse(git) as { spec: Record<string, unknown> };
  for (const each of contested) wanted.spec[each] = live.spec[each];
  await kubectl(apply, JSON.stringify(wanted));
  check(isDeepStrictEqual((await read()).spec, live.spec), 'the sync must leave the resource as it was');
}

interface Release {
  readonly name: string;
  readonly namespace: string;
  readonly chart: string;
  readonly version: string;
  readonly needs?: readonly string[];
}
interface Application {
  readonly spec: {
    readonly syncPolicy: { readonly syncOptions: readonly string[] };
    readonly ignoreDifferences: readonly {
      readonly group: string;
      readonly kind: string;
      readonly jsonPointers: readonly string[];
    }[];
  };
}
interface Resource {
  readonly spec: Readonly<Record<string, unknown>>;
}
interface Live {
  readonly metadata: {
    readonly annotations: { readonly owner: string };
    readonly managedFields: readonly {
      readonly manager: string;
      readonly operation: string;
      readonly fieldsV1: object;
    }[];
  };
  readonly spec: { readonly default: string; readonly mirror: { readonly percent: number } };
}
