// MLServer: two scikit-learn models trained on real data, asked by REST and gRPC, and a verdict from what was really on the images.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseExperimentFile } from '../../src/experiment/index.ts';
import { startServer } from '../../src/server/index.ts';
import { installServing, servingVersions } from './python-environments.ts';
import { answers, expectThat, freePorts, runProgram, startProgram } from './serving.ts';
import type { System } from './system.ts';

const place = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const system: System = {
  name: 'mlserver',
  installs: servingVersions,
  timeoutMs: 900_000,
  async run(context) {
    const bin = join(await installServing(context.cache), 'bin');
    const folder = join(context.folder, 'models');
    await mkdir(folder);
    const [http, grpc, metrics] = await freePorts(3);
    const python = join(bin, 'python');
    const printed = await runProgram([python, place('examples/mlserver/train.py'), folder, http!, grpc!, metrics!]);
    const { rows, labels } = JSON.parse(printed) as { rows: number[][]; labels: number[] };
    const mlserver = startProgram(context, [join(bin, 'mlserver'), 'start', folder]);
    for (const model of ['digits-tree', 'digits-neighbours'])
      await mlserver.until(() => answers(`http://127.0.0.1:${http}/v2/models/${model}/ready`));
    const { version } = (await (await fetch(`http://127.0.0.1:${http}/v2`)).json()) as { version: string };
    context.note(`MLServer ${version} serves two models`);

    const text = await readFile(place('examples/mlserver/experiment.yaml'), 'utf8');
    const server = await startServer({
      experiments: [parseExperimentFile(text.replaceAll(':8083"', `:${http}"`).replaceAll(':8084"', `:${grpc}"`))],
      dataDirectory: join(context.folder, 'data'),
      port: 0,
      apiPort: 0,
      dataPlane: { grpc: { port: 0 } },
      startDrafts: true,
    });
    context.afterwards(() => server.close());

    const byRest = rows.slice(0, Math.floor(rows.length / 2));
    const variants = new Map<string, string>();
    const outcomes: object[] = [];
    for (const [index, data] of byRest.entries()) {
      const unit = `writer-${index}`;
      const reply = await fetch(`${server.gatewayUrl}/v2/models/digits/infer`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-user-id': unit },
        body: JSON.stringify({ id: `r${index}`, inputs: [{ name: 'image', shape: [1, 64], datatype: 'FP64', data }] }),
      });
      const body = (await reply.json()) as { id: string };
      expectThat(reply.status === 200 && body.id === `r${index}`, `${unit} was answered ${reply.status}`);
      variants.set(unit, reply.headers.get('x-assay-variant')!);
      outcomes.push(label(`rest-${index}`, { id: reply.headers.get('x-assay-prediction-id')!, value: labels[index]! }));
    }
    const lines = await runProgram([python, place('examples/mlserver/client.py'), server.grpcAddress!], {
      input: JSON.stringify({ rows }),
    });
    for (const [index, line] of lines.trim().split('\n').entries()) {
      const { unit, variant, id } = JSON.parse(line) as { unit: string; variant: string; id: string };
      const before = variants.get(unit);
      expectThat(before === undefined || before === variant, `${unit} got ${before} by REST and ${variant} by gRPC`);
      outcomes.push(label(`grpc-${index}`, { id, value: labels[index]! }));
    }
    context.note(`${byRest.length} images by REST, ${rows.length} by gRPC: each unit has one model`);

    const posted = await fetch(`${server.apiUrl}/api/v1/outcomes`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(outcomes),
    });
    expectThat(posted.ok, `outcomes were answered ${posted.status}: ${await posted.text()}`);
    const report = await server.report('digits');
    const accuracy = report.metrics
      .find(({ name }) => name === 'accuracy')!
      .variants.map(({ variant, estimate }) => `${variant} ${Number(estimate).toFixed(3)}`);
    context.note(`accuracy ${accuracy.join(', ')}; verdict ${report.verdict.kind}`);
    expectThat(report.verdict.kind === 'ship', `the verdict is ${report.verdict.kind}, must be ship`);
  },
};

function label(id: string, { id: predictionId, value }: { readonly id: string; readonly value: number }): object {
  return { id, type: 'label', value, predictionId };
}
