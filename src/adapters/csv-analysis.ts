// What does a table in a file say about an experiment? The same sums as the server's, from CSV or Parquet.
import { access, constants, stat } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import { AssayError } from '../errors.ts';
import {
  assembleVariants,
  type CapSummary,
  cappedSteps,
  type EvidenceHealth,
  type ExperimentSummary,
  jointSql,
  largestValue,
  metricsSql,
  quoted,
  type SqlRow,
  type SqlStep,
  type SummaryAnswers,
  unitMetricStep,
  unitsSql,
} from '../evidence/index.ts';
import type { CapRule } from '../experiment/index.ts';
import { csvFault, csvSource, readCsvHeader } from './csv-header.ts';
import { type DuckdbSession, openDuckdbSession } from './duckdb-session.ts';

/** A column that is a metric. */
export interface TableMetric {
  readonly name: string;
  readonly kind: 'proportion' | 'mean';
  /** Where its values end; means only. */
  readonly cap?: CapRule;
  /** Column with what was known of the unit before the experiment; of several rows their mean. An empty one counts as the mean of all. */
  readonly covariate?: string;
}

/** What to read from a table. */
export interface TableAnalysis {
  /** CSV with a header, or Parquet by the extension `.parquet`. */
  readonly file: string;
  /** Column that names the unit; several rows of a unit make its metrics ratios. */
  readonly unit: string;
  /** Column that names the variant. */
  readonly variant: string;
  readonly control: string;
  /** Columns with numbers or TRUE and FALSE; an empty cell is a missing value. At least one. */
  readonly metrics: readonly TableMetric[];
  /** Expected share or weight by variant; default the same for all. */
  readonly shares?: Readonly<Record<string, number>>;
}

const mostVariants = 50;
const countedFrom = 'Rows are counted from 1 with the header as row 1, or from 1 without a header in Parquet.';

/**
 * The summary of a table. A unit in several variants counts under that of its first row; how many there are stands in `health`,
 * which is null otherwise.
 *
 * @throws AssayError `file-unreadable`; `input-invalid` naming the column or the row, the value and the rule.
 */
export async function summariseTable(analysis: TableAnalysis): Promise<ExperimentSummary> {
  const file = resolve(analysis.file);
  await requireReadable(file);
  const session = await openDuckdbSession({ readable: [file] });
  try {
    await loadRows(session, analysis, file);
    const shares = await readShares(session, analysis);
    await requireNumbers(session, analysis);
    return await summarise(session, analysis, shares);
  } finally {
    await session.close();
  }
}

