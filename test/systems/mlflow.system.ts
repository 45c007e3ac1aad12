// MLflow: a real registry on SQLite and two real scoring servers. Variants are aliases; a promotion moves one, a roll-back moves it back.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMlflowRegistry } from '../../src/adapters/mlflow-registry.ts';
import { type RunningServer, startServer } from '../../src/server/index.ts';
import { runTests } from './analytics-engine.ts';
import { installServing, servingVersions } from './python-environments.ts';
import { answers, expectThat, freePorts, type RunningProgram, runProgram, startProgram } from './serving.ts';
import type { System } from './system.ts';

const example = fileURLToPath(new URL('../../examples/mlflow-mlserver/', import.meta.url));
/** The held-out images of the example and their labels. */
const printImages = 'import json, train; _, x, _, y = train.split(); print(json.dumps([x.tolist(), y.tolist()]))';

const experimentText = (name: string): string => `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: ${name}}
spec:
  hypothesis: The support vector machine reads more digits right
  route: {path: /invocations}
  unit: {header: x-user-id, orElse: control}
  control: champion
  variants:
    - {name: champion, weight: 50, upstream: {url: "models:/digits@champion"}}
    - {name: challenger, weight: 50, upstream: {url: "models:/digits/2"}}
  capture: {prediction: {json: "$.predictions[0]"}}
  metrics:
    accuracy: {mean: "prediction == outcome.label", window: 1h}
  decision:
    primary: [accuracy > control.accuracy]
    minDuration: 0s
`;

