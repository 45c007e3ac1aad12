// CI gates: the composite action and the GitLab job as they stand in deploy/, run with the files and shells that the runners give them.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { parseExperimentFile } from '../../src/experiment/index.ts';
import { type RunningServer, startServer } from '../../src/server/index.ts';
import { experimentText, startModel } from '../e2e/assay-process.ts';
import { expectThat, runProgram } from './serving.ts';
import type { System } from './system.ts';

const place = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const token = 'a-token-of-the-systems-suite';
const assay = `${process.execPath} --import ${import.meta.resolve('tsx')} ${place('src/cli/main.ts')}`;

interface Action {
  readonly inputs: Readonly<Record<string, { readonly default?: string }>>;
  readonly outputs: Readonly<Record<string, { readonly value: string }>>;
  readonly runs: {
    readonly steps: readonly {
      readonly id: string;
      readonly env: Readonly<Record<string, string>>;
      readonly run: string;
    }[];
  };
}

/** What a run of the action left behind. */
interface Ran {
  readonly stdout: string;
  readonly outputs: Readonly<Record<string, string>>;
  readonly summary: string;
}

export const system: System = {
  name: 'ci-gate',
  installs: 'nothing: bash and python3 are there',
  async run(context) {
    const models = [await startModel('a'), await startModel('b')] as const;
    for (const model of models) context.afterwards(() => model.close());
    const text = experimentText([models[0].url, models[1].url])
      .replace('"default(outcome.like, 0)", window: 1s', 'outcome.like, window: 1h')
      .replace('decision: {', 'decision: {primary: [liked > control.liked], ');
    const young = text.replace('name: scores', 'name: young').replace('/score', '/young');
    const server = await startServer({
      experiments: [parseExperimentFile(text), parseExperimentFile(young)],
      dataDirectory: join(context.folder, 'data'),
      port: 0,
      apiPort: 0,
      token,
      startDrafts: true,
    });
    context.afterwards(() => server.close());
    await likeOne(server);

    const action = parse(await readFile(place('deploy/github-action/action.yml'), 'utf8')) as Action;
    let runs = 0;
    const act = async (inputs: Readonly<Record<string, string>>, code: number): Promise<Ran> => {
      runs += 1;
      const folder = join(context.folder, `run-${runs}`);
      await mkdir(folder);
      const files = { GITHUB_OUTPUT: join(folder, 'output'), GITHUB_STEP_SUMMARY: join(folder, 'summary.md') };
      for (const file of Object.values(files)) await writeFile(file, '');
      const [step] = action.runs.steps;
      const given = { server: server.apiUrl, token, command: assay, ...inputs };
      const value = (name: string): string => given[name as keyof typeof given] ?? action.inputs[name]?.default ?? '';
      const env = Object.fromEntries(
        Object.entries(step!.env).map(([key, written]) => [
          key,
          written.replace(/\$\{\{ inputs\.([\w-]+) \}\}/g, (_, name: string) => value(name)),
        ]),
      );
      const script = join(folder, 'script.sh');
      await writeFile(script, step!.run);
      // As the runner calls `shell: bash`.
      const command = ['bash', '--noprofile', '--norc', '-eo', 'pipefail', script] as const;
      const stdout = await runProgram(command, { cwd: folder, code, env: { ...env, ...files } });
      const lines = (await readFile(files.GITHUB_OUTPUT, 'utf8')).trim().split('\n');
      const written = Object.fromEntries(
        lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      );
      const outputs = Object.fromEntries(
        Object.entries(action.outputs).map(([name, output]) => [
          name,
          written[/steps\.verdict\.outputs\.([\w-]+)/.exec(output.value)?.[1] ?? ''] ?? '',
        ]),
      );
      return { stdout, outputs, summary: await readFile(files.GITHUB_STEP_SUMMARY, 'utf8') };
    };

    const shipped = await act({ experiment: 'scores', wait: 'true', timeout: '30s' }, 0);
    const { verdict, gate, variant, 'exit-code': code } = shipped.outputs;
    expectThat(
      verdict === 'ship' && gate === 'pass' && variant === 'b' && code === '0',
      `the outputs are ${JSON.stringify(shipped.outputs)}`,
    );
    expectThat(shipped.summary.startsWith('## scores: ship'), `the summary is ${shipped.summary}`);
    expectThat(/^::notice title=scores%3A ship::/m.test(shipped.stdout), `the annotation is ${shipped.stdout}`);
    context.note('GitHub: ship passes, with outputs, summary and annotation');
    const waited = await act({ experiment: 'young' }, 3);
    expectThat(waited.outputs.gate === 'wait', `the gate is ${waited.outputs.gate}, must be wait`);
    await act({ experiment: 'young', undecided: 'pass' }, 0);
    await act({ experiment: 'nobody' }, 2);
    await act({ experiment: 'young; exit 0', undecided: 'pass' }, 2);
    context.note('GitHub: undecided is 3, or passes where the job says so; no verdict is 2');

    const jobs = parse(await readFile(place('deploy/ci/gitlab-ci.yml'), 'utf8')) as {
      readonly 'assay-verdict': {
        readonly script: readonly string[];
        readonly allow_failure: { readonly exit_codes: number[] };
      };
    };
    const job = jobs['assay-verdict'];
    const gitlab = async (experiment: string, wanted: number): Promise<string> => {
      const script = ['set -eo pipefail', ...job.script].join('\n').replace('--timeout 2h', '--timeout 2s');
      const env = { ASSAY: assay, ASSAY_SERVER: server.apiUrl, ASSAY_TOKEN: token, EXPERIMENT: experiment };
      await runProgram(['bash', '-c', script], { cwd: context.folder, code: wanted, env });
      const read =
        'import sys, xml.etree.ElementTree as t; r = t.parse(sys.argv[1]).getroot(); print(r.get("tests"), r.get("failures"), r.get("skipped"))';
      return (await runProgram(['python3', '-c', read, join(context.folder, 'verdict.xml')])).trim();
    };
    const passed = await gitlab('scores', 0);
    expectThat(/^\d+ 0 0$/.test(passed), `tests, failures, skipped are ${passed} after ship`);
    expectThat(job.allow_failure.exit_codes.includes(3), 'the job does not allow 3');
    const undecided = await gitlab('young', 3);
    expectThat(/^\d+ 0 [1-9]/.test(undecided), `tests, failures, skipped are ${undecided} while undecided`);
    await server.service.act('roll-back', { name: 'young', author: 'ann', reason: 'the systems suite' });
    await gitlab('young', 1);
    context.note('GitLab: 0, allowed 3 and 1, each with a JUnit report that parses');
  },
};

/** 300 users ask, and those who got `b` like it. */
async function likeOne({ gatewayUrl, apiUrl }: RunningServer): Promise<void> {
  const outcomes: object[] = [];
  for (let each = 0; each < 300; each += 1) {
    const headers = { 'x-user-id': `user-${each}`, 'content-type': 'application/json' };
    const reply = await fetch(`${gatewayUrl}/score`, { method: 'POST', headers, body: '{}' });
    await reply.arrayBuffer();
    const predictionId = reply.headers.get('x-assay-prediction-id');
    const isLiked = reply.headers.get('x-assay-variant') === 'b' ? each % 10 > 0 : each % 10 === 0;
    outcomes.push({ id: `like-${each}`, type: 'like', value: isLiked ? 1 : 0, predictionId });
  }
  const posted = await fetch(`${apiUrl}/api/v1/outcomes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(outcomes),
  });
  expectThat(posted.ok, `outcomes were answered ${posted.status}: ${await posted.text()}`);
}
