// `assay export`: files for Prometheus, Alertmanager and Grafana, made from the experiments themselves.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AssayError } from '../errors.ts';
import { parseExperimentFiles } from '../experiment/index.ts';
import { readExperimentTexts } from './experiment-files.ts';
import { alertmanagerFiles, type ExportedFile, grafanaFiles, prometheusFiles } from './export/index.ts';
import { parseDuration } from './quantity.ts';
import { say, sayJson } from './terminal.ts';

interface ExportOptions {
  readonly output: string;
  readonly json?: boolean;
}

/** Writes rules, their tests and an example configuration. @throws AssayError `usage-invalid`, `experiment-invalid`, `file-unreadable`. */
export async function exportPrometheus(
  options: ExportOptions & {
    readonly file: readonly string[];
    readonly target: string;
    readonly window: string;
    readonly for?: string;
  },
): Promise<void> {
  const texts = await readExperimentTexts(options.file);
  const experiments = texts.flatMap(({ file, text }) => [...parseExperimentFiles(text, { file })]);
  const seconds = (text: string, option: string, least: number): number => {
    const value = text === '0s' ? 0 : parseDuration(text, option) / 1000;
    if (!Number.isInteger(value) || value < least)
      throw new AssayError('usage-invalid', `${option} is ${text}, must be whole seconds, at least ${least} s`);
    return value;
  };
  // A step of a fifth of the window must be whole seconds, and a rate needs two scrapes within it.
  const windowS = seconds(options.window, '--window', 5);
  if (windowS % 5 !== 0)
    throw new AssayError('usage-invalid', `--window is ${options.window}, must be a multiple of 5 s`);
  await write(
    prometheusFiles(experiments, {
      target: options.target,
      windowS,
      ...(options.for === undefined ? {} : { forS: seconds(options.for, '--for', 0) }),
    }),
    options,
  );
}

/** Writes an example configuration. @throws AssayError `usage-invalid`. */
export async function exportAlertmanager(options: ExportOptions & { readonly url: string }): Promise<void> {
  await write(alertmanagerFiles({ url: webAddress(options.url, '--url') }), options);
}

/** Writes the dashboard and its provisioning files. @throws AssayError `usage-invalid`. */
export async function exportGrafana(options: ExportOptions & { readonly prometheusUrl: string }): Promise<void> {
  await write(grafanaFiles({ prometheusUrl: webAddress(options.prometheusUrl, '--prometheus-url') }), options);
}

function webAddress(text: string, option: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new AssayError('usage-invalid', `${option} is "${text}", must be an http or https address`);
  return text;
}

async function write(files: readonly ExportedFile[], { output, json }: ExportOptions): Promise<void> {
  const written: string[] = [];
  for (const { path, text } of files) {
    const place = join(output, path);
    try {
      await mkdir(dirname(place), { recursive: true });
      await writeFile(place, text);
    } catch (cause) {
      throw new AssayError('file-unreadable', `${place} cannot be written: ${(cause as Error).message}`, { cause });
    }
    written.push(place);
  }
  if (json === true) sayJson({ files: written });
  else for (const place of written) say(place);
}
