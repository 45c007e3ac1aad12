// The story of examples/mlflow-mlserver, run as it stands there: train, register, serve, compare, promote the alias by verdict.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installServing, servingVersions } from './python-environments.ts';
import { expectThat, runProgram } from './serving.ts';
import type { System } from './system.ts';

const place = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const system: System = {
  name: 'mlflow-mlserver',
  installs: servingVersions,
  timeoutMs: 900_000,
  async run(context) {
    const python = join(await installServing(context.cache), 'bin', 'python');
    const ASSAY = `${process.execPath} --import ${import.meta.resolve('tsx')} ${place('src/cli/main.ts')}`;
    const printed = await runProgram([python, place('examples/mlflow-mlserver/run.py')], { env: { ASSAY } });
    for (const line of printed.split('\n').filter((each) => /^( {3}|\d\. |ship)/.test(each))) context.note(line);
    for (const wanted of [
      /^ship /m,
      /champion is version 2/,
      /assay\.verdict = ship/,
      /assay\.evidence = [0-9a-f]{64}/,
      /assay\.report = http/,
    ])
      expectThat(wanted.test(printed), `the story does not print ${wanted}:\n${printed}`);
  },
};
