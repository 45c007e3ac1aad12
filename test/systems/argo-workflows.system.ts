// Argo Workflows: the training template fits Argo's types, a training is submitted once, and its last step does its work for real.
// Argo's own controller does not run here.
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parse } from 'yaml';
import { startServer } from '../../src/server/index.ts';
import { check, clusterInstalls, goPrograms, output, runProgram, startCluster } from './kubernetes-cluster.ts';
import type { System, SystemContext } from './system.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const templateFile = join(root, 'deploy', 'argo', 'workflows', 'train-and-experiment.yaml');
const workflowFile = join(root, 'examples', 'argo', 'training.yaml');

export const system: System = {
  name: 'argo-workflows',
  installs: `the linter of Argo Workflows 3.7.4 (built from its Go module, minutes when cold), @kubernetes-models/argo-workflows 2.0.0 (npm, types of Argo Workflows 4); ${clusterInstalls}`,
  timeoutMs: 1_800_000,
  async run(context) {
    const { folder, note, afterwards, cache } = context;
    const types = await cache.npm('argo-types', [
      '@kubernetes-models/argo-cd@4.0.0',
      '@kubernetes-models/argo-workflows@2.0.0',
      '@kubernetes-models/argo-rollouts@2.0.0',
    ]);
    type Kinds = Readonly<Record<'WorkflowTemplate' | 'Workflow', new (from: object) => { validate(): void }>>;
    const index = join(
      types,
      'node_modules',
      '@kubernetes-models',
      'argo-workflows',
      'argoproj.io',
      'v1alpha1',
      'index.js',
    );
    const { WorkflowTemplate, Workflow } = (await import(pathToFileURL(index).href)) as Kinds;
    const template = parse(await readFile(templateFile, 'utf8')) as Template;
    const workflow = parse(await readFile(workflowFile, 'utf8')) as object;
    new WorkflowTemplate(template).validate();
    new Workflow(workflow).validate();
    const broken = structuredClone(template) as unknown as { spec: { templates: { name: unknown }[] } };
    broken.spec.templates[0]!.name = 7;
    let refused = false;
    try {
      new WorkflowTemplate(broken).validate();
    } catch {
      refused = true;
    }
    check(refused, 'a template whose name is a number must be refused, or the check checks nothing');
    // What the types leave open: every parameter that is used is declared.
    const text = JSON.stringify(template);
    const declared = new Set(template.spec.arguments.parameters.map(({ name }) => name));
    for (const [, name] of text.matchAll(/\{\{workflow\.parameters\.([a-z-]+)\}\}/g))
      check(declared.has(name!), `parameter ${name} is used, must be declared`);
    note('template and workflow fit Argo’s types; every parameter is declared');

    await lint(context);

    const cluster = await startCluster(context);
    const crds = join(root, 'test', 'systems', 'fixtures', 'argo-workflows-crds.yaml');
    await cluster.kubectl(['apply', '--server-side', '-f', crds]);
    await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
    await cluster.kubectl(['apply', '-f', templateFile]);
    await cluster.kubectl(['create', '-f', workflowFile]);
    const second = await cluster.tryKubectl(['create', '-f', workflowFile]);
    check(
      second.code !== 0 && second.stderr.includes('AlreadyExists'),
      `the same training must be submitted once, kubectl said: ${second.stderr}`,
    );
    note('a second submission of the same training is refused as AlreadyExists');

    // The last step, as its container would run it, with a real repository and a real server.
    const git = (cwd: string, ...args: readonly string[]): string =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.invalid', ...args], {
        cwd,
        encoding: 'utf8',
      });
    const remote = join(folder, 'remote.git');
    const work = join(folder, 'work');
    for (const each of [remote, join(work, 'experiments')]) await mkdir(each, { recursive: true });
    git(remote, 'init', '--quiet', '--bare', '--initial-branch=main');
    git(work, 'init', '--quiet', '--initial-branch=main');
    const variants = ['baseline', 'enhanced'].map((name) => ({
      name,
      weight: 50,
      upstream: { url: 'http://127.0.0.1:9', protocol: 'oip', model: 'forecast', version: '1' },
    }));
    const spec = { route: { model: 'forecast' }, unit: { header: 'x-user-id' }, control: 'baseline', variants };
    const experiment = { apiVersion: 'assay.dev/v1alpha1', kind: 'Experiment', metadata: { name: 'forecast' }, spec };
    await writeFile(join(work, 'experiments', 'forecast.yaml'), JSON.stringify(experiment, null, 2));
    git(work, 'add', '.');
    git(work, 'commit', '--quiet', '-m', 'first');
    git(work, 'push', '--quiet', remote, 'main');
    const token = 'a-token-of-the-workflows-row';
    const server = await startServer({ dataDirectory: join(folder, 'data'), port: 0, apiPort: 0, token });
    afterwards(() => server.close());
    const bin = join(folder, 'bin');
    await mkdir(bin);
    const main = join(root, 'src', 'cli', 'main.ts');
    const tsx = join(root, 'node_modules', 'tsx', 'dist', 'loader.mjs');
    await writeFile(
      join(bin, 'assay'),
      `#!/bin/sh\nexec "${process.execPath}" --import "${pathToFileURL(tsx).href}" "${main}" "$@"\n`,
    );
    await chmod(join(bin, 'assay'), 0o755);
    const step = template.spec.templates.find(({ name }) => name === 'start-experiment')!.script!;
    const env = {
      ...process.env,
      PATH: `${bin}:${process.env.PATH}`,
      ASSAY_SERVER: server.apiUrl,
      ASSAY_TOKEN: token,
      VARIANT: 'enhanced',
      VERSION: '7',
      DATA: '2026-11-01',
      EXPERIMENT: 'forecast',
      REPOSITORY: remote,
      FILE: 'experiments/forecast.yaml',
    };
    for (const { name } of step.env) check(name in env, `the step reads ${name}, which this row must set`);
    const run = async (): Promise<void> => {
      output(await runProgram('sh', ['-c', step.source], { env }), ['the last step']);
      const { state, experiment: found, epoch } = server.service.get('forecast');
      check(state === 'running' && epoch === 1, `the experiment must run in its first epoch, is ${state} in ${epoch}`);
      check(found.variants[1]!.upstream.version === '7', 'the experiment must compare the new version');
      check(git(remote, 'rev-list', '--count', 'main').trim() === '2', 'the version must be one commit');
    };
    await run();
    await run();
    note('the last step deploys version 7 and starts the experiment; run again it changes nothing');
  },
};

