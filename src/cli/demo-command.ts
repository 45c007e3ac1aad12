// `assay demo`: hands the story its server, its streams and its way to stop.
import { AssayError } from '../errors.ts';
import { startServer } from '../server/index.ts';
import { runDemo, type ScenarioName } from './demo/index.ts';
import { style } from './terminal.ts';

interface DemoCommandOptions {
  readonly requests: number;
  readonly workers: number;
  readonly seed: number;
  readonly scenario: ScenarioName;
  readonly serviceMs?: string;
  readonly keep?: string;
  readonly page?: boolean;
  readonly json?: boolean;
}

/**
 * Runs the demo.
 * @throws AssayError `usage-invalid` for service times that are not two numbers.
 */
export async function demoCommand(options: DemoCommandOptions): Promise<void> {
  const serviceMs = options.serviceMs === undefined ? undefined : parseServiceMs(options.serviceMs);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stop.abort(new AssayError('interrupted', `the demo was ended by ${signal}`)));
  await runDemo({
    requests: options.requests,
    workers: options.workers,
    seed: options.seed,
    scenario: options.scenario,
    json: options.json === true,
    style,
    write: (text) => process.stdout.write(text),
    progressStream: process.stderr,
    staysOpen: options.page === true,
    signal: stop.signal,
    startServer: ({ experiments, dataDirectory }) =>
      startServer({ experiments, dataDirectory, port: 0, apiPort: 0, startDrafts: true }),
    ...(serviceMs === undefined ? {} : { serviceMs }),
    ...(options.keep === undefined ? {} : { dataDirectory: options.keep }),
  });
}

function parseServiceMs(text: string): { baseline: number; enhanced: number } {
  const [baseline, enhanced, ...rest] = text.split(',').map(Number);
  const isTime = (value: number | undefined): value is number => value !== undefined && value >= 0 && value <= 5_000;
  if (!isTime(baseline) || !isTime(enhanced) || rest.length > 0)
    throw new AssayError('usage-invalid', `--service-ms is "${text}", must be two times in [0, 5000] ms such as 45,62`);
  return { baseline, enhanced };
}
