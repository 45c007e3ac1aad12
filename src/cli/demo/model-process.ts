// How does the demo get a model server of its own? A child process that fits the model, listens and says where.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { AssayError } from '../../errors.ts';
import type { ForecastModelName } from './forecast-models.ts';
import type { ModelFault } from './scenarios.ts';

/** A model server in its own process. */
export interface ModelProcess {
  /** For example `http://127.0.0.1:41873`. */
  readonly url: string;
  /** OIP model name, `forecast-baseline` or `forecast-enhanced`. */
  readonly modelName: string;
  readonly pid: number;
  /** Ends the process; resolves when it is gone. */
  close(): Promise<void>;
}

/** Options of `startModelProcess`. */
export interface ModelProcessOptions {
  readonly model: ForecastModelName;
  readonly seed: number;
  /** Simulated service time, mean in milliseconds; 0 for none. */
  readonly serviceMs: number;
  readonly fault: ModelFault | null;
}

const startTimeoutMs = 30_000;

/**
 * Starts a model server and waits until it listens.
 *
 * @throws AssayError `upstream-unreachable` with what the process said when it ends or keeps silent for 30 s.
 */
export async function startModelProcess(options: ModelProcessOptions): Promise<ModelProcess> {
  const { model, seed, serviceMs, fault } = options;
  const modelName = `forecast-${model}`;
  const child = spawn(
    process.execPath,
    [
      ...loaderArguments(),
      commandFile(),
      'model-server',
      ...['--model', model, '--name', modelName, '--seed', String(seed), '--service-ms', String(serviceMs)],
      ...(fault === null ? [] : [`--${fault.kind}`, String(fault.share)]),
    ],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(`it ended with ${signal ?? `exit code ${code}`}`));
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = `${complaint}${text}`.slice(-2000);
  });
  // The child may go before we close its stdin.
  child.stdin.on('error', () => {});
  const close = async (): Promise<void> => {
    child.stdin.end();
    const impatience = setTimeout(() => child.kill('SIGKILL'), 2000);
    await ended;
    clearTimeout(impatience);
  };

  let timer: NodeJS.Timeout | undefined;
  const outcome = await Promise.race([
    new Promise<{ readonly port: number }>((resolve) => {
      createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line)));
    }),
    ended,
    new Promise<string>((resolve) => {
      timer = setTimeout(resolve, startTimeoutMs, `it said nothing for ${startTimeoutMs / 1000} s`);
    }),
  ]);
  clearTimeout(timer);
  if (typeof outcome === 'string') {
    await close();
    const said = complaint.trim().split('\n').slice(-5).join('\n');
    throw new AssayError('upstream-unreachable', `the ${model} model server did not start: ${outcome}\n${said}`.trim());
  }
  return { url: `http://127.0.0.1:${outcome.port}`, modelName, pid: child.pid!, close };
}

/** The command's own main file, main.js in a build and main.ts in the source tree; it has a hidden `model-server`. */
function commandFile(): string {
  return fileURLToPath(new URL(`../main${extension()}`, import.meta.url));
}

/** Node 20 cannot read TypeScript; in the source tree the child needs the same loader the parent's tests use. */
function loaderArguments(): readonly string[] {
  return extension() === '.ts' ? ['--import', import.meta.resolve('tsx')] : [];
}

function extension(): string {
  return import.meta.url.endsWith('.ts') ? '.ts' : '.js';
}