async function requireReadable(file: string): Promise<void> {
  try {
    await access(file, constants.R_OK);
    const found = await stat(file);
    if (found.isDirectory()) throw new Error('it is a folder');
    if (found.size === 0) throw new AssayError('input-invalid', `${file} is empty, must hold a header and rows`);
  } catch (cause) {
    if (cause instanceof AssayError) throw cause;
    throw new AssayError('file-unreadable', `${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Table `line`: row (as people count), unit, variant, the metrics as text (tN) and their covariates (uN). */
async function loadRows(session: DuckdbSession, analysis: TableAnalysis, file: string): Promise<void> {
  const isParquet = extname(file).toLowerCase() === '.parquet';
  const header = isParquet ? undefined : await readCsvHeader(file);
  const source = header === undefined ? `read_parquet(${quoted(file)})` : csvSource(file, header);
  const fail = (cause: unknown): never => {
    const { message } = cause as Error;
    const what = header === undefined ? message.split('\n')[0] : csvFault(message, header.columns.length);
    throw new AssayError('input-invalid', `${file} cannot be understood: ${what}`, { cause, fix: countedFrom });
  };
  const columns =
    header?.columns ??
    (await session.read(`DESCRIBE SELECT * FROM ${source}`).catch(fail)).map((row) => row.column_name as string);
  const { unit, variant, metrics } = analysis;
  if (metrics.length === 0) throw new AssayError('input-invalid', 'metrics is empty, must name at least one column');
  const names = metrics.map(({ name }) => name);
  const twice = names.find((name, place) => names.indexOf(name) !== place);
  if (twice !== undefined)
    throw new AssayError('input-invalid', `metric ${quoted(twice)} is named twice, must be once`);
  const covariates = metrics.flatMap(({ covariate }) => covariate ?? []);
  for (const name of [unit, variant, ...names, ...covariates]) await requireColumn(session, { name, columns, file });
  const text = (name: string): string => `nullif(trim(CAST(${identifier(name)} AS VARCHAR)), '')`;
  const picked = metrics.flatMap(({ name, covariate }, place) => [
    `${text(name)} AS t${place}`,
    ...(covariate === undefined ? [] : [`${text(covariate)} AS u${place}`]),
  ]);
  await session
    .run(
      `CREATE TEMP TABLE line AS SELECT row_number() OVER () + ${isParquet ? 0 : 1} AS row_no, ` +
        `${text(unit)} AS unit, ${text(variant)} AS variant, ${picked.join(', ')} FROM ${source}`,
    )
    .catch(fail);
  const [missing] = await session.read(
    'SELECT l.row_no, CASE WHEN l.unit IS NULL THEN 1 ELSE 0 END AS is_unit FROM line l WHERE l.unit IS NULL OR l.variant IS NULL ORDER BY l.row_no LIMIT 1',
  );
  if (missing !== undefined) {
    const column = missing.is_unit === 1 ? unit : variant;
    throw atRow(
      missing.row_no,
      `${column} is empty, must be the name of a ${missing.is_unit === 1 ? 'unit' : 'variant'}`,
    );
  }
}

async function requireColumn(
  session: DuckdbSession,
  wanted: { readonly name: string; readonly columns: readonly string[]; readonly file: string },
): Promise<void> {
  const { name, columns, file } = wanted;
  if (columns.includes(name)) return;
  const [nearest] = await session.read(
    `SELECT c.name, levenshtein(lower(c.name), lower($name)) AS distance FROM (VALUES ${columns.map((column) => `(${quoted(column)})`).join(', ')}) c(name) ORDER BY distance LIMIT 1`,
    { name },
  );
  const isNear = nearest !== undefined && (nearest.distance as number) <= Math.max(2, name.length / 3);
  const meant = isNear ? ` Did you mean ${quoted(nearest.name as string)}?` : '';
  throw new AssayError(
    'input-invalid',
    `column ${quoted(name)} is not in ${basename(file)}, must be one of: ${columns.join(', ')}.${meant}`,
  );
}

/** Expected shares by variant, summing to 1; the variants are those of the table and those expected. */
async function readShares(session: DuckdbSession, analysis: TableAnalysis): Promise<Readonly<Record<string, number>>> {
  const { control, variant, shares } = analysis;
  const rows = await session.read(
    `SELECT l.variant FROM line l GROUP BY l.variant ORDER BY min(l.row_no) LIMIT ${mostVariants + 1}`,
  );
  const seen = rows.map((row) => row.variant as string);
  if (seen.length === 0)
    throw new AssayError('input-invalid', 'the table has no rows, must have at least one per variant');
  if (seen.length > mostVariants) {
    throw new AssayError(
      'input-invalid',
      `column ${quoted(variant)} has more than ${mostVariants} different values, must name 2 to ${mostVariants} variants`,
    );
  }
  const names = [...new Set([...seen, ...Object.keys(shares ?? {})])].sort();
  if (!seen.includes(control)) {
    throw new AssayError(
      'input-invalid',
      `control is ${quoted(control)}, must be one of: ${[...seen].sort().join(', ')}`,
    );
  }
  if (seen.length < 2) {
    throw new AssayError(
      'input-invalid',
      `column ${quoted(variant)} has only ${quoted(control)}, must name at least two variants`,
    );
  }
  const weights = names.map((name) => {
    const weight = shares === undefined ? 1 : shares[name];
    if (weight === undefined) {
      throw new AssayError('input-invalid', `shares has no ${quoted(name)}, must have every variant of the table`);
    }
    if (!Number.isFinite(weight) || weight < 0) {
      throw new AssayError('input-invalid', `share of ${quoted(name)} is ${weight}, must be a number >= 0`);
    }
    return weight;
  });
  const sum = weights.reduce((total, weight) => total + weight, 0);
  if (sum === 0) throw new AssayError('input-invalid', 'the shares add up to 0, must be above 0');
  return Object.fromEntries(names.map((name, place) => [name, (weights[place] ?? 0) / sum]));
}

/** Table `cell`: row_no, unit_no, vN and xN (covariates) as numbers. */
async function requireNumbers(session: DuckdbSession, { metrics }: TableAnalysis): Promise<void> {
  const numberIn = (column: string, name: string): string =>
    `CASE lower(l.${column}) WHEN 'true' THEN 1 WHEN 'false' THEN 0 ELSE try_cast(l.${column} AS DOUBLE) END AS ${name}`;
  const values = metrics.flatMap(({ covariate }, place) => [
    numberIn(`t${place}`, `v${place}`),
    ...(covariate === undefined ? [] : [numberIn(`u${place}`, `x${place}`)]),
  ]);
  await session.run(
    `CREATE TEMP TABLE cell AS SELECT l.*, min(l.row_no) OVER (PARTITION BY l.unit) AS unit_no, ${values.join(', ')} FROM line l`,
  );
  for (const [place, { name, kind, covariate }] of metrics.entries()) {
    await requireColumnOfNumbers(session, { name, kind, text: `t${place}`, number: `v${place}` });
    if (covariate !== undefined)
      await requireColumnOfNumbers(session, { name: covariate, kind: 'mean', text: `u${place}`, number: `x${place}` });
  }
}

async function requireColumnOfNumbers(
  session: DuckdbSession,
  of: { readonly name: string; readonly kind: TableMetric['kind']; readonly text: string; readonly number: string },
): Promise<void> {
  const { name, kind, text, number } = of;
  const rule = kind === 'proportion' ? `c.${number} IN (0, 1)` : `abs(c.${number}) <= ${largestValue}`;
  const [wrong] = await session.read(
    `SELECT c.row_no, c.${text} AS value, c.${number} IS NULL OR NOT isfinite(c.${number}) AS is_text ` +
      `FROM cell c WHERE c.${text} IS NOT NULL AND NOT coalesce(${rule}, FALSE) ORDER BY c.row_no LIMIT 1`,
  );
  if (wrong === undefined) return;
  const value = wrong.value as string;
  const shown = value.length > 40 ? `${value.slice(0, 37)}...` : value;
  if (kind === 'proportion') throw atRow(wrong.row_no, `${name} is ${shown}, must be 0 or 1 (or TRUE or FALSE)`);
  if (wrong.is_text) throw atRow(wrong.row_no, `${name} is ${quoted(shown)}, must be a number`);
  throw atRow(wrong.row_no, `${name} is ${shown}, must be at most ${largestValue} in size`);
}

async function summarise(
  session: DuckdbSession,
  analysis: TableAnalysis,
  shares: Readonly<Record<string, number>>,
): Promise<ExperimentSummary> {
  const { metrics } = analysis;
  const rows = metrics.map(({ cap }, index) => {
    const all = `SELECT c.unit_no, -1 AS age, c.v${index} AS value, 0 AS waiting FROM cell c`;
    return cap === undefined ? { steps: [], rows: all } : cappedSteps({ index, rows: all, rule: cap });
  });
  // Of several rows of a unit the mean; who has none stands where it moves nothing.
  const covariates = metrics.flatMap(({ covariate }, index) =>
    covariate === undefined
      ? []
      : [
          `SELECT ${index} AS metric, u.unit_no, coalesce(u.x, avg(u.x) OVER (), 0) AS x ` +
            `FROM (SELECT c.unit_no, avg(c.x${index}) AS x FROM cell c GROUP BY c.unit_no) u`,
        ],
  );
  const withCovariates = covariates.length > 0;
  const steps: readonly SqlStep[] = [
    {
      table: 'unit_scope',
      select: 'SELECT 0 AS scope, c.row_no AS unit_no, c.variant, -1 AS age FROM cell c WHERE c.row_no = c.unit_no',
    },
    ...rows.flatMap((each) => each.steps),
    unitMetricStep(rows.map((each, index) => ({ index, rows: each.rows }))),
    ...(withCovariates ? [{ table: 'unit_covariate', select: covariates.join(' UNION ALL ') }] : []),
  ];
  for (const { table, select } of steps) await session.run(`CREATE TEMP TABLE ${table} AS ${select}`);
  const caps: Record<string, CapSummary> = {};
  for (const [index, each] of rows.entries()) {
    if (!('caps' in each)) continue;
    const [found] = await session.read(each.caps);
    caps[metrics[index]?.name ?? ''] = capOf(found ?? {});
  }
  const answers: SummaryAnswers = {
    units: await session.read(unitsSql()),
    metrics: await session.read(metricsSql({ withCovariates })),
    joint: await session.read(jointSql(metrics.map((_, index) => index))),
    requests: await session.read(
      'SELECT s.scope, s.variant, count(*) AS requests FROM unit_scope s JOIN cell c ON c.unit_no = s.unit_no GROUP BY s.scope, s.variant',
    ),
  };
  const variants = assembleVariants({
    answers,
    declared: Object.keys(shares),
    metrics: metrics.map(({ name, kind }) => ({ name, kind: kind === 'mean' ? 'mean' : 'values' })),
  });
  const units = Object.fromEntries(variants.map((entry) => [entry.variant, entry.units]));
  const [several] = await session.read(
    'SELECT count(*) AS units FROM (SELECT c.unit_no FROM cell c GROUP BY c.unit_no HAVING min(c.variant) <> max(c.variant)) u',
  );
  return {
    format: 'assay-summary',
    version: 1,
    namespace: 'default',
    experiment: basename(analysis.file, extname(analysis.file)),
    control: analysis.control,
    unit: 'unit',
    fromMs: null,
    toMs: null,
    variants,
    segments: [],
    epochs: [{ epoch: 1, shares, units }],
    ...(Object.keys(caps).length === 0 ? {} : { caps }),
    health: healthOf(answers.requests ?? [], several?.units as number),
  };
}

function capOf(row: SqlRow): CapSummary {
  const { lower, upper, raised, lowered, n } = row;
  return {
    ...(typeof lower === 'number' ? { lower } : {}),
    ...(typeof upper === 'number' ? { upper } : {}),
    raised: Number(raised),
    lowered: Number(lowered),
    n: Number(n),
  };
}

function healthOf(requests: readonly SqlRow[], unitsInSeveralVariants: number): EvidenceHealth | null {
  if (unitsInSeveralVariants === 0) return null;
  const predictions = requests.reduce((sum, row) => sum + (row.requests as number), 0);
  return {
    predictions,
    byReason: { split: predictions },
    unitsInSeveralVariants,
    outcomes: { received: 0, duplicates: 0, joined: 0, orphans: 0, late: 0 },
    uncleanShutdowns: 0,
  };
}

function atRow(row: unknown, text: string): AssayError {
  return new AssayError('input-invalid', `row ${row}: ${text}`, { fix: countedFrom });
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
