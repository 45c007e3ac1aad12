// Which experiment is planned, and what is known beforehand? Reads the file, the pilot and the numbers of the command line.
import { readFile } from 'node:fs/promises';
import { type Expectations, pilotOfReport, pilotOfSummary, type Report } from '../../decision/index.ts';
import { AssayError } from '../../errors.ts';
import type { LoggedUnits } from '../../evidence/index.ts';
import { type Experiment, parseExperimentFile } from '../../experiment/index.ts';

/** Options that `assay power` and `assay simulate` share. */
export interface PlanningOptions {
  readonly file: string;
  readonly baseline: readonly string[];
  readonly difference: readonly string[];
  readonly sd: readonly string[];
  readonly traffic?: string;
  readonly power?: number;
  readonly pilot?: string;
  readonly log?: string;
}

/** The planned experiment and what is known of it. */
export interface Planning {
  readonly experiment: Experiment;
  readonly expectations: Expectations;
  /** Of the control, from `--log`, where they were asked for. */
  readonly logged?: LoggedUnits;
}

/** More logged units than these are not drawn from: they would show little more and take much longer. */
const mostUnits = 20_000;

/**
 * Reads all of it.
 * @param takesUnits of a log, take the units themselves too
 * @throws AssayError `file-unreadable`, `experiment-invalid`, `input-invalid`, `usage-invalid`.
 */
export async function readPlanning(
  options: PlanningOptions,
  { takesUnits }: { readonly takesUnits: boolean } = { takesUnits: false },
): Promise<Planning> {
  const written = parseExperimentFile(await readText(options.file), { file: options.file });
  const experiment =
    options.power === undefined ? written : { ...written, plan: { ...written.plan, power: options.power } };
  const levels = (option: string, texts: readonly string[]): Readonly<Record<string, number>> =>
    Object.fromEntries(texts.map((text) => readLevel(text, { option, experiment })));
  const measured = options.pilot === undefined ? {} : await readPilot(options.pilot, experiment);
  const log = options.log === undefined ? undefined : await readLogged(options.log, { experiment, takesUnits });
  const traffic = options.traffic === undefined ? {} : { unitsPerDay: readTraffic(options.traffic) };
  return {
    experiment,
    expectations: {
      ...measured,
      ...log?.pilot,
      ...traffic,
      control: levels('--baseline', options.baseline),
      difference: levels('--difference', options.difference),
      sd: levels('--sd', options.sd),
    },
    ...(log?.units === undefined ? {} : { logged: log.units }),
  };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new AssayError('file-unreadable', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** `accuracy=0.78`, or a number alone for the first metric. */
function readLevel(
  text: string,
  { option, experiment }: { readonly option: string; readonly experiment: Experiment },
): readonly [string, number] {
  const at = text.indexOf('=');
  const names = experiment.metrics.map(({ name }) => name);
  const name = at < 0 ? (names[0] ?? '') : text.slice(0, at).trim();
  const number = Number(text.slice(at + 1).replace(/^\s*$/, 'x'));
  if (!Number.isFinite(number))
    throw new AssayError('usage-invalid', `${option} is "${text}", must be METRIC=NUMBER such as ${names[0]}=0.12`);
  if (!names.includes(name))
    throw new AssayError('usage-invalid', `${option} names the metric "${name}", must be one of: ${names.join(', ')}`);
  if (option === '--sd' && !(number > 0))
    throw new AssayError('usage-invalid', `${option} is "${text}", must be above 0`);
  return [name, number];
}

const perDay = { s: 86_400, m: 1_440, h: 24, d: 1, w: 1 / 7 } as const;

/** Units a day of `500/h` or `12000/d`. */
function readTraffic(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)\/(s|m|h|d|w)$/.exec(text.trim()) ?? [];
  if (digits === '' || Number(digits) === 0)
    throw new AssayError('usage-invalid', `--traffic is "${text}", must be units over time such as 500/h or 12000/d`);
  return Number(digits) * perDay[unit as keyof typeof perDay];
}

async function readPilot(path: string, experiment: Experiment): Promise<Expectations> {
  let document: Partial<Report>;
  try {
    document = JSON.parse(await readText(path));
  } catch (cause) {
    if (cause instanceof AssayError) throw cause;
    throw new AssayError('input-invalid', `${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
  const { control, metrics, variants } = document;
  if (typeof control !== 'string' || !Array.isArray(metrics) || !Array.isArray(variants))
    throw new AssayError('input-invalid', `${path} is no report, must be what assay report NAME --json prints`);
  const pilot = pilotOfReport({ ...document, control, metrics, variants }, experiment.decision.alpha);
  requireKnown(path, pilot, experiment);
  return pilot;
}

async function readLogged(
  directory: string,
  { experiment, takesUnits }: { readonly experiment: Experiment; readonly takesUnits: boolean },
): Promise<{ readonly pilot: Expectations; readonly units: LoggedUnits | undefined }> {
  const { openDuckdbAnalytics } = await import('../../adapters/duckdb-analytics.ts');
  const analytics = await openDuckdbAnalytics({ directory });
  try {
    // The control log is not asked: of a pilot every allocation counts.
    const plan = { experiment, epochs: [], nowMs: Date.now() };
    const pilot = pilotOfSummary(await analytics.summarise(plan));
    requireKnown(directory, pilot, experiment);
    const units = takesUnits
      ? await analytics.readUnits(plan, { variant: experiment.control, atMost: mostUnits })
      : undefined;
    return { pilot, units };
  } finally {
    await analytics.close();
  }
}

function requireKnown(place: string, { pilot = {} }: Expectations, { name, metrics }: Experiment): void {
  if (metrics.some((metric) => pilot[metric.name] !== undefined)) return;
  throw new AssayError(
    'input-invalid',
    `${place} holds no measured metric of ${name}, must hold one of: ${metrics.map((metric) => metric.name).join(', ')}`,
  );
}
