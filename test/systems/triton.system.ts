// NVIDIA Triton: two models of one real server as variants, asked by the real client over REST, binary tensors and gRPC.
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseExperimentFile } from '../../src/experiment/index.ts';
import { startServer } from '../../src/server/index.ts';
import { installTriton, tritonVersions } from './python-environments.ts';
import { answers, expectThat, freePorts, runProgram, startProgram } from './serving.ts';
import type { System, SystemContext } from './system.ts';

const place = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const rows = 300;

interface Answer {
  readonly unit: string;
  readonly way: 'binary' | 'json' | 'grpc' | 'stream';
  readonly variant: string | null;
  readonly id: string | null;
  readonly y: number;
}

export const system: System = {
  name: 'triton',
  installs: tritonVersions,
  timeoutMs: 900_000,
  async run(context) {
    const python = join(await installTriton(context.cache), 'bin', 'python');
    // Triton embeds Python and must find the very one that its models run in.
    const library = await runProgram([python, '-c', 'import sysconfig; print(sysconfig.get_config_var("LIBDIR"))']);
    const [http, grpc, metrics] = await freePorts(3);
    const triton = startProgram(context, [python, place('examples/triton/serve.py'), http!, grpc!, metrics!], {
      LD_LIBRARY_PATH: library.trim(),
      PYTRITON_HOME: join(context.folder, 'pytriton'),
    });
    await triton.until(() => triton.output().includes('READY'));
    expectThat(await answers(`http://127.0.0.1:${http}/v2/models/progress_full/ready`), 'Triton is not ready');
    const { version } = (await (await fetch(`http://127.0.0.1:${http}/v2`)).json()) as { version: string };
    context.note(`Triton ${version} serves two models`);

    const text = await readFile(place('examples/triton/experiment.yaml'), 'utf8');
    const experiment = parseExperimentFile(text.replaceAll(':8000"', `:${http}"`).replaceAll(':8001"', `:${grpc}"`));
    const server = await startServer({
      experiments: [experiment],
      dataDirectory: join(context.folder, 'data'),
      port: 0,
      apiPort: 0,
      dataPlane: { grpc: { port: 0 } },
      startDrafts: true,
    });
    context.afterwards(() => server.close());

    const gateway = server.gatewayUrl.replace('http://', '');
    const printed = await runProgram([python, place('examples/triton/client.py'), gateway, server.grpcAddress!, rows]);
    const given = printed
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Answer);
    const of = (way: Answer['way']): readonly Answer[] => given.filter((answer) => answer.way === way);
    expectThat(of('binary').length === rows, `${of('binary').length} binary answers, must be ${rows}`);
    expectThat(of('grpc').length === rows && of('stream').length === 10, 'answers by gRPC are missing');
    const first = new Map(of('binary').map((answer) => [answer.unit, answer]));
    const shares = of('binary').filter(({ variant }) => variant === 'full').length / rows;
    expectThat(shares > 0.35 && shares < 0.65, `${shares} of the units got "full", must be near 0.5`);
    for (const { unit, way, y, variant } of given) {
      const same = first.get(unit)!;
      // A stream belongs to one unit and sends rows of others; which model answered shows in none of its figures.
      if (way === 'stream') continue;
      expectThat(Math.abs(same.y - y) < 1e-3, `${unit} got ${y} by ${way} and ${same.y} by binary tensors`);
      expectThat(variant === null || variant === same.variant, `${unit} got ${variant} and ${same.variant}`);
    }
    context.note(`${given.length} answers: each unit has one model, by REST, binary tensors and gRPC alike`);

    const truth = (
      await runProgram([
        python,
        '-c',
        `from sklearn.datasets import load_diabetes; print(*load_diabetes().target[:${rows}])`,
      ])
    )
      .trim()
      .split(' ')
      .map(Number);
    const outcomes = of('binary').map(({ id, unit }, index) => ({
      id: `progress-${unit}`,
      type: 'progress',
      value: truth[index],
      predictionId: id,
    }));
    const posted = await fetch(`${server.apiUrl}/api/v1/outcomes`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(outcomes),
    });
    expectThat(posted.ok, `outcomes were answered ${posted.status}: ${await posted.text()}`);
    const report = await server.report('progress');
    const requests = report.variants.reduce((sum, variant) => sum + variant.requests, 0);
    expectThat(requests === given.length, `the report counts ${requests} requests, must be ${given.length}`);
    const errors = report.metrics
      .find(({ name }) => name === 'squared_error')!
      .variants.map(({ estimate }) => estimate);
    context.note(`squared error ${errors.join(' and ')}; verdict ${report.verdict.kind}`);
    await triton.end();
    await askVersions(context, { python, library: library.trim() });
  },
};

