// What did each unit bring? The values behind a summary, unit by unit, for whoever draws new samples from them.
import { summarised } from './make-summary.ts';
import type { AnalysisPlan } from './plan.ts';
import { quoted } from './sql-text.ts';
import type { SqlRow } from './summary-sql.ts';
import { kindOf, number, type ValueKind } from './variant-summary.ts';

/** A metric's values, unit by unit; a unit has the same place in each array and in those of every other metric. */
export interface LoggedMetric {
  readonly name: string;
  readonly kind: ValueKind | 'quantile';
  /** Every row of every unit was 0 or 1, and its mean over rows is the metric. */
  readonly isZeroOne: boolean;
  /** 1 where the unit has a value; elsewhere all its numbers are 0. */
  readonly present: Uint8Array;
  /** Sum of the unit's values; of a `root`, of their squares; 0 of a quantile. */
  readonly numerators: Float64Array;
  /** What the sum is divided by, mostly how many values; of a quantile too. */
  readonly denominators: Float64Array;
  /** What was known before the first exposure. */
  readonly covariates?: Float64Array;
  /** Of a quantile: q, and all values in ascending order with the place of their unit. */
  readonly ranked?: { readonly q: number; readonly values: Float64Array; readonly units: Int32Array };
}

/** Units of one variant with all they brought. */
export interface LoggedUnits {
  readonly variant: string;
  /** Units taken here; their places are 0..size-1. */
  readonly size: number;
  /** Units of the variant in the log. */
  readonly units: number;
  readonly metrics: readonly LoggedMetric[];
}

/** Which units are asked for. */
export interface UnitValuesOptions {
  readonly variant: string;
  /** No more than these, chosen by the hash of their ids, which hangs together with nothing. */
  readonly atMost: number;
}

/** The questions of `unitValuesSql`; `ranked3` is that of the metric at place 3. */
export type UnitValuesQuery = 'units' | 'values' | 'covariates' | `ranked${number}`;

/** Queries over the tables of a plan's `summarySql`. */
export function unitValuesSql(
  { experiment }: AnalysisPlan,
  { variant, atMost }: UnitValuesOptions,
): Readonly<Partial<Record<UnitValuesQuery, string>>> {
  const own = `FROM first_exposure f WHERE f.variant = ${quoted(variant)}`;
  const taken =
    'WITH taken AS (SELECT u.unit_no, u.place FROM (SELECT f.unit_no, row_number() OVER (ORDER BY f.unit_no) - 1 AS place ' +
    `${own}) u WHERE u.place < ${atMost})`;
  const columns = (names: readonly string[], alias: string): string =>
    ['t.place', ...names.map((name) => `${alias}.${name}`)]
      .map((each) => `CAST(${each} AS DOUBLE) AS ${each.slice(2)}`)
      .join(', ');
  const queries: Partial<Record<UnitValuesQuery, string>> = {
    units: `SELECT CAST(count(*) AS DOUBLE) AS units ${own}`,
    values:
      `${taken} SELECT ${columns(['metric', 'numerator', 'denominator', 'others'], 'm')} FROM taken t ` +
      'JOIN unit_metric m ON m.unit_no = t.unit_no AND m.age = -1 WHERE m.numerator IS NOT NULL',
  };
  if (experiment.metrics.some(({ covariate }) => covariate !== undefined)) {
    queries.covariates = `${taken} SELECT ${columns(['metric', 'x'], 'c')} FROM taken t JOIN unit_covariate c ON c.unit_no = t.unit_no`;
  }
  for (const [place, { definition }] of experiment.metrics.entries()) {
    if (definition.kind !== 'quantile') continue;
    queries[`ranked${place}`] =
      `${taken} SELECT ${columns(['value'], 'r')} FROM taken t JOIN row${place} r ON r.unit_no = t.unit_no ` +
      'WHERE r.value IS NOT NULL ORDER BY r.value, t.place';
  }
  return queries;
}

/** The units of the answers; metrics whose values are no numbers of a unit (`calibration`) are left out. */
export function makeLoggedUnits(
  { experiment }: AnalysisPlan,
  answers: Readonly<Partial<Record<UnitValuesQuery, readonly SqlRow[]>>>,
  { variant, atMost }: UnitValuesOptions,
): LoggedUnits {
  const units = number(answers.units?.[0]?.units);
  const size = Math.min(units, atMost);
  return {
    variant,
    size,
    units,
    metrics: experiment.metrics.flatMap(({ name, definition }, place): readonly LoggedMetric[] => {
      const metric = summarised(name, definition);
      if (metric.kind === 'calibration') return [];
      if (metric.kind === 'quantile')
        return [{ name, ...rankedValues(answers[`ranked${place}`] ?? [], { q: metric.q, size }) }];
      const rows = (answers.values ?? []).filter((row) => row.metric === place);
      const kind = kindOf(metric, [
        {
          most: rows.reduce((most, row) => Math.max(most, number(row.denominator)), 0),
          others: rows.reduce((sum, row) => sum + number(row.others), 0),
        },
      ]);
      const known = (answers.covariates ?? []).filter((row) => row.metric === place);
      return [
        {
          name,
          kind,
          isZeroOne: metric.kind === 'values' && rows.every((row) => number(row.others) === 0),
          ...valuesOf(rows, { size }),
          ...(known.length === 0 ? {} : { covariates: covariatesOf(known, rows, { size }) }),
        },
      ];
    }),
  };
}

type Values = Pick<LoggedMetric, 'present' | 'numerators' | 'denominators'>;

function valuesOf(rows: readonly SqlRow[], { size }: { readonly size: number }): Values {
  const present = new Uint8Array(size);
  const numerators = new Float64Array(size);
  const denominators = new Float64Array(size);
  for (const row of rows) {
    const place = number(row.place);
    present[place] = 1;
    numerators[place] = number(row.numerator);
    denominators[place] = number(row.denominator);
  }
  return { present, numerators, denominators };
}

/** Only of units with a value, as in the moments of a summary. */
function covariatesOf(
  known: readonly SqlRow[],
  rows: readonly SqlRow[],
  { size }: { readonly size: number },
): Float64Array {
  const covariates = new Float64Array(size);
  const measured = new Set(rows.map((row) => row.place));
  for (const row of known) if (measured.has(row.place ?? null)) covariates[number(row.place)] = number(row.x);
  return covariates;
}

function rankedValues(
  rows: readonly SqlRow[],
  { q, size }: { readonly q: number; readonly size: number },
): Omit<LoggedMetric, 'name'> {
  const present = new Uint8Array(size);
  const denominators = new Float64Array(size);
  const units = Int32Array.from(rows, (row) => number(row.place));
  for (const place of units) {
    present[place] = 1;
    denominators[place] = (denominators[place] ?? 0) + 1;
  }
  return {
    kind: 'quantile',
    isZeroOne: false,
    present,
    numerators: new Float64Array(size),
    denominators,
    ranked: { q, values: Float64Array.from(rows, (row) => number(row.value)), units },
  };
}
