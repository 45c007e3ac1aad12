// Seldon Core v2's Experiment: its YAML in and out of the command line, and the weights of a live one that follow an experiment here.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServer } from '../../src/server/index.ts';
import { check, clusterInstalls, output, runProgram, startCluster, until } from './kubernetes-cluster.ts';
import type { System } from './system.ts';

const crdFile = fileURLToPath(new URL('./fixtures/seldon-experiment-crd.yaml', import.meta.url));
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