/** What `argo lint --offline` says of the template with the workflow, and that it catches what is wrong. */
async function lint({ cache, folder, note }: SystemContext): Promise<void> {
  const program = await cache.goModule('argo-lint', { module: goPrograms, program: './argo-lint' });
  const template = await readFile(templateFile, 'utf8');
  const workflow = await readFile(workflowFile, 'utf8');
  const place = join(folder, 'lint');
  await mkdir(place);
  const run = async (texts: readonly [string, string]): Promise<{ readonly code: number; readonly said: string }> => {
    const files = [join(place, 'template.yaml'), join(place, 'workflow.yaml')];
    for (const [index, file] of files.entries()) await writeFile(file, texts[index]!);
    const { code, stdout, stderr } = await runProgram(program, files);
    return { code, said: `${stdout}${stderr}`.trim() };
  };
  const sound = await run([template, workflow]);
  check(sound.code === 0, `argo lint must find nothing, says: ${sound.said}`);
  const faults = [
    ['a step that is no template', [template.replace('template: train\n', 'template: trane\n'), workflow], 'trane'],
    [
      'an output nobody makes',
      [template.replaceAll('outputs.parameters.model-version', 'outputs.parameters.mdl'), workflow],
      'mdl',
    ],
    [
      'an input nobody declares',
      [template.replace('{{inputs.parameters.model-version}}', '{{inputs.parameters.vrsn}}'), workflow],
      'vrsn',
    ],
    ['a misspelt key', [template.replace('entrypoint:', 'entrypiont:'), workflow], 'entrypiont'],
    [
      'a template of another name',
      [template, workflow.replace('name: train-and-experiment', 'name: train-and-wait')],
      'train-and-wait',
    ],
  ] as const satisfies readonly (readonly [string, readonly [string, string], string])[];
  for (const [what, texts, named] of faults) {
    check(texts[0] !== template || texts[1] !== workflow, `${what}: nothing was changed, so nothing is checked`);
    const { code, said } = await run(texts);
    check(
      code === 1 && said.includes(named),
      `${what} must be found by argo lint, which ended with ${code} and says: ${said}`,
    );
  }
  note(`argo lint --offline: ${sound.said.split('\n').at(-1)}; it finds ${faults.length} faults made on purpose`);
}

interface Template {
  readonly spec: {
    readonly arguments: { readonly parameters: readonly { readonly name: string }[] };
    readonly templates: readonly {
      readonly name: string;
      readonly script?: { readonly source: string; readonly env: readonly { readonly name: string }[] };
    }[];
  };
}
