// `assay analyze`: the server's report from a file: a table with a row per unit, or published summaries.
import { readFile } from 'node:fs/promises';
import type { TableMetric } from '../adapters/csv-analysis.ts';
import { analyzePublished, makeReport, parsePublished, type Report } from '../decision/index.ts';
import { AssayError } from '../errors.ts';
import { exitCodeOf } from './remote-commands.ts';
import { renderReport } from './render/index.ts';
import { type ReportOutput, requireFitting, writeHtml } from './report-command.ts';
import { shareOf } from './share.ts';
import { say, sayJson, style } from './terminal.ts';

interface AnalyzeOptions extends ReportOutput {
  readonly unit?: string;
  readonly variant?: string;
  readonly control?: string;
  readonly metric: readonly string[];
  readonly share: readonly string[];
  readonly winsorize: readonly string[];
  readonly covariate: readonly string[];
  readonly lowerIsBetter?: boolean;
  readonly alpha: number;
  readonly gate?: boolean;
}

/** Largest document of published summaries, bytes. */
const maxDocumentBytes = 4 * 1024 * 1024;

/**
 * Analyses the file and prints the report.
 * @throws AssayError `usage-invalid`, `file-unreadable`, `input-invalid`.
 */
export async function analyzeCommand(file: string, options: AnalyzeOptions): Promise<void> {
  if (!(options.alpha > 0 && options.alpha < 1))
    throw new AssayError('usage-invalid', `--alpha is ${options.alpha}, must be in (0, 1)`);
  requireFitting(options);
  const report = file.endsWith('.json') ? await analyzeDocument(file) : await analyzeTable(file, options);
  if (options.json) sayJson(report);
  else if (options.html) await writeHtml(report, options);
  else say(renderReport(report, style));
  if (options.gate) process.exitCode = exitCodeOf(report.verdict);
}

async function analyzeDocument(file: string): Promise<Report> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new AssayError('file-unreadable', `${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  if (text.length > maxDocumentBytes)
    throw new AssayError(
      'input-invalid',
      `${file} has ${text.length} characters, must have at most ${maxDocumentBytes}`,
    );
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new AssayError('input-invalid', `${file} is not JSON: ${(cause as Error).message}`, { cause });
  }
  return analyzePublished(parsePublished(document));
}

async function analyzeTable(file: string, options: AnalyzeOptions): Promise<Report> {
  const metrics = withRules(options.metric.map(parseMetric), options);
  const { unit, variant, control } = options;
  if (unit === undefined || variant === undefined || control === undefined || metrics.length === 0) {
    const missing = Object.entries({
      '--unit': unit,
      '--variant': variant,
      '--control': control,
      '--metric': metrics[0],
    })
      .filter(([, value]) => value === undefined)
      .map(([name]) => name);
    throw new AssayError('usage-invalid', `${missing.join(', ')} is missing, must be given for a table`, {
      fix: 'For example: assay analyze results.csv --unit userid --variant group --control A --metric clicked:proportion',
    });
  }
  const shares = Object.fromEntries(options.share.map(parseShare));
  const { summariseTable } = await import('../adapters/csv-analysis.ts');
  const summary = await summariseTable({
    file,
    unit,
    variant,
    control,
    metrics,
    ...(options.share.length === 0 ? {} : { shares }),
  });
  const primary = metrics[0]?.name ?? '';
  return makeReport(summary, {
    alpha: options.alpha,
    roles: Object.fromEntries(metrics.map(({ name }, index) => [name, index === 0 ? 'primary' : 'secondary'] as const)),
    ...(options.lowerIsBetter ? { lowerIsBetter: [primary] } : {}),
  });
}

/** The metrics with where their values end and what was known before. */
function withRules(metrics: readonly TableMetric[], { winsorize, covariate }: AnalyzeOptions): readonly TableMetric[] {
  const byMetric = (option: string, texts: readonly string[]): ReadonlyMap<string, string> =>
    new Map(
      texts.map((text) => {
        const at = text.lastIndexOf('=');
        const name = text.slice(0, at);
        if (at < 1 || at === text.length - 1 || !metrics.some((metric) => metric.name === name))
          throw new AssayError(
            'usage-invalid',
            `--${option} is "${text}", must be METRIC=... with one of the metrics: ${metrics.map((metric) => metric.name).join(', ')}`,
          );
        return [name, text.slice(at + 1)];
      }),
    );
  const ends = byMetric('winsorize', winsorize);
  const before = byMetric('covariate', covariate);
  return metrics.map((metric) => {
    const quantiles = ends.get(metric.name);
    const column = before.get(metric.name);
    if (quantiles !== undefined && metric.kind !== 'mean')
      throw new AssayError(
        'usage-invalid',
        `--winsorize names ${metric.name}, must name a mean: a proportion has no tail`,
      );
    return {
      ...metric,
      ...(quantiles === undefined ? {} : { cap: parseQuantiles(quantiles) }),
      ...(column === undefined ? {} : { covariate: column }),
    };
  });
}

/** `0.99`, or `0.01,0.99` for both ends. */
function parseQuantiles(text: string): NonNullable<TableMetric['cap']> {
  const [first, second] = text.split(',').map(shareOf);
  const [lower, upper] = text.includes(',') ? [first, second] : [undefined, first];
  const isShare = (share: number | undefined): share is number => share !== undefined && share > 0 && share < 1;
  if (text.split(',').length > 2 || !isShare(upper) || (lower !== undefined && !(isShare(lower) && lower < upper)))
    throw new AssayError(
      'usage-invalid',
      `--winsorize ends at "${text}", must be a share in (0, 1) such as 0.99, or two such as 0.01,0.99`,
    );
  return { kind: 'quantile', ...(lower === undefined ? {} : { lower }), upper };
}

function parseMetric(text: string): TableMetric {
  const at = text.lastIndexOf(':');
  const name = text.slice(0, at);
  const kind = text.slice(at + 1);
  if (at < 1 || (kind !== 'proportion' && kind !== 'mean'))
    throw new AssayError('usage-invalid', `--metric is "${text}", must be COLUMN:proportion or COLUMN:mean`);
  return { name, kind };
}

function parseShare(text: string): [string, number] {
  const at = text.lastIndexOf('=');
  const share = shareOf(text.slice(at + 1));
  if (at < 1 || !(share > 0 && share < 1))
    throw new AssayError(
      'usage-invalid',
      `--share is "${text}", must be VARIANT=SHARE with a share in (0, 1), such as A=0.7`,
    );
  return [text.slice(0, at), share];
}