/** The same server program without pytriton: one model, two versions side by side, as a model repository has them. */
async function askVersions(
  context: SystemContext,
  { python, library }: { readonly python: string; readonly library: string },
): Promise<void> {
  const find = 'import pytriton, os, platform; print(os.path.dirname(pytriton.__path__[0]), platform.python_version())';
  const [packages = '', pythonVersion = ''] = (await runProgram([python, '-c', find])).trim().split(' ');
  const server = join(packages, 'pytriton', 'tritonserver');
  const backends = join(context.folder, 'backends');
  await cp(join(server, 'backends'), backends, { recursive: true });
  const stub = join(
    'python_backend_stubs',
    pythonVersion.split('.').slice(0, 2).join('.'),
    'triton_python_backend_stub',
  );
  await cp(join(server, stub), join(backends, 'python', 'triton_python_backend_stub'));
  const repository = join(context.folder, 'repository');
  for (const version of ['1', '2']) {
    await mkdir(join(repository, 'total', version), { recursive: true });
    await writeFile(join(repository, 'total', version, 'model.py'), modelOf(version));
  }
  await writeFile(
    join(repository, 'total', 'config.pbtxt'),
    `backend: "python"
max_batch_size: 8
input [{name: "x" data_type: TYPE_FP32 dims: [3]}]
output [{name: "y" data_type: TYPE_FP32 dims: [1]}]
version_policy: {all: {}}
instance_group [{kind: KIND_CPU}]
`,
  );
  const [http, grpc, metrics] = await freePorts(3);
  const command = [
    join(server, 'bin', 'tritonserver'),
    ...[`--model-repository=${repository}`, `--backend-directory=${backends}`],
    ...[`--http-port=${http}`, `--grpc-port=${grpc}`, `--metrics-port=${metrics}`],
  ] as const;
  const triton = startProgram(context, command, {
    LD_LIBRARY_PATH: `${library}:${join(packages, 'nvidia_pytriton.libs')}`,
    SITE_PACKAGES: packages,
  });
  for (const version of ['1', '2'])
    await triton.until(() => answers(`http://127.0.0.1:${http}/v2/models/total/versions/${version}/ready`));

  const upstream = (version: string): string =>
    `{url: "http://127.0.0.1:${http}", grpcUrl: "http://127.0.0.1:${grpc}", protocol: oip, model: total, version: "${version}"}`;
  const assay = await startServer({
    experiments: [
      parseExperimentFile(`apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: versions}
spec:
  route: {model: total}
  unit: {header: x-user-id, orElse: control}
  control: one
  variants:
    - {name: one, weight: 50, upstream: ${upstream('1')}}
    - {name: two, weight: 50, upstream: ${upstream('2')}}
`),
    ],
    dataDirectory: join(context.folder, 'versions'),
    port: 0,
    apiPort: 0,
    dataPlane: { grpc: { port: 0 } },
    startDrafts: true,
  });
  context.afterwards(() => assay.close());
  const seen = new Map<string, number>();
  const versionOf = new Map<string, number>();
  for (let each = 0; each < 60; each += 1) {
    const reply = await fetch(`${assay.gatewayUrl}/v2/models/total/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-user-id': `user-${each}` },
      body: JSON.stringify({ inputs: [{ name: 'x', shape: [1, 3], datatype: 'FP32', data: [1, 2, each] }] }),
    });
    const variant = reply.headers.get('x-assay-variant')!;
    const text = await reply.text();
    expectThat(reply.status === 200, `user-${each} was answered ${reply.status}: ${text}`);
    const body = JSON.parse(text) as { model_version: string; outputs: { data: number[] }[] };
    const version = variant === 'one' ? 1 : 2;
    const y = body.outputs[0]?.data[0];
    expectThat(
      body.model_version === String(version) && y === (3 + each) * version,
      `user-${each} got ${variant} and ${y} of version ${body.model_version}`,
    );
    seen.set(variant, (seen.get(variant) ?? 0) + 1);
    versionOf.set(`user-${each}`, version);
  }
  expectThat(seen.size === 2, `only ${[...seen.keys()].join()} answered`);
  const gateway = assay.gatewayUrl.replace('http://', '');
  const printed = await runProgram([python, '-c', askBothWays, gateway, assay.grpcAddress!, 60]);
  for (const line of printed.trim().split('\n')) {
    const { unit, way, version, y } = JSON.parse(line) as { unit: string; way: string; version: string; y: number };
    const own = versionOf.get(unit);
    const x = 3 + Number(unit.slice('user-'.length));
    expectThat(
      version === String(own) && y === x * own!,
      `${unit} got ${y} of version ${version} by ${way}, must be ${x * own!} of ${own}`,
    );
  }
  context.note(
    `two versions of one model, by JSON, binary tensors and gRPC alike: ${JSON.stringify(Object.fromEntries(seen))}`,
  );
}

/** The real client asks for every user with binary tensors and by gRPC, and prints which version answered what. */
const askBothWays = `
import json, sys
import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http

clients = {"binary": (triton_http, triton_http.InferenceServerClient(sys.argv[1])),
           "grpc": (triton_grpc, triton_grpc.InferenceServerClient(sys.argv[2]))}
for each in range(int(sys.argv[3])):
    for way, (library, client) in clients.items():
        tensor = library.InferInput("x", [1, 3], "FP32")
        tensor.set_data_from_numpy(np.array([[1, 2, each]], dtype=np.float32))
        answer = client.infer("total", [tensor], headers={"x-user-id": f"user-{each}"})
        said = answer.get_response()
        version = said["model_version"] if way == "binary" else said.model_version
        print(json.dumps({"unit": f"user-{each}", "way": way, "version": version, "y": float(answer.as_numpy("y")[0][0])}))
`;

/** A model of Triton's Python backend that gives its version times the sum of its inputs. */
function modelOf(version: string): string {
  return `import os, sys
sys.path.append(os.environ["SITE_PACKAGES"])
import numpy as np
import triton_python_backend_utils as triton


class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            x = triton.get_input_tensor_by_name(request, "x").as_numpy()
            y = (x.sum(axis=1, keepdims=True) * ${version}).astype(np.float32)
            answers.append(triton.InferenceResponse([triton.Tensor("y", y)]))
        return answers
`;
}