export const system: System = {
  name: 'mlflow',
  installs: servingVersions,
  timeoutMs: 900_000,
  async run(context) {
    const bin = join(await installServing(context.cache), 'bin');
    const [port, one, two] = await freePorts(3);
    const url = `http://127.0.0.1:${port}`;
    const environment = { MLFLOW_TRACKING_URI: url, MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false' };
    const startMlflow = async (): Promise<RunningProgram> => {
      const store = ['--backend-store-uri', `sqlite:///${context.folder}/mlflow.db`] as const;
      const place = ['--artifacts-destination', join(context.folder, 'artifacts'), '--host', '127.0.0.1'] as const;
      const command = [join(bin, 'mlflow'), 'server', ...store, ...place, '--port', port!, '--workers', 1] as const;
      const program = startProgram(context, command, environment);
      await program.until(() => answers(`${url}/health`));
      return program;
    };
    let mlflow = await startMlflow();
    const python = join(bin, 'python');
    await runProgram([python, join(example, 'train.py')], { env: environment });
    context.note(`MLflow ${await (await fetch(`${url}/version`)).text()}: two models trained and registered`);

    await runTests('src/adapters/mlflow-registry.test.ts', { ASSAY_MLFLOW: url });

    const registry = createMlflowRegistry({ url, random: Math.random });
    for (const [version, at] of [
      ['1', one],
      ['2', two],
    ] as const) {
      const serve = ['models', 'serve', '--model-uri', `models:/digits/${version}`, '--env-manager', 'local'] as const;
      const command = [join(bin, 'mlflow'), ...serve, '--host', '127.0.0.1', '--port', at!] as const;
      const scoring = startProgram(context, command, { ...environment, PATH: `${bin}:${process.env.PATH}` });
      await scoring.until(() => answers(`http://127.0.0.1:${at}/ping`));
      await registry.tag({ name: 'digits', version }, { 'assay.url': `http://127.0.0.1:${at}` });
    }
    context.note('two `mlflow models serve`, found by the tag assay.url');

    const [rows, labels] = JSON.parse(await runProgram([python, '-B', '-c', printImages], { cwd: example })) as [
      number[][],
      number[],
    ];
    process.env.MLFLOW_TRACKING_URI = url;
    const told: string[] = [];
    const start = async (name: string): Promise<RunningServer> => {
      const file = join(context.folder, `${name}.yaml`);
      await writeFile(file, experimentText(name));
      const dataDirectory = join(context.folder, 'data');
      const onEvent = (sentence: string): void => void told.push(sentence);
      const options = { files: [file], dataDirectory, port: 0, apiPort: 0, startDrafts: true, onEvent };
      return startServer(options);
    };

    let server = await start('first');
    context.afterwards(() => server.close());
    await ask(server, { rows: rows.slice(0, 640), labels });
    const report = await server.report('first');
    expectThat(report.verdict.kind === 'ship', `the verdict is ${report.verdict.kind}, must be ship`);
    await act(server, { name: 'first', step: 'promote' });
    const promotion = server.service.history('first').findLast(({ event }) => event.kind === 'promote');
    const { tags } = await until(registry, { alias: '2', state: 'promoted', entry: promotion?.hash });
    expectThat(tags['assay.verdict'] === 'ship', `assay.verdict is ${tags['assay.verdict']}`);
    expectThat(tags['assay.experiment'] === 'default/first', `assay.experiment is ${tags['assay.experiment']}`);
    const reply = await fetch(tags['assay.report']!);
    expectThat(reply.ok, `the report that the tag names was answered ${reply.status}`);
    context.note(
      `promoted: champion is version 2, verdict ${tags['assay.verdict']}, evidence ${tags['assay.evidence']}`,
    );
    await act(server, { name: 'first', step: 'roll-back' });
    await until(registry, { alias: '1', state: 'rolled-back' });
    context.note('rolled back: champion is version 1 again');
    await server.close();

    server = await start('second');
    await mlflow.end('SIGKILL');
    await ask(server, { rows: rows.slice(640, 740), labels: labels.slice(640) });
    await act(server, { name: 'second', step: 'promote' });
    await ask(server, { rows: rows.slice(740, 760), labels: labels.slice(740) });
    const isTold = (): boolean =>
      told.some((sentence) => sentence.includes('will be told of the promote of second when it is back'));
    // Said once the first attempts have failed.
    for (let tries = 0; tries < 200 && !isTold(); tries += 1) await new Promise((resolve) => setTimeout(resolve, 100));
    expectThat(isTold(), `nobody was told that MLflow is away: ${told.join('; ')}`);
    await server.close();
    server = await start('second');
    await ask(server, { rows: rows.slice(760, 780), labels: labels.slice(760) });
    context.note('MLflow killed: requests go on, the promotion holds, also through a restart');
    mlflow = await startMlflow();
    await until(registry, { alias: '2', state: 'promoted' });
    context.note('MLflow back: champion is version 2');
  },
};

/** Asks for each image as a user of its own, checks the answers, reports what was on it. */
async function ask(
  { gatewayUrl, apiUrl }: RunningServer,
  { rows, labels }: { readonly rows: readonly number[][]; readonly labels: readonly number[] },
): Promise<void> {
  const outcomes: object[] = [];
  for (const [index, row] of rows.entries()) {
    const reply = await fetch(`${gatewayUrl}/invocations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-user-id': `writer-${index}` },
      body: JSON.stringify({ inputs: [row] }),
    });
    const text = await reply.text();
    expectThat(reply.status === 200, `image ${index} was answered ${reply.status}: ${text}`);
    const predictionId = reply.headers.get('x-assay-prediction-id');
    outcomes.push({ id: `label-${predictionId}`, type: 'label', value: labels[index], predictionId });
  }
  const posted = await post(`${apiUrl}/api/v1/outcomes`, outcomes);
  expectThat(posted.ok, `outcomes were answered ${posted.status}: ${await posted.text()}`);
}

async function act(
  { apiUrl }: RunningServer,
  { name, step }: { readonly name: string; readonly step: 'promote' | 'roll-back' },
): Promise<void> {
  const body = { author: 'ann', reason: 'the systems suite', ...(step === 'promote' ? { variant: 'challenger' } : {}) };
  const reply = await post(`${apiUrl}/api/v1/experiments/${name}/${step}`, body);
  expectThat(reply.ok, `${step} was answered ${reply.status}: ${await reply.text()}`);
}

function post(url: string, body: unknown): Promise<Response> {
  return fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

/** Waits until champion and the tags of version 2 are what they must be. */
async function until(
  registry: ReturnType<typeof createMlflowRegistry>,
  wanted: { readonly alias: string; readonly state: string; readonly entry?: string | undefined },
): Promise<{ readonly tags: Readonly<Record<string, string>> }> {
  const deadline = performance.now() + 120_000;
  for (;;) {
    const champion = await registry.find({ kind: 'alias', name: 'digits', alias: 'champion' });
    const two = await registry.find({ kind: 'version', name: 'digits', version: '2' });
    const isTold = wanted.entry === undefined || two.tags['assay.entry'] === wanted.entry;
    if (champion.version === wanted.alias && two.tags['assay.state'] === wanted.state && isTold) return two;
    if (performance.now() > deadline)
      throw new Error(`champion is version ${champion.version}, tags of version 2 are ${JSON.stringify(two.tags)}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
