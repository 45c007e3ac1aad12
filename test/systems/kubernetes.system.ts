// Kubernetes: Experiment resources through a real API server and a real kubectl, into a real Assay.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type RunningServer, startServer } from '../../src/server/index.ts';
import { startModel } from '../e2e/assay-process.ts';
import { check, clusterInstalls, startCluster, until } from './kubernetes-cluster.ts';
import type { System } from './system.ts';

/** Definition of Assay's own resource. */
const crdFile: string = fileURLToPath(new URL('../../deploy/crd/experiments.assay.dev.yaml', import.meta.url));

export const system: System = {
  name: 'kubernetes',
  installs: clusterInstalls,
  timeoutMs: 1_800_000,
  async run(context) {
    const { folder, note, afterwards } = context;
    const cluster = await startCluster(context);
    const { kubectl, tryKubectl } = cluster;
    await kubectl(['apply', '--server-side', '-f', crdFile]);
    await kubectl(['wait', '--for=condition=Established', 'crd/experiments.assay.dev', '--timeout=60s']);
    const models = [await startModel('a'), await startModel('b')] as const;
    for (const model of models) afterwards(() => model.close());
    const manifest = (change: (spec: Spec) => void = () => {}): string => {
      const spec: Spec = {
        route: { path: '/score' },
        unit: { header: 'x-user-id' },
        control: 'a',
        variants: models.map(({ url }, index) => ({ name: 'ab'[index]!, weight: 50, upstream: { url } })),
      };
      change(spec);
      return JSON.stringify({
        apiVersion: 'assay.dev/v1alpha1',
        kind: 'Experiment',
        metadata: { name: 'scores' },
        spec,
      });
    };
    const apply = (text: string) => tryKubectl(['apply', '-f', '-'], text);

    for (const [what, rule, change] of [
      [
        'a negative weight',
        'greater than or equal to 0',
        (spec) => {
          spec.variants[1]!.weight = -3;
        },
      ],
      [
        'an unknown control',
        'control must be the name',
        (spec) => {
          spec.control = 'c';
        },
      ],
      [
        'weights of 0',
        'weights must not all be 0',
        (spec) => {
          for (const each of spec.variants) each.weight = 0;
        },
      ],
      [
        'one variant',
        'should have at least 2 items',
        (spec) => {
          spec.variants.pop();
        },
      ],
      [
        'no unit',
        'spec.unit: Required value',
        (spec) => {
          delete spec.unit;
        },
      ],
    ] satisfies readonly [string, string, (spec: Spec) => void][]) {
      const { code, stderr } = await apply(manifest(change));
      check(code !== 0 && stderr.includes(rule), `${what} must be refused with "${rule}", kubectl said: ${stderr}`);
    }
    note('kubectl refuses five broken specifications');

    await kubectl(['apply', '-f', '-'], manifest());
    const told: string[] = [];
    const open = (): Promise<RunningServer> =>
      startServer({
        dataDirectory: join(folder, 'data'),
        port: 0,
        apiPort: 0,
        startDrafts: true,
        kubernetes: { experiments: 'default', config: cluster.config },
        onEvent: (sentence) => told.push(sentence),
      });
    let server = await open();
    afterwards(() => server.close());
    const ask = async (): Promise<number> => {
      const reply = await fetch(`${server.gatewayUrl}/score`, {
        method: 'POST',
        headers: { 'x-user-id': 'u1' },
        body: '{}',
      });
      await reply.arrayBuffer();
      return reply.status;
    };
    const waitFor = (condition: string): Promise<string> =>
      kubectl(['wait', `--for=${condition}`, 'abx/scores', '--timeout=60s']);
    await waitFor('condition=Accepted');
    await waitFor('condition=Ready');
    check((await ask()) === 200, 'the gateway must serve the experiment of the resource');
    const table = await kubectl(['get', 'abx']);
    check(/scores\s+running\s+1\s/.test(table), `kubectl get must show state and coverage, shows: ${table}`);
    note('the resource became an experiment; kubectl wait sees Accepted and Ready');

    await kubectl(['patch', 'abx', 'scores', '--type=merge', '-p', '{"spec":{"hypothesys":"typo"}}']);
    await waitFor('condition=Accepted=False');
    const message = await kubectl([
      'get',
      'abx',
      'scores',
      '-o',
      'jsonpath={.status.conditions[?(@.type=="Accepted")].message}',
    ]);
    check(message.includes('did you mean "hypothesis"?'), `Accepted must say what is wrong, says: ${message}`);
    check((await ask()) === 200, 'a refused change must leave the experiment as it was');
    await kubectl(['apply', '--force-conflicts', '--server-side', '--field-manager=fix', '-f', '-'], manifest());
    await kubectl(['patch', 'abx', 'scores', '--type=json', '-p', '[{"op":"remove","path":"/spec/hypothesys"}]']);
    await waitFor('condition=Accepted');
    note('a misspelt key is refused in the status and the last good specification stays');

    const about = { name: 'scores', author: 'test', reason: 'the row' };
    // Others write to the same resource all the time: every status of ours meets conflicts.
    let racing = true;
    const race = (async () => {
      for (let count = 0; racing; count += 1)
        await kubectl(['annotate', '--overwrite', 'abx', 'scores', `count=${count}`]);
    })();
    for (const step of ['pause', 'resume', 'pause', 'resume'] as const) {
      await server.service.act(step, about);
      await waitFor(`jsonpath={.status.state}=${step === 'pause' ? 'paused' : 'running'}`);
    }
    await server.service.act('ramp', { ...about, coverage: 0.25 });
    await waitFor('jsonpath={.status.coverage}=0.25');
    racing = false;
    await race;
    note('status follows five steps while somebody else keeps changing the resource');

    const errors = (): number => told.filter((each) => each.startsWith('Kubernetes:')).length;
    check(errors() === 0, `nothing may fail meanwhile: ${told.join('\n')}`);
    await cluster.stop();
    check((await ask()) === 200, 'requests must go on while the API server is away');
    await server.service.act('pause', about);
    await until('the loss is told', () => told.some((each) => each.includes('cannot be watched')));
    await cluster.start();
    await kubectl(
      ['apply', '--server-side', '--force-conflicts', '--field-manager=fix', '-f', '-'],
      manifest((spec) => {
        spec.variants[1]!.weight = 25;
      }),
    );
    await until(
      'the change made after the gap is taken over',
      () => server.service.get('scores').experiment.variants[1]!.weight === 25,
    );
    await until(
      'the step made during the gap is in the status',
      async () => (await kubectl(['get', 'abx', 'scores', '-o', 'jsonpath={.status.state}'])) === 'paused',
    );
    note('API server away and back: requests went on, both sides agree again');

    await server.close();
    await kubectl(['delete', 'abx', 'scores']);
    server = await open();
    check(server.service.get('scores').state === 'paused', 'what was gone before the start must not be stopped');
    await kubectl(['apply', '-f', '-'], manifest());
    await waitFor('condition=Accepted');
    await kubectl(['delete', 'abx', 'scores']);
    await until(
      'the deleted resource has ended its experiment',
      () => server.service.get('scores').state === 'completed',
    );
    check((await ask()) === 200, 'the control must answer after the end');
    note('deleting the resource ends the experiment; the control answers');
  },
};

interface Spec {
  route: object;
  unit?: object;
  control: string;
  variants: { name: string; weight: number; upstream: object }[];
}
