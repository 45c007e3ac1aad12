// Argo Rollouts: its real analysis controller, with its real web metric provider, asks the verdict of a real Assay.
import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { parseExperimentFile } from '../../src/experiment/index.ts';
import { startServer } from '../../src/server/index.ts';
import {
  check,
  clusterInstalls,
  endProcess,
  freePort,
  goPrograms,
  output,
  runProgram,
  startCluster,
  until,
} from './kubernetes-cluster.ts';
import type { System } from './system.ts';

const templateFile = fileURLToPath(new URL('../../deploy/argo/rollouts/analysis-template.yaml', import.meta.url));
const controllerPackage = 'github.com/argoproj/argo-rollouts';

export const system: System = {
  name: 'argo-rollouts',
  installs: `rollouts-controller 1.9.0 (built from ${controllerPackage}, minutes when cold); ${clusterInstalls}`,
  timeoutMs: 1_800_000,
  async run(context) {
    const { folder, note, afterwards, cache } = context;
    const cluster = await startCluster(context);
    const { kubectl } = cluster;
    const controller = await cache.goModule('rollouts-controller', {
      module: goPrograms,
      program: `${controllerPackage}/cmd/rollouts-controller`,
    });
    const sources = output(
      await runProgram('go', ['list', '-m', '-f', '{{.Dir}}', controllerPackage], { cwd: goPrograms }),
      ['go list'],
    ).trim();
    const crds = join(sources, 'manifests', 'crds');
    for (const file of (await readdir(crds)).filter((each) => each.endsWith('-crd.yaml')))
      await kubectl(['apply', '--server-side', '-f', join(crds, file)]);
    await kubectl(['apply', '-f', templateFile]);
    await kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);

    const token = 'a-token-of-the-rollouts-row';
    await kubectl(['create', 'secret', 'generic', 'assay', `--from-literal=token=${token}`]);
    const names = ['winner', 'loser', 'undecided'] as const;
    const server = await startServer({
      experiments: names.map((name) =>
        parseExperimentFile(
          JSON.stringify({
            apiVersion: 'assay.dev/v1alpha1',
            kind: 'Experiment',
            metadata: { name },
            spec: {
              route: { path: `/${name}` },
              unit: { header: 'x-user-id' },
              control: 'a',
              variants: ['a', 'b'].map((each) => ({ name: each, weight: 1, upstream: { url: 'http://127.0.0.1:9' } })),
            },
          }),
        ),
      ),
      dataDirectory: join(folder, 'data'),
      port: 0,
      apiPort: 0,
      token,
      startDrafts: true,
    });
    afterwards(() => server.close());

    const configFile = join(folder, 'cluster', 'kubeconfig');
    const metricsPort = await freePort();
    const running = spawn(
      controller,
      [
        ...['--kubeconfig', configFile, '--namespace', 'default', '--namespaced', '--controllers', 'analysis'],
        ...['--leader-elect=false', '--loglevel', 'error'],
        ...['--metricsPort', String(metricsPort), '--healthzPort', String(await freePort())],
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    );
    afterwards(() => endProcess(running));

    const template = parse(await readFile(templateFile, 'utf8')) as Template;
    const run = async (name: string, experiment: string, change: (metric: Metric) => void = () => {}) => {
      const [metric] = structuredClone(template.spec.metrics);
      metric!.interval = '1s';
      change(metric!);
      const args = template.spec.args.map((arg) => {
        if (arg.name === 'experiment') return { name: arg.name, value: experiment };
        return arg.name === 'server' ? { name: arg.name, value: server.apiUrl } : arg;
      });
      const manifest = {
        apiVersion: 'argoproj.io/v1alpha1',
        kind: 'AnalysisRun',
        metadata: { name },
        spec: { metrics: [metric], args },
      };
      await kubectl(['create', '-f', '-'], JSON.stringify(manifest));
    };
    const status = async (name: string): Promise<Status> =>
      JSON.parse((await kubectl(['get', 'analysisrun', name, '-o', 'jsonpath={.status}'])) || '{}') as Status;
    const expectPhase = (name: string, phase: string): Promise<void> =>
      until(`AnalysisRun ${name} is ${phase}`, async () => (await status(name)).phase === phase);
    const expectWaiting = (name: string): Promise<void> =>
      until(`AnalysisRun ${name} has waited three times`, async () => {
        const found = await status(name);
        const [result] = found.metricResults ?? [];
        check(
          found.phase === undefined || found.phase === 'Running' || found.phase === 'Pending',
          `AnalysisRun ${name} must wait while nothing is decided, is ${found.phase}: ${JSON.stringify(result)}`,
        );
        return (result?.inconclusive ?? 0) >= 3;
      });

    for (const name of names) await run(name, name);
    await run('unknown', 'no-such-experiment');
    for (const name of [...names, 'unknown']) await expectWaiting(name);
    note('undecided and unknown experiments: three measurements are Inconclusive, the run goes on');

    const about = { author: 'test', reason: 'the row' };
    await server.service.act('promote', { name: 'winner', variant: 'b', ...about });
    await server.service.act('roll-back', { name: 'loser', ...about });
    await expectPhase('winner', 'Successful');
    await expectPhase('loser', 'Failed');
    await expectWaiting('undecided');
    note('promoted: Successful; rolled back: Failed; undecided: still Running');

    await run('limited', 'undecided', (metric) => {
      metric.inconclusiveLimit = 2;
    });
    await expectPhase('limited', 'Inconclusive');
    note('beyond inconclusiveLimit the run is Inconclusive, at which a rollout pauses for a person');

    // Why the template is as it is: these are the shapes that promote a model nobody has decided on.
    await run('trap', 'undecided', (metric) => {
      delete metric.consecutiveSuccessLimit;
      metric.count = 3;
      metric.inconclusiveLimit = 3;
    });
    await expectPhase('trap', 'Successful');
    await kubectl(['patch', 'analysisrun', 'undecided', '--type=merge', '-p', '{"spec":{"terminate":true}}']);
    await expectPhase('undecided', 'Successful');
    note(
      'traps confirmed: a count without consecutiveSuccessLimit, and a run ended while undecided, both count as Successful',
    );

    await run('locked-out', 'winner', (metric) => {
      metric.provider.web.headers[0]!.value = 'Bearer wrong';
      metric.consecutiveErrorLimit = 1;
    });
    await expectPhase('locked-out', 'Error');
    note('a wrong token is an Error and never a pass');
  },
};

interface Metric {
  interval: string;
  count?: number;
  consecutiveSuccessLimit?: number;
  inconclusiveLimit: number;
  consecutiveErrorLimit: number;
  provider: { web: { headers: { key: string; value: string }[] } };
}
interface Template {
  readonly spec: { readonly args: readonly { readonly name: string }[]; readonly metrics: Metric[] };
}
interface Status {
  readonly phase?: string;
  readonly metricResults?: readonly { readonly inconclusive?: number }[];
}
