// `assay report NAME`: what the evidence says, in the terminal, as JSON, or as one HTML file for those who were not there.
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { type DistributionsAnswer, paths, type SeriesAnswer } from '../api/index.ts';
import type { Report } from '../decision/index.ts';
import { metricUnits } from '../decision/index.ts';
import { AssayError } from '../errors.ts';
import type { HtmlReportInput } from './html-report/index.ts';
import { connect, type RemoteOptions } from './remote-commands.ts';
import { renderReport } from './render/index.ts';
import { note, say, sayJson, style } from './terminal.ts';

/** How a report leaves the program. */
export interface ReportOutput {
  readonly html?: boolean;
  /** File for the HTML; default standard output. */
  readonly output?: string;
  readonly showInvalid?: boolean;
  readonly json?: boolean;
}

/**
 * Prints the report of an experiment, or writes it as a file.
 * @throws AssayError `usage-invalid`, and what the server answers.
 */
export async function reportCommand(name: string, options: RemoteOptions & ReportOutput): Promise<void> {
  requireFitting(options);
  const client = connect(options);
  const report = await client.report(name);
  if (options.json) {
    sayJson(report);
    return;
  }
  const experiment = await client.experiment(name);
  const units = metricUnits(experiment.specification);
  if (options.html !== true) {
    say(renderReport(report, { ...style, units }));
    return;
  }
  const [series, distributions] = await Promise.all([
    readPage<SeriesAnswer>(paths.series(name), options),
    readPage<DistributionsAnswer>(paths.distributions(name), options),
  ]);
  await writeHtml(report, {
    ...options,
    units,
    ...(experiment.specification.hypothesis === '' ? {} : { hypothesis: experiment.specification.hypothesis }),
    state: `${experiment.state}, revision ${experiment.revision}`,
    ...(series === undefined ? {} : { series }),
    ...(distributions === undefined ? {} : { distributions }),
  });
}

/** @throws AssayError `usage-invalid` for options that contradict each other. */
export function requireFitting({ html, output, json, showInvalid }: ReportOutput): void {
  if (html === true && json === true)
    throw new AssayError('usage-invalid', '--html and --json are both given, must be one of them');
  if (html === true) return;
  const stray = output !== undefined ? '--output' : showInvalid === true ? '--show-invalid' : undefined;
  if (stray !== undefined) throw new AssayError('usage-invalid', `--html is missing, must be given with ${stray}`);
}

/**
 * Writes a report as one HTML file, or to standard output.
 * @throws AssayError `file-unreadable` where the file cannot be written.
 */
export async function writeHtml(
  report: Report,
  {
    output,
    json: _json,
    html: _html,
    showInvalid,
    ...rest
  }: ReportOutput & Partial<Omit<HtmlReportInput, 'report' | 'asOf' | 'digest' | 'showInvalid'>>,
): Promise<void> {
  // Loaded for this alone: drawing takes a document and a library of charts.
  const { renderHtmlReport } = await import('./html-report/index.ts');
  const { units, hypothesis, state, series, distributions } = rest;
  const text = renderHtmlReport({
    report,
    asOf: new Date().toISOString(),
    digest: createHash('sha256').update(JSON.stringify(report)).digest('hex'),
    ...(units === undefined ? {} : { units }),
    ...(hypothesis === undefined ? {} : { hypothesis }),
    ...(state === undefined ? {} : { state }),
    ...(series === undefined ? {} : { series }),
    ...(distributions === undefined ? {} : { distributions }),
    ...(showInvalid === undefined ? {} : { showInvalid }),
  });
  if (output === undefined) {
    process.stdout.write(text);
    return;
  }
  try {
    await writeFile(output, text);
  } catch (cause) {
    throw new AssayError('file-unreadable', `${output} cannot be written: ${(cause as Error).message}`, { cause });
  }
  note(`${output}: ${report.verdict.kind}, ${Math.round(text.length / 1024)} KB, opens without a server`);
}

/** What the page's pictures are drawn from; a server that has none of it still has a report. */
async function readPage<T>(path: string, { server, namespace }: RemoteOptions): Promise<T | undefined> {
  const token = process.env.ASSAY_TOKEN;
  const url = `${server.replace(/\/$/, '')}${path}?namespace=${encodeURIComponent(namespace)}`;
  try {
    const reply = await fetch(url, {
      headers: token ? { authorization: `Bearer ${token}` } : {},
      signal: AbortSignal.timeout(60_000),
    });
    if (reply.ok) return (await reply.json()) as T;
    note(`without pictures of ${path}: the server answers ${reply.status}`);
  } catch (fault) {
    note(`without pictures of ${path}: ${(fault as Error).message}`);
  }
  return undefined;
}
