// `assay init`: a first experiment file from two endpoints, ready to serve.
import { writeFile } from 'node:fs/promises';
import { AssayError } from '../errors.ts';
import { parseExperimentFile } from '../experiment/index.ts';
import { note, say } from './terminal.ts';

interface InitOptions {
  readonly url: readonly string[];
  readonly name: string;
  readonly model: readonly string[];
  readonly path: string;
  readonly output?: string;
  readonly template: 'compare' | 'canary' | 'ramp';
}

/**
 * Writes the file, or prints it.
 * @throws AssayError `usage-invalid` for fewer than two endpoints, a bad url, or a file that exists.
 */
export async function initCommand(options: InitOptions): Promise<void> {
  if (options.url.length < 2)
    throw new AssayError(
      'usage-invalid',
      `--url was given ${options.url.length} time(s), must be given at least twice: the control first`,
    );
  if (options.model.length > 1 && options.model.length !== options.url.length)
    throw new AssayError(
      'usage-invalid',
      `--model was given ${options.model.length} times, must be given once, or once per --url`,
    );
  const text = firstFile(options);
  parseExperimentFile(text, { file: options.output ?? 'the new file' });
  if (options.output === undefined) {
    say(text.trimEnd());
    return;
  }
  try {
    await writeFile(options.output, text, { flag: 'wx' });
  } catch (cause) {
    throw (cause as NodeJS.ErrnoException).code === 'EEXIST'
      ? new AssayError('usage-invalid', `${options.output} exists already, must be a new file`, {
          fix: 'Choose another name with -o.',
        })
      : new AssayError('file-unreadable', `${options.output} cannot be written: ${(cause as Error).message}`, {
          cause,
        });
  }
  note(`Wrote ${options.output}. Next: assay serve -f ${options.output} --start`);
}

/** Decision and ramp by what the file is for. */
const plans: Readonly<Record<InitOptions['template'], string>> = {
  compare: `  decision:
    primary: ["latency - control.latency < 5"]
    guardrails: ["error_rate < 0.02"]
    minDuration: 48h
`,
  canary: `  # No worse than the control, on a small share of users; harm takes the candidate out within seconds.
  decision:
    primary: ["error_rate - control.error_rate < 0.01", "latency - control.latency < 5"]
    guardrails: ["error_rate < 0.02", "latency_p95 < 500"]
    onBreach: roll-back
    onShip: hold      # promote: without a person
    minDuration: 1h
  ramp: {coverage: [0.05], hold: 1h}
`,
  ramp: `  decision:
    primary: ["latency - control.latency < 5"]
    guardrails: ["error_rate < 0.02", "latency_p95 < 500"]
    onBreach: roll-back
    onShip: hold
    minDuration: 48h
  # One step per hold, while guardrails and checks let it; approval: required asks a person before each.
  ramp: {coverage: [0.05, 0.2, 0.5, 1], hold: 2h}
`,
};

function firstFile({ url, name, model, path, template }: InitOptions): string {
  const share = Math.floor(100 / url.length);
  const variants = url.map((each, index) => {
    const upstream =
      model.length === 0
        ? `{url: ${JSON.stringify(each)}, protocol: json}`
        : `{url: ${JSON.stringify(each)}, protocol: oip, model: ${JSON.stringify(model[index] ?? model[0])}}`;
    const weight = index === 0 ? 100 - share * (url.length - 1) : share;
    return `    - {name: ${index === 0 ? 'control' : `candidate${url.length > 2 ? `-${index}` : ''}`}, weight: ${weight}, upstream: ${upstream}}`;
  });
  const route = model.length === 0 ? `{path: ${JSON.stringify(path)}}` : `{model: ${JSON.stringify(model[0])}}`;
  return `# An experiment between ${url.length} model variants. Every key: docs/experiment-file.md
apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: ${JSON.stringify(name)}}
spec:
  hypothesis: The candidate answers no slower and fails no more often
  route: ${route}
  # Who must always see the same model. Without this header the control answers and the request is not analysed.
  unit: {header: x-user-id, orElse: control}
  control: control
  variants:
${variants.join('\n')}
  # Values to read from requests and replies for metrics and segments, for example:
  # capture: {prediction: {json: $.score}, country: {header: x-country}}
  metrics:
    latency: {mean: attempt_ms}
    error_rate: {mean: failed}
    latency_p95: {quantile: attempt_ms, q: 0.95}
    # accuracy: {mean: "prediction == outcome.label", window: 24h}   # outcomes arrive at POST /api/v1/outcomes
${plans[template]}`;
}
